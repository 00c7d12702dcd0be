"""How well two images match around each pixel, whatever their brightness and contrast there."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from ..opencv import opencv, scalar
from .trio import Mask, Plane

WINDOW = 9
"""Side of the square window in pixels."""

HALO = WINDOW // 2

FLAT = 1.0
"""Standard deviation in a window, in grey levels, below which there is nothing to match."""

_MIDDLE = np.float32(127.5)  # taken off before squares are added up, for their precision
_FEWEST = 0.5  # share of the window that has to be valid


class Correlations(NamedTuple):
    """Local correlations with the fixed image, and the pixels where all three images have detail.

    Attributes
    ----------
    before, after : numpy.ndarray
        float32, -1..1, of the moving and of the registered image; 0 where not `defined`.
    defined : numpy.ndarray of bool
        Valid pixels whose window is flat in none of the three images.
    """

    before: Plane
    after: Plane
    defined: Mask


def local_correlations(moving: Plane, registered: Plane, fixed: Plane, valid: Mask | None) -> Correlations:
    """Correlate both images with the fixed one in a window around each pixel.

    Parameters
    ----------
    moving, registered, fixed : numpy.ndarray
        float32 ``(height, width)``, grey levels of 255; 0 where not valid.
    valid : numpy.ndarray of bool, optional
        Pixels that count; None means all.

    Returns
    -------
    Correlations
        Pearson's correlation over the valid pixels of 9 x 9 windows, of which at least half has to be valid; beyond
        the border of the arrays they are reflected. Both are defined on the same pixels, so that their means compare.
    """
    share = None if valid is None else _mean(valid.astype(np.float32))
    mean_f, spread_f, f = _moments(fixed, valid, share)
    before, defined = _correlation(moving, mean_f, spread_f, f, valid, share)
    after, also = _correlation(registered, mean_f, spread_f, f, valid, share)
    defined &= also
    if valid is not None and share is not None:
        defined &= valid & (share >= _FEWEST)
    absent = ~defined
    before[absent] = 0
    after[absent] = 0
    return Correlations(before, after, defined)


def _moments(plane: Plane, valid: Mask | None, share: Plane | None) -> tuple[Plane, Plane, Plane]:
    """Give local means and variances, and the plane about which they are: less middle grey, 0 in holes."""
    cv2 = opencv()
    centred: Plane = cv2.subtract(plane, scalar(float(_MIDDLE), plane))
    if valid is not None:
        centred[~valid] = 0
    mean = _mean(centred, share)
    variance = _mean(cv2.multiply(centred, centred), share)
    cv2.subtract(variance, cv2.multiply(mean, mean), dst=variance)
    return mean, variance, centred


def _correlation(
    plane: Plane, mean_f: Plane, spread_f: Plane, fixed: Plane, valid: Mask | None, share: Plane | None
) -> tuple[Plane, Mask]:
    cv2 = opencv()
    mean, spread, centred = _moments(plane, valid, share)
    covariance = _mean(cv2.multiply(centred, fixed), share)
    cv2.subtract(covariance, cv2.multiply(mean, mean_f), dst=covariance)
    flat = np.float32(FLAT * FLAT)
    defined: Mask = (cv2.min(spread, spread_f) >= flat).view(np.bool_)
    product = cv2.sqrt(cv2.max(cv2.multiply(spread, spread_f), scalar(float(flat * flat), spread)))
    cv2.divide(covariance, product, dst=covariance)
    return np.clip(covariance, -1, 1, out=covariance), defined


def _mean(plane: npt.NDArray[np.float32], share: Plane | None = None) -> Plane:
    """Average over the window, or over its valid pixels: their share of it divides."""
    cv2 = opencv()
    mean: Plane = cv2.boxFilter(plane, cv2.CV_32F, (WINDOW, WINDOW), borderType=cv2.BORDER_REFLECT_101)
    return mean if share is None else cv2.divide(mean, np.maximum(share, np.float32(1e-6)))
