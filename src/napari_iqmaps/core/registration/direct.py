"""Methods that search matrices for the highest soft diff-diff score: "dd", and the local optimum around a matrix.

Never the ratio better / (better + worse): one changed pixel can win it, and it is flat where nothing changes.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from importlib import import_module
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from ..arguments import check_fields, checked
from ..diffdiff.lighting import comparable
from ..diffdiff.surface import shift_scores
from ..errors import InputError
from ..progress import Progress, Steps
from ..value_range import DataRange
from .candidates import Candidate, Options
from .geometry import Matrix, as_matrix, corner_shifts, corners, is_convex, map_points, scaled
from .images import Pair, as_pair

Plane = npt.NDArray[np.float32]
Numbers = npt.NDArray[np.float64]

SMOOTHING = 1.5
"""Pixels; standard deviation of the blur of both images, so that interpolation, which blurs too, wins nothing."""

_OUTSIDE = -1e9
"""Value around the moving image; where it shows through by a hundred-thousandth, a pixel is not whole."""

_WHOLE = -1e4
_FREEDOMS = {"homography": 8, "affine": 6, "euclidean": 3, "translation": 2}


@dataclass(frozen=True, eq=False)
class SoftObjective:
    """The mean of ``clip(dd / (2 tol), -1, 1)`` of a moved image, over the pixels that it covers.

    The planes are finite, smoothed and evened in lighting. `before` is how far the image to be beaten is from the fixed
    one, NaN where it says nothing. A motion that leaves less than `min_overlap` of the fixed image to judge by gets -1.
    """

    moving: Plane
    fixed: Plane
    before: Plane
    tol: float
    min_overlap: float

    @classmethod
    def between(cls, moving: Plane, fixed: Plane, start: Matrix, tol: float, min_overlap: float) -> SoftObjective:
        """Make the objective that judges motions against one that is there already, such as the identity."""
        before = np.abs(_moved(moving, start, fixed.shape) - fixed)
        before[before > -_WHOLE] = np.nan
        return cls(moving, fixed, before, tol, min_overlap)

    def __call__(self, matrix: Matrix) -> float:
        """Judge a motion: -1 .. 1; above 0 it is better than the start, 0 for the start itself."""
        import cv2

        warped: Any = _moved(self.moving, matrix, self.fixed.shape)
        outside = warped < _WHOLE
        change = cv2.subtract(self.before, cv2.absdiff(warped, self.fixed))
        limit = 2 * self.tol
        np.clip(change, -limit, limit, out=change)
        change[outside] = np.nan
        counted = np.isfinite(change)
        n_valid = int(np.count_nonzero(counted))
        if n_valid < self.min_overlap * change.size or n_valid == 0:
            return -1.0
        return float(change.sum(where=counted, dtype=np.float64)) / limit / n_valid


def smoothed(plane: Plane) -> Plane:
    """Blur a plane before it is moved; see `SMOOTHING`."""
    import cv2

    return np.asarray(cv2.GaussianBlur(plane, (0, 0), SMOOTHING, borderType=cv2.BORDER_REFLECT), np.float32)


def freedom(transform: str) -> int:
    """Give how many numbers a kind of motion has."""
    return _FREEDOMS[transform]


def motion(transform: str, shape: tuple[int, int], start: Matrix) -> Callable[[Numbers], Matrix]:
    """Make the function that turns numbers, as many as `freedom` says and all of them pixels, into a matrix.

    They are displacements of four corners (homography) or three (affine), or the shift of the middle (translation) and,
    besides, how far a corner goes round it (euclidean); all in the fixed image's pixels. Zeros give `start`; where four
    corners do not make a matrix, it is NaN.
    """
    places = corners(shape)
    targets = map_points(start, places)
    middle = targets.mean(axis=0)
    arm = max(float(np.hypot(*(targets - middle).T).mean()), 1.0)

    def homography(numbers: Numbers) -> Matrix:
        return solve(places, targets + numbers.reshape(4, 2))

    def affine(numbers: Numbers) -> Matrix:
        shifts = numbers.reshape(3, 2)
        return solve(places, targets + np.vstack([shifts, shifts[0] + shifts[2] - shifts[1]]))

    def euclidean(numbers: Numbers) -> Matrix:
        angle = numbers[2] / arm
        turn = np.array([(np.cos(angle), -np.sin(angle)), (np.sin(angle), np.cos(angle))])
        moved = np.eye(3)
        moved[:2, :2] = turn
        moved[:2, 2] = middle + numbers[:2] - turn @ middle
        result: Matrix = moved @ start
        return result

    def translation(numbers: Numbers) -> Matrix:
        return euclidean(np.array([numbers[0], numbers[1], 0.0]))

    return {"homography": homography, "affine": affine, "euclidean": euclidean, "translation": translation}[transform]


def solve(places: Numbers, targets: Numbers) -> Matrix:
    """Give the matrix that takes four points to four others; NaN where three of the points lie on a line."""
    # u = (h11 x + h12 y + h13) / (h31 x + h32 y + 1) and v alike, times the denominator: two equations a point.
    rows = []
    for (x, y), (u, v) in zip(places, targets, strict=True):
        rows.append((x, y, 1, 0, 0, 0, -u * x, -u * y))
        rows.append((0, 0, 0, x, y, 1, -v * x, -v * y))
    try:
        entries = np.linalg.solve(np.array(rows, np.float64), targets.ravel())
    except np.linalg.LinAlgError:
        return np.full((3, 3), np.nan)
    return np.append(entries, 1.0).reshape(3, 3)


def _moved(moving: Plane, matrix: Matrix, shape: tuple[int, ...]) -> Plane:
    import cv2

    warped = cv2.warpPerspective(
        moving,
        matrix,
        (shape[1], shape[0]),
        flags=cv2.INTER_LINEAR,
        borderMode=cv2.BORDER_CONSTANT,
        borderValue=_OUTSIDE,
    )
    return np.asarray(warped, np.float32)


WORKING_PIXELS = 600_000
"""Larger images are searched at about this many pixels."""

_LEVELS = 3
_SMALLEST = 100
"""Pixels to the shorter side, under which a level shows too little."""

_SPREADS = (3.0, 1.0, 0.5)
"""Pixels of the level: standard deviation of the first guesses, from the coarsest level to the finest."""

_EVALUATIONS = (400, 600, 400)
_COARSE_RADIUS = 0.08
"""Of the shorter side: how far the search for a first shift goes on the coarsest level."""

_PEAKS, _APART = 3, 2
"""How many peaks of that search are tried as starts, and pixels of the level within which they are one."""

_TOLERANCE = 4.0
"""Times the tolerance of the score: wider, so that the objective has a slope further from the best place."""

_LEAST_TOL = 1.0
_LONGEST_STEP = 1e5  # pixels; longer than any image that is registered
_STILL = 1e-3  # pixels: when guesses differ by less, a level is done


def propose_dd(pair: Pair, options: Options) -> list[Candidate]:
    """Search the matrix with the highest soft score; `info` has the scale, evaluations and score of each level."""
    levels = options.steps.wait(lambda: _levels(pair))
    starts = _first_shifts(*levels[0], options)
    trace: list[dict[str, Any]] = []
    score = -1.0
    for number, (scale, moving, fixed, tol) in enumerate(levels):
        place = number + _LEVELS - len(levels)
        objective = SoftObjective.between(moving, fixed, np.eye(3), tol, options.min_overlap)
        climbs = []
        for attempt, start in enumerate(starts):
            span = ((number + part / len(starts)) / len(levels) for part in (attempt, attempt + 1))
            own = replace(options, steps=options.steps.part(*span))
            settings = _SPREADS[place], _EVALUATIONS[place]
            climbs.append(_climb(objective, scaled(start, scale, scale), own, scale, settings))
        best, score, _ = max(climbs, key=lambda climb: climb[1])
        starts = [scaled(best, 1 / scale, 1 / scale)]
        evaluations = sum(climb[2] for climb in climbs)
        trace.append({"scale": scale, "evaluations": evaluations, "soft": score, "tol": tol})
    options.steps.reach(1.0)
    info = {"trace": trace, "soft": score}
    if score <= 0:
        return [
            Candidate(
                "dd", None, reason=f"no motion scores better than none at all (soft score {score:.3f})", info=info
            )
        ]
    return [Candidate("dd", starts[0], refine=False, info=info)]


def _levels(pair: Pair) -> list[tuple[float, Plane, Plane, float]]:
    """Give scale, planes and tolerance of every level, the coarsest first."""
    import cv2

    planes = [side.plane for side in (pair.moving, pair.fixed)]
    shortest = min(min(plane.shape) for plane in planes)
    finest = min(1.0, (WORKING_PIXELS / max(plane.size for plane in planes)) ** 0.5)
    levels = []
    for level in reversed(range(_LEVELS)):
        scale = finest / 2**level
        if level and shortest * scale < _SMALLEST:
            continue
        reduced = [
            plane
            if scale == 1
            else np.asarray(cv2.resize(plane, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA), np.float32)
            for plane in planes
        ]
        first, second, tol = comparable(smoothed(reduced[0]), smoothed(reduced[1]), "local", "auto", smooth=SMOOTHING)
        levels.append((scale, first, second, max(_TOLERANCE * tol, _LEAST_TOL)))
    return levels


def _first_shifts(scale: float, moving: Plane, fixed: Plane, tol: float, options: Options) -> list[Matrix]:
    """Find shifts to start from, at full size: none at all, and the highest peaks over the coarsest level's shifts.

    Where a pattern repeats itself, the best shift alone may be one period off as long as rotation and scale are not
    found: a wall of bricks.
    """
    shortest = min(*moving.shape, *fixed.shape)
    radius = max(1, min(round(_COARSE_RADIUS * shortest), (shortest - 8) // 2))
    if options.max_shift is not None:
        radius = max(1, min(radius, int(options.max_shift * scale)))
    surface = shift_scores(moving, fixed, radius=radius, tol=tol, steps=options.steps.part(0, 0))
    steps = np.arange(-radius, radius + 1)
    bound = math.inf if options.max_shift is None else options.max_shift * scale
    left = np.hypot(steps[:, np.newaxis], steps) <= bound
    chosen = [(0, 0)]
    for _ in range(_PEAKS):
        row, column = surface.best_by("soft", among=left)
        near = np.maximum(abs(steps[:, np.newaxis] - row), abs(steps - column)) <= _APART
        left &= ~near
        chosen.append((row, column))
    matrices = []
    for dy, dx in dict.fromkeys(chosen):
        matrix = np.eye(3)
        matrix[:2, 2] = dx / scale, dy / scale
        matrices.append(matrix)
    return matrices


def _climb(
    objective: SoftObjective,
    start: Matrix,
    options: Options,
    scale: float,
    settings: tuple[float, int],
) -> tuple[Matrix, float, int]:
    """Search one level; give the best matrix that was ever tried, its score and the number of trials."""
    cma = options.steps.wait(_library)
    spread, evaluations = settings
    shape = (objective.moving.shape[0], objective.moving.shape[1])
    make = motion(options.transform, shape, start)
    rng = np.random.default_rng(options.seed)

    def normal(*sizes: int) -> npt.NDArray[np.float64]:
        return rng.standard_normal(sizes)

    # A seed of NaN and our own numbers: the package would otherwise set numpy's global random state.
    stops = {"maxfevals": evaluations, "tolx": _STILL, "tolfun": 1e-6}
    with warnings.catch_warnings():  # to which cma adds a filter for good, as when it is imported
        search = cma.CMAEvolutionStrategy(
            np.zeros(freedom(options.transform)), spread, {"seed": np.nan, "randn": normal, "verbose": -9, **stops}
        )
    best, best_score, tried = start, _judged(objective, start, options, scale), 1
    while not search.stop():
        guesses = search.ask()
        scores = [_judged(objective, make(np.asarray(guess)), options, scale) for guess in guesses]
        search.tell(guesses, [-score for score in scores])
        tried += len(guesses)
        top = int(np.argmax(scores))
        if scores[top] > best_score:
            best, best_score = make(np.asarray(guesses[top])), scores[top]
        options.steps.reach(min(1.0, tried / evaluations))
    return best, best_score, tried


def _judged(objective: SoftObjective, matrix: Matrix, options: Options, scale: float) -> float:
    shape = (objective.moving.shape[0], objective.moving.shape[1])
    if not np.isfinite(matrix).all() or not is_convex(matrix, shape):
        return -1.0
    if options.max_shift is not None and corner_shifts(matrix, shape).max() > options.max_shift * scale:
        return -1.0
    return objective(matrix)


def _library() -> Any:
    """Import cma without the three warning filters that it leaves in the process."""
    import_module("scipy.stats")  # cma brings it along, which takes a second or two the first time
    with warnings.catch_warnings():
        return import_module("cma")


CORNERS = ("top left", "top right", "bottom right", "bottom left")
DIRECTIONS = {"left": (-1.0, 0.0), "right": (1.0, 0.0), "up": (0.0, -1.0), "down": (0.0, 1.0)}
_OPPOSITE = [1, 0, 3, 2]


@dataclass(frozen=True, eq=False)
class LocalOptimum:
    """What small moves of the corners do to the score of a matrix.

    Attributes
    ----------
    soft : numpy.ndarray
        float64, shape ``(4, 4)``: soft score of the moved matrix against the matrix itself, by ``[corner, direction]``
        in the order top left, top right, bottom right, bottom left, and left, right, up, down; above 0 is better than
        the matrix.
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

    def __post_init__(self) -> None:
        check_fields(self)
        if self.soft.shape != (len(CORNERS), len(DIRECTIONS)):
            raise InputError(f"The soft scores have shape {self.soft.shape}; give (4, 4), corners and directions.")

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


@checked
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
        How a difference of lighting is taken out first. "before": each of 5 x 5 blocks of the fixed image is moved to
        the mean of the moving one. "frame": the same of the whole frame. "local": each image loses its local mean and
        is divided by its local contrast. "none": nothing.
    margin : float
        The soft score that a move must gain to count, 0 or more.
    data_range : float, (float, float), "data" or "percentiles", optional
        The values of black and white of both images, as in `register`.
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
    if not 0 < step <= _LONGEST_STEP:
        raise InputError(f"step is {step!r}; give pixels, more than 0 and up to {_LONGEST_STEP:g}.")
    if not (np.isfinite(margin) and margin >= 0):
        raise InputError(f"margin is {margin!r}; give a soft score, 0 or more.")
    steps = Steps(progress, total=len(CORNERS) * len(DIRECTIONS))
    pair = steps.wait(lambda: as_pair(moving, fixed, data_range=data_range, channel_axis=channel_axis))

    def prepared() -> tuple[Plane, Plane, float]:
        planes = smoothed(pair.moving.plane), smoothed(pair.fixed.plane)
        return comparable(*planes, illumination, tol, smooth=SMOOTHING)

    first, second, used_tol = steps.wait(prepared)
    if used_tol == 0:
        raise InputError("A tolerance of 0 has no soft score. Give one above 0.")
    used_tol = max(used_tol, _LEAST_TOL) if tol == "auto" else used_tol
    start = np.eye(3) if matrix is None else as_matrix(matrix)
    objective = steps.wait(lambda: SoftObjective.between(first, second, start, used_tol, 0.0))
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
            soft[corner, number] = steps.wait(partial(objective, solve(places, moved)))
    steps.reach(1.0)
    return LocalOptimum(soft, float(step), float(margin), used_tol)
