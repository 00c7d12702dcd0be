"""The protocol of every method: a pair of images and options go in, candidates for the matrix come out.

A method is a module with one function ``propose(pair, options) -> list[Candidate]``. It never judges: whether a
candidate is refined, and whether any is accepted, is decided in one place for all methods, by evidence.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Protocol

from ..progress import Steps
from .geometry import Fit, Matrix, Points, resized_points, scaled
from .images import Pair


@dataclass(frozen=True, eq=False)
class Options:
    """What the caller asked for, checked; see `register`.

    Call ``options.steps.tick()`` in loops and ``options.steps.wait(...)`` around a library's calls of more than a fifth
    of a second.
    """

    transform: str = "homography"
    max_shift: float | None = None
    min_overlap: float = 0.5
    min_inliers: int = 8
    matches: Any = None
    seed: int = 0
    steps: Steps = field(default_factory=Steps)


@dataclass(frozen=True, eq=False)
class Candidate:
    """One answer of one method, before anybody has judged it.

    Without a matrix `reason` says why, in one sentence. `inliers` matched points of `n_matches` agree with it; they,
    and `moving_points` and `fixed_points`, the points that agree, are None for a method without points. `refine` is
    False if the matrix is already the optimum of the method's own measure. `info` is what else is worth keeping, such
    as a trace.
    """

    method: str
    matrix: Matrix | None
    reason: str = ""
    inliers: int | None = None
    n_matches: int | None = None
    moving_points: Points | None = None
    fixed_points: Points | None = None
    refine: bool = True
    info: dict[str, Any] = field(default_factory=dict)

    @classmethod
    def of_points(
        cls, method: str, starts: Points, ends: Points, fit: Fit, scales: tuple[float, float] = (1.0, 1.0)
    ) -> Candidate:
        """Make the candidate of a fit to matched points at working sizes, restated at full size.

        `scales` are working size over full size of the moving and of the fixed image.
        """
        if fit.matrix is None:
            return cls(method, None, fit.reason, 0, len(starts))
        return cls(
            method,
            scaled(fit.matrix, 1 / scales[0], 1 / scales[1]),
            inliers=int(fit.inliers.sum()),
            n_matches=len(starts),
            moving_points=resized_points(starts[fit.inliers], 1 / scales[0]),
            fixed_points=resized_points(ends[fit.inliers], 1 / scales[1]),
        )


class Propose(Protocol):
    """The function every method has."""

    def __call__(self, pair: Pair, options: Options) -> list[Candidate]:
        """Propose candidates, best first; never empty (a failure is a candidate without a matrix, with a reason)."""
