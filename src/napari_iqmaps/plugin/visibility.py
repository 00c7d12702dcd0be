"""The widget "Visibility thresholds": where a distortion hides, and where the difference to a reference is seen."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from ..core.maps import QualityMap
from ..core.visibility import threshold_map, visibility_map
from .frame import MapWidget
from .inputs import InputSlot

if TYPE_CHECKING:
    import napari


class VisibilityThresholds(MapWidget):
    """Map visibility thresholds of one image, or the visibility of its difference to a reference.

    Parameters
    ----------
    viewer : napari.viewer.Viewer
        Where the layers are.
    """

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
    main_options = ("model", "window")

    def __init__(self, viewer: napari.viewer.Viewer) -> None:
        super().__init__(viewer)
        self.options["window"].step = 2  # it has a centre, so it is odd

    def chosen_function(self) -> Callable[..., QualityMap]:
        """Give `visibility_map` if a reference is chosen, `threshold_map` otherwise."""
        return threshold_map if self.layers.images["reference"].value is None else visibility_map

    def describe(self) -> str:
        """Say which of the two maps Run will compute, and of which layers."""
        image, reference = (self.layers.images[name].value for name in ("image", "reference"))
        if image is None:
            return "Open an image: the map shows how strong a distortion may be before it is seen."
        if reference is None:
            return f"Run maps the threshold of {image.name!r}: how strong a distortion may be before it is seen."
        return f"Run maps where the difference between {image.name!r} and its reference {reference.name!r} is seen."
