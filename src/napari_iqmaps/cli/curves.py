"""Score against severity for many images: a row a severity, kept in the table as it grows, and plots."""

from __future__ import annotations

import math
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import click

from ..core import models
from ..core.distortions import Distortion
from ..core.errors import InputError, IqmapsError, WeightsError
from ..core.io.image_file import ImageFile
from ..core.kinds import KINDS
from ..core.machine_curve import COLUMNS, MachineCurve, machine_curve
from ..core.quality_score import QualityScore
from .assessing import data_range_of, points
from .batch import WrongForAllError, identity, message_of
from .copies import is_grey
from .group import INTERRUPTED, in_one_line
from .layouts import FILE, Column, Layout, Row
from .ledger import Ledger
from .plans import Job, request_of
from .report import Report
from .subjects import Options, read

KIND = "machine_curve"
"""What a row is about, and what ends the name of an image's plot."""

_MAY_BE_NONE = ("strength", "score", "uncertainty", "fails_at")


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """Which curves to draw.

    Attributes
    ----------
    leaves_out : bool
        Whether a distortion of colours is left out where the image is grey; else it is an error there.
    """

    rows: Sequence[Distortion]
    leaves_out: bool
    severities: Sequence[float]
    seed: int
    fails_below: float
    plot: Path | None


def draw_curves(wanted: Wanted, options: Options, jobs: Sequence[Job], report: Report) -> int:
    """Score every image at every severity of every distortion.

    Parameters
    ----------
    options : Options
        What the command line says besides: pixels, weights, table, folder.

    Returns
    -------
    int
        Exit status: 0 all done, 1 some images failed, 130 interrupted.
    """
    _refuse_overwriting(wanted, options, jobs)
    request = request_of(
        kind=KIND, weights_sha256=options.weights_sha256(), data_range=options.data_range,
        channel_axis=options.channel_axis, severities=list(wanted.severities), seed=wanted.seed,
        fails_below=wanted.fails_below,
    )  # fmt: skip
    models.resolve(options.device)
    if options.out is not None:
        try:
            options.out.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise InputError(f"The folder {options.out} cannot be made ({error.strerror}).") from None
    names = [(str(job.path), row.name) for job in jobs for row in wanted.rows]
    ledger = Ledger(options.table, COLUMNS, request, names, grows=True, resume=options.resume, named=_named)
    work = _Work(wanted, options, ledger, report, planned=len(names) * len(wanted.severities))
    interrupted = False
    try:
        with report.bars(len(jobs)):
            for job in jobs:
                work.on(job)
    except KeyboardInterrupt:
        interrupted = True
    ledger.write()
    report.finish(
        _layout(wanted), ledger.rows, kept=work.kept, failed=work.failed, table=options.table, planned=work.planned,
        remains="The rows in the table are kept; the same command goes on." if options.table
        else "Give --csv to keep what is done.",
    )  # fmt: skip
    if interrupted:
        return INTERRUPTED
    if wanted.plot is not None and work.curves:
        work.plot(work.curves, wanted.plot)
    return 1 if work.failed else 0


def _named(row: Row) -> tuple[str, str]:
    return row["file"], row.get("distortion", "")


def _plot_of(job: Job, out: Path) -> Path:
    return out / f"{job.name}_{KIND}.png"


def _refuse_overwriting(wanted: Wanted, options: Options, jobs: Sequence[Job]) -> None:
    plots = [wanted.plot] if wanted.plot is not None else []
    if options.out is not None:
        plots += [_plot_of(job, options.out) for job in jobs]
    inputs = {os.path.realpath(job.path) for job in jobs}
    for path in plots:
        if os.path.realpath(path) in inputs:
            raise click.UsageError(f"{path} is an input and would be overwritten. Choose another name or --out.")


@dataclass
class _Work:
    wanted: Wanted
    options: Options
    ledger: Ledger
    report: Report
    planned: int
    curves: list[tuple[str, MachineCurve]] = field(default_factory=list)
    kept: int = 0
    failed: int = 0

    def on(self, job: Job) -> None:
        """Score an image along all its curves."""
        self.report.start(job.path)
        before, first = len(self.ledger.rows), len(self.curves)
        try:
            for rows in self._rows(job):
                for row in rows:
                    self.ledger.add(row)
                if "error" not in rows[0]:
                    self.curves.append((job.name, curve_of(rows)))
            own = self.curves[first:]
            if own and self.options.out is not None:
                self.plot(own, _plot_of(job, self.options.out))
        except WeightsError as error:
            raise WrongForAllError(in_one_line(error)) from None
        except (IqmapsError, OSError, MemoryError) as error:
            self.ledger.add(self._failure(job, message_of(error, job.path)))
        self.planned += len(self.ledger.rows) - before - len(self.wanted.rows) * len(self.wanted.severities)
        count = len(self.curves) - first
        said = f"{count} curve{'' if count == 1 else 's'}"
        self.report.done({"file": str(job.path), "error": "" if count else "none"}, said)

    def plot(self, curves: Sequence[tuple[str, MachineCurve]], path: Path) -> None:
        """Draw curves, and say where."""
        from ..core.io.curve_plot import NamedCurve, write_curves

        write_curves([NamedCurve(*curve) for curve in curves], path)
        if path == self.wanted.plot or len(self.wanted.rows) == 1:
            self.report.say(f"Plotted in {path}.")

    def _rows(self, job: Job) -> Iterator[list[dict[str, Any]]]:
        """Give the rows of one curve after the other, or the one that says what is wrong with it."""
        source, file, wanted = identity(job.path), None, self.wanted
        for number, row in enumerate(wanted.rows):
            cells = {
                "file": str(job.path), "kind": KIND, "distortion": row.name,
                **self.ledger.made_from({"source": source, "distortion": row.name}),
            }  # fmt: skip
            known = self.ledger.known_rows(cells)
            if len(known) == len(wanted.severities):
                self.kept += len(known)
                yield [{**one, **{name: None for name in _MAY_BE_NONE if name not in one}} for one in known]
                continue
            file = file or read(job.path, self.options.channel_axis)
            if not row.needs_colour or not is_grey(file):
                yield self._scored(file, row, number, cells)
            elif not wanted.leaves_out:
                message = f"{job.path} is grey, and {row.name} changes only colours."
                yield [self._failure(job, message, distortion=row.name)]

    def _scored(self, file: ImageFile, row: Distortion, number: int, cells: Mapping[str, Any]) -> list[dict[str, Any]]:
        curve = machine_curve(
            file.array,
            row.name,
            severities=self.wanted.severities,
            seed=self.wanted.seed,
            fails_below=self.wanted.fails_below,
            data_range=data_range_of(self.options, file),
            channel_axis=file.channel_axis,
            weights=self.options.weights,
            device=self.options.device,
            tile=self.options.tile,
            progress=lambda done, total: self.report.tiles(number * total + done, len(self.wanted.rows) * total),
        )
        made = {name: curve.info[name] for name in ("model", "weights", "weights_sha256", "scales", "seed")}
        notes = {"notes": list(file.notes)} if file.notes else {}
        # Tables call the unit of the score so.
        unit = KINDS["machine_quality"].unit
        return [{**cells, **one, "strength_unit": one["unit"], "unit": unit, **made, **notes} for one in curve.rows()]

    def _failure(self, job: Job, message: str, **cells: Any) -> dict[str, Any]:
        self.failed += 1
        self.report.failure(job.path, message)
        return {"file": str(job.path), "kind": KIND, **cells, "score": None, "error": message}


def curve_of(rows: Sequence[Row]) -> MachineCurve:
    """Make a curve of its rows again."""
    scale: dict[str, Any] = {"lower_is_better": False, "range": (0.0, 1.0)}
    qualities = [
        QualityScore.of(_number(row["score"]), uncertainty=_number(row["uncertainty"]),
                        reasons=[row["not_enough_evidence"]], **scale)
        for row in rows
    ]  # fmt: skip
    severities = [row["severity"] for row in rows]
    info = {name: rows[0][name] for name in ("weights_sha256", "seed", "fails_below") if name in rows[0]}
    return MachineCurve.of(
        rows[0]["distortion"], severities, qualities, fails_below=rows[0]["fails_below"], info=info
    )  # fmt: skip


def _number(value: float | None) -> float:
    return math.nan if value is None else value


def _layout(wanted: Wanted) -> Layout:
    def score_at(severity: float) -> Column:
        return Column(f"{severity:g}", lambda row: points(row["scores"][severity], 2) if "scores" in row else "",
                      is_number=True)  # fmt: skip

    columns = (
        FILE,
        Column("distortion", lambda row: row.get("distortion", "")),
        *map(score_at, wanted.severities),
        Column("fails at", _fails_at, is_number=True),
        Column("remark", _remark, is_optional=True),
    )
    title = f"Score from 0, worst, to 1, best, by severity; the recogniser fails below {wanted.fails_below:g}"
    return Layout(title, columns, lambda row: row["curve"].sentence() if "curve" in row else "", _gathered)


def _gathered(rows: Sequence[Row]) -> list[Row]:
    """Make one line of the rows of a curve."""
    lines: dict[Any, list[Row]] = {}
    for row in rows:
        lines.setdefault(_named(row), []).append(row)
    return [
        group[0] if group[0].get("error") else {
            "file": group[0]["file"], "distortion": group[0]["distortion"], "curve": curve_of(group),
            "scores": {row["severity"]: row["score"] for row in group},
            "why": next((row["not_enough_evidence"] for row in group if row["not_enough_evidence"]), ""),
            "notes": group[0].get("notes", ()),
        }
        for group in lines.values()
    ]  # fmt: skip


def _fails_at(row: Row) -> str:
    if "curve" not in row:
        return ""
    return f"{row['curve'].fails_at:.2g}" if math.isfinite(row["curve"].fails_at) else "none"


def _remark(row: Row) -> str:
    if "curve" not in row:
        return str(row.get("error", ""))
    why = f"not enough evidence: {row['why']}" if row["why"] else ""
    return "; ".join(filter(None, [row["curve"].reason, why, *row["notes"]]))
