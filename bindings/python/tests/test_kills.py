"""kill -9 at any moment of a background contact, of closing and of opening: the store opens,
nothing that was kept is lost, and the center has each note once.

`FORERUNNER_KILLS` says how many; 25 in the suite.
"""

import os
import pathlib
import random
import subprocess
import sys
import tempfile
import time
import unittest

import forerunner
from rig import FileKeys
from test_device import WAIT_S, Center

WORKER = pathlib.Path(__file__).parent / "worker.py"
KILLS = int(os.environ.get("FORERUNNER_KILLS", "25"))


class Kills(unittest.TestCase):
    def test_a_device_that_is_killed_anywhere_in_its_background_work_is_whole(self):
        with tempfile.TemporaryDirectory() as folder:
            path = pathlib.Path(folder)
            center = Center(path)
            self.addCleanup(center.stop)
            report = {"agency": "pd", "number": "K-1", "nature": "ALARM", "location": "1 A ST", "units": ["1A1"]}
            call = center.post("/v1/calls", report)["id"]
            ticket = center.post("/v1/enrolment-codes", {"agency": "pd", "label": "Phone"})["ticket"]
            officer = forerunner.Officer.open(str(path / "device"), FileKeys(path / "keys"))
            officer.enrol(ticket)
            officer.sign_on("101", "1A1")
            officer.sync_once(forerunner.SyncBudget(ms_max=20_000, bytes_max=10**6))
            self.assertIsNotNone(officer.packet(call))
            del officer
            kept = [text for run in range(KILLS) for text in self.killed(path, call, run)]
            self.assertGreater(len(kept), 0)

            officer = forerunner.Officer.open(str(path / "device"), FileKeys(path / "keys"))
            self.assertIsNone(officer.set_aside())
            report = officer.sync_once(forerunner.SyncBudget(ms_max=60_000, bytes_max=10**8))
            self.assertEqual(report.unsent, 0, report)
            texts = [entry.get("text") for entry in center.get(f"/v1/calls/{call}")["entries"]]
            for text in kept:
                self.assertEqual(texts.count(text), 1, text)
            print(f"{KILLS} kills, {len(kept)} notes kept, each at the center once", file=sys.stderr)

    def killed(self, path, call, run):
        """Lets a worker run for a moment, kills it, and gives what it had kept."""
        command = [sys.executable, WORKER, path, call, str(run)]
        worker = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        assert worker.stdout is not None and worker.stderr is not None
        deadline = time.monotonic() + WAIT_S
        # One in five is killed while it opens its store.
        early = run % 5 == 0
        if not early:
            line = worker.stdout.readline().strip()
            if line != "up":
                worker.kill()
                self.fail(f"run {run}: {line} {worker.stderr.read()}")
        time.sleep(random.uniform(0, 0.5))
        self.assertIsNone(worker.poll(), "the worker ended by itself")
        self.assertLess(time.monotonic(), deadline)
        worker.kill()
        said, _ = worker.communicate(timeout=WAIT_S)
        lines = said.splitlines()
        self.assertFalse([line for line in lines if line.startswith("set aside")], f"run {run}")
        # A line that was cut off by the kill was not said.
        whole = lines if said.endswith("\n") else lines[:-1]
        return [line.removeprefix("kept ") for line in whole if line.startswith("kept ")]


if __name__ == "__main__":
    unittest.main()
