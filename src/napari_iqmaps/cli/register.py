"""``iqmaps register``: bring images onto the pixel grid of another one, or refuse with a reason."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click
import numpy as np

from ..core.errors import InputError, IqmapsError
from ..core.registration.search import register as core
from ..core.registration.series import register_series
from .inputs import output_names
from .options import default_of, image_options, table_options
from .plans import Job
from .registering import (
    MATCHES,
    MOTION,
    OVERLAY,
    REGISTERED,
    VALID,
    Motion,
    method_option,
    motion_options,
    partner,
)
from .registrations import Order, register_all
from .report import Report
from .subjects import Options, found_inputs, read

_TABLES = (".csv", ".txt")


@click.command()
@click.argument("moving", nargs=-1, required=True, metavar="MOVING...")
@click.option(
    "--fixed",
    type=click.Path(exists=True, path_type=Path),
    metavar="FILE|FOLDER",
    help="What to register to: one image for all, or a folder with images of the same names. Without it, frames of a "
    "stack are registered to the first.",
)
@method_option("--method", default=None, help="How the motion is found.  [auto, or what the matches say]")
@motion_options
@click.option(
    "--to",
    type=click.Choice(["first", "previous"]),
    default=default_of(register_series, "to"),
    show_default=True,
    help="Of a stack: compare each frame with the first (or --fixed), or with the one before it.",
)
@click.option(
    "--matches",
    type=click.Path(exists=True, path_type=Path),
    metavar="FILE|FOLDER",
    help="Matched points as DeepMatching writes them (x_1 y_1 x_2 y_2 score index), or a folder of NAME_matches.csv.",
)
@click.option(
    "--deepmatching", metavar="PROGRAM", help="Match points with this program: DeepMatching, which you have installed."
)
@click.option(
    "--out",
    type=click.Path(file_okay=False, path_type=Path),
    metavar="FOLDER",
    is_eager=True,  # the table may lie in it
    help="Write here (made if missing) NAME_registered, NAME_valid and NAME_matrix.json. Without it only a table.",
)
@click.option("--overlay", is_flag=True, help="Draw before and after, red on green, as NAME_overlay.png.")
@click.option("--strict", is_flag=True, help="Exit with status 1 if a registration was refused.")
@image_options
@table_options
@click.pass_context
def register(
    ctx: click.Context,
    /,
    moving: tuple[str, ...],
    fixed: Path | None,
    matches: Path | None,
    to: str,
    deepmatching: str | None,
    overlay: bool,
    strict: bool,
    as_json: bool,
    **options: Any,
) -> None:
    """Register images to another one, or refuse with a reason.

    MOVING are files, patterns ('frames/*.png', quoted or not) and folders; a stack is a series. A registered image
    keeps its type and its colours and lies on the pixels of the fixed one; NAME_valid says where it has any. The
    matrix, moving (x, y) to fixed (x, y), stands in NAME_matrix.json. What the images do not bear out is refused: that
    is a result, with its reason in the table, and no image is written.
    """
    motion = _motion(options, has_matches=matches is not None or deepmatching is not None)
    chosen = Options(model=None, weights=None, device="cpu", tile=None, **options)
    if matches is not None and deepmatching is not None:
        raise click.UsageError("--matches and --deepmatching are two ways to one thing. Drop one of the two.")
    if overlay and chosen.out is None:
        raise click.UsageError("--overlay goes into --out FOLDER.")
    report = Report("register", as_json=as_json)
    paths = found_inputs(moving, report, further=(REGISTERED, VALID, OVERLAY))
    if matches is not None and len(paths) > 1 and not matches.is_dir():
        raise click.UsageError("Matched points are of one pair. Give a folder of NAME_matches.csv to --matches.")
    if fixed is None:
        _refuse_planes(paths, chosen)
    order = Order(motion=motion, options=chosen, to=to, deepmatching=deepmatching, overlay=overlay, strict=strict)
    ctx.exit(register_all(order, _jobs(paths, fixed, matches), report))


def _motion(options: dict[str, Any], *, has_matches: bool) -> Motion:
    method = options.pop("method")
    if has_matches and method not in (None, MATCHES):
        raise click.UsageError(f"Matched points are for --method matches, not {method}.")
    if method == MATCHES and not has_matches:
        raise click.UsageError("--method matches needs --matches FILE or --deepmatching PROGRAM.")
    method = method or (MATCHES if has_matches else default_of(core, "method"))
    return Motion(method=method, **{name: options.pop(name) for name in MOTION if name != "method"})


def _refuse_planes(paths: Sequence[Path], options: Options) -> None:
    """Say once, and not of each image, that there is nothing to register to."""
    planes = []
    for path in paths:
        try:
            file = read(path, options.channel_axis)
        except IqmapsError:
            continue  # to be told in its turn
        if np.ndim(file.array) - (file.channel_axis is not None) > 2:
            return
        planes.append(path)
    if planes:
        those = f"{planes[0]} has" if len(planes) == 1 else f"All {len(planes)} images have"
        raise click.UsageError(
            f"{those} one plane. Say what to register to: --fixed FILE"
            f"{f', such as --fixed {planes[0]}' if len(planes) > 1 else ''}."
        )


def _jobs(paths: Sequence[Path], fixed: Path | None, matches: Path | None) -> list[Job]:
    jobs = []
    for path, name in zip(paths, output_names(paths), strict=True):
        others: dict[str, Path | InputError] = {}
        if fixed is not None:
            others["fixed"] = partner(path, fixed)
        if matches is not None:
            others[MATCHES] = partner(path, matches, MATCHES, _TABLES)
        jobs.append(Job(path, name, others))
    return jobs
