"""Images to try the maps on, from the set that scikit-image brings along, or made here; nothing is downloaded."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any

import numpy as np
import numpy.typing as npt

from ..core import libraries
from ..core import samples as pictures
from .tasks import meanwhile

LayerData = tuple[npt.NDArray[Any], dict[str, Any], str]
Sample = Callable[[], list[LayerData]]

MARK_AMPLITUDE = 4
"""Code values by which the mark of `marked_photo` brightens the photo."""

_JPEG_QUALITY = 10
_PIXEL_MICROMETRES = 0.16
_SECTION_MICROMETRES = 0.5


def _sample(make: Sample) -> Sample:
    """Let the window go on while a sample is made: napari calls it in the main thread."""

    def made() -> list[LayerData]:
        libraries.load("image processing")
        return make()

    @wraps(make)
    def sample() -> list[LayerData]:
        layers: list[LayerData] = meanwhile(made)
        return layers

    return sample


@_sample
def photo() -> list[LayerData]:
    """Give a colour photo with flat, textured and sharp parts."""
    return [_layer(pictures.bundled("coffee"), "coffee")]


@_sample
def marked_photo() -> list[LayerData]:
    """Give a photo and the same with a brighter text all over it, which shows in the sky and hides in the grass."""
    return [_layer(pictures.photo(), "photo"), _layer(pictures.photo_with_mark(MARK_AMPLITUDE), "photo, marked")]


@_sample
def message() -> list[LayerData]:
    """Give a photo, a message, and the photo with it over sky and grass: at amplitudes 4 and 1.5, and hidden."""
    image, mark = pictures.photo(), pictures.message()
    marked = [
        _layer(pictures.message_at(amplitude), f"amplitude {amplitude:g}", visible=False) for amplitude in (4, 1.5)
    ]
    return [
        _layer(image, "photo"),
        _layer(mark, "message", visible=False),
        *marked,
        _layer(pictures.hidden_message(), "hidden, strength 1"),
    ]


@_sample
def distorted_pair() -> list[LayerData]:
    """Give a photo and the same after strong JPEG compression."""
    distorted, reference = pictures.distorted_pair(amplitude=0, quality=_JPEG_QUALITY)
    return [_layer(reference, "photo"), _layer(distorted, f"photo, JPEG {_JPEG_QUALITY}")]


@_sample
def jpeg_photo() -> list[LayerData]:
    """Give a photo after strong JPEG compression, over the photo itself, which is hidden."""
    return _distorted("jpeg", "astronaut", "JPEG")


@_sample
def blurred_photo() -> list[LayerData]:
    """Give a blurred photo, over the photo itself, which is hidden."""
    return _distorted("blurred", "cat", "blurred")


@_sample
def noisy_photo() -> list[LayerData]:
    """Give a noisy photo, over the photo itself, which is hidden."""
    return _distorted("noisy", "coffee", "noisy")


@_sample
def denoised_micrograph() -> list[LayerData]:
    """Give a micrograph of stained tissue whose noise was taken away, over the clean one, which is hidden."""
    return _distorted("denoised", "tissue", "denoised")


@_sample
def nuclei() -> list[LayerData]:
    """Give a made-up fluorescence image in uint16: nuclei and small spots with shot noise, in micrometres."""
    image = _fluorescence(sections=1)[0]
    scale = (_PIXEL_MICROMETRES,) * 2
    return [_layer(image, "nuclei", scale=scale, units=("um", "um"), axis_labels=("y", "x"), colormap="gray")]


@_sample
def nuclei_stack() -> list[LayerData]:
    """Give the same kind of image as a stack (z, y, x) of sections through the focus."""
    scale = (_SECTION_MICROMETRES, _PIXEL_MICROMETRES, _PIXEL_MICROMETRES)
    options = {"scale": scale, "units": ("um",) * 3, "axis_labels": ("z", "y", "x"), "colormap": "gray"}
    return [_layer(_fluorescence(sections=7, side=256), "nuclei stack", **options)]


@_sample
def banded_pair() -> list[LayerData]:
    """Give a scene in cd/m2, and the same in too few steps of luminance, seen in the sky and in the lamps' glow."""
    from .reader import light_layer

    banded, scene = pictures.banded_pair()
    return [light_layer(scene, "night scene"), light_layer(banded, "night scene, banded")]


@_sample
def severities() -> list[LayerData]:
    """Give a picture as small as those that the default metrifier knows, undistorted and at five severities of blur."""
    from ..core.distortions import distort

    stack = np.stack([distort(pictures.horse(), "gaussian_blur", severity, channel_axis=-1) for severity in range(6)])
    return [_layer(stack, "small horse, blur by severity", rgb=True, axis_labels=("severity", "y", "x"))]


@_sample
def relit_registration() -> list[LayerData]:
    """Give a correct registration (moving, registered, fixed) of two frames of one scene, the second in other light."""
    return _trio(pictures.relit_trio())


@_sample
def wrong_way_registration() -> list[LayerData]:
    """Give a registration (moving, registered, fixed) that moves the image away from the fixed one."""
    return _trio(pictures.wrong_way_trio())


@_sample
def shaking_series() -> list[LayerData]:
    """Give frames (t, y, x) of a shaking camera in flickering light, and the first of them to bring them onto."""
    frames = pictures.shaking_series()
    return [
        _layer(frames, "shaking", axis_labels=("t", "y", "x")),
        _layer(frames[0], "fixed", axis_labels=("y", "x")),
    ]


def _trio(trio: pictures.Trio) -> list[LayerData]:
    return [
        _layer(trio.moving, "moving", visible=False),
        _layer(trio.registered, "registered", visible=False),
        _layer(trio.fixed, "fixed"),
    ]


def _distorted(sample: str, name: str, what: str) -> list[LayerData]:
    distorted, reference = pictures.distorted(sample)
    return [_layer(reference, name, visible=False), _layer(distorted, f"{name}, {what}")]


def _layer(image: npt.NDArray[Any], name: str, **options: Any) -> LayerData:
    return image, {"name": name, **options}, "image"


def _fluorescence(sections: int, side: int = 512) -> npt.NDArray[np.uint16]:
    """Make nuclei (textured ellipses) and spots, blurred with the distance from focus, with Poisson noise."""
    import cv2

    random = np.random.default_rng(7)
    sharp = np.zeros((side, side), np.float32)
    for _ in range(side * side // 6500):
        centre = random.uniform(0, side, 2)
        axes = random.uniform(11, 22, 2)
        shape = np.zeros_like(sharp)
        cv2.ellipse(
            shape, centre.astype(int).tolist(), axes.astype(int).tolist(), random.uniform(0, 180), 0, 360, 1.0, -1
        )
        sharp = np.maximum(sharp, shape * np.float32(random.uniform(0.35, 1)))
    grain = cv2.GaussianBlur(random.normal(size=sharp.shape).astype(np.float32), (0, 0), 3)
    sharp *= 1 + 1.5 * grain
    rows, columns = random.integers(0, side, (2, side // 2))
    sharp[rows, columns] += random.uniform(4, 12, rows.size).astype(np.float32)
    stack = []
    for section in range(sections):
        blur = 1.2 + 1.5 * abs(section - (sections - 1) / 2)
        photons = 12 + 500 * np.clip(cv2.GaussianBlur(sharp, (0, 0), blur), 0, None)
        stack.append(random.poisson(photons) * 80.0)
    return np.clip(np.stack(stack), 0, 65535).astype(np.uint16)
