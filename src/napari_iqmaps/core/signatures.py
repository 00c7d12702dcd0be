"""What a function of the core says of its parameters, read from its signature and its numpydoc.

The widgets and the command line make their options of this, so that name, default, choices and words are stated once.
"""

from __future__ import annotations

import builtins
import inspect
import re
import sys
from ast import literal_eval
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal, get_args, get_origin, get_type_hints

Function = Callable[..., Any]
"""A function, or a record of options that is made by keywords alone."""

_AS_IN = re.compile(r"As in `([\w.]+)`")
_BRACES = re.compile(r"\{.*?\}", re.DOTALL)
_END = re.compile(r"(?<=[.?!])\s+(?=[A-Z0-9\"'])")
_REST = r"(?:[^.;]|\.(?=\d))*"  # of a clause: a full stop before a digit ends none
_IF_NONE = re.compile(
    rf"; None (?:is|means|takes|allows) {_REST}|(?<=\.)\s+None(?: (?:is|means|takes|allows)|:) {_REST}[.;]"
)


@dataclass(frozen=True)
class Parameter:
    """A parameter as the function states it.

    `kinds`: the types that it takes, `None` and literals left out. `choices`: what it may be, the default first where
    the docstring has it so; empty if that is not listed. `description`: what the docstring says of it.
    """

    name: str
    annotation: Any
    default: Any
    kinds: frozenset[Any]
    choices: tuple[Any, ...]
    description: str

    def sentences(self, count: int = 1) -> str:
        """Give the first sentences of the description, without marks of markup and without what None means."""
        return _sentences(self.description, count)


@lru_cache(maxsize=256)
def parameters_of(function: Function) -> Mapping[str, Parameter]:
    """Read the options of a function: its keyword-only parameters, in the order of its signature.

    Choices come from ``Literal`` annotations, or from the braces of the docstring (``{"auto", "cpu"}``). Where the
    docstring says ``As in `other```, what the other function says holds.
    """
    hints = hints_of(function)
    documents = _documents(function)
    found = {}
    for name, parameter in inspect.signature(function).parameters.items():
        if parameter.kind is not parameter.KEYWORD_ONLY:
            continue
        type_text, description = documents.get(name, ("", ""))
        annotation = hints.get(name, Any)
        found[name] = Parameter(
            name, annotation, parameter.default, _kinds(annotation), _choices(annotation, type_text), description
        )
    return found


def said_of(stated: Any, name: str) -> str:
    """Give the first sentence that a docstring says of a parameter or an attribute; "" if it says nothing."""
    return _sentences(_documents(stated).get(name, ("", ""))[1], 1)


def _sentences(description: str, count: int) -> str:
    text = _IF_NONE.sub("", " ".join(description.split())).replace("`", "").strip()
    return " ".join(_END.split(text)[:count])


def hints_of(stated: Any) -> dict[str, Any]:
    """Give the types that a function or a class states, by name; Any for what it imports for type checkers only."""
    return get_type_hints(stated, localns=_Names(stated))


class _Names(dict[str, Any]):
    """Names for annotations that a module imports for type checkers only, which keeps the core's import light."""

    def __init__(self, stated: Any) -> None:
        super().__init__(Path=Path)
        self._known = {*vars(builtins), *vars(sys.modules[stated.__module__])}

    def __missing__(self, name: str) -> Any:
        if name in self._known:
            raise KeyError(name)  # which makes the search go on there
        return Any


def _kinds(annotation: Any) -> frozenset[Any]:
    members = {annotation} if get_origin(annotation) is Literal else set(get_args(annotation)) or {annotation}
    return frozenset(kind for kind in members if kind is not type(None) and get_origin(kind) is not Literal)


def _choices(annotation: Any, type_text: str) -> tuple[Any, ...]:
    if braces := _BRACES.search(type_text):
        # As a list, because the order of the docstring (the default first) is meant.
        return tuple(literal_eval(f"[{braces.group()[1:-1]}]"))
    return get_args(annotation) if get_origin(annotation) is Literal else ()


@lru_cache(maxsize=256)
def _documents(function: Function) -> dict[str, tuple[str, str]]:
    """Give type and description of every parameter; numpydoc documents some together (``stride, tile``)."""
    from docstring_parser import parse
    from docstring_parser.common import DocstringStyle

    found = {}
    for entry in parse(function.__doc__ or "", DocstringStyle.NUMPYDOC).params:
        for name in entry.arg_name.split(","):
            found[name.strip()] = _followed(function, name.strip(), entry.type_name or "", entry.description or "")
    return found


def _followed(function: Function, name: str, type_text: str, description: str) -> tuple[str, str]:
    """Put what another function says in the place of a reference to it; choices of its own stay."""
    reference = _AS_IN.match(description)
    other = _named(function, reference.group(1)) if reference else None
    if other is None:
        return type_text, description
    other_type, other_description = _documents(other).get(name, (type_text, description))
    return (type_text if _BRACES.search(type_text) else other_type), other_description


def _named(function: Function, name: str) -> Function | None:
    """Find a function that a docstring names as its module does, or as the package does."""
    last = name.rpartition(".")[2]
    package = sys.modules[__name__.partition(".")[0]]
    found = getattr(sys.modules[function.__module__], last, None) or getattr(package, last, None)
    return found if callable(found) else None
