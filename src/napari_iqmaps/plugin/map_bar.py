"""What a panel says of the map in the canvas: its value under the cursor, and whether its limits are its own."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from qtpy.QtWidgets import QCheckBox, QVBoxLayout, QWidget

from .canvas import canvas_of
from .follower import Connections, timer
from .layers import holds
from .parts import wrapped

_MILLISECONDS = 50
_NOWHERE = "Under the cursor: -"


class MapBar(QWidget):
    """Follows the cursor of a viewer over the map that a panel shows."""

    def __init__(self, viewer: Any, shown: Callable[[], Any], parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._viewer = viewer
        self._shown = shown
        self.value = wrapped(selectable=True)
        self.value.setText(_NOWHERE)
        self.value.setToolTip("The value of the map at the cursor, with its unit, whichever layer is selected.")
        self.own_limits = QCheckBox("Own limits")
        self.own_limits.setToolTip(
            "Colour this map by its own values alone. Otherwise all maps of its kind have the same limits, the widest, "
            "so that one colour means one value."
        )
        self.own_limits.clicked.connect(self._on_own_limits)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self.value)
        layout.addWidget(self.own_limits)
        self._throttle = timer(self, _MILLISECONDS, self._tell)
        self._connections = Connections()
        self._connections.connect(viewer.cursor.events.position, self._on_cursor)
        self.destroyed.connect(self._connections.close)

    def refresh(self) -> None:
        """Take note that the panel shows another map."""
        layer = self._shown()
        layer = layer if holds(self._viewer.layers, layer) else None
        self.own_limits.setVisible(layer is not None and canvas_of(self._viewer).can_share_limits(layer))
        self.own_limits.setChecked(layer is not None and canvas_of(self._viewer).has_own_limits(layer))
        self._tell()

    def _on_cursor(self, _event: Any = None) -> None:
        if not self._throttle.isActive():
            self._throttle.start()

    def _tell(self) -> None:
        layer = self._shown()
        is_over = layer is not None and self._viewer.mouse_over_canvas
        words = canvas_of(self._viewer).value_under_cursor(layer) if is_over else ""
        self.value.setText(f"Under the cursor: {words}" if words else _NOWHERE)

    def _on_own_limits(self, own: bool) -> None:
        if (layer := self._shown()) is not None:
            canvas_of(self._viewer).set_own_limits(layer, own)
