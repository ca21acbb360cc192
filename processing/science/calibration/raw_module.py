"""
One raw file of one detector module, as the European XFEL writes it.

Frames are numbered as they lie in the file: AGIPD has one after the other, JUNGFRAU as many
per train as it has memory cells in use. What belongs to a frame is found by that number.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import h5py
import hdf5plugin  # noqa: F401  importing it registers the filters that detectors write with
import numpy as np
from numpy.typing import NDArray

from processing.science.calibration.constants_file import Detector
from processing.science.errors import (
    AlreadyCorrectedError,
    MissingFieldError,
    ShapeError,
    UnreadableFileError,
)

AGIPD_SOURCE = re.compile(r"(?P<detector>[^/]+_AGIPD[^/]*)/(?P<kind>DET|CORR)/(?P<number>\d+)CH0:")
JUNGFRAU_SOURCE = re.compile(
    r"(?P<detector>[^/]+)/(?P<kind>DET|CORR)/(?P<name>JNGFR|MODULE_|RECEIVER-)(?P<number>\d+):"
)
NAME = re.compile(r"^(?P<kind>RAW|CORR)-R(?P<run>\d+)-(?P<aggregator>\w+)-S(?P<sequence>\d+)\.h5$")
_IDS = ("pulseId", "cellId")
PIXELS: dict[Detector, tuple[int, int]] = {"AGIPD": (512, 128), "JUNGFRAU": (512, 1024)}


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
        return "image" if self.detector == "AGIPD" else "data"


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


def is_module_file(name: str) -> bool:
    """Tell from its name whether a file of a run holds frames of a detector module."""
    found = NAME.match(name)
    return found is not None and re.match(r"(AGIPD|JNGFR)\d+$", found["aggregator"]) is not None


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
    UnreadableFileError
        If it is not HDF5.
    AlreadyCorrectedError
        If its frames are corrected.
    MissingFieldError
        If it has no module, or not what belongs to it.
    ShapeError
        If frames are not those of the detector.
    """
    try:
        file = h5py.File(path, "r", locking=False)
    except OSError as error:
        raise UnreadableFileError(path.name, "it is not HDF5, or cut short.") from error
    with file:
        detector, module, source = _find_source(file, path.name)
        found = Source(path, detector, module, source)
        index = _find(file, f"INDEX/{source}/{found.group}", path.name)
        first, count = _read_index(index, path.name)
        data = _find(file, f"INSTRUMENT/{source}/{found.group}", path.name)
        rows, most = int((first + count).max(initial=0)), int(count.max(initial=0))
        if detector == "AGIPD":
            _check_agipd(data, rows, path.name)
            pulses, cells = (_read_ids(data, key, rows, 1, path.name)[:, 0] for key in _IDS)
            found = replace(found, frames_per_train=max(1, most))
        else:
            cells = _check_jungfrau(data, rows, path.name)
            wide = cells.shape[1]
            has_codes = "gain" in data and data["gain"].shape == data["adc"].shape
            found = replace(found, cells_per_row=wide, frames_per_train=wide, has_codes=has_codes)
            pulses = cells = cells.reshape(-1)
        return RawModule(found, first, count, pulses.astype(np.uint64), cells.astype(np.uint16))


def read_frames(
    file: h5py.File, source: Source, frames: NDArray[np.int64]
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
    group = file[f"INSTRUMENT/{source.name}/{source.group}"]
    try:
        if source.detector == "AGIPD":
            read = _read(group["data"], source, frames, (2, *source.shape))
            return read.reshape(len(frames), 2, -1), None
        adc = _read(group["adc"], source, frames, source.shape).reshape(len(frames), -1)
        if not source.has_codes:
            return adc, None
        return adc, _read(group["gain"], source, frames, source.shape).reshape(len(frames), -1)
    except OSError as error:
        raise UnreadableFileError(source.path.name, "a frame is damaged or cut short.") from error


def _read(
    data: h5py.Dataset, source: Source, frames: NDArray[np.int64], shape: tuple[int, ...]
) -> NDArray[Any]:
    """
    Read runs of neighbours at once: HDF5 takes long to select frames one by one.

    It takes far longer where memory has fewer axes than the file.
    """
    read = np.empty((len(frames), *shape), data.dtype.newbyteorder("="))
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
    return read


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


def _find_source(file: h5py.File, name: str) -> tuple[Detector, str, str]:
    sources = [
        f"{domain}/{kind}/{device}"
        for domain, kinds in file.get("INSTRUMENT", {}).items()
        for kind, devices in kinds.items()
        for device in devices
    ]
    for source in sources:
        agipd, jungfrau = AGIPD_SOURCE.match(source), JUNGFRAU_SOURCE.match(source)
        found = agipd or jungfrau
        if found is None:
            continue
        if found["kind"] == "CORR":
            raise AlreadyCorrectedError(name, source)
        detector: Detector = "AGIPD" if agipd else "JUNGFRAU"
        short = "AGIPD" if agipd else "JNGFR"
        return detector, f"{short}{int(found['number']):02d}", source
    raise MissingFieldError(name, "module of an AGIPD or JUNGFRAU", sources)


def _find(file: h5py.File, path: str, name: str) -> Any:
    if path not in file:
        parent = path.rsplit("/", 1)[0]
        raise MissingFieldError(name, path, sorted(file.get(parent, {})))
    return file[path]


def _check_agipd(image: h5py.Group, rows: int, name: str) -> None:
    data = _find(image, "data", name)
    if data.ndim == 3:
        raise AlreadyCorrectedError(name, data.name)
    _check(data, (rows, 2, *PIXELS["AGIPD"]))


def _check_jungfrau(group: h5py.Group, rows: int, name: str) -> NDArray[Any]:
    adc = _find(group, "adc", name)
    if adc.dtype.kind == "f" or "mask" in group:
        raise AlreadyCorrectedError(name, adc.name)
    wide = adc.shape[1] if adc.ndim > 1 else 1
    _check(adc, (rows, wide, *PIXELS["JUNGFRAU"]))
    return _read_ids(group, "memoryCell", rows, wide, name)


def _read_index(index: h5py.Group, name: str) -> tuple[NDArray[np.uint64], NDArray[np.uint64]]:
    """Read first rows and how many; before 2017 the last row stood in place of their number."""
    first = np.asarray(_find(index, "first", name)[()], np.uint64)
    if "count" in index or "last" not in index:
        return first, np.asarray(_find(index, "count", name)[()], np.uint64)
    last, status = (np.asarray(_find(index, it, name)[()], np.uint64) for it in ("last", "status"))
    return first, np.where(status > 0, last - first + np.uint64(1), np.uint64(0))


def _read_ids(group: h5py.Group, key: str, rows: int, wide: int, name: str) -> NDArray[Any]:
    """Read the numbers of frames as (rows, wide), if there is one for each."""
    data = _find(group, key, name)
    if data.ndim == 0 or len(data) < rows or data.size != len(data) * wide:
        raise ShapeError(data.name, expected=(rows, wide), found=data.shape)
    return np.asarray(data[:rows]).reshape(rows, wide)


def _check(data: h5py.Dataset, expected: tuple[int, ...]) -> None:
    fits = data.ndim == len(expected) and data.shape[1:] == expected[1:]
    if (
        not fits
        or data.shape[0] < expected[0]
        or data.dtype.kind != "u"
        or data.dtype.itemsize != 2
    ):
        raise ShapeError(f"{data.name} of 16-bit numbers", expected=expected, found=data.shape)
