"""Workers: recognisers that say of pictures how likely each class is, whatever they were made with."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from ...core.errors import InputError

Gives = Literal["logits", "probabilities"]

_SUM_WITHIN = 1e-2
"""How far from 1 probabilities may sum: half precision leaves a few thousandths over a thousand classes."""


class Worker(Protocol):
    """What a worker is; any object of this shape can be asked.

    `name`: of letters, digits and ``._-``; it names the columns of a table. `classes`: in the order of its answers;
    None: as many as the pictures have, in their (sorted) order.
    """

    @property
    def name(self) -> str:
        """Its name."""

    @property
    def classes(self) -> tuple[str, ...] | None:
        """Names of its classes."""

    def __call__(self, colours: Tensor, /) -> Tensor:
        """Give each class's probability.

        `colours`: float32 ``(batch, 3, height, width)``, RGB from 0 (black) to 1 (white), gamma-coded. Returns float32
        ``(batch, classes)``; each row sums to 1.
        """


@dataclass(frozen=True)
class Preprocessing:
    """What a network wants its pictures to be, and what it gives.

    `size`: height and width that pictures are brought to (bilinear, antialiased); None leaves them as they are. `mean`,
    `std`: taken off each of red, green and blue from 0 to 1, and what that is divided by.
    """

    size: tuple[int, int] | None = None
    mean: tuple[float, ...] = (0.0, 0.0, 0.0)
    std: tuple[float, ...] = (1.0, 1.0, 1.0)
    gives: Gives = "logits"

    def __post_init__(self) -> None:
        if self.size is not None and (len(self.size) != 2 or min(self.size) < 1):
            raise InputError(f"size is {self.size}; give a height and a width in pixels.")
        if len(self.mean) != 3 or len(self.std) != 3 or min(self.std) <= 0:
            raise InputError(f"mean is {self.mean} and std {self.std}; give three numbers each, of std above 0.")
        if self.gives not in ("logits", "probabilities"):
            raise InputError(f"gives is {self.gives!r}; choose logits or probabilities.")

    def prepared(self, colours: Tensor) -> Tensor:
        """Bring pictures to what the network wants."""
        if self.size is not None and tuple(colours.shape[-2:]) != self.size:
            colours = nn.functional.interpolate(colours, self.size, mode="bilinear", antialias=True)
        return (colours - colours.new_tensor(self.mean)[:, None, None]) / colours.new_tensor(self.std)[:, None, None]


@dataclass(frozen=True, eq=False)
class Recogniser:
    """A worker made of a network.

    `network`: from prepared pictures to logits or probabilities, ``(batch, classes)``. `classes`: in the order of its
    answers. `sha256`: of the file it came from; empty for one that is only in memory.
    """

    network: Callable[[Tensor], Tensor]
    name: str
    classes: tuple[str, ...] | None = None
    preprocessing: Preprocessing = Preprocessing()
    sha256: str = ""

    def __call__(self, colours: Tensor, /) -> Tensor:
        """Give each class's probability, as a worker does."""
        with torch.inference_mode():
            said = self.network(self.preprocessing.prepared(colours)).float()
            return said.softmax(1) if self.preprocessing.gives == "logits" else said


def check_names(workers: Sequence[Worker]) -> None:
    """Refuse workers whose columns could not be told apart."""
    names = [worker.name for worker in workers]
    if not names:
        raise InputError("There are no workers to ask. Give at least one.")
    for name in names:
        if not re.fullmatch(r"[\w.-]+", name, re.ASCII):
            raise InputError(f"{name!r} cannot name a worker; use letters, digits and ._-, as in NAME=FILE.")
        if names.count(name) > 1:
            raise InputError(f"{names.count(name)} workers are called {name}. Name them apart: NAME=FILE.")


def columns_of(worker: Worker, classes: Sequence[str]) -> npt.NDArray[np.intp]:
    """Say which of a worker's answers belongs to each class of the pictures; it may know more classes than these."""
    if worker.classes is None:
        return np.arange(len(classes))
    places = {name: number for number, name in enumerate(worker.classes)}
    unknown = [name for name in classes if name not in places]
    if unknown:
        raise InputError(
            f"The worker {worker.name} does not know {len(unknown)} of the {len(classes)} classes "
            f"({', '.join(unknown[:3])}{', ...' if len(unknown) > 3 else ''}); it has {len(worker.classes)}, such as "
            f"{', '.join(worker.classes[:3])}. Name the folders as its classes are, or give it their names."
        )
    return np.array([places[name] for name in classes])


def answers(worker: Worker, colours: Tensor, classes: Sequence[str]) -> npt.NDArray[np.float64]:
    """Ask a worker, and refuse what are no probabilities; gives ``(batch, classes)``, of which each row sums to 1.

    `classes`: of the pictures; as many answers are expected of a worker that names none of its own.
    """
    said = worker(colours).detach().cpu().double().numpy()
    wanted = (len(colours), len(classes if worker.classes is None else worker.classes))
    if said.shape != wanted:
        raise InputError(
            f"The worker {worker.name} answers {len(colours)} pictures with numbers of the shape {said.shape}; "
            f"{wanted} was expected, one for each class."
        )
    sums = said.sum(1)
    if not np.isfinite(said).all() or said.min() < -_SUM_WITHIN or np.abs(sums - 1).max() > _SUM_WITHIN:
        raise InputError(
            f"The answers of the worker {worker.name} are no probabilities: they go from {said.min():.3g} to "
            f"{said.max():.3g} and sum to {sums.min():.3g} to {sums.max():.3g}. If they are logits, say so."
        )
    clipped = said.clip(0)
    probabilities: npt.NDArray[np.float64] = clipped / clipped.sum(1, keepdims=True)
    return probabilities
