"""Makes the fixture of the present schema, for the versions that come: run once, when a
version is released, with the schema's number:

    FORERUNNER_BIN=target/release/forerunner PYTHONPATH=bindings/python \\
        python3 bindings/python/tests/make_older_store.py 3

What was made is never made anew: it is what that version wrote.
"""

import pathlib
import shutil
import sys
import tempfile

import forerunner
from rig import FileKeys
from test_device import Center

FIXTURES = pathlib.Path(__file__).parent / "older_stores"


def main(version: str) -> None:
    into = FIXTURES / version
    if into.exists():
        sys.exit(f"{into} is there, and stays what it is")
    with tempfile.TemporaryDirectory() as folder:
        path = pathlib.Path(folder)
        center = Center(path)
        try:
            report = {"agency": "pd", "number": "O-1", "nature": "ALARM", "location": "1 A ST", "units": ["1A1"]}
            call = center.post("/v1/calls", report)["id"]
            ticket = center.post("/v1/enrolment-codes", {"agency": "pd", "label": "Phone"})["ticket"]
            officer = forerunner.Officer.open(str(path / "device"), FileKeys(path / "keys"))
            officer.enrol(ticket)
            officer.sign_on("101", "1A1")
            budget = forerunner.SyncBudget(ms_max=20_000, bytes_max=10**6)
            officer.sync_once(budget)
            officer.add_note(call, "at the center")
            officer.attach(call, b"a letter", "text/plain", "letter.txt")
            officer.sync_once(budget)
            officer.add_note(call, "only on this device")
            officer.add_caution(call, "dog in the yard")
            officer.pause()
        finally:
            center.stop()
        into.mkdir(parents=True)
        shutil.copytree(path / "device", into / "device")
        shutil.copytree(path / "keys", into / "keys")
        (into / "call").write_text(call)


if __name__ == "__main__":
    main(sys.argv[1])
