"""
Sum weighted pixels into bins, eight frames at a time.

The sparse matrix of a geometry, c[b, p] the part of pixel p in bin b, is cut into tiles of
pixels that lie one after the other, so that a tile of eight frames stays in the cache:

    S[b, f] = sum over p of c[b, p] x[p, f]
    V[b, f] = sum over p of c[b, p]^2 max(1, x[p, f])

Within a tile a bin is summed in float32, over some hundred pixels at most; tiles add up in
float64. Each frame is a lane of its own, so its sums depend on no other frame.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from processing.science.kernels.compiling import kernel
from processing.science.kernels.lanes import add_to, at_least_one, fused, load, plus, zeros

_ONE, _TWO = np.uint64(1), np.uint64(2)


@kernel
def sum_tile(
    pixels: NDArray[Any],
    matrix: Any,
    first: int,
    last: int,
    signal: NDArray[Any],
    variance: NDArray[Any],
) -> None:
    """
    Add one tile of eight frames to the sums of its bins.

    Parameters
    ----------
    pixels : ndarray of float32 of shape (tile, 8)
        Counts, of eight frames side by side.
    matrix : tuple of ndarray
        ``starts`` of each row, its ``bins``, and of each element its ``places`` in the tile,
        its ``weights`` c and ``squares`` c^2, of types int32, int32, uint16, float32, float32.
    first, last : int
        Rows of the tile.
    signal, variance : ndarray of float64 of shape (bins, 8)
        Take S and V.
    """
    starts, bins, places, weights, squares = matrix
    for row in range(first, last):
        signal_0, signal_1, variance_0, variance_1 = zeros(), zeros(), zeros(), zeros()
        k, stop = np.uint64(starts[row]), np.uint64(starts[row + 1])
        while k + _TWO <= stop:
            # Two sums of each kind: an addition has ended before the next one needs it.
            x, y = load(pixels, places[k]), load(pixels, places[k + _ONE])
            signal_0 = fused(signal_0, weights[k], x)
            variance_0 = fused(variance_0, squares[k], at_least_one(x))
            signal_1 = fused(signal_1, weights[k + _ONE], y)
            variance_1 = fused(variance_1, squares[k + _ONE], at_least_one(y))
            k += _TWO
        if k < stop:
            x = load(pixels, places[k])
            signal_0 = fused(signal_0, weights[k], x)
            variance_0 = fused(variance_0, squares[k], at_least_one(x))
        add_to(signal, bins[row], plus(signal_0, signal_1))
        add_to(variance, bins[row], plus(variance_0, variance_1))
