"""The two images of a registration, as every method needs them: checked, on one scale, and locally normalised."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from .. import images
from ..arrays import as_array
from ..errors import InputError
from ..images import Planes, as_planes, check_common_range, range_for
from ..opencv import opencv
from ..value_range import DataRange
from .geometry import resizing

Plane = npt.NDArray[np.float32]
Mask = npt.NDArray[np.bool_]
Bytes = npt.NDArray[np.uint8]

SMALLEST_SIDE = 16
"""Pixels; a smaller image holds too little to be registered by."""

_TAILS = (0.5, 99.5)  # percentiles that become black and white for methods that want bytes
_BLACK_TO_WHITE = 255.0
_CLIPPED = (-64.0, 320.0)
_FLAT = 1e-3  # grey levels: less than this between the tails is rounding


@dataclass(frozen=True, eq=False)
class Side:
    """One of the two images: luminance, finite everywhere since holes are filled from around, and where it is known.

    `memory` is what methods have computed from it and may want again, such as its key points.
    """

    plane: Plane
    known: Mask
    memory: dict[Any, Any] = field(default_factory=dict, repr=False)

    @property
    def shape(self) -> tuple[int, int]:
        """Height and width in pixels."""
        height, width = self.plane.shape
        return height, width

    @cached_property
    def stretched(self) -> Plane:
        """The plane with its contrast stretched: half a percent of pixels is below 0, half a percent above 255.

        A picture in a corner of its range (12 bits in 16) is as good as any. What is far outside is clipped to -64 and
        320, so that a few lights do not outweigh a scene. A flat plane is 128 everywhere.
        """
        values = self.plane[self.known] if not self.known.all() else self.plane
        low, high = np.percentile(values, _TAILS)
        if high - low < _FLAT:
            return np.full(self.plane.shape, 128, np.float32)
        stretched = (self.plane - np.float32(low)) * np.float32(_BLACK_TO_WHITE / (high - low))
        return np.clip(stretched, *_CLIPPED, out=stretched)

    @cached_property
    def bytes(self) -> Bytes:
        """uint8: what is stretched, rounded and clipped (for features and flow)."""
        return np.clip(np.rint(self.stretched), 0, _BLACK_TO_WHITE).astype(np.uint8)


@dataclass(frozen=True, eq=False)
class Pair:
    """The moving and the fixed image, which may differ in size; `standard` is the fixed one as it came."""

    moving: Side
    fixed: Side
    standard: Planes


def as_pair(moving: Any, fixed: Any, *, data_range: DataRange = None, channel_axis: int | None = None) -> Pair:
    """Check two images, either of which may be grey, and bring both to luminance."""
    named = {"moving image": moving, "fixed image": fixed}
    used = range_of_pair(fixed, data_range, channel_axis)
    planes = [
        as_planes(image, data_range=used, channel_axis=plane_channel_axis(image, channel_axis), name=name)
        for name, image in named.items()
    ]
    check_common_range(planes)
    first, second = map(_side, planes, named)
    return Pair(first, second, planes[1])


def range_of_pair(fixed: Any, data_range: DataRange, channel_axis: int | None) -> DataRange:
    """Give the range of both images: what is to be found in the values, it finds in the fixed one."""
    return range_for(fixed, data_range, channel_axis=plane_channel_axis(fixed, channel_axis), name="fixed image")


def plane_channel_axis(image: Any, channel_axis: int | None) -> int | None:
    """Give the channel axis of one of the images: None if it is grey although the other has colours."""
    return None if channel_axis is None or as_array(image, "image").ndim <= 2 else channel_axis


def reduced(image: npt.NDArray[Any], scale: float, *, least: int = 1) -> Any:
    """Make an image smaller by one factor for both directions, smoothing it first; no side below `least`."""
    cv2 = opencv()
    size = (max(least, round(image.shape[1] * scale)), max(least, round(image.shape[0] * scale)))
    # What takes a blur of half a pixel of the image to one of half a pixel of the result: sqrt((.5 / scale)^2 - .5^2).
    smooth = cv2.GaussianBlur(image, (0, 0), 0.5 * math.sqrt(1 / scale**2 - 1))
    return cv2.warpAffine(smooth, resizing(scale)[:2], size, flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)


def _side(planes: Planes, name: str) -> Side:
    if len(planes.shape) > 2:
        raise InputError(
            f"The {name} is a stack (shape {planes.shape}); register takes one plane. Use register_series for a stack, "
            "or choose one plane."
        )
    if min(planes.shape) < SMALLEST_SIDE:
        size = "x".join(map(str, planes.shape))
        raise InputError(f"The {name} has {size} pixels; registration needs at least {SMALLEST_SIDE} on each side.")
    plane = planes.read((), slice(None), slice(None))
    known = np.isfinite(plane)
    if not known.any():
        raise InputError(f"The {name} has no pixel with a value (all NaN or masked). Check how it was read.")
    return Side(images.fill(plane), known)
