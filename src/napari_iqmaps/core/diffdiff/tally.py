"""Counting: which pixels of a diff-diff changed by more than the tolerance, and which way."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ..opencv import opencv, scalar
from .images import TILE, Box

Plane = npt.NDArray[np.float32]
Mask = npt.NDArray[np.bool_]

SMALLEST_TOLERANCE = 1e-6
"""Grey levels; a tolerance of 0 would leave the soft sum without a scale."""


@dataclass(frozen=True)
class Tally:
    """What was counted over some pixels: better, worse, sums of weights, of these too, and the soft sum.

    Without weights each pixel weighs 1; `soft` is the sum of weight times ``clip(dd / (2 tol), -1, 1)``.
    """

    better: int = 0
    worse: int = 0
    weight: float = 0.0
    weight_better: float = 0.0
    weight_worse: float = 0.0
    soft: float = 0.0

    def __add__(self, other: Tally) -> Tally:
        return Tally(
            self.better + other.better,
            self.worse + other.worse,
            self.weight + other.weight,
            self.weight_better + other.weight_better,
            self.weight_worse + other.weight_worse,
            self.soft + other.soft,
        )

    @property
    def count(self) -> int:
        """Pixels that changed."""
        return self.better + self.worse

    @property
    def score(self) -> float:
        """Share of the changed weight that got better; NaN without any."""
        changed = self.weight_better + self.weight_worse
        return self.weight_better / changed if changed else math.nan


def tallied(
    values: Plane, tol: float, n_valid: int, weight: Plane | None = None, voted: tuple[Mask, Mask] | None = None
) -> Tally:
    """Count over an array, NaN where there is no value; `voted` masks replace the tolerance's own."""
    cv2 = opencv()
    # The notebook's dd_score counts dd > tol and dd < -tol; what is just at the tolerance counts for neither.
    limit = np.float32(tol)
    better, worse = voted or (values > limit, values < -limit)
    scale = np.float32(max(2 * tol, 2 * SMALLEST_TOLERANCE))
    clipped = cv2.min(values, scalar(float(scale), values))
    cv2.max(clipped, scalar(-float(scale), values), dst=clipped)
    if n_valid < values.size:
        clipped[np.isnan(values)] = 0
    numbers = int(np.count_nonzero(better)), int(np.count_nonzero(worse))
    if weight is None:
        return Tally(*numbers, n_valid, *numbers, float(cv2.sumElems(clipped)[0]) / float(scale))
    weight = np.ascontiguousarray(weight)
    return Tally(
        *numbers,
        float(weight.sum(where=np.isfinite(values), dtype=np.float64)),
        float(weight.sum(where=better, dtype=np.float64)),
        float(weight.sum(where=worse, dtype=np.float64)),
        float(cv2.sumElems(cv2.multiply(clipped, weight))[0]) / float(scale),
    )


def tallied_in(
    values: Plane, box: Box, tol: float, n_valid: int, weight: Plane | None, voted: tuple[Mask, Mask] | None
) -> Tally:
    """Count over a box of a plane, as `tallied` does, in parts that the processor's cache holds."""
    total = Tally()
    whole = box.shape[0] * box.shape[1]
    for tile in box.tiles(TILE // 2):
        part = values[tile.place]
        number = part.size if n_valid == whole else int(np.count_nonzero(np.isfinite(part)))
        total += tallied(
            part,
            tol,
            number,
            None if weight is None else weight[tile.place],
            None if voted is None else (voted[0][tile.place], voted[1][tile.place]),
        )
    return total


def voted_masks(values: Plane, tol: float, median: int) -> tuple[Mask, Mask]:
    """Mark what got better and what got worse, by a vote of the pixels around each unless `median` is 0.

    A pixel is marked if more than half of its window is; beyond the border the nearest pixels are repeated.
    """
    limit = np.float32(tol)
    masks: tuple[Mask, Mask] = (values > limit, values < -limit)
    if not median:
        return masks
    cv2 = opencv()
    valid = np.isfinite(values)
    better, worse = (
        # The median of zeros and ones in an odd window is what most of them are.
        cv2.medianBlur(np.ascontiguousarray(mask).view(np.uint8), median).astype(bool) & valid
        for mask in masks
    )
    return better, worse
