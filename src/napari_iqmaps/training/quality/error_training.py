"""What Lightning trains in the first stage: a blind network that learns errors, with heads that are dropped later."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from ...core.networks.blind import (
    DIQA,
    FEATURES,
    POOLED,
    BlindNetwork,
    Cells,
    DeepBQA,
    normalised,
    objective_error,
    pooled,
)
from ..clipping import ClipsGradients
from ..schedule import schedule_of
from ..trainer import log_step
from .config import QualityConfig
from .forward import cells_of, inner, inner_cells, relative
from .teachers import NUMBERS

BLIND_CLASSES: Mapping[str, type[DIQA] | type[DeepBQA]] = {"diqa": DIQA, "deepbqa": DeepBQA}

# Deviations that count as one, so that the parts of the loss are of one size whatever they are measured in.
_OF_ERROR = 0.12
_OF_PLACE = 0.08
OF_VISIBILITY = 0.15
_OF_NUMBERS = 0.3

_SURROUNDINGS = 8
"""Cells: 32 pixels, over which visibility is pooled."""

_USUAL_ERROR = 0.4
USUAL_EXCHANGE = 0.6


class ErrorTraining(ClipsGradients):
    """The first stage of a blind network's training.

    Parameters
    ----------
    half : bool
        Whether the convolutions are in bfloat16.

    Attributes
    ----------
    network : DIQA or DeepBQA
        The result. Its score head is not trained here, except for DIQA's first layer.
    first_layer, numbers_head : torch.nn.Linear
        From the pooled features to what measures with a reference say. The first layer is DIQA's own, as a start for
        its score; for DeepBQA both are dropped.
    exchange : torch.nn.Parameter or None
        Logarithm of the impairment that one unit of perceptual error stands for (DeepBQA); dropped.

    Notes
    -----
    The loss is the sum of

    - the squared deviation of the predicted error, times the squared relative reliability, as published;
    - the squared deviation when its mean over each image is taken away, times the relative reliability: the published
      loss is small already when each image's mean is right;
    - the squared deviation of a linear function of the features from what is visible at each place;
    - the smooth absolute deviation of the pooled features' prediction of `teachers.NUMBERS`;
    - for DeepBQA, the squared deviation of the perceptual error, times a trained number, from what is visible, both
      averaged over squares of 8 cells: what is visible is smooth over as much, while errors come and go with every
      edge. The predicted error is taken as it is here: only the sensitivity learns from it.
    """

    def __init__(self, config: QualityConfig, half: bool) -> None:
        super().__init__()
        self.config = config
        self.half_precision = half
        torch.manual_seed(config.seed)
        self.network: BlindNetwork = BLIND_CLASSES[config.network]()
        nn.init.constant_(self.network.trunk.error.get_parameter("bias"), _USUAL_ERROR)
        self.visible_head = nn.Conv2d(FEATURES, 1, 1)
        self.numbers_head = nn.Linear(128, len(NUMBERS))
        is_diqa = isinstance(self.network, DIQA)
        self.beside = nn.Linear(POOLED, 128) if not is_diqa else None
        self.exchange = None if is_diqa else nn.Parameter(torch.tensor(math.log(USUAL_EXCHANGE)))
        self._freeze_unused()
        self.to(memory_format=torch.channels_last)

    @property
    def first_layer(self) -> nn.Module:
        """The layer from the pooled features on."""
        return self.network.get_submodule("hidden") if self.beside is None else self.beside

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
            Names to numbers. ``inside`` is no part but the mean correlation of the predicted and the measured error
            inside the images.
        """
        config = self.config
        target = inner(measured_errors(batch), config.crop_cells)
        visible = inner(batch["visible"], config.crop_cells)
        cells = inner_cells(cells_of(self.network, batch["test"], half=self.half_precision), config.crop_cells)
        share = relative(cells.reliability)
        weight = share if config.reliability_weighting else torch.ones_like(share)
        deviation = cells.error - target
        centred = deviation - deviation.mean((2, 3), keepdim=True)
        parts = {
            "error": (deviation * weight).square().mean() / _OF_ERROR**2,
            "within": (centred.square() * weight).mean() / _OF_PLACE**2,
            "visible": (self.visible_head(cells.features) - visible).square().mean() / OF_VISIBILITY**2,
            "pseudo": self._pseudo(cells, batch["numbers"]),
        }
        loss = config.error * (parts["error"] + config.within * parts["within"])
        loss = loss + config.visible * parts["visible"] + config.pseudo * parts["pseudo"]
        if cells.sensitivity is not None and self.exchange is not None:
            costs = cells.sensitivity * cells.error.detach() * share
            around = averaged_around(costs * self.exchange.exp() - visible)
            parts["perceptual"] = around.square().mean() / OF_VISIBILITY**2
            loss = loss + config.perceptual * parts["perceptual"]
        parts["inside"] = _mean_correlation(cells.error.detach(), target)
        return loss, parts

    def configure_optimizers(self) -> Any:
        """Give AdamW and its schedule."""
        config = self.config
        trained = [parameter for parameter in self.parameters() if parameter.requires_grad]
        optimizer = torch.optim.AdamW(trained, lr=config.rate, weight_decay=config.weight_decay, fused=True)
        schedule = schedule_of(optimizer, [config.rate], "cosine", config.stage1_steps, config.warm_up)
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": schedule, "interval": "step"}}

    def _pseudo(self, cells: Cells, numbers: Tensor) -> Tensor:
        predicted = self.numbers_head(functional.relu(self.first_layer(pooled(cells))))
        return functional.smooth_l1_loss(predicted / _OF_NUMBERS, numbers / _OF_NUMBERS)

    def _freeze_unused(self) -> None:
        """Tell what this stage does not train: several processes wait for the gradient of everything else."""
        unused = ["output"] if isinstance(self.network, DIQA) else ["hidden", "output"]
        for name in unused:
            self.network.get_submodule(name).requires_grad_(False)


def measured_errors(batch: dict[str, Tensor]) -> Tensor:
    """Measure the error of each variant of a step against its reference.

    Returns
    -------
    torch.Tensor
        ``(photographs * variants, 1, side / 4, side / 4)``, without gradient.
    """
    with torch.no_grad():
        test, reference = normalised(batch["test"]), normalised(batch["reference"])
        target: Tensor = objective_error(reference.repeat_interleave(len(test) // len(reference), 0), test)
        return target


def averaged_around(cells: Tensor) -> Tensor:
    """Average over squares of 8 cells, or over all where there are fewer, every half a square.

    Parameters
    ----------
    cells : torch.Tensor
        ``(images, channels, rows, columns)``.

    Returns
    -------
    torch.Tensor
        The means, ``(images, channels, fewer rows, fewer columns)``.
    """
    side = min(_SURROUNDINGS, *cells.shape[-2:])
    return functional.avg_pool2d(cells, side, max(side // 2, 1))


@torch.no_grad()
def _mean_correlation(first: Tensor, second: Tensor) -> Tensor:
    """Correlate two planes of each image over its places, and average over the images where both vary."""
    first, second = (plane.flatten(1) - plane.flatten(1).mean(1, keepdim=True) for plane in (first, second))
    norms = first.norm(dim=1) * second.norm(dim=1)
    there = norms > 0
    if not there.any():
        return first.new_zeros(())
    correlations: Tensor = (first * second).sum(1)[there] / norms[there]
    return correlations.mean()
