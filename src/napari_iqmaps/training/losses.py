"""How a score is compared with those of people, whatever scale they are on."""

from __future__ import annotations

import torch
from torch import Tensor

FEWEST_FOR_CORRELATION = 5
"""Images of a database that a step needs; with fewer, the correlation says little and its gradient is large."""

_SMALLEST_VISIBILITY = 1e-4
_SMALLEST_NORM = 1e-12


def calibrated(seen: Tensor, numbers: Tensor, kind: str) -> Tensor:
    """Predict scores from impairment by two numbers for each, ``(n, 2)``; zeros change nothing.

    Databases differ in how they turn what is seen into scores, and a network should not have to bend for that. A
    slope is kept as its logarithm, so that it stays positive.
    """
    if kind == "affine":
        return seen * numbers[:, 0].exp() + numbers[:, 1]
    if kind == "power":
        return seen.clamp_min(_SMALLEST_VISIBILITY) ** numbers[:, 0].exp() * numbers[:, 1].exp()
    return seen


def weighted_mean(values: Tensor, weight: Tensor) -> Tensor:
    """Average with weights."""
    return (values * weight).sum() / weight.sum().clamp_min(torch.finfo(weight.dtype).tiny)


def uncorrelated(seen: Tensor, judged: Tensor, weight: Tensor, database: Tensor, databases: int) -> Tensor:
    """Give 1 - Pearson's correlation (0 to 2) by database, averaged by the mean weight of a database's images.

    `seen`, `judged`, `weight`: the network's and people's impairment, and the weight, of each image, ``(images,)``.
    """
    terms, trust = [], []
    for index in range(databases):
        chosen = database == index
        if int(chosen.sum()) >= FEWEST_FOR_CORRELATION:
            terms.append(1 - _correlation(seen[chosen], judged[chosen], weight[chosen]))
            trust.append(weight[chosen].mean())
    return weighted_mean(torch.stack(terms), torch.stack(trust)) if terms else seen.new_zeros(())


def _correlation(first: Tensor, second: Tensor, weight: Tensor) -> Tensor:
    first = first - weighted_mean(first, weight)
    second = second - weighted_mean(second, weight)
    product = (weight * first * second).sum()
    # Within the root, so that equal values give a correlation of 0 with a finite gradient.
    norms = ((weight * first.square()).sum() * (weight * second.square()).sum() + _SMALLEST_NORM).sqrt()
    return product / norms
