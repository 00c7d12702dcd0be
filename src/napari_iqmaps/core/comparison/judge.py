"""One pair registered by one method, and judged: the judge sees the same images whatever the method saw."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from ..diffdiff import DiffDiffAssessment, diff_diff_assess
from ..errors import InputError
from ..registration.geometry import Matrix, identity
from ..registration.registering import register
from ..registration.warp import find_holes, valid_pixels, warp_image
from .frames import Frames
from .methods import Method
from .outcome import Outcome
from .preprocessing import Prepared, Preprocessing, bring_back

Progress = Callable[[int, int], object]
_RANGE = (0.0, 255.0)


@dataclass(frozen=True, kw_only=True)
class Rules:
    """How registrations are made and judged, the same for all methods.

    Attributes
    ----------
    transform, max_shift, min_overlap, min_inliers, seed
        As for `napari_iqmaps.register`; `max_shift` in pixels of the image as it came.
    tol, grid, illumination, smooth, median, border
        As for `napari_iqmaps.diff_diff_score`; None for the default of `diff_diff_assess`.
    """

    transform: str = "homography"
    max_shift: float | None = None
    min_overlap: float = 0.5
    min_inliers: int = 8
    seed: int = 0
    tol: float | Literal["auto"] = "auto"
    grid: tuple[int, int] | None = (5, 5)
    illumination: str | None = None
    smooth: float | None = None
    median: int = 0
    border: int = 0


@dataclass(frozen=True, eq=False)
class Views:
    """What the judge sees of a registration.

    Attributes
    ----------
    moving, registered, fixed : numpy.ndarray
        float32, the preprocessed fixed image's shape, 0 to 255; the moving image is put on the fixed one's grid as it
        is, with NaN where it has no pixel.
    valid : numpy.ndarray
        bool; where `registered` is whole.
    """

    moving: npt.NDArray[np.float32]
    registered: npt.NDArray[np.float32]
    fixed: npt.NDArray[np.float32]
    valid: npt.NDArray[np.bool_]


def find_matrix(
    frames: Frames, pair: tuple[Any, Any], method: Method, rules: Rules, progress: Progress | None = None
) -> tuple[Matrix, dict[str, Any]]:
    """Register a pair.

    Parameters
    ----------
    frames : Frames
        Gives the images.
    pair : tuple
        The moving and the fixed image, paths or arrays.
    method : Method
        How.
    rules : Rules
        The rest.
    progress : callable, optional
        Called as ``progress(done, total)``; may raise `napari_iqmaps.Cancelled`.

    Returns
    -------
    matrix : numpy.ndarray
        Shape ``(3, 3)``, from the moving image as it came to the fixed one; the identity if it was refused.
    facts : dict
        ``accepted``, ``reason`` and ``inliers``, as an `Outcome` has them.

    Raises
    ------
    InputError
        If an image cannot be used.
    """
    moving, fixed = (frames.prepared(source, method.preprocessing) for source in pair)
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
        progress=progress,
    )
    facts = {"accepted": found.accepted, "reason": found.reason, "inliers": found.inliers}
    return bring_back(found.matrix, moving.matrix, fixed.matrix) if found.accepted else identity(), facts


def views(frames: Frames, pair: tuple[Any, Any], scoring: Preprocessing, matrix: Matrix) -> Views:
    """Prepare what the judge sees.

    Parameters
    ----------
    frames : Frames
        Gives the images.
    pair : tuple
        The moving and the fixed image, paths or arrays.
    scoring : Preprocessing
        Done to both images before the moving one is resampled, so that the border of what was resampled never leaks
        into it.
    matrix : numpy.ndarray
        From the moving image as it came to the fixed one.

    Returns
    -------
    Views
        Three images on one grid.
    """
    moving, fixed = (frames.prepared(source, scoring) for source in pair)
    there = fixed.matrix @ matrix @ np.linalg.inv(moving.matrix)
    registered, valid = _on_grid(moving, there, fixed)
    before = moving.plane if moving.plane.shape == fixed.plane.shape else _on_grid(moving, identity(), fixed)[0]
    return Views(before, registered, fixed.plane, valid)


def assess(seen: Views, rules: Rules) -> DiffDiffAssessment:
    """Judge a registration.

    Parameters
    ----------
    seen : Views
        The images.
    rules : Rules
        How.

    Returns
    -------
    DiffDiffAssessment
        Map and score.
    """
    options: dict[str, Any] = {"illumination": rules.illumination, "smooth": rules.smooth}
    return diff_diff_assess(
        seen.moving, seen.registered, seen.fixed,
        valid=seen.valid, border=rules.border, tol=rules.tol, grid=rules.grid, median=rules.median, data_range=_RANGE,
        **{name: value for name, value in options.items() if value is not None},
    )  # fmt: skip


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
    """Register a pair and judge it.

    Parameters
    ----------
    frames : Frames
        Gives the images.
    pair : tuple
        The moving and the fixed image, paths or arrays.
    names : (str, str)
        What to call them.
    method : Method
        How to register.
    scorings : sequence of Preprocessing
        On what to judge.
    rules : Rules
        The rest.
    progress : callable, optional
        Called as ``progress(done, total)`` while it is registered; may raise `napari_iqmaps.Cancelled`.

    Returns
    -------
    list of Outcome
        One for each scoring; a registration that was refused is not judged.

    Raises
    ------
    InputError
        If an image cannot be used.
    """
    matrix, facts = find_matrix(frames, pair, method, rules, progress)
    return [judged_matrix(frames, pair, names, method, scoring, rules, matrix, facts) for scoring in scorings]


def judged_matrix(
    frames: Frames,
    pair: tuple[Any, Any],
    names: tuple[str, str],
    method: Method,
    scoring: Preprocessing,
    rules: Rules,
    matrix: Matrix,
    facts: dict[str, Any],
) -> Outcome:
    """Judge a matrix that is at hand; see `judged`."""
    entries = tuple(float(entry) for entry in matrix.ravel())
    common: dict[str, Any] = {
        "method": method.name, "scoring": scoring.name, "registration": method.registration, "matrix": entries, **facts,
    }  # fmt: skip
    if not facts["accepted"]:
        return Outcome(*names, **common)
    try:
        found = assess(views(frames, pair, scoring, matrix), rules).score
    except InputError as error:
        return Outcome(*names, **{**common, "error": str(error)})
    return Outcome(*names, **{**common, **found.row()}, scored=found.scored)


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
    holes = find_holes(moving.plane)
    valid = valid_pixels(matrix, moving.plane.shape, (height, width), holes=holes)
    return warp_image(moving.plane, matrix, (height, width), valid=valid), valid
