"""Lightning's trainer as all our runs use it: one pass of steps, a table of the losses, the same numbers each time."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import lightning.pytorch as pl
import torch
from lightning.pytorch.callbacks import Callback, RichProgressBar
from lightning.pytorch.loggers import CSVLogger
from lightning.pytorch.utilities import rank_zero_only
from torch import Tensor
from torch.utils import deterministic as torch_deterministic

from ..core.errors import InputError
from . import runs
from .callbacks import Keeper, RunningMean


def make_trainer(
    folder: Path,
    steps: int,
    *,
    first: int,
    averaging: float,
    device: torch.device,
    precision: str,
    keeper: Keeper,
    bar: bool,
    devices: int = 1,
) -> pl.Trainer:
    """Make the trainer of a run, with the rows of its table that an earlier part has written.

    Parameters
    ----------
    averaging : float
        Decay of the running mean of the weights; 0 is off.
    devices : int
        How many devices of this kind share each step (distributed data parallel).
    """
    logger = CSVLogger(folder, name="", version="", flush_logs_every_n_steps=50)
    rows = runs.metrics_until(folder, first)
    if is_main_process():
        logger.experiment.metrics.extend(rows)  # making it empties the table that these came from
    callbacks: list[Callback] = [RunningMean(averaging)] if averaging else []
    callbacks.append(keeper)
    if bar:
        callbacks.append(RichProgressBar())
    chosen: Any = [device.index or 0] if device.type == "cuda" and devices == 1 else devices
    return pl.Trainer(
        accelerator={"cuda": "gpu"}.get(device.type, device.type),
        devices=chosen,
        strategy="auto" if devices == 1 else "ddp",
        precision=precision,  # type: ignore[arg-type] # Lightning lists the words that the recipes allow
        max_steps=steps,
        max_epochs=1,
        logger=logger,
        callbacks=callbacks,
        log_every_n_steps=max(1, min(10, steps // 4)),
        enable_checkpointing=False,
        enable_progress_bar=bar,
        enable_model_summary=False,
        deterministic=True,
    )


def is_main_process() -> bool:
    """Tell whether this process writes files.

    Returns
    -------
    bool
        True for the only process of a run, and for the first of those that share its steps.
    """
    return getattr(rank_zero_only, "rank", 0) == 0


def log_step(module: pl.LightningModule, loss: Tensor, parts: Mapping[str, Tensor]) -> None:
    """Show a step's loss on the bar, and write it with its parts into the run's table if a row is due.

    Notes
    -----
    Lightning's own logging writes the row after the callbacks, so that a run which a callback stops, or which is
    killed after the checkpoint of that step, would lack it for good.
    """
    module.log("loss", loss.detach(), prog_bar=True, logger=False, batch_size=1)
    step = module.global_step
    if module.logger is not None and (step + 1) % module.trainer.log_every_n_steps == 0:  # type: ignore[attr-defined]
        row = {name: value.item() for name, value in {"loss": loss, **parts}.items()}
        module.logger.log_metrics(row, step=step)


def step_of(checkpoint: Path) -> int:
    """Read how many steps a checkpoint has behind it."""
    try:
        return int(torch.load(checkpoint, map_location="cpu", weights_only=True, mmap=True)["global_step"])
    except Exception as error:  # torch's reader raises many kinds on a damaged file
        raise InputError(f"{checkpoint} cannot be read ({error}). Remove it to begin this run anew.") from None


@contextmanager
def reproducible() -> Iterator[None]:
    """Put torch's global switches and generator back after Lightning has set them."""
    deterministic = torch.are_deterministic_algorithms_enabled()
    switches: Any = torch_deterministic  # its stubs do not know its switch
    fill, state = switches.fill_uninitialized_memory, torch.get_rng_state()
    # Filling every new tensor guards against reading what was never written; it takes a third of a step.
    switches.fill_uninitialized_memory = False
    try:
        yield
    finally:
        switches.fill_uninitialized_memory = fill
        torch.use_deterministic_algorithms(deterministic)
        torch.set_rng_state(state)
