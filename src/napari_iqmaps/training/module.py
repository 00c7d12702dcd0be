"""What Lightning trains: a threshold network, with what stands between its thresholds and people's scores."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from ..core.networks.contrast import ContrastModel
from ..core.networks.pnet import PNet
from .clipping import ClipsGradients
from .config import TrainingConfig
from .forward import thresholds
from .losses import calibrated, combined_thresholds, impairment, power_mean, uncorrelated, weighted_mean
from .schedule import schedule_of
from .trainer import log_step

NETWORK_CLASSES: Mapping[str, type[PNet] | type[ContrastModel]] = {"pnet": PNet, "contrast": ContrastModel}

_CALIBRATION_RATE = 5.0
"""Learning rate of the few numbers beside the network, in that of its weights."""


def _network(name: str, mixing: float) -> PNet | ContrastModel:
    network = NETWORK_CLASSES[name]()
    network.mixing.requires_grad_(False).fill_(mixing)
    return network


class ThresholdTraining(ClipsGradients):
    """A threshold network in training.

    Attributes
    ----------
    calibration : torch.nn.Parameter or None
        Two numbers for each database; not part of the result. Databases differ in how they turn what is seen into
        scores, and a threshold should not have to bend for that.
    companion : ContrastModel or None
        Learns the same scores beside a network that is pulled towards it; not part of the result.
    """

    def __init__(self, config: TrainingConfig, databases: int) -> None:
        super().__init__()
        self.config = config
        self.databases = databases
        torch.manual_seed(config.seed)
        self.network = _network(config.network, config.mixing)
        self.calibration = nn.Parameter(torch.zeros(databases, 2)) if config.calibration != "none" else None
        self.companion = _network("contrast", config.mixing) if config.pull else None
        self.companion_calibration = (
            nn.Parameter(torch.zeros(databases, 2)) if config.pull and self.calibration is not None else None
        )

    def on_train_batch_start(self, batch: Any, batch_idx: int) -> None:
        """Seed by the step, so that a resumed run draws the dropout that an uninterrupted one would."""
        state = np.random.SeedSequence((self.config.seed, self.global_step, 1)).generate_state(1)
        torch.manual_seed(int(state[0]))

    def training_step(self, batch: dict[str, Tensor], batch_idx: int) -> Tensor:
        """Give the loss of one step."""
        loss, parts = self._against_scores(self.network, batch, self.calibration, self.config.dropout)
        if self.companion is not None:
            beside, _ = self._against_scores(self.companion, batch, self.companion_calibration)
            loss = loss + beside
        if "clean" in batch:
            regulariser, terms = self._on_clean_patches(batch)
            loss, parts = loss + regulariser, parts | terms
        log_step(self, loss, parts)
        return loss

    def configure_optimizers(self) -> Any:
        """Give AdamW and its schedule."""
        config = self.config
        network = {id(parameter) for parameter in self.network.parameters()}
        beside = [parameter for parameter in self.parameters() if id(parameter) not in network]
        groups: list[dict[str, Any]] = [
            {"params": list(self.network.parameters()), "weight_decay": config.weight_decay}
        ]
        rates = [config.learning_rate]
        if beside:
            rates.append(config.learning_rate * _CALIBRATION_RATE)
            groups.append({"params": beside, "weight_decay": 0.0, "lr": rates[-1]})
        optimizer = torch.optim.AdamW(groups, lr=config.learning_rate, betas=(0.9, 0.99), fused=True)
        return {
            "optimizer": optimizer,
            "lr_scheduler": {
                "scheduler": schedule_of(optimizer, rates, config.schedule, config.steps, config.warm_up),
                "interval": "step",
            },
        }

    def _thresholds(self, network: PNet | ContrastModel, batch: dict[str, Tensor], dropout: float = 0.0) -> Tensor:
        rule = self.config.thresholds
        if rule in ("test", "reference"):
            return thresholds(network, batch[rule], dropout)
        both = thresholds(network, torch.cat([batch["test"], batch["reference"]]), dropout)
        return combined_thresholds(both, rule)

    def _against_scores(
        self,
        network: PNet | ContrastModel,
        batch: dict[str, Tensor],
        numbers: Tensor | None,
        dropout: float = 0.0,
    ) -> tuple[Tensor, dict[str, Tensor]]:
        """Compare what is seen with the scores."""
        config = self.config
        threshold = self._thresholds(network, batch, dropout)
        patches = impairment(batch["test"], threshold, network.mixing, config.exponent)
        images = power_mean(patches.view(-1, config.patches), config.pooling)
        repeats = config.patches if config.loss == "patch" else 1
        seen = patches if config.loss == "patch" else images
        judged, weight, database = (
            batch[name].repeat_interleave(repeats) for name in ("impairment", "weight", "database")
        )
        predicted = seen if numbers is None else calibrated(seen, numbers[database], config.calibration)
        parts = {"threshold": threshold.median(), "absolute": weighted_mean((predicted - judged).abs(), weight)}
        loss = config.absolute * parts["absolute"]
        if config.correlation:
            parts["uncorrelated"] = uncorrelated(
                images, batch["impairment"], batch["weight"], batch["database"], self.databases
            )
            loss = loss + config.correlation * parts["uncorrelated"]
        return loss, parts

    def _on_clean_patches(self, batch: dict[str, Tensor]) -> tuple[Tensor, dict[str, Tensor]]:
        """Ask of undistorted patches what needs no scores."""
        clean = batch["clean"]
        shifted = clean.clone()
        shifted[..., 0] += batch["shift"][:, None, None]
        logarithms = thresholds(self.network, torch.cat([clean, shifted]), self.config.dropout).log()
        first, second = logarithms.chunk(2)
        parts = {"variance": (first - second).abs().mean()}
        loss = self.config.invariance * parts["variance"]
        if self.companion is not None:
            target = thresholds(self.companion, clean).log().detach()
            parts["pull"] = ((first - target).abs().mean() + (second - target).abs().mean()) / 2
            loss = loss + self.config.pull * parts["pull"]
        return loss, parts
