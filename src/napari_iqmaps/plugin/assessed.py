"""What a run of the blind widget needs and gives: all maps of one pass, of which some are shown, and a score."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from ..core.assessment import Assessment
from ..core.blind import MAPS, assess
from ..core.errors import InputError
from ..core.quality_score import quality_row
from .layers import LayerPixels, common_channel_axis
from .results import Result, samples, with_dask_progress
from .tasks import Progress

_LAZY = "Quality: not computed yet."


@dataclass(frozen=True, eq=False)
class AssessedResult(Result):
    """Some maps of an assessment, the last of them as the map itself and the others beside it."""

    assessment: Assessment | None = None
    parts: Mapping[str, Result] | None = None

    @classmethod
    def made(cls, assessment: Assessment, kinds: Collection[str], names: Sequence[str]) -> AssessedResult:
        """Look at all maps once, and show some.

        Returns
        -------
        AssessedResult
            In the order of the maps of one pass.
        """
        maps = list(assessment.maps.values())
        parts = {
            quality_map.kind: Result.of(quality_map, names, sample)
            for quality_map, sample in zip(maps, samples(maps), strict=True)
        }
        return _chosen(cls, assessment, parts, kinds)

    def showing(self, kinds: Collection[str]) -> AssessedResult:
        """Show other maps of the same assessment."""
        assert self.assessment is not None
        assert self.parts is not None
        return _chosen(type(self), self.assessment, self.parts, kinds)

    def in_memory(self) -> AssessedResult:
        """Compute the maps and the score in one pass, if they are lazy."""
        assert self.assessment is not None
        if not self.assessment.is_lazy:
            return self
        shown = [part.quality_map.kind for part in (*self.beside, self) if isinstance(part, Result)]
        return self.made(self.assessment.compute(), shown, self.names)

    def row(self) -> dict[str, Any]:
        """Sum up the score as a row of a table, with the mean of each map."""
        assert self.assessment is not None
        image, *reference = self.names
        cells = {"file": image, **({"reference": reference[0]} if reference else {})}
        means = {f"mean_{kind}": _mean(result.score) for kind, result in self.assessment.maps.items()}
        return quality_row(self.assessment.quality, **cells) | means


@dataclass(frozen=True, eq=False)
class AssessRequest:
    """All that a run needs, taken from the viewer before it starts: the thread touches no layer."""

    image: LayerPixels
    reference: LayerPixels | None
    kinds: tuple[str, ...]
    options: Mapping[str, Any]
    function: Callable[..., Any] = assess

    def run(self, progress: Progress) -> AssessedResult:
        """Assess; called in a thread.

        Returns
        -------
        AssessedResult
            The chosen maps; all others are there too, for they cost the one pass nothing.
        """
        images = [image for image in (self.image, self.reference) if image is not None]
        assessment = assess(
            self.image.data,
            reference=None if self.reference is None else self.reference.data,
            channel_axis=common_channel_axis(images),
            progress=progress,
            **self.options,
        )
        names = [image.name for image in images]
        make = partial(AssessedResult.made, assessment, self.kinds, names)
        made: AssessedResult = with_dask_progress(make, progress) if assessment.is_lazy else make()
        return made


def _chosen(
    made: type[AssessedResult], assessment: Assessment, parts: Mapping[str, Result], kinds: Collection[str]
) -> AssessedResult:
    *beside, top = _in_order(parts, kinds)
    return made(
        top.quality_map,
        top.limits,
        top.histogram,
        top.names,
        tuple(beside),
        _LAZY if assessment.is_lazy else assessment.quality.sentence(),
        assessment,
        parts,
    )


def _in_order(parts: Mapping[str, Result], kinds: Collection[str]) -> list[Result]:
    shown = [parts[kind] for kind in MAPS if kind in kinds and kind in parts]
    if not shown:
        raise InputError("No map is chosen. Tick at least one.")
    return shown


def _mean(scores: Any) -> float | None:
    finite = np.asarray(scores)[np.isfinite(scores)]
    return float(finite.mean()) if finite.size else None
