"""Read OpenEXR files: which part and layer is the picture, and where its data lie in its frame."""

from __future__ import annotations

import contextlib
import io
import os
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from ..display import SDR_WHITE
from ..errors import InputError
from ._exr_layout import check_exr
from .image_file import RELATIVE_LIGHT, ImageFile
from .source import Source

_Array = npt.NDArray[Any]

MAGIC = b"\x76\x2f\x31\x01"
_NO_PICTURE = frozenset({"A", "AR", "AG", "AB", "Z", "ZBack", "RY", "BY"})
_MOST_FRAME = 16
"""How many times larger than its data a frame may be to be filled up with holes."""

_REC709 = (0.64, 0.33, 0.3, 0.6, 0.15, 0.06)  # red, green and blue, as x, y


def read_exr_image(source: Source) -> ImageFile:
    """Read the picture of an OpenEXR file: red, green and blue, or a luminance, in the type of the file.

    Of several parts the first with colours or a luminance is read, of several layers the one without a name, else the
    first. Of luminance and subsampled chroma only the luminance is read, at its full resolution. The image is the
    display window; where it has no data, it has holes (NaN). Alpha is left out and values stay as they are, which in
    OpenEXR means multiplied by alpha.
    """
    import OpenEXR

    path = source.path
    check_exr(source)
    with _silenced() as said, OpenEXR.File(str(path), separate_channels=True) as file:
        flat = [part for part in file.parts if part.type() in (OpenEXR.scanlineimage, OpenEXR.tiledimage)]
        if not flat or said.getvalue().strip():
            raise source.damaged(said.getvalue().strip() or "no part of it can be decoded")
        part, names = _picture_of(path, flat)
        pixels = {name: np.asarray(channel.pixels) for name, channel in part.channels.items()}
        header = dict(part.header)
        notes = _part_notes(part, len(file.parts))
    array = pixels[names[0]] if len(names) == 1 else np.stack([pixels[name] for name in names], axis=-1)
    array, window_notes = _in_frame(source, array, header)
    data_range, unit_note = _unit(header)
    notes += (*_layer_notes(names, pixels), *window_notes, *_colour_notes(names, header), unit_note)
    channel_axis = 2 if len(names) == 3 else None
    axes = "YXS" if channel_axis else "YX"
    return ImageFile(path, array, channel_axis, axes, data_range, notes, luminance="absolute")


def _picture_of(path: Path, parts: list[Any]) -> tuple[Any, tuple[str, ...]]:
    """Choose the part, and its channels: red, green and blue, or one."""
    for part in parts:
        if names := _picture_channels(part.channels):
            return part, names
    for part in parts:
        single = [name for name, channel in part.channels.items() if _is_full(channel)]
        if single:
            # Anything is better than nothing: a depth or an alpha is an image too, if it is all there is.
            return part, (next((name for name in single if _base(name) not in _NO_PICTURE), single[0]),)
    raise InputError(f"{path} holds no channel of full resolution. Save its picture as R, G and B, or as Y.")


def _picture_channels(channels: dict[str, Any]) -> tuple[str, ...]:
    full = {name for name, channel in channels.items() if _is_full(channel)}
    layers = sorted({_layer(name) for name in full})  # the layer without a name comes first
    for bases in (("R", "G", "B"), ("Y",)):
        for layer in layers:
            names = tuple(f"{layer}.{base}" if layer else base for base in bases)
            if full.issuperset(names):
                return names
    return ()


def _is_full(channel: Any) -> bool:
    return channel.xSampling == channel.ySampling == 1 and np.asarray(channel.pixels).ndim == 2


def _layer(name: str) -> str:
    return name.rpartition(".")[0]


def _base(name: str) -> str:
    return name.rpartition(".")[2]


def _in_frame(source: Source, array: _Array, header: dict[str, Any]) -> tuple[_Array, tuple[str, ...]]:
    """Put the data where they belong in the display window, so that two files of one frame line up."""
    (data_low, _), (frame_low, frame_high) = (
        [np.asarray(corner, np.int64)[::-1] for corner in header[name]] for name in ("dataWindow", "displayWindow")
    )
    size = frame_high - frame_low + 1
    first = data_low - frame_low  # of the data, in the frame
    data_size = np.asarray(array.shape[:2])
    height, width = data_size
    if not first.any() and (data_size == size).all():
        return array, ()
    start, stop = np.maximum(first, 0), np.minimum(first + data_size, size)
    windows = f"data window {width}x{height} at ({first[1]}, {first[0]}) of a display window {size[1]}x{size[0]}"
    if (stop <= start).any() or np.prod(size, dtype=float) > _MOST_FRAME * height * width:
        return array, (f"{windows}: the data window alone was read",)
    source.check_size(size.tolist(), array.itemsize * 2)
    dtype = array.dtype if array.dtype.kind == "f" else np.dtype(np.float64)
    frame = np.full((*size, *array.shape[2:]), np.nan, dtype)
    inside = tuple(slice(*ends) for ends in zip(start, stop, strict=True))
    taken = tuple(slice(*ends) for ends in zip(start - first, stop - first, strict=True))
    frame[inside] = array[taken]
    return frame, (f"{windows}: pixels without data are holes",)


def _unit(header: dict[str, Any]) -> tuple[tuple[float, float] | None, str]:
    """Give the value of 100 cd/m2 if the file states the luminance of its white (the value 1)."""
    white = float(header.get("whiteLuminance", 0))
    if np.isfinite(white) and white > 0:
        return (0.0, SDR_WHITE / white), f"the file states that its value 1 is {white:g} cd/m2"
    return None, RELATIVE_LIGHT


def _part_notes(part: Any, count: int) -> tuple[str, ...]:
    if count == 1:
        return ()
    return (f"the file holds {count} parts; part {part.part_index}, {part.name()!r}, was read",)


def _layer_notes(names: tuple[str, ...], pixels: dict[str, _Array]) -> Iterable[str]:
    left_out = [name for name in pixels if name not in names]
    chroma = [name for name in left_out if _base(name) in ("RY", "BY")]
    if chroma:
        yield "luminance and subsampled chroma: the luminance was read, the colours were left out"
    layer = _layer(names[0])
    alpha = f"{layer}.A" if layer else "A"
    if alpha in left_out and not (pixels[alpha] == 1).all():
        yield "transparency (the alpha channel) is ignored"
    others = [name for name in left_out if name not in chroma and name != alpha]
    if others:
        shown = ", ".join(others[:6]) + (", ..." if len(others) > 6 else "")
        yield f"channels {', '.join(names)} were read; left out: {shown}"


def _colour_notes(names: tuple[str, ...], header: dict[str, Any]) -> Iterable[str]:
    primaries = header.get("chromaticities")
    if primaries is not None and len(names) == 3:
        values = np.ravel(np.asarray(primaries, float))[:6]
        if not np.allclose(values, _REC709, atol=0.01):
            yield "the file states primaries other than those of Rec. 709; the luminance is taken as if they were those"


@contextlib.contextmanager
def _silenced() -> Iterator[io.StringIO]:
    """Keep what the library prints off the terminal: from Python, which is given, and from C."""
    said = io.StringIO()
    with contextlib.ExitStack() as stack:
        try:
            nowhere = os.open(os.devnull, os.O_WRONLY)
            stack.callback(os.close, nowhere)
            for stream, number in ((sys.stdout, 1), (sys.stderr, 2)):
                if stream is not None:
                    stream.flush()
                kept = os.dup(number)
                stack.callback(os.close, kept)
                stack.callback(os.dup2, kept, number)
                os.dup2(nowhere, number)
        except (OSError, ValueError):
            pass  # a closed stream shows nothing
        stack.enter_context(contextlib.redirect_stdout(said))
        yield said
