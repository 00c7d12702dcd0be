"""What files state beside their pixels: the orientation, the size of a pixel, the colours that codes stand for."""

from __future__ import annotations

import struct
import zlib

PixelSize = tuple[float, float]
"""Height and width of a pixel in micrometres."""

MOST_PROFILE = 2**22
"""Bytes up to which a compressed colour profile or text is inflated; what is longer is no profile, but an attack."""

_ORIENTATION, _WIDTHS, _HEIGHTS, _UNIT = 0x0112, 0x011A, 0x011B, 0x0128
_PER_INCH = {2: 1.0, 3: 2.54}  # for the units of EXIF, inches and centimetres
_MICROMETRES_PER_INCH = 25400.0

_ORDINARY = frozenset({1, 2, 6, 13, 14, 15})
"""Transfer characteristics (ITU-T H.273) of ordinary displays: Rec. 709 and 2020, sRGB, or not stated (2)."""

_TRANSFERS = {
    4: "a gamma of 2.2",
    5: "a gamma of 2.8",
    8: "linear light (gamma 1)",
    16: "PQ, the perceptual quantizer of high dynamic range",
    17: "the density of SMPTE ST 428",
    18: "HLG, the hybrid log-gamma of high dynamic range",
}
_WIDE = {9: "Rec. 2020", 11: "DCI-P3", 12: "Display P3"}


def density_size(vertical: float, horizontal: float) -> PixelSize | None:
    """Turn pixels an inch into height and width of a pixel; 72 and 96, which programs write into any file, are none."""
    if not (0 < vertical < 1e9 and 0 < horizontal < 1e9) or {round(vertical), round(horizontal)} <= {72, 96}:
        return None
    return _MICROMETRES_PER_INCH / vertical, _MICROMETRES_PER_INCH / horizontal


def exif_orientation(exif: bytes) -> tuple[int, tuple[str, ...]]:
    """Read the orientation from EXIF data, which may begin with their name; gives it and a note if they are damaged."""
    tags = _exif_tags(exif)
    if tags is None:
        return 1, ("the EXIF data are damaged and were ignored",)
    orientation = tags.get(_ORIENTATION, 1)
    if isinstance(orientation, int) and 1 <= orientation <= 8:
        return orientation, ()
    return 1, () if orientation in (0, None) else (f"the stated orientation ({orientation!r}) is none; not applied",)


def exif_pixel_size(exif: bytes) -> PixelSize | None:
    """Read the height and the width of a pixel, in micrometres, from EXIF data."""
    tags = _exif_tags(exif) or {}
    unit = _PER_INCH.get(int(_number(tags.get(_UNIT, 2))))
    if unit is None:
        return None
    return density_size(_number(tags.get(_HEIGHTS, 0)) * unit, _number(tags.get(_WIDTHS, 0)) * unit)


def upright_exif(exif: bytes) -> bytes | None:
    """Give EXIF data that say that the image is upright, all else as it was; None where they are damaged."""
    tags = _exif_tags(exif)
    if tags is None or tags.get(_ORIENTATION, 1) == 1:
        return None if tags is None else exif
    data = bytearray(exif)
    start = exif.find(b"MM\0*" if b"MM\0*" in exif[:10] else b"II*\0")
    order = ">" if exif[start : start + 1] == b"M" else "<"
    (place,) = struct.unpack_from(order + "I", data, start + 4)
    (count,) = struct.unpack_from(order + "H", data, start + place)
    for entry in range(start + place + 2, start + place + 2 + 12 * count, 12):
        if struct.unpack_from(order + "H", data, entry) == (_ORIENTATION,):
            struct.pack_into(order + "HIHH", data, entry + 2, 3, 1, 1, 0)
    return bytes(data)


def profile_notes(profile: bytes) -> tuple[str, ...]:
    """Name a colour profile (ICC) unless it is one of sRGB or of a grey of the same curve, or no profile at all."""
    if profile[36:40] != b"acsp":
        return ()
    name = _profile_name(profile)
    if name.startswith(("IEC 61966", "IEC61966", "c2", "sGry")) or "sRGB" in name:
        return ()
    return (f"colour profile {name!r} is not applied: codes are taken as sRGB",)


def transfer_notes(primaries: int, transfer: int, *, full_range: bool = True) -> tuple[str, ...]:
    """Name what code points of ITU-T H.273 (in PNG, AVIF) say of the codes, where sRGB is not it."""
    notes = []
    if transfer not in _ORDINARY:
        what = _TRANSFERS.get(transfer, f"transfer characteristics {transfer}")
        notes.append(f"the file states a transfer function other than sRGB: {what}; codes are taken as sRGB")
    if primaries in _WIDE:
        notes.append(f"the file states the primaries of {_WIDE[primaries]}; colours are taken as those of sRGB")
    if not full_range:
        notes.append("the file states the narrow range of video (black 16, white 235 of 255), taken as full range")
    return tuple(notes)


def inflated(data: bytes, most: int = MOST_PROFILE) -> bytes | None:
    """Inflate zlib data; None where they are damaged or longer than allowed."""
    stream = zlib.decompressobj()
    try:
        result = stream.decompress(data, most)
    except zlib.error:
        return None
    return result if stream.eof else None


def _exif_tags(exif: bytes) -> dict[int, object] | None:
    """Read the first directory of EXIF data, a small TIFF; None where it is damaged."""
    data = exif.removeprefix(b"Exif\0\0").removeprefix(b"Exif\0\xff")
    order = {b"II*\0": "<", b"MM\0*": ">"}.get(data[:4])
    if order is None:
        return None
    tags: dict[int, object] = {}
    try:
        (start,) = struct.unpack_from(order + "I", data, 4)
        (count,) = struct.unpack_from(order + "H", data, start)
        for number in range(count):
            entry = start + 2 + 12 * number
            tag, kind, _ = struct.unpack_from(order + "HHI", data, entry)
            if kind == 3:  # a short
                (tags[tag],) = struct.unpack_from(order + "H", data, entry + 8)
            elif kind == 5:  # a fraction, elsewhere
                (where,) = struct.unpack_from(order + "I", data, entry + 8)
                above, below = struct.unpack_from(order + "II", data, where)
                tags[tag] = above / below if below else 0.0
    except struct.error:
        return None
    return tags


def _number(value: object) -> float:
    return float(value) if isinstance(value, int | float) else 0.0


def _profile_name(profile: bytes) -> str:
    """Read the description of a colour profile: its tag "desc", a text (version 2) or a list of texts (4)."""
    try:
        (count,) = struct.unpack_from(">I", profile, 128)
        for number in range(min(count, 100)):
            tag, start, size = struct.unpack_from(">4sII", profile, 132 + 12 * number)
            if tag == b"desc":
                data = profile[start : start + size]
                if data.startswith(b"mluc"):
                    length, where = struct.unpack_from(">II", data, 20)
                    text = data[where : where + length].decode("utf-16-be", "replace")
                else:
                    (length,) = struct.unpack_from(">I", data, 8)
                    text = data[12 : 12 + length].decode("latin-1")
                return "".join(letter for letter in text if letter.isprintable())[:60].strip() or "without a name"
    except struct.error:
        pass
    return "without a name"
