"""What a mark is: a picture or a text, read as a pattern from -1 to 1, and placed over an image."""

from __future__ import annotations

import math
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from .arguments import checked
from .arrays import as_array, computed
from .errors import InputError
from .images import REC709_WEIGHTS
from .io.source import check_regular

Placement = Literal["centre", "tile", "stretch"] | tuple[int, int]
MarkRange = tuple[float, float] | None
Plane = npt.NDArray[np.float32]

PLACEMENTS = ("centre", "tile", "stretch")

_KNOWN_RANGES: dict[str, tuple[float, float]] = {"bool": (0, 1), "uint8": (0, 255), "uint16": (0, 65535)}
_LARGEST_TEXT = 20_000  # pixels a side; Pillow would take the memory without asking
_TEXT_SHARE = 10  # of the image's height that a letter of a text takes: a tenth


@checked
def text_mark(text: str, *, height: int = 48, font: str | Path | None = None) -> Plane:
    """Write a text as a mark.

    Parameters
    ----------
    text : str
        What to write; may have several lines.
    height : int
        Height of a capital letter in pixels, at least 4.
    font : str or pathlib.Path, optional
        A TrueType or OpenType file. None takes DejaVu Sans, which matplotlib brings.

    Returns
    -------
    numpy.ndarray
        float32, shape ``(rows, columns)``: 1 inside the letters, 0 outside, smooth at their edges, with a margin of
        half a letter all around, so that tiles of it keep their distance.

    Raises
    ------
    InputError
        If there is nothing to write, the height is not a whole number of at least 4, the text would be too large, or
        the font cannot be read.

    Examples
    --------
    >>> import napari_iqmaps as iq
    >>> iq.text_mark("draft", height=20).max()
    np.float32(1.0)
    """
    from PIL import Image, ImageDraw

    if not isinstance(text, str) or not text.strip():
        raise InputError(f"The text of the mark is {text!r}; there is nothing to write. Give at least one letter.")
    if isinstance(height, bool) or not isinstance(height, int | np.integer) or height < 4:
        raise InputError(f"height is {height!r}; give the height of a capital letter in pixels, 4 or more.")
    letters = _font(font, int(height))
    left, top, right, bottom = ImageDraw.Draw(Image.new("L", (1, 1))).multiline_textbbox((0, 0), text, font=letters)
    margin = max(1, int(height) // 2)
    width, depth = (int(np.ceil(length)) + 2 * margin for length in (right - left, bottom - top))
    if max(width, depth) > _LARGEST_TEXT:
        raise InputError(
            f"The text would be {width} x {depth} pixels; {_LARGEST_TEXT} a side is the most. "
            "Break it into lines or choose a smaller height."
        )
    picture = Image.new("L", (width, depth))
    ImageDraw.Draw(picture).multiline_text((margin - left, margin - top), text, fill=255, font=letters)
    mark: Plane = np.asarray(picture, dtype=np.float32) / np.float32(255)
    if not mark.any():
        raise InputError(f"The text {text!r} leaves no ink. Choose other letters, or a font that has them.")
    return mark


def text_for(text: str, shape: tuple[int, int], placement: Placement) -> Plane:
    """Write a text as large as suits an image: a tenth of its height, less where the text would not fit."""
    height = max(4, shape[0] // _TEXT_SHARE)
    mark = text_mark(text, height=height)
    if placement == "stretch":
        return mark
    fits = min(shape[0] / mark.shape[0], shape[1] / mark.shape[1])
    # Rounding of the height and hinting of the letters can add a few pixels: hence the repeated step down.
    while fits < 1 and height > 4:
        height = max(4, min(height - 1, int(height * fits)))
        mark = text_mark(text, height=height)
        fits = min(shape[0] / mark.shape[0], shape[1] / mark.shape[1])
    return mark


def as_pattern(mark: Any, *, mark_range: MarkRange = None) -> Plane:
    """Read a mark as a pattern, float32 ``(rows, columns)``: 0 is no mark, 1 a full one; below 0 it darkens.

    Of 3 or 4 channels in the last axis the luminance counts, times the alpha. NaN, infinite and masked pixels are no
    mark. `mark_range` are the values that mean no mark and a full mark; None takes (0, 1) for bool and floating point,
    (0, 255) for uint8 and (0, 65535) for uint16; (255, 0) reads dark letters on white paper.
    """
    array = _as_picture(mark)
    used = _range_of(array.dtype, mark_range)
    with np.errstate(over="ignore", invalid="ignore"):  # what becomes infinite lies beyond a full mark, and is refused
        scaled = (np.ma.getdata(array).astype(np.float64) - used[0]) / (used[1] - used[0])
    pattern = _flat(scaled, array)
    largest = float(np.abs(pattern).max())
    if largest > 1 + 1e-6:
        raise InputError(
            f"The mark has values from {pattern.min():g} to {pattern.max():g} where 0 is no mark and 1 a full one. "
            "Scale it, or say mark_range=(no mark, full mark)."
        )
    if largest == 0:
        raise InputError(
            f"The mark is empty: all its pixels have the value {used[0]:g}, which means no mark, or are transparent. "
            f"For a dark mark on a white ground say mark_range=({used[1]:g}, {used[0]:g})."
        )
    return np.clip(pattern, -1, 1)


def as_change(mark: Any) -> Plane:
    """Read a mark that is given in code values of the image, as float32 ``(rows, columns)`` to add."""
    if not isinstance(mark, str):
        array = _as_picture(mark)
        if array.dtype != bool:
            with np.errstate(over="ignore", invalid="ignore"):  # what becomes infinite is no mark, as infinite is
                change = _flat(np.ma.getdata(array).astype(np.float64), array)
            if change.any():
                return change
            raise InputError("The mark is empty: it is 0 at every pixel. Give the code values to add.")
    raise InputError(
        'mode="clamp" limits a mark that is given in code values, and a text or a bool mark has none. '
        "Say amplitude=, the code values of a full mark."
    )


def place(pattern: Plane, shape: tuple[int, int], placement: Placement = "centre") -> Plane:
    """Put a pattern on a plane of an image's size, 0 beside it.

    In the middle, repeated edge to edge, resampled to the image's size, or with its first pixel at a row and column,
    which may be negative.
    """
    if isinstance(placement, str):
        if placement == "tile":
            return pattern[np.ix_(np.arange(shape[0]) % pattern.shape[0], np.arange(shape[1]) % pattern.shape[1])]
        if placement == "stretch":
            return _stretched(pattern, shape)
        if placement == "centre":
            return _at(pattern, shape, _centred(pattern.shape, shape))
    elif _is_corner(placement):
        return _at(pattern, shape, (int(placement[0]), int(placement[1])))
    raise InputError(
        f"placement is {placement!r}; choose one of {', '.join(PLACEMENTS)}, or give (row, column) of the mark's first "
        "pixel as two whole numbers."
    )


def _centred(pattern: tuple[int, ...], shape: tuple[int, int]) -> tuple[int, int]:
    if pattern[0] > shape[0] or pattern[1] > shape[1]:
        raise InputError(
            f"The mark ({pattern[0]}x{pattern[1]}) is larger than the image ({shape[0]}x{shape[1]}). Say "
            'placement="stretch" to fit it, "tile" or (row, column) to have it cropped, or give a smaller mark.'
        )
    return (shape[0] - pattern[0]) // 2, (shape[1] - pattern[1]) // 2


def _at(pattern: Plane, shape: tuple[int, int], corner: tuple[int, int]) -> Plane:
    plane = np.zeros(shape, np.float32)
    (top, left), (bottom, right) = corner, (corner[0] + pattern.shape[0], corner[1] + pattern.shape[1])
    rows = slice(max(top, 0), min(bottom, shape[0]))
    columns = slice(max(left, 0), min(right, shape[1]))
    if rows.start < rows.stop and columns.start < columns.stop:
        plane[rows, columns] = pattern[
            rows.start - top : rows.stop - top, columns.start - left : columns.stop - left
        ]  # fmt: skip
    if not plane.any():
        raise InputError(
            f"At (row, column) = {corner}, no part of the mark ({pattern.shape[0]}x{pattern.shape[1]}) lies on the "
            f"image ({shape[0]}x{shape[1]}). Choose another place."
        )
    return plane


def _stretched(pattern: Plane, shape: tuple[int, int]) -> Plane:
    if pattern.shape == shape:
        return pattern
    from skimage.transform import resize

    # Smoothing before a reduction keeps thin strokes as grey instead of dropping them.
    smaller = pattern.shape[0] > shape[0] or pattern.shape[1] > shape[1]
    stretched = resize(pattern, shape, order=1, anti_aliasing=smaller, preserve_range=True)  # type: ignore[no-untyped-call]
    clipped: Plane = np.clip(stretched, pattern.min(), pattern.max()).astype(np.float32)
    return clipped


def _as_picture(mark: Any) -> npt.NDArray[Any]:
    array = computed(as_array(mark, "mark"), "mark")
    if array.dtype.kind not in "buif":
        raise InputError(f"The mark has dtype {array.dtype}; give a picture of real numbers, or a text as str.")
    is_picture = array.ndim == 2 or (array.ndim == 3 and array.shape[-1] in (1, 3, 4))
    if not is_picture or 0 in array.shape:
        raise InputError(
            f"The mark has shape {tuple(array.shape)}; give one picture, (rows, columns), or with 3 or 4 colour "
            "channels in the last axis. It goes on every plane of a stack."
        )
    picture: npt.NDArray[Any] = array
    return picture


def _range_of(dtype: np.dtype[Any], mark_range: MarkRange) -> tuple[float, float]:
    if mark_range is None:
        known = (0.0, 1.0) if dtype.kind == "f" else _KNOWN_RANGES.get(dtype.name)
        if known is None:
            raise InputError(
                f"The mark is {dtype.name}, and which value means a full mark cannot be known from that. Say "
                "mark_range=(no mark, full mark); for labels, give labels > 0 as the mark."
            )
        return known
    try:
        pair = np.asarray(mark_range, dtype=float)
    except (TypeError, ValueError):
        pair = np.empty(0)
    if pair.shape != (2,) or not np.isfinite(pair).all() or not 0 < abs(float(pair[1]) - float(pair[0])) < math.inf:
        raise InputError(f"mark_range is {mark_range!r}; give two different numbers, (no mark, full mark).")
    return float(pair[0]), float(pair[1])


def _flat(scaled: npt.NDArray[np.float64], array: npt.NDArray[Any]) -> Plane:
    """Reduce colours to luminance, and take what is transparent, masked or no number for no mark."""
    scaled = np.where(np.isfinite(scaled) & ~np.ma.getmaskarray(array), scaled, 0.0)
    most = float(np.finfo(np.float32).max)
    scaled = np.clip(scaled, -most, most)  # what float32 can hold; a full mark is 1, or some code values
    if array.ndim == 2:
        return scaled.astype(np.float32)
    if array.shape[-1] == 1:
        return scaled[..., 0].astype(np.float32)
    grey = scaled[..., :3] @ np.asarray(REC709_WEIGHTS)
    if array.shape[-1] == 4:
        opaque = np.iinfo(array.dtype).max if array.dtype.kind in "ui" else 1.0
        grey = grey * np.clip(np.nan_to_num(np.ma.getdata(array)[..., 3].astype(np.float64)) / opaque, 0, 1)
    flat: Plane = grey.astype(np.float32)
    return flat


def _is_corner(placement: Any) -> bool:
    return (
        isinstance(placement, tuple | list)
        and len(placement) == 2
        and all(isinstance(number, int | np.integer) and not isinstance(number, bool) for number in placement)
    )


def _font(path: str | Path | None, height: int) -> Any:
    from PIL import ImageFont

    if path is None:
        package = find_spec("matplotlib")  # importing it takes a while, and only its font is wanted
        assert package is not None
        assert package.origin is not None
        path = Path(package.origin).with_name("mpl-data") / "fonts" / "ttf" / "DejaVuSans.ttf"
    check_regular(Path(path))
    try:
        box = ImageFont.truetype(str(path), 1000).getbbox("H")
        return ImageFont.truetype(str(path), max(1, round(height * 1000 / (box[3] - box[1]))))
    except Exception as error:  # of a damaged font FreeType's errors are of many kinds
        raise InputError(f"The font {path} cannot be read ({error}). Give a TrueType or OpenType file.") from error
