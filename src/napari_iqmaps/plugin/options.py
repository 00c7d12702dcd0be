"""Option widgets: most are made from the signatures of core functions, some need a form of their own."""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable, Collection, Iterable, Mapping
from pathlib import Path
from typing import Any, Literal, get_args

from magicgui.widgets import (
    CheckBox,
    ComboBox,
    Container,
    FileEdit,
    FloatSlider,
    FloatSpinBox,
    LineEdit,
    create_widget,
)
from qtpy.QtCore import Qt, Signal  # type: ignore[attr-defined]
from qtpy.QtWidgets import QCheckBox, QGridLayout, QLabel, QVBoxLayout, QWidget

from ..core.blind import MAPS
from ..core.distortions import Distortion, distortion, distortions
from ..core.errors import InputError
from ..core.hiding import STRONGEST
from ..core.kinds import KINDS
from ..core.observers import LEAST_PIXELS_PER_DEGREE, MOST_PIXELS_PER_DEGREE
from ..core.signatures import Parameter, parameters_of
from .parts import narrow

FROM_LAYERS = frozenset({"data_range", "channel_axis", "progress"})
"""Parameters that the frame answers itself: from the layers, and from the task."""

_LABELS = {
    "luminance": "Kind of values",
    "peak_luminance": "Display's white",
    "black_level": "Display's black",
    "encoding": "Encoding of light",
    "stride": "Step of the map",
    "tile": "Size of tiles",
    "window": "Pooling window",
    "rounding": "Whole numbers by",
    "max_shift": "Largest shift",
    "min_overlap": "Least overlap",
    "min_inliers": "Least points agreed",
    "seed": "Random seed",
    "border": "Margin left out",
    "smooth": "Smoothing",
    "min_block": "Least change, block",
    "min_total": "Least change, all",
    "min_valid": "Least share judged",
}
"""Of options whose name in Python is no plain word; the others are called by their names."""

EXPERT = (
    *("peak_luminance", "black_level", "encoding", "stride", "tile", "window", "rounding", "min_overlap"),
    *("min_inliers", "seed", "median", "min_block", "min_total", "min_valid"),
)
"""Options that are rarely needed: they have a fold of their own, except where a widget always shows them."""

_DECIMALS = 3
_RANGES: dict[str, dict[str, float]] = {
    "pixels_per_degree": {"min": LEAST_PIXELS_PER_DEGREE, "max": MOST_PIXELS_PER_DEGREE, "step": 1.0},
    "seed": {"min": 0, "max": 2**31 - 1, "step": 1},
}
"""Of the numbers whose limits the core states; a step of 1 asks for fewer decimals."""

_USUAL_DISTORTION = "jpeg"
_WEAKEST, _STRENGTH_STEP = 0.1, 0.01
_SMALL_BUTTON = 28  # pixels of its width
_MOST_TOLERANCE, _TOLERANCE_STEP = 100.0, 0.1  # grey levels
_TOLERANCE_TOOLTIP = (
    "By how many grey levels (of 255) a pixel's difference to the fixed image must fall or rise to count as better or "
    "worse. Marks, blocks, histogram and verdict follow; the map stays."
)

Function = Callable[..., Any]
OptionWidget = Any  # magicgui's value widgets; FileEdit, which is one, does not count as one for type checkers


def make_options(functions: Iterable[Function]) -> dict[str, OptionWidget]:
    """Make one widget for each option that any of some functions takes.

    `functions`: core functions; options are their keyword-only parameters. Choices come from ``Literal`` annotations,
    or from the braces of the docstring (``{"auto", "cpu"}``); what the docstring says becomes the tooltip. Returns name
    to widget, in the order of the signatures.
    """
    widgets: dict[str, OptionWidget] = {}
    for function in functions:
        for name, parameter in parameters_of(function).items():
            if name not in FROM_LAYERS and name not in widgets:
                widgets[name] = _widget(parameter)
                widgets[name].tooltip = f"{parameter.description}\nIn Python: {name}"
    return widgets


def read_options(widgets: Mapping[str, OptionWidget], function: Function) -> dict[str, Any]:
    """Read the options that one function takes.

    Returns keyword arguments; an empty field is None.
    """
    taken = inspect.signature(function).parameters
    return {name: _value(widget) for name, widget in widgets.items() if name in taken}


def takes(function: Function, name: str) -> bool:
    """Tell whether a function has a parameter."""
    return name in inspect.signature(function).parameters


def number_from(text: str, what: str) -> float | None:
    """Read a number that the user typed."""
    if not text.strip():
        return None
    try:
        return float(text.replace(",", "."))
    except ValueError:
        raise InputError(f"{what} is {text!r}, which is not a number. Type one such as 0 or 1.5.") from None


def _widget(parameter: Parameter) -> OptionWidget:
    name, annotation, default = parameter.name, parameter.annotation, parameter.default
    label = _LABELS.get(name) or name.replace("_", " ").capitalize()
    kinds = set(get_args(annotation)) or {annotation}
    if parameter.choices:
        return create_widget(value=default, annotation=Literal[parameter.choices], name=name, label=label)
    if Path in kinds:
        edit = FileEdit(name=name, label=label, nullable=True, filter="*.safetensors", value=default)
        edit.line_edit.native.setPlaceholderText("default")
        narrow(edit.line_edit.native)
        edit.choose_btn.text = "…"
        edit.choose_btn.native.setMaximumWidth(_SMALL_BUTTON)
        return edit
    if kinds & {int, float} and default is None:
        return _AutomaticNumber(name, label, whole=float not in kinds)
    if kinds <= {int, float, bool, str}:
        # What is counted is counted from 1, unless the core's own choice is none.
        least = 0 if default == 0 else 1
        usual = {int: {"min": least, "max": 1_000_000}, float: {"max": 1_000_000}}.get(annotation, {})
        options = _RANGES.get(name, usual)
        widget = create_widget(value=default, annotation=annotation, name=name, label=label, options=options)
        narrow(widget.native)
        if annotation is float:
            widget.native.setDecimals(1 if name in _RANGES else _DECIMALS)
        return widget
    text = "" if default is None else str(default)
    return LineEdit(value=text, name=name, label=label, nullable=True)


class _AutomaticNumber(LineEdit):
    """A number, or nothing for the core's own choice."""

    def __init__(self, name: str, label: str, *, whole: bool) -> None:
        super().__init__(name=name, label=label, value="")
        self.whole = whole
        self.native.setPlaceholderText("automatic")


def _value(widget: OptionWidget) -> Any:
    value = widget.value
    if isinstance(widget, _AutomaticNumber):
        number = number_from(str(value), widget.label)
        # 64.5 goes to the core as it is: what is not a whole number is the core's to refuse.
        return int(number) if widget.whole and number is not None and number.is_integer() else number
    if isinstance(widget, FileEdit):
        return None if value is None or str(value) in ("", ".") else str(value)
    return None if value == "" else value


class DistortionChooser(ComboBox):
    """A chooser among the distortions of the bank, by the names that people read.

    For a grey image the rows that change only colours stay in the list but cannot be chosen.
    """

    def __init__(self, tooltip: str) -> None:
        # Named after family and title, a list in the bank's order reads by families.
        choices = [(f"{row.family}: {row.title}", row.name) for row in map(distortion, distortions())]
        super().__init__(
            name="distortion", label="Distortion", tooltip=tooltip, choices=choices, value=_USUAL_DISTORTION
        )

    @property
    def row(self) -> Distortion:
        """The row of the bank that is chosen."""
        return distortion(str(self.value))

    def offer_for(self, layer: Any) -> None:
        """Offer what an image can have, everything for None; a choice that it cannot have gives way to JPEG."""
        in_colour = layer is None or bool(layer.rgb)
        for number, name in enumerate(self.choices):
            self.native.model().item(number).setEnabled(in_colour or not distortion(str(name)).needs_colour)
        if self.row.needs_colour and not in_colour:
            self.value = _USUAL_DISTORTION


def strength_in_words(row: Distortion, severity: float) -> str:
    """Say what a severity means for a distortion, such as ``"quality 10 of 100"``."""
    unit = "" if row.unit in ("1", row.parameter, "photons") else f" {row.unit}"
    return f"{row.parameter} {row.strength(severity):.3g}{unit}"


class StrengthSlider(Container):  # type: ignore[type-arg]
    """A strength, as a number to type and as a slider whose steps are shares."""

    def __init__(self, value: float, tooltip: str) -> None:
        self.slider = FloatSlider(
            name="slider",
            value=math.log10(value),
            min=math.log10(_WEAKEST),
            max=math.log10(STRONGEST),
            step=0.01,
            readout=False,
            tooltip=tooltip,
        )
        self.number = FloatSpinBox(
            name="number", value=value, min=_STRENGTH_STEP, max=STRONGEST, step=_STRENGTH_STEP, tooltip=tooltip
        )
        super().__init__(widgets=[self.slider, self.number], layout="vertical", labels=False)
        self.name, self.label, self.tooltip = "strength", "Strength", tooltip
        self.margins = (0, 0, 0, 0)
        self.slider.changed.connect(self._on_slider)
        self.number.changed.connect(self._on_number)

    @property
    def value(self) -> float:
        """The strength."""
        return float(self.number.value)

    @value.setter
    def value(self, value: float) -> None:
        self.number.value = value

    def _on_slider(self, exponent: float) -> None:
        self.number.value = round(10**exponent, 2)

    def _on_number(self, value: float) -> None:
        # Not the other way round again: the slider knows fewer values than the number.
        with self.slider.changed.blocked():
            self.slider.value = min(max(math.log10(value), self.slider.min), self.slider.max)


class MapBoxes(QWidget):
    """A box for each kind of map: which maps to show.

    It has name, label, tooltip, enabled and native as a widget of magicgui has them, which the frame expects.
    """

    changed = Signal(object)

    def __init__(self, tooltip: str) -> None:
        super().__init__()
        self.name, self.label, self.tooltip, self.enabled = "maps", "Maps", tooltip, True
        self.boxes = {kind: _box(kind) for kind in MAPS}
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        for box in self.boxes.values():
            column.addWidget(box)
            box.toggled.connect(self._on_toggled)

    @property
    def native(self) -> QWidget:
        """The widget of Qt: itself."""
        return self

    @property
    def value(self) -> tuple[str, ...]:
        """The kinds that are ticked and can be had, in order."""
        return tuple(kind for kind, box in self.boxes.items() if box.isChecked() and box.isEnabled())

    @value.setter
    def value(self, kinds: Collection[str]) -> None:
        for kind, box in self.boxes.items():
            box.setChecked(kind in kinds)

    def offer(self, kinds: Collection[str]) -> None:
        """Let these be ticked, and no others."""
        for kind, box in self.boxes.items():
            box.setEnabled(kind in kinds)

    def _on_toggled(self, _checked: bool) -> None:
        self.changed.emit(self.value)


def _box(kind: str) -> QCheckBox:
    meaning: Any = KINDS[kind]
    box = QCheckBox(kind.replace("_", " ").capitalize())
    box.setChecked(True)
    box.setStyleSheet("spacing: 3px;")
    box.setToolTip(f"{meaning.title}, {meaning.unit}: from “{meaning.low_means}” to “{meaning.high_means}”.")
    return box


class ToleranceBar(QWidget):
    """The tolerance of a judgement: found by the core, or set by a slider that counts again at once."""

    moved = Signal(float)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.slider = FloatSlider(
            name="tol", value=10, min=0, max=_MOST_TOLERANCE, step=_TOLERANCE_STEP, tooltip=_TOLERANCE_TOOLTIP
        )
        self.box = CheckBox(
            text="auto", value=True, tooltip="Take the tolerance from contrast and noise of the two images."
        )
        label = QLabel("Tolerance")
        self.setToolTip(_TOLERANCE_TOOLTIP)
        grid = QGridLayout(self)
        grid.setContentsMargins(0, 0, 0, 0)
        grid.addWidget(label, 0, 0)
        grid.addWidget(self.box.native, 0, 1, Qt.AlignmentFlag.AlignRight)
        grid.addWidget(self.slider.native, 1, 0, 1, 2)
        self._found: float | None = None
        self.slider.changed.connect(self._on_slider)
        self.box.changed.connect(self._on_box)

    @property
    def is_automatic(self) -> bool:
        """Whether the core is to find the tolerance."""
        return bool(self.box.value)

    @property
    def value(self) -> float:
        """What the slider shows, in grey levels."""
        return float(self.slider.value)

    def show_found(self, tol: float, reach: float) -> None:
        """Show the tolerance of a result, without telling; the slider ends where there is nothing more to see."""
        self._found = tol
        with self.slider.changed.blocked():
            self.slider.max = max(math.ceil(reach), math.ceil(tol), 1)
            self.slider.value = tol

    def _on_slider(self, value: float) -> None:
        with self.box.changed.blocked():
            self.box.value = False
        self.moved.emit(float(value))

    def _on_box(self, automatic: bool) -> None:
        if automatic and self._found is not None:
            with self.slider.changed.blocked():
                self.slider.value = self._found
            self.moved.emit(self._found)
