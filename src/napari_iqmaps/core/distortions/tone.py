"""Tone: lightness and contrast, of the whole image or varying slowly over it."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from .record import Distortion, Pixels, luminance

_AIRLIGHT = np.float32(0.9)
_KNOTS = 4


def _contrast(image: Pixels, strength: float, rng: np.random.Generator) -> Pixels:
    """``m + s (x - m)``, m the mean luminance of the image."""
    mean = np.float32(luminance(image).mean(dtype=np.float64))
    return mean + np.float32(strength) * (image - mean)


def _brightening(image: Pixels, strength: float, rng: np.random.Generator) -> Pixels:
    """``x + s``."""
    return image + np.float32(strength)


def _darkening(image: Pixels, strength: float, rng: np.random.Generator) -> Pixels:
    """``x - s``."""
    return image - np.float32(strength)


def _gamma(image: Pixels, strength: float, rng: np.random.Generator) -> Pixels:
    """``x ** s``."""
    return image ** np.float32(strength)


def _vignetting(image: Pixels, strength: float, rng: np.random.Generator) -> Pixels:
    """``x / (1 + s r^2)^2``, r the distance from the centre, 1 in the corners: the cosine to the fourth of a lens."""
    height, width = image.shape[:2]
    down = np.linspace(-1, 1, height, dtype=np.float32)[:, np.newaxis] ** 2
    right = np.linspace(-1, 1, width, dtype=np.float32) ** 2
    return image / (1 + np.float32(strength / 2) * (down + right))[..., np.newaxis] ** 2


def _haze(image: Pixels, strength: float, rng: np.random.Generator) -> Pixels:
    """``t x + .9 (1 - t)``, t = exp(-s d), d 4 x 4 even draws in .5..1.5, bilinear over the image, corner to corner."""
    height, width = image.shape[:2]
    depth = _tents(height) @ rng.uniform(0.5, 1.5, (_KNOTS, _KNOTS)) @ _tents(width).T
    clear = np.exp(-strength * depth).astype(np.float32)[..., np.newaxis]
    return clear * image + _AIRLIGHT * (1 - clear)


def _tents(length: int) -> npt.NDArray[np.float64]:
    """Weights of linear interpolation between evenly spaced knots, shape ``(length, knots)``."""
    places = np.linspace(0, _KNOTS - 1, length)[:, np.newaxis]
    tents: npt.NDArray[np.float64] = np.maximum(1 - np.abs(places - np.arange(_KNOTS)), 0)
    return tents


ROWS = (
    Distortion("contrast_loss", "Less contrast", "tone", "factor", "1", (0.8, 0.6, 0.4, 0.25, 0.12), _contrast),
    Distortion("contrast_gain", "More contrast", "tone", "factor", "1", (1.3, 1.7, 2.5, 4, 8), _contrast),
    Distortion("brightening", "Brighter", "tone", "shift", "of the range",
               (0.08, 0.15, 0.25, 0.38, 0.55), _brightening),
    Distortion("darkening", "Darker", "tone", "shift", "of the range", (0.08, 0.15, 0.22, 0.3, 0.4), _darkening),
    Distortion("gamma_low", "Gamma, lighter middle", "tone", "exponent", "1", (0.8, 0.6, 0.45, 0.3, 0.18), _gamma),
    Distortion("gamma_high", "Gamma, darker middle", "tone", "exponent", "1", (1.3, 1.7, 2.3, 3.2, 5), _gamma),
    Distortion("vignetting", "Vignetting", "tone", "squared tangent of the angle in the corners", "1",
               (0.15, 0.35, 0.7, 1.5, 3.5), _vignetting),
    Distortion("haze", "Haze", "tone", "optical depth", "1", (0.15, 0.35, 0.7, 1.2, 2), _haze, is_random=True),
)  # fmt: skip
