"""Resample a moving image on the pixel grid of a fixed one, and say which pixels are whole."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from ..arrays import as_array, computed
from ..errors import InputError
from ..opencv import opencv
from .geometry import Matrix, as_matrix
from .images import plane_channel_axis

_LONGEST = 32766
"""Pixels; OpenCV's warps count coordinates in 16 bits."""

_NATIVE = ("uint8", "uint16", "int16", "float32", "float64")
_TOLERANCE = 1e-6
"""Pixels; a border that is met but for rounding is met."""


def warp_image(
    image: npt.NDArray[Any],
    matrix: Any,
    shape: tuple[int, int],
    *,
    valid: npt.NDArray[np.bool_] | None = None,
    has_channels: bool = False,
) -> npt.NDArray[Any]:
    """Resample an image on another grid by linear interpolation, channels last; NaN and masked pixels are holes.

    It keeps dtype and channels; integers are rounded to the nearest. Pixels that are not valid are 0, or NaN for
    floating point. A motion by whole pixels copies values exactly. `valid` is what `valid_pixels` gives, if it is at
    hand.
    """
    cv2 = opencv()

    matrix = as_matrix(matrix)
    _check_sides(image.shape[:2], shape)
    if valid is None:
        valid = valid_pixels(matrix, image.shape[:2], shape, holes=find_holes(image, has_channels=has_channels))
    values = np.ma.getdata(image)
    dtype = values.dtype
    if dtype.kind == "f":
        values = np.nan_to_num(values, nan=0.0, posinf=0.0, neginf=0.0)
    if dtype.kind == "f" and dtype.itemsize > 8:
        values = np.clip(values, np.finfo(np.float64).min, np.finfo(np.float64).max)  # what OpenCV's numbers can hold
    # OpenCV takes bytes in the machine's own order only.
    working = values.astype(dtype.newbyteorder("="), copy=False) if dtype.name in _NATIVE else values.astype(np.float64)
    size = (shape[1], shape[0])
    warped = cv2.warpPerspective(np.ascontiguousarray(working), matrix, size, flags=cv2.INTER_LINEAR)
    if has_channels and warped.ndim == 2:
        warped = warped[..., np.newaxis]
    if dtype.name not in _NATIVE:
        warped = _stored(warped, dtype)
    warped[~valid] = np.nan if dtype.kind == "f" else 0
    result: npt.NDArray[Any] = warped
    return result


def _stored(warped: npt.NDArray[Any], dtype: np.dtype[Any]) -> npt.NDArray[Any]:
    """Give float64 numbers in another type; whole ones rounded."""
    if dtype.kind not in "ui":
        return warped.astype(dtype)
    limits = np.iinfo(dtype)
    # The largest number of 64 bits is none of float64, which has the next power of two.
    most = float(limits.max) if dtype.itemsize < 8 else float(np.nextafter(float(limits.max), 0))
    rounded: npt.NDArray[Any] = np.clip(np.rint(warped), limits.min, most).astype(dtype)
    return rounded


def valid_pixels(
    matrix: Any,
    moving_shape: tuple[int, int],
    fixed_shape: tuple[int, int],
    *,
    holes: npt.NDArray[np.bool_] | None = None,
) -> npt.NDArray[np.bool_]:
    """Find the pixels of the fixed grid whose whole interpolation footprint lies inside the moving image.

    Decided from coordinates: a pixel is valid where its source ``(u, v)`` has ``0 <= u <= width - 1`` and ``0 <= v <=
    height - 1`` in front of the horizon, and touches no hole. A shift of 2.5 pixels makes the first three columns
    invalid.
    """
    matrix = as_matrix(matrix)
    _check_sides(moving_shape, fixed_shape)
    inverse = np.linalg.inv(matrix)
    # The sign of the depth is that of the moving image's own middle: the other side of the horizon is never seen.
    middle = matrix @ np.array([(moving_shape[1] - 1) / 2, (moving_shape[0] - 1) / 2, 1.0])
    inverse *= np.sign(middle[2]) or 1.0
    x = np.arange(fixed_shape[1], dtype=np.float64)
    y = np.arange(fixed_shape[0], dtype=np.float64)[:, np.newaxis]
    depth = inverse[2, 0] * x + (inverse[2, 1] * y + inverse[2, 2])
    valid: npt.NDArray[np.bool_] = depth > 0
    for row, length in ((0, moving_shape[1]), (1, moving_shape[0])):
        place = inverse[row, 0] * x + (inverse[row, 1] * y + inverse[row, 2])
        # Multiplied by the depth instead of divided: no division by zero beyond the horizon.
        valid &= place >= -_TOLERANCE * depth
        valid &= place <= (length - 1 + _TOLERANCE) * depth
    if holes is not None and holes.any():
        valid &= ~_touched(holes, matrix, fixed_shape)
    return valid


def on_grid(
    image: Any, matrix: Any, shape: tuple[int, int], channel_axis: int | None = None
) -> tuple[npt.NDArray[Any], npt.NDArray[np.bool_]]:
    """Put an image on another grid, its channels where they were; give it with its valid pixels."""
    axis = plane_channel_axis(image, channel_axis)
    array = computed(as_array(image, "moving image"))
    if array.dtype.kind not in "buif":
        raise InputError(f"The moving image has dtype {array.dtype}; give an image of real numbers.")
    if array.size == 0:
        raise InputError(f"The moving image is empty (shape {array.shape}). Check how it was read or cropped.")
    if axis is not None:
        array = np.moveaxis(array, axis, -1)
    has_channels = axis is not None
    own = array.shape[0], array.shape[1]
    valid = valid_pixels(matrix, own, shape, holes=find_holes(array, has_channels=has_channels))
    registered = warp_image(array, matrix, shape, valid=valid, has_channels=has_channels)
    return registered if axis is None else np.moveaxis(registered, -1, axis), valid


def find_holes(image: npt.NDArray[Any], *, has_channels: bool = False) -> npt.NDArray[np.bool_] | None:
    """Find the pixels where a value is NaN, infinite or masked (an alpha channel aside); None if there are none."""
    values = np.ma.getdata(image)
    bad = ~np.isfinite(values) if values.dtype.kind == "f" else None
    mask = np.ma.getmask(image)
    if mask is not np.ma.nomask:
        bad = mask if bad is None else bad | mask
    if bad is None or not bad.any():
        return None
    return bad[..., :3].any(axis=-1) if has_channels else np.asarray(bad)


def _touched(holes: npt.NDArray[np.bool_], matrix: Matrix, shape: tuple[int, int]) -> npt.NDArray[np.bool_]:
    cv2 = opencv()

    share = cv2.warpPerspective(holes.astype(np.float32), matrix, (shape[1], shape[0]), flags=cv2.INTER_LINEAR)
    return np.asarray(share > 0)


def _check_sides(*shapes: tuple[int, ...]) -> None:
    longest = max(max(shape) for shape in shapes)
    if longest > _LONGEST:
        raise InputError(
            f"An image is {longest} pixels long; registration works up to {_LONGEST}. Downsample or crop it first."
        )
