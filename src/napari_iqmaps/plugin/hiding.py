"""The widget "Hide a mark": a text or a layer goes into an image so that it is seen nowhere above a level."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
from magicgui.widgets import CheckBox, LineEdit
from napari.layers import Labels, Shapes

from ..core.errors import InputError
from ..core.hiding import HiddenMark, hide
from ..core.visibility import ThresholdOptions
from .frame import Key, MapWidget
from .inputs import InputSlot, is_picture
from .layers import grid_of
from .options import OptionWidget, StrengthSlider, make_options, read_options
from .parts import ViewButtons
from .regions import region_of
from .results import Picture, Request, Result
from .tasks import breathe

if TYPE_CHECKING:
    import napari

_TEXT = "hidden"
_VIEWS = {
    "Before": "The image as it was.",
    "After": "The marked image.",
    "Mark": "What was added to the image: red brighter, blue darker.",
    "Visibility": "How likely the mark is seen.",
    "All": "All four side by side.",
}


def _shown(request: Request, hidden: HiddenMark) -> Result:
    """Give the visibility map, and beside it the marked image and the mark."""
    names = request.names
    beside = (Picture("marked", hidden.image, hidden.info), Result.of(hidden.mark_map(), names))
    return replace(Result.of(hidden.visibility, names), beside=beside, words=hidden.sentence())


class HideMark(MapWidget):
    """Hide a mark, a text or a layer, in an image so that its visibility stays under a level at every pixel."""

    functions = (hide, ThresholdOptions)
    slots = (
        InputSlot("image", "Image", "The image that gets the mark."),
        InputSlot(
            "mark",
            "Mark",
            "A layer to hide: what an image shows white, labels, or the inside of shapes. None: the text below.",
            optional=True,
            accepts=lambda layer: is_picture(layer) or isinstance(layer, Labels | Shapes),
        ),
    )
    main_options = ("text", "strength", "mode", "amplitude", "placement")
    region_slot = None
    refuses_light = "a mark is hidden in display codes"

    def __init__(self, viewer: napari.viewer.Viewer) -> None:
        super().__init__(viewer)
        self._placed: tuple[Any, list[Any]] | None = None
        self.views = ViewButtons(_VIEWS, "All", self)
        self.views.pressed.connect(lambda _name: self._show_view())
        self.insert_above_summary(self.views)

    def make_options(self, functions: Iterable[Callable[..., Any]]) -> dict[str, OptionWidget]:
        """Add a text and an inversion, and make the strength a slider whose steps are shares."""
        made = make_options(functions)
        del made["thresholds"]  # its fields are options of their own
        del made["mark_range"]  # what a layer shows as white says it
        slider = StrengthSlider(made["strength"].value, made["strength"].tooltip)
        text = LineEdit(
            name="text", label="Text", value=_TEXT, tooltip="What to write where no layer is chosen as the mark."
        )
        invert = CheckBox(
            name="invert", label="Invert mark", tooltip="Hide what is dark, such as black letters on white paper."
        )
        return {"text": text, **made, "strength": slider, "invert": invert}

    def describe(self) -> str:
        """Say what Run will hide, and in which layer."""
        image, mark = self.layer("image"), self.layer("mark")
        if image is None:
            return "Open an image: a mark is put into it so faintly that it is not seen."
        what = f"the text {self.options['text'].value!r}" if mark is None else f"{mark.name!r}"
        level = -math.expm1(-self.options["strength"].value)
        return f"Run hides {what} in {image.name!r}: nowhere seen with more than {level:.0%} probability."

    def can_use(self, name: str) -> bool:
        """Tell whether an option matters: a text where no layer is chosen, an amplitude to clamp."""
        if name in ("text", "invert"):
            return (self.layer("mark") is None) == (name == "text")
        return name != "amplitude" or self.options["mode"].value == "clamp"

    def request(self) -> Request:
        """Ask for the text, or for what a layer shows, in the image."""
        pixels, options = self.pixels(), self.values()
        if options["mode"] == "multiply":
            options["amplitude"] = None
        options["thresholds"] = ThresholdOptions(**read_options(self.options, ThresholdOptions))
        mark = self.layer("mark")
        if mark is None:
            options["mark"] = self.options["text"].value
        else:
            raw = options["mode"] == "clamp" and options["amplitude"] is None
            shape, inverted = pixels["image"].plane_shape, bool(self.options["invert"].value)
            options["mark"], options["mark_range"] = _mark_of(mark, self.source, shape, inverted=inverted, raw=raw)
        return Request(hide, pixels, options, _shown)

    def result_key(self, request: Request) -> Key:
        """Keep one set of layers an image, whatever is hidden in it."""
        return ("hide", str(self.source.unique_id))

    def on_placed(self, source: Any, layers: list[Any]) -> None:
        """Show what is chosen under the button: before, after, mark or visibility."""
        is_new = self._placed is None or self._placed[1] != layers
        self._placed = (source, layers)
        self.views.setVisible(True)
        if is_new:
            for layer in layers:
                if hasattr(layer, "colorbar"):  # since napari 0.9, which puts it over the upper right corner
                    layer.colorbar.position = "bottom_left"
            self._show_view()

    def _show_view(self) -> None:
        if self._placed is None:
            return
        source, layers = self._placed
        view = self.views.names.index(self.views.chosen)
        everything = self.views.chosen == "All"
        grid = grid_of(self.viewer)
        was_grid = grid.enabled
        grid.enabled = everything
        # The mark's own layer has no place of its own in the comparison.
        mark = self.layer("mark")
        if mark is not None and mark is not source:
            mark.visible = False
        for number, layer in enumerate([source, *layers]):
            layer.visible = everything or number == view or number == 0
            breathe()
        if everything or was_grid:
            self.viewer.reset_view()


def _mark_of(
    layer: Any, image: Any, shape: tuple[int, int], *, inverted: bool, raw: bool
) -> tuple[Any, tuple[float, float] | None]:
    """Read a layer as a mark: what it shows white, its labels, or the inside of its shapes."""
    if isinstance(layer, Shapes):
        return region_of(layer, image, shape).whole_mask() != inverted, None
    data = layer.data[0] if layer.multiscale else layer.data
    if isinstance(layer, Labels):
        return _one_picture(np.asarray(data) > 0, layer, 2) != inverted, None
    pixels = _one_picture(np.asarray(data), layer, 3 if layer.rgb else 2)
    if raw:
        return pixels, None
    if layer.rgb:
        full = np.iinfo(pixels.dtype).max if pixels.dtype.kind in "ui" else 1
        return pixels, (full, 0) if inverted else (0, full)
    low, high = map(float, layer.contrast_limits)
    shown = np.clip(pixels.astype(np.float32), low, high)
    return shown, (high, low) if inverted else (low, high)


def _one_picture(data: Any, layer: Any, dimensions: int) -> Any:
    if data.ndim != dimensions:
        raise InputError(
            f"The mark {layer.name!r} has shape {tuple(data.shape)}; a mark is one picture, which goes on every plane "
            "of a stack. Choose one plane of it."
        )
    return data
