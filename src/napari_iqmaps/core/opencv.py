"""OpenCV, loaded when it is first used, and without types: its stubs know neither scalars nor views."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

_LENGTH = 4


def opencv() -> Any:
    """Give the module."""
    import cv2

    return cv2


def scalar(number: float, like: npt.NDArray[Any]) -> Any:
    """Give a number as OpenCV's arithmetic takes it beside an array.

    For an array of up to 4 pixels that is an array of its shape and type: OpenCV makes a column of 4 of each number,
    and takes an array of one pixel, or one of 4 rows and 1 column, for the number's like.
    """
    return number if like.size > _LENGTH else np.full(like.shape, number, like.dtype)
