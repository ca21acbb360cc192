"""
Correct frames of an AGIPD, whose gain stage is told by a second, analog value.

A kernel implements, for a pixel of analog signal a and gain level l,

    stage = 0 if l < t1, 2 if l >= t2, else 1        E = (a - P[stage]) * s[stage]

with integer thresholds t; s is NaN where the pixel is bad, so that no mask takes part in the
arithmetic. A value is NaN wherever the mask is not 0. Indices are unsigned: numba would look
for negative ones.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from processing.science.kernels.compiling import kernel

Planes = NDArray[np.float32]
Bits = NDArray[np.uint32]

TILE = 32_768  # pixels whose constants stay in the cache while frames pass
PLACES = (2, TILE)  # shape of the scratch of a thread
_STAGES = np.uint64(8)  # of one byte each, looked at together


@kernel
def correct_frames(
    raw: NDArray[np.uint16],
    rows: NDArray[np.int64],
    start: int,
    stop: int,
    offset: Planes,
    scale: Planes,
    thresholds: NDArray[np.int32],
    bits: Bits,
    signal: Planes,
    gain: NDArray[np.uint8],
    eights: NDArray[np.uint64],
    mask: Bits | None,
    places: NDArray[np.uint32],
) -> None:
    """
    Correct a span of the frames of one memory cell.

    First all pixels are taken as high gain, in vectors, and compared with the first threshold;
    then the few above it are found, eight at a time, and repaired.

    Parameters
    ----------
    raw : ndarray of uint16 of shape (frames, 2, pixels)
        Analog signal and gain level, in ADU.
    rows : ndarray of int64
        Frames of this memory cell.
    start, stop : int
        The pixels of this span, multiples of 8.
    offset, scale : ndarray of float32 of shape (3, pixels)
        P in ADU and s in units of the output per ADU, by stage.
    thresholds : ndarray of int32 of shape (2, pixels)
        The lowest gain level of stage 1 and of stage 2; above 65535 for never. The second
        must be above the first.
    bits : ndarray of uint32 of shape (3, pixels)
        Why a pixel is bad, by stage; 0 where it is good.
    signal : ndarray of float32 of shape (frames, pixels)
        Written, in the unit of s times ADU.
    gain : ndarray of uint8 of shape (frames, pixels)
        Written: 0, 1, 2 for high, medium, low gain.
    eights : ndarray of uint64 of shape (frames, pixels / 8)
        The memory of ``gain``; a multiple of 8 pixels.
    mask : ndarray of uint32 of shape (frames, pixels), optional
        Written: the bits of each pixel's stage.
    places : ndarray of uint32 of shape PLACES
        Scratch.
    """
    for first in range(start, stop, TILE):
        last = min(first + TILE, stop)
        offsets, scales, flags = offset[:, first:last], scale[:, first:last], bits[:, first:last]
        limits = thresholds[:, first:last]
        for r in range(len(rows)):
            row = rows[r]
            # Rows of slices start at 0 and lie side by side, which vectors need to know.
            analog, level = raw[row, 0, first:last], raw[row, 1, first:last]
            value, stage = signal[row, first:last], gain[row, first:last]
            _correct_as_high(analog, level, offset[0, first:last], scale[0, first:last],
                             thresholds[0, first:last], value, stage)  # fmt: skip
            found = _find_switched(stage, eights[row, first // 8 : last // 8], places[0], places[1])
            _repair(analog, level, places[1, :found], offsets, scales, limits, value, stage)
            if mask is not None:
                mask[row, first:last] = bits[0, first:last]
                _repair_mask(stage, places[1, :found], flags, mask[row, first:last])


@kernel
def _correct_as_high(
    analog: Any, level: Any, offset: Any, scale: Any, threshold: Any, signal: Any, gain: Any
) -> None:
    for i in range(np.uint64(len(analog))):
        signal[i] = (np.float32(analog[i]) - offset[i]) * scale[i]
        gain[i] = np.int32(level[i]) >= threshold[i]


@kernel
def _find_switched(gain: Any, eights: Any, candidates: Any, places: Any) -> Any:
    """Every place is written, and kept by counting it: no branch can be guessed wrong."""
    some, found = np.uint64(0), np.uint64(0)
    for eight in range(np.uint64(len(eights))):
        candidates[some] = eight
        some += np.uint64(eights[eight] != 0)
    for k in range(some):
        first = np.uint64(candidates[k]) * _STAGES
        for i in range(first, first + _STAGES):
            places[found] = i
            found += np.uint64(gain[i])
    return found


@kernel
def _repair(
    analog: Any, level: Any, places: Any, offset: Any, scale: Any, thresholds: Any, signal: Any,
    gain: Any,
) -> None:  # fmt: skip
    for k in range(np.uint64(len(places))):
        i = np.uint64(places[k])
        stage = np.uint8(1) + np.uint8(np.int32(level[i]) >= thresholds[1, i])
        gain[i] = stage
        signal[i] = (np.float32(analog[i]) - offset[stage, i]) * scale[stage, i]


@kernel
def _repair_mask(gain: Any, places: Any, bits: Any, mask: Any) -> None:
    for k in range(np.uint64(len(places))):
        i = np.uint64(places[k])
        mask[i] = bits[gain[i], i]
