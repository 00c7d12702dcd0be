"""One plane of an image that a change is put into, as far as its values leave room and its dtype can store it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import numpy.typing as npt

from .display import WHITE

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

    Parameters
    ----------
    pixels : numpy.ndarray
        ``(height, width)``, or ``(height, width, channels)`` with `has_channels`; masked, NaN and infinite pixels are
        holes.
    has_channels : bool
        Whether the last axis holds channels: 1, 3, or 4 with an alpha that is kept.
    data_range : (float, float)
        The values of black and white.
    rounding : {"dither", "nearest"}
        How a change becomes whole code values where `pixels` are integers.
    tick : callable, optional
        Called every few hundredths of a second while the carrier works; may raise.

    Attributes
    ----------
    code : float
        Code values of the image in one luminance code value (of 255).
    room : tuple of numpy.ndarray
        How far each pixel can be lowered and raised, in code values of the image, without any colour channel leaving
        the range; 0 in holes and where the pixel lies outside the range already.
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
        self._range = data_range
        self._is_whole = pixels.dtype.kind in "ui"
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
        """Add a change to the plane.

        Parameters
        ----------
        change : numpy.ndarray
            float32, ``(height, width)``, luminance code values.

        Returns
        -------
        marked : numpy.ndarray
            The plane with the change, in its own dtype (and mask), a copy.
        mark : numpy.ndarray
            The difference, in code values of the image: signed whole numbers for an integer image.
        """
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
