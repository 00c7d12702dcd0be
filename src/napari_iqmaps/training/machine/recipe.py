"""The recipes of a small recogniser's and of the metrifier's training.

Free of torch and lightning, so that ``iqmaps train --help`` answers at once.
"""

from __future__ import annotations

from dataclasses import dataclass
from types import MappingProxyType

from ...core.distortions import distortions
from ...core.errors import InputError
from ..recipe import Recipe, setting

ARCHITECTURES = MappingProxyType({"plain": 24, "residual": 24, "separable": 32, "patches": 128})
"""Architecture to the channels of its first step."""

_USUAL = ", ".join(f"{width} ({name})" for name, width in ARCHITECTURES.items())

SMALLEST_SIDE = 24
"""Pixels; smaller pictures leave nothing to average over."""


@dataclass(frozen=True)
class WorkerConfig(Recipe):
    """Everything that decides what comes out of training a recogniser, besides the pictures."""

    architecture: str = setting("plain", "How the recogniser is built.", choices=tuple(ARCHITECTURES))
    width: int = setting(
        0,
        f"Channels of its first step; 0 takes {_USUAL}.",
        least=0,
        most=1024,
    )
    epochs: float = setting(20.0, "How many times each picture is seen.", least=0.001)
    batch: int = setting(128, "Pictures a step.", least=2)
    rate: float = setting(0.01, "Highest learning rate of AdamW.", least=0)
    warm_up: float = setting(0.2, "Share of the steps over which the learning rate rises.", least=0, most=1)
    weight_decay: float = setting(0.05, "Weight decay of AdamW.", least=0)
    smoothing: float = setting(0.1, "Share of each label that is spread evenly over all classes.", least=0, most=0.9)
    shift: int = setting(4, "Most pixels by which a picture is moved each way; what is missing is reflected.", least=0)
    flip: bool = setting(True, "Exchange left and right of every other picture, drawn anew each time.")
    gradient_clip: float = setting(5.0, "Largest norm of the gradient; 0 does not clip.", least=0)
    averaging: float = setting(0.0, "Decay of the running mean of the weights; 0 is off.", least=0, most=1)
    seed: int = setting(0, "Seed of the starting weights and the draws.", least=0)
    precision: str = setting(
        "auto",
        "Precision of the convolutions; auto takes bfloat16 where the processor has AMX or CUDA supports it.",
        choices=("auto", "32-true", "bf16-mixed"),
    )

    def steps(self, pictures: int) -> int:
        """Give the optimiser steps of a run, at least 1."""
        return max(1, round(self.epochs * pictures / self.batch))

    @property
    def network(self) -> str:
        """What is trained."""
        return "worker"


TARGETS = ("mean", "consistency", "top1")
"""What of a table of labels can be learnt; all are from 0 (worst) to 1 (best)."""


@dataclass(frozen=True)
class MetrifierConfig(Recipe):
    """Everything that decides what comes out of training the metrifier, besides the data."""

    network: str = setting("metrifier", "What is trained.", choices=("metrifier",))
    target: str = setting(
        "mean",
        "What is learnt: the workers' mean probability of the true class, their mean consistency with what they say of "
        "the undistorted image, or the share of workers that are right.",
        choices=TARGETS,
    )
    left_out: tuple[str, ...] = setting(
        (),
        "Do not learn from rows of this distortion, to test on it; may be given several times.",
        choices=distortions(),
        flag="leave-out",
    )
    steps: int = setting(14_000, "Optimiser steps.", least=1)
    batch: int = setting(64, "Pictures a step.", least=2)
    seed: int = setting(0, "Seed of the starting weights and the draws.", least=0)
    loss: str = setting(
        "squared",
        "What is made small: the squared deviation of score and label, or their cross-entropy.",
        choices=("squared", "entropy"),
    )
    auxiliary: float = setting(
        1.0,
        "Weight of telling besides what the workers take a picture for (its class, if the table does not say), with a "
        "layer that is no part of the result.",
        least=0,
    )
    shift: int = setting(4, "Shift pictures by up to this many pixels in both directions, at random.", least=0)
    cells: int = setting(
        4,
        "Learn from a square of so many cells a side, drawn at random, of each picture of a step; a cell is 4x4 "
        "pixels. Takes less time than whole pictures, which are learnt from at 0.",
        least=0,
    )
    flip: bool = setting(True, "Exchange left and right, at random.")
    rate: float = setting(3e-3, "Highest learning rate of AdamW.", least=0)
    warm_up: float = setting(0.1, "Share of the steps over which the learning rate rises.", least=0, most=1)
    weight_decay: float = setting(0.05, "Weight decay of AdamW, on convolutions and heads.", least=0)
    gradient_clip: float = setting(1.0, "Largest norm of the gradient; 0 does not clip.", least=0)
    precision: str = setting(
        "auto",
        "Precision of the convolutions; auto takes bfloat16 where the processor has AMX or CUDA supports it.",
        choices=("auto", "32-true", "bf16-mixed"),
    )

    def check_classes(self, classes: int) -> None:
        """Refuse to tell classes apart where there are none to tell."""
        if self.auxiliary and classes < len(("one", "other")):
            raise InputError("The pictures are of one class, so there is nothing to tell apart. Set auxiliary to 0.")
