"""What the public functions and records are given: of the types that their signatures state, or refused by name."""

from __future__ import annotations

import os
import types
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import fields
from functools import lru_cache, wraps
from inspect import signature
from numbers import Integral, Real
from pathlib import Path
from typing import Any, Literal, NamedTuple, ParamSpec, TypeVar, Union, get_args, get_origin

import numpy as np

from .errors import InputError
from .signatures import hints_of, said_of

Given = ParamSpec("Given")
Answer = TypeVar("Answer")

_SHOWN = 80
"""Characters of a value that a message quotes."""

_LIST = "a list"
_MOST_WHOLE = 2**128  # a seed may have as many bits


def checked(function: Callable[Given, Answer]) -> Callable[Given, Answer]:
    """Refuse what is not of the types that a function's signature states, before anything is done.

    Numbers of numpy become Python's, and lists the tuples that are meant; what is annotated with Any, or with a type
    that no rule knows, is left to the function. Words that are no choice are left to it, too: it says what there is.
    Where the memory does not suffice for the work, that is said as an error of ours.
    """
    stated = signature(function)

    @wraps(function)
    def call(*args: Given.args, **kwargs: Given.kwargs) -> Answer:
        try:
            bound = stated.bind(*args, **kwargs)
        except TypeError:
            return function(*args, **kwargs)  # which says the same in Python's own words
        rules = _rules_of(function)
        for name, value in bound.arguments.items():
            if name in rules:
                bound.arguments[name] = _taken(function, rules[name], name, value)
        try:
            return function(*bound.args, **bound.kwargs)
        except MemoryError as error:
            raise InputError(
                f"There is not enough memory for this ({error or 'out of memory'}). Give a smaller image, one plane at "
                "a time, or a dask array."
            ) from error

    return call


def check_fields(record: Any) -> None:
    """Refuse a record, an instance of a dataclass, whose fields are not of the types that it states; see `checked`."""
    stated: Any = type(record)
    rules = _rules_of(stated)
    for field in fields(record):
        if field.name in rules:
            value = getattr(record, field.name)
            taken = _taken(stated, rules[field.name], field.name, value)
            if taken is not value:
                object.__setattr__(record, field.name, taken)  # past the guard of a frozen one, as in its own __init__


def shown(value: object) -> str:
    """Show a value in a message: arrays by type and shape, what is long by its beginning."""
    if hasattr(type(value), "shape") and hasattr(type(value), "dtype") and not isinstance(value, np.generic):
        return f"an array ({type(value).__name__} of shape {getattr(value, 'shape', None)})"
    try:
        text = repr(value)
    except Exception:  # of a stranger's class, whose representation may fail in any way
        return f"a {type(value).__name__}"
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}..."


class _Rule(NamedTuple):
    """What takes a value or raises `_NotTaken`, and in words what it takes."""

    take: Callable[[Any], Any]
    words: str


class _NotTaken(Exception):  # noqa: N818 - no error of a user's, but an answer
    """A rule does not take a value."""


def _taken(stated: Any, rule: _Rule, name: str, value: Any) -> Any:
    """Give what the rule makes of a value, or say what the rule, and the docstring, say of it."""
    try:
        return rule.take(value)
    except _NotTaken:
        example = f", such as [{value!r}]" if isinstance(value, str) and rule.words.startswith(_LIST) else ""
        meant = said_of(stated, name)
        raise InputError(f"{name} is {shown(value)}; give {rule.words}{example}. {meant}".strip()) from None


@lru_cache(maxsize=256)
def _rules_of(stated: Any) -> Mapping[str, _Rule]:
    """Make the rules of a function or of a class, by the names of parameters or fields."""
    made = {name: _rule_of(annotation) for name, annotation in hints_of(stated).items() if name != "return"}
    return {name: rule for name, rule in made.items() if rule is not None}


def _rule_of(annotation: Any) -> _Rule | None:
    """Make the rule of a type; None where anything is taken, or nothing is known of the type."""
    origin, members = get_origin(annotation), get_args(annotation)
    if origin in (Union, types.UnionType):
        return _any_of([_PATH if member is str and Path in members else _rule_of(member) for member in members])
    if origin is Literal:
        kinds = {type(choice) for choice in members}
        return _any_of([_SIMPLE[kind] for kind in (str, int) if kind in kinds])
    if origin is tuple:
        return _tuple_of(members)
    if origin is np.ndarray:
        return _array_of(get_args(members[1])[0])
    if isinstance(origin, type) and issubclass(origin, Mapping):
        return _instance_of(Mapping)
    if isinstance(origin, type) and issubclass(origin, Sequence):
        return _sequence_of(_rule_of(members[0]))
    if origin is Callable:
        return _CALLABLE
    if annotation is Any or origin is not None or not isinstance(annotation, type):
        return None
    return _SIMPLE.get(annotation) or _instance_of(annotation)


def _any_of(rules: Sequence[_Rule | None]) -> _Rule | None:
    known = [rule for rule in rules if rule is not None]
    if len(known) < len(rules) or not known:
        return None

    def take(value: Any) -> Any:
        for rule in known:
            try:
                return rule.take(value)
            except _NotTaken:
                continue
        raise _NotTaken

    return _Rule(take, " or ".join(dict.fromkeys(rule.words for rule in known if rule.words)))


def _tuple_of(members: tuple[Any, ...]) -> _Rule:
    """Make the rule of a tuple, which a list or an array of one axis may stand for."""
    is_open = members[-1:] == (Ellipsis,)
    rules = [_rule_of(member) for member in members if member is not Ellipsis]

    def take(value: Any) -> Any:
        items = _items(value)
        if not is_open and len(items) != len(rules):
            raise _NotTaken
        own = rules * len(items) if is_open else rules
        return tuple(item if rule is None else rule.take(item) for item, rule in zip(items, own, strict=True))

    words = next((rule.words for rule in rules if rule is not None), "value")
    return _Rule(take, f"{_LIST}, each item {words}" if is_open else f"{len(rules)} values, each {words}")


def _sequence_of(rule: _Rule | None) -> _Rule:
    def take(value: Any) -> Any:
        if isinstance(value, str | bytes | memoryview | Mapping) or not isinstance(value, Collection):
            raise _NotTaken
        if isinstance(value, np.ndarray) and value.ndim == 0:
            raise _NotTaken
        return value if rule is None else tuple(rule.take(item) for item in value)

    return _Rule(take, _LIST if rule is None else f"{_LIST}, each item {rule.words}")


def _array_of(number: Any) -> _Rule:
    """Make the rule of an array in a record: of the kind of number that it states, or of any, and then also masked."""
    kinds = {"f": "f", "i": "iu", "b": "b"}[np.dtype(number).kind] if number is not Any else "buif"
    classes = (np.ndarray, np.memmap, np.ma.MaskedArray) if number is Any else (np.ndarray, np.memmap)

    def take(value: Any) -> Any:
        if type(value) not in classes or value.dtype.kind not in kinds:
            raise _NotTaken
        return value

    return _Rule(take, f"a numpy array of {'real numbers' if number is Any else np.dtype(number).name}")


def _items(value: Any) -> list[Any]:
    if isinstance(value, tuple | list) or (isinstance(value, np.ndarray) and value.ndim == 1):
        return list(value)
    raise _NotTaken


def _instance_of(kind: type) -> _Rule:
    def take(value: Any) -> Any:
        if not isinstance(value, kind):
            raise _NotTaken
        return value

    if issubclass(kind, tuple):
        return _Rule(take, "")  # a pair of numbers with more to it, for whoever has one; others give a pair
    return _Rule(take, "a mapping, such as a dict" if kind is Mapping else f"a {kind.__name__}")


def _scalar(value: Any) -> Any:
    """Give a number of numpy, also in an array without axes, as Python's."""
    if isinstance(value, np.generic) or (isinstance(value, np.ndarray) and value.ndim == 0):
        return value.item()
    return value


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise _NotTaken
    return str(value)  # without a subclass, as numpy has one


def _truth(value: Any) -> bool:
    if not isinstance(value, bool | np.bool_):
        raise _NotTaken
    return bool(value)


def _whole(value: Any) -> int:
    value = _scalar(value)
    if isinstance(value, bool):
        raise _NotTaken
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if not isinstance(value, Integral) or abs(int(value)) >= _MOST_WHOLE:
        raise _NotTaken
    return int(value)


def _number(value: Any) -> Any:
    value = _scalar(value)
    if isinstance(value, bool) or not isinstance(value, Real):
        raise _NotTaken
    try:
        as_float = float(value)  # refuses whole numbers above 1.8e308
    except (OverflowError, ValueError):
        raise _NotTaken from None
    return int(value) if isinstance(value, Integral) else as_float


def _path(value: Any) -> Any:
    if not isinstance(value, os.PathLike) or isinstance(os.fspath(value), bytes):
        raise _NotTaken
    _file_name(os.fspath(value))
    return value if isinstance(value, Path) else Path(value)


def _file_name(value: Any) -> str:
    text = _text(value)
    try:
        name = os.fsencode(text)
    except UnicodeEncodeError:
        raise _NotTaken from None
    if b"\0" in name:
        raise _NotTaken
    return text


def _function(value: Any) -> Any:
    if not callable(value):
        raise _NotTaken
    return value


def _nothing(value: Any) -> None:
    if value is not None:
        raise _NotTaken


_CALLABLE = _Rule(_function, "a function")
_PATH = _Rule(_file_name, "a text that can name a file")
_SIMPLE: dict[Any, _Rule] = {
    str: _Rule(_text, "a text"),
    bool: _Rule(_truth, "True or False"),
    int: _Rule(_whole, "a whole number"),
    float: _Rule(_number, "a number"),
    Path: _Rule(_path, "a path"),
    type(None): _Rule(_nothing, "None"),
}
