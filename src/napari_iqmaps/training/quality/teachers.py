"""What measures that know the reference say of a distorted image: where it is visible, and how bad it is.

They teach a network that does not know the reference, on images that no person has scored. All work on luminance of 0
to 255 and depend on nothing but the two images.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import torch

from ...core.networks.blind import quarter
from ...core.visibility import visibility_map
from ..evaluation.measures import gmsd

Plane = npt.NDArray[np.float32]
Double = npt.NDArray[np.float64]

NUMBERS = ("visibility", "gmsd", "vif", "ssim", "structure", "structure_half", "structure_quarter")
"""What `Teachers.numbers` holds, in this order."""

_WORST_GMSD = 0.35
"""GMSD of about the worst distortions of the databases."""

# Of the pixel domain VIF as its authors publish it: scales, variance of the visual noise, what counts as flat.
_VIF_SCALES = 4
_VIF_NOISE = 2.0
_VIF_FLAT = 1e-10

# Of SSIM (Wang et al., IEEE TIP 13(4), 2004): C1 = (K1 L)^2, C2 = (K2 L)^2, and its window of 11x11 pixels.
_SSIM_LUMINANCE, _SSIM_CONTRAST = (0.01 * 255) ** 2, (0.03 * 255) ** 2
_SSIM_SIGMA, _SSIM_REACH = 1.5, 5


class Teachers(NamedTuple):
    """What is known of a distorted image with its reference at hand.

    `visible`: impairment ``1 - (1 - q) ** a`` of each pixel, q its visibility and a the mixing scalar, at a quarter of
    the resolution: float16, ``(height / 4, width / 4)``, 0 to 1. `numbers`: `NUMBERS` on a common scale of 0 (equal
    images) to about 1 (the worst), float32, ``(7,)``.
    """

    visible: npt.NDArray[np.float16]
    numbers: npt.NDArray[np.float32]


def teachers_of(test: Plane, reference: Plane) -> Teachers:
    """Ask all of them.

    `test`, `reference`: luminance, float32, of the same shape; sides multiples of four, at least 48.

    The numbers are put on their common scale by fixed functions, chosen so that distortions of all strengths spread
    over it about evenly: the score of the visibility map as it is, GMSD / .35, 1 - sqrt(VIF), and sqrt(1 - s) of SSIM
    and of its contrast and structure at the full, half and quarter resolution. VIF can exceed 1, where contrast was
    raised, and structure can fall below 0, so the numbers can leave 0..1 a little.
    """
    seen = visibility_map(test, reference, model="contrast", data_range=(0, 255))
    impairment = 1 - (1 - np.asarray(seen.values)) ** np.float32(seen.info["mixing"])
    cells = quarter(torch.from_numpy(impairment)[None, None])[0, 0].numpy()
    similarities = _similarities(test, reference)
    numbers = [float(seen.score), gmsd(test, reference) / _WORST_GMSD, 1 - np.sqrt(vif(test, reference))]
    numbers += [np.sqrt(max(1 - similarity, 0)) for similarity in similarities]
    return Teachers(cells.astype(np.float16), np.array(numbers, dtype=np.float32))


def vif(test: Plane, reference: Plane) -> float:
    """Give the visual information fidelity in the pixel domain [1]_.

    `test`, `reference`: luminance ``(height, width)``, 0..255, at least 41 pixels a side. Returns 1 for equal images, 0
    if nothing is left; above 1 where contrast was raised.

    Four scales with Gaussian windows of 17, 9, 5 and 3 pixels (a fifth of the side as standard deviation), of which
    only whole ones count; from scale to scale the images are smoothed by the next window and every second pixel is
    kept; the variance of the visual noise is 2.

    References
    ----------
    .. [1] H. R. Sheikh, A. C. Bovik, "Image Information and Visual Quality", IEEE TIP 15(2), 2006.
    """
    first, second = reference.astype(np.float64), test.astype(np.float64)
    kept = there = 0.0
    for scale in range(_VIF_SCALES):
        window = _gaussian(2 ** (_VIF_SCALES - scale) + 1)
        if scale:
            first, second = (_valid(plane, window)[::2, ::2] for plane in (first, second))
        mean1, mean2 = _valid(first, window), _valid(second, window)
        variance1 = np.maximum(_valid(first * first, window) - mean1 * mean1, 0)
        variance2 = np.maximum(_valid(second * second, window) - mean2 * mean2, 0)
        covariance = _valid(first * second, window) - mean1 * mean2
        # The test is taken for the reference times a gain plus noise, at each place: g and sigma_V^2 of the paper.
        flat = variance1 < _VIF_FLAT
        gain = np.where(flat, 0, covariance / np.where(flat, 1, variance1))
        gain = np.where(variance2 < _VIF_FLAT, 0, np.maximum(gain, 0))
        noise = np.maximum(variance2 - gain * np.maximum(covariance, 0), _VIF_FLAT)
        known = np.where(flat, 0, variance1)
        # The information about the scene that is left in the test, and that is there in the reference.
        kept += float(np.log1p(gain * gain * known / (noise + _VIF_NOISE)).sum())
        there += float(np.log1p(known / _VIF_NOISE).sum())
    return kept / there if there > 0 else 1.0


def _similarities(test: Plane, reference: Plane) -> list[float]:
    """Give SSIM, and its product of contrast and structure at the full, half and quarter resolution."""
    found: list[float] = []
    for scale in range(3):
        mean1, mean2 = _smooth(reference), _smooth(test)
        variance = _smooth(reference * reference) + _smooth(test * test) - mean1 * mean1 - mean2 * mean2
        covariance = _smooth(reference * test) - mean1 * mean2
        # The product of contrast and structure, (2 s12 + C2) / (s1^2 + s2^2 + C2).
        structure = (2 * covariance + _SSIM_CONTRAST) / (variance + _SSIM_CONTRAST)
        if scale == 0:
            light = (2 * mean1 * mean2 + _SSIM_LUMINANCE) / (mean1 * mean1 + mean2 * mean2 + _SSIM_LUMINANCE)
            found.append(float((light * structure).mean(dtype=np.float64)))
        found.append(float(structure.mean(dtype=np.float64)))
        test, reference = _half(test), _half(reference)
    return found


def _half(plane: Plane) -> Plane:
    rows, columns = (length // 2 for length in plane.shape)
    mean: Plane = plane[: 2 * rows, : 2 * columns].reshape(rows, 2, columns, 2).mean((1, 3))
    return mean


def _smooth(plane: Plane) -> Plane:
    """Average by the window of SSIM, where all of it lies inside."""
    return _within(plane, _gaussian(2 * _SSIM_REACH + 1, _SSIM_SIGMA))


def _valid(plane: Double, window: Double) -> Double:
    return _within(plane, window)


def _within(plane: npt.NDArray[Any], window: Double) -> npt.NDArray[Any]:
    import cv2

    reach = len(window) // 2
    averaged: npt.NDArray[Any] = cv2.sepFilter2D(plane, -1, window, window)
    return averaged[reach:-reach, reach:-reach]


def _gaussian(length: int, sigma: float | None = None) -> Double:
    places = np.arange(length) - length // 2
    weights: Double = np.exp(-0.5 * (places / (sigma or length / 5)) ** 2)
    weights /= weights.sum()
    return weights
