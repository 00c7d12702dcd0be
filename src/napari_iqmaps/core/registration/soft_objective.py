"""What a search over matrices makes as high as it can: the soft diff-diff score, and the motions it tries.

Never the ratio better / (better + worse): one changed pixel can win it, and it is flat where nothing changes.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from .geometry import Matrix, corners, map_points

Plane = npt.NDArray[np.float32]
Numbers = npt.NDArray[np.float64]

SMOOTHING = 1.5
"""Pixels; standard deviation of the blur of both images, so that interpolation, which blurs too, wins nothing."""

_OUTSIDE = -1e9
"""Value around the moving image; where it shows through by a hundred-thousandth, a pixel is not whole."""

_WHOLE = -1e4
_FREEDOMS = {"homography": 8, "affine": 6, "euclidean": 3, "translation": 2}


@dataclass(frozen=True, eq=False)
class SoftObjective:
    """The mean of ``clip(dd / (2 tol), -1, 1)`` of a moved image, over the pixels that it covers.

    Attributes
    ----------
    moving, fixed : numpy.ndarray
        float32 planes, finite, smoothed and evened in lighting, of any sizes.
    before : numpy.ndarray
        float32, the fixed image's shape: how far the image that shall be beaten is from the fixed one; NaN where it
        says nothing.
    tol : float
        Tolerance, grey levels, above 0.
    min_overlap : float
        The smallest share of the fixed image that must be judged by; under it a motion gets -1.
    """

    moving: Plane
    fixed: Plane
    before: Plane
    tol: float
    min_overlap: float

    @classmethod
    def between(cls, moving: Plane, fixed: Plane, start: Matrix, tol: float, min_overlap: float) -> SoftObjective:
        """Make the objective that judges motions against one that is there already.

        Parameters
        ----------
        moving, fixed : numpy.ndarray
            float32 planes, finite.
        start : numpy.ndarray
            Shape ``(3, 3)``: the motion to be beaten, such as the identity.
        tol : float
            Tolerance, above 0.
        min_overlap : float
            Smallest share of the fixed image.

        Returns
        -------
        SoftObjective
            Which gives 0 for `start`.
        """
        before = np.abs(_moved(moving, start, fixed.shape) - fixed)
        before[before > -_WHOLE] = np.nan
        return cls(moving, fixed, before, tol, min_overlap)

    def __call__(self, matrix: Matrix) -> float:
        """Judge a motion.

        Parameters
        ----------
        matrix : numpy.ndarray
            Shape ``(3, 3)``, moving to fixed.

        Returns
        -------
        float
            -1 .. 1; above 0 is better than the start, 0 for the start itself.
        """
        import cv2

        warped: Any = _moved(self.moving, matrix, self.fixed.shape)
        outside = warped < _WHOLE
        change = cv2.subtract(self.before, cv2.absdiff(warped, self.fixed))
        limit = 2 * self.tol
        np.clip(change, -limit, limit, out=change)
        change[outside] = np.nan
        counted = np.isfinite(change)
        n_valid = int(np.count_nonzero(counted))
        if n_valid < self.min_overlap * change.size or n_valid == 0:
            return -1.0
        return float(change.sum(where=counted, dtype=np.float64)) / limit / n_valid


def smoothed(plane: Plane) -> Plane:
    """Blur a plane before it is moved; see `SMOOTHING`."""
    import cv2

    return np.asarray(cv2.GaussianBlur(plane, (0, 0), SMOOTHING, borderType=cv2.BORDER_REFLECT), np.float32)


def freedom(transform: str) -> int:
    """Give how many numbers a kind of motion has."""
    return _FREEDOMS[transform]


def motion(transform: str, shape: tuple[int, int], start: Matrix) -> Callable[[Numbers], Matrix]:
    """Make the function that turns numbers, all of them pixels, into a matrix.

    Parameters
    ----------
    transform : str
        One of `geometry.TRANSFORMS`.
    shape : (int, int)
        Height and width of the moving image.
    start : numpy.ndarray
        Shape ``(3, 3)``: the matrix that zeros give.

    Returns
    -------
    callable
        It takes as many numbers as `freedom` says: displacements of four corners (homography) or three (affine), or the
        shift of the middle (translation) and, besides, how far a corner goes round it (euclidean); all in the fixed
        image's pixels. Where four corners do not make a matrix, it gives one of NaN.
    """
    places = corners(shape)
    targets = map_points(start, places)
    middle = targets.mean(axis=0)
    arm = max(float(np.hypot(*(targets - middle).T).mean()), 1.0)

    def homography(numbers: Numbers) -> Matrix:
        return solve(places, targets + numbers.reshape(4, 2))

    def affine(numbers: Numbers) -> Matrix:
        shifts = numbers.reshape(3, 2)
        return solve(places, targets + np.vstack([shifts, shifts[0] + shifts[2] - shifts[1]]))

    def euclidean(numbers: Numbers) -> Matrix:
        angle = numbers[2] / arm
        turn = np.array([(np.cos(angle), -np.sin(angle)), (np.sin(angle), np.cos(angle))])
        moved = np.eye(3)
        moved[:2, :2] = turn
        moved[:2, 2] = middle + numbers[:2] - turn @ middle
        result: Matrix = moved @ start
        return result

    def translation(numbers: Numbers) -> Matrix:
        return euclidean(np.array([numbers[0], numbers[1], 0.0]))

    return {"homography": homography, "affine": affine, "euclidean": euclidean, "translation": translation}[transform]


def solve(places: Numbers, targets: Numbers) -> Matrix:
    """Give the matrix that takes four points to four others.

    Parameters
    ----------
    places, targets : numpy.ndarray
        float64, shape ``(4, 2)``.

    Returns
    -------
    numpy.ndarray
        float64, shape ``(3, 3)``; NaN where three of the points lie on a line.
    """
    rows = []
    for (x, y), (u, v) in zip(places, targets, strict=True):
        rows.append((x, y, 1, 0, 0, 0, -u * x, -u * y))
        rows.append((0, 0, 0, x, y, 1, -v * x, -v * y))
    try:
        entries = np.linalg.solve(np.array(rows, np.float64), targets.ravel())
    except np.linalg.LinAlgError:
        return np.full((3, 3), np.nan)
    return np.append(entries, 1.0).reshape(3, 3)


def _moved(moving: Plane, matrix: Matrix, shape: tuple[int, ...]) -> Plane:
    import cv2

    warped = cv2.warpPerspective(
        moving,
        matrix,
        (shape[1], shape[0]),
        flags=cv2.INTER_LINEAR,
        borderMode=cv2.BORDER_CONSTANT,
        borderValue=_OUTSIDE,
    )
    return np.asarray(warped, np.float32)
