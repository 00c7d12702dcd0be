"""What each step of training sees: drawn from the seed and the step's number alone, so that any step can be redone."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from .config import TrainingConfig
from .samples import ORIENTATIONS, Integers, ScoredImages

_FLAT_CONTRAST = 0.05


class Batches:
    """The steps of a training run, from a given one on.

    Parameters
    ----------
    rows : numpy.ndarray of int
        Which rows of the table to learn from; no other image is touched, references included.
    first : int
        The step to begin with; what a resumed run continues from.

    Notes
    -----
    A step's patches stay together by image: patch k belongs to image ``k // config.patches``.
    """

    def __init__(self, data: ScoredImages, rows: npt.NDArray[np.intp], config: TrainingConfig, first: int = 0) -> None:
        table = data.table.iloc[rows]
        self.config = config
        self.first = first
        self.bank = data.bank
        self.files = data.bank.numbers(table["file"])
        self.references = data.bank.numbers(table["reference"])
        self.impairment = table["impairment"].to_numpy(dtype=np.float32)
        self.weight = table["weight"].to_numpy(dtype=np.float32)
        self.databases = sorted(set(table["database"]))
        self.database = np.array([self.databases.index(name) for name in table["database"]], dtype=np.int64)
        self.clean = np.concatenate([np.unique(self.references), data.bank.numbers(data.photographs)])

    def __len__(self) -> int:
        return self.config.steps  # of the whole run: Lightning counts the steps before a resumption as well

    def __iter__(self) -> Iterator[dict[str, Tensor]]:
        for step in range(self.first, self.config.steps):
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
            test and reference patches ``(images * patches, 32, 32, 4)``; impairment, weight and database of each
            image; clean patches where the recipe needs them.
        """
        config = self.config
        rng = np.random.default_rng((config.seed, number))
        rows = self._draw_images(rng)
        each = np.repeat(rows, config.patches)
        corners = self.bank.corners(self.files[each], rng.random((2, len(each))))
        orientations = rng.integers(ORIENTATIONS, size=len(each))
        batch = {
            "test": self.bank.take(self.files[each], corners, orientations),
            "reference": self.bank.take(self.references[each], corners, orientations),
            "impairment": torch.from_numpy(self.impairment[rows]),
            "weight": torch.from_numpy(self.weight[rows]),
            "database": torch.from_numpy(self.database[rows]),
        }
        if config.brightness:
            shift = rng.uniform(-config.brightness, config.brightness, len(rows)).repeat(config.patches)
            for name in ("test", "reference"):
                batch[name][..., 0] += torch.from_numpy(shift).float()[:, None, None]
        if config.invariance or config.pull:
            batch |= self._draw_clean(rng)
        return batch

    def _draw_images(self, rng: np.random.Generator) -> Integers:
        count = self.config.images
        if not self.config.balance:
            return _without_repeats(rng, np.arange(len(self.files)), count)
        shares = np.diff(np.linspace(0, count, len(self.databases) + 1).round().astype(int))
        return np.concatenate(
            [_without_repeats(rng, np.flatnonzero(self.database == index), share) for index, share in enumerate(shares)]
        )

    def _draw_clean(self, rng: np.random.Generator) -> dict[str, Tensor]:
        count = self.config.clean_patches
        images = rng.choice(self.clean, count)
        corners = self.bank.corners(images, rng.random((2, count)))
        patches = self.bank.take(images, corners, rng.integers(ORIENTATIONS, size=count))
        flat = round(self.config.flat_share * count)
        grey = torch.from_numpy(rng.uniform(0, 255, flat)).float()
        patches[:flat, ..., 0] = grey[:, None, None]
        patches[:flat, ..., 1] = 0
        patches[:flat, ..., 2] *= _FLAT_CONTRAST
        shifts = rng.uniform(-self.config.invariance_range, self.config.invariance_range, count)
        return {"clean": patches, "shift": torch.from_numpy(shifts).float()}


def _without_repeats(rng: np.random.Generator, pool: Integers, count: int) -> Integers:
    """Draw from a pool, using all of it before anything comes twice."""
    rounds = -(-count // len(pool))
    return np.concatenate([rng.permutation(pool) for _ in range(rounds)])[:count]
