"""Options of the commands, made of the signatures of the core's functions, so that the two cannot drift apart.

Name, default, choices and the sentence of help come from the core. Said here is only what differs on a command line:
short names, bounds of numbers, values that files state themselves, and what is written where.
"""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Literal, get_args, get_origin

import click

from ..core.errors import InputError
from ..core.io.reading import read_image
from ..core.io.source import check_regular
from ..core.models import DEVICES
from ..core.signatures import Parameter, parameters_of
from ..core.value_range import RULES, DataRange, RangeRule

Command = Callable[..., Any]
Said = dict[str, Any]

PIXELS = ("data_range", "channel_axis", "most_pixels")
"""Parameters that say how pixels are meant, and how many a file may have."""

LIGHT = ("luminance", "peak_luminance", "black_level", "encoding")
"""Parameters that say what values mean as light: codes or cd/m2, and the display."""

NETWORK = ("model", "weights", "device", "tile")
"""Parameters that choose a network and how it is computed."""

THRESHOLDS = ("model", "weights", "stride", "device", "tile")
"""Parameters that choose how thresholds are found."""

SCORING = ("border", "tol", "grid", "illumination", "smooth", "median")
"""Parameters that say how a diff-diff is computed and scored."""

MOTION = ("transform", "max_shift", "min_overlap", "min_inliers", "seed")
"""Parameters that say how a motion is found, beside the method."""


# --- options of the core's parameters


def core_options(function: Callable[..., Any], *names: str, **said: Said) -> Callable[[Command], Command]:
    """Add options for parameters of a function of the core.

    `names`: parameters, in the order of the help; those of `napari_iqmaps.read_image` as well. `said`: for a parameter,
    what this command says beside the core and beside what all commands say: attributes of `click.option`; ``flags``;
    ``help``, in the place of the core's sentence, or ``sentences``, how many of the core's, and ``more``, which follows
    them.
    """

    def decorate(command: Command) -> Command:
        parameters = {**parameters_of(read_image), **parameters_of(function)}
        return _stacked(command, [core_option(parameters[name], said.get(name, {})) for name in names])

    return decorate


def core_option(parameter: Parameter, said: Said) -> Callable[[Command], Command]:
    """Make the option of one parameter; see `core_options`."""
    of_all = _SAID.get(parameter.name, {})
    words: Said = {"default": parameter.default, **(of_all() if callable(of_all) else of_all), **said}
    flags = words.pop("flags", (f"--{parameter.name.replace('_', '-')}",))
    sentences, more = words.pop("sentences", 1), words.pop("more", "")
    words.setdefault("help", parameter.sentences(sentences))
    words["help"] = f"{words['help']} {more}".strip()
    if "type" not in words and (choices := _choices(parameter)):
        words["type"] = click.Choice([str(choice) for choice in choices])
        if isinstance(words["default"], int):
            words["default"] = str(words["default"])
            words["callback"] = _as_number
    if words["default"] is not None and words.get("show_default") is None:
        words["show_default"] = True
    return click.option(*flags, *([] if parameter.name in flags else [parameter.name]), **words)


def default_of(function: Callable[..., Any], name: str) -> Any:
    """Give the default of a parameter of the core."""
    return parameters_of(function)[name].default


def _choices(parameter: Parameter) -> tuple[Any, ...]:
    """Give the choices in the order of the annotation, which is one, where there is one."""
    if get_origin(parameter.annotation) is Literal:
        return get_args(parameter.annotation)
    return parameter.choices


def _as_number(_ctx: click.Context, _param: click.Parameter, value: str) -> int:
    return int(value)


def _channel_axis(_ctx: click.Context, _param: click.Parameter, value: str) -> int | str:
    if value in ("auto", "none"):
        return value
    try:
        return int(value)
    except ValueError:
        raise click.BadParameter(f"{value!r} is neither the number of an axis nor 'auto' nor 'none'.") from None


def _black_or_white(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise click.BadParameter(f"{text!r} is neither a number nor {' nor '.join(map(repr, RULES))}.") from None


def _checked_range(_ctx: click.Context, _param: click.Parameter, value: Any) -> DataRange:
    """Give black and white as numbers, or the word by which they are to be found, which comes twice."""
    if value is None:
        return None
    if value[0] in RULES:
        rule: RangeRule = value[0]
        return rule
    black, white = map(_black_or_white, value)
    if not black < white:
        raise click.BadParameter(f"white ({white:g}) must lie above black ({black:g}).")
    return black, white


def _below_peak(ctx: click.Context, _param: click.Parameter, value: float) -> float:
    peak = ctx.params.get("peak_luminance")
    if peak is not None and value >= peak:
        raise click.BadParameter(f"{value:g} cd/m2 is not below the display's white ({peak:g} cd/m2).")
    return value


def _odd(_ctx: click.Context, _param: click.Parameter, value: int | None) -> int | None:
    if value is not None and value % 2 == 0:
        raise click.BadParameter(f"{value} is even; an odd number of pixels has a centre.")
    return value


def _tolerance(_ctx: click.Context, _param: click.Parameter, value: str | None) -> float | str | None:
    if value in (None, "auto"):
        return value
    try:
        tol = float(str(value))
    except ValueError:
        tol = math.nan
    if not (math.isfinite(tol) and tol >= 0):
        raise click.BadParameter(f"{value!r} is neither 'auto' nor a number of grey levels, 0 or more.")
    return tol


def _grid(_ctx: click.Context, _param: click.Parameter, value: str) -> tuple[int, int] | None:
    if value == "none":
        return None
    rows, _, columns = value.lower().partition("x")
    if not (rows.isdigit() and columns.isdigit() and int(rows) > 0 and int(columns) > 0):
        raise click.BadParameter(f"{value!r} is neither ROWSxCOLUMNS, as in 5x5, nor 'none'.")
    return int(rows), int(columns)


def _luminance() -> Said:
    from ..core.display import Luminance

    return {
        "type": click.Choice(["auto", *get_args(Luminance)]),
        "default": "auto",
        "more": "'auto' takes .hdr, .exr and .pfm for light.",
    }


def _peak_luminance() -> Said:
    from ..core.display import PEAK

    return {
        "flags": ("--peak",),
        "type": click.FloatRange(0, PEAK, min_open=True),
        "metavar": "CD/M2",
        "is_eager": True,  # so that --black can be compared with it
        "more": " [100 for codes, 10000 for light]",
    }


def _pixels_per_degree() -> Said:
    from ..core.observers import LEAST_PIXELS_PER_DEGREE, MOST_PIXELS_PER_DEGREE

    return {
        "type": click.FloatRange(LEAST_PIXELS_PER_DEGREE, MOST_PIXELS_PER_DEGREE),
        "metavar": "NUMBER",
        "help": "Pixels per degree of visual angle: viewing distance / size of a pixel x 0.01745.",
    }


def _smooth() -> Said:
    from ..core.diffdiff.options import LOCAL_SMOOTH, MOST_SMOOTH

    return {
        "type": click.FloatRange(0, MOST_SMOOTH),
        "metavar": "PIXELS",
        "more": f" [{LOCAL_SMOOTH:g} for local illumination, else 0]",
    }


def _transform() -> Said:
    from ..core.registration.geometry import TRANSFORMS

    return {"type": click.Choice(TRANSFORMS)}


_SAID: dict[str, Said | Callable[[], Said]] = {
    "data_range": {
        "type": str,
        "nargs": 2,
        "metavar": "BLACK WHITE|data|percentiles",
        "callback": _checked_range,
        "help": "Values of black and white. Needed for float and 32-bit images; of linear light, WHITE has 100 cd/m2. "
        "'data' takes the lowest and the highest value of each file, 'percentiles' those of 0.1 and 99.9; of the "
        "reference or the fixed image, where there is one.",
    },
    "channel_axis": {
        "metavar": "AXIS",
        "callback": _channel_axis,
        "default": "auto",
        "help": "Axis of the colours: a number, 'none' for grey, 'auto' for what the file says.",
    },
    "most_pixels": {
        "type": click.IntRange(min=1),
        "metavar": "NUMBER",
        "help": "Refuse a file that states more pixels, all planes together, before it takes memory.",
    },
    "luminance": _luminance,
    "peak_luminance": _peak_luminance,
    "black_level": {
        "flags": ("--black",),
        "type": click.FloatRange(0),
        "metavar": "CD/M2",
        "callback": _below_peak,
    },
    "weights": {"metavar": "NAME|PATH", "help": "Take these instead of the model's own weights; see 'iqmaps weights'."},
    "device": {"type": str, "metavar": "|".join(DEVICES)},
    "tile": {"type": click.IntRange(min=1), "metavar": "PIXELS", "help": "Side of a tile; bounds the memory."},
    "pixels_per_degree": _pixels_per_degree,
    "window": {
        "type": click.IntRange(min=1),
        "metavar": "PIXELS",
        "callback": _odd,
        "more": " [.94 degrees: 33 at 35 per degree]",
    },
    "transform": _transform,
    "max_shift": {"type": click.FloatRange(min=0, min_open=True), "metavar": "PIXELS", "more": " [any movement]"},
    "min_overlap": {"type": click.FloatRange(0, 1), "metavar": "SHARE"},
    "min_inliers": {"type": click.IntRange(min=0), "metavar": "NUMBER"},
    "seed": {
        "type": click.IntRange(min=0),
        "metavar": "NUMBER",
        "help": "Seed of all that is drawn at random; the same seed gives the same result.",
    },
    "border": {"type": click.IntRange(min=0), "metavar": "PIXELS"},
    "tol": {
        "metavar": "auto|NUMBER",
        "callback": _tolerance,
        "default": None,
        "help": "Grey levels (of 255) by which the difference of a pixel has to fall or to rise before it counts.",
        "more": " [auto: from contrast and noise]",
    },
    "grid": {"metavar": "ROWSxCOLUMNS|none", "callback": _grid},
    "smooth": _smooth,
}


# --- options of commands that register and judge


def motion_options(command: Command) -> Command:
    """Add the options that say how the motion is found, all but the method: its name differs between commands."""
    from ..core.registration.search import register

    return core_options(register, *MOTION)(command)


def score_options(command: Command) -> Command:
    """Add the options of a diff-diff: border, tolerance, grid, correction of the light, smoothing, vote."""
    from ..core.diffdiff.assessment import diff_diff_assess

    rows, columns = default_of(diff_diff_assess, "grid")
    light = default_of(diff_diff_assess, "illumination")
    said: dict[str, Said] = {
        "grid": {"default": f"{rows}x{columns}"},
        # What is not given keeps the core's default, which --compat has not.
        "illumination": {"default": None, "sentences": 4, "more": f" [{light}]"},
    }
    return core_options(diff_diff_assess, *SCORING, **said)(command)


def scoring_of(options: dict[str, Any]) -> dict[str, Any]:
    """Take the options of `score_options` out of all options.

    Returns keyword arguments of `diff_diff_assess` and `diff_diff_score`. What is not given is not in it: it keeps the
    core's default.
    """
    found = {name: options.pop(name) for name in SCORING}
    # Of the grid None is a choice; of the others it is none.
    return {name: value for name, value in found.items() if value is not None or name == "grid"}


# --- options of the command line alone


def words_of(values: tuple[str, ...]) -> list[str]:
    """Split what was given several times, or once with commas, or both."""
    return list(dict.fromkeys(word.strip() for value in values for word in value.split(",")))


def table_file(ctx: click.Context, _param: click.Parameter, path: Path | None) -> Path | None:
    """Refuse a table that could not be written before the work, not after it."""
    if path is not None and path.suffix.lower() not in (".csv", ".json"):
        raise click.BadParameter(f"{path.name!r} should end in .csv or .json.")
    _refuse_without_folder(ctx, path)
    _refuse_irregular(path)
    return path


def picture_file(ctx: click.Context, _param: click.Parameter, path: Path | None) -> Path | None:
    """Refuse a picture that could not be written before the work, not after it."""
    if path is not None and path.suffix.lower() != ".png":
        raise click.BadParameter(f"{path.name!r} should end in .png.")
    _refuse_without_folder(ctx, path)
    _refuse_irregular(path)
    return path


def _refuse_irregular(path: Path | None) -> None:
    """Refuse to write to a pipe or a device, or to read a table from it."""
    if path is not None and os.path.exists(path):  # noqa: PTH110 - of any text, where Path raises for some
        try:
            check_regular(path)
        except InputError as error:
            raise click.BadParameter(str(error)) from None


def _refuse_without_folder(ctx: click.Context, path: Path | None) -> None:
    """Refuse a file in a folder that is not there and will not be made: --out, where it is read first, is made."""
    if path is None or os.path.isdir(path.parent):  # noqa: PTH112 - of any text, where Path raises for some
        return
    out = ctx.params.get("out")
    if out is None or os.path.realpath(out) != os.path.realpath(path.parent):
        raise click.BadParameter(f"the folder {str(path.parent)!r} does not exist.")


def given_only_with(ctx: click.Context, option: str, *names: str) -> None:
    """Refuse options that mean nothing without another one."""
    for parameter in ctx.command.params:
        given = ctx.get_parameter_source(parameter.name or "") == click.core.ParameterSource.COMMANDLINE
        if parameter.name in names and given:
            raise click.UsageError(f"{parameter.opts[0]} belongs to {option}.")


def device_option(command: Command) -> Command:
    """Add ``--device``."""
    said: Said = {"default": "auto", "show_default": True, "metavar": "|".join(DEVICES), "help": "Where to compute."}
    return click.option("--device", **said)(command)


def json_option(command: Command) -> Command:
    """Add ``--json``."""
    said = "Print JSON on standard output instead of a table."
    return click.option("--json", "as_json", is_flag=True, help=said)(command)


def out_option(says: str) -> Callable[[Command], Command]:
    """Give ``--out``, with what it says of what is written there."""
    return click.option(
        "--out",
        type=click.Path(file_okay=False, path_type=Path),
        metavar="FOLDER",
        is_eager=True,  # other outputs may lie in it
        help=says,
    )


def output_options(command: Command) -> Command:
    """Add the options that say what to write: folder, format, table, JSON, resume."""
    decorators: list[Callable[..., Any]] = [
        out_option("Write the maps here (made if missing). Without it only scores are given."),
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
        force_option,
        json_option,
        resume_option(
            "Keep what the same files and options made: maps in --out or, where none are written, rows of the "
            "table. Or compute all anew."
        ),
    ]
    return _stacked(command, decorators)


def force_option(command: Command) -> Command:
    """Add ``--force``."""
    said = "Replace a file in the place of a table even if it is no table of this program."
    return click.option("--force", is_flag=True, help=said)(command)


def resume_option(says: str) -> Callable[[Command], Command]:
    """Give ``--resume/--overwrite``, with what it says of what is kept."""
    return click.option("--resume/--overwrite", default=True, show_default=True, help=says)


def _stacked(command: Command, decorators: Sequence[Callable[..., Any]]) -> Command:
    for decorator in reversed(decorators):
        command = decorator(command)
    return command
