"""
Writing a diffraction map as one NeXus file, row by row.

It is layout and nothing else: ``/entry/map`` as the map viewer reads it, patterns over all
frames, and how it was made. Equal contents give equal bytes, so no clock is looked at.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

from processing.science.diffraction.integrator import Pattern
from processing.science.diffraction.patterns import Patterns, State
from processing.science.maps.raster import Raster
from processing.science.maps.tiles import MAX_FAST_CHUNK, Tile, read_tiles
from processing.science.nexus import Readings
from processing.science.process import Provenance, write_process

PLANES_BYTES = 2**26


@dataclass(frozen=True)
class Axis:
    """Values along one axis, their unit and what they are."""

    values: NDArray[np.float64]
    units: str
    long_name: str


@dataclass(frozen=True)
class MapAxes:
    """Axes of a map, whether patterns have standard errors, their unit, sectors of cakes."""

    y: Axis
    x: Axis
    q: Axis
    has_errors: bool = True
    signal_units: str = "photon"
    azimuth: Axis | None = None


class MapFile:
    """
    A map being written; see ``create_map``.

    Parameters
    ----------
    file : h5py.File
        Open for writing, empty.
    axes : MapAxes
        Slow, fast and radial axis.
    """

    def __init__(self, file: h5py.File, axes: MapAxes) -> None:
        self.axes = axes
        self.shape = (len(axes.y.values), len(axes.x.values), len(axes.q.values))
        slow, fast, bins = self.shape
        self._entry = _group(file, "entry", "NXentry", default="map")
        self._entry["title"] = f"Diffraction map of {slow} x {fast} positions"
        self._map = _group(self._entry, "map", "NXdata", signal="intensity", axes=["y", "x", "q"])
        for name, axis in (("y", axes.y), ("x", axes.x), ("q", axes.q)):
            written = self._map.create_dataset(name, data=axis.values)
            written.attrs.update({"units": axis.units, "long_name": axis.long_name})
        chunk = (1, min(fast, MAX_FAST_CHUNK), bins)
        for name in ("intensity", "errors") if axes.has_errors else ("intensity",):
            self._create(name, self.shape, chunk, units=axes.signal_units)
        if axes.has_errors:
            # NXdata finds the errors of a signal by this name.
            self._map["intensity_errors"] = h5py.SoftLink("/entry/map/errors")
        self._create("cumulative", (bins + 1, slow, fast), (1, slow, fast), units=axes.signal_units)
        if axes.azimuth is not None:
            self._create_cakes(axes.azimuth)
        self.valid = np.zeros((slow, fast), np.uint8)
        self._sum = np.zeros(bins)
        self._variance = np.zeros(bins)
        self._reached = np.zeros(bins, np.int64)
        self.maximum = np.full(bins, np.nan)

    def _create_cakes(self, azimuth: Axis) -> None:
        slow, fast, bins = self.shape
        axes = ["y", "x", "azimuth", "q"]
        group = _group(self._entry, "cake", "NXdata", signal="intensity", axes=axes)
        for name in ("y", "x", "q"):
            group[name] = h5py.SoftLink(f"/entry/map/{name}")
        written = group.create_dataset("azimuth", data=azimuth.values)
        written.attrs.update({"units": azimuth.units, "long_name": azimuth.long_name})
        cake = (len(azimuth.values), bins)
        group.create_dataset(
            "intensity",
            (slow, fast, *cake),
            "f4",
            chunks=(1, 1, *cake),
            fillvalue=np.float32(np.nan),
        ).attrs["units"] = "photon"

    @property
    def mean(self) -> NDArray[np.float64]:
        """Mean pattern of the frames that reach each bin, in photons; NaN if none does."""
        with np.errstate(invalid="ignore", divide="ignore"):
            return np.where(self._reached > 0, self._sum / self._reached, np.nan)

    def write_row(self, row: int, patterns: list[Pattern | None]) -> None:
        """
        Write the patterns of one row.

        Parameters
        ----------
        row : int
            Number along the slow axis.
        patterns : list of Pattern or None
            From the first column to the last; None where there is none.
        """
        bins = self.shape[2]
        nothing = np.full(bins, np.nan)
        intensity = np.array([nothing if p is None else p.intensity for p in patterns])
        self._map["intensity"][row] = intensity
        self.valid[row] = [p is not None and p.is_valid for p in patterns]
        sigma = None
        if "errors" in self._map:
            sigma = np.array([nothing if p is None else p.sigma for p in patterns])
            self._map["errors"][row] = sigma
        self._count(intensity, sigma)

    def write_frames(self, raster: Raster, first: int, patterns: Patterns) -> None:
        """
        Write the patterns of neighbouring frames, wherever the scan has them on the map.

        Parameters
        ----------
        raster : Raster
            Where each frame belongs.
        first : int
            Number of the first frame.
        patterns : Patterns
            In the order of the frames.
        """
        fields = {
            "map/intensity": patterns.intensity,
            "map/errors": patterns.sigma,
            "cake/intensity": patterns.cake,
        }
        if not (patterns.states == State.VALID).any():
            return  # the map is NaN where nothing is written
        for row, columns, places in raster.runs(first, first + len(patterns)):
            self.valid[row, columns] = patterns.states[places] == State.VALID
            for name, values in fields.items():
                if values is not None:
                    self._entry[name][row, columns] = values[places]
        self._count(patterns.intensity, patterns.sigma)

    def _count(self, intensity: NDArray[Any], sigma: NDArray[Any] | None) -> None:
        """Add patterns, of shape (n, bins), to those over all frames."""
        self._sum += np.nansum(intensity, axis=0, dtype=np.float64)
        self._reached += np.isfinite(intensity).sum(axis=0)
        self.maximum = np.fmax(self.maximum, np.fmax.reduce(intensity, axis=0))
        if sigma is not None:
            self._variance += np.nansum(sigma.astype(np.float64) ** 2, axis=0)

    def read_pattern(
        self, raster: Raster, number: int
    ) -> tuple[NDArray[np.float32], NDArray[np.float32] | None]:
        """Read back intensity and standard error of one frame, of shape (bins,)."""
        cell = raster.cell_of(number)
        errors = self._map["errors"][cell] if "errors" in self._map else None
        return self._map["intensity"][cell], errors

    @property
    def entry(self) -> h5py.Group:
        """The NXentry, for what stands beside the map."""
        return self._entry

    def add_planes(self, name: str, signals: Sequence[str]) -> h5py.Group:
        """
        Create an NXdata of maps without radial axis, for ``create_plane``.

        Parameters
        ----------
        name : str
            Of the group.
        signals : sequence of str
            Maps to plot, the first one by default.

        Returns
        -------
        h5py.Group
            With the axes ``y`` and ``x``.
        """
        attributes = {"signal": signals[0], "axes": ["y", "x"]}
        group = _group(self._entry, name, "NXdata", **attributes)
        if signals[1:]:
            group.attrs["auxiliary_signals"] = list(signals[1:])
        for axis in ("y", "x"):
            group[axis] = h5py.SoftLink(f"/entry/map/{axis}")
        return group

    def tiles(self) -> Iterator[Tile]:
        """Read the finished map piece by piece, see ``read_tiles``."""
        return read_tiles(self._map)

    def write_cumulative(self, block_bytes: int = PLANES_BYTES) -> Iterator[int]:
        """
        Sum the finished map along q, plane by plane, in float64.

        ``cumulative[k]`` is the sum of the first k bins, so that the map of any range is
        the difference of two planes. NaN counts as 0; pixels without any valid bin are
        NaN in every plane.

        Parameters
        ----------
        block_bytes : int
            How much of the map to hold in memory, as float64; at least one plane.

        Yields
        ------
        int
            How many planes are finished.
        """
        slow, fast, bins = self.shape
        running = np.where(self.valid, 0.0, np.nan)
        self._map["cumulative"][0] = running
        step = max(1, block_bytes // (slow * fast * 8))
        for start in range(0, bins, step):
            # Row by row: HDF5 keeps a kilobyte for each chunk until a reading is done.
            block = np.empty((slow, fast, min(step, bins - start)), np.float32)
            for row in range(slow):
                block[row] = self._map["intensity"][row, :, start : start + step]
            planes = np.nan_to_num(block.astype(np.float64)).cumsum(axis=2) + running[..., None]
            running = planes[..., -1].copy()  # a view would keep all planes
            stop = start + planes.shape[2]
            self._map["cumulative"][start + 1 : stop + 1] = np.moveaxis(planes, 2, 0)
            yield stop

    def read_range(self, low: int, high: int) -> NDArray[np.float64]:
        """
        Read the finished map of a range of bins.

        Parameters
        ----------
        low, high : int
            First bin, and the one after the last.

        Returns
        -------
        ndarray of shape (slow, fast)
            Sum over the range, in photons; NaN where no frame is valid.
        """
        cumulative = self._map["cumulative"]
        upper = np.asarray(cumulative[high], np.float64)
        return np.asarray(upper - cumulative[low])

    def write_patterns(self) -> None:
        """Write valid positions, and the sum and maximum over all frames."""
        self._map.create_dataset("valid", data=self.valid)
        group = _group(
            self._entry,
            "pattern",
            "NXdata",
            signal="sum",
            axes=["q"],
            auxiliary_signals=["maximum"],
        )
        group["q"] = h5py.SoftLink("/entry/map/q")
        total = np.where(self._reached > 0, self._sum, np.nan)
        group.create_dataset("sum", data=total).attrs["units"] = self.axes.signal_units
        if "errors" in self._map:
            errors = np.where(self._reached > 0, np.sqrt(self._variance), np.nan)
            group.create_dataset("sum_errors", data=errors).attrs["units"] = self.axes.signal_units
        group.create_dataset("maximum", data=self.maximum).attrs["units"] = self.axes.signal_units

    def write_dead(self, numbers: NDArray[np.float64]) -> int:
        """
        Write which frames were taken and gave no pattern.

        Parameters
        ----------
        numbers : ndarray of shape (slow, fast)
            Number of the frame of each position; NaN where none was taken.

        Returns
        -------
        int
            How many.
        """
        dead = np.isfinite(numbers) & (self.valid == 0)
        self._map.create_dataset("dead", data=dead.astype(np.uint8))
        self._entry["dead_frames"] = np.sort(numbers[dead]).astype(np.int64)
        return int(dead.sum())

    def write_monitor(self, monitor: Readings, grid: NDArray[np.float64], reference: float) -> None:
        """
        Write the monitor of each position.

        Parameters
        ----------
        monitor : Readings
            Its name and unit.
        grid : ndarray of shape (slow, fast)
            In its own unit; NaN where no frame was taken.
        reference : float
            The value to which intensities are normalised.
        """
        written = self._map.create_dataset("i0", data=grid)
        written.attrs.update(
            {"units": monitor.units, "long_name": monitor.name, "reference": reference}
        )

    def write_process(self, made: Provenance, poni_text: str) -> None:
        """
        Write how the map was made.

        Parameters
        ----------
        made : Provenance
            Recipe, inputs and parameters.
        poni_text : str
            The geometry as it was given.
        """
        made = replace(made, decided={"shape": self.shape[:2], **made.decided})
        write_process(self._entry, made, {"geometry": ("text/plain", poni_text)})

    def _create(
        self, name: str, shape: tuple[int, ...], chunk: tuple[int, ...], *, units: str
    ) -> None:
        written = self._map.create_dataset(
            name, shape, "f4", chunks=chunk, fillvalue=np.float32(np.nan)
        )
        written.attrs["units"] = units


def create_plane(group: h5py.Group, name: str, shape: tuple[int, ...], units: str) -> h5py.Dataset:
    """
    Create one number per position of a map, float32, NaN until it is written.

    Parameters
    ----------
    group : h5py.Group
        As of ``MapFile.add_planes``.
    name : str
        Of the field.
    shape : tuple of int
        (slow, fast), and whatever follows.
    units : str
        Of the numbers; empty for a pure number.

    Returns
    -------
    h5py.Dataset
        Ready to be written.
    """
    plane = group.create_dataset(name, shape[:2], "f4", fillvalue=np.float32(np.nan))
    plane.attrs["units"] = units
    return plane


@contextmanager
def create_map(path: Path, axes: MapAxes) -> Iterator[MapFile]:
    """
    Create the file of a map and close it when the block ends.

    Parameters
    ----------
    path : Path
        Where to write.
    axes : MapAxes
        Slow, fast and radial axis.

    Yields
    ------
    MapFile
        Ready for its first row.
    """
    with h5py.File(path, "w") as file:
        file.attrs["default"] = "entry"
        yield MapFile(file, axes)


def _group(parent: h5py.Group, name: str, nx_class: str, **attributes: Any) -> h5py.Group:
    group = parent.create_group(name)
    group.attrs["NX_class"] = nx_class
    for key, value in attributes.items():
        group.attrs[key] = value
    return group
