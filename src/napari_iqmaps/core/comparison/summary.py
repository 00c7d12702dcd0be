"""What a comparison says of each method: how many pairs got better, by how much, and which could not be judged."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from ..bootstrap import Figure
from .outcome import Outcome
from .statistics import MEASURES, mean_figure


@dataclass(frozen=True)
class Summary:
    """A method on all pairs.

    Attributes
    ----------
    scoring, method : str
        On what it was judged, and which.
    pairs : int
        How many there are.
    better, worse, tie, unscored, refused, failed : int
        Pairs of each of `napari_iqmaps.core.comparison.outcome.CATEGORIES`.
    clearly_better, clearly_worse : int
        Pairs whose verdict says so, which asks for more evidence; see `napari_iqmaps.DiffDiffScore`.
    mean_better, std_better, mean_worse, std_worse : float
        Score of the better and of the worse pairs, and its standard deviation (of these pairs: divided by their
        number); NaN where there is none.
    soft, soft_or_unchanged, local_ncc_gain : Figure
        Means over the pairs that were judged (the second with 0 for those refused), with 95 % intervals.
    """

    scoring: str
    method: str
    pairs: int
    better: int
    worse: int
    tie: int
    unscored: int
    refused: int
    failed: int
    clearly_better: int
    clearly_worse: int
    mean_better: float
    std_better: float
    mean_worse: float
    std_worse: float
    soft: Figure
    soft_or_unchanged: Figure
    local_ncc_gain: Figure


@dataclass(frozen=True)
class Choice:
    """The best method for one pair.

    Attributes
    ----------
    scoring : str
        On what the methods were judged.
    moving, fixed : str
        The pair.
    method : str
        The method whose outcome got better by most; ``""`` if none got better, and the image is best left as it is.
    score, soft : float
        Of that method; NaN and 0 if there is none.
    """

    scoring: str
    moving: str
    fixed: str
    method: str
    score: float
    soft: float


@dataclass(frozen=True)
class Order:
    """The methods in the order that one scoring gives them.

    Attributes
    ----------
    scoring : str
        On what they were judged.
    methods : tuple of str
        Best first, by ``soft_or_unchanged``.
    agreement : float
        Kendall's tau with the order of the first scoring: 1 the same, -1 reversed; NaN with one method.
    sees_method : tuple of str
        Methods that registered the very images on which they are judged here, which favours them.
    """

    scoring: str
    methods: tuple[str, ...]
    agreement: float
    sees_method: tuple[str, ...]


def summaries(outcomes: Sequence[Outcome], *, seed: int = 0) -> list[Summary]:
    """Sum up every method.

    Parameters
    ----------
    outcomes : sequence of Outcome
        Of all methods and scorings.
    seed : int
        Of the intervals' draws.

    Returns
    -------
    list of Summary
        By scoring and method, each in the order in which they came.
    """
    groups: dict[tuple[str, str], list[Outcome]] = {}
    for outcome in outcomes:
        groups.setdefault((outcome.scoring, outcome.method), []).append(outcome)
    scorings = dict.fromkeys(scoring for scoring, _ in groups)
    return [_summed(group, seed) for scoring in scorings for (own, _), group in groups.items() if own == scoring]


def best_of_methods(outcomes: Sequence[Outcome]) -> list[Choice]:
    """Choose for every pair the method that made it better by most.

    Parameters
    ----------
    outcomes : sequence of Outcome
        Of all methods and scorings.

    Returns
    -------
    list of Choice
        By scoring and pair; pairs on which every method failed are left out.

    Notes
    -----
    Chosen by the soft sum among the methods that were scored better, not by the score: the share of better pixels is
    highest where few changed. The numbers of the chosen are those by which they were chosen, and so are too good.
    """
    groups: dict[tuple[str, tuple[str, str]], list[Outcome]] = {}
    for outcome in outcomes:
        groups.setdefault((outcome.scoring, outcome.pair), []).append(outcome)
    choices = []
    for (scoring, pair), group in groups.items():
        if all(one.category == "failed" for one in group):
            continue
        better = [one for one in group if one.category == "better" and one.soft > 0]
        best = max(better, key=lambda one: one.soft, default=None)
        choices.append(
            Choice(scoring, *pair, "", math.nan, 0.0) if best is None
            else Choice(scoring, *pair, best.method, best.score, best.soft)
        )  # fmt: skip
    return choices


def sensitivity(outcomes: Sequence[Outcome]) -> list[Order]:
    """Tell how the order of the methods depends on what they are judged on.

    Parameters
    ----------
    outcomes : sequence of Outcome
        Of all methods and scorings.

    Returns
    -------
    list of Order
        One for each scoring; methods that are equal keep the order in which they came.
    """
    means: dict[str, dict[str, float]] = {}
    for one in summaries(outcomes):
        if not math.isnan(one.soft_or_unchanged.value):
            means.setdefault(one.scoring, {})[one.method] = one.soft_or_unchanged.value
    orders: list[Order] = []
    first = next(iter(means), "")
    for scoring, values in means.items():
        tau = _agreement(values, means[first])
        seen = tuple(name for name in values if name.partition("@")[0] == scoring)
        orders.append(Order(scoring, tuple(sorted(values, key=lambda name: -values[name])), tau, seen))
    return orders


def _agreement(values: Mapping[str, float], others: Mapping[str, float]) -> float:
    """Give Kendall's tau of two scorings over the methods that both know."""
    common = [name for name in values if name in others]
    if any(len({found[name] for name in common}) < 2 for found in (values, others)):
        return math.nan
    if values is others:
        return 1.0  # and nothing to import for a single scoring: it takes a second
    from scipy.stats import kendalltau

    return float(kendalltau([values[name] for name in common], [others[name] for name in common])[0])


def extremes(outcomes: Sequence[Outcome], scoring: str, method: str) -> tuple[Outcome, Outcome] | None:
    """Find the pairs with the best and the worst score of a method.

    Parameters
    ----------
    outcomes : sequence of Outcome
        Of all methods and scorings.
    scoring, method : str
        Which.

    Returns
    -------
    tuple of Outcome or None
        Best and worst, of those that were scored; None if none was.
    """
    scored = [one for one in outcomes if (one.scoring, one.method) == (scoring, method) and one.scored]
    if not scored:
        return None
    # Of equal scores, the one with more change: a share of few pixels says less.
    return max(scored, key=lambda one: (one.score, one.soft)), min(scored, key=lambda one: (one.score, one.soft))


def _summed(group: Sequence[Outcome], seed: int) -> Summary:
    counts = Counter(one.category for one in group)
    verdicts = Counter(one.verdict for one in group)
    spread = {}
    for name in ("better", "worse"):
        scores = [one.score for one in group if one.category == name]
        spread[f"mean_{name}"] = float(np.mean(scores)) if scores else math.nan
        spread[f"std_{name}"] = float(np.std(scores)) if scores else math.nan
    gains = [one.local_ncc_after - one.local_ncc_before for one in group]
    return Summary(
        scoring=group[0].scoring,
        method=group[0].method,
        pairs=len(group),
        better=counts["better"],
        worse=counts["worse"],
        tie=counts["tie"],
        unscored=counts["unscored"],
        refused=counts["refused"],
        failed=counts["failed"],
        clearly_better=verdicts["better"],
        clearly_worse=verdicts["worse"],
        **spread,
        soft=_mean(group, [MEASURES["soft"](one) for one in group], seed),
        soft_or_unchanged=_mean(group, [MEASURES["soft_or_unchanged"](one) for one in group], seed),
        local_ncc_gain=_mean(group, gains, seed),
    )


def _mean(group: Sequence[Outcome], values: Sequence[float], seed: int) -> Figure:
    found = np.array(values, np.float64)
    known = np.isfinite(found)
    pairs = [one.pair for one, is_known in zip(group, known, strict=True) if is_known]
    return mean_figure(found[known], pairs, seed=seed)[0]
