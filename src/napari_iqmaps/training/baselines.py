"""What everybody compares with: PSNR, SSIM and GMSD, on the same luminance as our own scores."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from types import MappingProxyType

import numpy as np
import numpy.typing as npt
from scipy import ndimage
from skimage import metrics

Plane = npt.NDArray[np.float32]

_GMSD_CONSTANT = 170.0


def psnr(test: Plane, reference: Plane) -> float:
    """Give the peak signal-to-noise ratio in decibels, of luminance 0..255.

    Parameters
    ----------
    test, reference : numpy.ndarray
        Luminance ``(height, width)``, 0..255.

    Returns
    -------
    float
        Higher is better; infinite for equal images.
    """
    if np.array_equal(test, reference):
        return math.inf
    return float(metrics.peak_signal_noise_ratio(reference, test, data_range=255))  # type: ignore[no-untyped-call]


def ssim(test: Plane, reference: Plane) -> float:
    """Give the structural similarity with the published Gaussian window of sigma 1.5.

    Parameters
    ----------
    test, reference : numpy.ndarray
        Luminance ``(height, width)``, 0..255, at least 11 pixels a side.

    Returns
    -------
    float
        Up to 1, for equal images.

    Notes
    -----
    scikit-image's, at full resolution; the authors' later program halves large images first.
    """
    return float(
        metrics.structural_similarity(  # type: ignore[no-untyped-call]
            reference, test, data_range=255, gaussian_weights=True, sigma=1.5, use_sample_covariance=False
        )
    )


def gmsd(test: Plane, reference: Plane) -> float:
    """Give the gradient magnitude similarity deviation [1]_.

    Parameters
    ----------
    test, reference : numpy.ndarray
        Luminance ``(height, width)``, 0..255.

    Returns
    -------
    float
        0 for equal images; higher is worse.

    Notes
    -----
    Both images are averaged over 2x2 pixels and every second one is kept; gradients are Prewitt's, divided by three,
    with zeros beyond the border as in the published program; c = 170.

    References
    ----------
    .. [1] W. Xue, L. Zhang, X. Mou, A. C. Bovik, "Gradient Magnitude Similarity Deviation: A Highly Efficient
       Perceptual Image Quality Index", IEEE TIP 23(2), 2014.
    """
    first, second = _gradient_magnitude(reference), _gradient_magnitude(test)
    similarity = (2 * first * second + _GMSD_CONSTANT) / (first**2 + second**2 + _GMSD_CONSTANT)
    return float(similarity.std())


def _gradient_magnitude(plane: Plane) -> npt.NDArray[np.float64]:
    pixels = np.pad(plane.astype(np.float64), ((0, 1), (0, 1)))
    half = (pixels[:-1, :-1] + pixels[1:, :-1] + pixels[:-1, 1:] + pixels[1:, 1:])[::2, ::2] / 4
    across, down = (ndimage.prewitt(half, axis=axis, mode="constant") / 3 for axis in (1, 0))
    magnitude: npt.NDArray[np.float64] = np.hypot(across, down)
    return magnitude


BASELINES: Mapping[str, Callable[[Plane, Plane], float]] = MappingProxyType({"PSNR": psnr, "SSIM": ssim, "GMSD": gmsd})
"""Name to function of ``(test, reference)``."""
