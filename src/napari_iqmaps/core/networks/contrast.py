"""The three-number threshold model: how much local contrast hides a distortion, in closed form."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from .pnet import PNet, local_statistics


class ContrastModel(nn.Module):
    """Visibility threshold from the local standard deviation, with three numbers.

    ``T = exp(k) softplus(p0 + p1 s)``, where s is the mean over the 32x32 patch of the local standard deviation
    (7x7 Gaussian, sigma 1) of the luminance. It has the geometry of `PNet`, so the two exchange freely: instant,
    explainable, and the bar that the network has to beat.

    `offset`, `slope`, `log_scale`: p0, p1 (per code value of local standard deviation) and k. `mixing`: the paper's
    scalar a, which turns d / T into impairment on the scale of human scores, ``1 - exp(-a d / T)``.

    Not in the paper: it rests on the observation that the published map is almost an affine function of s. The
    softplus keeps T positive and bends only where s is near zero.
    """

    def __init__(self) -> None:
        super().__init__()
        self.offset = nn.Parameter(torch.tensor(1.0))
        self.slope = nn.Parameter(torch.tensor(0.1))
        self.log_scale = nn.Parameter(torch.tensor(0.0))
        self.mixing = nn.Parameter(torch.tensor(0.3))

    def forward(self, luminance: Tensor, stride: int = 4) -> Tensor:
        """Give the threshold of every patch, in code values, at every `stride`-th pixel, as `PNet.forward` does."""
        _, _, deviation = local_statistics(luminance)
        contrast = functional.avg_pool2d(deviation, PNet.PATCH, stride)
        return self.log_scale.exp() * functional.softplus(self.offset + self.slope * contrast)
