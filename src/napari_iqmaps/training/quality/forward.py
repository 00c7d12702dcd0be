"""A blind network in training: convolutions in the precision of the machine, everything else in single precision."""

from __future__ import annotations

import torch
from torch import Tensor

from ...core.networks.blind import INPUT_SCALE, BlindNetwork, Cells, normalised, quarter, reliability

_LEAST_RELIABILITY = 1e-3


def cells_of(network: BlindNetwork, luminance: Tensor, *, half: bool) -> Cells:
    """Run a network on windows, as its own ``forward`` does.

    Parameters
    ----------
    network : BlindNetwork
        In channels-last memory order, which the convolutions are fastest in.
    luminance : torch.Tensor
        Code values, float32, ``(images, 1, height, width)``.
    half : bool
        Whether the convolutions are in bfloat16. The pyramid never is: three digits of a code value are not enough.

    Returns
    -------
    Cells
        All in float32; what rests on no weights has no gradient.
    """
    with torch.no_grad():
        detail = normalised(luminance)
        rely, low = reliability(detail), quarter(luminance)
        scaled = (detail / INPUT_SCALE).contiguous(memory_format=torch.channels_last)
    with torch.autocast(luminance.device.type, torch.bfloat16, enabled=half):
        features, error = network.trunk(scaled)
        sensitivity = network.sensitivity_of(scaled)
    if features.requires_grad:
        # The means over a map give gradients in another memory order, with which a step takes a tenth longer.
        features.register_hook(lambda gradient: gradient.contiguous(memory_format=torch.channels_last))
    return Cells(error.float(), rely, None if sensitivity is None else sensitivity.float(), features.float(), low)


def inner(cells: Tensor, border: int) -> Tensor:
    """Leave out the cells along the border, which see what is assumed beyond it.

    Parameters
    ----------
    cells : torch.Tensor
        ``(images, channels, rows, columns)``.
    border : int
        How many of them; 0 leaves all.
    """
    return cells[..., border:-border, border:-border] if border else cells


def inner_cells(cells: Cells, border: int) -> Cells:
    """Leave out the cells along the border in all that a network says.

    Parameters
    ----------
    border : int
        How many; 0 leaves all.
    """
    error, raw, features, low = (
        inner(each, border) for each in (cells.error, cells.reliability, cells.features, cells.low)
    )
    sensitivity = None if cells.sensitivity is None else inner(cells.sensitivity, border)
    return Cells(error, raw, sensitivity, features, low)


def relative(raw: Tensor) -> Tensor:
    """Divide reliability by its mean over each image.

    Parameters
    ----------
    raw : torch.Tensor
        0 to 1, ``(images, 1, rows, columns)``.

    Returns
    -------
    torch.Tensor
        Of mean 1, or smaller numbers where an image has hardly any detail.
    """
    return raw / (raw.mean((2, 3), keepdim=True) + _LEAST_RELIABILITY)
