"""Which way a scan is integrated, and what is held against pyFAI."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from processing.science.diffraction.checking import (
    choose_frames,
    measure_deviation,
    refuse_deviation,
)
from processing.science.diffraction.integrator import Corrections, Reduction
from processing.science.diffraction.patterns import frames_per_range
from processing.science.diffraction.tiers import choose_tier, find_need_of_pyfai
from processing.science.errors import DeviationError
from processing.science.maps.raster import Raster

ONES = np.ones((2, 2), np.float32)


@pytest.mark.parametrize(
    ("choices", "corrections", "n_frames", "reason"),
    [
        (Reduction(), Corrections(), 64, ""),
        (Reduction(), Corrections(), 63, "fewer than 64"),
        (Reduction(clip=3.0), Corrections(), 64, "clipped"),
        (Reduction(error_model="azimuthal"), Corrections(), 64, "spread"),
        (Reduction(error_model="none"), Corrections(), 64, ""),
        (Reduction(azimuth_bins=8), Corrections(), 64, "cakes"),
        (Reduction(by_pyfai=True), Corrections(), 64, "asked for"),
        (Reduction(), Corrections(dark=ONES), 64, "dark"),
        (Reduction(), Corrections(flat=ONES), 64, "flat"),
    ],
)
def test_what_only_pyfai_knows_is_left_to_it(
    choices: Reduction, corrections: Corrections, n_frames: int, reason: str
) -> None:
    need = find_need_of_pyfai(choices, corrections, n_frames)
    assert reason in need
    assert bool(need) == bool(reason)


@pytest.mark.parametrize(
    ("need", "has", "name"),
    [
        ("", (True, True), "fused"),
        ("", (True, False), "block"),
        ("", (False, False), "general"),
        ("", (False, True), "general"),
        ("pixels are clipped", (True, True), "general"),
    ],
)
def test_the_tier_follows_from_need_matrix_and_chunks(
    need: str, has: tuple[bool, bool], name: str
) -> None:
    tier = choose_tier(need, has_matrix=has[0], has_chunks=has[1])
    assert tier.name == name
    assert tier.reason


@given(st.integers(1, 500), st.integers(2, 20), st.integers(0, 2**32))
def test_first_and_last_frame_are_always_looked_at_again(
    n_frames: int, count: int, seed: int
) -> None:
    chosen = choose_frames(n_frames, count, seed)
    assert chosen == choose_frames(n_frames, count, seed)
    assert {0, n_frames - 1} <= set(chosen) <= set(range(n_frames))
    assert len(chosen) == min(n_frames, count)


def test_another_seed_looks_at_other_frames() -> None:
    assert choose_frames(10_000, 8, 1) != choose_frames(10_000, 8, 2)


def test_a_deviation_is_relative_to_what_is_expected() -> None:
    expected = np.array([np.nan, 2.0, 100.0])
    assert measure_deviation(expected.copy(), expected) == 0
    assert measure_deviation(np.array([np.nan, 2.0, 101.0]), expected) == pytest.approx(0.01)
    assert measure_deviation(np.array([np.nan, 2.5, 100.0]), expected) == pytest.approx(0.25)


def test_where_nothing_is_expected_its_error_is_the_measure() -> None:
    expected, sigma = np.array([0.0, 4.0]), np.array([0.5, 2.0])
    found = np.array([0.1, 4.0])
    assert measure_deviation(found, expected, sigma) == pytest.approx(0.2)
    assert measure_deviation(found, expected) == pytest.approx(0.1 / 2), "of the mean"


def test_a_bin_that_only_one_of_both_reaches_is_no_rounding() -> None:
    with_gap, without = np.array([np.nan, 1.0]), np.array([1.0, 1.0])
    assert measure_deviation(with_gap, without) == float("inf")
    assert measure_deviation(without, with_gap) == float("inf")
    assert measure_deviation(with_gap, with_gap) == 0


def test_more_than_rounding_is_refused_with_what_to_do() -> None:
    refuse_deviation(1e-5, 3)
    with pytest.raises(DeviationError, match=r"Frame 3 deviates by 1.1e-05 .* by_pyfai true"):
        refuse_deviation(1.1e-5, 3)


@given(st.integers(10, 100_000), st.integers(1, 300), st.sampled_from([None, 36, 3600]))
def test_ranges_are_of_whole_groups_and_never_large(
    bins: int, chunk: int, sectors: int | None
) -> None:
    frames = frames_per_range(Reduction(bins=bins, azimuth_bins=sectors), chunk)
    assert frames % 8 == 0
    assert 8 <= frames <= 256
    assert frames % chunk == 0 or np.lcm(8, chunk) > 256


@given(st.builds(Raster, st.integers(1, 9), st.integers(1, 9), st.booleans()), st.integers(1, 20))
def test_ranges_of_frames_fill_the_map_like_frames_one_by_one(raster: Raster, step: int) -> None:
    numbers = np.full((raster.slow, raster.fast), -1)
    for first in range(0, raster.positions, step):
        stop = min(first + step, raster.positions)
        for row, columns, places in raster.runs(first, stop):
            numbers[row, columns] = first + places
    assert numbers.tolist() == [raster.frames_of_row(row) for row in range(raster.slow)]
    assert all(numbers[raster.cell_of(n)] == n for n in range(raster.positions))
