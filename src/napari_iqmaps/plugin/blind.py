"""The widget "Error, reliability & sensitivity": where an image is bad and how far to trust that, with no reference."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable
from functools import partial
from typing import TYPE_CHECKING, Any

from qtpy.QtWidgets import QCheckBox

from ..core.blind import assess, maps_of
from ..core.errors import InputError
from ..core.regions import RegionQuality
from . import export
from .assessed import AssessedResult, AssessRequest
from .following import Follower
from .frame import Key, MapWidget
from .inputs import InputSlot
from .layers import pixels_of
from .map_boxes import MapBoxes
from .options import OptionWidget, make_options, read_options
from .region_scores import RegionBar, measured, write_features
from .regions import areas_of
from .tasks import Task

if TYPE_CHECKING:
    import napari


_COLOUR_BAR = ("bottom_left", (12, 80), 8)  # place, pixels, points
_NAME_POINTS = 7


class BlindQuality(MapWidget):
    """Judge an image without a reference: its maps of one pass, its score, and scores of regions."""

    functions = (assess,)
    slots = (
        InputSlot("image", "Image", "The image to judge."),
        InputSlot(
            "reference",
            "Reference",
            "The undistorted image on the same pixels, if there is one: gives the objective error besides.",
            optional=True,
        ),
    )
    region_slot = InputSlot(
        "regions",
        "Regions",
        "A Shapes layer: each of its rectangles, ellipses and polygons gets the mean of every map and a score of its "
        "own, as features of the layer.",
        optional=True,
    )
    main_options = ("model", "maps")

    def __init__(self, viewer: napari.viewer.Viewer) -> None:
        self._measure_again = False
        self._watched: Any = None
        self._group: list[Any] = []
        super().__init__(viewer)
        self.side_by_side = QCheckBox("Side by side")
        self.side_by_side.setToolTip("Show the image and its maps in a grid, or only the chosen map over the image.")
        self.side_by_side.setChecked(True)
        self.side_by_side.hide()
        self.side_by_side.toggled.connect(self._show_view)
        self.insert_above_summary(self.side_by_side)
        self.regions = RegionBar()
        self.regions.save_wanted.connect(self._save_regions)
        self.insert_below_summary(self.regions)
        self._region_follower = Follower(self)
        self._region_follower.changed.connect(self._measure)
        self.layers.region.changed.connect(self._on_regions)
        self.summary.map_chosen.connect(self._on_map_chosen)
        self.options["maps"].changed.connect(self._on_maps)

    def make_options(self, functions: Iterable[Callable[..., Any]]) -> dict[str, OptionWidget]:
        """Make a box for each map; the reference is a layer."""
        made = make_options(functions)
        del made["reference"]
        return {**made, "maps": MapBoxes(made["maps"].tooltip)}

    def describe(self) -> str:
        """Say what Run will judge, and with what."""
        image, reference = (self.layers.images[name].value for name in ("image", "reference"))
        if image is None:
            return "Open an image: it is judged without a reference."
        if reference is None:
            return f"Run judges {image.name!r} without a reference: where it is bad, how far to trust that, its score."
        return f"Run judges {image.name!r} without a reference, and measures its error against {reference.name!r}."

    def inputs(self) -> list[Any]:
        """Give the images: shapes are measured in the maps that are there."""
        return [chooser.value for chooser in self.layers.images.values() if chooser.value is not None]

    def result_key(self, request: Any) -> Key:
        """Keep one set of layers an image, whatever model and reference."""
        return ("assess", str(self._first_layer().unique_id))

    def on_placed(self, source: Any, layers: list[Any]) -> None:
        """Show new maps side by side, or the chosen one over the image, and measure the regions."""
        added = [layer for layer in layers if layer not in self._group]
        for layer in self._group:
            layer.visible = layer.visible and layer in layers  # the maps of another image would cover these
        self._group = layers
        self.side_by_side.show()
        for layer in added:
            if hasattr(layer, "colorbar"):  # since napari 0.9; small enough for a cell of a grid
                layer.colorbar.position, layer.colorbar.size, layer.colorbar.font_size = _COLOUR_BAR
                layer.name_overlay.font_size = _NAME_POINTS
        if added:
            self._show_view()
        self._raise_regions()
        self._measure()

    def cancel(self) -> None:
        """Stop what runs; earlier results stay as they are."""
        self._measure_again = False
        super().cancel()

    # What is shown

    def _show_view(self, _checked: bool = False) -> None:
        # napari 0.9 moved the grid from the viewer to its canvas.
        grid = getattr(self.viewer, "canvas", self.viewer).grid
        was_grid = grid.enabled
        grid.enabled = self.side_by_side.isChecked()
        self._show_maps()
        if self._shown is not None:
            self._shown[0].visible = True
        if grid.enabled or was_grid:
            self.viewer.reset_view()

    def _show_maps(self) -> None:
        everything = self.side_by_side.isChecked()
        for layer in self._group:
            layer.visible = everything or layer is self.summary.chosen_layer
            if hasattr(layer, "name_overlay"):
                layer.name_overlay.visible = everything
        reference = self.layers.images["reference"].value
        if reference is not None:
            reference.visible = everything

    def _on_maps(self, _value: Any = None) -> None:
        """Show other maps of the assessment that is there."""
        result, kinds = self.summary.result, self.options["maps"].value
        if not isinstance(result, AssessedResult) or self._shown is None or self.is_running:
            return
        if self._shown[0] in self.viewer.layers:
            with contextlib.suppress(InputError):  # no map at all: Run says so
                self._on_result(*self._shown, result.showing(kinds))

    def _on_map_chosen(self) -> None:
        if not self.side_by_side.isChecked():
            self._show_maps()

    # Regions

    def _on_regions(self, _value: Any = None) -> None:
        shapes = self.layers.region.value
        if shapes is self._watched:
            return  # another layer came or went
        self._watched = shapes
        self._region_follower.watch([] if shapes is None else [shapes])
        if shapes is not None:
            self.side_by_side.setChecked(False)  # in a grid the shapes would lie beside the image
        self._raise_regions()
        self._measure()

    def _raise_regions(self) -> None:
        """Put the shapes above the maps, which would cover them."""
        layers = list(self.viewer.layers)
        if self._watched in layers and any(layer in layers[layers.index(self._watched) :] for layer in self._group):
            self.viewer.layers.move(layers.index(self._watched), len(layers))

    def _measure(self) -> None:
        shapes, result = self._watched, self.summary.result
        if shapes is None or not shapes.data or self._shown is None or not isinstance(result, AssessedResult):
            self.regions.show_regions("", [])
            return
        if self.is_running:
            self._measure_again = True
            return
        assert result.assessment is not None
        areas = areas_of(shapes, self._shown[0], result.assessment.judge.shape)
        task = Task(partial(measured, result.assessment, areas), "Measuring regions")
        task.returned.connect(partial(self._on_measured, shapes))
        self._start(task, "Measuring the regions…")

    def _on_measured(self, shapes: Any, regions: list[RegionQuality]) -> None:
        self.say("")
        if len(regions) != len(shapes.data):
            self._measure_again = True  # drawn in the meantime
            return
        write_features(shapes, regions)
        self.regions.show_regions(shapes.name, regions)

    def _save_regions(self) -> None:
        result = self.summary.result
        if result is not None and self.regions.regions:
            names = dict(zip(("file", "reference"), result.names, strict=False))
            self._export(export.ask_for_rows, self.regions.rows(**names))

    # The frame's

    def _on_ended(self) -> None:
        super()._on_ended()
        if self._measure_again and not self.is_running:
            self._measure_again = False
            self._measure()

    def _enable_options(self) -> None:
        super()._enable_options()
        has_reference = self.layers.images["reference"].value is not None
        self.options["maps"].offer(maps_of(self.options["model"].value, has_reference=has_reference))

    def _request(self) -> Any:
        image = self._first_layer()
        reference = self.layers.images["reference"].value
        pixels = pixels_of(image, "image")
        if pixels.luminance == "absolute":
            raise InputError(f"{pixels.name!r} holds light in cd/m2; the blind networks judge display codes.")
        self.range.describe(image)  # its data may have got another type since it was chosen
        options = read_options(self.options, assess) | {"data_range": self.range.value_given()}
        kinds = options.pop("maps")
        if not kinds:
            raise InputError("No map is chosen. Tick at least one.")
        return AssessRequest(pixels, None if reference is None else pixels_of(reference, "reference"), kinds, options)
