"""Bytes compared with bytes, in as few passes as there can be: most images are that, and need no more."""

from __future__ import annotations

import threading
from typing import Any

import numpy as np
import numpy.typing as npt

from ..opencv import opencv, scalar
from .trio import Plane

TILE = 512
"""Pixels to the side of what is compared at once: what the processor's cache holds."""

_memory = threading.local()


def compare_bytes(
    images: list[npt.NDArray[Any]], corrections: tuple[float, float] | None, target: npt.NDArray[np.float32]
) -> None:
    """Write the diff-diff of a tile.

    Parameters
    ----------
    images : list of numpy.ndarray
        moving, registered and fixed, uint8, at most `TILE` to the side.
    corrections : (float, float), optional
        What is added to the fixed image for the difference before the registration and for the one after it; None
        corrects nothing.
    target : numpy.ndarray
        float32, of their shape: is written.
    """
    cv2 = opencv()
    moving, registered, fixed = images
    if corrections is None:
        cv2.subtract(cv2.absdiff(moving, fixed), cv2.absdiff(registered, fixed), dst=target, dtype=cv2.CV_32F)
        return
    first, second = _scratch(target.shape)
    cv2.absdiff(cv2.subtract(moving, fixed, dst=first, dtype=cv2.CV_32F), scalar(corrections[0], first), dst=first)
    cv2.absdiff(
        cv2.subtract(registered, fixed, dst=second, dtype=cv2.CV_32F), scalar(corrections[1], second), dst=second
    )
    cv2.subtract(first, second, dst=target)


def _scratch(shape: tuple[int, ...]) -> list[Plane]:
    """Give two arrays to write to, the thread's own: to ask for memory takes as long as to calculate."""
    if not hasattr(_memory, "planes"):
        _memory.planes = [np.empty((TILE, TILE), np.float32) for _ in range(2)]
    return [plane[: shape[0], : shape[1]] for plane in _memory.planes]
