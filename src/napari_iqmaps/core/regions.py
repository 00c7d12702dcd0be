"""What an assessment says of parts of its image: the mean of each map there, and a score of the part's own."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from .arrays import computing
from .quality_score import QualityScore, quality_row

if TYPE_CHECKING:
    from .assessment import Assessment
    from .progress import Progress


Plane = npt.NDArray[np.float32]
Window = Mapping[str, Plane]

_CELL = 4  # pixels from cell to cell of the networks; on a cell's pixel a map has the cell's own value
_SCORED_FROM = ("reliability", "perceptual_error")


@dataclass(frozen=True, eq=False)
class Area:
    """Part of an image: which pixels of a bounding box inside it, and where the box's first pixel is.

    `plane` is that of a stack which it belongs to; None means all planes. The mask is without pixels for an area that
    has none.
    """

    mask: npt.NDArray[np.bool_]
    corner: tuple[int, int] = (0, 0)
    plane: tuple[int, ...] | None = None

    @property
    def place(self) -> tuple[slice, slice]:
        """Rows and columns of the box."""
        rows, columns = (slice(start, start + size) for start, size in zip(self.corner, self.mask.shape, strict=True))
        return rows, columns

    @property
    def cells(self) -> tuple[slice, slice]:
        """Rows and columns of the box on which there are cells."""
        rows, columns = (slice(-start % _CELL, None, _CELL) for start in self.corner)
        return rows, columns


@dataclass(frozen=True, eq=False)
class RegionQuality:
    """What an assessment says of an area: its score, the mean of each map over its valid pixels, and its size."""

    quality: QualityScore
    means: Mapping[str, float]
    pixels: int

    def features(self) -> dict[str, Any]:
        """Give all numbers by name; the score and its uncertainty as means over the planes."""
        spread = self.quality.uncertainty[np.isfinite(self.quality.planes) & np.isfinite(self.quality.uncertainty)]
        return {
            "quality": self.quality.value,
            "uncertainty": float(spread.mean()) if spread.size else math.nan,
            "enough_evidence": self.quality.enough_evidence,
            **self._means(),
            "pixels": self.pixels,
            "not_enough_evidence": self.quality.reason,
        }

    def row(self, **more: Any) -> dict[str, Any]:
        """Sum up the area as a row of the table of scores, with the means and ``region_pixels``."""
        return {**quality_row(self.quality, **more), **self._means(), "region_pixels": self.pixels}

    def _means(self) -> dict[str, float]:
        return {f"mean_{kind}": mean for kind, mean in self.means.items()}


def region_qualities(
    assessment: Assessment, areas: Sequence[Area], *, progress: Progress | None = None
) -> list[RegionQuality]:
    """Measure areas of an image that has been assessed; no network runs, unless the assessment is lazy.

    The score of an area is that of the image with its sums taken over the area's cells alone: the score of the mean of
    sensitivity x error, weighted by the reliability, which takes both maps. The area of the whole image has the image's
    score. The networks saw around the area what is there in the image, not its reflection; its uncertainty is the one
    that whole images of this score have, so that of a small area is larger than it says.

    A score is NaN with a reason for an area without a valid pixel, under 32 pixels a side or nearly uniform, and for
    the maps of DIQA, which scores features that its maps do not show.
    """
    windows: Any = [
        [
            {kind: result.values[(*plane, *area.place)] for kind, result in assessment.maps.items()}
            for plane in _planes(area, assessment)
        ]
        for area in areas
    ]
    sums: Any = [[assessment.sums[plane] for plane in _planes(area, assessment)] for area in areas]
    if assessment.is_lazy:
        from dask.base import compute

        with computing("image"):
            windows, sums = compute(windows, sums)
    made = []
    for number, area in enumerate(areas):
        made.append(_measured(assessment, area, windows[number], sums[number]))
        if progress is not None:
            progress(number + 1, len(areas))
    return made


def _planes(area: Area, assessment: Assessment) -> list[tuple[int, ...]]:
    return list(np.ndindex(*assessment.judge.shape[:-2])) if area.plane is None else [area.plane]


def _measured(
    assessment: Assessment, area: Area, windows: Sequence[Window], sums: Sequence[npt.NDArray[np.float64]]
) -> RegionQuality:
    means = {kind: _mean([window[kind] for window in windows], area.mask) for kind in assessment.maps}
    return RegionQuality(_score(assessment, area, windows, sums), means, int(area.mask.sum()))


def _mean(planes: Sequence[Plane], mask: npt.NDArray[np.bool_]) -> float:
    values = np.concatenate([plane[mask] for plane in planes])
    valid = values[np.isfinite(values)]
    return float(valid.mean(dtype=np.float64)) if valid.size else math.nan


def _score(
    assessment: Assessment, area: Area, windows: Sequence[Window], sums: Sequence[npt.NDArray[np.float64]]
) -> QualityScore:
    shape = assessment.judge.shape[:-2] if area.plane is None else ()
    whole = np.reshape(sums, (*shape, -1))
    if missing := [kind for kind in _SCORED_FROM if kind not in assessment.maps]:
        reason = f"an area is scored from the maps of {' and '.join(_SCORED_FROM)}, and there is no {missing[0]}."
        nothing = np.full(shape, np.nan)
        return QualityScore.of(nothing, reasons=(reason.replace("_", " "),) * nothing.size, info=assessment.judge.info)
    inside = np.zeros_like(whole)
    for plane, window, seen in zip(np.ndindex(*shape), windows, sums, strict=True):
        inside[plane][:3] = _sums(area, window, float(seen[1] / seen[0]) if seen[0] else math.nan)
    # How far the image is from the training is known of the whole only, and said from there.
    judge = replace(assessment.judge, shape=(*shape, *area.mask.shape), runs_trunk=False)
    score = judge.score(inside)
    reasons = [
        " ".join(filter(None, (own, f"The whole image: {of_all}" if of_all and np.isfinite(value) else "")))
        for own, of_all, value in zip(
            score.reasons, assessment.judge.score(whole).reasons, score.planes.ravel(), strict=True
        )
    ]
    return QualityScore.of(score.planes, uncertainty=score.uncertainty, reasons=reasons, info=score.info)


def _sums(area: Area, window: Window, mean_reliability: float) -> tuple[float, float, float]:
    """Give number, reliability and perceptual error of an area's cells, in the order of `_network_pass.BlindSums`."""
    weight, cost = (window[kind][area.cells] for kind in _SCORED_FROM)
    valid = area.mask[area.cells] & np.isfinite(weight)
    reliability, perceptual_error = (part.sum(where=valid, dtype=np.float64) for part in (weight, cost))
    # Both maps are ratios to one mean, which the rule on uniform images needs back.
    return float(valid.sum()), mean_reliability * reliability, mean_reliability * perceptual_error
