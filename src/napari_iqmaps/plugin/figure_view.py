"""A figure of matplotlib in a widget, in the colours of the viewer's theme."""

from __future__ import annotations

import threading
from functools import partial
from typing import Any

import numpy as np
from qtpy.QtCore import QSize
from qtpy.QtGui import QImage, QPainter, QPaintEvent
from qtpy.QtWidgets import QWidget

from ..core.libraries import load
from .tasks import Errand

COLOURS = ("#56b4e9", "#e69f00", "#009e73", "#cc79a7", "#d55e00", "#f0e442")
"""Of lines, told apart by all readers, on dark and on light [1]_.

.. [1] M. Okabe, K. Ito, "Color Universal Design", 2008.
"""

FONT = 8
"""Points of the text in a figure."""

_DOTS_PER_INCH = 100
_WIDTH, _HEIGHT = 280, 220
_FILE_SIZE, _FILE_DOTS = (1200, 960), 200
_PAPER, _INK = "white", "black"

_drawing = threading.Lock()
"""matplotlib's figures may be drawn in any thread, but one at a time."""


class FigureView(QWidget):
    """Base of the widgets that draw a figure; hidden as long as there is nothing to draw.

    The figure is drawn by matplotlib's Figure and Agg canvas and painted as an image: pyplot would choose a backend
    for everybody, and the Qt canvas draws from timers that may fire when the widget is gone. It is drawn in a thread,
    for that takes tenths of a second, and matplotlib's import more; until it is there, the one before is seen.

    Attributes
    ----------
    figure : matplotlib.figure.Figure or None
        The figure that is seen.
    """

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.background, self.foreground = "#262930", "#f0f1f2"
        self.figure: Any = None
        self._image: QImage | None = None
        self._version = 0
        self._drawn = self._asked = (-1, QSize())
        self._errand: Errand | None = None
        self.setMinimumHeight(_HEIGHT)
        self.hide()

    def fill(self, figure: Any) -> None:
        """Draw into an empty figure; override. Called in a thread."""
        raise NotImplementedError

    def set_theme(self, background: str, foreground: str) -> None:
        """Take the colours of the viewer's theme."""
        self.background, self.foreground = background, foreground
        self.redraw()

    def redraw(self) -> None:
        """Draw anew when the widget is painted next."""
        self._version += 1
        self.update()

    @property
    def is_drawn(self) -> bool:
        """Whether the figure that is seen is the latest, in the size of the widget."""
        return self._drawn == (self._version, self._wanted_size())

    def sizeHint(self) -> QSize:  # noqa: N802 (Qt's name)
        """Ask for a height at which the figure can be read; the width is the dock's."""
        return QSize(_WIDTH, _HEIGHT)

    def paintEvent(self, _event: QPaintEvent | None) -> None:  # noqa: N802 (Qt's name)
        """Paint the figure, and have it drawn anew if size, data or colours have changed."""
        if not self.is_drawn and self._errand is None:
            self._asked = self._version, self._wanted_size()
            self._errand = Errand(partial(self._draw, self._asked[1], self.devicePixelRatioF()), self._on_drawn)
            self._errand.start()
        if self._image is not None:
            painter = QPainter(self)
            painter.drawImage(self.rect(), self._image)
            painter.end()

    def colour_axes(self, axes: Any, x: str = "", y: str = "") -> None:
        """Give axes labels and the colours of the theme, and leave of their frame the left and the bottom."""
        for label, text in ((axes.xaxis.label, x), (axes.yaxis.label, y)):
            if text:
                label.set(text=text, color=self.foreground, fontsize=FONT)
        axes.set_facecolor(self.background)
        axes.tick_params(which="both", colors=self.foreground, labelsize=FONT)
        for side, spine in axes.spines.items():
            spine.set_edgecolor(self.foreground)
            spine.set_visible(side in ("left", "bottom"))

    def add_legend(self, axes: Any) -> None:
        """Say what the lines are."""
        axes.legend(fontsize=FONT - 1, labelcolor=self.foreground, facecolor=self.background, framealpha=0.7)

    def as_png(self) -> bytes:
        """Draw the figure for a file: dark on white, larger than on the screen; meant for a thread."""
        from io import BytesIO

        file = BytesIO()
        with _drawing:
            colours = self.background, self.foreground
            self.background, self.foreground = _PAPER, _INK
            try:
                canvas = self._canvas(QSize(*_FILE_SIZE), _FILE_DOTS)
            finally:
                self.background, self.foreground = colours
            canvas.print_png(file)
        return file.getvalue()

    def _wanted_size(self) -> QSize:
        return self.size() * self.devicePixelRatioF()

    def _draw(self, size: QSize, ratio: float) -> tuple[Any, QImage]:
        """Draw the figure and its image; runs in a thread."""
        load("matplotlib")
        with _drawing:
            canvas = self._canvas(size, _DOTS_PER_INCH * ratio)
            canvas.draw()
        pixels = np.asarray(canvas.buffer_rgba())
        height, width = pixels.shape[:2]
        image = QImage(pixels.tobytes(), width, height, 4 * width, QImage.Format.Format_RGBA8888)
        return canvas.figure, QImage(image.copy())  # the copy owns its pixels

    def _on_drawn(self, drawn: tuple[Any, QImage] | None) -> None:
        self.figure, self._image = drawn or (None, None)
        self._drawn, self._errand = self._asked, None
        self.update()  # and draw once more if what is wanted has changed meanwhile

    def _canvas(self, size: QSize, dots: float) -> Any:
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure

        figure = Figure(figsize=(size.width() / dots, size.height() / dots), dpi=dots, layout="constrained")
        figure.set_facecolor(self.background)
        canvas = FigureCanvasAgg(figure)
        self.fill(figure)
        return canvas
