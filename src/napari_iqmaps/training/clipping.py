"""Keep single batches from throwing the weights far: the same rule in every training."""

from __future__ import annotations

from typing import Any

import lightning.pytorch as pl
import torch
from torch import nn


class ClipsGradients(pl.LightningModule):
    """A module whose gradient's norm is clipped to its configuration's ``gradient_clip``; 0 clips nothing.

    Notes
    -----
    Lightning's own clipping refuses fused optimisers, which matter only where losses are scaled.
    """

    config: Any

    def configure_gradient_clipping(
        self,
        optimizer: torch.optim.Optimizer,
        gradient_clip_val: float | None = None,
        gradient_clip_algorithm: str | None = None,
    ) -> None:
        """Clip the norm of all gradients together; called by Lightning before each step."""
        if self.config.gradient_clip:
            nn.utils.clip_grad_norm_(self.parameters(), self.config.gradient_clip, foreach=True)
