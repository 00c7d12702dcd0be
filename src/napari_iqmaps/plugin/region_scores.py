"""Scores of drawn shapes: into the features of their layer, and out to a table."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

import numpy as np
from qtpy.QtCore import Signal  # type: ignore[attr-defined]
from qtpy.QtWidgets import QHBoxLayout, QLabel, QPushButton, QWidget

from ..core.assessment import Assessment
from ..core.blind import MAPS
from ..core.regions import Area, RegionQuality, region_qualities
from .results import with_dask_progress
from .tasks import Progress

_LABEL = "{quality:.0f}"
_MEANS = tuple(f"mean_{kind}" for kind in MAPS)


def measured(assessment: Assessment, areas: Sequence[Area], progress: Progress) -> list[RegionQuality]:
    """Measure areas; called in a thread.

    Parameters
    ----------
    assessment : Assessment
        Of the image; only what the areas need of a lazy one is computed.
    progress : callable
        What it raises stops the work.
    """
    work = partial(region_qualities, assessment, areas)
    made: list[RegionQuality] = with_dask_progress(work, progress) if assessment.is_lazy else work(progress=progress)
    return made


def write_features(shapes: Any, regions: Sequence[RegionQuality]) -> None:
    """Put what was measured into the features of a Shapes layer, and the scores beside the shapes.

    Parameters
    ----------
    shapes : napari.layers.Shapes
        Columns of the same names are replaced, all others stay. Text that the layer shows already stays, too.
    regions : sequence of RegionQuality
        One for each shape.
    """
    rows = [region.features() for region in regions]
    names = list(rows[0])
    kept = {name: np.asarray(column) for name, column in shapes.features.items() if name not in (*names, *_MEANS)}
    shapes.features = {**kept, **{name: [row[name] for row in rows] for name in names}}
    # A shape that is drawn next has none of these until it has been measured.
    nothing = {name: np.nan if isinstance(rows[0][name], float) else type(rows[0][name])() for name in names}
    defaults = {name: column.iloc[0] for name, column in shapes.feature_defaults.items()}
    shapes.feature_defaults = {name: [value] for name, value in (defaults | nothing).items()}
    if getattr(shapes.text.string, "constant", None) == "":  # as it is where nobody has chosen a text
        shapes.text = {"string": _LABEL, "color": "white", "size": 12}


class RegionBar(QWidget):
    """Says how many regions have a score, and offers their table."""

    save_wanted = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.regions: list[RegionQuality] = []
        self.name = ""
        self.label = QLabel()
        self.label.setWordWrap(True)
        self.save = QPushButton("Save regions…")
        self.save.setToolTip("Write a row for each region into a CSV file.")
        layout = QHBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self.label, stretch=1)
        layout.addWidget(self.save)
        self.save.clicked.connect(self.save_wanted)
        self.hide()

    def show_regions(self, name: str, regions: Sequence[RegionQuality]) -> None:
        """Sum up regions.

        Parameters
        ----------
        regions : sequence of RegionQuality
            None at all hides the bar.
        """
        self.name, self.regions = name, list(regions)
        scored = sum(np.isfinite(region.quality.value) for region in regions)
        sure = sum(region.quality.enough_evidence for region in regions)
        self.label.setText(f"Regions scored: {scored} of {len(regions)}, with enough evidence: {sure}.")
        self.label.setToolTip("All numbers are features of the Shapes layer; Features table widget shows them.")
        self.setVisible(bool(regions))

    def rows(self, **more: Any) -> list[dict[str, Any]]:
        """Give the table."""
        return [region.row(**more, region=self.name, shape=number) for number, region in enumerate(self.regions)]
