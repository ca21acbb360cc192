"""
Say whether two result files are the same, and if not, by how much.

HDF5 files are compared as trees: names, shapes, types, attributes, values (NaN equals
NaN) and the targets of links. How they are chunked, compressed or ordered on the disk
means nothing. Other files are equal if their bytes are.
"""

import filecmp
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from hashlib import sha256
from pathlib import Path
from typing import Any, Literal

import h5py
import numpy as np
from numpy.typing import NDArray

from catalogue.storage.local import hash_file
from processing.recipes.trees import Leaf, Link, Node, blocks, canonical_bytes, walk

Verdict = Literal["identical-bytes", "identical-content", "equal-within-tolerance", "different"]

MOST_DIFFERENCES = 20


@dataclass(frozen=True)
class Difference:
    """
    One path at which two files differ.

    ``deviation`` is the largest absolute difference of finite values, in the unit of the
    field; None where it is no matter of numbers.
    """

    path: str
    detail: str
    deviation: float | None = None


@dataclass(frozen=True)
class Comparison:
    """A graded verdict, with the first paths that differ."""

    verdict: Verdict
    differences: tuple[Difference, ...] = ()


@dataclass(frozen=True)
class _Finding:
    difference: Difference
    is_tolerated: bool


def content_digest(path: Path, volatile: Iterable[str] = ()) -> str:
    """
    Name the content of a file, whatever of it may vary.

    Parameters
    ----------
    path : Path
        An HDF5 file; of any other the digest is that of its bytes.
    volatile : iterable of str
        Paths to leave out besides clock and version of NXprocess and of the file, with
        "*" for any text: "/entry/log/*", "/entry@user".

    Returns
    -------
    str
        sha256 in lower-case hexadecimal.
    """
    if not h5py.is_hdf5(path):
        return hash_file(path)
    digest = sha256()
    with h5py.File(path, "r") as file:
        for node in walk(file, tuple(volatile)):
            digest.update(f"{node.path}\0{_outline(node)}\0".encode())
            if isinstance(node, Leaf):
                for part in blocks(node.values):
                    digest.update(canonical_bytes(part))
    return digest.hexdigest()


def _outline(node: Node) -> str:
    if isinstance(node, Leaf):
        return f"{node.dtype} {node.shape}"
    return f"-> {node.target}" if isinstance(node, Link) else "group"


def compare(
    original: Path,
    replay: Path,
    *,
    tolerance: Mapping[str, tuple[float, float]],
    volatile: Iterable[str] = (),
) -> Comparison:
    """
    Grade how well one file repeats another.

    Parameters
    ----------
    original, replay : Path
        The files.
    tolerance : mapping
        Path, or pattern with "*", to relative and absolute tolerance, the latter in the
        unit of the field. The exact path goes before a pattern, a longer pattern before
        a shorter one. Nothing is tolerated elsewhere.
    volatile : iterable of str
        As in ``content_digest``.

    Returns
    -------
    Comparison
        The verdict with at most the first 20 paths that differ, each with its largest
        deviation.
    """
    if filecmp.cmp(original, replay, shallow=False):
        return Comparison("identical-bytes")
    if not (h5py.is_hdf5(original) and h5py.is_hdf5(replay)):
        sizes = original.stat().st_size, replay.stat().st_size
        detail = f"the bytes differ ({sizes[0]} and {sizes[1]} of them)"
        return Comparison("different", (Difference("/", detail),))
    with h5py.File(original, "r") as one, h5py.File(replay, "r") as other:
        found = list(_compare_trees(one, other, tolerance, tuple(volatile)))
    if not found:
        return Comparison("identical-content")
    told = [item for item in found if not item.is_tolerated] or found
    differences = tuple(item.difference for item in told[:MOST_DIFFERENCES])
    is_tolerated = all(item.is_tolerated for item in found)
    return Comparison("equal-within-tolerance" if is_tolerated else "different", differences)


def _compare_trees(
    one: h5py.File,
    other: h5py.File,
    tolerance: Mapping[str, tuple[float, float]],
    volatile: tuple[str, ...],
) -> Iterator[_Finding]:
    left = {node.path: node for node in walk(one, volatile)}
    right = {node.path: node for node in walk(other, volatile)}
    for path in sorted(left.keys() | right.keys()):
        if path not in right:
            yield _Finding(Difference(path, "only in the original"), is_tolerated=False)
        elif path not in left:
            yield _Finding(Difference(path, "only in the replay"), is_tolerated=False)
        else:
            yield from _compare_nodes(left[path], right[path], _limits(path, tolerance))


def _limits(path: str, tolerance: Mapping[str, tuple[float, float]]) -> tuple[float, float]:
    if path in tolerance:
        return tolerance[path]
    fitting = [pattern for pattern in tolerance if fnmatchcase(path, pattern)]
    return tolerance[max(fitting, key=len)] if fitting else (0.0, 0.0)


def _compare_nodes(one: Node, other: Node, limits: tuple[float, float]) -> Iterator[_Finding]:
    if _outline(one) != _outline(other):
        detail = f"{_outline(one)} became {_outline(other)}"
        yield _Finding(Difference(one.path, detail), is_tolerated=False)
    elif isinstance(one, Leaf) and isinstance(other, Leaf):
        yield from _compare_values(one, other, limits)


def _compare_values(one: Leaf, other: Leaf, limits: tuple[float, float]) -> Iterator[_Finding]:
    n_differing, largest, is_tolerated = 0, 0.0, True
    for left, right in zip(blocks(one.values), blocks(other.values), strict=True):
        if canonical_bytes(left) == canonical_bytes(right):
            continue
        if left.dtype.kind not in "iufc":
            n_differing, is_tolerated, largest = n_differing + 1, False, np.nan
            continue
        count, deviation, is_close = _deviate(left, right, limits)
        n_differing += count
        largest = max(largest, deviation)
        is_tolerated &= is_close
    if n_differing:
        # Of text and compounds only whole blocks are counted.
        is_number = not np.isnan(largest)
        detail = f"{n_differing} of {one.size} values differ" if is_number else "the values differ"
        difference = Difference(one.path, detail, largest if is_number else None)
        yield _Finding(difference, is_tolerated)


def _deviate(
    left: NDArray[Any], right: NDArray[Any], limits: tuple[float, float]
) -> tuple[int, float, bool]:
    """Return how many values differ, the largest deviation, and whether it is allowed."""
    if left.dtype.kind in "iu":
        left, right = left.astype(np.longdouble), right.astype(np.longdouble)
    with np.errstate(invalid="ignore", over="ignore"):
        equal = (left == right) | (np.isnan(left) & np.isnan(right))
        gaps = np.abs(left - right)
        allowed = limits[1] + limits[0] * np.abs(left)
        is_close = bool((equal | (gaps <= allowed)).all())
    finite = gaps[~equal & np.isfinite(gaps)]
    return int((~equal).sum()), float(finite.max(initial=0.0)), is_close
