"""Marks and pictures of a judgement: which pixels got better or worse, and the overlay of two images."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from ..errors import InputError
from ..images import DataRange, as_planes, check_same_shape
from .options import checked_median, checked_tol
from .tally import voted_masks

Mask = npt.NDArray[np.bool_]
Picture = npt.NDArray[np.uint8]

BETTER_INK = (255, 255, 255)
WORSE_INK = (0, 0, 0)


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
    """Show one image in red and the other in green: where they agree, the picture is yellow to black."""
    names = ("registered image", "fixed image")
    images = [
        as_planes(image, data_range=data_range, channel_axis=channel_axis, name=name)
        for image, name in zip((registered, fixed), names, strict=True)
    ]
    check_same_shape(images[0], images[1], names)
    picture = np.zeros((*images[0].shape, 3), np.uint8)
    for index in np.ndindex(*images[0].shape[:-2]):
        for channel, planes in enumerate(images):
            plane = np.nan_to_num(planes.read(index, slice(None), slice(None)), nan=0.0)
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
    """Show the overlay with the pixels that got better in white and those that got worse in black; see `marks`."""
    picture = overlay(registered, fixed, data_range=data_range, channel_axis=channel_axis)
    better, worse = marks(values, tol, median=median)
    if better.shape != picture.shape[:-1]:
        raise InputError(f"The map has shape {better.shape}, and the images {picture.shape[:-1]}. Give their own map.")
    picture[better] = BETTER_INK
    picture[worse] = WORSE_INK
    return picture
