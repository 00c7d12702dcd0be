"""The recipe of the threshold networks' training; the command line makes its options from it.

Free of torch and lightning, so that ``iqmaps train --help`` answers at once.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal, Self

from ...core.errors import InputError
from ...core.kinds import IMPAIRMENT_EXPONENT
from ...core.observers import OBSERVERS, POOLING_EXPONENT
from ..recipe import Recipe, setting

Network = Literal["pnet", "contrast"]
NETWORKS: tuple[Network, ...] = ("pnet", "contrast")


@dataclass(frozen=True)
class TrainingConfig(Recipe):
    """Everything that decides what comes out of training a threshold network, besides the data.

    The published recipe [1]_ is ``loss="patch"``, ``correlation=0``, ``calibration="none"``, ``thresholds="test"``,
    ``channels="none"``, ``exponent=1``, ``pooling=1``, ``schedule="constant"``, ``averaging=0``, ``weight_decay=0``,
    with the learning rate of .001 and the dropout of .5.

    References
    ----------
    .. [1] N. K. Kottayil, G. Valenzise, F. Dufaux, I. Cheng, "Learning Local Distortion Visibility from Image
       Quality", ICIP 2018, arXiv:1803.04053.
    """

    network: Network = setting("pnet", "What is trained.", choices=NETWORKS)  # noqa: RUF009 # gives a field
    steps: int = setting(400, "Optimiser steps.", least=1)
    images: int = setting(64, "Images a step, drawn without repeats where there are enough.", least=1)
    patches: int = setting(8, "Patches of 32x32 pixels from each of these images.", least=1)
    seed: int = setting(0, "Seed of the starting weights, the draws and the dropout.", least=0)
    balance: bool = setting(True, "Draw equally from each manifest, or in proportion to its images.")
    loss: str = setting(
        "image",
        "Compare each image's mean visibility with its score, or that of each patch, as published.",
        choices=("image", "patch"),
    )
    absolute: float = setting(1.0, "Weight of the mean absolute error against the scores.", least=0)
    correlation: float = setting(
        1.0, "Weight of 1 - Pearson's correlation of visibility and score over a step's images, by manifest.", least=0
    )
    calibration: str = setting(
        "affine",
        "What stands between visibility and the scores of a manifest while training: nothing, or two trained numbers.",
        choices=("none", "affine", "power"),
    )
    thresholds: str = setting(
        "geometric",
        "Whose thresholds count: those of the distorted image (as published), of the reference, or both by their "
        "geometric mean (as in visibility_map), their smaller or their larger.",
        choices=("test", "reference", "geometric", "smaller", "larger"),
    )
    channels: str = setting(
        "everyday",
        "How much differences of each size count: for an observer, or all pixels alike, as published.",
        choices=(*OBSERVERS, "none"),
    )
    exponent: float = setting(
        POOLING_EXPONENT,
        "Exponent of the mean over a patch's differences, which is its distortion: 1 is the plain mean, as published.",
        least=1,
        most=8,
    )
    pooling: float = setting(
        IMPAIRMENT_EXPONENT,
        "Exponent of the mean over the impairment of an image's patches: 1 is the plain mean, as published.",
        least=1,
        most=8,
    )
    mixing: float = setting(
        0.3, "The scalar a of 1 - exp(-a d / T); not trained, since T takes up any factor of it.", least=0.001
    )
    anchor: float = setting(
        1.8,
        "Threshold that flat areas of the references have in the end, in code values; T and a are scaled alike, so "
        "that scores stay. 0 leaves them as trained.",
        least=0,
    )
    learning_rate: float = setting(1e-3, "Highest learning rate of AdamW.", least=0)
    schedule: str = setting("one-cycle", "How the learning rate runs.", choices=("one-cycle", "cosine", "constant"))
    warm_up: float = setting(0.1, "Share of the steps over which the learning rate rises.", least=0, most=1)
    weight_decay: float = setting(0.0, "Weight decay of AdamW, on the network's weights.", least=0)
    gradient_clip: float = setting(1.0, "Largest norm of the gradient; 0 does not clip.", least=0)
    averaging: float = setting(
        0.99, "Decay of the running mean of the weights, which is the result; 0 is off.", least=0, most=1
    )
    dropout: float = setting(
        0.25, "Share of the P-net's features and hidden units left out in a step.", least=0, most=0.99
    )
    brightness: float = setting(
        80.0, "Shift both images of a pair by up to this many code values, at random.", least=0, most=255
    )
    invariance: float = setting(
        0.0, "Weight of |log T - log T'| of undistorted patches and the same at other brightnesses.", least=0
    )
    invariance_range: float = setting(80.0, "Largest change of brightness in it, in code values.", least=0, most=255)
    pull: float = setting(
        0.1, "Weight of |log T - log C| on undistorted patches; C is a contrast model trained alongside.", least=0
    )
    clean_patches: int = setting(64, "Undistorted patches a step, where invariance or pull need them.", least=1)
    flat_share: float = setting(0.25, "Share of them that is made nearly flat, of a random grey.", least=0, most=1)
    precision: str = setting(
        "auto",
        "Precision of the matrix products; auto takes bfloat16 where the processor has AMX or CUDA supports it.",
        choices=("auto", "32-true", "bf16-mixed"),
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.absolute == self.correlation == 0:
            raise InputError("absolute and correlation are both 0, so nothing would be learnt. Give one a weight.")

    @property
    def gains(self) -> tuple[float, ...]:
        """Of the channels of a difference; none for the published measure."""
        return OBSERVERS[self.channels].gains if self.channels != "none" else ()

    @classmethod
    def default(cls, network: str = "pnet") -> Self:
        """Give the recipe that the shipped weights of a network were trained with."""
        if network == "contrast":
            # Three numbers: a few hundred large steps find the minimum, and nothing can be overfitted.
            return cls(network="contrast", learning_rate=0.03, dropout=0.0, brightness=0.0, pull=0.0)
        return replace(cls(), network=network)  # type: ignore[arg-type] # checked when it is made
