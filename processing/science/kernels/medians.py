"""
Medians of integers, by counting instead of sorting.

The median lies between the least and the largest sample. How many samples are no larger than
the middle of this range says in which half it is: after log2(range) passes, six for 64 ADU,
it is known. All pixels of a tile take these passes side by side, in vectors, which a histogram
for each pixel cannot; both give the same value.
"""

import numpy as np
from numpy.typing import NDArray

from processing.science.kernels.compiling import kernel

TILE = 512  # pixels, whose samples of 512 frames are half a megabyte
ROOM = 5  # numbers that are kept for each pixel of a tile
_NONE = np.uint16(65_535)


@kernel
def find_medians(
    frames: NDArray[np.uint16],
    flip: int,
    limit: int,
    tile: NDArray[np.uint16],
    room: NDArray[np.uint16],
    medians: NDArray[np.float32],
) -> None:
    """
    Find the median of x = word XOR flip for each pixel, of the words with x < limit.

    median = (x₍k₎ + x₍m₎) / 2 with k = (n - 1) // 2 and m = n // 2, counted from 0 in
    ascending order; NaN for n = 0.

    Parameters
    ----------
    frames : ndarray of uint16 of shape (n_frames, n_pixels)
        Words of the detector, in ADU beside what their upper bits say; at most 65,535.
    flip, limit : int
        0 and 65536 take all words as they are.
    tile : ndarray of uint16 of shape (n_frames, 512)
        Room for samples.
    room : ndarray of uint16 of shape (5, 512)
        Room for what is found.
    medians : ndarray of float32 of shape (n_pixels,)
        Written to, in ADU.
    """
    n_pixels = frames.shape[1]
    for start in range(0, n_pixels, TILE):
        width = min(TILE, n_pixels - start)
        # Slices of rows, of which the compiler knows that they have no gaps.
        low, high = room[0, :width], room[1, :width]
        n, middle, count = room[2, :width], room[3, :width], room[4, :width]
        low[:], high[:], n[:] = _NONE, 0, 0
        for number in range(len(frames)):
            words, kept = frames[number, start : start + width], tile[number, :width]
            _take(words, flip, limit, kept, low, high, n)
        while _halve(low, high, middle):
            _count(tile, middle, count)
            _narrow(n, middle, count, low, high)
        _count(tile, low, count)
        _find_next(tile, low, high)
        _write(n, count, low, high, medians[start : start + width])


@kernel
def _take(
    words: NDArray[np.uint16],
    flip: int,
    limit: int,
    kept: NDArray[np.uint16],
    low: NDArray[np.uint16],
    high: NDArray[np.uint16],
    n: NDArray[np.uint16],
) -> None:
    """Copy the samples of a frame; widen the range and count those that are taken."""
    turn, last = np.uint16(flip), np.uint16(limit - 1)
    for pixel in range(len(words)):
        value = np.uint16(words[pixel] ^ turn)
        is_taken = value <= last
        kept[pixel] = value if is_taken else _NONE
        n[pixel] += np.uint16(is_taken)
        low[pixel] = min(low[pixel], kept[pixel])
        high[pixel] = max(high[pixel], value if is_taken else np.uint16(0))


@kernel
def _halve(low: NDArray[np.uint16], high: NDArray[np.uint16], middle: NDArray[np.uint16]) -> bool:
    """Find the middle of each range; say whether any has more than one value."""
    n_open = 0
    for pixel in range(len(low)):
        # Without any sample low is above high; int() of an unsigned number stays unsigned.
        width = np.int64(high[pixel]) - np.int64(low[pixel])
        n_open += 1 if width > 0 else 0
        middle[pixel] = low[pixel] + (width // 2 if width > 0 else 0)
    return n_open > 0


@kernel
def _count(tile: NDArray[np.uint16], bound: NDArray[np.uint16], count: NDArray[np.uint16]) -> None:
    """Count the samples that are no larger than a bound."""
    count[:] = 0
    for number in range(len(tile)):
        values = tile[number, : len(bound)]
        for pixel in range(len(bound)):
            count[pixel] += np.uint16(values[pixel] <= bound[pixel])


@kernel
def _narrow(
    n: NDArray[np.uint16],
    middle: NDArray[np.uint16],
    count: NDArray[np.uint16],
    low: NDArray[np.uint16],
    high: NDArray[np.uint16],
) -> None:
    """Keep the half in which the lower one of the two middle samples lies."""
    for pixel in range(len(low)):
        if high[pixel] > low[pixel]:
            if np.int32(count[pixel]) > (np.int32(n[pixel]) - 1) // 2:
                high[pixel] = middle[pixel]
            else:
                low[pixel] = middle[pixel] + 1


@kernel
def _find_next(
    tile: NDArray[np.uint16], low: NDArray[np.uint16], above: NDArray[np.uint16]
) -> None:
    """Find the least sample above a bound."""
    above[:] = _NONE
    for number in range(len(tile)):
        values = tile[number, : len(low)]
        for pixel in range(len(low)):
            value = values[pixel]
            above[pixel] = min(above[pixel], value if value > low[pixel] else _NONE)


@kernel
def _write(
    n: NDArray[np.uint16],
    count: NDArray[np.uint16],
    low: NDArray[np.uint16],
    above: NDArray[np.uint16],
    medians: NDArray[np.float32],
) -> None:
    """Take the mean of the two middle samples, which differ if only half are up to the lower."""
    for pixel in range(len(n)):
        upper = above[pixel] if n[pixel] // 2 >= count[pixel] else low[pixel]
        middle = (np.float32(low[pixel]) + np.float32(upper)) / np.float32(2)
        medians[pixel] = middle if n[pixel] > 0 else np.float32(np.nan)
