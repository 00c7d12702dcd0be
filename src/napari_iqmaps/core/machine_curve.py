"""How a recogniser takes a distortion: the score against the severity, and where it starts to fail."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from .arguments import check_fields, checked
from .arrays import computed
from .distortions import distort
from .distortions import distortion as row_of_bank
from .distortions.record import checked_severity
from .errors import InputError
from .images import Planes, as_planes
from .machine import machine_quality
from .progress import Progress, equal_part
from .quality_score import QualityScore
from .score_columns import Column, Part, columns, range_cells
from .span import remarked, settled
from .value_range import DataRange

if TYPE_CHECKING:
    from pathlib import Path

SEVERITIES = (0, 1, 2, 3, 4, 5)
FAILS_BELOW = 0.5

COLUMNS = (
    Column("distortion", Part.TREATMENT, "text"),
    Column("severity", Part.TREATMENT),
    Column("fails_below", Part.RESULTS),
    Column("fails_at", Part.RESULTS, may_lack=True),
    Column("seed", Part.SETTINGS),
    Column("strength", Part.SETTINGS, may_lack=True),
    *columns(Part.SETTINGS, "strength_unit", "parameter"),
)
"""Of a table of curves, beside the general ones."""


@dataclass(frozen=True, eq=False)
class MachineCurve:
    """The machine-perceived quality of an image at rising severities of one distortion.

    Attributes
    ----------
    distortion : str
        Its name in the bank.
    severities : numpy.ndarray
        float64, rising, 0 for the image itself.
    scores : numpy.ndarray
        float64, one for each severity, 0 to 1; of a stack the mean over the planes with an answer. NaN where there is
        no answer.
    qualities : tuple of QualityScore
        What the scores are from, with planes, uncertainties and reasons.
    fails_below : float
        The score below which the recogniser counts as failing.
    fails_at : float
        The severity at which the score first falls below that, interpolated linearly; NaN if it does not.
    reason : str
        Why `fails_at` is NaN, or how far to trust it; ``""`` if there is nothing to say.
    info : mapping
        Where the numbers come from.
    """

    distortion: str
    severities: npt.NDArray[np.float64]
    scores: npt.NDArray[np.float64]
    qualities: tuple[QualityScore, ...]
    fails_below: float
    fails_at: float
    reason: str
    info: Mapping[str, Any]

    @classmethod
    @checked
    def of(
        cls,
        name: str,
        severities: Sequence[float],
        qualities: Sequence[QualityScore],
        *,
        fails_below: float = FAILS_BELOW,
        info: Mapping[str, Any] | None = None,
    ) -> MachineCurve:
        """Make a curve of scores and find where it fails.

        Parameters
        ----------
        name : str
            Of the distortion.
        severities : sequence of float
            Rising.
        qualities : sequence of QualityScore
            One for each.
        fails_below, info : optional
            As the attributes.

        Returns
        -------
        MachineCurve
            With `fails_at` and its reason.
        """
        levels = np.array(severities, dtype=np.float64)
        scores = np.array([quality.value for quality in qualities], dtype=np.float64)
        _check_lengths(levels, scores, qualities)
        fails_at, reason = failing_severity(levels, scores, fails_below)
        return cls(name, levels, scores, tuple(qualities), fails_below, fails_at, reason, info or {})

    def __post_init__(self) -> None:
        check_fields(self)
        _check_lengths(self.severities, self.scores, self.qualities)
        object.__setattr__(self, "info", MappingProxyType(dict(self.info)))

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickle the provenance as a plain dict: a read-only view cannot travel between processes."""
        return type(self), (self.distortion, self.severities, self.scores, self.qualities, self.fails_below,
                            self.fails_at, self.reason, dict(self.info))  # fmt: skip

    def rows(self) -> list[dict[str, Any]]:
        """Give the curve as a table.

        Returns
        -------
        list of dict
            A row for each severity: ``distortion``, ``severity``, ``strength`` (the distortion's parameter, None for
            severity 0) with its ``parameter`` and ``unit``, ``score``, ``uncertainty``, ``fails_below``, ``fails_at``
            and ``not_enough_evidence``; None for what is not known.
        """
        row = row_of_bank(self.distortion)
        return [
            {
                "distortion": self.distortion,
                "severity": severity,
                "strength": row.strength(severity) if severity else None,
                "parameter": row.parameter,
                "unit": row.unit,
                "score": _known(quality.value),
                "uncertainty": _known(_mean_uncertainty(quality)),
                "fails_below": self.fails_below,
                "fails_at": _known(self.fails_at),
                "not_enough_evidence": quality.reason,
                **range_cells(self.info),
            }
            for severity, quality in zip(self.severities.tolist(), self.qualities, strict=True)
        ]

    def sentence(self) -> str:
        """Say in words how the score goes and where it fails.

        Returns
        -------
        str
            One sentence or more, with what the evidence of the first score is not enough for.
        """
        title = row_of_bank(self.distortion).title
        answered = np.flatnonzero(np.isfinite(self.scores))
        if not answered.size:
            return remarked(f"{title}: no answer, {self.reason}", self.info)
        first, last = answered[0], answered[-1]
        text = f"{title}: the score is {self.scores[first]:.2f} at severity {self.severities[first]:g}"
        if last != first:
            text += f" and {self.scores[last]:.2f} at {self.severities[last]:g}"
        if math.isfinite(self.fails_at):
            text += f"; it falls below {self.fails_below:g} at severity {self.fails_at:.2g}"
        text += "." + (f" {_capital(self.reason)}" if self.reason else "")
        reserved = self.qualities[first].reason
        return remarked(f"{text} Not enough evidence: {reserved}" if reserved else text, self.info)

    def __str__(self) -> str:
        return self.sentence()

    def __repr__(self) -> str:
        return f"<MachineCurve {self.distortion}: {self.sentence()}>"


@checked
def machine_curve(
    image: Any,
    distortion: str,
    *,
    severities: Sequence[float] = SEVERITIES,
    seed: int = 0,
    fails_below: float = FAILS_BELOW,
    data_range: DataRange = None,
    channel_axis: int | None = None,
    weights: str | Path | None = None,
    device: str = "auto",
    tile: int | None = None,
    progress: Progress | None = None,
) -> MachineCurve:
    """Score an image at rising severities of a distortion, and find where a recogniser starts to fail.

    Parameters
    ----------
    image : array_like or dask.array.Array
        As in `machine_assess`, but not bool and at least 8 pixels a side; one that is a dask array is read plane by
        plane, once for each severity.
    distortion : str
        One of `distortions()`.
    severities : sequence of float
        Rising, each 0 (the image itself) or from 1 to 5, whole or between.
    seed : int
        Of the distortion, the same for all severities.
    fails_below : float
        The score below which the recogniser counts as failing, above 0 and below 1.
    data_range, channel_axis, weights, device, tile : optional
        As in `machine_assess`.
    progress : callable, optional
        Called with ``(tiles done, tiles in all)`` over all severities; raise `Cancelled` in it to stop.

    Returns
    -------
    MachineCurve
        Scores and severities, and the severity where the score falls below `fails_below`.

    Raises
    ------
    InputError
        If the image, the distortion, a severity or an option cannot be used.
    WeightsError
        If the weights are unknown, missing, changed or of another network.
    Cancelled
        If `progress` raised it.

    Notes
    -----
    `fails_at` is where a line between the last score that is not below `fails_below` and the first that is meets it.
    It is 0 if the undistorted image's is below already. Between 0 and 1, where the bank has no severities, it says how
    far the way to severity 1 is. It is NaN, with a reason, if the score never falls below.

    A severity without a score, as of a picture that a distortion has made uniform, is left out with a reason. Scores
    need not fall from each severity to the next. A distortion is one step: between two severities of a very large
    plane a cancellation waits for it.
    """
    levels = _checked(severities)
    if isinstance(fails_below, bool) or not isinstance(fails_below, int | float) or not 0 < fails_below < 1:
        raise InputError(f"fails_below is {fails_below!r}; give a score between 0 and 1, such as {FAILS_BELOW}.")
    planes = as_planes(image, data_range=data_range, channel_axis=channel_axis, progress=progress)
    known: dict[str, Any] = {"data_range": planes.data_range, "channel_axis": -1 if planes.has_channels else None}
    options: dict[str, Any] = {**known, "weights": weights, "device": device, "tile": tile}
    qualities = []
    for number, severity in enumerate(levels):
        changed = distort(planes.array, distortion, severity, seed=seed, **known)
        counted = equal_part(progress, number, len(levels))
        qualities.append(_scored(replace(planes, array=changed), options, counted))
    info = {
        **settled(planes.range_record(), None),
        **qualities[0].info,
        "method": "machine_curve",
        "distortion": distortion,
        "seed": seed,
    }
    info |= {"severities": levels, "fails_below": fails_below}
    return MachineCurve.of(distortion, levels, qualities, fails_below=fails_below, info=info)


def _check_lengths(severities: Any, scores: Any, qualities: Sequence[QualityScore]) -> None:
    """Refuse a curve that has not one score and one quality for each severity."""
    if (len(qualities),) != severities.shape or severities.shape != scores.shape or not len(qualities):
        raise InputError(
            f"The curve has severities of shape {severities.shape}, scores of shape {scores.shape}, {len(qualities)} "
            "qualities. Give one of each for every severity."
        )


def failing_severity(
    severities: npt.NDArray[np.float64], scores: npt.NDArray[np.float64], fails_below: float
) -> tuple[float, str]:
    """Find the severity at which scores first fall below a limit, and what is to be said of it.

    Severities rise; a score is NaN where there is none. Between neighbours that have a score it is interpolated
    linearly; NaN if none is below.
    """
    answered = np.isfinite(scores)
    if not answered.any():
        return math.nan, "there is no score at any severity."
    missing = ", ".join(f"{severity:g}" for severity in severities[~answered])
    notes = [f"There is no score at severity {missing}."] if missing else []
    levels, values = severities[answered], scores[answered]
    below = np.flatnonzero(values < fails_below)
    if not below.size:
        lowest = int(values.argmin())
        said = f"the score does not fall below {fails_below:g}: its lowest is {values[lowest]:.2f}, at severity "
        return math.nan, " ".join([f"{said}{levels[lowest]:g}.", *notes])
    first = int(below[0])
    if first > 0:
        start, end = float(levels[first - 1]), float(levels[first])
        high, low = float(values[first - 1]), float(values[first])
        return start + (end - start) * (high - fails_below) / (high - low), " ".join(notes)
    if levels[0] > 0:
        notes.insert(0, f"the score is below {fails_below:g} already at severity {levels[0]:g}, the first with one.")
    return float(levels[0]), " ".join(notes)


def _checked(severities: Sequence[float]) -> list[float]:
    levels = [checked_severity(severity) for severity in np.ravel(np.asarray(severities, dtype=object))]
    if not levels or any(one >= other for one, other in pairwise(levels)):
        raise InputError(f"The severities are {severities!r}; give at least one, each above the one before.")
    return levels


def _scored(planes: Planes, options: Mapping[str, Any], progress: Progress | None) -> QualityScore:
    if not planes.is_lazy:
        return machine_quality(planes.array, **options, progress=progress)
    # Every tile would compute the distortion of its whole plane again.
    lead = planes.shape[:-2]
    parts = []
    for number, index in enumerate(np.ndindex(*lead)):
        counted = equal_part(progress, number, math.prod(lead))
        parts.append(machine_quality(computed(planes.array[index]), **options, progress=counted))
    return QualityScore.of(
        np.reshape([part.value for part in parts], lead),
        uncertainty=np.reshape([part.uncertainty for part in parts], lead),
        reasons=[part.reason for part in parts],
        lower_is_better=parts[0].lower_is_better,
        range=parts[0].range,
        info=parts[0].info,
    )


def _mean_uncertainty(quality: QualityScore) -> float:
    known = quality.uncertainty[np.isfinite(quality.planes) & np.isfinite(quality.uncertainty)]
    return float(known.mean()) if known.size else math.nan


def _known(number: float) -> float | None:
    return number if math.isfinite(number) else None


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]
