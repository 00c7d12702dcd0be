"""DeepBQA: a sensitivity map learnt from scores, which turns predicted errors into perceptual ones."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from .blind import BlindNetwork
from .normalised import CELL

LEAK = 0.1


class SensitivityNet(nn.Module):
    """The convolutions that predict how much each error matters.

    Attributes
    ----------
    REACH : int
        Normalised pixels to each side of a cell's on which it depends.

    Notes
    -----
    The paper's slides do not state the layers; these are those of the authors' sibling method DeepQA: 3x3 kernels of
    32, 32 (every second pixel), 64, 64 (every second pixel), 64 and 1 channels, leaky rectifiers of slope .1, and at
    the end a rectifier whose bias starts at 1, so that training begins from an even map.
    """

    REACH = 1 + 1 + 2 + 2 + 2 * CELL

    def __init__(self) -> None:
        super().__init__()
        channels = ((1, 32, 1), (32, 32, 2), (32, 64, 1), (64, 64, 2), (64, 64, 1), (64, 1, 1))
        self.convolutions = nn.ModuleList(nn.Conv2d(given, made, 3, step, 1) for given, made, step in channels)
        for convolution in self.convolutions:
            nn.init.kaiming_normal_(convolution.get_parameter("weight"), a=LEAK)
            nn.init.zeros_(convolution.get_parameter("bias"))
        nn.init.ones_(self.convolutions[-1].get_parameter("bias"))

    def forward(self, scaled: Tensor) -> Tensor:
        """Give the sensitivity.

        Parameters
        ----------
        scaled : torch.Tensor
            The normalised image divided by the networks' input scale, ``(images, 1, height, width)``.

        Returns
        -------
        torch.Tensor
            At least 0, ``(images, 1, height / 4, width / 4)``.
        """
        signal = scaled
        for convolution in self.convolutions[:-1]:
            signal = functional.leaky_relu(convolution(signal), LEAK)
        return functional.relu(self.convolutions[-1](signal))


class DeepBQA(BlindNetwork):
    """The network of Kim, Kim and Lee [1]_.

    Attributes
    ----------
    hidden, output : torch.nn.Linear
        The regression of the mean perceptual error: 1 to 4 with rectifiers, to 1.

    Notes
    -----
    The perceptual error of a cell is sensitivity x error x reliability / mean reliability; the score is a function of
    its mean over the image. Deviations from the paper: the score is 100 times a logistic function of the output; those
    of the shared preprocessing are listed at `napari_iqmaps.core.blind.assess`.

    References
    ----------
    .. [1] J. Kim, W. Kim, S. Lee, "Deep Blind Image Quality Assessment by Learning Sensitivity Map", ICASSP 2018.
    """

    def __init__(self) -> None:
        super().__init__()
        self.sensitivity = SensitivityNet()
        self.hidden = nn.Linear(1, 4)
        self.output = nn.Linear(4, 1)

    def sensitivity_of(self, scaled: Tensor) -> Tensor:
        """Give the sensitivity map of a normalised and scaled image."""
        made: Tensor = self.sensitivity(scaled)
        return made

    def score(self, perceptual_error: Tensor) -> Tensor:
        """Give the score of images.

        Parameters
        ----------
        perceptual_error : torch.Tensor
            Its mean over each image, ``(images,)``.

        Returns
        -------
        torch.Tensor
            0 (best) to 100 (worst), ``(images,)``.
        """
        logit: Tensor = self.output(functional.relu(self.hidden(perceptual_error[:, None])))
        return 100 * torch.sigmoid(logit[:, 0])
