"""Writes the public interface down: every exported name with its parameters, defaults, types and members, one a line.

After a change that is meant, write the file anew:

    python tests/packaging/public_signatures.py > tests/packaging/public_names.txt

Types are given as they are written in the source (its modules postpone the evaluation of annotations), so the lines are
the same under every Python. A default that is a function is written ``<function>``: where it is defined is not public.
"""

from __future__ import annotations

import dataclasses
import inspect
import sys
from collections.abc import Iterator, Mapping
from functools import cached_property
from typing import Any

import napari_iqmaps as iq

HEADER = (
    "# What others may depend on. Removing a name is a change that breaks them: it needs an edit here and a line in "
    "CHANGELOG.md.\n"
    "# Written by: python tests/packaging/public_signatures.py > tests/packaging/public_names.txt\n"
)


def public_lines() -> list[str]:
    return [line for name in iq.__all__ for line in _lines_of(name, getattr(iq, name))]


def _lines_of(name: str, value: Any) -> Iterator[str]:
    if inspect.isclass(value):
        yield from _lines_of_class(name, value)
    elif callable(value):
        yield _function(name, value)
    elif isinstance(value, Mapping):
        yield f"{name}: mapping"
        yield from (f"{name}[{key!r}]: {type(entry).__name__}" for key, entry in value.items())
    else:
        yield f"{name}: {type(value).__name__}"


def _lines_of_class(name: str, kind: type) -> Iterator[str]:
    bases = [base.__name__ for base in kind.__bases__ if base is not object]
    yield f"class {name}({', '.join(bases)})" if bases else f"class {name}"
    fields = {field.name: field for field in dataclasses.fields(kind)} if dataclasses.is_dataclass(kind) else {}
    if "__init__" in vars(kind):
        yield _function(f"{name}", kind).removesuffix(" -> None")
    for field in fields.values():
        yield f"{name}.{field.name}: {_written(field.type)}"
    members = {
        member: inspect.getattr_static(kind, member)
        for base in reversed(kind.__mro__)
        if base.__module__.partition(".")[0] == iq.__name__
        for member in vars(base)
    }
    for member, value in sorted(members.items()):
        if not member.startswith("_") and member not in fields:
            yield _member(f"{name}.{member}", value)


def _member(name: str, value: Any) -> str:
    if isinstance(value, property | cached_property):
        getter = value.fget if isinstance(value, property) else value.func
        return f"{name}: {_written(inspect.signature(getter).return_annotation)} (property)"
    if isinstance(value, classmethod | staticmethod):
        return f"{_function(name, value.__func__)} ({type(value).__name__})"
    return _function(name, value) if callable(value) else f"{name}: {type(value).__name__}"


def _function(name: str, function: Any) -> str:
    signature = inspect.signature(function)
    parts: list[str] = []
    before = None
    for parameter in signature.parameters.values():
        if before is parameter.POSITIONAL_ONLY is not parameter.kind:
            parts.append("/")
        if parameter.kind is parameter.KEYWORD_ONLY and before not in (
            parameter.KEYWORD_ONLY,
            parameter.VAR_POSITIONAL,
        ):
            parts.append("*")
        parts.append(_parameter(parameter))
        before = parameter.kind
    if before is inspect.Parameter.POSITIONAL_ONLY:
        parts.append("/")
    returned = signature.return_annotation
    return f"{name}({', '.join(parts)})" + ("" if returned is signature.empty else f" -> {_written(returned)}")


def _parameter(parameter: inspect.Parameter) -> str:
    stars = {parameter.VAR_POSITIONAL: "*", parameter.VAR_KEYWORD: "**"}.get(parameter.kind, "")
    text = stars + parameter.name
    if parameter.annotation is not parameter.empty:
        text += f": {_written(parameter.annotation)}"
    if parameter.default is not parameter.empty:
        text += f" = {'<function>' if inspect.isfunction(parameter.default) else repr(parameter.default)}"
    return text


def _written(annotation: Any) -> str:
    """An annotation as it is in the source; one that was evaluated, by its name."""
    return annotation if isinstance(annotation, str) else getattr(annotation, "__name__", repr(annotation))


if __name__ == "__main__":
    sys.stdout.write(HEADER + "".join(f"{line}\n" for line in public_lines()))
