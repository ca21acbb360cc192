"""Sum compressed frames into bins, without ever decoding one into memory."""

from collections.abc import Sequence
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from processing.science.diffraction.chunks import ChunkedFrames, ChunkReader
from processing.science.diffraction.matrix import TiledMatrix
from processing.science.diffraction.sums import Sums, SumState

Numbers: TypeAlias = Sequence[int] | NDArray[np.integer[Any]]

_STATES = (SumState.OK, SumState.UNREADABLE, SumState.MARKED, SumState.EMPTY)  # of the kernel


def reduce_chunks(frames: ChunkedFrames, numbers: Numbers, matrix: TiledMatrix) -> Sums:
    """
    Sum some frames of a scan, eight at a time.

    Threads may call it side by side: it holds the interpreter only between groups. What a
    frame gives does not depend on its neighbours.

    Parameters
    ----------
    frames : ChunkedFrames
        Where they lie.
    numbers : sequence of int
        Which to sum.
    matrix : TiledMatrix
        Of the geometry.

    Returns
    -------
    Sums
        In the order of ``numbers``; UNREADABLE are frames whose bytes are not what the
        filter writes, which HDF5 may still read.
    """
    # Compiled code takes half a second to import.
    from processing.science.kernels.fused import reduce_eight  # noqa: PLC0415 - as said
    from processing.science.kernels.lanes import LANES  # noqa: PLC0415 - as said

    bins = len(matrix.normalisation)
    whole = -(-len(numbers) // LANES) * LANES
    signal, variance = np.empty((whole, bins)), np.empty((whole, bins))
    state = np.empty(whole, np.uint8)
    work = _Work(frames, matrix)
    with frames.opened() as reader:
        for first in range(0, len(numbers), LANES):
            group = slice(first, first + LANES)
            missing = work.read(reader, numbers[group])
            reduce_eight(*work.arguments)
            signal[group], variance[group] = work.signal.T, work.variance.T
            state[group] = np.where(missing, SumState.MISSING, np.take(_STATES, work.states))
    n = len(numbers)
    return Sums(signal[:n], variance[:n], state[:n])


class _Work:
    """What one thread needs for eight frames, and uses for all."""

    def __init__(self, frames: ChunkedFrames, matrix: TiledMatrix) -> None:
        from processing.science.kernels.fused import TILE  # noqa: PLC0415 - as above
        from processing.science.kernels.lanes import LANES  # noqa: PLC0415 - as above
        from processing.science.kernels.lz4 import SLACK  # noqa: PLC0415 - as above

        octets = frames.block // 8
        bins = len(matrix.normalisation)
        self.signal, self.variance = np.empty((bins, LANES)), np.empty((bins, LANES))
        self.states = np.empty(LANES, np.uint8)
        self._sizes = np.empty(LANES, np.int64)
        self._chunks = np.empty((LANES, int(frames.sizes.max(initial=1))), np.uint8)
        scratch = (
            np.zeros((LANES, frames.block * frames.itemsize + SLACK), np.uint8),
            np.empty(LANES * octets, np.uint64),
            np.zeros(octets, np.uint8),
            np.zeros((TILE, LANES), np.float32),
        )
        self.arguments: tuple[Any, ...] = (
            self._chunks,
            self._sizes,
            (frames.n_pixels, frames.itemsize, frames.is_signed, frames.block, matrix.ignored),
            elements_of(matrix),
            scratch,
            self.signal,
            self.variance,
            self.states,
        )

    def read(self, reader: ChunkReader, numbers: Numbers) -> NDArray[np.bool_]:
        """Read up to eight chunks; return which of them were never written."""
        self._sizes[:] = 0
        for lane, number in enumerate(numbers):
            self._sizes[lane] = reader.read(int(number), self._chunks[lane])
        missing = self._sizes < 0
        self._sizes[missing] = 0
        return missing


def elements_of(matrix: TiledMatrix) -> tuple[NDArray[Any], ...]:
    """Return the arrays of a matrix in the order in which kernels take them."""
    return (
        matrix.limits, matrix.starts, matrix.bins, matrix.places, matrix.weights, matrix.squares
    )  # fmt: skip
