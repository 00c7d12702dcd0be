"""The recipe of the blind networks' training, in two stages; the command line makes its options from it.

Free of torch and lightning, so that ``iqmaps train --help`` answers at once.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Literal, Self

from ...core.distortions import distortions
from ...core.errors import InputError
from ..recipe import Recipe, setting

BlindName = Literal["diqa", "deepbqa"]
BLIND_NETWORKS: tuple[BlindName, ...] = ("diqa", "deepbqa")

_CELL = 4  # of core.networks.blind, which needs torch


@dataclass(frozen=True)
class QualityConfig(Recipe):
    """Everything that decides what comes out of training a blind network, besides the data.

    A field whose metadata names a ``stage`` counts in that stage only; the others count in all.

    The published first stage [1]_ has the error map alone: ``within=0, visible=0, pseudo=0``, on the database whose
    scores the second stage learns. Here, errors are learnt from photographs without scores, in many kinds and strengths
    of distortion, and with them what measures that know the reference say of each image.

    The published second stage trains all weights. Here the trunk stays as the first stage left it, and distorted
    photographs are scored besides, by how visible their distortion is with the reference at hand: a database has few
    contents and few kinds of distortion. DIQA's is ``pseudo_variants=0, correlation2=0, noise=0, dropout=0``, DeepBQA's
    ``pseudo_variants=0, correlation2=0``, but for what their losses square.

    References
    ----------
    .. [1] J. Kim, A.-D. Nguyen, S. Lee, "Deep CNN-Based Blind Image Quality Predictor", IEEE TNNLS 30(1), 2019,
       doi:10.1109/TNNLS.2018.2829819.
    """

    network: BlindName = setting("deepbqa", "What is trained.", choices=BLIND_NETWORKS)  # noqa: RUF009 # gives a field
    seed: int = setting(0, "Seed of the starting weights, the distortions and the draws.", least=0)
    precision: str = setting(
        "auto",
        "Precision of the convolutions; auto takes bfloat16 where the processor has AMX or CUDA supports it.",
        choices=("auto", "32-true", "bf16-mixed"),
    )
    crop_cells: int = setting(4, "Cells of 4x4 pixels along a window's border that do not count.", least=0)
    reliability_weighting: bool = setting(
        True, "Weigh errors by how far their prediction can be relied on, as published, or all alike."
    )
    stage1_steps: int = setting(8000, "Optimiser steps of the first stage.", least=1, stage=1)
    side: int = setting(128, "Pixels a side of the windows of the first stage; a multiple of 4.", least=48, stage=1)
    photographs_per_step: int = setting(4, "Photographs a step.", least=1, stage=1)
    variants_per_step: int = setting(
        4, "Distorted versions of each photograph in a step, in the same window.", least=1, stage=1
    )
    variants: int = setting(24, "Distorted versions of each photograph in all.", least=1, stage=1)
    middle: int = setting(
        768, "Use only the middle of larger photographs, so many pixels a side; this bounds the memory.", least=48
    )
    left_out: tuple[str, ...] = setting(
        (),
        "Never draw this distortion, to test on it; may be given several times.",
        choices=distortions(),
        flag="leave-out",
    )
    hold_out: int = setting(
        10, "Do not learn from one photograph in so many, in the order of their names; 0 learns from all.", least=0
    )
    error: float = setting(1.0, "Weight of the error map.", least=0, stage=1)
    within: float = setting(
        2.0,
        "Weight, within that of the error map, of where in an image the error is, whatever its mean.",
        least=0,
        stage=1,
    )
    visible: float = setting(1.0, "Weight of predicting where the distortion is visible.", least=0, stage=1)
    perceptual: float = setting(
        1.0, "Weight of bringing the perceptual error to what is visible (deepbqa).", least=0, stage=1
    )
    pseudo: float = setting(
        3.0, "Weight of predicting what measures that know the reference say of the image.", least=0, stage=1
    )
    rate: float = setting(1e-3, "Highest learning rate of AdamW.", least=0, stage=1)
    warm_up: float = setting(0.05, "Share of the steps over which the learning rate rises.", least=0, most=1, stage=1)
    weight_decay: float = setting(1e-4, "Weight decay of AdamW.", least=0, stage=1)
    gradient_clip: float = setting(1.0, "Largest norm of the gradient; 0 does not clip.", least=0, stage=1)
    averaging: float = setting(
        0.998, "Decay of the running mean of the weights, which is the result; 0 is off.", least=0, most=1, stage=1
    )

    sensitivity_steps: int = setting(
        2500,
        "Optimiser steps between the stages, in which the sensitivity alone learns; 0 for none (deepbqa).",
        least=0,
        stage="sensitivity",
    )
    sensitivity_variants: int = setting(
        8, "How many variants of each photograph the sensitivity learns from (deepbqa).", least=2, stage="sensitivity"
    )
    first_sensitivity_rate: float = setting(
        2e-3, "Highest learning rate of AdamW between the stages (deepbqa).", least=0, stage="sensitivity"
    )

    stage2_steps: int = setting(400, "Optimiser steps of the second stage.", least=1, stage=2)
    pseudo_variants: int = setting(
        8, "How many variants of each photograph the second stage learns from; 0 takes none.", least=0, stage=2
    )
    pseudo2: float = setting(1.0, "Weight of the distorted photographs' pseudo-scores.", least=0, stage=2)
    correlation2: float = setting(
        1.0, "Weight of 1 - Pearson's correlation of score and observers' score, by database.", least=0, stage=2
    )
    rate2: float = setting(2e-3, "Highest learning rate of AdamW in the second stage.", least=0, stage=2)
    warm_up2: float = setting(
        0.0, "Share of the second stage over which the learning rate rises.", least=0, most=1, stage=2
    )
    weight_decay2: float = setting(1e-2, "Weight decay of AdamW in the second stage.", least=0, stage=2)
    averaging2: float = setting(
        0.0, "Decay of the running mean of the second stage's weights; 0 is off.", least=0, most=1, stage=2
    )
    pseudo_images: int = setting(1024, "Distorted photographs a step (diqa).", least=1, stage=2)
    noise: float = setting(
        0.1, "Noise added to the pooled features, in their standard deviations (diqa).", least=0, stage=2
    )
    dropout: float = setting(0.2, "Share of the hidden units left out in a step (diqa).", least=0, most=0.99, stage=2)
    hand_crafted: bool = setting(
        True, "Use the two features made by hand, mean reliability and spread of the low frequencies (diqa).", stage=2
    )
    keep_hidden: bool = setting(
        False, "Start from the hidden layer of a first stage of diqa, not from a new one (diqa).", stage=2
    )
    crops: int = setting(
        10,
        "Windows a step of scored images, at least five a database, and as many of photographs (deepbqa).",
        least=1,
        stage=2,
    )
    crop_side: int = setting(
        128, "Pixels a side of the second stage's windows; a multiple of 4 (deepbqa).", least=48, stage=2
    )
    sensitivity_rate: float = setting(
        1.0,
        "Learning rate of the sensitivity in the second stage, as a share of that of the score's function (deepbqa).",
        least=0,
        stage=2,
    )
    total_variation: float = setting(
        1e-2, "Weight of the sensitivity's variation from place to place (deepbqa).", least=0, stage=2
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        for name in ("side", "middle", "crop_side"):
            if getattr(self, name) % _CELL:
                raise InputError(f"{name} is {getattr(self, name)}; give a multiple of {_CELL}.")
        if self.middle < self.side:
            raise InputError(f"middle is {self.middle}, less than the windows' side of {self.side}. Raise it.")
        smallest = min(self.side, self.crop_side)
        if self.crop_cells * 2 * _CELL >= smallest:
            raise InputError(
                f"crop_cells is {self.crop_cells}: nothing is left of windows of {smallest} pixels. Give less than "
                f"{smallest // (2 * _CELL)}."
            )
        if self.variants_per_step > self.variants:
            raise InputError(
                f"variants_per_step is {self.variants_per_step}, more than the {self.variants} variants that there are."
            )
        if self.hold_out in (1, 2):
            raise InputError(f"hold_out is {self.hold_out}, so too little would be left. Give 0, or at least 3.")
        if self.error == self.visible == self.pseudo == 0:
            raise InputError("error, visible and pseudo are all 0, so nothing would be learnt. Give one a weight.")

    def of_stage(self, stage: int | str) -> dict[str, Any]:
        """Give what counts in one stage, so that a change of the other does not make its run another one."""
        metadata = {name: entry.metadata for name, entry in self.__dataclass_fields__.items()}
        return {name: value for name, value in asdict(self).items() if metadata[name].get("stage", stage) == stage}

    @classmethod
    def default(cls, network: str = "deepbqa") -> Self:
        """Give the recipe that the shipped weights of a network were trained with."""
        if network == "deepbqa":
            # The function from mean perceptual error to score is fitted before the first step. Sixty steps on windows,
            # the sensitivity's among them, drew the scores of undistorted and of blurred photographs together.
            return cls(network="deepbqa", rate2=1e-3, stage2_steps=1, sensitivity_rate=0.0)
        return cls(network=network)  # type: ignore[arg-type] # checked when it is made
