"""From decoded frames into sums, by the same sums as from compressed ones."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from processing.science.kernels.compiling import kernel
from processing.science.kernels.fused import EMPTY, MARKED, OK, TILE
from processing.science.kernels.lanes import LANES
from processing.science.kernels.sums import sum_tile


@kernel
def sum_eight(
    frames: NDArray[Any],
    largest: float,
    ignored: NDArray[Any],
    matrix: Any,
    pixels: NDArray[Any],
    signal: NDArray[Any],
    variance: NDArray[Any],
    states: NDArray[Any],
) -> None:
    """
    Sum eight decoded frames into bins.

    Parameters
    ----------
    frames : ndarray of shape (8, n_pixels)
        Counts, of any type that numba knows.
    largest : float
        From here on a number is no count.
    ignored : ndarray of uint8
        Bits of the pixels that are in no bin.
    matrix : tuple of ndarray
        As of ``reduce_eight``.
    pixels : ndarray of float32 of shape (tile, 8)
        Scratch.
    signal, variance : ndarray of float64 of shape (bins, 8)
        Zeroed here; take S and V of ``sum_tile``.
    states : ndarray of uint8 of shape (8,)
        OK, MARKED or EMPTY as of ``reduce_eight``.
    """
    limits, starts, bins, places, weights, squares = matrix
    signal[:] = 0.0
    variance[:] = 0.0
    states[:] = EMPTY
    n_pixels = frames.shape[1]
    rows = (starts, bins, places, weights, squares)
    for tile in range(len(limits) - 1):
        first = tile * TILE
        n = min(TILE, n_pixels - first)
        for frame in range(LANES):
            part = frames[frame, first : first + n]
            states[frame] = _take(part, frame, largest, ignored[first // 8 :], pixels, states)
        sum_tile(pixels, rows, limits[tile], limits[tile + 1], signal, variance)


@kernel
def _take(
    part: NDArray[Any],
    frame: int,
    largest: float,
    ignored: NDArray[Any],
    pixels: NDArray[Any],
    states: NDArray[Any],
) -> int:
    """Lay a tile of one frame into its lane; return what is now known of the frame."""
    state = states[frame]
    for i in range(len(part)):
        count = np.float64(part[i])
        is_count = 0.0 <= count < largest
        if is_count:
            if count > 0.0 and state == EMPTY:
                state = OK
        else:
            if not ignored[i >> 3] >> np.uint8(i & 7) & np.uint8(1):
                state = MARKED
            count = 0.0
        pixels[i, frame] = np.float32(count)
    return state
