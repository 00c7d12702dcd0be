"""The layers of a judged registration: what they hold and are called, and which of them are seen together."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

import numpy as np
import numpy.typing as npt
from napari.layers import Image, Labels
from napari.utils.colormaps import DirectLabelColormap

from ..core.diffdiff import marks
from ..core.diffdiff.sheet import BETTER as BETTER_COLOUR
from ..core.diffdiff.sheet import WORSE as WORSE_COLOUR
from .block_layers import blocks_layer, update_blocks
from .diff_diff_places import Grid
from .diff_diff_run import JudgedResult
from .layers import METADATA_KEY, PICTURE_KEY, as_layer, spatial_state, update_layer

BETTER, WORSE = 1, 2
"""Labels of the marked pixels."""

VIEWS: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "Before": ("before",),
        "After": ("after",),
        "Map": ("map",),
        "Marks": ("marks",),
        "Blocks": ("blocks",),
    }
)
"""Of each view, which layers of the judgement lie over the fixed image."""


class JudgedLayers:
    """The layers that show one judgement; later ones of the same pair go into them."""

    def __init__(self, viewer: Any) -> None:
        self._viewer = viewer
        self.layers: dict[str, Any] = {}

    def show(self, result: JudgedResult, moving: Any, fixed: Any, registered: Any = None) -> None:
        """Put a judgement into its layers; layers that the user has removed come back.

        Parameters
        ----------
        moving, fixed, registered : napari.layers.Image
            The layers that were chosen; registered may be None.
        """
        grid = Grid.of(moving, fixed, registered)
        selected = list(self._viewer.layers.selection)
        if result.registrations and result.affine is None:
            self._show_picture("registered", result.registered, f"{moving.name}: registered", grid, moving)
        self._show_picture("before", result.before, f"Before: {Grid.of(moving, fixed).name}", grid)
        self._show_picture("after", result.after, f"After: {grid.name}", grid)
        self._show_map(result, grid)
        self._show_marks(result, grid)
        self._show_blocks(result, grid)
        # The user goes on with the images, not with what has just come in.
        if selected:
            self._viewer.layers.selection = selected

    def recount(self, result: JudgedResult, view: str | None = None) -> None:
        """Show the same judgement at another tolerance.

        Parameters
        ----------
        view : str, optional
            One of `VIEWS`: bring only its layers up to date. None means all.
        """
        roles = VIEWS[view] if view else tuple(self.layers)
        if "marks" in roles and (layer := self._there("marks")) is not None:
            layer.data[...] = marked(result)  # the same size, so that nothing else has to be found out anew
            layer.refresh(extent=False)
        if "blocks" in roles and (layer := self._there("blocks")) is not None:
            update_blocks(layer, result.score)

    def view(self, name: str, moving: Any, fixed: Any, registered: Any = None) -> None:
        """Let some layers be seen, and none that would cover them.

        Parameters
        ----------
        moving, fixed, registered : napari.layers.Image
            The layers that were chosen; registered may be None.
        """
        for role in self.layers:
            if (layer := self._there(role)) is not None:
                layer.visible = role in VIEWS[name]
        for layer in (moving, registered):
            if layer is not None and layer is not fixed:
                layer.visible = False
        fixed.visible = True

    def hide(self) -> None:
        """Let none of them be seen: another judgement is looked at."""
        for role in self.layers:
            if (layer := self._there(role)) is not None:
                layer.visible = False

    def get(self, role: str) -> Any:
        """Give the layer of a role.

        Returns
        -------
        napari.layers.Layer or None
            None if it is not in the viewer.
        """
        return self._there(role)

    def _there(self, role: str) -> Any:
        layer = self.layers.get(role)
        return layer if any(layer is other for other in self._viewer.layers) else None

    def _add(self, role: str, layer: Any) -> None:
        self.layers[role] = layer
        self._viewer.add_layer(layer)

    def _show_picture(self, role: str, pixels: Any, name: str, grid: Grid, like: Any = None) -> None:
        state = spatial_state(grid)
        if (layer := self._there(role)) is not None and layer.data.ndim == pixels.ndim:
            layer.data = pixels
            for attribute, value in state.items():
                setattr(layer, attribute, value)
            return
        rgb = like is None or like.rgb
        looks = {} if rgb else {look: getattr(like, look) for look in ("colormap", "contrast_limits", "gamma")}
        # An overlay is to look at: it cannot be chosen as an image, as the registered one can.
        info = {METADATA_KEY if like is None else PICTURE_KEY: {"method": role, "source": grid.name}}
        self._add(role, Image(pixels, name=name, rgb=rgb, multiscale=False, metadata=info, **looks, **state))

    def _show_map(self, result: JudgedResult, grid: Grid) -> None:
        layer = self._there("map")
        if layer is not None and layer.ndim == result.quality_map.values.ndim:
            update_layer(layer, result.quality_map, grid, contrast_limits=result.limits)
            return
        layer = as_layer(result.quality_map, grid, contrast_limits=result.limits)
        if hasattr(layer, "colorbar"):  # since napari 0.9, which puts it over the upper right corner
            layer.colorbar.position = "bottom_left"
        self._add("map", layer)

    def _show_marks(self, result: JudgedResult, grid: Grid) -> None:
        labels, state = marked(result), spatial_state(grid)
        if (layer := self._there("marks")) is not None and layer.data.ndim == labels.ndim:
            layer.data = labels
            for attribute, value in state.items():
                setattr(layer, attribute, value)
            return
        colours = {None: "transparent", 0: "transparent", BETTER: BETTER_COLOUR, WORSE: WORSE_COLOUR}
        name = f"Marks: {grid.name}"
        self._add(
            "marks", Labels(labels, name=name, colormap=DirectLabelColormap(color_dict=colours), opacity=0.8, **state)
        )

    def _show_blocks(self, result: JudgedResult, grid: Grid) -> None:
        layer = self._there("blocks")
        if not result.score.blocks:
            if layer is not None:
                self._viewer.layers.remove(layer)
            return
        if layer is not None and update_blocks(layer, result.score):
            return
        fresh = blocks_layer(result.score, f"Blocks: {grid.name}", result.quality_map.values.ndim, spatial_state(grid))
        if layer is not None:
            self._viewer.layers.remove(layer)
        self._add("blocks", fresh)


def marked(result: JudgedResult) -> npt.NDArray[np.uint8]:
    """Mark the pixels that changed.

    Returns
    -------
    numpy.ndarray
        uint8, of the map's shape: `BETTER`, `WORSE` or 0.
    """
    values = result.quality_map.values
    labels = np.zeros(values.shape, np.uint8)
    median = int(result.score.info.get("median", 0))
    for index, part in zip(np.ndindex(*values.shape[:-2]), result.score.planes, strict=True):
        better, worse = marks(values[index], part.tol, median=median)
        labels[index][better], labels[index][worse] = BETTER, WORSE
    return labels
