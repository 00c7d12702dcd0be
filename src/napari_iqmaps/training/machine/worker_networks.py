"""Four small recognisers of different make, for pictures of 24 pixels a side and more."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

from ...core.errors import InputError
from .worker_config import ARCHITECTURES, SMALLEST_SIDE

MIDDLE, SPREAD = 0.47, 0.25
"""What is taken off values of 0 (black) to 1 (white) and what they are divided by, of natural photographs."""


def _step(
    inputs: int, outputs: int, kernel: int = 3, stride: int = 1, *, groups: int = 1, pool: bool = False
) -> nn.Sequential:
    """Convolve, halve if wanted, normalise over the batch, rectify."""
    layers: list[nn.Module] = [
        nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2, groups=groups, bias=False),
        # Before the normalisation, which then has a quarter of the numbers to go through.
        *([nn.MaxPool2d(2)] if pool else []),
        nn.BatchNorm2d(outputs),
        nn.ReLU(inplace=True),
    ]
    return nn.Sequential(*layers)


class _Residual(nn.Module):
    """Add what a few layers say to what they were given."""

    def __init__(self, *layers: nn.Module) -> None:
        super().__init__()
        self.change = nn.Sequential(*layers)

    def forward(self, cells: Tensor) -> Tensor:
        change: Tensor = self.change(cells)
        return cells + change


def _separable(inputs: int, outputs: int, *, pool: bool = False) -> nn.Sequential:
    """Filter each channel by itself, then mix the channels."""
    # In bfloat16 a filter that skips pixels goes a slow way: 110 ms for 20 (48 channels of 32x32, torch 2.13).
    return nn.Sequential(_step(inputs, inputs, groups=inputs), _step(inputs, outputs, 1, pool=pool))


def _plain(width: int) -> tuple[nn.Sequential, int]:
    """Convolutions and maxima, one after the other, as in VGG."""
    return nn.Sequential(
        _step(3, width),
        _step(width, 2 * width, pool=True),
        _step(2 * width, 2 * width),
        _step(2 * width, 4 * width, pool=True),
        _step(4 * width, 4 * width),
        _step(4 * width, 8 * width, pool=True),
        _step(8 * width, 8 * width),
    ), 8 * width


def _residual(width: int) -> tuple[nn.Sequential, int]:
    """Pairs of convolutions that add to what they were given, as in ResNet."""

    def pair(channels: int) -> nn.Module:
        return _Residual(
            _step(channels, channels), nn.Conv2d(channels, channels, 3, 1, 1, bias=False), nn.BatchNorm2d(channels)
        )

    layers: list[nn.Module] = [_step(3, width)]
    for times in (1, 2, 4):
        layers += [_step(times * width, 2 * times * width, stride=2), pair(2 * times * width), nn.ReLU(inplace=True)]
    return nn.Sequential(*layers), 8 * width


def _separated(width: int) -> tuple[nn.Sequential, int]:
    """One filter a channel, then a mixture of the channels, as in MobileNet."""
    return nn.Sequential(
        _step(3, 2 * width, pool=True),
        _Residual(_separable(2 * width, 2 * width)),
        _Residual(_separable(2 * width, 2 * width)),
        _separable(2 * width, 4 * width, pool=True),
        _Residual(_separable(4 * width, 4 * width)),
        _Residual(_separable(4 * width, 4 * width)),
        _Residual(_separable(4 * width, 4 * width)),
        _separable(4 * width, 8 * width, pool=True),
    ), 8 * width


def _patches(width: int) -> tuple[nn.Sequential, int]:
    """Overlapping patches of 5x5 pixels, mixed over places and over channels by turns, as in ConvMixer."""
    layers: list[nn.Module] = [_step(3, width, 5, 3)]
    for _ in range(5):
        layers += [_Residual(_step(width, width, groups=width)), _step(width, width, 1)]
    return nn.Sequential(*layers), width


_BUILDERS: dict[str, Callable[[int], tuple[nn.Sequential, int]]] = {
    "plain": _plain,
    "residual": _residual,
    "separable": _separated,
    "patches": _patches,
}


class WorkerNetwork(nn.Module):
    """A recogniser, which says what class a picture shows.

    Parameters
    ----------
    width : int, optional
        Channels of its first step; by default what the command line has for the architecture.

    Notes
    -----
    The features of all places are averaged, so a picture may have any size from 24 pixels a side on; objects have to
    be about as large, in pixels, as in the pictures it learnt from.
    """

    def __init__(self, architecture: str, classes: int, width: int | None = None) -> None:
        super().__init__()
        if architecture not in _BUILDERS:
            raise InputError(f"There is no architecture {architecture!r}. Choose one of {', '.join(_BUILDERS)}.")
        if classes < 2:
            raise InputError(f"There are {classes} classes; a recogniser needs two or more to choose from.")
        self.features, channels = _BUILDERS[architecture](width or ARCHITECTURES[architecture])
        self.head = nn.Linear(channels, classes)

    def forward(self, colours: Tensor) -> Tensor:
        """Give the logit of each class.

        Parameters
        ----------
        colours : torch.Tensor
            ``(batch, 3, height, width)``, RGB from 0 (black) to 1 (white), at least 24 pixels a side.
        """
        height, width = colours.shape[-2:]
        if min(height, width) < SMALLEST_SIDE:
            raise InputError(
                f"The pictures have {height}x{width} pixels; the recogniser needs {SMALLEST_SIDE} a side. Enlarge them."
            )
        cells: Tensor = self.features((colours - MIDDLE) / SPREAD)
        logits: Tensor = self.head(cells.mean((2, 3)))
        return logits


def predicted(network: nn.Module, pictures: Tensor, batch: int = 500) -> Tensor:
    """Give a network's probabilities for pictures in memory.

    Parameters
    ----------
    pictures : torch.Tensor
        uint8, ``(number, 3, height, width)``.

    Returns
    -------
    torch.Tensor
        float32, ``(number, classes)``.
    """
    with torch.inference_mode():
        parts = [network(part.float() / 255).float().softmax(1) for part in torch.split(pictures, batch)]
    return torch.cat(parts)
