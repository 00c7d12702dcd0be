"""Plane projective geometry in pixels: what a 3x3 matrix does to points and areas, and the matrix that fits points.

Points are ``(x, y)`` with the centres of pixels at integers; a matrix maps moving to fixed and has 1 in its last place.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from ..arrays import as_array, numbers
from ..errors import InputError
from ..opencv import opencv

Matrix = npt.NDArray[np.float64]
"""float64, shape ``(3, 3)``."""

Points = npt.NDArray[np.float64]
"""float64, shape ``(n, 2)``, each row ``(x, y)`` in pixels."""

TRANSFORMS = ("homography", "affine", "euclidean", "translation")
"""From the freest motion to the stiffest; "euclidean" is a turn and a shift."""

_HIDDEN = 1e-9


def identity() -> Matrix:
    """Give the matrix that moves nothing."""
    return np.eye(3)


def as_matrix(matrix: Any) -> Matrix:
    """Check a matrix, 3x3 or 2x3 for an affine motion, and scale it so that its last entry is 1."""
    given = as_array(matrix, "matrix")
    if given.dtype.kind == "b":
        raise InputError("The matrix holds truths (bool), not numbers. Give 3x3 numbers.")
    array = numbers(given, "matrix")
    if array.shape == (2, 3):
        array = np.vstack([array, [0.0, 0.0, 1.0]])
    if array.shape != (3, 3):
        raise InputError(f"The matrix has shape {array.shape}; give 3x3 (or 2x3 for an affine motion).")
    if not np.isfinite(array).all():
        raise InputError("The matrix holds NaN or infinity; give finite numbers.")
    if abs(array[2, 2]) < _HIDDEN * max(1.0, float(np.abs(array).max())):
        raise InputError("The matrix sends the pixel (0, 0) to infinity (its last entry is 0); it cannot be a motion.")
    with np.errstate(over="ignore", invalid="ignore", under="ignore"):
        array /= array[2, 2]
        determinant = abs(np.linalg.det(array))
    if not np.isfinite(array).all() or not math.isfinite(determinant):
        raise InputError("The matrix holds numbers too large to reckon with; it cannot be a motion between images.")
    if determinant < _HIDDEN:
        raise InputError("The matrix is not invertible (determinant 0): it flattens the image to a line.")
    return array


def check_sides(name: str, shape: tuple[int, int] | None) -> None:
    """Refuse a height and width that no image has."""
    if shape is not None and min(shape) < 1:
        raise InputError(f"{name} is {shape!r}; give (height, width) in pixels, each 1 or more.")


def map_points(matrix: Matrix, points: npt.ArrayLike) -> Points:
    """Move points by a matrix; NaN for a point at or behind the horizon, which no camera sees."""
    array = np.asarray(points, np.float64).reshape(-1, 2)
    projected = array @ matrix[:, :2].T + matrix[:, 2]
    depth = projected[:, 2:]
    result = np.full(array.shape, np.nan)
    np.divide(projected[:, :2], depth, out=result, where=depth > _HIDDEN)
    return result


def corners(shape: tuple[int, int]) -> Points:
    """Give the centres of an image's corner pixels: top left, top right, bottom right, bottom left."""
    bottom, right = shape[0] - 1.0, shape[1] - 1.0
    return np.array([(0.0, 0.0), (right, 0.0), (right, bottom), (0.0, bottom)])


def corner_shifts(matrix: Matrix, shape: tuple[int, int]) -> npt.NDArray[np.float64]:
    """Measure how far, in pixels, a matrix moves each corner; infinite at or behind the horizon."""
    start = corners(shape)
    moved = map_points(matrix, start) - start
    return np.nan_to_num(np.hypot(moved[:, 0], moved[:, 1]), nan=math.inf)


def corner_error(first: Matrix, second: Matrix, shape: tuple[int, int]) -> float:
    """Measure how far apart two matrices put the corners of an image, in the mean; infinite if one is hidden."""
    start = corners(shape)
    apart = map_points(first, start) - map_points(second, start)
    return float(np.nan_to_num(np.hypot(apart[:, 0], apart[:, 1]), nan=math.inf).mean())


def scaled(matrix: Matrix, moving_scale: float, fixed_scale: float) -> Matrix:
    """Restate a matrix between two images for resized versions of them: side of the resized over side of the image.

    Areas of pixels are resized, as ``cv2.resize`` does, so that a pixel centre ``x`` goes to ``(x + 0.5) * scale -
    0.5``.
    """
    return as_matrix(resizing(fixed_scale) @ matrix @ np.linalg.inv(resizing(moving_scale)))


def area_ratio(matrix: Matrix, shape: tuple[int, int]) -> float:
    """Compare the area of a moved image with its area before; negative if it is turned over, NaN if hidden."""
    before, after = (_area(points) for points in (corners(shape), map_points(matrix, corners(shape))))
    return after / before if before else math.nan


def is_convex(matrix: Matrix, shape: tuple[int, int]) -> bool:
    """Tell whether a moved image is a convex quadrilateral with its corners in their old order."""
    points = map_points(matrix, corners(shape))
    if not np.isfinite(points).all():
        return False
    sides = np.roll(points, -1, axis=0) - points
    following = np.roll(sides, -1, axis=0)
    # At every corner the outline turns the same way: the cross product of one side and the next.
    return bool(np.all(sides[:, 0] * following[:, 1] - sides[:, 1] * following[:, 0] > 0))


def resized_points(points: Points, scale: Any) -> Points:
    """Give points of an image as points of a resized version of it; see `scaled`."""
    moved: Points = (points + 0.5) * scale - 0.5
    return moved


def resizing(scale: float) -> Matrix:
    """Give the matrix that takes a pixel's centre to its place in an image resized by areas, as ``cv2.resize`` does."""
    offset = 0.5 * scale - 0.5
    return np.array([(scale, 0.0, offset), (0.0, scale, offset), (0.0, 0.0, 1.0)])


def _area(points: Points) -> float:
    following = np.roll(points, -1, axis=0)  # the shoelace formula; y runs down, so that clockwise is positive
    return float(0.5 * np.sum(points[:, 0] * following[:, 1] - points[:, 1] * following[:, 0]))


FEWEST = {"homography": 4, "affine": 3, "euclidean": 2, "translation": 1}
"""Points that determine each motion."""

CLOSE = 3.0
"""Pixels: how near a moved point must come to its match to agree with a matrix."""

_SAMPLES = 500


class Fit(NamedTuple):
    """A matrix fitted to matched points, or the reason why there is none, and which of them agree with it."""

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
    """Fit a matrix to matched points of which many may be wrong; those agree that it brings within the threshold."""
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
    # R = V D U^T of the covariance U S V^T of the centred points, D keeping a reflection out.
    matrix = np.eye(3)
    if transform == "euclidean" and len(moving) > 1:
        left, _, right = np.linalg.svd((moving - centre).T @ (fixed - target))
        turn = np.diag([1.0, np.sign(np.linalg.det(right.T @ left.T)) or 1.0])
        matrix[:2, :2] = right.T @ turn @ left.T
    matrix[:2, 2] = target - matrix[:2, :2] @ centre
    return matrix
