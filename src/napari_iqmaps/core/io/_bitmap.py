"""Read everyday pictures that Pillow decodes as they are stored: BMP, GIF, WebP and older ones. Others are refused."""

from __future__ import annotations

import struct
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import numpy.typing as npt

from ..errors import InputError
from ._foreign import refuse
from ._metadata import density_size, exif_orientation, profile_notes
from ._samples import image_of
from .image_file import ImageFile
from .source import Source

_Array = npt.NDArray[Any]

_STARTS = {
    "BMP": (b"BM",),
    "DCX": (b"\xb1\x68\xde\x3a",),
    "DDS": (b"DDS ",),
    "GIF": (b"GIF8",),
    "ICNS": (b"icns",),
    "ICO": (b"\0\0\1\0",),
    "MSP": (b"DanM", b"LinS"),
    "PCX": (b"\x0a\0\1", b"\x0a\2\1", b"\x0a\3\1", b"\x0a\5\1"),
    "PSD": (b"8BPS",),
    "SGI": (b"\x01\xda",),
    "SUN": (b"\x59\xa6\x6a\x95",),
    "WEBP": (b"RIFF",),
    "XBM": (b"#define",),
    "XPM": (b"/* XPM */",),
}
"""How the formats begin of which Pillow gives the stored samples, or colours looked up in their palette."""

_FRAMED = ("BMP", "GIF", "WEBP")  # which have a row of their own
_FLI = (b"\x11\xaf", b"\x12\xaf")  # films of Autodesk: these bytes, the fifth and sixth

_TARGA_SUFFIXES = (".tga", ".icb", ".vda", ".vst")
_TARGA_END = b"TRUEVISION-XFILE.\0"
_QOI_END = bytes(7) + b"\1"
_QOI_JUNK = bytes([0xFE, 3, 141, 59] * 64)
_PCX_PLANES, _PCX_PALETTE = 65, 769  # where the number of planes stands; bytes of a palette with its mark
_HALF_FLOAT = ("BC6H", "BC6HS")
_lock = threading.Lock()


def read_with_pillow(source: Source) -> ImageFile:
    """Read one of the formats above, all frames of a movie included."""
    _check(source)
    with _unlimited(), _opened(source) as picture:
        count = getattr(picture, "n_frames", 1)
        if picture.format not in ("GIF", "WEBP", "FLI", "DCX"):
            count = 1  # the sizes of an icon are no frames
        # The decoder of WebP keeps canvases of its own beside the pixels.
        source.check_size((count, picture.height, picture.width), 16 if picture.format == "WEBP" else 4)
        source.check_density((count, picture.height, picture.width), source.path.stat().st_size)
        frames = pillow_frames(picture, count)
        orientation, exif_notes = exif_orientation(picture.info["exif"]) if picture.info.get("exif") else (1, ())
        profile = picture.info.get("icc_profile")
        notes = (*(profile_notes(profile) if profile else ()), *exif_notes)
        dpi = picture.info.get("dpi")
        size = density_size(float(dpi[1]), float(dpi[0])) if dpi else None
    if len({frame.shape for frame in frames}) > 1:
        notes = (f"the file holds {len(frames)} pictures of different shapes; the first was read", *notes)
        frames = frames[:1]
    array = frames[0] if len(frames) == 1 else np.stack(frames)
    return image_of(
        source, array, has_samples=frames[0].ndim > 2, orientation=orientation, pixel_size=size, notes=notes
    )


def has_pillow(head: bytes) -> bool:
    """Tell a file that Pillow is to read."""
    starts = (start for name, each in _STARTS.items() if name not in _FRAMED for start in each)
    return head.startswith(tuple(starts)) or head[4:6] in _FLI


def read_by_name(source: Source) -> ImageFile:
    """Read a TGA, which has nothing at its start to tell it by: by its name or its last bytes; refuse all others."""
    with source.path.open("rb") as file:
        file.seek(-min(len(_TARGA_END), file.seek(0, 2)), 2)
        is_targa = file.read() == _TARGA_END
    if not is_targa and source.path.suffix.lower() not in _TARGA_SUFFIXES:
        refuse(source)
    return read_with_pillow(source)


def read_gif(source: Source) -> ImageFile:
    """Read a GIF whose blocks are all there: its frames, each laid over those before."""
    content = source.path.read_bytes()
    frames = _gif_frames(source, content)
    source.check_size((frames, *struct.unpack_from("<HH", content, 6)), 4)
    return read_with_pillow(source)


def read_bmp(source: Source) -> ImageFile:
    """Read a BMP, of which all bytes must be there that its header states."""
    content = source.path.read_bytes()
    (header,) = struct.unpack_from("<I", content, 14)
    if header >= 40:
        width, height, _, bits, compression = struct.unpack_from("<iiHHI", content, 18)
    else:
        (width, height, _, bits), compression = struct.unpack_from("<hhHH", content, 18), 0
    source.check_size((abs(height), abs(width)), 4)
    (start,) = struct.unpack_from("<I", content, 10)
    needed = -(-abs(width) * bits // 32) * 4 * abs(height)
    if compression in (0, 3, 6) and start + needed > len(content):
        raise source.damaged(f"its pixels need {needed} bytes, and {max(0, len(content) - start)} are there")
    return read_with_pillow(source)


def read_qoi(source: Source) -> ImageFile:
    """Read a QOI, whose pixels must all be there."""
    import imagecodecs

    content = source.path.read_bytes()
    if len(content) < 22:
        raise source.damaged("it ends within its header")
    width, height, samples = struct.unpack_from(">IIB", content, 4)
    source.check_size((height, width), 4)
    # A byte stands for at most 62 pixels.
    if not content.endswith(_QOI_END) or height * width > 62 * len(content):
        raise source.damaged("it ends before its end mark")
    array = source.checked(imagecodecs.qoi_decode(content), (height, width, samples), np.uint8)
    # What is missing is decoded without a word; then what the data are followed by is decoded instead.
    again = imagecodecs.qoi_decode(content[: -len(_QOI_END)] + _QOI_JUNK + _QOI_END)
    if not np.array_equal(array, again):
        raise source.damaged("its compressed data end before its last pixel")
    linear = content[13] == 1
    return image_of(source, array, notes=("the file states linear light; codes are taken as sRGB",) if linear else ())


@contextmanager
def _unlimited() -> Iterator[None]:
    """Let Pillow open large pictures, which it calls bombs: the stated size is checked here before decoding."""
    from PIL import Image

    with _lock, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        limit = Image.MAX_IMAGE_PIXELS
        Image.MAX_IMAGE_PIXELS = None
        try:
            yield
        finally:
            Image.MAX_IMAGE_PIXELS = limit


def _opened(source: Source) -> Any:
    from PIL import Image, UnidentifiedImageError

    known = [name for name, starts in _STARTS.items() if source.head.startswith(starts)]
    formats = known or (["FLI"] if source.head[4:6] in _FLI else ["TGA"])
    try:
        return Image.open(source.path, formats=formats)
    except UnidentifiedImageError as error:
        raise source.damaged(f"it begins as {formats[0]}, and its header makes no sense") from error
    except (OSError, NotImplementedError) as error:
        if "nsupported" not in str(error):
            raise
        form = f"{formats[0]} of a form that is not read ({error})"
        raise InputError(f"{source.path} is a {form}. Save it as TIFF or PNG.") from error


def _check(source: Source) -> None:
    """Refuse what Pillow would reduce to 8 bits, or whose colours it would leave out."""
    head = source.head
    if head.startswith(_STARTS["PCX"]) and head[3:4] == b"\x08":
        with source.path.open("rb") as file:
            end = file.seek(0, 2)
            file.seek(max(0, end - _PCX_PALETTE))
            mark = file.read(1)
            file.seek(_PCX_PLANES)
            # Without its mark at the right place, an index of colours would be taken for grey.
            if file.read(1) == b"\1" and mark != b"\x0c":
                raise source.damaged("its palette is not at its end")
    if head[:2] == b"\x01\xda" and head[3:4] == b"\2":
        raise InputError(f"{source.path} is an SGI image of 16 bits, which is not read. Save it as TIFF or PNG.")
    if head[:4] == b"8BPS" and head[22:24] not in (b"\0\1", b"\0\x08"):
        depth = int.from_bytes(head[22:24], "big")
        raise InputError(f"{source.path} is a Photoshop file of {depth} bits, which is not read. Save it as TIFF.")


def pillow_frames(picture: Any, count: int) -> list[_Array]:
    """Decode the first frames of a Pillow picture, all in the form of the one with most in it."""
    frames = []
    for number in range(count):
        if number:
            picture.seek(number)
        frames.append(_pixels(picture))
    return _alike(frames)


def _pixels(picture: Any) -> _Array:
    """Turn a Pillow picture into grey, or red, green, blue and alpha, as it is stored."""
    picture.load()
    if picture.mode in ("1", "L", "LA", "RGB", "RGBA"):
        if "transparency" in picture.info and picture.mode in ("L", "RGB"):
            picture = picture.convert("RGBA")
        return np.array(picture)
    if picture.mode in ("P", "PA", "RGBX", "CMYK"):
        transparent = "transparency" in picture.info or picture.mode == "PA"
        return np.array(picture.convert("RGBA" if transparent else "RGB"))
    raise InputError(f"{picture.filename} holds pixels of a kind that is not read ({picture.mode}). Save it as TIFF.")


def _alike(frames: list[_Array]) -> list[_Array]:
    """Give frames of grey and of colours the same form, that of those with most in it."""
    most = max((frame.shape[2] if frame.ndim == 3 else 1) for frame in frames)
    if most < 3 or len({frame.shape for frame in frames}) == 1:
        return frames
    alike = []
    for frame in frames:
        colours = frame if frame.ndim == 3 else np.repeat(frame[..., None], 3, axis=2)
        if most == 4 and colours.shape[2] == 3:
            colours = np.dstack([colours, np.full(colours.shape[:2], 255, np.uint8)])
        alike.append(colours)
    return alike


def _gif_frames(source: Source, content: bytes) -> int:
    """Count the frames of a GIF, block by block, up to its end mark."""
    if len(content) < 13:
        raise source.damaged("it ends within its header")
    place = 13 + (3 << (content[10] & 7) + 1 if content[10] & 0x80 else 0)
    frames = 0
    while True:
        mark = content[place : place + 1]
        if mark == b";":
            break
        if mark == b",":
            frames += 1
            flags = content[place + 9] if place + 9 < len(content) else 0
            place += 11 + (3 << (flags & 7) + 1 if flags & 0x80 else 0)
        elif mark == b"!":
            place += 2
        elif not mark:
            raise source.damaged("it ends before its end mark")
        else:
            raise source.damaged(f"byte {place} begins no block")
        while place < len(content) and content[place]:
            place += 1 + content[place]
        place += 1
    if not frames:
        raise source.damaged("it holds no frame")
    return frames
