import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from processing.science.errors import NoRasterError, TooManyFramesError
from processing.science.maps.raster import (
    Raster,
    axis_of,
    choose_shape,
    is_fast,
    runs_back_and_forth,
    shape_from_positions,
    suggest_shapes,
)

sizes = st.integers(1, 12)


def positions_of(raster: Raster) -> tuple[np.ndarray, np.ndarray]:
    """Fast and slow motor at each frame, in the order in which a scan takes them."""
    cells = {
        n: (row, col)
        for row in range(raster.slow)
        for col, n in enumerate(raster.frames_of_row(row))
    }
    rows, columns = np.array([cells[n] for n in range(raster.positions)], float).T
    return 0.1 * columns, 5 + 0.2 * rows


@given(sizes, sizes, st.booleans())
def test_every_frame_has_one_place(slow: int, fast: int, zigzag: bool) -> None:  # noqa: FBT001 - drawn
    raster = Raster(slow, fast, zigzag)

    numbers = [n for row in range(slow) for n in raster.frames_of_row(row)]

    assert sorted(numbers) == list(range(slow * fast))


@given(sizes, sizes, st.booleans())
def test_laid_out_values_stand_where_their_frames_do(slow: int, fast: int, zigzag: bool) -> None:  # noqa: FBT001 - drawn
    raster = Raster(slow, fast, zigzag)

    grid = raster.arrange(np.arange(slow * fast, dtype=float))

    np.testing.assert_array_equal(grid, [raster.frames_of_row(row) for row in range(slow)])


def test_a_snake_scan_gives_straight_axes() -> None:
    raster = Raster(4, 5, zigzag=True)
    fast, slow = positions_of(raster)

    np.testing.assert_allclose(axis_of(raster.arrange(fast), 1), [0, 0.1, 0.2, 0.3, 0.4])
    np.testing.assert_allclose(axis_of(raster.arrange(slow), 0), [5, 5.2, 5.4, 5.6])


def test_a_scan_that_stopped_is_padded_where_its_frames_are_missing() -> None:
    grid = Raster(3, 4, zigzag=True).arrange(np.arange(6.0))

    # The second row runs backwards: its first two frames are on the right.
    np.testing.assert_array_equal(grid, [[0, 1, 2, 3], [np.nan, np.nan, 5, 4], [np.nan] * 4])


def test_axes_of_a_scan_that_stopped_go_on_with_their_step() -> None:
    raster = Raster(4, 5)
    fast, slow = positions_of(raster)

    np.testing.assert_allclose(axis_of(raster.arrange(slow[:12]), 0), [5, 5.2, 5.4, 5.6])
    np.testing.assert_allclose(axis_of(raster.arrange(fast[:12]), 1), [0, 0.1, 0.2, 0.3, 0.4])


def test_an_axis_of_which_one_position_is_known_has_no_step() -> None:
    assert axis_of(Raster(4, 5).arrange(np.ones(3)), 0) is None


def test_what_a_person_asks_for_counts_before_what_the_file_states() -> None:
    assert choose_shape(12, (3, 4), (2, 6)) == (3, 4)
    assert choose_shape(12, None, (2, 6)) == (2, 6)
    assert choose_shape(1, None, None) == (1, 1)


def test_more_frames_than_positions_are_refused_with_shapes_that_fit() -> None:
    with pytest.raises(TooManyFramesError, match=r"21 frames.*20 positions of 4 x 5.*3 x 7, 7 x 3"):
        choose_shape(21, (4, 5), None)


def test_a_scan_of_unknown_shape_is_refused_with_suggestions() -> None:
    with pytest.raises(NoRasterError, match="4 x 5"):
        choose_shape(20, None, None)


@given(st.integers(1, 5000))
def test_suggested_shapes_hold_every_frame(n_frames: int) -> None:
    shapes = suggest_shapes(n_frames)

    assert shapes
    assert all(math.prod(shape) == n_frames for shape in shapes)
    assert len(shapes) <= 5


@given(st.integers(2, 12), st.integers(2, 12), st.booleans())
def test_motors_tell_the_shape(slow: int, fast: int, zigzag: bool) -> None:  # noqa: FBT001 - drawn
    motors = positions_of(Raster(slow, fast, zigzag))

    assert shape_from_positions(*motors) == (slow, fast)


def test_trembling_encoders_still_tell_the_shape() -> None:
    raster = Raster(6, 7)
    random = np.random.default_rng(3)
    fast, slow = (motor + random.normal(0, 0.004, 42) for motor in positions_of(raster))

    assert shape_from_positions(fast, slow) == (6, 7)


def test_motors_that_ran_through_no_raster_tell_nothing() -> None:
    random = np.random.default_rng(4)

    assert shape_from_positions(random.random(30), random.random(30)) is None
    assert shape_from_positions(np.array([0.0, np.nan]), np.array([0.0, 1.0])) is None


@given(st.integers(3, 12), st.integers(3, 12), st.booleans())
def test_the_fast_motor_travels_further(slow: int, fast: int, zigzag: bool) -> None:  # noqa: FBT001 - drawn
    motors = positions_of(Raster(slow, fast, zigzag))

    assert is_fast(*motors)


@pytest.mark.parametrize("zigzag", [True, False])
def test_the_motor_tells_whether_the_scan_was_a_snake(zigzag: bool) -> None:  # noqa: FBT001 - a case
    fast, _ = positions_of(Raster(4, 5, zigzag))

    assert runs_back_and_forth(fast, Raster(4, 5)) is zigzag
    assert runs_back_and_forth(fast[:5], Raster(1, 5)) is None
