"""The widget "Machine-perceived quality": where a recogniser does well, how well, and what it takes to make it fail."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
from magicgui.widgets import FloatSpinBox
from qtpy.QtCore import QTimer, Signal  # type: ignore[attr-defined]
from qtpy.QtWidgets import QGroupBox, QWidget

from ..core.assessment import MachineAssessment
from ..core.call import Call
from ..core.distortions import distortion
from ..core.kinds import KINDS
from ..core.machine import machine_assess
from ..core.machine_curve import FAILS_BELOW, MachineCurve, machine_curve
from ..core.maps import QualityMap
from ..core.quality_score import quality_row
from . import export
from .figure_view import COLOURS, FigureView
from .frame import MapWidget
from .inputs import InputSlot
from .layers import LayerPixels
from .options import DistortionChooser
from .parts import Flow, button, form_of, narrow, wrapped
from .recall import CopyButtons
from .regions import Region
from .results import Request, Result
from .snapshot import Snapshot
from .standing import Standing

if TYPE_CHECKING:
    import napari


_FROM_INFO = ("model", "weights", "weights_sha256", "scales", "seed", "data_range")
_KIND = "machine_curve"
_MARGIN = 0.04


@dataclass(frozen=True, eq=False)
class MachineResult(Result):
    """The map of an assessment with its score.

    `region`: where the map answers; None means everywhere.
    """

    assessment: MachineAssessment | None = None
    region: Region | None = None

    @classmethod
    def made(cls, assessment: MachineAssessment, name: str, region: Region | None) -> MachineResult:
        """Look at a map once, and say its score; in a region, that is the mean of the map in there."""
        (whole,) = assessment.maps.values()
        quality_map = whole if region is None else _inside(whole, region)
        words = "" if region is not None else assessment.sentence()
        return cls.of(quality_map, [name], words=words, assessment=assessment, region=region)

    def in_memory(self) -> MachineResult:
        """Compute the map and the score in one pass, if they are lazy."""
        assert self.assessment is not None
        if not self.assessment.is_lazy:
            return self
        return self.made(self.assessment.compute(), self.names[0], self.region)

    def plane_words(self, index: tuple[int, ...]) -> str:
        """Say the score of one plane of a stack; in a region, that of the map."""
        assert self.assessment is not None
        if self.region is not None or self.assessment.is_lazy:
            return super().plane_words(index)
        return self.assessment.score.plane_sentence(index)

    def row(self) -> dict[str, Any]:
        """Sum up the score as a row of a table; in a region, that of the map."""
        if self.region is not None:
            return super().row()
        assert self.assessment is not None
        row = quality_row(self.assessment.score, file=self.names[0])
        return row | {"kind": self.quality_map.kind, "unit": self.quality_map.meaning.unit}


def _inside(quality_map: QualityMap, region: Region) -> QualityMap:
    box = region.crop(LayerPixels(region.name, quality_map.values, None), 0).data
    # A reservation about the whole image says nothing about a part of it, and the other way round.
    info = {name: value for name, value in quality_map.info.items() if name != "not_enough_evidence"}
    return region.restore(QualityMap.of(box, quality_map.kind, info), 0)


class CurveView(FigureView):
    """Draws scores against severities, with a line where a recogniser counts as failing."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._curves: list[MachineCurve] = []

    def show_curves(self, curves: Sequence[MachineCurve]) -> None:
        """Draw curves that have one limit for failing, without those that have no score; none at all hides the plot."""
        self._curves = [curve for curve in curves if np.isfinite(curve.scores).any()]
        self.redraw()
        self.setVisible(bool(self._curves))

    def fill(self, figure: Any) -> None:
        """Draw the curves, and a mark on each where it falls below the limit."""
        curves = self._curves
        if not curves:
            return
        axes = figure.subplots()
        for number, curve in enumerate(curves):
            self._draw_curve(axes, curve, COLOURS[number % len(COLOURS)], with_band=len(curves) == 1)
        limit = curves[0].fails_below
        axes.axhline(limit, color=self.foreground, linewidth=0.8, linestyle="--", zorder=1)
        axes.set_ylim(-_MARGIN, 1 + _MARGIN)
        self.colour_axes(axes, "severity", "machine-perceived quality")
        self.add_legend(axes)

    def _draw_curve(self, axes: Any, curve: MachineCurve, colour: str, *, with_band: bool) -> None:
        seen = np.isfinite(curve.scores)  # a line goes on over a severity without a score, as `fails_at` does
        severities, scores = curve.severities[seen], curve.scores[seen]
        label = distortion(curve.distortion).title
        if math.isfinite(curve.fails_at):
            from_start = scores[0] < curve.fails_below
            label += ": fails from the start" if from_start else f": fails at {curve.fails_at:.2g}"
            axes.plot([curve.fails_at] * 2, [-_MARGIN, curve.fails_below], color=colour, linewidth=1, linestyle=":")
            if not from_start:
                cross = {"marker": "X", "markersize": 9, "markeredgecolor": self.foreground}
                axes.plot(curve.fails_at, curve.fails_below, color=colour, zorder=4, **cross)
        axes.plot(severities, scores, color=colour, marker="o", markersize=4, linewidth=1.5, label=label)
        if with_band:  # bands of several would cover each other
            spread = np.array([row["uncertainty"] for row in curve.rows()], dtype=float)[seen]  # None becomes NaN
            axes.fill_between(severities, scores - spread, scores + spread, color=colour, alpha=0.2, linewidth=0)


class CurvePanel(QGroupBox):
    """Asks for a curve, shows curves of one image together, the latest last, and offers their table."""

    curve_wanted = Signal()
    save_wanted = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__("Score against severity", parent)
        self.curves: list[MachineCurve] = []
        self._subject: tuple[Any, ...] = ()
        self.name = ""
        self.distortion = DistortionChooser("With what to distort the image, at the severities 0 (not) to 5.")
        self.fails_below = FloatSpinBox(
            name="fails_below",
            label="Fails below",
            value=FAILS_BELOW,
            min=0.01,
            max=0.99,
            step=0.05,
            tooltip="Below this score the recogniser counts as failing.",
        )
        narrow(self.fails_below.native)
        self.button = button(
            "Curve",
            "Score the whole image at each severity (a stack: the mean over its planes). Curves of one image stay "
            "together.",
        )
        self.clear_button = button("Clear", "Forget the curves.")
        self.save = button("Save curves…", "Write a row for each severity of each curve into a CSV file.")
        self._call: Call | None = None
        self.copy = CopyButtons(lambda: self._call)
        self.view = CurveView(self)
        self.words = wrapped(selectable=True)
        self.standing = Standing((self.words, self.view), (self.save, self.copy))
        form = form_of(self, (self.distortion, self.fails_below))
        form.addRow(self.button)
        form.addRow(self.standing)
        form.addRow(self.words)
        form.addRow(self.view)
        form.addRow(Flow((self.clear_button, self.save)))
        form.addRow(self.copy)
        self.button.clicked.connect(self.curve_wanted)
        self.save.clicked.connect(self.save_wanted)
        self.clear_button.clicked.connect(self.clear)
        self._show()

    def add(self, name: str, curve: MachineCurve, call: Call | None = None) -> None:
        """Show a curve from severity 0 on besides those of the same image, weights and limit; a like one goes.

        `call`: what makes it again.
        """
        self._call = call
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
        """Give the table: a row for each severity of each curve, with the columns of ``iqmaps machine --curve``."""
        unit = KINDS["machine_quality"].unit
        return [
            {"file": self.name, "kind": _KIND, **row, "strength_unit": row["unit"], "unit": unit, **_provenance(curve)}
            for curve in self.curves
            for row in curve.rows()
        ]

    def _show(self) -> None:
        self.words.setText("\n".join(curve.sentence() for curve in reversed(self.curves)))
        self.view.show_curves(self.curves)
        for widget in (self.standing, self.words, self.clear_button, self.save, self.copy):
            widget.setVisible(bool(self.curves))


def _provenance(curve: MachineCurve) -> dict[str, Any]:
    return {name: curve.info[name] for name in _FROM_INFO if name in curve.info}


class MachineQuality(MapWidget):
    """Judge how well a recogniser does on an image: a map, a score, and curves of the score against distortions."""

    functions = (machine_assess,)
    slots = (InputSlot("image", "Image", "The image that a recogniser would look at."),)
    refuses_light = "the network judges display codes"

    def __init__(self, viewer: napari.viewer.Viewer) -> None:
        self.curves = CurvePanel()
        super().__init__(viewer)
        self.insert_below_summary(self.curves)
        self._on_theme()
        self.curves.curve_wanted.connect(self.run_curve)
        self.curves.save_wanted.connect(self._save_curves)
        self.curves.fails_below.changed.connect(self._check)

    def describe(self) -> str:
        """Say what Run will judge."""
        if self.source is None:
            return "Open an image: the map shows where a recogniser does well on it."
        return f"Run maps how well a recogniser does on {self.source.name!r}: 1 where it is right, 0 where it fails."

    def request(self) -> Request:
        """Ask for a map of the whole image's pass, also where a region is chosen, and for its score."""
        request = super().request()
        region = self.region(self.source, request.images["image"])

        def show(asked: Request, assessment: MachineAssessment) -> MachineResult:
            return MachineResult.made(assessment, asked.names[0], region)

        return replace(request, show=show)

    def run_curve(self) -> None:
        """Start scoring distorted copies, or say why it cannot start; does nothing while something is under way."""
        request = self.taken(self._curve_request)
        if request is not None:
            text = f"Scoring {request.names[0]!r} with {self.curves.distortion.row.title}…"
            then = partial(self._on_curve, request.names[0], request.as_call())
            self.start(request.run, request.name, text, then, self._curve_snapshot())

    def on_running(self, is_running: bool) -> None:
        """Ask for no curve meanwhile."""
        self.curves.button.setEnabled(not is_running)

    def _curve_request(self) -> Request:
        """Ask for the scores of the whole image at every severity; of a stack, the means over its planes."""
        options = {"distortion": self.curves.distortion.value, "fails_below": float(self.curves.fails_below.value)}
        return Request(machine_curve, self.pixels(), self.values() | options, lambda _, curve: curve, title="Curve")

    def _curve_snapshot(self) -> Snapshot:
        """Take note of what would enter a curve now: no region, but the limit."""
        return self.snapshot().without("region").having({"limit of failing": self.curves.fails_below.value})

    def _on_curve(self, name: str, call: Call, curve: MachineCurve, of: Snapshot) -> None:
        self.curves.add(name, curve, call)
        self.date(self.curves.standing, of, curve.info, self._curve_snapshot)
        self.say("")
        QTimer.singleShot(0, self._show_curves)

    def _show_curves(self) -> None:
        self.scroll_to(self.curves)

    def _save_curves(self) -> None:
        rows = self.curves.rows()
        ask = partial(export.ask_for_rows, title="Save the curves", suggestion=f"{self.curves.name}_curves.csv")
        self.export(ask, rows or None)

    def _on_choice(self, _value: Any = None) -> None:
        self.curves.distortion.offer_for(self.source)
        super()._on_choice(_value)
