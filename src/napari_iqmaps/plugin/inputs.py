"""The upper part of every widget: which layers, which region, and what stands for black and white."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from magicgui.widgets import ComboBox, Container, LineEdit, PushButton
from napari.layers import Image, Shapes

from ..core.display import SDR_WHITE, Luminance
from ..core.errors import InputError
from .follower import Connections
from .layers import is_map, pixels_of
from .options import number_from
from .parts import as_wide_as_its_place

_FIELD_WIDTH = 50
_UNKNOWN = ("black?", "white?")


@dataclass(frozen=True)
class InputSlot:
    """One image that a core function takes.

    Attributes
    ----------
    name : str
        Short name; the function's arguments come in the order of the slots.
    optional : bool
        Whether "none" can be chosen.
    accepts : callable, optional
        Tells of a layer whether it can be chosen. None means images that are no maps.
    role : str
        What a message calls it; empty for its label.
    """

    name: str
    label: str
    tooltip: str
    optional: bool = False
    accepts: Callable[[Any], bool] | None = None
    role: str = ""


REGION = InputSlot(
    "region", "Region", "A Shapes layer: compute inside its rectangles, ellipses and polygons only.", optional=True
)
"""The usual meaning of a Shapes layer."""


def is_picture(layer: Any) -> bool:
    """Tell whether a layer is an image, and not a map made by this package."""
    return isinstance(layer, Image) and not is_map(layer)


class LayerChooser(ComboBox):
    """A chooser of layers whose empty choice is called so."""

    null_string = "none"

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        as_wide_as_its_place(self.native)


class LayerChoosers:
    """One chooser a slot, and one for the region; they follow the viewer's layers.

    `images`: slot name to chooser, in the order of the slots. `region`: chooses a Shapes layer or none.
    """

    def __init__(self, viewer: Any, slots: Sequence[InputSlot], region: InputSlot = REGION) -> None:
        self._viewer = viewer
        self.images = {
            slot.name: LayerChooser(
                name=slot.name,
                label=slot.label,
                tooltip=slot.tooltip,
                nullable=slot.optional,
                choices=self._choices(slot.accepts or is_picture),
            )
            for slot in slots
        }
        self.region = LayerChooser(
            name=region.name,
            label=region.label,
            tooltip=region.tooltip,
            nullable=True,
            choices=self._choices(lambda layer: isinstance(layer, Shapes)),
        )
        self.connections = Connections()
        for name in ("inserted", "removed", "reordered", "renamed"):
            self.connections.connect(getattr(viewer.layers.events, name), self._on_layers)
        selected = viewer.layers.selection.active
        # The active layer comes wrapped when the viewer does; the choice is the layer itself.
        for layer in self.first.choices:
            if layer == selected:
                self.first.value = layer

    @property
    def first(self) -> LayerChooser:
        """The chooser of the image that a map lines up with."""
        return next(iter(self.images.values()))

    @property
    def widgets(self) -> list[LayerChooser]:
        """All choosers, from top to bottom."""
        return [*self.images.values(), self.region]

    def chosen(self) -> list[Any]:
        """Give the layers that are chosen: images in the order of the slots, then the region."""
        return [chooser.value for chooser in self.widgets if chooser.value is not None]

    def _choices(self, accepts: Callable[[Any], bool]) -> Callable[[Any], list[Any]]:
        return lambda _chooser: [layer for layer in self._viewer.layers if accepts(layer)]

    def _on_layers(self, _event: Any = None) -> None:
        for chooser in self.widgets:
            value = chooser.value
            # A renamed layer is a new choice to the combo box, which would move on to another layer.
            with chooser.changed.blocked():
                chooser.reset_choices()
                if value in chooser.choices:
                    chooser.value = value
            chooser.changed.emit(chooser.value)


class RangeEdit(Container):  # type: ignore[type-arg]
    """Two fields in which the user states which values stand for black and white.

    Empty fields mean: what the dtype says (bool, uint8, uint16), or else the core's refusal. Nothing is ever filled
    in by itself, because a range that was guessed from the data gives thresholds that mean nothing; the button fills
    in the layer's contrast limits, visibly, and pressing it is the user's statement. Of light, empty fields mean that
    values are cd/m2, or what the file states.
    """

    def __init__(self) -> None:
        tooltip = (
            "The values that stand for black and for white. Leave empty for bool, uint8 and uint16 to use the whole "
            "range of the type; a 12-bit camera in uint16 wants 0 and 4095; float images always need both. Of light "
            "(luminance: absolute), white is what has 100 cd/m2; leave empty if values are cd/m2."
        )
        self.black = LineEdit(name="black", tooltip=tooltip)
        self.white = LineEdit(name="white", tooltip=tooltip)
        self.take = PushButton(
            text="from contrast limits",
            tooltip="Fill in the layer's contrast limits. By pressing you state that they are black and white.",
        )
        super().__init__(widgets=[self.black, self.white, self.take], layout="horizontal", labels=False)
        self.label = "Black, white"
        self.margins = (0, 0, 0, 0)
        self._layer: Any = None
        self._luminance: Luminance = "code"
        self.take.changed.connect(self._fill)

    def describe(self, layer: Any) -> None:
        """Show what empty fields would mean for a layer."""
        if layer is not self._layer:
            # A range stated for one image says nothing about another.
            self.black.value = self.white.value = ""
        self._layer = layer
        known = _range_known(layer, self._luminance)
        for edit, text in zip((self.black, self.white), known or _UNKNOWN, strict=True):
            edit.native.setPlaceholderText(text)
            edit.native.setMinimumWidth(_FIELD_WIDTH)

    def set_luminance(self, luminance: Luminance) -> None:
        """Tell whether values are display codes or light, and show what empty fields mean then."""
        self._luminance = luminance
        self.take.enabled = luminance == "code"  # limits of a tone-mapped layer are none of its light
        self.describe(self._layer)

    def value_given(self) -> tuple[float, float] | None:
        """Read the range that the user stated.

        If both fields are empty, give what the file of an image in light states; None if it states nothing, or if the
        type of the image says it.
        """
        black = number_from(self.black.value, "Black")
        white = number_from(self.white.value, "White")
        if black is None and white is None:
            self._refuse_unknown()
            return _range_stated(self._layer) if self._luminance == "absolute" else None
        if black is None or white is None:
            missing = "black" if black is None else "white"
            raise InputError(f"Only one end of the value range is given. Fill in the value of {missing} too.")
        return black, white

    def _refuse_unknown(self) -> None:
        """Say it in the words of the widget; to the core, the range is an argument."""
        if self._layer is not None and self.black.native.placeholderText() == _UNKNOWN[0]:
            raise InputError(
                f"{self._layer.name!r} is {self._layer.dtype}, and the values of black and white cannot be known from "
                "that. Fill them in above, such as 0 and 1 for a float image scaled to one."
            )

    def _fill(self) -> None:
        if self._layer is not None:
            low, high = self._layer.contrast_limits
            self.black.value, self.white.value = f"{low:.6g}", f"{high:.6g}"


def _range_known(layer: Any, luminance: Luminance) -> tuple[str, str] | None:
    from ..core.images import as_planes

    try:
        pixels = pixels_of(layer)
        if luminance == "absolute":
            low, high = pixels.data_range or (0, SDR_WHITE)
        else:
            low, high = as_planes(pixels.data, channel_axis=pixels.channel_axis).data_range
    except InputError:
        return None
    return f"{low:g}", f"{high:g}"


def _range_stated(layer: Any) -> tuple[float, float] | None:
    try:
        return pixels_of(layer).data_range
    except InputError:
        return None
