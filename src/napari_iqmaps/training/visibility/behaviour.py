"""Does a threshold map make sense? Three checks on clean photographs and flat fields that no training image enters.

A network can learn "darker hides more" from images with scores and still rank them well; these checks catch it.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import ndimage, stats
from skimage import data

from ...core.images import as_planes
from ...core.visibility import ThresholdModel, threshold_map

PHOTOGRAPHS = ("astronaut", "camera", "chelsea", "coffee", "rocket")
"""Photographs of natural scenes that scikit-image brings along."""

FLAT_LEVELS = (8, 32, 64, 128, 192, 224, 248)
PUBLISHED_RATIO = 2.3
"""Texture to sky in the figure of Kottayil et al. (ICIP 2018)."""

_CELL = 32
_STEP = 8
_BAND = 32
_FEWEST_CELLS = 60


@dataclass(frozen=True)
class PhotographBehaviour:
    """How the map of one photograph follows its content.

    `band_correlation`: median over luminance bands (32 code values wide) of Spearman's rank correlation between
    threshold and local standard deviation: at equal luminance, does texture hide? `textured`, `flat`: mean threshold of
    the tenth of the photograph with the most and with the least local contrast, code values.
    """

    name: str
    band_correlation: float
    correlation: float
    textured: float
    flat: float

    @property
    def ratio(self) -> float:
        """Textured to flat."""
        return self.textured / self.flat


def photograph_behaviour(name: str, model: ThresholdModel = "pnet", weights: str | None = None) -> PhotographBehaviour:
    """Check the map of one photograph."""
    image = getattr(data, name)()
    axis = None if image.ndim == 2 else -1
    luminance = as_planes(image, channel_axis=axis).read((), slice(None), slice(None)).astype(float)
    thresholds = threshold_map(image, channel_axis=axis, model=model, weights=weights).values
    inside = slice(_CELL // 2, -_CELL // 2, _STEP)
    sampled = (inside, inside)
    mean = ndimage.uniform_filter(luminance, _CELL)[sampled].ravel()
    contrast = ndimage.uniform_filter(local_deviation(luminance), _CELL)[sampled].ravel()
    values = thresholds[sampled].ravel()
    low, high = np.quantile(contrast, (0.1, 0.9))
    return PhotographBehaviour(
        name=name,
        band_correlation=_within_bands(values, contrast, mean),
        correlation=float(stats.spearmanr(values, contrast).statistic),
        textured=float(values[contrast >= high].mean()),
        flat=float(values[contrast <= low].mean()),
    )


def flat_thresholds(model: ThresholdModel = "pnet", weights: str | None = None) -> dict[int, float]:
    """Give the threshold on uniform fields, from dark to bright.

    Returns code value of the field to threshold in code values.
    """
    fields = np.stack([np.full((40, 40), level, np.uint8) for level in FLAT_LEVELS])
    scores = threshold_map(fields, model=model, weights=weights).score
    return dict(zip(FLAT_LEVELS, map(float, scores), strict=True))


def local_deviation(luminance: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Give the standard deviation in a 7x7 Gaussian window of sigma 1; apart from the models' own code."""
    mean = ndimage.gaussian_filter(luminance, 1, truncate=3)
    square = ndimage.gaussian_filter(luminance**2, 1, truncate=3)
    deviation: npt.NDArray[np.float64] = np.sqrt(np.clip(square - mean**2, 0, None))
    return deviation


def _within_bands(
    values: npt.NDArray[np.float32], contrast: npt.NDArray[np.float64], mean: npt.NDArray[np.float64]
) -> float:
    correlations = []
    for low in range(0, 256, _BAND):
        band = (mean >= low) & (mean < low + _BAND)
        if band.sum() >= _FEWEST_CELLS:
            correlations.append(stats.spearmanr(values[band], contrast[band]).statistic)
    return float(np.median(correlations))
