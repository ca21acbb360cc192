"""Read a little of a field that passed the guard, within bounds known beforehand."""

import math
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

from catalogue.hdf5.fields import LARGEST_CHUNK, chunk_bytes
from catalogue.hdf5.findings import refused, shown_path

LARGEST_READ = 128 << 20  # bytes; a frame of 16 Mpixel of 4 bytes has 64 MiB
MOST_VARIABLE = 100_000  # elements of variable length


def read(field: h5py.Dataset, *index: int) -> NDArray[Any]:
    """
    Read a field, or the part of it at an index, if that is small enough.

    Parameters
    ----------
    field : h5py.Dataset
        Any field.
    *index : int
        Positions along the first axes; the other axes are read whole.

    Returns
    -------
    ndarray
        The values; of shape () for one value, and empty for a field without any.

    Raises
    ------
    RefusedFileError
        If there is too much to read, or its bytes are damaged.
    """
    if field.shape is None:
        return np.empty(0)
    name = shown_path(str(field.name))
    elements = math.prod(field.shape[len(index) :])
    if elements * field.dtype.itemsize > LARGEST_READ:
        raise _too_large(name, "more than 128 MiB at once")
    if field.dtype.kind == "O" and elements > MOST_VARIABLE:
        raise _too_large(name, f"more than {MOST_VARIABLE} texts at once")
    if _unpacked(field, len(index)) > LARGEST_CHUNK:
        raise _too_large(name, "more than 1 GiB to unpack")
    try:
        return np.asarray(field[index])
    except (OSError, ValueError, TypeError, MemoryError):
        raise refused("file-unreadable", f"{name} is damaged. Copy the file again.", "") from None


def read_text(field: h5py.Dataset) -> str:
    """Return the first value as text, decoded as UTF-8 or else Latin-1."""
    return decode(first(field))


def first(field: h5py.Dataset) -> Any:
    """Return the first value of a field, None if it has none."""
    if not field.size:
        return None
    return read(field, *(0,) * field.ndim)[()]


def decode(value: object) -> str:
    """
    Return an attribute or field value as text without outer blanks and NULs.

    Parameters
    ----------
    value : object
        Text or bytes, alone or as the first of an array; anything else gives its ``str``.

    Returns
    -------
    str
        Bytes that are not UTF-8 are read as Latin-1, in which old files write µ and Å.
    """
    if isinstance(value, np.ndarray):
        value = value.reshape(-1)[0] if value.size else ""
    if isinstance(value, str):
        value = value.encode("utf-8", "surrogateescape")
    if isinstance(value, bytes):
        try:
            text = value.decode()
        except UnicodeDecodeError:
            text = value.decode("latin-1")
        return "".join(sign for sign in text if sign.isprintable() or sign in "\n\t").strip()
    return "" if value is None else str(value)


def attribute(thing: h5py.HLObject, name: str) -> str:
    """Return an attribute as text, empty if it is absent or of a kind that cannot be read."""
    try:
        return decode(thing.attrs.get(name))
    except (OSError, TypeError, ValueError, RuntimeError):
        return ""


def _unpacked(field: h5py.Dataset, fixed: int) -> int:
    """Return the bytes that HDF5 unpacks to read a field with some axes fixed."""
    if not field.chunks:
        return 0
    axes = zip(field.shape[fixed:], field.chunks[fixed:], strict=True)
    return chunk_bytes(field) * int(math.prod(-(-length // size) for length, size in axes))


def _too_large(name: str, what: str) -> Exception:
    return refused("file-too-large", f"{name}: {what}. Read a part of it.", "")
