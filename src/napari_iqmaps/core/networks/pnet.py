"""The P-net: how strong a distortion must be, at each place of an image, to be noticed."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional

from .local_statistics import RADIUS, local_statistics

__all__ = ["PNet"]

_START_THRESHOLD = 3.0
_START_MIXING = 0.3


class PNet(nn.Module):
    """Map an image to the distortion threshold T of each 32x32 patch of it.

    T, in luminance code values (0..255), is the distortion that an observer notices with the probability 1 - 1/e:
    q(d) = 1 - exp(-d / T).

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
    Layers, widths, dropout and starting values are those of [1]_, with 2,512,242 parameters. The scalar `mixing`, a in
    the paper, turns d / T into impairment on the scale of human scores, 1 - exp(-a d / T). Images with scores
    determine only a / T: training ends by setting the scale of T, and a with it (see `napari_iqmaps.training`), and
    both are kept.

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
    NEIGHBOURHOOD = PATCH + 2 * RADIUS
    LIMITS = (0.01, 100.0)

    def __init__(self) -> None:
        super().__init__()
        self.channel_weight = nn.Parameter(torch.tensor([1 / 255, 1 / 255, 1 / 255, 1 / 4]))
        self.channel_bias = nn.Parameter(torch.full((4,), 1e-6))
        self.convolution = nn.Conv2d(4, 32, 5)
        # Dense layers on a patch, kept as convolutions: the same numbers slide over an image.
        self.dense = nn.Conv2d(32, 100, self.PATCH - 4)
        self.output = nn.Conv2d(100, 1, 1)
        self.mixing = nn.Parameter(torch.tensor(_START_MIXING))
        self.dropout = nn.Dropout(0.5)
        for layer in (self.convolution, self.dense, self.output):
            nn.init.xavier_uniform_(layer.weight)
            nn.init.zeros_(layer.get_parameter("bias"))
        nn.init.constant_(self.output.get_parameter("bias"), math.log(_START_THRESHOLD))

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
            luminance, mean, deviation = local_statistics(x.to(self.channel_weight.dtype))
            distance = (luminance - mean).abs() / (deviation + 0.01)
            channels = torch.cat([luminance, mean, deviation, distance], dim=1)
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
        return functional.relu(self.convolution(augmented), inplace=True)

    def head(self, features: Tensor, stride: int = 4) -> Tensor:
        """Reduce the 28x28 features of each patch to its threshold.

        Parameters
        ----------
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
            hidden = functional.linear(features.flatten(1), weight.flatten(1), bias)[..., None, None]
        else:
            hidden = functional.conv2d(features, weight, bias, stride=stride)
        return self.threshold(self.output(self.dropout(functional.relu(hidden))))

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
