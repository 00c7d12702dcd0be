"""How far off the corners of an image are, by what places all over it have found."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from .geometry import Matrix, Points, corners, map_points

_LEAST_DOUBT = 0.05  # pixels: no place is found more exactly than this
_UNKNOWNS = 8  # of a homography


def corner_drift(places: Points, found: Points, matrix: Matrix, shape: tuple[int, int]) -> tuple[float, float]:
    """Measure how far off the corners are, by what the blocks found, and how sure that is.

    Parameters
    ----------
    places, found : numpy.ndarray
        float64, shape ``(n, 2)``: places of blocks in the fixed image, and from there where they fit best.
    matrix : numpy.ndarray
        float64, shape ``(3, 3)``: where the corners are now.
    shape : (int, int)
        Height and width of the moving image.

    Returns
    -------
    drift, doubt : float
        Pixels, means over the four corners: distance between the corners now and after the correction that a
        homography fitted to the blocks would make, and its standard error; infinite if they do not determine one.

    Notes
    -----
    The correction is linear in its eight parameters (a homography near the identity); errors of the blocks are taken
    as independent, with one standard deviation, estimated from what the fit leaves, of at least 0.05 pixels.
    """
    if 2 * len(places) < 2 * _UNKNOWNS:
        return math.inf, math.inf
    centre, size = places.mean(axis=0), max(float(places.std()), 1.0)
    design = _linear_homography((places - centre) / size)
    if np.linalg.matrix_rank(design) < _UNKNOWNS:
        return math.inf, math.inf
    target = np.concatenate([found[:, 0], found[:, 1]])
    correction, *_ = np.linalg.lstsq(design, target, rcond=None)
    left = target - design @ correction
    deviation = max(math.sqrt(float(left @ left) / (len(target) - _UNKNOWNS)), _LEAST_DOUBT)
    covariance = np.linalg.inv(design.T @ design) * deviation**2
    at_corners = _linear_homography((map_points(matrix, corners(shape)) - centre) / size)
    moved = (at_corners @ correction).reshape(2, 4)
    variance = np.einsum("ij,jk,ik->i", at_corners, covariance, at_corners).reshape(2, 4).sum(axis=0)
    return float(np.hypot(*moved).mean()), float(np.sqrt(np.maximum(variance, 0)).mean())


def _linear_homography(points: Points) -> npt.NDArray[np.float64]:
    """Give the derivatives of moved points by the eight parameters of a homography near the identity."""
    x, y = points.T
    zero, one = np.zeros_like(x), np.ones_like(x)
    return np.concatenate(
        [
            np.stack([x, y, one, zero, zero, zero, -x * x, -x * y], axis=1),
            np.stack([zero, zero, zero, x, y, one, -x * y, -y * y], axis=1),
        ]
    )
