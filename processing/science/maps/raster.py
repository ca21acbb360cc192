"""Raster scans: from the order in which frames were taken to rows and columns of a map."""

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from processing.science.errors import NoRasterError, TooManyFramesError

Values = NDArray[np.float64]


@dataclass(frozen=True)
class Raster:
    """
    A grid of positions that a scan runs through row by row.

    Attributes
    ----------
    slow, fast : int
        Rows and columns.
    zigzag : bool
        Whether odd rows were taken backwards (snake, meander).
    """

    slow: int
    fast: int
    zigzag: bool = False

    @property
    def positions(self) -> int:
        return self.slow * self.fast

    def frames_of_row(self, row: int) -> list[int]:
        """Return the numbers of the frames of a row, from its first column to its last."""
        numbers = list(range(row * self.fast, (row + 1) * self.fast))
        return numbers[::-1] if self.zigzag and row % 2 else numbers

    def cell_of(self, number: int) -> tuple[int, int]:
        """Return row and column of a frame."""
        row, column = divmod(number, self.fast)
        return row, self.fast - 1 - column if self.zigzag and row % 2 else column

    def runs(self, first: int, stop: int) -> Iterator[tuple[int, slice, NDArray[np.intp]]]:
        """
        Cut a range of frames at the ends of rows.

        Parameters
        ----------
        first, stop : int
            Number of the first frame, and of the one after the last.

        Yields
        ------
        tuple of int, slice and ndarray
            Row, columns, and which frames of the range lie there, the first one being 0.
        """
        begin = first
        while begin < stop:
            row, start = divmod(begin, self.fast)
            end = min(self.fast, start + stop - begin)
            places = np.arange(begin - first, begin - first + end - start)
            if self.zigzag and row % 2:
                start, end, places = self.fast - end, self.fast - start, places[::-1]
            yield row, slice(start, end), places
            begin += len(places)

    def arrange(self, values: Values) -> Values:
        """
        Lay out one number per frame as a map.

        Parameters
        ----------
        values : ndarray of shape (n_frames,)
            In the order of the frames; at most as many as there are positions.

        Returns
        -------
        ndarray of shape (slow, fast)
            NaN where no frame was taken.
        """
        padded = np.full(self.positions, np.nan)
        padded[: len(values)] = values
        grid = padded.reshape(self.slow, self.fast)
        if self.zigzag:
            grid[1::2] = grid[1::2, ::-1].copy()
        return grid


def choose_shape(
    n_frames: int, asked: tuple[int, int] | None, stated: tuple[int, int] | None
) -> tuple[int, int]:
    """
    Decide how many rows and columns a scan has.

    Parameters
    ----------
    n_frames : int
        Frames that were taken; fewer than positions if the scan was stopped.
    asked : tuple of int, optional
        (slow, fast) as a person wants it; it counts before ``stated``.
    stated : tuple of int, optional
        (slow, fast) as the file states it.

    Returns
    -------
    tuple of int
        (slow, fast); (1, 1) for one frame of which nothing is known.

    Raises
    ------
    TooManyFramesError
        If there are more frames than positions.
    NoRasterError
        If neither is given for several frames.
    """
    shape = asked or stated or ((1, 1) if n_frames == 1 else None)
    likely = ", ".join(f"{slow} x {fast}" for slow, fast in suggest_shapes(n_frames))
    if shape is None:
        raise NoRasterError(
            f"The scan has {n_frames} frames and does not say how they form a map. "
            f"Give the shape (slow, fast), for example {likely}."
        )
    if n_frames > math.prod(shape):
        raise TooManyFramesError(
            f"The scan has {n_frames} frames, more than the {math.prod(shape)} positions of "
            f"{shape[0]} x {shape[1]}. Give another shape (slow, fast), for example {likely}."
        )
    return shape


def suggest_shapes(n_frames: int, limit: int = 5) -> list[tuple[int, int]]:
    """
    Suggest (slow, fast) shapes that hold a number of frames exactly, squarest first.

    Parameters
    ----------
    n_frames : int
        Number of frames, at least 1.
    limit : int
        How many to suggest at most.

    Returns
    -------
    list of tuple of int
        Divisors of ``n_frames`` in pairs; of a prime only a column and a row.
    """
    divisors = [d for d in range(1, math.isqrt(n_frames) + 1) if n_frames % d == 0]
    pairs = [
        pair
        for small in reversed(divisors)
        for pair in dict.fromkeys([(small, n_frames // small), (n_frames // small, small)])
    ]
    return pairs[:limit]


def shape_from_positions(first: Values, second: Values) -> tuple[int, int] | None:
    """
    Find rows and columns from where two motors stood.

    The fast motor moves at every frame of a row, the slow one between rows only.

    Parameters
    ----------
    first, second : ndarray of shape (n_frames,)
        Positions of the fast and of the slow motor, in one unit each.

    Returns
    -------
    tuple of int or None
        (slow, fast), rows counted as far as the scan came; None if the motors ran
        through no raster.
    """
    if len(first) < 2 or not (np.isfinite(first).all() and np.isfinite(second).all()):
        return None
    extent = float(np.ptp(second))
    if extent == 0:
        return (1, len(first))
    # Encoders tremble: a new row is a step of at least a quarter of the largest one.
    steps = np.abs(np.diff(second))
    starts = np.flatnonzero(steps > 0.25 * steps.max()) + 1
    lengths = np.diff([0, *starts, len(first)])
    fast = int(lengths[0])
    if np.any(lengths[:-1] != fast) or lengths[-1] > fast:
        return None
    return (len(lengths), fast)


def is_fast(first: Values, second: Values) -> bool:
    """
    Tell whether the first of two motors is the one that moves at every frame.

    Parameters
    ----------
    first, second : ndarray of shape (n_frames,)
        Positions, in any unit: only distances relative to the range count.

    Returns
    -------
    bool
        True if the first travels further, in units of its range.
    """

    def travel(values: Values) -> float:
        extent = float(np.ptp(values))
        return float(np.abs(np.diff(values)).sum()) / extent if extent > 0 else 0.0

    return travel(first) >= travel(second)


def runs_back_and_forth(fast: Values, raster: Raster) -> bool | None:
    """
    Tell from its positions whether the fast motor took odd rows backwards.

    Parameters
    ----------
    fast : ndarray of shape (n_frames,)
        Positions of the fast motor in the order of the frames.
    raster : Raster
        Rows and columns; its ``zigzag`` is not looked at.

    Returns
    -------
    bool or None
        None if it cannot be told: one row, or one column.
    """
    grid = Raster(raster.slow, raster.fast).arrange(fast)
    travel = grid[:, -1] - grid[:, 0]
    even, odd = travel[0::2], travel[1::2]
    even, odd = even[np.isfinite(even)], odd[np.isfinite(odd)]
    if raster.fast == 1 or len(even) == 0 or len(odd) == 0:
        return None
    return bool(np.sign(np.median(even)) == -np.sign(np.median(odd)) != 0)


def axis_of(grid: Values, axis: int) -> Values | None:
    """
    Reduce motor positions on a grid to the values of one of its axes.

    Parameters
    ----------
    grid : ndarray of shape (slow, fast)
        Positions of one motor; NaN where no frame was taken.
    axis : int
        0 for the slow axis, 1 for the fast one.

    Returns
    -------
    ndarray of shape (slow,) or (fast,), or None
        The median along the other axis. Rows or columns that were never reached continue
        with the median step; None if fewer than two were, where there are several.
    """
    reached: NDArray[np.bool_] = np.atleast_1d(np.isfinite(grid).any(axis=1 - axis))
    numbers = np.flatnonzero(reached)
    if len(numbers) < min(2, len(reached)):
        return None
    medians = [float(np.nanmedian(np.take(grid, number, axis=axis))) for number in numbers]
    everywhere = np.arange(len(reached))
    values = np.interp(everywhere, numbers, medians)
    step = float(np.median(np.diff(medians))) if len(medians) > 1 else 0.0
    beyond = everywhere > numbers[-1]
    values[beyond] = medians[-1] + step * (everywhere[beyond] - numbers[-1])
    return values
