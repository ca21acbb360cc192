"""What the number of a pixel says, the same for every way to integrate."""

import numpy as np
import pytest

from processing.science.diffraction.blocks import reduce_frames
from processing.science.diffraction.matrix import TiledMatrix
from processing.science.diffraction.sums import SumState
from processing.science.frames import Beam
from processing.science.markers import has_counts
from processing.science.nexus import Readings
from tests.makers.eights import identity

PIXELS = 16

pytestmark = pytest.mark.usefixtures("compiled_kernels")


def state_of(frame: np.ndarray, ignored: int = 0) -> int:
    limits, starts, bins, places, weights, squares = identity(PIXELS)
    kept_out = np.array([ignored, 0], np.uint8)
    rest = np.ones(PIXELS), kept_out, np.arange(float(PIXELS))
    matrix = TiledMatrix(limits, starts, bins, places, weights, squares, *rest)
    return int(reduce_frames(frame[None], matrix).state[0])


def test_what_float32_cannot_hold_is_no_count() -> None:
    frame = np.ones((2, 8))
    frame[0, 0] = 1e300
    assert state_of(frame) == SumState.MARKED
    assert state_of(frame, ignored=1) == SumState.OK


def test_an_infinite_pixel_alone_is_no_light() -> None:
    frame = np.zeros((2, 8), np.float32)
    frame[0, 0] = np.inf
    assert state_of(frame, ignored=1) == SumState.EMPTY
    assert not has_counts(frame)


def test_a_monitor_that_is_not_finite_is_no_beam() -> None:
    beam = Beam(Readings("i0", "", np.array([2.0, np.inf, np.nan])), 2.0)
    assert beam.relative(0) == 1.0
    assert not beam.relative(1) > 0
    assert not beam.relative(2) > 0
