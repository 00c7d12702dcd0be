"""How large the difference of two images is around each pixel, as the visibility of it is judged."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from .observers import CHANNEL_SIGMAS, OBSERVERS, PIXELS_PER_DEGREE

EXPONENT = 3.0
"""Of the Minkowski mean: a few large differences are seen more easily than many small ones of the same sum."""

Plane = npt.NDArray[np.float32]

_TRUNCATION = 3.0
EVERYDAY_GAINS = OBSERVERS["everyday"].gains


def reach(pixels_per_degree: float = PIXELS_PER_DEGREE) -> int:
    """Tell how many pixels to each side the channels look."""
    return _radius(_sigmas(pixels_per_degree)[-1])


def excitation(
    signed: Plane,
    gains: Sequence[float] = EVERYDAY_GAINS,
    pixels_per_degree: float = PIXELS_PER_DEGREE,
    exponent: float = EXPONENT,
) -> Plane:
    """Give what the channels make of a difference at each pixel, raised to the exponent.

    Parameters
    ----------
    signed : numpy.ndarray
        float32, ``(height, width)``: test minus reference in code values, without holes.

    Returns
    -------
    numpy.ndarray
        float32: the sum over the channels of ``|gain x (G_k - G_(k+1)) * signed|^p``, where G_k are Gaussians an octave
        apart (the first is no blur, the last difference is the widest Gaussian itself).
    """
    import cv2

    finer: Any = np.ascontiguousarray(signed, np.float32)
    total: Plane = np.zeros(signed.shape, np.float32)
    for gain, sigma in zip(gains[:-1], _sigmas(pixels_per_degree), strict=True):
        side = 2 * _radius(sigma) + 1
        coarser = cv2.GaussianBlur(signed, (side, side), sigma, borderType=cv2.BORDER_REFLECT)
        total += _power(np.float32(gain) * (finer - coarser), exponent)
        finer = coarser
    total += _power(np.float32(gains[-1]) * finer, exponent)
    return total


def local_difference(
    test: Plane,
    reference: Plane,
    window: int,
    gains: Sequence[float] = EVERYDAY_GAINS,
    pixels_per_degree: float = PIXELS_PER_DEGREE,
) -> Plane:
    """Pool the difference of two planes over a window around each pixel.

    Parameters
    ----------
    test, reference : numpy.ndarray
        float32 luminance of equal shape, in code values; NaN in holes.

    Returns
    -------
    numpy.ndarray
        float32, the same shape: the cube root of the mean of `excitation` over the window, in code values, over the
        pixels that both planes have; 0 where the window has none. Twice the difference gives twice as much.

    Notes
    -----
    The paper takes the mean absolute difference. That mean ranks sparse distortions wrongly: impulse noise has a tenth
    of the mean absolute difference of Gaussian noise that observers find equally bad; hence the exponent. And it knows
    nothing of sizes: a difference that is spread over many pixels is worse than one of the same strength that
    alternates from pixel to pixel; hence the channels. The model card gives what each brought.
    """
    signed = test - reference
    valid = np.isfinite(signed)
    everywhere = bool(valid.all())
    known = signed if everywhere else np.where(valid, signed, np.float32(0))
    powers = excitation(known, gains, pixels_per_degree)
    if everywhere:
        mean = _window_mean(powers, window)
    else:
        share = _window_mean(valid.astype(np.float32), window)
        total = _window_mean(np.where(valid, powers, np.float32(0)), window)
        mean = np.divide(total, share, out=np.zeros_like(total), where=share > 0)
    return np.cbrt(mean)


def _sigmas(pixels_per_degree: float) -> list[float]:
    return [sigma * pixels_per_degree / PIXELS_PER_DEGREE for sigma in CHANNEL_SIGMAS]


def _radius(sigma: float) -> int:
    return math.ceil(_TRUNCATION * sigma)


def _power(values: Plane, exponent: float) -> Plane:
    size = np.abs(values)
    return size * size * size if exponent == 3 else size ** np.float32(exponent)


def _window_mean(plane: Plane, window: int) -> Plane:
    import cv2

    # Not by running sums: the dust they leave beside a large difference, 1e-9 of it, has a cube root of a thousandth.
    weights = np.full(window, 1 / window, np.float32)
    mean: Any = cv2.sepFilter2D(plane, cv2.CV_32F, weights, weights, borderType=cv2.BORDER_REFLECT)
    return mean  # type: ignore[no-any-return]
