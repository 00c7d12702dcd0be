"""What images should score in the second stage, and which of them each of its steps sees."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from ...core.errors import InputError
from ...core.networks.blind import CELL
from ..draws import Draws, Integers, equal_shares, without_repeats
from .bank import ScoreBank, SeenImages
from .pairs import as_luminance
from .recipe import QualityConfig
from .windows import draw_window

Rows = npt.NDArray[np.intp]

_LEAST_SPREAD = 1e-3
"""By which a feature is divided that hardly differs between images."""

_FEWEST_FOR_LINE = 2


@dataclass(frozen=True, eq=False)
class Targets:
    """What the images of a fold should score, from 0 (best) to 1 (worst).

    `databases`: their databases; the first is the scale. `impairment`, `weight`: float32, of each row. `pseudo`:
    float32, of each distorted photograph of the bank.
    """

    rows: Rows
    databases: tuple[str, ...]
    impairment: npt.NDArray[np.float32]
    weight: npt.NDArray[np.float32]
    database: npt.NDArray[np.int64]
    pseudo: npt.NDArray[np.float32]

    @classmethod
    def of(cls, bank: ScoreBank, rows: Rows) -> Targets:
        """Gather them.

        The pseudo-score of a distorted photograph is a linear function of how visible its distortion is, the one that
        fits the rows of the first database best (least squares), kept within 0..1.
        """
        if not len(rows):
            raise InputError("There are no images to learn from.")
        table = bank.table.iloc[rows]
        there = set(table["database"])
        databases = tuple(name for name in dict.fromkeys(bank.table["database"]) if name in there)
        impairment = table["impairment"].to_numpy(dtype=np.float32)
        database = np.array([databases.index(name) for name in table["database"]], dtype=np.int64)
        pseudo = np.zeros(0)
        if len(bank.distorted_visibility):
            scale = database == 0
            seen = bank.visibility(rows[scale])
            if len(np.unique(seen)) < _FEWEST_FOR_LINE:
                raise InputError(
                    f"{databases[0]} has too few images to learn from to put the photographs on its scale. Learn from "
                    "more images, or set pseudo_variants to 0."
                )
            slope, offset = np.polyfit(seen, impairment[scale], 1)
            pseudo = np.clip(slope * bank.distorted_visibility + offset, 0, 1)
        weight = table["weight"].to_numpy(dtype=np.float32)
        return cls(rows, databases, impairment, weight, database, pseudo.astype(np.float32))


class ScoreSteps(Draws):
    """The steps of a fold's second stage, from a given one on.

    `first`: the step to begin with; what a resumed run continues from. `mean`, `spread`: of the pooled vectors of all
    images that are learnt from, ``(130,)``.
    """

    def __init__(self, bank: ScoreBank, targets: Targets, config: QualityConfig, first: int = 0) -> None:
        super().__init__(config.stage2_steps, first)
        self.bank = bank
        self.targets = targets
        self.config = config
        vectors = training_vectors(bank, targets.rows)
        self.mean = vectors.mean(0)
        self.spread = vectors.std(0, correction=0).clamp_min(_LEAST_SPREAD)
        self._vectors = ((vectors - self.mean) / self.spread).float()
        if config.network == "deepbqa":
            self._check_sizes()

    def step(self, number: int) -> dict[str, Tensor]:
        """Draw one step.

        Returns impairment, weight and database of scored images, target of distorted photographs; and of the scored
        images followed by the photographs, for DIQA the vectors, standardised, and for DeepBQA the luminance ``(images,
        1, side, side)`` with error and reliability ``(images, 1, side / 4, side / 4)``.
        """
        rng = np.random.default_rng((self.config.seed, number))
        if self.config.network == "diqa":
            chosen = np.arange(len(self.targets.rows))
            pseudo = self._photographs(rng, self.config.pseudo_images)
            seen = {"vectors": self._vectors[np.concatenate([chosen, len(chosen) + pseudo])]}
        else:
            chosen = equal_shares(rng, self.targets.database, len(self.targets.databases), self.config.crops)
            pseudo = self._photographs(rng, self.config.crops)
            seen = self._windows(rng, chosen, pseudo)
        return seen | {
            "impairment": torch.from_numpy(self.targets.impairment[chosen]),
            "weight": torch.from_numpy(self.targets.weight[chosen]),
            "database": torch.from_numpy(self.targets.database[chosen]),
            "target": torch.from_numpy(self.targets.pseudo[pseudo]),
        }

    def _photographs(self, rng: np.random.Generator, count: int) -> Integers:
        there = len(self.targets.pseudo)
        return without_repeats(rng, there, min(count, there)) if there else np.zeros(0, np.int64)

    def _windows(self, rng: np.random.Generator, scored: Rows, photographs: Rows) -> dict[str, Tensor]:
        places = [(self.bank.scored, self.targets.rows[index]) for index in scored]
        places += [(self.bank.distorted, index) for index in photographs]
        pixels, errors, raw = [], [], []
        for images, index in places:
            luminance = images.luminance[index]
            rows, columns = (length // CELL * CELL for length in luminance.shape)
            window = draw_window((rows, columns), self.config.crop_side, rng, turned=False)
            pixels.append(as_luminance(window.of_pixels(luminance)))
            errors.append(window.of_cells(images.error[index]))
            raw.append(window.of_cells(images.reliability[index]))
        parts = {"luminance": pixels, "error": errors, "reliability": raw}
        return {
            name: torch.from_numpy(np.stack(each)[:, np.newaxis].astype(np.float32)) for name, each in parts.items()
        }

    def _check_sizes(self) -> None:
        side = self.config.crop_side
        images: list[tuple[SeenImages, Rows]] = [
            (self.bank.scored, self.targets.rows),
            (self.bank.distorted, np.arange(len(self.targets.pseudo))),
        ]
        smallest = min(min(seen.luminance[index].shape) for seen, indices in images for index in indices)
        if smallest < side:
            raise InputError(
                f"An image has a side of {smallest} pixels, less than the windows of {side}. Lower crop_side to "
                f"{smallest // CELL * CELL} or less."
            )


def training_vectors(bank: ScoreBank, rows: Rows) -> Tensor:
    """Give the pooled vectors of the rows, then of the distorted photographs: float64, ``(images, 130)``."""
    both = np.concatenate([bank.scored.vectors()[rows], bank.distorted.vectors()])
    return torch.from_numpy(both.astype(np.float64))
