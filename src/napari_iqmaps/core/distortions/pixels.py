"""What several families do with pixels; OpenCV is loaded when it is needed."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from ..errors import InputError
from ..images import REC709_WEIGHTS
from .record import Pixels

LARGEST_WARP = 32766
"""Pixels a side that OpenCV can warp."""


def refuse_longer_than(limit: int, image: Pixels, what: str) -> None:
    """Refuse an image with a side that a library underneath cannot handle."""
    height, width = image.shape[:2]
    if max(height, width) > limit:
        raise InputError(
            f"The image has {height}x{width} pixels, and {what} takes {limit} a side at most. Distort it in parts."
        )


def luminance(image: Pixels) -> Pixels:
    """Give the Rec. 709 luminance of pixels with the channel axis kept: ``(height, width, 1)``."""
    if image.shape[-1] == 1:
        return image
    plane: Pixels = (image @ np.asarray(REC709_WEIGHTS, np.float32))[..., np.newaxis]
    return plane


def blurred(image: Pixels, sigma: float) -> Pixels:
    """Blur each channel with a Gaussian of a standard deviation in pixels; the border is reflected."""
    import cv2  # scipy's filter gives the same to 4e-5 and takes four times as long

    return as_before(cv2.GaussianBlur(image, (0, 0), sigma, borderType=cv2.BORDER_REFLECT), image)


def filtered(image: Pixels, kernel: npt.NDArray[np.float64]) -> Pixels:
    """Filter each channel with a kernel, scaled to a sum of 1; the border is reflected."""
    import cv2

    weights = (kernel / kernel.sum()).astype(np.float32)
    return as_before(cv2.filter2D(image, -1, weights, borderType=cv2.BORDER_REFLECT), image)


def block_means(image: Pixels, side: float) -> Pixels:
    """Reduce an image by a factor, each new pixel the mean of the area it covers."""
    import cv2

    height, width = image.shape[:2]
    small = (max(round(width / side), 1), max(round(height / side), 1))
    return cv2.resize(image, small, interpolation=cv2.INTER_AREA).astype(np.float32, copy=False)


def as_before(result: npt.NDArray[Any], image: Pixels) -> Pixels:
    """Give a result the shape of the image: OpenCV and scikit-image drop a channel axis of one."""
    shaped: Pixels = result.reshape(image.shape).astype(np.float32, copy=False)
    return shaped
