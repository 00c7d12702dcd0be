"""Which pages of a TIFF file are its image: found without loops, without other folders, and with what is missing."""

from __future__ import annotations

import logging
import math
import re
import struct
import threading
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, NamedTuple
from xml.etree import ElementTree

import tifffile

from ..errors import InputError
from .source import Source, check_regular

MICROMETRES = {"nm": 1e-3, "µm": 1.0, "μm": 1.0, "um": 1.0, "micron": 1.0, "microns": 1.0, "mm": 1e3, "cm": 1e4} | {
    "inch": 25400.0,
    "in": 25400.0,
    "m": 1e6,
}
"""Micrometres in a unit of length, as OME and ImageJ name units."""

_MOST_PAGES = 2**17
_MOST_TAGS = 4096  # as tifffile allows
_SUB_PAGES = 330
_OTHER_KINDS = (
    *("mmstack", "ndtiff", "scanimage", "fluoview", "sis", "nih", "svs", "scn", "qpi", "bif", "avs", "philips"),
    *("indica", "eer", "uniform", "agilent"),
)
"""Of the kinds of file that tifffile knows, those whose pages are read as they are: pages of one kind are a stack.

What tifffile derives for them would be taken from beyond the pages of the file. It follows the descriptions of its
own files, of OME and of ImageJ, and those of Zeiss (LSM), MetaMorph (STK), Molecular Dynamics and Hamamatsu.
"""

_DESCRIBED = {"shaped": "tifffile", "ome": "OME", "imagej": "ImageJ"}
_IN_ORDER = ("shaped", "imagej", "stk")
"""The kinds whose planes lie behind each other, with or without a page each."""

_PADDING = 16  # bytes that may follow a plane without being one

_SAME = (274, 280, 281, 284, 320, 340, 341, 342, 529, 530, 532, 42113)
"""Tags that change what samples mean, beside those that decide how they are decoded: orientation, palette, no data."""


class Planes(NamedTuple):
    """The pages of an image.

    `pages`: in order; each as its file states it. `shape`, `axes`: of all of them; both of one page, behind a leading
    Q, where the file does not say more. `contiguous`: planes that follow the only page without pages of their own.
    `header`: what the OME header states.
    """

    pages: list[Any]
    shape: tuple[int, ...]
    axes: str
    contiguous: int
    notes: tuple[str, ...]
    header: OmeHeader | None
    transform: Any = None


class OmeHeader(NamedTuple):
    """What an OME header states: bits that are used, height and width of a pixel, files that hold planes."""

    significant_bits: int | None
    pixel_size: tuple[float, float] | None
    companions: tuple[str, ...]


@contextmanager
def opened(source: Source) -> Iterator[Planes]:
    """Open a file, and give the pages of its first image; they can be decoded until the file is closed."""
    _check_chain(source, source.path)
    with _quiet(), ExitStack() as stack:
        planes = None
        for described in (True, False):
            left_aside = {*_OTHER_KINDS, *(() if described else _DESCRIBED)} & set(tifffile.TIFF.FILE_FLAGS)
            kinds: dict[str, Any] = {f"is_{kind}": False for kind in left_aside}
            file = stack.enter_context(tifffile.TiffFile(source.path, **kinds))
            aside = () if described else ("its description does not fit its pages or cannot be read; left aside",)
            try:
                planes = _planes(source, file, aside)
            except RecursionError:  # a description that is nested thousands deep
                continue
            if planes is not None:
                break
        if planes is None:
            raise source.damaged("it holds no complete image")
        yield planes


# --- the file


def _check_chain(source: Source, path: Path) -> None:
    """Follow the pages of a file to the last: a chain that never ends would fill the memory."""
    with path.open("rb") as file:
        size = file.seek(0, 2)
        file.seek(0)
        head = file.read(4)
        order = "<" if head[:2] == b"II" else ">"
        if head[2:4] in (b"+\0", b"\0+"):  # BigTIFF
            forms, entry = ("Q", "Q"), 20
            file.seek(8)
        else:  # Hamamatsu's files have 64 bits for the next page alone
            forms, entry = ("H", "Q" if path.suffix.lower() == ".ndpi" and order == "<" else "I"), 12
        count_form, next_form = (order + form for form in forms)
        count_size, next_size = struct.calcsize(count_form), struct.calcsize(next_form)
        (offset,) = struct.unpack(next_form, file.read(next_size).ljust(next_size, b"\0"))
        seen: set[int] = set()
        below = 0
        while offset:
            if offset in seen:
                raise source.damaged(f"its pages form a loop: after page {len(seen)} comes an earlier one again")
            seen.add(offset)
            file.seek(offset)
            (tags,) = struct.unpack(count_form, file.read(count_size).ljust(count_size, b"\0"))
            end = offset + count_size + tags * entry + next_size
            if end > size or tags > _MOST_TAGS:
                raise source.damaged(f"page {len(seen)} states {tags} tags, up to byte {end} of {size}")
            entries = file.read(tags * entry)
            below += sum(_pages_below(entries[place : place + entry], order) for place in range(0, len(entries), entry))
            if len(seen) + below > _MOST_PAGES:
                raise InputError(f"{path} states more than {_MOST_PAGES} pages. Split it.")
            (offset,) = struct.unpack(next_form, file.read(next_size))


def _pages_below(entry: bytes, order: str) -> int:
    """Give how many pages a tag states that hang below its page (SubIFDs)."""
    if entry[:2] != struct.pack(order + "H", _SUB_PAGES):
        return 0
    return int(struct.unpack(order + ("Q" if len(entry) == 20 else "I"), entry[4 : 12 if len(entry) == 20 else 8])[0])


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep what tifffile logs about this thread's file from the terminal: what matters is checked here."""
    thread = threading.get_ident()
    log = logging.getLogger("tifffile")

    def others(record: logging.LogRecord) -> bool:
        return record.thread != thread

    log.addFilter(others)
    try:
        yield
    finally:
        log.removeFilter(others)


# --- the image


def _planes(source: Source, file: Any, notes: tuple[str, ...]) -> Planes | None:
    """Find the pages of the first image; None if what describes them is not to be believed."""
    header, refused = _ome_header(source, file)
    if refused:
        file.is_ome = False
        notes += (refused,)
    kinds = [name for kind, name in _DESCRIBED.items() if getattr(file, f"is_{kind}")]
    series = _main(source, file)
    if series is None and not kinds:
        raise source.damaged("it holds no complete image")
    if series is None or (kinds and not {"Y", "X"} <= {*series.axes}):
        return None
    if series.kind == "generic" and kinds:
        _check_planes_that_follow(source, file)
        notes += (f"its {' and '.join(kinds)} description does not fit its pages, and was left aside",)
    found = _pages(source, file, series)
    if found is None:
        return None
    pages, contiguous, missing = found
    notes += _missing(header, missing)
    notes += _others(file, series)
    shape, axes = series.shape, series.axes
    page = pages[0]
    if math.prod(shape) != (len(pages) + contiguous) * math.prod(page.shape):
        if not missing:
            notes += (f"it states {_sizes(shape, axes)}, and holds {len(pages)} planes of {_sizes(page.shape)}",)
        many = (len(pages) + contiguous) > 1
        stacked = [letter for letter, length in zip(axes, shape, strict=True) if letter not in "YXS" and length > 1]
        letter = stacked[0] if len(stacked) == 1 else "Q"
        shape = ((len(pages) + contiguous,) if many else ()) + page.shape
        axes = (letter if many else "") + page.axes
    axes, found_colours = _interleaved(page, shape, axes)
    return Planes(pages, shape, axes, contiguous, notes + found_colours, header, series.transform)


def _check_planes_that_follow(source: Source, file: Any) -> None:
    """Refuse a file of ImageJ that was cut short: one page, and behind its plane only some of those that are stated.

    Nothing behind its plane but tags: one plane was taken from a stack, and kept the description.
    """
    page = file.pages.first
    stated = re.search(r"^images=(\d{1,9})\s*$", page.description, re.MULTILINE) if page.is_imagej else None
    if stated is None or not page.is_final or len(file.pages) > 1 or not page.nbytes:
        return
    start, planes = page.dataoffsets[0], int(stated[1])
    end = start + page.nbytes
    structures = [page.offset, file.filehandle.size, *(tag.valueoffset for tag in page.tags)]
    there = min(place for place in structures if place >= end) - start if file.filehandle.size >= end else 0
    if page.nbytes + _PADDING < there < planes * page.nbytes:
        raise source.damaged(
            f"it states {planes} planes of {page.nbytes} bytes from byte {start}; "
            f"{planes - there // page.nbytes} of {planes} planes are missing"
        )


def _interleaved(page: Any, shape: tuple[int, ...], axes: str) -> tuple[str, tuple[str, ...]]:
    """Find the colours of a stack whose writer took rows for samples apart: its pages seem as wide as it has colours.

    scikit-image's writer does so with three or four colour pictures.
    """
    taken = page.photometric == tifffile.PHOTOMETRIC.RGB and page.planarconfig == 2 and page.samplesperpixel > 4
    if not taken or len(axes) < 4 or not axes.endswith("SYX") or shape[-1] not in (3, 4):
        return axes, ()
    meant = axes[:-3] + "YXS"
    note = f"its pages state {page.samplesperpixel} samples of {_sizes(shape[-2:])} pixels; read as rows of colours"
    return meant, (f"{note}, {_sizes(shape, meant)}",)


def _main(source: Source, file: Any) -> Any:
    """Give the first series that is an image itself: no thumbnail of another, no mask."""
    try:
        found = file.series
    except (RecursionError, InputError):
        raise
    except Exception as error:
        if any(getattr(file, f"is_{kind}") for kind in _DESCRIBED):
            return None
        raise source.damaged(error) from error
    whole = [series for series in found if not (series.keyframe.is_reduced or series.keyframe.is_mask)]
    return next(iter(whole or found), None)


def _pages(source: Source, file: Any, series: Any) -> tuple[list[Any], int, int] | None:
    """Give the pages, each as it states itself, how many planes follow them without a page, and how many are missing.

    None if pages differ from what the first of them states.
    """
    first = series.keyframe
    stated, rest = divmod(math.prod(series.shape), max(math.prod(first.shape), 1))
    there, contiguous = list(series) if series.kind not in _IN_ORDER else [], 0
    if not there:
        # Planes may follow a page that speaks for all. Where they have pages of their own, these say where pixels are.
        following = len(file.pages) - first.index
        if rest or stated < 1 or (series.kind == "imagej" and following > stated):
            return None
        lone = following == 1 or series.is_truncated
        there = [file.pages[first.index + place] for place in range(1 if lone else min(stated, following))]
        contiguous = stated - 1 if lone else 0
    pages: list[Any] = []
    meaning = _meaning(first)
    for page in there:
        if page is None:
            continue
        own = _as_stated(page, series.kind)
        if own.hash != first.hash or own.dtype != first.dtype or _meaning(own) != meaning:
            return None if series.kind != "generic" else _first_alike(source, there)
        pages.append(own)
    return pages, contiguous, len(there) - len(pages)


def _first_alike(source: Source, there: Sequence[Any]) -> tuple[list[Any], int, int]:
    """Give those pages that mean the same as the first."""
    alike = [page for page in there if _meaning(page) == _meaning(there[0])]
    return alike, 0, 0


def _as_stated(page: Any, kind: str) -> Any:
    """Read a page by itself, where tifffile took it to be like the first one."""
    if page.is_frame and not page.is_virtual and kind != "lsm":
        with readable(page):
            return page.aspage()
    return page


@contextmanager
def readable(page: Any) -> Iterator[None]:
    """Open the file of a page, which is another one for some planes of an OME set."""
    handle = page.parent.filehandle
    closed = handle.closed
    if closed:
        handle.open()
    try:
        yield
    finally:
        if closed:
            handle.close()


def _meaning(page: Any) -> tuple[Any, ...]:
    """Give what a page says about the meaning of its samples."""
    with readable(page):
        values = [page.keyframe.tags.valueof(code) for code in _SAME]
    return tuple(value.tobytes() if hasattr(value, "tobytes") else value for value in values)


def _others(file: Any, series: Any) -> tuple[str, ...]:
    """Say what else the file holds."""
    notes = []
    whole = [other for other in file.series if not (other.keyframe.is_mask or other.keyframe.is_reduced)]
    if any(other.keyframe.is_mask for other in file.series if other is not series):
        notes.append("a mask of what is transparent or valid is stored beside the image, and was left out")
    if len(whole) > 1:
        notes.append(f"the file holds {len(whole)} images of different shapes; the first was read")
    if len(series.levels) > 1:
        notes.append(f"the file holds the image in {len(series.levels)} sizes; the largest was read")
    if series.kind == "generic" and len(series.pages) > 1:
        unlike = sum(_meaning(page) != _meaning(series.pages[0]) for page in series.pages)
        if unlike:
            notes.append(f"pages whose palette, orientation or no-data value is another were left out: {unlike}")
    return tuple(notes)


def _missing(header: OmeHeader | None, count: int) -> tuple[str, ...]:
    """Say which planes are not there, and what they should have been read from."""
    if not count:
        return ()
    files = ", ".join(header.companions) if header is not None else ""
    where = f" ({files} cannot be read)" if files else ""
    return (f"{count} planes that the OME header states are missing{where}; the others were read",)


def _sizes(shape: Sequence[int], axes: str = "") -> str:
    return "x".join(map(str, shape)) + (f" ({axes})" if axes else "")


# --- the header of OME


def _ome_header(source: Source, file: Any) -> tuple[OmeHeader | None, str]:
    """Read what an OME header states; and say why it must not be followed."""
    if not file.is_ome:
        return None, ""
    text = file.pages.first.description
    if "<!DOCTYPE" in text or "<!ENTITY" in text:
        return None, "its OME header defines entities, and was left aside"
    try:
        root = ElementTree.fromstring(text)
        pixels = next(element for element in root.iter() if element.tag.endswith("Pixels"))
        planes = math.prod(int(pixels.attrib[f"Size{axis}"]) for axis in "ZCT")
        counts = [int(data.attrib.get(name, 0)) for data in root.iter() for name in ("NumPlanes", "PlaneCount")]
        sizes = [int(pixels.attrib[f"Size{axis}"]) for axis in "YX"]
        bits = pixels.attrib.get("SignificantBits")
        header = OmeHeader(None if bits is None else int(bits), _physical_size(pixels.attrib), ())
    except (ElementTree.ParseError, StopIteration, KeyError, ValueError, RecursionError) as error:
        return None, f"its OME header cannot be read ({str(error) or 'no pixels in it'}), and was left aside"
    source.check_size((planes, *sizes))
    if max(planes, *counts) > _MOST_PAGES or not all(map(_bounded, root.iter())):
        return header, "its OME header states more than the file can hold, and was left aside"
    missing = []
    for name in dict.fromkeys(_companions(root, source.path.name)):
        reason = _unsafe(source, name)
        if reason == "missing":
            missing.append(name)
        elif reason:
            return header, reason
    return header._replace(companions=tuple(missing)), ""


def _bounded(element: ElementTree.Element) -> bool:
    """Tell whether a subdivision of an axis (Modulo) has a number of steps that can be."""
    if "Start" not in element.attrib or "ModuloAlong" not in element.tag:
        return True
    first, last, step = (float(element.attrib.get(name, 1)) for name in ("Start", "End", "Step"))
    return step != 0 and (last - first) / step < _MOST_PAGES


def _physical_size(attributes: dict[str, str]) -> tuple[float, float] | None:
    try:
        # The unit is micrometres where none is said.
        height, width = (
            float(attributes[f"PhysicalSize{axis}"]) * MICROMETRES[attributes.get(f"PhysicalSize{axis}Unit", "µm")]
            for axis in "YX"
        )
    except (KeyError, ValueError):
        return None
    return height, width


def _companions(root: ElementTree.Element, own: str) -> Iterator[str]:
    """Name the other files that hold planes."""
    for uuid in root.iter():
        name = uuid.attrib.get("FileName")
        if name is not None and uuid.text != root.attrib.get("UUID") and name.lower() != own.lower():
            yield name


def _unsafe(source: Source, name: str) -> str:
    """Say why a file that a header names must not be opened; ``"missing"`` if it is not there, empty if it may be."""
    folder = source.path.absolute().parent
    try:
        path = folder / name
        inside = path.resolve().is_relative_to(folder.resolve())
    except (ValueError, OSError, RuntimeError):
        inside = False
    if not inside:
        return f"its OME header names {name!r}, outside of its folder; that was not opened, only this file was read"
    if not path.exists():
        return "missing"
    try:
        check_regular(path)
    except InputError as error:
        return f"a file that its OME header names was not opened ({error})"
    try:
        _check_chain(source, path)
    except (InputError, OSError, struct.error) as error:
        raise InputError(f"{source.path} has planes in {name}, which cannot be read: {error}") from error
    return ""
