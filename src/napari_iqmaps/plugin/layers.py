"""Between napari layers and the core: what a layer holds as an image, what shows a map, and where layers go."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from napari.layers import Image

from ..core.display import Luminance
from ..core.errors import InputError
from ..core.maps import QualityMap
from .tasks import breathe

METADATA_KEY = "iqmaps"
"""Where a map's provenance lives in the metadata of its layer."""

PICTURE_KEY = "iqmaps_picture"
"""The same of an image that was made from another."""

LIGHT_KEY = "iqmaps_light"
"""Where the metadata of a tone-mapped layer keep the light that it shows: ``values``, ``data_range`` and ``notes``."""

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
    """

    name: str
    data: Any
    channel_axis: int | None
    luminance: Luminance = "code"
    data_range: tuple[float, float] | None = None

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
        return LayerPixels(layer.name, light["values"], channel_axis, "absolute", light["data_range"])
    if not layer.rgb:
        _refuse_channels_as_columns(layer.name, data.shape)
    return LayerPixels(layer.name, data, channel_axis)


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
        name=map_name(quality_map, source.name),
        colormap=quality_map.meaning.colormap,
        contrast_limits=limits,
        metadata=_metadata(quality_map, source.name, limits),
        # A map three or four pixels wide would otherwise be taken for colours, a ragged stack for a pyramid.
        rgb=False,
        multiscale=False,
        **spatial_state(source),
    )
    if hasattr(layer, "colorbar"):
        layer.colorbar.visible = True
    return layer


def update_layer(
    layer: Any, quality_map: QualityMap, source: Any, *, contrast_limits: tuple[float, float] | None = None
) -> None:
    """Put a new map into the layer of an earlier one, and leave what the user has tuned.

    Name, colormap, opacity and blending are the user's from the first result on. The contrast limits follow the map
    only as long as they are the ones that this module set.
    """
    limits = contrast_limits or quality_map.meaning.display_limits(np.asarray(quality_map.values))
    earlier = layer.metadata.get(METADATA_KEY, {}).get("display_limits")
    untouched = earlier is not None and np.allclose(layer.contrast_limits, earlier)
    layer.data = quality_map.values
    move_onto(layer, source)
    layer.metadata = {**layer.metadata, **_metadata(quality_map, source.name, limits)}
    if untouched:
        layer.contrast_limits = limits


def picture_layer(pixels: Any, source: Any, title: str, info: Mapping[str, Any]) -> Image:
    """Make the layer of an image that was made from another, shown as that one is and named after it and the title.

    It is no map: it can be chosen as an image.
    """
    return Image(
        pixels,
        name=f"{source.name}: {title}",
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


def map_name(quality_map: QualityMap, source_name: str) -> str:
    """Name a map after what it shows and its image."""
    return f"{quality_map.meaning.title}: {source_name}"  # where names are cut, what a map shows is left


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


class Showable(Protocol):
    """What a run made and one layer shows: a map, or a picture."""

    def new_layer(self, source: Any) -> Image:
        """Make a layer of its own, on the pixels of the source."""

    def update(self, layer: Any, source: Any) -> None:
        """Put it into the layer of an earlier one."""

    def is_in(self, layer: Any) -> bool:
        """Tell whether a layer shows the same part of an earlier result."""


def place_all(viewer: Any, parts: Sequence[Showable], source: Any, earlier: Sequence[Any] = ()) -> list[Any]:
    """Show the parts of a result, each as one layer, the last on top; give the layers.

    `earlier`: what an earlier run of the same kind gave; may be empty.

    The layers stay together: of a run that makes other maps than the one before, a new map comes between those that
    were there, and the layer of a map that is made no longer goes, for it would show what is past.
    """
    before = [next((layer for layer in earlier if part.is_in(layer)), None) for part in parts]
    layers = [place(viewer, part, source, layer) for part, layer in zip(parts, before, strict=True)]
    is_kept = [layer is earlier_layer for layer, earlier_layer in zip(layers, before, strict=True)]
    for layer in earlier:
        if not holds(layers, layer) and holds(viewer.layers, layer):
            viewer.layers.remove(layer)
    for number, layer in enumerate(layers):
        if is_kept[number] or not any(is_kept):
            continue
        above = next((other for other, kept in zip(layers[number:], is_kept[number:], strict=True) if kept), None)
        index = _index(viewer.layers, layers[number - 1] if above is None else above) or 0
        viewer.layers.move(_index(viewer.layers, layer), index + (above is None))
    return layers


def place(viewer: Any, part: Showable, source: Any, earlier: Any = None) -> Any:
    """Show a part of a result as one layer: the earlier one if it is still there, a new one otherwise."""
    if earlier is not None and holds(viewer.layers, earlier):
        breathe()
        part.update(earlier, source)
        return earlier
    layer = part.new_layer(source)
    add_beside(viewer, layer)
    return layer


def add_beside(viewer: Any, layer: Any) -> None:
    """Add a layer and leave those selected that are: the user goes on with the image, not with what has just come in.

    The window draws itself before and after, and before the colour bar, for napari takes a tenth of a second or two to
    make the controls of one layer, and as long for the words of a colour bar.
    """
    breathe()
    bar: Any = getattr(layer, "colorbar", None)
    has_bar = bar is not None and bar.visible
    if has_bar:
        bar.visible = False
    layers = viewer.layers
    selected = list(layers.selection)
    # To select the new one and take that back makes napari change its controls twice, which takes as long again.
    activates = getattr(layers, "_activate_on_insert", True)
    layers._activate_on_insert = activates and not selected
    try:
        viewer.add_layer(layer)
    finally:
        layers._activate_on_insert = activates
    if selected and set(layers.selection) != set(selected):
        layers.selection = selected
    breathe()
    if has_bar:
        bar.visible = True
        breathe()


def holds(layers: Iterable[Any], layer: Any) -> bool:
    """Tell whether a layer itself is among others."""
    return any(layer is other for other in layers)


def grid_of(viewer: Any) -> Any:
    """Give the grid in which a viewer shows its layers side by side; napari 0.9 moved it from viewer to canvas."""
    return getattr(viewer, "canvas", viewer).grid


def _index(layers: Iterable[Any], layer: Any) -> int | None:
    return next((index for index, other in enumerate(layers) if other is layer), None)
