"""Pictures to try a registration and its judgement on, made from a photograph that scikit-image installs."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
import numpy.typing as npt

Pixels = npt.NDArray[np.uint8]
Matrix = npt.NDArray[np.float64]

_HEIGHT, _WIDTH = 400, 600
_MARGIN = 50  # of the photograph around the fixed frame: what a shaking camera sees besides
_SMALLER = 2  # a series is halved, so that its registration takes seconds
_SHAKE = 8.0  # pixels
_TURN, _ZOOM = 1.5, 0.02  # degrees, share
_FIRST_STEP, _WRONG_STEP = (4.0, 3.0), (10.0, 10.0)
_NOISE = 2.0
_DUSK = (0.52, 12.0)  # gain and offset that leave room for a lamp
_SEED = 6


@dataclass(frozen=True, eq=False)
class Trio:
    """A moving image, the same after a registration, and the fixed one.

    Attributes
    ----------
    moving, registered, fixed : numpy.ndarray
        uint8 grey, shape ``(400, 600)``; of `registered`, 0 where the moving image does not reach.
    valid : numpy.ndarray
        bool, where it does.
    matrix : numpy.ndarray
        float64, ``(3, 3)``, the registration: moving ``(x, y)`` to fixed.
    """

    moving: Pixels
    registered: Pixels
    fixed: Pixels
    valid: npt.NDArray[np.bool_]
    matrix: Matrix


def relit_trio() -> Trio:
    """Give a correct registration of two frames of one scene under changed light.

    Returns
    -------
    Trio
        Between the frames the camera has turned by 1.5 degrees and moved, and a lamp has gone on: means over a fifth of
        the frame's sides differ by 20 to 100 code values, and nothing is saturated.
    """
    matrix = _motion((7.0, -5.0), turn=_TURN, zoom=1 + _ZOOM)
    return _registered(_lit(_frame(matrix), lamp=True), _lit(_frame(np.eye(3)), lamp=False), matrix)


def wrong_way_trio() -> Trio:
    """Give a registration that goes the wrong way: ten pixels down and to the right of where it began.

    Returns
    -------
    Trio
        The moving frame is 4 pixels to the right and 3 down of the fixed one; the registered one, 14 and 13.
    """
    apart = np.array(_FIRST_STEP)
    fixed, moving = _frame(np.eye(3)), _frame(_motion(tuple(-apart)))
    return _registered(moving, fixed, _motion(_WRONG_STEP))


def shaking_series(frames: int = 9) -> Pixels:
    """Give frames of a shaking camera in flickering light.

    Parameters
    ----------
    frames : int
        How many, at least 1.

    Returns
    -------
    numpy.ndarray
        uint8 grey, shape ``(frames, 200, 300)``; the first is as the scene is. The others are moved by up to 4 pixels,
        turned by up to 1.5 degrees and zoomed by up to 2 %.
    """
    import cv2

    random = np.random.default_rng(_SEED)
    series = []
    for number in range(frames):
        shift = random.uniform(-_SHAKE, _SHAKE, 2)
        turn, zoom = random.uniform(-_TURN, _TURN), 1 + random.uniform(-_ZOOM, _ZOOM)
        gain, offset = random.uniform(0.75, 1.15), random.uniform(-12, 25)
        frame = _frame(_motion(tuple(shift), turn, zoom) if number else np.eye(3)).astype(np.float32)
        frame = frame * gain + offset if number else frame
        small = cv2.resize(frame, None, fx=1 / _SMALLER, fy=1 / _SMALLER, interpolation=cv2.INTER_AREA)
        series.append(_rounded(small + random.normal(0, _NOISE, small.shape)))
    return np.stack(series)


@cache
def _scene() -> Pixels:
    from skimage import data
    from skimage.color import rgb2gray

    return _rounded(rgb2gray(data.stereo_motorcycle()[0]) * 255)  # type: ignore[no-untyped-call]


def _frame(matrix: Matrix) -> Pixels:
    """Look at the scene through a camera that `matrix` brings back to the fixed frame."""
    from .registration.warp import warp_image

    to_fixed = _motion((-float(_MARGIN), -float(_MARGIN)))
    return warp_image(_scene(), np.linalg.inv(matrix) @ to_fixed, (_HEIGHT, _WIDTH))


def _registered(moving: Pixels, fixed: Pixels, matrix: Matrix) -> Trio:
    from .registration.warp import valid_pixels, warp_image

    valid = valid_pixels(matrix, moving.shape, fixed.shape)
    return Trio(moving, warp_image(moving, matrix, fixed.shape, valid=valid), fixed, valid, matrix)


def _lit(frame: Pixels, *, lamp: bool) -> Pixels:
    """Show a frame at dusk, or with a lamp on that reaches everywhere, most of all the left."""
    height, width = frame.shape
    x = np.linspace(0, 1, width)[np.newaxis, :]
    y = np.linspace(0, 1, height)[:, np.newaxis]
    light = 20 + 85 * np.exp(-((x - 0.25) ** 2 + (y - 0.5) ** 2) / 0.25) if lamp else 0.0
    noise = np.random.default_rng(_SEED + lamp).normal(0, _NOISE, frame.shape)
    return _rounded(_DUSK[0] * frame + _DUSK[1] + light + noise)


def _motion(shift: tuple[float, ...], turn: float = 0.0, zoom: float = 1.0) -> Matrix:
    """Turn and zoom about the middle of a frame, then shift by ``(x, y)``."""
    cosine, sine = zoom * math.cos(math.radians(turn)), zoom * math.sin(math.radians(turn))
    linear = np.array([(cosine, -sine), (sine, cosine)])
    middle = np.array([(_WIDTH - 1) / 2, (_HEIGHT - 1) / 2])
    matrix = np.eye(3)
    matrix[:2, :2] = linear
    matrix[:2, 2] = middle - linear @ middle + np.array(shift)
    return matrix


def _rounded(values: npt.NDArray[Any]) -> Pixels:
    rounded: Pixels = np.clip(np.rint(values), 0, 255).astype(np.uint8)
    return rounded
