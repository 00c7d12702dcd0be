"""What came of registering one pair by one method, as the judge sees it: a row of the comparison."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any, Literal

import numpy as np

from ..registration.geometry import Matrix

KIND = "diff_diff"
"""Of which map the score of a row is."""

Category = Literal["better", "worse", "tie", "unscored", "refused", "failed"]
CATEGORIES: tuple[Category, ...] = ("better", "worse", "tie", "unscored", "refused", "failed")
"""Every outcome is one of these, and only one."""

NO_CHANGE = 0.5
"""The score of as many pixels better as worse."""

_ENTRIES = tuple(f"h{row}{column}" for row in (1, 2, 3) for column in (1, 2, 3))


@dataclass(frozen=True)
class Outcome:
    """One pair, registered by one method, judged on one kind of preprocessed images.

    Attributes
    ----------
    moving, fixed : str
        The two images.
    method : str
        The way of registering; see `napari_iqmaps.core.comparison.methods.Method`.
    scoring : str
        Name of the preprocessing on which it was judged.
    registration : str
        The ``method`` of `napari_iqmaps.register`.
    accepted : bool
        Whether the registration trusts its matrix.
    reason : str
        Why it was refused, why there is no score, or what speaks against the verdict; ``""`` if nothing does.
    error : str
        What was wrong with the images; ``""`` if nothing was.
    score, score_low, score_high : float
        Share of the changed pixels that got better, 0..1, and its 90 % interval; NaN if not scored.
    scored : bool
        Whether enough pixels changed for a score.
    verdict : str
        As `napari_iqmaps.DiffDiffScore.verdict`; ``""`` if nothing was judged.
    soft, gain, evidence : float
        As `napari_iqmaps.DiffDiffScore`, -1..1; NaN if nothing was judged.
    better, worse, count, n_valid : int
        Pixels.
    valid_fraction : float
        Share of the fixed image that was compared.
    tol : float
        Tolerance in grey levels of 255.
    blocks_better, blocks_worse : int
        Blocks of the grid.
    local_ncc_before, local_ncc_after : float
        Mean local correlation with the fixed image, -1..1.
    inliers : int or None
        Matched points that agree with the matrix.
    matrix : tuple of float
        Nine numbers, row by row: from the moving image as it came to the fixed one; the identity if refused, empty if
        it failed.
    """

    moving: str
    fixed: str
    method: str
    scoring: str
    registration: str = ""
    accepted: bool = False
    reason: str = ""
    error: str = ""
    score: float = math.nan
    score_low: float = math.nan
    score_high: float = math.nan
    scored: bool = False
    verdict: str = ""
    soft: float = math.nan
    gain: float = math.nan
    evidence: float = math.nan
    better: int = 0
    worse: int = 0
    count: int = 0
    n_valid: int = 0
    valid_fraction: float = math.nan
    tol: float = math.nan
    blocks_better: int = 0
    blocks_worse: int = 0
    local_ncc_before: float = math.nan
    local_ncc_after: float = math.nan
    inliers: int | None = None
    matrix: tuple[float, ...] = ()

    @property
    def category(self) -> Category:
        """Which of `CATEGORIES`; better and worse go by the score alone, the verdict is more careful."""
        if self.error:
            return "failed"
        if not self.accepted:
            return "refused"
        if not self.scored:
            return "unscored"
        if self.score == NO_CHANGE:
            return "tie"
        return "better" if self.score > NO_CHANGE else "worse"

    @property
    def pair(self) -> tuple[str, str]:
        """The two images, moving and fixed."""
        return self.moving, self.fixed

    @property
    def homography(self) -> Matrix | None:
        """The matrix as an array of shape ``(3, 3)``; None if it failed."""
        return np.array(self.matrix, np.float64).reshape(3, 3) if self.matrix else None

    def row(self) -> dict[str, Any]:
        """Give it as a row of a table.

        Returns
        -------
        dict
            The moving image is the ``file``; a number that is not known is None. `from_row` gives the outcome back.
        """
        row: dict[str, Any] = {"file": self.moving, "fixed": self.fixed, "kind": KIND, "category": self.category}
        for name in _PLAIN:
            value = getattr(self, name)
            row[name] = None if isinstance(value, float) and not math.isfinite(value) else value
        row["not_enough_evidence"] = "" if self.scored or self.error else self.reason or "no score"
        row |= dict(zip(_ENTRIES, self.matrix, strict=False))
        return row

    @classmethod
    def from_row(cls, row: Mapping[str, Any]) -> Outcome:
        """Read a row back.

        Parameters
        ----------
        row : mapping
            As `row` gave it, or as it comes back from a file, where what is not known may be left out.

        Returns
        -------
        Outcome
            The same.
        """
        values: dict[str, Any] = {"moving": str(row["file"]), "fixed": str(row["fixed"])}
        for field in fields(cls):
            if field.name in _PLAIN and row.get(field.name) not in (None, ""):
                values[field.name] = _typed(field.type, row[field.name])
        if all(row.get(name) not in (None, "") for name in _ENTRIES):
            values["matrix"] = tuple(float(row[name]) for name in _ENTRIES)
        return cls(**values)


_PLAIN = tuple(field.name for field in fields(Outcome) if field.name not in ("moving", "fixed", "matrix"))


def _typed(kind: Any, value: Any) -> Any:
    """Undo what a table does to types: 1.0 is written as 1, and a reason may be a number."""
    return {"float": float, "str": str, "bool": bool}.get(kind, int)(value)
