"""The one judge of a matrix: blocks of the registered image look for themselves in the fixed one."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass, replace
from functools import partial
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from ..opencv import opencv
from .candidates import Options
from .dense import normalise, resized
from .geometry import Matrix, Points, area_ratio, as_matrix, corner_shifts, corners, is_convex, map_points, scaled
from .images import Mask, Pair, Plane
from .remainder import second_motion
from .warp import valid_pixels

LARGEST_BLOCK, LARGEST_REACH = 32, 10
"""Pixels: side of a block, and how far it looks for itself; less in images under 256 pixels."""

SMALLEST_BLOCK, SMALLEST_REACH = 12, 5

TEXTURE = 0.2
"""Of a locally normalised image: standard deviation below which a block is empty."""

FOUND = 0.4
"""Correlation below which a block has found nothing."""

NEAR = 2.0
"""Pixels: a block that finds itself this near agrees with the matrix."""

_ACROSS = 14  # blocks along a side, at most
_BLOCKS_A_SIDE = 8  # how a small image sets the size of its blocks
_BASIN = 3.0  # pixels around the place itself that belong to it
_COARSE_SIDE = 192  # pixels: size at which the whole image is compared with itself shifted
_COARSE_BASIN = 3.5
_LEAST_COMMON = 0.25  # share of the registered pixels that a shift must keep to count

Array = npt.NDArray[np.float64]


class Blocks(NamedTuple):
    """What the blocks with texture found: their centres in the fixed image, and from there where each fits best.

    All are pixels. `peaks` and `here` are the correlations there and at the block's own place; `surface` is the mean
    correlation over the blocks for every shift, no shift in the middle.
    """

    places: Points
    found: Points
    peaks: Array
    here: Array
    surface: Array

    @property
    def has_found(self) -> Mask:
        """Which blocks found a place that is like them."""
        return np.asarray(self.peaks > FOUND)

    @property
    def agree(self) -> Mask:
        """Which blocks found themselves where they are."""
        return np.asarray(self.has_found & (np.hypot(self.found[:, 0], self.found[:, 1]) <= NEAR))


def search_blocks(registered: Plane, fixed: Plane, valid: Mask, *, reach: int | None = None) -> Blocks:
    """Let every block with texture and wholly valid look for itself in two locally normalised images."""
    cv2 = opencv()

    side = min(fixed.shape)
    block = int(np.clip(side // _BLOCKS_A_SIDE, SMALLEST_BLOCK, LARGEST_BLOCK)) // 2 * 2
    if reach is None:
        reach = int(np.clip(side // 24, SMALLEST_REACH, LARGEST_REACH))
    invalid = cv2.integral((~valid).astype(np.uint8))
    places, found, peaks, here = [], [], [], []
    surface = np.zeros((2 * reach + 1, 2 * reach + 1))
    for top in _starts(fixed.shape[0], block, reach):
        for left in _starts(fixed.shape[1], block, reach):
            bottom, right = top + block, left + block
            if invalid[bottom, right] - invalid[top, right] - invalid[bottom, left] + invalid[top, left]:
                continue
            template = registered[top:bottom, left:right]
            if template.std() < TEXTURE:
                continue
            window = fixed[top - reach : bottom + reach, left - reach : right + reach]
            likeness = _correlation(window, template)
            row, column = divmod(int(likeness.argmax()), likeness.shape[1])
            places.append((left + block / 2 - 0.5, top + block / 2 - 0.5))
            found.append((_top(likeness[row], column) - reach, _top(likeness[:, column], row) - reach))
            peaks.append(likeness[row, column])
            here.append(likeness[reach, reach])
            surface += likeness
    return Blocks(
        np.array(places, np.float64).reshape(-1, 2),
        np.array(found, np.float64).reshape(-1, 2),
        np.array(peaks, np.float64),
        np.array(here, np.float64),
        surface / max(len(peaks), 1),
    )


def near_rival(surface: Array) -> float:
    """Compare the best other place within the blocks' reach with their own place: 1 means as good.

    It is infinite if nothing is here.
    """
    from scipy import ndimage

    reach = surface.shape[0] // 2
    here = float(surface[max(reach - 1, 0) : reach + 2, max(reach - 1, 0) : reach + 2].max())
    if here <= 0:
        return math.inf
    y, x = np.mgrid[-reach : reach + 1, -reach : reach + 1]
    is_top = surface == ndimage.maximum_filter(surface, 3, mode="nearest")
    elsewhere = surface[is_top & (np.hypot(x, y) > _BASIN)]
    return max(0.0, float(elsewhere.max(initial=0.0)) / here)


def far_rival(registered: Plane, fixed: Plane, registered_valid: Mask, fixed_valid: Mask) -> float:
    """Compare every shift of the whole normalised image with none, at a coarse size: 1 means as good.

    Correlation over the pixels that both images have, by Fourier transforms (Padfield 2012), of shifts that keep a
    quarter of the pixels. It is infinite if nothing is here.
    """
    first, first_mask = _coarse(registered, registered_valid)
    second, second_mask = _coarse(fixed, fixed_valid)
    likeness = _masked_correlation(first, first_mask, second, second_mask)
    rows, columns = likeness.shape
    y = np.minimum(np.arange(rows), rows - np.arange(rows))[:, np.newaxis]
    x = np.minimum(np.arange(columns), columns - np.arange(columns))
    distance = np.hypot(x, y)
    here = float(likeness[distance <= 1].max())
    if here <= 0:
        return math.inf
    return max(0.0, float(likeness[distance > _COARSE_BASIN].max()) / here)


def _starts(length: int, block: int, reach: int) -> list[int]:
    last = length - block - reach
    if last < reach:
        return []
    count = min(_ACROSS, (last - reach) // (block // 2) + 1)
    return sorted({int(start) for start in np.linspace(reach, last, max(count, 1))})


def _correlation(window: Plane, template: Plane) -> Array:
    cv2 = opencv()

    likeness = np.asarray(cv2.matchTemplate(window, template, cv2.TM_CCOEFF_NORMED), np.float64)
    # A flat place has no correlation; rounding makes anything of it.
    likeness[~(np.abs(likeness) <= 1.001)] = 0.0
    if window.std() < 1e-3:
        likeness[:] = 0.0
    return likeness


def _top(values: Array, place: int) -> float:
    """Find the top of the parabola through the highest value and its neighbours."""
    if not 0 < place < len(values) - 1:
        return float(place)
    before, there, after = values[place - 1 : place + 2]
    bend = before - 2 * there + after  # the second difference; the top is where the slope it bends is 0
    return place + (float(np.clip(0.5 * (before - after) / bend, -0.5, 0.5)) if bend < 0 else 0.0)


def _coarse(image: Plane, valid: Mask) -> tuple[Plane, Plane]:
    cv2 = opencv()

    scale = min(1.0, _COARSE_SIDE / max(image.shape))
    size = (max(8, round(image.shape[1] * scale)), max(8, round(image.shape[0] * scale)))
    weight = cv2.resize(valid.astype(np.float32), size, interpolation=cv2.INTER_AREA)
    mask = (weight > 0.9).astype(np.float32)
    return cv2.resize(np.where(valid, image, np.float32(0)), size, interpolation=cv2.INTER_AREA) * mask, mask


def _masked_correlation(first: Plane, first_mask: Plane, second: Plane, second_mask: Plane) -> Array:
    from scipy import fft

    shape = [fft.next_fast_len(2 * length, real=True) for length in first.shape]

    def transform(values: Plane) -> Any:
        return fft.rfft2(values, shape)

    def correlate(one: Any, other: Any) -> Array:
        return np.asarray(fft.irfft2(np.conj(one) * other, shape), np.float64)

    one, one_mask, one_power = map(transform, (first, first_mask, first * first))
    other, other_mask, other_power = map(transform, (second, second_mask, second * second))
    # Padfield's masked correlation coefficient, without the terms of the means: they are near 0 after normalisation.
    pixels = correlate(one_mask, other_mask)
    power = np.maximum(correlate(one_power, other_mask), 0) * np.maximum(correlate(one_mask, other_power), 0)
    enough = (pixels >= _LEAST_COMMON * first_mask.sum()) & (power > 1e-4)
    return np.where(enough, correlate(one, other) / np.sqrt(np.where(enough, power, 1.0)), 0.0)


_LEAST_DOUBT = 0.05  # pixels: no place is found more exactly than this
_UNKNOWNS = 8  # of a homography


def corner_drift(places: Points, found: Points, matrix: Matrix, shape: tuple[int, int]) -> tuple[float, float]:
    """Measure how far off the corners are, by what the blocks found at their places, and how sure that is.

    Drift and doubt are pixels, means over the four corners: the distance between the corners now and after the
    correction that a homography fitted to the blocks would make, and its standard error; infinite if they do not
    determine one. The correction is linear in its eight parameters (a homography near the identity); errors of the
    blocks are taken as independent, with one standard deviation, estimated from what the fit leaves, of at least 0.05
    pixels.
    """
    if 2 * len(places) < 2 * _UNKNOWNS:
        return math.inf, math.inf
    centre, size = places.mean(axis=0), max(float(places.std()), 1.0)
    design = _linear_homography((places - centre) / size)
    if np.linalg.matrix_rank(design) < _UNKNOWNS:
        return math.inf, math.inf
    target = np.concatenate([found[:, 0], found[:, 1]])
    correction, *_ = np.linalg.lstsq(design, target, rcond=None)
    left = target - design @ correction
    deviation = max(math.sqrt(float(left @ left) / (len(target) - _UNKNOWNS)), _LEAST_DOUBT)
    covariance = np.linalg.inv(design.T @ design) * deviation**2
    at_corners = _linear_homography((map_points(matrix, corners(shape)) - centre) / size)
    moved = (at_corners @ correction).reshape(2, 4)
    # Of each coordinate of a corner, a C a^T with its row of derivatives a.
    variance = np.einsum("ij,jk,ik->i", at_corners, covariance, at_corners).reshape(2, 4).sum(axis=0)
    return float(np.hypot(*moved).mean()), float(np.sqrt(np.maximum(variance, 0)).mean())


def _linear_homography(points: Points) -> npt.NDArray[np.float64]:
    """Give the derivatives of moved points by the eight parameters of a homography near the identity."""
    x, y = points.T
    zero, one = np.zeros_like(x), np.ones_like(x)
    return np.concatenate(
        [
            np.stack([x, y, one, zero, zero, zero, -x * x, -x * y], axis=1),
            np.stack([zero, zero, zero, x, y, one, -x * y, -y * y], axis=1),
        ]
    )


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

SECOND_STILL, SECOND_MOVED = 0.15, 0.5
"""How much the second motion may explain, compared with the first: of a motion of nothing, and of any other.

Of what stands still less is allowed: it may be dirt on the lens, a caption or the pattern of the sensor."""

STILL = 2.0
"""Pixels: a matrix that moves no corner further moves nothing."""

CORNERS_OFF = 3.0
"""Pixels: how far off the corners may be, in the mean: the measured distance and two standard errors."""

PULLED, CORNERS_PULLED = 0.1, 1.0
"""From such a second motion on, the corners may be off by less, pixels: it pulls the blocks that measure them."""

_SMALLEST_AREA, _LARGEST_AREA = 1 / 25, 25.0


@dataclass(frozen=True)
class Evidence:
    """What the images say of a matrix.

    Overlap is the share of the smaller image, the ratio of areas that of the moved image to the one before, the shift
    that of the corner that moves most. Of the `blocks` with texture, some `found` something like them, and some of
    these `agree`: they found it where they are. `correlation` is their mean one with the fixed image there, `rival`
    that at the best other place over it (1 is as good). `second` is what a second motion explains of what the first
    leaves, over what the first explains; 0 where something else speaks against the matrix. `drift` is how far off the
    corners are in the mean, `doubt` its standard error, pixels.
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
    second: float = 0.0

    @property
    def share(self) -> float:
        """Share of the blocks that found anything which found it where they are, 0..1."""
        return self.agree / self.found if self.found else 0.0

    @property
    def corners_off(self) -> float:
        """Pixels: how far off the corners may be, the measured distance and two standard errors."""
        return self.drift + 2 * self.doubt

    def objection(self, options: Options) -> str:
        """Say in one sentence why the matrix cannot be accepted, or ""."""
        # A stiff transform misses a little of most motions, which is a remainder, but no second motion.
        is_free = options.transform in ("homography", "affine")
        return self._against_geometry(options) or self._against_images(is_free=is_free)

    def is_worth_a_second_look(self, options: Options) -> bool:
        """Tell whether nothing speaks against the matrix, but that it may be one motion of two."""
        return not replace(self, rival=0.0).objection(options)

    def row(self) -> dict[str, Any]:
        """Give the evidence as a flat dict; `second` only where there is a second motion to speak of."""
        told = {**asdict(self), "share": self.share}
        return told if self.second > PULLED else {name: told[name] for name in told if name != "second"}

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

    def _against_images(self, *, is_free: bool) -> str:
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
        if self.second > (SECOND_STILL if self.largest_shift <= STILL else SECOND_MOVED):
            return (
                "two motions were found through the same pixels, as of a scene behind a pattern that stands still: a "
                f"second one explains {self.second:.0%} as much as this one; which is the true one cannot be "
                "known."
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
        if is_free and self.second > PULLED and self.corners_off > CORNERS_PULLED:
            return (
                f"two motions were found through the same pixels: a second one explains {self.second:.0%} as much as "
                f"this one, and the corners may be off by {self.corners_off:.1f} pixels, more than {CORNERS_PULLED:g}."
            )
        return ""


@dataclass(frozen=True, eq=False)
class Judgement:
    """A matrix with its evidence, and where blocks of the moving image were found in the fixed one, in pixels."""

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
    """Gather the evidence for a matrix; without blocks if it throws the image out of the frame or turns it over."""
    options.steps.tick()
    shape = pair.moving.shape
    upright, area = is_convex(matrix, shape), area_ratio(matrix, shape)
    shift = float(corner_shifts(matrix, shape).max())
    nothing = np.zeros((0, 2))
    if not upright or not _SMALLEST_AREA <= area <= _LARGEST_AREA:
        empty = Evidence(0.0, area, upright, shift, 0, 0, 0, math.nan, math.inf, math.inf, math.inf)
        return Judgement(matrix, empty, nothing, nothing)
    view = options.steps.wait(partial(_View.of, pair, matrix))
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
    if evidence.is_worth_a_second_look(options):
        evidence = replace(evidence, second=second_motion(view.registered, view.fixed, view.valid))
        options.steps.tick()
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
    return (starts[seen] + 0.5) / view.scale - 0.5, (ends[seen] + 0.5) / view.scale - 0.5
