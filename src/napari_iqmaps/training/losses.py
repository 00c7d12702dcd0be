"""From thresholds to impairment, and from impairment to what training makes small."""

from __future__ import annotations

import torch
from torch import Tensor

_FEWEST_FOR_CORRELATION = 5
_SMALLEST_VISIBILITY = 1e-4
_SMALLEST_NORM = 1e-12


def combined_thresholds(both: Tensor, rule: str) -> Tensor:
    """Join the thresholds of both images of a pair.

    Parameters
    ----------
    both : torch.Tensor
        Thresholds in code values: of the distorted patches, then of as many reference patches.
    """
    test, reference = both.chunk(2)
    if rule == "smaller":
        return torch.minimum(test, reference)
    if rule == "larger":
        return torch.maximum(test, reference)
    return (test * reference).sqrt()


def impairment(test: Tensor, threshold: Tensor, mixing: Tensor, exponent: float) -> Tensor:
    """Give how much the difference of each pair of patches impairs it.

    Parameters
    ----------
    test : torch.Tensor
        Distorted patches ``(patches, 32, 32, 4)``, of which the last channel is the difference at each pixel.
    threshold : torch.Tensor
        T in code values, ``(patches,)``.
    exponent : float
        p of the p-mean d of the differences; 1 is the mean.

    Returns
    -------
    torch.Tensor
        ``1 - exp(-a d / T)``, ``(patches,)``.
    """
    difference = test[..., 3]
    distortion = difference.mean((1, 2)) if exponent == 1 else difference.pow(exponent).mean((1, 2)).pow(1 / exponent)
    return -torch.expm1(-mixing * distortion / threshold)


def power_mean(values: Tensor, exponent: float) -> Tensor:
    """Pool the impairment of patches into that of their image.

    Parameters
    ----------
    values : torch.Tensor
        From 0 to 1, ``(images, patches)``.
    exponent : float
        1 is the mean; above it the worst patches count for more.
    """
    if exponent == 1:
        return values.mean(1)
    return (values.clamp_min(0).pow(exponent).mean(1) + _SMALLEST_NORM).pow(1 / exponent)


def calibrated(seen: Tensor, numbers: Tensor, kind: str) -> Tensor:
    """Predict scores from impairment.

    Parameters
    ----------
    seen : torch.Tensor
        Impairment as the network gives it, ``(n,)``.
    numbers : torch.Tensor
        Two for each, ``(n, 2)``; zeros change nothing.
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
    """Give 1 - Pearson's correlation, averaged over the databases by the mean weight of their images.

    Parameters
    ----------
    seen, judged, weight : torch.Tensor
        The network's and people's impairment, and the weight, of each image, ``(images,)``.

    Returns
    -------
    torch.Tensor
        A number from 0 to 2; databases with fewer than five images in the step are left out.
    """
    terms, trust = [], []
    for index in range(databases):
        chosen = database == index
        if int(chosen.sum()) >= _FEWEST_FOR_CORRELATION:
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
