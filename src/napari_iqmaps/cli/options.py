"""Options that several commands share, with the defaults of the core's functions."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import click

from ..core.devices import DEVICES
from ..core.visibility import MODELS, STRIDES, threshold_map

Command = Callable[..., Any]


def default_of(function: Callable[..., Any], name: str) -> Any:
    """Give the default of a function's argument, so that the command line cannot drift from the core."""
    return inspect.signature(function).parameters[name].default


def _as_number(_ctx: click.Context, _param: click.Parameter, value: str) -> int:
    return int(value)


def _channel_axis(_ctx: click.Context, _param: click.Parameter, value: str) -> int | str:
    if value in ("auto", "none"):
        return value
    try:
        return int(value)
    except ValueError:
        raise click.BadParameter(f"{value!r} is neither the number of an axis nor 'auto' nor 'none'.") from None


def _table_file(_ctx: click.Context, _param: click.Parameter, path: Path | None) -> Path | None:
    """Refuse a table that could not be written before the work, not after it."""
    if path is not None and path.suffix.lower() not in (".csv", ".json"):
        raise click.BadParameter(f"{path.name!r} should end in .csv or .json.")
    if path is not None and not path.parent.is_dir():
        raise click.BadParameter(f"the folder {str(path.parent)!r} does not exist.")
    return path


def _checked_range(_ctx: click.Context, _param: click.Parameter, value: Any) -> Any:
    if value is not None and not value[0] < value[1]:
        raise click.BadParameter(f"white ({value[1]:g}) must lie above black ({value[0]:g}).")
    return value


def device_option(command: Command) -> Command:
    """Add ``--device``."""
    return click.option(
        "--device", default="auto", show_default=True, metavar="|".join(DEVICES), help="Where to compute."
    )(command)


def json_option(command: Command) -> Command:
    """Add ``--json``."""
    return click.option("--json", "as_json", is_flag=True, help="Print JSON on standard output instead of a table.")(
        command
    )


def model_option(command: Command) -> Command:
    """Add ``--model``."""
    return click.option(
        "--model",
        type=click.Choice(list(MODELS)),
        default=default_of(threshold_map, "model"),
        show_default=True,
        help="The trained network, or the closed form with three numbers.",
    )(command)


def model_options(command: Command) -> Command:
    """Add the options that choose how thresholds are found: model, weights, stride, device, tile."""
    decorators: list[Callable[..., Any]] = [
        model_option,
        click.option("--weights", metavar="NAME|PATH", help="Instead of the model's own; see 'iqmaps weights'."),
        click.option(
            "--stride",
            type=click.Choice(list(map(str, STRIDES))),
            default=str(default_of(threshold_map, "stride")),
            callback=_as_number,
            show_default=True,
            help="Pixels between the evaluated cells.",
        ),
        device_option,
        click.option("--tile", type=click.IntRange(min=1), metavar="PIXELS", help="Side of a tile; bounds the memory."),
    ]
    return _stacked(command, decorators)


def image_options(command: Command) -> Command:
    """Add the options that say how pixels are meant: data range and channel axis."""
    decorators: list[Callable[..., Any]] = [
        click.option(
            "--data-range",
            type=float,
            nargs=2,
            default=None,
            metavar="BLACK WHITE",
            callback=_checked_range,
            help="Values of black and white. Needed for float and 32-bit images.",
        ),
        click.option(
            "--channel-axis",
            metavar="AXIS",
            callback=_channel_axis,
            default="auto",
            show_default=True,
            help="Axis of the colours: a number, 'none' for grey, 'auto' for what the file says.",
        ),
    ]
    return _stacked(command, decorators)


def output_options(command: Command) -> Command:
    """Add the options that say what to write: folder, format, table, JSON, resume."""
    decorators: list[Callable[..., Any]] = [
        click.option(
            "--out",
            type=click.Path(file_okay=False, path_type=Path),
            metavar="FOLDER",
            help="Write the maps here (made if missing). Without it only scores are given.",
        ),
        click.option(
            "--format",
            "formats",
            type=click.Choice(["tif", "png", "both"]),
            default="tif",
            show_default=True,
            help="Float values, a picture with a legend, or both.",
        ),
        click.option(
            "--csv",
            "table",
            type=click.Path(dir_okay=False, path_type=Path),
            metavar="FILE",
            callback=_table_file,
            help="Write the table of scores (.csv or .json).",
        ),
        json_option,
        click.option(
            "--resume/--overwrite",
            default=True,
            show_default=True,
            help="Keep maps in --out that the same file and options made, or compute all anew.",
        ),
    ]
    return _stacked(command, decorators)


def _stacked(command: Command, decorators: Sequence[Callable[..., Any]]) -> Command:
    for decorator in reversed(decorators):
        command = decorator(command)
    return command
