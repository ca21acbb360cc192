"""Hold integrated patterns against pyFAI's own, whatever the way they were made."""

import numpy as np
from numpy.typing import NDArray

from processing.science.errors import DeviationError

MAX_DEVIATION = 1e-5  # both sum float32 counts, in another order

Values = NDArray[np.floating]


def choose_frames(n_frames: int, count: int, seed: int) -> list[int]:
    """
    Choose frames to be looked at again: the first, the last, and others by chance.

    Parameters
    ----------
    n_frames : int
        Frames of the scan.
    count : int
        How many to choose; all, if there are no more.
    seed : int
        Of the run: the same run looks at the same frames.

    Returns
    -------
    list of int
        Numbers of frames, ascending.
    """
    ends = {0, n_frames - 1}
    between = np.arange(1, max(1, n_frames - 1))
    wanted = min(max(0, count - len(ends)), len(between))
    chosen = np.random.default_rng(seed).choice(between, wanted, replace=False)
    return sorted(ends | set(map(int, chosen)))


def measure_deviation(found: Values, expected: Values, sigma: Values | None = None) -> float:
    """
    Measure how far a pattern is from the expected one, relative to it.

    Each bin is measured by the expected number itself: max |found - expected| / |expected|.
    Where 0 is expected, its standard error is the measure (no photon: that of one photon),
    and without errors the mean of the pattern.

    Parameters
    ----------
    found, expected : ndarray of shape (bins,)
        In the same unit; NaN where no pixel lies.
    sigma : ndarray of shape (bins,), optional
        Standard errors of ``expected``.

    Returns
    -------
    float
        0 if both are equal; infinite if one is NaN where the other is not.
    """
    reached = np.isfinite(expected)
    if not np.array_equal(reached, np.isfinite(found)):
        return float("inf")
    if not reached.any():
        return 0.0
    wanted = np.abs(expected[reached], dtype=np.float64)
    instead = np.full(len(wanted), wanted.mean()) if sigma is None else sigma[reached]
    scale = np.where(wanted > 0, wanted, instead)
    difference = np.abs(found[reached].astype(np.float64) - expected[reached])
    different = difference > 0
    if not different.any():
        return 0.0
    with np.errstate(divide="ignore"):
        return float((difference[different] / scale[different]).max())


def refuse_deviation(deviation: float, frame: int) -> None:
    """
    Refuse a result that is not pyFAI's.

    Parameters
    ----------
    deviation : float
        The largest of all frames that were compared.
    frame : int
        Where it was found.

    Raises
    ------
    DeviationError
        If it is larger than 1e-5.
    """
    if deviation > MAX_DEVIATION:
        raise DeviationError(
            f"Frame {frame} deviates by {deviation:.1e} from what pyFAI makes of it; up to "
            f"{MAX_DEVIATION:.0e} is rounding. The map is not kept. Launch it again with "
            "by_pyfai true, which is slower, and show this message to the operator."
        )
