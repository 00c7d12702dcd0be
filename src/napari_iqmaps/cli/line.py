"""A call of the core as a command line: what makes the same result of the same files.

The flags are those of the commands themselves, so that the two cannot drift apart.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Mapping
from dataclasses import is_dataclass
from functools import cache
from typing import Any

import click
import numpy as np

from ..core.call import Call, Given, fields_chosen
from ..core.score_columns import plain
from . import main

_COMMANDS = {
    "threshold_map": "threshold",
    "visibility_map": "visibility",
    "assess": "errors",
    "machine_assess": "machine",
    "machine_curve": "machine",
    "hide": "hide",
    "distort": "distort",
    "diff_diff_assess": "diffdiff",
}
_NAMED = {
    ("machine_curve", "distortion"): "names",
    ("machine_curve", "severities"): "severities",
    ("distort", "name"): "names",
    ("distort", "severity"): "severities",
    ("hide", "mark"): "text",
}
"""Parameters of commands that are called otherwise than those of their functions."""

_BY_FILE = ("reference", "fixed", "registered")
_OUT = "maps"
_AXIS = "channel_axis"  # the file says it


def command_of(call: Call) -> str:
    """Write a call as a command for a shell; lines that begin with ``#`` say what a command cannot do."""
    remarks = list(call.remarks)
    words = ["iqmaps", _COMMANDS[call.function]]
    first, *others = call.images.items()
    words.append(_file(first[1], remarks))
    for name, given in others:
        if name in _BY_FILE:
            words += [f"--{name}", _file(given, remarks)]
    if call.before is not None:
        method = call.before.options.get("method", "auto")
        words += _flagged(call, {"method": method, **_without(call.before.chosen(), "method", "data_range")}, remarks)
    words += _flagged(call, _stated(call), remarks)
    words += [] if call.function == "machine_curve" else ["--out", _OUT]
    command = shlex.join(words)
    return "".join(f"# {remark}\n" for remark in remarks) + command + "\n"


def _stated(call: Call) -> dict[str, Any]:
    """Give the options that the command has to be told."""
    options = {name: value for name, value in call.options.items() if isinstance(value, np.ndarray)} | call.chosen()
    if call.function == "diff_diff_assess" and "registered" in call.images:
        options["valid"] = call.options.get("valid") or "none"  # the command would look for a mask beside the image
    else:
        options.pop("valid", None)
    if "grid" in options and options["grid"] is None:
        options["grid"] = "none"
    return _without(options, _AXIS)


def _flagged(call: Call, options: Mapping[str, Any], remarks: list[str]) -> Iterator[str]:
    command = _COMMANDS[call.function]
    flags = _flags(command)
    for name, value in options.items():
        if is_dataclass(value) and not isinstance(value, type):
            yield from _flagged(call, fields_chosen(value), remarks)
            continue
        if name == "mark" and isinstance(value, np.ndarray):
            remarks.append("The mark comes from a layer: save it, and put the name of the file here.")
            yield from ("--mark", "mark.tif")
            continue
        parameter = flags.get(_NAMED.get((call.function, name), name))
        if parameter is None or isinstance(value, np.ndarray):
            said = "which is an array" if isinstance(value, np.ndarray) else f"which is {plain(value)!r}"
            remarks.append(f"'iqmaps {command}' takes no {name.replace('_', ' ')}, {said}: without it, results differ.")
            continue
        yield parameter.opts[0]
        yield from _words(name, value, parameter)


def _words(name: str, value: Any, parameter: click.Parameter) -> list[str]:
    if isinstance(value, tuple | list):
        if any(isinstance(part, slice) for part in value):
            return [",".join(f"{part.start}:{part.stop}" for part in value)]
        parts = [_number(part) for part in value]
        return parts if parameter.nargs > 1 else [("x" if name == "grid" else ",").join(parts)]
    return [_number(value)]


def _number(value: Any) -> str:
    """Write a value as short as it can be without another one being read."""
    value = plain(value)
    if not isinstance(value, float):
        return str(value)
    short = f"{value:g}"
    return short if float(short) == value else repr(value)


def _file(given: Given, remarks: list[str]) -> str:
    if given.path:
        return given.path
    remarks.append(f"The layer {given.name!r} is in no file: save it, and put the name of the file here.")
    return f"{given.name}.tif"


def _without(options: Mapping[str, Any], *names: str) -> dict[str, Any]:
    return {name: value for name, value in options.items() if name not in names}


@cache
def _flags(command: str) -> dict[str, click.Parameter]:
    found = main.get_command(click.Context(main), command)
    assert found is not None
    return {parameter.name: parameter for parameter in found.params if parameter.name and parameter.opts[0][:1] == "-"}
