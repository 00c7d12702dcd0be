"""OpenCV, imported when it is first needed."""

from __future__ import annotations

from typing import Any


def opencv() -> Any:
    """Give OpenCV's module, as a value without types: those it declares differ from release to release.

    Returns
    -------
    module
        ``cv2``.
    """
    import cv2

    return cv2
