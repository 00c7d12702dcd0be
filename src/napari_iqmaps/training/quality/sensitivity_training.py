"""Between the stages: DeepBQA's sensitivity learns to turn predicted errors into what is visible, without scores."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from safetensors import safe_open
from torch import Tensor, nn

from ...core import models
from ...core.networks.blind import DeepBQA
from .. import runs
from ..callbacks import Keeper
from ..clipping import ClipsGradients
from ..memory import keep_freed_memory
from ..precision import resolved_precision
from ..quiet import quiet_lightning
from ..schedule import schedule_of
from ..trainer import log_step, make_trainer, reproducible, step_of
from ..weights_file import write_weights
from .config import QualityConfig
from .error_training import OF_VISIBILITY, USUAL_EXCHANGE, averaged_around
from .forward import cells_of, inner_cells, relative
from .pairs import PairBank, fingerprint, learnt_photographs
from .score_bank import start_state, state_sha256
from .steps import Steps

Progress = Callable[[int, int], None]

SENSITIVITY = "sensitivity"
"""What the header of the result calls its stage, and the run's folder and file."""

# Many contents a step, and two strengths of each: means over images are learnt, which vary with both.
_PHOTOGRAPHS, _VARIANTS = 12, 2


class SensitivityTraining(ClipsGradients):
    """DeepBQA's sensitivity in training, over errors that stay as they are.

    Parameters
    ----------
    half : bool
        Whether the convolutions are in bfloat16.
    network : DeepBQA
        As the first stage left it; its sensitivity is changed in place.

    Attributes
    ----------
    exchange : torch.nn.Parameter
        Logarithm of the impairment that one unit of perceptual error stands for; dropped.

    Notes
    -----
    The loss is the squared deviation of the perceptual error, times a trained number, from what is visible with the
    reference at hand: averaged over squares of 8 cells, and averaged over each window. The second is what scores are
    made of, and what the first stage's term for the place leaves open.
    """

    def __init__(self, config: QualityConfig, half: bool, network: DeepBQA) -> None:
        super().__init__()
        self.config = config
        self.half_precision = half
        self.network = network
        network.requires_grad_(False)
        network.sensitivity.requires_grad_(True)
        self.exchange = nn.Parameter(torch.tensor(math.log(USUAL_EXCHANGE)))
        self.to(memory_format=torch.channels_last)

    def training_step(self, batch: dict[str, Tensor], batch_idx: int) -> Tensor:
        """Give the loss of one step."""
        config = self.config
        cells = inner_cells(cells_of(self.network, batch["test"], half=self.half_precision), config.crop_cells)
        assert cells.sensitivity is not None
        visible = batch["visible"]
        if config.crop_cells:
            visible = visible[..., config.crop_cells : -config.crop_cells, config.crop_cells : -config.crop_cells]
        costs = cells.sensitivity * cells.error.clamp_min(0)
        if config.reliability_weighting:
            costs = costs * relative(cells.reliability)
        deviation = costs * self.exchange.exp() - visible
        parts = {
            "place": averaged_around(deviation).square().mean() / OF_VISIBILITY**2,
            "mean": deviation.mean((1, 2, 3)).square().mean() / OF_VISIBILITY**2,
        }
        loss = parts["place"] + parts["mean"]
        log_step(self, loss, parts)
        return loss

    def configure_optimizers(self) -> Any:
        """Give AdamW and its schedule."""
        config = self.config
        trained = [parameter for parameter in self.parameters() if parameter.requires_grad]
        rate = config.first_sensitivity_rate
        optimizer = torch.optim.AdamW(trained, lr=rate, weight_decay=config.weight_decay, fused=True)
        schedule = schedule_of(optimizer, [rate], "cosine", config.sensitivity_steps, config.warm_up)
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": schedule, "interval": "step"}}


def needs_sensitivity(config: QualityConfig, start: str | Path) -> bool:
    """Tell whether the sensitivity of a start is still to be trained.

    Parameters
    ----------
    start : str or pathlib.Path
        Result of a first stage.

    Returns
    -------
    bool
        True for a first stage of DeepBQA whose sensitivity has not had steps of its own, if the recipe wants some.
    """
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
    *,
    resume: bool = True,
    device: str = "auto",
    checkpoint_every: int = 100,
    command: str = "",
    bar: bool = False,
    progress: Progress | None = None,
) -> Path:
    """Train the sensitivity of a first stage of DeepBQA.

    Parameters
    ----------
    start : str or pathlib.Path
        Result of the first stage.
    photographs : sequence of str or pathlib.Path
        Undistorted pictures, as for the first stage.

    Returns
    -------
    pathlib.Path
        ``sensitivity.safetensors``: the state of the whole network, its score still untrained.
    """
    folder, start = Path(folder), Path(start)
    finished = folder / f"{SENSITIVITY}.safetensors"
    paths = learnt_photographs([Path(path) for path in photographs], config.hold_out)
    state = start_state(config.network, start)
    shared = {name: getattr(config, name) for name in ("side", "weight_decay", "warm_up", "gradient_clip", "averaging")}
    record = {
        "stage": SENSITIVITY,
        "config": config.of_stage(SENSITIVITY) | shared,
        "start": state_sha256(state),
        "photographs": {"number": len(paths), "sha256": fingerprint(paths)},
    }
    steps_config = replace(
        config, variants=max(config.sensitivity_variants, _VARIANTS), photographs_per_step=_PHOTOGRAPHS,
        variants_per_step=_VARIANTS, stage1_steps=config.sensitivity_steps,
    )  # fmt: skip
    bank = None if finished.is_file() else PairBank(steps_config, paths)
    if runs.prepare(folder, record, resume=resume) and bank is None:
        return finished
    target = models.resolve(device)
    precision = resolved_precision(config.precision, target)
    runs.write_json(folder / runs.VERSIONS, runs.versions(target, precision))

    keep_freed_memory()
    checkpoint = folder / runs.CHECKPOINT
    first = step_of(checkpoint) if checkpoint.is_file() else 0
    with quiet_lightning(), reproducible():
        torch.manual_seed(config.seed)
        network = DeepBQA()
        network.load_state_dict(network.state_dict() | state)
        module = SensitivityTraining(config, precision != "32-true", network)
        if bank is not None and first < config.sensitivity_steps:
            keeper = Keeper(checkpoint, checkpoint_every, config.sensitivity_steps, progress)
            trainer = make_trainer(folder, config.sensitivity_steps, first=first, averaging=config.averaging,
                                   device=target, precision="32-true", keeper=keeper, bar=bar)  # fmt: skip
            with keeper.listening():
                trainer.fit(module, Steps(bank, steps_config, first), ckpt_path=checkpoint if first else None,
                            weights_only=True)  # fmt: skip
        else:
            module.load_state_dict(torch.load(checkpoint, map_location="cpu", weights_only=True)["state_dict"])
    header = {
        "trained_by": command or "napari_iqmaps.training.quality.sensitivity_training",
        "seed": str(config.seed),
        "steps": str(config.sensitivity_steps),
        "stage": SENSITIVITY,
        "photographs": str(len(paths)),
        "left_out": ", ".join(config.left_out),
    }
    write_weights(finished, config.network, module.network, header)
    return finished
