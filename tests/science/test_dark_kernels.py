"""Sums and medians of integers, held to ten lines of numpy each."""

from random import Random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from numpy.typing import NDArray

from processing.science.calibration.darks import Moments
from processing.science.kernels import dark_sums, medians

Words = NDArray[np.uint16]

FRAMES = arrays.arrays(
    np.uint16, st.tuples(st.integers(1, 9), st.integers(1, 40)), elements=st.integers(0, 65_535)
)
CODES = st.sampled_from([(0, 2**16), (0, 2**14), (1 << 14, 2**14), (3 << 14, 2**14)])


def summed(frames: Words, flip: int, limit: int) -> Moments:
    """Return n, sum and sum of squares by numpy."""
    values = (frames ^ np.uint16(flip)).astype(np.uint64)
    taken = values < limit
    values = np.where(taken, values, 0)
    counts = taken.sum(axis=0).astype(np.uint32)
    return Moments(counts, values.sum(axis=0), (values**2).sum(axis=0))


def middle(frames: Words, flip: int, limit: int) -> NDArray[np.float32]:
    """Return the medians by sorting."""
    values = frames ^ np.uint16(flip)
    found = [np.sort(column[column < limit]) for column in values.T]
    return np.array([np.median(it) if len(it) else np.nan for it in found], np.float32)


def by_kernel(frames: Words, flip: int, limit: int) -> Moments:
    moments = Moments.of_nothing(frames.shape[1])
    moments.take(frames, flip, limit)
    return moments


def medians_by_kernel(frames: Words, flip: int, limit: int) -> NDArray[np.float32]:
    tile = np.empty((len(frames), medians.TILE), np.uint16)
    room = np.empty((medians.ROOM, medians.TILE), np.uint16)
    found = np.empty(frames.shape[1], np.float32)
    medians.find_medians(frames, flip, limit, tile, room, found)
    return found


def equal(one: Moments, other: Moments) -> bool:
    return all(
        a.dtype == b.dtype and np.array_equal(a, b)
        for a, b in zip(vars(one).values(), vars(other).values(), strict=True)
    )


@settings(max_examples=200, deadline=None)
@given(FRAMES, CODES)
def test_sums_are_those_of_numpy(frames: Words, codes: tuple[int, int]) -> None:
    assert equal(by_kernel(frames, *codes), summed(frames, *codes))


@settings(max_examples=200, deadline=None)
@given(FRAMES, CODES)
def test_medians_are_those_of_sorting(frames: Words, codes: tuple[int, int]) -> None:
    np.testing.assert_array_equal(medians_by_kernel(frames, *codes), middle(frames, *codes))


@settings(max_examples=50, deadline=None)
@given(FRAMES, CODES, st.randoms(use_true_random=False))
def test_sums_of_parts_are_those_of_the_whole_in_any_order(
    frames: Words, codes: tuple[int, int], random: Random
) -> None:
    rows = list(range(len(frames)))
    random.shuffle(rows)
    cut = random.randint(0, len(rows))
    one, other = (by_kernel(frames[part], *codes) for part in (rows[:cut], rows[cut:]))
    assert equal(one + other, by_kernel(frames, *codes))
    assert equal(other + one, one + other)


def test_tiles_meet_without_a_seam() -> None:
    random = np.random.default_rng(3)
    frames = random.integers(0, 2**16, (7, 2 * dark_sums.TILE + 5)).astype(np.uint16)
    assert equal(by_kernel(frames, 0, 2**16), summed(frames, 0, 2**16))
    np.testing.assert_array_equal(medians_by_kernel(frames, 0, 2**16), middle(frames, 0, 2**16))


@pytest.mark.parametrize("value", [0, 1, 16_383, 65_535])
def test_a_constant_pixel_has_no_noise_at_all(value: int) -> None:
    moments = by_kernel(np.full((9, 3), value, np.uint16), 0, 2**16)
    assert (moments.deviation() == 0).all()
    assert (moments.mean() == value).all()


def test_the_noise_of_a_run_of_days_loses_no_digit() -> None:
    """A million trains of large numbers: n times the sum of squares is far beyond 64 bits."""
    n, low, high = 1_000_000, 60_000, 60_001
    moments = Moments(
        np.array([n], np.uint32),
        np.array([n // 2 * (low + high)], np.uint64),
        np.array([n // 2 * (low**2 + high**2)], np.uint64),
    )
    assert moments.deviation() == 0.5


@settings(max_examples=100, deadline=None)
@given(FRAMES)
def test_the_noise_is_that_of_exact_fractions(frames: Words) -> None:
    found = by_kernel(frames, 0, 2**16).deviation()
    n = len(frames)
    for pixel, column in enumerate(frames.T.tolist()):
        numerator = n * sum(x * x for x in column) - sum(column) ** 2
        assert found[pixel] == pytest.approx(numerator**0.5 / n, rel=1e-12)


def test_a_pixel_in_the_wrong_gain_has_no_median_and_no_count() -> None:
    frames = np.full((4, 2), (1 << 14) | 900, np.uint16)
    frames[:, 1] = 700
    moments = by_kernel(frames, 1 << 14, 2**14)
    assert moments.counts.tolist() == [4, 0]
    assert medians_by_kernel(frames, 1 << 14, 2**14).tolist()[0] == 900
    assert np.isnan(medians_by_kernel(frames, 1 << 14, 2**14)[1])
    assert np.isnan(moments.mean()[1])
