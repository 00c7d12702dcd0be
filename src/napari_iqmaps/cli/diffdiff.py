"""``iqmaps diffdiff``: where a registration made it better or worse, and a verdict."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click

from ..core.diffdiff.records import COLUMNS
from ..core.errors import InputError
from ..core.registration.api import METHODS
from ..core.registration.matrix_file import load_matrix
from .batch import run
from .judging import KIND, LADDER, SHEET, Judge, Question
from .judging_rows import LAYOUT
from .options import image_options, output_options, picture_file, table_file
from .plans import Job, Plan, request_of
from .registering import MATCHES, MATRIX, MOTION, OVERLAY, REGISTERED, VALID, Motion, motion_options, partner, region
from .report import Report
from .scoring import score_options, scoring_of
from .subjects import SUFFIXES, Options, found_inputs, jobs_of

_JSON = (".json",)
_MASKS = ("auto", "border", "none")
_WAYS = ("registered", "matrix", "method")


def _mask(_ctx: click.Context, _param: click.Parameter, value: str) -> str:
    if value not in _MASKS and not Path(value).exists():
        raise click.BadParameter(f"{value!r} is none of {', '.join(_MASKS)}, nor a file or folder that exists.")
    return value


_FILE = click.Path(dir_okay=False, path_type=Path)
_PLACE = click.Path(exists=True, path_type=Path)


@click.command()
@click.argument("moving", nargs=-1, required=True, metavar="MOVING...")
@click.option(
    "--fixed",
    required=True,
    type=_PLACE,
    metavar="FILE|FOLDER",
    help="What was registered to: one image for all, or a folder with images of the same names.",
)
@click.option(
    "--registered",
    type=_PLACE,
    metavar="FILE|FOLDER",
    help="The registered image, on the pixels of the fixed one; or a folder of NAME or NAME_registered.",
)
@click.option(
    "--matrix",
    type=_PLACE,
    metavar="FILE|FOLDER",
    help="Instead: a matrix as 'iqmaps register' writes it, or a folder of NAME_matrix.json.",
)
@click.option(
    "--register",
    "method",
    type=click.Choice([name for name in METHODS if name != MATCHES]),
    help="Instead: register by this method, then judge.",
)
@motion_options
@click.option(
    "--valid",
    callback=_mask,
    default="auto",
    show_default=True,
    metavar="auto|border|none|FILE|FOLDER",
    help="Of --registered: which of its pixels count. White pixels of a mask; all but a black border; all. "
    "'auto' takes NAME_valid beside the image, where there is one.",
)
@score_options
@click.option("--region", callback=region, metavar="TOP:BOTTOM,LEFT:RIGHT", help="Look only here, in pixels.")
@click.option(
    "--compat",
    type=click.Choice(["notebook"]),
    help="Give the numbers of the notebook that this comes from, bugs included; no maps.",
)
@click.option("--blocks", type=_FILE, metavar="FILE.csv", callback=table_file, help="Write the scores of all blocks.")
@click.option(
    "--sheet",
    type=_FILE,
    metavar="FILE.png",
    callback=picture_file,
    help="Show all in one picture: overlays, map, histogram, blocks, verdict. Of several images FILE_NAME.",
)
@click.option(
    "--ladder",
    type=_FILE,
    metavar="FILE.png",
    callback=picture_file,
    help="Show what changed beyond nine tolerances, up to the largest changes. Of several images FILE_NAME.",
)
@image_options
@output_options
@click.pass_context
def diffdiff(
    ctx: click.Context, /, moving: tuple[str, ...], fixed: Path, valid: str, as_json: bool, **options: Any
) -> None:  # fmt: skip
    """Map where a registration made it better or worse, and judge it.

    MOVING are files, patterns ('frames/*.png', quoted or not) and folders: the images before registration. Say what
    became of them: --registered, --matrix or --register. A value of the map is the difference to the fixed image before
    registration less that after it: above 0 it got better. The score is the share of the changed pixels that did.
    """
    ways = {name: options.pop(name) for name in _WAYS}
    if sum(way is not None for way in ways.values()) != 1:
        raise click.UsageError("Say what became of the images by one of --registered, --matrix and --register.")
    if ways["registered"] is None:
        _only_of(ctx, "--registered", "valid")
    if ways["method"] is None:
        _only_of(ctx, "--register", *(name for name in MOTION if name != "method"))
    further = {name: options.pop(name) for name in MOTION if name != "method"}
    motion = None if ways["method"] is None else Motion(method=ways["method"], **further)
    pictures = {name: path for name in (SHEET, LADDER) if (path := options.pop(name)) is not None}
    blocks, where = options.pop("blocks"), options.pop("region")
    if (compat := options.pop("compat")) and valid == "auto":
        valid = "none"  # which it has no mask for
    judging = {**scoring_of(options), **({"compat": compat} if compat else {})}
    chosen = Options(model=None, weights=None, device="cpu", tile=None, **options)
    if "compat" in judging and (pictures or chosen.out is not None):
        raise click.UsageError("--compat gives scores alone: leave out --out, --sheet and --ladder.")
    if chosen.out is None and (pictures or blocks):
        # Rows of a table cannot vouch for pictures.
        chosen = _without_resume(chosen)
    report = Report("diffdiff", as_json=as_json)
    paths = found_inputs(moving, report, further=(REGISTERED, VALID, OVERLAY))
    jobs = [_with_partners(job, fixed, ways["registered"], ways["matrix"], valid) for job in jobs_of(paths)]
    question = Question(
        judging=judging, motion=motion, region=where, finds_border=valid == "border", pictures=pictures, blocks=blocks,
        names_pictures=len(jobs) > 1,
    )  # fmt: skip
    _refuse_overwriting(question, jobs)
    judge = Judge(question, chosen)
    status = run(_plan(judge), jobs, report)
    judge.write_blocks()
    ctx.exit(status)


def _only_of(ctx: click.Context, option: str, *names: str) -> None:
    for name in names:
        if ctx.get_parameter_source(name) == click.core.ParameterSource.COMMANDLINE:
            raise click.UsageError(f"--{name.replace('_', '-')} belongs to {option}.")


def _without_resume(chosen: Options) -> Options:
    from dataclasses import replace

    return replace(chosen, resume=False)


def _with_partners(job: Job, fixed: Path, registered: Path | None, matrix: Path | None, valid: str) -> Job:
    others: dict[str, Path | InputError] = {"fixed": partner(job.path, fixed)}
    if matrix is not None:
        others["matrix"] = partner(job.path, matrix, MATRIX, _JSON)
    if registered is not None:
        found = others["registered"] = _registered(job.path, registered)
        if valid == "auto":
            beside = found.with_name(f"{job.path.stem}_{VALID}.png") if isinstance(found, Path) else None
            if beside is not None and beside.is_file():
                others["valid"] = beside
        elif valid not in _MASKS:
            others["valid"] = partner(job.path, Path(valid), VALID)
    return Job(job.path, job.name, others)


def _registered(moving: Path, given: Path) -> Path | InputError:
    """Find a registered image; where it was refused, give the reason."""
    found = partner(moving, given, REGISTERED)
    if isinstance(found, Path):
        return found
    try:
        record = load_matrix(given / f"{moving.stem}_{MATRIX}.json")
    except InputError:
        return found
    return found if record.accepted else InputError(f"{moving.name} was not registered: {record.reason}")


def _refuse_overwriting(question: Question, jobs: Sequence[Job]) -> None:
    read = {
        os.path.realpath(path) for job in jobs for path in (job.path, *job.others.values()) if isinstance(path, Path)
    }
    written = [question.picture(what, job) for what in question.pictures for job in jobs]
    for path in (*written, *([question.blocks] if question.blocks else [])):
        if os.path.realpath(path) in read:
            raise click.UsageError(f"{path} is an input and would be overwritten. Choose another name.")


def _plan(judge: Judge) -> Plan:
    question, options = judge.question, judge.options
    place = None if question.region is None else [[part.start, part.stop] for part in question.region]
    request = request_of(
        kind=KIND, **question.judging, region=place, finds_border=question.finds_border,
        motion=None if question.motion is None else question.motion.options(),
        pictures={name: str(path) for name, path in question.pictures.items()}, blocks=question.blocks is not None,
        data_range=options.data_range, channel_axis=options.channel_axis,
    )  # fmt: skip
    return Plan(
        kind=KIND,
        maps=() if "compat" in question.judging else (KIND,),
        request=request,
        compute=judge.compute,
        prepare=lambda: None,
        out=options.out,
        suffixes=SUFFIXES[options.formats],
        table=options.table,
        resume=options.resume,
        layout=LAYOUT,
        columns=COLUMNS,
        kept_row=judge.kept_row,
    )
