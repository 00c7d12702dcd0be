"""The bank of distortions: every row by its name, and how one is put into an image."""

from __future__ import annotations

import difflib
import zlib
from types import MappingProxyType
from typing import Any

import numpy as np
import numpy.typing as npt

from ..arguments import checked
from ..errors import InputError
from ..images import Planes, as_planes
from ..value_range import DataRange
from . import blur, coding, loss, noise, tone
from .record import Distortion, Pixels, checked_severity

BANK = MappingProxyType({
    row.name: row for family in (noise, blur, coding, tone, loss) for row in family.ROWS
})  # fmt: skip


@checked
def distortions(*, family: str | None = None) -> tuple[str, ...]:
    """Give the names of the distortions of the bank.

    Parameters
    ----------
    family : str, optional
        Only those of one family: "noise", "blur", "coding", "tone", "colour" or "loss".

    Returns
    -------
    tuple of str
        Names for `distort`, in the bank's order, which does not change; new ones are added at a family's end.

    Raises
    ------
    InputError
        If there is no such family.
    """
    families = list(dict.fromkeys(row.family for row in BANK.values()))
    if family is not None and family not in families:
        raise InputError(f"There is no family {family!r} of distortions. Choose one of {', '.join(families)}.")
    return tuple(row.name for row in BANK.values() if family in (None, row.family))


@checked
def distortion(name: str) -> Distortion:
    """Give the record of a distortion: what its parameter is, and its values at the five severities.

    Parameters
    ----------
    name : str
        One of `distortions()`.

    Returns
    -------
    Distortion
        The row of the bank.

    Raises
    ------
    InputError
        If there is no such distortion.
    """
    row: Distortion | None = BANK.get(name) if isinstance(name, str) else None
    if row is None:
        close = difflib.get_close_matches(str(name), BANK, n=3)
        hint = f"Did you mean {' or '.join(close)}?" if close else f"There are {', '.join(BANK)}."
        raise InputError(f"There is no distortion {name!r}. {hint}")
    return row


_SMALLEST_SIDE = 8
_FILL_WHITE = np.float32(255)  # the scale of `images.fill`


@checked
def distort(
    image: Any,
    name: str,
    severity: float,
    *,
    seed: int = 0,
    data_range: DataRange = None,
    channel_axis: int | None = None,
) -> Any:
    """Distort an image by a row of the bank.

    Parameters
    ----------
    image : array_like or dask.array.Array
        Grey ``(height, width)``, a stack ``(..., height, width)``, or either with a channel axis of 1, 3 (RGB) or 4
        (RGB and alpha) channels; at least 8 pixels a side. Integer or floating point.
    name : str
        One of `distortions()`.
    severity : float
        1 (just visible) to 5 (very bad). Between whole numbers the row's parameter is interpolated geometrically;
        0 gives a copy of the image.
    seed : int
        0 or more. A random distortion makes the same draw for the same seed, name and image shape; the severity
        scales it.
    data_range : float, (float, float), "data" or "percentiles", optional
        The values of black and of white; one number means ``(0, number)``. Known for uint8 and uint16, **required
        for every other dtype**. ``"data"`` takes the lowest and the highest value of all planes and colours,
        ``"percentiles"`` the 0.1th and the 99.9th percentile. Values outside the range are clipped for the
        computation, and stay as they are in the copy.
    channel_axis : int, optional
        Which axis holds the channels; None means grey.

    Returns
    -------
    numpy.ndarray or dask.array.Array
        The distorted image: shape and dtype of the image, values in its range; lazy for a dask array. Alpha, holes
        (NaN, infinite or masked values) and values outside the range stay as they are.

    Raises
    ------
    InputError
        If there is no such distortion or severity, the image breaks the contract for images, is bool or under 8
        pixels a side, or the distortion is one of colours and the image is grey.

    Notes
    -----
    Every effect works on float32 values of 0 (black) to 1 (white), gamma-coded as they are. Integers are rounded at
    the end. JPEG and JPEG 2000 go through 8 bits. Each plane of a stack has its own draw; its first has that of a
    single image. For filters, a hole is filled from its neighbours first.

    `distortion` tells the formula, the parameter and its five values. These are
    meant to make one severity about as bad whatever the distortion: they follow TID2013's mean opinions [1]_ for the
    kinds it has, GMSD [2]_ for the others that change gradients, and the eye for tones and colours, rounded.

    References
    ----------
    .. [1] N. Ponomarenko et al., "Image database TID2013: Peculiarities, results and perspectives", Signal Processing:
       Image Communication 30, 2015. https://doi.org/10.1016/j.image.2014.10.009
    .. [2] W. Xue, L. Zhang, X. Mou, A. C. Bovik, "Gradient magnitude similarity deviation", IEEE TIP 23(2), 2014.
       https://doi.org/10.1109/TIP.2013.2293423

    Examples
    --------
    >>> import numpy as np
    >>> import napari_iqmaps as iq
    >>> grey = np.full((32, 32), 128, np.uint8)
    >>> noisy = iq.distort(grey, "gaussian_noise", 3)
    >>> noisy.dtype, noisy.shape
    (dtype('uint8'), (32, 32))
    """
    row = distortion(name)
    value = checked_severity(severity)
    planes = as_planes(image, data_range=data_range, channel_axis=channel_axis)
    _check(planes, row, seed)
    if value == 0:
        return image if planes.is_lazy else np.array(image, copy=True, subok=True)
    strength = row.strength(value)
    if planes.is_lazy:
        result = _lazily(planes, row, strength, seed)
    else:
        result = planes.array.copy()
        for number, index in enumerate(np.ndindex(planes.shape[:-2])):
            result[index] = _plane(planes.array[index], planes, row, strength, _generator(row, seed, number))
    if channel_axis is None:
        return result
    axes = list(range(result.ndim - 1))
    axes.insert(channel_axis % result.ndim, result.ndim - 1)
    return result.transpose(axes)


def _check(planes: Planes, row: Distortion, seed: Any) -> None:
    if planes.array.dtype.kind == "b":
        raise InputError(
            "The image is bool: two values leave a distortion no room. Convert it first, for example to "
            "image.astype('uint8') * 255."
        )
    if row.needs_colour and not (planes.has_channels and planes.array.shape[-1] >= len("RGB")):
        raise InputError(
            f"The image is grey, and {row.name} changes only colours. Pass channel_axis if an axis holds colours, or "
            "choose a distortion of another kind."
        )
    height, width = planes.shape[-2:]
    if min(height, width) < _SMALLEST_SIDE:
        raise InputError(
            f"The image has {height}x{width} pixels, and distortions need {_SMALLEST_SIDE}x{_SMALLEST_SIDE}, "
            "the block of a JPEG. Enlarge or pad it."
        )
    if isinstance(seed, bool) or not isinstance(seed, int | np.integer) or seed < 0:
        raise InputError(f"The seed is {seed!r}; give a whole number, 0 or more.")


def _generator(row: Distortion, seed: int, number: int) -> np.random.Generator:
    # Not hash(): Python salts it anew in every process.
    key = (zlib.crc32(row.name.encode()), number)
    return np.random.default_rng(np.random.SeedSequence(int(seed), spawn_key=key))


def _plane(
    pixels: npt.NDArray[Any], planes: Planes, row: Distortion, strength: float, rng: np.random.Generator
) -> npt.NDArray[Any]:
    """Distort one plane, with its channels last if it has them."""
    colours = pixels[..., :3] if planes.has_channels else pixels[..., np.newaxis]
    values, kept = _to_unit(colours, planes.data_range)
    changed = np.clip(row.effect(values, strength, rng), 0, 1)
    result = pixels.copy()
    # Through the data, since writing to a masked array would lift its mask.
    view = np.ma.getdata(result)
    view = view[..., :3] if planes.has_channels else view[..., np.newaxis]
    restored = _from_unit(changed, pixels.dtype, planes.data_range)
    view[...] = restored if kept is None else np.where(kept, np.ma.getdata(colours), restored)
    return result


def _to_unit(colours: npt.NDArray[Any], data_range: tuple[float, float]) -> tuple[Pixels, npt.NDArray[np.bool_] | None]:
    """Bring values to 0..1, holes filled; and tell which stay as they are: holes, and what is outside the range."""
    low, high = data_range
    raw = np.ma.getdata(colours)
    narrow = raw.dtype.itemsize <= 2 or raw.dtype.str[1:] == "f4"
    values: npt.NDArray[Any] = raw.astype(np.float32 if narrow else np.float64)
    holes = ~np.isfinite(values) | np.ma.getmaskarray(colours)
    with np.errstate(invalid="ignore"):  # what lies under a mask may be anything
        values -= low
        values /= high - low
    kept = holes | (values < 0) | (values > 1)
    unit: Pixels = np.ascontiguousarray(np.clip(values, 0, 1), dtype=np.float32)
    if not kept.any():
        return unit, None
    if not holes.any():
        return unit, kept
    from ..images import fill

    unit[holes] = np.nan
    for channel in range(unit.shape[-1]):
        unit[..., channel] = fill(unit[..., channel] * _FILL_WHITE) / _FILL_WHITE
    return np.clip(unit, 0, 1, out=unit), kept


def _from_unit(unit: Pixels, dtype: np.dtype[Any], data_range: tuple[float, float]) -> npt.NDArray[Any]:
    low, high = data_range
    narrow = dtype.itemsize <= 2 or dtype.str[1:] == "f4"
    values: npt.NDArray[Any] = unit.astype(np.float32 if narrow else np.float64)
    values *= high - low
    values += low
    if dtype.kind in "ui":
        limits = np.iinfo(dtype)
        low, high = max(low, limits.min), min(high, limits.max)
        np.rint(values, out=values)
    return np.clip(values, low, high, out=values).astype(dtype)


def _lazily(planes: Planes, row: Distortion, strength: float, seed: int) -> Any:
    array = planes.array
    lead = len(planes.shape) - 2
    whole = array.rechunk({axis: 1 if axis < lead else -1 for axis in range(array.ndim)})

    def block(part: npt.NDArray[Any], block_id: tuple[int, ...] = ()) -> npt.NDArray[Any]:
        number = int(np.ravel_multi_index(block_id[:lead], planes.shape[:lead])) if lead else 0
        rng = _generator(row, seed, number)
        return _plane(part[(0,) * lead], planes, row, strength, rng)[(np.newaxis,) * lead]

    return whole.map_blocks(block, dtype=array.dtype, meta=np.empty((0,) * array.ndim, array.dtype))
