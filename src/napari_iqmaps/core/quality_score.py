"""What a result in one number is: a score on a stated scale, how far it can be off, and whether it can be trusted."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import numpy as np
import numpy.typing as npt

from .arguments import check_fields, checked
from .arrays import check_plane, numbers
from .errors import InputError
from .score_columns import origin, plain

Numbers = npt.NDArray[np.float64]

_PLANES_NAMED = 3


@dataclass(frozen=True, eq=False)
class QualityScore:
    """A score on a stated scale, one for each plane, with its uncertainty and its reservations.

    Attributes
    ----------
    value : float
        The score; for a stack the mean of its planes, those without an answer left out. NaN where there is none.
    planes : numpy.ndarray
        float64, the leading shape of the stack, without axes for one image; NaN where there is no answer.
    uncertainty : numpy.ndarray
        Standard deviation of the score in its own points, of the same shape; NaN where it is not known.
    lower_is_better : bool
        Which way the scale goes.
    range : (float, float)
        The ends of the scale.
    enough_evidence : bool
        Whether every plane has enough evidence.
    reasons : tuple of str
        One for each plane in the order of ``planes.ravel()``: why its evidence is not enough, or ``""``.
    info : mapping
        Where the numbers come from: method, weights and their sha256, parameters, value range used, version.

    Raises
    ------
    InputError
        If uncertainties or reasons are not one for each plane.
    """

    value: float
    planes: Numbers
    uncertainty: Numbers
    lower_is_better: bool
    range: tuple[float, float]
    enough_evidence: bool
    reasons: tuple[str, ...]
    info: Mapping[str, Any]

    @classmethod
    @checked
    def of(
        cls,
        planes: npt.ArrayLike,
        *,
        uncertainty: npt.ArrayLike = math.nan,
        reasons: Sequence[str] = (),
        lower_is_better: bool = True,
        range: tuple[float, float] = (0.0, 100.0),  # noqa: A002 - the attribute's name
        info: Mapping[str, Any] | None = None,
    ) -> QualityScore:
        """Make a score of the numbers of its planes.

        Parameters
        ----------
        planes : array_like
            The score of each plane, any shape, NaN where there is none.
        uncertainty : array_like
            Standard deviations, of that shape or one for all.
        reasons : sequence of str
            Why the evidence of a plane is not enough, one for each, or none at all if all of it is.
        lower_is_better, range, info : optional
            As the attributes.

        Returns
        -------
        QualityScore
            With the mean of the planes as its value.
        """
        scores, deviations = numbers(planes, "score"), numbers(uncertainty, "uncertainty")
        if deviations.shape not in ((), scores.shape):
            raise InputError(
                f"The score has planes of shape {scores.shape} and uncertainties of shape {deviations.shape}. Give one "
                "of each for every plane, or one uncertainty for all."
            )
        spread = np.array(np.broadcast_to(deviations, scores.shape))
        answered = scores[np.isfinite(scores)]
        with np.errstate(over="ignore"):
            value = float(answered.mean()) if answered.size else math.nan
        why = tuple(reasons) or ("",) * scores.size
        return cls(value, scores, spread, lower_is_better, range, not any(why), why, info or {})

    def __post_init__(self) -> None:
        check_fields(self)
        low, high = self.range
        if not (math.isfinite(high - low) and low < high):
            raise InputError(f"The range of the score is ({low:g}, {high:g}); give its lower and its upper end.")
        if (self.uncertainty < 0).any() or np.isinf(self.uncertainty).any():
            raise InputError("An uncertainty is below 0 or infinite; give standard deviations, NaN where not known.")
        if self.planes.shape != self.uncertainty.shape or len(self.reasons) != self.planes.size:
            raise InputError(
                f"The score has {self.planes.size} planes (shape {self.planes.shape}), {len(self.reasons)} reasons and "
                f"uncertainties of shape {self.uncertainty.shape}. Give one of each for every plane."
            )
        object.__setattr__(self, "info", MappingProxyType(dict(self.info)))

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickle the provenance as a plain dict: a read-only view cannot travel between processes."""
        return type(self), (self.value, self.planes, self.uncertainty, self.lower_is_better, self.range,
                            self.enough_evidence, self.reasons, dict(self.info))  # fmt: skip

    def __float__(self) -> float:
        return self.value

    @property
    def reason(self) -> str:
        """Why the evidence is not enough, all planes in one; ``""`` if it is."""
        return summed_up(self.reasons, self.planes.shape)

    def sentence(self) -> str:
        """Say the score in words, with its uncertainty and its reservations.

        Returns
        -------
        str
            One sentence or more. A stack is summed up by the mean and the range of its planes.
        """
        best, worst = (f"{end:g}" for end in (self.range if self.lower_is_better else self.range[::-1]))
        scale = f"of {self.range[1]:g} ({best} best, {worst} worst)"
        valid = self.planes[np.isfinite(self.planes)]
        if valid.size == 0:
            text = "Quality: no answer."
        elif self.planes.size == 1:
            text = f"Quality {self._written(self.value)} {scale}{self._give_or_take()}."
        else:
            low, high = self._written(float(valid.min())), self._written(float(valid.max()))
            text = (
                f"Quality {self._written(self.value)} {scale} on average over {valid.size} planes, which range from "
                f"{low} to {high}{self._give_or_take(' each')}."
            )
            if missing := self.planes.size - valid.size:
                text += f" {missing} {'plane has' if missing == 1 else 'planes have'} no answer."
        return f"{text} Not enough evidence: {self.reason}" if not self.enough_evidence else text

    @checked
    def plane_sentence(self, index: tuple[int, ...]) -> str:
        """Say the score of one plane of a stack in words, with its uncertainty and its reservations.

        Parameters
        ----------
        index : tuple of int
            Of the plane, one number for each leading axis, counted from 0.

        Returns
        -------
        str
            The number of the plane, and one sentence or more as `sentence` says them of one image.

        Raises
        ------
        InputError
            If there is no such plane.
        """
        plane = check_plane(index, self.planes.shape)
        number = int(np.ravel_multi_index(index, self.planes.shape)) if index else 0
        part = QualityScore.of(
            self.planes[index],
            uncertainty=self.uncertainty[index],
            reasons=self.reasons[number : number + 1],
            lower_is_better=self.lower_is_better,
            range=self.range,
            info=self.info,
        )
        return plane + part.sentence()

    def __str__(self) -> str:
        return self.sentence()

    def __repr__(self) -> str:
        return f"<QualityScore: {self.sentence()}>"

    def _written(self, number: float) -> str:
        """Write a number with as many places as the scale makes sense of: whole points of a hundred."""
        places = max(0, 2 - math.floor(math.log10(self.range[1] - self.range[0])))
        return f"{number:.{places}f}"

    def _give_or_take(self, each: str = "") -> str:
        known = self.uncertainty[np.isfinite(self.uncertainty) & np.isfinite(self.planes)]
        with np.errstate(over="ignore"):
            return f", give or take {self._written(float(known.mean()))}{each}" if known.size else ""


def quality_row(quality: QualityScore, **more: Any) -> dict[str, Any]:
    """Sum up a quality score as a row of the table of scores.

    Returns ``kind`` is ``"quality"``, ``uncertainty`` a standard deviation in points. A stack's ``score`` is the mean
    over the planes that have one, its ``uncertainty`` the mean of theirs (errors of planes that look alike do not
    cancel); ``planes``, ``planes_uncertainty`` and ``planes_enough_evidence`` hold them all. What is not known is None.
    """
    best, worst = quality.range if quality.lower_is_better else quality.range[::-1]
    answered = np.isfinite(quality.planes) & np.isfinite(quality.uncertainty)
    row = {
        **more,
        "kind": "quality",
        "score": quality.value,
        "uncertainty": quality.uncertainty[answered].mean() if answered.any() else None,
        "unit": f"points, {best:g} best to {worst:g} worst",
        "not_enough_evidence": quality.reason,
    }
    if quality.planes.ndim:
        row |= {
            "planes": quality.planes,
            "planes_uncertainty": quality.uncertainty,
            "planes_enough_evidence": [not reason for reason in quality.reasons],
        }
    plainly: dict[str, Any] = plain(row | origin(quality.info))
    return plainly


def summed_up(reasons: Sequence[str], shape: tuple[int, ...]) -> str:
    """Put the reasons of all planes of a stack into one text, each with its planes; ``""`` if there is none.

    Reasons are full sentences without a capital, with their stop; ``""`` for a plane without one.
    """
    if not any(reasons):
        return ""
    if len(reasons) == 1 or len(set(reasons)) == 1:
        return reasons[0]
    planes: dict[str, list[str]] = {}
    for index, reason in zip(np.ndindex(*shape), reasons, strict=True):
        if reason:
            planes.setdefault(reason, []).append(", ".join(map(str, index)) if len(index) == 1 else str(index))
    told = [f"{_named(where)}: {reason}" for reason, where in list(planes.items())[:_PLANES_NAMED]]
    if untold := sum(len(where) for where in list(planes.values())[_PLANES_NAMED:]):
        told.append(f"and {untold} more {'plane' if untold == 1 else 'planes'}.")
    return " ".join(told)


def _named(planes: Sequence[str]) -> str:
    if len(planes) == 1:
        return f"plane {planes[0]}"
    more = f" and {len(planes) - _PLANES_NAMED} more" if len(planes) > _PLANES_NAMED else ""
    return f"planes {', '.join(planes[:_PLANES_NAMED])}{more}"
