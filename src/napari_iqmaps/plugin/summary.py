"""The lower part of every widget: the result in words, its histogram, and the ways out to files."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from typing import Any

import numpy as np
from qtpy.QtCore import Qt, Signal  # type: ignore[attr-defined]
from qtpy.QtGui import QColor, QPainter, QPaintEvent, QPen
from qtpy.QtWidgets import QComboBox, QVBoxLayout, QWidget

from ..core.kinds import Kind
from .figure_view import FigureView
from .follower import Connections
from .parts import Flow, as_wide_as_its_place, button, wrapped
from .recall import CopyButtons
from .results import Histogram, Result
from .standing import Standing

_COLOURS = 256
_DOMINANT = 0.3
_LETTERS_PER_INCH = 13  # of the figure's width; the text below stands under the bars, which are narrower


class HistogramView(FigureView):
    """Draws a histogram whose bars have the colours of the map, above a strip of those colours with the unit."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._shown: tuple[Histogram, Kind, tuple[float, float], Any] | None = None
        self._lines: tuple[float, ...] = ()

    def show_histogram(self, histogram: Histogram, kind: Kind, limits: tuple[float, float], colours: Any) -> None:
        """Draw a histogram, with the values at the two ends of the colour scale and its colours, ``(n, 4)``."""
        self._shown = (histogram, kind, limits, colours)
        self.redraw()
        self.show()

    def show_lines(self, *values: float) -> None:
        """Draw lines at some values of the map, such as the two ends of a tolerance; none at all takes them away.

        They are painted over the figure, which is not drawn anew: so they can follow a slider.
        """
        self._lines = values
        self.update()

    def paintEvent(self, event: QPaintEvent | None) -> None:  # noqa: N802 (Qt's name)
        """Paint the figure, and the lines over it."""
        super().paintEvent(event)
        if self.figure is None or not self.figure.axes:
            return
        axes, _ = self.figure.axes
        box, (low, high) = axes.get_position(), axes.get_xlim()
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
        shown = self._shown
        if shown is None:
            return
        from matplotlib.cm import ScalarMappable
        from matplotlib.colors import ListedColormap, Normalize

        histogram, kind, limits, colours = shown
        low, high = histogram.edges[0], histogram.edges[-1]
        axes, strip = figure.subplots(2, 1, sharex=True, height_ratios=(8, 1))
        scale = ScalarMappable(Normalize(*limits), ListedColormap(colours))
        centres = (histogram.edges[:-1] + histogram.edges[1:]) / 2
        axes.bar(centres, histogram.shares * 100, histogram.edges[1] - low, color=scale.to_rgba(centres))
        if histogram.shares.max() > _DOMINANT:
            # Where most pixels have one value, such as no difference at all, the others would vanish.
            axes.set_yscale("log")
            axes.set_ylim(top=100)
            axes.yaxis.set_major_formatter(lambda share, _: f"{share:g}")
            axes.yaxis.set_minor_formatter(lambda _share, _: "")
        # One strip of colours under the bars is the colour bar of the map: napari's own has no place for a unit.
        gradient = scale.to_rgba(np.linspace(low, high, _COLOURS))[None]
        strip.imshow(gradient, extent=(low, high, 0, 1), aspect="auto")
        strip.set_yticks([])
        letters = int(figure.get_figwidth() * _LETTERS_PER_INCH)
        legend = "\n".join(
            textwrap.fill(line, letters)
            for line in (f"{kind.title}: {kind.unit}", f"{kind.low_means}  →  {kind.high_means}")
        )
        strip.set_xlim(low, high)
        self.colour_axes(axes, y="% of pixels")
        self.colour_axes(strip, x=legend)
        for spine in strip.spines.values():
            spine.set_visible(False)
        axes.tick_params(axis="x", length=0)


class Summary(QWidget):
    """Shows a result; asks for nothing but to be told when it changes."""

    map_wanted = Signal()
    map_chosen = Signal()
    row_wanted = Signal()
    compute_wanted = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.result: Result | None = None
        self._maps: list[tuple[Result, Any]] = []
        self.connections = Connections()
        self.sentence, self.plane = wrapped(selectable=True), wrapped(selectable=True)
        self.chooser = QComboBox()
        as_wide_as_its_place(self.chooser)
        self.chooser.setToolTip("The map of the histogram and of “Save map…”; selecting a map's layer chooses it.")
        self.histogram = HistogramView(self)
        self.compute = button("Compute all planes", "The map is lazy: planes are computed where you look.")
        self.save_map = button("Save map…", "The values as TIFF, or a picture with a legend as PNG.")
        self.save_row = button("Add row to table…", "Write score and provenance into a CSV file, after what is there.")
        self.standing = Standing(
            (self.sentence, self.plane, self.histogram), (self.compute, self.save_map, self.save_row)
        )
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self.standing)
        layout.addWidget(self.sentence)
        layout.addWidget(self.plane)
        layout.addWidget(self.chooser)
        layout.addWidget(self.histogram)
        layout.addWidget(self.compute)
        layout.addLayout(Flow((self.save_map, self.save_row)))
        self.copy = CopyButtons(lambda: self.result.call if self.result else None)
        layout.addWidget(self.copy)
        self.standing.offer(self.copy)
        self.show_plane("")
        self.chooser.currentIndexChanged.connect(self._on_chooser)
        self.compute.clicked.connect(self.compute_wanted)
        self.save_map.clicked.connect(self.map_wanted)
        self.save_row.clicked.connect(self.row_wanted)
        self.destroyed.connect(self.connections.close)
        self.setVisible(False)

    def add_below_sentence(self, widget: QWidget) -> None:
        """Put a part under the words of the result."""
        layout = self.layout()
        assert isinstance(layout, QVBoxLayout)
        layout.insertWidget(layout.indexOf(self.sentence) + 1, widget)

    def show_plane(self, words: str) -> None:
        """Say what the plane that the viewer shows has to say for itself; nothing for one image."""
        self.plane.setText(words)
        self.plane.setVisible(bool(words))

    @property
    def chosen_map(self) -> Result | None:
        """The map whose histogram is shown: one of those that the run made."""
        return self._chosen[0] if self._maps else self.result

    @property
    def chosen_layer(self) -> Any:
        """The layer of that map; None before the first result."""
        return self._chosen[1] if self._maps else None

    def choose(self, layer: Any) -> None:
        """Show the histogram of a layer's map, if it is one of the result's."""
        for number, (_, shown) in enumerate(self._maps):
            if shown == layer:
                self.chooser.setCurrentIndex(number)

    def show_result(self, result: Result, layers: Sequence[Any]) -> None:
        """Show a result, with the layers of its parts.

        The histogram takes the colours of the layer that is chosen, also when the user changes them.
        """
        self.connections.close()
        self.result = result
        self._fill_chooser(result, layers)
        for _, layer in self._maps:
            self.connections.connect(layer.events.colormap, self._draw)
            self.connections.connect(layer.events.contrast_limits, self._draw)
        self.compute.setVisible(result.quality_map.is_lazy)
        self._say()
        self._draw()
        self.setVisible(True)

    def restate(self, result: Result) -> None:
        """Show other words about the same map: its values, histogram and layer are as they were."""
        if not self._maps or self.result is None:
            return
        self._maps = [(result if part is self.result else part, layer) for part, layer in self._maps]
        self.result = result
        self._say()

    def _say(self) -> None:
        assert self.result is not None
        result, quality_map = self.result, self.result.quality_map
        lazy = quality_map.is_lazy
        region = quality_map.info.get("region")
        words = [f"In the region {region!r}:"] if region else []
        words += [result.words or quality_map.sentence()] + ["Planes are computed where you look."] * lazy
        words += [f"Note: {note}." for note in quality_map.info.get("notes", ())]
        self.sentence.setText(" ".join(words))

    @property
    def _chosen(self) -> tuple[Result, Any]:
        return self._maps[self.chooser.currentIndex()]

    def _fill_chooser(self, result: Result, layers: Sequence[Any]) -> None:
        """Offer the maps of a result; the kind that was chosen stays chosen."""
        before = self.chooser.currentText()
        parts = zip(result.parts, layers, strict=True)
        self._maps = [(part, layer) for part, layer in parts if isinstance(part, Result)]
        titles = [part.quality_map.meaning.title for part, _ in self._maps]
        self.chooser.blockSignals(True)
        self.chooser.clear()
        self.chooser.addItems(titles)
        self.chooser.setCurrentIndex(titles.index(before) if before in titles else len(titles) - 1)
        self.chooser.blockSignals(False)
        self.chooser.setVisible(len(titles) > 1)

    def _on_chooser(self, _index: int) -> None:
        self._draw()
        self.map_chosen.emit()

    def _draw(self, _event: Any = None) -> None:
        shown, layer = self._chosen
        if shown.histogram is None:
            self.histogram.clear()
            return
        low, high = layer.contrast_limits
        colours = layer.colormap.map(np.linspace(0, 1, 256))
        self.histogram.show_histogram(shown.histogram, shown.quality_map.meaning, (low, high), colours)
