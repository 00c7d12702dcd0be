"""The second stage of a blind network's training: its score, on all scored images or on those of a fold."""

from __future__ import annotations

import hashlib
from abc import abstractmethod
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Unpack

import numpy as np
import numpy.typing as npt
import torch
from scipy.optimize import nnls
from scipy.special import logit
from torch import Tensor, nn
from torch.nn import functional

from ...core.models import load_into
from ...core.networks.blind import (
    CELL,
    DIQA,
    FEATURES,
    INPUT_SCALE,
    NORMALISED_REACH,
    DeepBQA,
    SensitivityNet,
    normalised,
)
from ...core.tiling import reflected, rounded_up
from ..databases.manifest import Manifest, read_manifest
from ..engine import Training, run_training
from ..hardware import SINGLE, resolved_precision
from ..limits import describe_training
from ..losses import calibrated, uncorrelated, weighted_mean
from ..runs import Run, RunOptions
from .bank import ScoreBank, perceptual_error, record_of
from .first_stage import BLIND_CLASSES
from .pairs import as_luminance, learnt_photographs
from .recipe import QualityConfig
from .targets import ScoreSteps, Targets, training_vectors
from .windows import inner

SEEN = "seen.safetensors"
"""The file of what the first stage's network says of all images, in the folder of a second stage."""

_SHARPEST = 0.02
"""Scores are kept so far from 0 and 1 where their logit is taken."""

_KNEES = (0.0, 0.25, 0.5, 0.75)
"""Quantiles of the perceptual errors at which DeepBQA's ramps begin; its hidden layer has four units, as published."""

_VARIATION_EXPONENT = 3.0
"""Beta of the total variation of Kim and Lee (ICASSP 2018)."""

_WORST = 100.0

_MARGIN = rounded_up(max(SensitivityNet.REACH + NORMALISED_REACH, 2 * NORMALISED_REACH) + 1, CELL)
"""Pixels beyond an image that its outermost cells look at, in whole cells."""


class ScoreTraining(Training):
    """The second stage of a blind network's training.

    `half`: whether the convolutions are in bfloat16. `network`: as the first stage left it. `calibration`: two numbers
    for each database but the first, between the network's scores and its own; dropped.

    The loss is the sum of

    - the absolute deviation from the observers' scores, averaged by the weights of the images;
    - 1 - Pearson's correlation with them, averaged over the databases, whatever scale they are on;
    - the absolute deviation of distorted photographs from their pseudo-scores;
    - for DeepBQA, the sensitivity's total variation.
    """

    config: QualityConfig
    network: DIQA | DeepBQA
    step_key = 2

    def __init__(self, config: QualityConfig, half: bool, network: Any, databases: int) -> None:
        super().__init__(config, half)
        self.network = network
        self.calibration = nn.Parameter(torch.zeros(databases - 1, 2))
        self.network.requires_grad_(False)
        for part in (self.network.hidden, self.network.output):
            part.requires_grad_(True)

    @property
    def gradient_clip(self) -> float:
        """No clipping: the recipe's is that of the other stages."""
        return 0.0

    @abstractmethod
    def scores(self, batch: dict[str, Tensor]) -> tuple[Tensor, dict[str, Tensor]]:
        """Score a step's images, 0 to 1: the scored ones, then the photographs. And give what is added to the loss."""

    @abstractmethod
    def finish(self) -> None:
        """Turn what was trained into the network that is the result."""

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
            rate = config.rate2 * config.sensitivity_rate
            groups.append({"params": list(self.network.sensitivity.parameters()), "lr": rate, "weight_decay": 0.0})
        return self.adamw(groups, "cosine", config.stage2_steps, config.warm_up2)


class DIQAScores(ScoreTraining):
    """DIQA's second stage: its score head on standardised pooled vectors.

    `steps`: whose vectors' mean and spread are folded into the weights in the end.
    """

    def __init__(self, config: QualityConfig, half: bool, network: DIQA, databases: int, steps: ScoreSteps) -> None:
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

    `bank`, `targets`: whose whole images the function is fitted to before the first step.
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
    """Give the mean variation of maps from place to place, ``(images, 1, rows, columns)``, at least three of each."""
    # TV(s) of Kim and Lee (ICASSP 2018): mean (h^2 + v^2)^(beta / 2), h and v the answers of Sobel's filters.
    across = plane.new_tensor([[1, 0, -1], [2, 0, -2], [1, 0, -1]])
    gradient = functional.conv2d(plane, torch.stack([across, across.T])[:, None])
    return gradient.square().sum(1).pow(_VARIATION_EXPONENT / 2).mean()


def start_rising(network: DeepBQA, errors: npt.NDArray[np.float64], aims: npt.NDArray[np.float64]) -> None:
    """Fit DeepBQA's last layers so that the score never falls as the perceptual error rises.

    `errors`: mean perceptual errors, ``(images,)``. `aims`: what they should score, 0..1, ``(images,)``.

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


def fit_scores(
    config: QualityConfig,
    start: str | Path,
    manifests: Sequence[str | Path | Manifest],
    folder: str | Path,
    *,
    photographs: Sequence[str | Path] = (),
    **options: Unpack[RunOptions],
) -> Path:
    """Train the second stage: the score, on images that people have scored.

    `start`: weights of a first stage. DIQA takes those of either network. The scale of the result is 100 times
    the impairment of the first of `manifests`. `photographs`: undistorted pictures, distorted by the bank, whose
    scores are predicted from their references. `progress`: called with ``(done, in all)``, images first, then steps;
    raise `Cancelled` in it to stop.
    """
    folder, read = Path(folder), [read_manifest(manifest) for manifest in manifests]
    learnt = learnt_photographs([Path(path) for path in photographs], config.hold_out)
    rows = np.arange(sum(len(manifest.table) for manifest in read))
    record = _record(config, record_of(config, start, read, learnt), rows)
    # Before the images are seen, which takes time.
    finished = Run(folder, resume=options.pop("resume", True)).finished(_file_of(config), record)
    if finished is not None:
        return finished
    device, progress = options.get("device", "auto"), options.get("progress")
    seen = ScoreBank(config, start, read, photographs, keep=folder / SEEN, device=device, progress=progress)
    return fit_scores_on(seen, rows, config, folder, **options)


def fit_scores_on(
    bank: ScoreBank,
    rows: npt.NDArray[np.intp],
    config: QualityConfig,
    folder: Path,
    **options: Unpack[RunOptions],
) -> Path:
    """Train the second stage on some rows of images that a network has seen already; continues the folder's run.

    All distorted photographs of `bank` are learnt from, whatever the rows. `config`: the recipe; it may
    differ from the bank's in how it learns. Returns the weights, ``diqa.safetensors`` or ``deepbqa.safetensors``, with
    what they know of their training images.
    """
    bank.check(config)
    run, file = Run(folder, **options), _file_of(config)
    targets = Targets.of(bank, rows)
    if finished := run.finished(file, _record(config, bank.record, rows)):
        return finished
    steps = ScoreSteps(bank, targets, config)

    def finish(module: ScoreTraining) -> None:
        module.finish()
        describe_training(module.network.evidence, training_vectors(bank, rows))

    return run_training(
        run,
        config,
        file,
        lambda half: _module(bank, targets, config, steps, half=half),
        lambda: steps,
        steps=config.stage2_steps,
        header={
            "stage": "2",
            "start_sha256": bank.record["start"]["sha256"],
            "data": ", ".join(targets.databases),
            "scale": targets.databases[0],
            "images": str(len(rows)),
            "distorted_photographs": str(len(targets.pseudo)),
            "left_out": ", ".join(config.left_out),
        },
        averaging=config.averaging2,
        finish=finish,
    )


def scores_of(bank: ScoreBank, weights: str | Path, rows: npt.NDArray[np.intp]) -> npt.NDArray[np.float64]:
    """Score images that a network has seen already with a second stage that started from it.

    Returns 0 (best) to 100 (worst), ``(rows,)``: what `napari_iqmaps.quality` says, within the precision of the
    convolutions in training, and much faster.
    """
    config = bank.config
    network: Any = BLIND_CLASSES[config.network]()
    load_into(network, weights)
    network.eval().to(memory_format=torch.channels_last)
    with torch.inference_mode():
        if isinstance(network, DeepBQA):
            half = resolved_precision(config.precision, torch.device("cpu")) != SINGLE
            reduced = torch.stack([_perceptual_error(bank, int(row), network, half) for row in rows])
        else:
            reduced = torch.from_numpy(bank.scored.vectors()[rows])
        found: npt.NDArray[np.float64] = network.score(reduced).double().numpy()
        return found


def _file_of(config: QualityConfig) -> str:
    return f"{config.network}.safetensors"


def _record(config: QualityConfig, seen: Mapping[str, Any], rows: npt.NDArray[np.intp]) -> dict[str, Any]:
    digest = hashlib.sha256(np.asarray(rows, dtype=np.int64).tobytes()).hexdigest()
    return {"stage": 2, "config": config.of_stage(2), **seen, "rows": {"number": len(rows), "sha256": digest}}


def _module(
    bank: ScoreBank, targets: Targets, config: QualityConfig, steps: ScoreSteps, *, half: bool
) -> ScoreTraining:
    network: Any = bank.network()
    databases = len(targets.databases)
    if isinstance(network, DeepBQA):
        return DeepBQAScores(config, half, network, databases, bank, targets)
    return DIQAScores(config, half, network, databases, steps)


def _perceptual_error(bank: ScoreBank, row: int, network: DeepBQA, half: bool) -> torch.Tensor:
    """Give an image's mean perceptual error with the sensitivity of another network than the first stage's."""
    luminance = as_luminance(bank.scored.luminance[row])
    rows, columns = (
        reflected(np.arange(-_MARGIN, rounded_up(length, CELL) + _MARGIN), length) for length in luminance.shape
    )
    window = torch.from_numpy(luminance[np.ix_(rows, columns)])[None, None]
    scaled = (normalised(window) / INPUT_SCALE).contiguous(memory_format=torch.channels_last)
    with torch.autocast("cpu", torch.bfloat16, enabled=half):
        sensitivity = network.sensitivity_of(scaled)
    sensitivity = inner(sensitivity.float(), _MARGIN // CELL)
    error, raw = (
        torch.from_numpy(each[row].astype(np.float32))[None, None]
        for each in (bank.scored.error, bank.scored.reliability)
    )
    return perceptual_error(sensitivity, error, raw, bank.config.reliability_weighting)[0]
