"""A call of a public function as it was made: as a record, and as the text in Python that makes the same result again.

`napari_iqmaps.cli.line` says the same as a command.
"""

from __future__ import annotations

import inspect
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, fields, is_dataclass, replace
from typing import Any

import numpy as np

from .score_columns import plain

_WIDTH = 100
_WORDLESS = ("distort",)
"""Functions whose result is an array."""


@dataclass(frozen=True)
class Given:
    """An image that a call takes.

    `name`: what its layer is called. `path`: the file that it was read from; empty if there is none. `what`: type and
    size, such as ``"uint16, 512 x 512"``. `of_layer`: what follows the layer to give the pixels; empty if no expression
    does. `shape`: of the pixels, channels included, which the file has to have; empty if that is not known.
    """

    name: str
    path: str = ""
    what: str = ""
    of_layer: str = ".data"
    shape: tuple[int, ...] = ()


@dataclass(frozen=True)
class Call:
    """A call of a public function.

    `function`: its name in the package. `images`: by the names that the function has for them. `options`: its other
    arguments; arrays are not written down. `before`: the registration whose result it takes, if it takes one.
    `remarks`: what the text cannot say, such as that only a region was asked for; sentences. `time`: when it was made,
    ISO 8601.
    """

    function: str
    images: Mapping[str, Given]
    options: Mapping[str, Any] = field(default_factory=dict)
    before: Call | None = None
    remarks: tuple[str, ...] = ()
    time: str = ""

    def with_options(self, **options: Any) -> Call:
        """Give the same call with other options."""
        return replace(self, options={**self.options, **options})

    def with_range(self, data_range: tuple[float, ...]) -> Call:
        """Give the same call with these values of black and white, also in the registration before it."""
        before = None if self.before is None else self.before.with_range(data_range)
        return replace(self.with_options(data_range=data_range), before=before)

    def chosen(self) -> dict[str, Any]:
        """Give the options that differ from the function's defaults, records of options with their own such fields."""
        return {name: value for name, value in self.options.items() if not _is_default(self.function, name, value)}

    def record(self) -> dict[str, Any]:
        """Give what JSON holds of it."""
        images = {
            name: {"name": given.name, "path": given.path, "what": given.what} for name, given in self.images.items()
        }
        options = {name: _plain(value) for name, value in self.chosen().items()}
        first = {} if self.before is None else {"before": self.before.record()}
        return {"function": self.function, "images": images, "options": options, "remarks": list(self.remarks), **first}

    def python(self) -> str:
        """Write it as Python."""
        lines = ["import napari_iqmaps as iq", ""]
        lines += [f"# {' '.join(remark.split())}" for remark in self.remarks]
        if any(not given.path and given.of_layer for _, given in self.images.items()):
            lines.append("# In napari's console; elsewhere, load the pixels of the layer here.")
        for name, given in self.images.items():
            lines.append(_loaded(name, given))
            if given.path and given.shape:
                lines.append(f'assert {name}.shape == {given.shape}, "the layer holds other pixels than its file"')
        lines += [f"{name} = ...  # {_described(value)}: load it here" for name, value in self._arrays()]
        lines.append("")
        if self.before is not None:
            lines += _written("found", "register", list(self.before.arguments()))
            lines.append("assert found.accepted, found.reason")
        lines += _written("result", self.function, list(self.arguments()))
        if self.function not in _WORDLESS:
            lines.append("print(result.sentence())")
        return "\n".join(lines) + "\n"

    def arguments(self) -> Iterator[str]:
        """Write the arguments, in the order of the signature."""
        arrays = dict(self._arrays())
        chosen = self.chosen()
        for name, parameter in inspect.signature(_public(self.function)).parameters.items():
            if name in self.images or name in arrays:
                text = name
            elif self.before is not None and name in ("registered", "valid"):
                text = f"found.{name}"
            elif name in chosen:
                text = _literal(chosen[name])
            else:
                continue
            yield f"{name}={text}" if parameter.kind is parameter.KEYWORD_ONLY else text

    def _arrays(self) -> Iterator[tuple[str, Any]]:
        """Give the options that are arrays, which a text cannot hold."""
        return ((name, value) for name, value in self.options.items() if isinstance(value, np.ndarray))


def _public(function: str) -> Any:
    import napari_iqmaps

    return getattr(napari_iqmaps, function)


def _is_default(function: str, name: str, value: Any) -> bool:
    parameter = inspect.signature(_public(function)).parameters.get(name)
    if parameter is None or name == "progress" or isinstance(value, np.ndarray):
        return True
    if is_dataclass(value) and not isinstance(value, type):
        return not fields_chosen(value)
    return bool(parameter.default is not parameter.empty and plain(parameter.default) == plain(value))


def fields_chosen(options: Any) -> dict[str, Any]:
    """Give the fields of a record of options that differ from its defaults."""
    given = {one.name: getattr(options, one.name) for one in fields(options)}
    defaults = {one.name: one.default for one in fields(options)}
    return {name: value for name, value in given.items() if plain(value) != plain(defaults[name])}


def _plain(value: Any) -> Any:
    if is_dataclass(value) and not isinstance(value, type):
        return plain(fields_chosen(value))
    if isinstance(value, tuple) and any(isinstance(part, slice) for part in value):
        return [[part.start, part.stop] for part in value]
    return plain(value)


def _literal(value: Any) -> str:
    """Write a value as Python; numbers of numpy as plain ones."""
    if is_dataclass(value) and not isinstance(value, type):
        inside = ", ".join(f"{name}={_literal(part)}" for name, part in fields_chosen(value).items())
        return f"iq.{type(value).__name__}({inside})"
    if isinstance(value, tuple | list):
        parts = [_literal(part) for part in value]
        return f"({', '.join(parts)}{',' * (len(parts) == 1)})"
    if isinstance(value, slice):
        return f"slice({value.start}, {value.stop})"
    if isinstance(value, str):
        return json.dumps(value, ensure_ascii=False) if value.isprintable() else repr(value)
    return repr(plain(value) if isinstance(value, np.generic | float) else value)


def _loaded(name: str, given: Given) -> str:
    about = f"  # {given.what}" if given.what else ""
    if given.path:
        return f"{name} = iq.read_image({_literal(given.path)}).array{about}"
    if given.of_layer:
        return f"{name} = viewer.layers[{_literal(given.name)}]{given.of_layer}{about}"
    return f"{name} = ...  # what the layer {_literal(given.name)} shows: load it here"


def _described(value: np.ndarray) -> str:
    return f"{value.dtype}, {' x '.join(map(str, value.shape))}"


def _written(result: str, function: str, arguments: list[str]) -> list[str]:
    line = f"{result} = iq.{function}({', '.join(arguments)})"
    if len(line) <= _WIDTH:
        return [line]
    return [f"{result} = iq.{function}(", *(f"    {argument}," for argument in arguments), ")"]
