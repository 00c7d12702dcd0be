"""From counts to a judgement: the score of a plane, of its blocks, and of a stack."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from ..quality_score import summed_up
from .blocks import Box
from .differences import CellFacts
from .options import Options
from .records import BlockScore, DiffDiffScore
from .tally import Tally, tallied_in, voted_masks
from .threads import answers
from .verdict import decide, evidence_interval, evidence_of, score_interval

Plane = npt.NDArray[np.float32]


@dataclass(frozen=True)
class PlaneFacts:
    """What a pass found out about one plane, whatever the tolerance.

    Attributes
    ----------
    index : tuple of int
        Of the plane in the stack.
    cells : tuple of CellFacts
        Its blocks, or, without a grid, the parts that the evidence is judged by.
    frame : Box
        What is judged of the image.
    area : int
        Pixels of the frame that are to be compared if they are valid.
    noise : float
        Standard deviation, in grey levels, of the noise in the difference of two of the smoothed images.
    counted_at : float or None
        Tolerance at which the pass itself counted, in the cells that have a tally.
    """

    index: tuple[int, ...]
    cells: tuple[CellFacts, ...]
    frame: Box
    area: int
    noise: float
    counted_at: float | None

    @property
    def n_valid(self) -> int:
        """Pixels that are compared."""
        return sum(cell.n_valid for cell in self.cells)


@dataclass(frozen=True, eq=False)
class Counter:
    """Counts a map at any tolerance, and makes its score.

    Attributes
    ----------
    planes : tuple of PlaneFacts
        Of the map.
    weight : numpy.ndarray or None
        float32, ``(height, width)`` or the map's shape.
    options : Options
        What was chosen.
    lead : tuple of int
        Leading shape of the map.
    """

    planes: tuple[PlaneFacts, ...]
    weight: Plane | None
    options: Options
    lead: tuple[int, ...]

    def score(self, values: Plane, tols: Sequence[float], info: Mapping[str, Any]) -> DiffDiffScore:
        """Count all planes.

        Parameters
        ----------
        values : numpy.ndarray
            The map, float32.
        tols : sequence of float
            One tolerance for each plane.
        info : mapping
            Where the numbers come from.

        Returns
        -------
        DiffDiffScore
            Of the plane, or of the stack with one part for each plane.
        """
        counted = [self._counted(facts, values[facts.index], tol) for facts, tol in zip(self.planes, tols, strict=True)]
        parts = [
            replace(self._judged([facts], tallies, tol), blocks=self._blocks(facts, tallies), info=info)
            for facts, tol, tallies in zip(self.planes, tols, counted, strict=True)
        ]
        return parts[0] if not self.lead else self._pooled(parts, counted, info)

    def _pooled(
        self, parts: Sequence[DiffDiffScore], counted: Sequence[Sequence[Tally]], info: Mapping[str, Any]
    ) -> DiffDiffScore:
        """Put the planes of a stack together: everything is added up."""
        tols = [(part.tol, part.n_valid) for part in parts if part.n_valid]
        total = sum(size for _, size in tols)
        tol = sum(tol * size for tol, size in tols) / total if total else math.nan
        judged = self._judged(self.planes, [tally for tallies in counted for tally in tallies], tol)
        return replace(
            judged,
            reason=judged.reason or summed_up([part.reason for part in parts], self.lead),
            blocks=tuple(block for part in parts for block in part.blocks),
            parts=tuple(parts),
            info=info,
        )

    def _counted(self, facts: PlaneFacts, values: Plane, tol: float) -> list[Tally]:
        """Count each cell of a plane."""
        weight = self.weight
        if weight is not None and weight.ndim > 2:
            weight = weight[facts.index]
        voted = voted_masks(values, tol, self.options.median) if self.options.median else None

        known = facts.counted_at == tol and not self.options.median

        def tally(cell: CellFacts) -> Tally:
            if known and cell.tally is not None:
                return cell.tally
            return tallied_in(values, cell.box, tol, cell.n_valid, weight, voted)

        return list(answers(tally, facts.cells, values.size))

    def _blocks(self, facts: PlaneFacts, tallies: Sequence[Tally]) -> tuple[BlockScore, ...]:
        if self.options.grid is None:
            return ()
        least = self.options.min_block
        return tuple(
            _block_score(cell, tally, least, facts.index) for cell, tally in zip(facts.cells, tallies, strict=True)
        )

    def _judged(self, planes: Sequence[PlaneFacts], tallies: Sequence[Tally], tol: float) -> DiffDiffScore:
        """Make the score of what was counted in all cells, and in those that count."""
        options = self.options
        least = 1 if options.grid is None else max(options.min_block, 1)
        counting = [tally for tally in tallies if tally.count >= least]
        everything, counted = sum(tallies, Tally()), sum(counting, Tally())
        n_valid, area = sum(facts.n_valid for facts in planes), sum(facts.area for facts in planes)
        fraction = n_valid / area if area else 0.0
        scored = n_valid > 0 and fraction >= options.min_valid and counted.count >= max(options.min_total, 1)
        cells = [cell for facts in planes for cell in facts.cells]
        before, after = _correlations(cells)
        weight = everything.weight
        judged = DiffDiffScore(
            score=counted.score if scored else math.nan,
            count=counted.count,
            better=counted.better,
            worse=counted.worse,
            n_valid=n_valid,
            valid_fraction=fraction,
            scored=scored,
            gain=(counted.weight_better - counted.weight_worse) / weight if weight > 0 else math.nan,
            soft=everything.soft / weight if weight > 0 else math.nan,
            evidence=evidence_of(cells),
            rms=_rms(cells),
            interval=score_interval(counting) if scored else (math.nan, math.nan),
            evidence_interval=evidence_interval(cells),
            tol=tol,
            local_ncc_before=before,
            local_ncc_after=after,
            verdict="undecided",
            reason="",
        )
        noise = math.sqrt(sum(facts.noise**2 for facts in planes) / len(planes))
        verdict, reason = decide(judged, min_valid=options.min_valid, noise=noise)
        if not (scored or reason):
            reason = _too_few(counted.count, everything.count, tol, options)
        return replace(judged, verdict=verdict, reason=reason)


def _too_few(counting: int, changed: int, tol: float, options: Options) -> str:
    """Say why there is a verdict and no score."""
    where = f", {counting:,} of them in blocks of {options.min_block} and more" if counting < changed else ""
    return (
        f"no score: {changed:,} pixels changed by more than the tolerance of {tol:.3g} grey levels{where}, and a score "
        f"takes {max(options.min_total, 1):,}."
    )


def _block_score(cell: CellFacts, tally: Tally, min_block: int, plane: tuple[int, ...]) -> BlockScore:
    scored = tally.count >= max(min_block, 1)
    before, after = _correlations([cell])
    height, width = cell.box.shape
    weight = tally.weight
    return BlockScore(
        row=cell.row,
        column=cell.column,
        top=cell.box.top,
        left=cell.box.left,
        height=height,
        width=width,
        n_valid=cell.n_valid,
        better=tally.better,
        worse=tally.worse,
        count=tally.count,
        score=tally.score if scored else math.nan,
        gain=(tally.weight_better - tally.weight_worse) / weight if weight > 0 else math.nan,
        soft=tally.soft / weight if weight > 0 else math.nan,
        evidence=evidence_of([cell]),
        scored=scored,
        shift=cell.shift,
        local_ncc_before=before,
        local_ncc_after=after,
        plane=plane,
    )


def _correlations(cells: Sequence[CellFacts]) -> tuple[float, float]:
    """Average the local correlations of cells, before and after; NaN where none is defined."""
    pixels = sum(cell.ncc_pixels for cell in cells)
    if not pixels:
        return math.nan, math.nan
    return sum(cell.ncc_before for cell in cells) / pixels, sum(cell.ncc_after for cell in cells) / pixels


def _rms(cells: Sequence[CellFacts]) -> float:
    """Give the root mean square of the changes in grey levels."""
    weight = sum(cell.weight for cell in cells)
    return math.sqrt(sum(cell.grey_squares for cell in cells) / weight) if weight > 0 else math.nan
