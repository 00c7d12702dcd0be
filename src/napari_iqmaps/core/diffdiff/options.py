"""What can be chosen in a judgement, and what cannot."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import Any, Literal, get_args

import numpy as np

from ..arguments import check_fields
from ..errors import InputError

Illumination = Literal["none", "before", "each", "local"]
ILLUMINATIONS: tuple[Illumination, ...] = get_args(Illumination)

MEDIANS = (0, 3, 5)
"""Sides of the window of the vote on changed pixels; 0 takes none. The original recommends 3."""

LOCAL_SMOOTH = 1.5
"""Pixels: smoothing of all images before they are normalised, lest interpolation, which smooths too, wins by it."""

MOST_SMOOTH = 50.0

MOST_TOL = 10_000.0
"""Grey levels: more than the lights of high dynamic range lie apart."""


def checked_tol(tol: Any) -> float:
    """Refuse a tolerance that is not a finite number of at least 0: below 0 a pixel would be better and worse."""
    if not (_is_number(tol) and math.isfinite(tol) and 0 <= tol <= MOST_TOL):
        raise InputError(
            f"tol is {tol!r}; give a finite number of grey levels (of 255), 0 or more (up to {MOST_TOL:g}), or 'auto'."
        )
    return float(tol)


def checked_median(median: Any) -> int:
    """Refuse a window of the vote that is not one of `MEDIANS`."""
    if not _is_whole(median) or median not in MEDIANS:
        raise InputError(f"median is {median!r}; choose one of {', '.join(map(str, MEDIANS))} (0 takes no vote).")
    return int(median)


def _checked_grid(grid: Any) -> tuple[int, int] | None:
    if grid is None:
        return None
    try:
        rows, columns = grid
    except (TypeError, ValueError):
        rows = columns = None
    if not (_is_whole(rows) and _is_whole(columns) and rows >= 1 and columns >= 1):
        raise InputError(f"grid is {grid!r}; give rows and columns of blocks, such as (5, 5), or None for one block.")
    return int(rows), int(columns)


def _checked_pixels(name: str, value: Any) -> int:
    if not _is_whole(value) or value < 0:
        raise InputError(f"{name} is {value!r}; give a whole number of pixels, 0 or more.")
    return int(value)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float | np.integer | np.floating) and not isinstance(value, bool)


def _is_whole(value: Any) -> bool:
    return _is_number(value) and float(value).is_integer()


@dataclass(frozen=True, kw_only=True)
class ScoreLimits:
    """How much evidence a score takes.

    Parameters
    ----------
    min_block : int
        Changed pixels that a block has to have to count for the score.
    min_total : int
        Changed pixels that the blocks that count have to have together; of fewer, the score is NaN with a reason.
    min_valid : float
        Share of the frame that has to be valid, 0..1; below it there is no score, and the verdict is "not enough
        evidence".

    Raises
    ------
    InputError
        If a number is out of its range.
    """

    min_block: int = 20
    min_total: int = 100
    min_valid: float = 0.25

    def __post_init__(self) -> None:
        check_fields(self)
        for name in ("min_block", "min_total"):
            object.__setattr__(self, name, _checked_pixels(name, getattr(self, name)))
        if not (_is_number(self.min_valid) and 0 <= self.min_valid <= 1):
            raise InputError(f"min_valid is {self.min_valid!r}; give a share of the frame, 0 to 1.")


LIMITS = ScoreLimits()
"""What a score takes unless the caller says otherwise: the first two are the original's."""


@dataclass(frozen=True, kw_only=True)
class Options:
    """Checked options of a judgement, as `diff_diff` and `diff_diff_score` document them; a `tol` of None is "auto"."""

    tol: float | None = None
    grid: tuple[int, int] | None = (5, 5)
    illumination: Illumination = "local"
    smooth: float | None = None
    median: int = 0
    border: int = 0
    limits: ScoreLimits = LIMITS

    def __post_init__(self) -> None:
        if self.illumination not in ILLUMINATIONS:
            raise InputError(
                f"illumination is {self.illumination!r}; choose one of {', '.join(map(repr, ILLUMINATIONS))}."
            )
        if self.tol is not None:
            checked_tol(self.tol)
        if self.smooth is not None and not (_is_number(self.smooth) and 0 <= self.smooth <= MOST_SMOOTH):
            raise InputError(
                f"smooth is {self.smooth!r}; give the Gaussian's standard deviation in pixels, 0 to {MOST_SMOOTH:g}."
            )
        if not isinstance(self.limits, ScoreLimits):
            raise InputError(f"limits is {self.limits!r}; give a ScoreLimits, such as ScoreLimits(min_block=10).")
        object.__setattr__(self, "median", checked_median(self.median))
        object.__setattr__(self, "grid", _checked_grid(self.grid))
        object.__setattr__(self, "border", _checked_pixels("border", self.border))

    @property
    def used_smooth(self) -> float:
        """The Gaussian's standard deviation: 1.5 for local normalisation, which would take noise for pattern."""
        if self.smooth is None:
            return LOCAL_SMOOTH if self.illumination == "local" else 0.0
        return float(self.smooth)

    def record(self) -> dict[str, Any]:
        """Say what was chosen, for the info of a result."""
        names = ("grid", "illumination", "median", "border")
        return {**{name: getattr(self, name) for name in names}, **asdict(self.limits), "smooth": self.used_smooth}


def options_of(*, tol: float | str, **others: Any) -> Options:
    """Check options as a caller gives them, with "auto" for a tolerance that is to be found."""
    if isinstance(tol, str) and tol != "auto":
        raise InputError(f"tol is {tol!r}; give grey levels of 255 as a number, or 'auto' to find them.")
    return Options(tol=None if isinstance(tol, str) else tol, **others)
