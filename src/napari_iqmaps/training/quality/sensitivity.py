"""Between the stages: DeepBQA's sensitivity learns to turn predicted errors into what is visible, without scores."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Unpack

import torch
from safetensors import safe_open
from torch import Tensor, nn

from ...core.networks.blind import DeepBQA
from ..engine import Training, run_training
from ..runs import Run, RunOptions
from .bank import start_state, state_sha256
from .first_stage import OF_VISIBILITY, USUAL_EXCHANGE, ErrorSteps, averaged_around
from .pairs import PairBank, fingerprint, learnt_photographs
from .recipe import QualityConfig
from .windows import cells_of, inner, inner_cells, relative

SENSITIVITY = "sensitivity"
"""What the header of the result calls its stage, and the run's folder and file."""

# Many contents a step, and two strengths of each: means over images are learnt, which vary with both.
_PHOTOGRAPHS, _VARIANTS = 12, 2


class SensitivityTraining(Training):
    """DeepBQA's sensitivity in training, over errors that stay as they are.

    `half`: whether the convolutions are in bfloat16. `network`: as the first stage left it; its sensitivity is changed
    in place. `exchange`: logarithm of the impairment that one unit of perceptual error stands for; dropped.

    The loss is the squared deviation of the perceptual error, times a trained number, from what is visible with the
    reference at hand: averaged over squares of 8 cells, and averaged over each window. The second is what scores are
    made of, and what the first stage's term for the place leaves open.
    """

    config: QualityConfig
    network: DeepBQA

    def __init__(self, config: QualityConfig, half: bool, network: DeepBQA) -> None:
        super().__init__(config, half)
        self.network = network
        network.requires_grad_(False)
        network.sensitivity.requires_grad_(True)
        self.exchange = nn.Parameter(torch.tensor(math.log(USUAL_EXCHANGE)))
        self.to(memory_format=torch.channels_last)

    def losses(self, batch: dict[str, Tensor]) -> tuple[Tensor, dict[str, Tensor]]:
        """Give the loss of a step, and its parts."""
        config = self.config
        cells = inner_cells(cells_of(self.network, batch["test"], half=self.half_precision), config.crop_cells)
        assert cells.sensitivity is not None
        visible = inner(batch["visible"], config.crop_cells)
        # The perceptual error of Kim and Lee (ICASSP 2018), p = s e r^.
        costs = cells.sensitivity * cells.error.clamp_min(0)
        if config.reliability_weighting:
            costs = costs * relative(cells.reliability)
        deviation = costs * self.exchange.exp() - visible
        parts = {
            "place": averaged_around(deviation).square().mean() / OF_VISIBILITY**2,
            "mean": deviation.mean((1, 2, 3)).square().mean() / OF_VISIBILITY**2,
        }
        return parts["place"] + parts["mean"], parts

    def configure_optimizers(self) -> Any:
        """Give AdamW and its schedule."""
        config = self.config
        trained = [parameter for parameter in self.parameters() if parameter.requires_grad]
        groups = [{"params": trained, "lr": config.first_sensitivity_rate, "weight_decay": config.weight_decay}]
        return self.adamw(groups, "cosine", config.sensitivity_steps, config.warm_up)


def needs_sensitivity(config: QualityConfig, start: str | Path) -> bool:
    """Tell whether a start is a first stage of DeepBQA whose sensitivity is still to have steps of its own."""
    if config.network != "deepbqa" or not config.sensitivity_steps or not Path(start).is_file():
        return False
    start_state(config.network, Path(start))  # says what is wrong with it
    with safe_open(start, framework="numpy") as file:
        return (file.metadata() or {}).get("stage") != SENSITIVITY


def fit_sensitivity(
    config: QualityConfig,
    start: str | Path,
    photographs: Sequence[str | Path],
    folder: str | Path,
    **options: Unpack[RunOptions],
) -> Path:
    """Train the sensitivity of a first stage of DeepBQA.

    `start`: result of the first stage. `photographs`: undistorted pictures, as for the first stage. Returns
    ``sensitivity.safetensors``: the state of the whole network, its score still untrained.
    """
    run, start = Run(Path(folder), **options), Path(start)
    file = f"{SENSITIVITY}.safetensors"
    paths = learnt_photographs([Path(path) for path in photographs], config.hold_out)
    state = start_state(config.network, start)
    shared = {name: getattr(config, name) for name in ("side", "weight_decay", "warm_up", "gradient_clip", "averaging")}
    record = {
        "stage": SENSITIVITY,
        "config": config.of_stage(SENSITIVITY) | shared,
        "start": state_sha256(state),
        "photographs": {"number": len(paths), "sha256": fingerprint(paths)},
    }
    if (run.folder / file).is_file() and (finished := run.finished(file, record)):
        return finished
    of_steps = replace(
        config,
        variants=max(config.sensitivity_variants, _VARIANTS),
        photographs_per_step=_PHOTOGRAPHS,
        variants_per_step=_VARIANTS,
        stage1_steps=config.sensitivity_steps,
    )
    bank = PairBank(of_steps, paths)  # before the folder is made: it says what cannot be used

    def module(half: bool) -> SensitivityTraining:
        network = DeepBQA()
        network.load_state_dict(network.state_dict() | state)
        return SensitivityTraining(config, half, network)

    return run.finished(file, record) or run_training(
        run,
        config,
        file,
        module,
        lambda: ErrorSteps(bank, of_steps),
        steps=config.sensitivity_steps,
        header={
            "stage": SENSITIVITY,
            "photographs": str(len(paths)),
            "left_out": ", ".join(config.left_out),
        },
        averaging=config.averaging,
    )
