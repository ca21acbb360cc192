"""Bad pixels: the bits of European XFEL, and the rules by which dark runs set them."""

from dataclasses import dataclass
from enum import IntFlag

import numpy as np
from numpy.typing import NDArray

# Pixels of one ASIC, which has an amplifier and a supply of its own: (slow, fast).
ASICS = {"AGIPD": (64, 64), "JUNGFRAU": (256, 256)}
MAD_TO_SIGMA = 1.4826  # of a normal distribution
# Integers spread evenly over 1 ADU; without this floor a map of one value, whose median
# absolute deviation is 0, would have every other value bad.
LEAST_SIGMA_ADU = 0.29


class BadPixel(IntFlag):
    """Why a pixel is bad, in the bits that European XFEL has published."""

    OFFSET_OUT_OF_THRESHOLD = 1 << 0
    NOISE_OUT_OF_THRESHOLD = 1 << 1
    OFFSET_NOISE_EVAL_ERROR = 1 << 2
    NO_DARK_DATA = 1 << 3
    CI_GAIN_OUT_OF_THRESHOLD = 1 << 4
    VALUE_IS_NAN = 1 << 11
    VALUE_OUT_OF_RANGE = 1 << 12
    GAIN_THRESHOLDING_ERROR = 1 << 13
    DATA_STD_IS_ZERO = 1 << 14
    WRONG_GAIN_VALUE = 1 << 21


@dataclass(frozen=True)
class Limits:
    """How many sigma of a map a pixel may lie below and above its median."""

    offset: tuple[float, float] = (5.0, 5.0)
    noise: tuple[float, float] = (5.0, 5.0)
    level: tuple[float, float] = (5.0, 5.0)


def find_outliers(
    plane: NDArray[np.float32], asic: tuple[int, int], limits: tuple[float, float]
) -> NDArray[np.bool_]:
    """
    Find pixels that differ from the others of their ASIC.

    Bad is what lies outside of median - low · sigma ... median + high · sigma, where
    sigma = max(1.4826 · MAD, 0.29 ADU) and MAD is the median absolute deviation.

    Parameters
    ----------
    plane : ndarray of float32 of shape (y, x)
        One quantity of one cell and gain, in ADU; NaN takes no part.
    asic : tuple of int
        Pixels of an ASIC, slow and fast; whole ones fill the plane.
    limits : tuple of float
        Low and high.

    Returns
    -------
    ndarray of bool of shape (y, x)
        True where it is bad; NaN is not, since that has a bit of its own.
    """
    slow, fast = asic
    rows, columns = plane.shape[0] // slow, plane.shape[1] // fast
    tiles = plane.reshape(rows, slow, columns, fast).swapaxes(1, 2).reshape(rows * columns, -1)
    bad = np.zeros(tiles.shape, bool)
    for values, found in zip(tiles, bad, strict=True):
        known = values[np.isfinite(values)]
        if len(known):
            median = np.median(known)
            sigma = max(MAD_TO_SIGMA * np.median(np.abs(known - median)), LEAST_SIGMA_ADU)
            low, high = median - limits[0] * sigma, median + limits[1] * sigma
            found[:] = (values < low) | (values > high)
    turned: NDArray[np.bool_] = bad.reshape(rows, columns, slow, fast).swapaxes(1, 2)
    return turned.reshape(plane.shape)
