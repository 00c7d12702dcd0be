"""What can be chosen in a judgement, and what cannot."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Literal, get_args

from ..errors import InputError

Illumination = Literal["none", "before", "each", "local"]
ILLUMINATIONS: tuple[Illumination, ...] = get_args(Illumination)

MEDIANS = (0, 3, 5)
LOCAL_SMOOTH = 1.5
MOST_SMOOTH = 50.0


@dataclass(frozen=True)
class Options:
    """Checked options of a judgement.

    Attributes
    ----------
    tol : float or None
        Grey levels of 255; None finds it from the images.
    grid : (int, int) or None
        Rows and columns of blocks; None takes the frame as one.
    smooth : float or None
        Standard deviation in pixels of the Gaussian that all images are smoothed with; 0 is none. None takes what suits
        the correction of the light; see `used_smooth`.
    median : {0, 3, 5}
        Side of the window of the vote on marked pixels; 0 is none.
    border : int
        Pixels at each side that are left out.
    min_block, min_total : int
        Changed pixels that a block and all blocks together have to have.
    min_valid : float
        Share of the frame that has to be valid.
    """

    tol: float | None = None
    grid: tuple[int, int] | None = (5, 5)
    illumination: Illumination = "local"
    smooth: float | None = None
    median: int = 0
    border: int = 0
    min_block: int = 20
    min_total: int = 100
    min_valid: float = 0.25

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
        object.__setattr__(self, "median", checked_median(self.median))
        object.__setattr__(self, "grid", _checked_grid(self.grid))
        for name in ("border", "min_block", "min_total"):
            if not _is_whole(getattr(self, name)) or getattr(self, name) < 0:
                raise InputError(f"{name} is {getattr(self, name)!r}; give a whole number of pixels, 0 or more.")
            object.__setattr__(self, name, int(getattr(self, name)))
        if not (_is_number(self.min_valid) and 0 <= self.min_valid <= 1):
            raise InputError(f"min_valid is {self.min_valid!r}; give a share of the frame, 0 to 1.")

    @property
    def used_smooth(self) -> float:
        """The Gaussian's standard deviation: 1.5 for local normalisation, which would take noise for pattern."""
        if self.smooth is None:
            return LOCAL_SMOOTH if self.illumination == "local" else 0.0
        return float(self.smooth)

    def record(self) -> dict[str, Any]:
        """Say what was chosen, for the info of a result."""
        names = ("grid", "illumination", "median", "border", "min_block", "min_total", "min_valid")
        return {**{name: getattr(self, name) for name in names}, "smooth": self.used_smooth}


def options_of(tol: float | str | None, **others: Any) -> Options:
    """Check options as a caller gives them.

    Parameters
    ----------
    tol : float or "auto"
        Grey levels of 255.
    """
    if isinstance(tol, str):
        if tol != "auto":
            raise InputError(f"tol is {tol!r}; give grey levels of 255 as a number, or 'auto' to find them.")
        tol = None
    return Options(tol=tol, **others)


def checked_tol(tol: Any) -> float:
    """Refuse a tolerance that is not a finite number of at least 0: below 0 a pixel would be better and worse."""
    if not (_is_number(tol) and math.isfinite(tol) and tol >= 0):
        raise InputError(f"tol is {tol!r}; give a finite number of grey levels (of 255), 0 or more, or 'auto'.")
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


def _is_number(value: Any) -> bool:
    return (isinstance(value, int | float) and not isinstance(value, bool)) or _is_numpy_number(value)


def _is_whole(value: Any) -> bool:
    return _is_number(value) and float(value).is_integer()


def _is_numpy_number(value: Any) -> bool:
    import numpy as np

    return isinstance(value, np.integer | np.floating)
