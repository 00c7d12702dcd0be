"""Which of two methods is better, pair by pair: differences with intervals, and a sign test."""

from __future__ import annotations

import csv
import io
import math
import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields
from types import MappingProxyType
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from ..bootstrap import Figure
from ..errors import InputError
from .outcome import Outcome

Floats = npt.NDArray[np.float64]
Counts = npt.NDArray[np.int64]

DRAWS = 2000
FEWEST = 5
"""Pairs, or images, under which there is no interval."""

_CELLS = 2_000_000  # of draws times pairs that are held at one time


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

    Returns
    -------
    list of Paired
        Scorings, methods and measures in the order in which they came.

    Notes
    -----
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
    """Average over pairs, with a 95 % interval.

    Returns
    -------
    figure : Figure
        The mean with percentiles of its bootstrap; no interval under five pairs or images, NaN for none.
    """
    images = _shared_images(pairs)
    resampled = "images" if images else "pairs"
    if not len(values):
        return Figure(math.nan, reason="no pair has it"), resampled
    mean = float(np.mean(values))
    units = len(images) if images else len(values)
    if units < FEWEST:
        return Figure(mean, reason=f"{units} {resampled}, fewer than {FEWEST}, so no interval"), resampled
    rng = np.random.default_rng(seed)
    pairs_at = _places(images, pairs)
    means: list[Floats] = []
    at_once = max(1, _CELLS // len(values))
    for begun in range(0, DRAWS, at_once):
        drawn = rng.multinomial(units, np.full(units, 1 / units), size=min(at_once, DRAWS - begun))
        weights = _pair_weights(drawn, pairs_at) if images else drawn
        totals = weights.sum(axis=1)
        # A draw in which no pair is left says nothing; with five images it is one in thousands.
        means.append((weights @ values)[totals > 0] / totals[totals > 0])
    low, high = np.percentile(np.concatenate(means), [2.5, 97.5])
    return Figure(mean, float(low), float(high)), resampled


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
    """Count how often each pair is there when images were drawn: as often as both its images."""
    # The image that all pairs have in common is always there.
    counts = np.hstack([drawn, np.ones((len(drawn), 1), drawn.dtype)])
    weights: Counts = counts[:, pairs_at[:, 0]] * counts[:, pairs_at[:, 1]]
    return weights


@dataclass(frozen=True)
class Summary:
    """A method on all pairs.

    Attributes
    ----------
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


NO_DATA = "--"
"""What stands in a cell for which there is no number."""

_LATEX = {
    "\\": r"\textbackslash{}", "&": r"\&", "%": r"\%", "$": r"\$", "#": r"\#", "_": r"\_", "{": r"\{", "}": r"\}",
    "~": r"\textasciitilde{}", "^": r"\textasciicircum{}",
}  # fmt: skip
_SPECIAL = re.compile("|".join(map(re.escape, _LATEX)))


def flat(record: Any) -> dict[str, Any]:
    """Turn a record into plain cells.

    Returns
    -------
    dict
        A figure ``soft`` becomes ``soft``, ``soft_low``, ``soft_high`` and, if it has one, ``soft_reason``; a sequence
        becomes a text; NaN becomes None.
    """
    cells: dict[str, Any] = {}
    for field in fields(record):
        value = getattr(record, field.name)
        if isinstance(value, Figure):
            parts = {"": value.value, "_low": value.low, "_high": value.high}
            cells |= {f"{field.name}{ending}": _known(part) for ending, part in parts.items()}
            if value.reason:
                cells[f"{field.name}_reason"] = value.reason
        else:
            cells[field.name] = " ".join(value) if isinstance(value, tuple) else _known(value)
    return cells


def as_csv(records: Sequence[Any]) -> str:
    """Write records as CSV.

    Returns
    -------
    str
        A line of names, and a line a record; what is not known is an empty cell.
    """
    rows = [flat(record) for record in records]
    buffer = io.StringIO()
    writer = csv.DictWriter(buffer, list(dict.fromkeys(name for row in rows for name in row)), lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return buffer.getvalue()


def as_markdown(summaries: Sequence[Summary], names: Mapping[str, str] | None = None) -> str:
    """Write summaries as Markdown, a table for each scoring.

    Parameters
    ----------
    summaries : sequence of Summary
        In the order of the lines.
    """
    heads = (
        "method", "pairs", "better", "score of the better", "worse", "score of the worse", "tie", "unscored", "refused",
        "failed", "clearly better", "clearly worse", "soft (95 %)", "soft, refused as 0 (95 %)",
        "local correlation gained (95 %)",
    )  # fmt: skip
    parts = []
    for scoring in dict.fromkeys(one.scoring for one in summaries):
        lines = [f"Judged on images preprocessed by `{scoring}`:", "", _line(heads), "|" + "---|" * len(heads)]
        lines += [
            _line([(names or {}).get(one.method, one.method), *map(str, _cells(one))])
            for one in summaries
            if one.scoring == scoring
        ]
        parts.append("\n".join(lines))
    parts.append(
        "A pair is better if more of its changed pixels came closer to the fixed image than moved away from it, and "
        "clearly better if the verdict of diff-diff says so, which asks for more evidence. Scores are mean ± standard "
        "deviation over these pairs. Refused pairs were not registered; failed ones could not be used."
    )
    return "\n\n".join(parts) + "\n"


def as_latex(summaries: Sequence[Summary], names: Mapping[str, str] | None = None) -> str:
    r"""Write summaries as LaTeX, a table for each scoring; no package is needed.

    Parameters
    ----------
    summaries : sequence of Summary
        In the order of the lines.
    names : mapping, optional
        What to call a method, by its name; special characters are escaped here.

    Returns
    -------
    str
        ``tabular`` environments with, for each method, the pairs that got better :math:`n_s` and their score, those
        that got worse :math:`n_f` and theirs, ties :math:`n_t`, those unscored :math:`n_u`, refused :math:`n_r` and
        failed :math:`n_e`.
    """
    heads = ("", "$n_s$", "success score", "$n_f$", "fail score", "$n_t$", "$n_u$", "$n_r$", "$n_e$")
    parts = []
    for scoring in dict.fromkeys(one.scoring for one in summaries):
        lines = [
            f"% judged on images preprocessed by {scoring}",
            rf"\begin{{tabular}}{{l{'r' * (len(heads) - 1)}}}",
            r"\hline",
            " & ".join(heads) + r" \\",
            r"\hline",
        ]
        for one in summaries:
            if one.scoring != scoring:
                continue
            name = _escaped((names or {}).get(one.method, one.method))
            spreads = [
                NO_DATA if math.isnan(mean) else rf"${mean:.2f} \pm {std:.2f}$"
                for mean, std in ((one.mean_better, one.std_better), (one.mean_worse, one.std_worse))
            ]
            cells = [one.better, spreads[0], one.worse, spreads[1], one.tie, one.unscored, one.refused, one.failed]
            lines.append(" & ".join([rf"\textbf{{{name}}}", *map(str, cells)]) + r" \\")
        parts.append("\n".join([*lines, r"\hline", r"\end{tabular}"]))
    return "\n\n".join(parts) + "\n"


def spread(mean: float, std: float) -> str:
    """Write a mean with its standard deviation, for people.

    Parameters
    ----------
    mean, std : float
        NaN where there is none.

    Returns
    -------
    str
        Two decimals each; `NO_DATA` for none.
    """
    return NO_DATA if math.isnan(mean) else f"{mean:.2f} ± {std:.2f}"


def figure_text(figure: Figure) -> str:
    """Write a figure with its interval, for people.

    Parameters
    ----------
    figure : Figure
        NaN where there is none.

    Returns
    -------
    str
        Three decimals; `NO_DATA` for none.
    """
    return NO_DATA if math.isnan(figure.value) else str(figure)


def _cells(one: Summary) -> list[Any]:
    return [
        one.pairs, one.better, spread(one.mean_better, one.std_better), one.worse,
        spread(one.mean_worse, one.std_worse), one.tie, one.unscored, one.refused, one.failed, one.clearly_better,
        one.clearly_worse, *map(figure_text, (one.soft, one.soft_or_unchanged, one.local_ncc_gain)),
    ]  # fmt: skip


def _line(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cell.replace("|", r"\|") for cell in cells) + " |"


def _escaped(text: str) -> str:
    return _SPECIAL.sub(lambda found: _LATEX[found.group()], text)


def _known(value: Any) -> Any:
    if not isinstance(value, float):
        return value
    return float(f"{value:.9g}") if math.isfinite(value) else None
