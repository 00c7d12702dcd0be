"""Blocks of a registered image look for themselves in the fixed image: what they find tells how right a matrix is."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from ..opencv import opencv
from .geometry import Points
from .images import Mask, Plane

LARGEST_BLOCK, LARGEST_REACH = 32, 10
"""Pixels: side of a block, and how far it looks for itself; less in images under 256 pixels."""

SMALLEST_BLOCK, SMALLEST_REACH = 12, 5

TEXTURE = 0.2
"""Of a locally normalised image: standard deviation below which a block is empty."""

FOUND = 0.4
"""Correlation below which a block has found nothing."""

NEAR = 2.0
"""Pixels: a block that finds itself this near agrees with the matrix."""

_ACROSS = 14  # blocks along a side, at most
_BLOCKS_A_SIDE = 8  # how a small image sets the size of its blocks
_BASIN = 3.0  # pixels around the place itself that belong to it
_COARSE_SIDE = 192  # pixels: size at which the whole image is compared with itself shifted
_COARSE_BASIN = 3.5
_LEAST_COMMON = 0.25  # share of the registered pixels that a shift must keep to count

Array = npt.NDArray[np.float64]


class Blocks(NamedTuple):
    """What the blocks found.

    Attributes
    ----------
    places : numpy.ndarray
        float64, shape ``(n, 2)``, centres ``(x, y)`` of the blocks with texture, in pixels of the fixed image.
    found : numpy.ndarray
        float64, shape ``(n, 2)``, where each fits best, from its own place, to parts of a pixel.
    peaks : numpy.ndarray
        float64, shape ``(n,)``, correlation there, -1..1.
    here : numpy.ndarray
        float64, shape ``(n,)``, correlation at the block's own place.
    surface : numpy.ndarray
        float64, square with odd sides, mean correlation over the blocks for every shift, no shift in the middle.
    """

    places: Points
    found: Points
    peaks: Array
    here: Array
    surface: Array

    @property
    def has_found(self) -> Mask:
        """Which blocks found a place that is like them."""
        return np.asarray(self.peaks > FOUND)

    @property
    def agree(self) -> Mask:
        """Which blocks found themselves where they are."""
        return np.asarray(self.has_found & (np.hypot(self.found[:, 0], self.found[:, 1]) <= NEAR))


def search_blocks(registered: Plane, fixed: Plane, valid: Mask, *, reach: int | None = None) -> Blocks:
    """Let every block with texture look for itself.

    Parameters
    ----------
    registered, fixed : numpy.ndarray
        float32, one shape, locally normalised.
    valid : numpy.ndarray
        bool, the same shape: blocks that are not wholly valid are left out.
    reach : int, optional
        How far to look, in pixels; None chooses by the size of the image.

    Returns
    -------
    Blocks
        One row for each block.
    """
    cv2 = opencv()

    side = min(fixed.shape)
    block = int(np.clip(side // _BLOCKS_A_SIDE, SMALLEST_BLOCK, LARGEST_BLOCK)) // 2 * 2
    if reach is None:
        reach = int(np.clip(side // 24, SMALLEST_REACH, LARGEST_REACH))
    invalid = cv2.integral((~valid).astype(np.uint8))
    places, found, peaks, here = [], [], [], []
    surface = np.zeros((2 * reach + 1, 2 * reach + 1))
    for top in _starts(fixed.shape[0], block, reach):
        for left in _starts(fixed.shape[1], block, reach):
            bottom, right = top + block, left + block
            if invalid[bottom, right] - invalid[top, right] - invalid[bottom, left] + invalid[top, left]:
                continue
            template = registered[top:bottom, left:right]
            if template.std() < TEXTURE:
                continue
            window = fixed[top - reach : bottom + reach, left - reach : right + reach]
            likeness = _correlation(window, template)
            row, column = divmod(int(likeness.argmax()), likeness.shape[1])
            places.append((left + block / 2 - 0.5, top + block / 2 - 0.5))
            found.append((_top(likeness[row], column) - reach, _top(likeness[:, column], row) - reach))
            peaks.append(likeness[row, column])
            here.append(likeness[reach, reach])
            surface += likeness
    return Blocks(
        np.array(places, np.float64).reshape(-1, 2),
        np.array(found, np.float64).reshape(-1, 2),
        np.array(peaks, np.float64),
        np.array(here, np.float64),
        surface / max(len(peaks), 1),
    )


def near_rival(surface: Array) -> float:
    """Compare the best other place within the blocks' reach with their own place.

    Parameters
    ----------
    surface : numpy.ndarray
        See `Blocks`.

    Returns
    -------
    float
        Highest local maximum elsewhere over the height here: 1 means as good. Infinite if nothing is here.
    """
    from scipy import ndimage

    reach = surface.shape[0] // 2
    here = float(surface[max(reach - 1, 0) : reach + 2, max(reach - 1, 0) : reach + 2].max())
    if here <= 0:
        return math.inf
    y, x = np.mgrid[-reach : reach + 1, -reach : reach + 1]
    is_top = surface == ndimage.maximum_filter(surface, 3, mode="nearest")
    elsewhere = surface[is_top & (np.hypot(x, y) > _BASIN)]
    return max(0.0, float(elsewhere.max(initial=0.0)) / here)


def far_rival(registered: Plane, fixed: Plane, registered_valid: Mask, fixed_valid: Mask) -> float:
    """Compare every shift of the whole image with none, at a coarse size.

    Parameters
    ----------
    registered, fixed : numpy.ndarray
        float32, one shape, locally normalised.
    registered_valid, fixed_valid : numpy.ndarray
        bool, the same shape.

    Returns
    -------
    float
        Highest correlation elsewhere over that here, of shifts that keep a quarter of the pixels. Infinite if nothing
        is here.

    Notes
    -----
    Correlation over the pixels that both images have, by Fourier transforms (Padfield 2012).
    """
    first, first_mask = _coarse(registered, registered_valid)
    second, second_mask = _coarse(fixed, fixed_valid)
    likeness = _masked_correlation(first, first_mask, second, second_mask)
    rows, columns = likeness.shape
    y = np.minimum(np.arange(rows), rows - np.arange(rows))[:, np.newaxis]
    x = np.minimum(np.arange(columns), columns - np.arange(columns))
    distance = np.hypot(x, y)
    here = float(likeness[distance <= 1].max())
    if here <= 0:
        return math.inf
    return max(0.0, float(likeness[distance > _COARSE_BASIN].max()) / here)


def _starts(length: int, block: int, reach: int) -> list[int]:
    last = length - block - reach
    if last < reach:
        return []
    count = min(_ACROSS, (last - reach) // (block // 2) + 1)
    return sorted({int(start) for start in np.linspace(reach, last, max(count, 1))})


def _correlation(window: Plane, template: Plane) -> Array:
    cv2 = opencv()

    likeness = np.asarray(cv2.matchTemplate(window, template, cv2.TM_CCOEFF_NORMED), np.float64)
    # A flat place has no correlation; rounding makes anything of it.
    likeness[~(np.abs(likeness) <= 1.001)] = 0.0
    if window.std() < 1e-3:
        likeness[:] = 0.0
    return likeness


def _top(values: Array, place: int) -> float:
    """Find the top of the parabola through the highest value and its neighbours."""
    if not 0 < place < len(values) - 1:
        return float(place)
    before, there, after = values[place - 1 : place + 2]
    bend = before - 2 * there + after
    return place + (float(np.clip(0.5 * (before - after) / bend, -0.5, 0.5)) if bend < 0 else 0.0)


def _coarse(image: Plane, valid: Mask) -> tuple[Plane, Plane]:
    cv2 = opencv()

    scale = min(1.0, _COARSE_SIDE / max(image.shape))
    size = (max(8, round(image.shape[1] * scale)), max(8, round(image.shape[0] * scale)))
    weight = cv2.resize(valid.astype(np.float32), size, interpolation=cv2.INTER_AREA)
    mask = (weight > 0.9).astype(np.float32)
    return cv2.resize(np.where(valid, image, np.float32(0)), size, interpolation=cv2.INTER_AREA) * mask, mask


def _masked_correlation(first: Plane, first_mask: Plane, second: Plane, second_mask: Plane) -> Array:
    from scipy import fft

    shape = [fft.next_fast_len(2 * length, real=True) for length in first.shape]

    def transform(values: Plane) -> Any:
        return fft.rfft2(values, shape)

    def correlate(one: Any, other: Any) -> Array:
        return np.asarray(fft.irfft2(np.conj(one) * other, shape), np.float64)

    one, one_mask, one_power = map(transform, (first, first_mask, first * first))
    other, other_mask, other_power = map(transform, (second, second_mask, second * second))
    pixels = correlate(one_mask, other_mask)
    power = np.maximum(correlate(one_power, other_mask), 0) * np.maximum(correlate(one_mask, other_power), 0)
    enough = (pixels >= _LEAST_COMMON * first_mask.sum()) & (power > 1e-4)
    return np.where(enough, correlate(one, other) / np.sqrt(np.where(enough, power, 1.0)), 0.0)
