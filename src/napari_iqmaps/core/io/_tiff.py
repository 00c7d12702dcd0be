"""Read TIFF files by what they state: which axes are the image, which its colours, and what the samples mean."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import tifffile

from ..errors import InputError
from ._tiff_pages import Planes, opened
from ._tiff_segments import decoded, following
from ._tiff_statements import no_data, pixel_size, white, whole
from .image_file import ImageFile, alpha_note, upright
from .source import Source

_Array = npt.NDArray[Any]
_PHOTOMETRIC = tifffile.PHOTOMETRIC
_ORIENTATION, _NO_DATA, _TRANSFER, _INK_SET, _DOT_RANGE = 274, 42113, 301, 332, 336
_COEFFICIENTS, _REFERENCE = 529, 532
_ASSOCIATED, _UNASSOCIATED = 1, 2
_JPEG = (6, 7)

_REFUSED = {
    _PHOTOMETRIC.MASK: "a mask of what is transparent, and no picture. Give the picture",
    _PHOTOMETRIC.CIELAB: "colours as CIE L*a*b*. Save it as RGB",
    _PHOTOMETRIC.ICCLAB: "colours as ICC L*a*b*. Save it as RGB",
    _PHOTOMETRIC.ITULAB: "colours as ITU L*a*b*. Save it as RGB",
    _PHOTOMETRIC.CFA: "the mosaic of a camera's colour filters (CFA). Develop it, and save it as RGB",
    _PHOTOMETRIC.LINEAR_RAW: "a camera's linear raw data. Develop it, and save it as RGB",
    _PHOTOMETRIC.LOGL: "logarithmic luminance (LogL). Save it as floating point",
    _PHOTOMETRIC.LOGLUV: "logarithmic luminance and u'v' (LogLuv). Save it as floating point",
}
_COLOURS = {_PHOTOMETRIC.RGB: 3, _PHOTOMETRIC.YCBCR: 3, _PHOTOMETRIC.SEPARATED: 4, _PHOTOMETRIC.PALETTE: 1}
_GREY = (_PHOTOMETRIC.MINISBLACK, _PHOTOMETRIC.MINISWHITE)


def read_tiff_image(source: Source) -> ImageFile:
    """Read a TIFF file's first image: image axes last, colours after them, whatever else in front."""
    with opened(source) as planes:
        page = planes.pages[0]
        notes = [*planes.notes, *_unstated(page), *_display_colours(page)]
        _check_meaning(source, page)
        array, axes, empty = _stack(source, planes)
        if planes.transform is not None:
            array = planes.transform(array)
        orientation = whole(page, _ORIENTATION, 1)
        size = pixel_size(page, planes.header)
        array, axes, colour_notes = _colours_last(source, page, array, axes)
        empty = None if empty is None else _colours_last(source, page, empty, planes.axes)[0]
        notes += colour_notes
        array, axes, data_range, value_notes = _meant(source, planes, array, axes, empty)
        if page.tags.valueof(_TRANSFER) is not None:
            notes.append("a transfer function is stated, which is not applied")
    rows = axes.index("Y")
    array, turned = upright(array, orientation, rows)
    if size is not None and orientation in range(5, 9):
        size = size[::-1]
    channel_axis = axes.index("S") if "S" in axes else None
    notes += [*value_notes, *turned, *alpha_note(array, channel_axis, data_range)]
    return ImageFile(source.path, array, channel_axis, axes, data_range, tuple(notes), pixel_size=size)


def _unstated(page: Any) -> tuple[str, ...]:
    """Settle what samples are where a page does not say it; tifffile would invert them."""
    if 262 in page.tags or page.photometric != _PHOTOMETRIC.MINISWHITE:
        return ()
    colours = page.samplesperpixel in (3, 4)
    page.photometric = _PHOTOMETRIC.RGB if colours else _PHOTOMETRIC.MINISBLACK
    taken = "red, green and blue" if colours else "grey with black as zero"
    return (f"it does not state what its samples are (no photometric interpretation); taken as {taken}",)


def _display_colours(page: Any) -> tuple[str, ...]:
    """Take what ImageJ writes as a palette as grey: the table holds the colours in which a channel is shown."""
    if page.photometric != _PHOTOMETRIC.PALETTE or not page.is_imagej or page.samplesperpixel != 1:
        return ()
    page.photometric = _PHOTOMETRIC.MINISBLACK
    return ("its palette is a table of display colours (LUT) of ImageJ, which was left aside; read as grey",)


def _check_meaning(source: Source, page: Any) -> None:
    """Refuse by name what cannot be turned into grey or red, green and blue."""
    key, samples = page.photometric, page.samplesperpixel
    if key in _REFUSED:
        raise InputError(f"{source.path} holds {_REFUSED[key]}.")
    if key not in _GREY and key not in _COLOURS:
        name = getattr(key, "name", "an unknown one")
        raise InputError(f"{source.path} states a colour space that is not read: {name} ({int(key)}). Save it as RGB.")
    if samples < _COLOURS.get(key, 1):
        raise source.damaged(f"it states {key.name} colours, which have {_COLOURS[key]} samples, and {samples} samples")
    if key == _PHOTOMETRIC.PALETTE and page.colormap is None:
        raise source.damaged("it states a palette, and holds none")
    if key == _PHOTOMETRIC.SEPARATED and whole(page, _INK_SET, 1) != 1:
        raise InputError(f"{source.path} holds inks other than cyan, magenta, yellow and black. Save it as RGB.")
    odd = page.compression in _JPEG and key == _PHOTOMETRIC.YCBCR and (page.extrasamples or page.planarconfig == 2)
    if odd:
        raise InputError(f"{source.path} holds YCbCr in JPEG with planes apart or more samples. Save it as RGB.")


# --- from pages to one array


def _stack(source: Source, planes: Planes) -> tuple[_Array, str, _Array | None]:
    """Decode all pages; with where strips were left out on purpose, which only a file with a no-data value may do."""
    page = planes.pages[0]
    count = len(planes.pages) + planes.contiguous
    apart = [length for letter, length in zip(page.axes, page.shape, strict=True) if letter != "S"]
    item = page.dtype.itemsize if page.dtype is not None else 1
    source.check_size((count, *apart) if count > 1 else apart, item * page.samplesperpixel)
    sparse = page.tags.valueof(_NO_DATA) is not None
    if count == 1:
        pixels, empty = decoded(source, page, sparse)
        return source.checked(pixels, page.shape, page.dtype).reshape(planes.shape), planes.axes, _as(empty, planes)
    first, hole = decoded(source, page, sparse)
    array = np.empty((count, *page.shape), first.dtype)
    array[0] = first
    holes = {} if hole is None else {0: hole}
    for number, other in enumerate(planes.pages[1:], start=1):
        pixels, hole = decoded(source, other, sparse)
        array[number] = source.checked(pixels, first.shape, first.dtype)
        if hole is not None:
            holes[number] = hole
    for number, pixels in enumerate(following(source, page, planes.contiguous) if planes.contiguous else (), start=1):
        array[number] = pixels
    empty = None
    if holes:
        empty = np.zeros(array.shape, bool)
        for number, hole in holes.items():
            empty[number] = hole
    return array.reshape(planes.shape), planes.axes, _as(empty, planes)


def _as(empty: _Array | None, planes: Planes) -> _Array | None:
    return None if empty is None else empty.reshape(planes.shape)


def _colours_last(source: Source, page: Any, array: _Array, axes: str) -> tuple[_Array, str, tuple[str, ...]]:
    """Bring Y and X behind the axes of a stack and samples behind them; samples that are no colours become planes."""
    if "Y" not in axes or "X" not in axes:
        raise InputError(f"{source.path} holds no image: its axes are {axes or 'none'}, shape {array.shape}.")
    if axes.endswith("C") and array.shape[-1] in (3, 4) and "S" not in axes:
        # Interleaved, as colours are; fluorescence channels come plane by plane.
        axes = axes[:-1] + "S"
    lead = [axis for axis, letter in enumerate(axes) if letter not in "YXS"]
    order = [*lead, axes.index("Y"), axes.index("X"), *([axes.index("S")] if "S" in axes else [])]
    array, axes = array.transpose(order), "".join(axes[axis] for axis in order)
    if "S" not in axes:
        return array, axes, ()
    return _samples(page, array, axes)


def _samples(page: Any, array: _Array, axes: str) -> tuple[_Array, str, tuple[str, ...]]:
    """Tell colours, alpha, and other samples apart."""
    there = array.shape[-1]
    if page.samplesperpixel == 1 or there != page.samplesperpixel:  # the description made colours of an axis
        return (array, axes, ()) if there in (3, 4) else (np.moveaxis(array, -1, -3), _planes_first(axes), ())
    extra = tuple(int(kind) for kind in page.extrasamples or ())
    colours = _COLOURS.get(page.photometric, 1)
    further = there - colours
    kinds = (extra + (0,) * further)[:further] if len(extra) <= further else extra[-further:] if further else ()
    alphas = [colours + place for place, kind in enumerate(kinds) if kind in (_ASSOCIATED, _UNASSOCIATED)]
    notes = []
    if _ASSOCIATED in kinds:
        notes.append("its colours are stored multiplied by the transparency (associated alpha), and are left so")
    if page.photometric in _GREY:
        kept = [place for place in range(there) if place not in alphas]
        notes += [_hidden(page, array[..., place]) for place in alphas]
        if len(kept) > 1:
            return np.moveaxis(array[..., kept], -1, -3), _planes_first(axes), tuple(notes)
        return array[..., 0], axes[:-1], tuple(notes)
    keep_alpha = page.photometric == _PHOTOMETRIC.RGB and alphas[:1] == [3]
    kept = list(range(colours + keep_alpha))
    if not keep_alpha:
        notes += [_hidden(page, array[..., place]) for place in alphas]
    left = there - len(kept) - (0 if keep_alpha else len(alphas))
    if left:
        many = "samples" if left > 1 else "sample"
        notes.append(f"{left} further {many} of each pixel, whose meaning is not stated, left out")
    return array[..., : len(kept)], axes, tuple(notes)


def _planes_first(axes: str) -> str:
    return axes[:-3] + "C" + axes[-3:-1]


def _hidden(page: Any, alpha: _Array) -> str:
    share = 100 * np.count_nonzero(alpha <= 0) / alpha.size
    return f"transparency (an alpha sample) was left out; {share:.3g} % of the pixels are wholly transparent"


# --- from samples to grey, or red, green and blue


def _meant(
    source: Source, planes: Planes, array: _Array, axes: str, empty: _Array | None
) -> tuple[_Array, str, tuple[float, float] | None, tuple[str, ...]]:
    """Turn samples into what they mean; gives the image, its axes, its range, and notes."""
    page = planes.pages[0]
    holes, notes = no_data(page, array)
    if empty is not None:
        holes = empty if holes is None else holes | empty
    if holes is not None and "S" in axes:  # a pixel is without data where all its colours are
        holes = np.asarray(holes[..., : _COLOURS.get(page.photometric, 3)].all(axis=-1))
    if planes.transform is None:
        data_range, found = white(page, planes.header, array[..., :3] if "S" in axes else array)
        notes += found
    else:
        data_range = None
    convert = _CONVERSIONS.get(page.photometric)
    if convert is not None:
        array, axes, data_range, found = convert(source, page, array, axes, data_range)
        notes += found
    if holes is None or not holes.any():
        return array, axes, data_range, notes
    share = 100 * np.count_nonzero(holes) / holes.size
    text = str(page.tags.valueof(_NO_DATA))[:40]
    notes += (f"{share:.3g} % of the pixels hold no data (the value {text}, or strips that are left out): holes",)
    return _with_holes(array, holes if holes.ndim == array.ndim else holes[..., np.newaxis]), axes, data_range, notes


def _with_holes(array: _Array, holes: _Array) -> _Array:
    holes = np.broadcast_to(holes, array.shape)
    if array.dtype.kind == "f":
        return np.where(holes, array.dtype.type(np.nan), array)
    return np.ma.MaskedArray(array, holes.copy())


_Range = tuple[float, float] | None
_Meant = tuple[_Array, str, _Range, tuple[str, ...]]


def _inverted(source: Source, page: Any, array: _Array, axes: str, data_range: _Range) -> _Meant:
    """Invert samples of which zero is white: within the range that is stated, else about the brightest of them."""
    note = "stored with white as zero; inverted"
    kind = array.dtype.kind
    if kind == "b":
        return ~array, axes, data_range, (note,)
    if data_range is None and kind == "u":
        return np.iinfo(array.dtype).max - array, axes, None, (note,)
    if data_range is not None:
        low, high = data_range
    else:
        known = array[np.isfinite(array)] if kind == "f" else array
        low, high = (min(0, known.min()), known.max()) if known.size else (0, 0)
        note += f" about the brightest value, {high:g}, for no range is stated"
    # low becomes high and high low, so that no value leaves the type or becomes negative
    about = array.dtype.type(low) if kind == "f" else int(low)
    return (array.dtype.type(high) - array) + array.dtype.type(about), axes, data_range, (note,)


def _from_palette(source: Source, page: Any, array: _Array, axes: str, data_range: _Range) -> _Meant:
    """Look colours up in the palette."""
    palette = page.colormap
    notes: tuple[str, ...] = ()
    # Eight of the sixteen bits, as every viewer does: half of the writers fill the lower ones, half do not.
    if palette.max() > 255:
        palette = palette >> 8
    elif palette.any():
        notes = ("its palette holds 8-bit values, where 16 are meant; read so",)
    index = array[..., 0] if "S" in axes else array
    highest = int(index.max())
    if highest >= palette.shape[1]:
        raise source.damaged(f"a pixel has colour {highest} of a palette of {palette.shape[1]}")
    colours = palette.astype(np.uint8).T[index.astype(np.intp)]
    return colours, axes.replace("S", "") + "S", None, notes


def _from_ycbcr(source: Source, page: Any, array: _Array, axes: str, data_range: _Range) -> _Meant:
    """Convert YCbCr that JPEG has not converted, by section 21 of TIFF 6.0."""
    if page.compression in _JPEG:
        return array, axes, data_range, ()
    top = np.iinfo(array.dtype).max if data_range is None else data_range[1]
    red, green, blue = _rationals(page.tags.valueof(_COEFFICIENTS), (0.299, 0.587, 0.114))
    middle = (top + 1) / 2
    reference = _rationals(page.tags.valueof(_REFERENCE), (0, top, middle, top, middle, top))
    # code to value: full range for luma, half of it to either side for chroma
    spans = (top, (top - 1) / 2, (top - 1) / 2)
    luma, chroma_blue, chroma_red = (
        (array[..., place].astype(np.float64) - reference[2 * place])
        * spans[place]
        / (reference[2 * place + 1] - reference[2 * place])
        for place in range(3)
    )
    r = luma + (2 - 2 * red) * chroma_red
    b = luma + (2 - 2 * blue) * chroma_blue
    g = (luma - blue * b - red * r) / green
    colours = np.clip(np.rint(np.stack([r, g, b], axis=-1)), 0, top).astype(array.dtype)
    return colours, axes, data_range, ("stored as YCbCr; converted to red, green and blue",)


def _rationals(value: Any, default: tuple[float, ...]) -> tuple[float, ...]:
    """Give the numbers of a tag that holds numerators and denominators in turn."""
    if not isinstance(value, tuple) or len(value) != 2 * len(default) or 0 in value[1::2]:
        return default
    return tuple(over / under for over, under in zip(value[::2], value[1::2], strict=True))


def _from_inks(source: Source, page: Any, array: _Array, axes: str, data_range: _Range) -> _Meant:
    """Convert cyan, magenta, yellow and black as if they were ideal inks, as Pillow does."""
    if array.dtype.kind != "u":
        raise InputError(f"{source.path} holds inks as {array.dtype.name}. Save it as RGB.")
    top = float(np.iinfo(array.dtype).max) if data_range is None else data_range[1]
    left = 1 - array[..., 3:4] / top
    colours = np.rint(top * left * (1 - array[..., :3] / top)).astype(array.dtype)
    note = "cyan, magenta, yellow and black converted to red, green and blue without a colour profile"
    return colours, axes, data_range, (note,)


_CONVERSIONS: dict[Any, Any] = {
    _PHOTOMETRIC.MINISWHITE: _inverted,
    _PHOTOMETRIC.PALETTE: _from_palette,
    _PHOTOMETRIC.YCBCR: _from_ycbcr,
    _PHOTOMETRIC.SEPARATED: _from_inks,
}
