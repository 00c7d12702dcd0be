"""When a blind score has enough evidence: stated rules on what the pass over the image has seen."""

from __future__ import annotations

import math
from typing import NamedTuple

HOMOGENEOUS = 0.02
"""Mean reliability below which an image has too little detail for a score; trained weights may state their own."""

UNIFORM = 1e-4
"""Mean reliability below which nothing is left of an image but rounding, so that ratios to the mean mean nothing."""

ENOUGH_CELLS = 28 * 28
"""Valid cells, one for 4 x 4 pixels, of the paper's patch of 112 x 112 pixels."""

SMALLEST_SIDE = 32
"""Pixels; of a smaller image the network sees mostly its reflection."""


class Verdict(NamedTuple):
    """What the rules say of one plane."""

    has_answer: bool
    reason: str


def judge(
    *,
    shape: tuple[int, int],
    cells: float,
    reliability: float,
    homogeneous: float = HOMOGENEOUS,
    distance: float = 0.0,
    limit: float = math.inf,
) -> Verdict:
    """Apply the rules to one plane.

    Parameters
    ----------
    shape : (int, int)
        Height and width in pixels.
    cells : float
        Valid cells: every fourth row and column that is no hole.
    reliability : float
        Mean over them, not divided by its mean, 0..1.

    Returns
    -------
    Verdict
        No answer without a valid cell, for a side under 32 pixels and for a homogeneous plane; an answer with a reason
        for a plane of fewer valid cells than a patch of 112 x 112 pixels has, or one that is far from the training.
    """
    if cells == 0:
        return Verdict(False, "it has no valid pixel.")
    if min(shape) < SMALLEST_SIDE:
        return Verdict(False, f"it is {shape[1]} x {shape[0]} pixels, and a score takes {SMALLEST_SIDE} to each side.")
    if reason := uniformity(reliability, homogeneous):
        return Verdict(False, reason)
    reasons = []
    if cells < ENOUGH_CELLS:
        reasons.append(f"it has about {16 * cells:.0f} valid pixels; the networks learn from patches of 112 x 112.")
    if not distance <= limit:
        reasons.append(
            f"it is unlike the images that the network was trained on (distance {distance:.3g}, at most {limit:.3g})."
        )
    return Verdict(True, " ".join(reasons))


def uniformity(reliability: float, homogeneous: float = HOMOGENEOUS) -> str:
    """Say that a plane is too uniform, if it is.

    Parameters
    ----------
    reliability : float
        Mean, not divided by its mean, 0..1; NaN without a valid pixel.
    """
    if reliability >= homogeneous:
        return ""
    return (
        f"it is nearly uniform: its mean reliability is {reliability:.2g}, and below {homogeneous:.2g} errors cannot "
        "be told from content."
    )
