"""``iqmaps register``: bring images onto the pixel grid of another one, or refuse with a reason."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import click
import numpy as np

from ..core.errors import InputError
from ..core.io.image_file import ImageFile
from ..core.io.score_table import write_scores
from ..core.names import escaped, unescaped
from ..core.registration import Registration, search
from ..core.registration.external import check_installed
from ..core.registration.record import COLUMNS
from ..core.registration.series import RegistrationSeries, register_series
from ..core.score_columns import plain, range_cells
from .engine import Plan, Turn, rows_there, run
from .inputs import Images, Options, Reader, found_inputs, on_grid, output_names, partner, request_of
from .jobs import Job, is_made, record_at, same_made
from .options import MOTION, PIXELS, core_options, default_of, motion_options, out_option, table_options
from .report import FILE, Column, Layout, Report, Row, correlation, shown_by_folder

KIND = "registration"
"""What a row is about."""

REGISTERED, VALID, MATRIX, OVERLAY = "registered", "valid", "matrix", "overlay"
"""What ends the names of files that belong to a registration."""

FRAMES = "frames"
"""What ends the name of the table of a series."""

MATCHES = "matches"
"""What ends the name of a table of matched points, and the method that takes it."""

_IMAGES = (f"{REGISTERED}.png", f"{REGISTERED}.tif", f"{VALID}.png", f"{VALID}.tif", f"{OVERLAY}.png")
_TABLES = (".csv", ".txt")
_UNIT = "local correlation with the fixed image after registration, -1 to 1"
_REFERENCE = "the frame that the others are registered to"
_MOST_NAMED = 5


@dataclass(frozen=True, kw_only=True)
class Motion:
    """How the motion between two images is to be found, as the options of `motion_options` name it."""

    method: str
    transform: str
    max_shift: float | None
    min_overlap: float
    min_inliers: int
    seed: int

    def __post_init__(self) -> None:
        check_installed(self.method)  # once, and not for each image

    def options(self) -> dict[str, Any]:
        """Give the keyword arguments of `napari_iqmaps.register`."""
        return {name: getattr(self, name) for name in self.__dataclass_fields__}


@click.command()
@click.argument("moving", nargs=-1, required=True, metavar="MOVING...")
@click.option(
    "--fixed",
    type=click.Path(exists=True, path_type=Path),
    metavar="FILE|FOLDER",
    help="What to register to: one image for all, or a folder with images of the same names. Without it, frames of a "
    "stack are registered to the first.",
)
@click.option(
    "--method", type=click.Choice(search.METHODS), help="How the motion is found.  [auto, or what the matches say]"
)
@motion_options
@core_options(
    register_series,
    "to",
    to={"help": "Of a stack: compare each frame with the first (or --fixed), or with the one before it."},
)
@click.option(
    "--matches",
    type=click.Path(exists=True, path_type=Path),
    metavar="FILE|FOLDER",
    help="Take matched points as DeepMatching writes them (x_1 y_1 x_2 y_2 score index), or a folder of "
    "NAME_matches.csv.",
)
@click.option(
    "--deepmatching", metavar="PROGRAM", help="Match points with this program: DeepMatching, which you have installed."
)
@out_option("Write here (made if missing) NAME_registered, NAME_valid and NAME_matrix.json. Without it only a table.")
@click.option("--overlay", is_flag=True, help="Draw before and after, magenta on green, as NAME_overlay.png.")
@click.option("--strict", is_flag=True, help="Exit with status 1 if a registration was refused.")
@core_options(search.register, *PIXELS)
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
    chosen = Options(**options)
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
    wanted = _Registrations(motion=motion, options=chosen, to=to, deepmatching=deepmatching, overlay=overlay)
    batch = run(wanted.plan(), _jobs(paths, fixed, matches), report)
    refused = [row for row in batch.rows if row.get("accepted") is False]
    _name_refused(refused, len(batch.rows), report)
    ctx.exit(1 if strict and refused and not batch.interrupted else batch.status)


def _motion(options: dict[str, Any], *, has_matches: bool) -> Motion:
    method = options.pop("method")
    if has_matches and method not in (None, MATCHES):
        raise click.UsageError(f"Matched points are for --method matches, not {method}.")
    if method == MATCHES and not has_matches:
        raise click.UsageError("--method matches needs --matches FILE or --deepmatching PROGRAM.")
    method = method or (MATCHES if has_matches else default_of(search.register, "method"))
    return Motion(method=method, **{name: options.pop(name) for name in MOTION})


def _refuse_planes(paths: Sequence[Path], options: Options) -> None:
    """Say once, and not of each image, that there is nothing to register to."""
    planes = []
    for path in paths:
        try:
            file = options.read(path)
        except Exception:
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
            others["fixed"] = partner(path, fixed, "fixed image", other=True)
        if matches is not None:
            others[MATCHES] = partner(path, matches, "table of matches", ending=MATCHES, suffixes=_TABLES)
        jobs.append(Job(path, name, others))
    return jobs


def _name_refused(refused: Sequence[Row], total: int, report: Report) -> None:
    if not refused:
        return
    named = "; ".join(f"{row['file']}: {row['not_enough_evidence'].rstrip('.')}" for row in refused[:_MOST_NAMED])
    more = f"; and {len(refused) - _MOST_NAMED} more" if len(refused) > _MOST_NAMED else ""
    report.say(f"Refused, {len(refused)} of {total}: {named}{more}.")


# --- registering


@dataclass(frozen=True, kw_only=True)
class _Registrations:
    """How to register, and what to write.

    `overlay`: whether to draw before and after.
    """

    motion: Motion
    options: Options
    to: Any
    deepmatching: str | None
    overlay: bool
    reader: Reader = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "reader", Reader(self.options))

    def plan(self) -> Plan[Job]:
        options = self.options
        request = request_of(
            kind=KIND,
            **self.motion.options(),
            to=self.to,
            deepmatching=self.deepmatching,
            overlay=self.overlay,
            data_range=options.data_range,
            channel_axis=options.channel_axis,
        )
        return Plan(
            kind=KIND,
            request=request,
            work=self.register,
            layout=_LAYOUT,
            columns=COLUMNS,
            out=options.out,
            table=options.table,
            resume=options.resume,
            force=options.force,
            outputs=lambda job: [] if options.out is None else _outputs(job, options.out),
            product="image",
        )

    def register(self, job: Job, turn: Turn) -> list[dict[str, Any]]:
        """Register an image, or keep what there is."""
        cells = {**job.named, **turn.vouch()}
        if (row := self._known(job, turn, cells)) is not None:
            return [turn.keep(row)]
        images = self.reader.images(job.path, _path(job, "fixed"))
        if images.is_stack(0):
            return [{**cells, **self._series(job, images, turn)}]
        if "fixed" not in job.others:
            raise InputError(f"{job.path} has one plane. Say what it is to be registered to: --fixed FILE.")
        return [{**cells, **self._pair(job, images, turn)}]

    def _known(self, job: Job, turn: Turn, cells: Mapping[str, Any]) -> dict[str, Any] | None:
        """Give the row of what was done before: the matrix vouches for a pair, the registered stack for a series."""
        out = self.options.out
        if out is None or not self.options.resume:
            rows = turn.known(cells)
            return rows[-1] if rows else None
        infos = [_matrix_info(job.output(out, f"_{MATRIX}.json"), turn.made_from)]
        for suffix in (".png", ".tif"):
            records = same_made([job.output(out, f"_{REGISTERED}{suffix}")], turn.made_from)
            infos += [record["info"] for record in records or () if FRAMES in (record["info"].get("row") or ())]
        for info in infos:
            if not info:
                continue
            try:
                outputs = [out / unescaped(name) for name in info["beside"]]
                row = {**cells, **info["row"], "outputs": [str(path) for path in outputs]}
            except (TypeError, LookupError):
                continue  # a record that lacks something: the image is registered anew
            if turn.is_sound(row, outputs):
                return row
        return None

    def _matches(self, job: Job, images: Images, turn: Turn) -> Any:
        """Give the matched points of a pair: from a file, or from a program."""
        if (path := _path(job, MATCHES)) is not None:
            from ..core.registration.matches import MatchTable

            return MatchTable.read(path, moving_shape=images.size(0), fixed_shape=images.size(1))
        if self.deepmatching is not None:
            from ..core.registration.dense_matches import run_deepmatching

            return run_deepmatching(self.deepmatching, *images.arrays, progress=turn.progress, **images.known)
        return None

    def _pair(self, job: Job, images: Images, turn: Turn) -> dict[str, Any]:
        if images.is_stack(1):
            raise InputError(f"{images.files[1].path} is a stack. Give a fixed image of one plane.")
        options = {**images.known, **self.motion.options()}
        moving, fixed = images.arrays
        matches = self._matches(job, images, turn)
        found = search.register(moving, fixed, matches=matches, progress=turn.progress, **options)
        row = {**_scored(found.row(), images, found.info), "sentence": found.sentence()}
        if (out := self.options.out) is None:
            return row
        from ..core.registration.matrix_file import save_matrix

        paths = []
        if found.accepted:
            paths = _write_images(job, out, images, found.registered, found.valid, {"method": found.method})
            if self.overlay:
                paths.append(_write_overlay(job, out, images, found))
        else:
            _remove_images(job, out)  # of an earlier run that this one replaces
        path = job.output(out, f"_{MATRIX}.json")
        beside = [escaped(item.name) for item in (*paths, path)]
        info = {**found.info, **turn.made_from, "row": plain(row), "beside": beside}
        save_matrix(path, replace(found, info=info))
        return {**row, "outputs": [str(item) for item in (*paths, path)]}

    def _series(self, job: Job, images: Images, turn: Turn) -> dict[str, Any]:
        if self.deepmatching is not None or MATCHES in job.others:
            raise InputError(f"{job.path} is a stack; matched points are of one pair. Give its frames as files.")
        fixed = images.arrays[1] if len(images.arrays) > 1 else None
        options = {**images.known, **self.motion.options()}
        series = register_series(images.arrays[0], fixed, to=self.to, progress=turn.progress, **options)
        frames = series.rows()
        row = _series_row(series, frames, images)
        if (out := self.options.out) is None:
            return row
        table = job.output(out, f"_{FRAMES}.csv")
        rows_there(table, COLUMNS, force=self.options.force)  # refuses what is no table
        write_scores([_frame_row(job.path, frame) for frame in frames], table, COLUMNS)
        paths = [table, *_image_paths(job, out, images, is_stack=True)]
        info = {**turn.made_from, "row": plain(row), "beside": [escaped(path.name) for path in paths]}
        _write_images(job, out, images, series.registered, series.valid, info)
        return {**row, "outputs": [str(path) for path in paths]}


def _path(job: Job, role: str) -> Path | None:
    path = job.others.get(role)
    return path if isinstance(path, Path) else None


def _matrix_info(path: Path, made_from: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """Give what a file of a matrix says of its making, if that is this one."""
    from ..core.registration.matrix_file import load_matrix

    try:
        info: Mapping[str, Any] = plain(load_matrix(path).info)
    except InputError:
        return None
    return info if is_made(info, made_from) and {"row", "beside"} <= info.keys() else None


# --- files


def _outputs(job: Job, out: Path) -> list[Path]:
    """Name all files that a registration may write."""
    return [job.output(out, f"_{name}") for name in (*_IMAGES, f"{MATRIX}.json", f"{FRAMES}.csv")]


def _image_paths(job: Job, out: Path, images: Images, *, is_stack: bool) -> list[Path]:
    """Name what `_write_images` writes: where it has pixels, and the registered image."""
    from ..core.io.image_file import lossless_suffix

    suffix, _ = lossless_suffix(images.files[0])
    return [job.output(out, f"_{VALID}{'.tif' if is_stack else '.png'}"), job.output(out, f"_{REGISTERED}{suffix}")]


def _write_images(
    job: Job, out: Path, images: Images, registered: Any, valid: Any, info: Mapping[str, Any]
) -> list[Path]:
    """Write a registered image, or a stack of them, with the axes, the type and the profile of the moving file.

    `registered`: with the axes of ``images.arrays``. `valid`: bool, ``(..., height, width)``: where it has pixels;
    written as 0 and 255. `info`: how it was made; kept in the registered image, which is written last and so vouches
    for all files.
    """
    from ..core.io.image_file import write_picture

    paths = _image_paths(job, out, images, is_stack=valid.ndim > 2)
    pixels = np.where(valid, np.uint8(255), np.uint8(0))
    mask = ImageFile(paths[0], pixels, None, "T" * (valid.ndim - 2) + "YX")
    write_picture(pixels, paths[0], mask, {"mask": VALID, "of": escaped(job.path.name)})
    source = images.files[0]
    if images.channel_axis is not None and source.channel_axis is None:
        registered = np.take(registered, 0, axis=images.channel_axis)  # grey, beside a fixed image in colours
    elif images.channel_axis is not None and source.channel_axis is not None:
        registered = np.moveaxis(registered, images.channel_axis, source.channel_axis)
    write_picture(registered, paths[1], source, info)
    return paths


def _write_overlay(job: Job, out: Path, images: Images, found: Registration) -> Path:
    """Draw the moving image and the registered one in magenta on the fixed one in green."""
    from ..core.diffdiff.pictures import overlay
    from ..core.diffdiff.sheet import write_overlays

    fixed = images.arrays[1]
    before, _ = on_grid(images.arrays[0], found.fixed_shape, images.channel_axis)
    pictures = {
        "Before: moving (magenta) on fixed (green)": overlay(before, fixed, **images.known),
        "After: registered (magenta) on fixed (green)": overlay(found.registered, fixed, **images.known),
    }
    title = f"{escaped(job.path.name)} on {escaped(images.files[1].path.name)}, registered by {found.method}"
    return write_overlays(pictures, job.output(out, f"_{OVERLAY}.png"), title)


def _remove_images(job: Job, out: Path) -> None:
    """Remove the images of an earlier registration that the present one refuses; only what this package wrote."""
    for name in _IMAGES:
        path = job.output(out, f"_{name}")
        if record_at(path) is not None:
            path.unlink()


# --- rows


def _scored(row: Mapping[str, Any], images: Images, info: Mapping[str, Any]) -> dict[str, Any]:
    """Give a registration's row the cells that every table has."""
    reason = row["reason"] or ("" if row["local_ncc_after"] is not None else "the images have no detail to compare")
    remark = info.get("span_remark", "")
    notes = [*images.notes, *([] if remark in reason else [remark])]
    return {
        **row,
        "kind": KIND,
        "score": row["local_ncc_after"] if row["accepted"] else None,
        "unit": _UNIT,
        "not_enough_evidence": reason,
        **({"notes": list(dict.fromkeys(notes))} if notes else {}),
    }


def _series_row(series: RegistrationSeries, frames: Sequence[Row], images: Images) -> dict[str, Any]:
    """Sum up the frames of a series in one row."""
    reasons = {number: row["reason"].rstrip(".") for number, row in enumerate(frames) if not row["accepted"]}
    refused = [f"frame {number} ({reason})" for number, reason in reasons.items()]
    more = f" and {len(refused) - _MOST_NAMED} more" if len(refused) > _MOST_NAMED else ""
    scores = [row["local_ncc_after"] if row["accepted"] else None for row in frames]
    known = [score for score in scores if score is not None]
    before = [row["local_ncc_before"] for row in frames if row["local_ncc_before"] is not None]
    summed = {
        "method": series.info["method"],
        "accepted": not refused,
        "frames": len(frames),
        "frames_accepted": len(frames) - len(refused),
        "reason": ", ".join(refused[:_MOST_NAMED]) + more,
        "largest_shift": max(row["largest_shift"] for row in frames),
        "valid_fraction": float(np.mean([row["valid_fraction"] for row in frames])),
        "local_ncc_before": float(np.mean(before)) if before else None,
        "local_ncc_after": float(np.mean(known)) if known else None,
        "planes": scores,
    }
    row = _scored({**summed, **range_cells(series.info)}, images, series.info)
    return {**row, "score": row["local_ncc_after"], "sentence": series.sentence()}


def _frame_row(path: Path, frame: Row) -> dict[str, Any]:
    """Give the row of a frame the cells that every table has."""
    why = frame["reason"] or ("" if frame["local_ncc_after"] is not None else _REFERENCE)
    score = frame["local_ncc_after"] if frame["accepted"] else None
    return {"file": str(path), "kind": KIND, **frame, "score": score, "unit": _UNIT, "not_enough_evidence": why}


def _said(rows: Sequence[Row]) -> str:
    """Say in a few words what came out, for a log."""
    row = rows[0]
    if row["accepted"]:
        return f"moved by up to {row['largest_shift']:.1f} pixels"
    return f"{row[FRAMES] - row['frames_accepted']} of {row[FRAMES]} frames refused" if FRAMES in row else "refused"


def _text(row: Row, name: str, form: str = "{}") -> str:
    return "" if row.get(name) is None else form.format(row[name])


def _is_accepted(row: Row) -> str:
    if row.get("error"):
        return ""
    if FRAMES in row:
        return f"{row['frames_accepted']} of {row[FRAMES]}"
    return "yes" if row["accepted"] else "refused"


def _remark(row: Row) -> str:
    return row.get("error") or "; ".join(filter(None, [row["not_enough_evidence"], *row.get("notes", ())]))


_LAYOUT = Layout(
    "Registration: local correlation with the fixed image, before -> after (1: alike)",
    (
        FILE,
        Column("method", lambda row: _text(row, "method")),
        Column("accepted", _is_accepted),
        Column("pixels moved", lambda row: _text(row, "largest_shift", "{:.1f}"), is_number=True),
        Column("inliers", lambda row: _text(row, "inliers"), is_number=True, is_optional=True),
        Column("correlation", correlation),
        Column("written to", shown_by_folder, is_optional=True),
        Column("remark", _remark, is_optional=True),
    ),
    lambda row: row.get("sentence", ""),
    said=_said,
)
