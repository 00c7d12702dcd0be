"""How a result was made: what its layer keeps of it; how a layer becomes a map for a file, and a map a layer."""

from __future__ import annotations

import contextlib
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
from napari.layers import Image
from napari.utils.colormaps import ensure_colormap

from .. import __version__
from ..core.call import Call
from ..core.errors import InputError
from ..core.io import MAP_SUFFIXES, space, write_map
from ..core.io.records import is_number
from ..core.maps import QualityMap
from .layers import METADATA_KEY, PICTURE_KEY, as_layer, spatial_state

_SHOWN = "shown"
"""Where an info keeps how its map was shown: between which values, in which colours."""

_OF_LAYER = ("kind", "unit", "score", "sentence", "display_limits")
"""What the record of a layer says beside the info of its map."""

ENDING = ".iqmap.tif"
"""Of a map that napari itself saves: its own formats end otherwise, and stay napari's."""

_NUMBERS = ("scale", "translate", "rotate", "shear", "affine")
_WORDS = ("units", "axis_labels")
_OF_IMAGE = ("name", "metadata", "colormap", "contrast_limits", "rgb", "multiscale", *_NUMBERS, *_WORDS)


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


def told_by(layer: Any) -> dict[str, Any]:
    """Give what a layer tells of its map beside kind and score: source, call, time, where it lies and how it looks."""
    record = layer.metadata.get(METADATA_KEY, {})
    shown = {"limits": tuple(map(float, layer.contrast_limits)), "colormap": layer.colormap.name}
    told = {name: value for name, value in record.items() if name not in _OF_LAYER}
    return {**told, space.KEY: space_of(layer), _SHOWN: shown}


def with_told(quality_map: QualityMap, told: Mapping[str, Any]) -> QualityMap:
    """Give a map what its layer tells of it; its own info counts more."""
    now = {name: told[name] for name in (space.KEY, _SHOWN) if name in told}
    return replace(quality_map, info={**told, **quality_map.info, **now})


def map_of(layer: Any) -> QualityMap:
    """Give the map that a layer shows, made of its values and its record."""
    record = layer.metadata.get(METADATA_KEY, {})
    if "kind" not in record:
        raise InputError(
            f"{layer.name!r} is no map of napari-iqmaps, so there is no record to write with it. Choose one of "
            "napari's own formats, such as .tif."
        )
    return QualityMap(layer.data, record["kind"], record["score"], told_by(layer)).compute()


def write_layer(path: str, data: Any, meta: Mapping[str, Any]) -> list[str]:
    """Write the layer of a map with its record; napari calls this for *Save selected layers*.

    Without an ending that is known, the name gets that of a map. Why nothing is written is said as a warning, which
    napari shows; of an error it would say that there is no such format.
    """
    layer = Image(data, **{name: meta[name] for name in _OF_IMAGE if name in meta})
    try:
        return [str(write_map(map_of(layer), path if path.lower().endswith(MAP_SUFFIXES) else f"{path}{ENDING}"))]
    except InputError as error:
        warnings.warn(str(error), stacklevel=2)
        return []


def layer_of(quality_map: QualityMap, name: str) -> Image:
    """Make the layer of a map from a file, as it was shown when it was written, else as its kind is shown.

    `name`: what its image is called, unless the map says it.
    """
    info = quality_map.info
    where = space.checked(info, quality_map.values.ndim, "The info of the map")
    if not _are_units(where.get("units", ())):
        del where["units"]
    shown = info.get(_SHOWN)
    shown = shown if isinstance(shown, Mapping) else {}
    affine = np.asarray(where.pop("affine", np.eye(quality_map.values.ndim + 1)), float)
    source = SimpleNamespace(
        **{**dict.fromkeys((*_NUMBERS, *_WORDS)), **where},
        name=str(info.get("source") or name),
    )
    source.affine = SimpleNamespace(affine_matrix=affine)
    layer = as_layer(quality_map, source, contrast_limits=_limits(shown.get("limits")))
    if isinstance(shown.get("colormap"), str) and shown["colormap"] != layer.colormap.name:
        with contextlib.suppress(KeyError, ValueError, TypeError):  # a colormap that this napari does not have
            layer.colormap = ensure_colormap(shown["colormap"])
    return layer


def _are_units(names: Sequence[str]) -> bool:
    try:
        Image(np.zeros((1,) * max(len(names), 2)), units=names or None)
    except (ValueError, AttributeError, TypeError):  # what the library of units raises for words that are none
        return False
    return True


def _limits(stated: Any) -> tuple[float, float] | None:
    if not isinstance(stated, tuple | list) or len(stated) != 2 or not all(map(is_number, stated)):
        return None
    low, high = map(float, stated)
    return (low, high) if low < high else None


def _tuples(array: np.ndarray) -> Any:
    return tuple(map(_tuples, array)) if array.ndim > 1 else tuple(array.tolist())


def adopt(layer: Any, read: Any) -> None:
    """Give a layer place, colours, limits, name and record of another one that shows the same map."""
    for name, value in spatial_state(read).items():
        setattr(layer, name, value)
    layer.colormap, layer.contrast_limits, layer.name = read.colormap, read.contrast_limits, read.name
    layer.metadata = {**layer.metadata, **read.metadata}
    if hasattr(layer, "colorbar"):
        layer.colorbar.visible = True


def stacked(maps: Sequence[QualityMap], names: Sequence[Path]) -> QualityMap:
    """Make one map of several files, which become its planes; what the first says of its making is kept."""
    first = maps[0]
    for quality_map, name in zip(maps, names, strict=True):
        if quality_map.kind != first.kind or quality_map.values.shape != first.values.shape:
            raise InputError(
                f"{names[0].name} is a {first.kind} map of shape {first.values.shape} and {name.name} a "
                f"{quality_map.kind} map of shape {quality_map.values.shape}: they make no stack. Open them one by one."
            )
    info = {name: value for name, value in first.info.items() if name != space.KEY}
    values, scores = np.stack([one.values for one in maps]), np.stack([np.asarray(one.score) for one in maps])
    return QualityMap(values, first.kind, scores, info)
