"""From the samples that a decoder gives to an image: which are colours, which is alpha, what is white, what is up."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from ..display import Luminance
from ._metadata import PixelSize
from .image_file import ImageFile, alpha_note, upright
from .source import Source


def image_of(
    source: Source,
    array: npt.NDArray[Any],
    *,
    has_samples: bool | None = None,
    white: int | None = None,
    data_range: tuple[float, float] | None = None,
    orientation: int = 1,
    pixel_size: PixelSize | None = None,
    luminance: Luminance = "code",
    notes: tuple[str, ...] = (),
) -> ImageFile:
    """Make an image of ``(height, width)``, ``(height, width, samples)`` or frames of either in front.

    One sample is grey; two are grey and alpha, of which the grey is kept; three and four are colours, and alpha; more
    are planes. `has_samples`: whether the last axis is samples; None if it is of three axes or more. `white`: the
    highest code, where it is not that of the type.
    """
    if has_samples is None:
        has_samples = array.ndim > 2
    if white is not None and not (array.dtype.kind == "u" and white == np.iinfo(array.dtype).max):
        data_range = (0.0, float(white))
    if has_samples and array.shape[-1] == 1:
        array, has_samples = array[..., 0], False
    elif has_samples and array.shape[-1] == 2:
        notes += alpha_note(array, array.ndim - 1, data_range)
        array, has_samples = np.ascontiguousarray(array[..., 0]), False
    stack = "Q" * (array.ndim - 2 - has_samples)
    turned, turn_notes = upright(array, orientation, len(stack))
    if has_samples and array.shape[-1] > 4:
        turned, stack, has_samples = np.moveaxis(turned, -1, len(stack)), stack + "C", False
    channel_axis = turned.ndim - 1 if has_samples else None
    if pixel_size is not None and orientation >= 5 and turn_notes:
        pixel_size = pixel_size[::-1]  # rows have become columns
    return ImageFile(
        source.path,
        turned,
        channel_axis,
        stack + ("YXS" if has_samples else "YX"),
        data_range,
        (*notes, *turn_notes, *alpha_note(turned, channel_axis, data_range)),
        luminance,
        pixel_size,
    )
