"""Read TIFF files by their metadata: which axes are the image, which its colours, which a stack."""

from __future__ import annotations

import lzma
import struct
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import tifffile

from ..errors import InputError
from ._bitmap import opencv_pages
from .image_file import ImageFile, alpha_note
from .source import Source

_Array = npt.NDArray[Any]
_PLAIN = (tifffile.PHOTOMETRIC.MINISBLACK, tifffile.PHOTOMETRIC.RGB)
_MISSING_CODEC = "imagecodecs"
# What tifffile and its decoders raise on damaged data.
_DAMAGE = (OSError, ValueError, LookupError, TypeError, AttributeError, struct.error, zlib.error, lzma.LZMAError)


def read_tiff_image(source: Source) -> ImageFile:
    """Read a TIFF file's first series: image axes last, colours after them, whatever else in front."""
    path = source.path
    try:
        with tifffile.TiffFile(path) as file:
            if not file.series:
                raise InputError(_damaged(path, "it holds no complete image"))
            series = file.series[0]
            _check_whole(path, file, series)
            array, axes, notes = _decoded(path, series)
            if len(file.series) > 1:
                notes += (f"the file holds {len(file.series)} images of different shapes; the first was read",)
    except InputError:
        raise
    except _DAMAGE as error:
        if _MISSING_CODEC in str(error):
            raise InputError(_no_codec(path)) from None
        raise InputError(_damaged(path, error)) from None
    array, axes = _image_axes_last(path, array, axes)
    channel_axis = axes.index("S") if "S" in axes else None
    return ImageFile(path, array, channel_axis, axes, None, (*notes, *alpha_note(array, channel_axis)))


def _check_whole(path: Path, file: Any, series: Any) -> None:
    """Refuse a file that ends before its pixels or its pages do: decoders return zeros, or fewer planes."""
    ends = [(_next_page(file, file.pages[len(file.pages) - 1]), file.filehandle.size)]
    for page in series.pages:
        if page is not None:
            size = page.parent.filehandle.size  # an OME series can reach over several files
            ends += [(a + b, size) for a, b in zip(page.dataoffsets, page.databytecounts, strict=True)]
    for end, size in ends:
        if end > size:
            raise InputError(_damaged(path, f"it refers to byte {end}, but has {size}"))


def _next_page(file: Any, page: Any) -> int:
    """Read where the page after this one starts; 0 after the last."""
    form, handle = file.tiff, file.filehandle
    handle.seek(page.offset)
    (tags,) = struct.unpack(form.tagnoformat, handle.read(form.tagnosize))
    handle.seek(page.offset + form.tagnosize + tags * form.tagsize)
    (offset,) = struct.unpack(form.offsetformat, handle.read(form.offsetsize))
    return int(offset)


def _decoded(path: Path, series: Any) -> tuple[_Array, str, tuple[str, ...]]:
    page = series.keyframe
    axes = series.axes
    if page.photometric == tifffile.PHOTOMETRIC.PALETTE and page.colormap is not None:
        # Eight of the sixteen bits, as every viewer does: half of the writers fill the lower ones, half do not.
        colours = (page.colormap >> 8).astype(np.uint8)
        return np.moveaxis(colours[:, _asarray(path, series)], 0, -1), axes + "S", ()
    if page.photometric == tifffile.PHOTOMETRIC.MINISWHITE:
        return _inverted(_asarray(path, series)), axes, ("stored with white as zero; inverted",)
    if page.photometric not in _PLAIN:
        return *_by_opencv(path, series), ()
    return _asarray(path, series), axes, ()


def _asarray(path: Path, series: Any) -> _Array:
    try:
        array: _Array = series.asarray()
    except (ValueError, KeyError) as error:
        if _MISSING_CODEC not in str(error):
            raise
        array, axes = _by_opencv(path, series)
        if axes != series.axes:
            raise
    return array


def _by_opencv(path: Path, series: Any) -> tuple[_Array, str]:
    """Decode what tifffile alone cannot (LZW, JPEG, CMYK, ...), in the shape that tifffile knows."""
    pages = opencv_pages(path)
    if not pages or len({page.shape for page in pages}) > 1:
        raise InputError(_no_codec(path))
    array = np.stack(pages)
    if array.size == np.prod(series.shape) and "S" not in series.axes[:-1]:
        return array.reshape(series.shape), series.axes
    axes = "QYXS" if array.ndim == 4 else "QYX"
    return (array[0], axes[1:]) if len(pages) == 1 else (array, axes)


def _inverted(array: _Array) -> _Array:
    if array.dtype.kind == "b":
        return ~array
    top = np.iinfo(array.dtype).max if array.dtype.kind == "u" else array.max()
    return np.asarray(top - array, dtype=array.dtype)


def _image_axes_last(path: Path, array: _Array, axes: str) -> tuple[_Array, str]:
    """Bring Y and X behind the axes of a stack, and tell colours from planes."""
    if "Y" not in axes or "X" not in axes:
        raise InputError(f"{path} holds no image: its axes are {axes or 'none'}, shape {array.shape}.")
    if axes.endswith("C") and array.shape[-1] in (3, 4) and "S" not in axes:
        # Interleaved, as colours are; fluorescence channels come plane by plane.
        axes = axes[:-1] + "S"
    if "S" in axes and array.shape[axes.index("S")] not in (3, 4):
        samples = axes.index("S")
        if array.shape[samples] == 2:  # grey and alpha
            array, axes = np.take(array, 0, axis=samples), axes.replace("S", "")
        else:
            axes = axes.replace("S", "C")
    lead = [axis for axis, letter in enumerate(axes) if letter not in "YXS"]
    last = [axes.index("Y"), axes.index("X")]
    colour = [axes.index("S")] if "S" in axes else []
    order = lead + last + colour
    return array.transpose(order), "".join(axes[axis] for axis in order)


def _damaged(path: Path, reason: object) -> str:
    return f"{path} is a TIFF that is damaged or was cut short ({reason}). Copy it or save it again."


def _no_codec(path: Path) -> str:
    return (
        f"{path} is a TIFF compressed in a way that needs a further package. Install it (pip install imagecodecs), "
        "or save the file without compression or with Deflate."
    )
