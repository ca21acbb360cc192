"""What is counted while frames are corrected; parts add up in any grouping of whole tasks."""

from dataclasses import dataclass, field, fields

import numpy as np
from numpy.typing import NDArray

from processing.science.calibration.planes import Unit

BINS = 400
SAMPLED = 8  # the histogram takes every eighth train
# Lower edge and width of the histogram's bins, in the unit.
EDGES: dict[Unit, tuple[float, float]] = {
    "ADU": (-500.0, 25.0),
    "keV": (-20.0, 0.5),
    "photon": (-1.0, 0.1),
}
STAGES = ("high", "medium", "low")


def _counts(*shape: int) -> NDArray[np.int64]:
    return np.zeros(shape, np.int64)


@dataclass
class Tally:
    """
    Counts over frames of one module.

    Attributes
    ----------
    frames, pixels, masked, clipped : int
        Frames, and pixels of them; with any bit; clipped by quantising.
    stages : ndarray of int64 of shape (4,)
        Pixels in high, medium, low gain, and in none.
    bits : ndarray of int64 of shape (32,)
        Pixels with each bit of the mask.
    histogram : ndarray of int64 of shape (3, bins + 2)
        Signals of every eighth train by stage; first and last bin for what lies outside.
    sums : dict
        Pulse to the sum of its signals and how many pixels that are.
    image : ndarray of float64 of shape (2, pixels) or (2, 1)
        Sum of the signals of every eighth train, NaN as 0, and how many they are.
    """

    frames: int = 0
    pixels: int = 0
    masked: int = 0
    clipped: int = 0
    stages: NDArray[np.int64] = field(default_factory=lambda: _counts(4))
    bits: NDArray[np.int64] = field(default_factory=lambda: _counts(32))
    histogram: NDArray[np.int64] = field(default_factory=lambda: _counts(3, BINS + 2))
    sums: dict[int, tuple[float, int]] = field(default_factory=dict)
    image: NDArray[np.float64] = field(default_factory=lambda: np.zeros((2, 1)))

    def add(self, other: "Tally") -> None:
        """
        Add the counts of more frames.

        Parameters
        ----------
        other : Tally
            In the order of tasks: sums of floating numbers depend on it.
        """
        for name in (it.name for it in fields(self) if it.name not in ("sums", "image")):
            setattr(self, name, getattr(self, name) + getattr(other, name))
        if other.image.size > self.image.size:
            self.image = self.image + other.image
        elif other.image.any():
            self.image += other.image
        for pulse, (total, counted) in other.sums.items():
            known = self.sums.get(pulse, (0.0, 0))
            self.sums[pulse] = known[0] + total, known[1] + counted

    def add_image(self, signal: NDArray[np.float32]) -> None:
        """
        Add a frame to the mean image.

        Parameters
        ----------
        signal : ndarray of float32 of shape (pixels,)
            NaN counts as no value.
        """
        is_value = np.isfinite(signal)
        if self.image.shape[1] != signal.size:
            self.image = np.zeros((2, signal.size))
        np.add(self.image[0], signal, out=self.image[0], where=is_value)
        self.image[1] += is_value

    def mean_image(self) -> NDArray[np.float64]:
        """Mean signal of each pixel, flat; NaN where there was none."""
        with np.errstate(invalid="ignore", divide="ignore"):
            return np.asarray(np.where(self.image[1] > 0, self.image[0] / self.image[1], np.nan))

    def share(self, stage: int) -> float:
        """Share of the pixels that were in a gain stage, in percent."""
        return 100.0 * int(self.stages[stage]) / max(1, self.pixels)

    def means(self) -> dict[int, float]:
        """Mean signal of each pulse over frames and valid pixels; NaN where none is valid."""
        return {
            pulse: total / counted if counted else float("nan")
            for pulse, (total, counted) in sorted(self.sums.items())
        }


def histogram_centres(unit: Unit) -> NDArray[np.float64]:
    """
    Return the centres of the histogram's bins.

    Parameters
    ----------
    unit : str
        Of the signal.

    Returns
    -------
    ndarray of shape (bins,)
        In that unit.
    """
    low, width = EDGES[unit]
    return np.asarray(low + width * (np.arange(BINS) + 0.5), np.float64)
