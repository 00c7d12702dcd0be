"""An image as its file gives it, and written back: without loss, with its axes and a record of what was done."""

from __future__ import annotations

import json
import struct
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from ... import __version__
from ..display import Luminance
from ..errors import InputError
from ..score_columns import plain
from .atomic import written_whole

KEY = "napari_iqmaps"
"""Name of this package's record, in a TIFF's description as in a PNG's text."""

SOFTWARE = f"napari-iqmaps {__version__}"
"""What the files say that they were written by."""

CLASSIC_LIMIT = 2**32 - 2**25
"""Bytes of pixels up to which the 32-bit offsets of a TIFF suffice, with room for the tags; as tifffile reckons."""

RELATIVE_LIGHT = (
    "values are linear light, taken as cd/m2; if they are relative, state black and the value of diffuse white "
    "(the data range)"
)
"""Note on files of high dynamic range, which rarely say what their unit is."""

TIFF_SUFFIXES = (".tif", ".tiff")
_LOSSY = (".jpg", ".jpeg", ".webp", ".avif", ".jp2", ".j2k")
_TIFF_AXES = frozenset("TZCYXSQ")
_PNG_HEADER = 33
"""Bytes of a PNG's signature and its first chunk, which says size and depth."""


@dataclass(frozen=True, eq=False)
class ImageFile:
    """An image as its file gives it.

    Attributes
    ----------
    path : pathlib.Path
        The file.
    array : numpy.ndarray
        The pixels as stored: a float file stays float, 16 bits stay 16 bits. What a file states as its orientation is
        applied: the image is upright. Where a file states which pixels hold no data, they are NaN in a floating point
        image, and masked (`numpy.ma.MaskedArray`) in one of whole numbers.
    channel_axis : int or None
        The axis of red, green, blue (and alpha); None for grey.
    axes : str
        A letter an axis, as in TIFF: Y and X the image, S colours, others (T, Z, C, ...) leading axes of a stack.
        Fluorescence channels (C) are planes of a stack: they have no common luminance.
    data_range : (float, float) or None
        Black and white where the file says so and the dtype does not; None otherwise. Of linear light, white is what
        has 100 cd/m2.
    notes : tuple of str
        What a reader of the result should know, such as pages that were left out.
    luminance : {"code", "absolute"}
        Whether values are display codes, or linear light, as the formats of high dynamic range hold it.
    pixel_size : (float, float) or None
        Height and width of a pixel of the upright image in micrometres, where the file states them; None otherwise. The
        72 or 96 pixels an inch that programs write into any file are no statement.
    """

    path: Path
    array: npt.NDArray[Any]
    channel_axis: int | None
    axes: str
    data_range: tuple[float, float] | None = None
    notes: tuple[str, ...] = ()
    luminance: Luminance = "code"
    pixel_size: tuple[float, float] | None = None


def upright(array: npt.NDArray[Any], orientation: int, rows_axis: int = 0) -> tuple[npt.NDArray[Any], tuple[str, ...]]:
    """Turn an image as the orientation of EXIF and TIFF (tag 274) states; gives the image and a note.

    `rows_axis`: the axis of the rows, 0 or more; that of the columns follows it. Values other than 2 to 8 do nothing.
    """
    if orientation not in _TURNS:
        return array, ()
    transposed, reversed_axes, what = _TURNS[orientation]
    turned = array.swapaxes(rows_axis, rows_axis + 1) if transposed else array
    turned = np.flip(turned, tuple(rows_axis + axis for axis in reversed_axes))
    return turned.copy(), (f"orientation {orientation} applied: {what}",)


_TURNS: dict[int, tuple[bool, tuple[int, ...], str]] = {
    2: (False, (1,), "mirrored left to right"),
    3: (False, (0, 1), "turned by 180 degrees"),
    4: (False, (0,), "mirrored top to bottom"),
    5: (True, (), "rows and columns swapped"),
    6: (True, (1,), "turned by 90 degrees clockwise"),
    7: (True, (0, 1), "rows and columns swapped, then turned by 180 degrees"),
    8: (True, (0,), "turned by 90 degrees counterclockwise"),
}
"""For each orientation: whether rows become columns, and which axes are then reversed (0 the rows, 1 the columns).

The number says where the first stored row and the first stored column are to be seen: of 6, right and top, so that the
first row becomes the last column.
"""


def alpha_note(array: npt.NDArray[Any], channel_axis: int | None, white: float | None = None) -> tuple[str, ...]:
    """Say so when an alpha channel, the second or the fourth, that hides something is going to be ignored.

    `white`: what stands for opaque, where it is not the highest value of the type (1 of floating point).
    """
    if channel_axis is None or array.shape[channel_axis] not in (2, 4):
        return ()
    alpha = np.take(array, -1, axis=channel_axis)
    opaque = white or (np.iinfo(alpha.dtype).max if alpha.dtype.kind in "ui" else 1)
    if (alpha == opaque).all():
        return ()
    return (transparency_note(np.count_nonzero(alpha <= 0) / alpha.size),)


def transparency_note(share: float) -> str:
    """Say that transparency is ignored, and the share of the pixels that nobody would see."""
    return f"transparency (the alpha channel) is ignored; {100 * share:.3g} % of the pixels are wholly transparent"


def lossless_suffix(file: ImageFile) -> tuple[str, str]:
    """Choose the format in which an image can be written without loss, its own where that has none.

    Returns `suffix, reason`: ``".tif"`` or ``".png"``; and why it is not the file's own format, empty if it is.
    """
    own = file.path.suffix.lower()
    fits_png = file.array.dtype in (np.uint8, np.uint16) and file.array.ndim == 2 + (file.channel_axis is not None)
    suffix = ".tif" if own in TIFF_SUFFIXES or not fits_png else ".png"
    if own == suffix or (own in TIFF_SUFFIXES and suffix == ".tif"):
        return suffix, ""
    kind = "PNG" if suffix == ".png" else "TIFF"
    if own in _LOSSY:
        return suffix, f"written as {kind}, because {own[1:].upper()} would change the pixels again"
    return suffix, f"written as {kind}, which keeps every pixel of it"


def write_picture(array: npt.NDArray[Any], path: Path, source: ImageFile, info: Mapping[str, Any]) -> Path:
    """Write an image, whole or not at all.

    `array`: shape, axes and dtype of ``source.array``. `source`: what it was made from; a colour profile, the
    orientation and the resolution are taken over from PNG and JPEG.
    """
    array = np.ma.getdata(array)
    record = {"version": __version__, "info": plain(info)}
    colours = None if source.channel_axis is None else source.channel_axis % array.ndim
    suffix = path.suffix.lower()
    if suffix not in (*TIFF_SUFFIXES, ".png"):
        raise InputError(f"An image is written without loss as .tif or .png, not as {suffix or path.name!r}.")
    # All writers want the colours last; an image whose colours were planes comes out with the same pixels as colours.
    pixels = array if colours is None else np.moveaxis(array, colours, -1)
    with written_whole(path) as part:
        if suffix != ".png":
            _as_tiff(pixels, part, _axes_of(source, array.ndim, colours), record)
        elif array.dtype == np.uint16 and colours is not None:
            _with_opencv(pixels, part, record)
        else:
            _with_pillow(pixels, part, source.path, record)
    return path


def _axes_of(source: ImageFile, ndim: int, colours: int | None) -> str:
    """Name the axes of an image, its colours moved behind the others, in the letters that tifffile knows."""
    axes = source.axes if len(source.axes) == ndim else "Q" * (ndim - 2) + "YX"
    if colours is not None:
        axes = axes[:colours] + axes[colours + 1 :] + "S"
    return "".join(letter if letter in _TIFF_AXES else "Q" for letter in axes)


def _as_tiff(pixels: npt.NDArray[Any], part: Path, axes: str, record: Mapping[str, Any]) -> None:
    import tifffile

    rgb: dict[str, Any] = {"photometric": "minisblack"}
    if axes.endswith("S") and pixels.shape[-1] in (3, 4):
        rgb = {"photometric": "rgb", "extrasamples": ["unassalpha"] if pixels.shape[-1] == 4 else None}
    tifffile.imwrite(
        part,
        pixels,
        compression="zlib",
        bigtiff=pixels.nbytes > CLASSIC_LIMIT,
        metadata={"axes": axes, KEY: record},
        software=SOFTWARE,
        **rgb,
    )


def _with_pillow(pixels: npt.NDArray[Any], part: Path, source: Path, record: Mapping[str, Any]) -> None:
    from PIL import Image, PngImagePlugin

    text = PngImagePlugin.PngInfo()
    text.add_text(KEY, json.dumps(record))
    text.add_text("Software", SOFTWARE)
    Image.fromarray(np.ascontiguousarray(pixels)).save(part, "PNG", pnginfo=text, **_taken_over(source))


def _taken_over(source: Path) -> dict[str, Any]:
    """Give what makes a picture look and lie as its source does."""
    from PIL import Image

    try:
        with Image.open(source) as picture:
            found = picture.info
    except (OSError, ValueError, SyntaxError):
        return {}
    return {name: found[name] for name in ("icc_profile", "exif", "dpi") if found.get(name)}


def _with_opencv(pixels: npt.NDArray[Any], part: Path, record: Mapping[str, Any]) -> None:
    """Write 16 bits a colour, which Pillow cannot."""
    import cv2

    order = [2, 1, 0, *range(3, pixels.shape[-1])] if pixels.shape[-1] > 1 else [0]
    done, code = cv2.imencode(".png", np.ascontiguousarray(pixels[..., order]))
    if not done:
        raise InputError(f"{part.name} could not be encoded as PNG with 16 bits. Give a TIFF instead.")
    # OpenCV writes no text: it goes in behind the header, as Pillow puts it.
    text = KEY.encode("latin-1") + b"\0" + json.dumps(record).encode("latin-1")
    chunk = b"tEXt" + text
    inserted = struct.pack(">I", len(text)) + chunk + struct.pack(">I", zlib.crc32(chunk))
    encoded = code.tobytes()
    part.write_bytes(encoded[:_PNG_HEADER] + inserted + encoded[_PNG_HEADER:])
