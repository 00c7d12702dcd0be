"""Small inputs from the pictures of scikit-image, the same on every machine: crops, and whole grey levels."""

from __future__ import annotations

from functools import cache

import numpy as np
from scipy import ndimage
from skimage import data

MOTION = np.array([(1.01, 0.02, 3.0), (-0.015, 0.99, -4.0), (1e-5, -2e-5, 1.0)])
"""From a pixel of the moving picture to one of the fixed picture."""


@cache
def grey() -> np.ndarray:
    """A head and a camera before a sky, uint8."""
    return np.ascontiguousarray(data.camera()[100:196, 200:328])


@cache
def other() -> np.ndarray:
    """A part of the same photograph, of the same size, with a lawn."""
    return np.ascontiguousarray(data.camera()[380:476, 60:188])


@cache
def colour() -> np.ndarray:
    """A face, uint8, channels last."""
    return np.ascontiguousarray(data.astronaut()[40:136, 160:288])


def stack() -> np.ndarray:
    return np.stack([grey(), other()])


def noisy(image: np.ndarray, strength: int = 12) -> np.ndarray:
    """Add whole numbers that are evenly spread."""
    added = np.random.default_rng(3).integers(-strength, strength, image.shape, endpoint=True)
    return np.clip(image + added, 0, 255).astype(np.uint8)


def with_hole() -> np.ndarray:
    """Values 0..1 with a rectangle that has none, float32."""
    image = grey().astype(np.float32) / np.float32(255)
    image[20:44, 50:90] = np.nan
    return image


def deep() -> np.ndarray:
    """Values 1000..5080 of a camera with 12 bits."""
    return grey().astype(np.uint16) * np.uint16(16) + np.uint16(1000)


@cache
def cat() -> np.ndarray:
    """A part of another photograph, grey, 120 x 160, uint8."""
    return np.ascontiguousarray(data.chelsea()[60:180, 110:270, 1])


@cache
def moved() -> np.ndarray:
    """The cat as it was before `MOTION`."""
    return moved_by(cat(), MOTION)


def moved_by(image: np.ndarray, motion: np.ndarray) -> np.ndarray:
    """Take the picture at the places to which a motion brings the pixels; whole grey levels again."""
    rows, columns = np.indices(image.shape, dtype=np.float64)
    x, y, w = np.tensordot(motion, np.stack([columns, rows, np.ones_like(rows)]), axes=1)
    taken = ndimage.map_coordinates(image.astype(np.float64), [y / w, x / w], order=1, mode="reflect")
    return np.rint(taken).astype(np.uint8)
