"""
What must hold of a file before anything in it is believed.

A file of a run may come from anywhere. h5py follows links wherever they lead, and what it
raises about a malformed tree depends on what was asked of it.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import h5py

from processing.science.errors import (
    DataError,
    ForeignFileError,
    RunIndexError,
    UnreadableFileError,
)

# What h5py, numpy and EXtra-data raise where a tree is not as they expect it.
BROKEN = (
    KeyError,
    ValueError,
    IndexError,
    TypeError,
    AttributeError,
    ArithmeticError,
    RuntimeError,
    MemoryError,  # of a shape that nobody could have written
)


@contextmanager
def refusing_malformed(file: str) -> Iterator[None]:
    """
    Turn what a malformed file makes others raise into a refusal.

    Parameters
    ----------
    file : str
        Its name.

    Raises
    ------
    UnreadableFileError
        If bytes cannot be read.
    RunIndexError
        If they can, and make no sense.
    """
    from extra_data.exceptions import FileStructureError  # noqa: PLC0415 - a second to import

    try:
        yield
    except DataError:  # a ValueError that says more
        raise
    except OSError as error:
        raise UnreadableFileError(file, "it is not HDF5, or cut short.") from error
    except (FileStructureError, *BROKEN) as error:
        raise RunIndexError(
            f"{file} is not laid out as a file of European XFEL ({type(error).__name__}: {error}). "
            "Ask the facility to write it again."
        ) from error


def refuse_foreign(file: h5py.File) -> None:
    """
    See that all bytes of a file lie in it.

    Links within the file are harmless: what they lead to is looked at by itself.

    Parameters
    ----------
    file : h5py.File
        Open.

    Raises
    ------
    ForeignFileError
        If a link, the source of a virtual field or a raw file leads to another one.
    OSError
        If something in it is damaged.
    """

    def look(name: bytes, link: Any) -> Exception | None:
        path = "/" + name.decode("utf-8", "replace")
        try:
            kind = _find_way_out(file, name, link)
        except (OSError, *BROKEN) as error:
            return OSError(f"{path} is damaged ({error}).")
        return None if kind is None else ForeignFileError(kind, path, _REASON)

    # h5py stops at what the function returns, and breaks down if it raises.
    try:
        found = file.id.links.visit(look, info=True)
    except BROKEN as error:
        raise OSError(f"A group is damaged ({error}).") from error
    if found is not None:
        raise found


def _find_way_out(file: h5py.File, name: bytes, link: Any) -> str | None:
    if link.type == h5py.h5l.TYPE_HARD:
        return _leads_out(h5py.h5o.open(file.id, name))
    return None if link.type == h5py.h5l.TYPE_SOFT else "external-link"


def _leads_out(found: Any) -> str | None:
    if isinstance(found, h5py.h5d.DatasetID):
        stored = found.get_create_plist()
        if stored.get_layout() == h5py.h5d.VIRTUAL:
            return "virtual-source"
        if stored.get_external_count():
            return "external-storage"
    return None


_REASON = "what it holds lies in another file. Register the files that hold the data themselves."
