"""How a result was made: what its layer keeps of it; how a layer becomes a map for a file, and a map a layer."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from types import SimpleNamespace
from typing import Any

import numpy as np
from napari.layers import Image
from napari.utils.colormaps import ensure_colormap

from .. import __version__
from ..core.call import Call
from ..core.errors import InputError
from ..core.io import space, write_map
from ..core.io.records import is_number
from ..core.maps import QualityMap
from ..core.score_columns import plain
from .layers import METADATA_KEY, PICTURE_KEY, as_layer, spatial_state

_SHOWN = "shown"
"""Where an info keeps how its map was shown: between which values, in which colours."""

_OF_LAYER = ("kind", "unit", "score", "sentence", "display_limits")
"""What the record of a layer says beside the info of its map."""

_NUMBERS = ("scale", "translate", "rotate", "shear", "affine")
_WORDS = ("units", "axis_labels")


def note(layer: Any, call: Call | None) -> None:
    """Write into the metadata of a layer of a result how, when and where it was made."""
    made = {space.KEY: space_of(layer), "version": __version__}
    if call is not None:
        made |= {"call": call.record(), "time": call.time}
    for key in (METADATA_KEY, PICTURE_KEY):
        if key in layer.metadata:
            layer.metadata = {**layer.metadata, key: {**layer.metadata[key], **made}}


def space_of(layer: Any) -> dict[str, Any]:
    """Give where a layer's pixels lie, as files keep it."""
    state = spatial_state(layer)
    numbers = {name: _tuples(np.asarray(state[name], float)) for name in _NUMBERS}
    return numbers | {name: tuple(map(str, state[name])) for name in _WORDS}


def kept(layer: Any, quality_map: QualityMap) -> QualityMap:
    """Give the map of a layer, with what the layer tells of it in its info: source, call, time, place and colours."""
    record = layer.metadata[METADATA_KEY]
    told = {name: plain(value) for name, value in record.items() if name not in (*_OF_LAYER, *quality_map.info)}
    shown = {"limits": tuple(map(float, layer.contrast_limits)), "colormap": layer.colormap.name}
    info = {**quality_map.info, **told, space.KEY: space_of(layer), _SHOWN: shown}
    return QualityMap(quality_map.values, quality_map.kind, quality_map.score, info)


def map_of(layer: Any) -> QualityMap:
    """Give the map that a layer shows, made of its values and its record."""
    record = layer.metadata.get(METADATA_KEY, {})
    if "kind" not in record:
        raise InputError(
            f"{layer.name!r} is no map of napari-iqmaps, so there is no record to write with it. Choose one of "
            "napari's own formats, such as .tif."
        )
    info = {name: value for name, value in record.items() if name not in _OF_LAYER}
    quality_map = QualityMap(layer.data, record["kind"], record["score"], info).compute()
    return kept(layer, quality_map)


def write_layer(path: str, data: Any, meta: Mapping[str, Any]) -> list[str]:
    """Write the layer of a map with its record; napari calls this for *Save selected layers*."""
    layer = Image(data, **{name: value for name, value in meta.items() if name in _OF_IMAGE})
    written = write_map(map_of(layer), path if path.lower().endswith((".tif", ".tiff", ".png")) else f"{path}.tif")
    return [str(written)]


_OF_IMAGE = ("name", "metadata", "colormap", "contrast_limits", "rgb", "multiscale", "affine", *_NUMBERS, *_WORDS)


def layer_of(quality_map: QualityMap, name: str) -> Image:
    """Make the layer of a map from a file, as it was shown when it was written, else as its kind is shown.

    `name`: what its image is called, unless the map says it.
    """
    info = quality_map.info
    where = space.checked(info, quality_map.values.ndim, "The info of the map")
    shown = info.get(_SHOWN)
    shown = shown if isinstance(shown, Mapping) else {}
    size = quality_map.values.ndim
    plain_place = {"scale": (1,) * size, "translate": (0,) * size, "rotate": np.eye(size), "shear": 0}
    named = str(info.get("source") or name)
    source = SimpleNamespace(name=named, **{**plain_place, "units": None, "axis_labels": None, **where})
    source.affine = SimpleNamespace(affine_matrix=np.asarray(where.get("affine", np.eye(size + 1)), float))
    layer = as_layer(quality_map, source, contrast_limits=_limits(shown.get("limits")))
    if isinstance(shown.get("colormap"), str) and shown["colormap"] != layer.colormap.name:
        with contextlib.suppress(KeyError, ValueError, TypeError):  # a colormap that this napari does not have
            layer.colormap = ensure_colormap(shown["colormap"])
    return layer


def _limits(stated: Any) -> tuple[float, float] | None:
    if not isinstance(stated, tuple | list) or len(stated) != 2 or not all(map(is_number, stated)):
        return None
    low, high = map(float, stated)
    return (low, high) if low < high else None


def _tuples(array: np.ndarray) -> Any:
    return tuple(map(_tuples, array)) if array.ndim > 1 else tuple(array.tolist())
