"""Read the Netpbm family: PBM, PGM, PPM and PAM, plain or binary, several in a file, and PFM."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from ..errors import InputError
from ._samples import image_of
from .image_file import RELATIVE_LIGHT, ImageFile
from .source import Source

_Array = npt.NDArray[Any]

_SAMPLES = {b"P1": 1, b"P2": 1, b"P3": 3, b"P4": 1, b"P5": 1, b"P6": 3, b"Pf": 1, b"PF": 3, b"PF4": 4}
_PLAIN, _BITS, _FLOAT = (b"P1", b"P2", b"P3"), (b"P1", b"P4"), (b"Pf", b"PF", b"PF4")
_SPACE = b" \t\n\v\f\r"
_PADDING = re.compile(rb"[ \t\n\v\f\r\0]*")
_MAGIC = re.compile(rb"P[1-7]|PF4|PF|Pf")
_WORD = re.compile(rb"(?:[ \t\n\v\f\r]|#[^\n\r]*)*+([^ \t\n\v\f\r#]+)")
_MOST_IMAGES = 100_000
_SAID_SAMPLES = {
    "BLACKANDWHITE": 1,
    "GRAYSCALE": 1,
    "RGB": 3,
    "BLACKANDWHITE_ALPHA": 2,
    "GRAYSCALE_ALPHA": 2,
    "RGB_ALPHA": 4,
}


@dataclass(frozen=True)
class _Header:
    magic: bytes
    width: int
    height: int
    samples: int
    white: int
    scale: float
    tuple_type: str
    data: int  # where the pixels begin

    @property
    def shape(self) -> tuple[int, int, int]:
        return self.height, self.width, self.samples


def is_netpbm(head: bytes) -> bool:
    """Tell a file of this family by its first bytes."""
    magic = _MAGIC.match(head)
    return magic is not None and head[magic.end() : magic.end() + 1] in (b"#", *(bytes([c]) for c in _SPACE))


def read_netpbm(source: Source) -> ImageFile:
    """Read what is there: one image, or several of one form as a stack."""
    content = source.path.read_bytes()
    images: list[_Array] = []
    headers: list[_Header] = []
    place, notes = 0, tuple[str, ...]()
    while True:
        header = _header(source, content, place)
        source.check_size((len(images) + 1, header.height, header.width), header.samples * 8)
        array, place = _pixels(source, content, header)
        images.append(array)
        headers.append(header)
        padding = _PADDING.match(content, place)
        place = padding.end() if padding else place
        if place == len(content):
            break
        if not is_netpbm(content[place : place + 8]) or len(images) == _MOST_IMAGES:
            notes = (f"{len(content) - place} bytes behind the pixels were left out",)
            break
    first = headers[0]
    if any((other.shape, other.white, other.magic) != (first.shape, first.white, first.magic) for other in headers):
        notes = (*notes, f"the file holds {len(images)} images of different form; the first was read")
        images = images[:1]
    return _image(source, first, images, notes)


def _image(source: Source, header: _Header, images: list[_Array], notes: tuple[str, ...]) -> ImageFile:
    array = images[0] if len(images) == 1 else np.stack(images)
    is_light = header.magic in _FLOAT
    if is_light:
        if abs(header.scale) != 1:
            notes += (f"the scale in the header ({abs(header.scale):g}) was not multiplied in",)
        notes += (RELATIVE_LIGHT,)
    stated = _SAID_SAMPLES.get(header.tuple_type)
    if array.shape[-1] > 1 and header.magic == b"P7" and stated is None:
        # What the samples are is not said, or in words of one's own: planes.
        array = np.moveaxis(array, -1, -3)
        what = f"of {header.tuple_type!r}" if header.tuple_type else "without a stated meaning"
        notes += (f"{header.samples} samples a pixel {what} were read as planes",)
        return image_of(source, array, has_samples=False, white=_white(array, header), notes=notes)
    return image_of(
        source,
        array,
        has_samples=True,
        white=None if is_light else _white(array, header),
        luminance="absolute" if is_light else "code",
        notes=notes,
    )


def _white(array: _Array, header: _Header) -> int | None:
    return None if array.dtype == bool else header.white


def _header(source: Source, content: bytes, start: int) -> _Header:
    found = _MAGIC.match(content, start)
    magic = found[0] if found else b""
    place = start + len(magic)
    if magic == b"P7":
        return _pam_header(source, content, place)
    words: list[bytes] = []
    count = 2 if magic in _BITS else 3
    while len(words) < count:
        word, place = _word(source, content, place)
        words.append(word)
    width, height = (_number(source, word, "size") for word in words[:2])
    white, scale = 1, 1.0
    if magic in _FLOAT:
        scale = _scale(source, words[2])
    elif magic not in _BITS:
        white = _number(source, words[2], "maxval")
        if not 1 <= white <= 65535:
            raise source.damaged(f"it states a maxval of {white}, which is none of 1 to 65535")
    # One character of white space ends the header, of binary files exactly one.
    return _Header(magic, width, height, _SAMPLES[magic], white, scale, "", place + 1)


def _word(source: Source, content: bytes, place: int) -> tuple[bytes, int]:
    """Give the next word of a header, comments apart, and where it ends."""
    match = _WORD.match(content, place)
    if match is None:
        raise source.damaged("it ends within its header")
    return match[1], match.end()


def _number(source: Source, word: bytes, what: str) -> int:
    if not word.isdigit() or len(word) > 10:
        raise source.damaged(f"the {what} in its header is {word[:20].decode('ascii', 'backslashreplace')!r}")
    return int(word)


def _scale(source: Source, word: bytes) -> float:
    try:
        scale = float(word)
    except ValueError:
        scale = 0.0
    if scale == 0 or not np.isfinite(scale):
        raise source.damaged(f"the scale in its header is {word[:20].decode('ascii', 'backslashreplace')!r}")
    return scale


def _pam_header(source: Source, content: bytes, place: int) -> _Header:
    fields: dict[str, str] = {}
    while True:
        end = content.find(b"\n", place)
        if end < 0:
            raise source.damaged("it ends within its header")
        name, _, value = content[place:end].decode("latin-1").strip().partition(" ")
        place = end + 1
        if name == "ENDHDR":
            break
        if name and not name.startswith("#"):
            fields[name] = f"{fields.get(name, '')} {value.strip()}".strip()
    missing = [name for name in ("WIDTH", "HEIGHT", "DEPTH", "MAXVAL") if name not in fields]
    if missing:
        raise source.damaged(f"its header lacks {', '.join(missing)}")
    width, height, samples, white = (
        _number(source, fields[name].encode(), name) for name in ("WIDTH", "HEIGHT", "DEPTH", "MAXVAL")
    )
    tuple_type = fields.get("TUPLTYPE", "")
    stated = _SAID_SAMPLES.get(tuple_type, samples)
    if not 1 <= white <= 65535 or samples < 1 or stated != samples:
        raise source.damaged(f"it states {samples} samples of {tuple_type or 'no type'} and a maxval of {white}")
    return _Header(b"P7", width, height, samples, white, 1.0, tuple_type, place)


def _pixels(source: Source, content: bytes, header: _Header) -> tuple[_Array, int]:
    """Decode the pixels of one image; gives them and where they end."""
    if header.magic in _PLAIN:
        return _plain(source, content, header)
    if header.magic in _FLOAT:
        dtype: np.dtype[Any] = np.dtype("<f4" if header.scale < 0 else ">f4")
    else:
        dtype = np.dtype("u1" if header.white < 256 else ">u2")
    # The bits of PBM fill whole bytes in each row.
    row = -(-header.width // 8) if header.magic == b"P4" else header.width * header.samples
    needed = header.height * row * dtype.itemsize
    end = header.data + needed
    if end > len(content):
        raise source.damaged(f"its pixels need {needed} bytes, and {max(0, len(content) - header.data)} are there")
    stored: _Array = np.frombuffer(content, dtype, header.height * row, header.data)
    if header.magic == b"P4":
        bits = np.unpackbits(stored.reshape(header.height, row), axis=1, count=header.width)
        return (bits == 0)[..., None], end  # 1 is ink
    array = stored.reshape(header.shape).astype(dtype.newbyteorder("="))
    if header.magic in _FLOAT:
        return np.ascontiguousarray(array[::-1]), end  # stored from the bottom up
    return _checked(source, array, header), end


def _plain(source: Source, content: bytes, header: _Header) -> tuple[_Array, int]:
    count = header.height * header.width * header.samples
    text = re.sub(rb"#[^\n\r]*", b"", content[header.data - 1 :])
    if header.magic == b"P1":
        digits = np.frombuffer(text.translate(None, _SPACE), np.uint8)
        _enough(source, digits.size, count)
        bits = digits[:count]
        if ((bits != ord("0")) & (bits != ord("1"))).any():
            raise source.damaged("its pixels are not all 0 or 1")
        return (bits == ord("0")).reshape(header.shape), len(content)
    words = text.split()
    _enough(source, len(words), count)
    # Whole numbers of few digits and nothing else; int() itself would take "1_0" and signs.
    if not all(word.isdigit() and len(word) <= 5 for word in words[:count]):
        raise source.damaged("its pixels are not all whole numbers")
    array = np.array(list(map(int, words[:count])), np.uint32).reshape(header.shape)
    return _checked(source, array, header), len(content)


def _enough(source: Source, there: int, needed: int) -> None:
    if there < needed:
        raise source.damaged(f"it states {needed} samples, and {there} are there")


def _checked(source: Source, array: _Array, header: _Header) -> _Array:
    highest = int(array.max())
    if highest > header.white:
        raise InputError(
            f"{source.path} states a maxval of {header.white}, but holds a sample of {highest}. Correct its header."
        )
    if header.tuple_type.startswith("BLACKANDWHITE") and header.samples == 1:
        return array > 0
    return array.astype(np.uint8 if header.white < 256 else np.uint16, copy=False)
