"""The lower part of every widget: the result in words, its histogram, and the ways out to files."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from qtpy.QtCore import Qt, Signal  # type: ignore[attr-defined]
from qtpy.QtWidgets import QComboBox, QHBoxLayout, QLabel, QPushButton, QVBoxLayout, QWidget

from .following import Connections
from .histogram import HistogramView
from .results import Result


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
        self.sentence = QLabel()
        self.sentence.setWordWrap(True)
        self.sentence.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        self.chooser = QComboBox()
        self.chooser.setToolTip("The map of the histogram and of “Save map…”; selecting a map's layer chooses it.")
        self.histogram = HistogramView(self)
        self.compute = _button("Compute all planes", "The map is lazy: planes are computed where you look.")
        self.save_map = _button("Save map…", "The values as TIFF, or a picture with a legend as PNG.")
        self.save_row = _button("Add row to table…", "Write score and provenance into a CSV file, after what is there.")
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self.sentence)
        layout.addWidget(self.chooser)
        layout.addWidget(self.histogram)
        layout.addWidget(self.compute)
        row = QHBoxLayout()
        row.addWidget(self.save_map)
        row.addWidget(self.save_row)
        layout.addLayout(row)
        self.chooser.currentIndexChanged.connect(self._on_chooser)
        self.compute.clicked.connect(self.compute_wanted)
        self.save_map.clicked.connect(self.map_wanted)
        self.save_row.clicked.connect(self.row_wanted)
        self.destroyed.connect(self.connections.close)
        self.setVisible(False)

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
        """Show a result.

        Parameters
        ----------
        layers : sequence of napari.layers.Image
            The layers of what was made beside, and last of the map itself. The histogram takes the colours of the
            layer that is chosen, also when the user changes them.
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
        parts = zip((*result.beside, result), layers, strict=True)
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


def _button(text: str, tooltip: str) -> QPushButton:
    button = QPushButton(text)
    button.setToolTip(tooltip)
    return button
