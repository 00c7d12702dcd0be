"""The protocol of every method: a pair of images and options go in, candidates for the matrix come out.

A method is a module with one function ``propose(pair, options) -> list[Candidate]``. It never judges: whether a
candidate is refined, and whether any is accepted, is decided in one place for all methods, by evidence.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Protocol

from ..progress import Steps
from .geometry import Matrix, Points
from .images import Pair


@dataclass(frozen=True, eq=False)
class Options:
    """What the caller asked for, checked.

    Attributes
    ----------
    max_shift : float or None
        The largest movement of a corner in pixels that is allowed; None for any.
    min_overlap : float
        The smallest share of the smaller image that must overlap, 0..1.
    matches : Any
        Matched points that the caller has (a ``MatchTable``), or None.
    steps : Steps
        Where to report progress; call ``options.steps.tick()`` in loops and ``options.steps.wait(...)`` around a
        library's calls of more than a fifth of a second.
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

    Attributes
    ----------
    matrix : numpy.ndarray or None
        float64, shape ``(3, 3)``, moving ``(x, y)`` to fixed ``(x, y)`` at full size; None if there is none.
    reason : str
        Why there is no matrix (one sentence with the numbers); ``""`` if there is one.
    inliers : int or None
        Matched points that agree with the matrix; None for a method without points.
    n_matches : int or None
        Matched points in all; None for a method without points.
    moving_points, fixed_points : numpy.ndarray or None
        float64, shape ``(inliers, 2)``: the points that agree, ``(x, y)``.
    refine : bool
        Whether the matrix should be refined on the images (ECC) before it is judged; False if it is already the
        optimum of the method's own measure.
    info : dict
        What else is worth keeping (a trace, a surface); goes into ``Registration.info["candidates"]``.
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


class Propose(Protocol):
    """The function every method has."""

    def __call__(self, pair: Pair, options: Options) -> list[Candidate]:
        """Propose candidates, best first; never empty (a failure is a candidate without a matrix, with a reason)."""
