"""Distorted pictures with their labels in memory, and which of them each step of a metrifier's training sees."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import torch
from torch import Tensor

from ...core.errors import InputError
from ...core.networks.metrifier import CELL, Metrifier
from ...core.tiling import reflected
from .labels import ANSWER, distorted_batch
from .metrifier_config import MetrifierConfig
from .pictures import LabelledPictures

Progress = Callable[[int, int], None]

_TOGETHER = 16
"""Pictures that are distorted between two calls of progress."""

_ORDER, _DRAWS = 0, 1
"""Tell the draws of an epoch's order from those of a step."""


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

    Attributes
    ----------
    pictures : numpy.ndarray of uint8
        ``(rows, height, width, 3)``.
    labels : numpy.ndarray of float32
        0 (worst) to 1 (best), ``(rows,)``.
    answers : numpy.ndarray of float32
        What the workers take each picture for: their mean probability of each class, ``(rows, classes)``. In a table
        that does not have it, 1 for the true class.
    """

    pictures: npt.NDArray[np.uint8]
    labels: npt.NDArray[np.float32]
    answers: npt.NDArray[np.float32]

    @classmethod
    def made(
        cls, undistorted: LabelledPictures, rows: pd.DataFrame, target: str, progress: Progress | None = None
    ) -> MetrifierBank:
        """Distort the pictures of a table again, as they were when the workers saw them.

        Parameters
        ----------
        progress : callable, optional
            Called with ``(pictures made, pictures in all)``; raise `Cancelled` in it to stop.

        Returns
        -------
        MetrifierBank
            Takes 3 bytes a pixel: 370 MB for 120,000 pictures of 32x32.
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
    """Refuse pictures that cannot be reflected by what a cell at their border looks at.

    Parameters
    ----------
    size : (int, int)
        Height and width in pixels.
    """
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


class MetrifierSteps:
    """The steps of a metrifier's training, from a given one on.

    Parameters
    ----------
    first : int
        The step to begin with; what a resumed run continues from.

    Notes
    -----
    Every epoch takes the pictures in a new order. Each step is drawn from the seed and its number alone, so that it
    can be redone.
    """

    def __init__(self, bank: MetrifierBank, config: MetrifierConfig, first: int = 0) -> None:
        self.bank = bank
        self.config = config
        self.first = first
        self._order = lru_cache(maxsize=2)(self._permutation)

    def __len__(self) -> int:
        return self.config.steps  # of the whole run: Lightning counts the steps before a resumption as well

    def __iter__(self) -> Iterator[dict[str, Tensor]]:
        for number in range(self.first, self.config.steps):
            yield self.step(number)

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
            pictures ``(batch, 3, height + 36, width + 36)``, uint8 in channels-last memory order: shifted, flipped,
            and reflected at their borders by what a cell there looks at, or of each a window that gives the recipe's
            cells; label ``(batch,)`` and answers ``(batch, classes)``, float32.
        """
        batch = self.config.batch
        rows = np.array([self._row(number * batch + place) for place in range(batch)])
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

    def _row(self, place: int) -> int:
        """Say which picture stands at a place of the endless row of epochs."""
        epoch, within = divmod(place, len(self.bank.labels))
        return int(self._order(epoch)[within])

    def _permutation(self, epoch: int) -> npt.NDArray[np.intp]:
        return np.random.default_rng((self.config.seed, epoch, _ORDER)).permutation(len(self.bank.labels))
