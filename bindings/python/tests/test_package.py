"""The package as an app sees it, before anything is done with it."""

import unittest

import forerunner


class Package(unittest.TestCase):
    def test_the_library_loads_and_is_what_the_module_was_generated_from(self):
        # Importing compares a checksum of every function with the library's.
        self.assertTrue(forerunner.__all__)
        for name in forerunner.__all__:
            self.assertTrue(hasattr(forerunner, name), name)


if __name__ == "__main__":
    unittest.main()
