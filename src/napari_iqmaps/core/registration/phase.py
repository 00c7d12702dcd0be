"""A shift found by phase correlation: the peak of the correlation of two images whose spectra have been whitened."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from ..diffdiff.lighting import evened
from .candidates import Candidate, Options
from .images import Pair

_WORKING_SIDE = 1024
"""Pixels to the longer side, above which images are reduced: a shift needs no more."""

_WEAKEST = 0.03
_CHANCE = 12.0
"""Response of the peak, 0..1, under which it stands for noise, and that times the side of the image in pixels: the
smaller the images, the higher the peaks that chance makes. Different photographs of 512 pixels give .00 to .02."""


def propose(pair: Pair, options: Options) -> list[Candidate]:
    """Propose the shift of the highest peak; see `candidates.Propose`.

    Parameters
    ----------
    pair : Pair
        The images. What one has beyond the other's height or width is filled with the middle of the scale.
    options : Options
        Progress.

    Returns
    -------
    list of Candidate
        One, to be refined; `info` has the peak's response (0..1).

    Notes
    -----
    Evened in light and contrast first, and faded out towards the frame (a Hanning window), which otherwise correlates
    with itself at a shift of 0. The place of the peak is found to a part of a pixel, as OpenCV does it.
    """
    moving, fixed, scale = _prepared(pair)
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
