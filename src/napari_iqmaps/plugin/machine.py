"""The widget "Machine-perceived quality": where a recogniser does well, how well, and what it takes to make it fail."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from qtpy.QtCore import QTimer

from ..core.errors import InputError, IqmapsError
from ..core.machine import machine_assess
from ..core.machine_curve import MachineCurve
from . import export
from .curve_panel import CurvePanel
from .frame import MapWidget
from .inputs import InputSlot
from .layers import LayerPixels, pixels_of
from .machine_results import CurveRequest, MachineRequest
from .options import read_options
from .regions import region_of
from .tasks import Task, report

if TYPE_CHECKING:
    import napari


class MachineQuality(MapWidget):
    """Judge how well a recogniser does on an image: a map, a score, and curves of the score against distortions."""

    functions = (machine_assess,)
    slots = (InputSlot("image", "Image", "The image that a recogniser would look at."),)

    def __init__(self, viewer: napari.viewer.Viewer) -> None:
        self.curves = CurvePanel()
        super().__init__(viewer)
        self.insert_below_summary(self.curves)
        self.curves.curve_wanted.connect(self.run_curve)
        self.curves.save_wanted.connect(self._save_curves)

    def describe(self) -> str:
        """Say what Run will judge."""
        image = self._first_layer()
        if image is None:
            return "Open an image: the map shows where a recogniser does well on it."
        return f"Run maps how well a recogniser does on {image.name!r}: 1 where it is right, 0 where it fails."

    def run_curve(self) -> None:
        """Start scoring distorted copies, or say why it cannot start; does nothing while something is under way."""
        if self.is_running:
            return
        try:
            pixels, options = self._image_and_options()
        except IqmapsError as error:
            self.say(report(error), failed=True)
            return
        panel = self.curves
        request = CurveRequest(pixels, panel.distortion.value, float(panel.fails_below.value), options)
        task = Task(request.run, "Curve")
        task.returned.connect(partial(self._on_curve, pixels.name))
        self._start(task, f"Scoring {pixels.name!r} with {panel.distortion.row.title}…")

    def _on_curve(self, name: str, curve: MachineCurve) -> None:
        self.curves.add(name, curve)
        self.say("")
        QTimer.singleShot(0, self._show_curves)

    def _show_curves(self) -> None:
        self.scroll_to(self.curves)

    def _save_curves(self) -> None:
        rows = self.curves.rows()
        ask = partial(export.ask_for_rows, title="Save the curves", suggestion=f"{self.curves.name}_curves.csv")
        self._export(ask, rows or None)

    # The frame's

    def _start(self, task: Task, text: str) -> None:
        self.curves.button.setEnabled(False)
        super()._start(task, text)

    def _on_ended(self) -> None:
        self.curves.button.setEnabled(True)
        super()._on_ended()

    def _on_choice(self, _value: Any = None) -> None:
        self.curves.distortion.offer_for(self._first_layer())
        super()._on_choice(_value)

    def _on_theme(self, _event: Any = None) -> None:
        super()._on_theme(_event)
        histogram = self.summary.histogram
        self.curves.view.set_theme(histogram.background, histogram.foreground)

    def _image_and_options(self) -> tuple[LayerPixels, dict[str, Any]]:
        image = self._first_layer()
        pixels = pixels_of(image, "image")
        if pixels.luminance == "absolute":
            raise InputError(f"{pixels.name!r} holds light in cd/m2; the network judges display codes.")
        self.range.describe(image)  # its data may have got another type since it was chosen
        return pixels, read_options(self.options, machine_assess) | {"data_range": self.range.value_given()}

    def _request(self) -> Any:
        pixels, options = self._image_and_options()
        shapes = self.layers.region.value
        region = None if shapes is None else region_of(shapes, self._first_layer(), pixels.plane_shape)
        return MachineRequest(pixels, options, region)
