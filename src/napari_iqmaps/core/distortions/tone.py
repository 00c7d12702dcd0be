"""Tone and colour: lightness, contrast, saturation, white balance, and colours that lie beside their edges."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from .record import LARGEST_WARP, Distortion, Pixels, blurred, luminance, refuse_longer_than

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


_OF_TONE = (
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


def _saturation(image: Pixels, strength: float, rng: np.random.Generator) -> Pixels:
    """``Y + s (x - Y)``, Y the Rec. 709 luminance of each pixel."""
    grey = luminance(image)
    return grey + np.float32(strength) * (image - grey)


def _cast(image: Pixels, strength: float, rng: np.random.Generator) -> Pixels:
    """Red times s, blue divided by s: a warm cast."""
    return image * np.array([strength, 1, 1 / strength], np.float32)


def _diffusion(image: Pixels, strength: float, rng: np.random.Generator) -> Pixels:
    """``Y + G (x - Y)``, G a Gaussian blur of standard deviation s: the colours run, the luminance stays."""
    grey = luminance(image)
    return grey + blurred(image - grey, strength)


def _aberration(image: Pixels, strength: float, rng: np.random.Generator) -> Pixels:
    """Red enlarged and blue reduced about the centre, so that each has moved by s pixels in the corners."""
    import cv2

    refuse_longer_than(LARGEST_WARP, image, "chromatic aberration")
    height, width = image.shape[:2]
    centre = np.array([(width - 1) / 2, (height - 1) / 2])
    result = image.copy()
    for channel, sign in ((0, 1), (2, -1)):
        scale = 1 + sign * strength / np.hypot(*centre)
        matrix = np.column_stack([np.eye(2) * scale, centre * (1 - scale)])
        plane = np.ascontiguousarray(image[..., channel])
        result[..., channel] = cv2.warpAffine(
            plane, matrix, (width, height), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT
        )
    return result


ROWS = (
    *_OF_TONE,
    Distortion("saturation_loss", "Less saturation", "colour", "factor", "1",
               (0.7, 0.5, 0.3, 0.15, 0.03), _saturation, needs_colour=True),
    Distortion("saturation_gain", "More saturation", "colour", "factor", "1",
               (1.4, 2, 3, 5, 9), _saturation, needs_colour=True),
    Distortion("colour_cast", "Colour cast", "colour", "gain of red", "1",
               (1.08, 1.16, 1.3, 1.5, 1.9), _cast, needs_colour=True),
    Distortion("colour_diffusion", "Running colours", "colour", "standard deviation", "pixels",
               (3, 5, 8, 14, 25), _diffusion, needs_colour=True),
    Distortion("chromatic_aberration", "Chromatic aberration", "colour", "displacement in the corners", "pixels",
               (0.8, 1.5, 3, 6, 12), _aberration, needs_colour=True),
)  # fmt: skip
