"""
Correct the frames of detector modules: task by task, each of a size that fits into memory.

A task is a range of memory cells in a range of frames of one raw file. It reads its frames and
the constants of its cells and corrects; what is counted and compressed of it stands in
``packing``. How frames are shared among tasks depends on the file alone,
so that any number of workers gives the same bytes.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from functools import lru_cache
from itertools import pairwise
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

from processing.science.calibration.planes import Planes, Scaling, read_planes
from processing.science.calibration.raw_module import RawModule, Source, read_frames
from processing.science.euxfel.detectors import PIXELS, Detector
from processing.science.scratch import Scratch

TASK_BYTES = 2**26  # of corrected signals
PLANES_BYTES = 2**28  # of constants
ASICS: dict[Detector, tuple[int, int]] = {"AGIPD": (64, 64), "JUNGFRAU": (256, 256)}
_BYTES_OF_CELL = {"AGIPD": 44, "JUNGFRAU": 48}  # per pixel

Each = Callable[[Callable[[Any], Any], Iterable[Any]], Iterable[Any]]  # map, or that of a pool

_scratch = Scratch()  # of frames, as they are read and corrected


@dataclass(frozen=True)
class CommonMode:
    """
    Of which pixels the common mode of an ASIC is the mean.

    Attributes
    ----------
    fraction : float
        Of the pixels of an ASIC that must be dark.
    low, high : float
        What is dark, in ADU.
    iterations : int
        How often the mean is subtracted.
    """

    fraction: float = 0.66
    low: float = -50.0
    high: float = 30.0
    iterations: int = 4


@dataclass(frozen=True)
class Correction:
    """
    What is done to every frame.

    Attributes
    ----------
    scaling : Scaling
        Unit and gains.
    common_mode : CommonMode or None
        None leaves it.
    quantise : float or None
        Step of the stored whole numbers, in the unit; None stores float32.
    """

    scaling: Scaling = field(default_factory=Scaling)
    common_mode: CommonMode | None = None
    quantise: float | None = None


@dataclass(frozen=True)
class Task:
    """Some memory cells in some frames of one raw file."""

    source: Source
    constants: Path
    gains: Path | None
    correction: Correction
    cells: tuple[int, int]
    frames: NDArray[np.int64]
    cell_ids: NDArray[np.uint16]
    pulse_ids: NDArray[np.uint64]

    def __repr__(self) -> str:
        return f"cells {self.cells[0]} to {self.cells[1] - 1} of {self.source.path.name}"


@dataclass(frozen=True)
class Corrected:
    """Signals, gain stages and mask of some frames, each of shape (frames, pixels)."""

    signal: NDArray[np.float32]
    gain: NDArray[np.uint8]
    mask: NDArray[np.uint32]

    @classmethod
    def room(cls, frames: int, pixels: int, scratch: Scratch | None = None) -> "Corrected":
        """Take memory to be written to: that of a scratch, or fresh."""
        take = (scratch or Scratch()).take
        kinds = {"signal": np.float32, "gain": np.uint8, "mask": np.uint32}
        return cls(*(take(name, (frames, pixels), kind) for name, kind in kinds.items()))


def plan(
    raw: RawModule,
    constants: Path,
    gains: Path | None,
    correction: Correction,
    frames: slice = slice(None),
) -> Iterator[Task]:
    """
    Share the frames of a raw file among tasks.

    Parameters
    ----------
    raw : RawModule
        The file.
    constants : Path
        Dark constants of its module.
    gains : Path, optional
        Gains of its module.
    correction : Correction
        What is done.
    frames : slice, optional
        Of the frames of the file; by default all.

    Yields
    ------
    Task
        All with the same cells follow each other, so that constants are read once.
    """
    pixels = int(np.prod(raw.source.shape))
    most = max(1, PLANES_BYTES // (_BYTES_OF_CELL[raw.source.detector] * pixels))
    size = max(1, TASK_BYTES // (4 * pixels))
    last = int(raw.cell_ids.max(initial=0)) + 1
    for first in range(0, last, most):
        cells = first, min(first + most, last)
        chosen = np.arange(raw.n_frames)[frames]
        chosen = chosen[(raw.cell_ids[chosen] >= cells[0]) & (raw.cell_ids[chosen] < cells[1])]
        for start in range(0, len(chosen), size):
            part = chosen[start : start + size]
            numbers = part, raw.cell_ids[part], raw.pulse_ids[part]
            yield Task(raw.source, constants, gains, correction, cells, *numbers)


def correct_arrays(task: Task, each: Each = map) -> Corrected:
    """
    Read and correct the frames of a task.

    Parameters
    ----------
    task : Task
        What to do.
    each : callable, optional
        The map of a pool of threads.

    Returns
    -------
    Corrected
        In the order of the task's frames; overwritten by the next task of this thread.

    Raises
    ------
    DataError
        If frames or constants cannot be read.
    """
    source, scaling = task.source, task.correction.scaling
    planes = _planes(task.constants, task.gains, task.cells, scaling, source.module)
    with h5py.File(source.path, "r", locking=False) as file:
        values, codes = read_frames(file, source, task.frames, _scratch)
    cells = task.cell_ids.astype(np.int64) - task.cells[0]
    room = Corrected.room(len(cells), values.shape[-1], _scratch)
    if source.detector == "AGIPD":
        done = correct_agipd(values, cells, planes, each, room)
    else:
        done = correct_jungfrau(values, codes, cells, planes, each, room)
    finish(done, cells, planes, source.detector, task.correction, each)
    return done


def correct_agipd(
    raw: NDArray[np.uint16],
    cells: NDArray[np.int64],
    planes: Planes,
    each: Each = map,
    room: Corrected | None = None,
) -> Corrected:
    """
    Choose stages, subtract offsets and apply gains.

    Parameters
    ----------
    raw : ndarray of uint16 of shape (frames, 2, pixels)
        Analog signal and gain level, in ADU; a multiple of 8 pixels.
    cells : ndarray of int64 of shape (frames,)
        Which of the cells of ``planes`` each frame belongs to.
    planes : Planes
        Constants by stage.
    each : callable, optional
        The map of a pool of threads, which take a range of pixels each.
    room : Corrected, optional
        Memory to write to, for as many frames; by default fresh.

    Returns
    -------
    Corrected
        Signals are NaN wherever the mask is not 0.
    """
    from processing.science.kernels.agipd import (  # noqa: PLC0415 - numba is slow to import
        PLACES,
        correct_frames,
    )

    if planes.thresholds is None:
        raise ValueError("AGIPD needs thresholds.")
    done = room or Corrected.room(len(raw), raw.shape[2])
    eights = done.gain.view(np.uint64)
    thresholds = planes.thresholds

    def correct(span: tuple[int, int]) -> None:
        places = np.empty(PLACES, np.uint32)
        for cell, rows in _rows_by_cell(cells):
            correct_frames(
                raw, rows, *span, planes.offset[cell], planes.scale[cell], thresholds[cell],
                planes.bits[cell], done.signal, done.gain, eights, done.mask, places,
            )  # fmt: skip

    list(each(correct, _spans(raw.shape[2], each)))
    return done


def correct_jungfrau(
    words: NDArray[np.uint16],
    codes: NDArray[np.uint8] | None,
    cells: NDArray[np.int64],
    planes: Planes,
    each: Each = map,
    room: Corrected | None = None,
) -> Corrected:
    """
    Subtract the pedestal of each pixel's gain and divide by that gain.

    Parameters
    ----------
    words : ndarray of uint16 of shape (frames, pixels)
        Values of the ADC, with or without gain codes; a multiple of 4 pixels. Codes that
        stand apart are put in.
    codes : ndarray of uint8 of shape (frames, pixels), optional
        0, 1 or 3, where they stand apart.
    cells : ndarray of int64 of shape (frames,)
        Which of the cells of ``planes`` each frame belongs to.
    planes : Planes
        Constants by gain code.
    each : callable, optional
        The map of a pool of threads, which take a range of pixels each.
    room : Corrected, optional
        Memory to write to, for as many frames; by default fresh.

    Returns
    -------
    Corrected
        Signals are NaN wherever the mask is not 0.
    """
    from processing.science.kernels.jungfrau import (  # noqa: PLC0415 - numba is slow to import
        PLACES,
        correct_words,
        pack_codes,
    )

    done = room or Corrected.room(*words.shape)
    quads = words.view(np.uint64)

    def correct(span: tuple[int, int]) -> None:
        if codes is not None:
            pack_codes(words, codes, *span)
        places = np.empty(PLACES, np.uint32)
        for cell, rows in _rows_by_cell(cells):
            correct_words(
                words, quads, rows, *span, planes.offset[cell], planes.scale[cell],
                planes.bits[cell], done.signal, done.gain, done.mask, places,
            )  # fmt: skip

    list(each(correct, _spans(words.shape[1], each)))
    return done


def finish(
    done: Corrected,
    cells: NDArray[np.int64],
    planes: Planes,
    detector: Detector,
    correction: Correction,
    each: Each = map,
) -> None:
    """
    Subtract the common mode and round photons, in place.

    Parameters
    ----------
    done : Corrected
        Frames.
    cells : ndarray of int64 of shape (frames,)
        Which of the cells of ``planes`` each frame belongs to.
    planes : Planes
        Their constants.
    detector : str
        Whose ASICs.
    correction : Correction
        What is wanted.
    each : callable, optional
        The map of a pool of threads, which take frames.
    """
    from processing.science.kernels.signals import subtract_common_mode  # noqa: PLC0415 - as above

    wanted, shape, height = correction.common_mode, ASICS[detector], PIXELS[detector][0]

    def finish_frame(row: int) -> None:
        if wanted is not None:
            images = (done.signal[row], done.gain[row], planes.scale[cells[row], 0])
            parts = [_asics(image.reshape(height, -1), shape) for image in images]
            for signal, gain, scale in zip(*parts, strict=True):
                subtract_common_mode(
                    signal, gain, scale, wanted.low, wanted.high, wanted.fraction, wanted.iterations
                )
        if correction.scaling.unit == "photon":
            np.rint(done.signal[row], out=done.signal[row])

    if wanted is not None or correction.scaling.unit == "photon":
        list(each(finish_frame, range(len(cells))))


@lru_cache(maxsize=1)
def _planes(
    constants: Path, gains: Path | None, cells: tuple[int, int], scaling: Scaling, module: str
) -> Planes:
    """Keep the constants of the last task: the next one mostly has the same cells."""
    return read_planes(constants, gains, cells, scaling, module)


def _rows_by_cell(cells: NDArray[np.int64]) -> Iterator[tuple[int, NDArray[np.int64]]]:
    for cell in np.unique(cells):
        yield int(cell), np.flatnonzero(cells == cell)


def _spans(pixels: int, each: Each) -> list[tuple[int, int]]:
    """Cut pixels into ranges for threads; their number does not change any result."""
    parts = 1 if each is map else 8
    edges = [pixels * part // parts // 8 * 8 for part in range(parts)] + [pixels]
    return list(pairwise(edges))


def _asics(image: NDArray[Any], shape: tuple[int, int]) -> Iterator[NDArray[Any]]:
    for y in range(0, image.shape[0], shape[0]):
        for x in range(0, image.shape[1], shape[1]):
            yield image[y : y + shape[0], x : x + shape[1]]
