"""An image as its file gives it, and written back: without loss, with its axes and a record of what was done."""

from __future__ import annotations

import io
import json
import math
import struct
import warnings
import zlib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, get_args

import numpy as np
import numpy.typing as npt

from ... import __version__
from ..display import Luminance
from ..errors import InputError
from ..score_columns import plain
from ._chunks import SIGNATURE, chunk, chunks
from ._metadata import upright_exif
from .atomic import written_whole
from .records import is_number, parse_json
from .source import Source

KEY = "napari_iqmaps"
"""Name of this package's record, in a TIFF's description as in a PNG's text."""

SOFTWARE = f"napari-iqmaps {__version__}"
"""What the files say that they were written by."""

CLASSIC_LIMIT = 2**32 - 2**25
"""Bytes of pixels up to which the 32-bit offsets of a TIFF suffice, with room for the tags; as tifffile reckons."""

RELATIVE_LIGHT = (
    "values are linear light, taken as cd/m2; if they are relative, state black and the value of diffuse white "
    "(the data range)"
)
"""Note on files of high dynamic range, which rarely say what their unit is."""

TIFF_SUFFIXES = (".tif", ".tiff")
_IMAGE = "image"  # in the record: what the values of a written image mean
_UNTRUE = "its record of how it was made cannot be true ({}): not used"
_RANGE_TAGS = (280, 281)  # MinSampleValue, MaxSampleValue
_NO_DATA_TAG = 42113
_SHORT = 2**16 - 1
_LOSSY = (".jpg", ".jpeg", ".webp", ".avif", ".jp2", ".j2k")
_TIFF_AXES = frozenset("TZCYXSQ")
_PNG_COLOURS = (b"cICP", b"iCCP", b"sRGB", b"gAMA", b"cHRM")
_PNG_LEVEL = 6
_PNG_HEADER = 33
"""Bytes of a PNG's signature and its first chunk, which says size and depth."""


@dataclass(frozen=True, eq=False)
class ImageFile:
    """An image as its file gives it.

    Attributes
    ----------
    path : pathlib.Path
        The file.
    array : numpy.ndarray
        The pixels as stored: a float file stays float, 16 bits stay 16 bits. What a file states as its orientation is
        applied: the image is upright. Where a file states which pixels hold no data, they are NaN in a floating point
        image, and masked (`numpy.ma.MaskedArray`) in one of whole numbers.
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
    pixel_size : (float, float) or None
        Height and width of a pixel of the upright image in micrometres, where the file states them; None otherwise. The
        72 or 96 pixels an inch that programs write into any file are no statement.
    """

    path: Path
    array: npt.NDArray[Any]
    channel_axis: int | None
    axes: str
    data_range: tuple[float, float] | None = None
    notes: tuple[str, ...] = ()
    luminance: Luminance = "code"
    pixel_size: tuple[float, float] | None = None


def upright(array: npt.NDArray[Any], orientation: int, rows_axis: int = 0) -> tuple[npt.NDArray[Any], tuple[str, ...]]:
    """Turn an image as the orientation of EXIF and TIFF (tag 274) states; gives the image and a note.

    `rows_axis`: the axis of the rows, 0 or more; that of the columns follows it. Values other than 2 to 8 do nothing.
    """
    if orientation not in _TURNS:
        return array, ()
    transposed, reversed_axes, what = _TURNS[orientation]
    turned = array.swapaxes(rows_axis, rows_axis + 1) if transposed else array
    turned = np.flip(turned, tuple(rows_axis + axis for axis in reversed_axes))
    return turned.copy(), (f"orientation {orientation} applied: {what}",)


_TURNS: dict[int, tuple[bool, tuple[int, ...], str]] = {
    2: (False, (1,), "mirrored left to right"),
    3: (False, (0, 1), "turned by 180 degrees"),
    4: (False, (0,), "mirrored top to bottom"),
    5: (True, (), "rows and columns swapped"),
    6: (True, (1,), "turned by 90 degrees clockwise"),
    7: (True, (0, 1), "rows and columns swapped, then turned by 180 degrees"),
    8: (True, (0,), "turned by 90 degrees counterclockwise"),
}
"""For each orientation: whether rows become columns, and which axes are then reversed (0 the rows, 1 the columns).

The number says where the first stored row and the first stored column are to be seen: of 6, right and top, so that the
first row becomes the last column.
"""


def alpha_note(
    array: npt.NDArray[Any], channel_axis: int | None, data_range: tuple[float, float] | None = None
) -> tuple[str, ...]:
    """Say so when an alpha channel, the second or the fourth, that hides something is going to be ignored.

    `data_range`: black and white, where they are not those of the type; opaque is as white is.
    """
    if channel_axis is None or array.shape[channel_axis] not in (2, 4):
        return ()
    alpha = np.take(array, -1, axis=channel_axis)
    opaque: float = np.iinfo(alpha.dtype).max if alpha.dtype.kind in "ui" else 1
    if data_range is not None and alpha.dtype.kind in "ui":
        opaque = min(opaque, data_range[1])
    if (alpha >= opaque).all():
        return ()
    return (transparency_note(np.count_nonzero(alpha <= 0) / alpha.size),)


def transparency_note(share: float) -> str:
    """Say that transparency is ignored, and the share of the pixels that nobody would see."""
    return f"transparency (the alpha channel) is ignored; {100 * share:.3g} % of the pixels are wholly transparent"


def with_record(file: ImageFile, text: str | bytes | None) -> ImageFile:
    """Give an image what the record of this package in its file says of its values, if that can be.

    `text`: the record as JSON, or an object that has it under our name; None if there is none. What it says is used
    where the file says nothing itself.
    """
    try:
        record = parse_json(text, f"The record in {file.path}") if text else None
    except InputError:
        return replace(file, notes=(*file.notes, _UNTRUE.format("it is no JSON"))) if _names_image(text) else file
    if isinstance(record, dict):
        record = record.get(KEY, record)
    stated = record.get(_IMAGE) if isinstance(record, dict) else None
    if not isinstance(stated, dict) or file.data_range is not None:
        return file
    data_range, luminance = stated.get("data_range"), stated.get("luminance")
    if not _is_possible(file.array, data_range, luminance):
        said = f"black and white {data_range!r:.80}, {luminance!r:.40}"
        return replace(file, notes=(*file.notes, _UNTRUE.format(said)))
    used = None if data_range is None else (float(data_range[0]), float(data_range[1]))
    return replace(file, data_range=used, luminance="absolute" if luminance == "absolute" else "code")


def _names_image(text: str | bytes | None) -> bool:
    """Tell whether a text has the name under which a record speaks of its image."""
    return f'"{_IMAGE}"'.encode() in (text.encode("utf-8", "replace") if isinstance(text, str) else text or b"")


def _is_possible(array: npt.NDArray[Any], data_range: Any, luminance: Any) -> bool:
    """Tell whether a stated range and meaning of values can be those of an image."""
    if luminance not in get_args(Luminance) or (luminance == "absolute" and array.dtype.itemsize == 1):
        return False
    if data_range is None:
        return True
    if not isinstance(data_range, list) or len(data_range) != 2 or not all(map(is_number, data_range)):
        return False
    low, high = data_range
    if not low < high:
        return False
    if array.dtype.kind not in "ui" or luminance == "absolute":
        return True
    # Some codes may lie outside black and white, but not all of them.
    return bool(low <= array.max() and array.min() <= high)


def lossless_suffix(file: ImageFile) -> tuple[str, str]:
    """Choose the format in which an image can be written without loss, its own where that has none.

    Returns `suffix, reason`: ``".tif"`` or ``".png"``; and why it is not the file's own format, empty if it is.
    """
    own = file.path.suffix.lower()
    fits_png = file.array.dtype in (np.uint8, np.uint16) and file.array.ndim == 2 + (file.channel_axis is not None)
    fits_png &= not np.ma.getmaskarray(file.array).any() if isinstance(file.array, np.ma.MaskedArray) else True
    suffix = ".tif" if own in TIFF_SUFFIXES or not fits_png else ".png"
    if own == suffix or (own in TIFF_SUFFIXES and suffix == ".tif"):
        return suffix, ""
    kind = "PNG" if suffix == ".png" else "TIFF"
    if own in _LOSSY:
        return suffix, f"written as {kind}, because {own[1:].upper()} would change the pixels again"
    return suffix, f"written as {kind}, which keeps every pixel of it"


def write_picture(array: npt.NDArray[Any], path: Path, source: ImageFile, info: Mapping[str, Any]) -> Path:
    """Write an image, whole or not at all.

    `array`: shape, axes and dtype of ``source.array``; masked pixels are written as pixels without data. `source`: what
    it was made from; black and white, the meaning of values and the size of a pixel are kept, and a colour profile and
    EXIF data are taken over from its file. The image is upright, and so says what is written.
    """
    stated = {"data_range": source.data_range, "luminance": source.luminance, "axes": source.axes}
    record = {"version": __version__, "info": plain(info), _IMAGE: plain(stated)}
    colours = None if source.channel_axis is None else source.channel_axis % array.ndim
    suffix = path.suffix.lower()
    if suffix not in (*TIFF_SUFFIXES, ".png"):
        raise InputError(f"An image is written without loss as .tif or .png, not as {suffix or path.name!r}.")
    # All writers want the colours last; an image whose colours were planes comes out with the same pixels as colours.
    pixels = array if colours is None else np.moveaxis(array, colours, -1)
    pixels, no_data = _without_mask(pixels, colours is not None)
    if no_data is not None and suffix == ".png":
        raise InputError(f"{path.name} has pixels without data, which PNG cannot say. Give a TIFF instead.")
    with written_whole(path) as part:
        if suffix == ".png":
            _as_png(pixels, part, source, record)
        else:
            _as_tiff(pixels, part, source, _axes_of(source, array.ndim, colours), record, no_data)
    return path


def _without_mask(pixels: npt.NDArray[Any], has_colours: bool) -> tuple[npt.NDArray[Any], float | None]:
    """Give masked pixels a value that no other has (NaN in floating point), and that value; None if none is masked."""
    if not isinstance(pixels, np.ma.MaskedArray):
        return pixels, None
    mask = np.ma.getmaskarray(pixels)
    data = np.ma.getdata(pixels)
    if not mask.any():
        return data, None
    if has_colours:
        mask = np.broadcast_to(mask.any(axis=-1, keepdims=True), mask.shape)
    if data.dtype.kind == "f":
        return np.where(mask, data.dtype.type(np.nan), data), math.nan
    limits = np.iinfo(data.dtype) if data.dtype.kind in "ui" else None
    used = np.unique(data[~mask])
    hidden = [int(value) for value in data[mask][:1]]
    wanted = [*hidden, 0, *((int(limits.max), int(limits.min), *range(1, 256)) if limits is not None else ())]
    free = [value for value in wanted if value not in used]
    if not free:
        raise InputError("Every value of the image is in use, and none is left for pixels without data. Use 16 bits.")
    return np.where(mask, data.dtype.type(free[0]), data), float(free[0])


def _axes_of(source: ImageFile, ndim: int, colours: int | None) -> str:
    """Name the axes of an image, its colours moved behind the others, in the letters that tifffile knows."""
    axes = source.axes if len(source.axes) == ndim else "Q" * (ndim - 2) + "YX"
    if colours is not None:
        axes = axes[:colours] + axes[colours + 1 :] + "S"
    return "".join(letter if letter in _TIFF_AXES else "Q" for letter in axes)


def _as_tiff(
    pixels: npt.NDArray[Any],
    part: Path,
    source: ImageFile,
    axes: str,
    record: Mapping[str, Any],
    no_data: float | None,
) -> None:
    import tifffile

    options: dict[str, Any] = {"photometric": "minisblack"}
    samples = 1
    if axes.endswith("S") and pixels.shape[-1] in (3, 4):
        samples = pixels.shape[-1]
        options = {"photometric": "rgb", "extrasamples": ["unassalpha"] if samples == 4 else None}
    if source.pixel_size is not None:
        height, width = source.pixel_size
        options |= {"resolution": (1e4 / width, 1e4 / height), "resolutionunit": "CENTIMETER"}
    if "icc_profile" in (taken := _taken_over(source.path)):
        options["iccprofile"] = taken["icc_profile"]
    tags: list[tuple[int, str, int, Any, bool]] = []
    if source.data_range is not None and pixels.dtype.kind == "u" and pixels.dtype.itemsize <= 2:
        tags = [
            (tag, "H", samples, (round(end),) * samples if samples > 1 else round(end), False)
            for tag, end in zip(_RANGE_TAGS, source.data_range, strict=True)
            if 0 <= end <= _SHORT
        ]
    if no_data is not None:
        tags.append((_NO_DATA_TAG, "s", 0, f"{no_data:.17g}", False))
    tifffile.imwrite(
        part,
        pixels,
        compression="zlib",
        bigtiff=pixels.nbytes > CLASSIC_LIMIT,
        metadata={"axes": axes, KEY: record},
        software=SOFTWARE,
        extratags=tags,
        **options,
    )


def _as_png(pixels: npt.NDArray[Any], part: Path, source: ImageFile, record: Mapping[str, Any]) -> None:
    """Write a PNG, and what is stated beside the pixels behind its header."""
    import imagecodecs
    from PIL import Image

    if pixels.dtype == bool:
        buffer = io.BytesIO()
        Image.fromarray(np.ascontiguousarray(pixels)).save(buffer, "PNG")
        encoded = buffer.getvalue()
    else:
        encoded = bytes(imagecodecs.png_encode(np.ascontiguousarray(pixels), level=_PNG_LEVEL))
    taken = _taken_over(source.path)
    further = [(name, taken[name]) for name in _PNG_COLOURS if name in taken]
    if "icc_profile" in taken and b"iCCP" not in taken:
        further.append((b"iCCP", b"ICC profile\0\0" + zlib.compress(taken["icc_profile"])))
    if source.pixel_size is not None and 1 <= 1e6 / max(source.pixel_size) <= 1e6 / min(source.pixel_size) < 2**31:
        height, width = (round(1e6 / side) for side in source.pixel_size)  # pixels a metre
        further.append((b"pHYs", struct.pack(">IIB", width, height, 1)))
    if "exif" in taken:
        further.append((b"eXIf", taken["exif"].removeprefix(b"Exif\0\0")))
    further += [
        (b"tEXt", KEY.encode() + b"\0" + json.dumps(record).encode("latin-1")),
        (b"tEXt", b"Software\0" + SOFTWARE.encode("latin-1")),
    ]
    inserted = b"".join(chunk(name, data) for name, data in further)
    part.write_bytes(encoded[:_PNG_HEADER] + inserted + encoded[_PNG_HEADER:])


def _taken_over(path: Path) -> dict[Any, Any]:
    """Give what makes a picture look as its source does: profile, EXIF data, and what a PNG says of its colours."""
    from PIL import Image

    found: dict[Any, Any] = {}
    try:
        with warnings.catch_warnings(), Image.open(path) as picture:
            warnings.simplefilter("ignore")
            found = {name: picture.info[name] for name in ("icc_profile", "exif") if picture.info.get(name)}
            if picture.mode not in ("L", "LA", "I;16", "RGB", "RGBA", "P"):
                found.pop("icc_profile", None)  # of inks, which the pixels are no longer
        if (exif := upright_exif(found.pop("exif", b""))) is not None:
            found["exif"] = exif
        content = path.read_bytes()
        if content.startswith(SIGNATURE):
            stated = dict(chunks(Source.of(path), content))
            found |= {name: stated[name] for name in _PNG_COLOURS if name in stated}
    except Exception:  # whatever a decoder raises: the pixels have been read, and are what is written
        return found
    return found
