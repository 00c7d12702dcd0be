"""Candidates for a strong change of viewpoint: SIFT on simulated views, and again once images are nearly aligned.

Views are simulated as ASIFT does (Morel and Yu 2009), but of one image at a time, against the other as it is, and at
two tilts: a change of viewpoint squeezes either one or the other.
"""

from __future__ import annotations

import math
from functools import partial

import numpy as np

from ..opencv import opencv
from .candidates import Candidate, Options
from .features import Found, candidate_of, detect, detect_once, match, working_size
from .geometry import Matrix, Points, as_matrix, map_points
from .images import Bytes, Pair

_TILTS = (2.0, 3.0)
_TURN = 72.0  # degrees between two views at tilt 1; divided by the tilt
_VIEW_POINTS = 500
_PLAIN_POINTS = 1500
_VIEWED_PIXELS = 270_000
_GATE = 0.12  # of the longer side: how far a point may still be from its match once the images are nearly aligned
_NEARLY_POINTS = 3000


def propose(pair: Pair, options: Options) -> list[Candidate]:
    """Propose from simulated views of each image against the other.

    Parameters
    ----------
    pair : Pair
        The images.
    options : Options
        Transform, seed, progress.

    Returns
    -------
    list of Candidate
        One; without a matrix where points are too few.
    """
    moving, moving_scale = working_size(pair.moving.bytes, _VIEWED_PIXELS)
    fixed, fixed_scale = working_size(pair.fixed.bytes, _VIEWED_PIXELS)
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


def match_again(pair: Pair, candidate: Candidate, options: Options) -> Candidate:
    """Match once more, between the fixed image and the moving one as a candidate registers it.

    Parameters
    ----------
    pair : Pair
        The images.
    candidate : Candidate
        With a matrix that is nearly right.
    options : Options
        Transform, seed, progress.

    Returns
    -------
    Candidate
        From points that lie near their matches; without a matrix where they are too few.
    """
    cv2 = opencv()

    name = candidate.method.removesuffix("+again") + "+again"
    if candidate.matrix is None:
        return candidate
    matrix = candidate.matrix
    fixed, scale = working_size(pair.fixed.bytes)
    shrink = np.array([(scale, 0, 0.5 * scale - 0.5), (0, scale, 0.5 * scale - 0.5), (0, 0, 1.0)])
    seen: Matrix = shrink @ matrix
    registered = cv2.warpPerspective(
        pair.moving.bytes, seen, fixed.shape[::-1], flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE
    )

    def points() -> tuple[Points, Points]:
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
    return detect(image, equalised=False, count=_PLAIN_POINTS)


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
