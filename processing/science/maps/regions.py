"""Regions of interest: maps of one reflection, with or without what lies under it."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

import h5py
import numpy as np
from numpy.typing import NDArray

from processing.science.errors import RegionError
from processing.science.maps.map_file import MapFile, create_plane
from processing.science.maps.radial import RadialAxis

Background = Literal["none", "linear"]
Values = NDArray[np.float64]

DERIVED = ("_errors", "_background")
FEET = 5  # bins on either side that tell the background


@dataclass(frozen=True)
class Region:
    """
    A range of the radial axis under a name.

    Attributes
    ----------
    name : str
        Of the map to write.
    low, high : float
        Edges, in ``units``; bins whose centre lies between them belong to it.
    units : str
        "1/nm", "1/angstrom", "deg" or "rad".
    background : str
        "linear" takes away a straight line between the two feet of the range.
    """

    name: str
    low: float
    high: float
    units: str
    background: Background = "linear"


@dataclass(frozen=True)
class Window:
    """A region in bins of a map: those from ``start`` to before ``stop``, and both feet."""

    region: Region
    start: int
    stop: int
    left: slice
    right: slice


def place_regions(regions: Sequence[Region], axis: RadialAxis) -> list[Window]:
    """
    Find the bins of regions.

    Parameters
    ----------
    regions : sequence of Region
        Of different names.
    axis : RadialAxis
        Of the map.

    Returns
    -------
    list of Window
        In the same order.

    Raises
    ------
    RegionError
        If a name comes twice or is taken, edges are exchanged, or a region holds no bin of the map.
    WavelengthError
        If edges are in q, the map in 2θ or the other way round, without wavelength.
    """
    names = [region.name for region in regions]
    if taken := next((n for n in names if n in ("x", "y") or n.endswith(DERIVED)), None):
        raise RegionError(
            f"The name {taken} is taken by what is written beside a region. Choose another."
        )
    if twice := next((name for name in names if names.count(name) > 1), None):
        raise RegionError(f"Two regions are called {twice}. Give each a name of its own.")
    return [_place(region, axis) for region in regions]


def _place(region: Region, axis: RadialAxis) -> Window:
    if not region.low < region.high:
        raise RegionError(
            f"The region {region.name} is from {region.low:g} to {region.high:g}. "
            "The low edge comes first."
        )
    low, high = axis.place(np.array([region.low, region.high]), region.units)
    start = int(np.searchsorted(axis.values, low, side="left"))
    stop = int(np.searchsorted(axis.values, high, side="right"))
    first, last = axis.values[0], axis.values[-1]
    # NaN, beyond backscattering, is not inside either.
    if not (first <= high and low <= last) or start == stop:
        raise RegionError(
            f"The region {region.name}, {region.low:g} to {region.high:g} {region.units}, holds no "
            f"bin of the map, which reaches from {first:g} to {last:g} {axis.units}."
        )
    left, right = slice(max(0, start - FEET), start), slice(stop, stop + FEET)
    if region.background == "linear" and (start == 0 or stop == len(axis.values)):
        raise RegionError(
            f"The region {region.name} reaches the end of the map, so there is no bin beside it "
            "to tell the background. Make it narrower, or choose background none."
        )
    return Window(region, start, stop, left, right)


def integrate_region(
    intensity: Values, errors: Values | None, window: Window
) -> tuple[Values, Values, Values | None]:
    """
    Add up a window of each pattern.

    S = Σ_in I - B, where B = n_in (mean of 5 bins left + mean of 5 right) / 2, or 0. Bins
    that are NaN take no part: n_in and the means count the others.

    Parameters
    ----------
    intensity : ndarray of shape (positions, bins)
        In the unit of the map.
    errors : ndarray of shape (positions, bins), optional
        Standard errors, in the same unit.
    window : Window
        Which bins.

    Returns
    -------
    tuple of ndarray of shape (positions,)
        S, B, and the standard error of S if ``errors`` are given, of independent bins. NaN
        where no bin of the window, or none beside it, is valid.
    """
    inside = intensity[:, window.start : window.stop]
    n_inside = np.isfinite(inside).sum(axis=1)
    total = np.where(n_inside > 0, np.nansum(inside, axis=1), np.nan)
    variance = None
    if errors is not None:
        variance = _sum_squares(errors[:, window.start : window.stop])
    if window.region.background == "none":
        return total, np.zeros_like(total), None if variance is None else np.sqrt(variance)

    background = np.zeros_like(total)
    for foot in (window.left, window.right):
        beside = intensity[:, foot]
        n_beside = np.isfinite(beside).sum(axis=1)
        with np.errstate(invalid="ignore", divide="ignore"):
            part = n_inside / (2.0 * np.where(n_beside > 0, n_beside, np.nan))
        background += part * np.nansum(beside, axis=1)
        if variance is not None and errors is not None:
            variance += part**2 * _sum_squares(errors[:, foot])
    return total - background, background, None if variance is None else np.sqrt(variance)


def _sum_squares(errors: Values) -> Values:
    return np.asarray(np.nansum(errors**2, axis=1))


def write_regions(written: MapFile, windows: Sequence[Window]) -> Iterator[int]:
    """
    Write the maps of regions as ``/entry/regions``.

    Each region is a map with its errors; one with a background keeps that beside it, as
    ``{name}_background``, so that their sum is the region without it taken away.

    Parameters
    ----------
    written : MapFile
        With all rows.
    windows : sequence of Window
        At least one.

    Yields
    ------
    int
        How many positions are finished.
    """
    group = written.add_planes("regions", [window.region.name for window in windows])
    fields = [_create(group, written, window) for window in windows]
    done = 0
    for tile in written.tiles():
        for window, planes in zip(windows, fields, strict=True):
            found = integrate_region(tile.intensity, tile.errors, window)
            for plane, values in zip(planes, found, strict=True):
                if plane is not None and values is not None:
                    plane[tile.rows, tile.columns] = tile.arrange(values)
        done += len(tile.intensity)
        yield done


def _create(group: h5py.Group, written: MapFile, window: Window) -> list[h5py.Dataset | None]:
    region, units = window.region, written.axes.signal_units
    net = create_plane(group, region.name, written.shape, units)
    net.attrs.update(
        {
            "low": region.low,
            "high": region.high,
            "radial_units": region.units,
            "background": region.background,
        }
    )
    below = errors = None
    if region.background != "none":
        below = create_plane(group, f"{region.name}_background", written.shape, units)
    if written.axes.has_errors:
        errors = create_plane(group, f"{region.name}_errors", written.shape, units)
    return [net, below, errors]
