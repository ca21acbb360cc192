"""
The dark constants of one detector module as one NeXus file, ``dark-AGIPD00.h5``.

Who makes them writes plane by plane, who corrects with them reads any range of memory
cells: the constants of 352 cells of a module are 1 GB and need not be in memory at once.
Plane c belongs to memory cell c; one that the dark runs did not have is NaN, with bit 3.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import h5py
import hdf5plugin
import numpy as np
from numpy.typing import NDArray

from processing.science.calibration.bad_pixels import BadPixel
from processing.science.errors import (
    DataError,
    MissingFieldError,
    ShapeError,
    UnreadableFileError,
)
from processing.science.euxfel.detectors import PIXELS, Detector
from processing.science.euxfel.soundness import refuse_foreign
from processing.science.process import Provenance, write_process

Plane = NDArray[np.float32]

STAGES = 3
MAX_CELLS = 4096
MAX_CONDITIONS = 100

# What a file holds: planes per cell, and those that only a detector with gain levels has.
_PLANES = {"offset": STAGES, "noise": STAGES, "bad_pixels": STAGES}
_LEVELS = {"level": STAGES, "thresholds": STAGES - 1}
_LONG_NAMES = {
    "offset": "signal without light",
    "noise": "standard deviation without light",
    "bad_pixels": "bits of the European XFEL BadPixels table",
    "level": "mean analog gain level",
    "thresholds": "gain level that separates a stage from the next",
}


@dataclass(frozen=True)
class DarkConstants:
    """
    Dark constants of one detector module.

    Attributes
    ----------
    detector : str
        "AGIPD" or "JUNGFRAU".
    module : str
        "AGIPD00", "JNGFR01".
    offset, noise : ndarray of float32 of shape (3, cells, y, x)
        In ADU, by gain stage (high, medium, low; or G0, G1, G2) and memory cell; NaN
        where there is none.
    bad_pixels : ndarray of uint32 of shape (3, cells, y, x)
        Bits, see ``bad_pixels.BadPixel``; 0 is a good pixel.
    level : ndarray of float32 of shape (3, cells, y, x) or None
        Mean gain level in ADU; AGIPD only.
    thresholds : ndarray of float32 of shape (2, cells, y, x) or None
        Gain levels in ADU between stages 0 and 1, and 1 and 2; AGIPD only.
    conditions : dict
        What the runs state of themselves: cells, rate_mhz, bias_v, integration_time_us,
        gain_setting and so on.
    valid_from : datetime or None
        Since when they hold, in UTC; None where nobody said so.
    """

    detector: Detector
    module: str
    offset: Plane
    noise: Plane
    bad_pixels: NDArray[np.uint32]
    level: Plane | None = None
    thresholds: Plane | None = None
    conditions: dict[str, float | str] = field(default_factory=dict)
    valid_from: datetime | None = None

    @property
    def cells(self) -> int:
        return int(self.offset.shape[1])


class ConstantsFile:
    """Dark constants being written; see ``create_constants``."""

    def __init__(
        self,
        file: h5py.File,
        detector: Detector,
        module: str,
        cells: int,
        conditions: Mapping[str, float | str],
    ) -> None:
        self._entry = _group(file, "entry", "NXentry", default="offset_map")
        self._entry["title"] = f"Dark constants of {detector} module {module}"
        self._entry.attrs.update({"detector": detector, "module": module})
        stated = _group(self._entry, "conditions", "NXcollection")
        for name, value in sorted(conditions.items()):
            stated[name] = value
        has_levels = detector == "AGIPD"
        for name, stages in (_PLANES | _LEVELS if has_levels else _PLANES).items():
            self._create(name, (stages, cells, *PIXELS[detector]))
        axes = ["stage", "cell", "y", "x"]
        shown = _group(self._entry, "offset_map", "NXdata", signal="offset", axes=axes)
        shown["stage"] = np.arange(STAGES)
        shown["cell"] = np.arange(cells)
        shown["offset"] = h5py.SoftLink("/entry/offset")

    def _create(self, name: str, shape: tuple[int, ...]) -> None:
        is_mask = name == "bad_pixels"
        written = self._entry.create_dataset(
            name,
            shape,
            "u4" if is_mask else "f4",
            fillvalue=BadPixel.NO_DARK_DATA if is_mask else np.nan,
            chunks=(1, 1, *shape[2:]),
            **hdf5plugin.Bitshuffle(cname="lz4"),
        )
        written.attrs["long_name"] = _LONG_NAMES[name]
        if not is_mask:
            written.attrs["units"] = "ADU"

    def write_cells(self, cells: Sequence[int], part: DarkConstants) -> None:
        """
        Write the planes of some memory cells.

        Parameters
        ----------
        cells : sequence of int
            Their numbers.
        part : DarkConstants
            Of as many cells, in this order.
        """
        for name in _PLANES | _LEVELS:
            values = getattr(part, name)
            if values is not None:
                for place, cell in enumerate(cells):
                    self._entry[name][:, cell] = values[:, place]

    def write_validity(self, valid_from: datetime) -> None:
        """
        Write since when the constants hold.

        Parameters
        ----------
        valid_from : datetime
            With a time zone.
        """
        self._entry["valid_from"] = valid_from.astimezone(UTC).isoformat()

    def write_process(self, made: Provenance) -> None:
        write_process(self._entry, made)


@contextmanager
def create_constants(
    path: Path,
    detector: Detector,
    module: str,
    cells: int,
    conditions: Mapping[str, float | str],
) -> Iterator[ConstantsFile]:
    """
    Create the file of a module's dark constants and close it when the block ends.

    Parameters
    ----------
    path : Path
        Where to write.
    detector, module : str
        "AGIPD" and "AGIPD00", "JUNGFRAU" and "JNGFR01".
    cells : int
        Number of memory cells.
    conditions : mapping
        Name to number or text.

    Yields
    ------
    ConstantsFile
        Ready for its first cells.
    """
    with h5py.File(path, "w") as file:
        file.attrs["default"] = "entry"
        yield ConstantsFile(file, detector, module, cells, conditions)


def write_constants(path: Path, constants: DarkConstants, made: Provenance) -> None:
    """
    Write the dark constants of a module in one go.

    Parameters
    ----------
    path : Path
        Where to write.
    constants : DarkConstants
        Of all cells.
    made : Provenance
        How they were made.
    """
    it = constants
    with create_constants(path, it.detector, it.module, it.cells, it.conditions) as written:
        written.write_cells(range(it.cells), constants)
        if it.valid_from is not None:
            written.write_validity(it.valid_from)
        written.write_process(made)


def read_constants(path: Path, cells: slice | Sequence[int] | None = None) -> DarkConstants:
    """
    Read the dark constants of a module.

    Parameters
    ----------
    path : Path
        A file of ``write_constants``, or of anybody who says it is one.
    cells : slice or sequence of int, optional
        Memory cells to read; by default all. Of numbers, those that the file does not
        have are NaN with bit 3.

    Returns
    -------
    DarkConstants
        Of these cells.

    Raises
    ------
    UnreadableFileError
        If it is not HDF5.
    MissingFieldError
        If something is not there, or is no array of numbers.
    ShapeError
        If an array does not fit the detector or the others.
    ForeignFileError
        If its bytes lie in another file.
    """
    with _open(path) as file:
        entry = _find(file, "entry", h5py.Group, path.name)
        detector = _text(entry.attrs.get("detector"))
        if detector not in PIXELS:
            raise MissingFieldError(path.name, "detector, AGIPD or JUNGFRAU", list(entry.attrs))
        planes = _PLANES | _LEVELS if detector == "AGIPD" else _PLANES
        fields = {name: _find(entry, name, h5py.Dataset, path.name) for name in planes}
        _check_shapes(fields, detector)
        wanted = slice(None) if cells is None else cells
        read = {name: _read(data, wanted, path.name) for name, data in fields.items()}
        return DarkConstants(
            detector,
            _text(entry.attrs.get("module")),
            **read,
            conditions=_conditions(entry, path.name),
            valid_from=_validity(entry, path.name),
        )


def read_conditions_of(path: Path) -> dict[str, float | str]:
    """
    Read under which conditions constants were made.

    Parameters
    ----------
    path : Path
        As for ``read_constants``.

    Returns
    -------
    dict
        Name to number or text.

    Raises
    ------
    UnreadableFileError, MissingFieldError, ForeignFileError
        If it is not HDF5, states none, or has bytes in another file.
    """
    with _open(path) as file:
        return _conditions(_find(file, "entry", h5py.Group, path.name), path.name)


@contextmanager
def _open(path: Path) -> Iterator[h5py.File]:
    try:
        with h5py.File(path, "r", locking=False) as file:
            refuse_foreign(file)
            yield file
    except OSError as error:
        raise UnreadableFileError(path.name, "it is not HDF5, or cut short.") from error


def _find(group: h5py.Group, name: str, kind: type[Any], file: str) -> Any:
    """Open what a group itself holds."""
    link = group.get(name, getlink=True)
    found = group.get(name) if isinstance(link, h5py.HardLink) else None
    if not isinstance(found, kind):
        raise MissingFieldError(file, f"{name} of dark constants", sorted(group)[:20])
    return found


def _check_shapes(fields: Mapping[str, h5py.Dataset], detector: Detector) -> None:
    offset: tuple[int, ...] = fields["offset"].shape or ()
    cells = offset[1] if len(offset) == 4 and 0 < offset[1] <= MAX_CELLS else "cells"
    for name, data in fields.items():
        expected = ((_PLANES | _LEVELS)[name], cells, *PIXELS[detector])
        if data.shape != expected:
            raise ShapeError(f"{name} of the dark constants", expected=expected, found=data.shape)


def _read(data: h5py.Dataset, cells: slice | Sequence[int], file: str) -> NDArray[Any]:
    if data.dtype.kind not in "fiu":
        raise MissingFieldError(file, f"numbers in {data.name}", [str(data.dtype)])
    try:
        return _read_planes(data, cells)
    except OSError as error:
        raise UnreadableFileError(file, f"{data.name} is damaged or cut short.") from error


def _read_planes(data: h5py.Dataset, cells: slice | Sequence[int]) -> NDArray[Any]:
    is_mask = data.name.endswith("bad_pixels")
    kind, nothing = ("u4", BadPixel.NO_DARK_DATA) if is_mask else ("f4", np.nan)
    if isinstance(cells, slice):
        return np.asarray(data[:, cells]).astype(kind, copy=False)
    read = np.full((data.shape[0], len(cells), *data.shape[2:]), nothing, kind)
    for place, cell in enumerate(cells):
        if cell < data.shape[1]:
            read[:, place] = data[:, cell]
    return read


def _conditions(entry: h5py.Group, file: str) -> dict[str, float | str]:
    group = _find(entry, "conditions", h5py.Group, file)
    conditions: dict[str, float | str] = {}
    if len(group) > MAX_CONDITIONS:
        raise DataError(f"{file} states more than {MAX_CONDITIONS} conditions.")
    for name in group:
        data = _find(group, name, h5py.Dataset, file)
        if data.shape != ():
            raise ShapeError(f"condition {name}", expected=(), found=data.shape)
        is_text = h5py.check_string_dtype(data.dtype) is not None
        if not is_text and data.dtype.kind not in "biuf":
            raise MissingFieldError(file, f"number or text as condition {name}", [str(data.dtype)])
        conditions[name] = _text(data[()]) if is_text else float(data[()])
    return conditions


def _validity(entry: h5py.Group, file: str) -> datetime | None:
    """Read since when constants hold; files of before this was written do not say it."""
    if entry.get("valid_from", getlink=True) is None:
        return None
    data = _find(entry, "valid_from", h5py.Dataset, file)
    if data.shape != ():
        raise ShapeError("valid_from", expected=(), found=data.shape)
    text = _text(data[()])
    try:
        valid_from = datetime.fromisoformat(text)
        if valid_from.tzinfo is None:
            raise ValueError("no time zone")
        return valid_from.astimezone(UTC)
    except (ValueError, OverflowError) as error:
        raise DataError(
            f"valid_from of {file} is {text[:40]!r}, expected date, time and time zone such as "
            "2020-06-01T08:00:00+00:00. Make the constants again."
        ) from error


def _text(value: Any) -> str:
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace")
    return "" if value is None else str(value)


def _group(parent: h5py.Group, name: str, nx_class: str, **attributes: Any) -> h5py.Group:
    group = parent.create_group(name)
    group.attrs["NX_class"] = nx_class
    for key, value in attributes.items():
        group.attrs[key] = value
    return group
