"""The recipe of the metrifier's training; the command line makes its options from it.

Free of torch and lightning, so that ``iqmaps train --help`` answers at once.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from ...core.distortions import distortions
from ...core.errors import InputError
from ..settings import check, setting

TARGETS = ("mean", "consistency", "top1")
"""What of a table of labels can be learnt; all are from 0 (worst) to 1 (best)."""

# ruff takes setting for a call that is made once where one for each object is meant; it gives a field.


@dataclass(frozen=True)
class MetrifierConfig:
    """Everything that decides what comes out of training the metrifier, besides the data.

    Each field's help text, which the command line shows, is in its metadata, as are its limits.
    """

    network: str = setting("metrifier", "What is trained.", choices=("metrifier",))
    target: str = setting(
        "mean",
        "What is learnt: the workers' mean probability of the true class, their mean consistency with what they say of "
        "the undistorted image, or the share of workers that are right.",
        choices=TARGETS,
    )
    left_out: tuple[str, ...] = setting(
        (), "A distortion whose rows are not learnt from, to test on it; may be given several times.",
        choices=distortions(), flag="leave-out",
    )  # fmt: skip
    steps: int = setting(14_000, "Optimiser steps.", least=1)
    batch: int = setting(64, "Pictures a step.", least=2)
    seed: int = setting(0, "Of the starting weights and the draws.", least=0)
    loss: str = setting(
        "squared", "Of a score and its label: their squared deviation, or their cross-entropy.",
        choices=("squared", "entropy"),
    )  # fmt: skip
    auxiliary: float = setting(
        1.0,
        "Weight of telling besides what the workers take a picture for (its class, if the table does not say), with a "
        "layer that is no part of the result.",
        least=0,
    )
    shift: int = setting(4, "Shift pictures by up to this many pixels in both directions, at random.", least=0)
    cells: int = setting(
        4, "Learn from a square of so many cells a side, drawn at random, of each picture of a step; a cell is 4x4 "
        "pixels. Takes less time than whole pictures, which are learnt from at 0.", least=0,
    )  # fmt: skip
    flip: bool = setting(True, "Exchange left and right, at random.")
    rate: float = setting(3e-3, "Highest learning rate of AdamW.", least=0)
    warm_up: float = setting(0.1, "Share of the steps over which the learning rate rises.", least=0, most=1)
    weight_decay: float = setting(0.05, "Of AdamW, on convolutions and heads.", least=0)
    gradient_clip: float = setting(1.0, "Largest norm of the gradient; 0 does not clip.", least=0)
    precision: str = setting(
        "auto",
        "Of the convolutions; auto takes bfloat16 where the processor has AMX or CUDA supports it.",
        choices=("auto", "32-true", "bf16-mixed"),
    )

    def __post_init__(self) -> None:
        check(self)

    def check_classes(self, classes: int) -> None:
        """Refuse to tell classes apart where there are none to tell."""
        if self.auxiliary and classes < len(("one", "other")):
            raise InputError("The pictures are of one class, so there is nothing to tell apart. Set auxiliary to 0.")

    @classmethod
    def default(cls, network: str = "metrifier") -> MetrifierConfig:
        """Give the recipe that the shipped weights were trained with."""
        return replace(cls(), network=network)
