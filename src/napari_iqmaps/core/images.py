"""What an image is: the one place that turns an array into luminance planes, and the one place that says no.

Every subject works on float32 luminance planes on the scale of 8-bit code values (0..255, above that what is brighter
than the white of an ordinary picture), whatever the dtype, the value range and the channels of the array it was given.
NaN marks a hole: a pixel without a value.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt

from .arrays import as_array, check_numbers, computed, is_dask
from .display import DARKEST, SDR_WHITE, WHITE, Display
from .errors import InputError
from .progress import Progress, Steps
from .span import LAZY, LazySeen, Look, Seen
from .value_range import KNOWN, RULES, DataRange, RangeRule, ValueRange, checked_range, range_of_values

REC709_WEIGHTS = (0.2126, 0.7152, 0.0722)
"""Weights of red, green and blue in the luminance; applied to gamma-coded values, as the published method does."""

_SMALLEST_COLOUR_SIDE = 16
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
    cd/m2. `rule` says how they were found in the values, if that was asked for. `seen` is what
    was seen of a dask array whose windows were read.
    """

    array: Any
    has_channels: bool
    data_range: tuple[float, float]
    display: Display = _CODES
    notes: tuple[str, ...] = ()
    rule: RangeRule | None = None
    seen: Seen = field(default_factory=Seen, repr=False)

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
        if self.is_lazy:
            self.seen.join(self._look.at_part(pixels_there))
        return pixels_there

    def record(self) -> dict[str, Any]:
        """Say for a result's info what values meant: black, white, and light; see `range_record`."""
        return {**self.range_record(), **self.display.record()}

    def range_record(self, name: str = "image") -> dict[str, Any]:
        """Say for a result's info what was black and white, how that came about, and how much of it is used.

        Of a dask array that is because its windows were read; where none was, it will be seen when the result is
        computed.
        """
        found = {} if self.rule is None else {"range_rule": self.rule}
        record = {"data_range": self.data_range, **found}
        if self.array.dtype.kind == "b":
            return record
        if not self.is_lazy:
            return record | self._look.of_array(self.array, name)
        if self.seen.ends.known:
            return record | self._look.of_seen(self.seen)
        return {**record, LAZY: LazySeen.of(self.array, self._look)}

    @property
    def _look(self) -> Look:
        is_light = self.display.luminance == "absolute"
        as_codes = partial(luminance, data_range=self.data_range, has_channels=self.has_channels, display=self.display)
        codes = None if self.display.is_plain else as_codes
        is_ranged = not (is_light and self.data_range == _CANDELAS)
        return Look(self.has_channels, self.data_range, codes, self.display.encoding, is_ranged)

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
    progress: Progress | None = None,
) -> Planes:
    """Check an array against the contract for images and see it as luminance planes.

    An image is ``(height, width)``, a stack ``(..., height, width)``, or either with an axis of channels, as in
    scikit-image; bool, integer or real floating point. Masked pixels are holes. `data_range` is black and white, one
    number meaning ``(0, number)``. It is known for bool (0, 1), uint8 (0, 255) and uint16 (0, 65535), and **required
    for every other dtype**: it is never guessed from the data, but ``"data"`` and ``"percentiles"`` ask for it; see
    `range_of_values`. For absolute values it is that of black and of diffuse white; None means that values are cd/m2.
    Nothing is copied or computed, beyond what ``numpy.asanyarray`` does, the brightest value of an image in cd/m2, and
    a range that is asked for, while `progress` is told that the work goes on.
    """
    array = as_array(image, name)
    check_numbers(array, name)
    is_light = display.luminance == "absolute"
    states_unit = is_light and data_range is None
    rule = next((rule for rule in RULES if isinstance(data_range, str) and data_range == rule), None)
    if rule is not None and is_light:
        raise InputError(
            f"data_range is {rule!r}, and the {name} is light, whose unit says what is white. Leave data_range out for "
            "cd/m2, or say data_range=(0, value of diffuse white)."
        )
    found: tuple[float, float] = _CANDELAS
    if not states_unit and rule is None:
        found = checked_range(data_range, array.dtype, name)
    has_channels = channel_axis is not None
    if channel_axis is not None:
        array = _channels_last(array, channel_axis, name)
    _check_shape(array, has_channels, name)
    if rule is not None:
        look = partial(range_of_values, array, rule, name, has_channels=has_channels)
        found = Steps(progress).wait(look)
    notes = _checked_light(array, has_channels, name) if states_unit else ()
    own = rule or (data_range.rule if isinstance(data_range, ValueRange) else None)
    return Planes(array, has_channels, (found[0], found[1]), display, notes, own)


def range_for(
    image: Any,
    data_range: DataRange,
    *,
    channel_axis: int | None = None,
    display: Display = _CODES,
    name: str = "image",
    progress: Progress | None = None,
) -> DataRange:
    """Give one range for all images of a call: what is to be found in the values, it finds in this one.

    This is the reference or the fixed image, where there is one, and else the image that results lie on. What is stated
    in numbers, or left to the type, is given as it is; see `as_planes`.
    """
    if not isinstance(data_range, str):
        return data_range
    planes = as_planes(
        image, data_range=data_range, channel_axis=channel_axis, display=display, name=name, progress=progress
    )
    return ValueRange(planes.data_range, planes.rule)


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
    from scipy import ndimage  # takes a third of a second to import, and few images have holes

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
    whites = (KNOWN.get(planes.array.dtype.name, (low, high))[1] for planes in images)
    known = types & KNOWN.keys()
    # A range that was found in one image is asked for beside floating point of the same values, as a warped copy is.
    is_found = images[0].rule is not None and len(known) < 2
    contradicted = not is_found and any(white != high for white in whites)
    if len(types) > 1 and len(ranges) == 1 and contradicted:
        raise InputError(
            f"The images are of types {', '.join(sorted(types))}, and one data_range of ({low:g}, {high:g}) does not "
            "suit all of them. Convert them to one type first, such as with skimage.util.img_as_float."
        )
