"""What compiled code brings back of some frames: weighted sums, before any division."""

from dataclasses import dataclass
from enum import IntEnum

import numpy as np
from numpy.typing import NDArray


class SumState(IntEnum):
    """What became of a frame; sums of other than OK mean nothing."""

    OK = 0
    UNREADABLE = 1  # its bytes are not those of a frame
    MARKED = 2  # a pixel that takes part holds no count
    EMPTY = 3  # no pixel is above 0
    MISSING = 4  # it was never written


@dataclass(frozen=True)
class Sums:
    """
    Sums of some frames over the pixels of each bin.

    Attributes
    ----------
    signal : ndarray of float64 of shape (n_frames, bins)
        S = sum of c x, with the part c of a pixel in the bin and its counts x.
    variance : ndarray of float64 of shape (n_frames, bins)
        V = sum of c^2 max(1, x).
    state : ndarray of uint8 of shape (n_frames,)
        What became of each frame, as in ``SumState``.
    """

    signal: NDArray[np.float64]
    variance: NDArray[np.float64]
    state: NDArray[np.uint8]
