"""Buttons of which one is pressed: what to look at."""

from __future__ import annotations

from collections.abc import Mapping

from qtpy.QtCore import Signal  # type: ignore[attr-defined]
from qtpy.QtWidgets import QButtonGroup, QHBoxLayout, QLabel, QPushButton, QVBoxLayout, QWidget


class ViewButtons(QWidget):
    """A row of buttons, hidden until there is something to look at.

    Parameters
    ----------
    views : mapping
        Name of each view to what it shows, for the tooltip.
    """

    pressed = Signal(str)

    def __init__(self, views: Mapping[str, str], first: str, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.names = tuple(views)
        self.group = QButtonGroup(self)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.addWidget(QLabel("Show"))
        row = QHBoxLayout()
        row.setSpacing(2)
        for number, (name, tooltip) in enumerate(views.items()):
            button = QPushButton(name)
            button.setCheckable(True)
            button.setToolTip(tooltip)
            button.setStyleSheet("padding: 3px 4px;")
            self.group.addButton(button, number)
            row.addWidget(button)
        column.addLayout(row)
        self.choose(first)
        self.group.idClicked.connect(lambda number: self.pressed.emit(self.names[number]))
        self.setVisible(False)

    @property
    def chosen(self) -> str:
        """The view whose button is pressed."""
        return self.names[self.group.checkedId()]

    def button(self, name: str) -> QPushButton:
        """Give a button."""
        button = self.group.button(self.names.index(name))
        assert isinstance(button, QPushButton)
        return button

    def choose(self, name: str) -> None:
        """Press a button without telling."""
        self.button(name).setChecked(True)
