"""Decode a page of a TIFF file from its strips or tiles: all of them, none larger than stated, none invented."""

from __future__ import annotations

import math
import struct
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import imagecodecs
import numpy as np
import numpy.typing as npt
import tifffile

from ..errors import InputError
from ._tiff_pages import readable
from .source import Source

_Array = npt.NDArray[Any]

_RAW = 1
_ELECTRONS = (65000, 65001, 65002)  # counted electrons (EER), which are no picture before they are summed up
_CCITT: dict[int, Callable[..., Any]] = {
    2: imagecodecs.ccittrle_decode,
    3: imagecodecs.ccittfax3_decode,
    4: imagecodecs.ccittfax4_decode,
}
_JPEG = (6, 7, 33007, 34892)
_JPEG_2000 = (33003, 33004, 33005, 34712)
_JPEG_XR = (22610, 34934)
_JPEG_XL = (50002, 52546)
_LERC, _PNG, _WEBP = 34887, 34933, 50001

_SPARE = 2**16
"""Pixels that a compressed strip may state beyond what it should hold: edges are padded."""

_LARGE_TILE = 2**22
"""Pixels that a tile may have however small the image is: it is decoded as a whole."""

_PADS = (b"\xff" * 64, b"\x1d\x51\x5a\x3a\xa5\x47" * 12, b"\x2a\xaa" * 40)
"""Bits that decode to other pixels than white in each of the CCITT codes."""


def decoded(source: Source, page: Any, sparse: bool) -> tuple[_Array, _Array | None]:
    """Decode a page to the shape that it states; with where there is nothing, if strips may be left out (`sparse`)."""
    _check_readable(source, page)
    try:
        with readable(page):
            missing = _check_segments(source, page, sparse)
            if page.keyframe.is_contiguous and not missing:
                return source.checked(page.asarray(), page.shape, page.dtype), None
            _check_streams(source, page)
            return _from_segments(source, page)
    except NotImplementedError as error:
        raise InputError(
            f"{source.path} is stored in a way that cannot be read ({error}). Save it without compression or predictor."
        ) from error


def following(source: Source, page: Any, planes: int) -> Iterator[_Array]:
    """Read planes that lie behind the only page of a file, without pages of their own."""
    form, handle, size = page.parent.byteorder + page.dtype.char, page.parent.filehandle, page.nbytes
    start = page.dataoffsets[0]
    if not page.is_final or start + (planes + 1) * size > handle.size:
        raise source.damaged(f"it states {planes + 1} planes of {size} bytes from byte {start}, but has {handle.size}")
    for plane in range(1, planes + 1):
        yield handle.read_array(form, math.prod(page.shape), start + plane * size).reshape(page.shape)


# --- what cannot be decoded


def _check_readable(source: Source, page: Any) -> None:
    """Refuse by name what no library here decodes; it is not damaged."""
    key = page.keyframe
    bits = key.bitspersample if isinstance(key.bitspersample, tuple) else (key.bitspersample,)
    formats = key.tags.valueof(339, key.sampleformat)
    # Libraries do not agree on the order of the bytes of whole numbers with 17 to 31 bits.
    wide = key.dtype is not None and key.dtype.kind == "u" and any(16 < number < 32 for number in bits)
    if key.dtype is None or wide or (isinstance(formats, tuple) and len(set(formats)) > 1):
        raise InputError(
            f"{source.path} has samples of {' and '.join(str(int(number)) for number in bits)} bits in the sample "
            f"format {_named(key.sampleformat)}, which cannot be read. Save it with 8 or 16 bits a sample."
        )
    compression = key.compression
    if compression in _ELECTRONS or (compression != _RAW and compression not in tifffile.TIFF.DECOMPRESSORS):
        raise InputError(
            f"{source.path} is compressed by {_named(compression)}, which cannot be read. Save it without compression "
            "or with Deflate."
        )
    if key.predictor not in tifffile.TIFF.UNPREDICTORS and compression not in tifffile.TIFF.IMAGE_COMPRESSIONS:
        raise InputError(
            f"{source.path} was made with predictor {_named(key.predictor)}, which cannot be read. Save it without one."
        )
    if key.is_subsampled and key.photometric == tifffile.PHOTOMETRIC.YCBCR and compression not in _JPEG:
        raise InputError(
            f"{source.path} holds YCbCr colours at a lower resolution (subsampled) outside of JPEG, which cannot be "
            "read. Save it as RGB."
        )


def _named(value: Any) -> str:
    return f"{getattr(value, 'name', 'an unknown method')} ({int(value)})"


def _check_segments(source: Source, page: Any, sparse: bool) -> bool:
    """Refuse a page whose strips or tiles are not all there; says whether some are left out on purpose."""
    key = page.keyframe
    if key.is_tiled:
        sides = (key.tiledepth, key.tilelength, key.tilewidth)
        most = max(_LARGE_TILE, 4 * key.imagedepth * key.imagelength * key.imagewidth)
        if min(sides) < 1 or math.prod(sides) > most:
            raise source.damaged(
                f"it states tiles of {key.tilelength}x{key.tilewidth} for {key.imagelength}x{key.imagewidth} pixels"
            )
    stated = math.prod(key.chunked)
    offsets, counts = page.dataoffsets[:stated], page.databytecounts[:stated]
    there = min(len(offsets), len(counts))
    if there < stated:
        raise source.damaged(f"its pixels are in {stated} strips or tiles, and it says where {there} of them are")
    empty = [number for number in range(stated) if offsets[number] == 0 or counts[number] == 0]
    if empty and (not sparse or len(empty) == stated):
        raise source.damaged(f"strip or tile {empty[0] + 1} of {stated} is missing: it has no place or no bytes")
    size = page.parent.filehandle.size
    end = max(offset + count for offset, count in zip(offsets, counts, strict=True))
    if key.is_contiguous and not empty:
        if sum(counts) < key.nbytes:
            raise source.damaged(f"its pixels need {key.nbytes} bytes, and {sum(counts)} are stated")
        end = max(end if len(offsets) == 1 else 0, offsets[0] + key.nbytes)
    if end > size:
        raise source.damaged(f"it refers to byte {end}, but has {size}")
    return bool(empty)


def _check_streams(source: Source, page: Any) -> None:
    """Refuse a strip whose own header states far more than it should hold, or that ends before its pixels do."""
    key = page.keyframe
    stated = _STATED.get(int(key.compression))
    if stated is None and int(key.compression) not in _CCITT:
        return
    rows, columns = (key.tilelength, key.tilewidth) if key.is_tiled else (key.rowsperstrip, key.imagewidth)
    handle = page.parent.filehandle
    for data, number in handle.read_segments(page.dataoffsets, page.databytecounts, length=math.prod(key.chunked)):
        if data is None:
            continue
        if stated is None:
            _check_fax(source, key, data, number)
            continue
        height, width, whole = stated(data)
        if height * width > 2 * rows * columns + _SPARE:
            raise source.damaged(
                f"strip or tile {number + 1} states {height}x{width} pixels, and should hold {rows}x{columns}"
            )
        if not whole and key.jpegheader is None:  # Hamamatsu cuts one stream into tiles
            raise source.damaged(f"strip or tile {number + 1} ends before its last pixel")


def _check_fax(source: Source, key: Any, data: bytes, number: int) -> None:
    """Refuse a strip of CCITT code that ends early: the decoder leaves white what is not there.

    What follows a whole strip changes nothing; what follows one that was cut short becomes pixels.
    """
    options: dict[str, Any] = {"t4options": key.tags.valueof(292) or 0} if int(key.compression) == 3 else {}
    decode = partial(_CCITT[int(key.compression)], **options)
    if key.is_tiled:
        rows, columns = key.tilelength, key.tilewidth
    else:
        rows, columns = min(key.rowsperstrip, key.imagelength - number * key.rowsperstrip), key.imagewidth
    code = bytes(imagecodecs.bitorder_decode(data)) if key.fillorder == 2 else data
    pixels = decode(code, rows, columns)
    if any(not np.array_equal(decode(code + pad, rows, columns), pixels) for pad in _PADS):
        raise source.damaged(f"strip or tile {number + 1} ends before its last pixel")


# --- decoding


def _from_segments(source: Source, page: Any) -> tuple[_Array, _Array | None]:
    """Put a page together from its strips or tiles."""
    key = page.keyframe
    pixels = np.empty(key.shaped, key.dtype)
    empty = []

    def place(segment: Any) -> None:
        data, (sample, depth, row, column, _), shape = segment
        where = (
            sample,
            slice(depth, depth + shape[0]),
            slice(row, row + shape[1]),
            slice(column, column + shape[2]),
        )
        if data is None:
            empty.append(where)
            pixels[where] = 0
            return
        if data.dtype != key.dtype and int(key.compression) not in _CCITT:
            raise source.damaged(f"it states samples of {key.dtype}, and they decode to {data.dtype}")
        pixels[where] = data[: key.imagedepth - depth, : key.imagelength - row, : key.imagewidth - column]

    for _ in page.segments(func=place, sort=True):
        pass
    if not empty:
        return pixels.reshape(page.shape), None
    holes = np.zeros(key.shaped, bool)
    for where in empty:
        holes[where] = True
    return pixels.reshape(page.shape), holes.reshape(page.shape)


# --- what compressed strips state of themselves: height, width, and whether they reach their end

_Stated = tuple[int, int, bool]
_UNKNOWN = (0, 0, True)  # the decoder will say


def _jpeg(data: bytes) -> _Stated:
    """Read the frame header of a JPEG stream, which ends with the marker EOI: decoders fill up with grey without."""
    whole = b"\xff\xd9" in data[-64:]
    position = 2
    while position + 9 <= len(data) and data[position] == 0xFF:
        marker = data[position + 1]
        if marker in (0xFF, 0x01) or 0xD0 <= marker <= 0xD8:
            position += 1 if marker == 0xFF else 2
            continue
        if 0xC0 <= marker <= 0xCF and marker not in (0xC4, 0xC8, 0xCC):
            height, width = struct.unpack(">HH", data[position + 5 : position + 9])
            return height, width, whole
        position += 2 + struct.unpack(">H", data[position + 2 : position + 4])[0]
    return 0, 0, whole


def _jpeg_2000(data: bytes) -> _Stated:
    start = data.find(b"\xff\x4f\xff\x51")
    if start < 0 or start + 24 > len(data):
        return _UNKNOWN
    right, bottom, left, top = struct.unpack(">IIII", data[start + 8 : start + 24])
    return bottom - top, right - left, True


def _png(data: bytes) -> _Stated:
    return (*reversed(struct.unpack(">II", data[16:24])), True) if data[12:16] == b"IHDR" else _UNKNOWN


def _webp(data: bytes) -> _Stated:
    head = data[:30].ljust(30, b"\0")
    if head[12:16] == b"VP8X":
        return int.from_bytes(head[27:30], "little") + 1, int.from_bytes(head[24:27], "little") + 1, True
    if head[12:16] == b"VP8L":
        packed = int.from_bytes(head[21:25], "little")
        return (packed >> 14 & 0x3FFF) + 1, (packed & 0x3FFF) + 1, True
    return int.from_bytes(head[28:30], "little") & 0x3FFF, int.from_bytes(head[26:28], "little") & 0x3FFF, True


def _jpeg_xr(data: bytes) -> _Stated:
    """Read the directory of a JPEG XR file; it states how many bytes of pixels follow where."""
    if len(data) < 8:
        return 0, 0, False
    (start,) = struct.unpack("<I", data[4:8])
    count = int.from_bytes(data[start : start + 2], "little")
    tags = {}
    for entry in range(start + 2, min(start + 2 + 12 * count, len(data) - 11), 12):
        code, form = struct.unpack("<HH", data[entry : entry + 4])
        tags[code] = int.from_bytes(data[entry + 8 : entry + (10 if form == 3 else 12)], "little")
    return tags.get(0xBC81, 0), tags.get(0xBC80, 0), tags.get(0xBCC0, 0) + tags.get(0xBCC1, 0) <= len(data)


def _jpeg_xl(data: bytes) -> _Stated:
    """Read the size header of a JPEG XL stream, bare or in a container."""
    start = 0 if data[:2] == b"\xff\x0a" else data.find(b"\xff\x0a", data.find(b"jxl", 12))
    if start < 0:
        return _UNKNOWN
    bits = int.from_bytes(data[start + 2 : start + 14].ljust(12, b"\0"), "little")

    def take(number: int) -> int:
        nonlocal bits
        value = bits & (1 << number) - 1
        bits >>= number
        return value

    small = take(1)

    def size() -> int:
        return 8 * (take(5) + 1) if small else take((9, 13, 18, 30)[take(2)]) + 1

    height, ratio = size(), take(3)
    over, under = (None, (1, 1), (12, 10), (4, 3), (3, 2), (16, 9), (5, 4), (2, 1))[ratio] or (0, 1)
    return height, (size() if ratio == 0 else height * over // under), True


def _lerc(data: bytes) -> _Stated:
    if data[:6] == b"Lerc2 ":
        (version,) = struct.unpack("<i", data[6:10])
        start = 14 if version >= 3 else 10
        return (*struct.unpack("<ii", data[start : start + 8]), True)
    return (*struct.unpack("<ii", data[18:26]), True) if data[:10] == b"CntZImage " else _UNKNOWN


_STATED: dict[int, Callable[[bytes], _Stated]] = {
    **dict.fromkeys(_JPEG, _jpeg),
    **dict.fromkeys(_JPEG_2000, _jpeg_2000),
    **dict.fromkeys(_JPEG_XR, _jpeg_xr),
    **dict.fromkeys(_JPEG_XL, _jpeg_xl),
    _LERC: _lerc,
    _PNG: _png,
    _WEBP: _webp,
}
