"""Files of high dynamic range as layers: shown tone-mapped, with the real values kept for the maps."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from ..core.display import srgb_encoded
from ..core.images import REC709_WEIGHTS
from ..core.io.reading import LIGHT_SUFFIXES, read_image
from .layers import LIGHT_KEY

LayerData = tuple[npt.NDArray[Any], dict[str, Any], str]
Paths = str | Sequence[str]

_KEY = 0.18  # what the geometric mean of luminance becomes: the middle grey of photography
_HIGHEST = 99.9  # percentile: a few pixels of a sun do not set what is white


def get_reader(path: Paths) -> Callable[[Paths], list[LayerData]] | None:
    """Give the reader if the files are of high dynamic range; napari calls this.

    The headers of ENVI, which end in .hdr as well, are none.
    """
    return read_layers if all(_is_light(Path(name)) for name in _each(path)) else None


def read_layers(path: Paths) -> list[LayerData]:
    """Read one file, or several, each as an image layer of its own."""
    layers = []
    for name in _each(path):
        file = read_image(name)
        layers.append(light_layer(file.array, file.path.name, data_range=file.data_range, notes=file.notes))
    return layers


def light_layer(
    light: npt.NDArray[Any],
    name: str,
    *,
    data_range: tuple[float, float] | None = None,
    notes: Sequence[str] = (),
) -> LayerData:
    """Make a layer that shows linear light, tone-mapped to an 8-bit picture, and keeps it in its metadata for the maps.

    Light is ``(height, width)``, or ``(height, width, 3)`` for red, green and blue. The range holds the values of
    black and of diffuse white (100 cd/m2); None if values are cd/m2.
    """
    shown = tone_mapped(light)
    metadata = {LIGHT_KEY: {"values": light, "data_range": data_range, "notes": tuple(notes)}}
    options: dict[str, Any] = {"name": name, "metadata": metadata, "rgb": light.ndim == 3}
    if light.ndim == 2:
        options |= {"colormap": "gray", "contrast_limits": (0, 255)}
    return shown, options, "image"


def tone_mapped(light: npt.NDArray[Any]) -> npt.NDArray[np.uint8]:
    """Compress linear light to sRGB codes for an ordinary screen; for the eye only, no number is made from it.

    The global operator of Reinhard et al. [1]_: luminance L, in units that bring its geometric mean to 0.18, is shown
    as ``L (1 + L / W^2) / (1 + L)`` with W its 99.9th percentile; colours are scaled as their luminance is. What is no
    number is black.

    References
    ----------
    .. [1] E. Reinhard, M. Stark, P. Shirley, J. Ferwerda, "Photographic tone reproduction for digital images", ACM
       Transactions on Graphics 21(3), 2002.
    """
    values = np.asarray(light, np.float64)
    values = np.where(np.isfinite(values), values, 0.0)
    luminance = np.maximum(values @ np.asarray(REC709_WEIGHTS) if values.ndim == 3 else values, 0.0)
    lit = luminance[luminance > 0]
    if lit.size == 0:
        return np.zeros(values.shape, np.uint8)
    exposure = _KEY / np.exp(np.log(lit).mean())
    white = max(float(np.percentile(lit, _HIGHEST)) * exposure, _KEY)
    # What is above white is white; clipped before it is squared, for it may be 1e38.
    scaled = np.minimum(luminance * exposure, white)
    factor = exposure * (1 + scaled / white**2) / (1 + scaled)
    shown = np.clip(values * (factor[..., None] if values.ndim == 3 else factor), 0, 1)
    return np.rint(255 * srgb_encoded(shown)).astype(np.uint8)


def _is_light(path: Path) -> bool:
    suffix = path.suffix.lower()
    if suffix == ".hdr" and path.is_file():
        with path.open("rb") as file:
            return file.read(2) == b"#?"
    return suffix in LIGHT_SUFFIXES


def _each(path: Paths) -> list[str]:
    return [path] if isinstance(path, str) else [str(name) for name in path]
