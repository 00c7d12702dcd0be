"""The upper part of every widget: which layers, which region, and what stands for black and white."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from magicgui.widgets import ComboBox, Container, LineEdit
from napari.layers import Image, Shapes

from ..core.display import SDR_WHITE, Luminance
from ..core.errors import InputError
from ..core.value_range import DataRange, RangeRule
from .canvas import canvas_of
from .follower import Connections
from .layers import LIGHT_KEY, is_map, pixels_of
from .options import number_from
from .parts import narrow
from .reader import recognise

_UNKNOWN = ("black?", "white?")
_CANDELAS = ("0", f"{SDR_WHITE:g}")
_KNOWN_TYPES = ("bool", "uint8", "uint16")
"""Types whose range the core takes by itself."""

_SHOWN, _TYPE, _TYPED = "as shown", "whole type", "typed"
_BITS = {f"{bits} bit": bits for bits in (10, 12, 14)}
"""Depths of cameras that write 16 bits, by the name of the rule."""

_FOUND: dict[RangeRule, tuple[str, str]] = {"data": ("lowest", "highest"), "percentiles": ("0.1 %", "99.9 %")}
"""Rules by which the core finds black and white in the values, and what stands in the fields meanwhile."""

_RULES = {
    _SHOWN: "as shown",
    _TYPE: "whole type",
    **dict(zip(_BITS, _BITS, strict=True)),
    "data": "lowest to highest",
    "percentiles": "0.1 to 99.9 %",
    _TYPED: "typed",
}
"""What the rules are called."""


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


class LayerChoosers:
    """One chooser a slot, and one for the region; they follow the viewer's layers.

    `images`: slot name to chooser, in the order of the slots. `region`: chooses a Shapes layer or none.
    """

    def __init__(self, viewer: Any, slots: Sequence[InputSlot], region: InputSlot = REGION) -> None:
        self._viewer = viewer
        for layer in viewer.layers:
            recognise(layer)
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

    def _on_layers(self, event: Any = None) -> None:
        if event is not None and event.type == "inserted" and recognise(event.value):
            canvas_of(self._viewer).attend(event.value)
        for chooser in self.widgets:
            value = chooser.value
            # A renamed layer is a new choice to the combo box, which would move on to another layer.
            with chooser.changed.blocked():
                chooser.reset_choices()
                if value in chooser.choices:
                    chooser.value = value
            chooser.changed.emit(chooser.value)


class RangeEdit(Container):  # type: ignore[type-arg]
    """Which values stand for black and white: those at which the layer is shown, unless the user says otherwise.

    What is visible depends on what is displayed, so the layer's contrast limits are the rule for every type of data;
    colours, which have none, are shown over the range of their type. The fields hold the values that a run will use,
    unless the core is to find them in the image, of which nothing is read here; typing into them is another rule. Of
    light, empty fields mean what its file states, or that values are cd/m2.
    """

    def __init__(self) -> None:
        tooltip = (
            "The values that stand for black and for white. As shown: the layer's contrast limits, and for colours the "
            "range of their type. Lowest to highest, and 0.1 to 99.9 %, without hot pixels: found in all planes "
            "of the image when it runs. Of light (luminance: absolute), white is what has 100 cd/m2; leave the fields "
            "empty if values are cd/m2."
        )
        self.rule = ComboBox(
            name="rule", choices=[(label, rule) for rule, label in _RULES.items()], value=_SHOWN, tooltip=tooltip
        )
        self.default_rule = _SHOWN
        self.black = LineEdit(name="black", tooltip=tooltip)
        self.white = LineEdit(name="white", tooltip=tooltip)
        self._layer: Any = None
        self._luminance: Luminance = "code"
        self._exact: dict[str, float] = {}
        # Before the container listens: who hears of a change of the whole reads fields that are right already.
        self.rule.changed.connect(self._fill)
        for edit in (self.black, self.white):
            narrow(edit.native)
            edit.changed.connect(self._on_typed)
        ends = Container(widgets=[self.black, self.white], layout="horizontal", labels=False)
        super().__init__(widgets=[self.rule, ends], layout="vertical", labels=False)
        self.label = "Black, white"
        self.margins = ends.margins = (0, 0, 0, 0)

    def describe(self, layer: Any) -> None:
        """Show what is black and white in a layer."""
        if layer is not self._layer and self.rule.value == _TYPED:
            with self.rule.changed.blocked():
                self.rule.value = self.default_rule  # a range stated for one image says nothing about another
        self._layer = layer
        self._fill()

    def set_default(self, rule: str) -> None:
        """Start from a rule, if there is one of that name, and go back to it."""
        if rule in self.rule.choices and rule != _TYPED:
            was_default = self.rule.value == self.default_rule
            self.default_rule = rule
            if was_default:
                self.reset()

    def reset(self) -> None:
        """Go back to the rule of the start."""
        self.rule.value = self.default_rule

    def set_luminance(self, luminance: Luminance) -> None:
        """Tell whether values are display codes or light, and show what that means for black and white."""
        self._luminance = luminance
        self.describe(self._layer)

    def value_given(self) -> DataRange:
        """Give black and white, or the rule by which the core finds them; None where the type or the unit says it."""
        if self._is_found:
            rule: RangeRule = self.rule.value
            return rule
        black, white = self._number(self.black, "Black"), self._number(self.white, "White")
        if black is None and white is None:
            self._refuse_unknown()
            return None
        if black is None or white is None:
            missing = "black" if black is None else "white"
            raise InputError(f"Only one end of the value range is given. Fill in the value of {missing} too.")
        return None if self._is_known_by_type(black, white) else (black, white)

    @property
    def ends(self) -> tuple[str, str]:
        """Black and white in all their digits, as far as they are known; the fields show fewer."""
        black, white = (
            f"{self._exact[edit.value]:.12g}" if edit.value in self._exact else str(edit.value)
            for edit in (self.black, self.white)
        )
        return black, white

    def sentence(self) -> str:
        """Say what is black and white, and that gamma is not looked at where there is one."""
        black, white = self.black.value, self.white.value
        if self._layer is None or not (black or white or self._is_found):
            return ""
        text = f"Black {black}, white {white}: {self._why()}."
        if self._is_found:
            ends = "lowest and the highest value" if self.rule.value == "data" else "0.1th and the 99.9th percentile"
            text = f"Black and white: the {ends} of the image."
        gamma = getattr(self._layer, "gamma", 1.0)
        return text if gamma == 1 else f"{text} The layer's gamma of {gamma:g} is not applied."

    @property
    def _is_found(self) -> bool:
        """Whether black and white are to be found in the values; of light, the unit says them."""
        return self.rule.value in _FOUND and self._luminance == "code"

    def _why(self) -> str:
        if self._luminance == "absolute":
            return "white has 100 cd/m2"
        if self.rule.value == _SHOWN:
            return f"the range of {self._layer.dtype}" if self._layer.rgb else "as shown"
        rule = str(self.rule.value)
        return {_TYPE: f"the range of {self._layer.dtype}", _TYPED: "as typed"}.get(rule, rule)

    def _is_known_by_type(self, black: float, white: float) -> bool:
        """Tell whether the core uses these values by itself, for each image by its type."""
        if self._luminance != "code" or not isinstance(self._layer, Image):
            return False
        return str(self._layer.dtype) in _KNOWN_TYPES and (black, white) == _range_of_type(self._layer)

    def _refuse_unknown(self) -> None:
        """Say it in the words of the widget; to the core, the range is an argument."""
        if self._luminance == "code" and isinstance(self._layer, Image):
            raise InputError(
                f"{self._layer.name!r} is {self._layer.dtype}, and the values of black and white cannot be known from "
                "that. Choose 'as shown' or 'lowest to highest' above, or type them in, such as 0 and 1 for a float "
                "image scaled to one."
            )

    def _number(self, edit: LineEdit, what: str) -> float | None:
        return self._exact[edit.value] if edit.value in self._exact else number_from(edit.value, what)

    def _fill(self, _rule: Any = None) -> None:
        """Put the values of the rule into the fields."""
        if self.rule.value == _TYPED:
            return
        values = None if self._is_found else self._values()
        self._exact = {}
        hints = _CANDELAS if self._luminance == "absolute" else _FOUND.get(self.rule.value, _UNKNOWN)
        for edit, number, hint in zip((self.black, self.white), values or (None, None), hints, strict=True):
            edit.native.setPlaceholderText(hint)
            with edit.changed.blocked():
                edit.value = "" if number is None else _shown(number, values)
            if number is not None:
                self._exact[edit.value] = number  # a layer's limits may have more digits than a field has place for
            edit.native.setCursorPosition(0)  # of what does not fit, the first digits are to be seen

    def _values(self) -> tuple[float, float] | None:
        rule = self.rule.value
        if not isinstance(self._layer, Image):
            return None
        if self._luminance == "absolute":
            return _range_stated(self._layer)
        if LIGHT_KEY in self._layer.metadata and pixels_of(self._layer).luminance == "absolute":
            return None  # limits of a tone-mapped layer are none of its light
        if rule in _BITS:
            return 0.0, float(2 ** _BITS[rule] - 1)
        if rule == _TYPE or self._layer.rgb:
            return _range_of_type(self._layer)
        low, high = self._layer.contrast_limits
        return float(low), float(high)

    def _on_typed(self, _text: str) -> None:
        with self.rule.changed.blocked():
            self.rule.value = _TYPED


def _shown(number: float, ends: Sequence[float] | None) -> str:
    """Write a number in six digits, or in as many as tell it from the other end."""
    texts = [[f"{end:.{digits}g}" for end in ends or ()] for digits in (6, 9, 12, 17)]
    digits = next((digits for digits, (low, high) in zip((6, 9, 12, 17), texts, strict=True) if low != high), 17)
    return f"{number:.{digits}g}"


def _range_of_type(layer: Any) -> tuple[float, float] | None:
    """Give the values of black and white that the type of a layer says; of floating point only colours have them."""
    dtype = np.dtype(layer.dtype)
    if dtype.kind == "b" or (dtype.kind == "f" and layer.rgb):
        return 0.0, 1.0  # as napari shows them
    if dtype.kind != "u":
        return None
    return 0.0, float(np.iinfo(dtype).max)


def _range_stated(layer: Any) -> tuple[float, float] | None:
    try:
        return pixels_of(layer).data_range
    except InputError:
        return None
