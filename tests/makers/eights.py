"""Eight frames as the kernels take them, with a matrix in which each pixel is its own bin."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from processing.science.diffraction.sums import SumState
from processing.science.kernels.fused import TILE, reduce_eight
from processing.science.kernels.lanes import LANES
from processing.science.kernels.lz4 import SLACK

Arrays = tuple[NDArray[Any], ...]


@dataclass(frozen=True)
class Shape:
    """Pixels of a frame, their type, and pixels of a block."""

    pixels: int
    dtype: str
    block: int

    @property
    def kind(self) -> "np.dtype[Any]":
        return np.dtype(self.dtype)


def identity(pixels: int) -> Arrays:
    """Return a matrix by which bin k is pixel k."""
    numbers = np.arange(pixels)
    tiles = -(-pixels // TILE)
    return (
        np.minimum(np.arange(tiles + 1) * TILE, pixels),
        np.arange(pixels + 1, dtype=np.int32),
        numbers.astype(np.int32),
        (numbers % TILE).astype(np.uint16),
        np.ones(pixels, np.float32),
        np.ones(pixels, np.float32),
    )


class Eight:
    """What ``reduce_eight`` needs for chunks of one shape, and what came of the last eight."""

    def __init__(
        self, shape: Shape, matrix: Arrays | None = None, ignored: NDArray[np.bool_] | None = None
    ) -> None:
        self.shape = shape
        self.matrix = identity(shape.pixels) if matrix is None else matrix
        is_ignored = np.zeros(shape.pixels, bool) if ignored is None else ignored
        bins = shape.pixels if matrix is None else int(matrix[2].max()) + 1
        octets = shape.block // 8
        self.ignored = np.packbits(is_ignored, bitorder="little")
        self.scratch: Arrays = (
            np.zeros((LANES, shape.block * shape.kind.itemsize + SLACK), np.uint8),
            np.zeros(LANES * octets, np.uint64),
            np.zeros(octets, np.uint8),
            np.zeros((TILE, LANES), np.float32),
        )
        self.signal, self.variance = np.empty((bins, LANES)), np.empty((bins, LANES))
        self.states = np.empty(LANES, np.uint8)
        self.sizes = np.zeros(LANES, np.int64)

    def reduce(self, chunks: NDArray[np.uint8]) -> None:
        """Sum the chunks that lie in rows, of which ``sizes`` tells how long they are."""
        shape = self.shape
        layout = (
            shape.pixels,
            shape.kind.itemsize,
            shape.kind.kind == "i",
            shape.block,
            self.ignored,
        )
        reduce_eight(
            chunks, self.sizes, layout, self.matrix, self.scratch,
            self.signal, self.variance, self.states,
        )  # fmt: skip

    def put(self, bodies: list[bytes]) -> NDArray[np.uint8]:
        """Lay up to eight chunks into rows; the others are empty."""
        rows = np.zeros((LANES, max(map(len, bodies), default=1)), np.uint8)
        self.sizes[:] = 0
        for row, body in enumerate(bodies):
            rows[row, : len(body)] = np.frombuffer(body, np.uint8)
            self.sizes[row] = len(body)
        return rows


def expect(
    frame: NDArray[Any] | None, ignored: NDArray[np.bool_] | None = None
) -> tuple[SumState, NDArray[np.float64] | None]:
    """Say what becomes of a frame, and the counts of its pixels if it can be summed."""
    if frame is None:
        return SumState.UNREADABLE, None
    is_marked = frame == np.iinfo(frame.dtype).max
    if frame.dtype.kind == "i":
        is_marked |= frame < 0
    takes_part = np.ones(len(frame), bool) if ignored is None else ~ignored
    if (is_marked & takes_part).any():
        return SumState.MARKED, None
    counts = np.where(is_marked, 0, frame)
    if not counts.any():
        return SumState.EMPTY, None
    return SumState.OK, counts.astype(np.float32).astype(np.float64)
