"""The statistics of the notebook that diff-diff comes from, as it computed them, for comparison with its tables."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from ..errors import InputError

Floats = npt.NDArray[np.float64]

_SENTINEL = -1.0  # which no score ever has
_HALF = 0.5
_FEW = 50


class GlobalStatistics(NamedTuple):
    """What the notebook's ``score_pp`` gives; in its order."""

    mean_count: float
    frac_unscored: float
    changed_score_mean: float
    changed_score_std: float
    score_mean: float
    score_std: float


class BlockStatistics(NamedTuple):
    """What the notebook's ``score_pp_sb`` gives; in its order."""

    mean_count: float
    frac_unscored: float
    changed_score_mean: float
    changed_score_std: float
    score_mean: float
    score_std: float
    num_better: int
    num_worse: int
    num_unscored: int
    mean_better: float
    std_better: float
    mean_worse: float
    std_worse: float


@dataclass(frozen=True)
class Extremes:
    """Which pairs, by their places in the list, the notebook calls best and worst; -1, and 0 and 1, if none."""

    best: int
    best_score: float
    worst: int
    worst_score: float


def global_statistics(scores: Sequence[float], counts: Sequence[int]) -> GlobalStatistics:
    """Sum up scores over whole images as the notebook does; .5 and a count of 0 are a pair that was not scored.

    "changed" leaves out a sentinel that no score ever has, so that it holds all pairs, unscored ones as 0.5. The last
    two numbers take scores of under 50 changed pixels for 0.5. Standard deviations divide by the number of pairs.
    """
    values, changed = _checked(scores, counts)
    kept = values[values != _SENTINEL]
    dimmed = np.where((values == _SENTINEL) | (changed < _FEW), _HALF, values)
    return GlobalStatistics(
        float(changed.mean()), float((changed == 0).mean()), *_mean_and_std(kept), *_mean_and_std(dimmed)
    )


def block_statistics(scores: Sequence[float], counts: Sequence[int]) -> BlockStatistics:
    """Sum up block scores as the notebook does; NaN for the mean of no pair.

    A score of exactly 0.5 counts as unscored, even where as many pixels got better as worse. The comparison of this
    package tells the two apart: see `outcome.CATEGORIES`.
    """
    values, changed = _checked(scores, counts)
    better, worse = values[values > _HALF], values[values < _HALF]
    return BlockStatistics(
        float(changed.mean()), float((changed == 0).mean()),
        *_mean_and_std(values[values != _HALF]), *_mean_and_std(values),
        len(better), len(worse), int((values == _HALF).sum()),
        *_mean_and_std(better), *_mean_and_std(worse),
    )  # fmt: skip


def extremes(scores: Sequence[float], counts: Sequence[int]) -> Extremes:
    """Find the best and the worst pair as the notebook does: the first of equal ones, of more than one pixel.

    A best pair has a score above 0, a worst one below 1.
    """
    values, changed = _checked(scores, counts)
    counted = changed > 1
    high = np.where(counted & (values > 0), values, -math.inf)
    low = np.where(counted & (values < 1), values, math.inf)
    best, worst = int(high.argmax()), int(low.argmin())
    has_best, has_worst = math.isfinite(high[best]), math.isfinite(low[worst])
    return Extremes(
        best if has_best else -1, float(high[best]) if has_best else 0.0,
        worst if has_worst else -1, float(low[worst]) if has_worst else 1.0,
    )  # fmt: skip


def _checked(scores: Sequence[float], counts: Sequence[int]) -> tuple[Floats, Floats]:
    values, changed = np.array(scores, np.float64), np.array(counts, np.float64)
    if values.shape != changed.shape or values.ndim != 1 or not len(values):
        raise InputError(f"There are {values.size} scores and {changed.size} counts; give one of each for every pair.")
    return values, changed


def _mean_and_std(values: Floats) -> tuple[float, float]:
    return (float(values.mean()), float(values.std())) if len(values) else (math.nan, math.nan)
