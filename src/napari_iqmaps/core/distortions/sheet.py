"""One picture of what the bank does to an image: a row a distortion, a column a severity."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from ... import __version__
from ..errors import InputError
from ..images import as_planes
from ..io.sheet import Panel, Sheet
from ..progress import Progress
from ..value_range import DataRange
from . import Distortion, distort, distortion

_LARGEST_SIDE = 192
_SMALLEST_SIDE = 8  # what `distort` needs
_GREY = 128


def distortion_sheet(
    image: Any,
    names: Sequence[str],
    severities: Sequence[float],
    *,
    seed: int = 0,
    data_range: DataRange = None,
    channel_axis: int | None = None,
    progress: Progress | None = None,
) -> Sheet:
    """Compose a picture of an image's distorted copies; of a stack, the first plane is shown.

    Shown are 8 bits. An image with a side over 192 pixels is reduced to that by area means **before** it is distorted:
    blurs and blocks are so many pixels large, and would vanish from a picture that was reduced after it. The severities
    are 1 to 5 each, from the left; before them stands the image itself.
    """
    if not names or not severities:
        raise InputError("There is nothing to show: name distortions and severities.")
    colours, is_grey, factor = _small(image, data_range, channel_axis)
    panels: list[Panel] = []
    total = len(names) * len(severities)
    for number, name in enumerate(names):
        row = distortion(name)
        panels.append(Panel(_shown(colours), row.title, f"undistorted. {row.name}: {_parameter(row)}"))
        for column, severity in enumerate(severities):
            copy = distort(colours, name, severity, seed=seed, channel_axis=None if is_grey else -1)
            panels.append(Panel(_shown(copy), f"severity {severity:g}", f"{row.strength(severity):.3g}"))
            if progress is not None:
                progress(number * len(severities) + column + 1, total)
    reduced = f"Shown on the image reduced 1:{factor:.3g}. " if factor > 1 else ""
    footer = f"{reduced}Seed {seed}, napari-iqmaps {__version__}"
    return Sheet(panels, 1 + len(severities), footer=footer, enlarge_to=_LARGEST_SIDE)


def strength_words(row: Distortion, severity: float) -> str:
    """Say a severity as the strength that it stands for, such as "standard deviation 0.04 of the range"."""
    unit = "" if row.unit == "1" else f" {row.unit}"
    return f"{row.parameter} {row.strength(severity):.3g}{unit}"


def _parameter(row: Distortion) -> str:
    return row.parameter if row.unit == "1" else f"{row.parameter} ({row.unit})"


def _small(image: Any, data_range: DataRange, channel_axis: int | None) -> tuple[npt.NDArray[np.uint8], bool, float]:
    """Give the first plane in 8 bits and no larger than a panel, whether it is grey, and how far it was reduced."""
    import cv2

    planes = as_planes(image, data_range=data_range, channel_axis=channel_axis)
    if planes.array.dtype.kind == "b":
        raise InputError("The image is bool: two values leave a distortion no room. Convert it to uint8 first.")
    first = planes.array[(0,) * (len(planes.shape) - 2)]
    plane = np.ma.filled(np.ma.asarray(np.asanyarray(first)).astype(np.float64), np.nan)
    is_grey = not planes.has_channels or plane.shape[-1] < len("RGB")
    if planes.has_channels:
        plane = plane[..., 0] if is_grey else plane[..., :3]
    low, high = planes.data_range
    codes = np.clip((plane - low) / (high - low), 0, 1) * 255
    pixels: npt.NDArray[Any] = np.where(np.isfinite(codes), codes, _GREY).astype(np.float32)
    height, width = pixels.shape[:2]
    # A long strip keeps the pixels that a distortion needs across it.
    factor = max(1.0, min(max(height, width) / _LARGEST_SIDE, min(height, width) / _SMALLEST_SIDE))
    if factor > 1:
        pixels = cv2.resize(pixels, (round(width / factor), round(height / factor)), interpolation=cv2.INTER_AREA)
    return np.rint(pixels).astype(np.uint8), is_grey, factor


def _shown(pixels: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    return pixels if pixels.ndim == 3 else np.repeat(pixels[..., np.newaxis], 3, axis=-1)
