"""Read JPEG XL: the first bits of its code stream state size, depth, turns and colours; libjxl decodes it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..errors import InputError
from ._boxes import boxes
from ._metadata import transfer_notes
from ._samples import image_of
from .image_file import ImageFile
from .source import Source

BOXED = b"\0\0\0\x0cJXL \r\n\x87\n"
STREAM = b"\xff\x0a"

_SIDES = (9, 13, 18, 30)
_RATIOS = {1: (1, 1), 2: (12, 10), 3: (4, 3), 4: (3, 2), 5: (16, 9), 6: (5, 4), 7: (2, 1)}
_ALPHA = 0
_KINDS_WITH_MORE = {2: 4 * 16, 5: 2}  # a spot colour has four half floats; a colour filter a number


class _Bits:
    """Bits of a code stream, the lowest of each byte first, and the codes that its header is written in."""

    def __init__(self, data: bytes) -> None:
        self._value, self._left = int.from_bytes(data, "little"), 8 * len(data)

    def take(self, count: int) -> int:
        if count > self._left:
            raise EOFError("the header is cut short")
        value = self._value & ((1 << count) - 1)
        self._value >>= count
        self._left -= count
        return value

    def flag(self) -> bool:
        return bool(self.take(1))

    def choice(self, *options: tuple[int, int]) -> int:
        """Take one of four numbers: what is added, and how many bits follow."""
        added, bits = options[self.take(2)]
        return added + self.take(bits)

    def kind(self) -> int:
        return self.choice((0, 0), (1, 0), (2, 4), (18, 6))


@dataclass
class _Jxl:
    height: int
    width: int
    depth: int = 8
    is_float: bool = False
    orientation: int = 1
    is_animated: bool = False
    extra: int = 0
    has_alpha: bool = False
    is_grey: bool = False
    notes: tuple[str, ...] = ()


def read_jpegxl(source: Source) -> ImageFile:
    """Read a JPEG XL of whole numbers up to 16 bits, or of floating point; of an animation the first frame."""
    content = source.path.read_bytes()
    try:
        jxl = _header(_Bits(_start(source, content)))
    except EOFError as error:
        raise source.damaged(error) from error
    source.check_size((jxl.height, jxl.width), (4 + jxl.extra) * 4 * 2)
    source.check_density((jxl.height, jxl.width), len(content))
    further = jxl.extra - jxl.has_alpha
    if further:
        raise InputError(f"{source.path} is a JPEG XL with {further} further channels. Save it as TIFF.")
    import imagecodecs

    array = imagecodecs.jpegxl_decode(content, index=0) if jxl.is_animated else imagecodecs.jpegxl_decode(content)
    samples = (1 if jxl.is_grey else 3) + jxl.has_alpha
    # The decoder turns the picture upright; the size in the header is the one before.
    size = (jxl.height, jxl.width) if jxl.orientation < 5 else (jxl.width, jxl.height)
    shape = size if samples == 1 else (*size, samples)
    dtype = {True: f"f{2 if jxl.depth == 16 else 4}", False: f"u{1 if jxl.depth <= 8 else 2}"}[jxl.is_float]
    turned = (f"orientation {jxl.orientation} applied",) if jxl.orientation > 1 else ()
    return image_of(
        source,
        source.checked(array, shape, np.dtype(dtype)),
        white=None if jxl.is_float else 2**jxl.depth - 1,
        notes=(*jxl.notes, *turned),
    )


def _start(source: Source, content: bytes) -> bytes:
    """Give the first bytes of the code stream, whether it is in boxes or not."""
    if content.startswith(STREAM):
        return content[2:4096]
    for name, first, last in boxes(source, content):
        if name == b"jxlc":
            return content[first + 2 : min(last, first + 4096)]
        if name == b"jxlp":  # a part, behind its number
            return content[first + 6 : min(last, first + 4096)]
    raise source.damaged("it holds no code stream (jxlc)")


def _size(bits: _Bits) -> tuple[int, int]:
    is_small = bits.flag()

    def side() -> int:
        if is_small:
            return 8 * (1 + bits.take(5))
        return bits.choice(*((1, count) for count in _SIDES))

    height = side()
    ratio = bits.take(3)
    if ratio == 0:
        return height, side()
    above, below = _RATIOS[ratio]
    return height, height * above // below


def _preview(bits: _Bits) -> None:
    is_small = bits.flag()

    def side() -> int:
        if is_small:
            return bits.choice((16, 0), (32, 0), (1, 5), (33, 9))
        return bits.choice((1, 6), (65, 8), (321, 10), (1345, 12))

    side()
    if bits.take(3) == 0:
        side()


def _depth(bits: _Bits) -> tuple[int, bool]:
    if bits.flag():
        depth = bits.choice((32, 0), (16, 0), (24, 0), (1, 6))
        bits.take(4)  # of the exponent
        return depth, True
    return bits.choice((8, 0), (10, 0), (12, 0), (1, 6)), False


def _header(bits: _Bits) -> _Jxl:
    jxl = _Jxl(*_size(bits))
    if bits.flag():  # all as in an ordinary picture
        return jxl
    if bits.flag():
        jxl.orientation = 1 + bits.take(3)
        if bits.flag():
            _size(bits)
        if bits.flag():
            _preview(bits)
        if bits.flag():
            _animation(bits)
            jxl.is_animated = True
            jxl.notes += ("an animation, of which the first frame was read",)
    jxl.depth, jxl.is_float = _depth(bits)
    bits.flag()  # whether 16 bits are enough for a buffer
    jxl.extra = bits.choice((0, 0), (1, 0), (2, 4), (1, 12))
    for _ in range(jxl.extra):
        jxl.has_alpha |= _extra_channel(bits) == _ALPHA
    bits.flag()  # whether colours are coded as XYB
    _colours(bits, jxl)
    return jxl


def _animation(bits: _Bits) -> None:
    bits.choice((100, 0), (1000, 0), (1, 10), (1, 30))
    bits.choice((1, 0), (1001, 0), (1, 8), (1, 10))
    bits.choice((0, 0), (0, 3), (0, 16), (0, 32))
    bits.flag()


def _extra_channel(bits: _Bits) -> int:
    if bits.flag():
        return _ALPHA
    kind = bits.kind()
    _depth(bits)
    bits.choice((0, 0), (3, 0), (4, 0), (1, 3))
    bits.take(8 * bits.choice((0, 0), (0, 4), (16, 5), (48, 10)))
    if kind == _ALPHA:
        bits.flag()
    elif kind == 5:
        bits.choice((1, 0), (0, 2), (3, 4), (19, 8))
    else:
        bits.take(_KINDS_WITH_MORE.get(kind, 0))
    return kind


def _colours(bits: _Bits, jxl: _Jxl) -> None:
    if bits.flag():
        return
    has_profile = bits.flag()
    space = bits.kind()
    jxl.is_grey = space == 1
    if has_profile:
        jxl.notes += ("a colour profile is not applied: codes are taken as sRGB",)
        return
    if space == 2:  # XYB, of which nothing more is said
        return
    if bits.kind() == 2:  # the white point, by two numbers
        _points(bits, 1)
    primaries = 1
    if space != 1:
        primaries = bits.kind()
        if primaries == 2:
            _points(bits, 3)
    if bits.flag():  # a gamma, in ten millionths
        gamma = bits.take(24) / 1e7
        if abs(gamma * 2.2 - 1) > 0.05:
            jxl.notes += (f"the file states gamma {gamma:g}, which is not applied: codes are taken as sRGB",)
        return
    jxl.notes += transfer_notes(primaries, bits.kind())


def _points(bits: _Bits, count: int) -> None:
    for _ in range(2 * count):
        bits.choice((0, 19), (524288, 19), (1048576, 20), (2097152, 21))
