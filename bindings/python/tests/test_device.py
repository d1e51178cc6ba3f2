"""A device in Python against a running center: read, write with no link, catch up."""

import json
import os
import pathlib
import signal
import subprocess
import tempfile
import time
import unittest
import urllib.request

import forerunner
from forerunner import Said, streams

WAIT_S = 20

CONFIG = """
name = "Test RTCC"
data = "center"
sync = "127.0.0.1:0"
console = "127.0.0.1:0"
console_tls = false

[[agencies]]
id = "pd"
name = "Police"
units = ["1A1"]
officers = [{ badge = "101", name = "Diaz" }]
"""


class Keys(forerunner.HostKeyStore):
    """Keeps the device's secrets in memory, as a test may."""

    def __init__(self):
        self.kept = {}

    def load(self, name):
        return self.kept.get(name)

    def save(self, name, value):
        self.kept[name] = value

    def erase(self, name):
        self.kept.pop(name, None)


class Center:
    """`forerunner serve`, or what is asked for, as a process of its own."""

    def __init__(self, folder, arguments=None):
        if arguments is None:
            config = folder / "center.toml"
            config.write_text(CONFIG)
            arguments = ["serve", "--config", config]
        ready = folder / "ready.json"
        command = [os.environ["FORERUNNER_BIN"], *arguments, "--ready-file", ready]
        self.process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        deadline = time.monotonic() + WAIT_S
        while not ready.exists():
            if self.process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError("the center did not come up")
            time.sleep(0.02)
        self.ready = json.loads(ready.read_text())

    def post(self, path, body):
        request = urllib.request.Request(
            self.ready["api"] + path,
            data=json.dumps(body).encode(),
            headers={"authorization": "Bearer " + self.ready["token"], "content-type": "application/json"},
        )
        with urllib.request.urlopen(request, timeout=WAIT_S) as answer:
            return json.load(answer)

    def get(self, path):
        headers = {"authorization": "Bearer " + self.ready["token"]}
        request = urllib.request.Request(self.ready["api"] + path, headers=headers)
        with urllib.request.urlopen(request, timeout=WAIT_S) as answer:
            return json.load(answer)

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(WAIT_S)


class Device(unittest.TestCase):
    def setUp(self):
        if "FORERUNNER_BIN" not in os.environ:
            self.fail("FORERUNNER_BIN does not name the binary; `cargo xtask test python` sets it")
        self.folder = tempfile.TemporaryDirectory()
        self.addCleanup(self.folder.cleanup)
        self.path = pathlib.Path(self.folder.name)
        self.center = Center(self.path)
        self.addCleanup(self.center.stop)

    def until(self, officer, wanted, found):
        """What `found` gives, once `wanted` holds of it; waits for the device's changes."""
        deadline = time.monotonic() + WAIT_S
        while True:
            value = found()
            if wanted(value):
                return value
            self.assertLess(time.monotonic(), deadline, f"still {value}")
            officer.wait_for_change(200)

    def notes(self, officer, call):
        packet = officer.packet(call)
        entries = packet.entries if packet else []
        return {entry.said.text: entry for entry in entries if isinstance(entry.said, Said.NOTE)}

    def test_a_note_written_with_no_link_crosses_when_there_is_one(self):
        officer = forerunner.Officer.open(str(self.path / "device"), Keys(), None, None, None)
        ticket = self.center.post("/v1/enrolment-codes", {"agency": "pd", "label": "Phone"})["ticket"]
        officer.enrol(ticket)
        shift = officer.sign_on("101", "1A1")
        self.assertEqual((shift.officer, shift.unit), ("Diaz", "1A1"))
        officer.start()
        self.addCleanup(officer.stop)
        report = {"agency": "pd", "number": "P-1", "nature": "ALARM", "location": "1 A ST", "units": ["1A1"]}
        call = self.center.post("/v1/calls", report)["id"]

        packet = self.until(officer, lambda packet: packet and packet.facts, lambda: officer.packet(call))
        self.assertEqual(packet.facts.nature, "ALARM")

        officer.set_link(False)
        self.until(officer, lambda link: isinstance(link, forerunner.LinkRecord.OFFLINE), officer.link)
        officer.add_note(call, "rear door open")
        mine = self.notes(officer, call)["rear door open"].mine
        self.assertIsInstance(mine, forerunner.MineRecord.ON_DEVICE)
        self.assertEqual(officer.outbox_len(), 1)

        officer.set_link(True)
        at_center = lambda notes: isinstance(notes["rear door open"].mine, forerunner.MineRecord.AT_CENTER)
        self.until(officer, at_center, lambda: self.notes(officer, call))
        texts = [entry.get("text") for entry in self.center.get(f"/v1/calls/{call}")["entries"]]
        self.assertEqual(texts.count("rear door open"), 1)

    def test_an_attachment_is_kept_here_and_comes_to_the_center(self):
        officer = forerunner.Officer.open(str(self.path / "device"), Keys(), None, None, None)
        ticket = self.center.post("/v1/enrolment-codes", {"agency": "pd", "label": "Phone"})["ticket"]
        officer.enrol(ticket)
        officer.sign_on("101", "1A1")
        officer.start()
        self.addCleanup(officer.stop)
        report = {"agency": "pd", "number": "P-2", "nature": "ALARM", "location": "1 A ST", "units": ["1A1"]}
        call = self.center.post("/v1/calls", report)["id"]
        self.until(officer, lambda packet: packet and packet.facts, lambda: officer.packet(call))

        officer.set_link(False)
        officer.attach(call, b"a letter", "text/plain", "letter.txt")
        attached = lambda: [entry for entry in officer.packet(call).entries if entry.attachment][0]
        state = forerunner.AttachmentStateRecord
        self.assertIsInstance(attached().attachment.state, state.SENDING)
        officer.set_link(True)
        is_here = lambda entry: isinstance(entry.attachment.state, state.HERE)
        entry = self.until(officer, is_here, attached)
        self.assertIsInstance(entry.mine, forerunner.MineRecord.AT_CENTER)
        self.assertEqual(officer.attachment(entry.attachment.blob).content, b"a letter")
        self.assertIsNone(officer.attachment("0" * 64))

    def on_duty(self, folder="device"):
        officer = forerunner.Officer.open(str(self.path / folder), Keys())
        ticket = self.center.post("/v1/enrolment-codes", {"agency": "pd", "label": "Phone"})["ticket"]
        officer.enrol(ticket)
        officer.sign_on("101", "1A1")
        self.addCleanup(officer.stop)
        return officer

    def report(self, number):
        report = {"agency": "pd", "number": number, "nature": "ALARM", "location": "1 A ST", "units": ["1A1"]}
        return self.center.post("/v1/calls", report)["id"]

    def first(self, stream, wanted):
        deadline = time.monotonic() + WAIT_S
        with stream:
            while True:
                state = stream.get(max(0, deadline - time.monotonic()))
                if wanted(state):
                    return state

    def test_streams_begin_with_what_is_and_end_when_closed(self):
        officer = self.on_duty()
        officer.start()
        self.first(streams.link(officer), lambda link: isinstance(link, forerunner.LinkRecord.ONLINE))
        call = self.report("P-3")
        self.first(streams.packets(officer), lambda calls: any(line.call == call for line in calls))
        officer.set_link(False)
        stream = streams.packet(officer, call)
        for number in range(20):
            officer.add_note(call, str(number))
        packet = self.first(
            stream,
            lambda packet: packet
            and any(isinstance(e.said, Said.NOTE) and e.said.text == "19" for e in packet.entries),
        )
        self.assertEqual(packet, officer.packet(call))
        stream.close()
        self.assertEqual(list(stream), [])

    def test_one_contact_brings_what_waits_and_a_push_says_what(self):
        officer = self.on_duty()
        call = self.report("P-4")
        woken = officer.woken_by(f"forerunner:1:{call}")
        self.assertEqual((woken.call, woken.is_here), (call, False))
        report = officer.sync_once(forerunner.SyncBudget(ms_max=20_000, bytes_max=1_000_000))
        self.assertIsInstance(report.end, forerunner.SyncEnd.CAUGHT_UP)
        self.assertEqual(officer.packet(call).facts.nature, "ALARM")
        self.assertGreater(officer.metrics().bytes_received, 0)
        self.assertIsNotNone(officer.metrics().age_ms)

    def test_each_error_is_of_its_type_and_says_nothing_that_was_typed(self):
        officer = forerunner.Officer.open(str(self.path / "errors"), Keys())
        error, none = forerunner.ForerunnerError, "8000000100000000"
        cases = [
            (error.SignOnFirst, lambda: officer.add_note(none, "SECRET")),
            (error.NotEnrolled, lambda: officer.sign_on("SECRET", "1A1")),
            (error.Invalid, lambda: officer.packet("SECRET")),
            (error.Invalid, lambda: officer.enrol("SECRET")),
        ]
        for kind, call in cases:
            with self.assertRaises(kind) as raised:
                call()
            self.assertNotIn("SECRET", str(raised.exception))
        officer.pause()
        with self.assertRaises(error.Paused):
            officer.packets()
        officer.resume()

    def test_a_bad_ticket_is_a_typed_error(self):
        officer = forerunner.Officer.open(str(self.path / "other"), Keys(), None, None, None)
        with self.assertRaises(forerunner.ForerunnerError.Invalid):
            officer.enrol("not a ticket")
        self.assertFalse(officer.is_enrolled())


if __name__ == "__main__":
    unittest.main()
