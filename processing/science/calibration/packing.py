"""
Correct the frames of a task, count and compress them: what travels to whoever writes.

Compressed chunks come back, not arrays: the one process that writes a file only places them.
"""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from processing.science.calibration.correcting import Corrected, Each, Task, correct_arrays
from processing.science.calibration.tally import EDGES, SAMPLED, Tally
from processing.science.compressing import compress


@dataclass(frozen=True)
class Packed:
    """Compressed chunks of some frames, and what was counted."""

    frames: NDArray[np.int64]
    signal: list[bytes]
    gain: list[bytes]
    mask: list[bytes]
    tally: Tally


def correct_task(task: Task, each: Each = map) -> Packed:
    """
    Read, correct, count and compress the frames of a task.

    Parameters
    ----------
    task : Task
        What to do; it may travel to another process.
    each : callable, optional
        The map of a pool of threads; kernels and compression hold no lock.

    Returns
    -------
    Packed
        In the order of the task's frames.

    Raises
    ------
    DataError
        If frames or constants cannot be read.
    """
    return _pack(correct_arrays(task, each), task, each)


def count(done: Corrected, task: Task, each: Each = map) -> Tally:
    """
    Count stages, masked pixels and signals of the frames of a task.

    Parameters
    ----------
    done : Corrected
        The frames.
    task : Task
        Whose they are.
    each : callable, optional
        The map of a pool of threads, which take frames.

    Returns
    -------
    Tally
        The same for any number of threads.
    """
    total = Tally()
    for tally in each(lambda place: _count_frame(done, task, place), range(len(task.frames))):
        total.add(tally)
    return total


def _count_frame(done: Corrected, task: Task, place: int) -> Tally:
    from processing.science.kernels import signals  # noqa: PLC0415 - numba is slow to import

    signal, gain, mask = done.signal[place], done.gain[place], done.mask[place]
    tally = Tally(frames=1, pixels=signal.size)
    tally.masked = signals.count_stages_and_bits(gain, mask, tally.stages, tally.bits)
    sums = np.empty(signals.LANES)
    counted = signals.sum_signal(signal, sums)
    tally.sums[int(task.pulse_ids[place])] = math.fsum(sums), counted
    if int(task.frames[place]) // task.source.frames_per_train % SAMPLED == 0:
        tally.add_image(signal)
        low, width = EDGES[task.correction.scaling.unit]
        signals.count_signals(signal, gain, low, width, tally.histogram)
    return tally


def _pack(done: Corrected, task: Task, each: Each) -> Packed:
    """Compress frame by frame; a mask like the last one of its cell is compressed once."""
    from processing.science.kernels.signals import is_same, quantise  # noqa: PLC0415 - numba is slow to import

    step, shape = task.correction.quantise, task.source.chunk
    known: dict[tuple[str, int], tuple[NDArray[Any], bytes]] = {}

    def repeat(name: str, cell: int, values: NDArray[Any]) -> bytes:
        before = known.get((name, cell))
        if before is None or not is_same(before[0], values):
            before = known[name, cell] = values, compress(values.reshape(shape))
        return before[1]

    def pack(place: int) -> tuple[bytes, bytes, bytes, int]:
        stored: NDArray[Any] = done.signal[place]
        cell, clipped = int(task.cell_ids[place]), 0
        if step is not None:
            steps = np.empty(stored.size, np.int16)
            clipped, stored = quantise(stored, step, steps), steps
        packed = compress(stored.reshape(shape))
        marks = [repeat(name, cell, getattr(done, name)[place]) for name in ("gain", "mask")]
        return packed, marks[0], marks[1], clipped

    tally = count(done, task, each)
    chunks: tuple[list[bytes], list[bytes], list[bytes]] = ([], [], [])
    for *packed, clipped in each(pack, range(len(task.frames))):
        tally.clipped += clipped
        for column, chunk in zip(chunks, packed, strict=True):
            column.append(chunk)
    return Packed(task.frames, *chunks, tally)
