"""How large the difference of two images is around each pixel, as the visibility of it is judged."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy import ndimage

VIEWING_BLUR = 0.6
"""Sigma in pixels of the Gaussian that stands for the eye's optics: what differs only within a pixel is not seen."""

EXPONENT = 3.0
"""Of the Minkowski mean: a few large differences are seen more easily than many small ones of the same sum."""

REACH = 2
"""Pixels that the blur looks to each side."""

Plane = npt.NDArray[np.float32]


def local_difference(test: Plane, reference: Plane, window: int) -> Plane:
    """Pool the difference of two planes over a window around each pixel.

    Parameters
    ----------
    test, reference : numpy.ndarray
        float32 luminance of equal shape, in code values; NaN in holes.
    window : int
        Side of the square window, odd.

    Returns
    -------
    numpy.ndarray
        float32, the same shape: ``(mean |G * (test - reference)|^3)^(1/3)`` in code values, over the pixels that both
        planes have; 0 where the window has none. A uniform difference gives itself.

    Notes
    -----
    The paper takes the mean absolute difference, without a blur. That mean ranks sparse distortions wrongly: impulse
    noise has a tenth of the mean absolute difference of Gaussian noise that observers find equally bad. Blur and
    exponent were chosen by cross-validation over scenes; the model card gives what each brought.
    """
    signed = test - reference
    valid = np.isfinite(signed)
    everywhere = bool(valid.all())
    known = signed if everywhere else np.where(valid, signed, np.float32(0))
    powers = np.abs(ndimage.gaussian_filter(known, VIEWING_BLUR, radius=REACH)) ** np.float32(EXPONENT)
    if everywhere:
        mean = _window_mean(powers, window)
    else:
        share = _window_mean(valid.astype(np.float32), window)
        total = _window_mean(np.where(valid, powers, np.float32(0)), window)
        mean = np.divide(total, share, out=np.zeros_like(total), where=share > 0)
    pooled: Plane = mean ** np.float32(1 / EXPONENT)
    return pooled


def _window_mean(plane: Plane, window: int) -> Plane:
    # Not by running sums: the dust they leave beside a large difference, 1e-9 of it, has a cube root of a thousandth.
    weights = np.full(window, 1 / window)
    mean: Plane = ndimage.correlate1d(ndimage.correlate1d(plane, weights, axis=0), weights, axis=1)
    return mean
