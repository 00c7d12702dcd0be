"""What happens between two steps: averaging, checkpoints, progress, and stopping where one can go on."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import lightning.pytorch as pl
from lightning.pytorch.callbacks import Callback, WeightAveraging
from torch import Tensor

from ..core.errors import Cancelled
from ..core.io.atomic import written_whole


class RunningMean(WeightAveraging):
    """Exponential mean of the weights that forgets its start.

    Parameters
    ----------
    decay : float
        What of the mean stays in a step, once the run is ten times as long as the mean's memory. Before that the
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

    Parameters
    ----------
    progress : callable, optional
        Called with ``(steps done, steps in all)`` after each step; what it raises ends the run, after a checkpoint.
    """

    def __init__(self, path: Path, every: int, total: int, progress: Callable[[int, int], None] | None = None) -> None:
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
