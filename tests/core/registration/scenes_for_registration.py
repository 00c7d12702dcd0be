"""Small scenes with known motions, for the tests of registration."""

from __future__ import annotations

from functools import cache

import cv2
import numpy as np
from skimage import data

from napari_iqmaps.core.registration.images import Pair, as_pair

TRUTH = np.array([(1.02, 0.03, -4.0), (-0.025, 0.99, 5.5), (5e-5, -4e-5, 1.0)])
"""A shaking camera: a degree and a half, two percent, some pixels, a little perspective."""


@cache
def photograph(side: int = 160) -> np.ndarray:
    """A part of a photograph with detail everywhere, uint8."""
    return np.ascontiguousarray(data.astronaut()[:, :, 1][130 : 130 + side, 120 : 120 + side])


def seen_by(image: np.ndarray, matrix: np.ndarray, noise: float = 1.0) -> tuple[np.ndarray, np.ndarray]:
    """A moving image and the fixed one that a motion makes of it, mirrored at the border, both with noise."""
    size = image.shape[1], image.shape[0]
    fixed = cv2.warpPerspective(
        image.astype(np.float32), matrix, size, flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REFLECT_101
    )
    rng = np.random.default_rng(11)
    taken = (one + rng.normal(0, noise, one.shape) for one in (image, fixed))
    moving, fixed = (np.clip(np.rint(one), 0, 255).astype(np.uint8) for one in taken)
    return moving, fixed


def as_pair_of(moving: np.ndarray, fixed: np.ndarray) -> Pair:
    """Both images as methods get them."""
    return as_pair(moving, fixed)


def checkerboard(shape: tuple[int, int], square: int, shift: int = 0) -> np.ndarray:
    """A checkerboard with a little noise, uint8; moved to the right by some pixels."""
    y, x = np.mgrid[: shape[0], : shape[1]]
    board = 40 + 170 * (((x - shift) // square + y // square) % 2)
    noise = np.random.default_rng(shift).normal(0, 2, shape)
    return np.clip(board + noise, 0, 255).astype(np.uint8)
