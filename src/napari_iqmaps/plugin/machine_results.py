"""What the runs of the widget "Machine-perceived quality" need and give: a map with its score, or a curve."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

from ..core.machine import machine_assess
from ..core.machine_assessment import MachineAssessment
from ..core.machine_curve import MachineCurve, machine_curve
from ..core.maps import QualityMap
from ..core.quality_score import quality_row
from .layers import LayerPixels
from .regions import Region
from .results import Result, with_dask_progress
from .tasks import Progress

_LAZY = "Quality: not computed yet."


@dataclass(frozen=True, eq=False)
class MachineResult(Result):
    """The map of an assessment with its score.

    Attributes
    ----------
    region : Region or None
        Where the map answers; None means everywhere.
    """

    assessment: MachineAssessment | None = None
    region: Region | None = None

    @classmethod
    def made(cls, assessment: MachineAssessment, name: str, region: Region | None) -> MachineResult:
        """Look at a map once, and say its score.

        Parameters
        ----------
        region : Region or None
            Where to answer; the score is then the mean of the map in there.
        """
        quality_map = assessment.map if region is None else _inside(assessment.map, region)
        seen = Result.of(quality_map, [name])
        words = "" if region is not None else _LAZY if assessment.is_lazy else assessment.quality.sentence()
        return cls(quality_map, seen.limits, seen.histogram, seen.names, (), words, assessment, region)

    def in_memory(self) -> MachineResult:
        """Compute the map and the score in one pass, if they are lazy."""
        assert self.assessment is not None
        if not self.assessment.is_lazy:
            return self
        return self.made(self.assessment.compute(), self.names[0], self.region)

    def row(self) -> dict[str, Any]:
        """Sum up the score as a row of a table; in a region, that of the map."""
        if self.region is not None:
            return super().row()
        assert self.assessment is not None
        row = quality_row(self.assessment.quality, file=self.names[0])
        return row | {"kind": self.quality_map.kind, "unit": self.quality_map.meaning.unit}


@dataclass(frozen=True, eq=False)
class MachineRequest:
    """All that a run needs, taken from the viewer before it starts: the thread touches no layer.

    Attributes
    ----------
    region : Region or None
        Where to answer; None means everywhere.
    """

    image: LayerPixels
    options: Mapping[str, Any]
    region: Region | None = None
    function: Callable[..., Any] = machine_assess

    def run(self, progress: Progress) -> MachineResult:
        """Assess; called in a thread.

        Returns
        -------
        MachineResult
            The map, of the whole image's pass also where a region is chosen.
        """
        image = self.image
        assessment = machine_assess(image.data, channel_axis=image.channel_axis, progress=progress, **self.options)
        make = partial(MachineResult.made, assessment, image.name, self.region)
        made: MachineResult = with_dask_progress(make, progress) if assessment.is_lazy else make()
        return made


@dataclass(frozen=True, eq=False)
class CurveRequest:
    """All that a curve needs, taken from the viewer before it starts."""

    image: LayerPixels
    distortion: str
    fails_below: float
    options: Mapping[str, Any]

    def run(self, progress: Progress) -> MachineCurve:
        """Score the image at every severity; called in a thread.

        Returns
        -------
        MachineCurve
            Of the whole image; of a stack, the mean over its planes.
        """
        return machine_curve(
            self.image.data, self.distortion, fails_below=self.fails_below, channel_axis=self.image.channel_axis,
            progress=progress, **self.options,
        )  # fmt: skip


def _inside(quality_map: QualityMap, region: Region) -> QualityMap:
    box = region.crop(LayerPixels(region.name, quality_map.values, None), 0).data
    # A reservation about the whole image says nothing about a part of it, and the other way round.
    info = {name: value for name, value in quality_map.info.items() if name != "not_enough_evidence"}
    return region.restore(QualityMap.of(box, quality_map.kind, info), 0)
