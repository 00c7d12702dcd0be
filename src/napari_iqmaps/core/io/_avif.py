"""Read AVIF: the boxes of its main picture state size, depth, turns and colours; libavif decodes it."""

from __future__ import annotations

import struct
from dataclasses import dataclass, field

import numpy as np

from ..errors import InputError
from ._boxes import box_contents, boxes
from ._metadata import profile_notes, transfer_notes
from ._samples import image_of
from .image_file import ImageFile
from .source import Source

_BRANDS = frozenset({b"avif", b"avis"})
_HEIF = frozenset({b"heic", b"heix", b"hevc", b"hevx", b"heim", b"heis", b"mif1", b"msf1", b"miaf"})
_VIDEO = frozenset({b"isom", b"iso2", b"mp41", b"mp42", b"M4V ", b"qt  ", b"avc1", b"3gp4", b"3gp5", b"dash"})

_TURNS = {
    (0, None): 1, (1, None): 8, (2, None): 3, (3, None): 6,
    (0, 0): 4, (1, 0): 5, (2, 0): 2, (3, 0): 7,
    (0, 1): 2, (1, 1): 7, (2, 1): 4, (3, 1): 5,
}  # fmt: skip
"""Orientation of EXIF: for quarter turns counterclockwise, then the mirror (0 top to bottom, 1 left to right)."""


@dataclass
class _Avif:
    height: int = 0
    width: int = 0
    depth: int = 8
    angle: int = 0
    mirror: int | None = None
    notes: list[str] = field(default_factory=list)


def read_avif(source: Source) -> ImageFile:
    """Read an AVIF of 8, 10 or 12 bits upright; of an animation, its frames."""
    content = source.path.read_bytes()
    brands = _brands(content)
    if not brands & _BRANDS:
        raise InputError(_refusal(source, brands))
    avif, frames = _parsed(source, content)
    source.check_size((frames, avif.height, avif.width), 4 * 2 * 3)
    source.check_density((frames, avif.height, avif.width), len(content))
    import imagecodecs

    array = imagecodecs.avif_decode(content)
    size = (avif.height, avif.width) if frames == 1 else (frames, avif.height, avif.width)
    if array.shape[: len(size)] != size or array.ndim - len(size) > 1:
        raise source.damaged(f"it states {size}, and decodes to {array.shape}")
    array = source.checked(array, array.shape, np.uint8 if avif.depth == 8 else np.uint16)
    return image_of(
        source,
        array,
        has_samples=array.ndim > len(size),
        white=2**avif.depth - 1,
        orientation=_TURNS.get((avif.angle, avif.mirror), 1),
        notes=tuple(avif.notes),
    )


def _brands(content: bytes) -> set[bytes]:
    size = int.from_bytes(content[:4], "big")
    kinds = content[8:12] + content[16 : min(size, 4096)]
    return {kinds[start : start + 4] for start in range(0, len(kinds), 4)}


def _refusal(source: Source, brands: set[bytes]) -> str:
    if brands & _HEIF:
        return f"{source.path} is HEIF (HEIC), which is not read. Export it as TIFF, PNG or AVIF."
    if b"crx " in brands:
        return f"{source.path} holds the raw data of a camera (CR3). Develop it, and save it as TIFF."
    if b"jxl " in brands or b"jp2 " in brands:
        return f"{source.path} is damaged: it begins like a film. Copy or download it again."
    return f"{source.path} is a film (MP4 or QuickTime), not an image. Export its frames as PNG or TIFF."


def _parsed(source: Source, content: bytes) -> tuple[_Avif, int]:
    """Read what is stated of the main picture, and how many frames there are."""
    avif, frames = _Avif(), 1
    has_picture = False
    for name, first, last in boxes(source, content):
        if name == b"meta":
            _take_meta(source, avif, content, first + 4, last)
            has_picture = True
        elif name == b"moov":
            frames = max(frames, _frame_count(source, content, first, last))
    if not has_picture or avif.height < 1:
        raise source.damaged("it states no main picture with a size")
    return avif, frames


def _take_meta(source: Source, avif: _Avif, content: bytes, start: int, end: int) -> None:
    found = box_contents(source, content, start, end)
    main = found.get(b"pitm", b"")
    number = int.from_bytes(main[4:] if main[:1] else b"", "big")
    properties = box_contents(source, found.get(b"iprp", b""), 0, len(found.get(b"iprp", b"")))
    stated = properties.get(b"ipco", b"")
    listed = [(name, stated[first:last]) for name, first, last in boxes(source, stated)]
    for place in _associations(source, properties.get(b"ipma", b""), number):
        if not 1 <= place <= len(listed):
            raise source.damaged("its main picture has a property that is not there")
        _take_property(avif, *listed[place - 1])
    # The depth of a picture in tiles stands with the tiles.
    for name, data in listed:
        if name == b"av1C":
            avif.depth = max(avif.depth, _depth(data))
    if b"tmap" in found.get(b"iinf", b""):
        avif.notes.append("a gain map (for screens of high dynamic range) was left out")
    if b"prem" in found.get(b"iref", b""):
        avif.notes.append("colours are stored multiplied by alpha")


def _associations(source: Source, data: bytes, number: int) -> list[int]:
    """Give the places, from 1, of the properties that belong to an item."""
    try:
        version, flags, count = data[0], data[3], struct.unpack_from(">I", data, 4)[0]
        place = 8
        for _ in range(min(count, 100_000)):
            item = int.from_bytes(data[place : place + (4 if version else 2)], "big")
            place += 4 if version else 2
            amount, place = data[place], place + 1
            size = 2 if flags & 1 else 1
            entries = [
                int.from_bytes(data[place + size * each : place + size * (each + 1)], "big") for each in range(amount)
            ]
            place += size * amount
            if item == number:
                return [entry & (0x7FFF if size == 2 else 0x7F) for entry in entries]
    except (IndexError, struct.error) as error:
        raise source.damaged("its list of properties is cut short") from error
    return []


def _take_property(avif: _Avif, name: bytes, data: bytes) -> None:
    if name == b"ispe" and len(data) >= 12:
        avif.width, avif.height = struct.unpack_from(">II", data, 4)
    elif name == b"av1C":
        avif.depth = _depth(data)
    elif name == b"irot" and data:
        avif.angle = data[0] & 3
    elif name == b"imir" and data:
        avif.mirror = data[0] & 1
    elif name == b"clap":
        avif.notes.append("a crop that the file states (clap) was not applied")
    elif name == b"colr" and data[:4] == b"nclx" and len(data) >= 11:
        primaries, transfer = struct.unpack_from(">HH", data, 4)
        avif.notes += transfer_notes(primaries, transfer)  # decoding has spread the narrow range
    elif name == b"colr" and data[:4] in (b"prof", b"rICC"):
        avif.notes += profile_notes(data[4:])


def _depth(data: bytes) -> int:
    """Read the bits from the configuration of AV1: high_bitdepth and twelve_bit."""
    flags = data[2] if len(data) > 2 else 0
    return (12 if flags & 0x20 else 10) if flags & 0x40 else 8


def _frame_count(source: Source, content: bytes, start: int, end: int, depth: int = 0) -> int:
    """Give the highest count of samples among the tracks."""
    highest = 1
    for name, first, last in boxes(source, content, start, end):
        if name in (b"trak", b"mdia", b"minf", b"stbl") and depth < 6:
            highest = max(highest, _frame_count(source, content, first, last, depth + 1))
        elif name == b"stsz" and last - first >= 12:
            highest = max(highest, struct.unpack_from(">I", content, first + 8)[0])
    return highest


def is_film_or_picture(head: bytes) -> bool:
    """Tell what begins as AVIF, HEIF and films do."""
    return head[4:8] == b"ftyp" and not any(brand in head[8:] for brand in (b"jxl ", b"jp2 "))
