"""
Sums of frames without light, pixel by pixel, in integers.

Nothing is rounded, so parts of a run may be summed anywhere and added in any order: the bits
are the same. A tile of pixels is summed over all frames before the next one, so that its
sums stay in the cache of the core, and four frames at once, so that they are loaded less.
"""

import numpy as np
from numpy.typing import NDArray

from processing.science.kernels.compiling import kernel

TILE = 8192  # pixels, whose sums are 160 kB


@kernel
def add_frames(
    frames: NDArray[np.uint16],
    flip: int,
    limit: int,
    counts: NDArray[np.uint32],
    sums: NDArray[np.uint64],
    squares: NDArray[np.uint64],
) -> None:
    """
    Add 1, x and x² of each frame, where x = word XOR flip, of the words with x < limit.

    Of words with a gain code in their upper bits, ``flip`` is the code that is wanted: what
    has another one is no smaller than ``limit`` then, and takes no part.

    Parameters
    ----------
    frames : ndarray of uint16 of shape (n_frames, n_pixels)
        Words of the detector, in ADU beside what their upper bits say.
    flip, limit : int
        0 and 65536 take all words as they are.
    counts, sums, squares : ndarray of shape (n_pixels,)
        Added to, in place.
    """
    n_frames, n_pixels = frames.shape
    turn, end = np.uint32(flip), np.uint32(limit)
    for start in range(0, n_pixels, TILE):
        stop = min(start + TILE, n_pixels)
        # Slices of rows instead of sums of indexes: only so does the compiler use vectors.
        tile = counts[start:stop], sums[start:stop], squares[start:stop]
        last = n_frames - n_frames % 4
        for first in range(0, last, 4):
            one, two = frames[first, start:stop], frames[first + 1, start:stop]
            three, four = frames[first + 2, start:stop], frames[first + 3, start:stop]
            _add_four(one, two, three, four, turn, end, *tile)
        for number in range(last, n_frames):
            _add_one(frames[number, start:stop], turn, end, *tile)


@kernel
def _add_four(
    one: NDArray[np.uint16],
    two: NDArray[np.uint16],
    three: NDArray[np.uint16],
    four: NDArray[np.uint16],
    turn: np.uint32,
    end: np.uint32,
    counts: NDArray[np.uint32],
    sums: NDArray[np.uint64],
    squares: NDArray[np.uint64],
) -> None:
    for pixel in range(len(counts)):
        a, b = np.uint32(one[pixel]) ^ turn, np.uint32(two[pixel]) ^ turn
        c, d = np.uint32(three[pixel]) ^ turn, np.uint32(four[pixel]) ^ turn
        take_a, take_b = np.uint32(a < end), np.uint32(b < end)
        take_c, take_d = np.uint32(c < end), np.uint32(d < end)
        a, b, c, d = a * take_a, b * take_b, c * take_c, d * take_d
        counts[pixel] += take_a + take_b + take_c + take_d
        sums[pixel] += np.uint64(a + b + c + d)
        # A square of 16 bits fills 32, so these are added in 64.
        squares[pixel] += np.uint64(a * a) + np.uint64(b * b) + np.uint64(c * c) + np.uint64(d * d)


@kernel
def _add_one(
    words: NDArray[np.uint16],
    turn: np.uint32,
    end: np.uint32,
    counts: NDArray[np.uint32],
    sums: NDArray[np.uint64],
    squares: NDArray[np.uint64],
) -> None:
    for pixel in range(len(counts)):
        value = np.uint32(words[pixel]) ^ turn
        is_taken = np.uint32(value < end)
        value *= is_taken
        counts[pixel] += is_taken
        sums[pixel] += np.uint64(value)
        squares[pixel] += np.uint64(value * value)
