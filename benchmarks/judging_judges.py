"""Judges of a registration: ours, and the measures of likeness that others would take.

Nothing is printed here; `judging.py` uses it. A judge says a number for the whole frame or one for each block; more is
better. Measures of likeness judge by their change, registered against moving.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
from judging_cases import Array, Case, Mask
from skimage.metrics import normalized_mutual_information, structural_similarity

from napari_iqmaps.core.diffdiff import DiffDiffAssessment, DiffDiffScore, diff_diff_assess, diff_diff_score

Plane = npt.NDArray[np.float32]
Assessment = DiffDiffAssessment

GRID = (5, 5)
SMOOTH = 1.5
OURS = "diff-diff: evidence"
NOTEBOOK = "notebook (tolerance 50, crop 20): blocks"


def assessed(case: Case, illumination: str = "local", smooth: float | None = None) -> Assessment:
    """Judge by the diff-diff, map and score."""
    return diff_diff_assess(
        case.moving, case.registered, case.fixed, valid=case.valid, illumination=illumination, smooth=smooth, grid=GRID
    )


def evidence(mean: npt.ArrayLike, square: npt.ArrayLike) -> Array:
    """Divide a mean difference of differences by its root mean square; 0 where nothing differs."""
    mean, square = np.asarray(mean, np.float64), np.asarray(square, np.float64)
    return np.divide(mean, np.sqrt(square), out=np.zeros_like(mean), where=square > 0)


def notebook(case: Case, grid: tuple[int, int] | None) -> DiffDiffScore:
    """Judge as the notebook does, with its last setting."""
    return diff_diff_score(case.moving, case.registered, case.fixed, compat="notebook", tol=50, border=20, grid=grid)


def frame_judges(case: Case, ours: Assessment) -> dict[str, float]:
    """Say for the whole frame which of two alignments is better: positive for the second one.

    Parameters
    ----------
    case : Case
        Its `moving` is the first alignment, its `registered` the second.
    ours : Assessment
        Our judgement of the case, with the defaults.

    Returns
    -------
    dict
        A number for each judge.
    """
    blockwise = _score(case, illumination="before")
    said = {
        OURS: ours.score.evidence,
        "diff-diff: soft sum": ours.score.soft,
        "diff-diff: score": _centred(ours.score),
        "diff-diff, light of blocks: score": _centred(blockwise),
        "diff-diff, light of blocks: soft sum": blockwise.soft,
        "diff-diff, plain: score": _centred(_score(case, illumination="none")),
        NOTEBOOK: _centred(notebook(case, GRID)),
        "notebook (tolerance 50, crop 20): whole": _centred(notebook(case, None)),
    }
    return said | likeness_judges(case)


def likeness_judges(case: Case) -> dict[str, float]:
    """Give the change of each measure of likeness to the fixed image, over the whole frame."""
    return {
        label + name: likeness(registered, fixed) - likeness(moving, fixed)
        for name, (moving, registered, fixed) in _versions(case)
        for label, likeness in _likenesses(case.valid).items()
    }


def block_judges(case: Case, ours: Assessment) -> dict[str, Array]:
    """Say for each block whether the registration made it better: positive if it did.

    Parameters
    ----------
    case : Case
        A registration.
    ours : Assessment
        Our judgement of the case, with the defaults.

    Returns
    -------
    dict
        For each judge an array with one number for each block, in our order.
    """
    blockwise = _score(case, illumination="before")
    said = {
        OURS: np.array([block.evidence for block in ours.score.blocks]),
        "diff-diff: soft sum": np.array([block.soft for block in ours.score.blocks]),
        "diff-diff: score": _block_scores(ours.score),
        "diff-diff, light of blocks: score": _block_scores(blockwise),
        "diff-diff, light of blocks: soft sum": np.array([block.soft for block in blockwise.blocks]),
        "diff-diff, plain: score": _block_scores(_score(case, illumination="none")),
        "diff-diff, light of blocks, tolerance 50: score": _block_scores(_score(case, illumination="before", tol=50)),
    }
    for name, (moving, registered, fixed) in _versions(case):
        for label, likeness in MAPS.items():
            said[label + name] = over_blocks(likeness(registered, fixed) - likeness(moving, fixed), case, ours)
        after, before = (_block_correlation(image, fixed, case, ours) for image in (registered, moving))
        said[f"NCC of the block{name}"] = after - before
    return said


def over_blocks(values: npt.NDArray[np.floating], case: Case, ours: Assessment) -> Array:
    """Average a map over the valid pixels of each block; NaN where there are none."""
    means = []
    for block in ours.score.blocks:
        place = np.s_[block.top : block.top + block.height, block.left : block.left + block.width]
        inside = case.valid[place]
        means.append(values[place][inside].mean() if inside.any() else np.nan)
    return np.array(means, np.float64)


def local_correlation(one: Plane, other: Plane, window: int) -> Plane:
    """Correlate two images in a window around each pixel; 0 where one of them is flat (variance under 1)."""
    means = [_box(image, window) for image in (one, other)]
    variances = [_box(image * image, window) - mean**2 for image, mean in zip((one, other), means, strict=True)]
    together = _box(one * other, window) - means[0] * means[1]
    lively = (variances[0] > 1) & (variances[1] > 1)
    return np.where(lively, together / np.sqrt(np.maximum(variances[0], 1) * np.maximum(variances[1], 1)), 0)


def _versions(case: Case) -> list[tuple[str, tuple[Plane, Plane, Plane]]]:
    """Give the three images as they are, and smoothed as our default smooths them, so that others have that as well."""
    # What the registration could not see is filled, so that windows at its edge see no black.
    filled = np.where(case.valid, case.registered, case.moving)
    raw = tuple(image.astype(np.float32) for image in (case.moving, filled, case.fixed))
    smoothed = tuple(cv2.GaussianBlur(image, (0, 0), SMOOTH, borderType=cv2.BORDER_REFLECT) for image in raw)
    return [("", raw), (", smoothed", smoothed)]  # type: ignore[list-item]


def _likenesses(valid: Mask) -> dict[str, Callable[[Plane, Plane], float]]:
    def mean_of(likeness: Callable[[Plane, Plane], Plane]) -> Callable[[Plane, Plane], float]:
        return lambda one, other: float(likeness(one, other)[valid].mean())

    return {
        "NCC": lambda one, other: float(np.corrcoef(one[valid], other[valid])[0, 1]),
        "mutual information": lambda one, other: normalized_mutual_information(one[valid], other[valid], bins=32),
        **{label: mean_of(likeness) for label, likeness in MAPS.items()},
    }


def _score(case: Case, **options: Any) -> DiffDiffScore:
    return diff_diff_score(case.moving, case.registered, case.fixed, valid=case.valid, grid=GRID, **options)


def _block_correlation(one: Plane, other: Plane, case: Case, ours: Assessment) -> Array:
    means = [over_blocks(image, case, ours) for image in (one, other)]
    squares = [over_blocks(image * image, case, ours) for image in (one, other)]
    spreads = [np.sqrt(np.maximum(square - mean**2, 1e-3)) for square, mean in zip(squares, means, strict=True)]
    return np.asarray((over_blocks(one * other, case, ours) - means[0] * means[1]) / (spreads[0] * spreads[1]))


def _block_scores(score: DiffDiffScore) -> Array:
    return np.array([block.score - 0.5 if block.scored else 0.0 for block in score.blocks])


def _centred(score: DiffDiffScore) -> float:
    return score.score - 0.5 if score.scored else 0.0


def _box(image: Plane, window: int) -> Plane:
    return np.asarray(cv2.blur(image, (window, window), borderType=cv2.BORDER_REFLECT), np.float32)


MAPS: dict[str, Callable[[Plane, Plane], Plane]] = {
    "SSIM, 7x7": lambda one, other: structural_similarity(one, other, data_range=255, full=True)[1],
    "local NCC, 9x9": lambda one, other: local_correlation(one, other, 9),
    "local NCC, 15x15": lambda one, other: local_correlation(one, other, 15),
    "local NCC, 31x31": lambda one, other: local_correlation(one, other, 31),
}
"""Likeness in a window around each pixel."""
