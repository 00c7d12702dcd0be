"""OpenCV, loaded when it is first used; its type stubs know neither scalars nor views, so it comes without types."""

from __future__ import annotations

from typing import Any


def opencv() -> Any:
    """Give the module.

    Returns
    -------
    module
        ``cv2``.
    """
    import cv2

    return cv2
