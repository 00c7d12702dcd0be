"""Pictures of a judgement: overlays, marks of better and worse pixels, and how the score changes with the tolerance."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from ..errors import InputError
from ..images import as_planes, check_same_shape, range_for
from ..maps import QualityMap
from ..value_range import DataRange
from .options import checked_median, checked_tol
from .tally import voted_masks

Mask = npt.NDArray[np.bool_]
Picture = npt.NDArray[np.uint8]

BETTER = "#4d9221"
WORSE = "#c51b7d"
"""Of pixels and blocks beyond the tolerance: the two sides of the map's own colours."""

LEGENDS = {
    "before": "magenta: moving, green: fixed",
    "after": "magenta: registered, green: fixed",
    "marks": "green: better, pink: worse",
    "blocks": "green: better, pink: worse\nshare that got better",
}
"""What the colours of the pictures of a judgement mean."""

MARK_WORDS = ("not marked", "better by more than the tolerance", "worse by more than the tolerance")
"""What the labels 0, 1 and 2 of marked pixels mean."""

# Told apart by readers who do not tell red from green: red and blue together, against green.
_MAGENTA, _GREEN = (0, 2), (1,)

BETTER_INK = (255, 221, 0)
WORSE_INK = (0, 64, 255)
"""Yellow and blue: neither is among the colours of an overlay, which are grey, magenta and green."""

BLOCK_OPACITY = 0.75
"""Of a block's colour over the image."""

_PALE_BETTER, _PALE_WORSE, _PALE_EVEN = np.array([(140, 205, 80), (236, 150, 200), (247, 247, 247)]) / 255


def marks(values: npt.NDArray[np.float32], tol: float, *, median: int = 0) -> tuple[Mask, Mask]:
    """Mark the pixels of a map's values that got better and those that got worse, by more than the tolerance.

    With a `median` of 3 or 5 a pixel is marked if more than half of the window of that side is. No pixel is in both.
    """
    tol, median = checked_tol(tol), checked_median(median)
    array = np.asarray(values, np.float32)
    better, worse = np.zeros(array.shape, np.bool_), np.zeros(array.shape, np.bool_)
    for index in np.ndindex(*array.shape[:-2]):
        better[index], worse[index] = voted_masks(array[index], tol, median)
    return better, worse


def overlay(registered: Any, fixed: Any, *, data_range: DataRange = None, channel_axis: int | None = None) -> Picture:
    """Show one image in magenta and the other in green: where they agree, the picture is grey."""
    names = ("registered image", "fixed image")
    used = range_for(fixed, data_range, channel_axis=channel_axis, name=names[1])
    images = [
        as_planes(image, data_range=used, channel_axis=channel_axis, name=name)
        for image, name in zip((registered, fixed), names, strict=True)
    ]
    check_same_shape(images[0], images[1], names)
    picture = np.zeros((*images[0].shape, 3), np.uint8)
    for index in np.ndindex(*images[0].shape[:-2]):
        for channels, planes in zip((_MAGENTA, _GREEN), images, strict=True):
            plane = np.nan_to_num(planes.read(index, slice(None), slice(None)), nan=0.0)
            for channel in channels:
                picture[(*index, ..., channel)] = np.rint(plane.clip(0, 255))
    return picture


def marked_overlay(
    registered: Any,
    fixed: Any,
    values: npt.NDArray[np.float32],
    tol: float,
    *,
    median: int = 0,
    data_range: DataRange = None,
    channel_axis: int | None = None,
) -> Picture:
    """Show the overlay with the pixels that got better in yellow and those that got worse in blue; see `marks`."""
    picture = overlay(registered, fixed, data_range=data_range, channel_axis=channel_axis)
    better, worse = marks(values, tol, median=median)
    if better.shape != picture.shape[:-1]:
        raise InputError(f"The map has shape {better.shape}, and the images {picture.shape[:-1]}. Give their own map.")
    picture[better] = BETTER_INK
    picture[worse] = WORSE_INK
    return picture


NINE_TOLERANCES = tuple(range(10, 91, 10))
"""Grey levels; those of the original's ladder of nine pictures."""

_RUNGS = 9
_REACH = 99.5  # percentile of the changes: the ladder ends a rung beyond it, so that few large ones do not stretch it

FARTHEST = 255.0
"""Grey levels: ends of a histogram."""


@dataclass(frozen=True)
class TolerancePoint:
    """What a map says at one tolerance: pixels of all planes; the score is NaN where none changed."""

    tol: float
    score: float
    better: int
    worse: int
    count: int


def tolerance_curve(
    values: QualityMap | npt.NDArray[np.float32], tols: Sequence[float] = NINE_TOLERANCES, *, median: int = 0
) -> tuple[TolerancePoint, ...]:
    """Count a map, or its values, at several tolerances: all pixels, also of blocks that a score leaves out."""
    array = _values(values)
    points = []
    for tol in tols:
        better, worse = (int(np.count_nonzero(mask)) for mask in marks(array, tol, median=median))
        count = better + worse
        points.append(TolerancePoint(float(tol), better / count if count else math.nan, better, worse, count))
    return tuple(points)


def histogram(
    values: QualityMap | npt.NDArray[np.float32],
    *,
    tol: float = 0.0,
    bins: int = 17,
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.int64]]:
    """Count the changes of a map by size, those up to `tol` left out; give the edges of the bins, and the counts.

    The bins are of equal width, from -255 to 255 grey levels; what lies beyond is in the outer ones. 17 of them are the
    notebook's (``255 // 15``).
    """
    tol = checked_tol(tol)
    if isinstance(bins, bool) or not isinstance(bins, int | np.integer) or bins < 1:
        raise InputError(f"bins is {bins!r}; give a whole number of at least 1.")
    array = _values(values)
    changed = array[np.abs(array) > np.float32(tol)]
    counts, edges = np.histogram(changed.clip(-FARTHEST, FARTHEST), bins=int(bins), range=(-FARTHEST, FARTHEST))
    return edges, counts


def _values(values: Any) -> npt.NDArray[np.float32]:
    if not isinstance(values, QualityMap):
        return np.asarray(values, np.float32)
    if values.kind != "diff_diff":
        raise InputError(f"The map is of the kind {values.kind!r}; give one of the kind 'diff_diff'.")
    return np.asarray(values.values, np.float32)


def ladder_tolerances(values: npt.NDArray[np.floating[Any]]) -> tuple[float, ...]:
    """Choose nine tolerances in even steps up to a map's largest changes, such as 10, 20 .. 90."""
    finite = np.abs(values[np.isfinite(values)])
    reach = max(float(np.percentile(finite, _REACH)) if finite.size else 0.0, 1.0)
    step = reach / (_RUNGS + 1)
    power = 10.0 ** np.floor(np.log10(step))
    nice = next((power * size for size in (1.0, 2.0, 5.0) if power * size >= step), power * 10)
    return tuple(float(nice * number) for number in range(1, _RUNGS + 1))


def block_colour(lean: float) -> tuple[float, float, float, float]:
    """Colour a block by how one-sided it is, -1 (all worse) to 1 (all better), pale enough for black words on it.

    The opacity is that at which they are read whatever image lies under it.
    """
    end = _PALE_BETTER if lean > 0 else _PALE_WORSE
    red, green, blue = (_PALE_EVEN + min(abs(lean), 1.0) * (end - _PALE_EVEN)).tolist()
    return red, green, blue, BLOCK_OPACITY
