"""What follows from many outcomes: statistics of each method, which of two is better pair by pair, and tables."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from operator import attrgetter
from types import MappingProxyType
from typing import Literal

import numpy as np
import numpy.typing as npt

from .. import tables
from ..bootstrap import Counts, Figure, Floats, draws, interval
from ..errors import InputError
from ..names import escaped
from ..tables import NO_DATA, Column
from .outcome import Outcome

DRAWS = 2000
FEWEST = 5
"""Pairs, or images, under which there is no interval."""


def _soft_or_unchanged(outcome: Outcome) -> float:
    # Whoever refuses a registration leaves the image as it is: dd is 0 everywhere, by definition.
    return 0.0 if outcome.category == "refused" else outcome.soft


MEASURES: Mapping[str, Callable[[Outcome], float]] = MappingProxyType({
    "soft": lambda outcome: outcome.soft,
    "soft_or_unchanged": _soft_or_unchanged,
    "evidence": lambda outcome: outcome.evidence,
    "score": lambda outcome: outcome.score if outcome.scored else math.nan,
    "local_ncc_after": lambda outcome: outcome.local_ncc_after,
})  # fmt: skip
"""What is compared: a number of an outcome, NaN where it has none.

``soft``, ``evidence`` and ``local_ncc_after`` need both registrations accepted; ``soft_or_unchanged`` takes a refused
one for no change, so that refusing what is hard wins nothing; ``score`` needs both scored.
"""


@dataclass(frozen=True)
class Paired:
    """A method against the baseline, on the pairs that both have.

    Attributes
    ----------
    difference : Figure
        Mean of method less baseline, with its 95 % interval.
    higher, lower, equal : int
        Pairs on which the method has more than the baseline, less, and the same.
    p_value : float
        Of the two-sided sign test on the pairs that differ; NaN if none does.
    resampled : {"pairs", "images"}
        What the interval draws: pairs, or images where pairs share them.
    """

    scoring: str
    method: str
    baseline: str
    measure: str
    pairs: int
    difference: Figure
    median: float
    higher: int
    lower: int
    equal: int
    p_value: float
    resampled: Literal["pairs", "images"]


def paired(
    outcomes: Sequence[Outcome], baseline: str, *, measures: Sequence[str] = tuple(MEASURES), seed: int = 0
) -> list[Paired]:
    """Compare every method with one, pair by pair.

    Returns scorings, methods and measures in the order in which they came.

    Methods are compared on the same pairs, since pairs differ far more than methods do. Pairs that share an image hang
    together; where they do, images are drawn instead, and a pair counts as often as both its images were drawn, so
    that intervals are not too narrow. An image that all pairs have in common is not drawn. The sign test takes pairs
    for independent, and its p-values are not corrected for the number of methods.
    """
    by_name = {(one.scoring, one.method, one.pair): one for one in outcomes}
    scorings, methods = (list(dict.fromkeys(getattr(one, name) for one in outcomes)) for name in ("scoring", "method"))
    if outcomes and baseline not in methods:
        raise InputError(f"The baseline {baseline!r} is none of the methods compared: {', '.join(methods)}.")
    if unknown := [name for name in measures if name not in MEASURES]:
        raise InputError(f"There is no measure {unknown[0]!r}. There are {', '.join(MEASURES)}.")
    found = []
    for scoring in scorings:
        pairs = list(dict.fromkeys(one.pair for one in outcomes if one.scoring == scoring))
        for method in methods:
            both = [
                (pair, by_name[scoring, method, pair], by_name[scoring, baseline, pair])
                for pair in pairs
                if (scoring, method, pair) in by_name and (scoring, baseline, pair) in by_name
            ]
            if method == baseline or not both:
                continue
            for measure in measures:
                differences = np.array([MEASURES[measure](one) - MEASURES[measure](other) for _, one, other in both])
                known = np.isfinite(differences)
                kept = [pair for (pair, _, _), is_known in zip(both, known, strict=True) if is_known]
                found.append(_compared((scoring, method, baseline, measure), differences[known], kept, seed))
    return found


def mean_figure(values: Floats, pairs: Sequence[tuple[str, str]], *, seed: int = 0) -> tuple[Figure, str]:
    """Average over pairs, with an interval unless there are under five pairs or images; say which of them are drawn."""
    images = _shared_images(pairs)
    resampled = "images" if images else "pairs"
    if not len(values):
        return Figure(math.nan, reason="no pair has it"), resampled
    mean = float(np.mean(values))
    units = len(images) if images else len(values)
    if units < FEWEST:
        return Figure(mean, reason=f"{units} {resampled}, fewer than {FEWEST}, so no interval"), resampled
    pairs_at = _places(images, pairs)
    means: list[Floats] = []
    for drawn in draws(units, DRAWS, seed, width=len(values)):
        weights = _pair_weights(drawn, pairs_at) if images else drawn
        totals = weights.sum(axis=1)
        # A draw in which no pair is left says nothing; with five images it is one in thousands.
        means.append((weights @ values)[totals > 0] / totals[totals > 0])
    return Figure(mean, *interval(np.concatenate(means))), resampled


def _compared(
    names: tuple[str, str, str, str], differences: Floats, pairs: Sequence[tuple[str, str]], seed: int
) -> Paired:
    higher, lower = int((differences > 0).sum()), int((differences < 0).sum())
    figure, resampled = mean_figure(differences, pairs, seed=seed)
    return Paired(
        *names,
        pairs=len(differences),
        difference=figure,
        median=float(np.median(differences)) if len(differences) else math.nan,
        higher=higher,
        lower=lower,
        equal=len(differences) - higher - lower,
        p_value=_sign_test(higher, lower),
        resampled="images" if resampled == "images" else "pairs",
    )


def _sign_test(higher: int, lower: int) -> float:
    """Give the chance that of so many fair coins the fewer heads or tails are as few as here, or fewer."""
    if not higher + lower:
        return math.nan
    from scipy.special import bdtr  # scipy.stats has the same by name, and takes a second to import

    return min(1.0, 2 * float(bdtr(min(higher, lower), higher + lower, 0.5)))


def _shared_images(pairs: Sequence[tuple[str, str]]) -> list[str]:
    """Give the images to draw, if pairs share any beside one that all of them have in common; else none."""
    counts = Counter(image for pair in pairs for image in pair)
    common = {image for image, count in counts.items() if count == len(pairs)}
    drawn = [image for image in counts if image not in common]
    return drawn if len(pairs) > 1 and any(counts[image] > 1 for image in drawn) else []


def _places(images: Sequence[str], pairs: Sequence[tuple[str, str]]) -> npt.NDArray[np.intp]:
    """Give for each pair where its two images are in the list; behind its end for the one that all have in common."""
    place = {image: index for index, image in enumerate(images)}
    return np.array([[place.get(image, len(images)) for image in pair] for pair in pairs], np.intp).reshape(-1, 2)


def _pair_weights(drawn: Counts, pairs_at: npt.NDArray[np.intp]) -> Counts:
    """Count how often each pair is there when images were drawn: the product of how often both its images are.

    As in the pigeonhole bootstrap (A. B. Owen, Annals of Applied Statistics 1(2), 2007), there of rows and columns.
    """
    # The image that all pairs have in common is always there.
    counts = np.hstack([drawn, np.ones((len(drawn), 1), drawn.dtype)])
    weights: Counts = counts[:, pairs_at[:, 0]] * counts[:, pairs_at[:, 1]]
    return weights


@dataclass(frozen=True)
class Summary:
    """A method on all pairs.

    `clearly_better`, `clearly_worse`: pairs whose verdict says so, which asks for more evidence; see
    `napari_iqmaps.DiffDiffScore`. `mean_better`, `std_better`, `mean_worse`, `std_worse`: score of the better and of
    the worse pairs, and its standard deviation (of these pairs: divided by their number); NaN where there is none.
    `soft`, `soft_or_unchanged`, `local_ncc_gain`: means over the pairs that were judged (the second with 0 for those
    refused), with 95 % intervals.
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
    """The method that made one pair better by most; ``""`` if none did, and the image is best left as it is."""

    scoring: str
    moving: str
    fixed: str
    method: str
    score: float
    soft: float


@dataclass(frozen=True)
class Order:
    """The methods in the order that one scoring gives them.

    `methods`: best first, by ``soft_or_unchanged``. `agreement`: kendall's tau with the order of the first scoring: 1
    the same, -1 reversed; NaN with one method. `sees_method`: methods that registered the very images on which they are
    judged here, which favours them.
    """

    scoring: str
    methods: tuple[str, ...]
    agreement: float
    sees_method: tuple[str, ...]


def summaries(outcomes: Sequence[Outcome], *, seed: int = 0) -> list[Summary]:
    """Sum up every method, by scoring and method, each in the order in which they came."""
    groups: dict[tuple[str, str], list[Outcome]] = {}
    for outcome in outcomes:
        groups.setdefault((outcome.scoring, outcome.method), []).append(outcome)
    scorings = dict.fromkeys(scoring for scoring, _ in groups)
    return [_summed(group, seed) for scoring in scorings for (own, _), group in groups.items() if own == scoring]


def best_of_methods(outcomes: Sequence[Outcome]) -> list[Choice]:
    """Choose for every pair the method that made it better by most; pairs on which every method failed are left out.

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
    """Tell how the order of the methods depends on what they are judged on; equal ones keep the order they came in."""
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
    """Find the pairs with the best and the worst score of a method, of those that were scored; None if none was."""
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


_MARKDOWN: Sequence[Column[Summary]] = (
    Column("pairs", attrgetter("pairs")),
    Column("better", attrgetter("better")),
    Column("score of the better", lambda one: spread(one.mean_better, one.std_better)),
    Column("worse", attrgetter("worse")),
    Column("score of the worse", lambda one: spread(one.mean_worse, one.std_worse)),
    Column("tie", attrgetter("tie")),
    Column("unscored", attrgetter("unscored")),
    Column("refused", attrgetter("refused")),
    Column("failed", attrgetter("failed")),
    Column("clearly better", attrgetter("clearly_better")),
    Column("clearly worse", attrgetter("clearly_worse")),
    Column("soft (95 %)", lambda one: figure_text(one.soft)),
    Column("soft, refused as 0 (95 %)", lambda one: figure_text(one.soft_or_unchanged)),
    Column("local correlation gained (95 %)", lambda one: figure_text(one.local_ncc_gain)),
)

_LATEX: Sequence[Column[Summary]] = (
    Column("$n_s$", attrgetter("better")),
    Column("success score", lambda one: _latex_spread(one.mean_better, one.std_better)),
    Column("$n_f$", attrgetter("worse")),
    Column("fail score", lambda one: _latex_spread(one.mean_worse, one.std_worse)),
    Column("$n_t$", attrgetter("tie")),
    Column("$n_u$", attrgetter("unscored")),
    Column("$n_r$", attrgetter("refused")),
    Column("$n_e$", attrgetter("failed")),
)


def as_markdown(summaries: Sequence[Summary], names: Mapping[str, str] | None = None) -> str:
    """Write summaries as Markdown, a table for each scoring; `names` says what to call a method."""

    def method(one: Summary) -> str:
        return (names or {}).get(one.method, one.method)

    columns = [Column("method", method), *_MARKDOWN]
    texts = [
        f"Judged on images preprocessed by `{escaped(scoring)}`:\n\n{tables.markdown(columns, group)}"
        for scoring, group in _by_scoring(summaries)
    ]
    texts.append(
        "A pair is better if more of its changed pixels came closer to the fixed image than moved away from it, and "
        "clearly better if the verdict of diff-diff says so, which asks for more evidence. Scores are mean ± standard "
        "deviation over these pairs. Refused pairs were not registered; failed ones could not be used."
    )
    return "\n\n".join(texts) + "\n"


def as_latex(summaries: Sequence[Summary], names: Mapping[str, str] | None = None) -> str:
    """Write summaries as LaTeX, a table for each scoring; `names` says what to call a method.

    The columns are the pairs that got better, $n_s$, and their score, those that got worse, $n_f$, and theirs, ties,
    $n_t$, those unscored, $n_u$, refused, $n_r$, and failed, $n_e$.
    """

    def method(one: Summary) -> str:
        return rf"\textbf{{{tables.escaped((names or {}).get(one.method, one.method))}}}"

    columns = [Column("", method, is_text=True), *_LATEX]
    texts = [
        f"% judged on images preprocessed by {escaped(scoring)}\n{tables.latex(columns, group)}"
        for scoring, group in _by_scoring(summaries)
    ]
    return "\n\n".join(texts) + "\n"


def _by_scoring(summaries: Sequence[Summary]) -> Iterator[tuple[str, list[Summary]]]:
    for scoring in dict.fromkeys(one.scoring for one in summaries):
        yield scoring, [one for one in summaries if one.scoring == scoring]


def spread(mean: float, std: float) -> str:
    """Write a mean with its standard deviation, two decimals each; `NO_DATA` for NaN."""
    return NO_DATA if math.isnan(mean) else f"{mean:.2f} ± {std:.2f}"


def _latex_spread(mean: float, std: float) -> str:
    return NO_DATA if math.isnan(mean) else rf"${mean:.2f} \pm {std:.2f}$"


def figure_text(figure: Figure) -> str:
    """Write a figure with its interval, three decimals each; `NO_DATA` for NaN."""
    return NO_DATA if math.isnan(figure.value) else str(figure)
