"""How every widget looks: its parts from top to bottom, its keys, its folds and the defaults of its options."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any, ClassVar

from qtpy.QtCore import QSize, Qt
from qtpy.QtGui import QColor, QKeyEvent, QShowEvent
from qtpy.QtWidgets import (
    QAbstractButton,
    QApplication,
    QCheckBox,
    QFrame,
    QHBoxLayout,
    QScrollArea,
    QVBoxLayout,
    QWidget,
)

from . import settings
from .inputs import REGION, InputSlot, LayerChoosers, RangeEdit
from .options import EXPERT, OptionWidget, make_options
from .parts import MARGIN, Fold, button, form_of, order_tabs, tip, warning_on, wrapped
from .summary import Summary

_WIDTH = 234
"""Pixels that napari's window of 1280 leaves beside its own column, of at most 320, and a canvas of 700."""

_RETURNS = (Qt.Key.Key_Return, Qt.Key.Key_Enter)


class Panel(QWidget):
    """How every widget looks: its parts, from top to bottom, and no behaviour."""

    functions: ClassVar[tuple[Callable[..., Any], ...]] = ()
    """The core functions for which the widget stands."""

    slots: ClassVar[tuple[InputSlot, ...]] = ()
    """Which images they take."""

    main_options: ClassVar[tuple[str, ...]] = ()
    """Which of their options are always seen; all others are folded up."""

    region_slot: ClassVar[InputSlot | None] = REGION
    """What the chooser of the region says; None if no region can be chosen."""

    def __init__(self, viewer: Any, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.layers = LayerChoosers(viewer, self.slots, self.region_slot or REGION)
        self.range = RangeEdit()
        self.options = self.make_options(type(self).functions)
        self.defaults = {name: widget.value for name, widget in self.options.items()}
        self.take_settings()
        self.message = wrapped()
        self.button = button(
            "Run", "Compute with what is chosen above (Return), or stop what runs (Escape). Alt+R runs from anywhere."
        )
        self.reset_button = button("Reset", "Bring all options back to their defaults.")
        self.follow = QCheckBox("Follow")
        self.follow.setToolTip("Compute again whenever the images, the region or an option change.")
        self.status = wrapped()
        self.status.hide()
        self.summary = Summary()
        self._ground = QColor("#262930")
        self._folded = self._folds()
        self._inner = QWidget()
        self._column = self._stacked()
        self._area = QScrollArea()
        self._area.setWidgetResizable(True)
        self._area.setFocusPolicy(Qt.FocusPolicy.ClickFocus)  # where Return and Escape are heard, but no stop of Tab
        self._area.setFrameShape(QFrame.Shape.NoFrame)
        self._area.setWidget(self._inner)
        self._area.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        outer = QVBoxLayout(self)
        outer.setContentsMargins(0, 0, 0, 0)
        outer.addWidget(self._area)

    def make_options(self, functions: Iterable[Callable[..., Any]]) -> dict[str, OptionWidget]:
        """Make the option widgets, in their order; override to leave some out, or to make some otherwise."""
        return make_options(functions)

    def take_settings(self) -> None:
        """Start from what the user has set in napari's preferences; what has been changed since, stays."""
        for name, value in settings.defaults_of(self.options).items():
            if self.options[name].value == self.defaults[name]:
                self.options[name].value = value
            self.defaults[name] = value
        self.range.set_default(settings.range_rule())

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

    def minimumSizeHint(self) -> QSize:  # noqa: N802 (Qt's name)
        """Be as wide as the parts need and no wider: the width is the canvas's, and height can be scrolled."""
        bar = self._area.verticalScrollBar()
        width = self._inner.minimumSizeHint().width() + (bar.sizeHint().width() if bar else 0)
        return QSize(width, super().minimumSizeHint().height())

    def sizeHint(self) -> QSize:  # noqa: N802 (Qt's name)
        """Ask for a width that leaves the canvas 700 of 1280 pixels; a dock can be drawn wider."""
        return QSize(max(_WIDTH, self.minimumSizeHint().width()), super().sizeHint().height())

    def say(self, text: str, failed: bool = False) -> None:
        """Tell the state of the work under the button; an error stays to be read when its notification has gone."""
        self.status.setProperty("failed", failed)
        self.status.setText(f"Error: {text}" if failed else text)
        self.status.setVisible(bool(text))
        self.colour_status()

    def colour_status(self, ground: QColor | None = None) -> None:
        """Give the state a colour that is read on the ground of the viewer's theme."""
        self._ground = ground or self._ground
        failed = self.status.property("failed")
        self.status.setStyleSheet(f"font-weight: bold; color: {warning_on(self._ground)};" if failed else "")

    def reset(self) -> None:
        """Bring all options back to their defaults."""
        for name, widget in self.options.items():
            widget.value = self.defaults[name]
        self.range.reset()

    def show_changes(self) -> None:
        """Let the folds say how many options inside are not what they are by default."""
        for fold, names in self._folded.items():
            fold.show_changes(sum(self.options[name].value != self.defaults[name] for name in names))

    def keyPressEvent(self, event: QKeyEvent | None) -> None:  # noqa: N802 (Qt's name)
        """Let Return run, or press the button that has the focus, and Escape stop what runs."""
        if event is None or event.modifiers() & ~Qt.KeyboardModifier.KeypadModifier:
            super().keyPressEvent(event)
        elif event.key() in _RETURNS:
            focused = QApplication.focusWidget()
            if isinstance(focused, QAbstractButton) and not isinstance(focused, QCheckBox):
                focused.click()
            else:
                self.on_return()
        elif event.key() != Qt.Key.Key_Escape or not self.on_escape():
            super().keyPressEvent(event)

    def on_return(self) -> None:
        """Be told that Return was pressed."""

    def on_escape(self) -> bool:
        """Be told that Escape was pressed; tell whether that meant something."""
        return False

    def showEvent(self, event: QShowEvent | None) -> None:  # noqa: N802 (Qt's name)
        """Put the stops of the Tab key in order, and the tooltips into lines, now that all parts are there."""
        super().showEvent(event)
        order_tabs(self._inner)
        for part in self.findChildren(QWidget):
            part.setToolTip(tip(part.toolTip()))

    def _folds(self) -> dict[Fold, list[str]]:
        """Make the folds for options that are not always seen, with the names of those inside."""
        others = [name for name in self.options if name not in self.main_options]
        usual, expert = [name for name in others if name not in EXPERT], [name for name in others if name in EXPERT]
        return {
            Fold(title, tooltip, [self.options[name] for name in names], beside): names
            for title, tooltip, names, beside in (
                ("More options", "Options that are needed now and then.", usual, None),
                ("Expert", "Options that are rarely needed.", expert, self.reset_button),
            )
        }

    def _stacked(self) -> QVBoxLayout:
        choosers = [*self.layers.images.values(), *([self.layers.region] if self.region_slot else [])]
        shown = [self.options[name] for name in self.main_options if name in self.options]
        self.reset_button.clicked.connect(self.reset)
        start = QHBoxLayout()
        start.addWidget(self.button, stretch=1)
        start.addWidget(self.follow)
        column = QVBoxLayout(self._inner)
        column.setContentsMargins(MARGIN, MARGIN, MARGIN, MARGIN)
        column.addWidget(_filled([*choosers, self.range, *shown]))
        for fold in self._folded:
            column.addWidget(fold)
        column.addWidget(self.message)
        column.addLayout(start)
        column.addWidget(self.status)
        column.addWidget(self.summary)
        column.addStretch()
        return column


def _filled(widgets: Sequence[OptionWidget]) -> QWidget:
    parent = QWidget()
    form_of(parent, widgets).setContentsMargins(0, 0, 0, 0)
    return parent
