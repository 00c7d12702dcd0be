"""The networks' thresholds of single patches, and the impairment of images that follows from them.

Thresholds are the same functions as the networks' own (a test holds them together), from statistics that are already
there, and in the memory order in which the matrix products need no copies.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from ...core.networks.pnet import ContrastModel, PNet

_STEADY = 0.01
"""Keeps the fourth channel, |x - mu| / (s + .01), finite on flat areas; the paper's."""

_SMALLEST_NORM = 1e-12
"""Within a root, so that its gradient is finite at 0."""


def thresholds(network: PNet | ContrastModel, patches: Tensor, dropout: float = 0.0) -> Tensor:
    """Give the threshold of each patch in code values, ``(patches,)``.

    `patches`: from `ImageBank.take`: ``(patches, 32, 32, 4)``. `dropout`: share of the P-net's features and hidden
    units to leave out.
    """
    if isinstance(network, ContrastModel):
        # T = k softplus(p0 + p1 s), with s the mean local standard deviation of the patch.
        contrast = patches[..., 2].mean((1, 2))
        return network.log_scale.exp() * functional.softplus(network.offset + network.slope * contrast)
    return _pnet(network, patches, dropout)


def _pnet(network: PNet, patches: Tensor, dropout: float) -> Tensor:
    luminance, distance, deviation, _ = patches.unbind(-1)
    # The four channels of Kottayil et al. (ICIP 2018, section 2): x, mu, s, |x - mu| / (s + .01).
    channels = torch.stack([luminance, luminance - distance, deviation, distance.abs() / (deviation + _STEADY)], dim=-1)
    # The weight and bias of each channel go into the filters, so that nothing flows back to the pixels.
    filters = network.convolution.weight
    kernel = (filters * network.channel_weight[:, None, None]).contiguous(memory_format=torch.channels_last)
    bias = filters.sum((2, 3)) @ network.channel_bias + network.convolution.get_parameter("bias")
    features = functional.relu_(functional.conv2d(channels.permute(0, 3, 1, 2), kernel, bias))
    dense = network.dense.weight.permute(0, 2, 3, 1).flatten(1)
    if dropout:
        # One mask a step for all patches: as good in trials, and drawing one for each patch costs as much as a
        # matrix product.
        keep = (torch.rand(dense.shape[1], device=dense.device) >= dropout).to(dense.dtype)
        dense = dense * (keep / (1 - dropout))
    hidden = functional.relu(
        functional.linear(features.permute(0, 2, 3, 1).flatten(1), dense, network.dense.get_parameter("bias"))
    )
    hidden = functional.dropout(hidden, dropout)
    with torch.autocast(patches.device.type, enabled=False):
        output = functional.linear(
            hidden.float(), network.output.weight.flatten(1), network.output.get_parameter("bias")
        )
    return network.threshold(output[:, 0])


def combined_thresholds(both: Tensor, rule: str) -> Tensor:
    """Join the thresholds of both images of a pair.

    `both`: thresholds in code values: of the distorted patches, then of as many reference patches.
    """
    test, reference = both.chunk(2)
    if rule == "smaller":
        return torch.minimum(test, reference)
    if rule == "larger":
        return torch.maximum(test, reference)
    return (test * reference).sqrt()


def impairment(test: Tensor, threshold: Tensor, mixing: Tensor, exponent: float) -> Tensor:
    """Give how much the difference of each pair of patches impairs it: ``1 - exp(-a d / T)``, ``(patches,)``.

    `test`: distorted patches ``(patches, 32, 32, 4)``, of which the last channel is the difference at each pixel.
    `threshold`: t in code values, ``(patches,)``. `mixing`: the scalar a. `exponent`: p of the p-mean d of the
    differences; 1 is the mean, as published.
    """
    # Kottayil et al. (ICIP 2018): the mixing function q = 1 - exp(-a d / T); d is the mean of |reference - distorted|
    # there, and here the p-mean of what an observer's channels pass of it.
    difference = test[..., 3]
    distortion = difference.mean((1, 2)) if exponent == 1 else difference.pow(exponent).mean((1, 2)).pow(1 / exponent)
    return -torch.expm1(-mixing * distortion / threshold)


def power_mean(values: Tensor, exponent: float) -> Tensor:
    """Pool the impairment of patches, ``(images, patches)``, into that of their image.

    `exponent`: 1 is the mean, as published; above it the worst patches count for more.
    """
    if exponent == 1:
        return values.mean(1)
    return (values.clamp_min(0).pow(exponent).mean(1) + _SMALLEST_NORM).pow(1 / exponent)
