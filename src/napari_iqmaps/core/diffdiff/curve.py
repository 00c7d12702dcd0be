"""How a judgement depends on the tolerance, and how the differences of the differences are spread."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from ..errors import InputError
from ..maps import QualityMap
from .options import checked_tol
from .pictures import marks

NINE_TOLERANCES = tuple(range(10, 91, 10))
"""Grey levels; those of the original's ladder of nine pictures."""

_RUNGS = 9

FARTHEST = 255.0
"""Grey levels: ends of a histogram."""


@dataclass(frozen=True)
class TolerancePoint:
    """What a map says at one tolerance.

    Attributes
    ----------
    tol : float
        Grey levels of 255.
    score : float
        Share of the changed pixels that got better; NaN where none changed.
    better, worse, count : int
        Pixels of all planes and blocks.
    """

    tol: float
    score: float
    better: int
    worse: int
    count: int


def tolerance_curve(
    values: QualityMap | npt.NDArray[np.float32], tols: Sequence[float] = NINE_TOLERANCES, *, median: int = 0
) -> tuple[TolerancePoint, ...]:
    """Count a diff-diff map at several tolerances.

    Parameters
    ----------
    values : QualityMap or numpy.ndarray
        The map, or its values.
    tols : sequence of float
        Grey levels of 255.
    median : {0, 3, 5}
        Side of the window of a vote on the marked pixels; 0 takes none.

    Returns
    -------
    tuple of TolerancePoint
        In the order of `tols`. The counts are of all pixels, also of blocks that `diff_diff_score` leaves out.

    Raises
    ------
    InputError
        If an option cannot be used, or the map is of another kind.
    """
    array = _values(values)
    points = []
    for tol in tols:
        better, worse = (int(np.count_nonzero(mask)) for mask in marks(array, tol, median=median))
        count = better + worse
        points.append(TolerancePoint(float(tol), better / count if count else math.nan, better, worse, count))
    return tuple(points)


def histogram(
    values: QualityMap | npt.NDArray[np.float32], *, tol: float = 0.0, bins: int = 17
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.int64]]:
    """Count the differences of a diff-diff map by size.

    Parameters
    ----------
    values : QualityMap or numpy.ndarray
        The map, or its values.
    tol : float
        Grey levels; differences up to this size are left out, and so is 0.
    bins : int
        How many; of equal width.

    Returns
    -------
    edges : numpy.ndarray
        float64, ``bins + 1``, from -255 to 255 grey levels. What lies beyond is in the outer bins.
    counts : numpy.ndarray
        int64, ``bins``.

    Raises
    ------
    InputError
        If an option cannot be used, or the map is of another kind.
    """
    tol = checked_tol(tol)
    if isinstance(bins, bool) or not isinstance(bins, int | np.integer) or bins < 1:
        raise InputError(f"bins is {bins!r}; give a whole number of at least 1.")
    array = _values(values)
    changed = array[np.abs(array) > np.float32(tol)]
    counts, edges = np.histogram(changed.clip(-FARTHEST, FARTHEST), bins=int(bins), range=(-FARTHEST, FARTHEST))
    return edges, counts


def _values(values: Any) -> npt.NDArray[np.float32]:
    if not isinstance(values, QualityMap):
        return np.asarray(values, np.float32)
    if values.kind != "diff_diff":
        raise InputError(f"The map is of the kind {values.kind!r}; give one of the kind 'diff_diff'.")
    return np.asarray(values.values, np.float32)


def ladder_tolerances(values: npt.NDArray[np.floating[Any]]) -> tuple[float, ...]:
    """Choose tolerances in even steps up to the largest changes of a map.

    Parameters
    ----------
    values : numpy.ndarray
        The map, grey levels; NaN where there is no answer.

    Returns
    -------
    tuple of float
        Nine, such as 10, 20 .. 90, the steps of 1, 2 or 5 times a power of ten.
    """
    finite = np.abs(values[np.isfinite(values)])
    reach = max(float(np.percentile(finite, 99.5)) if finite.size else 0.0, 1.0)
    step = reach / (_RUNGS + 1)
    power = 10.0 ** np.floor(np.log10(step))
    nice = next((power * size for size in (1.0, 2.0, 5.0) if power * size >= step), power * 10)
    return tuple(float(nice * number) for number in range(1, _RUNGS + 1))
