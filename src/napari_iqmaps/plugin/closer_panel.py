"""The part of a widget that looks closer at a judgement: buttons, the figure that was asked for last, ways to files."""

from __future__ import annotations

from typing import Any

from qtpy.QtCore import Qt, Signal  # type: ignore[attr-defined]
from qtpy.QtWidgets import QGroupBox, QHBoxLayout, QLabel, QPushButton, QVBoxLayout, QWidget

from .diff_diff_figures import FIGURES, Closer, Ladder
from .figure_view import FigureView

_LEAST, _MOST = 220, 420
_TITLES = 3 * 20  # pixels for the titles of three rows of pictures
_FRAME = 24  # pixels that the group takes for itself


class CloserView(FigureView):
    """Draws whichever figure was asked for last."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.shown: Closer | None = None

    def show_figure(self, figure: Closer | None) -> None:
        """Draw a figure."""
        self.shown = figure
        height = _LEAST
        if isinstance(figure, Ladder):
            rows, columns = figure.pictures[0].shape[:2]
            # A view that has not been shown yet does not know its width; the group around it does.
            width = max(self.width(), self.parentWidget().width() - _FRAME)  # type: ignore[union-attr]
            height = round(width * rows / columns) + _TITLES
        self.setMinimumHeight(min(max(height, _LEAST), _MOST))
        self.redraw()
        self.setVisible(figure is not None)

    def fill(self, figure: Any) -> None:
        """Draw what was asked for."""
        if self.shown is not None:
            self.shown.draw(figure, self)


class CloserPanel(QGroupBox):
    """Asks for figures, shows the last one, and offers it and the table of blocks as files."""

    wanted = Signal(str)
    figure_save_wanted = Signal()
    blocks_save_wanted = Signal()
    planes_save_wanted = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__("Look closer", parent)
        self.view = CloserView(self)
        self.words = QLabel()
        self.words.setWordWrap(True)
        self.words.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        self.buttons = {name: _button(name, tooltip) for name, (_, tooltip) in FIGURES.items()}
        self.save_figure = _button("Save figure…", "Write the figure as a PNG file.")
        self.save_blocks = _button("Save blocks…", "Write a row for each block into a CSV file.")
        self.save_planes = _button("Save planes…", "Write a row for each plane of the stack into a CSV file.")
        column = QVBoxLayout(self)
        row = QHBoxLayout()
        row.setSpacing(2)
        for name, button in self.buttons.items():
            row.addWidget(button)
            button.clicked.connect(lambda _checked=False, name=name: self.wanted.emit(name))
        column.addLayout(row)
        column.addWidget(self.view)
        column.addWidget(self.words)
        files = QHBoxLayout()
        files.addWidget(self.save_figure)
        files.addWidget(self.save_blocks)
        files.addWidget(self.save_planes)
        column.addLayout(files)
        self.save_figure.clicked.connect(self.figure_save_wanted)
        self.save_blocks.clicked.connect(self.blocks_save_wanted)
        self.save_planes.clicked.connect(self.planes_save_wanted)
        self.show_figure(None)
        self.hide()

    def show_figure(self, figure: Closer | None) -> None:
        """Show a figure with its words."""
        self.view.show_figure(figure)
        self.words.setText("" if figure is None else figure.words)
        self.words.setVisible(figure is not None)
        self.save_figure.setEnabled(figure is not None)

    def offer_tables(self, *, blocks: bool, planes: bool) -> None:
        """Say which tables there are.

        Parameters
        ----------
        blocks, planes : bool
            Whether the judgement has blocks, and whether it has several planes.
        """
        self.save_blocks.setEnabled(blocks)
        self.save_planes.setVisible(planes)

    def set_running(self, running: bool) -> None:
        """Close or open the buttons."""
        for button in self.buttons.values():
            button.setEnabled(not running)


def _button(text: str, tooltip: str) -> QPushButton:
    button = QPushButton(text)
    button.setToolTip(tooltip)
    return button
