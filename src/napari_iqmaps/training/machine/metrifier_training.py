"""What Lightning trains: a metrifier that learns how well workers did, beside a layer that tells the classes apart."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from ...core.networks.metrifier import MIDDLE, SPREAD, Metrifier, score_of
from ..clipping import ClipsGradients
from ..schedule import schedule_of
from ..trainer import log_step
from .metrifier_config import MetrifierConfig

_WHITE = 255.0
_BETAS = (0.9, 0.99)

_LARGEST_SPREAD = 0.5
"""The standard deviation of labels that are all 0 or 1, by which squared deviations are divided."""

_CERTAIN = 1e-4
"""What a score keeps from 0 and 1 in the loss, so that no label makes it infinite."""


class MetrifierTraining(ClipsGradients):
    """A metrifier in training.

    Parameters
    ----------
    half : bool
        Whether the convolutions are in bfloat16.

    Attributes
    ----------
    classifier : torch.nn.Linear or None
        From the features' means over a picture to the logits of its classes; dropped. How well a worker does depends as
        much on what the picture shows as on its distortion, and a network that knows what the workers take a picture
        for can tell what is hard about it. In trials of 1250 steps this was worth 600 of them; the true class alone was
        worth nothing.
    """

    def __init__(self, config: MetrifierConfig, classes: int, half: bool) -> None:
        super().__init__()
        config.check_classes(classes)
        self.config = config
        self.half_precision = half
        torch.manual_seed(config.seed)
        self.network = Metrifier()
        self.classifier = nn.Linear(self.network.head.in_channels, classes) if config.auxiliary else None
        self.to(memory_format=torch.channels_last)

    def training_step(self, batch: dict[str, Tensor], batch_idx: int) -> Tensor:
        """Give the loss of one step."""
        loss, parts = self.losses(batch)
        log_step(self, loss, parts)
        return loss

    def losses(self, batch: dict[str, Tensor]) -> tuple[Tensor, dict[str, Tensor]]:
        """Give the loss of a step, and its parts before they are weighed.

        Returns
        -------
        parts : dict of torch.Tensor
            Names to numbers. ``deviation`` is no part but the root mean square deviation of score and label.
        """
        features, logits = self._forward(batch["pictures"])
        score, label = score_of(logits), batch["label"]
        squared = (score - label).square().mean()
        if self.config.loss == "squared":
            parts = {"score": squared / _LARGEST_SPREAD**2}
        else:
            kept = score.clamp(_CERTAIN, 1 - _CERTAIN)
            parts = {"score": functional.binary_cross_entropy(kept, label)}
        loss = parts["score"]
        if self.classifier is not None:
            parts["answers"] = functional.cross_entropy(self.classifier(features.mean((2, 3))), batch["answers"])
            loss = loss + self.config.auxiliary * parts["answers"]
        parts["deviation"] = squared.detach().sqrt()
        return loss, parts

    def _forward(self, pictures: Tensor) -> tuple[Tensor, Tensor]:
        """Give features and logits of the cells as `Metrifier.forward` does, in the precision of the machine."""
        colours = (pictures / _WHITE - MIDDLE) / SPREAD
        with torch.autocast(pictures.device.type, torch.bfloat16, enabled=self.half_precision):
            features = self.network.features(colours)
        whole = features.float()
        return whole, self.network.head(whole)

    def configure_optimizers(self) -> Any:
        """Give AdamW, which pulls convolutions and heads to zero and nothing else, and its schedule."""
        config = self.config
        pulled = [value for value in self.parameters() if value.ndim > 1]
        free = [value for value in self.parameters() if value.ndim <= 1]
        groups = [{"params": pulled, "weight_decay": config.weight_decay}, {"params": free, "weight_decay": 0.0}]
        optimizer = torch.optim.AdamW(groups, lr=config.rate, betas=_BETAS, fused=True)
        schedule = schedule_of(optimizer, [config.rate] * len(groups), "cosine", config.steps, config.warm_up)
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": schedule, "interval": "step"}}
