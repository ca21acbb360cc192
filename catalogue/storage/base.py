"""What the catalogue asks of a place for bytes."""

from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO, Protocol


def idle() -> None:
    """Do nothing between two blocks."""


class Store(Protocol):
    """
    Bytes under keys: relative names with ``/``, never absolute, never with ``..``.

    A file once written under a key keeps its content. Each implementation passes
    ``tests/contract/test_stores.py``.
    """

    slug: str

    def size(self, key: str) -> int | None:
        """Return the size in bytes, or None if nothing is there."""

    def open(self, key: str) -> BinaryIO:
        """
        Open a file for reading.

        Raises
        ------
        StoreError
            If it is not there or cannot be read just now.
        """

    def local_path(self, key: str) -> Path | None:
        """Return where a process on this machine can open it, None if nowhere."""

    def put(
        self, source: Path, key: str, *, sha256: str, on_block: Callable[[], None] = idle
    ) -> None:
        """
        Write a file, or find it written.

        May be interrupted at any moment and called again: it goes on where it was.
        The file appears under its key at once and whole, after its bytes were read
        back and have the given sha256.

        Parameters
        ----------
        source : Path
            What to copy.
        key : str
            Where to.
        sha256 : str
            Of the whole file.
        on_block : callable
            Called often while bytes move; whatever it raises ends the copy.

        Raises
        ------
        StoreError
            If the store cannot be written just now.
        ChecksumError
            If the bytes read back are not those expected.
        """
