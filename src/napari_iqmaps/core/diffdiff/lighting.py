"""A difference of lighting taken out of two images before either is moved."""

from __future__ import annotations

from itertools import pairwise

import numpy as np

from ..errors import InputError
from .differences import NOISE, SIGMA
from .images import Plane
from .options import checked_tol
from .tolerance import local_tolerance, tolerance_of

ILLUMINATIONS = ("none", "frame", "before", "local")
"""How a difference of lighting is taken out before shifts are judged; see `evened`."""

GRID = 5
"""Blocks to each side of the frame for the illumination "before", as in the score."""


def comparable(
    moving: Plane, fixed: Plane, illumination: str, tol: float | str, *, smooth: float = 0.0
) -> tuple[Plane, Plane, float]:
    """Give two planes (NaN in holes) as they are compared, and the tolerance in grey levels for that.

    `smooth` is the Gaussian that they were smoothed with already: it tells how much noise is left.
    """
    first, second = evened(moving, fixed, illumination)
    if not (isinstance(tol, str) and tol == "auto"):
        return first, second, checked_tol(tol)
    if illumination == "local":
        contrast = float(_normalised(fixed)[1])
        return first, second, local_tolerance(contrast, [moving, fixed], smooth)[0]
    found = tolerance_of([moving, fixed])[0]
    return first, second, found if np.isfinite(found) else 0.0


def evened(moving: Plane, fixed: Plane, illumination: str) -> tuple[Plane, Plane]:
    """Take a difference of lighting out of two planes, NaN in holes, before any shift; "none" leaves them.

    "frame" moves the fixed image so that its mean is the moving image's. "before" does so in each of 5 x 5 blocks, as
    the score does. "local" subtracts from each image its blurred version (Gaussian, 7 pixels), and divides by its local
    standard deviation and 2 grey levels; times the mean of the fixed image's, these are grey levels, had the contrast
    been the same.
    """
    if illumination not in ILLUMINATIONS:
        raise InputError(f"illumination is {illumination!r}; choose one of {', '.join(ILLUMINATIONS)}.")
    if illumination == "none":
        return moving, fixed
    if illumination == "local":
        (first, _), (second, contrast) = _normalised(moving), _normalised(fixed)
        return first * contrast, second * contrast
    shape = min(moving.shape[0], fixed.shape[0]), min(moving.shape[1], fixed.shape[1])
    moving, fixed = moving[: shape[0], : shape[1]], fixed[: shape[0], : shape[1]].copy()
    count = GRID if illumination == "before" else 1
    rows, columns = ([length * i // count for i in range(count + 1)] for length in shape)
    for top, bottom in pairwise(rows):
        for left, right in pairwise(columns):
            block = slice(top, bottom), slice(left, right)
            apart = moving[block] - fixed[block]
            known = np.isfinite(apart)
            if known.any():
                fixed[block] += np.float32(apart.mean(where=known, dtype=np.float64))
    return moving, fixed


def _normalised(plane: Plane) -> tuple[Plane, np.float32]:
    """Give a plane with light and contrast evened, and what its mean local contrast was, in grey levels."""
    import cv2

    known = np.isfinite(plane)
    values = np.where(known, plane, np.float32(0))
    weight = np.maximum(cv2.GaussianBlur(known.astype(np.float32), (0, 0), SIGMA), np.float32(1e-3))

    def near(array: Plane) -> Plane:
        return np.asarray(cv2.GaussianBlur(array, (0, 0), SIGMA) / weight, np.float32)

    mean = near(values)
    contrast = np.sqrt(np.maximum(near(values * values) - mean * mean, 0)) + np.float32(NOISE)
    return np.asarray((plane - mean) / contrast, np.float32), np.float32(contrast.mean(where=known))
