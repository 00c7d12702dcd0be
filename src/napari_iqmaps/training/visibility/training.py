"""Train a threshold network on scored images."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, Unpack

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from ...core.errors import InputError
from ...core.networks.pnet import ContrastModel, PNet
from ..databases.manifest import Manifest, pooled, read_manifest
from ..draws import Integers
from ..engine import Training, run_training
from ..losses import calibrated, uncorrelated, weighted_mean
from ..runs import Run, RunOptions
from .impairment import combined_thresholds, impairment, power_mean, thresholds
from .recipe import TrainingConfig
from .samples import ImageBank, PatchSteps, ScoredImages, measure_of

NETWORK_CLASSES: Mapping[str, type[PNet] | type[ContrastModel]] = {"pnet": PNet, "contrast": ContrastModel}

_CALIBRATION_RATE = 5.0
"""Learning rate of the few numbers beside the network, in that of its weights."""

FLAT_SHARE = 0.05
"""The patches of lowest local contrast that count as flat."""


def _network(name: str, mixing: float) -> PNet | ContrastModel:
    network = NETWORK_CLASSES[name]()
    network.mixing.requires_grad_(False).fill_(mixing)
    return network


class ThresholdTraining(Training):
    """A threshold network in training.

    `calibration`: two numbers for each database; not part of the result. Databases differ in how they turn what is seen
    into scores, and a threshold should not have to bend for that. `companion`: learns the same scores beside a network
    that is pulled towards it; not part of the result.
    """

    config: TrainingConfig
    network: PNet | ContrastModel
    casts = False
    step_key = 1

    def __init__(self, config: TrainingConfig, databases: int) -> None:
        super().__init__(config)
        self.databases = databases
        self.network = _network(config.network, config.mixing)
        self.calibration = nn.Parameter(torch.zeros(databases, 2)) if config.calibration != "none" else None
        self.companion = _network("contrast", config.mixing) if config.pull else None
        self.companion_calibration = (
            nn.Parameter(torch.zeros(databases, 2)) if config.pull and self.calibration is not None else None
        )

    def losses(self, batch: dict[str, Tensor]) -> tuple[Tensor, dict[str, Tensor]]:
        """Give the loss of a step, and its parts before they are weighed."""
        loss, parts = self._against_scores(self.network, batch, self.calibration, self.config.dropout)
        if self.companion is not None:
            beside, _ = self._against_scores(self.companion, batch, self.companion_calibration)
            loss = loss + beside
        if "clean" in batch:
            regulariser, terms = self._on_clean_patches(batch)
            loss, parts = loss + regulariser, parts | terms
        return loss, parts

    def configure_optimizers(self) -> Any:
        """Give AdamW and its schedule."""
        config = self.config
        network = {id(parameter) for parameter in self.network.parameters()}
        beside = [parameter for parameter in self.parameters() if id(parameter) not in network]
        rate = config.learning_rate
        groups: list[dict[str, Any]] = [
            {"params": list(self.network.parameters()), "lr": rate, "weight_decay": config.weight_decay}
        ]
        if beside:
            groups.append({"params": beside, "lr": rate * _CALIBRATION_RATE, "weight_decay": 0.0})
        return self.adamw(groups, config.schedule, config.steps, config.warm_up, betas=(0.9, 0.99))

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
        # Published: the mean absolute error of each patch's q against the score of its whole image. Here the patches
        # of an image are pooled first, since no person has judged a patch.
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


def fit(
    config: TrainingConfig,
    manifests: Sequence[str | Path | Manifest],
    folder: str | Path,
    *,
    photographs: Sequence[str | Path] = (),
    **options: Unpack[RunOptions],
) -> Path:
    """Train a network on scored images.

    `photographs`: undistorted images for what is learnt without scores (invariance, pull), besides the references.
    """
    folder = Path(folder)
    read = [read_manifest(path) for path in manifests]
    table = pooled(read)
    record = {
        "data": [
            {"manifest": each.path.name, "sha256": each.sha256, "images": len(each.table), "pristine": each.pristine}
            for each in read
        ]
    }
    # Before the images are read, which takes time.
    finished = finished_weights(config, folder, record, photographs, resume=options.pop("resume", True))
    if finished is not None:
        return finished
    data = ScoredImages.read(table, measure_of(config), [str(path) for path in photographs])
    return fit_images(config, data, np.arange(len(table)), folder, record=record, **options)


def fit_images(
    config: TrainingConfig,
    data: ScoredImages,
    rows: npt.NDArray[np.intp],
    folder: Path,
    *,
    record: dict[str, Any],
    **options: Unpack[RunOptions],
) -> Path:
    """Train on some rows of images that are in memory; continues the folder's run."""
    there = finished_weights(config, folder, record, data.photographs)
    if there is not None:
        return there
    if data.measure != measure_of(config):
        raise InputError(f"The images were read for {data.measure}, and the recipe has {measure_of(config)}.")
    if not len(rows):
        raise InputError("There are no images to learn from.")
    steps = PatchSteps(data, rows, config)

    def anchored(module: ThresholdTraining) -> None:
        if config.anchor:
            anchor(module.network, data.bank, np.unique(steps.references), config.anchor)

    return run_training(
        Run(folder, **options),
        config,
        _file_of(config),
        lambda _: ThresholdTraining(config, len(steps.databases)),
        lambda: steps,
        steps=config.steps,
        header={"databases": ", ".join(steps.databases), "images": str(len(steps.files))},
        averaging=config.averaging,
        finish=anchored,
    )


def finished_weights(
    config: TrainingConfig, folder: Path, record: dict[str, Any], photographs: Sequence[Any], *, resume: bool = True
) -> Path | None:
    """Prepare a run's folder, and give its weights if the run is finished already."""
    full = {"config": asdict(config), **record, "photographs": len(photographs)}
    return Run(folder, resume=resume).finished(_file_of(config), full)


def _file_of(config: TrainingConfig) -> str:
    return f"{config.network}.safetensors"


def anchor(network: PNet | ContrastModel, bank: ImageBank, images: Integers, level: float) -> float:
    """Scale a network's thresholds so that flat areas have a given one; its scores stay as they are.

    `network`: changed in place: its thresholds, and its mixing scalar by the same factor. `level`: the threshold of
    flat areas, in code values.

    In ``1 - exp(-a d / T)`` only a / T meets the scores. So T and a are known up to a common factor, and something
    else has to set it: here the geometric mean of T over the twentieth of the patches that is flattest.
    """
    patches = [bank.tiles(image) for image in images]
    contrast = torch.cat([part[..., 2].mean((1, 2)) for part in patches])
    with torch.no_grad():
        logarithms = torch.cat([thresholds(network, part) for part in patches]).log()
        flat = contrast.argsort(stable=True)[: max(round(FLAT_SHARE * len(contrast)), 1)]
        factor = level / math.exp(float(logarithms[flat].double().mean()))
        offset = network.log_scale if isinstance(network, ContrastModel) else network.output.get_parameter("bias")
        offset.add_(math.log(factor))
        network.mixing.mul_(factor)
    return factor
