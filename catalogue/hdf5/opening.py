"""Open one file read-only, or say in plain words why it cannot be opened."""

import fcntl
import re
import stat
from pathlib import Path

import h5py
import hdf5plugin  # noqa: F401  # its import makes detectors' filters known to HDF5

from catalogue.hdf5.findings import refused

_TRUNCATED = re.compile(r"truncated file: eof = (\d+), sblock->base_addr = \d+, stored_eof = (\d+)")

HDF5_SUFFIXES = frozenset({".h5", ".hdf5", ".hdf", ".nxs", ".nx", ".nexus", ".cxi", ".he5"})


def open_file(place: Path, name: str) -> h5py.File:
    """
    Open an HDF5 file for reading, without taking its lock.

    Parameters
    ----------
    place : Path
        Where it lies.
    name : str
        Its name in the dataset, for messages.

    Returns
    -------
    File
        To be closed by the caller.

    Raises
    ------
    RefusedFileError
        If it is no regular file, empty, not HDF5, truncated, or still open for writing.
    """
    size = _regular_size(place, name)
    if size == 0:
        raise refused("file-unreadable", "The file is empty (0 bytes). Copy it again.", name)
    try:
        return h5py.File(place, "r", locking=False)
    except OSError as error:
        raise _explain(error, place, name) from None


def refuse_if_being_written(place: Path, name: str) -> None:
    """
    Ask whether another program holds the file open for writing.

    HDF5 locks a file that it writes. Asking takes a shared lock for some microseconds.

    Raises
    ------
    RefusedFileError
        If a writer holds the lock.
    """
    with place.open("rb") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            reason = (
                "The file is still open for writing. Register it when its writer has closed it."
            )
            raise refused("file-changing", reason, name) from None
        except OSError:
            return  # a file system without locks cannot tell


def _regular_size(place: Path, name: str) -> int:
    """Return the size in bytes; opening a pipe would wait for ever."""
    try:
        status = place.stat()
    except OSError:
        raise refused("file-unreadable", "The file is not there. Check its name.", name) from None
    if not stat.S_ISREG(status.st_mode):
        reason = "The file is no regular file (a folder, pipe or device). Register the file itself."
        raise refused("file-unsafe", reason, name)
    return status.st_size


def _explain(error: OSError, place: Path, name: str) -> Exception:
    # HDF5's own text holds the server's path and is not for people.
    text = str(error)
    if isinstance(error, PermissionError):
        return refused(
            "file-unreadable", "The file may not be read by this service. Ask its owner.", name
        )
    if "already open for" in text:
        reason = (
            "The file is marked as open for writing: its writer is still at work or stopped "
            "without closing it. Wait for the writer, or repair the file with h5clear."
        )
        return refused("file-incomplete", reason, name)
    if cut := _TRUNCATED.search(text):
        reason = (
            f"The file is cut off: {cut[2]} bytes were written, {cut[1]} are here. Copy it again."
        )
        return refused("file-unreadable", reason, name)
    if not h5py.is_hdf5(place):
        reason = "The file is not an HDF5 file, whatever its name says. Check what was copied."
        return refused("file-unreadable", reason, name)
    reason = "The file starts like an HDF5 file but is damaged. Copy it again."
    return refused("file-unreadable", reason, name)
