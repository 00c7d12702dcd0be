"""A box for each kind of map, in two columns; as an option of a widget."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from qtpy.QtCore import Signal  # type: ignore[attr-defined]
from qtpy.QtWidgets import QCheckBox, QGridLayout, QWidget

from ..core.blind import MAPS
from ..core.kinds import KINDS

_COLUMNS = 2


class MapBoxes(QWidget):
    """Which maps to show.

    Attributes
    ----------
    name, label, tooltip, enabled, native
        As a widget of magicgui has them, which the frame expects of an option.
    """

    changed = Signal(object)

    def __init__(self, tooltip: str) -> None:
        super().__init__()
        self.name, self.label, self.tooltip, self.enabled = "maps", "Maps", tooltip, True
        self.boxes = {kind: _box(kind) for kind in MAPS}
        grid = QGridLayout(self)
        grid.setContentsMargins(0, 0, 0, 0)
        for number, box in enumerate(self.boxes.values()):
            grid.addWidget(box, *divmod(number, _COLUMNS))
            box.toggled.connect(self._on_toggled)

    @property
    def native(self) -> QWidget:
        """The widget of Qt: itself."""
        return self

    @property
    def value(self) -> tuple[str, ...]:
        """The kinds that are ticked and can be had, in order."""
        return tuple(kind for kind, box in self.boxes.items() if box.isChecked() and box.isEnabled())

    @value.setter
    def value(self, kinds: Collection[str]) -> None:
        for kind, box in self.boxes.items():
            box.setChecked(kind in kinds)

    def offer(self, kinds: Collection[str]) -> None:
        """Let these be ticked, and no others."""
        for kind, box in self.boxes.items():
            box.setEnabled(kind in kinds)

    def _on_toggled(self, _checked: bool) -> None:
        self.changed.emit(self.value)


def _box(kind: str) -> QCheckBox:
    meaning: Any = KINDS[kind]
    box = QCheckBox(kind.replace("_", " ").capitalize())
    box.setChecked(True)
    box.setToolTip(f"{meaning.title}, {meaning.unit}: from “{meaning.low_means}” to “{meaning.high_means}”.")
    return box
