"""Options of the commands that read labelled pictures."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

Part = tuple[float, float]


def as_part(_ctx: click.Context, _param: click.Parameter, value: str | None) -> Part | None:
    """Read a part as it is typed: LOW:HIGH."""
    if value is None:
        return None
    low, colon, high = value.partition(":")
    try:
        part = float(low or 0), float(high or 1)
    except ValueError:
        colon = ""
    if not colon or not 0 <= part[0] < part[1] <= 1:
        raise click.BadParameter(f"{value!r} is not of the form LOW:HIGH, two rising numbers from 0 to 1.")
    return part


def picture_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add the options that say which labelled pictures are read."""
    for option in (
        click.option("--size", type=click.IntRange(min=1), metavar="PIXELS",
                     help="Bring the shorter side to this and cut out the middle.  [as they are, if all are alike]"),
        click.option("--part", callback=as_part, default="0:1", metavar="LOW:HIGH",
                     help="Only pictures whose name's number (by sha256) is in here, such as 0:0.45. Parts that do "
                     "not overlap hold different pictures."),
        click.option("--data", type=click.Path(path_type=Path), required=True, metavar="FOLDER|ARCHIVE",
                     help="Labelled pictures: a folder with a folder for each class, or a .tar, .tar.gz or .zip "
                     "of one."),
    ):  # fmt: skip
        command = option(command)
    return command


def part_as_typed(part: Part) -> str:
    """Say a part as it is typed."""
    return ":".join(f"{end:g}" for end in part)
