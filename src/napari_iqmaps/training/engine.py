"""Run a training with Lightning: the same numbers from the same seed, and a run that can be stopped and continued.

A training brings a `Training` (what Lightning trains), a `Draws` (what each step sees), its recipe, and what the file
of its result says; `run_training` does everything else.
"""

from __future__ import annotations

import logging
import math
import signal
import threading
import warnings
from abc import abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import lightning.pytorch as pl
import numpy as np
import torch
from lightning.pytorch.callbacks import Callback, RichProgressBar, WeightAveraging
from lightning.pytorch.loggers import CSVLogger
from torch import Tensor, nn
from torch.optim.lr_scheduler import LambdaLR, LRScheduler, OneCycleLR
from torch.utils import deterministic as torch_deterministic

from ..core import models
from ..core.errors import Cancelled, InputError
from ..core.io.atomic import written_whole
from ..core.io.records import is_whole, short
from ..core.io.source import check_regular
from ..core.progress import Progress
from . import runs
from .draws import Draws
from .hardware import SINGLE, keep_freed_memory, resolved_precision, versions
from .runs import Run, is_main_process
from .weights import write_weights

_NEEDED = ("global_step", "state_dict", "optimizer_states", "lr_schedulers", "loops", "epoch")
"""What a checkpoint holds that a run goes on from."""

_LOGGERS = ("lightning.pytorch", "lightning.fabric")
_ADVICE = (
    # The device is the user's choice.
    ".*GPU available but not used.*",
    # The folder of a resumed run is not empty; its table is carried over.
    ".*Experiment logs directory .* exists and is not empty.*",
    # Lightning 2.6 uses a class that torch 2.13 has deprecated.
    r"`isinstance\(treespec, LeafSpec\)` is deprecated.*",
)


class Training(pl.LightningModule):
    """What Lightning trains: a network, with whatever stands between it and the loss.

    `config`: its seed sets torch's generator, before anything that draws from it is made. `half`: whether the
    convolutions are in bfloat16; see `casts`. `casts`: whether the training casts its
    convolutions itself; if not, Lightning casts all that bfloat16 is safe for. `step_key`: follows the seed and the
    step's number in what torch's generator is set to before each step; None where steps draw nothing.
    """

    network: nn.Module
    casts = True
    step_key: int | None = None

    def __init__(self, config: Any, half: bool = False) -> None:
        super().__init__()
        self.config = config
        self.half_precision = half
        torch.manual_seed(config.seed)

    @abstractmethod
    def losses(self, batch: dict[str, Tensor]) -> tuple[Tensor, dict[str, Tensor]]:
        """Give the loss of a step, and its parts before they are weighed."""

    @property
    def gradient_clip(self) -> float:
        """Largest norm of all gradients together; 0 clips nothing."""
        largest: float = self.config.gradient_clip
        return largest

    def on_train_batch_start(self, batch: Any, batch_idx: int) -> None:
        """Seed by the step, so that a resumed run draws the noise that an uninterrupted one would."""
        if self.step_key is not None:
            state = np.random.SeedSequence((self.config.seed, self.global_step, self.step_key)).generate_state(1)
            torch.manual_seed(int(state[0]))

    def training_step(self, batch: dict[str, Tensor], batch_idx: int) -> Tensor:
        """Give the loss of one step, show it on the bar, and write it with its parts into the run's table if due.

        Lightning's own logging writes the row after the callbacks, so that a run which a callback stops, or which is
        killed after the checkpoint of that step, would lack it for good.
        """
        loss, parts = self.losses(batch)
        self.log("loss", loss.detach(), prog_bar=True, logger=False, batch_size=1)
        step = self.global_step
        if self.logger is not None and (step + 1) % self.trainer.log_every_n_steps == 0:  # type: ignore[attr-defined]
            row = {name: value.item() for name, value in {"loss": loss, **parts}.items()}
            self.logger.log_metrics(row, step=step)
        return loss

    def configure_gradient_clipping(
        self,
        optimizer: torch.optim.Optimizer,
        gradient_clip_val: float | None = None,
        gradient_clip_algorithm: str | None = None,
    ) -> None:
        """Clip the norm of all gradients together; called by Lightning before each step.

        Lightning's own clipping refuses fused optimisers, which matter only where losses are scaled.
        """
        if self.gradient_clip:
            nn.utils.clip_grad_norm_(self.parameters(), self.gradient_clip, foreach=True)

    def adamw(
        self, groups: Sequence[dict[str, Any]], kind: str, steps: int, warm_up: float, **options: Any
    ) -> dict[str, Any]:
        """Give AdamW and its schedule as Lightning wants them.

        `groups`: parameters with their lr and weight_decay. `kind`, `warm_up`: as of `schedule_of`.
        """
        optimizer = torch.optim.AdamW(list(groups), fused=True, **options)
        schedule = schedule_of(optimizer, [group["lr"] for group in groups], kind, steps, warm_up)
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": schedule, "interval": "step"}}

    def pulled_and_free(self, rate: float, weight_decay: float) -> list[dict[str, Any]]:
        """Divide the parameters into matrices, which weight decay pulls to 0, and vectors, which nothing pulls."""
        pulled = [value for value in self.parameters() if value.ndim > 1]
        free = [value for value in self.parameters() if value.ndim <= 1]
        return [
            {"params": pulled, "lr": rate, "weight_decay": weight_decay},
            {"params": free, "lr": rate, "weight_decay": 0.0},
        ]


_Trained = TypeVar("_Trained", bound=Training)


def run_training(
    run: Run,
    config: Any,
    file: str,
    module: Callable[[bool], _Trained],
    draws: Callable[[], Draws],
    *,
    steps: int,
    header: Mapping[str, str],
    averaging: float = 0.0,
    finish: Callable[[_Trained], object] | None = None,
) -> Path:
    """Train in a run's folder, which `Run.finished` has prepared, or go on where it was stopped.

    Parameters
    ----------
    config : Recipe
        Its network is what the file of the result says it is of.
    file : str
        Name of the result in the folder.
    module : callable
        Makes what is trained; called with whether the convolutions are to be in bfloat16.
    draws : callable
        Gives what each step sees; not called if all steps are done and only the result is missing.
    header : mapping of str to str
        What the result says of itself besides the network, the command, the seed, the steps and the version.
    averaging : float
        Decay of the running mean of the weights, which is the result; 0 is off.
    finish : callable, optional
        Called with the module, on the CPU, before its network is written.
    """
    device = models.resolve(run.device)
    precision = resolved_precision(config.precision, device)
    runs.write_json(run.folder / runs.VERSIONS, versions(device, precision))
    keep_freed_memory()
    kept = _checkpoint(run.checkpoint) if run.checkpoint.is_file() else None
    first = 0 if kept is None else kept["global_step"]
    with _quiet_lightning(), _reproducible():
        torch.manual_seed(config.seed)
        made = module(precision != SINGLE)
        if kept is not None and (misfits := models.misfits_of(made.state_dict(), kept["state_dict"])):
            raise _unusable(run.checkpoint, f"it is of another network: {misfits}")
        if first < steps:
            data = draws()
            data.first = first
            keeper = Keeper(run.checkpoint, run.checkpoint_every, steps, run.progress)
            casts = SINGLE if made.casts else precision
            trainer = _trainer(run, steps, first, device=device, precision=casts, averaging=averaging, keeper=keeper)
            with keeper.listening():
                trainer.fit(made, data, ckpt_path=run.checkpoint if first else None, weights_only=True)
        else:
            assert kept is not None
            made.load_state_dict(kept["state_dict"])
        if finish is not None:
            finish(made.cpu())
    finished = run.folder / file
    if is_main_process():
        said = {"trained_by": run.command or type(made).__module__, "seed": str(config.seed), "steps": str(steps)}
        write_weights(finished, config.network, made.network, {**said, **header})
    return finished


def schedule_of(
    optimizer: torch.optim.Optimizer, rates: Sequence[float], kind: str, steps: int, warm_up: float
) -> LRScheduler:
    """Make the schedule of an optimiser, to be advanced after each step.

    `kind`: how it runs after the rise: as torch's one-cycle policy, as half a cosine down to 0, or not at all.
    `warm_up`: share of the steps over which the rate rises.
    """
    if kind == "one-cycle":
        # torch's own needs a rise and a fall of at least a step each.
        total = steps + 3
        share = min(max(warm_up, 2 / total), 1 - 1 / total)
        return OneCycleLR(optimizer, list(rates), total_steps=total, pct_start=share)

    def factor(step: int) -> float:
        rise = max(warm_up * steps, 1)
        if step < rise:
            return (step + 1) / (rise + 1)
        fall = (step - rise) / max(steps - rise, 1)
        return 1.0 if kind == "constant" else 0.5 * (1 + math.cos(math.pi * min(fall, 1)))

    return LambdaLR(optimizer, factor)


class RunningMean(WeightAveraging):
    """Exponential mean of the weights that forgets its start.

    `decay`: what of the mean stays in a step, once the run is ten times as long as the mean's memory. Before that the
    memory is a tenth of the run: early weights are no part of the result.
    """

    def __init__(self, decay: float) -> None:
        self.decay = decay
        super().__init__(use_buffers=False, avg_fn=self._mean)

    def _mean(self, mean: Tensor, current: Tensor, count: Tensor | int) -> Tensor:
        steps = int(count)
        return mean.lerp(current, 1 - min(self.decay, (1 + steps) / (10 + steps)))


class Keeper(Callback):
    """Writes checkpoints, reports progress, and stops on Ctrl-C between two steps.

    `progress`: called with ``(steps done, steps in all)`` after each step; what it raises ends the run, after a
    checkpoint.
    """

    def __init__(self, path: Path, every: int, total: int, progress: Progress | None = None) -> None:
        self.path = path
        self.every = every
        self.total = total
        self.progress = progress
        self.interrupted = False

    def on_train_batch_end(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Do what is due after a step."""
        step = trainer.global_step
        try:
            if self.progress is not None:
                self.progress(step, self.total)
            if self.interrupted:
                raise Cancelled(
                    f"Training stopped after step {step} of {self.total}. Run the same command again to go on."
                )
        except BaseException:
            self._save(trainer)
            raise
        if step % self.every == 0 or step == self.total:
            self._save(trainer)

    def _save(self, trainer: pl.Trainer) -> None:
        # The table first: rows after the checkpoint are dropped on resuming, rows before it must be there.
        for logger in trainer.loggers:
            logger.save()
        if not trainer.is_global_zero:
            trainer.save_checkpoint(self.path)  # writes nothing, but the first process waits for it
            return
        with written_whole(self.path) as part:
            trainer.save_checkpoint(part)

    @contextmanager
    def listening(self) -> Iterator[None]:
        """Let Ctrl-C end the run after its current step; a second one ends it at once."""
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        previous = signal.getsignal(signal.SIGINT)

        def interrupt(number: int, frame: Any) -> None:
            self.interrupted = True
            signal.signal(signal.SIGINT, previous)

        signal.signal(signal.SIGINT, interrupt)
        try:
            yield
        finally:
            signal.signal(signal.SIGINT, previous)


def _trainer(
    run: Run, steps: int, first: int, *, device: torch.device, precision: str, averaging: float, keeper: Keeper
) -> pl.Trainer:
    """Make Lightning's trainer, with the rows of the run's table that an earlier part has written."""
    logger = CSVLogger(run.folder, name="", version="", flush_logs_every_n_steps=50)
    rows = runs.metrics_until(run.folder, first)
    if is_main_process():
        logger.experiment.metrics.extend(rows)  # making it empties the table that these came from
    callbacks: list[Callback] = [RunningMean(averaging)] if averaging else []
    callbacks.append(keeper)
    if run.bar:
        callbacks.append(RichProgressBar())
    chosen: Any = [device.index or 0] if device.type == "cuda" and run.devices == 1 else run.devices
    return pl.Trainer(
        accelerator={"cuda": "gpu"}.get(device.type, device.type),
        devices=chosen,
        strategy="auto" if run.devices == 1 else "ddp",
        precision=precision,  # type: ignore[arg-type] # Lightning lists the words that the recipes allow
        max_steps=steps,
        max_epochs=1,
        logger=logger,
        callbacks=callbacks,
        log_every_n_steps=max(1, min(10, steps // 4)),
        enable_checkpointing=False,
        enable_progress_bar=run.bar,
        enable_model_summary=False,
        deterministic=True,
    )


def _checkpoint(path: Path) -> dict[str, Any]:
    """Read a checkpoint, and see to it that it holds what a run goes on from."""
    try:
        check_regular(path)
        kept: Any = torch.load(path, map_location="cpu", weights_only=True, mmap=True)
    except Exception as error:  # torch's reader raises many kinds on a damaged file
        raise _unusable(path, error) from error
    if not isinstance(kept, dict) or (missing := [name for name in _NEEDED if name not in kept]):
        raise _unusable(path, "it is no checkpoint" if not isinstance(kept, dict) else f"it lacks {missing[0]}")
    if not is_whole(kept["global_step"]) or kept["global_step"] < 0:
        raise _unusable(path, f"it is of step {short(kept['global_step'])}")
    state = kept["state_dict"]
    if not isinstance(state, dict) or not all(isinstance(tensor, Tensor) for tensor in state.values()):
        raise _unusable(path, "it holds no tensors")
    return kept


def _unusable(path: Path, reason: object) -> InputError:
    return InputError(f"{path} cannot be read ({reason}). Remove it to begin this run anew.")


@contextmanager
def _quiet_lightning() -> Iterator[None]:
    """Keep Lightning's log at errors, and its inapplicable warnings away, while the block runs."""
    loggers = [logging.getLogger(name) for name in _LOGGERS]
    levels = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            for message in _ADVICE:
                warnings.filterwarnings("ignore", message=message)
            yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)


@contextmanager
def _reproducible() -> Iterator[None]:
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
