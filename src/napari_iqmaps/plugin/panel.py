"""How every widget looks: the parts and their places, no behaviour."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any, ClassVar

from qtpy.QtCore import QSize, Qt
from qtpy.QtWidgets import (
    QCheckBox,
    QFormLayout,
    QFrame,
    QHBoxLayout,
    QLabel,
    QPushButton,
    QScrollArea,
    QVBoxLayout,
    QWidget,
)
from superqt import QCollapsible

from .inputs import REGION, InputSlot, LayerChoosers, RangeEdit
from .options import OptionWidget, make_options
from .summary import Summary


class Panel(QWidget):
    """The parts of a widget, from top to bottom."""

    has_region: ClassVar[bool] = True
    """Whether a region can be chosen."""

    region_slot: ClassVar[InputSlot] = REGION
    """What the chooser of the region says."""

    def __init__(
        self,
        viewer: Any,
        slots: Sequence[InputSlot],
        functions: Iterable[Callable[..., Any]],
        main_options: Sequence[str],
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(parent)
        self.layers = LayerChoosers(viewer, slots, self.region_slot)
        self.range = RangeEdit()
        self.options = self.make_options(functions)
        self.message = _text()
        self.button = QPushButton("Run")
        self.follow = QCheckBox("Follow")
        self.follow.setToolTip("Compute again whenever the images, the region or an option change.")
        self.status = _text()
        self.summary = Summary()
        others = [widget for name, widget in self.options.items() if name not in main_options]
        more = QWidget()
        _fill(more, others)
        folded = QCollapsible("More options", expandedIcon="▾", collapsedIcon="▸")
        folded.addWidget(more)
        if not others:
            folded.hide()
        start = QHBoxLayout()
        start.addWidget(self.button, stretch=1)
        start.addWidget(self.follow)
        main = QWidget()
        shown = [self.options[name] for name in main_options if name in self.options]
        choosers = [chooser for chooser in self.layers.widgets if self.has_region or chooser is not self.layers.region]
        _fill(main, [*choosers, self.range, *shown])

        inner = QWidget()
        column = QVBoxLayout(inner)
        column.addWidget(main)
        column.addWidget(folded)
        column.addWidget(self.message)
        column.addLayout(start)
        column.addWidget(self.status)
        column.addWidget(self.summary)
        column.addStretch()
        area = QScrollArea()
        area.setWidgetResizable(True)
        area.setFrameShape(QFrame.Shape.NoFrame)
        area.setWidget(inner)
        area.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self._area, self._inner, self._column = area, inner, column
        outer = QVBoxLayout(self)
        outer.setContentsMargins(0, 0, 0, 0)
        outer.addWidget(area)
        self.status.hide()

    def insert_above_summary(self, widget: QWidget) -> None:
        """Put a part of one's own between the state of the work and its result."""
        self._column.insertWidget(self._column.indexOf(self.summary), widget)

    def insert_below_summary(self, widget: QWidget) -> None:
        """Put a part of one's own under the result."""
        self._column.insertWidget(self._column.indexOf(self.summary) + 1, widget)

    def scroll_to(self, widget: QWidget) -> None:
        """Bring a part into view, as far as it fits."""
        self._inner.adjustSize()  # a part that has grown is not laid out before the next event
        self._area.ensureWidgetVisible(widget)

    def make_options(self, functions: Iterable[Callable[..., Any]]) -> dict[str, OptionWidget]:
        """Make the option widgets; override to leave some out, or to make some otherwise.

        Returns
        -------
        dict
            Name to widget, in the order in which they are shown.
        """
        return make_options(functions)

    def minimumSizeHint(self) -> QSize:  # noqa: N802 (Qt's name)
        """Be as wide as the parts need and no wider: the width is the canvas's, and height can be scrolled."""
        bar = self._area.verticalScrollBar()
        width = self._inner.minimumSizeHint().width() + (bar.sizeHint().width() if bar else 0)
        return QSize(width, super().minimumSizeHint().height())

    def sizeHint(self) -> QSize:  # noqa: N802 (Qt's name)
        """Ask for the least width; a dock can be drawn wider."""
        return QSize(self.minimumSizeHint().width(), super().sizeHint().height())

    def say(self, text: str, failed: bool = False) -> None:
        """Tell the state of the work under the button.

        Parameters
        ----------
        text : str
            Empty for nothing to tell.
        failed : bool
            Whether it is an error, which stays to be read when the notification has gone.
        """
        self.status.setText(text)
        self.status.setVisible(bool(text))
        self.status.setStyleSheet("font-weight: bold; color: #d08000;" if failed else "")


def _fill(parent: QWidget, widgets: Sequence[OptionWidget]) -> None:
    form = QFormLayout(parent)
    form.setContentsMargins(0, 0, 0, 0)
    form.setFieldGrowthPolicy(QFormLayout.FieldGrowthPolicy.AllNonFixedFieldsGrow)
    for widget in widgets:
        label = QLabel(widget.label)
        label.setToolTip(widget.tooltip or "")
        form.addRow(label, widget.native)


def _text() -> QLabel:
    label = QLabel()
    label.setWordWrap(True)
    return label
