"""DIQA: an objective error map, and a score from the features that predict it."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from .blind import POOLED, BlindNetwork


class DIQA(BlindNetwork):
    """The network of Kim, Nguyen and Lee [1]_.

    Attributes
    ----------
    hidden, output : torch.nn.Linear
        The score head: 130 to 128 with rectifiers, to 1.

    Notes
    -----
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
        """Give the score of pooled images.

        Parameters
        ----------
        pooled : torch.Tensor
            ``(images, 130)``; see `napari_iqmaps.core.networks.blind.pooled`.

        Returns
        -------
        torch.Tensor
            0 (best) to 100 (worst), ``(images,)``.
        """
        logit: Tensor = self.output(functional.relu(self.hidden(pooled)))
        return 100 * torch.sigmoid(logit[:, 0])
