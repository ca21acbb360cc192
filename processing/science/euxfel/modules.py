"""
The frames of one detector module in a run, as trains x memory cells, whatever the files.

AGIPD writes a row for each frame, JUNGFRAU a row for each train; sequence files of different
modules break at different trains. Here each module is a list of rows by train, found once
from the index, which is small enough to travel: tasks then read the rows of their cells in
blocks of bounded size.
"""

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any, Literal

import h5py
import hdf5plugin  # noqa: F401  importing it registers the filters that detectors write with
import numpy as np
from numpy.typing import NDArray

from processing.science.errors import (
    CorrectedInputError,
    EmptySourceError,
    ForeignFileError,
    InterleavedError,
    MissingSourceError,
    MixedCellsError,
    ShapeError,
    UnreadableFileError,
)
from processing.science.euxfel.run import Run

Kind = Literal["AGIPD", "JUNGFRAU"]
Words = NDArray[np.uint16]

SHAPES: dict[Kind, tuple[int, int]] = {"AGIPD": (512, 128), "JUNGFRAU": (512, 1024)}
PLANES: dict[Kind, int] = {"AGIPD": 2, "JUNGFRAU": 1}  # signal, and AGIPD's gain level
BLOCK_BYTES = 2**26
GAIN_BIT = 14  # the two bits above it are the gain code of a JUNGFRAU word
MIN_ALIKE = 0.9  # share of trains that must have the same memory cells

_AGIPD = re.compile(r"(.+)/DET/(\d+)CH0:xtdf")
_JUNGFRAU = re.compile(r"(.+)/DET/JNGFR(\d+):daqOutput")


@dataclass(frozen=True)
class Part:
    """One sequence file: the first row of each complete train, and its number."""

    path: Path
    rows: NDArray[np.int64]
    trains: NDArray[np.uint64]


@dataclass(frozen=True)
class ModuleFrames:
    """
    The frames of one module in a run.

    Attributes
    ----------
    kind : str
        "AGIPD" or "JUNGFRAU".
    name : str
        "AGIPD00", "JNGFR01".
    source : str
        As the run calls it.
    cells : tuple of int
        Memory cell of each frame of a train.
    parts : tuple of Part
        In the order of trains.
    left_out : int
        Trains that lack frames.
    """

    kind: Kind
    name: str
    source: str
    cells: tuple[int, ...]
    parts: tuple[Part, ...]
    left_out: int = 0

    @property
    def n_trains(self) -> int:
        return sum(len(part.rows) for part in self.parts)

    def trains(self) -> list[int]:
        """Return the numbers of the complete trains."""
        return [train for part in self.parts for train in part.trains.tolist()]

    @property
    def frame_bytes(self) -> int:
        return 2 * PLANES[self.kind] * int(np.prod(SHAPES[self.kind]))

    def blocks(self, places: slice, block_bytes: int = BLOCK_BYTES) -> Iterator[tuple[int, Words]]:
        """
        Read the frames of some cells, train by train, in flat memory.

        Parameters
        ----------
        places : slice
            Of ``cells``, with a beginning and an end.
        block_bytes : int
            How much to read at once; at least one train.

        Yields
        ------
        int
            Number of the first train of the block, from 0.
        ndarray of uint16 of shape (n, places, planes, y, x)
            In ADU; JUNGFRAU's with the gain code in bits 15-14. It is overwritten by the
            next one.

        Raises
        ------
        UnreadableFileError
            If a file is damaged.
        """
        wide = places.stop - places.start
        size = max(1, block_bytes // (wide * self.frame_bytes))
        shape = (wide, PLANES[self.kind], *SHAPES[self.kind])
        room = np.empty((min(size, self.n_trains), *shape), np.uint16)
        done = 0
        for part in self.parts:
            try:
                with h5py.File(part.path, "r", locking=False) as file:
                    for first in range(0, len(part.rows), size):
                        rows = part.rows[first : first + size]
                        block = room[: len(rows)]
                        self._read(file, rows, places, block)
                        yield done + first, block
            except (OSError, KeyError) as error:
                raise UnreadableFileError(
                    part.path.name, f"the frames of {self.name} are damaged or cut short."
                ) from error
            done += len(part.rows)

    def _read(self, file: h5py.File, rows: NDArray[np.int64], places: slice, out: Words) -> None:
        group = file[f"INSTRUMENT/{self.source}"]
        if self.kind == "AGIPD":
            _read_agipd(group["image/data"], rows, places, out)
        else:
            _read_jungfrau(group["data"], rows, places, out[:, :, 0])


def find_modules(run: Run, detector: str | None = None) -> tuple[str, dict[str, ModuleFrames]]:
    """
    Find the modules of the detector of a run.

    Parameters
    ----------
    run : Run
        A raw run, open.
    detector : str, optional
        Name of the detector, "SPB_DET_AGIPD1M-1", if there are several.

    Returns
    -------
    str
        Name of the detector.
    dict
        Name of each module to its frames; modules without data are left out.

    Raises
    ------
    CorrectedInputError, InterleavedError
        If the frames are not raw, or in the layout of before 2017.
    MissingSourceError, EmptySourceError
        If there is no such detector, several, or none with data.
    MixedCellsError
        If memory cells change from train to train.
    """
    if not run.is_raw:
        raise CorrectedInputError(f"{run.name} is corrected. Choose the raw runs (RAW-R…).")
    found = _sources(run)
    if detector is not None:
        found = {name: sources for name, sources in found.items() if name == detector}
    if len(found) != 1:
        asked = detector or "AGIPD or JUNGFRAU"
        there = ", ".join(sorted(found)) or ", ".join(run.instrument_sources[:20]) or "none"
        raise MissingSourceError(
            f"{run.name} must have one detector ({asked}); it has: {there}. Name it as detector."
        )
    name, sources = next(iter(found.items()))
    modules = {}
    for module, (kind, source) in sorted(sources.items()):
        frames = _plan(run, kind, module, source)
        if frames is not None:
            modules[module] = frames
    if not modules:
        raise EmptySourceError(f"No module of {name} has a frame in {run.name}. Was it on?")
    return name, modules


def _sources(run: Run) -> dict[str, dict[str, tuple[Kind, str]]]:
    """Return the modules of each detector: name to kind and source."""
    found: dict[str, dict[str, tuple[Kind, str]]] = {}
    for source in run.instrument_sources:
        if (match := _AGIPD.fullmatch(source)) and "AGIPD" in match[1]:
            found.setdefault(match[1], {})[f"AGIPD{int(match[2]):02d}"] = ("AGIPD", source)
        elif match := _JUNGFRAU.fullmatch(source):
            found.setdefault(match[1], {})[f"JNGFR{int(match[2]):02d}"] = ("JUNGFRAU", source)
    return found


@dataclass(frozen=True)
class _Found:
    """What the index of one file says: by train, its first row and its memory cells."""

    path: Path
    trains: NDArray[np.uint64]
    rows: NDArray[np.int64]
    cells: list[tuple[int, ...]]


def _plan(run: Run, kind: Kind, module: str, source: str) -> ModuleFrames | None:
    """Find the rows of the trains that have all their frames."""
    found = [
        _read_index(access, kind, source)
        for access in run.accesses
        if source in access.instrument_sources
    ]
    tally = Counter(cells for it in found for cells in it.cells)
    if not tally:
        return None
    # Of equally common ones the longest, so that the answer does not hang on the order.
    cells = max(tally, key=lambda pattern: (tally[pattern], len(pattern), pattern))
    if tally[cells] < MIN_ALIKE * tally.total():
        raise MixedCellsError(
            f"{module} of {run.name} has {len(tally)} sets of memory cells, the commonest in "
            f"{tally[cells]} of {tally.total()} trains. Take darks with one bunch pattern."
        )
    parts = [_keep(it, cells) for it in found]
    parts = sorted((part for part in parts if len(part.rows)), key=lambda part: int(part.trains[0]))
    return ModuleFrames(kind, module, source, cells, tuple(parts), tally.total() - tally[cells])


def _read_index(access: Any, kind: Kind, source: str) -> _Found:
    group, field = ("image", "image/cellId") if kind == "AGIPD" else ("data", "data/memoryCell")
    data = access.file[f"INSTRUMENT/{source}"]
    _check_layout(data, kind, Path(access.filename).name)
    first, count = (np.asarray(it).astype(np.int64) for it in access.get_index(source, group))
    ids = np.asarray(data[field][()], np.int64)
    has = count > 0
    if kind == "AGIPD":
        ids = ids.reshape(-1)
        trains = (tuple(ids[a : a + n].tolist()) for a, n in zip(first, count, strict=True) if n)
    else:
        trains = (tuple(ids[a].tolist()) for a in first[has])
    known: dict[tuple[int, ...], tuple[int, ...]] = {}  # millions of trains share one tuple
    cells = [known.setdefault(it, it) for it in trains]
    return _Found(Path(access.filename), np.asarray(access.train_ids)[has], first[has], cells)


def _keep(found: _Found, cells: tuple[int, ...]) -> Part:
    is_whole = np.array([it == cells for it in found.cells], bool)
    return Part(found.path, found.rows[is_whole], found.trains[is_whole])


def _check_layout(data: h5py.Group, kind: Kind, file: str) -> None:
    """See that frames are as the detector writes them."""
    frames = data.get("image/data" if kind == "AGIPD" else "data/adc")
    if frames is None:
        raise MissingSourceError(f"{file} has no frames of {kind} below {data.name}.")
    if frames.dtype.kind == "f" or (kind == "AGIPD" and frames.ndim == 3):
        raise CorrectedInputError(
            f"{file} holds corrected frames ({frames.dtype}, {frames.ndim} axes). Choose raw runs."
        )
    expected = (2, *SHAPES[kind]) if kind == "AGIPD" else SHAPES[kind]
    if kind == "AGIPD" and frames.shape[1:] == (1, *SHAPES[kind]):
        raise InterleavedError(
            f"{file} holds signal and gain level in turn, as AGIPD wrote before 2017: "
            "this layout is not read. Ask the facility for the run in the present one."
        )
    n = ("n",) if kind == "AGIPD" else ("n", "cells")
    if frames.dtype != np.uint16 or frames.ndim != 4 or frames.shape[len(n) :] != expected:
        raise ShapeError(f"frames in {file}", expected=(*n, *expected), found=frames.shape)
    for name in ("memoryCell", "gain") if kind == "JUNGFRAU" else ():
        told = data.get(f"data/{name}")
        whole = frames.shape if name == "gain" else frames.shape[:2]
        if told is not None and told.shape != whole:
            raise ShapeError(f"{name} in {file}", expected=whole, found=told.shape)
    if frames.is_virtual or frames.external:
        raise ForeignFileError(
            "virtual-source" if frames.is_virtual else "external-storage",
            frames.name,
            "the frames lie in another file. Register the raw files themselves.",
        )


def _read_agipd(data: h5py.Dataset, rows: NDArray[np.int64], places: slice, out: Words) -> None:
    """Read rows of frames; what lies side by side in the file is read at once."""
    wide = places.stop - places.start
    begins = rows + places.start
    flat = out.reshape(-1, *out.shape[2:])
    breaks = np.flatnonzero(np.diff(begins) != wide) + 1
    for a, b in pairwise([0, *breaks.tolist(), len(rows)]):
        source = np.s_[begins[a] : begins[a] + (b - a) * wide]
        data.read_direct(flat, source, np.s_[a * wide : b * wide])


def _read_jungfrau(group: h5py.Group, rows: NDArray[np.int64], places: slice, out: Words) -> None:
    """Read rows of trains, and put the gain code where the detector itself has it."""
    breaks = np.flatnonzero(np.diff(rows) != 1) + 1
    for a, b in pairwise([0, *breaks.tolist(), len(rows)]):
        source = np.s_[rows[a] : rows[a] + b - a, places]
        group["adc"].read_direct(out, source, np.s_[a:b])
        if "gain" in group:
            codes = np.asarray(group["gain"][source])
            codes[codes > 3] = 2  # as invalid as 2; its lower bits would be another gain
            # A word that has its gain code already comes beside a gain of 0.
            np.bitwise_or(out[a:b], codes.astype(np.uint16) << GAIN_BIT, out=out[a:b])
