"""The bank of distortions on the command line: names and severities as options, and the bank as a table."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict
from typing import Any

import click

from ..core.distortions import Distortion, distortion, distortions
from ..core.distortions.record import HIGHEST, LOWEST
from ..core.errors import InputError
from .options import Command
from .report import print_json, print_table

ALL = "all"
"""The word for every distortion of the bank."""


def words_of(values: tuple[str, ...]) -> list[str]:
    """Split what was given several times, or once with commas, or both."""
    return list(dict.fromkeys(word.strip() for value in values for word in value.split(",")))


def names_callback(_ctx: click.Context, _param: click.Parameter, values: tuple[str, ...]) -> tuple[str, ...]:
    """Check names of distortions; `ALL` stays as it is, and stands alone."""
    names = words_of(values)
    if ALL in names:
        return (ALL,)
    for name in names:
        try:
            distortion(name)
        except InputError as error:
            raise click.BadParameter(str(error)) from None
    return tuple(names)


def severity_option(least: int, default: Sequence[float], says: str) -> Callable[[Command], Command]:
    """Give ``--severity``, which takes numbers with commas, or several times.

    Parameters
    ----------
    least : int
        0 if the image itself is one of them, else 1.
    """

    def checked(_ctx: click.Context, _param: click.Parameter, values: tuple[str, ...]) -> tuple[float, ...]:
        return tuple(dict.fromkeys(_severity(word, least) for word in words_of(values)))

    words = [f"{severity:g}" for severity in default]
    return click.option(
        "--severity",
        "severities",
        multiple=True,
        metavar="NUMBER,NUMBER...",
        callback=checked,
        default=words,
        help=f"{says}  [{','.join(words)}]",
    )


def _severity(word: str, least: int) -> float:
    try:
        severity = float(word)
    except ValueError:
        severity = math.nan
    if not (LOWEST <= severity <= HIGHEST or severity == least == 0):
        whole = ", or 0 for the image itself" if least == 0 else ""
        raise click.BadParameter(f"{word!r} is no number from {LOWEST} (just visible) to {HIGHEST} (very bad){whole}.")
    return severity


def bank_options(command: Command) -> Command:
    """Add the options that choose from the bank: distortion, severity, seed."""
    for decorate in (
        seed_option,
        severity_option(
            LOWEST, range(LOWEST, HIGHEST + 1), f"From {LOWEST}, just visible, to {HIGHEST}, very bad; also between."
        ),
        click.option(
            "--distortion",
            "names",
            multiple=True,
            metavar="NAME,NAME...|all",
            callback=names_callback,
            help="What to do to the images; --list tells what there is. Of grey images, 'all' leaves colours out.",
        ),
    ):
        command = decorate(command)
    return command


def seed_option(command: Command) -> Command:
    """Add ``--seed``."""
    return click.option(
        "--seed",
        type=click.IntRange(min=0),
        default=0,
        show_default=True,
        help="Of what is drawn at random; the same for all images.",
    )(command)


def chosen_rows(names: tuple[str, ...]) -> list[Distortion]:
    """Give the rows of the bank that names stand for, `ALL` for all of them."""
    return [distortion(name) for name in (distortions() if names == (ALL,) else names)]


def list_bank(*, as_json: bool) -> None:
    """Print the bank: every distortion with its parameter, its values at the five severities, and its formula."""
    if as_json:
        print_json([_record(row) for row in chosen_rows((ALL,))])
        return
    print_table(
        "Distortions; s is the parameter, x the image from 0, black, to 1, white",
        ["name", "family", "parameter", *(f"{severity}" for severity in range(LOWEST, HIGHEST + 1)), "what is done"],
        [list(_cells(row)) for row in chosen_rows((ALL,))],
        numbers=[f"{severity}" for severity in range(LOWEST, HIGHEST + 1)],
    )


def _record(row: Distortion) -> dict[str, Any]:
    record = {name: value for name, value in asdict(row).items() if name not in ("effect", "bounds", "levels")}
    return {**record, "levels": list(row.levels), "formula": row.description}


def _cells(row: Distortion) -> Iterator[str]:
    yield row.name
    yield row.family
    yield row.parameter if row.unit == "1" else f"{row.parameter} ({row.unit})"
    for level in row.levels:
        yield f"{level:g}"
    yield row.description.replace("``", "")
