"""Patterns of neighbouring frames, as they travel from where they are made to the map."""

import math
from dataclasses import dataclass
from enum import IntEnum
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from processing.science.diffraction.integrator import Pattern, Reduction

RANGE_BYTES = 2**23  # of results in one range
MAX_FRAMES = 128
LANES = 8  # frames that are summed up side by side

Curves: TypeAlias = NDArray[np.float32]


class State(IntEnum):
    """What became of a frame."""

    VALID = 0
    EMPTY = 1  # no valid pixel above 0, or never written
    NO_BEAM = 2  # its monitor is not above 0
    UNREADABLE = 3


@dataclass
class Patterns:
    """
    Patterns of neighbouring frames.

    Attributes
    ----------
    intensity : ndarray of float32 of shape (n_frames, bins)
        In photons per pixel at normal incidence and reference monitor; NaN where no pixel
        lies, and everywhere in a frame that is not valid.
    sigma : ndarray of float32 of shape (n_frames, bins) or None
        Standard error of ``intensity``; None without an error model.
    states : ndarray of uint8 of shape (n_frames,)
        What became of each frame, as in ``State``.
    cake : ndarray of float32 of shape (n_frames, azimuth_bins, bins) or None
        Like ``intensity`` for each sector; None if it is not asked for.
    """

    intensity: Curves
    sigma: Curves | None
    states: NDArray[np.uint8]
    cake: Curves | None = None

    def __len__(self) -> int:
        return len(self.states)

    def put(self, place: int, pattern: Pattern) -> None:
        """Lay the pattern of one frame at its place; without any bin it counts as empty."""
        self.states[place] = State.VALID if pattern.is_valid else State.EMPTY
        self.intensity[place] = pattern.intensity
        if self.sigma is not None:
            self.sigma[place] = pattern.sigma
        if self.cake is not None:
            self.cake[place] = pattern.cake


def make_room(n_frames: int, choices: Reduction) -> Patterns:
    """Make room for the patterns of some frames, all of them empty."""

    def blank(*shape: int) -> Curves:
        return np.full((n_frames, *shape), np.nan, np.float32)

    sectors = choices.azimuth_bins
    return Patterns(
        blank(choices.bins),
        blank(choices.bins) if choices.has_errors else None,
        np.full(n_frames, State.EMPTY, np.uint8),
        None if sectors is None else blank(sectors, choices.bins),
    )


def frames_per_range(choices: Reduction, frames_per_chunk: int) -> int:
    """
    Choose how many frames are integrated as one item.

    Parameters
    ----------
    choices : Reduction
        Says how large the result of a frame is.
    frames_per_chunk : int
        Frames that are decompressed together: no chunk should be decompressed for two ranges.

    Returns
    -------
    int
        A multiple of 8, and of ``frames_per_chunk`` where that is not too many.
    """
    curves = (2 if choices.has_errors else 1) + (choices.azimuth_bins or 0)
    frames = min(MAX_FRAMES, RANGE_BYTES // (4 * choices.bins * curves))
    together = math.lcm(LANES, frames_per_chunk)
    step = together if together <= 2 * MAX_FRAMES else LANES
    return max(1, frames // step) * step
