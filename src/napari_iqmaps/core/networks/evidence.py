"""What a trained blind network knows of its own limits: buffers that travel with its weights."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

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
