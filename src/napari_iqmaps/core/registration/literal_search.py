"""The two translation searches of the original notebook, number by number, with what is wrong with them."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from ... import __version__
from ..diffdiff.shifts import judge_shifts
from ..errors import InputError
from .record import Registration

TOLERANCE = 50.0
"""Grey levels; the notebook's default."""

_CROP = 15
_MODES = {"notebook-scatter": (10, 10), "notebook-search": (15, 15)}
"""By name, the ends of the two loops: dx from 0, dy from 1."""


def search_as_notebook(moving: Any, fixed: Any, compat: str, *, tol: float | str) -> Registration:
    """Search a translation as the notebook does.

    Parameters
    ----------
    moving, fixed : numpy.ndarray
        uint8, one plane each, of one size.
    compat : {"notebook-scatter", "notebook-search"}
        Which of its two loops: the one behind its scatter plot (90 shifts, a frame of 15 pixels left out), or its
        ``brute_force_tf`` (210 shifts, a window whose rows are counted in columns).
    tol : float or "auto"
        Tolerance; "auto" stands for 50.

    Returns
    -------
    Registration
        With ``dx``, ``dy``, ``scores`` and ``counts`` in `info`, each in the notebook's order. The second search takes
        the highest number among scores **and** counts, as the notebook does; where that lies beyond its list, the
        notebook stops with an IndexError, and the registration is refused.

    Raises
    ------
    InputError
        If the mode is unknown, or the images are not what the notebook can read.
    """
    from .translation import shifted

    if compat not in _MODES:
        raise InputError(f"compat is {compat!r}; choose one of {', '.join(_MODES)}, or None.")
    moving, fixed = np.asarray(moving), np.asarray(fixed)
    if moving.dtype != np.uint8 or fixed.dtype != np.uint8 or moving.ndim != 2 or moving.shape != fixed.shape:
        raise InputError(
            f"compat={compat!r} needs two grey uint8 images of one size, as the notebook reads them; these are "
            f"{moving.dtype} {moving.shape} and {fixed.dtype} {fixed.shape}."
        )
    used_tol = TOLERANCE if tol == "auto" else float(tol)
    if not used_tol >= 0:
        raise InputError(f"tol is {tol!r}; give grey levels, 0 or more.")
    ends = _MODES[compat]
    shifts = [(dy, dx) for dx in range(ends[0]) for dy in range(1, ends[1])]
    is_scatter = compat == "notebook-scatter"
    window = _scatter_window(moving.shape) if is_scatter else _search_window(moving.shape)
    scores, counts = _judged(moving, fixed, shifts, window, used_tol)
    best = int(np.argmax(scores) if is_scatter else np.argmax(np.stack([scores, counts], axis=1)))
    reason = ""
    if best >= len(shifts):
        reason = (
            f"the highest of all scores and counts is number {best} of them, and there are {len(shifts)} shifts only; "
            "the notebook stops here with an IndexError"
        )
    info = {
        "compat": compat,
        "tol": used_tol,
        "dx": np.array([dx for _, dx in shifts]),
        "dy": np.array([dy for dy, _ in shifts]),
        "scores": scores,
        "counts": counts,
        "moving_shape": moving.shape,
        "fixed_shape": fixed.shape,
        "version": __version__,
    }
    shape = (fixed.shape[0], fixed.shape[1])
    return shifted(moving, shape, (0, 0) if reason else shifts[best], reason, info, None)


def _judged(
    moving: npt.NDArray[np.uint8],
    fixed: npt.NDArray[np.uint8],
    shifts: list[tuple[int, int]],
    window: tuple[slice, slice],
    tol: float,
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.int64]]:
    """Give ratio and count of every shift over a window; pixels from outside are 0, as the notebook's warp has them."""
    scores, counts = np.full(len(shifts), 0.5), np.zeros(len(shifts), np.int64)
    target = fixed[window]
    if not target.size:
        return scores, counts
    reach = max(max(shift) for shift in shifts)
    padded = np.pad(moving, [(reach, 0), (reach, 0)])
    origin = window[0].start + reach, window[1].start + reach
    sums = judge_shifts(padded, target, origin, shifts, tol=tol, soft=False)
    counts[:] = sums[:, 0] + sums[:, 1]
    np.divide(sums[:, 0], counts, out=scores, where=counts > 0)
    return scores, counts


def _scatter_window(shape: tuple[int, ...]) -> tuple[slice, slice]:
    rows, columns = (slice(_CROP, max(_CROP, length - _CROP)) for length in shape)
    return rows, columns


def _search_window(shape: tuple[int, ...]) -> tuple[slice, slice]:
    # Rows counted in columns and columns in rows: the same in a square image only.
    rows, columns = (slice(int(0.05 * length), int(0.95 * length)) for length in reversed(shape))
    return rows, columns
