"""Between napari layers and the core: what a layer holds as an image, and what shows a map."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from weakref import WeakKeyDictionary

import numpy as np
from napari.layers import Image

from ..core.arrays import is_dask
from ..core.call import Given
from ..core.display import Luminance
from ..core.errors import InputError
from ..core.io.reading import LIGHT_SUFFIXES
from ..core.maps import QualityMap

METADATA_KEY = "iqmaps"
"""Where a map's provenance lives in the metadata of its layer."""

PICTURE_KEY = "iqmaps_picture"
"""The same of an image that was made from another."""

LIGHT_KEY = "iqmaps_light"
"""Where the metadata of a tone-mapped layer keep the light that it shows: ``values``, ``data_range`` and ``notes``."""

_GIVEN_LIMITS: WeakKeyDictionary[Any, tuple[float, float]] = WeakKeyDictionary()
_SPATIAL = ("scale", "translate", "rotate", "shear", "units", "axis_labels")
_MOST_CHANNELS = 16


@dataclass(frozen=True, eq=False)
class LayerPixels:
    """What the core needs from an image layer.

    Attributes
    ----------
    data : numpy.ndarray or dask.array.Array
        The pixels; of a multiscale layer the finest level, of a tone-mapped one the light that it shows.
    channel_axis : int or None
        -1 for an RGB layer, None for a grey one.
    luminance : {"code", "absolute"}
        Whether the pixels are display codes, or linear light.
    data_range : (float, float) or None
        Of light: the values of black and of diffuse white, if its file states them.
    given : Given or None
        Where the same pixels are to be had again.
    """

    name: str
    data: Any
    channel_axis: int | None
    luminance: Luminance = "code"
    data_range: tuple[float, float] | None = None
    given: Given | None = None

    @property
    def plane_shape(self) -> tuple[int, int]:
        """Height and width."""
        shape = self.data.shape if self.channel_axis is None else self.data.shape[:-1]
        return int(shape[-2]), int(shape[-1])


def pixels_of(layer: Any, role: str = "image") -> LayerPixels:
    """Take the pixels of a layer, or say why it cannot be used; nothing is copied or computed.

    A tone-mapped layer gives the light that it was made from, as long as it has its shape: cropped or split into
    colours, it is a picture like any other.
    """
    if layer is None:
        raise InputError(f"No {role} is chosen. Open or add an image layer, then choose it as the {role}.")
    if not isinstance(layer, Image):
        kind = type(layer).__name__
        raise InputError(
            f"The layer {layer.name!r} is a {kind} layer, and the {role} must be an Image layer. Choose an image, or "
            "convert the layer to one (right click on it in the layer list)."
        )
    data = layer.data[0] if layer.multiscale else layer.data
    channel_axis = -1 if layer.rgb else None
    light = layer.metadata.get(LIGHT_KEY)
    if light is not None and light["values"].shape == data.shape:
        given = _given(layer, light["values"], f'.metadata["{LIGHT_KEY}"]["values"]')
        return LayerPixels(layer.name, light["values"], channel_axis, "absolute", light["data_range"], given)
    if not layer.rgb:
        _refuse_channels_as_columns(layer.name, data.shape)
    given = _given(layer, data, ".data[0]" if layer.multiscale else ".data")
    return LayerPixels(layer.name, data, channel_axis, given=given)


def _given(layer: Any, pixels: Any, within: str) -> Given:
    """Say where the pixels of a layer are to be had again: in its file, or in the layer."""
    shape = tuple(map(int, pixels.shape))
    path = str(layer.source.path) if _is_as_its_file(layer, pixels) else ""
    return Given(layer.name, path, f"{pixels.dtype}, {' x '.join(map(str, shape))}", within, shape)


def _is_as_its_file(layer: Any, pixels: Any) -> bool:
    """Tell whether a layer has one file, as far as napari tells, and this package reads that as the layer shows it."""
    source = layer.source
    if source.path is None or source.parent is not None:
        return False  # of a layer that was made from another one, the file holds something else
    if layer.ndim > 2 and is_dask(pixels):
        return False  # as stacks of several files are, of which napari keeps the first one's name
    is_light = Path(source.path).suffix.lower() in LIGHT_SUFFIXES
    return not is_light or LIGHT_KEY in layer.metadata  # other readers make pictures of light


def common_channel_axis(images: Iterable[LayerPixels]) -> int | None:
    """Give the channel axis that images share: -1 for RGB, None for grey."""
    images = list(images)
    axes = {image.channel_axis for image in images}
    if len(axes) > 1:
        colour = ", ".join(repr(image.name) for image in images if image.channel_axis is not None)
        grey = ", ".join(repr(image.name) for image in images if image.channel_axis is None)
        raise InputError(
            f"{colour} is RGB and {grey} is grey, and only like can be compared with like. Convert one of them first."
        )
    return axes.pop()


def spatial_state(layer: Any) -> dict[str, Any]:
    """Give everything that says where a layer's pixels lie, as keyword arguments for a layer of as many dimensions.

    An RGB image has one dimension less than its array, as the map of it has.
    """
    return {name: getattr(layer, name) for name in _SPATIAL} | {"affine": np.array(layer.affine.affine_matrix)}


def move_onto(layer: Any, source: Any) -> None:
    """Put a layer where another one of as many dimensions lies."""
    for name, value in spatial_state(source).items():
        setattr(layer, name, value)


def looks_of(layer: Any) -> dict[str, Any]:
    """Give how an image is shown, as keyword arguments for another layer; colours show themselves."""
    return {} if layer.rgb else {name: getattr(layer, name) for name in ("colormap", "contrast_limits", "gamma")}


def as_layer(quality_map: QualityMap, source: Any, *, contrast_limits: tuple[float, float] | None = None) -> Image:
    """Make the layer that shows a map on the pixels of its source; holes are transparent.

    Without contrast limits it takes those that the map's kind asks for, which needs all the values.
    """
    limits = contrast_limits or quality_map.meaning.display_limits(np.asarray(quality_map.values))
    layer = Image(
        quality_map.values,
        name=map_template(quality_map).format(source.name),
        colormap=quality_map.meaning.colormap,
        contrast_limits=limits,
        metadata=_metadata(quality_map, source.name, limits),
        # A map three or four pixels wide would otherwise be taken for colours, a ragged stack for a pyramid.
        rgb=False,
        multiscale=False,
        **spatial_state(source),
    )
    give_limits(layer, limits)
    if hasattr(layer, "colorbar"):  # since napari 0.9
        layer.colorbar.visible = True
    return layer


def update_layer(
    layer: Any, quality_map: QualityMap, source: Any, *, contrast_limits: tuple[float, float] | None = None
) -> None:
    """Put a new map into the layer of an earlier one, and leave what the user has tuned.

    Name, colormap, opacity and blending are the user's from the first result on. The contrast limits follow the map
    only as long as they are the ones that they were given.
    """
    limits = contrast_limits or quality_map.meaning.display_limits(np.asarray(quality_map.values))
    untouched = has_given_limits(layer)
    layer.data = quality_map.values
    move_onto(layer, source)
    if untouched:
        give_limits(layer, limits)
    layer.metadata = {**layer.metadata, **_metadata(quality_map, source.name, limits)}


def give_limits(layer: Any, limits: tuple[float, float]) -> None:
    """Set contrast limits, so that it is known later whether the user has changed them."""
    layer.contrast_limits = limits
    _GIVEN_LIMITS[bare(layer)] = limits


def has_given_limits(layer: Any) -> bool:
    """Tell whether a map's layer has the contrast limits that it was given last, or that it was read with."""
    given = _GIVEN_LIMITS.get(bare(layer)) or layer.metadata.get(METADATA_KEY, {}).get("display_limits")
    return given is not None and bool(np.allclose(layer.contrast_limits, given))


def picture_layer(pixels: Any, source: Any, title: str, info: Mapping[str, Any]) -> Image:
    """Make the layer of an image that was made from another, shown as that one is and named after it and the title.

    It is no map: it can be chosen as an image.
    """
    return Image(
        pixels,
        name=picture_template(title).format(source.name),
        metadata={PICTURE_KEY: dict(info)},
        rgb=source.rgb,
        multiscale=False,
        **looks_of(source),
        **spatial_state(source),
    )


def update_picture(layer: Any, pixels: Any, source: Any, info: Mapping[str, Any]) -> None:
    """Put new pixels into the layer of an earlier picture, and leave how it looks to the user."""
    layer.data = pixels
    move_onto(layer, source)
    layer.metadata = {**layer.metadata, PICTURE_KEY: dict(info)}


def is_map(layer: Any) -> bool:
    """Tell whether a layer shows a map made by this package."""
    return METADATA_KEY in layer.metadata


def map_template(quality_map: QualityMap) -> str:
    """Give the pattern by which a map is named after what it shows and its image, ``{0}``."""
    return f"{quality_map.meaning.title}: {{0}}"  # where names are cut, what a map shows is left


def picture_template(title: str) -> str:
    """Give the pattern by which a picture is named after its image, ``{0}``, and its title."""
    return f"{{0}}: {title.replace('{', '{{').replace('}', '}}')}"


def _metadata(quality_map: QualityMap, source_name: str, limits: tuple[float, float]) -> Mapping[str, Any]:
    return {
        METADATA_KEY: {
            **quality_map.info,
            "kind": quality_map.kind,
            "unit": quality_map.meaning.unit,
            "score": quality_map.score,
            "sentence": quality_map.sentence(),
            "source": source_name,
            "display_limits": tuple(limits),
        }
    }


def _refuse_channels_as_columns(name: str, shape: tuple[int, ...]) -> None:
    """Stop at a stack of slivers, which is nearly always an image with its channels in the last axis."""
    if len(shape) >= 3 and shape[-1] < _MOST_CHANNELS <= min(shape[-3:-1]):
        raise InputError(
            f"The layer {name!r} has shape {tuple(shape)} and is not RGB, so it reads as {shape[-3]} planes of only "
            f"{shape[-1]} pixels' width. If its last axis holds channels, move that axis to the front, which gives "
            "one map a channel, or choose one channel; add it with rgb=True if the channels are RGB."
        )


def bare(model: Any) -> Any:
    """Give a layer or a viewer itself: what a dock gets from napari is wrapped, anew each time."""
    return getattr(model, "__wrapped__", model)


def holds(layers: Iterable[Any], layer: Any) -> bool:
    """Tell whether a layer itself is among others."""
    return any(bare(layer) is bare(other) for other in layers)


def plane_of_view(viewer: Any, layer: Any) -> tuple[int, ...]:
    """Give the index of the plane of a layer at which a viewer stands; empty for one image."""
    lead = layer.data.shape[: layer.ndim - 2]
    position = layer.world_to_data(viewer.dims.point[-layer.ndim :])
    return tuple(int(np.clip(round(at), 0, length - 1)) for at, length in zip(position, lead, strict=False))


def grid_of(viewer: Any) -> Any:
    """Give the grid in which a viewer shows its layers side by side; napari 0.9 moved it from viewer to canvas."""
    return getattr(viewer, "canvas", viewer).grid
