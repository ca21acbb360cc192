"""Several maps as one, row by row: laid side by side, averaged, added, divided."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from processing.science.maps.placing import Combined, Placed

Values = NDArray[np.float64]
Mode = Literal["mosaic", "mean", "sum", "ratio"]


@dataclass(frozen=True)
class Row:
    """One row of the result: (fast, bins) of intensity and error, (fast,) of monitor."""

    intensity: Values
    errors: Values
    i0: Values


def combine_rows(combined: Combined, mode: Mode) -> Iterator[Row]:
    """
    Combine maps row by row, so that memory does not grow with them.

    mosaic and mean: I = Σ w I_k / Σ w with w = i0 of the position (1 without monitor), over
    the maps that have it. sum: Σ I_k, NaN where one of them is. ratio: I_1 / I_2, NaN where
    the denominator is not above 0. Errors are propagated as of independent maps.

    Parameters
    ----------
    combined : Combined
        Where they lie.
    mode : str
        What to do.

    Yields
    ------
    Row
        From the first to the last.
    """
    fast, bins = len(combined.x.values), len(combined.parts[0].map.q.values)
    for row in range(len(combined.y.values)):
        if mode == "ratio":
            yield _divide(*(_read(part, row) for part in combined.parts))
        elif mode == "sum":
            yield _add([_read(part, row) for part in combined.parts])
        else:
            yield _average(combined.parts, row, (fast, bins))


def _read(part: Placed, row: int) -> Row:
    intensity, errors = part.map.read_row(row - part.row)
    i0 = np.ones(len(intensity)) if part.map.i0 is None else part.map.i0[row - part.row]
    return Row(intensity * part.factor, errors * part.factor, i0)


def _average(parts: Sequence[Placed], row: int, shape: tuple[int, int]) -> Row:
    total, variance, weight = np.zeros(shape), np.zeros(shape), np.zeros(shape)
    i0 = np.zeros(shape[0])
    for part in parts:
        slow, fast, _ = part.map.shape
        if not part.row <= row < part.row + slow:
            continue
        there = slice(part.column, part.column + fast)
        found = _read(part, row)
        beam = np.nan_to_num(found.i0)
        weights = np.where(np.isfinite(found.intensity), beam[:, None], 0.0)
        total[there] += weights * np.nan_to_num(found.intensity)
        variance[there] += (weights * np.nan_to_num(found.errors)) ** 2
        weight[there] += weights
        i0[there] += beam
    with np.errstate(invalid="ignore", divide="ignore"):
        errors = np.where(weight > 0, np.sqrt(variance) / weight, np.nan)
        return Row(np.where(weight > 0, total / weight, np.nan), errors, i0)


def _add(rows: Sequence[Row]) -> Row:
    errors = np.sqrt(np.sum([row.errors**2 for row in rows], axis=0))
    i0 = np.sum([row.i0 for row in rows], axis=0)
    return Row(np.sum([row.intensity for row in rows], axis=0), errors, i0)


def _divide(above: Row, below: Row) -> Row:
    denominator = np.where(below.intensity > 0, below.intensity, np.nan)
    ratio = above.intensity / denominator
    errors = np.sqrt(above.errors**2 + (ratio * below.errors) ** 2) / denominator
    return Row(ratio, errors, np.ones(len(ratio)))
