"""The part of a widget that plots scores against the severity of distortions, and says where a recogniser fails."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from magicgui.widgets import FloatSpinBox
from qtpy.QtCore import Qt, Signal  # type: ignore[attr-defined]
from qtpy.QtWidgets import QFormLayout, QGroupBox, QHBoxLayout, QLabel, QPushButton, QWidget

from ..core.distortions import distortion
from ..core.kinds import KINDS
from ..core.machine_curve import FAILS_BELOW, MachineCurve
from .distortion_choice import DistortionChooser
from .figure_view import FigureView

COLOURS = ("#56b4e9", "#e69f00", "#009e73", "#cc79a7", "#d55e00", "#f0e442")
"""Told apart by all readers, on dark and on light [1]_.

.. [1] M. Okabe, K. Ito, "Color Universal Design", 2008.
"""

_MARGIN = 0.04
_KIND = "machine_curve"
_FROM_INFO = ("model", "weights", "weights_sha256", "scales", "seed", "data_range")


class CurveView(FigureView):
    """Draws scores against severities, with a line where a recogniser counts as failing."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._curves: list[MachineCurve] = []

    def show_curves(self, curves: Sequence[MachineCurve]) -> None:
        """Draw curves; those without any score are left out.

        Parameters
        ----------
        curves : sequence of MachineCurve
            With one limit for failing; none at all hides the plot.
        """
        self._curves = [curve for curve in curves if np.isfinite(curve.scores).any()]
        self.redraw()
        self.setVisible(bool(self._curves))

    def fill(self, figure: Any) -> None:
        """Draw the curves, and a mark on each where it falls below the limit."""
        if not self._curves:
            return
        axes = figure.subplots()
        for number, curve in enumerate(self._curves):
            self._draw(axes, curve, COLOURS[number % len(COLOURS)])
        limit = self._curves[0].fails_below
        axes.axhline(limit, color=self.foreground, linewidth=0.8, linestyle="--", zorder=1)
        axes.set_ylim(-_MARGIN, 1 + _MARGIN)
        axes.set_xlabel("severity", color=self.foreground, fontsize=8)
        axes.set_ylabel("machine-perceived quality", color=self.foreground, fontsize=8)
        self.colour_axes(axes)
        axes.legend(fontsize=7, labelcolor=self.foreground, facecolor=self.background, framealpha=0.7)

    def _draw(self, axes: Any, curve: MachineCurve, colour: str) -> None:
        seen = np.isfinite(curve.scores)  # a line goes on over a severity without a score, as `fails_at` does
        severities, scores = curve.severities[seen], curve.scores[seen]
        label = distortion(curve.distortion).title
        if math.isfinite(curve.fails_at):
            from_start = scores[0] < curve.fails_below
            label += ": fails from the start" if from_start else f": fails at {curve.fails_at:.2g}"
            axes.plot([curve.fails_at] * 2, [-_MARGIN, curve.fails_below], color=colour, linewidth=1, linestyle=":")
            if not from_start:
                axes.plot(
                    curve.fails_at, curve.fails_below, color=colour, marker="X", markersize=9, zorder=4,
                    markeredgecolor=self.foreground,
                )  # fmt: skip
        axes.plot(severities, scores, color=colour, marker="o", markersize=4, linewidth=1.5, label=label)
        if len(self._curves) == 1:  # bands of several would cover each other
            spread = np.array([row["uncertainty"] for row in curve.rows()], dtype=float)[seen]  # None becomes NaN
            axes.fill_between(severities, scores - spread, scores + spread, color=colour, alpha=0.2, linewidth=0)


class CurvePanel(QGroupBox):
    """Asks for a curve, shows curves of one image together, and offers their table.

    Attributes
    ----------
    curves : list of MachineCurve
        What is shown, the latest last.
    """

    curve_wanted = Signal()
    save_wanted = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__("Score against severity", parent)
        self.curves: list[MachineCurve] = []
        self._subject: tuple[Any, ...] = ()
        self.name = ""
        self.distortion = DistortionChooser("With what to distort the image, at the severities 0 (not) to 5.")
        self.fails_below = FloatSpinBox(
            name="fails_below", label="Fails below", value=FAILS_BELOW, min=0.01, max=0.99, step=0.05,
            tooltip="Below this score the recogniser counts as failing.",
        )  # fmt: skip
        self.button = _button(
            "Curve",
            "Score the whole image at each severity (a stack: the mean over its planes). Curves of one image stay "
            "together.",
        )
        self.clear_button = _button("Clear", "Forget the curves.")
        self.save = _button("Save curves…", "Write a row for each severity of each curve into a CSV file.")
        self.view = CurveView(self)
        self.words = QLabel()
        self.words.setWordWrap(True)
        self.words.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        form = QFormLayout(self)
        form.setFieldGrowthPolicy(QFormLayout.FieldGrowthPolicy.AllNonFixedFieldsGrow)
        for widget in (self.distortion, self.fails_below):
            label = QLabel(widget.label)
            label.setToolTip(widget.tooltip or "")
            form.addRow(label, widget.native)
        form.addRow(self.button)
        form.addRow(self.words)
        form.addRow(self.view)
        row = QHBoxLayout()
        row.addWidget(self.clear_button)
        row.addWidget(self.save)
        form.addRow(row)
        self.button.clicked.connect(self.curve_wanted)
        self.save.clicked.connect(self.save_wanted)
        self.clear_button.clicked.connect(self.clear)
        self._show()

    def add(self, name: str, curve: MachineCurve) -> None:
        """Show a curve besides those of the same image, weights and limit, in place of an earlier one like it.

        Parameters
        ----------
        curve : MachineCurve
            A curve from severity 0 on.
        """
        # What the undistorted image scores tells whether its pixels or its range have changed since.
        subject = (name, curve.info.get("weights_sha256"), curve.fails_below, float(curve.scores[0]))
        same = subject == self._subject
        kept = [other for other in self.curves if same and other.distortion != curve.distortion]
        self.name, self._subject, self.curves = name, subject, [*kept, curve]
        self._show()

    def clear(self) -> None:
        """Forget the curves."""
        self.curves, self._subject = [], ()
        self._show()

    def rows(self) -> list[dict[str, Any]]:
        """Give the table.

        Returns
        -------
        list of dict
            A row for each severity of each curve, with the layer's name and the weights; the columns are those of
            ``iqmaps machine --curve``.
        """
        unit = KINDS["machine_quality"].unit
        return [
            {"file": self.name, "kind": _KIND, **row, "strength_unit": row["unit"], "unit": unit, **_provenance(curve)}
            for curve in self.curves
            for row in curve.rows()
        ]

    def _show(self) -> None:
        self.words.setText("\n".join(curve.sentence() for curve in reversed(self.curves)))
        self.view.show_curves(self.curves)
        for widget in (self.words, self.clear_button, self.save):
            widget.setVisible(bool(self.curves))


def _provenance(curve: MachineCurve) -> dict[str, Any]:
    return {name: curve.info[name] for name in _FROM_INFO if name in curve.info}


def _button(text: str, tooltip: str) -> QPushButton:
    button = QPushButton(text)
    button.setToolTip(tooltip)
    return button
