"""How well scores agree with people's or with other labels, with intervals that draw scenes rather than images."""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import optimize, sparse, special

from ...core import bootstrap
from ...core.bootstrap import Figure, Floats

FEWEST_IMAGES = 5
FEWEST_SCENES = 3
DRAWS = 1000

FIGURES = ("srcc", "plcc", "plcc_logistic", "rmse")
"""The figures of an `Agreement`."""

_AT_ONCE = 16
"""Draws whose ranks are in memory at one time."""


@dataclass(frozen=True)
class Agreement:
    """How a method's scores agree with a label, such as people's scores.

    `srcc`, `plcc`: Spearman's and Pearson's correlation. Their sign tells the direction; both are given as they are.
    `plcc_logistic`, `rmse`: Pearson's correlation and root mean square error after the logistic of `fit_logistic`, the
    error in the units of the label.
    """

    images: int
    scenes: int
    srcc: Figure
    plcc: Figure
    plcc_logistic: Figure
    rmse: Figure


class Draws(bootstrap.Clusters):
    """Draws of scenes with replacement, each as how often it took which scene.

    `counts`: ``(1 + draws, scenes)``: how often each scene was drawn. The first row takes each once: the images as they
    are. No others where there are fewer than three scenes, or none are asked for.
    """

    def __init__(self, scenes: npt.NDArray[np.object_], seed: int = 0, *, count: int | None = None) -> None:
        super().__init__(np.asarray(scenes, dtype=str))
        count = DRAWS if count is None else count
        is_few = self.count < FEWEST_SCENES
        self.problem = f"fewer than {FEWEST_SCENES} scenes, so no interval" if is_few and count else ""
        drawn = [] if is_few else bootstrap.draws(self.count, count, seed)
        self.counts = np.concatenate([np.ones((1, self.count)), *drawn])

    def sums(self, images: Floats) -> Floats:
        """Give a sum over the images of every draw, ``(1 + draws,)``."""
        drawn = self.counts[1:] @ np.bincount(self.codes, images, self.count)
        return np.concatenate([[images.sum()], drawn])

    def figure(self, values: Floats) -> Figure:
        """Turn a statistic of the images as they are, and of every draw, into a figure with its interval."""
        if len(values) == 1:
            return Figure(float(values[0]), reason=self.problem)
        none = "most draws of scenes are constant, so no interval"
        return Figure.bootstrapped(float(values[0]), values[1:], otherwise=none)


def agreement(scores: Floats, label: Floats, scenes: npt.NDArray[np.object_], *, seed: int = 0) -> Agreement:
    """Compare a method's scores with a label."""
    return agreements_with(label, {"": scores}, Draws(scenes, seed))[""]


def agreements_with(label: Floats, methods: Mapping[str, Floats], draws: Draws) -> dict[str, Agreement]:
    """Compare several methods' scores, ``(images,)`` each, with one label.

    Images of one photograph hang together, so the intervals draw scenes, not images (see `bootstrap`). The logistic is
    fitted once, on all images, and stays in the draws: the intervals of what follows it do not contain the uncertainty
    of its four numbers. No images are copied: a draw weighs them, and equal values share the middle of the ranks that
    their weights take.
    """
    label = np.asarray(label, dtype=float)
    scores = {name: finite(np.asarray(values, dtype=float)) for name, values in methods.items()}
    reasons = {name: _reason(values, label) for name, values in scores.items()}
    usable = {name: values for name, values in scores.items() if not reasons[name]}
    ranked = _rank_correlations(usable, label, draws) if usable else {}
    found = {}
    for name, values in scores.items():
        if name in usable:
            figures = [draws.figure(ranked[name]), draws.figure(_correlations(values, label, draws))]
            figures += _after_logistic(values, label, draws)
        else:
            figures = [Figure(math.nan, reason=reasons[name])] * 4
        found[name] = Agreement(len(label), draws.count, *figures)
    return found


def distance(scores: Floats, label: Floats, draws: Draws) -> Figure:
    """Give the root mean square difference of scores and a label, both as they are."""
    return draws.figure(np.sqrt(draws.sums((scores - label) ** 2) / draws.sums(np.ones(len(label)))))


def median(values: npt.ArrayLike, reason: str = "") -> Figure:
    """Sum up a statistic over splits, NaN where one had none; `reason` is why.

    Gives the median, and the 2.5th and 97.5th percentile of the splits. Splits share images, so this is how far one
    split may lie from another, not a confidence interval. None if less than half of the splits have a value.
    """
    found = np.asarray(values, dtype=float)
    known = found[np.isfinite(found)]
    if 2 * len(known) < len(found) or not len(known):
        return Figure(math.nan, reason=f"{len(found) - len(known)} of {len(found)} splits have none: {reason}")
    return Figure(float(np.percentile(known, 50)), *bootstrap.interval(known))


def fit_logistic(scores: Floats, label: Floats) -> tuple[Callable[[Floats], Floats] | None, str]:
    """Fit the usual logistic of four numbers from scores to a label, of at least five images.

    ``b2 + (b1 - b2) / (1 + exp(-(x - b3) / b4))``, of VQEG's final report on FR-TV, phase I (2000). Gives the curve, or
    None and why there is none.
    """
    middle, spread = float(np.mean(scores)), float(np.std(scores))
    direction = 1.0 if float((scores - middle) @ (label - label.mean())) >= 0 else -1.0

    def logistic(x: Floats, top: float, bottom: float, centre: float, width: float) -> Floats:
        curve: Floats = bottom + (top - bottom) * special.expit((x - centre) / width)
        return curve

    start = [label.max(), label.min(), 0.0, direction]
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", optimize.OptimizeWarning)  # of the covariance, which is not used
            with np.errstate(all="ignore"):
                found, _ = optimize.curve_fit(logistic, (scores - middle) / spread, label, p0=start, maxfev=20000)
    except (RuntimeError, ValueError):
        return None, "the logistic fit did not converge"
    if not np.isfinite(found).all() or found[3] == 0:
        return None, "the logistic fit did not converge"
    return lambda x: logistic((x - middle) / spread, *found), ""


def finite(scores: Floats) -> Floats:
    """Put infinite scores, such as PSNR's of equal images, beyond all others by as much as those differ."""
    infinite = np.isinf(scores)
    if not infinite.any():
        return scores
    known = scores[np.isfinite(scores)]
    if not len(known):
        return np.where(infinite, 0.0, scores)
    edge = np.where(scores > 0, known.max() + np.ptp(known), known.min() - np.ptp(known))
    return np.where(infinite, edge, scores)


def _reason(scores: Floats, label: Floats) -> str:
    if len(scores) < FEWEST_IMAGES:
        return f"{len(scores)} images, fewer than {FEWEST_IMAGES}"
    if not (np.isfinite(scores).all() and np.isfinite(label).all()):
        return "some scores are missing"
    if np.ptp(scores) == 0 or np.ptp(label) == 0:
        return "all scores are equal"
    return ""


def _after_logistic(scores: Floats, label: Floats, draws: Draws) -> list[Figure]:
    curve, problem = fit_logistic(scores, label)
    if curve is None:
        return [Figure(math.nan, reason=problem)] * 2
    bent = curve(scores)
    error = distance(bent, label, draws)
    if np.ptp(bent) == 0:
        return [Figure(math.nan, reason="the logistic fit is constant"), error]
    return [draws.figure(_correlations(bent, label, draws)), error]


def _correlations(first: Floats, second: Floats, draws: Draws) -> Floats:
    """Give Pearson's correlation over the images of every draw, NaN where one side is constant."""
    first, second = ((each - each.mean()) / each.std() for each in (first, second))
    count, one, other = (draws.sums(part) for part in (np.ones(len(first)), first, second))
    one_square, other_square, product = (draws.sums(part) for part in (first**2, second**2, first * second))
    # r = (S_xy - S_x S_y / n) / sqrt((S_xx - S_x^2 / n) (S_yy - S_y^2 / n))
    spread = (one_square - one**2 / count) * (other_square - other**2 / count)
    # What rounding leaves of a constant is no spread.
    spread = np.where(spread > 1e-12 * one_square * other_square, spread, np.nan)
    correlations: Floats = (product - one * other / count) / np.sqrt(spread)
    return correlations


class _Ranks:
    """Middle ranks of one column in every draw."""

    def __init__(self, values: Floats, draws: Draws) -> None:
        levels, self.level = np.unique(values, return_inverse=True)
        of_images = (np.ones(len(values)), (self.level, draws.codes))
        self.members = sparse.csr_array(of_images, shape=(len(levels), draws.count))

    def __call__(self, counts: Floats) -> tuple[Floats, Floats]:
        """Give the ranks of the levels, about their middle, and their weights, ``(levels, draws)``."""
        weights: Floats = self.members @ counts
        # numpy sums up along the last axis ten times as fast as along the first.
        ranks = np.ascontiguousarray(np.cumsum(np.ascontiguousarray(weights.T), axis=1).T)
        ranks -= ranks[-1] / 2
        ranks -= weights / 2
        return ranks, weights


def _rank_correlations(methods: Mapping[str, Floats], label: Floats, draws: Draws) -> dict[str, Floats]:
    """Give Spearman's correlation of each method over the images of every draw: Pearson's of the middle ranks."""
    of_label = _Ranks(label, draws)
    of_methods = {name: _Ranks(scores, draws) for name, scores in methods.items()}
    found = {name: np.empty(len(draws.counts)) for name in methods}
    for first in range(0, len(draws.counts), _AT_ONCE):
        some = slice(first, first + _AT_ONCE)
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
