"""An HDF5 file as a sequence of paths: groups, fields, attributes and links, sorted."""

from collections.abc import Iterator
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

# The clock and the writing software, which say nothing of the result.
VOLATILE = ("/@file_time", "/@file_update_time", "/@creator", "/@HDF5_Version", "/@h5py_version")
VOLATILE_OF_PROCESS = ("date", "version")
BLOCK_BYTES = 16 * 2**20


@dataclass(frozen=True)
class Group:
    path: str


@dataclass(frozen=True)
class Link:
    """A name that leads to something that has a path of its own, or to another file."""

    path: str
    target: str


@dataclass(frozen=True)
class Leaf:
    """A field, or an attribute: its path is that of its object, "@" and its name."""

    path: str
    values: Any  # h5py.Dataset, or an array
    dtype: str
    shape: tuple[int, ...] | None

    @property
    def size(self) -> int:
        return int(np.prod(self.shape or ()))


Node = Group | Link | Leaf


def walk(file: h5py.File, volatile: tuple[str, ...]) -> Iterator[Node]:
    """
    Yield what a file holds, in the order of its paths.

    Parameters
    ----------
    file : h5py.File
        Open for reading.
    volatile : tuple of str
        Paths to leave out besides those of ``VOLATILE``; "*" stands for any text.
    """
    yield from _walk(file["/"], "/", (*VOLATILE, *volatile), {})


def _walk(
    found: h5py.Group, path: str, volatile: tuple[str, ...], seen: dict[Any, str]
) -> Iterator[Node]:
    yield Group(path)
    seen[hash(found.id)] = path
    yield from _attributes(found, path, volatile)
    is_process = _text(found.attrs.get("NX_class")) == "NXprocess"
    for name in sorted(found):
        inner = f"{path.rstrip('/')}/{name}"
        if _is_volatile(inner, volatile) or (is_process and name in VOLATILE_OF_PROCESS):
            continue
        yield from _member(found, name, inner, volatile, seen)


def _member(
    group: h5py.Group, name: str, path: str, volatile: tuple[str, ...], seen: dict[Any, str]
) -> Iterator[Node]:
    link = group.get(name, getlink=True)
    if isinstance(link, h5py.SoftLink):
        yield Link(path, link.path)
        return
    if isinstance(link, h5py.ExternalLink):
        yield Link(path, f"{link.filename}:{link.path}")
        return
    found = group[name]
    if (identity := hash(found.id)) in seen:
        yield Link(path, seen[identity])
    elif isinstance(found, h5py.Group):
        yield from _walk(found, path, volatile, seen)
    elif isinstance(found, h5py.Dataset):
        seen[identity] = path
        yield Leaf(path, found, _spell(found.dtype), found.shape)
        yield from _attributes(found, path, volatile)
    else:
        yield Link(path, "named type")


def _attributes(found: Any, path: str, volatile: tuple[str, ...]) -> Iterator[Node]:
    for name in sorted(found.attrs):
        inner = f"{path}@{name}"
        if _is_volatile(inner, volatile):
            continue
        kind = found.attrs.get_id(name)
        value = found.attrs[name]
        if isinstance(value, h5py.Empty):
            yield Leaf(inner, np.zeros(0), _spell(kind.dtype), None)
        else:
            yield Leaf(inner, np.asarray(value), _spell(kind.dtype), kind.shape)


def _is_volatile(path: str, volatile: tuple[str, ...]) -> bool:
    return any(fnmatchcase(path, pattern) for pattern in volatile)


def _spell(dtype: np.dtype[Any]) -> str:
    """Name a type so that texts and references of any length are told from others."""
    if text := h5py.check_string_dtype(dtype):
        return f"text[{text.length or ''}]"
    if dtype.kind == "O":
        return "reference" if h5py.check_ref_dtype(dtype) else "sequence"
    return str(dtype)


def blocks(values: Any) -> Iterator[NDArray[Any]]:
    """Read a field in parts of bounded size, along its first axis."""
    if not isinstance(values, h5py.Dataset):
        yield values
    elif values.shape is None:  # an empty dataset has a type and no values
        return
    elif values.shape == () or values.nbytes <= BLOCK_BYTES:
        yield np.asarray(values[()])
    else:
        row_bytes = max(1, values.nbytes // values.shape[0])
        step = max(1, BLOCK_BYTES // row_bytes)
        for start in range(0, values.shape[0], step):
            yield np.asarray(values[start : start + step])


def canonical_bytes(values: NDArray[Any]) -> bytes:
    """Write values so that equal ones give equal bytes: one NaN, one zero, one byte order."""
    if values.dtype.names:
        return b"".join(canonical_bytes(values[name]) for name in values.dtype.names)
    if values.dtype.kind == "O":
        return b"".join(_lengthened(value) for value in values.ravel())
    if values.dtype.kind in "fc":
        kind = values.dtype.type
        values = np.where(np.isnan(values), kind(np.nan), values) + kind(0)
    return np.ascontiguousarray(values, values.dtype.newbyteorder("<")).tobytes()


def _lengthened(value: Any) -> bytes:
    if isinstance(value, h5py.Reference | h5py.RegionReference):
        body = b"reference" if value else b""  # where it leads has no name of its own
    elif isinstance(value, np.ndarray):
        body = canonical_bytes(value)
    else:
        body = value if isinstance(value, bytes) else str(value).encode()
    return len(body).to_bytes(8, "little") + body


def _text(value: Any) -> str:
    return value.decode(errors="replace") if isinstance(value, bytes) else str(value)
