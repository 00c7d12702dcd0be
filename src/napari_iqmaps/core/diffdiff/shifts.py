"""Diff-diff of every whole-pixel shift at once: the kernel of the exhaustive search and of the score surface.

A whole-pixel shift needs no warp: it is a slice. All shifts are judged on the same pixels of the fixed image, so the
difference before the shift is computed once, and a shift costs one difference, two counts and one clipped sum.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from ..progress import Progress

Plane = npt.NDArray[np.float32]
Numbers = npt.NDArray[np.float64]
Mask = npt.NDArray[np.bool_]

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
    progress: Progress | None = None,
) -> Numbers:
    """Judge given shifts of an image by the pixels of a window of the fixed image.

    Parameters
    ----------
    moving : numpy.ndarray
        uint8 or float32, no NaN; large enough that no shift leaves it.
    target : numpy.ndarray
        The window of the fixed image, the same dtype, no NaN.
    origin : (int, int)
        Row and column of the moving image that lie on the window's first pixel before any shift.
    shifts : sequence of (int, int)
        ``(dy, dx)`` in pixels, down and to the right.
    tol : float
        Tolerance, 0 or more.
    usable : numpy.ndarray, optional
        bool, the window's shape: pixels to judge by.

    Returns
    -------
    numpy.ndarray
        float64, shape ``(len(shifts), 3)``: pixels better, pixels worse, sum of ``clip(dd / (2 tol), -1, 1)`` (NaN
        without `soft`, and for a tolerance of 0).
    """
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
            if progress is not None and index % _TELL == 0:
                progress(start // rows * len(shifts) + index, total)
    if progress is not None:
        progress(total, total)
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
