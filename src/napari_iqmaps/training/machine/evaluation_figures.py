"""Correlations of tens of thousands of scores with intervals that draw pictures with replacement, quickly."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import sparse

from ...core.bootstrap import Figure
from .. import statistics
from ..statistics import FEWEST_IMAGES, FEWEST_SCENES

Floats = npt.NDArray[np.float64]

_AT_ONCE = 16
"""Draws whose ranks are in memory at one time."""


@dataclass(frozen=True)
class RowFigures:
    """How a method's scores agree with a label, over rows of distorted pictures.

    Attributes
    ----------
    plcc_logistic, rmse : Figure
        Pearson's correlation and root mean square error after the logistic of `statistics.fit_logistic`.
    """

    srcc: Figure
    plcc: Figure
    plcc_logistic: Figure
    rmse: Figure


class Draws:
    """Draws of undistorted pictures with replacement, each as how often it took which picture.

    Attributes
    ----------
    counts : numpy.ndarray
        ``(1 + draws, pictures)``: how often each picture was drawn. The first row takes each once: the rows as they
        are. No others where there are fewer than three pictures.

    Notes
    -----
    Seeds give the draws that `statistics.agreement` makes.
    """

    def __init__(self, images: npt.NDArray[np.object_], seed: int = 0) -> None:
        names, self.codes = np.unique(np.asarray(images, dtype=str), return_inverse=True)
        self.pictures = len(names)
        drawn = [np.ones(self.pictures)]
        if self.pictures >= FEWEST_SCENES:
            rng = np.random.default_rng(seed)
            for _ in range(statistics.DRAWS):
                taken = rng.integers(self.pictures, size=self.pictures)
                drawn.append(np.bincount(taken, minlength=self.pictures).astype(float))
        self.counts: Floats = np.stack(drawn)

    def sums(self, rows: Floats) -> Floats:
        """Give a sum over the rows of every draw.

        Returns
        -------
        numpy.ndarray
            ``(1 + draws,)``.
        """
        return self.counts @ np.bincount(self.codes, rows, self.pictures)


def row_figures(methods: dict[str, Floats], label: Floats, draws: Draws) -> dict[str, RowFigures]:
    """Compare several methods' scores with one label.

    Parameters
    ----------
    methods : dict of str to numpy.ndarray
        Scores, ``(rows,)`` each, all finite.
    label : numpy.ndarray
        What they should tell, ``(rows,)``, finite.

    Returns
    -------
    dict of str to RowFigures
        For each method; NaN with a reason for fewer than five rows or where all values are equal.

    Notes
    -----
    The figures and intervals of `statistics.agreement` without the copying of rows: a draw weighs rows, and equal
    values share the middle of the ranks that their weights take.
    """
    found: dict[str, RowFigures] = {}
    usable = {}
    for name, scores in methods.items():
        if reason := _reason(scores, label):
            none = Figure(math.nan, reason=reason)
            found[name] = RowFigures(none, none, none, none)
        else:
            usable[name] = scores
    if usable:
        ranked = _rank_correlations(usable, label, draws)
        for name, scores in usable.items():
            linear = _figure(_correlations(scores, label, draws), draws)
            found[name] = RowFigures(_figure(ranked[name], draws), linear, *_after_logistic(scores, label, draws))
    return {name: found[name] for name in methods}


def distance(scores: Floats, label: Floats, draws: Draws) -> Figure:
    """Give the root mean square difference of scores and a label, both as they are.

    Parameters
    ----------
    scores, label : numpy.ndarray
        ``(rows,)``, finite, on one scale.
    """
    return _figure(np.sqrt(draws.sums((scores - label) ** 2) / draws.sums(np.ones(len(label)))), draws)


def _reason(scores: Floats, label: Floats) -> str:
    if len(scores) < FEWEST_IMAGES:
        return f"{len(scores)} images, fewer than {FEWEST_IMAGES}"
    if np.ptp(scores) == 0 or np.ptp(label) == 0:
        return "all scores are equal"
    return ""


def _after_logistic(scores: Floats, label: Floats, draws: Draws) -> tuple[Figure, Figure]:
    curve, problem = statistics.fit_logistic(scores, label)
    if curve is None:
        none = Figure(math.nan, reason=problem)
        return none, none
    bent = curve(scores)
    error = distance(bent, label, draws)
    if np.ptp(bent) == 0:
        return Figure(math.nan, reason="the logistic fit is constant"), error
    return _figure(_correlations(bent, label, draws), draws), error


def _correlations(first: Floats, second: Floats, draws: Draws) -> Floats:
    """Give Pearson's correlation over the rows of every draw, NaN where one side is constant."""
    first, second = ((each - each.mean()) / each.std() for each in (first, second))
    parts = (np.ones(len(first)), first, second, first * first, second * second, first * second)
    return _from_sums(*(draws.sums(part) for part in parts))


def _from_sums(
    count: Floats, first: Floats, second: Floats, first_square: Floats, second_square: Floats, product: Floats
) -> Floats:
    spread = (first_square - first**2 / count) * (second_square - second**2 / count)
    # What rounding leaves of a constant is no spread.
    spread = np.where(spread > 1e-12 * first_square * second_square, spread, np.nan)
    correlations: Floats = (product - first * second / count) / np.sqrt(spread)
    return correlations


class _Ranks:
    """Middle ranks of one column in every draw."""

    def __init__(self, values: Floats, draws: Draws) -> None:
        levels, self.level = np.unique(values, return_inverse=True)
        of_rows = (np.ones(len(values)), (self.level, draws.codes))
        self.members = sparse.csr_array(of_rows, shape=(len(levels), draws.pictures))

    def __call__(self, counts: Floats) -> tuple[Floats, Floats]:
        """Give the ranks of the levels, about their middle, and their weights, ``(levels, draws)``."""
        weights: Floats = self.members @ counts
        # numpy sums up along the last axis ten times as fast as along the first.
        ranks = np.ascontiguousarray(np.cumsum(np.ascontiguousarray(weights.T), axis=1).T)
        ranks -= ranks[-1] / 2
        ranks -= weights / 2
        return ranks, weights


def _rank_correlations(methods: dict[str, Floats], label: Floats, draws: Draws) -> dict[str, Floats]:
    """Give Spearman's correlation of each method over the rows of every draw."""
    of_label = _Ranks(label, draws)
    of_methods = {name: _Ranks(scores, draws) for name, scores in methods.items()}
    found = {name: np.empty(len(draws.counts)) for name in methods}
    for some in _parts(len(draws.counts)):
        # Draws along the last axis: what is gathered and summed lies side by side.
        counts = np.ascontiguousarray(draws.counts[some].T)
        ranks, weights = of_label(counts)
        square = np.einsum("ij,ij,ij->j", weights, ranks, ranks)
        weighed = counts.take(draws.codes, axis=0) * ranks.take(of_label.level, axis=0)
        for name, each in of_methods.items():
            own, own_weights = each(counts)
            own_square = np.einsum("ij,ij,ij->j", own_weights, own, own)
            # Ranks about their middle sum to nothing, so that correlations need no means.
            product = np.einsum("ij,ij->j", weighed, own.take(each.level, axis=0))
            spread = square * own_square
            found[name][some] = product / np.sqrt(np.where(spread > 0, spread, np.nan))
    return found


def _parts(count: int) -> Iterator[slice]:
    for first in range(0, count, _AT_ONCE):
        yield slice(first, min(first + _AT_ONCE, count))


def _figure(values: Floats, draws: Draws) -> Figure:
    """Turn a statistic of the rows as they are, and of every draw, into a figure with its interval."""
    value, drawn = float(values[0]), values[1:]
    if not len(drawn):
        return Figure(value, reason=f"fewer than {FEWEST_SCENES} scenes, so no interval")
    known = drawn[np.isfinite(drawn)]
    if len(known) < len(drawn) / 2:
        return Figure(value, reason="most draws of scenes are constant, so no interval")
    low, high = np.percentile(known, [2.5, 97.5])
    return Figure(value, float(low), float(high))
