"""Methods by matched points: SIFT on equalised and on plain images, and on simulated views of a turned plane.

SIFT (Lowe 2004) with the square roots of its descriptors (Arandjelovic and Zisserman 2012), matches that pass the ratio
test, and a matrix by USAC with the scoring of MAGSAC++ (Barath et al. 2020).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import partial

import numpy as np
import numpy.typing as npt

from ..opencv import opencv
from .candidates import Candidate, Options
from .geometry import Matrix, Points, as_matrix, fit_matrix, map_points, resized_points, resizing
from .images import Bytes, Pair, Side, reduced

WORKING_PIXELS = 1_000_000
"""Larger images are matched at about this many pixels: matching needs no more, and its time is bounded."""

_RATIO = 0.8
_EQUALISED_POINTS = 3000
_PLAIN_POINTS = 8000

Descriptors = npt.NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class Found:
    """Key points ``(x, y)`` of one image in its own pixels, with the square roots of their SIFT descriptors."""

    points: Points
    descriptors: Descriptors


def propose_features(pair: Pair, options: Options) -> list[Candidate]:
    """Propose from SIFT: first on equalised images, then with all key points of the plain ones."""
    return [*propose_equalised(pair, options), *propose_plain(pair, options)]


def propose_equalised(pair: Pair, options: Options) -> list[Candidate]:
    """Propose from SIFT on images with equalised local contrast (CLAHE, limit 2, 8x8 tiles), the 3000 strongest."""
    return [_from_sift("sift-clahe", pair, options, equalised=True, count=_EQUALISED_POINTS)]


def propose_plain(pair: Pair, options: Options) -> list[Candidate]:
    """Propose from SIFT on the images as they are, with nearly all key points (the 8000 strongest)."""
    return [_from_sift("sift", pair, options, equalised=False, count=_PLAIN_POINTS)]


def detect(image: Bytes, *, equalised: bool, count: int) -> Found:
    """Find the strongest key points (0: all) of an image, equalised in local contrast or not, and describe them."""
    cv2 = opencv()

    if equalised:
        image = cv2.createCLAHE(2.0, (8, 8)).apply(image)
    # Without the precise upscaling, points are a quarter of a pixel off, each by its own scale.
    sift = cv2.SIFT_create(nfeatures=count, enable_precise_upscale=True)
    keys, descriptors = sift.detectAndCompute(image, None)
    points = np.array([key.pt for key in keys], np.float64).reshape(-1, 2)
    if descriptors is None:
        return Found(points, np.zeros((0, 128), np.float32))
    sums = np.maximum(descriptors.sum(axis=1, keepdims=True), 1e-6)
    return Found(points, np.sqrt(descriptors / sums))


def match(moving: Found, fixed: Found, *, ratio: float = _RATIO) -> npt.NDArray[np.int64]:
    """Match descriptors by the ratio test, one to one; give pairs of indices."""
    cv2 = opencv()

    if len(moving.points) < 2 or len(fixed.points) < 2:
        return np.zeros((0, 2), np.int64)
    pairs = cv2.BFMatcher(cv2.NORM_L2).knnMatch(moving.descriptors, fixed.descriptors, k=2)
    clear = [best for best, second in pairs if best.distance < ratio * second.distance]
    kept = [(best.queryIdx, best.trainIdx, best.distance) for best in clear]
    if not kept:
        return np.zeros((0, 2), np.int64)
    table = np.array(kept)
    # One to one: of several that name the same fixed point, the nearest.
    table = table[np.argsort(table[:, 2], kind="stable")]
    _, first = np.unique(table[:, 1], return_index=True)
    return table[np.sort(first), :2].astype(np.int64)


def candidate_of(
    name: str,
    points: tuple[Points, Points],
    scales: tuple[float, float],
    pair: Pair,
    options: Options,
) -> Candidate:
    """Fit a matrix to matched points at working sizes; `scales` are these over the full sizes."""
    starts, ends = points
    kept = _in_known(pair.moving, starts, scales[0]) & _in_known(pair.fixed, ends, scales[1])
    starts, ends = starts[kept], ends[kept]
    fit = fit_matrix(starts, ends, options.transform, seed=options.seed)
    return Candidate.of_points(name, starts, ends, fit, scales)


def working_size(image: Bytes, pixels: int = WORKING_PIXELS) -> tuple[Bytes, float]:
    """Bring an image down to about a number of pixels; give it with its side over the side before."""
    scale = min(1.0, math.sqrt(pixels / image.size))
    if scale > 0.9:
        return image, 1.0
    return reduced(image, scale), scale


def detect_once(side: Side, *, equalised: bool, count: int) -> tuple[Found, float]:
    """Find an image's key points at its working size, or recall them; see `detect`."""
    key = ("key points", equalised, count)
    if key not in side.memory:
        image, scale = working_size(side.bytes)
        side.memory[key] = detect(image, equalised=equalised, count=count), scale
    found: tuple[Found, float] = side.memory[key]
    return found


def _from_sift(name: str, pair: Pair, options: Options, *, equalised: bool, count: int) -> Candidate:
    sides = [
        options.steps.wait(partial(detect_once, side, equalised=equalised, count=count))
        for side in (pair.moving, pair.fixed)
    ]
    (moving, moving_scale), (fixed, fixed_scale) = sides
    indices = options.steps.wait(partial(match, moving, fixed))
    points = moving.points[indices[:, 0]], fixed.points[indices[:, 1]]
    return candidate_of(name, points, (moving_scale, fixed_scale), pair, options)


def _in_known(side: Side, points: Points, scale: float) -> npt.NDArray[np.bool_]:
    if side.known.all():
        return np.ones(len(points), bool)
    places = np.rint(resized_points(points, 1 / scale)).astype(int)
    columns, rows = (np.clip(places[:, axis], 0, side.shape[1 - axis] - 1) for axis in (0, 1))
    return np.asarray(side.known[rows, columns])


_TILTS = (2.0, 3.0)
_TURN = 72.0  # degrees between two views at tilt 1; divided by the tilt
_VIEW_POINTS = 500
_POINTS_OF_A_VIEW = 1500
_VIEWED_PIXELS = 270_000
_GATE = 0.12  # of the longer side: how far a point may still be from its match once the images are nearly aligned
_NEARLY_POINTS = 3000


def propose_views(pair: Pair, options: Options) -> list[Candidate]:
    """Propose from simulated views of each image against the other."""
    (moving, moving_scale), (fixed, fixed_scale) = (
        options.steps.wait(partial(_viewed, side)) for side in (pair.moving, pair.fixed)
    )
    plain = [options.steps.wait(partial(_plain, image)) for image in (moving, fixed)]
    indices = options.steps.wait(partial(match, *plain))
    starts, ends = [plain[0].points[indices[:, 0]]], [plain[1].points[indices[:, 1]]]
    views = [(tilt, float(turn)) for tilt in _TILTS for turn in np.arange(0.0, 180.0, _TURN / tilt)]
    for number, (tilt, turn) in enumerate(views):
        for image, other, here, there in ((moving, plain[1], starts, ends), (fixed, plain[0], ends, starts)):
            found = options.steps.wait(partial(_of_view, image, tilt, turn))
            indices = options.steps.wait(partial(match, found, other))
            here.append(found.points[indices[:, 0]])
            there.append(other.points[indices[:, 1]])
        options.steps.reach((number + 1) / len(views))
    points = np.concatenate(starts), np.concatenate(ends)
    return [candidate_of("sift-views", points, (moving_scale, fixed_scale), pair, options)]


def _viewed(side: Side) -> tuple[Bytes, float]:
    return working_size(side.bytes, _VIEWED_PIXELS)


def match_again(pair: Pair, candidate: Candidate, options: Options) -> Candidate:
    """Match the fixed image with the moving one as a candidate registers it; drop points far from their matches."""
    cv2 = opencv()

    name = candidate.method.removesuffix("+again") + "+again"
    if candidate.matrix is None:
        return candidate
    fixed, scale = options.steps.wait(lambda: working_size(pair.fixed.bytes))
    seen: Matrix = resizing(scale) @ candidate.matrix

    def points() -> tuple[Points, Points]:
        registered = cv2.warpPerspective(
            pair.moving.bytes, seen, fixed.shape[::-1], flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE
        )
        first = detect(registered, equalised=False, count=_NEARLY_POINTS)
        second, _ = detect_once(pair.fixed, equalised=False, count=_NEARLY_POINTS)
        indices = match(first, second)
        starts, ends = first.points[indices[:, 0]], second.points[indices[:, 1]]
        near = np.hypot(*(starts - ends).T) <= _GATE * max(fixed.shape)
        return starts[near], ends[near]

    starts, ends = options.steps.wait(points)
    starts = map_points(as_matrix(np.linalg.inv(seen)), starts)
    height, width = pair.moving.shape
    inside = np.isfinite(starts).all(axis=1) & ((starts >= 0) & (starts <= (width - 1, height - 1))).all(axis=1)
    return candidate_of(name, (starts[inside], ends[inside]), (1.0, scale), pair, options)


def _plain(image: Bytes) -> Found:
    return detect(image, equalised=False, count=_POINTS_OF_A_VIEW)


def _of_view(image: Bytes, tilt: float, turn: float) -> Found:
    view, back = _view(image, tilt, turn)
    found = detect(view, equalised=False, count=_VIEW_POINTS)
    points = map_points(back, found.points)
    height, width = image.shape
    inside = ((points >= 0) & (points <= (width - 1, height - 1))).all(axis=1)
    return Found(points[inside], found.descriptors[inside])


def _view(image: Bytes, tilt: float, turn: float) -> tuple[Bytes, Matrix]:
    """Turn an image by degrees and squeeze it sideways by the tilt; give it with the matrix back."""
    cv2 = opencv()

    height, width = image.shape
    angle = math.radians(turn)
    rotation = np.array([(math.cos(angle), -math.sin(angle)), (math.sin(angle), math.cos(angle))])
    ends = np.array([(0, 0), (width - 1, 0), (width - 1, height - 1), (0, height - 1)]) @ rotation.T
    matrix = np.eye(3)
    matrix[:2, :2], matrix[:2, 2] = rotation, -ends.min(axis=0)
    across, down = (math.ceil(length) + 1 for length in np.ptp(ends, axis=0))
    turned = cv2.warpAffine(image, matrix[:2], (across, down), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    # What a squeeze needs so that nothing aliases, an image being itself blurred by nearly a pixel.
    turned = cv2.GaussianBlur(turned, (0, 0), sigmaX=0.8 * math.sqrt(tilt**2 - 1), sigmaY=0.01)
    squeeze = np.diag([1 / tilt, 1.0, 1.0])
    narrow = (max(1, int(across / tilt)), down)
    view: Bytes = cv2.warpAffine(turned, squeeze[:2], narrow, flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    return view, as_matrix(np.linalg.inv(squeeze @ matrix))
