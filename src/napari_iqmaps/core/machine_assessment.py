"""What the metrifier says of an image: its map and its score, and when the evidence is enough for one."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from .evidence import Verdict
from .maps import QualityMap
from .quality_score import QualityScore, summed_up

if TYPE_CHECKING:
    from .models import WeightsRecord
    from .networks.metrifier import Metrifier

SMALLEST_SIDE = 16
"""Pixels; of a smaller image the network sees mostly its reflection."""

ENOUGH_PIXELS = 32 * 32
"""Valid pixels of the pictures that the network is trained on."""

MOST_TRAINED_SIDES = 4
"""How many times as large as the training's pictures an image may be, to each side: the network looks at parts of up to
about twice their size, and of a larger image a part is not what a recogniser would be shown."""

UNIFORM = 1.0
"""Standard deviation of the luminance, in code values of 255, below which there is nothing to recognise."""

SUMS = 5
"""Numbers that a pass adds up for each plane: valid cells, the sum of their probabilities; valid pixels, the sums of
their luminance less `MIDDLE` and of its squares."""

MIDDLE = 127.5
"""Code values, taken off before squares are added up, for the precision of their spread."""


@dataclass(frozen=True, eq=False)
class MachineAssessment:
    """The map and the score of one pass of the metrifier.

    Attributes
    ----------
    map : QualityMap
        Of the kind ``"machine_quality"``.
    sums : numpy.ndarray or dask.array.Array
        What the pass added up for the score, ``(..., 5)``; lazy if the map is.
    judge : MachineJudge
        Makes the score of them.
    """

    map: QualityMap
    sums: Any
    judge: MachineJudge

    @cached_property
    def quality(self) -> QualityScore:
        """The score; of a lazy map it is computed when it is first asked for, in a pass of its own."""
        return self.judge.score(np.asarray(self.sums))

    @property
    def is_lazy(self) -> bool:
        """Whether the map is a dask array that has not been computed."""
        return not isinstance(self.sums, np.ndarray)

    def compute(self) -> MachineAssessment:
        """Compute a lazy map and the score in one pass.

        Returns
        -------
        MachineAssessment
            The same with everything in memory; this one itself when nothing is lazy.
        """
        if not self.is_lazy:
            return self
        from dask.base import compute

        values, sums = compute(self.map.values, self.sums)
        return self.judge.assessed(values, sums, self.map.info)


@dataclass(frozen=True)
class MachineJudge:
    """Makes scores of what a pass added up, and says where there is none.

    Attributes
    ----------
    shape : tuple of int
        Of the image, ``(..., height, width)``.
    """

    record: WeightsRecord
    device: str
    shape: tuple[int, ...]
    info: Mapping[str, Any]

    def score(self, sums: np.ndarray) -> QualityScore:
        """Give the score of every plane.

        Returns
        -------
        QualityScore
            0 (worst) to 1 (best); NaN with a reason where there is no answer.
        """
        verdicts = self._verdicts(sums)
        planes = _answered(sums, verdicts)
        knots, deviations = self._uncertainty()
        return QualityScore.of(
            planes,
            uncertainty=np.interp(planes, knots, deviations),
            reasons=[verdict.reason for verdict in verdicts],
            lower_is_better=False,
            range=(0.0, 1.0),
            info={**self.info, "method": "machine_quality"},
        )

    def assessed(self, values: npt.NDArray[np.float32], sums: np.ndarray, info: Mapping[str, Any]) -> MachineAssessment:
        """Make an assessment whose map has the score of the pass and its reservations.

        Returns
        -------
        MachineAssessment
            The map's score is NaN where there is no answer, its values stay.
        """
        verdicts = self._verdicts(sums)
        reason = summed_up([verdict.reason for verdict in verdicts], self.shape[:-2])
        planes = _answered(sums, verdicts)
        score = planes if planes.ndim else float(planes)
        reserved = {**info, "not_enough_evidence": reason} if reason else info
        return MachineAssessment(QualityMap(values, "machine_quality", score, reserved), sums, self)

    def _verdicts(self, sums: np.ndarray) -> list[Verdict]:
        height, width = self.shape[-2:]
        trained = float(self._network().trained_side)
        return [judge(shape=(height, width), pixels=pixels, cells=cells, spread=_spread(pixels, light, squares),
                      trained_side=trained)
                for cells, _, pixels, light, squares in sums.reshape(-1, SUMS).tolist()]  # fmt: skip

    def _uncertainty(self) -> list[npt.NDArray[np.float64]]:
        uncertainty = self._network().uncertainty
        return [part.double().cpu().numpy() for part in (uncertainty.knots, uncertainty.deviations)]

    def _network(self) -> Metrifier:
        import torch

        from .machine_pass import load_metrifier

        return load_metrifier(self.record, torch.device(self.device))  # ready since the pass


def judge(*, shape: tuple[int, int], pixels: float, cells: float, spread: float, trained_side: float = 0) -> Verdict:
    """Apply the rules of evidence to one plane.

    Parameters
    ----------
    shape : (int, int)
        Height and width in pixels.
    cells : float
        Valid pixels among every fourth row and column, where the network has its cells.
    spread : float
        Standard deviation of the luminance over the valid pixels, in code values of 255.
    trained_side : float
        Pixels to the shorter side of the training's pictures; 0 where it is not known.

    Returns
    -------
    Verdict
        No answer without a valid pixel or cell, for a side under 16 pixels and for a uniform plane; an answer with a
        reason for a plane of fewer valid pixels than a picture of 32 x 32 has, and for one of more than four times the
        training's pixels to each side.
    """
    if pixels == 0:
        return Verdict(False, "it has no valid pixel.")
    if min(shape) < SMALLEST_SIDE:
        return Verdict(False, f"it is {shape[1]} x {shape[0]} pixels, and a score takes {SMALLEST_SIDE} to each side.")
    if cells == 0:
        return Verdict(False, f"it has {pixels:.0f} valid pixels, none of them where the network gives an answer.")
    if not spread >= UNIFORM:
        return Verdict(
            False,
            f"it is nearly uniform: its luminance has a standard deviation of {spread:.2g} code values, and below "
            f"{UNIFORM:g} there is nothing to recognise.",
        )
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


def _answered(sums: np.ndarray, verdicts: list[Verdict]) -> npt.NDArray[np.float64]:
    with np.errstate(invalid="ignore"):
        means = sums[..., 1] / sums[..., 0]
    answered = np.array([verdict.has_answer for verdict in verdicts]).reshape(sums.shape[:-1])
    return np.where(answered, means, np.nan)


def _spread(pixels: float, light: float, squares: float) -> float:
    if pixels == 0:
        return math.nan
    return math.sqrt(max(squares / pixels - (light / pixels) ** 2, 0))
