"""What Lightning trains when it trains a recogniser, and what each of its steps sees."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from ..clipping import ClipsGradients
from ..schedule import schedule_of
from ..trainer import log_step
from .pictures import LabelledPictures
from .worker_config import WorkerConfig
from .worker_networks import WorkerNetwork

_ORDER = 1
"""Tells the draws of an epoch's order from those of a step."""


class WorkerSteps:
    """The steps of a run from a given one on, each drawn from the seed and its number alone.

    Parameters
    ----------
    first : int
        The step to begin with; what a resumed run continues from.

    Notes
    -----
    Every epoch takes the pictures in a new order; a step may reach from one epoch into the next.
    """

    def __init__(self, pictures: LabelledPictures, config: WorkerConfig, first: int = 0) -> None:
        self.pictures = torch.from_numpy(pictures.pixels).permute(0, 3, 1, 2)
        self.labels = torch.from_numpy(pictures.labels)
        self.config = config
        self.first = first
        self._order: tuple[int, Any] = (-1, None)

    def __len__(self) -> int:
        return self.config.steps(len(self.labels))  # Lightning counts the steps before a resumption as well

    def __iter__(self) -> Iterator[dict[str, Tensor]]:
        for step in range(self.first, len(self)):
            yield self.step(step)

    # Lightning asks for these two to believe that a run can go on within an epoch; `first` is what does it.
    def state_dict(self) -> dict[str, Any]:
        """Give nothing: the step's number is all there is to keep, and Lightning keeps it."""
        return {}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Take nothing."""

    def step(self, number: int) -> dict[str, Tensor]:
        """Draw one step.

        Parameters
        ----------
        number : int
            The step, from 0.

        Returns
        -------
        dict of torch.Tensor
            colours, uint8 ``(batch, 3, height, width)``, and label, ``(batch,)``.
        """
        config = self.config
        rows = torch.from_numpy(self._rows(number))
        rng = np.random.default_rng((config.seed, number))
        colours = self.pictures[rows]
        if config.flip:
            flipped = torch.from_numpy(rng.random(len(rows)) < 0.5)
            colours = torch.where(flipped[:, None, None, None], colours.flip(3), colours)
        height, width = colours.shape[-2:]
        reach = min(config.shift, height - 1, width - 1)
        if reach:
            colours = nn.functional.pad(colours.float(), (reach,) * 4, mode="reflect").to(torch.uint8)
            corners = torch.from_numpy(rng.integers(2 * reach + 1, size=(2, len(rows))))
            down = (corners[0][:, None] + torch.arange(height))[:, None, :, None]
            right = (corners[1][:, None] + torch.arange(width))[:, None, None, :]
            colours = colours[torch.arange(len(rows))[:, None, None, None], torch.arange(3)[:, None, None], down, right]
        return {"colours": colours, "label": self.labels[rows]}

    def _rows(self, number: int) -> Any:
        places = np.arange(number * self.config.batch, (number + 1) * self.config.batch)
        epochs, within = np.divmod(places, len(self.labels))
        return np.array([self._in_epoch(int(epoch))[place] for epoch, place in zip(epochs, within, strict=True)])

    def _in_epoch(self, epoch: int) -> Any:
        if self._order[0] != epoch:
            rng = np.random.default_rng((self.config.seed, epoch, _ORDER))
            self._order = (epoch, rng.permutation(len(self.labels)))
        return self._order[1]


class WorkerTraining(ClipsGradients):
    """A recogniser in training.

    Parameters
    ----------
    half : bool
        Whether the convolutions are in bfloat16.
    """

    def __init__(self, config: WorkerConfig, classes: int, steps: int, *, half: bool) -> None:
        super().__init__()
        self.config = config
        self.steps = steps
        self.half_precision = half
        torch.manual_seed(config.seed)
        self.network = WorkerNetwork(config.architecture, classes, config.width)
        self.to(memory_format=torch.channels_last)

    def training_step(self, batch: dict[str, Tensor], batch_idx: int) -> Tensor:
        """Give the loss of one step."""
        colours = (batch["colours"].float() / 255).contiguous(memory_format=torch.channels_last)
        with torch.autocast(colours.device.type, torch.bfloat16, enabled=self.half_precision):
            logits = self.network(colours)
        loss = nn.functional.cross_entropy(logits.float(), batch["label"], label_smoothing=self.config.smoothing)
        right = (logits.argmax(1) == batch["label"]).float().mean()
        log_step(self, loss, {"accuracy": right})
        return loss

    def configure_optimizers(self) -> Any:
        """Give AdamW, which pulls convolutions and the head to zero and nothing else, and its schedule."""
        config = self.config
        pulled = [value for value in self.parameters() if value.ndim > 1]
        free = [value for value in self.parameters() if value.ndim <= 1]
        groups = [{"params": pulled, "weight_decay": config.weight_decay}, {"params": free, "weight_decay": 0.0}]
        optimizer = torch.optim.AdamW(groups, lr=config.rate, fused=True)
        schedule = schedule_of(optimizer, [config.rate] * 2, "one-cycle", self.steps, config.warm_up)
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": schedule, "interval": "step"}}
