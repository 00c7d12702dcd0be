"""Options that say how a diff-diff is computed and scored, for the commands that judge registrations."""

from __future__ import annotations

import math
from typing import Any

import click

from ..core.diffdiff.assessment import diff_diff_assess
from ..core.diffdiff.options import ILLUMINATIONS, MEDIANS, MOST_SMOOTH
from .options import Command, default_of

SCORING = ("border", "tol", "grid", "illumination", "smooth", "median")
"""Names of the options of `score_options`."""


def score_options(command: Command) -> Command:
    """Add the options of a diff-diff: border, tolerance, grid, correction of the light, smoothing, vote."""
    rows, columns = default_of(diff_diff_assess, "grid")
    for decorate in (
        click.option("--median", type=click.Choice(list(map(str, MEDIANS))), callback=_whole,
                     default=str(default_of(diff_diff_assess, "median")), show_default=True,
                     help="Let so many pixels in a square vote on what changed."),
        click.option("--smooth", type=click.FloatRange(0, MOST_SMOOTH), metavar="PIXELS",
                     help="Standard deviation of a blur of all images.  [1.5 for local illumination, else 0]"),
        click.option("--illumination", type=click.Choice(ILLUMINATIONS),
                     help="Take out differences of light: of each image its local mean and contrast (local), block by "
                     "block by the images before, from each difference by itself, or not.  "
                     f"[{default_of(diff_diff_assess, 'illumination')}]"),
        click.option("--grid", callback=_grid, default=f"{rows}x{columns}", show_default=True,
                     metavar="ROWSxCOLUMNS|none", help="Blocks that are scored one by one."),
        click.option("--tol", callback=_tolerance, metavar="auto|NUMBER",
                     help="Grey levels of 255 beyond which a pixel has changed.  [auto: from contrast and noise]"),
        click.option("--border", type=click.IntRange(min=0), default=default_of(diff_diff_assess, "border"),
                     show_default=True, metavar="PIXELS", help="Leave out the edge of the frame."),
    ):  # fmt: skip
        command = decorate(command)
    return command


def scoring_of(options: dict[str, Any]) -> dict[str, Any]:
    """Take the options of `score_options` out of all options.

    Returns
    -------
    dict
        Keyword arguments of `diff_diff_assess` and `diff_diff_score`. What is not given is not in it: it keeps the
        core's default.
    """
    found = {name: options.pop(name) for name in SCORING}
    # Of the grid None is a choice; of the others it is none.
    return {name: value for name, value in found.items() if value is not None or name == "grid"}


def _whole(_ctx: click.Context, _param: click.Parameter, value: str) -> int:
    return int(value)


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
