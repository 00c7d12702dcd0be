"""The widget "Visibility thresholds": where a distortion hides, and where the difference to a reference is seen."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from ..core.errors import InputError
from ..core.maps import QualityMap
from ..core.visibility import surroundings, threshold_map, visibility_map
from .frame import MapWidget
from .inputs import InputSlot
from .layers import pixels_of
from .results import Request

if TYPE_CHECKING:
    import napari

_LIGHT = " It is shown tone-mapped; the map is made from its light, in cd/m2 unless black and white say otherwise."


class VisibilityThresholds(MapWidget):
    """Map visibility thresholds of one image, or the visibility of its difference to a reference."""

    functions = (threshold_map, visibility_map)
    slots = (
        InputSlot("image", "Image", "The image to map."),
        InputSlot(
            "reference",
            "Reference",
            "The undistorted image on the same pixels. With it, the map shows where the difference is seen.",
            optional=True,
        ),
    )
    main_options = ("model", "observer")

    def __init__(self, viewer: napari.viewer.Viewer) -> None:
        self._shows_light = False
        super().__init__(viewer)
        self.options["luminance"].changed.connect(self.range.set_luminance)
        self.options["luminance"].changed.connect(self._tell)  # now that black and white are those of the luminance
        self.range.set_luminance(self.options["luminance"].value)

    def chosen_function(self) -> Callable[..., QualityMap]:
        """Give `visibility_map` if a reference is chosen, `threshold_map` otherwise."""
        return threshold_map if self.layer("reference") is None else visibility_map

    def request(self) -> Request:
        """Ask for one of the two maps, only in the region if there is one."""
        request = super().request()
        image, *reference = request.images.values()
        region = self.region(self.source, image)
        if reference:
            request = replace(request, images={"test": image, "reference": reference[0]})
        return request if region is None else replace(request, region=region, margin=surroundings(**request.options))

    def _on_choice(self, _value: Any = None) -> None:
        """Take tone-mapped layers for the light that they show; what the user sets after that, stays."""
        shows_light = _is_light(self.source)
        if shows_light != self._shows_light:
            self._shows_light = shows_light
            self.defaults["luminance"] = "absolute" if shows_light else "code"
            self.options["luminance"].value = self.defaults["luminance"]
        super()._on_choice(_value)

    def choose_reference(self) -> None:
        """Take another image of the same size as the reference, unless one is chosen."""
        chooser, image = self.layers.images["reference"], self.source
        others = [other for other in chooser.choices if other is not None and other is not image]
        alike = [other for other in others if image is not None and other.data.shape == image.data.shape]
        if chooser.value is None and alike:
            chooser.value = alike[0]

    def describe(self) -> str:
        """Say which of the two maps Run will compute, and of which layers."""
        image, reference = self.layer("image"), self.layer("reference")
        if image is None:
            return "Open an image: the map shows how strong a distortion may be before it is seen."
        if reference is None:
            text = f"Run maps the threshold of {image.name!r}: how strong a distortion may be before it is seen."
        else:
            text = f"Run maps where the difference between {image.name!r} and its reference {reference.name!r} is seen."
        return text + _LIGHT * _is_light(image)


def _is_light(layer: Any) -> bool:
    try:
        return pixels_of(layer).luminance == "absolute"
    except InputError:
        return False
