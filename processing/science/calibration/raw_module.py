"""
One raw file of one detector module, as the European XFEL writes it.

Frames are numbered as they lie in the file: AGIPD has one after the other, JUNGFRAU as many
per train as it has memory cells in use. What belongs to a frame is found by that number.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

from processing.science.errors import (
    CorrectionError,
    NotARunError,
    RunIndexError,
    ShapeError,
    UnreadableFileError,
)
from processing.science.euxfel.detectors import GROUPS, PIXELS, Detector
from processing.science.euxfel.module_files import (
    ModuleFile,
    find_field,
    find_sources,
    read_module_file,
    read_numbers,
)
from processing.science.euxfel.run import Run, open_run
from processing.science.euxfel.soundness import refusing_malformed
from processing.science.scratch import Scratch

MAX_CELLS = 2**16
# What a corrected file takes over of each row.
CARRIED: dict[Detector, Sequence[str]] = {
    "AGIPD": ("trainId", "pulseId", "cellId"),
    "JUNGFRAU": ("trainId", "memoryCell", "frameNumber", "timestamp"),
}


@dataclass(frozen=True)
class Source:
    """
    Where the frames of a module lie; small enough to travel with every task.

    Attributes
    ----------
    path : Path
        The file.
    detector : str
        "AGIPD" or "JUNGFRAU".
    module : str
        "AGIPD00", "JNGFR01".
    name : str
        "SPB_DET_AGIPD1M-1/DET/0CH0:xtdf".
    cells_per_row : int
        1, or memory cells that share a row of a JUNGFRAU.
    frames_per_train : int
        Of the fullest train.
    has_codes : bool
        Whether gain codes stand apart from the values of the ADC.
    """

    path: Path
    detector: Detector
    module: str
    name: str
    cells_per_row: int = 1
    frames_per_train: int = 1
    has_codes: bool = False

    @property
    def shape(self) -> tuple[int, int]:
        return PIXELS[self.detector]

    @property
    def chunk(self) -> tuple[int, ...]:
        """Shape of one frame as it is stored."""
        return (1, *self.shape) if self.detector == "AGIPD" else (1, 1, *self.shape)

    @property
    def group(self) -> str:
        """Group of the source that holds the images."""
        return GROUPS[self.detector]


@dataclass(frozen=True)
class RawModule:
    """
    What a raw file of a module holds, without its frames.

    Attributes
    ----------
    source : Source
        Where the frames lie.
    first, count : ndarray of uint64 of shape (trains,)
        Rows of each train.
    pulse_ids, cell_ids : ndarray of shape (frames,)
        What each frame belongs to; pulses of a JUNGFRAU are its memory cells.
    """

    source: Source
    first: NDArray[np.uint64]
    count: NDArray[np.uint64]
    pulse_ids: NDArray[np.uint64]
    cell_ids: NDArray[np.uint16]

    @property
    def n_frames(self) -> int:
        return len(self.cell_ids)

    @property
    def rows(self) -> int:
        return self.n_frames // self.source.cells_per_row


def read_raw_modules(run: Run) -> list[RawModule]:
    """
    Read what the raw files of the modules of a run hold, without their frames.

    Parameters
    ----------
    run : Run
        Open.

    Returns
    -------
    list of RawModule
        One for each file, in the order of their names.

    Raises
    ------
    NotARunError
        If there is no module.
    RunError, ShapeError
        If frames are not raw, or not those of the detector.
    CorrectionError
        If a file holds several modules: a corrected one has one.
    """
    sources = find_sources(run)
    raws = []
    for access in run.accesses:
        here = sorted(sources.keys() & access.instrument_sources)
        file = Path(access.filename).name
        if len(here) > 1:
            raise CorrectionError(
                f"{file} holds {len(here)} modules ({', '.join(here[:5])}). Files of one module "
                "each are corrected: ask the facility for the run in this layout."
            )
        for source in here:
            with refusing_malformed(file):
                raws.append(_take(read_module_file(access, source, sources[source])))
    if not raws:
        there = ", ".join(run.instrument_sources[:20]) or "none"
        raise NotARunError(
            f"{run.name} has no module of an AGIPD or JUNGFRAU. Its sources: {there}. "
            "Choose the raw run of such a detector."
        )
    return raws


def read_raw_module(path: Path) -> RawModule:
    """
    Read what a raw file of a module holds, without its frames.

    Parameters
    ----------
    path : Path
        ``RAW-R0014-AGIPD00-S00000.h5``.

    Returns
    -------
    RawModule
        Its index and the numbers of its frames.

    Raises
    ------
    DataError
        As ``open_run`` and ``read_raw_modules`` do.
    """
    with open_run([path]) as run:
        return read_raw_modules(run)[0]


def read_frames(
    file: h5py.File, source: Source, frames: NDArray[np.int64], scratch: Scratch | None = None
) -> tuple[NDArray[np.uint16], NDArray[np.uint8] | None]:
    """
    Read frames of a module.

    Parameters
    ----------
    file : h5py.File
        The raw file, open.
    source : Source
        Where they lie.
    frames : ndarray of int64
        Their numbers, ascending.
    scratch : Scratch, optional
        Whose memory they are read into; by default it is fresh.

    Returns
    -------
    ndarray of uint16
        Of shape (frames, 2, pixels) for AGIPD, analog signal and gain level; of shape
        (frames, pixels) for JUNGFRAU, values or words.
    ndarray of uint8 of shape (frames, pixels) or None
        Gain codes, where they stand apart.

    Raises
    ------
    UnreadableFileError
        If frames are damaged.
    """
    group, n = file[f"INSTRUMENT/{source.name}/{source.group}"], len(frames)
    take = (scratch or Scratch()).take

    def read(name: str, *planes: int) -> NDArray[Any]:
        data = group[name]
        words = take(name, (n, *planes, *source.shape), data.dtype.newbyteorder("="))
        _read(data, source, frames, words)
        return words.reshape(n, *planes, -1)

    try:
        if source.detector == "AGIPD":
            return read("data", 2), None
        return read("adc"), read("gain") if source.has_codes else None
    except OSError as error:
        raise UnreadableFileError(source.path.name, "a frame is damaged or cut short.") from error


def _read(
    data: h5py.Dataset, source: Source, frames: NDArray[np.int64], read: NDArray[Any]
) -> None:
    """
    Read runs of neighbours at once: HDF5 takes long to select frames one by one.

    It takes far longer where memory has fewer axes than the file.
    """
    done = 0
    for start, stop in find_runs(frames, source.cells_per_row):
        row, cell = divmod(start, source.cells_per_row)
        part = read[done : done + stop - start]
        if source.detector == "AGIPD":
            data.read_direct(part, np.s_[start:stop])
        elif source.cells_per_row == 1:
            data.read_direct(part[:, np.newaxis], np.s_[start:stop])
        else:
            cells = slice(cell, cell + stop - start)
            data.read_direct(part[np.newaxis], np.s_[row : row + 1, cells])
        done += stop - start


def find_runs(frames: NDArray[np.int64], cells_per_row: int) -> Iterator[tuple[int, int]]:
    """
    Cut ascending numbers where they jump, and at the ends of rows of several cells.

    Parameters
    ----------
    frames : ndarray of int64
        Numbers, ascending.
    cells_per_row : int
        Frames that share a row.

    Yields
    ------
    tuple of int
        First, and the one after the last.
    """
    breaks = np.diff(frames) != 1
    if cells_per_row > 1:
        breaks |= frames[1:] % cells_per_row == 0
    for part in np.split(frames, np.flatnonzero(breaks) + 1):
        if len(part):
            yield int(part[0]), int(part[-1]) + 1


def _take(file: ModuleFile) -> RawModule:
    """Count frames as they lie in the file."""
    kind, (rows, wide), name = file.name.kind, file.cells.shape, file.path.name
    for carried in CARRIED[kind]:
        _check_carried(file, carried, rows)
    most = wide if kind == "JUNGFRAU" else max(1, int(file.count.max(initial=0)))
    source = Source(file.path, kind, file.name.module, file.source, wide, most, file.has_codes)
    cells = pulses = file.cells.reshape(-1)
    if np.any(cells >= MAX_CELLS):
        raise RunIndexError(f"{name} numbers a memory cell {cells.max()}. Ask for the run anew.")
    if kind == "AGIPD":
        pulses = read_numbers(file.group, "pulseId", (rows, wide), name)[:, 0]
    first, count = (it.astype(np.uint64) for it in (file.first, file.count))
    return RawModule(source, first, count, pulses.astype(np.uint64), cells.astype(np.uint16))


def _check_carried(file: ModuleFile, name: str, rows: int) -> None:
    """See that each row has what a corrected file takes over; an AGIPD has one of each."""
    if name not in file.group:
        return
    found = find_field(file.group, name, file.path.name).shape
    is_one = file.name.kind == "JUNGFRAU" or set(found[1:]) <= {1}
    if not found or found[0] < rows or not is_one:
        raise ShapeError(f"{name} in {file.path.name}", expected=(rows, 1), found=found)
