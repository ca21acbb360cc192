"""Compile the kernels of diffraction by summing eight dark frames each way."""

import os
from pathlib import Path

import numpy as np

from processing.science.diffraction.blocks import reduce_frames
from processing.science.diffraction.matrix import TiledMatrix
from tests.makers.eights import Eight, Shape, identity

FOLDER = Path(os.environ["NUMBA_CACHE_DIR"])  # noqa: TID251 - set for all tests
TYPES = ("u1", "u2", "u4", "i1", "i2", "i4", "f4", "f8")


def compile_all() -> None:
    """Compile them, or load them if that was done before."""
    eight = Eight(Shape(8, "<u4", 8))
    eight.reduce(eight.put([]))
    ignored = np.zeros(1, np.uint8)
    matrix = TiledMatrix(*identity(8), np.ones(8), ignored, np.arange(8))
    for dtype in TYPES:
        reduce_frames(np.zeros((1, 2, 4), dtype), matrix)
