"""The diff-diff of every shift by whole pixels: how the judgement falls off around the best one.

A shift by whole pixels needs no warp: it is a slice. All shifts are judged on the same pixels of the fixed image, so
the difference before the shift is computed once, and a shift costs one difference, two counts and one clipped sum.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from ..arrays import as_array
from ..errors import InputError
from ..images import as_planes, range_for
from ..progress import Progress, Steps
from ..value_range import DataRange
from .images import Mask, Plane
from .lighting import comparable

Numbers = npt.NDArray[np.float64]

WHITE = 255
"""Brightest value of a byte."""

_TELL = 64
"""Shifts between two reports of progress: some milliseconds."""

_BAND = {"u": 1 << 17, "f": 1 << 15}
"""Pixels worked on at a time, by kind of number: what a core keeps in its own cache through all shifts."""


def judge_shifts(
    moving: npt.NDArray[Any],
    target: npt.NDArray[Any],
    origin: tuple[int, int],
    shifts: Sequence[tuple[int, int]],
    *,
    tol: float,
    soft: bool = True,
    usable: Mask | None = None,
    steps: Steps | None = None,
) -> Numbers:
    """Judge shifts ``(dy, dx)`` of an image by the pixels of a window of the fixed image.

    `moving` is so large that no shift leaves it; its pixel `origin` lies on the window's first one before any shift.
    Both are uint8 or float32 without NaN; `usable` are the pixels to judge by. A row for each shift: pixels better,
    pixels worse, sum of ``clip(dd / (2 tol), -1, 1)`` (NaN without `soft`, and for a tolerance of 0).
    """
    steps = steps or Steps()
    height, width = target.shape
    rows = max(1, _BAND[target.dtype.kind] // width)
    totals = np.zeros((len(shifts), 3))
    if not soft or tol == 0:
        totals[:, 2] = np.nan
    total = math.ceil(height / rows) * len(shifts)
    band_type = _BytesBand if target.dtype == np.uint8 else _FloatBand
    for start in range(0, height, rows):
        stop = min(start + rows, height)
        base = moving[origin[0] + start : origin[0] + stop, origin[1] : origin[1] + width]
        band = band_type(base, target[start:stop], tol, None if usable is None else usable[start:stop])
        for index, (dy, dx) in enumerate(shifts):
            top, left = origin[0] + start - dy, origin[1] - dx
            better, worse, total_soft = band.judge(moving[top : top + stop - start, left : left + width], soft=soft)
            totals[index] += better, worse, total_soft
            if index % _TELL == 0:
                steps.reach((start // rows * len(shifts) + index) / total)
    steps.reach(1.0)
    return totals


class _FloatBand:
    """Some rows of the window, against which shifted rows are held."""

    def __init__(self, base: Any, target: Any, tol: float, usable: Mask | None) -> None:
        import cv2

        self.cv2 = cv2
        self.target = np.ascontiguousarray(target)
        self.tol = tol
        self.keep = None if usable is None else usable.astype(target.dtype)
        self.difference = np.empty_like(self.target)
        self.spare = np.empty_like(self.target)
        self.chosen = np.empty(self.target.shape, np.uint8)
        self.base = self._against(base).copy()

    def judge(self, shifted: Any, *, soft: bool) -> tuple[float, float, float]:
        """Give pixels better, pixels worse and the clipped sum."""
        cv2 = self.cv2
        change = cv2.subtract(self.base, self._against(shifted), dst=self.difference)
        better = cv2.countNonZero(cv2.compare(change, self.tol, cv2.CMP_GT, dst=self.chosen))
        worse = cv2.countNonZero(cv2.compare(change, -self.tol, cv2.CMP_LT, dst=self.chosen))
        if not soft or self.tol == 0:
            return better, worse, 0.0
        limit = 2 * self.tol
        return better, worse, cv2.sumElems(np.clip(change, -limit, limit, out=self.spare))[0] / limit

    def _against(self, values: Any) -> Any:
        difference = self.cv2.absdiff(values, self.target, dst=self.difference)
        return difference if self.keep is None else self.cv2.multiply(difference, self.keep, dst=difference)


class _BytesBand(_FloatBand):
    """The same for bytes, with the saturating subtraction of processors: three passes for the two counts, exact.

    With ``b`` the difference before and ``d`` the one after the shift, a pixel is better where ``max(b - t - d, 0)`` is
    not 0, and worse where ``max(d - min(b + t, 255), 0)`` is not, ``t`` being the tolerance rounded down.
    """

    def __init__(self, base: Any, target: Any, tol: float, usable: Mask | None) -> None:
        super().__init__(base, target, tol, usable)
        self.limits = [self._moved(tol), self._moved(2 * tol)]
        self.part = 2 * tol - math.floor(2 * tol)
        self.base_sum = self.cv2.sumElems(self.base)[0]

    def judge(self, shifted: Any, *, soft: bool) -> tuple[float, float, float]:
        """Give pixels better, pixels worse and the clipped sum."""
        cv2 = self.cv2
        after = self._against(shifted)
        low, high = self.limits[0]
        better = cv2.countNonZero(cv2.subtract(low, after, dst=self.spare))
        worse = cv2.countNonZero(cv2.subtract(after, high, dst=self.spare))
        if not soft or self.tol == 0:
            return better, worse, 0.0
        low, high = self.limits[1]
        # The sum of all changes, less what lies beyond the limits; a whole limit cuts `part` too much from each pixel.
        total = self.base_sum - cv2.sumElems(after)[0]
        for sign, beyond in ((-1, cv2.subtract(low, after, dst=self.spare)), (1, None)):
            beyond = cv2.subtract(after, high, dst=self.spare) if beyond is None else beyond
            total += sign * cv2.sumElems(beyond)[0]
            if self.part:
                total -= sign * self.part * cv2.countNonZero(beyond)
        return better, worse, total / (2 * self.tol)

    def _moved(self, amount: float) -> tuple[Any, Any]:
        whole = min(math.floor(amount), WHITE)
        high = self.base.astype(np.int16) + whole
        return self.cv2.subtract(self.base, whole), np.minimum(high, WHITE).astype(np.uint8)


Counts = npt.NDArray[np.int64]

OBJECTIVES = ("gain", "soft", "ratio")
"""What a shift can be chosen by."""

SMALLEST_WINDOW = 8
"""Pixels to each side that a search must leave to judge by."""


@dataclass(frozen=True, eq=False)
class ShiftSurface:
    """What diff-diff says of every shift of the moving image by whole pixels, up to a radius.

    A shift ``(dy, dx)``, down and to the right, is at ``[dy + radius, dx + radius]``: pixels better and worse, and the
    mean of ``clip(dd / (2 tol), -1, 1)``. All shifts are judged by the same `n_valid` pixels.
    """

    better: Counts
    worse: Counts
    soft: Numbers
    radius: int
    tol: float
    n_valid: int

    @property
    def count(self) -> Counts:
        """Pixels changed by more than the tolerance."""
        return self.better + self.worse

    @property
    def gain(self) -> Numbers:
        """``(better - worse) / n_valid``, -1 .. 1."""
        gain: Numbers = (self.better - self.worse) / self.n_valid
        return gain

    @property
    def ratio(self) -> Numbers:
        """``better / (better + worse)``, 0 .. 1; NaN where nothing changed."""
        count = self.count
        ratio = np.full(count.shape, np.nan)
        np.divide(self.better, count, out=ratio, where=count > 0)
        return ratio

    @property
    def best(self) -> tuple[int, int]:
        """The shift ``(dy, dx)`` with the highest soft score; of equally good ones the smaller; see `best_by`."""
        return self.best_by("soft")

    def best_by(self, objective: str, *, among: Mask | None = None) -> tuple[int, int]:
        """Find the best shift by an objective, `among` those that may be chosen.

        Of equally good ones it is the smaller one, then the first in reading order; where the ratio is unknown for all,
        none.
        """
        values = np.array(getattr(self, check_objective(objective)), dtype=np.float64)
        if objective == "ratio":
            values[self.radius, self.radius] = 0.5  # changes nothing: neither better nor worse
        if among is not None:
            values[~among] = np.nan
        if np.isnan(values).all():
            return 0, 0
        steps = np.arange(-self.radius, self.radius + 1)
        distance = steps[:, np.newaxis] ** 2 + steps**2
        ties = np.flatnonzero(values == np.nanmax(values))
        row, column = divmod(int(ties[np.argmin(distance.flat[ties])]), values.shape[1])
        return row - self.radius, column - self.radius

    def at(self, dy: int, dx: int) -> dict[str, float]:
        """Give the numbers of one shift by their names."""
        place = dy + self.radius, dx + self.radius
        return {
            name: getattr(self, name)[place].item() for name in ("better", "worse", "count", "gain", "soft", "ratio")
        }


def score_surface(
    moving: Any,
    fixed: Any,
    *,
    radius: int = 15,
    tol: float | Literal["auto"] = "auto",
    illumination: str = "before",
    data_range: DataRange = None,
    channel_axis: int | None = None,
    progress: Progress | None = None,
) -> ShiftSurface:
    """Score every shift of the moving image by up to `radius` pixels, over the frame less that border.

    The notebook tried shifts down and to the right only, never none at all, and let what came in from outside the frame
    count. Here all directions are tried, and all are judged by the same pixels.
    """
    steps = Steps(progress)
    used = range_for(fixed, data_range, channel_axis=_own_axis(fixed, channel_axis), name="fixed image")
    first = _plane(moving, "moving image", used, channel_axis)
    second = _plane(fixed, "fixed image", used, channel_axis)
    first, second, used_tol = steps.wait(lambda: comparable(first, second, illumination, tol))
    return shift_scores(first, second, radius=radius, tol=used_tol, steps=steps)


def shift_scores(
    moving: Plane, fixed: Plane, *, radius: int, tol: float, soft: bool = True, steps: Steps | None = None
) -> ShiftSurface:
    """Judge every whole-pixel shift of one plane against another, NaN in holes; their top left corners coincide.

    All shifts are judged by the pixels at least `radius` from every side, and by those of them that are no hole under
    any shift: a shift that throws half of the image out gains nothing by it. Planes that hold whole numbers only (8-bit
    images) are worked on as bytes, which changes no number. Without `soft` the search takes half of the time.
    """
    shape = min(moving.shape[0], fixed.shape[0]), min(moving.shape[1], fixed.shape[1])
    check_radius(radius, shape)
    steps = steps or Steps()
    moving, fixed = moving[: shape[0], : shape[1]], fixed[: shape[0], : shape[1]]
    window = slice(radius, shape[0] - radius), slice(radius, shape[1] - radius)
    usable = steps.wait(lambda: _judged_by_all(moving, fixed, radius)[window])
    n_valid = int(usable.sum())
    if n_valid == 0:
        raise InputError(f"Holes in the images leave no pixel that all shifts up to {radius} px can be judged by.")
    first, second = steps.wait(lambda: _numbers(moving, fixed))
    shifts = [(dy, dx) for dy in range(-radius, radius + 1) for dx in range(-radius, radius + 1)]
    sums = judge_shifts(
        first,
        second[window],
        (radius, radius),
        shifts,
        tol=tol,
        soft=soft,
        usable=None if n_valid == usable.size else usable,
        steps=steps,
    )
    side = 2 * radius + 1
    better, worse = (sums[:, column].astype(np.int64).reshape(side, side) for column in (0, 1))
    mean_soft = sums[:, 2].reshape(side, side) / n_valid
    return ShiftSurface(better, worse, mean_soft, radius, tol, n_valid)


def _numbers(*planes: Plane) -> list[npt.NDArray[Any]]:
    """Give planes without their holes, as bytes if all of them hold whole numbers only."""
    filled = [np.nan_to_num(plane, nan=0.0) for plane in planes]
    dtype = np.uint8 if all(map(_holds_bytes, filled)) else np.float32
    return [plane.astype(dtype) for plane in filled]


def check_objective(objective: str) -> str:
    """Refuse an objective that there is not."""
    if objective not in OBJECTIVES:
        raise InputError(f"objective is {objective!r}; choose one of {', '.join(OBJECTIVES)}.")
    return objective


def check_radius(radius: int, shape: tuple[int, int]) -> None:
    """Refuse a radius that is none, or that leaves too little of the images."""
    if isinstance(radius, bool) or not isinstance(radius, int | np.integer) or radius < 0:
        raise InputError(f"radius is {radius!r}; give a whole number of pixels, 0 or more.")
    most = (min(shape) - SMALLEST_WINDOW) // 2
    if radius > most:
        advice = f"Give a radius of at most {most}." if most >= 0 else "Give larger images."
        raise InputError(
            f"A radius of {radius} pixels leaves {shape[0] - 2 * radius} x {shape[1] - 2 * radius} of "
            f"{shape[0]} x {shape[1]} pixels to judge by; {SMALLEST_WINDOW} x {SMALLEST_WINDOW} are the least. {advice}"
        )


def _plane(image: Any, name: str, data_range: DataRange, channel_axis: int | None) -> Plane:
    planes = as_planes(image, data_range=data_range, channel_axis=_own_axis(image, channel_axis), name=name)
    if len(planes.shape) > 2:
        raise InputError(f"The {name} is a stack (shape {planes.shape}); shifts are judged on one plane. Choose one.")
    return planes.read((), slice(None), slice(None))


def _own_axis(image: Any, channel_axis: int | None) -> int | None:
    return None if channel_axis is None or as_array(image, "image").ndim <= 2 else channel_axis


def _holds_bytes(plane: Plane) -> bool:
    """Tell whether all values are whole numbers from 0 to 255."""
    return bool(plane.min() >= 0 and plane.max() <= WHITE and np.array_equal(plane, plane.astype(np.uint8)))


def _judged_by_all(moving: Plane, fixed: Plane, radius: int) -> Mask:
    """Find the pixels that are a hole of neither image, whatever the shift."""
    holes = ~np.isfinite(moving)
    known: Mask = np.isfinite(fixed)
    if holes.any():
        import cv2

        side = 2 * radius + 1
        spread = cv2.dilate(holes.astype(np.uint8), np.ones((side, side), np.uint8))
        known &= spread == 0
    return known
