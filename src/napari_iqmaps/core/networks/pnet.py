"""The P-net: how strong a distortion must be, at each place of an image, to be noticed."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

__all__ = ["PNet"]

_SIGMA = 1.0
_RADIUS = 3
_TAPS = [math.exp(-0.5 * (k / _SIGMA) ** 2) for k in range(-_RADIUS, _RADIUS + 1)]
#: The 7 weights of the Gaussian along one axis; the 7x7 one is their outer product.
GAUSSIAN = tuple(tap / sum(_TAPS) for tap in _TAPS)

# A variance below this (squared code values) is read as flat: the square root keeps a finite
# gradient there, and a deviation of .001 is a tenth of the .01 it is added to.
_FLAT_VARIANCE = 1e-6
_START_THRESHOLD = 3.0


class PNet(nn.Module):
    """Map an image to the distortion threshold T of each 32x32 patch of it.

    T, in luminance code values (0..255), is the mean absolute distortion of a patch that an
    observer notices with probability q = 1 - 1/e: q(d) = 1 - exp(-d / T).

    Attributes
    ----------
    PATCH : int
        Side of the patch that a threshold belongs to, in pixels (32).
    NEIGHBOURHOOD : int
        Side of what has to be known to compute it, in pixels (38): the patch and the reach of
        the 7x7 Gaussian around it.
    LIMITS : tuple of float
        Smallest and largest threshold, in code values.

    Notes
    -----
    Layers, widths, dropout and starting values are those of [1]_, with 2,512,242 parameters. Of
    these the last one, the scalar `a` of q = 1 - exp(-a d / T), is not a separate parameter here:
    T / a is the only quantity that can be observed, and in the log domain log(a) is the bias of
    the last layer. So T is known without a scale to be kept beside the weights, and 2,512,241
    parameters remain.

    What differs from the paper, and why:

    - The output is log T: T = exp(clamp(z)). The published clip of T to [.01, 100] has no
      gradient at its floor, where 1/T^2 explodes just above it; here a step of z is the same
      relative change of T everywhere. The bias of the last layer starts at log 3, so that T
      starts in the middle of the published range.
    - Gradients are to be clipped while training (see `napari_iqmaps.training`).
    - The Gaussian reads a true neighbourhood of 38x38 pixels, where the paper pads each patch
      with zeros. A patch then has one threshold, whether it is evaluated alone or with the
      whole image: the network is convolutional from end to end, without padding.

    References
    ----------
    .. [1] N. K. Kottayil, G. Valenzise, F. Dufaux, I. Cheng, "Learning Local Distortion
       Visibility from Image Quality", ICIP 2018, arXiv:1803.04053.
    """

    PATCH = 32
    NEIGHBOURHOOD = PATCH + 2 * _RADIUS
    LIMITS = (0.01, 100.0)

    def __init__(self) -> None:
        super().__init__()
        self.channel_weight = nn.Parameter(torch.tensor([1 / 255, 1 / 255, 1 / 255, 1 / 4]))
        self.channel_bias = nn.Parameter(torch.full((4,), 1e-6))
        self.convolution = nn.Conv2d(4, 32, 5)
        # Dense layers on a patch, kept as convolutions: the same numbers slide over an image.
        self.dense = nn.Conv2d(32, 100, self.PATCH - 4)
        self.output = nn.Conv2d(100, 1, 1)
        self.dropout = nn.Dropout(0.5)
        for layer in (self.convolution, self.dense, self.output):
            nn.init.xavier_uniform_(layer.weight)
            nn.init.constant_(_bias(layer), 0.0)
        nn.init.constant_(_bias(self.output), math.log(_START_THRESHOLD))

    def augment(self, x: Tensor) -> Tensor:
        """Add to the luminance what the eye compares it with.

        Parameters
        ----------
        x : Tensor, shape (N, 1, H, W)
            Luminance in code values, 0..255.

        Returns
        -------
        Tensor, shape (N, 4, H - 6, W - 6)
            Luminance, local mean, local standard deviation, and the distance from the mean in
            standard deviations; each times its weight plus its bias. In channels-last order.
        """
        # Statistics are kept out of autocast: 8 bits of mantissa cannot tell x from its mean.
        with torch.autocast(x.device.type, enabled=False):
            x = x.to(self.channel_weight.dtype)
            centre = _crop(_crop(x, -1), -2)
            across, variance_across = _local_moments(x, None, -1)
            mean, variance = _local_moments(across, variance_across, -2)
            deviation = variance.abs().clamp_min(_FLAT_VARIANCE).sqrt()
            distance = (centre - mean).abs() / (deviation + 0.01)
            channels = torch.cat([centre, mean, deviation, distance], dim=1)
            channels = channels.permute(0, 2, 3, 1).contiguous()
            channels = torch.addcmul(self.channel_bias, channels, self.channel_weight)
            return channels.permute(0, 3, 1, 2)

    def features(self, x: Tensor) -> Tensor:
        """Filter the augmented luminance: 32 maps, 5x5, rectified.

        Parameters
        ----------
        x : Tensor, shape (N, 1, H, W)
            Luminance in code values, 0..255.

        Returns
        -------
        Tensor, shape (N, 32, H - 10, W - 10)
            In channels-last order.
        """
        augmented = self.augment(x)
        return F.relu_(self.convolution(augmented))

    def head(self, features: Tensor, stride: int = 4) -> Tensor:
        """Reduce the 28x28 features of each patch to its threshold.

        Parameters
        ----------
        features : Tensor, shape (N, 32, H - 10, W - 10)
            From `features`.
        stride : int
            Distance of neighbouring patches in pixels.

        Returns
        -------
        Tensor, shape (N, 1, (H - 38) // stride + 1, (W - 38) // stride + 1)
            Thresholds in code values.
        """
        features = self.dropout(features)
        weight, bias = self.dense.weight, self.dense.bias
        if features.shape[-2:] == weight.shape[-2:]:
            # One patch an image, as in training: a matrix product, twice as fast.
            hidden = F.linear(features.flatten(1), weight.flatten(1), bias)[..., None, None]
        else:
            hidden = F.conv2d(features, weight, bias, stride=stride)
        return self.threshold(self.output(self.dropout(F.relu(hidden))))

    def threshold(self, z: Tensor) -> Tensor:
        """Return T = exp(z) within the limits, in the precision of the parameters.

        Parameters
        ----------
        z : Tensor, any shape
            Logarithm of the threshold, as the last layer gives it.

        Returns
        -------
        Tensor, same shape
            Thresholds in code values.
        """
        with torch.autocast(z.device.type, enabled=False):
            low, high = (math.log(limit) for limit in self.LIMITS)
            return z.to(self.channel_weight.dtype).clamp(low, high).exp()

    def forward(self, x: Tensor, stride: int = 4) -> Tensor:
        """Threshold of every patch of an image, at every `stride`-th pixel.

        Parameters
        ----------
        x : Tensor, shape (N, 1, H, W), H and W at least 38
            Luminance in code values, 0..255.
        stride : int
            Distance of neighbouring patches in pixels.

        Returns
        -------
        Tensor, shape (N, 1, (H - 38) // stride + 1, (W - 38) // stride + 1)
            Thresholds in code values. Cell (i, j) belongs to the patch whose first pixel is
            (stride i + 3, stride j + 3), that is to the point (stride i + 18.5, stride j + 18.5).
        """
        return self.head(self.features(x), stride)


def _bias(layer: nn.Conv2d) -> Tensor:
    assert layer.bias is not None  # noqa: S101 - for the type checker; every layer here has one
    return layer.bias


def _crop(x: Tensor, dim: int, start: int = _RADIUS) -> Tensor:
    """Take what the Gaussian's tap `start` sees along `dim`: shorter by twice its reach."""
    return x.narrow(dim, start, x.shape[dim] - 2 * _RADIUS)


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
        if tap != _RADIUS:
            difference = _crop(mean, dim, tap) - middle
            shift = shift.add_(difference, alpha=weight)
            spread = spread.addcmul_(difference, difference, value=weight)
        if variance is not None:
            spread = spread.add_(_crop(variance, dim, tap), alpha=weight)
    return middle + shift, spread - shift * shift
