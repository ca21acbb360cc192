"""Sums of eight frames side by side, beside sums of one pixel after the other."""

from typing import Any

import numpy as np
import pytest
from numba import njit
from numpy.typing import NDArray

from processing.science.kernels.fused import TILE
from processing.science.kernels.lanes import LANES, spread, spread_more
from processing.science.kernels.sums import sum_tile

Arrays = tuple[NDArray[Any], ...]

BINS = 9
ROWS = 20


def a_tile(seed: int = 1) -> tuple[NDArray[np.float32], Arrays]:
    """Make counts, and rows of 0 to 39 elements that several bins share."""
    random = np.random.default_rng(seed)
    pixels = random.poisson(3, (TILE, LANES)).astype(np.float32)
    starts = np.append(0, np.cumsum(random.integers(0, 40, ROWS))).astype(np.int32)
    bins = random.integers(0, BINS, ROWS).astype(np.int32)
    places = random.integers(0, TILE, starts[-1]).astype(np.uint16)
    weights = random.random(starts[-1], np.float32)
    return pixels, (starts, bins, places, weights, weights * weights)


def sum_plainly(
    pixels: NDArray[Any], matrix: Arrays, first: int, last: int
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """S and V of the formula, in float64."""
    starts, bins, places, weights, squares = matrix
    signal, variance = np.zeros((BINS, LANES)), np.zeros((BINS, LANES))
    for row in range(first, last):
        for k in range(starts[row], starts[row + 1]):
            x = pixels[places[k]].astype(np.float64)
            signal[bins[row]] += float(weights[k]) * x
            variance[bins[row]] += float(squares[k]) * np.maximum(1.0, x)
    return signal, variance


@pytest.mark.parametrize(("first", "last"), [(0, ROWS), (3, 11), (5, 5)])
def test_signal_and_variance_of_a_tile_follow_the_formula(first: int, last: int) -> None:
    pixels, matrix = a_tile()
    signal, variance = np.ones((BINS, LANES)), np.ones((BINS, LANES))
    sum_tile(pixels, matrix, first, last, signal, variance)
    for sums, expected in zip(
        (signal, variance), sum_plainly(pixels, matrix, first, last), strict=True
    ):
        np.testing.assert_allclose(sums - 1, expected, rtol=1e-6)


def test_each_frame_is_summed_as_if_it_were_alone() -> None:
    pixels, matrix = a_tile()
    order = np.random.default_rng(2).permutation(LANES)
    results = []
    for frames in (pixels, np.ascontiguousarray(pixels[:, order])):
        sums = np.zeros((BINS, LANES)), np.zeros((BINS, LANES))
        sum_tile(frames, matrix, 0, ROWS, *sums)
        results.append(sums)
    for sums, permuted in zip(*results, strict=True):
        np.testing.assert_array_equal(sums[:, order], permuted)


def test_the_last_pixel_of_a_tile_is_within_reach() -> None:
    pixels = np.zeros((TILE, LANES), np.float32)
    pixels[-1] = np.arange(LANES)
    one = np.ones(1, np.float32)
    matrix = (np.array([0, 1], np.int32), np.zeros(1, np.int32), np.array([TILE - 1], np.uint16))
    signal, variance = np.zeros((1, LANES)), np.zeros((1, LANES))
    sum_tile(pixels, (*matrix, one, one), 0, 1, signal, variance)
    assert signal[0].tolist() == list(range(LANES))
    assert variance[0].tolist() == [1, *range(1, LANES)]


def spread_plainly(octets: NDArray[np.uint8]) -> NDArray[np.float32]:
    """From (frame, pixel) to (pixel, frame)."""
    return octets.T.astype(np.float32)


@njit
def _spread(words: Any, stride: int, tile: Any, row: int) -> None:
    for octet in range(stride):
        spread(words, octet, stride, tile, row + 8 * octet)


@njit
def _spread_more(words: Any, stride: int, tile: Any, row: int, scale: Any) -> None:
    for octet in range(stride):
        spread_more(words, octet, stride, tile, row + 8 * octet, scale)


def test_bytes_of_eight_frames_are_laid_side_by_side() -> None:
    octets = np.random.default_rng(3).integers(0, 256, (LANES, 40), np.uint8)
    tile = np.full((64, LANES), -1, np.float32)
    _spread(octets.view(np.uint64).ravel(), 5, tile, 10)
    np.testing.assert_array_equal(tile[10:50], spread_plainly(octets))
    assert (tile[:10] == -1).all()
    assert (tile[50:] == -1).all()


def test_higher_bytes_are_added_with_their_weight() -> None:
    octets = np.random.default_rng(4).integers(0, 256, (LANES, 24), np.uint8)
    tile = np.ones((30, LANES), np.float32)
    _spread_more(octets.view(np.uint64).ravel(), 3, tile, 6, np.float32(256))
    np.testing.assert_array_equal(tile[6:], 1 + 256 * spread_plainly(octets))
    assert (tile[:6] == 1).all()
