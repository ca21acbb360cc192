"""
Three ways to integrate a scan, with one result.

``fused`` decodes compressed chunks straight into the sums, ``block`` sums up decoded frames,
``general`` is pyFAI itself, frame by frame. The choice follows from inputs, parameters and
environment alone, never from load or cores: who runs again gets the same way.
"""

from dataclasses import dataclass
from typing import Literal

from processing.science.diffraction.integrator import Corrections, Reduction

TierName = Literal["fused", "block", "general"]

MIN_FRAMES = 64  # for fewer, preparing costs more than it saves


@dataclass(frozen=True)
class Tier:
    """The way that was chosen, and why, as the end of a sentence."""

    name: TierName
    reason: str


def find_need_of_pyfai(choices: Reduction, corrections: Corrections, n_frames: int) -> str:
    """
    Say what of a scan only pyFAI itself can do.

    Parameters
    ----------
    choices : Reduction
        What to do to every frame.
    corrections : Corrections
        Dark and flat of the detector.
    n_frames : int
        Frames of the scan.

    Returns
    -------
    str
        The reason, as the end of a sentence; empty if there is none.
    """
    needs = {
        "it is asked for": choices.by_pyfai,
        "pixels are clipped": choices.clip is not None,
        "errors come from the spread within rings": choices.error_model == "azimuthal",
        "cakes are asked for": choices.azimuth_bins is not None,
        "a dark or a flat is given": not corrections.are_none,
        f"there are fewer than {MIN_FRAMES} frames": n_frames < MIN_FRAMES,
    }
    return next((reason for reason, is_needed in needs.items() if is_needed), "")


def choose_tier(need: str, *, has_matrix: bool, has_chunks: bool) -> Tier:
    """
    Choose how to integrate a scan.

    Parameters
    ----------
    need : str
        Why only pyFAI will do; empty if others may.
    has_matrix : bool
        Whether there are few enough bins for their sums to stay in the cache.
    has_chunks : bool
        Whether each frame is one chunk that we decode ourselves.

    Returns
    -------
    Tier
        The fastest one that gives pyFAI's result.
    """
    if need:
        return Tier("general", need)
    if not has_matrix:
        return Tier("general", "there are too many bins for sums that stay in the cache")
    if has_chunks:
        return Tier("fused", "each frame is one chunk of bitshuffle and LZ4")
    return Tier("block", "frames are not stored as one chunk of bitshuffle and LZ4 each")
