"""Many small non-negative problems at once, against scipy's solver of one."""

import numpy as np
import pytest
from scipy.optimize import nnls

from processing.science.maps.non_negative import solve_non_negative


@pytest.mark.parametrize("k", [1, 3, 12, 24])
def test_every_problem_has_the_solution_that_scipy_finds(k: int) -> None:
    random = np.random.default_rng(k)
    design = random.random((80, k)) * 10 ** random.uniform(-3, 3, k)  # of unlike scales
    right = random.normal(size=(60, 80)) + 0.3 * (design / design.max(axis=0)).mean(axis=1)
    expected = np.array([nnls(design, one)[0] for one in right])

    gram = np.broadcast_to(design.T @ design, (60, k, k))
    found, _ = solve_non_negative(gram, right @ design)

    np.testing.assert_allclose(found * design.max(axis=0), expected * design.max(axis=0), atol=1e-9)
    if k > 1:
        assert 0.05 < (expected == 0).mean() < 0.95, "some are held at 0, some are not"


def test_nearly_equal_columns_come_to_an_end() -> None:
    random = np.random.default_rng(2)
    column = random.random((50, 1))
    design = column + 1e-4 * random.random((50, 8))
    right = random.normal(size=(200, 50))
    found, _ = solve_non_negative(np.broadcast_to(design.T @ design, (200, 8, 8)), right @ design)
    residuals = np.linalg.norm(right - found @ design.T, axis=1)
    best = np.array([nnls(design, one)[1] for one in right])
    np.testing.assert_allclose(residuals, best, rtol=1e-6)


def test_what_nothing_depends_on_is_unknown_and_harms_no_other() -> None:
    gram = np.array([[[4.0, 0.0], [0.0, 0.0]], [[0.0, 0.0], [0.0, 0.0]]])
    moment = np.array([[2.0, 0.0], [0.0, 0.0]])
    found, variance = solve_non_negative(gram, moment)
    np.testing.assert_array_equal(found, [[0.5, np.nan], [np.nan, np.nan]])
    np.testing.assert_array_equal(variance, [[0.25, np.nan], [np.nan, np.nan]])


def test_one_that_is_held_at_zero_has_the_error_it_would_have_if_free() -> None:
    gram = np.array([[[2.0, 1.0], [1.0, 3.0]]])
    found, variance = solve_non_negative(gram, np.array([[2.0, -5.0]]))
    np.testing.assert_allclose(found, [[1.0, 0.0]])
    np.testing.assert_allclose(variance, [[0.5, np.linalg.inv(gram[0])[1, 1]]])
