"""Refine a matrix on the images themselves: enhanced correlation of locally normalised images, coarse to fine.

The measure and its iteration are those of Evangelidis and Psarakis (2008), by OpenCV; its own matrix runs from fixed to
moving, the inverse of this package's.
"""

from __future__ import annotations

import math
from functools import partial

import numpy as np

from ..opencv import opencv
from ..progress import Steps
from .candidates import Candidate, Options
from .geometry import Matrix, as_matrix, corner_error, identity, scaled
from .images import Mask, Pair, Plane, Side
from .warp import valid_pixels

FINEST_PIXELS = 2_300_000
"""Larger images are refined at about this many pixels."""

_COARSEST_SIDE = 48
_MARGIN, _MOST = 8, 8  # pixels at the sides that are not compared, and at most this part of the shorter side: near its
# border the window sees other surroundings in each image, which shows as a motion of its own
_WINDOW = 8.0  # pixels: standard deviation of the window that means and contrasts are taken over
_FLOOR = 8.0  # grey levels: contrast below which a place is noise, not to be blown up
_ITERATIONS = 40
_CHUNK = 5
_STILL = 1e-3  # pixels: a step of the corners below which the iteration stands still
_PATIENCE, _SLOW = 2, 0.7  # after so many short runs, a step that has hardly shrunk will not: there is no optimum near
_SMOOTHING = 5  # pixels: the window by which OpenCV smooths both images


def normalise(plane: Plane, *, window: float = _WINDOW, floor: float = _FLOOR) -> Plane:
    """Take out of an image what light does: the local mean, and the local contrast.

    Parameters
    ----------
    plane : numpy.ndarray
        float32, shape ``(height, width)``, finite.
    window : float
        Standard deviation of the Gaussian window in pixels.
    floor : float
        Grey levels added (in squares) to the local standard deviation.

    Returns
    -------
    numpy.ndarray
        float32, the same shape, local mean 0, local standard deviation up to 1.
    """
    cv2 = opencv()

    centred = plane - cv2.GaussianBlur(plane, (0, 0), window)
    power = cv2.GaussianBlur(centred * centred, (0, 0), window)
    result: Plane = centred / np.sqrt(power + np.float32(floor * floor))
    return result


def propose(pair: Pair, options: Options) -> list[Candidate]:
    """Propose what enhanced correlation finds from the identity, coarse to fine.

    Parameters
    ----------
    pair : Pair
        The images.
    options : Options
        Transform and progress.

    Returns
    -------
    list of Candidate
        One; without a matrix where the iteration lost the images.
    """
    levels = pyramid_depth(pair)
    matrix = refine(pair, identity(), options, start=levels)
    if matrix is None:
        return [Candidate("ecc", None, "enhanced correlation did not converge from the identity", refine=False)]
    return [Candidate("ecc", matrix, refine=False)]


def pyramid_depth(pair: Pair) -> int:
    """Count how many times both images can be halved.

    Parameters
    ----------
    pair : Pair
        The images.

    Returns
    -------
    int
        0 for images that are small already; the shorter side stays at 48 pixels or more.
    """
    side = min(*pair.moving.shape, *pair.fixed.shape)
    return max(0, int(math.log2(max(1.0, side / _COARSEST_SIDE))))


def refine(pair: Pair, matrix: Matrix, options: Options, *, start: int = 1) -> Matrix | None:
    """Refine a matrix from a coarse level of the images to the finest.

    Parameters
    ----------
    pair : Pair
        The images.
    matrix : numpy.ndarray
        Where to begin, moving to fixed.
    options : Options
        Transform and progress.
    start : int
        How many times the images are halved at the coarsest level; 0 begins at the finest.

    Returns
    -------
    numpy.ndarray or None
        The refined matrix; None if the iteration lost the images.
    """
    finest = min(1.0, math.sqrt(FINEST_PIXELS / max(pair.moving.plane.size, pair.fixed.plane.size)))
    for level in range(min(start, pyramid_depth(pair)), -1, -1):
        found = _at_scale(pair, matrix, finest / 2**level, options)
        if found is None:
            return None
        matrix = found
    return matrix


def _at_scale(pair: Pair, matrix: Matrix, scale: float, options: Options) -> Matrix | None:
    moving, moving_known = resized(pair.moving, scale)
    fixed, fixed_known = resized(pair.fixed, scale)
    moving, fixed = normalise(moving), normalise(fixed)
    current = scaled(matrix, scale, scale)
    overlap = valid_pixels(current, moving.shape, fixed.shape) & fixed_known
    if overlap.sum() < 64:
        return None
    margin = min(_MARGIN, min(*moving.shape, *fixed.shape) // _MOST)
    inner = slice(margin, -margin or None)
    known = np.zeros_like(moving_known)
    known[inner, inner] = moving_known[inner, inner]
    part = np.ascontiguousarray(fixed[inner, inner])
    found = _iterate(moving, part, _moved(current, -margin), known, options.transform, options.steps)
    if found is None:
        return None
    return scaled(_moved(found, margin), 1 / scale, 1 / scale)


def _moved(matrix: Matrix, pixels: int) -> Matrix:
    """Restate a matrix for a fixed grid whose origin lies elsewhere, by so many pixels along both axes."""
    origin = identity()
    origin[:2, 2] = pixels
    return as_matrix(origin @ matrix)


def _iterate(moving: Plane, fixed: Plane, matrix: Matrix, known: Mask, transform: str, steps: Steps) -> Matrix | None:
    """Run the iteration in short runs, so that it can be cancelled between them."""
    cv2 = opencv()

    motions = {
        "homography": cv2.MOTION_HOMOGRAPHY,
        "affine": cv2.MOTION_AFFINE,
        "euclidean": cv2.MOTION_EUCLIDEAN,
        "translation": cv2.MOTION_TRANSLATION,
    }
    mask = known.astype(np.uint8) * 255
    criteria = (cv2.TERM_CRITERIA_COUNT | cv2.TERM_CRITERIA_EPS, _CHUNK, 1e-7)
    before = math.inf
    for number in range(_ITERATIONS // _CHUNK):
        warp = np.asarray(as_matrix(np.linalg.inv(matrix)), np.float32)
        begin = warp if transform == "homography" else warp[:2].copy()
        try:
            run = partial(cv2.findTransformECC, fixed, moving, begin, motions[transform], criteria, mask, _SMOOTHING)
            _, found = steps.wait(run)
            following = as_matrix(np.linalg.inv(as_matrix(found)))
        except (cv2.error, ValueError, np.linalg.LinAlgError):
            return None
        steps.tick()
        moved = corner_error(following, matrix, moving.shape)
        matrix = following
        if not math.isfinite(moved):
            return None
        if moved < _STILL or (number >= _PATIENCE and moved > _SLOW * before):
            break
        before = moved
    return matrix


def resized(side: Side, scale: float) -> tuple[Plane, Mask]:
    """Resize an image by one factor for both directions, averaging pixels before they are dropped.

    Parameters
    ----------
    side : Side
        The image; its stretched plane is taken.
    scale : float
        At most 1.

    Returns
    -------
    plane, known : numpy.ndarray
        float32 and bool, one shape.
    """
    cv2 = opencv()

    if scale == 1.0:
        return side.stretched, side.known
    height, width = side.shape
    size = (max(8, round(width * scale)), max(8, round(height * scale)))
    matrix = np.array([(scale, 0, 0.5 * scale - 0.5), (0, scale, 0.5 * scale - 0.5)])
    smooth = cv2.GaussianBlur(side.stretched, (0, 0), 0.5 * math.sqrt(1 / scale**2 - 1))
    plane = cv2.warpAffine(smooth, matrix, size, flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    if side.known.all():
        return plane, np.ones(plane.shape, bool)
    share = cv2.warpAffine(side.known.astype(np.float32), matrix, size, flags=cv2.INTER_LINEAR)
    return plane, np.asarray(share > 0.99)
