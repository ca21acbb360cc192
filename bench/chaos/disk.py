"""A small disk that can be filled: a tmpfs where that may be mounted, else a stand-in."""

import os
import subprocess
from contextlib import suppress
from pathlib import Path

_SIZE = "48m"


class Disk:
    """
    The disk of the results.

    Where this process may not mount one, recipes write to ``/dev/full`` as long as the
    marker is there: the error is the kernel's own, though only the recipe meets it.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir()
        command = ["mount", "-t", "tmpfs", "-o", f"size={_SIZE}", "tmpfs", str(folder)]
        mounted = subprocess.run(command, check=False, capture_output=True)  # noqa: S603 - our own folder
        self.is_mounted = mounted.returncode == 0
        self._ballast = folder / "ballast"
        self.marker = folder.with_name("full")

    def fill(self) -> None:
        if not self.is_mounted:
            self.marker.touch()
            return
        with self._ballast.open("ab", buffering=0) as ballast, suppress(OSError):
            while True:
                ballast.write(bytes(2**16))

    def empty(self) -> None:
        self._ballast.unlink(missing_ok=True)
        self.marker.unlink(missing_ok=True)

    def remove(self) -> None:
        if self.is_mounted:
            command = ["umount", "--lazy", os.fspath(self.folder)]
            subprocess.run(command, check=False, capture_output=True)  # noqa: S603 - as above
