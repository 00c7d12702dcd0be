"""A statistic with its interval: the bootstrap, which draws whole clusters, since what is in one hangs together.

The intervals are percentiles of the statistic in draws with replacement [1]_, of clusters (photographs, scenes, pairs)
as wholes and of nothing within them [2]_.

References
----------
.. [1] B. Efron, R. J. Tibshirani, "An Introduction to the Bootstrap", Chapman & Hall, 1993, section 13.3.
.. [2] A. C. Davison, D. V. Hinkley, "Bootstrap Methods and their Application", Cambridge University Press, 1997,
   section 3.8.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Counts = npt.NDArray[np.int64]

PERCENTS = (2.5, 97.5)
"""Ends of an interval that holds 95 % of the draws."""

_CELLS = 2_000_000  # of draws times what they weigh that are held at one time


@dataclass(frozen=True)
class Figure:
    """A statistic with its 95 % interval.

    `value`, `low`, `high`: NaN where there is none. `reason`: why there is none; empty where there is.
    """

    value: float
    low: float = math.nan
    high: float = math.nan
    reason: str = ""

    @classmethod
    def bootstrapped(cls, value: float, drawn: npt.ArrayLike, *, otherwise: str) -> Figure:
        """Make the figure of a statistic and its values in all draws; `otherwise` is why most of them are NaN."""
        values = np.asarray(drawn, dtype=float)
        if np.isfinite(values).sum() < len(values) / 2:
            return cls(value, reason=otherwise)
        return cls(value, *interval(values))

    def __str__(self) -> str:
        if math.isnan(self.value):
            return f"- ({self.reason})" if self.reason else "-"
        if math.isnan(self.low):
            return f"{self.value:.3f}"
        return f"{self.value:.3f} ({self.low:.3f}, {self.high:.3f})"


def interval(drawn: npt.ArrayLike) -> tuple[float, float]:
    """Give the 95 % percentile interval of a statistic's values in all draws; those that are not finite say nothing."""
    values = np.asarray(drawn, dtype=float)
    low, high = np.percentile(values[np.isfinite(values)], PERCENTS)
    return float(low), float(high)


def draws(clusters: int, count: int, seed: int | Sequence[int] = 0, *, width: int | None = None) -> Iterator[Counts]:
    """Draw as many clusters as there are, with replacement, `count` times; give how often each draw took each cluster.

    Yields ``(draws, clusters)``: some of the draws, few enough to multiply them with `width` numbers each.
    """
    rng = np.random.default_rng(seed)
    at_once = max(1, _CELLS // max(width or clusters, 1))
    for begun in range(0, count, at_once):
        some = min(at_once, count - begun)
        taken = rng.integers(clusters, size=(some, clusters)) + clusters * np.arange(some)[:, np.newaxis]
        yield np.bincount(taken.ravel(), minlength=some * clusters).reshape(some, clusters)


class Clusters:
    """Which cluster each row of a table is in.

    `codes`: the number of each row's cluster, ``(rows,)``; clusters are numbered in the order of their names. `count`:
    how many clusters there are.
    """

    def __init__(self, names: npt.ArrayLike) -> None:
        known, self.codes = np.unique(np.asarray(names), return_inverse=True)
        self.count = len(known)

    def rows(self, taken: Counts) -> npt.NDArray[np.intp]:
        """Give the rows of one draw, each as often as its cluster was taken; `taken` is a line of `draws`."""
        return np.repeat(np.arange(len(self.codes)), taken[self.codes])
