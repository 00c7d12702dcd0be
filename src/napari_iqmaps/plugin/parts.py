"""Parts that several widgets share: words, buttons, forms, and the choice of what to look at."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from qtpy.QtCore import Qt, Signal  # type: ignore[attr-defined]
from qtpy.QtWidgets import QButtonGroup, QComboBox, QFormLayout, QHBoxLayout, QLabel, QPushButton, QVBoxLayout, QWidget

_LETTERS = 10  # of a list's least width


def button(text: str, tooltip: str = "") -> QPushButton:
    """Make a button."""
    made = QPushButton(text)
    made.setToolTip(tooltip)
    return made


def wrapped(*, selectable: bool = False) -> QLabel:
    """Make a label for sentences, which the user may be able to copy."""
    label = QLabel()
    label.setTextFormat(Qt.TextFormat.PlainText)  # names of layers and files may look like HTML
    label.setWordWrap(True)
    if selectable:
        label.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
    return label


def form_of(parent: QWidget, widgets: Iterable[Any]) -> QFormLayout:
    """Lay out option widgets below each other, with their labels on the left."""
    form = QFormLayout(parent)
    form.setFieldGrowthPolicy(QFormLayout.FieldGrowthPolicy.AllNonFixedFieldsGrow)
    for widget in widgets:
        label = QLabel(widget.label)
        label.setToolTip(widget.tooltip or "")
        form.addRow(label, widget.native)
    return form


def as_wide_as_its_place(box: QComboBox) -> None:
    """Keep a list from being as wide as its longest text."""
    box.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
    box.setMinimumContentsLength(_LETTERS)


class ViewButtons(QWidget):
    """A row of buttons of which one is pressed; it is made of names and tooltips, and hidden to begin with."""

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
            made = button(name, tooltip)
            made.setCheckable(True)
            made.setStyleSheet("padding: 3px 4px;")
            self.group.addButton(made, number)
            row.addWidget(made)
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
        found = self.group.button(self.names.index(name))
        assert isinstance(found, QPushButton)
        return found

    def choose(self, name: str) -> None:
        """Press a button without telling."""
        self.button(name).setChecked(True)
