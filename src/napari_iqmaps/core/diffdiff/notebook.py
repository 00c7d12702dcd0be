"""The original's own numbers, with all its quirks, for whoever has to compare with them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from ... import __version__
from ..arrays import as_array, computed
from ..errors import InputError
from .images import NAMES
from .verdict import BlockScore, DiffDiffScore, Verdict

TOLERANCE = 50.0
"""Grey levels, unless the caller gives another."""

BLOCKS = 5
"""To each side, as the original reckons it: a fifth of the height, along both axes."""

FEWEST_IN_BLOCK = 20
FEWEST_IN_ALL = 100
NO_SCORE = 0.5

Whole = npt.NDArray[np.int64]


def notebook_score(
    moving: Any,
    registered: Any,
    fixed: Any,
    compat: str,
    *,
    tol: Any,
    grid: tuple[int, int] | None,
    border: int,
    given: Sequence[str],
) -> DiffDiffScore:
    """Give the original's score: of the whole frame without a grid, of sub-blocks with the grid (5, 5).

    Score and count are the original's, bit for bit: .5 and 0 where it has no score. `given` names the options that were
    given and that it does not have.
    """
    if compat != "notebook":
        raise InputError(f"compat is {compat!r}; give 'notebook' or None.")
    if given:
        raise InputError(f"compat='notebook' has no {' and no '.join(given)}: the original knows no such option.")
    if grid not in (None, (BLOCKS, BLOCKS)):
        raise InputError(f"grid is {grid!r}; compat='notebook' knows (5, 5), sub-blocks, and None, the whole frame.")
    limit = TOLERANCE if tol == "auto" else float(tol)
    images = [_whole(image, name) for image, name in zip((moving, registered, fixed), NAMES, strict=True)]
    judge = _of_frame if grid is None else _of_blocks
    return judge(images, limit, border)


def _whole(image: Any, name: str) -> Whole:
    array: npt.NDArray[Any] = computed(as_array(image, name), name)
    if array.ndim != 2 or array.dtype.kind not in "bui":
        raise InputError(
            f"compat='notebook' takes grey images (height, width) of whole numbers; the {name} has shape {array.shape} "
            f"and dtype {array.dtype}. Convert it, or leave compat out."
        )
    if np.ma.is_masked(array):
        raise InputError(
            f"compat='notebook' knows no mask, and {np.count_nonzero(np.ma.getmask(array))} pixels of the {name} are "
            "masked. Fill them, or leave compat out."
        )
    return np.asarray(array).astype(np.int64)


def _of_frame(images: list[Whole], tol: float, crop: int) -> DiffDiffScore:
    moving, registered, fixed = (_framed(image, crop) for image in images)
    _check_sizes(moving, registered, fixed)
    better, worse = _counted(moving, registered, fixed, tol)
    count = better + worse
    score = better / count if count else NO_SCORE
    return _result(score, better, worse, fixed.size, (), tol, crop, None, scored=bool(count))


def _of_blocks(images: list[Whole], tol: float, crop: int) -> DiffDiffScore:
    side = (images[0].shape[0] - 2 * crop) // BLOCKS
    if side < 1:
        raise InputError(
            f"The original makes blocks of {side} pixels of {images[0].shape[0]} rows less a crop of {crop} at each "
            f"side, and stops. Take at least {2 * crop + BLOCKS} rows, or leave compat out."
        )
    # It takes the number of rows for that of columns: of a wide image it sees a part, of a tall one all columns.
    moving, registered, fixed = (
        _framed(image, crop)[crop : len(image) - crop, crop : len(image) - crop] for image in images
    )
    _check_sizes(moving, registered, fixed)
    found: list[BlockScore] = []
    height, width = moving.shape
    for i, top in enumerate(range(0, height - side + 1, side)):
        for j, left in enumerate(range(0, width - side + 1, side)):
            place = slice(top, top + side), slice(left, left + side)
            found.append(_block(moving[place], registered[place], fixed[place], tol, (i, j, top + crop, left + crop)))
    scores = np.array([block.score if block.count else NO_SCORE for block in found])
    counts = np.array([block.count for block in found])
    if counts.sum() >= FEWEST_IN_ALL:  # before the small ones are taken out, as the original has it
        scores[counts < FEWEST_IN_BLOCK] = NO_SCORE
        counts[counts < FEWEST_IN_BLOCK] = 0
    else:
        counts[:] = 0
    scored = bool(counts.sum() > 0)
    score = float(np.average(scores, weights=counts)) if scored else NO_SCORE
    kept = [block for block, count in zip(found, counts, strict=True) if count]
    better, worse = (sum(getattr(block, name) for block in kept) for name in ("better", "worse"))
    return _result(score, better, worse, fixed.size, tuple(found), tol, crop, (BLOCKS, BLOCKS), scored=scored)


def _block(moving: Whole, registered: Whole, fixed: Whole, tol: float, place: tuple[int, int, int, int]) -> BlockScore:
    shift = -int(np.round(fixed.mean() - moving.mean()))
    better, worse = _counted(moving, registered, np.clip(fixed + shift, 0, 255), tol)
    count = better + worse
    return BlockScore(
        row=place[0],
        column=place[1],
        top=place[2],
        left=place[3],
        height=moving.shape[0],
        width=moving.shape[1],
        n_valid=moving.size,
        better=better,
        worse=worse,
        count=count,
        score=better / count if count else math.nan,
        gain=(better - worse) / moving.size,
        soft=math.nan,
        evidence=math.nan,
        scored=count >= FEWEST_IN_BLOCK,
        shift=float(shift),
    )


def _framed(image: Whole, crop: int) -> Whole:
    """Set the frame to 0; the original's slices of the far sides start at negative numbers if the crop is too large."""
    rows, columns = image.shape
    framed = image.copy()
    framed[:crop] = 0
    framed[rows - crop :] = 0
    framed[:, :crop] = 0
    framed[:, columns - crop :] = 0
    return framed


def _counted(moving: Whole, registered: Whole, fixed: Whole, tol: float) -> tuple[int, int]:
    change = np.abs(moving - fixed) - np.abs(registered - fixed)
    return int(np.count_nonzero(change > tol)), int(np.count_nonzero(change < -tol))


def _check_sizes(*images: Whole) -> None:
    if len({image.shape for image in images}) > 1:
        told = ", ".join(f"{name} {image.shape[0]}x{image.shape[1]}" for name, image in zip(NAMES, images, strict=True))
        raise InputError(f"The images differ in size ({told}). Bring them to one size.")


def _result(
    score: float,
    better: int,
    worse: int,
    pixels: int,
    found: tuple[BlockScore, ...],
    tol: float,
    crop: int,
    grid: tuple[int, int] | None,
    *,
    scored: bool,
) -> DiffDiffScore:
    verdict: Verdict = "unchanged"
    if scored:
        verdict = "undecided" if score == NO_SCORE else "better" if score > NO_SCORE else "worse"
    info = {
        "method": "diff_diff_score", "compat": "notebook", "grid": grid, "border": crop, "tol": float(tol),
        "version": __version__,
    }  # fmt: skip
    return DiffDiffScore(
        score=score,
        count=better + worse,
        better=better,
        worse=worse,
        n_valid=pixels,
        valid_fraction=1.0,
        scored=scored,
        gain=(better - worse) / pixels if pixels else math.nan,
        soft=math.nan,
        evidence=math.nan,
        rms=math.nan,
        interval=(math.nan, math.nan),
        evidence_interval=(math.nan, math.nan),
        tol=float(tol),
        local_ncc_before=math.nan,
        local_ncc_after=math.nan,
        verdict=verdict,
        reason="" if scored else "too few pixels changed for the original's score; it gives one half.",
        blocks=found,
        info=info,
    )
