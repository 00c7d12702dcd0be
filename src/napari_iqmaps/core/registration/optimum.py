"""Whether a matrix is where the diff-diff score is highest: whether no small move of a corner makes it better.

It tells "good already" from "bad, and nothing changed it": the score alone is the same for both.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from ..diffdiff.lighting import comparable
from ..errors import InputError
from ..images import DataRange
from ..progress import Progress, Steps
from .geometry import as_matrix, corners, map_points
from .images import as_pair
from .soft_objective import SMOOTHING, Plane, SoftObjective, smoothed, solve

CORNERS = ("top left", "top right", "bottom right", "bottom left")
DIRECTIONS = {"left": (-1.0, 0.0), "right": (1.0, 0.0), "up": (0.0, -1.0), "down": (0.0, 1.0)}
_OPPOSITE = [1, 0, 3, 2]
_LEAST_TOL = 1.0  # grey levels: steps of 8-bit images are no pattern


@dataclass(frozen=True, eq=False)
class LocalOptimum:
    """What small moves of the corners do to the score of a matrix.

    Attributes
    ----------
    soft : numpy.ndarray
        float64, shape ``(4, 4)``: soft score of the moved matrix against the matrix itself, by ``[corner, direction]``
        in the order of `CORNERS` and `DIRECTIONS`; above 0 is better than the matrix.
    step : float
        How far a corner was moved, pixels of the fixed image.
    margin : float
        What a move must gain to count.
    tol : float
        Tolerance, grey levels.
    """

    soft: npt.NDArray[np.float64]
    step: float
    margin: float
    tol: float

    @property
    def gains(self) -> npt.NDArray[np.float64]:
        """float64, shape ``(4, 4)``: `soft`, less what the opposite move gains, if it does.

        Where a corner gains by going either way, it is the interpolation that gains, by averaging noise away.
        """
        gains: npt.NDArray[np.float64] = self.soft - np.maximum(self.soft[:, _OPPOSITE], 0)
        return gains

    @property
    def is_optimum(self) -> bool:
        """Whether no move is better."""
        return bool((self.gains <= self.margin).all())

    @property
    def best_move(self) -> tuple[str, str]:
        """The corner and the direction that would gain most, or lose least."""
        corner, direction = divmod(int(np.argmax(self.gains)), len(DIRECTIONS))
        return CORNERS[corner], list(DIRECTIONS)[direction]

    def sentence(self) -> str:
        """Say it in words."""
        if self.is_optimum:
            return f"No corner can be moved by {self.step:g} pixels and make it better: the matrix is a local optimum."
        corner, direction = self.best_move
        return (
            f"Not a local optimum: the {corner} corner {self.step:g} pixels further {direction} would be better (soft "
            f"score {self.gains.max():+.3f})."
        )


def local_optimum(
    moving: Any,
    fixed: Any,
    matrix: Any = None,
    *,
    step: float = 1.0,
    tol: float | Literal["auto"] = "auto",
    illumination: Literal["local", "before", "none", "frame"] = "local",
    margin: float = 0.01,
    data_range: DataRange = None,
    channel_axis: int | None = None,
    progress: Progress | None = None,
) -> LocalOptimum:
    """Move every corner a little in four directions and see whether any move is better than the matrix as it is.

    Parameters
    ----------
    moving, fixed : array_like
        One plane each, at least 16 pixels to a side.
    matrix : array_like, optional
        Shape ``(3, 3)``, moving to fixed; None for the identity.
    step : float
        How far a corner is moved, pixels of the fixed image, above 0.
    tol : float or "auto"
        Tolerance, grey levels above 0; "auto" is what suits the two images.
    illumination : {"local", "before", "none", "frame"}
        How a difference of lighting is taken out first; see `napari_iqmaps.core.diffdiff.lighting.evened`.
    margin : float
        The soft score that a move must gain to count, 0 or more.
    data_range : float or (float, float), optional
        See `napari_iqmaps.core.images.as_planes`; for both images.
    channel_axis : int, optional
        The axis of the colours in those images that have three axes.
    progress : callable, optional
        Called as ``progress(done, 16)``; may raise `Cancelled`.

    Returns
    -------
    LocalOptimum
        The soft score of each of the sixteen moves.

    Raises
    ------
    InputError
        If an image, the matrix or an option is unusable, or if the moved image covers nothing of the fixed one.

    Notes
    -----
    Both images are smoothed by 1.5 pixels first, and a gain counts only as far as the opposite move does not gain as
    well. Otherwise a move by a part of a pixel would win by its interpolation, which averages noise away.
    """
    if not (np.isfinite(step) and step > 0):
        raise InputError(f"step is {step!r}; give pixels, more than 0.")
    if not (np.isfinite(margin) and margin >= 0):
        raise InputError(f"margin is {margin!r}; give a soft score, 0 or more.")
    pair = as_pair(moving, fixed, data_range=data_range, channel_axis=channel_axis)
    steps = Steps(progress, total=len(CORNERS) * len(DIRECTIONS))

    def prepared() -> tuple[Plane, Plane, float]:
        planes = smoothed(pair.moving.plane), smoothed(pair.fixed.plane)
        return comparable(*planes, illumination, tol, smooth=SMOOTHING)

    first, second, used_tol = steps.wait(prepared)
    if used_tol == 0:
        raise InputError("A tolerance of 0 has no soft score. Give one above 0.")
    used_tol = max(used_tol, _LEAST_TOL) if tol == "auto" else used_tol
    start = np.eye(3) if matrix is None else as_matrix(matrix)
    objective = SoftObjective.between(first, second, start, used_tol, 0.0)
    if np.isnan(objective.before).all():
        raise InputError("The moved image covers nothing of the fixed one; there is nothing to judge by.")
    places = corners(pair.moving.shape)
    targets = map_points(start, places)
    soft = np.zeros((len(CORNERS), len(DIRECTIONS)))
    for corner in range(len(CORNERS)):
        for number, direction in enumerate(DIRECTIONS.values()):
            steps.reach((corner * len(DIRECTIONS) + number) / soft.size)
            moved = targets.copy()
            moved[corner] += step * np.array(direction)
            soft[corner, number] = objective(solve(places, moved))
    steps.reach(1.0)
    return LocalOptimum(soft, float(step), float(margin), used_tol)
