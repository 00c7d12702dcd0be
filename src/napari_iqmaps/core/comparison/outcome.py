"""What came of registering one pair by one method: the judged outcome, its row in the table, and its pictures."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from functools import partial
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from ..arguments import check_fields, checked
from ..diffdiff import DiffDiffAssessment, diff_diff_assess, verdict
from ..diffdiff.options import Illumination
from ..diffdiff.sheet import Shown, write_diffdiff_sheet
from ..errors import InputError
from ..progress import Progress, Steps
from ..registration import record
from ..registration.geometry import Matrix, identity
from ..registration.search import register
from ..registration.warp import on_grid
from ..score_columns import Column, columns
from .preprocessing import Frames, Method, Prepared, Preprocessing, bring_back

KIND = "diff_diff"
"""Of which map the score of a row is."""

COLUMNS = (
    *verdict.COLUMNS,
    *record.COLUMNS,
    *columns(None, "category", "scoring", "registration", holds="text"),
    Column("scored"),
)
"""Of a table of outcomes, beside the general ones: a registration, and what a diff-diff says of it."""

Category = Literal["better", "worse", "tie", "unscored", "refused", "failed"]
CATEGORIES: tuple[Category, ...] = ("better", "worse", "tie", "unscored", "refused", "failed")
"""Every outcome is one of these, and only one."""

NO_CHANGE = 0.5
"""The score of as many pixels better as worse."""

_ENTRIES = tuple(f"h{row}{column}" for row in (1, 2, 3) for column in (1, 2, 3))


@dataclass(frozen=True)
class Outcome:
    """One pair, registered by one method, judged on one kind of preprocessed images.

    The numbers are those of `napari_iqmaps.DiffDiffScore`, NaN if nothing was judged. `reason` says why it was refused,
    why there is no score, or what speaks against the verdict. `span` is the share of black to white that the values
    use, where that is less than a tenth. `matrix` is nine numbers, row by row, from the moving
    image as it came to the fixed one; the identity if refused, empty if it failed.
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
    span: float = math.nan
    matrix: tuple[float, ...] = ()

    def __post_init__(self) -> None:
        check_fields(self)
        if len(self.matrix) not in (0, 9):
            raise InputError(
                f"The matrix of an outcome has {len(self.matrix)} numbers; give nine, row by row, or none."
            )

    @property
    def category(self) -> Category:
        """Better, worse, tie, unscored, refused or failed: by the score alone; the verdict is more careful."""
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
        """Give it as a row of a table, in which the moving image is the ``file``, and what is not known is None."""
        row: dict[str, Any] = {"file": self.moving, "fixed": self.fixed, "kind": KIND, "category": self.category}
        for name in _PLAIN:
            value = getattr(self, name)
            row[name] = None if isinstance(value, float) and not math.isfinite(value) else value
        row["not_enough_evidence"] = "" if self.scored or self.error else self.reason or "no score"
        row |= dict(zip(_ENTRIES, self.matrix, strict=False))
        return row

    @classmethod
    @checked
    def from_row(cls, row: Mapping[str, Any]) -> Outcome:
        """Read a row back, also as it comes from a file, where what is not known may be left out."""
        if missing := [name for name in ("file", "fixed") if name not in row]:
            raise InputError(f"The row has no {' and no '.join(missing)}. Give one that `row` gave.")
        values: dict[str, Any] = {"moving": str(row["file"]), "fixed": str(row["fixed"])}
        try:
            for field in fields(cls):
                if field.name in _PLAIN and row.get(field.name) not in (None, ""):
                    values[field.name] = _typed(field.type, row[field.name])
            if all(row.get(name) not in (None, "") for name in _ENTRIES):
                values["matrix"] = tuple(float(row[name]) for name in _ENTRIES)
        except (TypeError, ValueError, OverflowError) as error:
            raise InputError(f"The row holds what is no number where one belongs ({error}).") from error
        return cls(**values)


_PLAIN = tuple(field.name for field in fields(Outcome) if field.name not in ("moving", "fixed", "matrix"))


def _typed(kind: Any, value: Any) -> Any:
    """Undo what a table does to types: 1.0 is written as 1, and a reason may be a number."""
    return {"float": float, "str": str, "bool": bool}.get(kind, int)(value)


_RANGE = (0.0, 255.0)
_FOUND = 0.9  # share of the work that finds the matrix


@dataclass(frozen=True, kw_only=True)
class Rules:
    """How registrations are made and judged, the same for all methods; see `register` and `diff_diff_score`.

    `max_shift` is in pixels of the image as it came.
    """

    transform: str = "homography"
    max_shift: float | None = None
    min_overlap: float = 0.5
    min_inliers: int = 8
    seed: int = 0
    tol: float | Literal["auto"] = "auto"
    grid: tuple[int, int] | None = (5, 5)
    illumination: Illumination = "local"
    smooth: float | None = None
    median: int = 0
    border: int = 0


@dataclass(frozen=True, eq=False)
class Views:
    """What the judge sees of a registration: planes of the preprocessed fixed image's shape, 0 to 255.

    The moving image is put on the fixed one's grid as it is, with NaN where it has no pixel.
    """

    moving: npt.NDArray[np.float32]
    registered: npt.NDArray[np.float32]
    fixed: npt.NDArray[np.float32]
    valid: npt.NDArray[np.bool_]


def find_matrix(
    frames: Frames, pair: tuple[Any, Any], method: Method, rules: Rules, progress: Progress | None = None
) -> tuple[Matrix, dict[str, Any]]:
    """Register a pair; give the matrix between the images as they came, the identity if refused, and the facts."""
    steps = Steps(progress)
    moving, fixed = (steps.wait(partial(frames.prepared, source, method.preprocessing, pair[1])) for source in pair)
    scale = float(fixed.matrix[0, 0])
    found = register(
        moving.plane,
        fixed.plane,
        method=method.registration,
        transform=rules.transform,
        max_shift=None if rules.max_shift is None else rules.max_shift * scale,
        min_overlap=rules.min_overlap,
        min_inliers=rules.min_inliers,
        matches=_matches(pair, method, moving.plane.shape, fixed.plane.shape),
        seed=rules.seed,
        data_range=_RANGE,
        progress=steps.part(0, 1).progress,
    )
    facts = {"accepted": found.accepted, "reason": found.reason, "inliers": found.inliers}
    return bring_back(found.matrix, moving.matrix, fixed.matrix) if found.accepted else identity(), facts


def views(frames: Frames, pair: tuple[Any, Any], scoring: Preprocessing, matrix: Matrix) -> Views:
    """Prepare what the judge sees of a matrix between the images as they came.

    The scoring's preprocessing is done to both images before the moving one is resampled, so that the border of what
    was resampled never leaks into it.
    """
    moving, fixed = (frames.prepared(source, scoring, pair[1]) for source in pair)
    there = fixed.matrix @ matrix @ np.linalg.inv(moving.matrix)
    registered, valid = _on_grid(moving, there, fixed)
    before = moving.plane if moving.plane.shape == fixed.plane.shape else _on_grid(moving, identity(), fixed)[0]
    return Views(before, registered, fixed.plane, valid)


def assess(seen: Views, rules: Rules, progress: Progress | None = None) -> DiffDiffAssessment:
    """Judge a registration by the rules."""
    return diff_diff_assess(
        seen.moving,
        seen.registered,
        seen.fixed,
        valid=seen.valid,
        border=rules.border,
        tol=rules.tol,
        grid=rules.grid,
        illumination=rules.illumination,
        smooth=rules.smooth,
        median=rules.median,
        data_range=_RANGE,
        progress=progress,
    )


def judged(
    frames: Frames,
    pair: tuple[Any, Any],
    names: tuple[str, str],
    method: Method,
    scorings: Sequence[Preprocessing],
    rules: Rules,
    *,
    progress: Progress | None = None,
) -> list[Outcome]:
    """Register a pair and judge it, once for each scoring; a registration that was refused is not judged."""
    steps = Steps(progress)
    matrix, facts = find_matrix(frames, pair, method, rules, steps.part(0, _FOUND).progress)
    share = (1 - _FOUND) / len(scorings)
    parts = [steps.part(_FOUND + share * number, _FOUND + share * (number + 1)) for number in range(len(scorings))]
    return [
        judged_matrix(frames, pair, names, method, scoring, rules, matrix, facts, steps=part)
        for scoring, part in zip(scorings, parts, strict=True)
    ]


def judged_matrix(
    frames: Frames,
    pair: tuple[Any, Any],
    names: tuple[str, str],
    method: Method,
    scoring: Preprocessing,
    rules: Rules,
    matrix: Matrix,
    facts: dict[str, Any],
    *,
    steps: Steps | None = None,
) -> Outcome:
    """Judge a matrix that is at hand; see `judged`."""
    entries = tuple(float(entry) for entry in matrix.ravel())
    common: dict[str, Any] = {
        "method": method.name, "scoring": scoring.name, "registration": method.registration, "matrix": entries, **facts,
    }  # fmt: skip
    if not facts["accepted"]:
        return Outcome(*names, **common)
    try:
        steps = steps or Steps()
        seen = steps.wait(partial(views, frames, pair, scoring, matrix))
        found = assess(seen, rules, steps.part(0, 1).progress).score
    except InputError as error:
        return Outcome(*names, **{**common, "error": str(error)})
    own = {name: value for name, value in found.row().items() if name in _PLAIN}
    return Outcome(*names, **{**common, **own}, scored=found.scored)


def _matches(pair: tuple[Any, Any], method: Method, moving_shape: tuple[int, ...], fixed_shape: tuple[int, ...]) -> Any:
    if method.matches is None:
        return None
    from ..registration.matches import MatchTable

    if not all(isinstance(source, Path) for source in pair):
        raise InputError(f"The method {method.name!r} finds its matches by the names of files; give files, no arrays.")
    path = method.matches_of(*pair)
    try:
        return MatchTable.read(path)
    except InputError:  # the sizes are not said in it; or there is more wrong with it, which is raised now
        height_and_width: Any = {"moving_shape": moving_shape, "fixed_shape": fixed_shape}
        return MatchTable.read(path, **height_and_width)


def _on_grid(
    moving: Prepared, matrix: Matrix, fixed: Prepared
) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.bool_]]:
    height, width = fixed.plane.shape
    return on_grid(moving.plane, matrix, (height, width))


def write_pair(seen: Views, outcome: Outcome, rules: Rules, path: Path) -> Path:
    """Show what one method made of a pair: a PNG, one plane's sheet of ``iqmaps diffdiff --sheet``."""
    found = assess(seen, rules)
    # A picture to be published should not show folders.
    moving, fixed = (Path(name).name for name in outcome.pair)
    shown = Shown(
        np.nan_to_num(seen.moving), np.nan_to_num(seen.registered), seen.fixed, np.asarray(found.maps[KIND].values),
        found.score, f"{moving} to {fixed} by {outcome.method}, judged on {outcome.scoring}",
    )  # fmt: skip
    return write_diffdiff_sheet(shown, path)
