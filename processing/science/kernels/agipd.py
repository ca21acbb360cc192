"""
Correct frames of an AGIPD, whose gain stage is told by a second, analog value.

A kernel implements, for a pixel of analog signal a and gain level l,

    stage = 0 if l < t1, 2 if l >= t2, else 1        E = (a - P[stage]) * s[stage]

with integer thresholds t; s is NaN where the pixel is bad, so that no mask takes part in the
arithmetic. A value is NaN wherever the mask is not 0.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from processing.science.kernels.compiling import kernel

Planes = NDArray[np.float32]
Bits = NDArray[np.uint32]

TILE = 8_192  # pixels whose constants stay in the cache while frames pass
_STAGES = 8  # of one byte each, looked at together


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
) -> None:
    """
    Correct a span of the frames of one memory cell.

    First all pixels are taken as high gain, in vectors, and compared with the first threshold;
    then the few above it are repaired, found eight at a time.

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
            eight = eights[row, first // _STAGES : last // _STAGES]
            if mask is None:
                _repair(analog, level, eight, offsets, scales, limits, flags, value, stage, None)
            else:
                mask[row, first:last] = bits[0, first:last]
                _repair(analog, level, eight, offsets, scales, limits, flags, value, stage,
                        mask[row, first:last])  # fmt: skip


@kernel
def _correct_as_high(
    analog: Any, level: Any, offset: Any, scale: Any, threshold: Any, signal: Any, gain: Any
) -> None:
    for i in range(len(analog)):
        signal[i] = (np.float32(analog[i]) - offset[i]) * scale[i]
    for i in range(len(level)):
        gain[i] = np.int32(level[i]) >= threshold[i]


@kernel
def _repair(
    analog: Any, level: Any, eights: Any, offset: Any, scale: Any, thresholds: Any, bits: Any,
    signal: Any, gain: Any, mask: Any,
) -> None:  # fmt: skip
    for eight in range(len(eights)):
        if eights[eight]:
            for i in range(_STAGES * eight, _STAGES * eight + _STAGES):
                if gain[i]:
                    stage = 2 if np.int32(level[i]) >= thresholds[1, i] else 1
                    gain[i] = stage
                    signal[i] = (np.float32(analog[i]) - offset[stage, i]) * scale[stage, i]
                    if mask is not None:
                        mask[i] = bits[stage, i]
