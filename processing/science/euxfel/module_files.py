"""
The frames of a raw module in one file, checked: each row of the index is there, with its cells.

Both recipes start from this. What a row is to them is theirs.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import h5py
import hdf5plugin  # noqa: F401  importing it registers the filters that detectors write with
import numpy as np
from numpy.typing import NDArray

from processing.science.errors import (
    CorrectedInputError,
    InterleavedError,
    MissingSourceError,
    RunIndexError,
    ShapeError,
)
from processing.science.euxfel.detectors import (
    CELLS,
    FRAMES,
    GROUPS,
    PIXELS,
    PLANES,
    Detector,
    ModuleName,
    name_module,
)
from processing.science.euxfel.run import Run
from processing.science.euxfel.soundness import refusing_malformed


@dataclass(frozen=True)
class ModuleFile:
    """
    What the file of a module holds, without its frames.

    Attributes
    ----------
    path : Path
        The file.
    name : ModuleName
        Detector and module.
    source : str
        "SPB_DET_AGIPD1M-1/DET/0CH0:xtdf".
    group : h5py.Group
        Of the source, with the frames; open as long as the run.
    trains : ndarray of uint64 of shape (trains,)
        Their numbers.
    first, count : ndarray of int64 of shape (trains,)
        Rows of each train.
    cells : ndarray of int64 of shape (rows, frames of a row)
        Memory cell of each frame; an AGIPD has one in a row.
    """

    path: Path
    name: ModuleName
    source: str
    group: h5py.Group
    trains: NDArray[np.uint64]
    first: NDArray[np.int64]
    count: NDArray[np.int64]
    cells: NDArray[np.int64]

    @property
    def has_codes(self) -> bool:
        """Say whether gain codes stand apart from the values of the ADC."""
        return self.name.kind == "JUNGFRAU" and "gain" in self.group


def find_sources(run: Run) -> dict[str, ModuleName]:
    """
    Find the raw modules of a run.

    Parameters
    ----------
    run : Run
        Open.

    Returns
    -------
    dict
        Source to what its name says; empty if there is no AGIPD or JUNGFRAU.

    Raises
    ------
    CorrectedInputError
        If the run is corrected, or has corrected modules only.
    """
    named = {source: name_module(source) for source in run.instrument_sources}
    found = {source: name for source, name in named.items() if name is not None}
    raw = {source: name for source, name in found.items() if name.is_raw}
    if not run.is_raw or (found and not raw):
        raise CorrectedInputError(f"{run.name} is corrected. Choose the raw run, RAW-R….")
    return raw


def read_module_file(access: Any, source: str, name: ModuleName) -> ModuleFile:
    """
    Read index and memory cells of a module in one file of a run.

    Parameters
    ----------
    access : FileAccess
        One of ``Run.accesses``, that has the source.
    source : str
        As the run calls it.
    name : ModuleName
        What that says.

    Returns
    -------
    ModuleFile
        Whose rows are all there.

    Raises
    ------
    RunIndexError
        If the index is none, or leads beyond the data.
    MissingSourceError
        If frames or cells are not there.
    CorrectedInputError, InterleavedError
        If frames are not raw, or in the layout of before 2017.
    ShapeError
        If they are not those of the detector.
    """
    path = Path(access.filename)
    with refusing_malformed(path.name):
        group = access.file[f"INSTRUMENT/{source}/{GROUPS[name.kind]}"]
        wide = _check_frames(group, name.kind, path.name)
        index = access.file[f"INDEX/{source}/{GROUPS[name.kind]}"]
        first, count = _read_index(index, len(access.train_ids), path.name)
        rows = int((first + count).max(initial=0))
        cells = read_numbers(group, CELLS[name.kind], (rows, wide), path.name)
        if rows > len(group[FRAMES[name.kind]]):
            raise RunIndexError(f"The index of {source} in {path.name} leads beyond its frames.")
        return ModuleFile(path, name, source, group, access.train_ids, first, count, cells)


def find_field(group: h5py.Group, name: str, file: str) -> h5py.Dataset:
    """
    Open a field of a group.

    Parameters
    ----------
    group : h5py.Group
        Where it should be.
    name : str
        Its name.
    file : str
        Name of the file, for the refusal.

    Returns
    -------
    h5py.Dataset
        With numbers in it.

    Raises
    ------
    MissingSourceError
        If it is not there, or holds anything else.
    """
    found = group.get(name)
    if not isinstance(found, h5py.Dataset) or found.dtype.kind not in "fiu":
        raise MissingSourceError(
            f"{file} has no field of numbers {group.name}/{name}. There are: "
            f"{', '.join(sorted(group)[:20]) or 'none'}."
        )
    return found


def read_numbers(
    group: h5py.Group, name: str, shape: tuple[int, int], file: str
) -> NDArray[np.int64]:
    """
    Read whole numbers, one for each frame.

    Parameters
    ----------
    group : h5py.Group
        Of the frames.
    name : str
        "cellId".
    shape : tuple of int
        Rows, of which the field may have more, and frames of a row.
    file : str
        Name of the file, for the refusal.

    Returns
    -------
    ndarray of int64 of this shape
        None is negative.

    Raises
    ------
    MissingSourceError
        If they are not there.
    ShapeError
        If there are too few, or not so many in a row.
    RunIndexError
        If they number nothing.
    """
    data = find_field(group, name, file)
    rows, wide = shape
    if data.ndim == 0 or len(data) < rows or data.size != len(data) * wide:
        raise ShapeError(f"{name} in {file}", expected=shape, found=data.shape)
    return _whole(data[:rows], f"{name} in {file}").reshape(shape)


def _whole(values: NDArray[Any], what: str) -> NDArray[np.int64]:
    """Refuse what numbers neither rows nor cells: fractions, negative, huge."""
    if values.dtype.kind not in "iu" or np.any(values < 0) or np.any(values >= 2**62):
        raise RunIndexError(f"The {what} must be whole numbers from 0. Ask for the run anew.")
    return values.astype(np.int64)


def _read_index(
    index: h5py.Group, trains: int, file: str
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Read first rows and how many; before 2017 the last row stood in place of their number."""

    def read(name: str) -> NDArray[np.int64]:
        what = f"{index.name}/{name} in {file}"
        values = _whole(find_field(index, name, file)[()], what)
        if values.shape != (trains,):
            raise ShapeError(what, expected=(trains,), found=values.shape)
        return values

    first = read("first")
    if "count" in index:
        return first, read("count")
    return first, np.where(read("status") > 0, np.maximum(read("last") - first + 1, 0), 0)


def _check_frames(group: h5py.Group, kind: Detector, file: str) -> int:
    """See that frames are as the detector writes them; return how many share a row."""
    frames = find_field(group, FRAMES[kind], file)
    if frames.dtype.kind == "f" or (kind == "AGIPD" and frames.ndim == 3) or "mask" in group:
        raise CorrectedInputError(
            f"{file} holds corrected frames ({frames.dtype}, {frames.ndim} axes). Choose raw runs."
        )
    if kind == "AGIPD" and frames.shape[1:] == (1, *PIXELS[kind]):
        raise InterleavedError(
            f"{file} holds signal and gain level in turn, as AGIPD wrote before 2017: "
            "this layout is not read. Ask the facility for the run in the present one."
        )
    wide: int | str = PLANES[kind] if kind == "AGIPD" else "cells"
    if kind == "JUNGFRAU" and frames.ndim == 4 and frames.shape[1] > 0:
        wide = frames.shape[1]
    expected = (wide, *PIXELS[kind])
    if frames.dtype.str[1:] != "u2" or frames.ndim != 4 or frames.shape[1:] != expected:
        raise ShapeError(f"16-bit frames in {file}", expected=("n", *expected), found=frames.shape)
    if kind == "JUNGFRAU" and "gain" in group:
        codes = find_field(group, "gain", file)
        if codes.shape != frames.shape or codes.dtype != np.uint8:
            raise ShapeError(f"gain in {file}", expected=frames.shape, found=codes.shape)
    return 1 if kind == "AGIPD" else frames.shape[1]
