"""
The frames of one detector module in a run, as trains x memory cells, whatever the files.

AGIPD writes a row for each frame, JUNGFRAU a row for each train; sequence files of different
modules break at different trains. Here each module is a list of rows by train, found once
from the index, which is small enough to travel: tasks then read the rows of their cells in
blocks of bounded size.
"""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import h5py
import numpy as np
from numpy.typing import NDArray

from processing.science.errors import (
    EmptySourceError,
    MissingSourceError,
    MixedCellsError,
    UnreadableFileError,
)
from processing.science.euxfel.detectors import (
    GAIN_BIT,
    GROUPS,
    PIXELS,
    PLANES,
    Detector,
    ModuleName,
)
from processing.science.euxfel.module_files import ModuleFile, find_sources, read_module_file
from processing.science.euxfel.run import Run

Words = NDArray[np.uint16]

BLOCK_BYTES = 2**26
MIN_ALIKE = 0.9  # share of trains that must have the same memory cells


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

    kind: Detector
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
        return 2 * PLANES[self.kind] * int(np.prod(PIXELS[self.kind]))

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
        shape = (wide, PLANES[self.kind], *PIXELS[self.kind])
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
        group = file[f"INSTRUMENT/{self.source}/{GROUPS[self.kind]}"]
        if self.kind == "AGIPD":
            _read_agipd(group["data"], rows, places, out)
        else:
            _read_jungfrau(group, rows, places, out[:, :, 0])


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
    RunError
        If the frames are not raw, or not laid out as such.
    MissingSourceError, EmptySourceError
        If there is no such detector, several, or none with data.
    MixedCellsError
        If memory cells change from train to train.
    """
    found: dict[str, dict[str, ModuleName]] = {}
    for source, named in find_sources(run).items():
        found.setdefault(named.detector, {})[source] = named
    if detector is not None:
        found = {name: sources for name, sources in found.items() if name == detector}
    if len(found) != 1:
        asked = detector or "AGIPD or JUNGFRAU"
        there = ", ".join(sorted(found)) or ", ".join(run.instrument_sources[:20]) or "none"
        raise MissingSourceError(
            f"{run.name} must have one detector ({asked}); it has: {there}. Name it as detector."
        )
    name, sources = next(iter(found.items()))
    planned = [_plan(run, source, named) for source, named in sorted(sources.items())]
    modules = {it.name: it for it in planned if it is not None}
    if not modules:
        raise EmptySourceError(f"No module of {name} has a frame in {run.name}. Was it on?")
    return name, dict(sorted(modules.items()))


def _plan(run: Run, source: str, named: ModuleName) -> ModuleFrames | None:
    """Find the rows of the trains that have all their frames."""
    files = [
        read_module_file(access, source, named)
        for access in run.accesses
        if source in access.instrument_sources
    ]
    found = [(file, _cells_by_train(file)) for file in files]
    tally = Counter(cells for _, trains in found for cells in trains if cells)
    if not tally:
        return None
    # Of equally common ones the longest, so that the answer does not hang on the order.
    cells = max(tally, key=lambda pattern: (tally[pattern], len(pattern), pattern))
    if tally[cells] < MIN_ALIKE * tally.total():
        raise MixedCellsError(
            f"{named.module} of {run.name} has {len(tally)} sets of memory cells, the commonest in "
            f"{tally[cells]} of {tally.total()} trains. Take darks with one bunch pattern."
        )
    parts = [_keep(file, np.array([it == cells for it in trains], bool)) for file, trains in found]
    parts = sorted((part for part in parts if len(part.rows)), key=lambda part: int(part.trains[0]))
    left_out = tally.total() - tally[cells]
    return ModuleFrames(named.kind, named.module, source, cells, tuple(parts), left_out)


def _cells_by_train(file: ModuleFile) -> list[tuple[int, ...]]:
    """Return the memory cells of each train, none for a train without frames."""
    rows = file.count if file.name.kind == "AGIPD" else np.minimum(file.count, 1)
    known: dict[tuple[int, ...], tuple[int, ...]] = {}  # millions of trains share one tuple
    trains = (
        tuple(file.cells[a : a + n].reshape(-1).tolist())
        for a, n in zip(file.first.tolist(), rows.tolist(), strict=True)
    )
    return [known.setdefault(it, it) for it in trains]


def _keep(file: ModuleFile, is_whole: NDArray[np.bool_]) -> Part:
    return Part(file.path, file.first[is_whole], file.trains[is_whole])


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
