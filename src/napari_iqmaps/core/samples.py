"""Pictures to try things on, made from the images that scikit-image installs: nothing is downloaded."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

Pixels = npt.NDArray[np.uint8]

_TEXT = "iqmaps"


def photo() -> Pixels:
    """Give a photograph with a smooth sky and textured grass.

    Returns
    -------
    numpy.ndarray
        uint8 grey, shape ``(512, 512)``: ``skimage.data.camera``.
    """
    return _bundled("camera")


def photo_with_mark(amplitude: float = 8.0) -> Pixels:
    """Give the photograph with the same faint text written all over it.

    Parameters
    ----------
    amplitude : float
        Code values added inside the letters; as much in the sky, where it shows, as in the grass, where it hides.

    Returns
    -------
    numpy.ndarray
        uint8 grey, shape ``(512, 512)``.
    """
    image = photo()
    return _rounded(image + amplitude * text_mark(image.shape))


def distorted_pair(amplitude: float = 6.0, quality: int = 95) -> tuple[Pixels, Pixels]:
    """Give a distorted copy of the photograph, and the photograph: with a fainter mark, and JPEG-compressed.

    Parameters
    ----------
    amplitude : float
        Of the mark, in code values.
    quality : int
        Of the JPEG compression, 1 to 100.

    Returns
    -------
    test, reference : numpy.ndarray
        uint8 grey, shape ``(512, 512)``, in the order in which ``visibility_map`` takes them.
    """
    return _jpeg(photo_with_mark(amplitude), quality), photo()


def micrograph() -> Pixels:
    """Give a microscopy image: one cell on an even background.

    Returns
    -------
    numpy.ndarray
        uint8 grey, shape ``(660, 550)``: ``skimage.data.cell``.
    """
    return _bundled("cell")


def text_mark(shape: tuple[int, ...], *, text: str = _TEXT) -> npt.NDArray[np.float32]:
    """Write a text in rows all over a plane.

    Parameters
    ----------
    shape : tuple of int
        Height and width.
    text : str
        What to write.

    Returns
    -------
    numpy.ndarray
        float32, 1 inside the letters, 0 outside, smooth at their edges.
    """
    import cv2

    height, width = shape
    plane = np.zeros((height, width), np.uint8)
    face, size, thickness = cv2.FONT_HERSHEY_SIMPLEX, 1.1, 3
    (word, rise), _ = cv2.getTextSize(text, face, size, thickness)
    for row, baseline in enumerate(range(2 * rise, height + rise, 3 * rise)):
        # Every other row starts half a word further left, as bricks do: no column stays without a letter.
        for left in range(-(row % 2) * word * 3 // 4, width, word * 3 // 2):
            cv2.putText(plane, text, (left, baseline), face, size, 255, thickness, cv2.LINE_AA)
    return plane.astype(np.float32) / np.float32(255)


def _bundled(name: str) -> Pixels:
    from skimage import data

    image: Pixels = getattr(data, name)()
    return image


def _jpeg(image: Pixels, quality: int) -> Pixels:
    import cv2

    _, code = cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, quality])
    return np.asarray(cv2.imdecode(code, cv2.IMREAD_UNCHANGED), dtype=np.uint8)


def _rounded(values: npt.NDArray[Any]) -> Pixels:
    rounded: Pixels = np.clip(np.rint(values), 0, 255).astype(np.uint8)
    return rounded
