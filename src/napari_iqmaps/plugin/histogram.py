"""The histogram of a map over its colour scale: how much of the image has which value, with the unit."""

from __future__ import annotations

from typing import Any

import numpy as np
from qtpy.QtCore import Qt
from qtpy.QtGui import QColor, QPainter, QPaintEvent, QPen
from qtpy.QtWidgets import QWidget

from ..core.kinds import Kind
from .figure_view import FigureView
from .results import Histogram

_COLOURS = 256
_DOMINANT = 0.3
_LONG = 46  # letters that fit into one line under the least width of a dock


class HistogramView(FigureView):
    """Draws a histogram whose bars have the colours of the map, above a strip of those colours with the unit."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._shown: tuple[Histogram, Kind, tuple[float, float], Any] | None = None
        self._lines: tuple[float, ...] = ()
        self._axes: Any = None

    def show_histogram(self, histogram: Histogram, kind: Kind, limits: tuple[float, float], colours: Any) -> None:
        """Draw a histogram.

        Parameters
        ----------
        kind : Kind
            Gives unit and meaning.
        limits : tuple of float
            The values at the two ends of the colour scale.
        colours : numpy.ndarray
            The scale, ``(n, 4)`` from low to high.
        """
        self._shown = (histogram, kind, limits, colours)
        self.redraw()
        self.show()

    def show_lines(self, *values: float) -> None:
        """Draw lines at some values, such as the two ends of a tolerance.

        Parameters
        ----------
        *values : float
            Of the map; none at all takes the lines away. They are painted over the figure, which is not drawn anew: so
            they can follow a slider.
        """
        self._lines = values
        self.update()

    def paintEvent(self, event: QPaintEvent | None) -> None:  # noqa: N802 (Qt's name)
        """Paint the figure, and the lines over it."""
        super().paintEvent(event)
        if self._axes is None or self._shown is None:
            return
        box, (low, high) = self._axes.get_position(), self._axes.get_xlim()
        painter = QPainter(self)
        painter.setPen(QPen(QColor(self.foreground), 1, Qt.PenStyle.DashLine))
        top, bottom = (round((1 - end) * self.height()) for end in (box.y1, box.y0))
        for value in self._lines:
            if low <= value <= high:
                x = round((box.x0 + box.width * (value - low) / (high - low)) * self.width())
                painter.drawLine(x, top, x, bottom)
        painter.end()

    def clear(self) -> None:
        """Show nothing."""
        self._shown = None
        self.hide()

    def fill(self, figure: Any) -> None:
        """Draw the bars and the strip."""
        if self._shown is None:
            return
        from matplotlib.cm import ScalarMappable
        from matplotlib.colors import ListedColormap, Normalize

        histogram, kind, limits, colours = self._shown
        low, high = histogram.edges[0], histogram.edges[-1]
        axes, strip = figure.subplots(2, 1, sharex=True, height_ratios=(8, 1))
        scale = ScalarMappable(Normalize(*limits), ListedColormap(colours))
        centres = (histogram.edges[:-1] + histogram.edges[1:]) / 2
        axes.bar(centres, histogram.shares * 100, histogram.edges[1] - low, color=scale.to_rgba(centres))
        if histogram.shares.max() > _DOMINANT:
            # Where most pixels have one value, such as no difference at all, the others would vanish.
            axes.set_yscale("log")
            axes.yaxis.set_major_formatter(lambda share, _: f"{share:g}")
            axes.yaxis.set_minor_formatter(lambda _share, _: "")
        self._axes = axes
        axes.set_ylabel("% of pixels", color=self.foreground, fontsize=8)
        # One strip of colours under the bars is the colour bar of the map: napari's own has no place for a unit.
        gradient = scale.to_rgba(np.linspace(low, high, _COLOURS))[None]
        strip.imshow(gradient, extent=(low, high, 0, 1), aspect="auto")
        strip.set_yticks([])
        arrow = "  →  " if len(kind.low_means) + len(kind.high_means) < _LONG else "\n→ "
        legend = f"{kind.title}: {kind.unit}\n{kind.low_means}{arrow}{kind.high_means}"
        strip.set_xlabel(legend, color=self.foreground, fontsize=8)
        strip.set_xlim(low, high)
        for part in (axes, strip):
            self.colour_axes(part)
        for spine in strip.spines.values():
            spine.set_visible(False)
        axes.tick_params(axis="x", length=0)
