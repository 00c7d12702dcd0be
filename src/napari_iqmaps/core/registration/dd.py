"""A matrix found by making the diff-diff score itself as high as it will go, from coarse to fine.

The search is CMA-ES (Hansen and Ostermeier 2001; the package ``cma``), over displacements of the corners in pixels: the
nine raw entries of a matrix differ in size by a million, and a count of pixels has no slope in any of them.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import numpy.typing as npt

from ..diffdiff.lighting import comparable
from ..diffdiff.surface import shift_scores
from .candidates import Candidate, Options
from .geometry import Matrix, corner_shifts, is_convex, scaled
from .images import Pair
from .soft_objective import SMOOTHING, Plane, SoftObjective, freedom, motion, smoothed

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
_STILL = 1e-3  # pixels: when guesses differ by less, a level is done


def propose(pair: Pair, options: Options) -> list[Candidate]:
    """Search the matrix with the highest soft score; see `candidates.Propose`.

    Parameters
    ----------
    pair : Pair
        The images.
    options : Options
        Transform, max_shift, min_overlap, seed, progress.

    Returns
    -------
    list of Candidate
        One, not to be refined by another measure; its `info` has the trace: for every level its scale, the evaluations
        and the best score.
    """
    levels = _levels(pair)
    starts = _first_shifts(*levels[0], options)
    trace: list[dict[str, Any]] = []
    score = -1.0
    for number, (scale, moving, fixed, tol) in enumerate(levels):
        place = number + _LEVELS - len(levels)
        objective = SoftObjective.between(moving, fixed, np.eye(3), tol, options.min_overlap)
        climbs = []
        for attempt, start in enumerate(starts):
            span = tuple((number + part / len(starts)) / len(levels) for part in (attempt, attempt + 1))
            settings = _SPREADS[place], _EVALUATIONS[place]
            climbs.append(_climb(objective, scaled(start, scale, scale), options, scale, settings, span))
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
    surface = shift_scores(moving, fixed, radius=radius, tol=tol, progress=lambda *_: options.steps.tick())
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
    span: tuple[float, ...],
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
    search = cma.CMAEvolutionStrategy(
        np.zeros(freedom(options.transform)),
        spread,
        {"seed": np.nan, "randn": normal, "verbose": -9, "maxfevals": evaluations, "tolx": _STILL, "tolfun": 1e-6},
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
        options.steps.reach(span[0] + (span[1] - span[0]) * min(1.0, tried / evaluations))
    return best, best_score, tried


def _judged(objective: SoftObjective, matrix: Matrix, options: Options, scale: float) -> float:
    shape = (objective.moving.shape[0], objective.moving.shape[1])
    if not np.isfinite(matrix).all() or not is_convex(matrix, shape):
        return -1.0
    if options.max_shift is not None and corner_shifts(matrix, shape).max() > options.max_shift * scale:
        return -1.0
    return objective(matrix)


def _library() -> Any:
    # It brings matplotlib and scipy.stats along, which takes a second or two the first time.
    import cma

    return cma
