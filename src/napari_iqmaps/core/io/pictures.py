"""Write an image the way it came: without loss, with its axes, its colour profile and a record of what was done."""

from __future__ import annotations

import json
import struct
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import tifffile

from ... import __version__
from ..errors import InputError
from .atomic import written_whole
from .reading import ImageFile
from .records import KEY, plain

_TIFF = (".tif", ".tiff")
_LOSSY = (".jpg", ".jpeg", ".webp", ".avif", ".jp2", ".j2k")
_CLASSIC_LIMIT = 2**32 - 2**25
_AXES = frozenset("TZCYXSQ")
_PNG_HEADER = 33
"""Bytes of a PNG's signature and its first chunk, which says size and depth."""


def lossless_suffix(file: ImageFile) -> tuple[str, str]:
    """Choose the format in which an image can be written without loss, its own where that has none.

    Returns
    -------
    suffix, reason : str
        ``".tif"`` or ``".png"``; and why it is not the file's own format, empty if it is.
    """
    own = file.path.suffix.lower()
    fits_png = file.array.dtype in (np.uint8, np.uint16) and file.array.ndim == 2 + (file.channel_axis is not None)
    suffix = ".tif" if own in _TIFF or not fits_png else ".png"
    if own == suffix or (own in _TIFF and suffix == ".tif"):
        return suffix, ""
    kind = "PNG" if suffix == ".png" else "TIFF"
    if own in _LOSSY:
        return suffix, f"written as {kind}, because {own[1:].upper()} would change the pixels again"
    return suffix, f"written as {kind}, which keeps every pixel of it"


def write_picture(array: npt.NDArray[Any], path: Path, source: ImageFile, info: Mapping[str, Any]) -> Path:
    """Write an image.

    Parameters
    ----------
    array : numpy.ndarray
        Shape, axes and dtype of ``source.array``.
    source : ImageFile
        What it was made from; a colour profile, the orientation and the resolution are taken over from PNG and JPEG.

    Returns
    -------
    pathlib.Path
        The file, written whole or not at all.
    """
    array = np.ma.getdata(array)
    record = {"version": __version__, "info": plain(info)}
    colours = None if source.channel_axis is None else source.channel_axis % array.ndim
    suffix = path.suffix.lower()
    if suffix not in (*_TIFF, ".png"):
        raise InputError(f"An image is written without loss as .tif or .png, not as {suffix or path.name!r}.")
    with written_whole(path) as part:
        if suffix != ".png":
            _as_tiff(array, part, source, colours, record)
        elif array.dtype == np.uint16 and colours is not None:
            _with_opencv(np.moveaxis(array, colours, -1), part, record)
        else:
            _with_pillow(array if colours is None else np.moveaxis(array, colours, -1), part, source.path, record)
    return path


def _as_tiff(
    array: npt.NDArray[Any], part: Path, source: ImageFile, colours: int | None, record: Mapping[str, Any]
) -> None:
    # tifffile wants the colours last; an image whose colours were planes comes out with the same pixels as colours.
    pixels = array if colours is None else np.moveaxis(array, colours, -1)
    axes = source.axes if len(source.axes) == array.ndim else "Q" * (array.ndim - 2) + "YX"
    if colours is not None:
        axes = axes[:colours] + axes[colours + 1 :] + "S"
    axes = "".join(letter if letter in _AXES else "Q" for letter in axes)
    rgb: dict[str, Any] = {"photometric": "minisblack"}
    if colours is not None and pixels.shape[-1] in (3, 4):
        rgb = {"photometric": "rgb", "extrasamples": ["unassalpha"] if pixels.shape[-1] == 4 else None}
    tifffile.imwrite(
        part,
        pixels,
        compression="zlib",
        bigtiff=pixels.nbytes > _CLASSIC_LIMIT,
        metadata={"axes": axes, KEY: record},
        software=f"napari-iqmaps {__version__}",
        **rgb,
    )


def _with_pillow(pixels: npt.NDArray[Any], part: Path, source: Path, record: Mapping[str, Any]) -> None:
    from PIL import Image, PngImagePlugin

    text = PngImagePlugin.PngInfo()
    text.add_text(KEY, json.dumps(record))
    text.add_text("Software", f"napari-iqmaps {__version__}")
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
    import cv2

    order = [2, 1, 0, *range(3, pixels.shape[-1])] if pixels.shape[-1] > 1 else [0]
    done, code = cv2.imencode(".png", np.ascontiguousarray(pixels[..., order]))
    if not done:
        raise InputError(f"{part.name} could not be encoded as PNG with 16 bits. Give a TIFF instead.")
    # OpenCV writes no text: it goes in behind the header, as Pillow puts it.
    text = KEY.encode("latin-1") + b"\0" + json.dumps(record).encode("latin-1")
    chunk = b"tEXt" + text
    encoded = code.tobytes()
    part.write_bytes(
        encoded[:_PNG_HEADER]
        + struct.pack(">I", len(text)) + chunk + struct.pack(">I", zlib.crc32(chunk))
        + encoded[_PNG_HEADER:]
    )  # fmt: skip
