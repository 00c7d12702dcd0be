"""Read JPEG 2000: the code stream states depth, sign and sampling of each component, the boxes what they mean."""

from __future__ import annotations

import struct
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from ..errors import InputError
from ._boxes import boxes
from ._metadata import PixelSize, density_size, profile_notes
from ._samples import image_of
from .image_file import ImageFile
from .source import Source

_Array = npt.NDArray[Any]

BOXED = b"\0\0\0\x0cjP  \r\n\x87\n"
STREAM = b"\xff\x4f\xff\x51"
_DEEPEST = 25  # bits, up to which the decoder is exact
_SRGB, _GREY, _SYCC = 16, 17, 18
_ALPHA_TYPES = (1, 2)
_UNKNOWN, _WHOLE = 65535, 0
_INCHES_PER_METRE = 1 / 0.0254


@dataclass
class _Jp2:
    """What a file states: its size, the components of the code stream, and the boxes around it."""

    height: int
    width: int
    depths: list[int]
    signed: bool
    stream: bytes
    colours: int | None = None  # the enumerated colour space
    profile: bytes | None = None
    palette: _Array | None = None
    mapping: list[tuple[int, int, int]] = field(default_factory=list)  # component, type, column of the palette
    channels: list[tuple[int, int, int]] = field(default_factory=list)  # channel, type, what it belongs to
    pixel_size: PixelSize | None = None


def read_jpeg2000(source: Source) -> ImageFile:
    """Read a JPEG 2000 of any depth up to 25 bits, with or without boxes around it."""
    jp2 = _parsed(source)
    count = len(jp2.depths)
    source.check_size((jp2.height, jp2.width), count * 6)  # the decoder takes four bytes for each sample, and gives two
    source.check_density((jp2.height, jp2.width), len(jp2.stream))
    array = _samples(source, jp2)
    depth = jp2.depths[0]
    if jp2.palette is not None and jp2.mapping:
        array, depth = _from_palette(source, jp2, array)
    array, has_samples, notes = _meant(source, jp2, array, depth)
    low = -(2 ** (depth - 1)) if jp2.signed else 0
    return image_of(
        source,
        array,
        has_samples=has_samples,
        white=None if jp2.signed else 2**depth - 1,
        data_range=(float(low), float(low + 2**depth - 1)) if jp2.signed else None,
        pixel_size=jp2.pixel_size,
        notes=(*notes, *(profile_notes(jp2.profile) if jp2.profile is not None else ())),
    )


def _parsed(source: Source) -> _Jp2:
    content = source.path.read_bytes()
    if content.startswith(STREAM):
        return _stream(source, content)
    header: tuple[int, int] | None = None
    jp2: _Jp2 | None = None
    for name, first, last in boxes(source, content):
        if name == b"jp2h":
            header = header or (first, last)
        elif name == b"jp2c":
            jp2 = _stream(source, content[first:last])
            break
    if jp2 is None:
        raise source.damaged("it holds no code stream (jp2c)")
    if header is not None:
        for name, first, last in boxes(source, content, *header):
            _take(source, jp2, name, content[first:last])
    return jp2


def _stream(source: Source, stream: bytes) -> _Jp2:
    """Read the size and the components that a code stream states."""
    if not stream.startswith(STREAM) or len(stream) < 42:
        raise source.damaged("its code stream does not begin with its size")
    right, bottom, left, top = struct.unpack_from(">4I", stream, 8)
    tiles = struct.unpack_from(">4I", stream, 24)
    (count,) = struct.unpack_from(">H", stream, 40)
    parts = stream[42 : 42 + 3 * count]
    if not count or len(parts) < 3 * count or right <= left or bottom <= top or 0 in tiles[:2]:
        raise source.damaged(f"its code stream states {bottom - top}x{right - left} pixels, {count} components")
    depths = [(value & 127) + 1 for value in parts[::3]]
    signs = {value >> 7 for value in parts[::3]}
    if {*parts[1::3], *parts[2::3]} != {1}:
        raise InputError(
            f"{source.path} is a JPEG 2000 whose components differ in size (subsampled). Save it as TIFF or PNG."
        )
    if len(set(depths)) > 1 or len(signs) > 1:
        raise InputError(
            f"{source.path} is a JPEG 2000 whose components differ in depth ({', '.join(map(str, depths))} bits). Save "
            "it as TIFF."
        )
    if depths[0] > _DEEPEST:
        raise InputError(f"{source.path} is a JPEG 2000 of {depths[0]} bits; {_DEEPEST} are read. Save it as TIFF.")
    return _Jp2(bottom - top, right - left, depths, signs == {1}, stream)


def _take(source: Source, jp2: _Jp2, name: bytes, data: bytes) -> None:
    """Take in what a box of the header states."""
    if name == b"ihdr" and len(data) >= 8 and struct.unpack_from(">II", data) != (jp2.height, jp2.width):
        stated = "x".join(map(str, struct.unpack_from(">II", data)))
        raise source.damaged(f"its header states {stated} pixels, and its code stream {jp2.height}x{jp2.width}")
    if name == b"colr" and len(data) >= 3 and jp2.colours is None and jp2.profile is None:
        if data[0] == 1 and len(data) >= 7:
            (jp2.colours,) = struct.unpack_from(">I", data, 3)
        elif data[0] in (2, 3):
            jp2.profile = data[3:]
    elif name == b"pclr":
        jp2.palette = _palette(source, data)
    elif name == b"cmap":
        jp2.mapping = list(struct.iter_unpack(">HBB", data[: len(data) // 4 * 4]))
    elif name == b"cdef" and len(data) >= 2:
        jp2.channels = list(struct.iter_unpack(">HHH", data[2 : 2 + (len(data) - 2) // 6 * 6]))
    elif name == b"res ":
        jp2.pixel_size = _resolution(data)


def _palette(source: Source, data: bytes) -> _Array:
    entries, columns = struct.unpack_from(">HB", data) if len(data) >= 3 else (0, 0)
    bits = set(data[3 : 3 + columns])
    values = data[3 + columns : 3 + columns + entries * columns]
    if not entries or not columns or bits != {7} or len(values) < entries * columns:
        raise InputError(
            f"{source.path} is a JPEG 2000 with a palette that is damaged or not of 8 bits. Save it as TIFF or PNG."
        )
    return np.frombuffer(values, np.uint8).reshape(entries, columns)


def _resolution(data: bytes) -> PixelSize | None:
    """Read the resolution of the capture: points a metre, each a fraction and a power of ten."""
    place = data.find(b"resc")
    if place < 4 or len(data) < place + 14:
        return None
    *parts, y_power, x_power = struct.unpack_from(">4H2b", data, place + 4)
    if 0 in parts or abs(y_power) > 12 or abs(x_power) > 12:
        return None
    y, x = parts[0] / parts[1] * 10.0**y_power, parts[2] / parts[3] * 10.0**x_power
    return density_size(y / _INCHES_PER_METRE, x / _INCHES_PER_METRE)


def _samples(source: Source, jp2: _Jp2) -> _Array:
    """Decode the components as they are stored, in their order, as ``(height, width, components)``."""
    import imagecodecs

    # The code stream alone: no box makes the decoder convert anything.
    array = imagecodecs.jpeg2k_decode(jp2.stream, planar=False)
    count = len(jp2.depths)
    size = 1 if jp2.depths[0] <= 8 else 2 if jp2.depths[0] <= 16 else 4
    shape = (jp2.height, jp2.width) if count == 1 else (jp2.height, jp2.width, count)
    return source.checked(array, shape, f"{'i' if jp2.signed else 'u'}{size}").reshape(jp2.height, jp2.width, count)


def _from_palette(source: Source, jp2: _Jp2, array: _Array) -> tuple[_Array, int]:
    """Look the samples up that the mapping sends through the palette; gives the channels and their depth."""
    assert jp2.palette is not None
    channels = []
    for component, kind, column in jp2.mapping:
        if kind != 1 or component >= array.shape[-1] or column >= jp2.palette.shape[1] or jp2.signed:
            raise InputError(f"{source.path} is a JPEG 2000 with a palette for some channels only. Save it as TIFF.")
        numbers = array[..., component]
        if int(numbers.max()) >= len(jp2.palette):
            raise source.damaged(f"a pixel has colour number {numbers.max()}; the palette has {len(jp2.palette)}")
        channels.append(jp2.palette[numbers, column])
    return np.stack(channels, axis=-1), 8


def _meant(source: Source, jp2: _Jp2, array: _Array, depth: int) -> tuple[_Array, bool, tuple[str, ...]]:
    """Bring the channels into the order of red, green, blue and alpha; gives whether they are that."""
    count = array.shape[-1]
    if jp2.colours not in (None, _SRGB, _GREY, _SYCC):
        raise InputError(
            f"{source.path} is a JPEG 2000 in colour space {jp2.colours}; sRGB, grey and sYCC are read. Convert it."
        )
    colours = 1 if jp2.colours == _GREY or (jp2.colours is None and count < 3) else 3
    if jp2.colours is None and jp2.profile is not None:
        colours = 1 if jp2.profile[16:20] == b"GRAY" else 3
    order = list(range(min(colours, count)))
    alpha = []
    if jp2.channels:
        meaning = {(kind, of): channel for channel, kind, of in jp2.channels if channel < count}
        if all((0, of) in meaning for of in range(1, colours + 1)):
            order = [meaning[0, of] for of in range(1, colours + 1)]
        alpha = [channel for channel, kind, _ in jp2.channels if kind in _ALPHA_TYPES and channel < count][:1]
    if len(order) < colours or (count > colours and not jp2.channels and jp2.colours is None):
        # Nothing says what the components are.
        return np.ascontiguousarray(np.moveaxis(array, -1, 0)), False, (f"{count} components were read as planes",)
    notes: tuple[str, ...] = ()
    if left_out := sorted({*range(count)} - {*order, *alpha}):
        notes += (f"{len(left_out)} further components, of which nothing is stated, were left out",)
    array = array[..., [*order, *alpha]]
    if jp2.colours == _SYCC:
        array = _rgb(array, depth)
        notes += ("sYCC was turned into red, green and blue",)
    return np.ascontiguousarray(array), True, notes


def _rgb(array: _Array, depth: int) -> _Array:
    """Turn luma and chroma of Rec. 601, in full range, into red, green and blue."""
    luma, blue, red = (array[..., channel].astype(np.float64) for channel in range(3))
    middle, white = 2.0 ** (depth - 1), 2.0**depth - 1
    blue, red = blue - middle, red - middle
    colours = [luma + 1.402 * red, luma - 0.344136 * blue - 0.714136 * red, luma + 1.772 * blue]
    rgb = np.clip(np.rint(np.stack(colours, axis=-1)), 0, white).astype(array.dtype)
    return np.concatenate([rgb, array[..., 3:]], axis=-1)
