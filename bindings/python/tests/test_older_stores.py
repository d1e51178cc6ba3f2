"""A store that each released schema wrote opens with this version, with all that is in it."""

import pathlib
import shutil
import tempfile
import unittest

import forerunner
from forerunner import MineRecord, Said
from rig import FileKeys

FIXTURES = pathlib.Path(__file__).parent / "older_stores"


class OlderStores(unittest.TestCase):
    def test_a_store_of_each_schema_opens_with_all_that_is_in_it(self):
        versions = sorted(FIXTURES.iterdir())
        self.assertGreater(len(versions), 0)
        for version in versions:
            with self.subTest(schema=version.name), tempfile.TemporaryDirectory() as folder:
                path = pathlib.Path(folder) / "copy"
                shutil.copytree(version, path)
                call = (path / "call").read_text()
                officer = forerunner.Officer.open(str(path / "device"), FileKeys(path / "keys"))
                self.assertIsNone(officer.set_aside())
                self.assertTrue(officer.is_enrolled())
                self.assertEqual(officer.outbox_len(), 2)
                packet = officer.packet(call)
                self.assertEqual(packet.facts.nature, "ALARM")
                notes = {e.said.text: e.mine for e in packet.entries if isinstance(e.said, Said.NOTE)}
                self.assertIsInstance(notes["at the center"], MineRecord.AT_CENTER)
                self.assertIsInstance(notes["only on this device"], MineRecord.ON_DEVICE)
                cautions = [e.said.text for e in packet.entries if isinstance(e.said, Said.CAUTION)]
                self.assertEqual(cautions, ["dog in the yard"])
                letter = next(e.attachment for e in packet.entries if e.attachment is not None)
                self.assertEqual(officer.attachment(letter.blob).content, b"a letter")
                # And it is written to as any other.
                officer.add_note(call, "by the newer version")
                self.assertEqual(officer.outbox_len(), 3)


if __name__ == "__main__":
    unittest.main()
