"""The blind networks DIQA and DeepBQA: the trunk they share, what each makes of it, and how far it can be trusted."""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

from ..evidence import HOMOGENEOUS

KNOTS = 6


class Evidence(nn.Module):
    """How far an image is from those the network was trained on.

    `mean` is that of the training images' vectors; ``whitening @ (vector - mean)`` has the Mahalanobis distance as its
    length. `limit` is the largest distance at which there is enough evidence, infinite as long as nothing has been
    trained; `homogeneous` is the smallest mean reliability, not divided by its mean, at which there is a score.
    """

    mean: Tensor
    whitening: Tensor
    limit: Tensor
    homogeneous: Tensor

    def __init__(self, length: int) -> None:
        super().__init__()
        self.register_buffer("mean", torch.zeros(length))
        self.register_buffer("whitening", torch.eye(length))
        self.register_buffer("limit", torch.tensor(math.inf))
        self.register_buffer("homogeneous", torch.tensor(HOMOGENEOUS))

    def distance(self, pooled: Tensor) -> Tensor:
        """Give the Mahalanobis distance of pooled images from the training images, ``(images,)``."""
        lengths: Tensor = torch.linalg.vector_norm((pooled - self.mean) @ self.whitening.T, dim=-1)
        return lengths


class Uncertainty(nn.Module):
    """How far a score is off from what it predicts, which depends on the score.

    `knots` are six scores in ascending order, from 0 to `highest`, the ends of the scale; `deviations` the standard
    deviations of the error there, in points, NaN as long as they have not been measured.
    """

    knots: Tensor
    deviations: Tensor

    def __init__(self, highest: float = 100) -> None:
        super().__init__()
        self.register_buffer("knots", torch.linspace(0, highest, KNOTS))
        self.register_buffer("deviations", torch.full((KNOTS,), math.nan))


CELL = 4
"""Pixels from cell to cell of what lives at a quarter of the resolution; a cell sits on pixel 4 k, not between two."""

NORMALISED_REACH = 12
"""Pixels to each side on which a normalised pixel depends."""

ERROR_EXPONENT = 0.2
"""Of the absolute difference: spreads the many small differences and gathers the few large ones."""

NO_DIFFERENCE = 1e-3
"""Code values below which a difference of normalised images is none."""

RELIABILITY_SLOPE = 0.2
"""Alpha, per code value."""

_WHITE = 255.0
_BINOMIAL = (1.0, 4.0, 6.0, 4.0, 1.0)


def normalised(luminance: Tensor) -> Tensor:
    """Take the low frequencies away, of code values 0..255, ``(images, 1, height, width)``, sides multiples of four.

    Low frequencies are what two levels of the pyramid of Burt and Adelson keep: the binomial kernel 1 4 6 4 1, every
    second sample, twice, and back. No pixel is shifted. (The papers say blur, down to a quarter, and up again.) Within
    `NORMALISED_REACH` pixels of the border the result depends on the padding.
    """
    low = luminance
    for _ in range(2):
        low = _reduced(low)
    for _ in range(2):
        low = _expanded(low)
    return luminance - low


def quarter(plane: Tensor) -> Tensor:
    """Bring a plane to a quarter of its resolution by two reductions of the pyramid; the cell k sits on pixel 4 k."""
    return _reduced(_reduced(plane))


def objective_error(reference: Tensor, test: Tensor) -> Tensor:
    """Measure the error of a distorted image where its reference is known: ``(|reference - test| / 255) ** .2``.

    Both are normalised images; the error is at a quarter of their resolution, 0 for equal images, at most 1.15. Of the
    absolute difference `NO_DIFFERENCE` is taken off first, a quarter of the step of 16-bit pictures: the rounding of
    the pyramid, 1e-5 code values, would else be an error of .03 wherever two images differ in low frequencies only.
    """
    # DIQA, the objective error map with its exponent of .2.
    difference = ((reference - test).abs() - NO_DIFFERENCE).clamp_min(0)
    return quarter((difference / _WHITE).pow(ERROR_EXPONENT))


def reliability(normalised_image: Tensor, slope: float = RELIABILITY_SLOPE) -> Tensor:
    """Tell how far the prediction of an error can be relied on: hardly where an image has no detail.

    ``2 / (1 + exp(-alpha |x|)) - 1`` of the normalised image x at a quarter of its resolution, 0 to 1, not divided by
    its mean; `slope` is alpha, per code value.
    """
    # 2 / (1 + exp(-a |x|)) - 1 is tanh(a |x| / 2).
    return quarter(torch.tanh(normalised_image.abs() * (slope / 2)))


def _kernel(like: Tensor, gain: float) -> Tensor:
    one = torch.tensor(_BINOMIAL, dtype=like.dtype, device=like.device) / sum(_BINOMIAL)
    channels = like.shape[1]
    return (gain * one[:, None] * one).expand(channels, 1, -1, -1)


def _reduced(plane: Tensor) -> Tensor:
    padded = functional.pad(plane, (2, 2, 2, 2), mode="reflect")
    return functional.conv2d(padded, _kernel(plane, 1), stride=2, groups=plane.shape[1])


def _expanded(plane: Tensor) -> Tensor:
    padded = functional.pad(plane, (1, 1, 1, 1), mode="replicate")
    # Only a quarter of what the kernel meets are samples, hence the gain.
    fine = functional.conv_transpose2d(padded, _kernel(plane, 4), stride=2, groups=plane.shape[1])
    return fine[..., 4:-3, 4:-3]


INPUT_SCALE = 32.0
"""Code values of the normalised image for one unit of the networks' input: ordinary detail spreads by about one."""

FEATURES = 128

LOW_SCALE = 64.0
"""Code values of the low frequencies' standard deviation for one unit of what is pooled."""

POOLED = FEATURES + 2


class Cells(NamedTuple):
    """What a blind network says of an image, at a quarter of its resolution, ``(images, channels, rows, columns)``.

    The predicted objective error; the reliability, 0 to 1, not divided by its mean; the sensitivity, the weight of the
    error, or None for a network without; the 128 features of the trunk; and the luminance at a quarter of its
    resolution.
    """

    error: Tensor
    reliability: Tensor
    sensitivity: Tensor | None
    features: Tensor
    low: Tensor


class ErrorTrunk(nn.Module):
    """The convolutions that both papers share: features, and from them the predicted error map.

    3x3 kernels of 48, 48 (every second pixel), 64, 64 (every second pixel), 64, 64, 128 and 128 channels with
    rectifiers, then one linear 3x3 convolution to the error. Zeros are assumed beyond the border; whoever needs every
    cell right gives `REACH` pixels more, what the normalisation needs included.
    """

    # A 3x3 kernel adds 1 pixel at full, 2 at half and 4 at a quarter of the resolution, where there are five of them.
    REACH = 1 + 1 + 2 + 2 + 5 * CELL + NORMALISED_REACH

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
        """Give features and error, ``(images, 128, height / 4, width / 4)`` and ``(images, 1, height / 4, width / 4)``.

        `scaled` is the normalised image divided by `INPUT_SCALE`, ``(images, 1, height, width)``.
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
        """Say everything about a window without holes, code values 0..255, sides multiples of four, in one pass.

        Cells within `ErrorTrunk.REACH` of the border depend on what is assumed beyond.
        """
        detail = normalised(luminance)
        scaled = detail / INPUT_SCALE
        if luminance.device.type == "cpu":
            scaled = scaled.contiguous(memory_format=torch.channels_last)
        features, error = self.trunk(scaled)
        return Cells(error, reliability(detail), self.sensitivity_of(scaled), features, quarter(luminance))


def pooled(cells: Cells) -> Tensor:
    """Reduce whole images to what scores and distances from the training are made of, ``(images, 130)``.

    Mean features, mean reliability (not divided by anything), and the standard deviation of the low frequencies (of the
    population) divided by `LOW_SCALE`.
    """
    spread = cells.low.flatten(1).std(dim=1, correction=0) / LOW_SCALE
    return torch.cat([cells.features.mean((2, 3)), cells.reliability.mean((2, 3)), spread[:, None]], dim=1)


class DIQA(BlindNetwork):
    """The network of Kim, Nguyen and Lee [1]_.

    `hidden`, `output`: the score head: 130 to 128 with rectifiers, to 1.

    The score head sees the global average of the features and two numbers made by hand: the mean reliability, and the
    standard deviation of the low frequencies. Deviations from the paper: the score is 100 times a logistic function of
    the output, so that it stays on its scale and two bad images are never equal; those of the shared preprocessing are
    listed at `napari_iqmaps.core.blind.assess`.

    References
    ----------
    .. [1] J. Kim, A.-D. Nguyen, S. Lee, "Deep CNN-Based Blind Image Quality Predictor", IEEE TNNLS 30(1), 2019,
       doi:10.1109/TNNLS.2018.2829819.
    """

    def __init__(self) -> None:
        super().__init__()
        self.hidden = nn.Linear(POOLED, 128)
        self.output = nn.Linear(128, 1)

    def score(self, pooled: Tensor) -> Tensor:
        """Give the score, 0 (best) to 100 (worst), of images that `pooled` has reduced, ``(images, 130)``."""
        logit: Tensor = self.output(functional.relu(self.hidden(pooled)))
        return 100 * torch.sigmoid(logit[:, 0])


LEAK = 0.1


class SensitivityNet(nn.Module):
    """The convolutions that predict how much each error matters.

    The paper's slides do not state the layers; these are those of the authors' sibling method DeepQA: 3x3 kernels of
    32, 32 (every second pixel), 64, 64 (every second pixel), 64 and 1 channels, leaky rectifiers of slope .1, and at
    the end a rectifier whose bias starts at 1, so that training begins from an even map. `REACH` is in normalised
    pixels.
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
        """Give the sensitivity, at least 0, at a quarter of the resolution of the normalised and scaled image."""
        signal = scaled
        for convolution in self.convolutions[:-1]:
            signal = functional.leaky_relu(convolution(signal), LEAK)
        return functional.relu(self.convolutions[-1](signal))


class DeepBQA(BlindNetwork):
    """The network of Kim, Kim and Lee [1]_.

    `hidden`, `output`: the regression of the mean perceptual error: 1 to 4 with rectifiers, to 1.

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
        """Give the score, 0 (best) to 100 (worst), of images by their mean perceptual error, ``(images,)``."""
        logit: Tensor = self.output(functional.relu(self.hidden(perceptual_error[:, None])))
        return 100 * torch.sigmoid(logit[:, 0])
