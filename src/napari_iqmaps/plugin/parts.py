"""Parts that several widgets share: words, buttons, forms, folds, and the choice of what to look at."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import pairwise
from typing import Any

from qtpy.QtCore import QEvent, QObject, QRect, QSize, Qt, Signal  # type: ignore[attr-defined]
from qtpy.QtGui import QColor
from qtpy.QtWidgets import (
    QButtonGroup,
    QComboBox,
    QFormLayout,
    QHBoxLayout,
    QLabel,
    QLayout,
    QLayoutItem,
    QPushButton,
    QSizePolicy,
    QStyle,
    QStyleOptionComboBox,
    QStylePainter,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from ..core.ink import contrast

_LABEL_LETTERS = 11  # of a line of a field's label
_WORD_LETTERS = 22  # of a word that fits into one line of the panel at its least width
_LONG_WORD = re.compile(rf"\S{{{_WORD_LETTERS + 1},}}")
_LIST_WIDTH, _NUMBER_WIDTH = 100, 52  # pixels of the least width of a list, and of a field for a number
MARGIN = 4  # pixels between the panel's edge and its parts
_OPENS = (QEvent.Type.MouseButtonPress, QEvent.Type.KeyPress)
_CHOICE_MARGIN = 24  # pixels of a scroll bar and of the edges
_COMBO = QStyle.ComplexControl.CC_ComboBox
_BREAK = "\u200b"  # a space without width, where a line may break
_LINE = 72  # letters of a line of a tooltip
_MARKUP, _GHOST = re.compile(r"<(?=[A-Za-z/!?])|&(?=#?\w+;)"), "\N{ZERO WIDTH SPACE}"

_WARNINGS = ("#f5a623", "#8a3c00")
"""Colours of errors, for dark and for light grounds."""


def plainly(text: str) -> str:
    """Keep a text from being taken for HTML where Qt would: names of layers and files are shown as they are."""
    return _MARKUP.sub(lambda found: found[0] + _GHOST, text)


def tip(text: str) -> str:
    """Make a tooltip of a text: in lines, for Qt breaks none, and without markup."""
    lines = (textwrap.fill(" ".join(line.replace("`", "").split()), _LINE) for line in text.splitlines())
    return plainly("\n".join(lines))


def button(text: str, tooltip: str = "") -> QPushButton:
    """Make a button."""
    made = QPushButton(text)
    made.setToolTip(tooltip)
    return made


def warning_on(background: QColor) -> str:
    """Choose the colour of errors that is read best on a background."""
    return max(_WARNINGS, key=lambda colour: contrast(QColor(colour).getRgbF(), background.getRgbF()))


def wrapped(*, selectable: bool = False) -> QLabel:
    """Make a label for sentences, which the user may be able to copy."""
    label = _Words()
    label.setTextFormat(Qt.TextFormat.PlainText)  # names of layers and files may look like HTML
    label.setWordWrap(True)
    if selectable:
        label.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
    return label


class _Words(QLabel):
    """A label for sentences in which long names break, too: they would make the panel as wide as they are."""

    def setText(self, text: str | None) -> None:  # noqa: N802 (Qt's name)
        """Show a text."""
        super().setText(_LONG_WORD.sub(lambda word: _GHOST.join(textwrap.wrap(word[0], _WORD_LETTERS)), text or ""))

    def text(self) -> str:
        """Give the text without the places where it may break."""
        return super().text().replace(_GHOST, "")


_Rows = list[list[QLayoutItem]]


class Flow(QLayout):
    """Lays buttons out in rows, in as many as the width asks for; those of a row share its width."""

    def __init__(self, widgets: Iterable[QWidget] = (), spacing: int = 4) -> None:
        super().__init__()
        self._items: list[QLayoutItem] = []
        self.setSpacing(spacing)
        self.setContentsMargins(0, 0, 0, 0)
        for widget in widgets:
            self.addWidget(widget)

    def addItem(self, item: QLayoutItem | None) -> None:  # noqa: N802 (Qt's name)
        """Take an item into the layout."""
        if item is not None:
            self._items.append(item)

    def count(self) -> int:
        """Count the items."""
        return len(self._items)

    def itemAt(self, index: int) -> QLayoutItem | None:  # noqa: N802 (Qt's name)
        """Give an item."""
        return self._items[index] if 0 <= index < len(self._items) else None

    def takeAt(self, index: int) -> QLayoutItem | None:  # noqa: N802 (Qt's name)
        """Take an item out of the layout."""
        return self._items.pop(index) if 0 <= index < len(self._items) else None

    def hasHeightForWidth(self) -> bool:  # noqa: N802 (Qt's name)
        """Say that the height depends on the width."""
        return True

    def heightForWidth(self, width: int) -> int:  # noqa: N802 (Qt's name)
        """Give the height that a width asks for."""
        rows = self._rows(width)
        return sum(map(_height, rows)) + self.spacing() * max(0, len(rows) - 1)

    def minimumSize(self) -> QSize:  # noqa: N802 (Qt's name)
        """Give the least width, one button a row, and the height of one row."""
        shown = self._shown()
        return QSize(max((item.sizeHint().width() for item in shown), default=0), _height(shown))

    def sizeHint(self) -> QSize:  # noqa: N802 (Qt's name)
        """Ask for the least."""
        return self.minimumSize()

    def setGeometry(self, place: QRect) -> None:  # noqa: N802 (Qt's name)
        """Put the buttons into their rows."""
        super().setGeometry(place)
        top = place.top()
        for row in self._rows(place.width()):
            free = place.width() - self._width(row)
            left, height = place.left(), _height(row)
            for number, item in enumerate(row):
                width = item.sizeHint().width() + free // len(row) + (number < free % len(row))
                item.setGeometry(QRect(left, top, width, height))
                left += width + self.spacing()
            top += height + self.spacing()

    def _shown(self) -> list[QLayoutItem]:
        return [item for item in self._items if not item.isEmpty()]

    def _width(self, row: list[QLayoutItem]) -> int:
        return sum(item.sizeHint().width() for item in row) + self.spacing() * (len(row) - 1)

    def _rows(self, width: int) -> _Rows:
        """Give as many items to a row as fit in every row."""
        shown = self._shown()
        for number in range(len(shown), 1, -1):
            rows = [shown[start : start + number] for start in range(0, len(shown), number)]
            if all(self._width(row) <= width for row in rows):
                return _even(rows, width, self._width)
        return [[item] for item in shown]


def _even(rows: _Rows, width: int, needed: Callable[[list[QLayoutItem]], int]) -> _Rows:
    """Share items out among as many rows, about as many to each, if they fit."""
    items = [item for row in rows for item in row]
    number = -(-len(items) // max(1, len(rows)))
    even = [items[start : start + number] for start in range(0, len(items), number)] if items else []
    return even if all(needed(row) <= width for row in even) else rows


def _height(row: Iterable[QLayoutItem]) -> int:
    return max((item.sizeHint().height() for item in row), default=0)


def form_of(parent: QWidget, widgets: Iterable[Any]) -> QFormLayout:
    """Lay out option widgets below each other, with their labels on the left, in two lines where they are long."""
    form = QFormLayout(parent)
    form.setFieldGrowthPolicy(QFormLayout.FieldGrowthPolicy.AllNonFixedFieldsGrow)
    form.setRowWrapPolicy(QFormLayout.RowWrapPolicy.WrapLongRows)
    form.setContentsMargins(MARGIN, MARGIN, MARGIN, MARGIN)
    form.setVerticalSpacing(MARGIN)
    for widget in widgets:
        label = QLabel(textwrap.fill(widget.label, _LABEL_LETTERS, break_long_words=False))
        for part in (label, widget.native):
            part.setToolTip(widget.tooltip or "")
        form.addRow(label, widget.native)
        for field in (widget.native, *widget.native.findChildren(QComboBox)):
            if isinstance(field, QComboBox):
                as_wide_as_its_place(field)
    return form


def as_wide_as_its_place(box: QComboBox) -> None:
    """Keep a list from being as wide as its longest text; what does not fit ends in an ellipsis."""
    box.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
    box.setMinimumWidth(_LIST_WIDTH)
    box.installEventFilter(_Eliding(box))


class _Eliding(QObject):
    """Paints a list whose text ends in an ellipsis where it does not fit; Qt would cut it off."""

    def eventFilter(self, box: QObject | None, event: QEvent | None) -> bool:  # noqa: N802 (Qt's name)
        """Paint the list in Qt's place, and have its choices open as wide as they are."""
        if not isinstance(box, QComboBox) or event is None:
            return False
        if event.type() in _OPENS and (choices := box.view()) is not None:  # not before: Qt makes them when asked
            choices.setMinimumWidth(choices.sizeHintForColumn(0) + _CHOICE_MARGIN)
        if event.type() != QEvent.Type.Paint:
            return False
        option = QStyleOptionComboBox()
        box.initStyleOption(option)
        painter = QStylePainter(box)
        style = box.style()
        assert style is not None
        field = style.subControlRect(_COMBO, option, QStyle.SubControl.SC_ComboBoxEditField, box)
        option.currentText = box.fontMetrics().elidedText(
            option.currentText, Qt.TextElideMode.ElideRight, field.width()
        )
        painter.drawComplexControl(_COMBO, option)
        painter.drawControl(QStyle.ControlElement.CE_ComboBoxLabel, option)
        painter.end()
        return True


def narrow(field: QWidget) -> QWidget:
    """Let a field for a number be narrower than its longest number."""
    field.setMinimumWidth(_NUMBER_WIDTH)
    field.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)
    return field


class Fold(QWidget):
    """Parts that are hidden until their title is pressed: the keyboard does not reach them before that."""

    def __init__(self, title: str, tooltip: str, widgets: Sequence[Any], beside: QWidget | None = None) -> None:
        super().__init__()
        self._title = title
        self.head = QToolButton()
        self.head.setToolTip(tooltip)
        self.head.setCheckable(True)
        self.head.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.head.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextOnly)
        self.head.setStyleSheet(
            "QToolButton { border: none; background: transparent; padding: 2px; }"
            "QToolButton:focus { text-decoration: underline; }"
        )
        self.content = QWidget()
        form_of(self.content, widgets).setContentsMargins(8, 0, 0, 0)
        row = QHBoxLayout()
        row.addWidget(self.head)
        row.addStretch()
        if beside is not None:
            row.addWidget(beside)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.addLayout(row)
        column.addWidget(self.content)
        self.head.toggled.connect(self._on_toggled)
        self._changes = 0
        self._on_toggled(False)
        self.head.setVisible(bool(widgets))
        self.setVisible(bool(widgets) or beside is not None)

    def minimumSizeHint(self) -> QSize:  # noqa: N802 (Qt's name)
        """Have the width of what is inside, so that nothing gets wider when it is opened."""
        size = super().minimumSizeHint()
        return size.expandedTo(QSize(self.content.minimumSizeHint().width(), 0))

    def show_changes(self, count: int) -> None:
        """Say in the title how many options inside are not what they are by default."""
        self._changes = count
        self._tell()

    def _on_toggled(self, is_open: bool) -> None:
        self.content.setVisible(is_open)
        self._tell()

    def _tell(self) -> None:
        arrow = "▾" if self.head.isChecked() else "▸"
        changes = f" ({self._changes} changed)" if self._changes else ""
        self.head.setText(f"{arrow} {self._title}{changes}")


def order_tabs(widget: QWidget) -> None:
    """Let the Tab key follow the eye: through the parts as they are laid out, from top to bottom."""
    stops = [stop for stop in _laid_out(widget) if stop.focusPolicy() & Qt.FocusPolicy.TabFocus]
    for first, second in pairwise(stops):
        QWidget.setTabOrder(first, second)


def _laid_out(part: QWidget | QLayout) -> Iterator[QWidget]:
    """Give a widget and all in it, in the order of its layout."""
    layout = part if isinstance(part, QLayout) else part.layout()
    if isinstance(part, QWidget):
        yield part
    if layout is None:
        return
    for number in range(layout.count()):
        item = layout.itemAt(number)
        inner = None if item is None else item.widget() or item.layout()
        if inner is not None:
            yield from _laid_out(inner)


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
        row = Flow(spacing=2)
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
