"""``iqmaps distort``: distorted copies of images, and the bank of distortions as a table and as a picture."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

import click

from ..core.errors import InputError, IqmapsError
from .bank import ALL, bank_options, chosen_rows, list_bank
from .batch import message_of
from .copies import Order, is_grey, make_copies, read_codes, without_copies
from .options import image_options, json_option, picture_file
from .report import Report
from .subjects import found_inputs, jobs_of


@click.command()
@click.argument("images", nargs=-1, metavar="IMAGES...")
@bank_options
@click.option(
    "--out",
    type=click.Path(file_okay=False, path_type=Path),
    metavar="FOLDER",
    is_eager=True,  # the sheet may lie in it
    help="Write the copies here (made if missing), as NAME_DISTORTION_SEVERITY.",
)
@click.option(
    "--sheet",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE.png",
    callback=picture_file,
    help="Show the first image in one picture: a row a distortion, a column a severity.",
)
@image_options
@click.option("--list", "lists", is_flag=True, help="Tell what there is, with parameters, values and formulas.")
@json_option
@click.option(
    "--resume/--overwrite",
    default=True,
    show_default=True,
    help="Keep the copies in --out that the same files and options made, or make all anew.",
)
@click.pass_context
def distort(
    ctx: click.Context,
    /,
    images: tuple[str, ...],
    names: tuple[str, ...],
    severities: tuple[float, ...],
    seed: int,
    out: Path | None,
    sheet: Path | None,
    data_range: tuple[float, float] | None,
    channel_axis: int | str,
    lists: bool,
    as_json: bool,
    resume: bool,
) -> None:
    """Make distorted copies of images, of stated kinds and severities.

    IMAGES are files, patterns ('scans/*.tif', quoted or not) and folders. Copies keep the type and the range of the
    values, in a format without loss: PNG for 8 and 16 bits, TIFF for TIFF, stacks and floating point. The same seed
    makes the same copies; each tells how it was made, and the same command goes on where it was stopped.
    """
    if lists:
        list_bank(as_json=as_json)
        return
    if not images:
        raise click.UsageError("Say which images to distort, or --list what there is.")
    if not names:
        raise click.UsageError("Say what to do to the images: --distortion NAME, or 'all'; --list tells the names.")
    if out is None and sheet is None:
        raise click.UsageError("Say where to write the copies: --out FOLDER, or --sheet FILE.png for one picture.")
    report = Report("distort", as_json=as_json)
    paths = found_inputs(images, report)
    if out is not None:
        paths = without_copies(paths, out, report)
    if sheet is not None and os.path.realpath(sheet) in map(os.path.realpath, paths):
        raise click.UsageError(f"{sheet} is an input and would be overwritten. Choose another --sheet.")
    order = Order(
        rows=chosen_rows(names),
        severities=severities,
        seed=seed,
        leaves_out=names == (ALL,),
        data_range=data_range,
        channel_axis=channel_axis,
        out=out or Path(),
        resume=resume,
    )
    status = 0 if out is None else make_copies(order, jobs_of(paths), report)
    if sheet is not None and status in (0, 1):
        status = max(status, _write_sheet(order, paths, sheet, report))
    ctx.exit(status)


def _write_sheet(order: Order, paths: Sequence[Path], sheet: Path, report: Report) -> int:
    from ..core.distortions.sheet import distortion_sheet

    path = paths[0]
    try:
        file = read_codes(path, order.channel_axis)
        rows = [row for row in order.rows if not (row.needs_colour and order.leaves_out and is_grey(file))]
        with report.bars(1):
            report.start(path)
            composed = distortion_sheet(
                file.array,
                [row.name for row in rows],
                order.severities,
                seed=order.seed,
                data_range=order.data_range or file.data_range,
                channel_axis=file.channel_axis,
                progress=report.tiles,
            )
    except (IqmapsError, OSError, MemoryError) as error:
        report.failure(path, message_of(error, path))
        return 1
    try:
        composed.write(sheet)
    except InputError as error:
        report.failure(sheet, message_of(error, sheet))
        return 1
    report.say(f"{path.name}{f', the first of {len(paths)} images,' if len(paths) > 1 else ''} is shown in {sheet}.")
    return 0
