"""Pictures to try things on, made from the images that scikit-image installs: nothing is downloaded."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

import numpy as np
import numpy.typing as npt

from .display import srgb_decoded

Pixels = npt.NDArray[np.uint8]
Light = npt.NDArray[np.float32]

_TEXT = "iqmaps"
_MESSAGE = "see me?"
_MESSAGE_AT = ((40, 300), (376, 346))

_LAMPS = ((350, 82), (377, 151), (394, 192), (417, 111), (397, 364), (394, 433), (420, 450))
"""Rows and columns of the flood lights in ``skimage.data.rocket``."""

_LAMP_PEAK = 8000.0  # cd/m2
_LAMP_RADIUS = 1.5  # pixels
_LAMP_COLOUR = (1.0, 0.85, 0.6)
_BANDED_RANGE = (0.01, 10_000.0)  # cd/m2 of the first and the last code of a banded copy


DISTORTED: Mapping[str, tuple[str, str, float]] = MappingProxyType(
    {
        "jpeg": ("astronaut", "jpeg", 4),
        "blurred": ("chelsea", "gaussian_blur", 3),
        "noisy": ("coffee", "gaussian_noise", 3),
        "denoised": ("immunohistochemistry", "denoised", 3),
    }
)
"""Of `distorted`: the image in ``skimage.data``, the distortion and its severity."""


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


def message() -> npt.NDArray[np.float32]:
    """Write the same message over the sky and over the grass of the photograph.

    Returns
    -------
    numpy.ndarray
        float32, shape ``(512, 512)``, 1 inside the letters, 0 outside.
    """
    from . import marks

    letters = marks.text_mark(_MESSAGE, height=26)
    sky, grass = (marks.place(letters, (512, 512), corner) for corner in _MESSAGE_AT)
    return np.maximum(sky, grass)


def message_at(amplitude: float) -> Pixels:
    """Give the photograph with the message of `message`, as strong in the sky as in the grass.

    Parameters
    ----------
    amplitude : float
        Code values added inside the letters. What is no whole number is spread over neighbours, as `hide` does it.

    Returns
    -------
    numpy.ndarray
        uint8 grey, shape ``(512, 512)``.
    """
    from .carrier import Carrier

    image = photo()
    marked: Pixels = Carrier(image, False, (0.0, 255.0), "dither").put(np.float32(amplitude) * message())[0]
    return marked


def distorted_pair(amplitude: float = 4.0, quality: int = 97) -> tuple[Pixels, Pixels]:
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


def distorted(name: str) -> tuple[Pixels, Pixels]:
    """Give an image with a distortion of the bank, and the image without.

    Parameters
    ----------
    name : {"jpeg", "blurred", "noisy", "denoised"}
        Three photographs, and a micrograph of tissue whose noise was taken away.

    Returns
    -------
    test, reference : numpy.ndarray
        uint8 red, green and blue, ``(height, width, 3)``, 300 to 600 pixels a side; always the same.
    """
    from .distortions import distort

    image, distortion, severity = DISTORTED[name]
    reference = _bundled(image)
    return distort(reference, distortion, severity, channel_axis=-1), reference


def micrograph() -> Pixels:
    """Give a microscopy image: one cell on an even background.

    Returns
    -------
    numpy.ndarray
        uint8 grey, shape ``(660, 550)``: ``skimage.data.cell``.
    """
    return _bundled("cell")


def night_scene() -> Light:
    """Give a scene of high dynamic range: a launch pad at dusk, with its flood lights as bright as lamps are.

    Returns
    -------
    numpy.ndarray
        float32 linear red, green and blue in cd/m2, shape ``(427, 640, 3)``: ``skimage.data.rocket`` on a display of
        100 cd/m2, with lamps of 8,000 cd/m2 and their glow added where the photograph has flood lights.
    """
    light = 100 * srgb_decoded(_bundled("rocket") / 255)
    rows, columns = np.ogrid[: light.shape[0], : light.shape[1]]
    for row, column in _LAMPS:
        distance = ((rows - row) ** 2 + (columns - column) ** 2) / _LAMP_RADIUS**2
        light += _LAMP_PEAK / (1 + distance[..., None]) ** 1.5 * np.array(_LAMP_COLOUR)
    return light.astype(np.float32)


def banded_pair(levels: int = 64) -> tuple[Light, Light]:
    """Give the night scene in too few steps of luminance, and the scene itself.

    Parameters
    ----------
    levels : int
        Steps of the logarithm of each colour between .01 and 10,000 cd/m2.

    Returns
    -------
    test, reference : numpy.ndarray
        float32, shape ``(427, 640, 3)``, in the order in which ``visibility_map`` takes them.
    """
    reference = night_scene()
    low, high = np.log(_BANDED_RANGE)
    step = (high - low) / (levels - 1)
    logarithm = np.log(np.clip(reference, *_BANDED_RANGE))
    return np.exp(low + np.rint((logarithm - low) / step) * step).astype(np.float32), reference


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
