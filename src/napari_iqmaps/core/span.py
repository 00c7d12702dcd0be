"""How much of black to white the values of an image use: little of it tells that another range was meant.

Beside it, for results in cd/m2, what the eye that looks at the image is adapted to.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from .display import Encoding, light_of
from .value_range import PERCENTILES, Extremes, range_of_all, valid_values

SMALL = 0.1
"""Share of black to white below which a result says so."""

LAZY = "seen"
"""Key of an info under which lazy results keep what will have been seen of the values when they are computed."""

SAMPLE = 2**16
"""Values of an image that are looked at: its 0.1th percentile has 65 of them below it."""

_WINDOW_SAMPLE = 2**12  # of an image that is read part by part
_MOST_SAMPLED = 2**20  # of all its parts together
_ROW_SAMPLE = 2**7  # pixels that are looked at in one row
_SEED = 0
_FARTHEST = 1e300  # beyond all ranges; what infinity is taken for


@dataclass
class Seen:
    """What was seen of the values that were read: their ends, and some of them, drawn at random.

    It is added to as parts are read, in any order; pixels that are read twice count twice. `codes` adds up `coded` code
    values.
    """

    ends: Extremes = field(default_factory=lambda: Extremes(0, math.inf, -math.inf))
    some: npt.NDArray[np.float64] = field(default_factory=lambda: np.zeros(0))
    codes: float = 0.0
    coded: int = 0

    def join(self, other: Seen) -> None:
        """Take over what was seen of another part."""
        self.ends = Extremes.joined([self.ends, other.ends])
        self.some = np.concatenate([self.some, other.some])
        if self.some.size > _MOST_SAMPLED:
            self.some = self.some[::2]
        self.codes, self.coded = self.codes + other.codes, self.coded + other.coded


@dataclass(frozen=True)
class Look:
    """How the values of an image are looked at.

    `codes` turns pixels into code values, None where these are the values on another scale; `encoding` is theirs.
    `is_ranged` says whether there is a range that could have been stated otherwise, as there is none for cd/m2.
    """

    has_channels: bool
    data_range: tuple[float, float]
    codes: Callable[[Any], npt.NDArray[np.float32]] | None
    encoding: Encoding
    is_ranged: bool

    def at_part(self, window: Any) -> Seen:
        """Look at a part of an image that is read part by part."""
        some = self._sampled(window, _WINDOW_SAMPLE)
        ends = Extremes.of(valid_values(window, has_channels=self.has_channels))
        return Seen(ends, _known(valid_values(some, has_channels=self.has_channels)), *self._coded(some))

    def at_block(self, block: Any) -> Any:
        """Look at a block of a dask array; give what was seen in an array of its number of axes."""
        found = np.empty((1,) * block.ndim, object)
        found[(0,) * block.ndim] = self.at_part(block)
        return found

    def of_array(self, array: Any, name: str) -> dict[str, Any]:
        """Say for an info what is seen of an array of numpy: a sample, and all of it only where that uses little."""
        some = self._sampled(array, SAMPLE)
        values = valid_values(some, has_channels=self.has_channels)
        if not values.size:
            return {}
        record = self._adaptation(*self._coded(some))
        if not self.is_ranged or _share(_middle(_known(values)), self.data_range) >= SMALL:
            return record
        ends = range_of_all(array, name, has_channels=self.has_channels)
        middle = _middle(valid_values(array, has_channels=self.has_channels))
        return record | _span(middle, (float(ends.lowest), float(ends.highest)), self.data_range)

    def of_seen(self, seen: Seen) -> dict[str, Any]:
        """Say for an info what was seen of an image that was read part by part."""
        if not seen.ends.known:
            return {}
        record = self._adaptation(seen.codes, seen.coded)
        ends = float(seen.ends.lowest), float(seen.ends.highest)
        if not self.is_ranged or not seen.some.size:
            return record
        return record | _span(_middle(seen.some), ends, self.data_range, about="about ")

    def _sampled(self, array: Any, most: int) -> Any:
        """Take pixels at random places of random rows of all planes; all of them where there are not many.

        Even steps would see one plane of two, or one colour of a sensor. Rows keep what is read of a mapped file small.
        """
        axes = array.ndim - self.has_channels
        if math.prod(array.shape[:axes]) <= most:
            return array
        *lead, width = array.shape[:axes]
        random = np.random.default_rng(_SEED)
        across = min(width, _ROW_SAMPLE)
        rows = np.sort(random.integers(0, math.prod(lead), max(1, most // across)))
        columns = random.integers(0, width, (len(rows), across))
        return array[(*(place[:, np.newaxis] for place in np.unravel_index(rows, lead)), columns)]

    def _coded(self, pixels: Any) -> tuple[float, int]:
        if self.codes is None:
            return 0.0, 0
        codes = self.codes(pixels)
        known = np.isfinite(codes)
        return float(codes.sum(where=known, dtype=np.float64)), int(known.sum())

    def _adaptation(self, codes: float, coded: int) -> dict[str, Any]:
        """Say to which luminance an eye is adapted: that of the mean code value, since equal steps of codes look so."""
        return {"adaptation_luminance": float(light_of(codes / coded, self.encoding))} if coded else {}


@dataclass(frozen=True, eq=False)
class LazySeen:
    """What will have been seen of a dask array when a result of it is computed: `parts` holds a `Seen` a block."""

    parts: Any
    look: Look

    @classmethod
    def of(cls, array: Any, look: Look) -> LazySeen:
        """Look at the blocks that the result is computed from anyway; nothing is computed."""
        if look.has_channels:
            array = array.rechunk({array.ndim - 1: -1})
        ones = tuple((1,) * len(sizes) for sizes in array.chunks)
        meta = np.empty((0,) * array.ndim, object)
        return cls(array.map_blocks(look.at_block, dtype=object, chunks=ones, meta=meta), look)

    def __repr__(self) -> str:
        return "not computed yet"


def pending(info: Mapping[str, Any]) -> Any:
    """Give what is to be computed along with a lazy result; None if there is nothing."""
    lazy = info.get(LAZY)
    return lazy.parts if isinstance(lazy, LazySeen) else None


def settled(info: Mapping[str, Any], parts: Any) -> dict[str, Any]:
    """Put into the info of a result that was lazy what `pending` gave when it was computed."""
    rest = {name: value for name, value in info.items() if name != LAZY}
    lazy = info.get(LAZY)
    if not isinstance(lazy, LazySeen) or parts is None:
        return rest
    seen = Seen()
    for part in np.ravel(parts):
        seen.join(part)
    return rest | lazy.look.of_seen(seen)


def range_first(info: Mapping[str, Any], reason: str, *, is_cause: bool = True) -> str:
    """Name the range before a reason, of which it is likely the cause; both are clauses without a capital."""
    remark = str(info.get("span_remark", ""))
    if not remark or not reason:
        return reason
    return f"{remark}. {f'With this range {reason}' if is_cause else reason[:1].upper() + reason[1:]}"


def remarked(text: str, info: Mapping[str, Any]) -> str:
    """Add to sentences that the values use little of black to white, unless they say so."""
    remark = str(info.get("span_remark", ""))
    return text if remark[1:] in text else f"{text} {remark[:1].upper()}{remark[1:]}."  # with a capital or without


def _known(values: npt.NDArray[Any]) -> npt.NDArray[np.float64]:
    with np.errstate(over="ignore"):  # what is wider than 64 bits may become infinite
        return values.astype(np.float64).clip(-_FARTHEST, _FARTHEST)


def _middle(values: npt.NDArray[Any]) -> tuple[float, float]:
    """Give the 0.1th and the 99.9th percentile, each a value that is there."""
    low, high = np.percentile(values, PERCENTILES, method="nearest")
    return float(low), float(high)


def _span(
    middle: tuple[float, float], ends: tuple[float, float], data_range: tuple[float, float], about: str = ""
) -> dict[str, Any]:
    """Say that the values use little: all of them, or all but the few that lie far out, such as hot pixels.

    `about`: how well the percentiles are known.
    """
    which, (low, high) = "the values", ends
    if _share(ends, data_range) >= SMALL:
        which, (low, high) = f"all but {about}0.2 % of the values", middle
    share, (black, white) = _share((low, high), data_range), data_range
    if low > white or high < black:
        side = "above white" if low > white else "below black"
        return {
            "span": 0.0,
            "span_remark": (
                f"{which} lie {side} ({low:.6g} to {high:.6g}, black {black:.6g}, white {white:.6g}); state the range"
            ),
        }
    if share >= SMALL or low >= high:
        return {}  # of one value alone, no range shows more
    return {
        "span": share,
        "span_remark": (
            f"{which} span {100 * share:.2g} % of black to white ({low:.6g} to {high:.6g} in {black:.6g} to "
            f"{white:.6g}); state the range"
        ),
    }


def _share(ends: Sequence[float], data_range: tuple[float, float]) -> float:
    """Give the share of black to white that is used; what lies outside is shown as black or as white."""
    black, white = data_range
    low, high = np.clip(ends, black, white)
    return float((high - low) / (white - black))
