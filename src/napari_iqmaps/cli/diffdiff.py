"""``iqmaps diffdiff``: where a registration made it better or worse, and a verdict."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import click
import numpy as np

from ..core.diffdiff import DiffDiffScore, diff_diff_assess, diff_diff_score
from ..core.diffdiff.images import inside_black_border
from ..core.diffdiff.verdict import COLUMNS
from ..core.errors import InputError
from ..core.images import as_planes, range_for
from ..core.io.reading import read_image
from ..core.io.records import Fields
from ..core.io.score_table import write_scores
from ..core.maps import QualityMap
from ..core.names import escaped, file_name
from ..core.progress import Progress
from ..core.registration import Registration
from ..core.registration.matrix_file import load_matrix
from ..core.registration.search import METHODS, register
from ..core.registration.series import RegistrationSeries, register_series
from ..core.score_columns import plain
from .engine import Answer, Plan, maps_plan, rows_there, run
from .inputs import Images, Options, Reader, found_inputs, on_grid, partner, request_of, with_notes
from .jobs import Job, jobs_of
from .options import (
    MOTION,
    PIXELS,
    core_options,
    given_only_with,
    motion_options,
    output_options,
    picture_file,
    score_options,
    scoring_of,
    table_file,
)
from .register import MATCHES, MATRIX, OVERLAY, REGISTERED, VALID, Motion
from .report import FILE, Column, Layout, Report, Row, correlation, number, shown_by_folder

KIND = "diff_diff"

BLOCK = "diff_diff_block"
"""What a row of the table of blocks is about."""

SHEET, LADDER = "sheet", "ladder"

_JSON = (".json",)
_MASKS = ("auto", "border", "none")
_WAYS = ("registered", "matrix", "method")
_UNIT = "share of the changed pixels that got better"
_ROW, _BLOCKS = "judged", "block_rows"
_GIVEN = "given image"
_TOO_FEW = "too few pixels changed here"


def _mask(_ctx: click.Context, _param: click.Parameter, value: str) -> str:
    if value not in _MASKS and not Path(value).exists():
        raise click.BadParameter(f"{value!r} is none of {', '.join(_MASKS)}, nor a file or folder that exists.")
    return value


def _region(_ctx: click.Context, _param: click.Parameter, value: str | None) -> tuple[slice, slice] | None:
    """Read ``TOP:BOTTOM,LEFT:RIGHT``, as a callback of an option; either number of a pair may be left out."""
    if value is None:
        return None
    try:
        rows, columns = (part.split(":") for part in value.split(","))
        found = tuple(slice(*(int(number) if number.strip() else None for number in pair)) for pair in (rows, columns))
        if len(rows) != 2 or len(columns) != 2:
            raise ValueError
    except ValueError:
        raise click.BadParameter(f"{value!r} is not TOP:BOTTOM,LEFT:RIGHT in pixels, as in 300:450,190:310.") from None
    return found[0], found[1]


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
    help="Judge this registered image, on the pixels of the fixed one; or a folder of NAME or NAME_registered.",
)
@click.option(
    "--matrix",
    type=_PLACE,
    metavar="FILE|FOLDER",
    help="Judge a motion instead: a matrix as 'iqmaps register' writes it, or a folder of NAME_matrix.json.",
)
@click.option(
    "--register",
    "method",
    type=click.Choice([name for name in METHODS if name != MATCHES]),
    help="Register by this method first, then judge.",
)
@motion_options
@click.option(
    "--valid",
    callback=_mask,
    default="auto",
    show_default=True,
    metavar="auto|border|none|FILE|FOLDER",
    help="Which pixels of --registered count: the white ones of a mask; all but a black border; all. "
    "'auto' takes NAME_valid beside the image, where there is one.",
)
@score_options
@click.option("--region", callback=_region, metavar="TOP:BOTTOM,LEFT:RIGHT", help="Look only here, in pixels.")
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
    help="Show all in one picture: overlays, map, histogram, blocks, verdict. "
    "With several images each has its own, such as sheet_NAME.png.",
)
@click.option(
    "--ladder",
    type=_FILE,
    metavar="FILE.png",
    callback=picture_file,
    help="Show what changed beyond nine tolerances, up to the largest changes. "
    "With several images each has its own, such as ladder_NAME.png.",
)
@core_options(diff_diff_assess, *PIXELS)
@output_options
@click.pass_context
def diffdiff(
    ctx: click.Context, /, moving: tuple[str, ...], fixed: Path, valid: str, as_json: bool, **options: Any
) -> None:
    """Map where a registration made it better or worse, and judge it.

    MOVING are files, patterns ('frames/*.png', quoted or not) and folders: the images before registration. Say what
    became of them: --registered, --matrix or --register. A value of the map is the difference to the fixed image before
    registration less that after it: above 0 it got better. The score is the share of the changed pixels that did.
    """
    ways = {name: options.pop(name) for name in _WAYS}
    if sum(way is not None for way in ways.values()) != 1:
        raise click.UsageError("Say what became of the images by one of --registered, --matrix and --register.")
    if ways["registered"] is None:
        given_only_with(ctx, "--registered", "valid")
    if ways["method"] is None:
        given_only_with(ctx, "--register", *MOTION)
    further = {name: options.pop(name) for name in MOTION}
    motion = None if ways["method"] is None else Motion(method=ways["method"], **further)
    pictures = {name: path for name in (SHEET, LADDER) if (path := options.pop(name)) is not None}
    blocks, where = options.pop("blocks"), options.pop("region")
    if (compat := options.pop("compat")) and valid == "auto":
        valid = "none"  # which it has no mask for
    judging = {**scoring_of(options), **({"compat": compat} if compat else {})}
    chosen = Options(**options)
    if "compat" in judging and (pictures or chosen.out is not None):
        raise click.UsageError("--compat gives scores alone: leave out --out, --sheet and --ladder.")
    if chosen.out is None and (pictures or blocks):
        # Rows of a table cannot vouch for pictures.
        chosen = replace(chosen, resume=False)
    report = Report("diffdiff", as_json=as_json)
    paths = found_inputs(moving, report, further=(REGISTERED, VALID, OVERLAY))
    jobs = [_with_partners(job, fixed, ways["registered"], ways["matrix"], valid) for job in jobs_of(paths)]
    question = Question(
        judging=judging,
        motion=motion,
        region=where,
        finds_border=valid == "border",
        pictures=pictures,
        blocks=blocks,
        names_pictures=len(jobs) > 1,
    )
    if blocks is not None:
        rows_there(blocks, COLUMNS, force=chosen.force)  # refuses what is no table
    judge = Judge(question, chosen)
    status = run(judge.plan(), jobs, report).status
    judge.write_blocks()
    ctx.exit(status)


def _with_partners(job: Job, fixed: Path, registered: Path | None, matrix: Path | None, valid: str) -> Job:
    others: dict[str, Path | InputError] = {"fixed": partner(job.path, fixed, "fixed image", other=True)}
    if matrix is not None:
        others["matrix"] = partner(job.path, matrix, "matrix", ending=MATRIX, suffixes=_JSON)
    if registered is not None:
        found = others["registered"] = _registered(job.path, registered)
        if valid == "auto":
            beside = found.with_name(f"{job.path.stem}_{VALID}.png") if isinstance(found, Path) else None
            if beside is not None and beside.is_file():
                others["valid"] = beside
        elif valid not in _MASKS:
            others["valid"] = partner(job.path, Path(valid), "mask", ending=VALID)
    return Job(job.path, job.name, others)


def _registered(moving: Path, given: Path) -> Path | InputError:
    """Find a registered image; where it was refused, give the reason."""
    found = partner(moving, given, "registered image", ending=REGISTERED)
    if isinstance(found, Path):
        return found
    try:
        record = load_matrix(given / f"{moving.stem}_{MATRIX}.json")
    except InputError:
        return found
    return found if record.accepted else InputError(f"{moving.name} was not registered: {record.reason}")


# --- judging


@dataclass(frozen=True, kw_only=True)
class Question:
    """What is asked of every pair.

    Attributes
    ----------
    judging : mapping
        Keyword arguments of `napari_iqmaps.diff_diff_score` beside images, masks and pixels.
    motion : Motion or None
        How to find the motion, where it is not given as a file.
    finds_border : bool
        Whether the black border of a registered image is taken for outside.
    pictures : mapping
        ``"sheet"`` and ``"ladder"`` to the file that is asked for, if it is.
    names_pictures : bool
        Whether a picture's name takes in that of its image: there are several.
    """

    judging: Mapping[str, Any]
    motion: Motion | None
    region: tuple[slice, slice] | None
    finds_border: bool
    pictures: Mapping[str, Path]
    blocks: Path | None
    names_pictures: bool

    def picture(self, what: str, job: Job) -> Path:
        """Name the file of a picture."""
        path = self.pictures[what]
        return path.with_name(file_name(f"{path.stem}_{job.name}", path.suffix)) if self.names_pictures else path


@dataclass(frozen=True, eq=False)
class _Case:
    """What is judged: three images of one size, which pixels of them, and how the motion was found."""

    images: Images
    moving: Any
    registered: Any
    fixed: Any
    valid: Any
    how: Mapping[str, Any]


@dataclass
class Judge:
    """Judges one job after the other.

    `options`: what else the command line says: pixels, folder.
    """

    question: Question
    options: Options
    blocks: list[dict[str, Any]] = field(default_factory=list)
    reader: Reader = field(init=False)

    def __post_init__(self) -> None:
        self.reader = Reader(self.options)

    def plan(self) -> Plan[Job]:
        """Give the plan of the batch."""
        question, options = self.question, self.options
        place = None if question.region is None else [[part.start, part.stop] for part in question.region]
        request = request_of(
            kind=KIND,
            **question.judging,
            region=place,
            finds_border=question.finds_border,
            motion=None if question.motion is None else question.motion.options(),
            pictures={name: str(path) for name, path in question.pictures.items()},
            blocks=question.blocks is not None,
            data_range=options.data_range,
            channel_axis=options.channel_axis,
        )
        return maps_plan(
            KIND,
            options,
            self.compute,
            request=request,
            layout=_LAYOUT,
            columns=COLUMNS,
            maps=() if "compat" in question.judging else (KIND,),
            kept_row=self.kept_row,
            beside=lambda job: [question.picture(what, job) for what in question.pictures],
            further=[] if question.blocks is None else [question.blocks],
        )

    def compute(self, job: Job, progress: Progress) -> Answer:
        """Judge a registration; the `compute` of `maps_plan`."""
        case = self._case(job, progress)
        known = {**case.images.known, "valid": case.valid, "region": self._region(case), "progress": progress}
        if "compat" in self.question.judging:
            score = diff_diff_score(case.moving, case.registered, case.fixed, **known, **self.question.judging)
            self.blocks += _block_rows(score, job)
            return Answer((), self._row(score, case))
        found = diff_diff_assess(case.moving, case.registered, case.fixed, **known, **self.question.judging)
        row, blocks = self._row(found.score, case), _block_rows(found.score, job)
        self.blocks += blocks
        beside = self._draw(job, case, found.maps["diff_diff"], found.score)
        extra = {_BLOCKS: blocks} if self.question.blocks is not None else {}
        info = {
            **found.maps["diff_diff"].info,
            **case.how,
            _ROW: row,
            **extra,
            **({"beside": beside} if beside else {}),
        }
        return Answer((with_notes(replace(found.maps["diff_diff"], info=info), *case.images.files, on=1),), row)

    def kept_row(self, records: Sequence[Mapping[str, Any]]) -> Mapping[str, Any]:
        """Give the row of a map that was made before; the `kept_row` of `maps_plan`."""
        info = Fields(records[0]["info"], "The record of a map")
        blocks = info.values.get(_BLOCKS, [])
        row: Mapping[str, Any] = info.record(_ROW).values
        if not isinstance(blocks, list) or not all(isinstance(block, Mapping) for block in blocks):
            info.refuse(_BLOCKS, "a list of rows")
        self.blocks += blocks
        return row

    def write_blocks(self) -> None:
        """Write the table of blocks, if it is asked for."""
        if self.question.blocks is not None:
            write_scores(self.blocks, self.question.blocks, COLUMNS)

    def _case(self, job: Job, progress: Progress) -> _Case:
        moving, fixed = job.path, job.others["fixed"]
        assert isinstance(fixed, Path)
        given, matrix = job.others.get("registered"), job.others.get("matrix")
        if isinstance(given, Path):
            images = self.reader.images(moving, fixed, given)
            how: dict[str, Any] = {"registered_by": _GIVEN}
            mask = self._mask(job)
            if mask is None and "compat" not in self.question.judging and (black := _black_edge(images)):
                how["note"] = f"{black:.1%} of the registered image, at its edge, is black and counts; see --valid"
            return self._same_size(images, images.arrays[2], mask, how)
        images = self.reader.images(moving, fixed)
        if isinstance(matrix, Path):
            found = _moved(images, matrix)
        else:
            assert self.question.motion is not None
            options = {**images.known, **self.question.motion.options()}
            if images.is_stack(0):
                return _frames(images, register_series(*images.arrays, progress=progress, **options))
            found = register(images.arrays[0], images.arrays[1], progress=progress, **options)
        if not found.accepted:
            raise InputError(f"There is no registration to judge: {found.reason}")
        how = {"registered_by": found.method, "matrix": found.matrix.tolist(), "inliers": found.inliers}
        return self._same_size(images, found.registered, found.valid, how)

    def _same_size(self, images: Images, registered: Any, valid: Any, how: Mapping[str, Any]) -> _Case:
        """Put a moving image of another size on the pixels of the fixed one: before, it lies at its corner."""
        moving, fixed = images.arrays[:2]
        here = None
        shape = images.size(1)
        if not images.is_stack(0):
            moving, here = on_grid(moving, shape, images.channel_axis)
        if here is not None:
            if isinstance(valid, str):
                raise InputError(
                    f"{images.files[0].path.name} and {images.files[1].path.name} differ in size, so a mask has to say "
                    "which pixels count. Give --valid FILE, or --matrix."
                )
            valid = here if valid is None else valid & here
        return _Case(images, moving, registered, fixed, valid, how)

    def _mask(self, job: Job) -> Any:
        """Give the pixels that a registered image has: a mask, "border", or None for all."""
        path = job.others.get("valid")
        if isinstance(path, Path):
            file = read_image(path, most_pixels=self.options.most_pixels)
            return np.asarray(file.array if file.channel_axis is None else file.array.max(axis=file.channel_axis)) > 0
        return "border" if self.question.finds_border else None

    def _region(self, case: _Case) -> Any:
        if self.question.region is None:
            return None
        inside = np.zeros(case.images.size(1), bool)
        inside[self.question.region] = True
        if not inside.any():
            height, width = inside.shape
            raise InputError(f"The region has no pixel in an image of {height} x {width} (rows, columns).")
        return inside

    def _row(self, score: DiffDiffScore, case: _Case) -> dict[str, Any]:
        notes = case.images.notes + ([case.how["note"]] if "note" in case.how else [])
        if "span_remark" in score.info and score.info["span_remark"] not in score.reason:
            notes.append(score.info["span_remark"])
        row = {
            "kind": KIND, **score.row(), "unit": _UNIT, "registered_by": case.how["registered_by"],
            "sentence": score.sentence(), "not_enough_evidence": "" if score.scored else score.reason,
            **({"notes": list(dict.fromkeys(notes))} if notes else {}),
        }  # fmt: skip
        if len(score.planes) > 1:
            row |= {
                "planes": [plane.score for plane in score.planes],
                "planes_verdict": "; ".join(plane.verdict for plane in score.planes),
            }
        plainly: dict[str, Any] = plain(row)
        return plainly

    def _draw(self, job: Job, case: _Case, quality_map: QualityMap, score: DiffDiffScore) -> list[str]:
        """Write the pictures that are asked for, and name them as the folder of maps sees them."""
        if not self.question.pictures:
            return []
        from ..core.diffdiff.sheet import write_diffdiff_sheet, write_ladder

        shown = _shown(job, case, quality_map, score)
        paths = []
        for what, write in ((SHEET, write_diffdiff_sheet), (LADDER, write_ladder)):
            if what in self.question.pictures:
                paths.append(write(shown, self.question.picture(what, job)))
        return [escaped(_seen_from(self.options.out, path)) for path in paths]


def _black_edge(images: Images) -> float:
    """Give the share of a registered image that looks like nothing but a border of it."""
    if images.is_stack(2):
        return 0.0
    inside = inside_black_border(_grey_plane(images.arrays[2], (), images))
    return 0.0 if inside is None else 1 - float(inside.mean())


def _frames(images: Images, series: RegistrationSeries) -> _Case:
    """Judge all frames of a series; one that was refused is judged as it is, which changes nothing."""
    refused = np.flatnonzero(~series.accepted)
    if len(refused) == len(series):
        raise InputError(f"There is no registration to judge: {series.frames[0].reason}")
    how: dict[str, Any] = {"registered_by": series.info["method"], "matrix": series.matrices.tolist()}
    if refused.size:
        how["note"] = f"registration was refused for frame {', '.join(map(str, refused))}"
    moving, valid, axis = images.arrays[0], series.valid, images.channel_axis
    shape = images.size(1)
    if images.size(0) != shape:
        own = axis if axis is None or axis < 0 else axis - 1  # of a frame
        placed = [on_grid(frame, shape, own) for frame in moving]
        moving, valid = np.stack([frame for frame, _ in placed]), valid & placed[0][1]
    return _Case(images, moving, series.registered, images.arrays[1], valid, how)


def _moved(images: Images, path: Path) -> Registration:
    """Move the moving image by the matrix of a file."""
    record = load_matrix(path)
    if not record.accepted:
        raise InputError(f"{path} holds no motion: the registration was refused ({record.reason}).")
    fixed = images.size(1)
    moved: Registration = record.apply(images.arrays[0], fixed_shape=fixed, channel_axis=images.channel_axis)
    return moved


def _block_rows(score: DiffDiffScore, job: Job) -> list[dict[str, Any]]:
    names = {"file": str(job.path), "fixed": str(job.others["fixed"]), "kind": BLOCK}
    return [
        plain({**names, **block.features(), "unit": _UNIT, "not_enough_evidence": "" if block.scored else _TOO_FEW})
        for block in score.blocks
    ]


def _shown(job: Job, case: _Case, quality_map: QualityMap, score: DiffDiffScore) -> Any:
    """Choose what a picture shows: of a stack the plane that got worst."""
    from ..core.diffdiff.sheet import Shown

    values = np.asarray(quality_map.values)
    lead = values.shape[:-2]
    softs = [plane.soft for plane in score.planes]
    chosen = int(np.nanargmin(softs)) if np.isfinite(softs).any() else 0
    index = tuple(int(number) for number in np.unravel_index(chosen, lead)) if lead else ()
    title = f"{escaped(job.path.name)} on {escaped(Path(str(job.others['fixed'])).name)}, {_how(case.how)}"
    if lead:
        title += f"; plane {', '.join(map(str, index))}, the worst of {len(score.planes)}"
    moving, registered, fixed = (
        _grey_plane(array, index, case.images) for array in (case.moving, case.registered, case.fixed)
    )
    return Shown(moving, registered, fixed, values[index], score.planes[chosen], title)


def _how(how: Mapping[str, Any]) -> str:
    by = how["registered_by"]
    return "registered as given" if by == _GIVEN else f"registered by {by}"


def _grey_plane(array: Any, index: tuple[int, ...], images: Images) -> Any:
    axis, (_, fixed, *_) = images.channel_axis, images.arrays
    used = range_for(fixed, images.data_range, channel_axis=axis, name="fixed image")
    planes = as_planes(array, channel_axis=axis, data_range=used)
    return planes.read(index if len(planes.shape) > 2 else (), slice(None), slice(None))


def _seen_from(out: Path | None, path: Path) -> str:
    try:
        return os.path.relpath(path, out)
    except ValueError:  # another drive
        return os.path.abspath(path)  # noqa: PTH100 - a text


# --- rows on a screen: the verdict first, and what it rests on


def _score(row: Row) -> str:
    if row.get("error"):
        return ""
    low, high = row.get("score_low"), row.get("score_high")
    between = "" if low is None or high is None else f" ({low:.2f} to {high:.2f})"
    return "none" if row["score"] is None else f"{row['score']:.2f}{between}"


def _changed(row: Row) -> str:
    return "" if row.get("count") is None else f"{row['count']:,}"


def _blocks(row: Row) -> str:
    if row.get("blocks_better") is None:
        return ""
    return f"{row['blocks_better']} / {row['blocks_worse']}"


def _remark(row: Row) -> str:
    if row.get("error"):
        return str(row["error"])
    return "; ".join(filter(None, [row.get("reason") or "", *row.get("notes", ())]))


def _said(rows: Sequence[Row]) -> str:
    return str(rows[0].get("verdict") or number(rows[0]["score"]))


_LAYOUT = Layout(
    "Diff-diff: evidence (-1 worse to 1 better), share of the changed pixels that got better (90 %), local correlation",
    (
        FILE,
        Column("verdict", lambda row: str(row.get("verdict", ""))),
        Column(
            "evidence", lambda row: "" if row.get("evidence") is None else f"{row['evidence']:+.2f}", is_number=True
        ),
        Column("score", _score, is_number=True),
        Column("changed", _changed, is_number=True),
        Column("blocks +/-", _blocks, is_optional=True),
        Column("correlation", correlation),
        Column("written to", shown_by_folder, is_optional=True),
        Column("remark", _remark, is_optional=True),
    ),
    lambda row: row.get("sentence", ""),
    said=_said,
)
