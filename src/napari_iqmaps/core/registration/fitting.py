"""Fit a matrix to matched points of which many may be wrong."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from ..opencv import opencv
from .geometry import Matrix, Points, as_matrix, map_points

FEWEST = {"homography": 4, "affine": 3, "euclidean": 2, "translation": 1}
"""Points that determine each motion."""

CLOSE = 3.0
"""Pixels: how near a moved point must come to its match to agree with a matrix."""

_SAMPLES = 500


class Fit(NamedTuple):
    """A matrix fitted to matched points.

    Attributes
    ----------
    matrix : numpy.ndarray or None
        float64, shape ``(3, 3)``; None if there is none.
    inliers : numpy.ndarray
        bool, one for each match: whether it agrees with the matrix.
    """

    matrix: Matrix | None
    inliers: npt.NDArray[np.bool_]
    reason: str


def fit_matrix(
    moving_points: npt.ArrayLike,
    fixed_points: npt.ArrayLike,
    transform: str = "homography",
    *,
    threshold: float = CLOSE,
    seed: int = 0,
) -> Fit:
    """Fit a matrix to matched points of which many may be wrong.

    Parameters
    ----------
    moving_points, fixed_points : array_like
        Shape ``(n, 2)``, ``(x, y)``; row by row the same point.
    threshold : float
        How far, in pixels, a moved point may lie from its match to agree.
    seed : int
        Of the random sampling.

    Returns
    -------
    Fit
        The matrix and the points that agree with it, or the reason why there is none.
    """
    moving, fixed = (np.asarray(points, np.float64).reshape(-1, 2) for points in (moving_points, fixed_points))
    none = np.zeros(len(moving), bool)
    needed = FEWEST[transform]
    if len(moving) < needed:
        return Fit(None, none, f"{len(moving)} matched points are too few: this motion needs at least {needed}")
    if transform in ("homography", "affine"):
        matrix, agree = _fit_by_usac(moving, fixed, transform, threshold, seed)
    else:
        matrix, agree = _fit_rigid(moving, fixed, transform, threshold, seed)
    if matrix is None:
        return Fit(None, none, f"no motion agrees with the {len(moving)} matched points (they may lie on one line)")
    return Fit(matrix, agree, "")


def _fit_by_usac(
    moving: Points, fixed: Points, transform: str, threshold: float, seed: int
) -> tuple[Matrix | None, npt.NDArray[np.bool_]]:
    cv2 = opencv()

    parameters = cv2.UsacParams()
    parameters.confidence = 0.9999
    parameters.maxIterations = 10_000
    parameters.threshold = threshold
    parameters.randomGeneratorState = seed
    parameters.score = cv2.SCORE_METHOD_MAGSAC
    parameters.loMethod = cv2.LOCAL_OPTIM_SIGMA
    parameters.loIterations = 10
    parameters.loSampleSize = 50
    parameters.sampler = cv2.SAMPLING_UNIFORM
    parameters.isParallel = False
    find: Any = cv2.findHomography if transform == "homography" else cv2.estimateAffine2D
    found, _ = find(moving, fixed, params=parameters)
    nobody = np.zeros(len(moving), bool)
    if found is None or not np.isfinite(found).all():
        return None, nobody
    try:
        matrix = as_matrix(found)
    except ValueError:
        return None, nobody
    apart = map_points(matrix, moving) - fixed
    agree = np.nan_to_num(np.hypot(apart[:, 0], apart[:, 1]), nan=math.inf) <= threshold
    return matrix, agree


def _fit_rigid(
    moving: Points, fixed: Points, transform: str, threshold: float, seed: int
) -> tuple[Matrix | None, npt.NDArray[np.bool_]]:
    """Find a turn and a shift, or a shift, by random samples, then from all points that agree until they stay."""
    rng = np.random.default_rng(seed)
    needed = FEWEST[transform]
    best = np.zeros(len(moving), bool)
    for _ in range(_SAMPLES):
        chosen = rng.choice(len(moving), needed, replace=False)
        agree = _agree(_least_squares(moving[chosen], fixed[chosen], transform), moving, fixed, threshold)
        if agree.sum() > best.sum():
            best = agree
    if best.sum() < needed:
        return None, best
    for _ in range(10):
        matrix = _least_squares(moving[best], fixed[best], transform)
        agree = _agree(matrix, moving, fixed, threshold)
        if (agree == best).all() or agree.sum() < needed:
            break
        best = agree
    return matrix, best


def _agree(matrix: Matrix, moving: Points, fixed: Points, threshold: float) -> npt.NDArray[np.bool_]:
    apart = map_points(matrix, moving) - fixed
    return np.asarray(np.hypot(apart[:, 0], apart[:, 1]) <= threshold)


def _least_squares(moving: Points, fixed: Points, transform: str) -> Matrix:
    """Fit a turn and a shift, or a shift, in the least-squares sense (Kabsch 1976)."""
    centre, target = moving.mean(axis=0), fixed.mean(axis=0)
    matrix = np.eye(3)
    if transform == "euclidean" and len(moving) > 1:
        left, _, right = np.linalg.svd((moving - centre).T @ (fixed - target))
        turn = np.diag([1.0, np.sign(np.linalg.det(right.T @ left.T)) or 1.0])
        matrix[:2, :2] = right.T @ turn @ left.T
    matrix[:2, 2] = target - matrix[:2, :2] @ centre
    return matrix
