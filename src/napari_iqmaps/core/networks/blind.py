"""What the two blind networks have in common: the trunk that predicts errors, and what is pooled for a score."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

from .evidence import Evidence, Uncertainty
from .normalised import CELL, REACH, normalised, quarter, reliability

INPUT_SCALE = 32.0
"""Code values of the normalised image for one unit of the networks' input: ordinary detail spreads by about one."""

FEATURES = 128

LOW_SCALE = 64.0
"""Code values of the low frequencies' standard deviation for one unit of what is pooled."""

POOLED = FEATURES + 2


class Cells(NamedTuple):
    """What a blind network says of an image, at a quarter of its resolution.

    Attributes
    ----------
    error : torch.Tensor
        Predicted objective error, ``(images, 1, rows, columns)``.
    reliability : torch.Tensor
        0 to 1, not divided by its mean, of the same shape.
    sensitivity : torch.Tensor or None
        Weight of the error, at least 0, of the same shape; None for a network without.
    features : torch.Tensor
        Of the trunk, ``(images, 128, rows, columns)``.
    low : torch.Tensor
        The luminance at a quarter of its resolution, ``(images, 1, rows, columns)``.
    """

    error: Tensor
    reliability: Tensor
    sensitivity: Tensor | None
    features: Tensor
    low: Tensor


class ErrorTrunk(nn.Module):
    """The convolutions that both papers share: features, and from them the predicted error map.

    Attributes
    ----------
    REACH : int
        Pixels to each side of a cell's on which it depends, what the normalisation needs included.

    Notes
    -----
    3x3 kernels of 48, 48 (every second pixel), 64, 64 (every second pixel), 64, 64, 128 and 128 channels with
    rectifiers, then one linear 3x3 convolution to the error. Zeros are assumed beyond the border; whoever needs every
    cell right gives `REACH` pixels more.
    """

    REACH = 1 + 1 + 2 + 2 + 5 * CELL + REACH

    def __init__(self) -> None:
        super().__init__()
        channels = ((1, 48, 1), (48, 48, 2), (48, 64, 1), (64, 64, 2), (64, 64, 1), (64, 64, 1), (64, FEATURES, 1),
                    (FEATURES, FEATURES, 1))  # fmt: skip
        self.convolutions = nn.ModuleList(nn.Conv2d(given, made, 3, step, 1) for given, made, step in channels)
        self.error = nn.Conv2d(FEATURES, 1, 3, padding=1)
        for convolution in self.convolutions:
            nn.init.kaiming_normal_(convolution.get_parameter("weight"), nonlinearity="relu")
            nn.init.zeros_(convolution.get_parameter("bias"))

    def forward(self, scaled: Tensor) -> tuple[Tensor, Tensor]:
        """Give features and error.

        Parameters
        ----------
        scaled : torch.Tensor
            The normalised image divided by `INPUT_SCALE`, ``(images, 1, height, width)``.

        Returns
        -------
        features, error : torch.Tensor
            ``(images, 128, height / 4, width / 4)`` and ``(images, 1, height / 4, width / 4)``.
        """
        features = scaled
        for convolution in self.convolutions:
            features = functional.relu(convolution(features))
        return features, self.error(features)


class BlindNetwork(nn.Module):
    """Base of `DIQA` and `DeepBQA`: the trunk, and the pass over a window."""

    def __init__(self) -> None:
        super().__init__()
        self.trunk = ErrorTrunk()
        self.evidence = Evidence(POOLED)
        self.uncertainty = Uncertainty()

    def sensitivity_of(self, scaled: Tensor) -> Tensor | None:
        """Give the sensitivity map of a normalised and scaled image, or None for a network without one."""
        return None

    def forward(self, luminance: Tensor) -> Cells:
        """Say everything about a window in one pass.

        Parameters
        ----------
        luminance : torch.Tensor
            Code values 0..255 without holes, ``(images, 1, height, width)``, sides multiples of four.

        Returns
        -------
        Cells
            At every fourth pixel; those within `ErrorTrunk.REACH` of the border depend on what is assumed beyond.
        """
        detail = normalised(luminance)
        scaled = detail / INPUT_SCALE
        if luminance.device.type == "cpu":
            scaled = scaled.contiguous(memory_format=torch.channels_last)
        features, error = self.trunk(scaled)
        return Cells(error, reliability(detail), self.sensitivity_of(scaled), features, quarter(luminance))


def pooled(cells: Cells) -> Tensor:
    """Reduce whole images to what scores and distances from the training are made of.

    Returns
    -------
    torch.Tensor
        ``(images, 130)``: mean features, mean reliability (not divided by anything), and the standard deviation of the
        low frequencies (of the population) divided by `LOW_SCALE`.
    """
    spread = cells.low.flatten(1).std(dim=1, correction=0) / LOW_SCALE
    return torch.cat([cells.features.mean((2, 3)), cells.reliability.mean((2, 3)), spread[:, None]], dim=1)
