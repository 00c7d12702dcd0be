"""What a judgement of a registration says: the score of the changed pixels, how sure it is, and the verdict."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from types import MappingProxyType
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from ..arguments import check_fields
from ..errors import InputError
from ..own_units import grey_levels
from ..quality_score import summed_up
from ..score_columns import Column, Part, columns, range_cells
from ..span import range_first, remarked
from .differences import CellFacts, answers
from .images import Box
from .options import Options
from .tally import Tally, tallied_in, voted_masks

Verdict = Literal["better", "worse", "unchanged", "undecided", "not enough evidence"]
VERDICTS: tuple[Verdict, ...] = ("better", "worse", "unchanged", "undecided", "not enough evidence")

BLOCK_MARGIN = 0.10
"""Evidence from which on a block is called better or worse: 1 % of the truly better blocks are then called worse, and
83 % of the worse ones are (``benchmarks/judging.py``)."""

CLEAR_SHARE = 2 / 3
"""Share of the changed pixels that is seen to bear a verdict out, if its interval lies above `CHANCE`."""

CHANCE = 0.5

_PLACE = ("row", "column", "top", "left", "height", "width")
_COUNTS = ("n_valid", "better", "worse", "count")
_SCORES = ("score", "gain", "soft", "evidence")
_CORRELATIONS = ("local_ncc_before", "local_ncc_after")

COLUMNS = (
    *columns(Part.FILES, "fixed", "registered", "matrix", "valid", holds="text"),
    *columns(Part.PLACE, "plane", *_PLACE),
    Column("verdict", Part.VERDICT, "text"),
    *columns(Part.SCORE, "score_low", "score_high", "evidence", "soft", "gain", "better", "worse", "count", "n_valid"),
    *columns(Part.SCORE, "valid_fraction", "tol", "blocks_better", "blocks_worse", *_CORRELATIONS),
    *columns(None, "reason", "sentence", "registered_by", "planes_verdict", holds="text"),
)
"""Of a table of diff-diffs or of their blocks, beside the general ones."""
_SAID = {
    "better": "Better",
    "worse": "Worse",
    "unchanged": "Unchanged",
    "undecided": "Undecided",
    "not enough evidence": "Not enough evidence",
}


@dataclass(frozen=True)
class BlockScore:
    """What the diff-diff says of one block.

    Attributes
    ----------
    row, column : int
        Place in the grid, from the top left.
    top, left, height, width : int
        Place in the image, in pixels.
    n_valid : int
        Pixels that both images have.
    better, worse, count : int
        Pixels whose difference fell by more than the tolerance, rose by more than it, and both.
    score : float
        Share of the changed pixels that got better, 0..1; NaN if there are too few.
    gain : float
        (better - worse) / n_valid, -1..1.
    soft : float
        Mean of ``clip(dd / (2 tol), -1, 1)``, -1..1.
    evidence : float
        Mean over root mean square, -1..1, of the diff-diff of locally normalised images: how one-sided the change is,
        whatever the tolerance and the correction of the light.
    scored : bool
        Whether the block counts: enough changed pixels.
    shift : float
        Grey levels (of 255) that the moving image is brighter than the fixed one here, which the corrections "before"
        and "each" take out.
    local_ncc_before, local_ncc_after : float
        Local normalised cross-correlation with the fixed image, -1..1; NaN where the block is flat.
    plane : tuple of int
        Index of the plane in a stack; empty for one image.
    """

    row: int
    column: int
    top: int
    left: int
    height: int
    width: int
    n_valid: int
    better: int
    worse: int
    count: int
    score: float
    gain: float
    soft: float
    evidence: float
    scored: bool
    shift: float
    local_ncc_before: float = math.nan
    local_ncc_after: float = math.nan
    plane: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        check_fields(self)

    @property
    def verdict(self) -> Verdict:
        """What the block says: better or worse if its evidence is larger than ``BLOCK_MARGIN``, which way it points.

        Without an evidence, as in the original's numbers, the score decides.
        """
        if not self.n_valid:
            return "not enough evidence"
        judges = math.isfinite(self.evidence)
        lean = self.evidence if judges else (self.score - 0.5 if self.scored else 0.0)
        if lean == 0:
            return "unchanged" if judges or not self.scored else "undecided"
        if judges and abs(lean) <= BLOCK_MARGIN:
            return "undecided"
        return "better" if lean > 0 else "worse"

    def features(self) -> dict[str, Any]:
        """Give the numbers as a row of a table.

        Returns
        -------
        dict
            Plane (if there is one), row, column, place, counts, scores, verdict, shift and local correlations.
        """
        own = {name: getattr(self, name) for name in (*_PLACE, *_COUNTS)}
        own |= {name: _number(getattr(self, name)) for name in (*_SCORES, "shift", *_CORRELATIONS)}
        index = {"plane": ", ".join(map(str, self.plane))} if self.plane else {}
        return {**index, **own, "verdict": self.verdict}


def block_words(row: Mapping[str, Any]) -> str:
    """Say in short what a block has to say for itself, by its row of a table."""
    numbers = {"score": row["score"], "evidence": row["evidence"]}
    known = [f"{name} {value:.2f}" for name, value in numbers.items() if value is not None and math.isfinite(value)]
    changed = f"{row['count']} of {row['n_valid']} pixels changed"
    return f"{row['verdict']} ({', '.join([*known, changed])})"


@dataclass(frozen=True, eq=False)
class DiffDiffScore:
    """Whether a registration made it better or worse, by the pixels that it changed.

    Attributes
    ----------
    score : float
        Share of the changed pixels that got better, 0 (all worse) to 1 (all better); NaN with a reason if not scored.
    count, better, worse : int
        Pixels that changed by more than the tolerance, and which way.
    n_valid : int
        Pixels that were compared.
    valid_fraction : float
        Their share of the fixed image, or of its region inside the border.
    scored : bool
        Whether enough pixels changed for a score.
    gain : float
        (better - worse) / n_valid, -1..1.
    soft : float
        Mean over the valid pixels of ``clip(dd / (2 tol), -1, 1)``, -1..1; the score of the map.
    evidence : float
        Mean over root mean square, -1..1, of the diff-diff of locally normalised images: how one-sided the change is,
        whatever the tolerance and the correction of the light.
    rms : float
        Root mean square of the same in grey levels, each pixel multiplied by the contrast around it.
    interval, evidence_interval : (float, float)
        In which score and evidence lie with 90 % confidence, blocks taken as clusters; NaN if not scored, or by fewer
        than two blocks.
    tol : float
        Tolerance in grey levels of 255; for a stack the mean of its planes' tolerances.
    local_ncc_before, local_ncc_after : float
        Mean local normalised cross-correlation with the fixed image, before and after the registration.
    verdict : str
        One of `VERDICTS`.
    reason : str
        Why there is no score or no decision, or what else speaks against it; ``""`` if nothing does.
    blocks : tuple of BlockScore
        Of all planes; empty without a grid.
    parts : tuple of DiffDiffScore
        One for each plane of a stack, in the order of ``numpy.ndindex``; empty for one image.
    info : mapping
        Where the numbers come from: options, how the tolerance was found, value range used, version.
    """

    score: float
    count: int
    better: int
    worse: int
    n_valid: int
    valid_fraction: float
    scored: bool
    gain: float
    soft: float
    evidence: float
    rms: float
    interval: tuple[float, float]
    evidence_interval: tuple[float, float]
    tol: float
    local_ncc_before: float
    local_ncc_after: float
    verdict: Verdict
    reason: str
    blocks: tuple[BlockScore, ...] = ()
    parts: tuple[DiffDiffScore, ...] = ()
    info: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        check_fields(self)
        if self.verdict not in VERDICTS:
            raise InputError(f"verdict is {self.verdict!r}; choose one of {', '.join(map(repr, VERDICTS))}.")
        object.__setattr__(self, "info", MappingProxyType(dict(self.info)))

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickle the provenance as a plain dict: a read-only view cannot travel between processes."""
        values = {own.name: getattr(self, own.name) for own in fields(self)}
        return type(self), tuple((values | {"info": dict(self.info)}).values())

    @property
    def planes(self) -> Sequence[DiffDiffScore]:
        """One score for each plane of a stack; itself alone for one image."""
        return self.parts or (self,)

    @property
    def blocks_better(self) -> int:
        """Blocks that count and got better."""
        return sum(block.verdict == "better" for block in self.blocks)

    @property
    def blocks_worse(self) -> int:
        """Blocks that count and got worse."""
        return sum(block.verdict == "worse" for block in self.blocks)

    @property
    def _rests_on_evidence_alone(self) -> bool:
        """Whether the share of the changed pixels does not say clearly what the verdict says."""
        if self.verdict not in ("better", "worse") or not math.isfinite(self.evidence):
            return False
        share, (low, high) = self.score, self.interval
        if self.verdict == "worse":
            share, low = 1 - share, 1 - high
        return not (share >= CLEAR_SHARE and not low <= CHANCE)  # the interval may be NaN

    def sentence(self) -> str:
        """Say the verdict in words, with its numbers and its reservations.

        Returns
        -------
        str
            One sentence or more.
        """
        text, joint = _SAID[self.verdict], ": "
        if self._rests_on_evidence_alone:
            low, high = self.evidence_interval
            sure = f" (90 % interval {low:.2f} to {high:.2f})" if math.isfinite(low) else ""
            text += f": by the evidence of {self.evidence:.2f}{sure}, with differences of light and contrast taken out"
            joint = "; "
        if self.scored:
            low, high = self.interval
            sure = f" (90 % interval {100 * low:.0f} to {100 * high:.0f})" if math.isfinite(low) else ""
            light = self.info.get("illumination", "local")
            # What light does to the share has to be said where the verdict does not follow it.
            seen = f" with illumination {light!r}" if joint == "; " and light != "local" else ""
            text += f"{joint}{100 * self.score:.0f} %{sure} of {self.count:,} changed pixels{seen} came closer"
            text += " to the fixed image"
            if self.blocks:
                text += f"; blocks: {self.blocks_better} better, {self.blocks_worse} worse of {len(self.blocks)}"
        if math.isfinite(self.local_ncc_before):
            text += f"; local correlation {self.local_ncc_before:.2f} before, {self.local_ncc_after:.2f} after"
        text += "."
        if self.parts:
            told = (f"{n} {verdict}" for verdict in VERDICTS if (n := sum(p.verdict == verdict for p in self.parts)))
            text += f" {len(self.parts)} planes: {', '.join(told)}."
        text = f"{text} {self.reason[:1].upper()}{self.reason[1:]}" if self.reason else text
        return remarked(text, self.info)

    def row(self) -> dict[str, Any]:
        """Give the numbers as a row of a table.

        Returns
        -------
        dict
            verdict, score, score_low, score_high, soft, gain, evidence, better, worse, count, n_valid,
            valid_fraction, tol, blocks_better, blocks_worse, local_ncc_before, local_ncc_after and reason; NaN where
            there is no number. Where the range was found in the values or they use little of it, data_range with
            range_rule or span.
        """
        low, high = self.interval
        return {
            "verdict": self.verdict,
            "score": _number(self.score),
            "score_low": _number(low),
            "score_high": _number(high),
            **{name: _number(getattr(self, name)) for name in ("soft", "gain", "evidence")},
            **{name: getattr(self, name) for name in ("better", "worse", "count", "n_valid")},
            **{name: _number(getattr(self, name)) for name in ("valid_fraction", "tol")},
            "blocks_better": self.blocks_better,
            "blocks_worse": self.blocks_worse,
            **{name: _number(getattr(self, name)) for name in _CORRELATIONS},
            "reason": self.reason,
            **range_cells(self.info),
        }

    def __str__(self) -> str:
        return self.sentence()


def _number(value: float) -> float:
    """Round to what is worth reading in a table: nine digits."""
    return float(f"{value:.9g}")


CONFIDENCE = 0.90
"""Of the interval of a score."""

PATCH = 25
"""Pixels that change together, about: what misaligned edges make better or worse comes in patches of this size."""

NOTHING = 0.1
"""Root mean square of the changes in grey levels, below which nothing changed."""

OF_NOISE = 0.35
"""Changes below this part of the noise are none: a warp by half a pixel makes .25, as it smooths the noise of one image
alone."""

FAINT = 0.1
"""Local correlation that the better one of two alignments has to have where the changes are within the noise: below it
there is nothing but noise, and the smoother image wins."""

ALIGNED = 0.8
"""Local correlation from which on images are called well aligned; below `MISALIGNED` they are not."""

MISALIGNED = 0.5


_RANGE_MATTERS = ("unchanged", "undecided")
"""Verdicts that another range can change, since grey levels are shares of it."""

_WAYS: dict[int, Verdict] = {1: "better", -1: "worse"}
_SUMS = ("weight", "total", "squares")


def score_interval(clusters: Sequence[Tally]) -> tuple[float, float]:
    """Give the interval in which a score lies, with blocks as clusters; NaN without a changed pixel.

    The score is a ratio of sums over blocks; its variance is estimated from the blocks' residuals about it (the
    linearised ratio estimator of cluster sampling). The interval is Wilson's [1]_ for the number of independent pixels
    that would have that variance, at most one in `PATCH`, with Student's quantile for the number of blocks; so it has a
    width even where all blocks agree, and stays within 0..1.

    .. [1] E. B. Wilson, "Probable inference, the law of succession, and statistical inference", JASA 22, 1927,
       doi:10.1080/01621459.1927.10502953.
    """
    changed = [(c.weight_better, c.weight_better + c.weight_worse) for c in clusters if c.count]
    total = sum(n for _, n in changed)
    if not changed or total <= 0:
        return math.nan, math.nan
    score = sum(b for b, _ in changed) / total
    independent = max(sum(c.count for c in clusters) / PATCH, 1.0)
    number = len(changed)
    if number > 1:
        variance = number / (number - 1) * sum((b - score * n) ** 2 for b, n in changed) / total**2
        likely = (score * independent + 0.5) / (independent + 1)  # away from 0 and 1, where no variance would be left
        if variance > 0:
            independent = max(1.0, min(independent, likely * (1 - likely) / variance))
    return _wilson(score, independent, _quantile(max(number - 1, 1)))


def evidence_of(cells: Sequence[CellFacts]) -> float:
    """Say how one-sided the changes are: mean of dd over its root mean square; 0 where nothing changed."""
    return _evidence(*(sum(getattr(cell, name) for cell in cells) for name in _SUMS))


def evidence_interval(cells: Sequence[CellFacts]) -> tuple[float, float]:
    """Give the interval in which the evidence lies, with the parts as clusters; NaN for fewer than two.

    Its standard error is the jackknife's, which leaves out one part at a time; the quantile is Student's for their
    number.
    """
    known = [tuple(getattr(cell, name) for name in _SUMS) for cell in cells if cell.weight > 0]
    number = len(known)
    if number < 2:
        return math.nan, math.nan
    whole = [sum(parts) for parts in zip(*known, strict=True)]
    # The evidence without each part in turn: the sum of their squares about the mean, times (n - 1) / n, is the
    # jackknife's variance.
    without = [_evidence(*(total - part for total, part in zip(whole, parts, strict=True))) for parts in known]
    mean = sum(without) / number
    error = math.sqrt((number - 1) / number * sum((value - mean) ** 2 for value in without))
    half = _quantile(number - 1) * error
    evidence = _evidence(*whole)
    return max(-1.0, evidence - half), min(1.0, evidence + half)


def decide(judged: DiffDiffScore, *, min_valid: float, noise: float) -> tuple[Verdict, str]:
    """Turn the numbers into a verdict and its reason, full sentences without a capital, or "".

    It is the sign of the evidence, if its interval leaves 0 out and the local correlation did not change the other way:
    where these two disagree, either is right about half of the time (``benchmarks/judging.py``). `noise` is the
    standard deviation in grey levels of the noise in a difference.
    """
    if judged.n_valid == 0 or judged.valid_fraction < min_valid:
        return "not enough evidence", (
            f"{100 * judged.valid_fraction:.0f} % of the pixels are valid, and a verdict takes {100 * min_valid:.0f} %."
        )
    before, after = judged.local_ncc_before, judged.local_ncc_after
    if judged.rms < max(NOTHING, noise * OF_NOISE):
        return "unchanged", _unchanged(judged.rms, noise, judged.info) + _state(after)
    low, high = judged.evidence_interval
    if math.isnan(low):
        return "undecided", "there is one block only, by which it cannot be told how sure the evidence is."
    if low <= 0 <= high:
        return "undecided", (
            f"what got better and what got worse outweigh each other: the evidence of {judged.evidence:.2f} lies "
            f"between {low:.2f} and {high:.2f} with 90 % confidence."
        )
    sign = 1 if judged.evidence > 0 else -1
    if judged.rms < noise and not (after if sign > 0 else before) >= FAINT:
        common = "no detail" if math.isnan(after) else f"a local correlation of {before:.2f}, then {after:.2f}"
        return "undecided", (
            f"the changes of {grey_levels(judged.rms, judged.info, 2)} are within the noise of {noise:.2g}, and the "
            f"images have {common}: next to nothing in common to judge by."
        )
    if (after - before) * sign < 0:
        return "undecided", (
            f"the differences speak for {_WAYS[sign]} (evidence {judged.evidence:.2f}), but the local correlation with "
            f"the fixed image went from {before:.3f} to {after:.3f}. Look at the map."
        )
    ends = judged.interval
    if ends[1] < 0.5 if sign > 0 else ends[0] > 0.5:
        return _WAYS[sign], (
            f"the share of changed pixels says the contrary ({100 * judged.score:.0f} % came closer): look at the "
            "lighting."
        )
    return _WAYS[sign], ""


def _unchanged(rms: float, noise: float, info: Mapping[str, Any]) -> str:
    if rms < NOTHING:
        return f"the registration changed nothing to speak of ({rms:.2g} grey levels); "
    return f"the changes of {grey_levels(rms, info, 2)} are below the noise of {noise:.2g}; "


def _state(correlation: float) -> str:
    if math.isnan(correlation):
        return "the images have no detail by which to tell how well they are aligned."
    if correlation >= ALIGNED:
        return f"the images are well aligned already (local correlation {correlation:.2f})."
    if correlation < MISALIGNED:
        return f"the images match poorly as before (local correlation {correlation:.2f})."
    return f"the images match moderately (local correlation {correlation:.2f})."


def _wilson(share: float, number: float, quantile: float) -> tuple[float, float]:
    # Wilson 1927: (p + z^2 / 2n -+ z sqrt(p (1 - p) / n + z^2 / 4n^2)) / (1 + z^2 / n).
    squared = quantile * quantile / number
    middle = (share + squared / 2) / (1 + squared)
    half = math.sqrt(squared) * math.sqrt(share * (1 - share) + squared / 4) / (1 + squared)
    return max(0.0, middle - half), min(1.0, middle + half)


def _evidence(weight: float, total: float, squares: float) -> float:
    if weight <= 0:
        return math.nan
    # (total / weight) / sqrt(squares / weight)
    return max(-1.0, min(1.0, total / math.sqrt(weight * squares))) if squares > 0 else 0.0


def _quantile(freedom: int) -> float:
    from scipy.special import stdtrit  # scipy.stats has the same, and takes a second to import

    return float(stdtrit(freedom, 0.5 + CONFIDENCE / 2))


Plane = npt.NDArray[np.float32]


@dataclass(frozen=True)
class PlaneFacts:
    """What a pass found out about one plane, whatever the tolerance.

    `area` are the pixels of the frame that are to be compared if they are valid, `noise` the standard deviation of the
    noise in the difference of two of the smoothed images, and `counted_at` the tolerance at which cells have a tally
    already.
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
    """Counts a map at any tolerance, and makes its score; `lead` is the leading shape of the map."""

    planes: tuple[PlaneFacts, ...]
    weight: Plane | None
    options: Options
    lead: tuple[int, ...]

    def score(self, values: Plane, tols: Sequence[float], info: Mapping[str, Any]) -> DiffDiffScore:
        """Count all planes: give the score of the plane, or of the stack with one part for each plane."""
        counted = [self._counted(facts, values[facts.index], tol) for facts, tol in zip(self.planes, tols, strict=True)]
        parts = [
            replace(self._judged([facts], tallies, tol, info), blocks=self._blocks(facts, tallies), info=info)
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
        judged = self._judged(self.planes, [tally for tallies in counted for tally in tallies], tol, info)
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
        least = self.options.limits.min_block
        return tuple(
            _block_score(cell, tally, least, facts.index) for cell, tally in zip(facts.cells, tallies, strict=True)
        )

    def _judged(
        self, planes: Sequence[PlaneFacts], tallies: Sequence[Tally], tol: float, info: Mapping[str, Any]
    ) -> DiffDiffScore:
        """Make the score of what was counted in all cells, and in those that count."""
        options = self.options
        limits = options.limits
        least = 1 if options.grid is None else max(limits.min_block, 1)
        counting = [tally for tally in tallies if tally.count >= least]
        everything, counted = sum(tallies, Tally()), sum(counting, Tally())
        n_valid, area = sum(facts.n_valid for facts in planes), sum(facts.area for facts in planes)
        fraction = n_valid / area if area else 0.0
        scored = n_valid > 0 and fraction >= limits.min_valid and counted.count >= max(limits.min_total, 1)
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
            info=info,
        )
        noise = math.sqrt(sum(facts.noise**2 for facts in planes) / len(planes))
        verdict, reason = decide(judged, min_valid=limits.min_valid, noise=noise)
        if not (scored or reason):
            reason = _too_few(counted.count, everything.count, tol, options, info)
        if verdict in _RANGE_MATTERS or (verdict != "not enough evidence" and not scored):
            reason = range_first(info, reason)
        return replace(judged, verdict=verdict, reason=reason)


def _too_few(counting: int, changed: int, tol: float, options: Options, info: Mapping[str, Any]) -> str:
    """Say why there is a verdict and no score."""
    where = f", {counting:,} of them in blocks of {options.limits.min_block} and more" if counting < changed else ""
    return (
        f"no score: {changed:,} pixels changed by more than the tolerance of {grey_levels(tol, info)}{where}, and a "
        f"score takes {max(options.limits.min_total, 1):,}."
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
