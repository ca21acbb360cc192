"""
Dark constants of some memory cells of a module: one pass over three runs.

Sums are integers, so what is summed in parts adds up to the same bits; a median needs its
samples together, at most 512 trains of them, so work is shared out by module and cells.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from processing.science.calibration.bad_pixels import ASICS, BadPixel, Limits, find_outliers
from processing.science.calibration.constants_file import STAGES, DarkConstants
from processing.science.euxfel.detectors import GAIN_BIT, PIXELS, PLANES, Detector
from processing.science.euxfel.modules import ModuleFrames, Words

Statistic = Literal["median", "mean"]
Plane = NDArray[np.float32]

SAMPLE_TRAINS = 512  # whose median is as good as that of all: its error is 0.06 of the noise
SAMPLE_BYTES = 2**28  # samples of the cells that one task has in hand
GAIN_CODES = (0, 1, 3)  # JUNGFRAU's G0, G1, G2


@dataclass(frozen=True)
class DarkChoices:
    """
    What a person decides.

    Attributes
    ----------
    offset : str
        "median" of up to 512 evenly spaced trains, or "mean" of all.
    limits : Limits
        Of bad pixels.
    min_trains : int
        With fewer a pixel has no constant.
    gain_codes : tuple of int
        What JUNGFRAU writes in its three gains.
    """

    offset: Statistic = "median"
    limits: Limits = field(default_factory=Limits)
    min_trains: int = 20
    gain_codes: tuple[int, int, int] = GAIN_CODES


@dataclass
class Moments:
    """
    Exact sums of any number of frames; those of two halves add up to those of the whole.

    Attributes
    ----------
    counts, sums, squares : ndarray of shape (n_pixels,)
        n as uint32, Σx and Σx² as uint64, of the pixels that were in the right gain.
    """

    counts: NDArray[np.uint32]
    sums: NDArray[np.uint64]
    squares: NDArray[np.uint64]

    @classmethod
    def of_nothing(cls, pixels: int) -> "Moments":
        return cls(
            np.zeros(pixels, np.uint32), np.zeros(pixels, np.uint64), np.zeros(pixels, np.uint64)
        )

    def __add__(self, other: "Moments") -> "Moments":
        return Moments(
            self.counts + other.counts, self.sums + other.sums, self.squares + other.squares
        )

    def take(self, frames: Words, flip: int = 0, limit: int = 2**16) -> None:
        """Add frames of shape (n, n_pixels), in place; see ``kernels.dark_sums``."""
        from processing.science.kernels.dark_sums import (  # noqa: PLC0415 - half a second to import
            add_frames,
        )

        add_frames(frames, flip, limit, self.counts, self.sums, self.squares)

    def mean(self) -> NDArray[np.float64]:
        """Return Σx / n, NaN where n is 0."""
        with np.errstate(invalid="ignore", divide="ignore"):
            mean: NDArray[np.float64] = self.sums / self.counts
        return mean

    def deviation(self) -> NDArray[np.float64]:
        """
        Return the standard deviation with ddof 0, NaN where n is 0.

        σ² = Σ(x - m)² / n - (Σ(x - m) / n)² for m = Σx // n. Both sums follow from those of
        x in integers, modulo 2⁶⁴: they are exact for any n below 2³², and small, so
        that nothing cancels when they are divided.
        """
        n = self.counts.astype(np.uint64)
        centre = self.sums // np.maximum(n, 1)
        rest = self.sums - n * centre
        squares = self.squares - 2 * centre * self.sums + n * centre * centre
        with np.errstate(invalid="ignore", divide="ignore"):
            variance: NDArray[np.float64] = squares / n - (rest / n) ** 2
        return np.sqrt(variance)


@dataclass(frozen=True)
class Stage:
    """Constants of one gain, each of shape (cells, y, x): float32 in ADU, counts uint32."""

    offset: Plane
    noise: Plane
    counts: NDArray[np.uint32]
    level: Plane | None


def cells_at_once(module: ModuleFrames) -> int:
    """Return of how many memory cells a task may hold the samples."""
    trains = min(SAMPLE_TRAINS, module.n_trains)
    return max(1, SAMPLE_BYTES // (trains * module.frame_bytes))


def characterise(
    runs: Sequence[ModuleFrames],
    places: slice,
    choices: DarkChoices,
    conditions: Mapping[str, float | str] | None = None,
) -> DarkConstants:
    """
    Make the dark constants of some cells of a module.

    Parameters
    ----------
    runs : sequence of ModuleFrames
        High, medium and low gain, of the same module and cells.
    places : slice
        Of their cells, with a beginning and an end.
    choices : DarkChoices
        Statistics and limits.
    conditions : mapping, optional
        Handed on.

    Returns
    -------
    DarkConstants
        Of these cells. A pixel that was in its gain in fewer than ``min_trains`` trains
        is NaN and has the bits 3 and 21.

    Raises
    ------
    UnreadableFileError
        If a file is damaged.
    """
    kind = runs[0].kind
    flips = _flips(kind, choices)
    stages = [_stage(run, places, flip, choices) for run, flip in zip(runs, flips, strict=True)]
    levels = [stage.level for stage in stages if stage.level is not None]
    thresholds = None
    if levels:
        # In float64, so that the middle of two close levels is not rounded to one of them.
        stacked = np.asarray(levels, np.float64)
        thresholds = ((stacked[:-1] + stacked[1:]) / 2).astype(np.float32)
    bad = np.stack([_flag(kind, stage, choices) for stage in stages])
    if thresholds is not None:
        is_wrong = ~(thresholds[1] > thresholds[0])
        bad |= np.where(is_wrong, np.uint32(BadPixel.GAIN_THRESHOLDING_ERROR), np.uint32(0))
    return DarkConstants(
        kind,
        runs[0].name,
        np.stack([stage.offset for stage in stages]),
        np.stack([stage.noise for stage in stages]),
        bad,
        np.stack(levels) if levels else None,
        thresholds,
        dict(conditions or {}),
    )


def _flips(kind: Detector, choices: DarkChoices) -> list[int]:
    if kind == "AGIPD":
        return [0] * STAGES
    return [code << GAIN_BIT for code in choices.gain_codes]


def limit_of(kind: Detector) -> int:
    """Return the first number that is no signal: AGIPD fills 16 bits, JUNGFRAU 14."""
    return 2**16 if kind == "AGIPD" else 2**GAIN_BIT


def _stage(run: ModuleFrames, places: slice, flip: int, choices: DarkChoices) -> Stage:
    """Read one run once: sums of all trains, samples of some."""
    wide, planes = places.stop - places.start, PLANES[run.kind]
    shape = (wide, planes, *PIXELS[run.kind])
    moments = Moments.of_nothing(int(np.prod(shape)))
    chosen = _spread(run.n_trains) if choices.offset == "median" else np.empty(0, np.int64)
    samples = np.empty((len(chosen), wide, *PIXELS[run.kind]), np.uint16)
    for first, block in run.blocks(places):
        moments.take(block.reshape(len(block), -1), flip, limit_of(run.kind))
        low, high = np.searchsorted(chosen, [first, first + len(block)])
        for place in range(low, high):
            samples[place] = block[chosen[place] - first, :, 0]
    mean = moments.mean().reshape(shape)
    counts = moments.counts.reshape(shape)[:, 0]
    offset = mean[:, 0]
    if choices.offset == "median":
        offset = _medians(samples, flip, limit_of(run.kind))
    noise = moments.deviation().reshape(shape)[:, 0]
    lacks = counts < choices.min_trains
    return Stage(
        np.where(lacks, np.nan, offset).astype(np.float32),
        np.where(lacks, np.nan, noise).astype(np.float32),
        counts,
        mean[:, 1].astype(np.float32) if planes > 1 else None,
    )


def _spread(trains: int) -> NDArray[np.int64]:
    """Choose trains evenly: drifts of a long run count in full."""
    return np.unique(np.linspace(0, trains - 1, min(SAMPLE_TRAINS, trains)).round().astype(int))


def _medians(samples: Words, flip: int, limit: int) -> Plane:
    from processing.science.kernels.medians import (  # noqa: PLC0415 - half a second to import
        ROOM,
        TILE,
        find_medians,
    )

    n, *shape = samples.shape
    medians = np.empty(int(np.prod(shape)), np.float32)
    tile, room = np.empty((n, TILE), np.uint16), np.empty((ROOM, TILE), np.uint16)
    find_medians(samples.reshape(n, -1), flip, limit, tile, room, medians)
    return medians.reshape(shape)


def _flag(kind: Detector, stage: Stage, choices: DarkChoices) -> NDArray[np.uint32]:
    """Set the bits of one gain: of each cell by itself, and each ASIC."""
    bad = np.zeros(stage.offset.shape, np.uint32)

    def mark(cell: int, where: NDArray[np.bool_], bit: BadPixel) -> None:
        bad[cell][where] |= np.uint32(bit)

    judged = [
        (stage.offset, choices.limits.offset, BadPixel.OFFSET_OUT_OF_THRESHOLD),
        (stage.noise, choices.limits.noise, BadPixel.NOISE_OUT_OF_THRESHOLD),
    ]
    if stage.level is not None:
        judged.append((stage.level, choices.limits.level, BadPixel.CI_GAIN_OUT_OF_THRESHOLD))
    for cell in range(len(bad)):
        for values, limits, bit in judged:
            mark(cell, find_outliers(values[cell], ASICS[kind], limits), bit)
        offset, noise, counts = stage.offset[cell], stage.noise[cell], stage.counts[cell]
        mark(cell, ~np.isfinite(offset) | ~np.isfinite(noise), BadPixel.OFFSET_NOISE_EVAL_ERROR)
        mark(cell, counts < choices.min_trains, BadPixel.NO_DARK_DATA)
        mark(cell, noise == 0, BadPixel.DATA_STD_IS_ZERO)
        is_full = (offset <= 0) | (offset >= limit_of(kind) - 1)
        mark(cell, is_full, BadPixel.VALUE_OUT_OF_RANGE)
        mark(cell, 2 * counts < counts.max(), BadPixel.WRONG_GAIN_VALUE)
    return bad


def warm_up_kernels() -> None:
    """Compile sums and medians, which are kept for all processes after this one."""
    frames = np.ones((5, 4), np.uint16)
    Moments.of_nothing(4).take(frames)
    _medians(frames.reshape(5, 1, 2, 2), 0, 2**16)
