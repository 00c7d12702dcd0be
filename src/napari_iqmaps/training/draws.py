"""What each step of a training sees: drawn from the seed and the step's number alone, so that any step can be redone.

That is all the state that the data of a run has. A run that goes on begins at the step where it was stopped, and sees
what it would have seen.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator
from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt
from torch import Tensor

Integers = npt.NDArray[np.int64]


class Draws:
    """The steps of a run, from a given one on.

    `first`: the step to begin with, from 0; the engine sets it when a run goes on.
    """

    def __init__(self, steps: int, first: int = 0) -> None:
        self.steps = steps
        self.first = first

    @abstractmethod
    def step(self, number: int) -> dict[str, Tensor]:
        """Draw one step, counted from 0."""

    def __len__(self) -> int:
        return self.steps  # of the whole run: Lightning counts the steps before a resumption as well

    def __iter__(self) -> Iterator[dict[str, Tensor]]:
        for number in range(self.first, self.steps):
            yield self.step(number)

    # Lightning asks for these two to believe that a run can go on within an epoch; `first` is what does it.
    def state_dict(self) -> dict[str, Any]:
        """Give nothing: the step's number is all there is to keep, and Lightning keeps it."""
        return {}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Take nothing."""


class Epochs:
    """An endless row of epochs, each of which takes all of a pool once, in a new order.

    `key`: follows the seed and the epoch's number in what the order is drawn from; it tells these draws from others.
    """

    def __init__(self, seed: int, pool: int, *key: int) -> None:
        self.pool = pool

        @lru_cache(maxsize=4)
        def order(epoch: int) -> Integers:
            return np.random.default_rng((seed, epoch, *key)).permutation(pool)

        self._order = order

    def at(self, place: int) -> int:
        """Say which member of the pool stands at a place of the row."""
        epoch, within = divmod(place, self.pool)
        return int(self._order(epoch)[within])


def without_repeats(rng: np.random.Generator, pool: int, count: int) -> Integers:
    """Draw from 0 .. pool - 1, using all of it before anything comes twice."""
    rounds = -(-count // pool)
    return np.concatenate([np.zeros(0, np.int64), *(rng.permutation(pool) for _ in range(rounds))])[:count]


def equal_shares(rng: np.random.Generator, groups: Integers, number: int, count: int) -> Integers:
    """Draw members of groups 0 .. number - 1, equally many of each.

    `groups`: the group of each member. Returns positions of members, group by group.
    """
    shares = np.diff(np.linspace(0, count, number + 1).round().astype(int))
    pools = [np.flatnonzero(groups == index) for index in range(number)]
    drawn = [pool[without_repeats(rng, len(pool), share)] for pool, share in zip(pools, shares, strict=True)]
    return np.concatenate(drawn)
