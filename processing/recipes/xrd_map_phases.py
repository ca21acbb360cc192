"""What a map is asked for besides its patterns: regions of interest and phases."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Annotated, Any

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from processing.recipes.base import Input, Workspace
from processing.science.diffraction.integrator import AXIS_UNITS, Unit
from processing.science.errors import PhaseError
from processing.science.maps.map_file import MapFile
from processing.science.maps.own_patterns import read_pattern
from processing.science.maps.phases import PhaseModel, build_model, write_phases
from processing.science.maps.radial import RadialAxis
from processing.science.maps.references import Reference, read_calibrant
from processing.science.maps.regions import (
    Background,
    Region,
    Window,
    place_regions,
    write_regions,
)

MAX_REFERENCES = 32  # the fit of a position takes the square of it

Values = np.typing.NDArray[np.float64]


class RegionChoice(BaseModel):
    """One region of interest, as the parameter ``rois`` lists them."""

    model_config = ConfigDict(extra="forbid")

    name: Annotated[str, Field(pattern=r"^[A-Za-z][A-Za-z0-9_]{0,39}$")]
    low: float
    high: float
    unit: Unit | None = None  # by default that of the map
    background: Background = "linear"


@dataclass(frozen=True)
class Wanted:
    """
    Regions and phases, found on the axis of the map before any frame is read.

    ``width_deg`` of the lines of calibrants is found out if it is None.
    """

    axis: RadialAxis
    windows: Sequence[Window]
    references: Sequence[Reference]
    width_deg: float | None
    splines: int


def want(
    axis: RadialAxis,
    rois: Iterable[RegionChoice | dict[str, Any]],
    references: Sequence[Reference],
    *,
    width_deg: float | None,
    splines: int,
) -> Wanted:
    """Refuse regions and references that the map does not have, before hours are spent on it."""
    choices = [RegionChoice.model_validate(roi) for roi in rois]
    regions = [
        Region(c.name, c.low, c.high, AXIS_UNITS[c.unit] if c.unit else axis.units, c.background)
        for c in choices
    ]
    windows = place_regions(regions, axis)
    if references:
        flat = np.ones(len(axis.values))
        build_model(references, axis, flat, fwhm_deg=width_deg or 0.1, splines=splines)
    return Wanted(axis, windows, references, width_deg, splines)


def read_references(
    phases: Iterable[str],
    own: Iterable[Input[Any]],
    unit: Unit | None,
    wavelength_m: float | None,
) -> list[Reference]:
    """Take calibrants by name, then the patterns that the user gave."""
    found: list[Reference] = [read_calibrant(name) for name in phases]
    files = [path for given in own for path in given.files]
    if (count := len(found) + len(files)) > MAX_REFERENCES:
        raise PhaseError(
            f"{count} references are given, up to {MAX_REFERENCES} can be fitted at once. "
            "Leave out those that cannot be in the sample."
        )
    return [*found, *(read_pattern(path, unit, wavelength_m) for path in files)]


def write_wanted(work: Workspace, wanted: Wanted, written: MapFile) -> dict[str, Values]:
    """Write regions and phases beside a finished map; return the phase maps for its picture."""
    positions = written.shape[0] * written.shape[1]
    if wanted.windows:
        for done in write_regions(written, wanted.windows):
            work.progress(done, positions, "regions")
    if not wanted.references or not written.valid.any():
        return {}
    model = build_model(
        wanted.references,
        wanted.axis,
        written.mean,
        fwhm_deg=wanted.width_deg,
        splines=wanted.splines,
    )
    _warn_of_range(work, wanted.axis, model)
    for done in write_phases(written, model):
        work.progress(done, positions, "fitting phases")
    return _tell(work, written, model)


def _warn_of_range(work: Workspace, axis: RadialAxis, model: PhaseModel) -> None:
    usable = np.asarray(np.isfinite(model.references).all(axis=1))
    if not usable.all():
        low, high = axis.values[usable][[0, -1]]
        work.warn(
            f"The references reach together from {low:g} to {high:g} {axis.units}: only these "
            f"{usable.sum()} of {len(usable)} bins are fitted."
        )


def _tell(work: Workspace, written: MapFile, model: PhaseModel) -> dict[str, Values]:
    group = written.entry["phases"]
    maps = {name: np.asarray(group[name][()], np.float64) for name in model.names}
    for name, values in maps.items():
        if np.isfinite(values).any():
            work.quantity(f"mean_{name}", float(np.nanmean(values)), written.axes.signal_units)
    chi2 = np.asarray(group["chi2"][()])
    if np.isfinite(chi2).any():
        work.quantity("phases_median_chi2", float(np.nanmedian(chi2)))
    work.quantity("phases_line_width", model.fwhm_deg, "deg")
    return maps
