"""What a TIFF file states about its values: which is white, which are no data, and how large a pixel is."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt

from ._tiff_pages import MICROMETRES, OmeHeader
from .image_file import SOFTWARE

_Array = npt.NDArray[Any]
_Range = tuple[float, float]

_MIN, _MAX, _SMIN, _SMAX = 280, 281, 340, 341
_NO_DATA = 42113
_MICRO_MANAGER, _GDAL = 51123, 42112
_NBITS = re.compile(r"""<Item\s[^<>]{0,99}?name=["']NBITS["'][^<>]{0,99}>\s{0,9}(\d{1,2})\s{0,9}</Item>""")
_MOST_TEXT = 2**16
_X_RESOLUTION, _Y_RESOLUTION, _RESOLUTION_UNIT = 282, 283, 296
_UNITS = {2: 25400.0, 3: 1e4, 4: 1e3, 5: 1.0}  # inch and centimetre; millimetre and micrometre as tifffile writes them
_NO_STATEMENT = (72.0, 96.0)  # pixels an inch that programs write into any file
_HUGE = 1e30


def whole(page: Any, code: int, default: int) -> int:
    """Give a tag that holds one whole number; the default where it is not there or holds something else."""
    value = page.tags.valueof(code)
    return int(value) if isinstance(value, int | np.integer) else default


def white(page: Any, header: OmeHeader | None, colours: _Array) -> tuple[_Range | None, tuple[str, ...]]:
    """Find black and white where the type of the samples does not say them; with a note where a statement is used.

    `colours`: the samples as stored, without alpha.
    """
    kind, bits = page.dtype.kind, page.bitspersample
    if kind in "if":
        return _stated_range(page, colours)
    if kind != "u" or not isinstance(bits, int):
        return None, ()
    top = 2**bits - 1
    stated = [(value, name) for value, name in _statements(page, header) if 0 < value < top]
    brightest = int(colours.max()) if stated else 0
    notes = []
    for value, name in stated:
        if value >= brightest and (_all_ones(value) or value > brightest):
            return (0.0, float(value)), (f"white is {value}, as {name} states",)
        # The standard gives MaxSampleValue to statistics: the brightest of these samples is not yet white.
        notes.append(f"{name} states {value}, which is not taken as white: the brightest sample is {brightest}")
    return (None if top == np.iinfo(page.dtype).max else (0.0, float(top))), tuple(notes)


def _statements(page: Any, header: OmeHeader | None) -> list[tuple[int, str]]:
    found = []
    if header is not None and header.significant_bits is not None and 0 < header.significant_bits < 64:
        found.append((2**header.significant_bits - 1, "SignificantBits"))
    found += [(2**bits - 1, name) for bits, name in _bits_used(page)]
    highest = _highest(page.tags.valueof(_MAX))
    if highest is not None and not str(page.software).startswith(SOFTWARE.split()[0]):  # whose record says it better
        found.append((int(highest), "MaxSampleValue"))
    shown = _imagej(page)
    if shown.get("min") == 0 and _all_ones(shown.get("max", 0)) and shown["max"] > 255:
        found.append((int(shown["max"]), "the display range of ImageJ"))
    return found


def _bits_used(page: Any) -> Iterator[tuple[int, str]]:
    """Give how many bits of a sample are used, as Micro-Manager and GDAL state it in their own tags."""
    entries = page.tags.valueof(_MICRO_MANAGER)
    bits = entries.get("BitDepth") if isinstance(entries, dict) else None
    if isinstance(bits, int) and 0 < bits < 64:
        yield bits, "the BitDepth of Micro-Manager"
    text = page.tags.valueof(_GDAL)
    # Items are searched for and the text is not parsed, so that no entity is ever followed.
    bits = max(map(int, _NBITS.findall(text[:_MOST_TEXT])), default=0) if isinstance(text, str) else 0
    if 0 < bits < 64:
        yield bits, "the NBITS of GDAL"


def _stated_range(page: Any, colours: _Array) -> tuple[_Range | None, tuple[str, ...]]:
    """Take the range of signed and floating point samples that a file states, if it is more than their extremes."""
    low, high = _highest(page.tags.valueof(_SMIN), min), _highest(page.tags.valueof(_SMAX))
    if low is None or high is None or not low < high:
        return None, ()
    known = colours[np.isfinite(colours)] if page.dtype.kind == "f" else colours
    if not known.size or known.min() < low or known.max() > high:
        return None, ()
    if (known.min(), known.max()) == (low, high) and not (low == 0 and (high == 1 or _all_ones(high))):
        return None, ()
    return (low, high), (f"black is {low:g} and white {high:g}, as SMinSampleValue and SMaxSampleValue state",)


def _highest(value: Any, choose: Any = max) -> float | None:
    """Give the highest of a tag with a number for each sample; None if there is no finite one."""
    try:
        found = float(choose(value)) if isinstance(value, tuple) else float(value)
    except (TypeError, ValueError):
        return None
    return found if math.isfinite(found) else None


def _all_ones(value: float) -> bool:
    """Tell the highest values of whole bits: 255, 1023, 4095, ..."""
    number = int(value)
    return number == value and number > 0 and number & (number + 1) == 0


def _imagej(page: Any) -> dict[str, Any]:
    """Read ImageJ's description, a line an entry."""
    if not page.is_imagej:
        return {}
    entries: dict[str, Any] = {}
    for line in str(page.description).splitlines():
        name, _, value = line.partition("=")
        try:
            entries[name.strip().lower()] = float(value)
        except ValueError:
            entries[name.strip().lower()] = value.strip()
    return entries


def no_data(page: Any, samples: _Array) -> tuple[_Array | None, tuple[str, ...]]:
    """Find the samples that hold no data, as GDAL states it; with a note if the value cannot be among them."""
    text = page.tags.valueof(_NO_DATA)
    if text is None:
        return None, ()
    try:
        value = float(str(text).strip().strip("\0").replace(",", "."))
    except ValueError:
        return None, (f"the no-data value {str(text)[:40]!r} is no number, and was left aside",)
    if samples.dtype.kind == "f":
        if math.isnan(value):
            return np.isnan(samples), ()
        if abs(value) > float(np.finfo(samples.dtype).max) and math.isfinite(value):
            return None, (_beyond(value, samples),)
        # GDAL writes its lowest values with few digits.
        near = 1e-5 if abs(value) > _HUGE and math.isfinite(value) else 0
        value = samples.dtype.type(value)
        return (np.isclose(samples, value, rtol=near, atol=0) if near else samples == value), ()
    low, high = (0, 1) if samples.dtype.kind == "b" else (np.iinfo(samples.dtype).min, np.iinfo(samples.dtype).max)
    if not math.isfinite(value) or value != int(value) or not low <= value <= high:
        return None, (_beyond(value, samples),)
    return samples == samples.dtype.type(int(value)), ()


def _beyond(value: float, samples: _Array) -> str:
    return f"the no-data value {value:g} cannot stand in {samples.dtype.name} samples; no pixel is without data"


def pixel_size(page: Any, header: OmeHeader | None) -> tuple[float, float] | None:
    """Give height and width of a stored pixel in micrometres, where the file states them and not a default."""
    if header is not None and header.pixel_size is not None:
        return _plausible(*header.pixel_size)
    resolution = [_ratio(page.tags.valueof(code)) for code in (_Y_RESOLUTION, _X_RESOLUTION)]
    unit = _imagej(page).get("unit")
    if unit is not None:
        try:
            # ImageJ escapes what is not ASCII.
            length = MICROMETRES.get(str(unit).encode("latin-1", "replace").decode("unicode_escape").lower())
        except UnicodeDecodeError:
            length = None
    else:
        length = _UNITS.get(whole(page, _RESOLUTION_UNIT, 1))
    if length is None or 0 in resolution:
        return None
    # Pixels an inch, whatever the unit; a centimetre is 1 / 2.54 of it.
    if len({*resolution}) == 1 and any(abs(25400 / length * resolution[0] - dots) < 0.1 for dots in _NO_STATEMENT):
        return None
    if resolution == [1, 1] and length > MICROMETRES["mm"]:
        return None
    return _plausible(length / resolution[0], length / resolution[1])


def _ratio(value: Any) -> float:
    """Give the number that a rational stands for; 0 if it stands for none."""
    try:
        found = value[0] / value[1]
    except (TypeError, IndexError, ZeroDivisionError):
        return 0.0
    return float(found) if math.isfinite(found) and found > 0 else 0.0


def _plausible(height: float, width: float) -> tuple[float, float] | None:
    fine = all(math.isfinite(size) and size > 0 for size in (height, width))
    return (height, width) if fine else None
