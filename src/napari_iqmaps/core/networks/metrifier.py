"""The metrifier: a fully convolutional network from colours to how well a recogniser does with what is there."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from .blind import Uncertainty

CELL = 4
"""Pixels from one cell to the next; cell k sits on pixel 4 k."""

CHANNELS = 3
"""Red, green and blue; a grey image is given three times."""

MIDDLE, SPREAD = 0.47, 0.25
"""What is taken off values of 0 (black) to 1 (white) and what they are divided by, of natural photographs."""


class Step(nn.Sequential):
    """A valid 3x3 convolution, normalised over the batch in training and by fixed numbers after it."""

    def __init__(self, inputs: int, outputs: int, stride: int = 1) -> None:
        super().__init__(
            nn.Conv2d(inputs, outputs, 3, stride, bias=False), nn.BatchNorm2d(outputs), nn.ReLU(inplace=True)
        )


class Residual(nn.Module):
    """Adds a step to what it was given, whose border the step has no answer for."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.step = Step(channels, channels)

    def forward(self, cells: Tensor) -> Tensor:
        """Give cells with one less on each side."""
        change: Tensor = self.step(cells)
        return cells[..., 1:-1, 1:-1] + change


class Metrifier(nn.Module):
    """Predicts a recogniser's probability of the true class, from the neighbourhood of every fourth pixel.

    Convolutions are valid: nothing is padded, so a part of an image gives what the whole gives there. A cell depends on
    `REACH` pixels to each side; whoever wants an answer at the border gives more than the image: training and inference
    reflect it (without repeating the border). `width` is how many channels the first step has; those after it have
    twice and four times as many. `trained_side` is the shorter side of the training's pictures in pixels, 0 where it is
    not known.
    """

    REACH = 18

    def __init__(self, width: int = 32) -> None:
        super().__init__()
        self.features = nn.Sequential(
            Step(CHANNELS, width),
            Step(width, 2 * width, stride=2),
            Step(2 * width, 2 * width),
            Step(2 * width, 4 * width, stride=2),
            Residual(4 * width),
            Residual(4 * width),
            Residual(4 * width),
        )
        self.head = nn.Conv2d(4 * width, 1, 1)
        self.uncertainty = Uncertainty(1)
        self.trained_side: Tensor
        self.register_buffer("trained_side", torch.tensor(0.0))

    def forward(self, colours: Tensor) -> Tensor:
        """Give the logit of each cell, ``(batch, 1, ceil(height / 4), ceil(width / 4))``, of a probability.

        Colours are ``(batch, 3, height + 2 REACH, width + 2 REACH)``, 0 (black) to 1 (white), gamma-coded.
        """
        logits: Tensor = self.head(self.features((colours - MIDDLE) / SPREAD))
        return logits


def score_of(logits: Tensor) -> Tensor:
    """Pool the logits of cells, ``(batch, 1, rows, columns)``, to a score: the mean of their probabilities."""
    return torch.sigmoid(logits).mean((1, 2, 3))


def with_border(colours: Tensor) -> Tensor:
    """Reflect images of at least 19 pixels a side at their borders by the 18 that a cell there looks at."""
    reach = Metrifier.REACH
    return nn.functional.pad(colours, (reach, reach, reach, reach), mode="reflect")
