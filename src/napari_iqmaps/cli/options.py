"""Options that several commands share, with the defaults of the core's functions."""

from __future__ import annotations

import inspect
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, get_args

import click

from ..core.display import PEAK, Encoding, Luminance
from ..core.models import DEVICES
from ..core.observers import LEAST_PIXELS_PER_DEGREE, MOST_PIXELS_PER_DEGREE, OBSERVERS
from ..core.visibility import MODELS, STRIDES, threshold_map, visibility_map

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


def table_file(ctx: click.Context, _param: click.Parameter, path: Path | None) -> Path | None:
    """Refuse a table that could not be written before the work, not after it."""
    if path is not None and path.suffix.lower() not in (".csv", ".json"):
        raise click.BadParameter(f"{path.name!r} should end in .csv or .json.")
    _refuse_without_folder(ctx, path)
    return path


def _refuse_without_folder(ctx: click.Context, path: Path | None) -> None:
    """Refuse a file in a folder that is not there and will not be made: --out, where it is read first, is made."""
    if path is None or path.parent.is_dir():
        return
    out = ctx.params.get("out")
    if out is None or os.path.realpath(out) != os.path.realpath(path.parent):
        raise click.BadParameter(f"the folder {str(path.parent)!r} does not exist.")


def picture_file(ctx: click.Context, _param: click.Parameter, path: Path | None) -> Path | None:
    """Refuse a picture that could not be written before the work, not after it."""
    if path is not None and path.suffix.lower() != ".png":
        raise click.BadParameter(f"{path.name!r} should end in .png.")
    _refuse_without_folder(ctx, path)
    return path


def _checked_range(_ctx: click.Context, _param: click.Parameter, value: Any) -> Any:
    if value is not None and not value[0] < value[1]:
        raise click.BadParameter(f"white ({value[1]:g}) must lie above black ({value[0]:g}).")
    return value


def _below_peak(ctx: click.Context, _param: click.Parameter, value: float) -> float:
    peak = ctx.params.get("peak_luminance")
    if peak is not None and value >= peak:
        raise click.BadParameter(f"{value:g} cd/m2 is not below the display's white ({peak:g} cd/m2).")
    return value


def _odd(_ctx: click.Context, _param: click.Parameter, value: int | None) -> int | None:
    if value is not None and value % 2 == 0:
        raise click.BadParameter(f"{value} is even; an odd number of pixels has a centre.")
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
            help="Values of black and white. Needed for float and 32-bit images; of linear light, WHITE has 100 cd/m2.",
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


def light_options(command: Command) -> Command:
    """Add the options that say what values mean as light: codes or cd/m2, and the display."""
    decorators: list[Callable[..., Any]] = [
        click.option(
            "--luminance",
            type=click.Choice(["auto", *get_args(Luminance)]),
            default="auto",
            show_default=True,
            help="Values are display codes, or light in cd/m2 (absolute); 'auto' takes .hdr, .exr and .pfm for light.",
        ),
        click.option(
            "--peak",
            "peak_luminance",
            type=click.FloatRange(0, PEAK, min_open=True),
            default=default_of(threshold_map, "peak_luminance"),
            metavar="CD/M2",
            is_eager=True,  # so that --black can be compared with it
            help="White of the display.  [100 for codes, 10000 for light]",
        ),
        click.option(
            "--black",
            "black_level",
            type=click.FloatRange(0),
            default=default_of(threshold_map, "black_level"),
            show_default=True,
            metavar="CD/M2",
            callback=_below_peak,
            help="Black of the display.",
        ),
        click.option(
            "--encoding",
            type=click.Choice(get_args(Encoding)),
            default=default_of(threshold_map, "encoding"),
            show_default=True,
            help="Perceptually uniform code values above 100 cd/m2.",
        ),
    ]
    return _stacked(command, decorators)


def observer_option(command: Command) -> Command:
    """Add ``--observer``."""
    return click.option(
        "--observer",
        type=click.Choice(list(OBSERVERS)),
        default=default_of(threshold_map, "observer"),
        show_default=True,
        help="Who looks: people who judge photographs, or practised ones who search for a known faint pattern.",
    )(command)


def distance_options(command: Command) -> Command:
    """Add the options that say how large things are in the eye: ``--pixels-per-degree`` and ``--window``."""
    decorators: list[Callable[..., Any]] = [
        click.option(
            "--pixels-per-degree",
            type=click.FloatRange(LEAST_PIXELS_PER_DEGREE, MOST_PIXELS_PER_DEGREE),
            default=default_of(visibility_map, "pixels_per_degree"),
            show_default=True,
            metavar="NUMBER",
            help="Of visual angle: viewing distance / size of a pixel x 0.01745.",
        ),
        click.option(
            "--window",
            type=click.IntRange(min=1),
            default=default_of(visibility_map, "window"),
            metavar="PIXELS",
            callback=_odd,
            help="Side, odd, of the square over which the difference is pooled.  [.94 degrees: 33 at 35 per degree]",
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
            is_eager=True,  # other outputs may lie in it
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
        table_options,
    ]
    return _stacked(command, decorators)


def table_options(command: Command) -> Command:
    """Add the options that say where scores go: table, JSON, resume."""
    decorators: list[Callable[..., Any]] = [
        click.option(
            "--csv",
            "table",
            type=click.Path(dir_okay=False, path_type=Path),
            metavar="FILE",
            callback=table_file,
            help="Write the table of scores (.csv or .json).",
        ),
        json_option,
        click.option(
            "--resume/--overwrite",
            default=True,
            show_default=True,
            help="Keep what the same files and options made: maps in --out or, where none are written, rows of the "
            "table. Or compute all anew.",
        ),
    ]
    return _stacked(command, decorators)


def _stacked(command: Command, decorators: Sequence[Callable[..., Any]]) -> Command:
    for decorator in reversed(decorators):
        command = decorator(command)
    return command
