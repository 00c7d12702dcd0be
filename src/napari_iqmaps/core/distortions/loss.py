"""Loss: parts of the image that are missing, coarse or in the wrong place."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import numpy.typing as npt

from .record import Distortion, Pixels, as_before, block_means

_BLOCK = 16
_FARTHEST = 2.0


def _blocks(image: Pixels, strength: float, rng: np.random.Generator) -> Pixels:
    """Middle grey in a share s, at least one, of the blocks of b x b pixels; b = 16, or side / 8 if that is smaller."""
    block = _block_side(image)
    return np.where(_spread(_drawn(_grid_shape(image, block), strength, rng), block, image), np.float32(0.5), image)


def _lines(image: Pixels, strength: float, rng: np.random.Generator) -> Pixels:
    """Black in a share s, at least one, of the rows."""
    return np.where(_drawn((image.shape[0], 1), strength, rng)[..., np.newaxis], np.float32(0), image)


def _pixelation(image: Pixels, strength: float, rng: np.random.Generator) -> Pixels:
    """Means over s x s pixels, brought back to the size by repetition."""
    import cv2

    height, width = image.shape[:2]
    small = block_means(image, strength)
    return as_before(cv2.resize(small, (width, height), interpolation=cv2.INTER_NEAREST_EXACT), image)


def _misplaced(image: Pixels, strength: float, rng: np.random.Generator) -> Pixels:
    """In a share s, at least one, of the blocks (as in block_loss): what lies up to two blocks off, down and right."""
    block = _block_side(image)
    shape = _grid_shape(image, block)
    chosen = _drawn(shape, strength, rng)
    places = []
    for axis in (0, 1):
        shift = np.rint(rng.uniform(-_FARTHEST * block, _FARTHEST * block, shape)).astype(np.intp) * chosen
        length = image.shape[axis]
        place = _spread(shift, block, image)[..., 0] + (np.arange(length) if axis else np.arange(length)[:, np.newaxis])
        # Past the border it turns back, as a reflection does, so that the block still shows another place.
        places.append(np.abs((place + length) % (2 * length) - length))
    rows, columns = places
    moved: Pixels = image[np.minimum(rows, image.shape[0] - 1), np.minimum(columns, image.shape[1] - 1)]
    return moved


def _block_side(image: Pixels) -> int:
    shorter: int = min(image.shape[:2])
    return min(_BLOCK, max(shorter // 8, 1))


def _grid_shape(image: Pixels, block: int) -> tuple[int, int]:
    return math.ceil(image.shape[0] / block), math.ceil(image.shape[1] / block)


def _drawn(shape: tuple[int, int], share: float, rng: np.random.Generator) -> npt.NDArray[np.bool_]:
    """Choose a share of places, at least one; a larger share includes the smaller."""
    number = math.prod(shape)
    return (rng.permutation(number) < math.ceil(share * number)).reshape(shape)


def _spread(values: npt.NDArray[Any], block: int, image: Pixels) -> npt.NDArray[Any]:
    return np.repeat(np.repeat(values, block, 0), block, 1)[: image.shape[0], : image.shape[1], np.newaxis]


ROWS = (
    Distortion("block_loss", "Lost blocks", "loss", "share of the blocks", "1",
               (0.004, 0.012, 0.036, 0.1, 0.22), _blocks, is_random=True, bounds=(0, 0.6)),
    Distortion("line_loss", "Lost rows", "loss", "share of the rows", "1",
               (0.002, 0.006, 0.015, 0.04, 0.1), _lines, is_random=True, bounds=(0, 0.5)),
    Distortion("pixelation", "Pixelation", "loss", "side of a block", "pixels", (1.5, 2.5, 4, 6, 9), _pixelation),
    Distortion("misplaced_blocks", "Misplaced blocks", "loss", "share of the blocks", "1",
               (0.01, 0.03, 0.1, 0.3, 0.8), _misplaced, is_random=True, bounds=(0, 1)),
)  # fmt: skip
