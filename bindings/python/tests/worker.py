"""A device that works in the background until it is killed, for test_kills.py.

Writes notes, syncs within small budgets, closes and opens its store. What it has kept it
says on its standard output after the call that kept it has returned: `kept TEXT`.
"""

import pathlib
import random
import sys

import forerunner
from rig import FileKeys


def main(folder: str, call: str, run: str) -> None:
    path = pathlib.Path(folder)
    officer = forerunner.Officer.open(str(path / "device"), FileKeys(path / "keys"))
    if officer.set_aside() is not None:
        print(f"set aside {officer.set_aside()}", flush=True)
    print("up", flush=True)
    number = 0
    while True:
        text = f"run {run} note {number}"
        officer.add_note(call, text)
        print(f"kept {text}", flush=True)
        number += 1
        budget = forerunner.SyncBudget(ms_max=random.choice([0, 20, 500]), bytes_max=random.choice([0, 10**6]))
        officer.sync_once(budget)
        if random.random() < 0.5:
            officer.pause()
            officer.resume()


if __name__ == "__main__":
    main(*sys.argv[1:4])
