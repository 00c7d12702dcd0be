"""``iqmaps distort``: distorted copies of images, and the bank of distortions as a table and as a picture."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import click

from ..core import distortions as bank
from ..core.distortions import Distortion
from ..core.distortions.record import HIGHEST, LOWEST
from ..core.distortions.sheet import strength_words
from ..core.errors import InputError
from ..core.images import range_for
from ..core.io.image_file import ImageFile
from ..core.value_range import DataRange, ValueRange
from .engine import Plan, Turn, message_of, run
from .inputs import found_inputs, is_grey, read, request_of
from .jobs import Job, jobs_of, record_at, refuse_overwriting, same_made
from .options import (
    PIXELS,
    Command,
    core_options,
    json_option,
    out_option,
    picture_file,
    resume_option,
    words_of,
)
from .report import FILE, OUTPUTS, Column, Layout, Report, Row, print_json, print_table

ALL = "all"
"""The word for every distortion of the bank."""

KIND = "distorted"
"""What a row is about."""

_SUFFIXES = (".png", ".tif")


# --- choosing from the bank


def names_callback(_ctx: click.Context, _param: click.Parameter, values: tuple[str, ...]) -> tuple[str, ...]:
    """Check names of distortions; `ALL` stays as it is, and stands alone."""
    names = words_of(values)
    if ALL in names:
        return (ALL,)
    for name in names:
        try:
            bank.distortion(name)
        except InputError as error:
            raise click.BadParameter(str(error)) from None
    return tuple(names)


def severity_option(least: int, default: Sequence[float], says: str) -> Callable[[Command], Command]:
    """Give ``--severity``, which takes numbers with commas, or several times.

    `least`: 0 if the image itself is one of them, else 1.
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


def chosen_rows(names: tuple[str, ...]) -> list[Distortion]:
    """Give the rows of the bank that names stand for, `ALL` for all of them."""
    return [bank.distortion(name) for name in (bank.distortions() if names == (ALL,) else names)]


# --- the command


@click.command()
@click.argument("images", nargs=-1, metavar="IMAGES...")
@click.option(
    "--distortion",
    "names",
    multiple=True,
    metavar="NAME,NAME...|all",
    callback=names_callback,
    help="What to do to the images; --list tells what there is. Of grey images, 'all' leaves colours out.",
)
@severity_option(
    LOWEST,
    range(LOWEST, HIGHEST + 1),
    f"How strong: from {LOWEST}, just visible, to {HIGHEST}, very bad; also between.",
)
@core_options(bank.distort, "seed", seed={"metavar": None})
@out_option("Write the copies here (made if missing), as NAME_DISTORTION_SEVERITY.")
@click.option(
    "--sheet",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE.png",
    callback=picture_file,
    help="Show the first image in one picture: a row a distortion, a column a severity.",
)
@core_options(bank.distort, *PIXELS)
@click.option("--list", "lists", is_flag=True, help="Tell what there is, with parameters, values and formulas.")
@json_option
@resume_option("Keep the copies in --out that the same files and options made, or make all anew.")
@click.pass_context
def distort(
    ctx: click.Context,
    /,
    images: tuple[str, ...],
    names: tuple[str, ...],
    severities: tuple[float, ...],
    out: Path | None,
    sheet: Path | None,
    lists: bool,
    as_json: bool,
    **options: Any,
) -> None:
    """Make distorted copies of images, of stated kinds and severities.

    IMAGES are files, patterns ('scans/*.tif', quoted or not) and folders. Copies keep the type and the range of the
    values, in a format without loss: PNG for 8 and 16 bits, TIFF for TIFF, stacks and floating point. The same seed
    makes the same copies; each tells how it was made, and the same command goes on where it was stopped.
    """
    if lists:
        _list_bank(as_json=as_json)
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
        paths = _without_copies(paths, out, report)
    jobs = jobs_of(paths)
    if sheet is not None:
        refuse_overwriting([sheet], jobs)
    copies = _Copies(
        rows=chosen_rows(names), severities=severities, leaves_out=names == (ALL,), out=out or Path(), **options
    )
    status = 0 if out is None else run(copies.plan(), jobs, report).status
    if sheet is not None and status in (0, 1):
        status = max(status, _write_sheet(copies, paths, sheet, report))
    ctx.exit(status)


def _without_copies(paths: Sequence[Path], out: Path, report: Report) -> list[Path]:
    """Leave out the copies that an earlier run wrote into the folder that this one writes into."""
    folder = out.resolve()
    copies = [path for path in paths if path.parent.resolve() == folder and _is_copy(path)]
    if copies:
        report.say(
            f"Left out {len(copies)} distorted copies that are in --out, such as {copies[0]}. To distort them once "
            "more, choose another --out."
        )
    left = [path for path in paths if path not in copies]
    if not left:
        raise InputError("There is nothing left to do: give images.")
    return left


def _is_copy(path: Path) -> bool:
    info = (record_at(path) or {}).get("info")
    return isinstance(info, Mapping) and "distortion" in info


# --- copies


def _said(rows: Sequence[Row]) -> str:
    return f"{sum('error' not in row for row in rows)} copies"


_LAYOUT = Layout(
    "Distorted copies",
    (
        FILE,
        Column("distortion", lambda row: row.get("distortion", "")),
        Column("severity", lambda row: f"{row['severity']:g}" if "severity" in row else "", is_number=True),
        Column("strength", lambda row: row.get("strength_means", "")),
        OUTPUTS,
        Column("remark", lambda row: row.get("error", ""), is_optional=True),
    ),
    lambda row: "",
    said=_said,
)


@dataclass(frozen=True, kw_only=True)
class _Copies:
    """Which copies to make, and how.

    `leaves_out`: whether a distortion of colours is left out where the image is grey; else it is an error there.
    """

    rows: Sequence[Distortion]
    severities: Sequence[float]
    leaves_out: bool
    seed: int
    data_range: DataRange
    channel_axis: int | str
    most_pixels: int
    out: Path
    resume: bool

    @property
    def wanted(self) -> list[tuple[Distortion, float]]:
        """Every distortion at every severity."""
        return [(row, severity) for row in self.rows for severity in self.severities]

    def plan(self) -> Plan[Job]:
        return Plan(
            kind=KIND,
            request=request_of(seed=self.seed, data_range=self.data_range, channel_axis=self.channel_axis),
            work=self.make,
            layout=_LAYOUT,
            columns=(),
            out=self.out,
            table=None,
            resume=self.resume,
            outputs=lambda job: [path for copy in self.wanted for path in self.paths(job, *copy)],
            each=len(self.wanted),
            failed=lambda job, message: [{"file": str(job.path), "kind": KIND, "error": message}],
            product="copy",
        )

    def paths(self, job: Job, row: Distortion, severity: float) -> list[Path]:
        """Name the files that a copy may go to; which one, the pixels decide."""
        return [job.output(self.out, f"_{row.name}_{severity:g}{suffix}") for suffix in _SUFFIXES]

    def make(self, job: Job, turn: Turn) -> Iterator[dict[str, Any]]:
        """Make and tell one copy after the other; nothing is told of one that is left out."""
        file: ImageFile | None = None
        for number, (row, severity) in enumerate(self.wanted, 1):
            cells: dict[str, Any] = {"file": str(job.path), "kind": KIND, "distortion": row.name, "severity": severity}
            cells |= {"strength": row.strength(severity), "strength_means": strength_words(row, severity)}
            cells["seed"] = self.seed
            paths = self.paths(job, row, severity)
            if self.resume and (done := [path for path in paths if same_made([path], turn.made_from)]):
                yield turn.keep({**cells, "outputs": [str(done[0])]})
            else:
                file = file or self.read(job.path)
                if not row.needs_colour or not is_grey(file):
                    yield {**cells, "outputs": [str(self._write(file, paths, cells, turn.made_from))]}
                elif not self.leaves_out:
                    yield {**cells, "error": f"{job.path} is grey, and {row.name} changes only colours."}
            turn.progress(number, len(self.wanted))

    def read(self, path: Path) -> ImageFile:
        """Read an image to be distorted; refuse linear light."""
        file = read(path, self.channel_axis, self.most_pixels)
        if file.luminance == "absolute":
            raise InputError(f"{path} holds linear light; distortions are of display codes. Tone-map it first.")
        return file

    def _write(
        self, file: ImageFile, paths: Sequence[Path], cells: Mapping[str, Any], made_from: Mapping[str, Any]
    ) -> Path:
        from ..core.io.image_file import lossless_suffix, write_picture

        used = range_for(file.array, self.data_range or file.data_range, channel_axis=file.channel_axis)
        copy = bank.distort(
            file.array,
            cells["distortion"],
            cells["severity"],
            seed=self.seed,
            data_range=used,
            channel_axis=file.channel_axis,
        )
        suffix, _ = lossless_suffix(file)
        path = next(path for path in paths if path.suffix == suffix)
        info = {name: cells[name] for name in ("distortion", "severity", "strength", "seed")}
        if isinstance(used, ValueRange):
            info |= {"data_range": used, "range_rule": used.rule}
        return write_picture(copy, path, file, {**info, **made_from})


# --- the bank as a picture and as a table


def _write_sheet(copies: _Copies, paths: Sequence[Path], sheet: Path, report: Report) -> int:
    """Show the first image; give the exit status."""
    from ..core.distortions.sheet import distortion_sheet

    path = paths[0]
    try:
        file = copies.read(path)
        rows = [row for row in copies.rows if not (row.needs_colour and copies.leaves_out and is_grey(file))]
        with report.bars(1):
            report.start(path)
            composed = distortion_sheet(
                file.array,
                [row.name for row in rows],
                copies.severities,
                seed=copies.seed,
                data_range=copies.data_range or file.data_range,
                channel_axis=file.channel_axis,
                progress=report.tiles,
            )
    except Exception as error:
        report.failure(path, message_of(error, path))
        return 1
    try:
        composed.write(sheet)
    except InputError as error:
        report.failure(sheet, message_of(error, sheet))
        return 1
    report.say(f"{path.name}{f', the first of {len(paths)} images,' if len(paths) > 1 else ''} is shown in {sheet}.")
    return 0


def _list_bank(*, as_json: bool) -> None:
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
