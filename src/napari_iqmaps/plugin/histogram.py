"""The histogram of a map over its colour scale: how much of the image has which value, with the unit."""

from __future__ import annotations

from typing import Any

import numpy as np
from qtpy.QtCore import QSize
from qtpy.QtGui import QImage, QPainter, QPaintEvent
from qtpy.QtWidgets import QWidget

from ..core.maps import Kind
from .results import Histogram

_COLOURS = 256
_DOMINANT = 0.3
_DOTS_PER_INCH = 100
_LONG = 52  # letters that fit into one line under the least width of a dock


class HistogramView(QWidget):
    """Draws a histogram whose bars have the colours of the map, above a strip of those colours with the unit.

    Parameters
    ----------
    parent : QWidget, optional
        As in Qt.

    Notes
    -----
    The figure is drawn by matplotlib's Figure and Agg canvas and painted as an image: pyplot would choose a backend
    for everybody, and the Qt canvas draws from timers that may fire when the widget is gone. matplotlib is imported
    with the first histogram, so that opening the widget takes no time.
    """

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._theme = ("#262930", "#f0f1f2")
        self._shown: tuple[Histogram, Kind, tuple[float, float], Any] | None = None
        self._image: QImage | None = None
        self._drawn_for = QSize()
        self.setMinimumHeight(220)
        self.hide()

    def show_histogram(self, histogram: Histogram, kind: Kind, limits: tuple[float, float], colours: Any) -> None:
        """Draw a histogram.

        Parameters
        ----------
        histogram : Histogram
            Bins and their shares.
        kind : Kind
            Gives unit and meaning.
        limits : tuple of float
            The values at the two ends of the colour scale.
        colours : numpy.ndarray
            The scale, ``(n, 4)`` from low to high.
        """
        self._shown = (histogram, kind, limits, colours)
        self._redraw()
        self.show()

    def set_theme(self, background: str, foreground: str) -> None:
        """Take the colours of the viewer's theme.

        Parameters
        ----------
        background, foreground : str
            As matplotlib understands them.
        """
        self._theme = (background, foreground)
        self._redraw()

    def clear(self) -> None:
        """Show nothing."""
        self._shown = None
        self.hide()

    def sizeHint(self) -> QSize:  # noqa: N802 (Qt's name)
        """Ask for a height at which the bars can be read; the width is the dock's."""
        return QSize(280, 220)

    def paintEvent(self, _event: QPaintEvent | None) -> None:  # noqa: N802 (Qt's name)
        """Paint the figure, drawn anew if size, data or colours have changed."""
        if self._shown is None:
            return
        wanted = self.size() * self.devicePixelRatioF()
        if self._image is None or self._drawn_for != wanted:
            self._image, self._drawn_for = self._drawn(wanted), wanted
        painter = QPainter(self)
        painter.drawImage(self.rect(), self._image)
        painter.end()

    def _redraw(self) -> None:
        self._image = None
        self.update()

    def _drawn(self, size: QSize) -> QImage:
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure

        dots = _DOTS_PER_INCH * self.devicePixelRatioF()
        figure = Figure(figsize=(size.width() / dots, size.height() / dots), dpi=dots, layout="constrained")
        canvas = FigureCanvasAgg(figure)
        self._fill(figure)
        canvas.draw()  # type: ignore[no-untyped-call]
        pixels = np.asarray(canvas.buffer_rgba())  # type: ignore[no-untyped-call]
        height, width = pixels.shape[:2]
        image = QImage(pixels.tobytes(), width, height, 4 * width, QImage.Format.Format_RGBA8888)
        return QImage(image.copy())  # the copy owns its pixels

    def _fill(self, figure: Any) -> None:
        if self._shown is None:
            return
        from matplotlib.cm import ScalarMappable
        from matplotlib.colors import ListedColormap, Normalize

        histogram, kind, limits, colours = self._shown
        background, foreground = self._theme
        figure.set_facecolor(background)
        low, high = histogram.edges[0], histogram.edges[-1]
        axes, strip = figure.subplots(2, 1, sharex=True, height_ratios=(8, 1))
        scale = ScalarMappable(Normalize(*limits), ListedColormap(colours))
        centres = (histogram.edges[:-1] + histogram.edges[1:]) / 2
        axes.bar(centres, histogram.shares * 100, histogram.edges[1] - low, color=scale.to_rgba(centres))
        if histogram.shares.max() > _DOMINANT:
            # Where most pixels have one value, such as no difference at all, the others would vanish.
            axes.set_yscale("log")
            axes.yaxis.set_major_formatter(lambda share, _: f"{share:g}")
        axes.set_ylabel("% of pixels", color=foreground, fontsize=8)
        # One strip of colours under the bars is the colour bar of the map: napari's own has no place for a unit.
        gradient = scale.to_rgba(np.linspace(low, high, _COLOURS))[None]
        strip.imshow(gradient, extent=(low, high, 0, 1), aspect="auto")
        strip.set_yticks([])
        arrow = "  →  " if len(kind.low_means) + len(kind.high_means) < _LONG else "\n→ "
        legend = f"{kind.title}: {kind.unit}\n{kind.low_means}{arrow}{kind.high_means}"
        strip.set_xlabel(legend, color=foreground, fontsize=8)
        strip.set_xlim(low, high)
        for part in (axes, strip):
            part.set_facecolor(background)
            part.tick_params(colors=foreground, labelsize=8)
            for side, spine in part.spines.items():
                spine.set_edgecolor(foreground)
                spine.set_visible(part is axes and side in ("left", "bottom"))
        axes.tick_params(axis="x", length=0)
