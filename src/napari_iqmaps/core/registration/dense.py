"""Methods that look at all pixels: ECC, which also refines any matrix, optical flow, and phase correlation.

The measure and its iteration are those of Evangelidis and Psarakis (2008), by OpenCV; its own matrix runs from fixed to
moving, the inverse of this package's.
"""

from __future__ import annotations

import math
from functools import partial

import numpy as np
import numpy.typing as npt

from ..diffdiff.lighting import evened
from ..opencv import opencv
from ..progress import Steps
from .candidates import Candidate, Options
from .geometry import Matrix, as_matrix, corner_error, fit_matrix, identity, resizing, scaled
from .images import Bytes, Mask, Pair, Plane, Side, reduced
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
    """Take out of an image what light does: the local mean, and the local contrast, the floor added in squares."""
    cv2 = opencv()

    centred = plane - cv2.GaussianBlur(plane, (0, 0), window)
    power = cv2.GaussianBlur(centred * centred, (0, 0), window)
    result: Plane = centred / np.sqrt(power + np.float32(floor * floor))
    return result


def propose_ecc(pair: Pair, options: Options) -> list[Candidate]:
    """Propose what enhanced correlation finds from the identity, coarse to fine."""
    levels = pyramid_depth(pair)
    matrix = refine(pair, identity(), options, start=levels)
    if matrix is None:
        return [Candidate("ecc", None, "enhanced correlation did not converge from the identity", refine=False)]
    return [Candidate("ecc", matrix, refine=False)]


def pyramid_depth(pair: Pair) -> int:
    """Count how many times both images can be halved; the shorter side stays at 48 pixels or more."""
    side = min(*pair.moving.shape, *pair.fixed.shape)
    return max(0, int(math.log2(max(1.0, side / _COARSEST_SIDE))))


def refine(pair: Pair, matrix: Matrix, options: Options, *, start: int = 1) -> Matrix | None:
    """Refine a matrix from images that are halved `start` times to the finest; None if the iteration lost them."""
    finest = min(1.0, math.sqrt(FINEST_PIXELS / max(pair.moving.plane.size, pair.fixed.plane.size)))
    for level in range(min(start, pyramid_depth(pair)), -1, -1):
        found = _at_scale(pair, matrix, finest / 2**level, options)
        if found is None:
            return None
        matrix = found
    return matrix


def _at_scale(pair: Pair, matrix: Matrix, scale: float, options: Options) -> Matrix | None:
    (moving, moving_known), (fixed, fixed_known) = (
        options.steps.wait(partial(_normalised, side, scale)) for side in (pair.moving, pair.fixed)
    )
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


def _normalised(side: Side, scale: float) -> tuple[Plane, Mask]:
    plane, known = resized(side, scale)
    return normalise(plane), known


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
    """Resize an image by one factor for both directions, once; give it and where it is known."""
    if scale == 1.0:
        return side.stretched, side.known
    key = ("resized", scale)
    if key not in side.memory:
        side.memory[key] = _resized(side, scale)
    found: tuple[Plane, Mask] = side.memory[key]
    return found


def _resized(side: Side, scale: float) -> tuple[Plane, Mask]:
    cv2 = opencv()
    plane = reduced(side.stretched, scale, least=8)
    if side.known.all():
        return plane, np.ones(plane.shape, bool)
    matrix, size = resizing(scale)[:2], plane.shape[::-1]
    share = cv2.warpAffine(side.known.astype(np.float32), matrix, size, flags=cv2.INTER_LINEAR)
    return plane, np.asarray(share > 0.99)


_STEP = 8  # pixels between the points that are taken from the flow
_RETURNS = 1.0  # pixels: how near to its start a point must come back by the flow the other way
_CLOSE = 1.5
_TEXTURE = 4.0  # grey levels per pixel: a point on a flat place has no flow of its own
_LONGEST = 640
_FEWEST = 8


def propose_flow(pair: Pair, options: Options) -> list[Candidate]:
    """Propose what the points of the flow agree on that come back to their start."""
    cv2 = opencv()

    longest = max(*pair.moving.shape, *pair.fixed.shape)
    scale = min(1.0, _LONGEST / longest)
    moving, fixed = (options.steps.wait(partial(_equalised, side, scale)) for side in (pair.moving, pair.fixed))
    # The flow needs one size; what one image has more is left out on the right and below.
    height, width = (min(a, b) for a, b in zip(moving.shape, fixed.shape, strict=True))
    moving, fixed = (np.ascontiguousarray(image[:height, :width]) for image in (moving, fixed))
    if min(height, width) < 4 * _STEP:
        return [Candidate("flow", None, f"the images have only {height}x{width} pixels in common for the flow", 0, 0)]

    def flow() -> tuple[np.ndarray, np.ndarray]:
        dis = cv2.DISOpticalFlow_create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)
        return dis.calc(moving, fixed, None), dis.calc(fixed, moving, None)

    there, back = options.steps.wait(flow)
    y, x = (axis.ravel() for axis in np.mgrid[_STEP // 2 : height : _STEP, _STEP // 2 : width : _STEP])
    starts = np.column_stack([x, y]).astype(np.float64)
    ends = starts + there[y, x]
    landed = np.rint(ends).astype(int)
    inside = ((landed >= 0) & (landed < (width, height))).all(axis=1)
    landed = np.clip(landed, 0, (width - 1, height - 1))
    gap = there[y, x] + back[landed[:, 1], landed[:, 0]]
    slope = np.hypot(cv2.Sobel(moving, cv2.CV_32F, 1, 0), cv2.Sobel(moving, cv2.CV_32F, 0, 1)) / 8
    textured = cv2.boxFilter(slope, -1, (9, 9))[y, x] > _TEXTURE
    known = pair.moving.known[_full(y, scale, pair.moving.shape[0]), _full(x, scale, pair.moving.shape[1])]
    kept = inside & textured & known & (np.hypot(gap[:, 0], gap[:, 1]) < _RETURNS)
    starts, ends = starts[kept], ends[kept]
    if len(starts) < _FEWEST:
        reason = f"only {len(starts)} points of the flow come back to their start"
        return [Candidate("flow", None, reason, 0, len(starts))]
    fit = fit_matrix(starts, ends, options.transform, threshold=_CLOSE, seed=options.seed)
    return [Candidate.of_points("flow", starts, ends, fit, (scale, scale))]


def _equalised(side: Side, scale: float) -> Bytes:
    cv2 = opencv()

    image = reduced(side.bytes, scale) if scale < 1 else side.bytes
    return np.asarray(cv2.createCLAHE(2.0, (8, 8)).apply(image))


def _full(places: np.ndarray, scale: float, length: int) -> np.ndarray:
    return np.asarray(np.clip(np.rint((places + 0.5) / scale - 0.5).astype(int), 0, length - 1))


_WORKING_SIDE = 1024
"""Pixels to the longer side, above which images are reduced: a shift needs no more."""

_WEAKEST = 0.03
_CHANCE = 12.0
"""Response of the peak, 0..1, under which it stands for noise, and that times the side of the image in pixels: the
smaller the images, the higher the peaks that chance makes. Different photographs of 512 pixels give .00 to .02."""


def propose_phase(pair: Pair, options: Options) -> list[Candidate]:
    """Propose the shift of the highest peak of the phase correlation.

    The images are evened in light and contrast first, and faded out towards the frame (a Hanning window), which
    otherwise correlates with itself at a shift of 0. OpenCV finds the place of the peak to a part of a pixel.
    """
    moving, fixed, scale = options.steps.wait(partial(_prepared, pair))
    options.steps.reach(0.2)
    (dx, dy), response = options.steps.wait(lambda: _correlate(moving, fixed))
    options.steps.reach(1.0)
    info = {"response": response}
    needed = max(_WEAKEST, _CHANCE / moving.size**0.5)
    if not response >= needed:
        reason = (
            f"the peak of the phase correlation is no more than noise (response {response:.3f}, {needed:.3f} needed)"
        )
        return [Candidate("phase", None, reason=reason, info=info)]
    matrix = np.eye(3)
    matrix[:2, 2] = dx / scale, dy / scale
    return [Candidate("phase", matrix, info=info)]


def _prepared(pair: Pair) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float32], float]:
    import cv2

    height, width = (max(sides) for sides in zip(pair.moving.shape, pair.fixed.shape, strict=True))
    scale = min(1.0, _WORKING_SIDE / max(height, width))
    even = evened(pair.moving.plane, pair.fixed.plane, "local")
    images = []
    for plane in even:
        grown = np.pad(plane, [(0, height - plane.shape[0]), (0, width - plane.shape[1])])
        if scale < 1:
            grown = np.asarray(cv2.resize(grown, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA), np.float32)
        images.append(grown)
    return images[0], images[1], scale


def _correlate(moving: npt.NDArray[np.float32], fixed: npt.NDArray[np.float32]) -> tuple[tuple[float, float], float]:
    """Give the shift ``(x, y)`` from moving to fixed, and the peak's response."""
    import cv2

    window = cv2.createHanningWindow((moving.shape[1], moving.shape[0]), cv2.CV_32F)
    (dx, dy), response = cv2.phaseCorrelate(moving, fixed, window)
    return (float(dx), float(dy)), float(response)
