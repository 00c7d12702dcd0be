"""Judge a matrix by the images alone: whether the registered image matches the fixed one wherever anything can match.

If the matrix is right, most blocks of the registered image that find anything like them in the fixed image find it
where they are; if it is wrong, they find it anywhere. What they find says how far off the corners still are, and how
far off they could be. A second place where the whole image fits as well (a periodic pattern) says that nothing can
be known.

Every limit was chosen on other photographs and seeds than those that the benchmark reports.
"""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from ..opencv import opencv
from .blocks import LARGEST_REACH, Blocks, far_rival, near_rival, search_blocks
from .candidates import Options
from .drift import corner_drift
from .ecc import normalise, resized
from .geometry import Matrix, Points, area_ratio, as_matrix, corner_shifts, is_convex, map_points, scaled
from .images import Mask, Pair, Plane
from .warp import valid_pixels

JUDGED_PIXELS = 1_100_000
"""Larger images are judged at about this many pixels."""

FEWEST_AGREEING = 12
"""Blocks that must find themselves where they are."""

SHARE = 0.6
"""Of the blocks that find anything, the share that must find it where they are."""

SHARE_OF_ALL = 0.12
"""The same share of all blocks with texture."""

RIVAL = 0.85
"""How good another place may be, compared with this one."""

CORNERS_OFF = 3.0
"""Pixels: how far off the corners may be, in the mean: the measured distance and two standard errors."""

_SMALLEST_AREA, _LARGEST_AREA = 1 / 25, 25.0


@dataclass(frozen=True)
class Evidence:
    """What the images say of a matrix.

    Attributes
    ----------
    overlap : float
        Share of the smaller image that overlaps, 0..1.
    area_ratio : float
        Area of the moved image over its area before.
    upright : bool
        Whether the moved image is neither mirrored nor folded.
    largest_shift : float
        Pixels: movement of the corner that moves most.
    blocks, found, agree : int
        Blocks with texture; those that found something like them; those that found it where they are.
    correlation : float
        Mean correlation of the blocks with the fixed image at their place; NaN without blocks.
    rival : float
        Correlation at the best other place over that at this one; 1 is as good.
    drift : float
        Pixels: how far the corners are off in the mean, by what the blocks found; infinite where they cannot tell.
    doubt : float
        Pixels: standard error of that.
    """

    overlap: float
    area_ratio: float
    upright: bool
    largest_shift: float
    blocks: int
    found: int
    agree: int
    correlation: float
    rival: float
    drift: float
    doubt: float

    @property
    def share(self) -> float:
        """Share of the blocks that found anything which found it where they are, 0..1."""
        return self.agree / self.found if self.found else 0.0

    @property
    def corners_off(self) -> float:
        """Pixels: how far off the corners may be, the measured distance and two standard errors."""
        return self.drift + 2 * self.doubt

    def objection(self, options: Options) -> str:
        """Say why the matrix cannot be accepted.

        Parameters
        ----------
        options : Options
            The caller's limits.

        Returns
        -------
        str
            One sentence with the numbers; ``""`` if there is nothing against it.
        """
        return self._against_geometry(options) or self._against_images()

    def row(self) -> dict[str, Any]:
        """Give the evidence as a flat dict."""
        return {**asdict(self), "share": self.share}

    def _against_geometry(self, options: Options) -> str:
        if not self.upright:
            return "the motion found would turn the image over or fold it."
        if not _SMALLEST_AREA <= self.area_ratio <= _LARGEST_AREA:
            return f"the motion found would change the image's area {self.area_ratio:.3g} times."
        if options.max_shift is not None and self.largest_shift > options.max_shift:
            return (
                f"the motion found moves a corner by {self.largest_shift:.1f} pixels, more than "
                f"max_shift={options.max_shift:g}."
            )
        if self.overlap < options.min_overlap:
            return f"only {self.overlap:.0%} of the smaller image would overlap, less than {options.min_overlap:.0%}."
        return ""

    def _against_images(self) -> str:
        if self.blocks < FEWEST_AGREEING:
            return (
                f"only {self.blocks} places in the overlap have any texture, fewer than {FEWEST_AGREEING}; "
                "there is too little to judge by."
            )
        if self.found < FEWEST_AGREEING or self.agree < SHARE_OF_ALL * self.blocks or self.agree < FEWEST_AGREEING:
            few = f"only {self.agree}" if self.agree else "none"
            return (
                f"{few} of {self.blocks} places look alike after the best motion found; the images "
                "may be unrelated, or hold little but noise."
            )
        if self.share < SHARE:
            return (
                f"of {self.found} places that have a likeness nearby, only {self.agree} have it where the best motion "
                "found puts them; the scene may not be flat, or this kind of motion too stiff for it."
            )
        if self.rival > RIVAL:
            return (
                f"shifted elsewhere the images match {self.rival:.0%} as well (a repeating pattern); which place is "
                "the true one cannot be known."
            )
        if not self.corners_off <= CORNERS_OFF:
            return (
                f"the corners may be off by {self.corners_off:.1f} pixels, more than {CORNERS_OFF:g}: the places that "
                "agree do not determine the motion."
            )
        return ""


@dataclass(frozen=True, eq=False)
class Judgement:
    """A matrix with its evidence and what the blocks found.

    Attributes
    ----------
    matrix : numpy.ndarray
        float64, shape ``(3, 3)``.
    evidence : Evidence
        The numbers.
    starts, ends : numpy.ndarray
        float64, shape ``(n, 2)``: where blocks that found something are in the moving image, and where they were found
        in the fixed one, in pixels.
    """

    matrix: Matrix
    evidence: Evidence
    starts: Points
    ends: Points

    @property
    def rank(self) -> tuple[float, float]:
        """What to compare judgements by: the number of agreeing blocks by their share, then their correlation."""
        evidence = self.evidence
        return round(evidence.share * evidence.agree), float(np.nan_to_num(evidence.correlation))


def judge(pair: Pair, matrix: Matrix, options: Options) -> Judgement:
    """Gather the evidence for a matrix.

    Parameters
    ----------
    pair : Pair
        The images.
    matrix : numpy.ndarray
        float64, shape ``(3, 3)``, moving to fixed.
    options : Options
        For its progress.

    Returns
    -------
    Judgement
        The evidence; without blocks if the matrix throws the image out of the frame or turns it over.
    """
    options.steps.tick()
    shape = pair.moving.shape
    upright, area = is_convex(matrix, shape), area_ratio(matrix, shape)
    shift = float(corner_shifts(matrix, shape).max())
    nothing = np.zeros((0, 2))
    if not upright or not _SMALLEST_AREA <= area <= _LARGEST_AREA:
        empty = Evidence(0.0, area, upright, shift, 0, 0, 0, math.nan, math.inf, math.inf, math.inf)
        return Judgement(matrix, empty, nothing, nothing)
    view = _View.of(pair, matrix)
    overlap = float(view.inside.sum() / min(view.fixed.size, area * view.moving_pixels))
    found = search_blocks(view.registered, view.fixed, view.valid)
    options.steps.tick()
    agree = found.agree
    rival = math.inf
    if agree.sum() >= FEWEST_AGREEING:
        rival = max(near_rival(found.surface), far_rival(view.registered, view.fixed, view.valid, view.fixed_known))
    drift, doubt = corner_drift(found.places[agree], found.found[agree], view.matrix, view.moving_shape)
    evidence = Evidence(
        overlap=min(1.0, overlap),
        area_ratio=area,
        upright=upright,
        largest_shift=shift,
        blocks=len(found.peaks),
        found=int(found.has_found.sum()),
        agree=int(agree.sum()),
        correlation=float(found.here.mean()) if len(found.here) else math.nan,
        rival=rival,
        drift=drift / view.scale,
        doubt=doubt / view.scale,
    )
    return Judgement(matrix, evidence, *_matches(found, view))


@dataclass(frozen=True, eq=False)
class _View:
    """The moving image on the fixed grid, both normalised, at the size they are judged at."""

    registered: Plane
    fixed: Plane
    inside: Mask
    valid: Mask
    fixed_known: Mask
    matrix: Matrix
    moving_shape: tuple[int, int]
    moving_pixels: int
    scale: float

    @classmethod
    def of(cls, pair: Pair, matrix: Matrix) -> _View:
        cv2 = opencv()

        scale = min(1.0, math.sqrt(JUDGED_PIXELS / max(pair.fixed.plane.size, pair.moving.plane.size)))
        moving, moving_known = resized(pair.moving, scale)
        fixed, fixed_known = resized(pair.fixed, scale)
        matrix = scaled(matrix, scale, scale)
        shape = (fixed.shape[0], fixed.shape[1])
        holes = None if moving_known.all() else ~moving_known
        moving_shape = (moving.shape[0], moving.shape[1])
        inside = valid_pixels(matrix, moving_shape, shape)
        valid = (inside if holes is None else valid_pixels(matrix, moving_shape, shape, holes=holes)) & fixed_known
        # What lies outside is filled by the nearest pixels, so that no edge of the frame looks like an edge.
        registered = cv2.warpPerspective(
            moving, matrix, shape[::-1], flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE
        )
        return cls(
            _normalised(registered), _normalised(fixed), inside, valid, fixed_known, matrix, moving_shape,
            moving.size, scale,
        )  # fmt: skip


def _normalised(plane: Plane) -> Plane:
    cv2 = opencv()

    return normalise(cv2.GaussianBlur(plane, (0, 0), 1.0))


def _matches(found: Blocks, view: _View) -> tuple[Points, Points]:
    """Give where the blocks come from and where they were found, at full size."""
    kept = found.has_found & (np.abs(found.found) < LARGEST_REACH - 0.5).all(axis=1)
    starts = map_points(as_matrix(np.linalg.inv(view.matrix)), found.places[kept])
    ends = found.places[kept] + found.found[kept]
    seen = np.isfinite(starts).all(axis=1)
    return tuple((points[seen] + 0.5) / view.scale - 0.5 for points in (starts, ends))  # type: ignore[return-value]
