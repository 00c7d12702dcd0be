"""How a result stands: what it is of, and whether that is still so."""

from __future__ import annotations

from collections.abc import Sequence

from qtpy.QtWidgets import QGraphicsOpacityEffect, QVBoxLayout, QWidget

from .parts import wrapped

_DIMMED = 0.72
"""Opacity of what is out of date: seen at a glance, and still read at 4.5 : 1 in both themes."""


class Standing(QWidget):
    """Heads a result: says what it is of, and what of that is another by now.

    What is out of date is dimmed, and its ways out are closed: buttons that make files or text of it.
    """

    def __init__(self, dimmed: Sequence[QWidget], ways_out: Sequence[QWidget] = ()) -> None:
        super().__init__()
        self.heading, self.state = wrapped(selectable=True), wrapped()
        for label in (self.heading, self.state):
            label.setStyleSheet("font-weight: bold;")
        self.is_current = True
        self._dimmed = [self.heading, *dimmed]
        self._offered: dict[QWidget, bool] = dict.fromkeys(ways_out, True)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.addWidget(self.heading)
        column.addWidget(self.state)
        self.head("")

    def head(self, text: str) -> None:
        """Say what a new result is of."""
        self.heading.setText(text)
        self.heading.setVisible(bool(text))
        self.show_differences(())

    def show_differences(self, differences: Sequence[str]) -> None:
        """Say what is another than when the result was made; nothing: the result is current."""
        self.is_current = not differences
        self.state.setText("" if self.is_current else f"Out of date: {'; '.join(differences)}.")
        self.state.setVisible(not self.is_current)
        for widget in self._dimmed:
            _dim(widget, not self.is_current)
        self._open()

    def offer(self, way_out: QWidget, offered: bool = True) -> None:
        """Have a button for what is current; it may have to wait until there is something for it."""
        self._offered[way_out] = offered
        self._open()

    def _open(self) -> None:
        for way_out, offered in self._offered.items():
            way_out.setEnabled(offered and self.is_current)


def _dim(widget: QWidget, is_dimmed: bool) -> None:
    effect = widget.graphicsEffect()
    if isinstance(effect, QGraphicsOpacityEffect):
        effect.setEnabled(is_dimmed)
    elif is_dimmed:
        effect = QGraphicsOpacityEffect(widget)
        effect.setOpacity(_DIMMED)
        widget.setGraphicsEffect(effect)
