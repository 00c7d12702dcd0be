"""Local mean and standard deviation, the first step of every threshold model."""

from __future__ import annotations

import math

import torch
from torch import Tensor

SIGMA = 1.0
RADIUS = 3
_TAPS = [math.exp(-0.5 * (k / SIGMA) ** 2) for k in range(-RADIUS, RADIUS + 1)]
GAUSSIAN = tuple(tap / sum(_TAPS) for tap in _TAPS)
"""The 7 weights of the Gaussian along one axis; the 7x7 one is their outer product."""

# A variance below this (squared code values) is read as flat: the square root keeps a finite
# gradient there, and a deviation of .001 is a tenth of the .01 that the P-net adds to it.
_FLAT_VARIANCE = 1e-6


def local_statistics(luminance: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Give each pixel with the mean and the standard deviation of its 7x7 Gaussian neighbourhood.

    Parameters
    ----------
    luminance : torch.Tensor, shape (N, 1, H, W)
        Floating point, code values 0..255.

    Returns
    -------
    luminance, mean, deviation : torch.Tensor, shape (N, 1, H - 6, W - 6)
        Without padding: pixels whose neighbourhood reaches outside have none.
    """
    centre = _crop(_crop(luminance, -1), -2)
    across, variance_across = _local_moments(luminance, None, -1)
    mean, variance = _local_moments(across, variance_across, -2)
    return centre, mean, variance.abs().clamp_min(_FLAT_VARIANCE).sqrt()


def _crop(x: Tensor, dim: int, start: int = RADIUS) -> Tensor:
    """Take what the Gaussian's tap `start` sees along `dim`: shorter by twice its reach."""
    return x.narrow(dim, start, x.shape[dim] - 2 * RADIUS)


def _local_moments(mean: Tensor, variance: Tensor | None, dim: int) -> tuple[Tensor, Tensor]:
    """Pool means and variances of points along one axis with the Gaussian.

    By the law of total variance, the variance of a pool is the mean of the variances in it plus
    the variance of the means; so two passes of 7 taps give the 49 tap variance. All differences
    are taken from the point in the middle, where G*x^2 - mu^2 would subtract two numbers near
    65,000 to find a variance near 0: a flat image gives exactly 0 at any brightness. The sums run
    in one order for every pixel, so a patch alone and a patch in an image agree to the last bit.
    """
    middle = _crop(mean, dim)
    shift = torch.zeros_like(middle)
    spread = torch.zeros_like(middle)
    for tap, weight in enumerate(GAUSSIAN):
        if tap != RADIUS:
            difference = _crop(mean, dim, tap) - middle
            shift = shift.add_(difference, alpha=weight)
            spread = spread.addcmul_(difference, difference, value=weight)
        if variance is not None:
            spread = spread.add_(_crop(variance, dim, tap), alpha=weight)
    return middle + shift, spread - shift * shift
