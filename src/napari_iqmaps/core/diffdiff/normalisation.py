"""Local normalisation of each image by itself: what is left is pattern, without the light and the contrast there."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from ..opencv import opencv, scalar
from .images import Box, Mask, Plane, Windows

SIGMA = 7.0
"""Standard deviation in pixels of the Gaussian over which mean and contrast are taken."""

NOISE = 2.0
"""Grey levels added to the local contrast, so that noise on flat areas is not blown up to a pattern."""

STEP = 4
"""Mean and contrast vary slowly: they are taken from images reduced by this factor, and interpolated."""

_RADIUS = math.ceil(3 * SIGMA / STEP)

HALO = STEP * (_RADIUS + 2)
"""Pixels that the statistics reach, interpolation and alignment included."""


def aligned(box: Box, shape: tuple[int, int]) -> Box:
    """Widen a box to multiples of `STEP`, so that reduced pixels are the same whatever the tile.

    Parameters
    ----------
    shape : (int, int)
        Height and width of the image, which the box may not leave.
    """
    return Box(
        box.top - box.top % STEP,
        min(-(-box.bottom // STEP) * STEP, shape[0]),
        box.left - box.left % STEP,
        min(-(-box.right // STEP) * STEP, shape[1]),
    )


def normalised(windows: Windows) -> tuple[Windows, tuple[Plane, Plane]]:
    """Subtract the local mean of each image and divide by its local contrast.

    Parameters
    ----------
    windows : Windows
        Grey levels of 255, 0 where not valid; the first row and column on multiples of `STEP`.

    Returns
    -------
    windows : Windows
        ``(I - mean) / (spread + 2)``, 0 where not valid.
    spreads : (numpy.ndarray, numpy.ndarray)
        float32: the local standard deviations of the moving and of the fixed image, grey levels.

    Notes
    -----
    Mean and standard deviation are weighted by a Gaussian of 7 pixels over the valid pixels of all three images, which
    is evaluated on images reduced by 4.
    """
    share = None if windows.valid is None else _local(windows.valid.astype(np.float32))
    moving, spread_m = _by_itself(windows.moving, windows.valid, share)
    registered, _ = _by_itself(windows.registered, windows.valid, share)
    fixed, spread_f = _by_itself(windows.fixed, windows.valid, share)
    return Windows(moving, registered, fixed, windows.valid), (spread_m, spread_f)


def _by_itself(plane: Plane, valid: Mask | None, share: Plane | None) -> tuple[Plane, Plane]:
    cv2 = opencv()
    centred: Plane = cv2.subtract(plane, scalar(127.5, plane))  # before squares are added up, for their precision
    if valid is not None:
        centred[~valid] = 0
    mean, square = _local(centred), _local(cv2.multiply(centred, centred))
    if share is not None:
        known = np.maximum(share, np.float32(1e-6))
        mean /= known
        square /= known
    spread = cv2.sqrt(np.maximum(square - mean * mean, 0))
    size = (plane.shape[1], plane.shape[0])
    wide = _enlarged(spread, size)
    result = cv2.subtract(centred, _enlarged(mean, size))
    cv2.divide(result, cv2.add(wide, scalar(NOISE, wide)), dst=result)
    if valid is not None:
        result[~valid] = 0
    return result, wide


def _local(plane: npt.NDArray[np.float32]) -> Plane:
    """Average around each pixel of the reduced lattice."""
    cv2 = opencv()
    height, width = plane.shape
    down, across = -height % STEP, -width % STEP
    if down or across:
        plane = cv2.copyMakeBorder(plane, 0, down, 0, across, cv2.BORDER_REFLECT)
    size = ((width + across) // STEP, (height + down) // STEP)
    reduced = cv2.resize(plane, size, interpolation=cv2.INTER_AREA)
    side = 2 * _RADIUS + 1
    mean: Plane = cv2.GaussianBlur(reduced, (side, side), SIGMA / STEP, borderType=cv2.BORDER_REFLECT)
    return mean


def _enlarged(reduced: Plane, size: tuple[int, int]) -> Plane:
    cv2 = opencv()
    whole = (reduced.shape[1] * STEP, reduced.shape[0] * STEP)
    large: Plane = cv2.resize(reduced, whole, interpolation=cv2.INTER_LINEAR)
    return large[: size[1], : size[0]]
