"""Reading a finished map: its axes, its rows, and the planes that were made of it."""

import math
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import h5py
import hdf5plugin  # noqa: F401  importing it registers the filters
import numpy as np
from numpy.typing import NDArray

from processing.science.errors import CombineError, MissingFieldError, UnreadableFileError
from processing.science.maps.map_file import Axis
from processing.science.nexus import as_text

Values = NDArray[np.float64]

MAX_POSITIONS = 2**24


@dataclass(frozen=True)
class FinishedMap:
    """
    A map of xrd-map, open for reading.

    Attributes
    ----------
    name : str
        As messages call it.
    y, x, q : Axis
        Slow, fast and radial axis.
    units : str
        Of the intensity.
    i0 : ndarray of shape (slow, fast), or None
        Monitor of each position; ``reference`` is the value to which intensities are
        normalised, and ``i0_units`` its unit.
    """

    name: str
    entry: h5py.Group
    y: Axis
    x: Axis
    q: Axis
    units: str
    i0: Values | None = None
    i0_units: str = ""
    reference: float = 1.0

    @property
    def shape(self) -> tuple[int, int, int]:
        return len(self.y.values), len(self.x.values), len(self.q.values)

    @property
    def has_errors(self) -> bool:
        return "errors" in self.entry["map"]

    def read_row(self, row: int) -> tuple[Values, Values]:
        """
        Read all patterns of a row.

        Parameters
        ----------
        row : int
            Number along the slow axis.

        Returns
        -------
        tuple of ndarray of shape (fast, bins)
            Intensity and its standard error, which is NaN where the map has none.
        """
        intensity = np.asarray(self.entry["map/intensity"][row], np.float64)
        if not self.has_errors:
            return intensity, np.full_like(intensity, np.nan)
        return intensity, np.asarray(self.entry["map/errors"][row], np.float64)

    def read_plane(self, name: str) -> Values:
        """
        Read one number per position.

        Parameters
        ----------
        name : str
            Of a phase or a region; empty for the sum of all bins.

        Returns
        -------
        ndarray of shape (slow, fast)
            In the unit of the map; NaN where there is none.

        Raises
        ------
        MissingFieldError
            If the map has no phase and no region of that name.
        """
        if not name:
            return np.asarray(self.entry["map/cumulative"][-1], np.float64)
        existing = []
        for group in ("phases", "regions"):
            planes = self.entry.get(group, {})
            found = [key for key in planes if getattr(planes[key], "shape", ()) == self.shape[:2]]
            if name in found:
                return np.asarray(planes[name][()], np.float64)
            existing += found
        raise MissingFieldError(self.name, f"phase or region {name}", existing)


@contextmanager
def open_map(path: Path, name: str) -> Iterator[FinishedMap]:
    """
    Open a map that xrd-map or map-combine has written.

    Parameters
    ----------
    path : Path
        Its file.
    name : str
        What messages call it.

    Yields
    ------
    FinishedMap
        Until the block ends.

    Raises
    ------
    UnreadableFileError
        If it is no such file.
    CombineError
        If it has more than 2²⁴ positions.
    """
    try:
        file = h5py.File(path, "r", locking=False)
    except OSError as error:
        raise UnreadableFileError(name, "it is not HDF5, or cut short.") from error
    with file:
        try:
            found = _describe(file, name)
        except (KeyError, AttributeError, TypeError, ValueError) as error:
            raise UnreadableFileError(name, "it is no map of xrd-map.") from error
        if found.shape[0] * found.shape[1] > MAX_POSITIONS:
            raise CombineError(f"{name} has more than {MAX_POSITIONS} positions.")
        yield found


def _describe(file: h5py.File, name: str) -> FinishedMap:
    group = file["entry/map"]
    y, x, q = (_axis(group[axis]) for axis in ("y", "x", "q"))
    intensity = group["intensity"]
    shape = (len(y.values), len(x.values), len(q.values))
    _require(len(q.values) > 1 and all(np.isfinite(axis.values).all() for axis in (y, x, q)))
    _require(intensity.shape == shape and group.get("errors", intensity).shape == shape)
    found = FinishedMap(name, file["entry"], y, x, q, as_text(intensity.attrs.get("units", "")))
    if "i0" not in group:
        return found
    i0, reference = group["i0"], float(group["i0"].attrs["reference"])
    _require(i0.shape == shape[:2] and 0 < reference < math.inf)
    return replace(
        found,
        i0=np.asarray(i0[()], np.float64),
        i0_units=as_text(i0.attrs.get("units", "")),
        reference=reference,
    )


def _require(is_so: bool) -> None:  # noqa: FBT001 - what it is, is asked where it is called
    if not is_so:
        raise ValueError("not as xrd-map writes it")


def _axis(field: h5py.Dataset) -> Axis:
    values = np.atleast_1d(np.asarray(field[()], np.float64))
    told = [as_text(field.attrs.get(name, "")) for name in ("units", "long_name")]
    return Axis(values, told[0], told[1])
