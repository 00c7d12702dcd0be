"""The lower part of every widget: the result in words, its histogram, and the ways out to files."""

from __future__ import annotations

from typing import Any

import numpy as np
from qtpy.QtCore import Qt, Signal  # type: ignore[attr-defined]
from qtpy.QtWidgets import QHBoxLayout, QLabel, QPushButton, QVBoxLayout, QWidget

from .following import Connections
from .histogram import HistogramView
from .results import Result


class Summary(QWidget):
    """Shows a result; asks for nothing but to be told when it changes.

    Parameters
    ----------
    parent : QWidget, optional
        As in Qt.
    """

    map_wanted = Signal()
    row_wanted = Signal()
    compute_wanted = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.result: Result | None = None
        self._layer: Any = None
        self.connections = Connections()
        self.sentence = QLabel()
        self.sentence.setWordWrap(True)
        self.sentence.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        self.histogram = HistogramView(self)
        self.compute = _button("Compute all planes", "The map is lazy: planes are computed where you look.")
        self.save_map = _button("Save map…", "The values as TIFF, or a picture with a legend as PNG.")
        self.save_row = _button("Add row to table…", "Write score and provenance into a CSV file, after what is there.")
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self.sentence)
        layout.addWidget(self.histogram)
        layout.addWidget(self.compute)
        row = QHBoxLayout()
        row.addWidget(self.save_map)
        row.addWidget(self.save_row)
        layout.addLayout(row)
        self.compute.clicked.connect(self.compute_wanted)
        self.save_map.clicked.connect(self.map_wanted)
        self.save_row.clicked.connect(self.row_wanted)
        self.destroyed.connect(self.connections.close)
        self.setVisible(False)

    def show_result(self, result: Result, layer: Any) -> None:
        """Show a result.

        Parameters
        ----------
        result : Result
            What came out.
        layer : napari.layers.Image
            The layer that shows its map; the histogram takes its colours, also when the user changes them.
        """
        self.connections.close()
        self.result, self._layer = result, layer
        self.connections.connect(layer.events.colormap, self._draw)
        self.connections.connect(layer.events.contrast_limits, self._draw)
        quality_map = result.quality_map
        lazy = quality_map.is_lazy
        self.compute.setVisible(lazy)
        region = quality_map.info.get("region")
        words = [f"In the region {region!r}:"] if region else []
        words += [result.words or quality_map.sentence()] + ["Planes are computed where you look."] * lazy
        words += [f"Note: {note}." for note in quality_map.info.get("notes", ())]
        self.sentence.setText(" ".join(words))
        self._draw()
        self.setVisible(True)

    def _draw(self, _event: Any = None) -> None:
        if self.result is None or self.result.histogram is None:
            self.histogram.clear()
            return
        low, high = self._layer.contrast_limits
        colours = self._layer.colormap.map(np.linspace(0, 1, 256))
        self.histogram.show_histogram(self.result.histogram, self.result.quality_map.meaning, (low, high), colours)


def _button(text: str, tooltip: str) -> QPushButton:
    button = QPushButton(text)
    button.setToolTip(tooltip)
    return button
