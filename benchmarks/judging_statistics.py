"""How well numbers tell true cases from false ones, and how sure that is; nothing is printed here."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence

import numpy as np
import numpy.typing as npt
from scipy.stats import rankdata

Array = npt.NDArray[np.float64]
Mask = npt.NDArray[np.bool_]
Indices = npt.NDArray[np.intp]


def auc(said: Array, truth: Mask) -> float:
    """Give the probability that more is said of a true case than of a false one; ties count half, NaN is taken as 0."""
    positive = int(truth.sum())
    negative = truth.size - positive
    if not positive or not negative:
        return float("nan")
    ranks = rankdata(np.nan_to_num(said))
    return float((ranks[truth].sum() - positive * (positive + 1) / 2) / (positive * negative))


def found(said: Array, truth: Mask, false_alarms: float) -> float:
    """Give the share of true cases of which more is said than of all but a share of the false ones."""
    said = np.nan_to_num(said)
    return float((said[truth] > np.quantile(said[~truth], 1 - false_alarms)).mean())


def right(said: Array, truth: Mask) -> float:
    """Give the share of cases whose sign is right; 0 is wrong for either."""
    return float(((said > 0) & truth | (said < 0) & ~truth).mean())


def scene_draws(names: Sequence[str], count: int, seed: int) -> list[Indices]:
    """Draw scenes with replacement, ``count`` times; give the indices of their cases."""
    rng = np.random.default_rng([seed, 9])
    places = defaultdict(list)
    for index, name in enumerate(names):
        places[name].append(index)
    groups = [np.array(indices) for indices in places.values()]
    return [np.concatenate([groups[i] for i in rng.integers(0, len(groups), len(groups))]) for _ in range(count)]


def interval(values: Iterable[float]) -> tuple[float, float]:
    """Give the 95 % interval of bootstrapped figures."""
    low, high = np.nanquantile(list(values), [0.025, 0.975])
    return float(low), float(high)
