"""
Where several maps lie on one another, or beside each other, and whether they fit at all.

Whatever is combined must agree in what it measures: the radial axis, the units, and whether a
monitor was used. Intensities are first brought to the beam of the first map, I reference_1 /
reference_k, because each map is normalised to the median of its own monitor.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from processing.science.errors import CombineError
from processing.science.maps.map_file import Axis
from processing.science.maps.map_reading import MAX_POSITIONS, FinishedMap

Values = NDArray[np.float64]

SAME = 1e-6  # of a step of the radial axis
SAME_POSITION = 0.1  # of a step of the stage


@dataclass(frozen=True)
class Placed:
    """A map, its corner in the combined one, and what brings it to the beam of the first."""

    map: FinishedMap
    row: int
    column: int
    factor: float


@dataclass(frozen=True)
class Combined:
    """Where maps lie on the slow and fast axis that they share."""

    y: Axis
    x: Axis
    parts: tuple[Placed, ...]


def check_alike(maps: Sequence[FinishedMap]) -> None:
    """
    Refuse maps that do not measure the same.

    Parameters
    ----------
    maps : sequence of FinishedMap
        At least one; the first is the measure.

    Raises
    ------
    CombineError
        Naming the first map that differs, and in what.
    """
    first = maps[0]
    for other in maps[1:]:
        _check_radial(first, other)
        told = {
            "intensity": (first.units, other.units),
            "slow axis": (first.y.units, other.y.units),
            "fast axis": (first.x.units, other.x.units),
            "monitor": (_monitor(first), _monitor(other)),
            "errors": (_errors(first), _errors(other)),
        }
        for what, (wanted, found) in told.items():
            if wanted != found:
                raise CombineError(
                    f"{other.name} does not fit {first.name}: its {what} is in {found or 'no unit'}"
                    f", that of {first.name} in {wanted or 'no unit'}. Make the maps alike."
                )


def _monitor(one: FinishedMap) -> str:
    return "none" if one.i0 is None else one.i0_units


def _errors(one: FinishedMap) -> str:
    return one.units if one.has_errors else "none"


def _check_radial(first: FinishedMap, other: FinishedMap) -> None:
    wanted, found = first.q, other.q
    step = abs(float(np.diff(wanted.values[:2])[0]))
    is_same = wanted.units == found.units and len(wanted.values) == len(found.values)
    if is_same and np.abs(wanted.values - found.values).max() <= SAME * step:
        return
    raise CombineError(
        f"{other.name} does not fit {first.name}: its radial axis has {_tell(found)}, that of "
        f"{first.name} {_tell(wanted)}. Make both with the same bins, unit and radial_range."
    )


def _tell(axis: Axis) -> str:
    low, high = axis.values[[0, -1]]
    return f"{len(axis.values)} bins from {low:.6g} to {high:.6g} {axis.units}"


def place_same(maps: Sequence[FinishedMap]) -> Combined:
    """
    Lay maps of the same positions on top of each other.

    Parameters
    ----------
    maps : sequence of FinishedMap
        Alike.

    Returns
    -------
    Combined
        With the axes of the first.

    Raises
    ------
    CombineError
        If a map has other positions, by more than a tenth of a step.
    """
    first = maps[0]
    for other in maps[1:]:
        for what, wanted, found in (("slow", first.y, other.y), ("fast", first.x, other.x)):
            step = _step_of(wanted.values) or 1.0
            is_same = len(wanted.values) == len(found.values) and (
                np.abs(wanted.values - found.values).max() <= SAME_POSITION * abs(step)
            )
            if not is_same:
                raise CombineError(
                    f"{other.name} does not fit {first.name}: its {what} axis has {_span(found)}, "
                    f"that of {first.name} {_span(wanted)}. Use mosaic to lay them side by side."
                )
    parts = tuple(Placed(one, 0, 0, first.reference / one.reference) for one in maps)
    return Combined(first.y, first.x, parts)


def _span(axis: Axis) -> str:
    low, high = axis.values[[0, -1]]
    return f"{len(axis.values)} positions from {low:g} to {high:g} {axis.units}".rstrip()


def place_side_by_side(maps: Sequence[FinishedMap]) -> Combined:
    """
    Lay maps where the stage stood.

    Parameters
    ----------
    maps : sequence of FinishedMap
        Alike, with positions.

    Returns
    -------
    Combined
        With axes that span all maps in steps of the first.

    Raises
    ------
    CombineError
        If positions are not known, steps differ by more than a tenth, or the maps lie so
        far apart that nearly all would be empty.
    """
    for one in maps:
        if not (one.y.units and one.x.units):
            raise CombineError(
                f"{one.name} does not say where the stage stood, so it cannot be laid beside "
                "others. Choose another mode."
            )
    y, rows = _join("slow", [one.y for one in maps], [one.name for one in maps])
    x, columns = _join("fast", [one.x for one in maps], [one.name for one in maps])
    if len(y.values) * len(x.values) > MAX_POSITIONS:
        raise CombineError(
            f"The maps lie so far apart that {len(y.values)} x {len(x.values)} positions would be "
            f"needed to hold them; {MAX_POSITIONS} are allowed. Leave out the ones far away."
        )
    first = maps[0].reference
    parts = (
        Placed(one, row, column, first / one.reference)
        for one, row, column in zip(maps, rows, columns, strict=True)
    )
    return Combined(y, x, tuple(parts))


def _join(what: str, axes: Sequence[Axis], names: Sequence[str]) -> tuple[Axis, list[int]]:
    """Span all axes by one, in the direction and step of the first that has a step."""
    steps = [_step_of(axis.values) for axis in axes]
    step = next((step for step in steps if step), 0.0) or _least_distance(axes)
    for name, own in zip(names, steps, strict=True):
        if own and abs(own - step) > SAME_POSITION * abs(step):
            raise CombineError(
                f"{name} does not fit the others: its {what} axis has steps of {own:g} "
                f"{axes[0].units}, theirs are {step:g}."
            )
    starts = np.array([axis.values[0] for axis in axes])
    origin = starts.min() if step > 0 else starts.max()
    corners = np.rint((starts - origin) / step).astype(np.int64)
    ends = corners + [len(axis.values) for axis in axes]
    values = origin + step * np.arange(min(int(ends.max()), MAX_POSITIONS + 1))
    return Axis(values, axes[0].units, axes[0].long_name), [int(corner) for corner in corners]


def _step_of(values: Values) -> float:
    return float(np.median(np.diff(values))) if len(values) > 1 else 0.0


def _least_distance(axes: Sequence[Axis]) -> float:
    """Return the step of maps that are one position wide: that from one to the next."""
    starts = np.unique([axis.values[0] for axis in axes])
    return float(np.diff(starts).min()) if len(starts) > 1 else 1.0
