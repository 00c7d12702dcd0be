"""Colour: saturation, white balance, and colours that lie beside their edges. Grey images have none of it."""

from __future__ import annotations

import numpy as np

from .record import LARGEST_WARP, Distortion, Pixels, blurred, luminance, refuse_longer_than


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
