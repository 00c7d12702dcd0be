"""What a motion leaves unexplained: whether a second motion is seen in it, through the same pixels.

A pattern that stands still before a scene that moves (dirt on the lens, a watermark, the pattern of a sensor) makes two
motions true at once. What one of them explains is taken away, and what is left is looked for in the moving image.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from ..opencv import opencv
from .geometry import Points, fit_matrix
from .images import Mask, Plane

_FAR_SIDE = 256  # pixels of the longer side: size at which large motions are looked for
_PARTS = 4  # tiles along the shorter side, side by side; they overlap by a half
_SMALLEST = 24  # pixels: side of a tile
_FAR_REACH, _NEAR_REACH = 0.25, 12  # of the longer side of the small image; pixels of the large one
_BASIN = 3.0  # pixels around no motion that belong to it
_TEXTURE = 0.15  # standard deviation of a normalised tile below which it is empty
_SEEN = 0.2  # correlation below which a tile's remainder has found nothing
_CLOSE = 2.0  # pixels: tiles agree on a motion that puts them this near
_FEWEST = 6  # tiles that must agree on one

Numbers = npt.NDArray[np.float64]


class _Tiles(NamedTuple):
    """Centres of tiles, and from there where the remainder of each fits best.

    `alike` is the correlation of the remainder there, `second` the same of the whole tile as far as the remainder makes
    it, `first` that of the tile with what the motion brought there.
    """

    places: Points
    found: Points
    alike: Numbers
    second: Numbers
    first: Numbers


def second_motion(registered: Plane, fixed: Plane, valid: Mask) -> float:
    """Compare the best other motion of the remainder with the motion itself, in two locally normalised images.

    Both are correlations with the fixed image, summed up over the image: 0 where nothing is left but noise, 1 where
    the remainder holds as much as the motion explains.
    """
    scale = _FAR_SIDE / max(fixed.shape)
    if scale >= 1:
        return _share(registered, fixed, valid, round(_FAR_REACH * max(fixed.shape)))
    cv2 = opencv()
    size = (max(_SMALLEST, round(fixed.shape[1] * scale)), max(_SMALLEST, round(fixed.shape[0] * scale)))
    small = [
        cv2.resize(np.where(valid, plane, np.float32(0)), size, interpolation=cv2.INTER_AREA)
        for plane in (registered, fixed)
    ]
    mask = cv2.resize(valid.astype(np.float32), size, interpolation=cv2.INTER_AREA) > 0.9
    far = _share(small[0], small[1], mask, round(_FAR_REACH * max(size)))
    return max(far, _share(registered, fixed, valid, _NEAR_REACH))


def _share(registered: Plane, fixed: Plane, valid: Mask, reach: int) -> float:
    tiles = _search(registered, fixed, valid, reach)
    explained = float(np.maximum(tiles.first, 0).sum())
    seen = tiles.alike > _SEEN
    if seen.sum() < _FEWEST:
        return 0.0
    if explained <= 0:
        return math.inf
    places, ends = tiles.places[seen], tiles.places[seen] + tiles.found[seen]
    agree = fit_matrix(places, ends, "affine", threshold=_CLOSE).inliers
    if agree.sum() < _FEWEST:
        return 0.0
    return float(tiles.second[seen][agree].sum()) / explained


def _search(registered: Plane, fixed: Plane, valid: Mask, reach: int) -> _Tiles:
    """Let the remainder of every tile with texture look for itself in the registered image."""
    cv2 = opencv()
    kept = valid.astype(np.float32)
    around = cv2.copyMakeBorder(registered * kept, reach, reach, reach, reach, cv2.BORDER_CONSTANT, value=0)
    side = max(_SMALLEST, min(fixed.shape) // _PARTS)
    y, x = np.mgrid[-reach : reach + 1, -reach : reach + 1]
    is_here = np.hypot(x, y) <= _BASIN
    rows: list[tuple[float, ...]] = []
    for top in _starts(fixed.shape[0], side):
        for left in _starts(fixed.shape[1], side):
            place = slice(top, top + side), slice(left, left + side)
            first, second = registered[place] * kept[place], fixed[place] * kept[place]
            if kept[place].mean() < 0.75 or min(first.std(), second.std()) < _TEXTURE:
                continue
            product, power = float((first * second).sum()), float((first * first).sum())
            whole = float((second * second).sum())
            # The part of the fixed tile that the moved one does not explain: at right angles to it.
            remainder = second - np.float32(product / power) * first
            window = around[top : top + side + 2 * reach, left : left + side + 2 * reach]
            likeness = cv2.matchTemplate(window, remainder, cv2.TM_CCORR_NORMED)
            likeness[is_here | ~(np.abs(likeness) <= 1.001)] = -1  # what is flat has no correlation
            row, column = divmod(int(likeness.argmax()), likeness.shape[1])
            alike = float(likeness[row, column])
            part = math.sqrt(float((remainder * remainder).sum()) / whole)
            middle = (left + (side - 1) / 2, top + (side - 1) / 2)
            rows.append((*middle, column - reach, row - reach, alike, alike * part, product / math.sqrt(power * whole)))
    table = np.array(rows, np.float64).reshape(-1, 7)
    return _Tiles(table[:, :2], table[:, 2:4], *table[:, 4:].T)


def _starts(length: int, side: int) -> list[int]:
    """Place tiles that overlap by a half along an axis."""
    count = max(1, round(2 * (length - side) / side) + 1)
    return sorted({int(start) for start in np.linspace(0, max(0, length - side), count)})
