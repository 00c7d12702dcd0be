"""The widget "Distort an image": a copy of a layer with a distortion of the bank, as another layer."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

from magicgui.widgets import FloatSlider

from ..core.call import Call
from ..core.distortions import distort, distortion
from ..core.distortions.record import HIGHEST, LOWEST
from .canvas import canvas_of, place
from .frame import Key, MapWidget
from .inputs import InputSlot
from .options import DistortionChooser, OptionWidget, make_options, strength_in_words
from .recall import CopyButtons
from .results import Picture, Request

if TYPE_CHECKING:
    import napari


_MIDDLE = 3
_STEP = 0.1
_SLIDER_WIDTH = 180  # pixels with the number; in a narrow panel the label stands above


def _copied(request: Request, pixels: Any) -> Picture:
    """Name the copy, and say in its metadata how it was made; pixels of a lazy image are lazy."""
    options = request.options
    seed = f", seed {options['seed']}" if options["seed"] else ""
    title = f"{distortion(options['name']).title} {options['severity']:g}{seed}"
    info = {
        "method": "distort",
        "distortion": options["name"],
        "severity": options["severity"],
        "seed": options["seed"],
        "data_range": options["data_range"],
        "source": request.images["image"].name,
    }
    return Picture(title, pixels, info)


class DistortImage(MapWidget):
    """Make a distorted copy of an image layer, on the same pixels and shown alike.

    Run makes one layer for each image, distortion, severity and seed; the same once more goes into the layer that is
    there. While the widget follows, changes go into the latest copy instead, as long as its name is the one it was
    given.
    """

    functions = (distort,)
    slots = (InputSlot("image", "Image", "The image to distort; it stays as it is."),)
    main_options = ("distortion", "severity", "seed")
    region_slot = None
    refuses_light = "the distortions are made for display codes"

    def __init__(self, viewer: napari.viewer.Viewer) -> None:
        self._latest: tuple[Any, Any] | None = None
        super().__init__(viewer)
        self._call: Call | None = None
        self.copy = CopyButtons(lambda: self._call)
        self.copy.hide()
        self.insert_above_summary(self.copy)
        self.follow.setToolTip("Distort again whenever the image or a setting changes, into the latest copy.")

    def make_options(self, functions: Iterable[Callable[..., Any]]) -> dict[str, OptionWidget]:
        """Add the distortion and its severity, which the function takes as arguments, not as options."""
        made = make_options(functions)
        severity = FloatSlider(
            name="severity",
            label="Severity",
            value=_MIDDLE,
            min=LOWEST,
            max=HIGHEST,
            step=_STEP,
            tooltip="1 is just visible, 5 is very bad; one severity is about as bad whatever the distortion.",
        )
        severity.native.setMinimumWidth(_SLIDER_WIDTH)
        return {"distortion": DistortionChooser("What to do to the image."), "severity": severity, **made}

    def describe(self) -> str:
        """Say what Run will make."""
        image = self.source
        if image is None:
            return "Open an image: a distorted copy of it becomes another layer."
        row, severity = self.options["distortion"].row, self._severity
        strength = strength_in_words(row, severity)
        return f"Run adds a copy of {image.name!r} with {row.title} at severity {severity:g}: {strength}."

    def can_use(self, name: str) -> bool:
        """Tell whether an option matters: a seed for what is random."""
        return name != "seed" or bool(self.options["distortion"].row.is_random)

    def request(self) -> Request:
        """Ask for the distortion at a severity, with a seed if it is random."""
        row = self.options["distortion"].row
        pixels, options = self.pixels(), self.values()
        chosen = {"name": row.name, "severity": self._severity, "seed": int(options["seed"]) if row.is_random else 0}
        return Request(distort, pixels, options | chosen, _copied)

    def result_key(self, request: Request) -> Key:
        """Keep one layer for each image and setting."""
        settings = (str(request.options["name"]), f"{request.options['severity']:g}", str(request.options["seed"]))
        return ("distort", str(self.source.unique_id), *settings)

    def place(self, source: Any, key: Key, result: Any) -> list[Any]:
        """Put the copy into the layer of the same settings, or of the latest while the widget follows."""
        followed = self._followed(source)
        earlier = followed or next(iter(self._result_layers.get(key, ())), None)
        layer = place(self.viewer, result, source, earlier)
        self._call = result.call
        if layer is followed:
            # What was the copy of other settings, is that of these.
            self._result_layers = {other: kept for other, kept in self._result_layers.items() if kept != [layer]}
            canvas_of(self.viewer).rename(layer, result.template)
        return [layer]

    def on_placed(self, source: Any, layers: list[Any]) -> None:
        """Remember the latest copy, and say what it is called."""
        (layer,) = layers
        self._latest = (source, layer)
        self.copy.show()
        self.say(f"Made {layer.name!r}.")

    @property
    def _severity(self) -> float:
        return round(float(self.options["severity"].value), 1)

    def _followed(self, source: Any) -> Any:
        """Give the copy that changes go into while the widget follows, unless the user has renamed it."""
        if self._latest is None or not self.follow.isChecked():
            return None
        of, layer = self._latest
        return layer if of is source and not canvas_of(self.viewer).is_named_by_user(layer) else None

    def _on_choice(self, _value: Any = None) -> None:
        chooser = self.options["distortion"]
        before = chooser.value
        with chooser.changed.blocked():
            chooser.offer_for(self.source)
        super()._on_choice(_value)
        if chooser.value != before:
            self._on_option()
