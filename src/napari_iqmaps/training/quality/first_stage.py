"""The first stage of a blind network's training: its errors, from photographs that no person has scored."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Unpack

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn
from torch.nn import functional

from ...core.errors import InputError
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
from ..databases.manifest import Manifest, read_manifest
from ..draws import Draws, Epochs, without_repeats
from ..engine import Training, run_training
from ..runs import Run, RunOptions
from .pairs import FIXED_POINT, PairBank, fingerprint, learnt_photographs
from .recipe import QualityConfig
from .teachers import NUMBERS
from .windows import cells_of, draw_window, inner, inner_cells, relative

BLIND_CLASSES: Mapping[str, type[DIQA] | type[DeepBQA]] = {"diqa": DIQA, "deepbqa": DeepBQA}

STAGE1 = "stage1.safetensors"
"""The file of the first stage's result in its folder: the whole network, its score head untrained."""

_PERMUTATION = 1
"""Tells the draws of an epoch's order from those of a step."""

# Deviations that count as one, so that the parts of the loss are of one size whatever they are measured in.
_OF_ERROR = 0.12
_OF_PLACE = 0.08
OF_VISIBILITY = 0.15
_OF_NUMBERS = 0.3

_SURROUNDINGS = 8
"""Cells: 32 pixels, over which visibility is pooled."""

# Where the trained numbers start: the mean of measured errors, and the impairment that a unit of perceptual error is.
_USUAL_ERROR = 0.4
USUAL_EXCHANGE = 0.6


class ErrorSteps(Draws):
    """The steps of a run's first stage, from a given one on.

    Every epoch takes the photographs in a new order. Where several processes share a step, each takes its share of the
    step's photographs.
    """

    def __init__(self, bank: PairBank, config: QualityConfig, first: int = 0) -> None:
        super().__init__(config.stage1_steps, first)
        self.bank = bank
        self.config = config
        self.order = Epochs(config.seed, len(bank.sources), 0, _PERMUTATION)

    def __iter__(self) -> Iterator[dict[str, Tensor]]:
        share, shares = _rank()
        for number in range(self.first, self.steps):
            yield self.step(number, share, shares)

    def step(self, number: int, share: int = 0, shares: int = 1) -> dict[str, Tensor]:
        """Draw one step, or a share of it.

        Returns test ``(photographs * variants, 1, side, side)`` and reference ``(photographs, 1, side, side)``, float32
        luminance; visible ``(photographs * variants, 1, side / 4, side / 4)`` and numbers ``(photographs * variants,
        teachers)``. The variants of a photograph stand together.
        """
        config = self.config
        tests, references, visible, numbers = [], [], [], []
        for place in range(share, config.photographs_per_step, shares):
            index = self.order.at(number * config.photographs_per_step + place)
            rng = np.random.default_rng((config.seed, number, place))
            source = self.bank.sources[index]
            rows, columns = source.reference.shape
            window = draw_window((rows, columns), config.side, rng)
            references.append(window.of_pixels(source.reference))
            for variant in without_repeats(rng, self.bank.count(index), config.variants_per_step).tolist():
                pair = self.bank.pair(index, variant)
                tests.append(window.of_pixels(pair.test))
                visible.append(window.of_cells(pair.teachers.visible))
                numbers.append(pair.teachers.numbers)
        return {
            "test": _luminance(tests),
            "reference": _luminance(references),
            "visible": torch.from_numpy(np.stack(visible).astype(np.float32))[:, None],
            "numbers": torch.from_numpy(np.stack(numbers)),
        }


def _luminance(windows: list[npt.NDArray[np.uint16]]) -> Tensor:
    return torch.from_numpy(np.stack(windows).astype(np.float32) / np.float32(FIXED_POINT))[:, None]


def _rank() -> tuple[int, int]:
    """Say which process of how many this is."""
    distributed = torch.distributed
    if distributed.is_available() and distributed.is_initialized():
        return distributed.get_rank(), distributed.get_world_size()
    return 0, 1


class ErrorTraining(Training):
    """The first stage of a blind network's training.

    `half`: whether the convolutions are in bfloat16. The score head of `network` is not trained here, except
    for DIQA's first layer. `first_layer`, `numbers_head`: from the pooled features to what measures with a reference
    say. The first layer is DIQA's own, as a start for its score; for DeepBQA both are dropped. `exchange`: logarithm of
    the impairment that one unit of perceptual error stands for (DeepBQA); dropped.

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

    config: QualityConfig
    network: BlindNetwork

    def __init__(self, config: QualityConfig, half: bool) -> None:
        super().__init__(config, half)
        self.network = BLIND_CLASSES[config.network]()
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

    def losses(self, batch: dict[str, Tensor]) -> tuple[Tensor, dict[str, Tensor]]:
        """Give the loss of a step, and its parts before they are weighed.

        Returns `parts`: names to numbers. ``inside`` is no part but the mean correlation of the predicted and the
        measured error inside the images.
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
            # The first stage of Kim, Nguyen and Lee (TNNLS 2019), but for its unit: mean ((e - e_gt) r^)^2.
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
        groups = [{"params": trained, "lr": config.rate, "weight_decay": config.weight_decay}]
        return self.adamw(groups, "cosine", config.stage1_steps, config.warm_up)

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

    Returns ``(photographs * variants, 1, side / 4, side / 4)``, without gradient.
    """
    with torch.no_grad():
        test, reference = normalised(batch["test"]), normalised(batch["reference"])
        target: Tensor = objective_error(reference.repeat_interleave(len(test) // len(reference), 0), test)
        return target


def averaged_around(cells: Tensor) -> Tensor:
    """Average over squares of 8 cells, or over all where there are fewer, every half a square.

    `cells`: ``(images, channels, rows, columns)``. Returns the means, ``(images, channels, fewer rows, fewer
    columns)``.
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


def fit_errors(
    config: QualityConfig,
    photographs: Sequence[str | Path],
    folder: str | Path,
    *,
    pairs: Sequence[str | Path | Manifest] = (),
    **options: Unpack[RunOptions],
) -> Path:
    """Train the first stage: the error map, from photographs that no person has scored.

    `photographs`: undistorted pictures of any size from the windows' on. They are distorted by the bank. `pairs`:
    distorted pictures with their references besides, or instead, as `manifest` describes. Scores are not used.

    Pairs are made when they are first drawn, about a tenth of a second each, and kept: the first steps are slower than
    the others, also of a continued run. They take 2.1 bytes a pixel, 330 kB for 480x320 pixels.
    """
    run = Run(Path(folder), **options)
    if run.devices < 1 or config.photographs_per_step % run.devices:
        raise InputError(
            f"{run.devices} devices cannot share {config.photographs_per_step} photographs a step evenly. "
            "Make photographs_per_step a multiple of devices."
        )
    paths = learnt_photographs([Path(path) for path in photographs], config.hold_out)
    read = [read_manifest(path) for path in pairs]
    record = _record(config, paths, read)
    if (run.folder / STAGE1).is_file() and (finished := run.finished(STAGE1, record)):
        return finished
    bank = PairBank(config, paths, read)  # before the folder is made: it says what cannot be used
    return run.finished(STAGE1, record) or run_training(
        run,
        config,
        STAGE1,
        lambda half: ErrorTraining(config, half),
        lambda: ErrorSteps(bank, config),
        steps=config.stage1_steps,
        header={
            "stage": "1",
            "photographs": str(len(paths)),
            "pairs": ", ".join(manifest.name for manifest in read),
            "left_out": ", ".join(config.left_out),
        },
        averaging=config.averaging,
    )


def _record(config: QualityConfig, photographs: Sequence[Path], pairs: Sequence[Manifest]) -> dict[str, Any]:
    missing = [path for path in photographs if not path.is_file()]
    if missing:
        raise InputError(f"{len(missing)} photographs are not there; the first is {missing[0]}.")
    return {
        "stage": 1,
        "config": config.of_stage(1),
        "photographs": {"number": len(photographs), "sha256": fingerprint(photographs)},
        "pairs": [
            {"manifest": each.path.name, "sha256": each.sha256, "images": len(each.table), "pristine": each.pristine}
            for each in pairs
        ],
    }
