"""What each step of the first stage sees: drawn from the seed and the step's number alone, so each can be redone."""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from ...core.networks.blind import CELL
from .config import QualityConfig
from .pairs import FIXED_POINT, PairBank

_PERMUTATION = 1
"""Tells the draws of an epoch's order from those of a step."""


class Window(NamedTuple):
    """A square of an image and how it is turned, as slices of pixels and of cells that show the same place."""

    pixels: tuple[slice, slice]
    cells: tuple[slice, slice]
    transposed: bool

    def of_pixels(self, plane: npt.NDArray[Any]) -> npt.NDArray[Any]:
        """Cut the window out of a plane at full resolution."""
        part = plane[self.pixels]
        return part.T if self.transposed else part

    def of_cells(self, plane: npt.NDArray[Any]) -> npt.NDArray[Any]:
        """Cut the window out of a plane at a quarter of the resolution."""
        part = plane[self.cells]
        return part.T if self.transposed else part


def draw_window(shape: tuple[int, int], side: int, rng: np.random.Generator, *, turned: bool = True) -> Window:
    """Draw a window and one of its orientations.

    Parameters
    ----------
    side : int
        Of the window in pixels, a multiple of four, at most the image's.

    Returns
    -------
    Window
        Whose cells sit on its pixels 0, 4, 8, ... in every orientation: an axis as long as the window is not mirrored,
        since a mirrored window has to begin one pixel behind a cell.
    """
    places, mirrors = rng.random(2), rng.integers(2, size=2)
    transposed = bool(rng.integers(2)) and turned
    mirrors[0] *= turned
    rows, columns = (
        _span(length, side, float(place), bool(mirror))
        for length, place, mirror in zip(shape, places, mirrors, strict=True)
    )
    return Window((rows[0], columns[0]), (rows[1], columns[1]), transposed)


def _span(length: int, side: int, place: float, mirror: bool) -> tuple[slice, slice]:
    free = (length - side) // CELL
    mirror = mirror and free > 0
    first = int(place * (free + (not mirror)))
    if not mirror:
        return slice(CELL * first, CELL * first + side), slice(first, first + side // CELL)
    # Pixels 4 f + 1 .. 4 f + side, backwards: the last of them is a cell's, and comes first.
    last = CELL * first + side
    return slice(last, last - side, -1), slice(last // CELL, last // CELL - side // CELL, -1)


class Steps:
    """The steps of a run's first stage, from a given one on.

    Parameters
    ----------
    first : int
        The step to begin with; what a resumed run continues from.

    Notes
    -----
    Every epoch takes the photographs in a new order. Where several processes share a step, each takes its share of
    the step's photographs.
    """

    def __init__(self, bank: PairBank, config: QualityConfig, first: int = 0) -> None:
        self.bank = bank
        self.config = config
        self.first = first
        self._order = lru_cache(maxsize=4)(self._permutation)

    def __len__(self) -> int:
        return self.config.stage1_steps  # of the whole run: Lightning counts the steps before a resumption as well

    def __iter__(self) -> Iterator[dict[str, Tensor]]:
        share, shares = _rank()
        for number in range(self.first, self.config.stage1_steps):
            yield self.step(number, share, shares)

    # Lightning asks for these two to believe that a run can go on within an epoch; `first` is what does it.
    def state_dict(self) -> dict[str, Any]:
        """Give nothing: the step's number is all there is to keep, and Lightning keeps it."""
        return {}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Take nothing."""

    def step(self, number: int, share: int = 0, shares: int = 1) -> dict[str, Tensor]:
        """Draw one step.

        Parameters
        ----------
        number : int
            The step, from 0.

        Returns
        -------
        dict of torch.Tensor
            test ``(photographs * variants, 1, side, side)`` and reference ``(photographs, 1, side, side)``, float32
            luminance; visible ``(photographs * variants, 1, side / 4, side / 4)`` and numbers
            ``(photographs * variants, teachers)``. The variants of a photograph stand together.
        """
        config = self.config
        tests, references, visible, numbers = [], [], [], []
        for place in range(share, config.photographs_per_step, shares):
            index = self._source(number * config.photographs_per_step + place)
            rng = np.random.default_rng((config.seed, number, place))
            source = self.bank.sources[index]
            rows, columns = source.reference.shape
            window = draw_window((rows, columns), config.side, rng)
            references.append(window.of_pixels(source.reference))
            for variant in without_repeats(rng, self.bank.count(index), config.variants_per_step):
                pair = self.bank.pair(index, variant)
                tests.append(window.of_pixels(pair.test))
                visible.append(window.of_cells(pair.teachers.visible))
                numbers.append(pair.teachers.numbers)
        return {
            "test": _luminance(tests),
            "reference": _luminance(references),
            "visible": torch.from_numpy(np.stack(visible).astype(np.float32))[:, None],
            "numbers": torch.from_numpy(np.stack(numbers)),
        }

    def _source(self, place: int) -> int:
        """Say which photograph stands at a place of the endless row of epochs."""
        epoch, within = divmod(place, len(self.bank.sources))
        return int(self._order(epoch)[within])

    def _permutation(self, epoch: int) -> npt.NDArray[np.int64]:
        rng = np.random.default_rng((self.config.seed, epoch, 0, _PERMUTATION))
        return rng.permutation(len(self.bank.sources))


def _luminance(windows: list[npt.NDArray[np.uint16]]) -> Tensor:
    return torch.from_numpy(np.stack(windows).astype(np.float32) / np.float32(FIXED_POINT))[:, None]


def without_repeats(rng: np.random.Generator, pool: int, count: int) -> list[int]:
    """Draw from 0 .. pool - 1, using all of it before anything comes twice."""
    rounds = -(-count // pool)
    return [int(number) for _ in range(rounds) for number in rng.permutation(pool)][:count]


def _rank() -> tuple[int, int]:
    """Say which process of how many this is."""
    distributed = torch.distributed
    if distributed.is_available() and distributed.is_initialized():
        return distributed.get_rank(), distributed.get_world_size()
    return 0, 1
