"""The sample, as a program of its own, against the demo."""

import os
import pathlib
import subprocess
import sys
import tempfile
import unittest

from test_device import WAIT_S, Center

SAMPLE = pathlib.Path(__file__).parent.parent / "sample.py"


class Sample(unittest.TestCase):
    def test_the_sample_runs_against_the_demo(self):
        with tempfile.TemporaryDirectory() as folder:
            path = pathlib.Path(folder)
            demo = ["demo", "--data", path / "demo", "--port", "0", "--mdts", "0", "--speed", "1"]
            center = Center(path, demo)
            self.addCleanup(center.stop)
            ticket = center.post("/v1/enrolment-codes", {"agency": "cedar-pd", "label": "Sample"})["ticket"]
            report = {"agency": "cedar-pd", "number": "S-1", "nature": "ALARM", "location": "1 A ST"}
            center.post("/v1/calls", report | {"units": ["1A11"]})
            command = [sys.executable, SAMPLE, path / "device", ticket, "2107", "1A11"]
            ran = subprocess.run(command, capture_output=True, text=True, timeout=4 * WAIT_S)
            self.assertEqual(ran.returncode, 0, ran.stderr)
            self.assertIn("at the center", ran.stdout)
            self.assertRegex(ran.stdout, "locked and opened again; [1-9]")


if __name__ == "__main__":
    unittest.main()
