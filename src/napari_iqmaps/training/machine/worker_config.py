"""The recipe of a small recogniser's training; the command line makes its options from it.

Free of torch and lightning, so that ``iqmaps train --help`` answers at once.
"""

from __future__ import annotations

from dataclasses import dataclass
from types import MappingProxyType

from ..settings import check, setting

ARCHITECTURES = MappingProxyType({"plain": 24, "residual": 24, "separable": 32, "patches": 128})
"""Architecture to the channels of its first step."""

_USUAL = ", ".join(f"{width} ({name})" for name, width in ARCHITECTURES.items())

SMALLEST_SIDE = 24
"""Pixels; smaller pictures leave nothing to average over."""


@dataclass(frozen=True)
class WorkerConfig:
    """Everything that decides what comes out of training a recogniser, besides the pictures.

    Each field's help text, which the command line shows, is in its metadata, as are its limits.
    """

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
    weight_decay: float = setting(0.05, "Of AdamW.", least=0)
    smoothing: float = setting(0.1, "Share of each label that is spread evenly over all classes.", least=0, most=0.9)
    shift: int = setting(4, "Most pixels by which a picture is moved each way; what is missing is reflected.", least=0)
    flip: bool = setting(True, "Exchange left and right of every other picture, drawn anew each time.")
    gradient_clip: float = setting(5.0, "Largest norm of the gradient; 0 does not clip.", least=0)
    averaging: float = setting(0.0, "Decay of the running mean of the weights; 0 is off.", least=0, most=1)
    seed: int = setting(0, "Of the starting weights and the draws.", least=0)
    precision: str = setting(
        "auto",
        "Of the convolutions; auto takes bfloat16 where the processor has AMX or CUDA supports it.",
        choices=("auto", "32-true", "bf16-mixed"),
    )

    def __post_init__(self) -> None:
        check(self)

    def steps(self, pictures: int) -> int:
        """Give the optimiser steps of a run.

        Returns
        -------
        int
            At least 1.
        """
        return max(1, round(self.epochs * pictures / self.batch))

    @property
    def network(self) -> str:
        """What is trained."""
        return "worker"

    @classmethod
    def default(cls, network: str = "worker") -> WorkerConfig:
        """Give the recipe of a network, as the other recipes do."""
        return cls()
