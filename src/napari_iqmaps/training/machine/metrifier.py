"""Train the metrifier on a table of labels: what it sees in each step, what it learns, and the run."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Unpack

import numpy as np
import numpy.typing as npt
import pandas as pd
import torch
from torch import Tensor, nn
from torch.nn import functional

from ...core.errors import InputError
from ...core.models import sha256_of
from ...core.networks.metrifier import CELL, MIDDLE, SPREAD, Metrifier, score_of
from ...core.progress import Progress
from ...core.tiling import reflected
from ..draws import Draws, Epochs
from ..engine import Training, run_training
from ..runs import Run, RunOptions
from .labels import ANSWER, LabelTable, distorted_batch
from .pictures import LabelledPictures
from .recipe import MetrifierConfig

NETWORK = "metrifier"

_TOGETHER = 16
"""Pictures that are distorted between two calls of progress."""

_ORDER, _DRAWS = 0, 1
"""Tell the draws of an epoch's order from those of a step."""

_WHITE = 255.0
_BETAS = (0.9, 0.99)
"""Of AdamW: squared gradients are remembered for about 100 steps, not the usual 1000."""

_LARGEST_SPREAD = 0.5
"""The standard deviation of labels that are all 0 or 1, by which squared deviations are divided."""

_CERTAIN = 1e-4
"""What a score keeps from 0 and 1 in the loss, so that no label makes it infinite."""


def learnt_rows(table: pd.DataFrame, config: MetrifierConfig) -> pd.DataFrame:
    """Give the rows of a table of labels that a recipe learns from."""
    rows = table[~table["distortion"].isin(config.left_out)].reset_index(drop=True)
    if rows.empty:
        raise InputError("The table of labels has no rows to learn from. Make one that has, or leave out less.")
    wrong = ~rows[config.target].between(0, 1)
    if wrong.any():
        first = rows[wrong].iloc[0]
        raise InputError(
            f"The table of labels has {int(wrong.sum())} rows whose {config.target} is no number from 0 to 1; the "
            f"first is of {first['image']} ({first[config.target]}). Make the table anew."
        )
    return rows


@dataclass(frozen=True, eq=False)
class MetrifierBank:
    """Distorted pictures and how well workers did on them.

    `pictures`: ``(rows, height, width, 3)``. `labels`: 0 (worst) to 1 (best), ``(rows,)``. `answers`: what the workers
    take each picture for: their mean probability of each class, ``(rows, classes)``. In a table that does not have it,
    1 for the true class.
    """

    pictures: npt.NDArray[np.uint8]
    labels: npt.NDArray[np.float32]
    answers: npt.NDArray[np.float32]

    @classmethod
    def made(
        cls, undistorted: LabelledPictures, rows: pd.DataFrame, target: str, progress: Progress | None = None
    ) -> MetrifierBank:
        """Distort the pictures of a table again, as they were when the workers saw them.

        `progress`: called with ``(pictures made, pictures in all)``; raise `Cancelled` in it to stop. Returns takes 3
        bytes a pixel: 370 MB for 120,000 pictures of 32x32.
        """
        pictures = distorted_batch(undistorted, rows, _now_and_then(progress))
        return cls(pictures, rows[target].to_numpy(dtype=np.float32), _answers(rows, undistorted.classes))


def _answers(rows: pd.DataFrame, classes: Sequence[str]) -> npt.NDArray[np.float32]:
    columns = [f"{ANSWER}{name}" for name in classes]
    if not set(columns) <= set(rows):
        number = {name: index for index, name in enumerate(classes)}
        certain = np.zeros((len(rows), len(classes)), np.float32)
        certain[np.arange(len(rows)), rows["class"].map(number).to_numpy(dtype=np.intp)] = 1
        return certain
    said = rows[columns].to_numpy(dtype=np.float32)
    # Workers may know more classes than these; where they see none of these, nothing is known.
    total = said.sum(axis=1, keepdims=True)
    shares: npt.NDArray[np.float32] = said / np.maximum(total, np.float32(1e-12))
    shares[total[:, 0] <= 0] = 1 / len(classes)
    return shares


def check_size(size: tuple[int, int]) -> None:
    """Refuse a size, (height, width), at which what a cell at the border looks at cannot be reflected."""
    least = Metrifier.REACH + 1
    if min(size) < least:
        raise InputError(
            f"The pictures have {size[0]}x{size[1]} pixels; the metrifier needs at least {least} a side. Make the "
            "labels of larger pictures."
        )


def _now_and_then(progress: Progress | None) -> Progress | None:
    """Pass on what a bar can show: drawing it for each picture would take longer than the pictures."""
    if progress is None:
        return None

    def told(done: int, total: int) -> None:
        if done % _TOGETHER == 0 or done == total:
            progress(done, total)

    return told


class MetrifierSteps(Draws):
    """The steps of a metrifier's training, from a given one on. Every epoch takes the pictures in a new order."""

    def __init__(self, bank: MetrifierBank, config: MetrifierConfig, first: int = 0) -> None:
        super().__init__(config.steps, first)
        self.bank = bank
        self.config = config
        self.order = Epochs(config.seed, len(bank.labels), _ORDER)

    def step(self, number: int) -> dict[str, Tensor]:
        """Draw one step.

        Returns pictures ``(batch, 3, height + 36, width + 36)``, uint8 in channels-last memory order: shifted, flipped,
        and reflected at their borders by what a cell there looks at, or of each a window that gives the recipe's cells;
        label ``(batch,)`` and answers ``(batch, classes)``, float32.
        """
        batch = self.config.batch
        rows = np.array([self.order.at(place) for place in range(number * batch, (number + 1) * batch)])
        rng = np.random.default_rng((self.config.seed, number, _DRAWS))
        pictures = torch.from_numpy(self._drawn(rows, rng))
        return {
            "pictures": pictures.permute(0, 3, 1, 2),
            "label": torch.from_numpy(self.bank.labels[rows]),
            "answers": torch.from_numpy(self.bank.answers[rows]),
        }

    def _drawn(self, rows: npt.NDArray[np.intp], rng: np.random.Generator) -> npt.NDArray[np.uint8]:
        config = self.config
        height, width = self.bank.pictures.shape[1:3]
        reach = Metrifier.REACH
        shifts = rng.integers(-config.shift, config.shift, size=(len(rows), 2), endpoint=True)
        flipped = rng.integers(2, size=len(rows)) * config.flip
        places = rng.random((len(rows), 2))
        # Shifted first, and reflected at the border that it has then.
        down, across = (reflected(np.arange(-reach, length + reach), length) for length in (height, width))
        drawn = np.empty((len(rows), self._side(height), self._side(width), 3), dtype=np.uint8)
        for place, row in enumerate(rows):
            lines = self._window(reflected(down + shifts[place, 0], height), places[place, 0])
            columns = reflected(across + shifts[place, 1], width)
            columns = self._window(columns[::-1] if flipped[place] else columns, places[place, 1])
            drawn[place] = self.bank.pictures[row][lines[:, None], columns]
        return drawn

    def _side(self, length: int) -> int:
        """Say how many pixels are drawn of an axis with its borders."""
        border = 2 * Metrifier.REACH
        return border + (min(length, CELL * (self.config.cells - 1) + 1) if self.config.cells else length)

    def _window(self, indices: npt.NDArray[np.intp], place: float) -> npt.NDArray[np.intp]:
        """Cut out what the drawn cells look at; they sit where those of the whole picture do."""
        side = self._side(len(indices) - 2 * Metrifier.REACH)
        first = CELL * int(place * ((len(indices) - side) // CELL + 1))
        return indices[first : first + side]


class MetrifierTraining(Training):
    """A metrifier that learns how well workers did, beside a layer that tells the classes apart.

    `classifier`: from the features' means over a picture to the logits of its classes; dropped. How well a worker does
    depends as much on what the picture shows as on its distortion, and a network that knows what the workers take a
    picture for can tell what is hard about it. In trials of 1250 steps this was worth 600 of them; the true class alone
    was worth nothing.
    """

    config: MetrifierConfig
    network: Metrifier

    def __init__(self, config: MetrifierConfig, classes: int, half: bool) -> None:
        super().__init__(config, half)
        config.check_classes(classes)
        self.network = Metrifier()
        self.classifier = nn.Linear(self.network.head.in_channels, classes) if config.auxiliary else None
        self.to(memory_format=torch.channels_last)

    def losses(self, batch: dict[str, Tensor]) -> tuple[Tensor, dict[str, Tensor]]:
        """Give the loss of a step, and its parts before they are weighed.

        Returns `parts`: names to numbers. ``deviation`` is no part but the root mean square deviation of score and
        label.
        """
        features, logits = self._forward(batch["pictures"])
        score, label = score_of(logits), batch["label"]
        squared = (score - label).square().mean()
        if self.config.loss == "squared":
            parts = {"score": squared / _LARGEST_SPREAD**2}
        else:
            kept = score.clamp(_CERTAIN, 1 - _CERTAIN)
            parts = {"score": functional.binary_cross_entropy(kept, label)}
        loss = parts["score"]
        if self.classifier is not None:
            parts["answers"] = functional.cross_entropy(self.classifier(features.mean((2, 3))), batch["answers"])
            loss = loss + self.config.auxiliary * parts["answers"]
        parts["deviation"] = squared.detach().sqrt()
        return loss, parts

    def _forward(self, pictures: Tensor) -> tuple[Tensor, Tensor]:
        """Give features and logits of the cells as `Metrifier.forward` does, in the precision of the machine."""
        colours = (pictures / _WHITE - MIDDLE) / SPREAD
        with torch.autocast(pictures.device.type, torch.bfloat16, enabled=self.half_precision):
            features = self.network.features(colours)
        whole = features.float()
        return whole, self.network.head(whole)

    def configure_optimizers(self) -> Any:
        """Give AdamW and its schedule."""
        config = self.config
        groups = self.pulled_and_free(config.rate, config.weight_decay)
        return self.adamw(groups, "cosine", config.steps, config.warm_up, betas=_BETAS)


def fit_metrifier(
    config: MetrifierConfig,
    table: LabelTable,
    pictures: LabelledPictures,
    folder: str | Path,
    *,
    making: Progress | None = None,
    **options: Unpack[RunOptions],
) -> Path:
    """Train a metrifier on a table of labels.

    `table`: from ``iqmaps label``: how well workers did on which distorted pictures. `making`: called before the steps
    with ``(pictures distorted, pictures in all)``; raise `Cancelled` in it to stop.

    The pictures are distorted anew from what the table says of each row, and kept in memory; a continued run makes them
    once more. Whoever judges the result must not judge it on pictures of the table, nor on those that the workers
    were trained on.
    """
    run = Run(Path(folder), **options)
    config.check_classes(len(pictures.classes))
    check_size(pictures.size)
    if pictures.fingerprint != table.record["pictures"]["sha256"]:
        raise InputError(f"{table.path} was made of other pictures. Read them with pictures_of(table, data).")
    rows = learnt_rows(table.frame, config)
    labels: dict[str, Any] = {"table": table.path.name, "sha256": sha256_of(table.path), "made_with": table.record}

    def module(half: bool) -> MetrifierTraining:
        made = MetrifierTraining(config, len(pictures.classes), half)
        made.network.trained_side.fill_(min(pictures.size))
        return made

    file, record = f"{NETWORK}.safetensors", {"config": asdict(config), "labels": labels, "rows": len(rows)}
    return run.finished(file, record) or run_training(
        run,
        config,
        file,
        module,
        lambda: MetrifierSteps(MetrifierBank.made(pictures, rows, config.target, making), config),
        steps=config.steps,
        header={
            "target": config.target,
            "data": table.record["pictures"]["data"],
            "workers": ", ".join(table.workers),
            "images": str(rows["image"].nunique()),
            "rows": str(len(rows)),
            "labels_sha256": labels["sha256"],
            "left_out": ", ".join(config.left_out),
        },
    )
