"""What a judgement of a registration is: the score of the changed pixels, block by block, and the verdict."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Literal

from ..columns import Column, Part, columns

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

    @property
    def verdict(self) -> Verdict:
        """What the block says: better or worse if its evidence is larger than `BLOCK_MARGIN`, which way it points.

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
        object.__setattr__(self, "info", MappingProxyType(dict(self.info)))

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
        return f"{text} {self.reason[:1].upper()}{self.reason[1:]}" if self.reason else text

    def row(self) -> dict[str, Any]:
        """Give the numbers as a row of a table.

        Returns
        -------
        dict
            verdict, score, score_low, score_high, soft, gain, evidence, better, worse, count, n_valid,
            valid_fraction, tol, blocks_better, blocks_worse, local_ncc_before, local_ncc_after and reason; NaN where
            there is no number.
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
        }

    def __str__(self) -> str:
        return self.sentence()


def _number(value: float) -> float:
    """Round to what is worth reading in a table: nine digits."""
    return float(f"{value:.9g}")
