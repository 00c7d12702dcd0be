"""Blur and sharpness: what optics, motion and resampling do to edges. Borders are reflected."""

from __future__ import annotations

import math

import numpy as np

from .record import LARGEST_WARP, Distortion, Pixels, as_before, block_means, blurred, filtered, refuse_longer_than


def _gaussian(image: Pixels, strength: float, rng: np.random.Generator) -> Pixels:
    """Convolution with a Gaussian of standard deviation s."""
    return blurred(image, strength)


def _defocus(image: Pixels, strength: float, rng: np.random.Generator) -> Pixels:
    """Convolution with an even disk of radius s; a pixel on its rim weighs what of it lies inside, to first order."""
    reach = math.ceil(strength)
    steps = np.arange(-reach, reach + 1)
    distance = np.hypot(steps[:, np.newaxis], steps)
    return filtered(image, np.clip(strength + 0.5 - distance, 0, 1))


def _motion(image: Pixels, strength: float, rng: np.random.Generator) -> Pixels:
    """Mean along a straight line of length s, at an angle drawn evenly from all."""
    angle = rng.uniform(0, math.pi)
    reach = math.ceil(strength / 2) + 1
    kernel = np.zeros((2 * reach + 1, 2 * reach + 1))
    along = np.linspace(-strength / 2, strength / 2, 8 * reach + 1)
    rows, columns = reach + along * math.sin(angle), reach + along * math.cos(angle)
    top, left = np.floor(rows).astype(int), np.floor(columns).astype(int)
    down, right = rows - top, columns - left
    for row, column, weight in (
        (top, left, (1 - down) * (1 - right)),
        (top, left + 1, (1 - down) * right),
        (top + 1, left, down * (1 - right)),
        (top + 1, left + 1, down * right),
    ):
        np.add.at(kernel, (row, column), weight)
    return filtered(image, kernel)


def _downsampling(image: Pixels, strength: float, rng: np.random.Generator) -> Pixels:
    """Means over s x s pixels, brought back to the size by cubic interpolation."""
    import cv2

    height, width = image.shape[:2]
    return as_before(cv2.resize(block_means(image, strength), (width, height), interpolation=cv2.INTER_CUBIC), image)


def _jitter(image: Pixels, strength: float, rng: np.random.Generator) -> Pixels:
    """Each pixel is taken (bilinear) from a place moved by s n down and s n' right, n and n' standard normal."""
    import cv2

    refuse_longer_than(LARGEST_WARP, image, "pixel jitter")
    height, width = image.shape[:2]
    rows, columns = np.float32(strength) * rng.standard_normal((2, height, width), dtype=np.float32)
    rows += np.arange(height, dtype=np.float32)[:, np.newaxis]
    columns += np.arange(width, dtype=np.float32)
    return as_before(cv2.remap(image, columns, rows, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT), image)


def _oversharpening(image: Pixels, strength: float, rng: np.random.Generator) -> Pixels:
    """``x + s (x - G x)``, G a Gaussian blur of 1.5 pixels: an unsharp mask."""
    return image + np.float32(strength) * (image - blurred(image, 1.5))


ROWS = (
    Distortion("gaussian_blur", "Gaussian blur", "blur", "standard deviation", "pixels",
               (0.8, 1.3, 2.1, 3.4, 5.5), _gaussian),
    Distortion("defocus_blur", "Defocus", "blur", "radius of the disk", "pixels",
               (1.5, 2.5, 3.7, 6, 10), _defocus),
    Distortion("motion_blur", "Motion blur", "blur", "length of the line", "pixels",
               (3, 5, 8.5, 15, 28), _motion, is_random=True),
    Distortion("downsampling", "Down- and upsampling", "blur", "factor", "1",
               (1.9, 2.9, 4.2, 6.5, 11), _downsampling),
    Distortion("jitter", "Pixel jitter", "blur", "standard deviation of the displacement", "pixels",
               (0.4, 0.8, 1.5, 2.6, 4.5), _jitter, is_random=True),
    Distortion("oversharpening", "Oversharpening", "blur", "weight of the mask", "1",
               (0.8, 1.5, 3, 6, 14), _oversharpening),
)  # fmt: skip
