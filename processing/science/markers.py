"""What the number of a pixel says: a count, or that there is none."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

Frame = NDArray[np.number[Any]]


def blank_invalid(frame: Frame) -> NDArray[np.float32]:
    """
    Turn counts into float32, NaN where a pixel holds a marker instead of a count.

    Parameters
    ----------
    frame : ndarray of shape (slow, fast)
        Counts, in photons; negative, more than float32 holds, or the largest number of an
        integer type marks a gap, a dead or an overloaded pixel.

    Returns
    -------
    ndarray of float32 of shape (slow, fast)
        The same counts, rounded to 24 bits.
    """
    with np.errstate(over="ignore"):
        counts = frame.astype(np.float32)
    counts[(counts < 0) | np.isinf(counts)] = np.nan
    if (marker := _largest_integer(frame)) is not None:
        counts[frame == marker] = np.nan
    return counts


def has_counts(frame: Frame) -> bool:
    """Tell whether any valid pixel of a frame is above 0."""
    marker = _largest_integer(frame) or np.inf
    return bool(np.any((frame > 0) & (frame != marker)))


def _largest_integer(frame: Frame) -> int | None:
    return int(np.iinfo(frame.dtype.str).max) if frame.dtype.kind in "iu" else None
