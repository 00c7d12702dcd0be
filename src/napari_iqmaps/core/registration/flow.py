"""Candidates from dense optical flow (DIS, Kroeger et al. 2016): for small motions, and fast."""

from __future__ import annotations

import math

import numpy as np

from ..opencv import opencv
from .candidates import Candidate, Options
from .fitting import fit_matrix
from .geometry import scaled
from .images import Bytes, Pair

_STEP = 8  # pixels between the points that are taken from the flow
_RETURNS = 1.0  # pixels: how near to its start a point must come back by the flow the other way
_CLOSE = 1.5
_TEXTURE = 4.0  # grey levels per pixel: a point on a flat place has no flow of its own
_LONGEST = 640
_FEWEST = 8


def propose(pair: Pair, options: Options) -> list[Candidate]:
    """Propose what the flow's points agree on.

    Parameters
    ----------
    pair : Pair
        The images.
    options : Options
        Transform, seed, progress.

    Returns
    -------
    list of Candidate
        One; without a matrix where too few points of the flow come back to where they started.
    """
    cv2 = opencv()

    longest = max(*pair.moving.shape, *pair.fixed.shape)
    scale = min(1.0, _LONGEST / longest)
    moving, fixed = (_equalised(side.bytes, scale) for side in (pair.moving, pair.fixed))
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
    if fit.matrix is None:
        return [Candidate("flow", None, fit.reason, 0, len(starts))]
    agree = fit.inliers
    return [
        Candidate(
            "flow",
            scaled(fit.matrix, 1 / scale, 1 / scale),
            inliers=int(agree.sum()),
            n_matches=len(starts),
            moving_points=(starts[agree] + 0.5) / scale - 0.5,
            fixed_points=(ends[agree] + 0.5) / scale - 0.5,
        )
    ]


def _equalised(image: Bytes, scale: float) -> Bytes:
    cv2 = opencv()

    if scale < 1:
        matrix = np.array([(scale, 0, 0.5 * scale - 0.5), (0, scale, 0.5 * scale - 0.5)])
        size = (max(1, round(image.shape[1] * scale)), max(1, round(image.shape[0] * scale)))
        image = cv2.GaussianBlur(image, (0, 0), 0.5 * math.sqrt(1 / scale**2 - 1))
        image = cv2.warpAffine(image, matrix, size, flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    return np.asarray(cv2.createCLAHE(2.0, (8, 8)).apply(image))


def _full(places: np.ndarray, scale: float, length: int) -> np.ndarray:
    return np.asarray(np.clip(np.rint((places + 0.5) / scale - 0.5).astype(int), 0, length - 1))
