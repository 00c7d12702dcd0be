"""Recipes: frozen records of what decides a training besides its data, whose fields know their help text and limits.

Free of torch and lightning, so that ``iqmaps train --help`` answers at once.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field, fields
from typing import Any, Self

from ..core.errors import InputError


def setting(default: Any, text: str, **limits: Any) -> Any:
    """Declare a field of a recipe.

    `default`: its value if nothing is said; its type is that of every value. `limits`: ``choices``, or ``least`` and
    ``most``; whatever else a recipe wants to know of a field.
    """
    return field(default=default, metadata={"help": text, **limits})


@dataclass(frozen=True)
class Recipe:
    """Everything that decides what comes out of training a network, besides the data.

    A network's recipe is a frozen dataclass of `setting` fields; the command line makes an option of each. All recipes
    have a network, a seed and a precision.
    """

    def __post_init__(self) -> None:
        for entry in fields(self):
            _check(entry.name, getattr(self, entry.name), entry.metadata, type(entry.default))

    @classmethod
    def default(cls, network: str = "") -> Self:
        """Give the recipe that the shipped weights of a network were trained with."""
        return cls()


def _check(name: str, value: Any, limits: Any, kind: type) -> None:
    choices = limits.get("choices")
    if kind is tuple:
        if not isinstance(value, tuple | list):
            raise InputError(f"{name} is {value!r}; give a tuple.")
        for each in value:
            _check(name, each, limits, str)
        return
    if choices is not None and value not in choices:
        raise InputError(f"{name} is {value!r}; choose one of {', '.join(choices)}.")
    if kind is bool or kind is str:
        if not isinstance(value, kind):
            raise InputError(f"{name} is {value!r}; give a {kind.__name__}.")
        return
    whole = kind is int
    if isinstance(value, bool) or not isinstance(value, int if whole else (int, float)) or not math.isfinite(value):
        raise InputError(f"{name} is {value!r}; give a {'whole ' if whole else ''}number.")
    least, most = limits.get("least", -math.inf), limits.get("most", math.inf)
    if not least <= value <= most:
        upper = f" and at most {most}" if most < math.inf else ""
        raise InputError(f"{name} is {value}; it has to be at least {least}{upper}.")
