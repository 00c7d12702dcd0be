"""Files as layers: light of high dynamic range tone-mapped, with its values kept; maps as the maps that they are.

napari offers a reader by the name of a file alone, and asks which one is meant where there are several. So the names
that this plugin claims are those that maps are given here (`napari.yaml`), and not all that end in ``.tif``.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from napari import current_viewer
from napari.layers import Image

from ..core.display import srgb_encoded
from ..core.errors import InputError
from ..core.images import REC709_WEIGHTS
from ..core.io import read_map
from ..core.io.map_file import map_of_record, read_record
from ..core.io.reading import LIGHT_SUFFIXES, read_image
from .canvas import canvas_of
from .layers import LIGHT_KEY, METADATA_KEY, PICTURE_KEY, bare
from .provenance import ENDING, adopt, layer_of, stacked

LayerData = tuple[npt.NDArray[Any], dict[str, Any], str]
Paths = str | Sequence[str]

_ENDING = f".{ENDING.split('.')[1]}"
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


def get_map_reader(path: Paths) -> Callable[[Paths], list[Any]] | None:
    """Give the reader if the files hold maps with the record of this package; napari calls this."""
    records = [read_record(Path(name)) for name in _each(path)]
    is_maps = bool(records) and all(record is not None and "kind" in record for record in records)
    return read_map_layers if is_maps and all(Path(name).suffix.lower() != ".png" for name in _each(path)) else None


def read_map_layers(path: Paths) -> list[Any]:
    """Read a map as the layer that showed it; several files are one stack, as napari asks for them."""
    viewer = current_viewer()
    if viewer is not None:
        canvas_of(viewer)  # attends to the layer, also where no dock is open
    names = [Path(name) for name in _each(path)]
    maps = [read_map(name) for name in names]
    whole = maps[0] if isinstance(path, str) else stacked(maps, names)
    return [layer_of(whole, _called(names[0], whole.kind))]


def recognise(layer: Any) -> bool:
    """Make a layer what the record in its file says, if another reader has opened a file of ours.

    A map becomes a map, in its place, colours and limits; an image that was made here keeps the record of that. Gives
    whether it is a map now.
    """
    path, known = layer.source.path, {METADATA_KEY, PICTURE_KEY} & layer.metadata.keys()
    if not isinstance(bare(layer), Image) or path is None or layer.source.parent is not None or known:
        return False
    path = Path(path)
    record = read_record(path)
    if record is None:
        return False
    if "kind" not in record:
        layer.metadata = {**layer.metadata, PICTURE_KEY: dict(record.get("info") or {})}
    elif path.suffix.lower() == ".png":
        # A picture of a map with its legend: to look at, and no image to judge.
        layer.metadata = {**layer.metadata, METADATA_KEY: {"method": "picture", "source": path.name}}
    else:
        with contextlib.suppress(InputError):  # a stack of several files, of which this is the first
            quality_map = map_of_record(np.asanyarray(layer.data), record, path, in_colours=layer.rgb)
            adopt(layer, layer_of(quality_map, _called(path, quality_map.kind)))
            return True
    return False


def _called(path: Path, kind: str) -> str:
    """Name the image of a map by the name of its file."""
    return path.stem.removesuffix(_ENDING).removesuffix(f"_{kind}")


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
