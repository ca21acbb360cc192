"""A folder of this machine, or of a file system mounted on it."""

import fcntl
import hashlib
import os
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path, PurePosixPath
from typing import BinaryIO

from catalogue.errors import ChecksumError, StoreError
from catalogue.storage.base import idle

_BLOCK = 1 << 20
_XATTR = "user.sha256"


class LocalStore:
    """
    Store in a POSIX folder.

    Parameters
    ----------
    slug : str
        Its name in facility.toml.
    root : Path
        The folder; keys are relative to it.
    read_only : bool
        Refuse to write.
    """

    def __init__(self, slug: str, root: Path, *, read_only: bool = False) -> None:
        self.slug = slug
        self.root = root
        self.read_only = read_only

    def size(self, key: str) -> int | None:
        """Return the size in bytes, or None if nothing is there."""
        try:
            return self._path(key).stat().st_size
        except FileNotFoundError:
            return None
        except OSError as error:
            raise self._unavailable(error) from error

    def open(self, key: str) -> BinaryIO:
        """Open a file for reading."""
        path = self._inside(key)
        try:
            return path.open("rb")
        except OSError as error:
            raise self._unavailable(error) from error

    def local_path(self, key: str) -> Path | None:
        """Return the path of a key, with no link of its way leading out of the store."""
        return self._inside(key)

    def _inside(self, key: str) -> Path:
        """Follow the links of a path: what was a file once may be a link by now."""
        path = self._path(key).resolve()
        if not path.is_relative_to(self.root.resolve()):
            raise StoreError(self.slug, f"{key} leads out of the store. Restore the file.")
        return path

    def put(
        self, source: Path, key: str, *, sha256: str, on_block: Callable[[], None] = idle
    ) -> None:
        """
        Copy a file here by way of a part file, and rename it once it is proved.

        A part file left by a killed process is continued; the proof is the checksum of
        all bytes read back. If that fails, the copy is made once more from the start:
        the part may have been damaged.
        """
        if self.read_only:
            raise StoreError(self.slug, "is declared read-only; choose another store")
        target = self._path(key)
        if self._is_done(target, source, sha256):
            return
        part = target.with_name(f".part-{sha256}")
        if not self.root.is_dir():
            raise StoreError(self.slug, "its folder is not there. Ask the operator to mount it.")
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            with part.open("a+b") as writer:
                self._lock(writer)
                was_begun = writer.tell() > 0
                _copy_rest(source, writer, on_block)
                if was_begun and _hash(writer, on_block) != sha256:
                    writer.truncate(0)
                    _copy_rest(source, writer, on_block)
                if (found := _hash(writer, on_block)) != sha256:
                    part.unlink()
                    raise ChecksumError(self.slug, target.name, expected=sha256, found=found)
                # A note for later visits; not every file system keeps extended attributes.
                with suppress(OSError):
                    os.setxattr(part, _XATTR, sha256.encode())
                part.replace(target)
            sync_folder(target.parent)
        except OSError as error:
            raise self._unavailable(error) from error

    def _lock(self, part: BinaryIO) -> None:
        """Keep a second copier away: two writers would mix their bytes."""
        try:
            fcntl.flock(part, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise StoreError(self.slug, "this file is just being copied; wait a while") from error

    def _is_done(self, target: Path, source: Path, sha256: str) -> bool:
        if not target.is_file() or target.stat().st_size != source.stat().st_size:
            return False
        with suppress(OSError):
            return os.getxattr(target, _XATTR) == sha256.encode()
        return hash_file(target) == sha256

    def _path(self, key: str) -> Path:
        parts = PurePosixPath(key).parts
        if not parts or ".." in parts or PurePosixPath(key).is_absolute():
            raise StoreError(self.slug, f"{key!r} is no name inside the store")
        return self.root.joinpath(*parts)

    def _unavailable(self, error: OSError) -> StoreError:
        reason = error.strerror or "cannot be reached"
        return StoreError(self.slug, f"{reason}. Ask the operator to look at this store.")


def _copy_rest(source: Path, writer: BinaryIO, on_block: Callable[[], None]) -> None:
    """Copy what a part file still lacks, and bring it to the disk."""
    with source.open("rb") as reader:
        done = writer.seek(0, os.SEEK_END)
        if done > os.fstat(reader.fileno()).st_size:
            writer.truncate(0)
            done = 0
        reader.seek(done)
        while block := reader.read(_BLOCK):
            writer.write(block)
            on_block()
    writer.flush()
    os.fsync(writer.fileno())


def _hash(reader: BinaryIO, on_block: Callable[[], None]) -> str:
    digest = hashlib.sha256()
    reader.seek(0)
    while block := reader.read(_BLOCK):
        digest.update(block)
        on_block()
    return digest.hexdigest()


def hash_file(path: Path) -> str:
    """Return the sha256 of a file's bytes, in hexadecimal."""
    with path.open("rb") as reader:
        return hashlib.file_digest(reader, "sha256").hexdigest()


def sync_folder(folder: Path) -> None:
    """Bring a folder's entries to the disk: a rename survives a crash only then."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
