"""Read images from FITS: big-endian samples, scaled by BZERO and BSCALE, with a value for pixels without data."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from ..errors import InputError
from ._samples import image_of
from .image_file import ImageFile
from .source import Source

_Array = npt.NDArray[Any]

MAGIC = b"SIMPLE  ="
_BLOCK, _CARD = 2880, 80
_TYPES = {8: "u1", 16: ">i2", 32: ">i4", 64: ">i8", -32: ">f4", -64: ">f8"}
_UNSIGNED = {(8, -128): np.int8, (16, 2**15): np.uint16, (32, 2**31): np.uint32, (64, 2**63): np.uint64}
"""Types that BZERO makes of those that are stored, by the standard: the other sign, in as many bits."""
_MOST_UNITS = 1000
_Header = dict[str, Any]


def read_fits(source: Source) -> ImageFile:
    """Read the first image: of the file itself, or of an extension. The first row comes first, as it is stored.

    FITS counts rows from the bottom; the row that lies lowest in other programs is the first here.
    """
    with source.path.open("rb") as file:
        images, skipped = 0, 0
        found: tuple[_Header, int] | None = None
        for _ in range(_MOST_UNITS):
            header = _header(source, file)
            if header is None:
                break
            place, size = file.tell(), _data_size(source, header)
            if _is_image(header):
                images += 1
                found = found or (header, place)
            elif size:
                skipped += 1
            file.seek(place + -(-size // _BLOCK) * _BLOCK)
        if found is None:
            what = "tables, or images that are compressed in tables (unpack those with funpack)" if skipped else "none"
            raise InputError(f"{source.path} is FITS without an image that is read; it holds {what}.")
        array, data_range, notes = _pixels(source, file, *found)
    if images > 1:
        notes += (f"the file holds {images} images; the first was read",)
    return image_of(
        source,
        array,
        has_samples=False,
        data_range=data_range,
        notes=(*notes, "rows are in the order of the file; FITS counts them from the bottom"),
    )


def _header(source: Source, file: Any) -> _Header | None:
    """Read the cards of a header, up to END; None at the end of the file."""
    header: _Header = {}
    is_first = file.tell() == 0
    while len(header) < 100_000:
        block = file.read(_BLOCK)
        if len(block) < _BLOCK:
            if header or is_first:
                raise source.damaged("it ends within a header")
            return None
        if not header and not is_first and not block.startswith(b"XTENSION"):
            return None  # what follows the last unit is no part of the file
        for start in range(0, _BLOCK, _CARD):
            card = block[start : start + _CARD].decode("latin-1")
            name = card[:8].rstrip()
            if name == "END":
                return header
            if card[8:10] == "= ":
                header.setdefault(name, _value(card[10:]))
    raise source.damaged("a header has no end")


def _value(text: str) -> Any:
    """Read the value of a card: a text in quotes, true or false, or a number; a comment may follow."""
    text = text.strip()
    if text.startswith("'"):
        return text[1:].partition("'")[0].rstrip()
    word = text.partition("/")[0].strip()
    if word in ("T", "F"):
        return word == "T"
    for kind in (int, float):
        try:
            return kind(word.replace("D", "E").replace("d", "e"))
        except ValueError:
            continue
    return word


def _integer(source: Source, header: _Header, name: str, default: int | None = None) -> int:
    value = header.get(name, default)
    if not isinstance(value, int) or isinstance(value, bool):
        raise source.damaged(f"its header states {name} = {value!r}")
    return value


def _axes(source: Source, header: _Header) -> list[int]:
    """Give the lengths of the axes, the one that varies fastest last."""
    count = _integer(source, header, "NAXIS")
    if not 0 <= count <= 999:
        raise source.damaged(f"its header states {count} axes")
    lengths = [_integer(source, header, f"NAXIS{number}") for number in range(count, 0, -1)]
    if any(length < 0 or length > 2**40 for length in lengths):
        raise source.damaged(f"its header states axes of {lengths}")
    return lengths


def _data_size(source: Source, header: _Header) -> int:
    """Give the bytes of the data behind a header."""
    bits = _integer(source, header, "BITPIX")
    if bits not in _TYPES:
        raise source.damaged(f"its header states BITPIX = {bits}")
    lengths = _axes(source, header)
    if not lengths:
        return 0
    if lengths[-1] == 0 and header.get("GROUPS") is True:
        raise InputError(f"{source.path} is FITS of random groups, which is not read. Export its image as TIFF.")
    count = 1
    for length in lengths:
        count *= length
    groups, extra = _integer(source, header, "GCOUNT", 1), _integer(source, header, "PCOUNT", 0)
    if groups < 0 or extra < 0:
        raise source.damaged(f"its header states GCOUNT = {groups} and PCOUNT = {extra}")
    return abs(bits) // 8 * groups * (extra + count)


def _is_image(header: _Header) -> bool:
    lengths = [header.get(f"NAXIS{number}", 0) for number in (1, 2)]
    return header.get("XTENSION", "IMAGE") == "IMAGE" and header.get("NAXIS", 0) >= 2 and 0 not in lengths


def _pixels(
    source: Source, file: Any, header: _Header, place: int
) -> tuple[_Array, tuple[float, float] | None, tuple[str, ...]]:
    lengths = _axes(source, header)
    while len(lengths) > 2 and lengths[0] == 1:
        del lengths[0]
    bits = _integer(source, header, "BITPIX")
    source.check_size(lengths, abs(bits) // 8 * 2)
    stored_type = np.dtype(_TYPES[bits])
    count = int(np.prod(lengths, dtype=object))
    file.seek(place)
    content = file.read(count * stored_type.itemsize)
    if len(content) < count * stored_type.itemsize:
        raise source.damaged(f"its pixels need {count * stored_type.itemsize} bytes, and {len(content)} are there")
    stored = np.frombuffer(content, stored_type).reshape(lengths)
    stored = stored.astype(stored_type.newbyteorder("="))
    zero, scale = header.get("BZERO", 0), header.get("BSCALE", 1)
    if not all(isinstance(value, int | float) and np.isfinite(value) for value in (zero, scale)) or scale == 0:
        raise source.damaged(f"its header states BZERO = {zero!r} and BSCALE = {scale!r}")
    blank = header.get("BLANK") if bits > 0 else None
    holes = stored == blank if isinstance(blank, int) else None
    array, notes = _scaled(stored, bits, zero, scale)
    if holes is not None and holes.any():
        array = np.ma.MaskedArray(array, holes) if array.dtype.kind != "f" else np.where(holes, np.nan, array)
        notes += (f"{np.count_nonzero(holes)} pixels without data (BLANK = {blank}) are holes",)
    return array, None, notes


def _scaled(stored: _Array, bits: int, zero: float, scale: float) -> tuple[_Array, tuple[str, ...]]:
    """Apply BZERO and BSCALE: to the type of the other sign where that is what they say, else in floating point."""
    if zero == 0 and scale == 1:
        return stored, ()
    other = _UNSIGNED.get((bits, int(zero))) if scale == 1 and zero == int(zero) else None
    if other is not None:
        # Adding half the range turns the highest bit over, and nothing else.
        flipped = stored.view(np.dtype(f"u{bits // 8}")) ^ np.array(1 << (bits - 1), f"u{bits // 8}")
        return flipped.view(other), ()
    kind = np.float32 if bits in (8, 16, -32) else np.float64
    return (stored.astype(np.float64) * scale + zero).astype(kind), (
        f"values are those stored x {scale:g} + {zero:g} (BSCALE, BZERO)",
    )
