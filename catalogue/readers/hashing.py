"""Checksums of the files of a dataset, and proof that they did not change meanwhile."""

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from catalogue.description import FoundFile, Progress
from catalogue.hdf5 import refuse_if_being_written
from catalogue.hdf5.findings import refused

BLOCK = 1 << 20  # bytes

_MEDIA_TYPES = {
    ".h5": "application/x-hdf5",
    ".hdf5": "application/x-hdf5",
    ".hdf": "application/x-hdf5",
    ".cxi": "application/x-hdf5",
    ".nxs": "application/x-hdf5",
    ".tif": "image/tiff",
    ".tiff": "image/tiff",
    ".cbf": "image/cbf",
    ".poni": "text/plain",
}


class Stamp(NamedTuple):
    """By what a file is known to be the same file, unchanged."""

    inode: int
    size: int
    modified_ns: int


def take_stamps(places: Mapping[str, Path]) -> dict[str, Stamp]:
    """
    Note how files look before they are read.

    Raises
    ------
    RefusedFileError
        If one is still open for writing by another program.
    """
    for name, place in places.items():
        refuse_if_being_written(place, name)
    return {name: _stamp(place) for name, place in places.items()}


def hash_files(
    places: Mapping[str, Path], stamps: Mapping[str, Stamp], progress: Progress
) -> tuple[FoundFile, ...]:
    """
    Compute size and sha256 of each file.

    Parameters
    ----------
    places : mapping of str to Path
        Where the file of each registered name lies.
    stamps : mapping of str to Stamp
        How each looked before anything was read from it.
    progress : callable
        Called with bytes done and bytes in all.

    Returns
    -------
    tuple of FoundFile
        In the order given.

    Raises
    ------
    RefusedFileError
        If a file changed since its stamp was taken.
    """
    total = sum(stamps[name].size for name in places)
    done, found = 0, []
    progress(0, total)
    for name, place in places.items():
        digest = hashlib.sha256()
        with place.open("rb") as file:
            while block := file.read(BLOCK):
                digest.update(block)
                done += len(block)
                progress(done, max(total, done))
        if _stamp(place) != stamps[name]:
            reason = (
                "The file changed while it was read: it is still being written. Try again later."
            )
            raise refused("file-changing", reason, name)
        media_type = _MEDIA_TYPES.get(place.suffix.lower(), "application/octet-stream")
        found.append(
            FoundFile(
                path=name,
                size=stamps[name].size,
                sha256=digest.hexdigest(),
                media_type=media_type,
                modified_ns=stamps[name].modified_ns,
            )
        )
    return tuple(found)


def _stamp(place: Path) -> Stamp:
    status = place.stat()
    return Stamp(status.st_ino, status.st_size, status.st_mtime_ns)
