"""When a score has enough evidence: stated rules on what the pass over the image has seen."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from .span import range_first

HOMOGENEOUS = 0.02
"""Mean reliability below which an image has too little detail for a score; trained weights may state their own."""

UNIFORM = 1e-4
"""Mean reliability below which nothing is left of an image but rounding, so that ratios to the mean mean nothing."""

ENOUGH_CELLS = 28 * 28
"""Valid cells, one for 4 x 4 pixels, of the paper's patch of 112 x 112 pixels."""

SMALLEST_SIDE = 32
"""Pixels; of a smaller image the network sees mostly its reflection."""


SMALLEST_MACHINE_SIDE = 16
"""Pixels; of a smaller image the metrifier sees mostly its reflection."""

ENOUGH_PIXELS = 32 * 32
"""Valid pixels of the pictures that the metrifier is trained on."""

MOST_TRAINED_SIDES = 4
"""How many times as large as the training's pictures an image may be, to each side: the network looks at parts of up to
about twice their size, and of a larger image a part is not what a recogniser would be shown."""

LEAST_SPREAD = 1.0
"""Standard deviation of the luminance, in code values of 255, below which there is nothing to recognise."""

_NOTHING: Mapping[str, Any] = MappingProxyType({})


class Verdict(NamedTuple):
    """What the rules say of one plane."""

    has_answer: bool
    reason: str


STAMP = "Not enough evidence"
"""Stands on every picture of a map without it."""

DIM_ENDS = (0.2, 0.48)
"""Greys of the lowest and the highest value of such a map, in place of its colours; 0 is black, 1 white."""

PLANES = "planes_enough_evidence"
"""In the provenance of a map of a stack of which some planes lack evidence: whether each has it, in nested lists."""


def reservations(reason: str, enough: Sequence[bool], lead: tuple[int, ...]) -> dict[str, Any]:
    """Give what the provenance of a map says of its evidence; nothing if all of it is enough.

    `enough`: of each plane of the leading axes `lead`; one for one image.
    """
    told: dict[str, Any] = {"not_enough_evidence": reason} if reason else {}
    if lead and any(enough) and not all(enough):
        told[PLANES] = np.reshape(enough, lead).tolist()
    return told


def planes_in_doubt(info: Mapping[str, Any], lead: tuple[int, ...]) -> npt.NDArray[np.bool_]:
    """Say by a map's provenance of which planes the evidence is not enough; a reason that names none is of all."""
    known = np.asarray(info.get(PLANES, False))
    if known.dtype == bool and known.shape == lead and lead:
        return ~known
    return np.full(lead, bool(info.get("not_enough_evidence")))


def blind_verdict(
    *,
    shape: tuple[int, ...],
    cells: float,
    reliability: float,
    homogeneous: float = HOMOGENEOUS,
    distance: float = 0.0,
    limit: float = math.inf,
    info: Mapping[str, Any] = _NOTHING,
) -> Verdict:
    """Apply the rules of a blind score to one plane, of `cells` valid cells of mean reliability 0..1.

    `info` says of how much of black to white the values make use: where that is little, it comes first.

    No answer without a valid cell, for a side under 32 pixels and for a homogeneous plane; an answer with a reason for
    a plane of fewer valid cells than a patch of 112 x 112 pixels has, or one that is far from the training.
    """
    if cells == 0:
        return Verdict(False, "it has no valid pixel.")
    if min(shape) < SMALLEST_SIDE:
        return Verdict(False, f"it is {shape[1]} x {shape[0]} pixels, and a score takes {SMALLEST_SIDE} to each side.")
    if reason := uniformity(reliability, homogeneous, info):
        return Verdict(False, reason)
    reasons = []
    if cells < ENOUGH_CELLS:
        reasons.append(f"it has about {16 * cells:.0f} valid pixels; the networks learn from patches of 112 x 112.")
    if not distance <= limit:
        unlike = (
            f"it is unlike the images that the network was trained on (distance {distance:.3g}, at most {limit:.3g})."
        )
        reasons.append(range_first(info, unlike))
    return Verdict(True, " ".join(reasons))


def uniformity(reliability: float, homogeneous: float = HOMOGENEOUS, info: Mapping[str, Any] = _NOTHING) -> str:
    """Say that a plane is too uniform, if it is, by its mean reliability; NaN without a valid pixel."""
    if reliability >= homogeneous:
        return ""
    return range_first(
        info,
        f"it is nearly uniform: its mean reliability is {reliability:.2g}, and below {homogeneous:.2g} errors cannot "
        "be told from content.",
    )


def machine_verdict(
    *,
    shape: tuple[int, ...],
    pixels: float,
    cells: float,
    spread: float,
    trained_side: float = 0,
    info: Mapping[str, Any] = _NOTHING,
) -> Verdict:
    """Apply the rules of a machine-perceived score to one plane, whose luminance has a standard deviation of `spread`.

    No answer without a valid pixel or cell, for a side under 16 pixels and for a uniform plane; an answer with a reason
    for a plane of fewer valid pixels than a picture of 32 x 32 has, and for one of more than four times the training's
    pixels to each side (`trained_side`, the shorter one; 0 where it is not known).
    """
    if pixels == 0:
        return Verdict(False, "it has no valid pixel.")
    if min(shape) < SMALLEST_MACHINE_SIDE:
        return Verdict(
            False, f"it is {shape[1]} x {shape[0]} pixels, and a score takes {SMALLEST_MACHINE_SIDE} to each side."
        )
    if cells == 0:
        return Verdict(False, f"it has {pixels:.0f} valid pixels, none of them where the network gives an answer.")
    if not spread >= LEAST_SPREAD:
        uniform = (
            f"it is nearly uniform: its luminance has a standard deviation of {spread:.2g} code values, and below "
            f"{LEAST_SPREAD:g} there is nothing to recognise."
        )
        return Verdict(False, range_first(info, uniform))
    if pixels < ENOUGH_PIXELS:
        return Verdict(True, f"it has {pixels:.0f} valid pixels; the network learns from pictures of 32 x 32.")
    if 0 < MOST_TRAINED_SIDES * trained_side < min(shape):
        return Verdict(
            True,
            f"it is {shape[1]} x {shape[0]} pixels, and the network has learnt from pictures of {trained_side:.0f} to "
            "the shorter side: it judges small parts, not what the whole shows. Reduce the image, or train on larger "
            "pictures.",
        )
    return Verdict(True, "")
