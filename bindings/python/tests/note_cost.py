"""What a call costs from Python, for `cargo xtask bench device`: arguments are the folder of a
signed-on device, a call on it, how many notes, how many calls that only cross. Says one line of
JSON: medians in microseconds.
"""

import json
import pathlib
import statistics
import sys
import time

import forerunner


class Keys(forerunner.HostKeyStore):
    """The keys beside the device, as the core's own `FileKeyStore` has them."""

    def __init__(self, folder: pathlib.Path) -> None:
        super().__init__()
        self.folder = folder

    def load(self, name: str) -> bytes | None:
        path = self.folder / f"{name}.key"
        return path.read_bytes() if path.exists() else None

    def save(self, name: str, value: bytes) -> None:
        (self.folder / f"{name}.key").write_bytes(value)

    def erase(self, name: str) -> None:
        (self.folder / f"{name}.key").unlink(missing_ok=True)


def main(folder: str, call: str, notes: int, crossings: int) -> None:
    officer = forerunner.Officer.open(folder, Keys(pathlib.Path(folder) / "keys"))
    took: list[float] = []
    for n in range(notes):
        began = time.perf_counter()
        officer.add_note(call, f"note {n} of what is measured")
        took.append((time.perf_counter() - began) * 1e6)
    began = time.perf_counter()
    for _ in range(crossings):
        officer.metrics()
    crossing = (time.perf_counter() - began) * 1e6 / crossings
    officer.pause()
    print(json.dumps({"note_us": statistics.median(took), "crossing_us": crossing}))


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4]))
