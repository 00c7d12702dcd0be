"""Option widgets made from the signatures of core functions, so that an option added there appears here by itself."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any, Literal, get_args

from magicgui.widgets import FileEdit, LineEdit, create_widget

from ..core.errors import InputError
from ..core.observers import LEAST_PIXELS_PER_DEGREE, MOST_PIXELS_PER_DEGREE
from ..core.signatures import Parameter, parameters_of

FROM_LAYERS = frozenset({"data_range", "channel_axis", "progress"})
"""Parameters that the frame answers itself: from the layers, and from the task."""

_DECIMALS = 3
_RANGES: dict[str, dict[str, float]] = {
    "pixels_per_degree": {"min": LEAST_PIXELS_PER_DEGREE, "max": MOST_PIXELS_PER_DEGREE, "step": 1.0},
    "seed": {"min": 0, "max": 2**31 - 1, "step": 1},
}
"""Of the numbers whose limits the core states; a step of 1 asks for fewer decimals."""

Function = Callable[..., Any]
OptionWidget = Any  # magicgui's value widgets; FileEdit, which is one, does not count as one for type checkers


def make_options(functions: Iterable[Function]) -> dict[str, OptionWidget]:
    """Make one widget for each option that any of some functions takes.

    Parameters
    ----------
    functions : iterable of callable
        Core functions; options are their keyword-only parameters. Choices come from ``Literal`` annotations, or
        from the braces of the docstring (``{"auto", "cpu"}``); what the docstring says becomes the tooltip.

    Returns
    -------
    dict
        Name to widget, in the order of the signatures.
    """
    widgets: dict[str, OptionWidget] = {}
    for function in functions:
        for name, parameter in parameters_of(function).items():
            if name not in FROM_LAYERS and name not in widgets:
                widgets[name] = _widget(parameter)
                widgets[name].tooltip = parameter.description
    return widgets


def read_options(widgets: Mapping[str, OptionWidget], function: Function) -> dict[str, Any]:
    """Read the options that one function takes.

    Returns
    -------
    dict
        Keyword arguments; an empty field is None.
    """
    taken = inspect.signature(function).parameters
    return {name: _value(widget) for name, widget in widgets.items() if name in taken}


def takes(function: Function, name: str) -> bool:
    """Tell whether a function has a parameter.

    Returns
    -------
    bool
        Whether it is in the signature.
    """
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
    label = name.replace("_", " ").capitalize()
    kinds = set(get_args(annotation)) or {annotation}
    if parameter.choices:
        return create_widget(value=default, annotation=Literal[parameter.choices], name=name, label=label)
    if Path in kinds:
        edit = FileEdit(name=name, label=label, nullable=True, filter="*.safetensors", value=default)
        edit.line_edit.native.setPlaceholderText("default")
        return edit
    if kinds & {int, float} and default is None:
        return _AutomaticNumber(name, label, whole=float not in kinds)
    if kinds <= {int, float, bool, str}:
        # What is counted is counted from 1, unless the core's own choice is none.
        least = 0 if default == 0 else 1
        usual = {int: {"min": least, "max": 1_000_000}, float: {"max": 1_000_000}}.get(annotation, {})
        options = _RANGES.get(name, usual)
        widget = create_widget(value=default, annotation=annotation, name=name, label=label, options=options)
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
