"""Decode everyday pictures: with Pillow, or with OpenCV what Pillow reduces to 8 bits or does not know."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from ..errors import InputError
from .image_file import RELATIVE_LIGHT, ImageFile, alpha_note
from .source import Source

_MICROSCOPE_SUFFIXES = (".czi", ".lif", ".nd2", ".oib", ".oif", ".vsi", ".svs", ".lsm", ".ims")


def read_with_pillow(source: Source) -> ImageFile:
    """Read what Pillow knows, all frames of a movie included, and try OpenCV on the rest."""
    from PIL import Image, UnidentifiedImageError

    path = source.path
    try:
        with warnings.catch_warnings():
            # Large pictures are what tiling is for, so Pillow's warning of their size is not passed on.
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)
            with Image.open(path) as picture:
                frames = [_pixels(picture) for _ in _frames(picture)]
    except (UnidentifiedImageError, Image.DecompressionBombError):
        return read_with_opencv(source)
    # Pillow's decoders raise all of these on damaged data.
    except (OSError, SyntaxError, ValueError, EOFError, IndexError, MemoryError, TypeError) as error:
        raise source.damaged(error) from error
    notes: tuple[str, ...] = ()
    if len({frame.shape for frame in frames}) > 1:
        notes = (f"the file holds {len(frames)} pictures of different shapes; the first was read",)
        frames = frames[:1]
    return _image(path, frames, notes=notes)


def read_with_opencv(source: Source) -> ImageFile:
    """Read what OpenCV knows; of a PNM file with more than 8 bits, the header says what white is."""
    path, head = source.path, source.head
    pages = opencv_pages(path)
    if not pages:
        raise InputError(_no_image(path))
    white = pnm_white(head) if head[:1] == b"P" else None
    has_own_white = white and pages[0].dtype == np.uint16
    return _image(path, pages, data_range=(0.0, float(white or 0)) if has_own_white else None)


def read_linear_light(source: Source) -> ImageFile:
    """Read Radiance HDR and PFM, whose values are light."""
    path = source.path
    file = read_with_opencv(source)
    return replace(file, luminance="absolute", notes=(*file.notes, *_exposure_note(path), RELATIVE_LIGHT))


def opencv_pages(path: Path) -> list[npt.NDArray[Any]]:
    """Decode a file with OpenCV: its pages as stored, colours in the order red, green, blue; none if it cannot."""
    import cv2
    import cv2.utils.logging as cv2_logging

    # Decoding from memory works for every file name on every system; OpenCV's own file access does not.
    data = np.fromfile(path, dtype=np.uint8)
    level = cv2_logging.setLogLevel(cv2_logging.LOG_LEVEL_SILENT)
    try:
        _, pages = cv2.imdecodemulti(data, cv2.IMREAD_UNCHANGED)
    except cv2.error:
        return []
    finally:
        cv2_logging.setLogLevel(level)
    return [_red_first(page) for page in pages]


def pnm_white(head: bytes) -> int | None:
    """Find the white of a PGM or PPM file: the fourth word of its header, comments apart."""
    lines = [line.partition(b"#")[0] for line in head.split(b"\n")]
    words = b" ".join(lines).split()
    return int(words[3]) if len(words) > 3 and words[3].isdigit() else None


def _frames(picture: Any) -> Iterator[int]:
    # Phones append previews and gain maps to a JPEG; those are no frames of a movie.
    count = 1 if picture.format == "MPO" else getattr(picture, "n_frames", 1)
    for number in range(count):
        picture.seek(number)
        yield number


def _pixels(picture: Any) -> npt.NDArray[Any]:
    """Turn a Pillow picture into grey or RGB(A) pixels without losing precision."""
    if picture.mode in ("1", "L", "F", "I", "RGB", "RGBA") or picture.mode.startswith("I;16"):
        return np.array(picture)
    transparent = "transparency" in picture.info or picture.mode in ("LA", "La", "PA", "RGBa")
    return np.array(picture.convert("RGBA" if transparent else "RGB"))


def _red_first(page: npt.NDArray[Any]) -> npt.NDArray[Any]:
    if page.ndim < 3:
        return page
    if page.shape[2] == 1:
        return page[..., 0]
    return np.ascontiguousarray(page[..., [2, 1, 0, *range(3, page.shape[2])]])


def _exposure_note(path: Path) -> tuple[str, ...]:
    """Say so when a Radiance header states by what its values were multiplied: the decoder leaves them so."""
    with path.open("rb") as file:
        header = file.read(4096).partition(b"\n\n")[0]
    stated = [line.partition(b"=")[2].strip() for line in header.split(b"\n") if line.startswith(b"EXPOSURE=")]
    if all(value in (b"1", b"1.0") for value in stated):
        return ()
    return (f"the exposure in the header ({b' x '.join(stated).decode(errors='replace')}) was not divided out",)


def _image(
    path: Path,
    pages: list[npt.NDArray[Any]],
    *,
    data_range: tuple[float, float] | None = None,
    notes: tuple[str, ...] = (),
) -> ImageFile:
    array = pages[0] if len(pages) == 1 else np.stack(pages)
    is_colour = pages[0].ndim == 3
    axes = "Q" * (array.ndim - 2 - is_colour) + ("YXS" if is_colour else "YX")
    channel_axis = array.ndim - 1 if is_colour else None
    return ImageFile(path, array, channel_axis, axes, data_range, notes + alpha_note(array, channel_axis))


def _no_image(path: Path) -> str:
    if path.suffix.lower() in _MICROSCOPE_SUFFIXES:
        return f"{path} is in a microscope's own format, which is not read here. Export it as OME-TIFF."
    return f"{path} is not an image in a format that can be read. Save it as TIFF or PNG; if it is one, it is damaged."
