"""What is done to corrected signals: common mode, quantising, counting. NaN takes no part."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from processing.science.kernels.compiling import kernel
from processing.science.kernels.limits import LARGEST, NOTHING

OTHER_STAGE = 3  # where a gain of 255 is counted
LANES = 64  # pixels that are taken side by side
_BLOCK = 4_096  # compared at once


@kernel
def subtract_common_mode(
    signal: NDArray[np.float32],
    gain: NDArray[np.uint8],
    scale: NDArray[np.float32],
    low: float,
    high: float,
    fraction: float,
    iterations: int,
) -> int:
    """
    Subtract from one ASIC the mean of its dark pixels, again and again.

    A pixel is dark if it is in high gain and low <= E / s <= high. With m the mean of E / s of
    the dark pixels, every pixel in high gain becomes E - m s. It ends early where fewer than
    the fraction of all pixels are dark.

    Parameters
    ----------
    signal : ndarray of float32 of shape (y, x)
        E of one ASIC in one frame; changed in place.
    gain : ndarray of uint8 of shape (y, x)
        0 in high gain.
    scale : ndarray of float32 of shape (y, x)
        s of high gain, in units of the signal per ADU; NaN in bad pixels.
    low, high : float
        In ADU.
    fraction : float
        From 0 to 1.
    iterations : int
        How often.

    Returns
    -------
    int
        How often it was subtracted.
    """
    for done in range(iterations):
        total, dark = _sum_dark(signal, gain, scale, low, high)
        if dark == 0 or dark < fraction * signal.size:
            return done
        shift = total / dark
        for y in range(signal.shape[0]):
            for x in range(signal.shape[1]):
                if gain[y, x] == 0:
                    signal[y, x] -= np.float32(shift * scale[y, x])
    return iterations


@kernel
def _sum_dark(
    signal: NDArray[np.float32],
    gain: NDArray[np.uint8],
    scale: NDArray[np.float32],
    low: float,
    high: float,
) -> tuple[float, int]:
    total, dark = 0.0, 0
    for y in range(signal.shape[0]):
        for x in range(signal.shape[1]):
            value = np.float64(signal[y, x]) / scale[y, x]
            if gain[y, x] == 0 and low <= value <= high:
                total += value
                dark += 1
    return total, dark


@kernel
def quantise(signal: NDArray[np.float32], step: float, steps: NDArray[np.int16]) -> int:
    """
    Round signals to whole steps: q = rint(E / step).

    The quotient is taken in float64, so that q x step is within step / 2 of E.

    Parameters
    ----------
    signal : ndarray of float32 of shape (pixels,)
        In any unit.
    step : float
        In the same unit.
    steps : ndarray of int16 of shape (pixels,)
        Written: -32768 for NaN, at most 32000 and at least -32000 else.

    Returns
    -------
    int
        How many were clipped.
    """
    clipped = 0
    for i in range(len(signal)):
        wanted = np.rint(np.float64(signal[i]) / step)
        held = min(max(wanted, -np.float64(LARGEST)), np.float64(LARGEST))
        is_nothing = wanted != wanted  # noqa: PLR0124 - NaN alone is not itself
        clipped += (held != wanted) & (not is_nothing)
        steps[i] = NOTHING if is_nothing else np.int16(held)
    return clipped


@kernel
def sum_signal(signal: NDArray[np.float32], sums: NDArray[np.float64]) -> int:
    """
    Sum the signals that are not NaN, in float64, into many sums: one would wait for itself.

    Parameters
    ----------
    signal : ndarray of float32 of shape (pixels,)
        In any unit.
    sums : ndarray of float64 of shape (lanes,)
        Written: the sum of every so many pixels; 0 if there is none.

    Returns
    -------
    int
        How many signals were summed.
    """
    sums[:] = 0.0
    counted = np.uint32(0)
    for start in range(0, len(signal), len(sums)):
        _add_values(signal[start : start + len(sums)], sums)
    for i in range(np.uint64(len(signal))):
        counted += np.uint32(signal[i] == signal[i])
    return int(counted)


@kernel
def _add_values(signal: Any, sums: Any) -> None:
    for i in range(np.uint64(len(signal))):
        value = np.float64(signal[i])
        sums[i] += value if value == value else 0.0  # noqa: PLR0124 - as above


@kernel
def count_stages_and_bits(
    gain: NDArray[np.uint8],
    mask: NDArray[np.uint32],
    stages: NDArray[np.int64],
    bits: NDArray[np.int64],
) -> int:
    """
    Count how often each gain stage and each mask bit occurs.

    Parameters
    ----------
    gain : ndarray of uint8 of shape (pixels,)
        0, 1, 2; 255 for none of them.
    mask : ndarray of uint32 of shape (pixels,)
        Bits.
    stages : ndarray of int64 of shape (4,)
        Added to; the last is for no stage.
    bits : ndarray of int64 of shape (32,)
        Added to.

    Returns
    -------
    int
        How many pixels have any bit.
    """
    high, medium, low, masked = np.uint32(0), np.uint32(0), np.uint32(0), np.uint32(0)
    for i in range(np.uint64(len(gain))):
        high += np.uint32(gain[i] == 0)
        medium += np.uint32(gain[i] == 1)
        low += np.uint32(gain[i] == 2)
    stages[0] += high
    stages[1] += medium
    stages[2] += low
    stages[OTHER_STAGE] += len(gain) - int(high) - int(medium) - int(low)
    for start in range(0, len(mask), LANES):
        masked += _count_bits(mask[start : start + LANES], bits)
    return int(masked)


@kernel
def _count_bits(mask: Any, bits: Any) -> Any:
    seen, masked = np.uint32(0), np.uint32(0)
    for i in range(np.uint64(len(mask))):
        seen |= mask[i]
    if seen:
        for i in range(np.uint64(len(mask))):
            masked += np.uint32(mask[i] != 0)
        for bit in range(np.uint32(32)):
            for i in range(np.uint64(len(mask) if seen >> bit & np.uint32(1) else 0)):
                bits[bit] += mask[i] >> bit & np.uint32(1)
    return masked


@kernel
def is_same(one: NDArray[Any], other: NDArray[Any]) -> bool:
    """
    Tell whether two arrays of whole numbers are equal, and stop where they are not.

    Parameters
    ----------
    one, other : ndarray of shape (pixels,)
        Of the same type.

    Returns
    -------
    bool
        Whether all numbers are.
    """
    for start in range(0, len(one), _BLOCK):
        these, those = one[start : start + _BLOCK], other[start : start + _BLOCK]
        differing = these[0] ^ these[0]
        for i in range(np.uint64(len(these))):
            differing |= these[i] ^ those[i]
        if differing:
            return False
    return True


@kernel
def count_signals(
    signal: NDArray[np.float32],
    gain: NDArray[np.uint8],
    low: float,
    width: float,
    counts: NDArray[np.int64],
) -> None:
    """
    Add the signals of each stage to its histogram; bin = floor((E - low) / width) + 1.

    Parameters
    ----------
    signal : ndarray of float32 of shape (pixels,)
        In the unit of the edges; NaN is not counted.
    gain : ndarray of uint8 of shape (pixels,)
        0, 1, 2; others are not counted.
    low, width : float
        Lower edge and width of the bins.
    counts : ndarray of int64 of shape (3, bins + 2)
        Added to; the first bin is for what lies below, the last for what lies above.
    """
    last = counts.shape[1] - 1
    for i in range(len(signal)):
        position = np.floor((np.float64(signal[i]) - low) / width) + 1.0
        if gain[i] < OTHER_STAGE and position == position:  # noqa: PLR0124 - not NaN
            counts[gain[i], int(min(max(position, 0.0), np.float64(last)))] += 1
