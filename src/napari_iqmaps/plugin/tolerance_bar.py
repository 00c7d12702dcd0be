"""The tolerance of a judgement: found by the core, or set by a slider that counts again at once."""

from __future__ import annotations

import math

from magicgui.widgets import CheckBox, FloatSlider
from qtpy.QtCore import Signal  # type: ignore[attr-defined]
from qtpy.QtWidgets import QHBoxLayout, QLabel, QWidget

_MOST = 100.0
_STEP = 0.1
_TOOLTIP = (
    "By how many grey levels (of 255) a pixel's difference to the fixed image must fall or rise to count as better or "
    "worse. Marks, blocks, histogram and verdict follow; the map stays."
)


class ToleranceBar(QWidget):
    """A box for the automatic tolerance, and a slider."""

    moved = Signal(float)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.slider = FloatSlider(name="tol", value=10, min=0, max=_MOST, step=_STEP, tooltip=_TOOLTIP)
        self.box = CheckBox(
            text="auto", value=True, tooltip="Take the tolerance from contrast and noise of the two images."
        )
        label = QLabel("Tolerance")
        label.setToolTip(_TOOLTIP)
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.addWidget(label)
        row.addWidget(self.slider.native, stretch=1)
        row.addWidget(self.box.native)
        self._found: float | None = None
        self.slider.changed.connect(self._on_slider)
        self.box.changed.connect(self._on_box)

    @property
    def is_automatic(self) -> bool:
        """Whether the core is to find the tolerance."""
        return bool(self.box.value)

    @property
    def value(self) -> float:
        """What the slider shows, in grey levels."""
        return float(self.slider.value)

    def show_found(self, tol: float, reach: float) -> None:
        """Show the tolerance of a result, without telling.

        Parameters
        ----------
        reach : float
            Up to which tolerance there is something to see; the slider ends there.
        """
        self._found = tol
        with self.slider.changed.blocked():
            self.slider.max = max(math.ceil(reach), math.ceil(tol), 1)
            self.slider.value = tol

    def _on_slider(self, value: float) -> None:
        with self.box.changed.blocked():
            self.box.value = False
        self.moved.emit(float(value))

    def _on_box(self, automatic: bool) -> None:
        if automatic and self._found is not None:
            with self.slider.changed.blocked():
                self.slider.value = self._found
            self.moved.emit(self._found)
