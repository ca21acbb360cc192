"""Read a little of a field that passed the guard, within bounds known beforehand."""

import math
from contextlib import suppress
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

from catalogue.hdf5.fields import LARGEST_CHUNK, chunk_bytes
from catalogue.hdf5.findings import refused, shown_path

LARGEST_READ = 128 << 20  # bytes; a frame of 16 Mpixel of 4 bytes has 64 MiB
MOST_VARIABLE = 100_000  # elements of variable length

_TEXT = h5py.string_dtype()
_TEXT_ID = h5py.h5t.py_create(_TEXT)


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
    elements = math.prod(field.shape[len(index) :])
    if elements * field.dtype.itemsize > LARGEST_READ:
        raise _too_large(field, "more than 128 MiB at once")
    if field.dtype.kind == "O" and elements > MOST_VARIABLE:
        raise _too_large(field, f"more than {MOST_VARIABLE} texts at once")
    if _unpacked(field, len(index)) > LARGEST_CHUNK:
        raise _too_large(field, "more than 1 GiB to unpack")
    try:
        return np.asarray(field[index])
    except (OSError, ValueError, TypeError, MemoryError):
        reason = f"{shown_path(str(field.name))} is damaged. Copy the file again."
        raise refused("file-unreadable", reason, "") from None


def read_text(field: h5py.Dataset) -> str:
    """Return the first value as text, decoded as UTF-8 or else Latin-1."""
    return decode(first(field))


def first(field: h5py.Dataset) -> Any:
    """Return the first value of a field, None if it has none."""
    if not field.size:
        return None
    if is_one_text(field.id):
        text = np.empty((), _TEXT)
        with suppress(OSError):  # damaged: told by the way that all others go
            field.id.read(h5py.h5s.ALL, h5py.h5s.ALL, text, _TEXT_ID)
            return text[()]
    return read(field, *(0,) * field.ndim)[()]


def is_one_text(identifier: Any) -> bool:
    """Tell whether a field or attribute is a single text of variable length."""
    if identifier.shape != ():
        return False
    kind = identifier.get_type()
    return isinstance(kind, h5py.h5t.TypeStringID) and kind.is_variable_str()


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
        if not text.isprintable():
            text = "".join(sign for sign in text if sign.isprintable() or sign in "\n\t")
        return text.strip()
    return "" if value is None else str(value)


def attribute(thing: h5py.HLObject, name: str) -> str:
    """Return an attribute as text, empty if it is absent or of a kind that cannot be read."""
    try:
        if not h5py.h5a.exists(thing.id, name.encode()):
            return ""
        identifier = h5py.h5a.open(thing.id, name.encode())
        if not is_one_text(identifier):
            return decode(thing.attrs[name])
        # Four times as quick as attrs; the classes of all groups are read like this.
        text = np.empty((), _TEXT)
        identifier.read(text, _TEXT_ID)
        return decode(text[()])
    except (OSError, TypeError, ValueError, RuntimeError):
        return ""


def _unpacked(field: h5py.Dataset, fixed: int) -> int:
    """Return the bytes that HDF5 unpacks to read a field with some axes fixed."""
    if not field.chunks:
        return 0
    axes = zip(field.shape[fixed:], field.chunks[fixed:], strict=True)
    return chunk_bytes(field) * int(math.prod(-(-length // size) for length, size in axes))


def _too_large(field: h5py.Dataset, what: str) -> Exception:
    reason = f"{shown_path(str(field.name))}: {what}. Read a part of it."
    return refused("file-too-large", reason, "")
