"""Read the JPEG family: its segments say what the samples mean, and missing data are found, not filled with grey."""

from __future__ import annotations

import re
import struct
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from ..errors import InputError
from ._metadata import PixelSize, density_size, exif_orientation, exif_pixel_size, profile_notes
from ._samples import image_of
from .image_file import ImageFile
from .source import Source

_Array = npt.NDArray[Any]

START = b"\xff\xd8\xff"
_FRAMES = frozenset({*range(0xC0, 0xD0), 0xF7}) - {0xC4, 0xC8, 0xCC}
_HIERARCHICAL = frozenset({0xC5, 0xC6, 0xC7, 0xCD, 0xCE, 0xCF})
_PROGRESSIVE, _LOSSLESS, _LS = frozenset({0xC2, 0xCA}), 0xC3, 0xF7
_ARITHMETIC = frozenset({0xC9, 0xCA, 0xCB})
_SCAN, _END, _APP0, _APP1, _APP2, _APP14, _RESTARTS, _LINES = 0xDA, 0xD9, 0xE0, 0xE1, 0xE2, 0xEE, 0xDD, 0xDC
_NO_LENGTH = frozenset({0x01, *range(0xD0, 0xD9)})

_GAIN_MAPS = (b"http://ns.adobe.com/hdr-gain-map/", b"urn:iso:std:iso:ts:21496", b"HDRGainMap")
_INK = 4
_JUNK = np.random.default_rng(0).integers(0, 255, 4096, dtype=np.uint8).tobytes()
"""Bytes without a marker in them. Behind data that are complete, a decoder does not look at them."""


@dataclass
class _Jpeg:
    """What the segments of a JPEG state, and where its compressed data end."""

    content: bytes
    frame: int = 0
    depth: int = 8
    height: int = 0
    width: int = 0
    components: dict[int, tuple[int, int]] = field(default_factory=dict)  # number: sampling, horizontal and vertical
    restarts: int = 0
    segments: list[tuple[int, bytes]] = field(default_factory=list)
    scans: list[bytes] = field(default_factory=list)
    ends: list[int] = field(default_factory=list)  # of each run of compressed data
    end: int = 0  # of the picture, behind its end marker

    def all_of(self, marker: int, name: bytes) -> list[bytes]:
        """Give what follows a name in the segments of a marker."""
        return [data[len(name) :] for number, data in self.segments if number == marker and data.startswith(name)]


def read_jpeg(source: Source) -> ImageFile:
    """Read a JPEG of 8 or 12 bits, lossless JPEG, or JPEG-LS; of several pictures in a file the first."""
    jpeg = _parsed(source)
    source.check_size((jpeg.height, jpeg.width), len(jpeg.components) * (1 if jpeg.depth <= 8 else 2))
    if jpeg.frame == _LS:
        array, notes = _decoded_ls(source, jpeg), tuple[str, ...]()
    else:
        _check_kind(source, jpeg)
        array, notes = _decoded(source, jpeg)
    exif = jpeg.all_of(_APP1, b"Exif\0")
    orientation, exif_notes = exif_orientation(exif[0][1:]) if exif else (1, ())
    return image_of(
        source,
        array,
        white=2**jpeg.depth - 1,
        orientation=orientation,
        pixel_size=_pixel_size(jpeg, exif),
        notes=(*_further_notes(jpeg), *notes, *_profile_notes(jpeg), *exif_notes),
    )


def _parsed(source: Source) -> _Jpeg:
    """Go through the segments up to the end marker of the first picture."""
    content = source.path.read_bytes()
    jpeg = _Jpeg(content)
    place = 2
    while True:
        while content[place : place + 2] == b"\xff\xff":  # markers may be padded
            place += 1
        if place + 2 > len(content):
            raise source.damaged("it ends before its end marker")
        if content[place] != 0xFF:
            raise source.damaged(f"byte {place} is no marker")
        marker = content[place + 1]
        place += 2
        if marker == _END:
            break
        if marker in _NO_LENGTH:
            continue
        place = _take(source, jpeg, marker, place)
    if not jpeg.frame or not jpeg.scans:
        raise source.damaged("it holds no picture, only its tables")
    jpeg.end = place
    return jpeg


def _take(source: Source, jpeg: _Jpeg, marker: int, place: int) -> int:
    """Take a segment in; gives where the next marker is."""
    content = jpeg.content
    length = int.from_bytes(content[place : place + 2], "big")
    data = content[place + 2 : place + length]
    if length < 2 or len(data) < length - 2:
        raise source.damaged(f"its segment {marker:#04x} states {length} bytes, and the file ends within it")
    if marker in _FRAMES and not jpeg.frame:
        _take_frame(source, jpeg, marker, data)
    elif marker == _RESTARTS:
        jpeg.restarts = int.from_bytes(data[:2], "big")
    elif marker == _SCAN:
        jpeg.scans.append(data)
        return _scan_end(source, jpeg, place + length)
    elif marker != _LINES:
        jpeg.segments.append((marker, data))
    return place + length


def _take_frame(source: Source, jpeg: _Jpeg, marker: int, data: bytes) -> None:
    if len(data) < 6 or len(data) < 6 + 3 * data[5]:
        raise source.damaged("its frame header is too short")
    jpeg.frame = marker
    jpeg.depth, jpeg.height, jpeg.width, count = struct.unpack_from(">BHHB", data)
    for number in range(count):
        name, sampling, _ = data[6 + 3 * number : 9 + 3 * number]
        jpeg.components[name] = (sampling >> 4, sampling & 15)
    if len(jpeg.components) != count or not all(1 <= s <= 4 for pair in jpeg.components.values() for s in pair):
        raise source.damaged(f"its frame header states {count} components that cannot be")
    if jpeg.height == 0:
        raise InputError(
            f"{source.path} is a JPEG that states its height behind its pixels (DNL), which is not read. Save it anew."
        )


def _scan_end(source: Source, jpeg: _Jpeg, place: int) -> int:
    """Find the marker behind compressed data; restart markers, which are within them, in their order."""
    expected = 0
    stuffed = rb"\xff+[\x80-\xfe]" if jpeg.frame == _LS else rb"\xff+[^\x00\xff]"
    for match in re.compile(stuffed).finditer(jpeg.content, place):
        marker = match[0][-1]
        jpeg.ends.append(match.start())
        if not 0xD0 <= marker <= 0xD7:
            return match.end() - 2
        if not jpeg.restarts or marker - 0xD0 != expected:
            raise source.damaged(f"a restart marker stands at byte {match.start()}, where none belongs")
        expected = (expected + 1) % 8
    raise source.damaged("it ends before its end marker, so that its last pixels may be missing")


def _check_kind(source: Source, jpeg: _Jpeg) -> None:
    count = len(jpeg.components)
    if jpeg.frame in _HIERARCHICAL:
        raise InputError(f"{source.path} is a hierarchical JPEG, which is not read. Save it as TIFF or PNG.")
    if count not in (1, 3, _INK):
        raise InputError(f"{source.path} is a JPEG of {count} components; 1, 3 and 4 are read. Save it as TIFF.")
    depths = range(2, 17) if jpeg.frame == _LOSSLESS else (8, 12)
    if jpeg.depth not in depths:
        raise InputError(f"{source.path} is a JPEG of {jpeg.depth} bits; 8 and 12 are read. Save it as TIFF or PNG.")
    if jpeg.frame in _PROGRESSIVE and not _has_all_scans(jpeg):
        raise source.damaged("some of the scans that refine it are missing")


def _has_all_scans(jpeg: _Jpeg) -> bool:
    """Tell whether the scans of a progressive JPEG give every coefficient to its last bit."""
    bits = {name: np.full(64, 99) for name in jpeg.components}
    for scan in jpeg.scans:
        count = scan[0] if scan else 0
        if len(scan) < 4 + 2 * count:
            return False
        first, last, low = scan[1 + 2 * count], scan[2 + 2 * count], scan[3 + 2 * count] & 15
        for name in scan[1 : 1 + 2 * count : 2]:
            if name in bits:
                bits[name][first : last + 1] = low
    return all((left == 0).all() for left in bits.values())


def _decoded(source: Source, jpeg: _Jpeg) -> tuple[_Array, tuple[str, ...]]:
    import imagecodecs

    count = len(jpeg.components)
    shape = (jpeg.height, jpeg.width) if count == 1 else (jpeg.height, jpeg.width, count)
    dtype = np.uint8 if jpeg.depth <= 8 else np.uint16
    array = source.checked(imagecodecs.jpeg8_decode(jpeg.content[: jpeg.end]), shape, dtype)
    # What is missing is decoded as middle grey, without a word. Then what the data are followed by is decoded instead.
    is_ordinary = jpeg.frame in (0xC0, 0xC1) and jpeg.depth == 8 and count != _INK
    if (jpeg.frame not in _ARITHMETIC and not is_ordinary) or (is_ordinary and _has_flat_grey(array)):
        again = imagecodecs.jpeg8_decode(_with_junk(jpeg))
        if not np.array_equal(array, again):
            raise source.damaged("its compressed data end before its last pixel")
    return _without_ink(source, jpeg, array) if count == _INK else (array, ())


def _has_flat_grey(array: _Array) -> bool:
    """Tell whether a block of 8 by 8 pixels can be what a decoder makes of nothing, looking at its last 3 by 3."""
    rows, columns = (np.append(np.arange(7, side, 8), side - 1) for side in array.shape[:2])
    found = array[np.ix_(rows, columns)] == 128
    hits = np.argwhere(found if array.ndim == 2 else found.all(axis=-1))
    y, x = rows[hits[:, 0]], columns[hits[:, 1]]
    for up in range(3):
        for left in range(3):
            grey = array[np.maximum(y - up, 0), np.maximum(x - left, 0)] == 128
            keep = grey if array.ndim == 2 else grey.all(axis=-1)
            y, x = y[keep], x[keep]
    return bool(y.size)


def _with_junk(jpeg: _Jpeg) -> bytes:
    """Put bytes that no decoder of complete data looks at behind each run of compressed data."""
    parts, start = [], 0
    for end in jpeg.ends:
        parts += [jpeg.content[start:end], _JUNK]
        start = end
    return b"".join([*parts, jpeg.content[start : jpeg.end]])


def _decoded_ls(source: Source, jpeg: _Jpeg) -> _Array:
    import imagecodecs

    if any(pair != (1, 1) for pair in jpeg.components.values()):
        raise InputError(f"{source.path} is a JPEG-LS whose components differ in size. Save it as TIFF or PNG.")
    count = len(jpeg.components)
    shape = (jpeg.height, jpeg.width) if count == 1 else (jpeg.height, jpeg.width, count)
    array = imagecodecs.jpegls_decode(jpeg.content[: jpeg.end])
    if count > 1 and array.shape == (count, jpeg.height, jpeg.width):
        array = np.ascontiguousarray(np.moveaxis(array, 0, -1))
    return source.checked(array, shape, np.uint8 if jpeg.depth <= 8 else np.uint16)


def _without_ink(source: Source, jpeg: _Jpeg, array: _Array) -> tuple[_Array, tuple[str, ...]]:
    """Turn cyan, magenta, yellow and black into red, green and blue."""
    if not jpeg.all_of(_APP14, b"Adobe"):
        raise InputError(
            f"{source.path} is a JPEG of four inks (CMYK), and does not say which way round they are (no marker of "
            "Adobe). Convert it to RGB."
        )
    # Adobe stores 255 for no ink, which is what an ink lets through: red = cyan x black, as shares of 255.
    white = np.uint32(2**jpeg.depth - 1)
    light = array[..., :3].astype(np.uint32) * array[..., 3:]
    rgb = ((light + white // 2) // white).astype(array.dtype)
    return rgb, ("four inks (CMYK) were turned into red, green and blue without a colour profile",)


def _pixel_size(jpeg: _Jpeg, exif: list[bytes]) -> PixelSize | None:
    if exif and (size := exif_pixel_size(exif[0][1:])):
        return size
    for data in jpeg.all_of(_APP0, b"JFIF\0"):
        if len(data) >= 7 and data[2] in (1, 2):
            x, y = struct.unpack_from(">HH", data, 3)
            unit = 1.0 if data[2] == 1 else 2.54
            return density_size(y * unit, x * unit)
    return None


def _profile_notes(jpeg: _Jpeg) -> tuple[str, ...]:
    chunks = sorted(jpeg.all_of(_APP2, b"ICC_PROFILE\0"))  # each begins with its number and their count
    return profile_notes(b"".join(chunk[2:] for chunk in chunks)) if chunks and len(jpeg.components) != _INK else ()


def _further_notes(jpeg: _Jpeg) -> tuple[str, ...]:
    """Say what else the file holds: a gain map changes how bright the picture is on a screen of high range."""
    data = b"".join(data for marker, data in jpeg.segments if marker in (_APP1, _APP2))
    if any(name in data for name in _GAIN_MAPS):
        return ("a gain map (for screens of high dynamic range) was left out",)
    return ()
