"""Which values stand for black and for white: as stated, as the type says, or as the values themselves say if asked."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from functools import partial, reduce
from typing import Any, Literal, NamedTuple, TypeVar, get_args

import numpy as np
import numpy.typing as npt

from .arrays import computing, is_dask
from .errors import InputError

RangeRule = Literal["data", "percentiles"]

RULES: tuple[RangeRule, ...] = get_args(RangeRule)
PERCENTILES = (0.1, 99.9)
"""What ``"percentiles"`` takes for black and white: a hot pixel, or a few dead ones, do not set them."""

KNOWN: dict[str, tuple[float, float]] = {"bool": (0, 1), "uint8": (0, 255), "uint16": (0, 65535)}
"""Black and white of types that say them."""

COLOURS = 3
"""Channels that have a part in a range: red, green and blue, but not alpha."""

_NARROWEST, _WIDEST = 1e-30, 1e30  # of a range: 255 times a value, over its width, has to fit into float32
_STEPS = 256  # that float64 has to have between black and white
_PART = 2**22  # values that are looked at together
_DIGIT = 16  # bits of a key by which values are counted in one pass
_TOGETHER = 16  # blocks of dask whose findings are added up at once

Found = TypeVar("Found")
Values = npt.NDArray[Any]


class ValueRange(tuple[float, float]):
    """Black and white, with the rule by which they were found in the values; a pair like any other."""

    rule: RangeRule | None

    def __new__(cls, pair: tuple[float, float], rule: RangeRule | None = None) -> ValueRange:
        """Make the pair; the rule is None where black and white were stated."""
        made = super().__new__(cls, pair)
        made.rule = rule
        return made


DataRange = ValueRange | float | tuple[float, float] | RangeRule | None
"""What may be given for black and white: both, white alone, the word by which to find them, None for the type's."""


def checked_range(data_range: Any, dtype: np.dtype[Any], name: str) -> tuple[float, float]:
    """Check the numbers that a caller states for black and white, or take those of the type for None."""
    if data_range is None:
        known = KNOWN.get(dtype.name)
        if known is None:
            raise InputError(
                f"The {name} is {dtype.name}, and the values of black and white cannot be known from that. Say "
                "data_range=(black, white), such as (0, 1) for a float image scaled to one, or 'data' for its lowest "
                "and highest value."
            )
        return known
    if isinstance(data_range, str):
        raise InputError(
            f"data_range is {data_range!r}; give (black, white), one number for white, or one of "
            f"{', '.join(map(repr, RULES))}."
        )
    try:
        pair = np.asarray(data_range, dtype=float)
    except (TypeError, ValueError):
        raise InputError(f"data_range is {data_range!r}; give (black, white) or one number for white.") from None
    if pair.shape == ():
        pair = np.array([0.0, float(pair)])
    if pair.shape != (2,):
        raise InputError(f"data_range has {pair.size} values; give (black, white) or one number for white.")
    return _checked_pair(*map(float, pair))


def _checked_pair(low: float, high: float) -> tuple[float, float]:
    if not (math.isfinite(low) and math.isfinite(high)):
        raise InputError(f"data_range is ({low:g}, {high:g}); both values must be finite.")
    if high <= low:
        raise InputError(
            f"data_range is ({low:g}, {high:g}); white must lie above black. Swap them or widen the range."
        )
    if not _NARROWEST <= high - low <= _WIDEST or max(abs(low), abs(high)) > _WIDEST:
        raise InputError(
            f"data_range is ({low:g}, {high:g}); black and white have to be {_NARROWEST:g} to {_WIDEST:g} apart, to be "
            "computed with. Scale the image first, such as to (0, 1)."
        )
    if high - low < _STEPS * np.finfo(np.float64).eps * max(abs(low), abs(high)):
        raise InputError(
            f"data_range is ({low!r}, {high!r}); of numbers so large, hardly any lie between the two. Subtract black "
            "from the image first, in its own type."
        )
    return low, high


def range_of_values(array: Any, rule: RangeRule, name: str, *, has_channels: bool) -> ValueRange:
    """Find black and white in the values of all planes and colours of an array, its channels last.

    ``"data"``: the lowest and the highest value. ``"percentiles"``: those of 0.1 and 99.9, interpolated as numpy does.
    Both are exact for every type. What is NaN, infinite or masked in one colour does not count, nor does alpha. The
    array is looked at part by part, one of dask block by block: once for the ends, and for percentiles once for every
    16 bits of a value.
    """
    count, *ends = range_of_all(array, name, has_channels=has_channels)
    if not count:
        raise InputError(
            f"data_range is {rule!r}, and the {name} has no pixel with a value: all {math.prod(array.shape)} are NaN, "
            "infinite or masked. Check how it was read."
        )
    if rule == "percentiles" and ends[0] < ends[1]:
        low, high = _percentiles(array, PERCENTILES, name, has_channels=has_channels)
        if low >= high:
            raise InputError(
                f"data_range is 'percentiles', and those of {PERCENTILES[0]} and {PERCENTILES[1]} of the {name} are "
                f"both {low:g}; its values go from {ends[0]:g} to {ends[1]:g}. Say 'data' for these, or "
                "data_range=(black, white)."
            )
        ends = [low, high]
    if ends[0] == ends[1]:
        raise InputError(
            f"data_range is {rule!r}, and every value of the {name} is {ends[0]:g}: it has no black and white of its "
            "own. Say data_range=(black, white)."
        )
    return ValueRange(_checked_pair(float(ends[0]), float(ends[1])), rule)


class Extremes(NamedTuple):
    """How many values count, and the lowest and the highest of them: numbers of Python, so that no integer is cut."""

    known: int
    lowest: Any
    highest: Any

    @classmethod
    def of(cls, values: Values) -> Extremes:
        """Look at values."""
        if not values.size:
            return cls(0, math.inf, -math.inf)
        return cls(values.size, values.min().item(), values.max().item())

    @classmethod
    def joined(cls, parts: Sequence[Extremes]) -> Extremes:
        """Put what was seen of parts together."""
        return cls(sum(part[0] for part in parts), min(part[1] for part in parts), max(part[2] for part in parts))


def valid_values(pixels: Any, *, has_channels: bool) -> Values:
    """Give the values that count, in one axis: of all colours, without pixels that are a hole in any of them."""
    values: Values = np.ma.getdata(pixels)
    mask: Any = np.ma.getmask(pixels)
    if has_channels:
        values, mask = values[..., :COLOURS], mask if mask is np.ma.nomask else mask[..., :COLOURS]
    holes = mask
    if values.dtype.kind == "f":
        broken = ~np.isfinite(values)
        holes = broken if mask is np.ma.nomask else broken | mask
    if holes is np.ma.nomask or not holes.any():
        return values.ravel()
    kept: Values = values[~holes.any(axis=-1)].ravel() if has_channels else values[~holes]
    return kept


def range_of_all(array: Any, name: str, *, has_channels: bool) -> Extremes:
    """Find the lowest and the highest value of an array, its channels last."""
    return _over_parts(array, Extremes.of, Extremes.joined, name, has_channels=has_channels)


def _percentiles(array: Any, percents: Sequence[float], name: str, *, has_channels: bool) -> list[float]:
    """Give percentiles of the values as `numpy.percentile` does, without sorting or holding them.

    Values are counted by the highest 16 bits of keys of the same order; those counts say which 16 bits the wanted
    value begins with, and in the next pass only values that begin so are counted by their next 16 bits.
    """
    dtype = np.dtype(np.float64) if array.dtype.itemsize > np.dtype(np.float64).itemsize else array.dtype
    bits = 8 * dtype.itemsize
    step = min(_DIGIT, bits)
    counted = partial(_over_parts, array, add=_added, name=name, has_channels=has_channels)
    (first,) = counted(partial(_counts, dtype=dtype, step=step, shift=bits - step, prefixes=(None,)))
    counts: dict[int | None, Any] = {None: first}
    last = int(first.sum()) - 1
    # numpy's "linear": the percentile p of n values lies at p / 100 (n - 1) in their order.
    places = [percent / 100 * last for percent in percents]
    ranks = [rank for place in places for rank in (math.floor(place), math.ceil(place))]
    keys = [0] * len(ranks)
    prefixes: list[int | None] = [None] * len(ranks)
    for shift in range(bits - step, -1, -step):
        for number, prefix in enumerate(prefixes):
            below = np.cumsum(counts[prefix])
            digit = int(np.searchsorted(below, ranks[number], side="right"))
            ranks[number] -= int(below[digit - 1]) if digit else 0
            keys[number] = keys[number] << step | digit
        prefixes = list(keys)
        if shift:
            wanted: tuple[int | None, ...] = tuple(dict.fromkeys(keys))
            looked = partial(_counts, dtype=dtype, step=step, shift=shift - step, prefixes=wanted)
            counts = dict(zip(wanted, counted(looked), strict=True))
    found = [float(value) for value in _from_keys(keys, dtype)]
    pairs = zip(places, found[::2], found[1::2], strict=True)
    return [low + (high - low) * (place - math.floor(place)) for place, low, high in pairs]


def _counts(
    values: Values, *, dtype: np.dtype[Any], step: int, shift: int, prefixes: Sequence[int | None]
) -> list[npt.NDArray[np.int64]]:
    """Count values by `step` bits of their keys above `shift`, once for every beginning that keys may have."""
    keys = _keys(values, dtype)
    counts = []
    for prefix in prefixes:
        own = keys if prefix is None else keys[keys >> keys.dtype.type(shift + step) == keys.dtype.type(prefix)]
        digits = (own >> own.dtype.type(shift)) & own.dtype.type(2**step - 1)
        counts.append(np.bincount(digits.astype(np.intp), minlength=2**step))
    return counts


def _added(parts: Sequence[list[npt.NDArray[np.int64]]]) -> list[npt.NDArray[np.int64]]:
    return [np.sum(counts, axis=0) for counts in zip(*parts, strict=True)]


def _keys(values: Values, dtype: np.dtype[Any]) -> Values:
    """Give unsigned integers in the order of the values."""
    with np.errstate(over="ignore"):  # what is wider than 64 bits may become infinite
        native = values.astype(dtype.newbyteorder("="), copy=False)
    unsigned = np.dtype(f"u{dtype.itemsize}")
    keys: Values = np.ascontiguousarray(native).view(unsigned)
    top = unsigned.type(1 << (8 * dtype.itemsize - 1))
    if dtype.kind == "i":
        keys = keys ^ top  # two's complement: negative numbers come first once the sign is turned
    elif dtype.kind == "f":
        # IEEE 754: positive numbers are in the order of their bits, negative ones in the opposite.
        keys = np.where(keys & top, ~keys, keys | top)
    return keys


def _from_keys(keys: Sequence[int], dtype: np.dtype[Any]) -> Values:
    unsigned = np.dtype(f"u{dtype.itemsize}")
    ordered = np.array(keys, unsigned)
    top = unsigned.type(1 << (8 * dtype.itemsize - 1))
    if dtype.kind == "i":
        ordered = ordered ^ top
    elif dtype.kind == "f":
        ordered = np.where(ordered & top, ordered ^ top, ~ordered)
    return ordered.view(dtype.newbyteorder("="))


def _over_parts(
    array: Any, look: Callable[[Values], Found], add: Callable[[Sequence[Found]], Found], name: str, *,
    has_channels: bool,
) -> Found:  # fmt: skip
    """Look at the values of an array part by part, and add up what was found; the whole is never held."""
    if not is_dask(array):
        parts = _parts(array, has_channels)
        seen = (look(valid_values(part, has_channels=has_channels)) for part in parts)
        return reduce(lambda one, other: add([one, other]), seen)
    from dask.delayed import delayed

    if has_channels:
        array = array.rechunk({array.ndim - 1: -1})
    blocks = delayed(partial(_seen, look=look, dtype=array.dtype, has_channels=has_channels, name=name))
    found = [blocks(block) for block in array.to_delayed().ravel()]
    while len(found) > 1:
        found = [delayed(add)(found[i : i + _TOGETHER]) for i in range(0, len(found), _TOGETHER)]
    with computing(name):
        result: Found = found[0].compute()
    return result


def _seen(block: Any, *, look: Callable[[Values], Found], dtype: np.dtype[Any], has_channels: bool, name: str) -> Found:
    pixels = np.asanyarray(block)
    if pixels.dtype.kind not in "buif":
        raise InputError(
            f"The {name} is a dask array that says it has dtype {dtype}, and computes to {pixels.dtype}. State it "
            "right where it is made."
        )
    # What is computed may be stored in another order or width than the array says; it is taken for what that says.
    return look(valid_values(pixels.astype(dtype, copy=False), has_channels=has_channels))


def _parts(array: Any, has_channels: bool) -> Iterator[Any]:
    """Cut an array of numpy into parts of some million values, along its first axes as far as that takes."""
    axes = array.ndim - has_channels
    if array.size <= _PART or not axes:
        yield array
        return
    rows = max(1, _PART * len(array) // array.size)
    for start in range(0, len(array), rows):
        part = array[start : start + rows]
        if len(part) > 1 or axes == 1:
            yield part
        else:
            yield from _parts(part[0], has_channels)
