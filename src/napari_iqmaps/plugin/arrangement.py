"""How a widget arranges layers in the viewer: which are seen, and whether in a grid; and how that is put back."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from .layers import bare, grid_of, holds
from .tasks import breathe


def add_beside(viewer: Any, layer: Any) -> None:
    """Add a layer and leave those selected that are: the user goes on with the image, not with what has just come in.

    The window draws itself before and after, for napari takes a tenth of a second or two to make the controls of one
    layer.
    """
    breathe()
    layers = bare(viewer).layers  # what a dock gets is wrapped, and wrappers do not give away what is private
    selected = list(layers.selection)
    # To select the new one and take that back makes napari change its controls twice, which takes as long again.
    activates = getattr(layers, "_activate_on_insert", True)
    layers._activate_on_insert = False
    try:
        viewer.add_layer(layer)
    finally:
        layers._activate_on_insert = activates
    if set(layers.selection) != set(selected):
        layers.selection = selected
    breathe()


@dataclass
class _Change:
    """An attribute that was changed, as it was before and as it was left."""

    of: Any
    name: str
    before: Any
    left: Any


class Arrangement:
    """The only one that changes grid and visibility for a widget, and puts them back when the widget closes.

    What is as the widget left it is put back; what the user has changed since, stays. Layers that the widget made are
    its own: they stay as they are shown.
    """

    def __init__(self, viewer: Any) -> None:
        self._viewer = viewer
        self._changes: dict[tuple[int, str], _Change] = {}
        self._owned: list[Any] = []

    def own(self, *layers: Any) -> None:
        """Take note of layers that the widget made."""
        self._owned = [layer for layer in self._owned if holds(self._viewer.layers, layer)] + list(map(bare, layers))

    def show(self, layer: Any, visible: bool = True) -> None:
        """Let a layer be seen or not; the window draws itself before the next change."""
        changes = layer.visible != visible
        self._set(layer, "visible", visible)
        if changes:
            breathe()

    def grid(self, enabled: bool, **settings: Any) -> None:
        """Show the layers side by side or over each other, and all of them, where that is a change or a grid."""
        grid = grid_of(self._viewer)
        was_enabled = grid.enabled
        for name, value in {**settings, "enabled": enabled}.items():
            self._set(grid, name, value)
        if enabled or was_enabled:
            self._viewer.reset_view()

    def put_back(self, *_: Any) -> None:
        """Put everything back; arguments are ignored so that a Qt signal can call it."""
        changes, self._changes = list(self._changes.values()), {}
        was_enabled = grid_of(self._viewer).enabled
        for change in changes:
            is_gone = change.name == "visible" and not holds(self._viewer.layers, change.of)
            if not is_gone and getattr(change.of, change.name) == change.left:
                setattr(change.of, change.name, change.before)
        if grid_of(self._viewer).enabled != was_enabled:
            self._viewer.reset_view()  # the zoom of a cell is not that of the whole canvas

    def _set(self, of: Any, name: str, value: Any) -> None:
        of = bare(of)
        now, change = getattr(of, name), self._changes.get((id(of), name))
        if change is not None:
            if now != change.left:
                change.before = now  # the user's own, later choice
            change.left = value
        elif now != value and not holds(self._owned, of):
            self._changes[id(of), name] = _Change(of, name, now, value)
        setattr(of, name, value)
