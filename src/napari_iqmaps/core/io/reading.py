"""Read image files into arrays, with what the file itself says of its axes, its channels and its value range.

Which decoder reads a file is decided by its content, not by its name: tifffile for TIFF, Pillow (what scikit-image
reads with) for everyday pictures, OpenEXR for its own format, OpenCV for what those reduce or do not know.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from ..display import Luminance
from ..errors import InputError

RELATIVE_LIGHT = (
    "values are linear light, taken as cd/m2; if they are relative, state black and the value of diffuse white "
    "(the data range)"
)
"""Note on files of high dynamic range, which rarely say what their unit is."""

_EXR_MAGIC = b"\x76\x2f\x31\x01"
_LINEAR_LIGHT = (b"#?RADIANCE", b"#?RGBE", b"PF\n", b"Pf\n", b"PF\r", b"Pf\r", b"PF ", b"Pf ")
_TIFF_MAGIC = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")
_MICROSCOPE_SUFFIXES = (".czi", ".lif", ".nd2", ".oib", ".oif", ".vsi", ".svs", ".lsm", ".ims")


@dataclass(frozen=True, eq=False)
class ImageFile:
    """An image as its file gives it.

    Attributes
    ----------
    path : pathlib.Path
        The file.
    array : numpy.ndarray
        The pixels as stored: a float file stays float, 16 bits stay 16 bits, and an orientation tag is not applied.
    channel_axis : int or None
        The axis of red, green, blue (and alpha); None for grey.
    axes : str
        A letter an axis, as in TIFF: Y and X the image, S colours, others (T, Z, C, ...) leading axes of a stack.
        Fluorescence channels (C) are planes of a stack: they have no common luminance.
    data_range : (float, float) or None
        Black and white where the file says so and the dtype does not; None otherwise. Of linear light, white is what
        has 100 cd/m2.
    notes : tuple of str
        What a reader of the result should know, such as pages that were left out.
    luminance : {"code", "absolute"}
        Whether values are display codes, or linear light, as the formats of high dynamic range hold it.
    """

    path: Path
    array: npt.NDArray[Any]
    channel_axis: int | None
    axes: str
    data_range: tuple[float, float] | None = None
    notes: tuple[str, ...] = ()
    luminance: Luminance = "code"


def read_image(path: str | Path) -> ImageFile:
    """Read an image file.

    Parameters
    ----------
    path : str or pathlib.Path
        TIFF (also ImageJ and OME, stacks, and BigTIFF), PNG, JPEG, GIF, BMP, WebP, JPEG 2000, PNM, PFM, Radiance HDR,
        OpenEXR, and what else Pillow or OpenCV decodes. A file without a suffix is read as well: the content decides.

    Returns
    -------
    ImageFile
        The array and its axes, ready for ``threshold_map(file.array, channel_axis=file.channel_axis)``. Floating
        point pixels need a ``data_range`` besides, or, where they are linear light, ``luminance=file.luminance``.

    Raises
    ------
    InputError
        If there is no such file, if it is a folder, empty, no image, or cut short.

    Examples
    --------
    >>> import napari_iqmaps as iq
    >>> file = iq.read_image("photo.jpg")  # doctest: +SKIP
    >>> iq.threshold_map(file.array, channel_axis=file.channel_axis)  # doctest: +SKIP
    """
    path = Path(path)
    head = _head(path)
    if head[:4] in _TIFF_MAGIC:
        from .reading_tiff import read_tiff_image

        return read_tiff_image(path)
    if head.startswith(_EXR_MAGIC):
        from .reading_exr import read_exr_image

        return read_exr_image(path)
    if head.startswith(_LINEAR_LIGHT):
        file = _with_opencv(path, head)
        return replace(file, luminance="absolute", notes=(*file.notes, *_exposure_note(path), RELATIVE_LIGHT))
    if _needs_opencv(head):
        return _with_opencv(path, head)
    return _with_pillow(path, head)


def _head(path: Path) -> bytes:
    if path.is_dir():
        raise InputError(f"{path} is a folder, not an image file. Give the files in it.")
    if not path.exists():
        raise InputError(f"There is no file {path}. Check the name and the folder.")
    try:
        with path.open("rb") as file:
            head = file.read(64)
    except OSError as error:
        raise InputError(f"{path} cannot be read ({error.strerror}). Check its permissions.") from None
    if not head:
        raise InputError(f"{path} is empty (0 bytes). Copy or save it again.")
    return head


def _exposure_note(path: Path) -> tuple[str, ...]:
    """Say so when a Radiance header states by what its values were multiplied: the decoder leaves them so."""
    with path.open("rb") as file:
        header = file.read(4096).partition(b"\n\n")[0]
    stated = [line.partition(b"=")[2].strip() for line in header.split(b"\n") if line.startswith(b"EXPOSURE=")]
    if all(value in (b"1", b"1.0") for value in stated):
        return ()
    return (f"the exposure in the header ({b' x '.join(stated).decode(errors='replace')}) was not divided out",)


def _needs_opencv(head: bytes) -> bool:
    """Tell the files that Pillow would reduce to 8 bits, or whose range it would lose."""
    if head.startswith(b"\x89PNG"):
        depth, colour = head[24:25], head[25:26]
        return depth == b"\x10" and colour != b"\x00"
    if head[:2] in (b"P2", b"P3", b"P5", b"P6"):
        return (_pnm_white(head) or 0) > 255
    box = head.find(b"ihdr")  # JPEG 2000: height, width, channels, bits less one
    return box > 0 and head[box + 12 : box + 15] in (b"\0\x03\x0f", b"\0\x04\x0f")


def _pnm_white(head: bytes) -> int | None:
    """Find the white of a PGM or PPM file: the fourth word of its header, comments apart."""
    lines = [line.partition(b"#")[0] for line in head.split(b"\n")]
    words = b" ".join(lines).split()
    return int(words[3]) if len(words) > 3 and words[3].isdigit() else None


def _with_pillow(path: Path, head: bytes) -> ImageFile:
    import warnings

    from PIL import Image, UnidentifiedImageError

    try:
        with warnings.catch_warnings():
            # Large pictures are what tiling is for, so Pillow's fear of them is not passed on.
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)
            with Image.open(path) as picture:
                frames = [_pixels(picture) for _ in _frames(picture)]
    except (UnidentifiedImageError, Image.DecompressionBombError):
        return _with_opencv(path, head)
    # Pillow's decoders raise all of these on damaged data.
    except (OSError, SyntaxError, ValueError, EOFError, IndexError, MemoryError, TypeError) as error:
        raise InputError(
            f"{path} is damaged or was cut short ({error}). Copy or download it again, or save it anew."
        ) from None
    notes: tuple[str, ...] = ()
    if len({frame.shape for frame in frames}) > 1:
        notes = (f"the file holds {len(frames)} pictures of different shapes; the first was read",)
        frames = frames[:1]
    array = frames[0] if len(frames) == 1 else np.stack(frames)
    return _picture(path, array, is_colour=frames[0].ndim == 3, notes=notes)


def _frames(picture: Any) -> Any:
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


def _with_opencv(path: Path, head: bytes) -> ImageFile:
    pages = opencv_pages(path)
    if not pages:
        raise InputError(_no_image(path, head))
    array = pages[0] if len(pages) == 1 else np.stack(pages)
    white = _pnm_white(head) if head[:1] == b"P" else None
    data_range = (0.0, float(white)) if white and array.dtype == np.uint16 else None
    return _picture(path, array, is_colour=pages[0].ndim == 3, data_range=data_range)


def opencv_pages(path: Path) -> list[npt.NDArray[Any]]:
    """Decode a file with OpenCV, in the order red, green, blue.

    Returns
    -------
    list of numpy.ndarray
        A page each, as stored; empty if OpenCV knows no way.
    """
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


def _red_first(page: npt.NDArray[Any]) -> npt.NDArray[Any]:
    if page.ndim < 3:
        return page
    if page.shape[2] == 1:
        return page[..., 0]
    return np.ascontiguousarray(page[..., [2, 1, 0, *range(3, page.shape[2])]])


def _picture(
    path: Path,
    array: npt.NDArray[Any],
    *,
    is_colour: bool,
    data_range: tuple[float, float] | None = None,
    notes: tuple[str, ...] = (),
) -> ImageFile:
    axes = "Q" * (array.ndim - 2 - is_colour) + ("YXS" if is_colour else "YX")
    channel_axis = array.ndim - 1 if is_colour else None
    return ImageFile(path, array, channel_axis, axes, data_range, notes + alpha_note(array, channel_axis))


def alpha_note(array: npt.NDArray[Any], channel_axis: int | None) -> tuple[str, ...]:
    """Say so when an alpha channel that hides something is going to be ignored."""
    if channel_axis is None or array.shape[channel_axis] != 4:
        return ()
    alpha = np.take(array, 3, axis=channel_axis)
    opaque = np.iinfo(alpha.dtype).max if alpha.dtype.kind in "ui" else 1
    return () if (alpha == opaque).all() else ("transparency (the alpha channel) is ignored",)


def _no_image(path: Path, head: bytes) -> str:
    if path.suffix.lower() in _MICROSCOPE_SUFFIXES:
        return f"{path} is in a microscope's own format, which is not read here. Export it as OME-TIFF."
    return f"{path} is not an image in a format that can be read. Save it as TIFF or PNG; if it is one, it is damaged."
