"""The histogram of a map over its colour scale: how much of the image has which value, with the unit."""

from __future__ import annotations

from typing import Any

from qtpy.QtWidgets import QVBoxLayout, QWidget

from ..core.maps import Kind
from .results import Histogram

_COLOURS = 256


class HistogramView(QWidget):
    """Draws a histogram whose bars have the colours of the map, above a colour bar with the unit.

    Parameters
    ----------
    parent : QWidget, optional
        As in Qt.

    Notes
    -----
    matplotlib's Figure is used directly: pyplot would keep figures alive and choose a backend for everybody. It is
    imported with the first histogram, so that opening the widget takes no time.
    """

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._column = QVBoxLayout(self)
        self._column.setContentsMargins(0, 0, 0, 0)
        self._figure: Any = None
        self._canvas: Any = None
        self._theme = ("#262930", "#f0f1f2")
        self._shown: tuple[Histogram, Kind, tuple[float, float], Any] | None = None
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
        self._draw()
        self.show()

    def set_theme(self, background: str, foreground: str) -> None:
        """Take the colours of the viewer's theme.

        Parameters
        ----------
        background, foreground : str
            As matplotlib understands them.
        """
        self._theme = (background, foreground)
        if self._shown is not None:
            self._draw()

    def clear(self) -> None:
        """Show nothing."""
        self._shown = None
        self.hide()

    def _draw(self) -> None:
        if self._shown is None:
            return
        from matplotlib.cm import ScalarMappable
        from matplotlib.colors import ListedColormap, Normalize

        histogram, kind, limits, colours = self._shown
        background, foreground = self._theme
        figure = self._prepared()
        figure.clear()
        figure.set_facecolor(background)
        axes = figure.add_subplot()
        axes.set_facecolor(background)
        scale = ScalarMappable(Normalize(*limits), ListedColormap(colours))
        centres = (histogram.edges[:-1] + histogram.edges[1:]) / 2
        width = histogram.edges[1] - histogram.edges[0]
        axes.bar(centres, histogram.shares * 100, width, color=scale.to_rgba(centres))
        axes.set_xlim(histogram.edges[0], histogram.edges[-1])
        axes.set_ylabel("% of pixels", color=foreground, fontsize=8)
        bar = figure.colorbar(scale, ax=axes, orientation="horizontal", fraction=0.09, pad=0.02, extend="max")
        bar.set_label(
            f"{kind.title}: {kind.unit}\n{kind.low_means}  →  {kind.high_means}", color=foreground, fontsize=8
        )
        bar.outline.set_edgecolor(foreground)
        for part in (axes, bar.ax):
            part.tick_params(colors=foreground, labelsize=8)
        for side, spine in axes.spines.items():
            spine.set_edgecolor(foreground)
            spine.set_visible(side in ("left", "bottom"))
        self._canvas.draw_idle()

    def _prepared(self) -> Any:
        if self._figure is None:
            from matplotlib.backends.backend_qtagg import FigureCanvasQTAgg
            from matplotlib.figure import Figure

            self._figure = Figure(figsize=(3, 2.4), layout="constrained")
            self._canvas = FigureCanvasQTAgg(self._figure)  # type: ignore[no-untyped-call]
            self._canvas.setMinimumHeight(220)
            self._column.addWidget(self._canvas)
        return self._figure
