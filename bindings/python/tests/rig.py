"""What more than one test needs: a key store of files, as a rig of an integrator has it."""

import os
import pathlib

import forerunner


class FileKeys(forerunner.HostKeyStore):
    """One file a key, replaced whole: what is there after a kill is the old or the new."""

    def __init__(self, folder: pathlib.Path) -> None:
        super().__init__()
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)

    def load(self, name: str) -> bytes | None:
        path = self.folder / name
        return path.read_bytes() if path.exists() else None

    def save(self, name: str, value: bytes) -> None:
        part = self.folder / (name + ".part")
        with part.open("wb") as file:
            file.write(value)
            file.flush()
            os.fsync(file.fileno())
        part.rename(self.folder / name)

    def erase(self, name: str) -> None:
        (self.folder / name).unlink(missing_ok=True)
