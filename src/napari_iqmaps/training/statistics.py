"""How well scores agree with people's, with intervals that count scenes rather than images."""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import optimize, special, stats

from ..core.bootstrap import Figure

Floats = npt.NDArray[np.float64]
Measure = Callable[[Floats, Floats], float]

FEWEST_IMAGES = 5
FEWEST_SCENES = 3
DRAWS = 1000


@dataclass(frozen=True)
class Agreement:
    """How a method's scores agree with people's.

    Attributes
    ----------
    srcc, plcc : Figure
        Spearman's and Pearson's correlation. Their sign tells the direction; both are given as they are.
    plcc_logistic, rmse : Figure
        Pearson's correlation and root mean square error after the logistic of `fit_logistic`, the error in the
        units of people's scores.
    """

    images: int
    scenes: int
    srcc: Figure
    plcc: Figure
    plcc_logistic: Figure
    rmse: Figure


def agreement(scores: Floats, judged: Floats, scenes: npt.NDArray[np.object_], *, seed: int = 0) -> Agreement:
    """Compare scores with people's.

    Notes
    -----
    Images of one photograph hang together, so the intervals draw scenes, not images, with replacement (a cluster
    bootstrap, percentiles). The logistic is fitted once, on all images, and stays in the draws: the intervals of what
    follows it do not contain the uncertainty of its four numbers.
    """
    scores, judged = np.asarray(scores, dtype=float), np.asarray(judged, dtype=float)
    # Infinite scores are PSNR's of equal luminance; as the best there is, they keep their rank.
    scores = _finite(scores)
    count, clusters = len(scores), len(set(scenes))
    reason = _reason(scores, judged)
    if reason:
        none = Figure(math.nan, reason=reason)
        return Agreement(count, clusters, none, none, none, none)
    drawn = _draws(scenes, seed)
    curve, problem = fit_logistic(scores, judged)
    if curve is None:
        none = Figure(math.nan, reason=problem)
        fitted = error = none
    else:
        bent = curve(scores)
        fitted = _figure(_pearson, bent, judged, drawn)
        error = _figure(_root_mean_square, bent, judged, drawn)
    return Agreement(
        count,
        clusters,
        _figure(_spearman, scores, judged, drawn),
        _figure(_pearson, scores, judged, drawn),
        fitted,
        error,
    )


def point(scores: Floats, judged: Floats) -> tuple[dict[str, float], str]:
    """Compare scores with people's, without intervals.

    Returns
    -------
    values : dict of str to float
        srcc, plcc, plcc_logistic and rmse, as in `Agreement`; NaN where there is none.
    reason : str
        Why there is none.
    """
    scores, judged = _finite(np.asarray(scores, dtype=float)), np.asarray(judged, dtype=float)
    values = dict.fromkeys(("srcc", "plcc", "plcc_logistic", "rmse"), math.nan)
    reason = _reason(scores, judged)
    if reason:
        return values, reason
    values |= {"srcc": _spearman(scores, judged), "plcc": _pearson(scores, judged)}
    curve, reason = fit_logistic(scores, judged)
    if curve is not None:
        bent = curve(scores)
        values |= {"plcc_logistic": _pearson(bent, judged), "rmse": _root_mean_square(bent, judged)}
    return values, reason


def median(values: npt.ArrayLike, reason: str = "") -> Figure:
    """Sum up a statistic over splits.

    Parameters
    ----------
    values : array_like
        One for each split; NaN where it had none.
    reason : str
        Why one had none.

    Returns
    -------
    Figure
        The median, and the 2.5th and 97.5th percentile of the splits. Splits share images, so this is how far one
        split may lie from another, not a confidence interval. None if less than half of the splits have a value.
    """
    found = np.asarray(values, dtype=float)
    known = found[np.isfinite(found)]
    if 2 * len(known) < len(found) or not len(known):
        return Figure(math.nan, reason=f"{len(found) - len(known)} of {len(found)} splits have none: {reason}")
    low, middle, high = (float(value) for value in np.percentile(known, [2.5, 50, 97.5]))
    return Figure(middle, low, high)


def fit_logistic(scores: Floats, judged: Floats) -> tuple[Callable[[Floats], Floats] | None, str]:
    """Fit the usual logistic of four numbers from scores to people's scores.

    Parameters
    ----------
    scores, judged : numpy.ndarray
        At least five images.

    Returns
    -------
    curve : callable or None
        ``b2 + (b1 - b2) / (1 + exp(-(x - b3) / b4))``; None if the fit did not converge.
    """
    middle, spread = float(np.mean(scores)), float(np.std(scores))
    direction = 1.0 if _pearson(scores, judged) >= 0 else -1.0

    def logistic(x: Floats, top: float, bottom: float, centre: float, width: float) -> Floats:
        curve: Floats = bottom + (top - bottom) * special.expit((x - centre) / width)
        return curve

    start = [judged.max(), judged.min(), 0.0, direction]
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", optimize.OptimizeWarning)  # of the covariance, which is not used
            with np.errstate(all="ignore"):
                found, _ = optimize.curve_fit(logistic, (scores - middle) / spread, judged, p0=start, maxfev=20000)
    except (RuntimeError, ValueError):
        return None, "the logistic fit did not converge"
    if not np.isfinite(found).all() or found[3] == 0:
        return None, "the logistic fit did not converge"
    return lambda x: logistic((x - middle) / spread, *found), ""


def _finite(scores: Floats) -> Floats:
    infinite = np.isinf(scores)
    if not infinite.any() or infinite.all():
        return scores
    known = scores[np.isfinite(scores)]
    edge = np.where(scores > 0, known.max() + np.ptp(known), known.min() - np.ptp(known))
    return np.where(infinite, edge, scores)


def _reason(scores: Floats, judged: Floats) -> str:
    if len(scores) < FEWEST_IMAGES:
        return f"{len(scores)} images, fewer than {FEWEST_IMAGES}"
    if not (np.isfinite(scores).all() and np.isfinite(judged).all()):
        return "some scores are missing"
    if np.ptp(scores) == 0 or np.ptp(judged) == 0:
        return "all scores are equal"
    return ""


def _draws(scenes: npt.NDArray[np.object_], seed: int) -> list[npt.NDArray[np.intp]]:
    """Draw scenes with replacement; give the images of each draw."""
    names, codes = np.unique(np.asarray(scenes, dtype=str), return_inverse=True)
    if len(names) < FEWEST_SCENES:
        return []
    members = [np.flatnonzero(codes == code) for code in range(len(names))]
    rng = np.random.default_rng(seed)
    return [np.concatenate([members[code] for code in rng.integers(len(names), size=len(names))]) for _ in range(DRAWS)]


def _figure(measure: Measure, scores: Floats, judged: Floats, drawn: list[npt.NDArray[np.intp]]) -> Figure:
    value = measure(scores, judged)
    if not drawn:
        return Figure(value, reason=f"fewer than {FEWEST_SCENES} scenes, so no interval")
    found = np.array([measure(scores[rows], judged[rows]) for rows in drawn])
    found = found[np.isfinite(found)]
    if len(found) < DRAWS / 2:
        return Figure(value, reason="most draws of scenes are constant, so no interval")
    low, high = np.percentile(found, [2.5, 97.5])
    return Figure(value, float(low), float(high))


def _pearson(first: Floats, second: Floats) -> float:
    first, second = first - first.mean(), second - second.mean()
    norm = math.sqrt(float(first @ first) * float(second @ second))
    return float(first @ second) / norm if norm > 0 else math.nan


def _spearman(first: Floats, second: Floats) -> float:
    return _pearson(stats.rankdata(first), stats.rankdata(second))


def _root_mean_square(first: Floats, second: Floats) -> float:
    return float(np.sqrt(np.mean((first - second) ** 2)))
