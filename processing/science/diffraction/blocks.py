"""Sum decoded frames into bins: whatever the layout and the compression of the file."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from processing.science.diffraction.fused import elements_of
from processing.science.diffraction.matrix import TiledMatrix
from processing.science.diffraction.sums import Sums, SumState
from processing.science.markers import blank_invalid

_BEYOND = float(np.finfo(np.float32).max)  # sums are of float32
_KNOWN = {"u1", "u2", "u4", "i1", "i2", "i4", "f4", "f8"}
_STATES = (SumState.OK, SumState.UNREADABLE, SumState.MARKED, SumState.EMPTY)  # of the kernel


def reduce_frames(frames: NDArray[Any], matrix: TiledMatrix) -> Sums:
    """
    Sum decoded frames into bins, eight at a time.

    Parameters
    ----------
    frames : ndarray of shape (n_frames, slow, fast)
        Counts of any real type. Below 0, NaN, infinite, or the largest number of an integer
        type is no count.
    matrix : TiledMatrix
        Of the geometry.

    Returns
    -------
    Sums
        In the order of the frames.
    """
    # Compiled code takes half a second to import.
    from processing.science.kernels.blocks import sum_eight  # noqa: PLC0415 - as said
    from processing.science.kernels.fused import TILE  # noqa: PLC0415 - as said
    from processing.science.kernels.lanes import LANES  # noqa: PLC0415 - as said

    n, bins = len(frames), len(matrix.normalisation)
    flat, largest = _as_known(frames)
    whole = -(-n // LANES) * LANES
    signal, variance = np.empty((whole, bins)), np.empty((whole, bins))
    state = np.empty(whole, np.uint8)
    sums, squares = np.empty((bins, LANES)), np.empty((bins, LANES))
    states, pixels = np.empty(LANES, np.uint8), np.zeros((TILE, LANES), np.float32)
    for first in range(0, n, LANES):
        eight = flat[first : first + LANES]
        if len(eight) < LANES:
            eight = np.concatenate([eight, np.repeat(eight[-1:], LANES - len(eight), axis=0)])
        sum_eight(
            eight, largest, matrix.ignored, elements_of(matrix), pixels, sums, squares, states
        )
        group = slice(first, first + LANES)
        signal[group], variance[group] = sums.T, squares.T
        state[group] = np.take(_STATES, states)
    return Sums(signal[:n], variance[:n], state[:n])


def _as_known(frames: NDArray[Any]) -> tuple[NDArray[Any], float]:
    """Return frames as rows of a type that the kernel is made for, and its first marker."""
    rows = frames.reshape(len(frames), -1)
    kind = rows.dtype.newbyteorder("=").str[1:]
    if kind not in _KNOWN:
        return np.array([blank_invalid(row) for row in rows]), _BEYOND
    native = np.ascontiguousarray(rows, dtype=kind)
    return native, float(np.iinfo(kind).max) if native.dtype.kind in "iu" else _BEYOND
