"""Which of two methods is better, pair by pair: differences with intervals, and a sign test."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal

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
    scoring, method, baseline : str
        What is compared with what.
    measure : str
        A key of `MEASURES`.
    pairs : int
        Pairs for which both have the measure.
    difference : Figure
        Mean of method less baseline, with its 95 % interval.
    median : float
        Of the differences.
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

    Parameters
    ----------
    outcomes : sequence of Outcome
        Of all methods and scorings.
    baseline : str
        The method that the others are compared with.
    measures : sequence of str
        Keys of `MEASURES`.
    seed : int
        Of the draws.

    Returns
    -------
    list of Paired
        Scorings, methods and measures in the order in which they came.

    Raises
    ------
    InputError
        If the baseline or a measure is unknown.

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

    Parameters
    ----------
    values : numpy.ndarray
        One for each pair, finite.
    pairs : sequence of (str, str)
        The two images of each.
    seed : int
        Of the draws.

    Returns
    -------
    figure : Figure
        The mean with percentiles of its bootstrap; no interval under five pairs or images, NaN for none.
    resampled : str
        ``"pairs"`` or ``"images"``: what was drawn; see `paired`.
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
