"""Known measures that networks are compared with, on the same luminance (0..255) as their own scores."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy import ndimage
from skimage import measure, metrics, restoration

from ...core.bootstrap import Floats
from ...core.progress import Progress
from ..visibility.samples import read_luminance

Plane = npt.NDArray[np.float32]
Measure = Callable[[Plane, Plane], float]
"""Called with the luminance of an image and of its reference."""

_GMSD_CONSTANT = 170.0
"""c of equation 4 of the paper, for values up to 255."""


def psnr(test: Plane, reference: Plane) -> float:
    """Give the peak signal-to-noise ratio in decibels: higher is better, infinite for equal images."""
    if np.array_equal(test, reference):
        return math.inf
    return float(metrics.peak_signal_noise_ratio(reference, test, data_range=255))  # type: ignore[no-untyped-call]


def ssim(test: Plane, reference: Plane) -> float:
    """Give the structural similarity, up to 1 for equal images of at least 11 pixels a side.

    With the published Gaussian window of sigma 1.5. scikit-image's, at full resolution; the authors' later program
    halves large images first.
    """
    return float(
        metrics.structural_similarity(  # type: ignore[no-untyped-call]
            reference, test, data_range=255, gaussian_weights=True, sigma=1.5, use_sample_covariance=False
        )
    )


def gmsd(test: Plane, reference: Plane) -> float:
    """Give the gradient magnitude similarity deviation [1]_: 0 for equal images, higher is worse.

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


def _gradient_magnitude(plane: Plane) -> Floats:
    pixels = np.pad(plane.astype(np.float64), ((0, 1), (0, 1)))
    half = (pixels[:-1, :-1] + pixels[1:, :-1] + pixels[:-1, 1:] + pixels[1:, 1:])[::2, ::2] / 4
    across, down = (ndimage.prewitt(half, axis=axis, mode="constant") / 3 for axis in (1, 0))
    magnitude: Floats = np.hypot(across, down)
    return magnitude


def blur_effect(luminance: Plane) -> float:
    """Give scikit-image's measure of blur, 0 (sharp) to 1: how little is lost when an image is blurred once more."""
    return float(measure.blur_effect(luminance))  # type: ignore[no-untyped-call]


def estimate_sigma(luminance: Plane) -> float:
    """Give scikit-image's estimate of the standard deviation of noise, from the finest diagonal wavelets."""
    return float(restoration.estimate_sigma(luminance))  # type: ignore[no-untyped-call]


def shannon_entropy(luminance: Plane) -> float:
    """Give the entropy of the histogram of whole code values, in bits, 0 to 8."""
    return float(measure.shannon_entropy(np.rint(luminance)))  # type: ignore[no-untyped-call]


def _without_reference(measure: Callable[[Plane], float]) -> Measure:
    return lambda test, _: measure(test)


BASELINES: Mapping[str, Measure] = MappingProxyType({"PSNR": psnr, "SSIM": ssim, "GMSD": gmsd})
"""What stands beside scores that see the reference."""

BESIDE_BLIND: Mapping[str, Measure] = MappingProxyType(
    {
        "PSNR": psnr,
        "SSIM": ssim,
        "blur_effect": _without_reference(blur_effect),
        "estimate_sigma": _without_reference(estimate_sigma),
        "shannon_entropy": _without_reference(shannon_entropy),
    }
)
"""What stands beside scores without a reference: what most papers on them give, and scikit-image's measures."""


def each_pair(table: pd.DataFrame, measures: Sequence[Measure], progress: Progress | None = None) -> Floats:
    """Score images by measures, ``(images, measures)``; each reference is read once."""
    scores = np.full((len(table), len(measures)), np.nan)
    path, reference = None, None
    # Rows of one reference after each other.
    for done, row in enumerate(np.argsort(table["reference"].to_numpy(dtype=str), kind="stable"), start=1):
        if table["reference"].iloc[row] != path:
            path = table["reference"].iloc[row]
            reference = read_luminance(path)
        assert reference is not None
        test = read_luminance(table["file"].iloc[row])
        scores[row] = [measure(test, reference) for measure in measures]
        if progress is not None:
            progress(done, len(table))
    return scores
