"""The networks' thresholds of single patches, arranged for speed in training.

The same functions as the networks' own (a test holds them together), from statistics that are already there, and in
the memory order in which the matrix products need no copies.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from ..core.networks.contrast import ContrastModel
from ..core.networks.pnet import PNet

_STEADY = 0.01


def thresholds(network: PNet | ContrastModel, patches: Tensor, dropout: float = 0.0) -> Tensor:
    """Give the threshold of each patch.

    Parameters
    ----------
    patches : torch.Tensor
        From `ImageBank.take`: ``(patches, 32, 32, 4)``.
    dropout : float
        Share of the P-net's features and hidden units to leave out.

    Returns
    -------
    torch.Tensor
        In code values, ``(patches,)``.
    """
    if isinstance(network, ContrastModel):
        contrast = patches[..., 2].mean((1, 2))
        return network.log_scale.exp() * functional.softplus(network.offset + network.slope * contrast)
    return _pnet(network, patches, dropout)


def _pnet(network: PNet, patches: Tensor, dropout: float) -> Tensor:
    luminance, distance, deviation, _ = patches.unbind(-1)
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
