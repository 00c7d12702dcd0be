"""One plane of an image that a change is put into, as far as its values leave room and its dtype can store it."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from . import observers
from .display import WHITE
from .tiling import reflected

Plane = npt.NDArray[np.float32]
Tick = Callable[[], object]

STRIP_PIXELS = 2**20
"""Pixels that are worked on at once: bounds the memory, and the time between two ticks."""

_SNAP = 1e-3
# Steps of the R2 sequence (M. Roberts, 2018): its values spread evenly over any small neighbourhood, so that what
# rounding adds lies at high spatial frequencies.
_R2 = (0.7548776662466927, 0.5698402909980532)


def _nothing() -> None:
    """Be the tick of those who need none."""


class Carrier:
    """One plane of an image, with the room that its values leave for a change.

    Pixels are ``(height, width)`` or ``(height, width, channels)``: 1, 3, or 4 with an alpha that is kept; masked, NaN
    and infinite ones are holes. `code` is how many code values of the image one luminance code value (of 255) is.
    `room` says how far each pixel can be lowered and raised, in code values of the image, without any colour channel
    leaving the range; 0 in holes and where the pixel lies outside the range already. `tick` is called every few
    hundredths of a second and may raise.
    """

    def __init__(
        self,
        pixels: npt.NDArray[Any],
        has_channels: bool,
        data_range: tuple[float, float],
        rounding: str,
        tick: Tick = _nothing,
    ) -> None:
        self.pixels = pixels
        self.tick = tick
        low, high = data_range
        self.code = (high - low) / WHITE
        self._is_whole = pixels.dtype.kind in "ui"
        # A stated white may lie above the largest number that the image can store.
        stored = np.iinfo(pixels.dtype) if self._is_whole else np.finfo(pixels.dtype)
        self._range = max(low, float(stored.min)), min(high, float(stored.max))
        self._has_channels = has_channels
        self._dithers = rounding == "dither"
        self._colours = min(3, pixels.shape[-1]) if has_channels else 1
        self._shape: tuple[int, ...] = pixels.shape[:2]
        self.room = (np.empty(self._shape), np.empty(self._shape))
        for rows in self._strips():
            self.room[0][rows], self.room[1][rows] = self._room_of(rows)

    def fitted(self, change: Plane) -> Plane:
        """Limit a change (luminance code values) to the room there is; nothing is rounded."""
        fitted = np.empty(self._shape, np.float32)
        for rows in self._strips():
            fitted[rows] = self._limited(change[rows].astype(np.float64) * self.code, rows) / self.code
        return fitted

    def stored(self, change: Plane) -> Plane:
        """Give what remains of a change (luminance code values) when the image stores it."""
        stored = np.empty(self._shape, np.float32)
        for rows in self._strips():
            stored[rows] = self._whole(change[rows], rows) / self.code
        return stored

    def put(self, change: Plane) -> tuple[npt.NDArray[Any], npt.NDArray[Any]]:
        """Add a change (luminance code values) to a copy of the plane; give it and the difference in its own code."""
        marked = self.pixels.copy()
        mark = np.zeros(self._shape, mark_dtype(marked.dtype))
        for rows in self._strips():
            step = self._whole(change[rows], rows)
            touched = step != 0
            target = self._colours_of(marked, rows)
            before = target[touched].astype(np.float64)
            after = before + step[touched][:, np.newaxis]
            target[touched] = (after if self._is_whole else np.clip(after, *self._range)).astype(marked.dtype)
            mark[rows][touched] = (target[touched].astype(np.float64) - before).mean(axis=-1)
        return marked, mark

    def _strips(self) -> Iterator[slice]:
        height = max(1, STRIP_PIXELS // self._shape[1])
        for top in range(0, self._shape[0], height):
            self.tick()
            yield slice(top, top + height)

    def _colours_of(self, pixels: npt.NDArray[Any], rows: slice) -> npt.NDArray[Any]:
        """Give a view of the values of some rows, without mask and alpha, as ``(rows, width, colours)``."""
        values: npt.NDArray[Any] = np.ma.getdata(pixels)[rows]
        return values[..., : self._colours] if self._has_channels else values[..., np.newaxis]

    def _room_of(self, rows: slice) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
        low, high = self._range
        values = self._colours_of(self.pixels, rows)
        if self._is_whole:
            closed = np.zeros(values.shape[:2], bool)
        else:
            closed = ~np.isfinite(values).all(axis=-1)
            values = np.where(closed[..., np.newaxis], low, values)
        if isinstance(self.pixels, np.ma.MaskedArray):
            mask = np.ma.getmaskarray(self.pixels)[rows]
            closed = closed | (mask[..., : self._colours].any(axis=-1) if self._has_channels else mask)
        below, above = values.min(axis=-1).astype(np.float64) - low, high - values.max(axis=-1).astype(np.float64)
        if self._is_whole:
            below, above = np.floor(below), np.floor(above)
        closed = closed | (below < 0) | (above < 0)
        return np.where(closed, 0, below), np.where(closed, 0, above)

    def _whole(self, change: Plane, rows: slice) -> npt.NDArray[np.float64]:
        wanted = change.astype(np.float64) * self.code
        if self._is_whole:
            size = np.abs(wanted)
            nearest = np.rint(size)
            # What was a whole number before it was scaled and scaled back is one still.
            size = np.where(np.abs(size - nearest) < _SNAP, nearest, size)
            wanted = np.copysign(np.floor(size + self._carry(rows)), wanted)
        return self._limited(wanted, rows)

    def _carry(self, rows: slice) -> Any:
        if not self._dithers:
            return 0.5
        down, across = np.ogrid[rows.start : min(rows.stop, self._shape[0]), : self._shape[1]]
        return np.mod(down * _R2[0] + across * _R2[1], 1.0)

    def _limited(self, wanted: npt.NDArray[np.float64], rows: slice) -> npt.NDArray[np.float64]:
        below, above = self.room
        return np.clip(wanted, -below[rows], above[rows])


def mark_dtype(dtype: np.dtype[Any]) -> np.dtype[Any]:
    """Give the type that holds every difference of two images of a type: signed, and wider for integers."""
    if dtype.kind not in "ui":
        return dtype
    return np.dtype(f"i{min(8, 2 * dtype.itemsize)}")


Seen = Callable[[npt.NDArray[Any]], Plane]

ROUNDS = 5
"""How often the visibility of the result is looked at before the mark is removed where it is still too visible."""

_REMOVALS = 3
_STEPS = 12
_MARGIN = np.float32(0.98)
_SMOOTHING = 8


@dataclass(frozen=True)
class Pooling:
    """How visibility sums a difference up around a pixel; see `napari_iqmaps.core.observers.local_difference`."""

    window: int
    gains: tuple[float, ...]
    pixels_per_degree: float

    @property
    def reach(self) -> int:
        """Pixels to each side that a pooled difference depends on."""
        return self.window // 2 + observers.difference_reach(self.pixels_per_degree)

    def __call__(self, change: Plane, tick: Tick = _nothing) -> Plane:
        """Pool a change of luminance."""
        unchanged = np.zeros_like(change)
        return observers.local_difference(change, unchanged, self.window, self.gains, self.pixels_per_degree, tick)


def level_of(strength: float) -> np.float32:
    """Give the visibility that a strength allows, ``1 - exp(-strength)``, as the float32 that is not above it."""
    level = -math.expm1(-strength)
    rounded = np.float32(level)
    return rounded if float(rounded) <= level else np.nextafter(rounded, np.float32(0))


@dataclass(frozen=True, eq=False)
class Embedded:
    """A mark in one plane.

    `amounts` are sums of the amplitude in luminance code values: ``wanted``, what ``fits`` the ends of the range, what
    the guard left (``guarded``) and what is ``kept`` after rounding.
    """

    marked: npt.NDArray[Any]
    mark: npt.NDArray[Any]
    amounts: dict[str, float]
    rounds: int


def embed(
    carrier: Carrier,
    wanted: Plane,
    thresholds: Plane,
    *,
    strength: float,
    pooling: Pooling,
    seen: Seen,
    tick: Tick,
) -> Embedded:
    """Put a mark into a plane so that its visibility stays under ``1 - exp(-strength)`` at every pixel.

    `wanted` is the change in luminance code values before anything limits it, `thresholds` are those of the clean plane
    (NaN in holes), and `seen` maps the visibility of a marked plane. Between two looks at the real visibility, the gain
    is settled on the pooled difference alone, which needs no network: the thresholds of the marked plane change little,
    and each look corrects them. Where no gain is found in `ROUNDS` rounds, the mark is removed.
    """
    level = level_of(strength)
    thresholds = np.where(np.isfinite(thresholds), thresholds, np.float32(np.inf))
    gain = np.ones(wanted.shape, np.float32)
    for rounds in range(1, ROUNDS + _REMOVALS + 1):
        if rounds <= ROUNDS:
            gain = _settled(carrier, wanted, gain, strength * thresholds, pooling, tick)
        marked, mark = carrier.put(wanted * gain)
        visibility = seen(marked)
        too_much = visibility > level  # False in holes
        if not too_much.any():
            break
        if rounds < ROUNDS:
            thresholds = _corrected(thresholds, visibility, carrier.stored(wanted * gain), pooling, tick)
        else:
            around = partial(ndimage.maximum_filter, size=2 * pooling.reach + 1), pooling.reach
            gain = np.where(_in_strips(around, too_much, tick), np.float32(0), gain)
    else:
        gain = np.zeros_like(gain)
        marked, mark = carrier.put(gain)
        rounds += 1
        seen(marked)
    amounts = {
        "wanted": _amount(wanted),
        "fits": _amount(carrier.fitted(wanted)),
        "guarded": _amount(carrier.fitted(wanted * gain)),
        "kept": _amount(carrier.stored(wanted * gain)),
    }
    return Embedded(marked, mark, amounts, rounds)


def _settled(carrier: Carrier, wanted: Plane, gain: Plane, limit: Plane, pooling: Pooling, tick: Tick) -> Plane:
    """Lower the gain, smoothly and only around where it is needed, until the pooled difference is below a limit."""
    limit = np.maximum(limit, np.finfo(np.float32).tiny)  # the faintest strengths are none in float32
    for _ in range(_STEPS):
        with np.errstate(over="ignore"):
            excess = _pooled(carrier.stored(wanted * gain), pooling, tick) / limit
        if not (excess > 1).any():
            break
        gain = gain * _in_strips(_envelope(pooling.reach), excess, tick)
    return gain


def _envelope(reach: int) -> tuple[Callable[[Plane], Plane], int]:
    """Give the operation that turns an excess into a factor which suffices for every window it reaches."""
    smoothing = 2 * _SMOOTHING + 1

    def factor(excess: Plane) -> Plane:
        # The mean over a neighbourhood of what suffices in all of a wider one suffices as well.
        worst = ndimage.maximum_filter(excess, 2 * (reach + _SMOOTHING) + 1)
        enough = np.where(worst > 1, _MARGIN / np.maximum(worst, 1), np.float32(1))
        smooth: Plane = np.clip(ndimage.uniform_filter(enough, smoothing), 0, 1)
        return smooth

    return factor, reach + 2 * _SMOOTHING


def _corrected(thresholds: Plane, visibility: Plane, change: Plane, pooling: Pooling, tick: Tick) -> Plane:
    """Take the thresholds from what is really seen of a change, where there is one."""
    # q = 1 - exp(-d / T), solved for the threshold: T = d / -log(1 - q).
    pooled = _pooled(change, pooling, tick)
    with np.errstate(divide="ignore", invalid="ignore"):
        real = pooled / -np.log1p(-visibility)
    usable = np.isfinite(real) & (real > 0)
    corrected: Plane = np.where(usable, real, thresholds).astype(np.float32)
    return corrected


def _pooled(change: Plane, pooling: Pooling, tick: Tick) -> Plane:
    pooled: Plane = _in_strips((partial(pooling, tick=tick), pooling.reach), change, tick)
    return pooled


def _in_strips(operation: tuple[Callable[[Any], Any], int], plane: Any, tick: Tick) -> Any:
    """Apply a local operation a strip at a time, with the border reflected as tiles have it."""
    function, reach = operation
    height, width = plane.shape
    rows = max(1, STRIP_PIXELS // (width + 2 * reach))
    columns = reflected(np.arange(-reach, width + reach), width)
    result = np.empty_like(plane)
    for top in range(0, height, rows):
        tick()
        bottom = min(top + rows, height)
        window = plane[np.ix_(reflected(np.arange(top - reach, bottom + reach), height), columns)]
        result[top:bottom] = function(window)[reach : reach + bottom - top, reach : reach + width]
    return result


def _amount(change: Plane) -> float:
    return float(np.abs(change).sum(dtype=np.float64))
