"""The widget "Distort an image": a copy of a layer with a distortion of the bank, as another layer."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from magicgui.widgets import FloatSlider

from ..core.distortions import distort
from ..core.distortions.record import HIGHEST, LOWEST
from ..core.errors import InputError
from .distortion_choice import DistortionChooser, strength_in_words
from .frame import Key, MapWidget
from .inputs import InputSlot
from .layers import LayerPixels, pixels_of
from .options import OptionWidget, make_options
from .placing import place
from .results import Picture
from .tasks import Progress

if TYPE_CHECKING:
    import napari

_MIDDLE = 3
_STEP = 0.1


@dataclass(frozen=True, eq=False)
class DistortRequest:
    """All that a run needs, taken from the viewer before it starts: the thread touches no layer.

    Attributes
    ----------
    title : str
        What the layer of the copy is called, after the image's name.
    data_range : (float, float) or None
        The values of black and white; None where the dtype says them.
    """

    image: LayerPixels
    distortion: str
    title: str
    severity: float
    seed: int
    data_range: tuple[float, float] | None
    function: Callable[..., Any] = distort

    @property
    def info(self) -> Mapping[str, Any]:
        """How the copy is made, for its metadata."""
        return {
            "method": "distort",
            "distortion": self.distortion,
            "severity": self.severity,
            "seed": self.seed,
            "data_range": self.data_range,
            "source": self.image.name,
        }

    def run(self, _progress: Progress) -> Picture:
        """Distort; called in a thread.

        Returns
        -------
        Picture
            Of the image's shape and dtype; lazy for a lazy image.
        """
        pixels = distort(
            self.image.data, self.distortion, self.severity, seed=self.seed, data_range=self.data_range,
            channel_axis=self.image.channel_axis,
        )  # fmt: skip
        return Picture(self.title, pixels, self.info)


class DistortImage(MapWidget):
    """Make a distorted copy of an image layer, on the same pixels and shown alike.

    Notes
    -----
    Run makes one layer for each image, distortion, severity and seed; the same once more goes into the layer that is
    there. While the widget follows, changes go into the latest copy instead, as long as its name is the one it was
    given.
    """

    functions = (distort,)
    slots = (InputSlot("image", "Image", "The image to distort; it stays as it is."),)
    main_options = ("distortion", "severity", "seed")
    has_region = False

    def __init__(self, viewer: napari.viewer.Viewer) -> None:
        self._latest: tuple[Any, Any, str] | None = None
        super().__init__(viewer)
        self.follow.setToolTip("Distort again whenever the image or a setting changes, into the latest copy.")

    def make_options(self, functions: Iterable[Callable[..., Any]]) -> dict[str, OptionWidget]:
        """Add the distortion and its severity, which the function takes as arguments, not as options."""
        made = make_options(functions)
        severity = FloatSlider(
            name="severity", label="Severity", value=_MIDDLE, min=LOWEST, max=HIGHEST, step=_STEP,
            tooltip="1 is just visible, 5 is very bad; one severity is about as bad whatever the distortion.",
        )  # fmt: skip
        return {"distortion": DistortionChooser("What to do to the image."), "severity": severity, **made}

    def describe(self) -> str:
        """Say what Run will make."""
        image = self._first_layer()
        if image is None:
            return "Open an image: a distorted copy of it becomes another layer."
        row, severity = self.options["distortion"].row, self._severity
        strength = strength_in_words(row, severity)
        return f"Run adds a copy of {image.name!r} with {row.title} at severity {severity:g}: {strength}."

    def can_use(self, name: str) -> bool:
        """Tell whether an option matters: a seed for what is random."""
        return name != "seed" or bool(self.options["distortion"].row.is_random)

    def result_key(self, request: Any) -> Key:
        """Keep one layer for each image and setting."""
        settings = (request.distortion, f"{request.severity:g}", str(request.seed))
        return ("distort", str(self._first_layer().unique_id), *settings)

    @property
    def _severity(self) -> float:
        return round(float(self.options["severity"].value), 1)

    def _request(self) -> Any:
        image = self._first_layer()
        pixels = pixels_of(image, "image")
        if pixels.luminance == "absolute":
            raise InputError(f"{pixels.name!r} holds light in cd/m2; the distortions are made for display codes.")
        self.range.describe(image)  # its data may have got another type since it was chosen
        row, severity = self.options["distortion"].row, self._severity
        seed = int(self.options["seed"].value) if row.is_random else 0
        title = f"{row.title} {severity:g}" + (f", seed {seed}" if seed else "")
        return DistortRequest(pixels, row.name, title, severity, seed, self.range.value_given())

    def _on_result(self, source: Any, key: Key, result: Any) -> None:
        followed = self._followed(source)
        earlier = followed or next(iter(self._result_layers.get(key, ())), None)
        layer = place(self.viewer, result, source, earlier)
        if layer is followed:
            # What was the copy of other settings, is that of these.
            self._result_layers = {other: kept for other, kept in self._result_layers.items() if kept != [layer]}
            layer.name = f"{source.name}: {result.title}"
        self._result_layers[key] = [layer]
        self._latest = (source, layer, layer.name)
        self.say(f"Made {layer.name!r}.")

    def _followed(self, source: Any) -> Any:
        """Give the copy that changes go into while the widget follows, unless the user has renamed it."""
        if self._latest is None or not self.follow.isChecked():
            return None
        of, layer, name = self._latest
        return layer if of is source and layer.name == name else None

    def _on_choice(self, _value: Any = None) -> None:
        chooser = self.options["distortion"]
        before = chooser.value
        with chooser.changed.blocked():
            chooser.offer_for(self._first_layer())
        super()._on_choice(_value)
        if chooser.value != before:
            self._on_option()
