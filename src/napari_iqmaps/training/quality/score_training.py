"""What Lightning trains in the second stage: the score of a blind network whose error map is there already."""

from __future__ import annotations

from abc import abstractmethod
from typing import Any

import lightning.pytorch as pl
import numpy as np
import numpy.typing as npt
import torch
from scipy.optimize import nnls
from scipy.special import logit
from torch import Tensor, nn
from torch.nn import functional

from ...core.networks.blind import DIQA, FEATURES, INPUT_SCALE, DeepBQA, normalised
from ..losses import calibrated, uncorrelated, weighted_mean
from ..schedule import schedule_of
from ..trainer import log_step
from .config import QualityConfig
from .forward import inner
from .score_bank import ScoreBank, perceptual_error
from .score_steps import ScoreSteps, Targets

_SHARPEST = 0.02
_KNEES = (0.0, 0.25, 0.5, 0.75)
_VARIATION_EXPONENT = 3.0
_WORST = 100.0


class ScoreTraining(pl.LightningModule):
    """The second stage of a blind network's training.

    Parameters
    ----------
    half : bool
        Whether the convolutions are in bfloat16.
    network : DIQA or DeepBQA
        As the first stage left it.

    Attributes
    ----------
    calibration : torch.nn.Parameter
        Two numbers for each database but the first, between the network's scores and its own; dropped.

    Notes
    -----
    The loss is the sum of

    - the absolute deviation from the observers' scores, averaged by the weights of the images;
    - 1 - Pearson's correlation with them, averaged over the databases, whatever scale they are on;
    - the absolute deviation of distorted photographs from their pseudo-scores;
    - for DeepBQA, the sensitivity's total variation.
    """

    network: DIQA | DeepBQA

    def __init__(self, config: QualityConfig, half: bool, network: Any, databases: int) -> None:
        super().__init__()
        self.config = config
        self.half_precision = half
        self.network = network
        self.calibration = nn.Parameter(torch.zeros(databases - 1, 2))
        self.network.requires_grad_(False)
        for part in (self.network.hidden, self.network.output):
            part.requires_grad_(True)

    @abstractmethod
    def scores(self, batch: dict[str, Tensor]) -> tuple[Tensor, dict[str, Tensor]]:
        """Score a step's images.

        Returns
        -------
        scores : torch.Tensor
            0 to 1, of the scored images, then of the photographs.
        """

    @abstractmethod
    def finish(self) -> None:
        """Turn what was trained into the network that is the result."""

    def on_train_batch_start(self, batch: Any, batch_idx: int) -> None:
        """Seed by the step, so that a resumed run draws the noise that an uninterrupted one would."""
        state = np.random.SeedSequence((self.config.seed, self.global_step, 2)).generate_state(1)
        torch.manual_seed(int(state[0]))

    def training_step(self, batch: dict[str, Tensor], batch_idx: int) -> Tensor:
        """Give the loss of one step."""
        loss, parts = self.losses(batch)
        log_step(self, loss, parts)
        return loss

    def losses(self, batch: dict[str, Tensor]) -> tuple[Tensor, dict[str, Tensor]]:
        """Give the loss of a step, and its parts before they are weighed."""
        config = self.config
        judged, weight, database = batch["impairment"], batch["weight"], batch["database"]
        scores, beside = self.scores(batch)
        scored, photographs = scores[: len(judged)], scores[len(judged) :]
        # The first database's own numbers are those that change nothing.
        numbers = torch.cat([self.calibration.new_zeros(1, 2), self.calibration])[database]
        parts = {"absolute": weighted_mean((calibrated(scored, numbers, "affine") - judged).abs(), weight)}
        parts["uncorrelated"] = uncorrelated(scored, judged, weight, database, len(self.calibration) + 1)
        loss = parts["absolute"] + config.correlation2 * parts["uncorrelated"]
        if len(photographs):
            parts["pseudo"] = (photographs - batch["target"]).abs().mean()
            loss = loss + config.pseudo2 * parts["pseudo"]
        for value in beside.values():
            loss = loss + value
        return loss, parts | beside

    def configure_optimizers(self) -> Any:
        """Give AdamW and its schedule."""
        config = self.config
        head = [*self.network.hidden.parameters(), *self.network.output.parameters()]
        groups: list[dict[str, Any]] = [
            {"params": head, "lr": config.rate2, "weight_decay": config.weight_decay2},
            {"params": [self.calibration], "lr": config.rate2, "weight_decay": 0.0},
        ]
        if isinstance(self.network, DeepBQA):
            groups.append({
                "params": list(self.network.sensitivity.parameters()),
                "lr": config.rate2 * config.sensitivity_rate,
                "weight_decay": 0.0,
            })  # fmt: skip
        optimizer = torch.optim.AdamW(groups, fused=True)
        rates = [group["lr"] for group in groups]
        schedule = schedule_of(optimizer, rates, "cosine", config.stage2_steps, config.warm_up2)
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": schedule, "interval": "step"}}


class DIQAScores(ScoreTraining):
    """DIQA's second stage: its score head on standardised pooled vectors.

    Parameters
    ----------
    steps : ScoreSteps
        Whose vectors' mean and spread are folded into the weights in the end.
    """

    def __init__(self, config: QualityConfig, half: bool, network: DIQA, databases: int, steps: ScoreSteps) -> None:
        torch.manual_seed(config.seed)
        super().__init__(config, half, network, databases)
        self.mean, self.spread = steps.mean, steps.spread  # no buffers: not every device has float64
        fresh = DIQA()
        network.output.load_state_dict(fresh.output.state_dict())
        if config.keep_hidden:
            with torch.no_grad():
                hidden = network.hidden
                hidden.get_parameter("bias").add_((hidden.weight.double() @ steps.mean).float())
                hidden.weight.mul_(steps.spread)
        else:
            network.hidden.load_state_dict(fresh.hidden.state_dict())

    def scores(self, batch: dict[str, Tensor]) -> tuple[Tensor, dict[str, Tensor]]:
        """Score a step's images from their vectors."""
        vectors = batch["vectors"]
        if self.training:
            vectors = vectors + self.config.noise * torch.randn_like(vectors)
        if not self.config.hand_crafted:
            vectors = torch.cat([vectors[:, :FEATURES], torch.zeros_like(vectors[:, FEATURES:])], dim=1)
        hidden = functional.dropout(functional.relu(self.network.hidden(vectors)), self.config.dropout, self.training)
        return torch.sigmoid(self.network.output(hidden)[:, 0]), {}

    def finish(self) -> None:
        """Fold the standardisation into the weights."""
        hidden = self.network.hidden
        with torch.no_grad():
            weight = hidden.weight.double()
            if not self.config.hand_crafted:
                weight[:, FEATURES:] = 0
            weight /= self.spread
            hidden.get_parameter("bias").sub_(weight @ self.mean)
            hidden.weight.copy_(weight)


class DeepBQAScores(ScoreTraining):
    """DeepBQA's second stage: its sensitivity, and the function from mean perceptual error to score.

    Parameters
    ----------
    bank, targets : ScoreBank, Targets
        Whose whole images the function is fitted to before the first step.
    """

    def __init__(
        self, config: QualityConfig, half: bool, network: DeepBQA, databases: int, bank: ScoreBank, targets: Targets
    ) -> None:
        super().__init__(config, half, network, databases)
        network.sensitivity.requires_grad_(True)
        errors = np.concatenate([np.array(bank.scored.perceptual)[targets.rows], bank.distorted.perceptual])
        scale = np.concatenate([targets.database == 0, np.ones(len(targets.pseudo), bool)])
        aims = np.concatenate([targets.impairment, targets.pseudo])
        start_rising(network, errors[scale], aims[scale])

    def scores(self, batch: dict[str, Tensor]) -> tuple[Tensor, dict[str, Tensor]]:
        """Score a step's windows."""
        with torch.no_grad():
            scaled = normalised(batch["luminance"]) / INPUT_SCALE
            scaled = scaled.contiguous(memory_format=torch.channels_last)
        with torch.autocast(scaled.device.type, torch.bfloat16, enabled=self.half_precision):
            sensitivity = self.network.get_submodule("sensitivity")(scaled)
        border = self.config.crop_cells
        sensitivity = inner(sensitivity.float(), border)
        error, raw = inner(batch["error"], border), inner(batch["reliability"], border)
        mean = perceptual_error(sensitivity, error, raw, self.config.reliability_weighting)
        variation = {}
        if self.config.total_variation:
            variation = {"variation": self.config.total_variation * total_variation(sensitivity)}
        return self.network.score(mean) / _WORST, variation

    def finish(self) -> None:
        """Leave the network as it is."""


def total_variation(plane: Tensor) -> Tensor:
    """Give the mean variation of maps from place to place.

    Parameters
    ----------
    plane : torch.Tensor
        ``(images, 1, rows, columns)``, at least three of each.

    Returns
    -------
    torch.Tensor
        The mean of ``(h**2 + v**2) ** 1.5`` over the inner cells, h and v the answers of Sobel's filters: a number.
    """
    across = plane.new_tensor([[1, 0, -1], [2, 0, -2], [1, 0, -1]])
    gradient = functional.conv2d(plane, torch.stack([across, across.T])[:, None])
    return gradient.square().sum(1).pow(_VARIATION_EXPONENT / 2).mean()


def start_rising(network: DeepBQA, errors: npt.NDArray[np.float64], aims: npt.NDArray[np.float64]) -> None:
    """Fit DeepBQA's last layers so that the score never falls as the perceptual error rises.

    Parameters
    ----------
    errors : numpy.ndarray
        Mean perceptual errors, ``(images,)``.
    aims : numpy.ndarray
        What they should score, 0..1, ``(images,)``.

    Notes
    -----
    The score's logit becomes a sum of four ramps that begin at the quartiles of the errors, with weights of at least 0
    by least squares. A deviation counts by the slope of the logistic function, as it shows in the score.
    """
    knees = np.quantile(errors, _KNEES)
    width = max(float(errors.std()), 1e-6)
    ramps = np.maximum(errors[:, None] - knees, 0) / width
    kept = np.clip(aims, _SHARPEST, 1 - _SHARPEST)
    slope = kept * (1 - kept)
    columns = np.concatenate([ramps, np.ones((len(errors), 1)), -np.ones((len(errors), 1))], axis=1)
    found, _ = nnls(columns * slope[:, None], logit(kept) * slope)
    with torch.no_grad():
        network.hidden.weight.fill_(1 / width)
        network.hidden.get_parameter("bias").copy_(torch.from_numpy(-knees / width))
        network.output.weight.copy_(torch.from_numpy(found[:4])[None])
        network.output.get_parameter("bias").fill_(found[4] - found[5])
