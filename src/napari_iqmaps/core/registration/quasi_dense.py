"""Matches on a grid over the whole image, from dense optical flow that agrees with itself in both directions."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from ..errors import InputError
from ..images import DataRange
from ..opencv import opencv
from ..progress import Progress, Steps
from .images import Bytes, Pair, as_pair
from .matches import MatchTable

Plane = npt.NDArray[np.float32]

_CLAHE_CLIP = 2.0
_CLAHE_TILES = (8, 8)
_WINDOW = 15
"""Pixels to a side in which two patches are compared."""

_FLAT = 2.0
"""Standard deviation, grey levels, under which a patch shows nothing to match."""


def quasi_dense_matches(
    moving: Any,
    fixed: Any,
    *,
    step: int = 8,
    max_inconsistency: float = 1.0,
    min_score: float = 0.5,
    data_range: DataRange = None,
    channel_axis: int | None = None,
    progress: Progress | None = None,
) -> MatchTable:
    """Match two images at every few pixels, without features: for small motions (up to about a tenth of the side).

    Parameters
    ----------
    moving, fixed : array_like
        One plane each, at least 16 pixels to a side; sizes may differ.
    step : int
        Pixels between neighbouring points of the moving image, 1 or more.
    max_inconsistency : float
        How many pixels from its start a point may come back, when it is followed to the fixed image and back.
    min_score : float
        The least correlation of the two patches (15 x 15 pixels), -1 .. 1.
    data_range : float or (float, float), optional
        See `napari_iqmaps.core.images.as_planes`; for both images.
    channel_axis : int, optional
        The axis of the colours in those images that have three axes.
    progress : callable, optional
        Called as ``progress(done, total)``; may raise `Cancelled`.

    Returns
    -------
    MatchTable
        In the columns of DeepMatching; the score is the correlation of the patches. Empty where nothing agrees, as
        between images of different things.

    Raises
    ------
    InputError
        If an image is none, or an option is unusable.

    Notes
    -----
    The flow is DIS (dense inverse search, Kroeger et al., ECCV 2016), as OpenCV has it, on images whose contrast was
    equalised locally, so that a change of lighting does not count as motion.
    """
    if isinstance(step, bool) or not isinstance(step, int | np.integer) or step < 1:
        raise InputError(f"step is {step!r}; give a whole number of pixels, 1 or more.")
    if not max_inconsistency > 0:
        raise InputError(f"max_inconsistency is {max_inconsistency!r}; give pixels, more than 0.")
    pair = as_pair(moving, fixed, data_range=data_range, channel_axis=channel_axis)
    return match_pair(
        pair, step=int(step), max_inconsistency=max_inconsistency, min_score=min_score, steps=Steps(progress)
    )


def match_pair(pair: Pair, *, step: int, max_inconsistency: float, min_score: float, steps: Steps) -> MatchTable:
    """Match a checked pair; see `quasi_dense_matches`."""
    moving, fixed = steps.wait(lambda: _equalised(pair))
    steps.reach(0.1)
    forward = steps.wait(lambda: _flow(moving, fixed))
    steps.reach(0.5)
    backward = steps.wait(lambda: _flow(fixed, moving))
    steps.reach(0.9)
    height, width = pair.moving.shape
    rows = np.arange(min(step // 2, height - 1), height, step)
    columns = np.arange(min(step // 2, width - 1), width, step)
    x, y = (grid.ravel() for grid in np.meshgrid(columns, rows))
    start = np.stack([x, y], axis=1).astype(np.float64)
    end = start + forward[y, x]
    score = steps.wait(lambda: _correlation(moving, fixed, forward))[y, x]
    inside = (end >= 0).all(axis=1) & (end[:, 0] <= pair.fixed.shape[1] - 1) & (end[:, 1] <= pair.fixed.shape[0] - 1)
    returned = end + _sampled(backward, end)
    agrees = np.hypot(*(returned - start).T) <= max_inconsistency
    nearest = np.clip(np.rint(end).astype(int), 0, np.array(pair.fixed.shape[::-1]) - 1)
    known = pair.moving.known[y, x] & pair.fixed.known[nearest[:, 1], nearest[:, 0]]
    keep = inside & agrees & known & (score >= min_score)
    steps.reach(1.0)
    return MatchTable.of(
        start[keep],
        end[keep],
        moving_shape=pair.moving.shape,
        fixed_shape=pair.fixed.shape,
        score=score[keep],
    )


def _equalised(pair: Pair) -> tuple[Bytes, Bytes]:
    """Equalise the contrast of both locally, and give both one size: flow needs it. What is added is the last pixel."""
    cv2 = opencv()
    height, width = (max(sides) for sides in zip(pair.moving.shape, pair.fixed.shape, strict=True))
    clahe = cv2.createCLAHE(clipLimit=_CLAHE_CLIP, tileGridSize=_CLAHE_TILES)
    images = []
    for side in (pair.moving, pair.fixed):
        missing = height - side.shape[0], width - side.shape[1]
        images.append(np.pad(clahe.apply(side.bytes), [(0, missing[0]), (0, missing[1])], mode="edge"))
    return images[0], images[1]


def _flow(start: Bytes, end: Bytes) -> Plane:
    cv2 = opencv()
    flow: Plane = cv2.DISOpticalFlow_create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM).calc(start, end, None)
    return flow


def _sampled(flow: Plane, points: npt.NDArray[np.float64]) -> Plane:
    cv2 = opencv()
    if not len(points):
        return np.zeros((0, 2), np.float32)
    # In chunks of one row each: OpenCV counts the pixels along a side in 16 bits.
    parts = [
        cv2.remap(
            flow, chunk[:, np.newaxis].astype(np.float32), None, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE
        )
        for chunk in np.array_split(points, len(points) // 16384 + 1)
    ]
    return np.concatenate(parts)[:, 0]


def _correlation(moving: Bytes, fixed: Bytes, flow: Plane) -> Plane:
    """Correlate the patch around every pixel with the patch that the flow leads to; 0 where either is flat."""
    cv2 = opencv()
    rows, columns = np.indices(moving.shape, dtype=np.float32)
    first = moving.astype(np.float32)
    second = cv2.remap(
        fixed.astype(np.float32), columns + flow[..., 0], rows + flow[..., 1], cv2.INTER_LINEAR,
        borderMode=cv2.BORDER_REPLICATE,
    )  # fmt: skip

    def mean(values: Plane) -> Plane:
        blurred: Plane = cv2.blur(values, (_WINDOW, _WINDOW), borderType=cv2.BORDER_REFLECT)
        return blurred

    averages = mean(first), mean(second)
    variances = [mean(image * image) - average**2 for image, average in zip((first, second), averages, strict=True)]
    covariance = mean(first * second) - averages[0] * averages[1]
    shown = (variances[0] > _FLAT**2) & (variances[1] > _FLAT**2)
    result = np.zeros_like(covariance)
    np.divide(covariance, np.sqrt(np.maximum(variances[0] * variances[1], 1e-6)), out=result, where=shown)
    return result
