"""Where a result goes in the viewer: into the layers of an earlier one, or into new ones beside each other."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from .layers import METADATA_KEY, PICTURE_KEY, as_layer, picture_layer, update_layer, update_picture
from .results import Picture, Result


def place_all(viewer: Any, result: Result, source: Any, earlier: Sequence[Any] = ()) -> list[Any]:
    """Show a result and what was made beside it.

    Parameters
    ----------
    earlier : sequence of napari.layers.Image
        What this function gave for an earlier run of the same kind; may be empty.

    Returns
    -------
    list of napari.layers.Image
        A layer for each part that was made beside, and the map's last, on top.

    Notes
    -----
    The layers stay together: of a run that makes other maps than the one before, a new map comes between those that
    were there, and the layer of a map that is made no longer goes, for it would show what is past.
    """
    parts = (*result.beside, result)
    before = [next((layer for layer in earlier if _shows(layer, part)), None) for part in parts]
    layers = [place(viewer, part, source, layer) for part, layer in zip(parts, before, strict=True)]
    is_kept = [layer is earlier_layer for layer, earlier_layer in zip(layers, before, strict=True)]
    for layer in earlier:
        if not any(layer is other for other in layers) and _index(viewer, layer) is not None:
            viewer.layers.remove(layer)
    for number, layer in enumerate(layers):
        if is_kept[number] or not any(is_kept):
            continue
        above = next((other for other, kept in zip(layers[number:], is_kept[number:], strict=True) if kept), None)
        index = _index(viewer, layers[number - 1] if above is None else above) or 0
        viewer.layers.move(_index(viewer, layer), index + (above is None))
    return layers


def place(viewer: Any, result: Result | Picture, source: Any, earlier: Any = None) -> Any:
    """Show a result as one layer: the earlier one if it is still there, a new one otherwise.

    Parameters
    ----------
    source : napari.layers.Image
        The layer whose pixels the map lines up with.
    """
    is_there = earlier is not None and _index(viewer, earlier) is not None
    if is_there and isinstance(result, Picture):
        update_picture(earlier, result.pixels, source, result.info)
        return earlier
    if is_there and isinstance(result, Result):
        update_layer(earlier, result.quality_map, source, contrast_limits=result.limits)
        return earlier
    if isinstance(result, Picture):
        layer = picture_layer(result.pixels, source, result.title, result.info)
    else:
        layer = as_layer(result.quality_map, source, contrast_limits=result.limits)
    selected = list(viewer.layers.selection)
    viewer.add_layer(layer)
    # The user goes on with the image, not with the map that has just come in.
    if selected:
        viewer.layers.selection = selected
    return layer


def _shows(layer: Any, part: Result | Picture) -> bool:
    """Tell whether a layer shows the same part of an earlier result."""
    if isinstance(part, Picture):
        return PICTURE_KEY in layer.metadata
    return bool(layer.metadata.get(METADATA_KEY, {}).get("kind") == part.quality_map.kind)


def _index(viewer: Any, layer: Any) -> int | None:
    return next((index for index, other in enumerate(viewer.layers) if other is layer), None)
