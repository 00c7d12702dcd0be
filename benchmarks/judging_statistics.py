"""How well numbers tell true cases from false ones; nothing is printed here."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from scipy.stats import rankdata

from napari_iqmaps.core.bootstrap import Clusters, draws

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
    # The rank sum of the true cases less the least that it can be: the statistic of Mann and Whitney.
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
    place = {name: number for number, name in enumerate(dict.fromkeys(names))}
    scenes = Clusters([place[name] for name in names])
    return [scenes.rows(taken) for some in draws(scenes.count, count, [seed, 9]) for taken in some]
