"""Reading a map piece by piece, so that memory does not grow with it."""

from collections.abc import Iterator
from dataclasses import dataclass

import h5py
import numpy as np
from numpy.typing import NDArray

TILE_BYTES = 2**23
MAX_FAST_CHUNK = 50


@dataclass(frozen=True)
class Tile:
    """
    A piece of a map.

    Attributes
    ----------
    rows, columns : slice
        Where it lies.
    intensity, errors : ndarray of shape (positions, bins)
        In the unit of the map, row after row; errors are None where the map has none.
    """

    rows: slice
    columns: slice
    intensity: NDArray[np.float64]
    errors: NDArray[np.float64] | None

    def arrange(self, values: NDArray[np.float64]) -> NDArray[np.float64]:
        """Lay out one number per position as (rows, columns)."""
        return values.reshape(self.rows.stop - self.rows.start, -1)


def cut(shape: tuple[int, int, int], block_bytes: int) -> Iterator[tuple[slice, slice]]:
    """
    Cut a map into pieces of whole rows, or of whole chunks of one row.

    Parameters
    ----------
    shape : tuple of int
        (slow, fast, bins).
    block_bytes : int
        What a piece may take as float64; it has at least one chunk of positions.

    Yields
    ------
    tuple of slice
        Rows and columns.
    """
    slow, fast, bins = shape
    positions = max(1, block_bytes // (bins * 8))
    height = max(1, positions // fast)
    width = max(MAX_FAST_CHUNK, positions // MAX_FAST_CHUNK * MAX_FAST_CHUNK)
    for row in range(0, slow, height):
        for column in range(0, fast, width):
            yield (
                slice(row, min(slow, row + height)),
                slice(column, min(fast, column + width)),
            )


def read_tiles(group: h5py.Group, block_bytes: int = TILE_BYTES) -> Iterator[Tile]:
    """
    Read a map from its first row to its last, each position once.

    Parameters
    ----------
    group : h5py.Group
        An NXdata with ``intensity`` of shape (slow, fast, bins), and ``errors`` or none.
    block_bytes : int
        How much of it to hold in memory, as float64; at least some positions.

    Yields
    ------
    Tile
        In the unit of the map.
    """
    for rows, columns in cut(group["intensity"].shape, block_bytes):
        errors = _read_positions(group["errors"], rows, columns) if "errors" in group else None
        yield Tile(rows, columns, _read_positions(group["intensity"], rows, columns), errors)


def _read_positions(field: h5py.Dataset, rows: slice, columns: slice) -> NDArray[np.float64]:
    values = np.asarray(field[rows, columns], np.float64)
    return values.reshape(-1, values.shape[-1])
