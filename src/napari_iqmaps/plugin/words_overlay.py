"""Words of a layer on the canvas, such as the title and the unit of its colour bar.

napari 0.9 draws a layer's name there and nothing else: its colour bar has no place for words. So its name overlay is
given another text. That takes private parts of napari; where they have moved, the name is shown instead.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from functools import cache
from typing import Any

from .layers import bare

_VISUALS, _TEXTS = "napari._vispy.utils.visual", "napari._vispy.overlays.text"


def put_words(layer: Any, key: str, text: str, **looks: Any) -> None:
    """Show words over a layer under a key of their own, or other words in their place; ``""`` shows none.

    `looks`: fields of napari's text overlay, such as its position; those of the first time stay.
    """
    kind = _overlay()
    overlays = getattr(layer, "_overlays", None)
    if kind is None or overlays is None:
        if text and hasattr(layer, "name_overlay"):
            layer.name_overlay.visible = True
        return
    if key not in overlays:
        overlays[key] = kind(**looks)
    overlays[key].text = text
    overlays[key].visible = bool(text)


def words_of(layer: Any, key: str) -> str:
    """Give the words that are shown over a layer under a key."""
    overlay = getattr(layer, "_overlays", {}).get(key)
    return overlay.text if overlay is not None and overlay.visible else ""


def letters_made(viewer: Any, text: str) -> Iterator[str]:
    """Make the letters of a text for the canvas, one at each step, unless they are there; nothing without a window.

    napari makes a letter when it is drawn first, which takes some hundredths of a second; a legend of new ones would
    stop the window for a second.
    """
    try:
        info = bare(viewer).window._qt_viewer.canvas.font_info()
        font = info.font_manager.get_font(info.face)
        missing = [letter for letter in sorted(set(text)) if letter not in font._glyphs]
    except AttributeError:
        return
    for letter in missing:
        if letter not in font._glyphs and not letter.isspace():
            font[letter]
            yield letter


@cache
def _overlay() -> Any:
    """Make the kind of overlay, and tell napari's window how it is drawn; None where napari has no such parts."""
    try:
        from napari.components.overlays import TextOverlay
    except ImportError:
        return None
    kind = type("LayerWords", (TextOverlay,), {"__doc__": "Words of a layer.", "__module__": __name__})
    if _VISUALS not in sys.modules:
        return kind  # no window: nothing is drawn
    try:
        base = sys.modules[_TEXTS].VispyLayerNameOverlay
        drawn = {"_connect_events": _connect_events, "_on_text_change": _on_text_change}
        sys.modules[_VISUALS].overlay_to_visual[kind] = type("VispyLayerWords", (base,), drawn)
    except (KeyError, AttributeError):
        return None
    return kind


def _connect_events(self: Any) -> None:
    self.overlay.events.text.connect(self._on_text_change)


def _on_text_change(self: Any) -> None:
    self.node.text = self.overlay.text
    self._on_position_change()
