"""
Non-negative least squares of many small problems at once.

Each position of a map is a problem of its own with the same unknowns: minimise
xᵀGx - 2mᵀx over x ≥ 0, with G = AᵀWA and m = AᵀWy. Block principal pivoting (Júdice and
Pires 1994, Kim and Park 2011) exchanges all unknowns that violate an optimality condition at
once, for all problems at once, so that numpy solves thousands of them in a few rounds.
"""

import numpy as np
from numpy.typing import NDArray

Values = NDArray[np.float64]
Flags = NDArray[np.bool_]

TOLERANCE = 1e-11  # of a scaled problem: its largest moment is 1, the diagonal of G too
PATIENCE = 3  # exchanges of all violators in a row that need not improve
MAX_ROUNDS = 500


def solve_non_negative(gram: Values, moment: Values) -> tuple[Values, Values]:
    """
    Solve normal equations under the condition that nothing is negative.

    Parameters
    ----------
    gram : ndarray of shape (problems, k, k)
        G, symmetric, positive definite but for unknowns that nothing depends on (a zero on
        the diagonal).
    moment : ndarray of shape (problems, k)
        m, in the unit of G times that of the unknowns.

    Returns
    -------
    tuple of ndarray of shape (problems, k)
        x, and the variance of each unknown if W is the inverse of the variances of y: the
        inverse of G over what is above 0. An unknown that is held at 0 has the variance it
        would have if it were free. Both are NaN where nothing depends on the unknown.
    """
    diagonal = np.diagonal(gram, axis1=1, axis2=2)
    is_known = diagonal > 0
    scale = np.sqrt(np.where(is_known, diagonal, 1.0))
    unit = gram / (scale[:, :, None] * scale[:, None, :])
    unit += np.eye(gram.shape[1]) * (~is_known)[:, None, :]
    right = moment / scale
    height = np.abs(right).max(axis=1, keepdims=True)
    height[height == 0] = 1.0
    solution, free = _pivot(unit, right / height)
    variance = _variances(unit, free) / scale**2
    unknown = np.where(is_known, 0.0, np.nan)
    return solution * height / scale + unknown, variance + unknown


def _pivot(gram: Values, moment: Values) -> tuple[Values, Flags]:
    """Exchange unknowns between free and held at 0 until no sign is wrong."""
    problems, k = moment.shape
    free = np.ones((problems, k), dtype=bool)
    solution = np.zeros((problems, k))
    fewest = np.full(problems, k + 1)
    patience = np.full(problems, PATIENCE)
    open_ones = np.arange(problems)
    for _ in range(MAX_ROUNDS):
        solution[open_ones], wrong = _try(gram[open_ones], moment[open_ones], free[open_ones])
        count = wrong.sum(axis=1)
        left = count > 0
        open_ones, wrong, count = open_ones[left], wrong[left], count[left]
        if len(open_ones) == 0:
            break
        better = count < fewest[open_ones]
        fewest[open_ones[better]] = count[better]
        patience[open_ones] = np.where(better, PATIENCE, patience[open_ones] - 1)
        # Murty's rule, the last wrong one alone, cannot go in circles.
        is_last = np.cumsum(wrong[:, ::-1], axis=1)[:, ::-1] == 1
        alone = (patience[open_ones] < 0)[:, None]
        free[open_ones] ^= wrong & (is_last | ~alone)
    return np.maximum(solution, 0.0), free


def _try(gram: Values, moment: Values, free: Flags) -> tuple[Values, Flags]:
    """Solve for the free unknowns; say which have a wrong sign, and which ought to be free."""
    solution = np.linalg.solve(_freed(gram, free), np.where(free, moment, 0.0)[..., None])[..., 0]
    slope = (gram @ solution[..., None])[..., 0] - moment
    wrong = np.where(free, solution < -TOLERANCE, slope < -TOLERANCE)
    return np.where(free, solution, 0.0), wrong


def _freed(gram: Values, free: Flags) -> Values:
    """Put unity in the rows and columns of what is held at 0."""
    kept = np.where(free[:, :, None] & free[:, None, :], gram, 0.0)
    return np.asarray(kept + np.eye(gram.shape[1]) * (~free)[:, None, :])


def _variances(gram: Values, free: Flags) -> Values:
    inverse = np.linalg.inv(_freed(gram, free)) * (free[:, :, None] & free[:, None, :])
    # Were a held unknown free as well, its variance were one over the Schur complement.
    explained = ((gram @ inverse) * gram).sum(axis=2)
    rest = np.diagonal(gram, axis1=1, axis2=2) - explained
    return np.where(free, np.diagonal(inverse, axis1=1, axis2=2), 1 / np.maximum(rest, TOLERANCE))
