"""Read PNG: its chunks say what the samples mean, libpng decodes them, and nothing that is missing is made up."""

from __future__ import annotations

import io
import struct
import warnings
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from ..errors import InputError
from ._bitmap import pillow_frames
from ._chunks import SIGNATURE, chunk, chunks, shown
from ._metadata import (
    PixelSize,
    density_size,
    exif_orientation,
    inflated,
    profile_notes,
    transfer_notes,
)
from ._samples import image_of
from .image_file import KEY, ImageFile, transparency_note, with_record
from .source import Source

_GREY, _RGB, _PALETTE, _GREY_ALPHA, _RGBA = 0, 2, 3, 4, 6
_SAMPLES = {_GREY: 1, _RGB: 3, _PALETTE: 1, _GREY_ALPHA: 2, _RGBA: 4}
_DEPTHS = {_GREY: (1, 2, 4, 8, 16), _RGB: (8, 16), _PALETTE: (1, 2, 4, 8), _GREY_ALPHA: (8, 16), _RGBA: (8, 16)}
_MOVING = frozenset({b"PLTE", b"tRNS", b"acTL", b"fcTL", b"IDAT", b"fdAT"})
_CRITICAL = frozenset({b"IHDR", b"PLTE", b"IDAT", b"IEND"})
_MOST_OVERHEAD = 2**16  # bytes that compression may add
_WIDEST = 1_000_000  # pixels, which libpng reads in a row or a column
_SRGB_GAMMA = 1 / 2.2
_INCHES_PER_METRE = 1 / 0.0254


@dataclass
class _Png:
    """What the chunks of a PNG state; `data` are the compressed pixels."""

    header: bytes
    width: int
    height: int
    depth: int
    colour: int
    data: list[bytes]
    stated: dict[bytes, bytes] = field(default_factory=dict)
    texts: dict[bytes, bytes] = field(default_factory=dict)
    moving: list[tuple[bytes, bytes]] = field(default_factory=list)  # what an animation is made of

    def stream(self, colour: int | None = None) -> bytes:
        """Give the PNG with nothing in it but its pixels, as if of another colour type: no chunk changes them then."""
        header = self.header if colour is None else self.header[:9] + bytes([colour]) + self.header[10:]
        parts = [(b"IHDR", header), *((b"IDAT", data) for data in self.data), (b"IEND", b"")]
        return SIGNATURE + b"".join(chunk(name, data) for name, data in parts)


def read_png(source: Source) -> ImageFile:
    """Read a PNG of any colour type and depth; of an animation the frames, where they have 8 bits."""
    png = _parsed(source)
    samples = 4 if png.colour == _PALETTE else _SAMPLES[png.colour]
    source.check_size((png.height, png.width), samples * (2 if png.depth == 16 else 1))
    if max(png.height, png.width) > _WIDEST:
        raise InputError(
            f"{source.path} has {png.height}x{png.width} pixels; a PNG is read up to {_WIDEST} a side. Save it as TIFF."
        )
    row = png.width * _SAMPLES[png.colour] * png.depth // 8 + 2
    stored = sum(map(len, png.data))
    if stored > 2 * png.height * row + _MOST_OVERHEAD:
        raise source.damaged(f"its pixels, {png.height * row} bytes, are compressed to {stored}")
    array, notes = _with_palette(source, png) if png.colour == _PALETTE else _decoded(source, png)
    orientation, exif_notes = exif_orientation(png.stated[b"eXIf"]) if b"eXIf" in png.stated else (1, ())
    frames = _frame_count(png)
    is_composed = frames > 1 and png.depth <= 8 and not png.header[12]  # Pillow gives 8 bits
    if is_composed:
        array = _frames(source, png, frames)
    elif frames > 1:
        notes = (f"an animation of {frames} frames, of which the still picture was read", *notes)
    file = image_of(
        source,
        array,
        has_samples=array.ndim > 2 + is_composed,
        orientation=orientation,
        pixel_size=_pixel_size(png),
        notes=(*notes, *_depth_notes(png), *_colour_notes(png), *exif_notes),
    )
    return with_record(file, png.texts.get(KEY.encode()))


def _parsed(source: Source) -> _Png:
    """Go through the chunks: all whole, in an order that makes sense, and an end."""
    png: _Png | None = None
    for name, data in chunks(source, source.path.read_bytes()):
        if png is None:
            png = _header(source, name, data)
        else:
            _take(source, png, name, data)
    if png is None or not png.data:
        raise source.damaged("it holds no pixels (no chunk IDAT)")
    return png


def _header(source: Source, name: bytes, data: bytes) -> _Png:
    if name == b"CgBI":
        raise InputError(f"{source.path} is a PNG in Apple's own form for apps (CgBI). Export it as a PNG or TIFF.")
    if name != b"IHDR" or len(data) != 13:
        raise source.damaged("it does not begin with its header, IHDR")
    width, height, depth, colour, *methods = struct.unpack(">IIBBBBB", data)
    if depth not in _DEPTHS.get(colour, ()) or methods[:2] != [0, 0] or methods[2] > 1:
        raise source.damaged(f"its header states colour type {colour}, {depth} bits, and methods {methods}")
    return _Png(data, width, height, depth, colour, [])


def _take(source: Source, png: _Png, name: bytes, data: bytes) -> None:
    if name in _MOVING:
        png.moving.append((name, data))
    if name == b"IDAT":
        png.data.append(data)
    elif name not in _CRITICAL and name[:1].isupper():
        raise InputError(f"{source.path} is a PNG that needs an unknown extension ({shown(name)}). Export it anew.")
    elif name == b"IHDR":
        raise source.damaged("it has two headers")
    elif name == b"tEXt":
        key, _, text = data.partition(b"\0")
        png.texts.setdefault(key, text)
    else:
        png.stated.setdefault(name, data)


def _decoded(source: Source, png: _Png) -> tuple[npt.NDArray[Any], tuple[str, ...]]:
    array = _pixels(source, png)
    notes: tuple[str, ...] = ()
    clear = png.stated.get(b"tRNS")
    if clear is not None and png.colour in (_GREY, _RGB):
        notes = _one_colour_note(array, clear, png)
    return (array != 0 if png.depth == 1 else array), notes


def _pixels(source: Source, png: _Png, colour: int | None = None) -> npt.NDArray[Any]:
    import imagecodecs

    array = imagecodecs.png_decode(png.stream(colour))
    samples = _SAMPLES[png.colour]
    shape = (png.height, png.width) if samples == 1 else (png.height, png.width, samples)
    return source.checked(array, shape, np.uint16 if png.depth == 16 else np.uint8)


def _with_palette(source: Source, png: _Png) -> tuple[npt.NDArray[Any], tuple[str, ...]]:
    """Look the colours up; decoded as if grey, for decoders make up colours that a short palette lacks."""
    palette = np.frombuffer(png.stated.get(b"PLTE", b""), np.uint8)
    if palette.size == 0 or palette.size % 3:
        raise source.damaged(f"its palette has {palette.size} bytes, which are no colours")
    colours = palette.reshape(-1, 3)
    # libpng spreads grey of less than 8 bits over 0..255: steps of 255, 85 or 17.
    numbers = _pixels(source, png, _GREY) // np.uint8(255 // (2**png.depth - 1))
    highest = int(numbers.max())
    if highest >= len(colours):
        raise source.damaged(f"a pixel has colour number {highest}, and the palette {len(colours)} colours")
    if b"tRNS" in png.stated:
        alpha = np.full(len(colours), 255, np.uint8)
        stated = np.frombuffer(png.stated[b"tRNS"], np.uint8)[: len(colours)]
        alpha[: len(stated)] = stated
        colours = np.column_stack([colours, alpha])
    return colours[numbers], ()


def _one_colour_note(array: npt.NDArray[Any], clear: bytes, png: _Png) -> tuple[str, ...]:
    """Say how many pixels have the one value that is transparent; they stay as they are stored."""
    samples = _SAMPLES[png.colour]
    if len(clear) < 2 * samples:
        return ("the transparent colour that the file states is damaged (tRNS); transparency is ignored",)
    values = np.array(struct.unpack(f">{samples}H", clear[: 2 * samples]))
    if png.depth < 8:
        values = values * (255 // (2**png.depth - 1))
    hit = array == values[0] if samples == 1 else (array == values).all(axis=-1)
    return (f"{transparency_note(np.count_nonzero(hit) / hit.size)}: those of one colour",)


def _frame_count(png: _Png) -> int:
    stated = png.stated.get(b"acTL", b"")
    return int.from_bytes(stated[:4], "big")


def _frames(source: Source, png: _Png, count: int) -> npt.NDArray[Any]:
    """Compose the frames of an animation, of each of which all pixels must be there."""
    from PIL import Image

    source.check_size((count, png.height, png.width), 4)
    parts: list[tuple[int, int, list[bytes]]] = []
    for name, data in png.moving:
        if name == b"fcTL" and len(data) == 26:
            width, height = struct.unpack_from(">II", data, 4)
            parts.append((width, height, []))
        elif name in (b"IDAT", b"fdAT") and parts:
            parts[-1][2].append(data if name == b"IDAT" else data[4:])
    if len(parts) != count:
        raise source.damaged(f"it states {count} frames, and {len(parts)} are there")
    for width, height, streams in parts:
        row = 1 + -(-width * _SAMPLES[png.colour] * png.depth // 8)
        fits = width <= png.width and height <= png.height
        pixels = inflated(b"".join(streams), height * row + 1) if fits else None
        if pixels is None or len(pixels) < height * row:
            raise source.damaged("a frame of its animation is not whole")
    content = SIGNATURE + b"".join(chunk(*part) for part in [(b"IHDR", png.header), *png.moving, (b"IEND", b"")])
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # of a frame that it does not take, the still picture would be given
        with Image.open(io.BytesIO(content), formats=["PNG"]) as picture:
            frames = pillow_frames(picture, picture.n_frames)  # type: ignore[attr-defined]
    return np.stack(frames[-count:])  # a still picture that is no part of the animation comes first


def _depth_notes(png: _Png) -> tuple[str, ...]:
    bits = set(png.stated.get(b"sBIT", b""))
    depth = 8 if png.colour == _PALETTE else png.depth
    if not bits or bits == {depth}:
        return ()
    stated = ", ".join(map(str, sorted(bits)))
    return (f"the file states that {stated} of {depth} bits are significant; white is taken as {2**depth - 1}",)


def _colour_notes(png: _Png) -> tuple[str, ...]:
    """Say how the codes differ from sRGB; the first of these chunks holds, in this order of the standard."""
    stated = png.stated
    if len(stated.get(b"cICP", b"")) == 4:
        primaries, transfer, _, full = stated[b"cICP"]
        return transfer_notes(primaries, transfer, full_range=bool(full))
    if b"iCCP" in stated:
        name, _, rest = stated[b"iCCP"].partition(b"\0")
        profile = inflated(rest[1:])
        if profile is None:
            return (f"colour profile {name[:79].decode('latin-1')!r} is damaged or too long, and was ignored",)
        return profile_notes(profile)
    if b"sRGB" in stated or len(stated.get(b"gAMA", b"")) != 4:
        return ()
    gamma = struct.unpack(">I", stated[b"gAMA"])[0] / 100_000
    if abs(gamma / _SRGB_GAMMA - 1) < 0.05:
        return ()
    what = ", linear light" if gamma == 1 else ""
    return (f"the file states gamma {gamma:g}{what} (gAMA), which is not applied: codes are taken as sRGB",)


def _pixel_size(png: _Png) -> PixelSize | None:
    stated = png.stated.get(b"pHYs", b"")
    if len(stated) != 9 or stated[8] != 1:
        return None
    x, y, _ = struct.unpack(">IIB", stated)
    return density_size(y / _INCHES_PER_METRE, x / _INCHES_PER_METRE)
