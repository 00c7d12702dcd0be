"""What an image is: the one place that turns an array into luminance planes, and the one place that says no.

Every subject works on float32 luminance planes on the scale of 8-bit code values (0..255, above that what is brighter
than the white of an ordinary picture), whatever the dtype, the value range and the channels of the array it was given.
NaN marks a hole: a pixel without a value.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from .arrays import as_array, check_numbers, computed, is_dask
from .display import DARKEST, SDR_WHITE, WHITE, Display
from .errors import InputError

REC709_WEIGHTS = (0.2126, 0.7152, 0.0722)
"""Weights of red, green and blue in the luminance; applied to gamma-coded values, as the published method does."""

DataRange = float | tuple[float, float] | None

_KNOWN_RANGES: dict[str, tuple[float, float]] = {"bool": (0, 1), "uint8": (0, 255), "uint16": (0, 65535)}
_SMALLEST_COLOUR_SIDE = 16
_NARROWEST, _WIDEST = 1e-30, 1e30  # of a range: 255 times a value, over its width, has to fit into float32
_STEPS = 256  # that float64 has to have between black and white
_CLAIMED = 2**30  # pixels up to which an array may repeat those that it holds
_RADII = (1, 3, 7, 15, 31)
REACH = _RADII[-1]
"""How far, in pixels, a hole looks for valid neighbours; past that distance it cannot touch a valid answer."""

_CODES = Display()
_CANDELAS = (0.0, SDR_WHITE)
_DIM = 1.0  # cd/m2: what is nowhere brighter is more often a picture scaled to one than a scene at night


@dataclass(frozen=True, eq=False)
class Planes:
    """An array seen as a stack of luminance planes; pixels are converted when they are read.

    The array, of numpy or dask, is ``(..., height, width)`` or, with channels (1 grey, 3 RGB, 4 RGB and an ignored
    alpha), ``(..., height, width, channels)``. `data_range` are the values of black and white; (0, 100) if values are
    cd/m2.
    """

    array: Any
    has_channels: bool
    data_range: tuple[float, float]
    display: Display = _CODES
    notes: tuple[str, ...] = ()

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape without the channel axis: ``(..., height, width)``."""
        shape: tuple[int, ...] = self.array.shape[:-1] if self.has_channels else self.array.shape
        return shape

    @property
    def is_lazy(self) -> bool:
        """Whether the pixels are in a dask array."""
        return is_dask(self.array)

    def read(self, plane: tuple[int, ...], rows: Any, columns: Any) -> npt.NDArray[np.float32]:
        """Read a window of one plane as luminance, float32: 0..255 and above, NaN in holes; what is lazy is computed.

        Rows and columns are slices, or index arrays, which may repeat, as reflection does.
        """
        window = self.window(plane, rows, columns)
        return luminance(window, self.data_range, has_channels=self.has_channels, display=self.display)

    def window(self, plane: tuple[int, ...], rows: Any, columns: Any) -> npt.NDArray[Any]:
        """Read a window of one plane as it is, its channels last; see `read`."""
        pixels = self.array[plane]
        if isinstance(rows, slice) and isinstance(columns, slice):
            window = pixels[rows, columns]
        else:
            window = np.take(np.take(pixels, _indices(rows, pixels.shape[0]), axis=0),
                             _indices(columns, pixels.shape[1]), axis=1)  # fmt: skip
        pixels_there: npt.NDArray[Any] = computed(window)
        return pixels_there

    def colours(self) -> list[Planes]:
        """Give each colour as grey planes of its own: red, green and blue, or the one there is; alpha is left out."""
        if not self.has_channels:
            return [self]
        count = min(self.array.shape[-1], len(REC709_WEIGHTS))
        return [replace(self, array=self.array[..., channel], has_channels=False) for channel in range(count)]

    def lazy_luminance(self) -> Any:
        """Give the luminance of all planes as a dask array, float32, NaN in holes; nothing is computed."""
        array = self.array
        options = {"data_range": self.data_range, "has_channels": self.has_channels, "display": self.display}
        if not self.has_channels:
            return array.map_blocks(
                luminance, dtype=np.float32, meta=np.empty((0,) * array.ndim, np.float32), **options
            )
        array = array.rechunk({array.ndim - 1: -1})
        return array.map_blocks(
            luminance,
            dtype=np.float32,
            drop_axis=array.ndim - 1,
            meta=np.empty((0,) * (array.ndim - 1), np.float32),
            **options,
        )


def luminance(
    pixels: npt.NDArray[Any],
    data_range: tuple[float, float],
    *,
    has_channels: bool,
    display: Display = _CODES,
) -> npt.NDArray[np.float32]:
    """Convert pixels of any real dtype to float32 luminance on the 0..255 scale of 8-bit code values.

    NaN where any colour channel is NaN, infinite or masked; a fourth channel, alpha, is ignored. Display codes outside
    `data_range` are clipped to it: no display shows them.

    ``Y = .2126 R + .7152 G + .0722 B`` on gamma-coded values, as in Kottayil et al. (ICIP 2018). Linear values are
    coded channel by channel first, so that a colour picture stated in cd/m2 is the same plane. The code of its linear
    luminance would be another: 9 code values higher, on average, for a photograph in warm colours.
    """
    mask = np.ma.getmaskarray(pixels) if isinstance(pixels, np.ma.MaskedArray) else None
    values = np.ma.getdata(pixels)
    if not has_channels:
        result = display.codes(values, data_range)
    elif values.shape[-1] == 1:
        result = display.codes(values[..., 0], data_range)
    else:
        result = np.zeros(values.shape[:-1], np.float32)
        for channel, weight in enumerate(REC709_WEIGHTS):
            result += np.float32(weight) * display.codes(values[..., channel], data_range)
    if mask is not None:
        result[mask[..., :3].any(axis=-1) if has_channels else mask] = np.nan
    return result


def as_planes(
    image: Any,
    *,
    data_range: DataRange = None,
    channel_axis: int | None = None,
    display: Display = _CODES,
    name: str = "image",
) -> Planes:
    """Check an array against the contract for images and see it as luminance planes.

    An image is ``(height, width)``, a stack ``(..., height, width)``, or either with an axis of channels, as in
    scikit-image; bool, integer or real floating point. Masked pixels are holes. `data_range` is black and white, one
    number meaning ``(0, number)``. It is known for bool (0, 1), uint8 (0, 255) and uint16 (0, 65535), and **required
    for every other dtype**: it is never guessed from the data. For absolute values it is that of black and of diffuse
    white; None means that values are cd/m2. Nothing is copied or computed, beyond what ``numpy.asanyarray`` does and
    the brightest value of an image in cd/m2.
    """
    array = as_array(image, name)
    check_numbers(array, name)
    is_light = display.luminance == "absolute"
    states_unit = is_light and data_range is None
    used_range = _CANDELAS if states_unit else _resolve_range(array.dtype, data_range, name)
    has_channels = channel_axis is not None
    if channel_axis is not None:
        array = _channels_last(array, channel_axis, name)
    _check_shape(array, has_channels, name)
    notes = _checked_light(array, has_channels, name) if states_unit else ()
    return Planes(array, has_channels, used_range, display, notes)


def check_same_shape(first: Planes, second: Planes, names: Sequence[str]) -> None:
    """Refuse two images of different sizes."""
    if first.shape != second.shape:
        sizes = ["x".join(map(str, planes.shape)) for planes in (first, second)]
        raise InputError(
            f"The {names[0]} and the {names[1]} differ in size ({sizes[0]}, {sizes[1]}). "
            "Register them first, or crop both to the same pixels."
        )


def _indices(selection: Any, length: int) -> Any:
    return np.arange(length)[selection] if isinstance(selection, slice) else selection


def _resolve_range(dtype: np.dtype[Any], data_range: DataRange, name: str) -> tuple[float, float]:
    if data_range is None:
        known = _KNOWN_RANGES.get(dtype.name)
        if known is None:
            raise InputError(
                f"The {name} is {dtype.name}, and the values of black and white cannot be known from that. Say "
                "data_range=(black, white), such as (0, 1) for a float image scaled to one."
            )
        return known
    try:
        pair = np.asarray(data_range, dtype=float)
    except (TypeError, ValueError):
        raise InputError(f"data_range is {data_range!r}; give (black, white) or one number for white.") from None
    if pair.shape == ():
        pair = np.array([0.0, float(pair)])
    if pair.shape != (2,):
        raise InputError(f"data_range has {pair.size} values; give (black, white) or one number for white.")
    low, high = map(float, pair)
    if not (math.isfinite(low) and math.isfinite(high)):
        raise InputError(f"data_range is ({low:g}, {high:g}); both values must be finite.")
    if high <= low:
        raise InputError(
            f"data_range is ({low:g}, {high:g}); white must lie above black. Swap them or widen the range."
        )
    if not _NARROWEST <= high - low <= _WIDEST or max(abs(low), abs(high)) > _WIDEST:
        raise InputError(
            f"data_range is ({low:g}, {high:g}); black and white have to be {_NARROWEST:g} to {_WIDEST:g} apart, to be "
            "computed with. Scale the image first, such as to (0, 1)."
        )
    if high - low < _STEPS * np.finfo(np.float64).eps * max(abs(low), abs(high)):
        raise InputError(
            f"data_range is ({low!r}, {high!r}); of numbers so large, hardly any lie between the two. Subtract black "
            "from the image first, in its own type."
        )
    return low, high


def _checked_light(array: Any, has_channels: bool, name: str) -> tuple[str, ...]:
    """Refuse what cannot be light in cd/m2, and give a note on what hardly is: a wrong unit gives plausible maps."""
    if array.dtype.name in ("bool", "uint8"):
        raise InputError(
            f"The {name} is {array.dtype}, whose values are display codes, not light in cd/m2. Leave luminance at "
            "'code', and say peak_luminance and black_level of the display if they matter."
        )
    if is_dask(array):
        return ()
    brightest = _brightest(array[..., :3] if has_channels else array)
    if 0 < brightest < DARKEST:
        raise InputError(
            f"The brightest value of the {name} is {brightest:.3g}; in cd/m2 all of it would be black (under "
            f"{DARKEST:g}). If values are relative, say data_range=(0, value of diffuse white)."
        )
    if 0 < brightest <= _DIM:
        return (
            f"the {name} is nowhere brighter than {brightest:.3g} cd/m2, as a scene at night is; if its values are "
            "relative, say data_range=(0, value of diffuse white)",
        )
    return ()


def _brightest(array: npt.NDArray[Any]) -> float:
    """Give the highest value but NaN and infinity; 0 where there is none."""
    values = np.ma.getdata(array)
    highest = float(np.fmax.reduce(values, axis=None))
    if math.isinf(highest):
        highest = float(np.max(values, where=np.isfinite(values), initial=0))
    return highest if math.isfinite(highest) else 0.0


def _channels_last(array: Any, channel_axis: int, name: str) -> Any:
    if isinstance(channel_axis, bool) or not isinstance(channel_axis, int | np.integer):
        raise InputError(f"channel_axis is {channel_axis!r}; give the number of an axis, or None for a grey image.")
    if not -array.ndim <= channel_axis < array.ndim:
        raise InputError(
            f"channel_axis is {channel_axis}, but the {name} has axes 0 to {array.ndim - 1} "
            f"(shape {tuple(array.shape)}). Use -1 for channels in the last axis, None for a grey image."
        )
    channel_axis %= array.ndim
    channels = array.shape[channel_axis]
    if channels not in (1, 3, 4):
        raise InputError(
            f"The {name} has {channels} channels along axis {channel_axis}; a luminance is defined for 1 (grey), "
            "3 (RGB) and 4 (RGB and alpha). Choose one channel, or pass channel_axis=None with that axis in front to "
            "get one map per channel."
        )
    order = [axis for axis in range(array.ndim) if axis != channel_axis] + [channel_axis]
    return array.transpose(order)


def _check_shape(array: Any, has_channels: bool, name: str) -> None:
    shape = array.shape[:-1] if has_channels else array.shape
    if len(shape) < 2:
        axes = "beside its channels " if has_channels else ""
        raise InputError(
            f"The {name} has {len(shape)} axes {axes}(shape {tuple(array.shape)}); "
            "an image needs two, height and width."
        )
    if 0 in shape:
        raise InputError(f"The {name} is empty (shape {tuple(array.shape)}). Check how it was read or cropped.")
    _check_claim(array, name)
    looks_colour = not has_channels and len(shape) == 3 and shape[-1] in (3, 4)
    if looks_colour and min(shape[:2]) >= _SMALLEST_COLOUR_SIDE:
        raise InputError(
            f"The {name} has shape {tuple(array.shape)}, which without channel_axis would be {shape[0]} planes of only "
            f"{shape[2]} pixels' width. Pass channel_axis=-1 if the last axis holds colours."
        )


def _check_claim(array: Any, name: str) -> None:
    """Refuse an array that repeats few pixels so often that no memory could hold an answer for each."""
    if is_dask(array) or array.size <= _CLAIMED:
        return
    held = math.prod(length for length, stride in zip(array.shape, array.strides, strict=True) if stride)
    if held < array.size:
        raise InputError(
            f"The {name} says that it has {array.size:.3g} values (shape {tuple(array.shape)}), and repeats the {held} "
            "that it holds. Give those alone."
        )


def fill(plane: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """Fill the holes of a plane from the nearest scale at which they have valid neighbours.

    The plane itself is given where it has no hole; otherwise a copy in which each hole holds the mean of the valid
    pixels in the smallest window (3, 7, 15, 31, 63 pixels wide) that has any, and middle grey where none has. Such a
    hole is farther from every valid pixel than any halo of this package, so its grey reaches no answer.
    """
    holes = ~np.isfinite(plane)
    if not holes.any():
        return plane
    valid = (~holes).astype(np.float32)
    known = np.where(holes, np.float32(0), plane)
    filled = known.copy()
    pending = holes
    for radius in _RADII:
        size = 2 * radius + 1
        # mode="constant" counts nothing outside the plane, so the mean is over pixels that exist.
        weight = ndimage.uniform_filter(valid, size, mode="constant")
        total = ndimage.uniform_filter(known, size, mode="constant")
        # Running sums leave rounding errors where the true count is zero: less than half a pixel is none.
        reached = pending & (weight * size**2 > 0.5)
        filled[reached] = total[reached] / weight[reached]
        pending = pending & ~reached
    filled[pending] = WHITE / 2
    # Code values of high dynamic range lie above white; the fill adds nothing brighter.
    return np.clip(filled, 0, max(WHITE, float(known.max())), out=filled)


def check_common_range(images: Sequence[Planes]) -> None:
    """Refuse one stated range for images of dtypes to which it cannot apply alike."""
    types = {planes.array.dtype.name for planes in images}
    ranges = {planes.data_range for planes in images}
    low, high = images[0].data_range
    whites = (_KNOWN_RANGES.get(planes.array.dtype.name, (low, high))[1] for planes in images)
    contradicted = any(white != high for white in whites)
    if len(types) > 1 and len(ranges) == 1 and contradicted:
        raise InputError(
            f"The images are of types {', '.join(sorted(types))}, and one data_range of ({low:g}, {high:g}) does not "
            "suit all of them. Convert them to one type first, such as with skimage.util.img_as_float."
        )
