"""``iqmaps machine``: how well a recogniser does on images, where, and from which severity of a distortion it fails."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import click

from ..core import machine as core
from ..core import machine_curve as curves
from ..core import models
from ..core.distortions import Distortion
from ..core.io.image_file import ImageFile
from ..core.kinds import KINDS
from ..core.machine_curve import SEVERITIES, MachineCurve
from ..core.maps import QualityMap
from ..core.names import escaped
from ..core.progress import Progress
from ..core.quality_score import QualityScore, quality_row
from .distort import ALL, chosen_rows, names_callback, severity_option
from .engine import MADE_FROM, Answer, Batch, Plan, Turn, maps_plan, run
from .inputs import Options, found_inputs, is_grey, with_notes
from .jobs import Job, jobs_of, record_at
from .options import PIXELS, core_options, given_only_with, output_options, picture_file
from .report import FILE, OUTPUTS, Column, Layout, Report, Row, layout_of_scores, points

_KIND = "machine_quality"
_SCORE = "quality"  # where a map's info keeps the row of its score
_CURVE = "machine_curve"  # what a row of a curve is about, and what ends the name of an image's plot
_MAY_BE_NONE = ("strength", "score", "uncertainty", "fails_at")
_SCALE: dict[str, Any] = {"lower_is_better": False, "range": (0.0, 1.0)}


@click.command()
@click.argument("images", nargs=-1, required=True, metavar="IMAGES...")
@click.option(
    "--curve",
    "names",
    multiple=True,
    metavar="NAME,NAME...|all",
    callback=names_callback,
    help="Score against severity of these distortions ('iqmaps distort --list') instead of maps.",
)
@severity_option(0, SEVERITIES, "Severities of --curve: from 0, the image itself, to 5, very bad.")
@core_options(
    curves.machine_curve,
    "fails_below",
    "seed",
    fails_below={
        "type": click.FloatRange(0, 1, min_open=True, max_open=True),
        "metavar": "SCORE",
        "help": "With --curve: the score below which the recogniser counts as failing.",
    },
    seed={"metavar": None, "help": "With --curve: seed of all that is drawn at random; the same for all images."},
)
@click.option(
    "--plot",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE.png",
    callback=picture_file,
    help="With --curve: draw all curves in one picture. In --out, each image has its own.",
)
@core_options(
    core.machine_assess,
    *PIXELS,
    "weights",
    "device",
    "tile",
    weights={"help": "Take the weights of your own recogniser; see 'iqmaps train metrifier'."},
)
@output_options
@click.pass_context
def machine(
    ctx: click.Context,
    /,
    images: tuple[str, ...],
    names: tuple[str, ...],
    severities: tuple[float, ...],
    fails_below: float,
    seed: int,
    plot: Path | None,
    as_json: bool,
    **options: Any,
) -> None:
    """Score and map how well a recogniser does on images.

    IMAGES are files, patterns ('scans/*.tif', quoted or not) and folders. The score goes from 0, the recogniser fails,
    to 1, it is right; --out gets the maps. With --curve, each image is distorted more and more, and the severity is
    given from which the recogniser fails. With --csv, rows are kept as they are made, and the same command goes on
    where it was stopped.
    """
    chosen = Options(model=core.NETWORK, **options)
    report = Report("machine", as_json=as_json)
    if not names:
        given_only_with(ctx, "--curve", "severities", "fails_below", "seed", "plot")
    jobs = jobs_of(found_inputs(images, report, further=(_CURVE,)))
    if not names:
        ctx.exit(run(_plan(chosen), jobs, report).status)
    wanted = _Curves(
        options=chosen,
        rows=chosen_rows(names),
        leaves_out=names == (ALL,),
        severities=sorted(severities),
        seed=seed,
        fails_below=fails_below,
        plot=plot,
        report=report,
    )
    batch: Batch[Job] = run(wanted.plan(), jobs, report)
    wanted.conclude(batch)
    ctx.exit(batch.status)


# --- maps and scores


def _plan(chosen: Options) -> Plan[Job]:
    def compute(job: Job, progress: Progress) -> Answer:
        file = chosen.read(job.path)
        known: dict[str, Any] = {
            "channel_axis": file.channel_axis,
            "data_range": chosen.for_codes(file),
            "weights": chosen.weights,
            "device": chosen.device,
            "tile": chosen.tile,
            "progress": progress,
        }
        if chosen.out is None:
            return Answer((), _row(with_notes(core.machine_quality(file.array, **known), file)))
        found = core.machine_assess(file.array, **known)
        row = _row(with_notes(found.score, file))
        quality_map = with_notes(found.maps[_KIND], file)
        return Answer((_with_score(quality_map, row),), row)

    layout = layout_of_scores(
        OUTPUTS, title="Machine-perceived quality from 0, a recogniser fails, to 1, it is right", places=2, **_SCALE
    )
    return maps_plan(_KIND, chosen, compute, request=chosen.request(), layout=layout, kept_row=_kept_row)


def _row(score: QualityScore) -> dict[str, Any]:
    return {**quality_row(score), "kind": _KIND, "unit": KINDS[_KIND].unit}


def _with_score(quality_map: QualityMap, row: Mapping[str, Any]) -> QualityMap:
    return replace(quality_map, info={**quality_map.info, _SCORE: dict(row)})


def _kept_row(records: Sequence[Mapping[str, Any]]) -> Mapping[str, Any]:
    row: Mapping[str, Any] = records[0]["info"][_SCORE]
    return row


# --- curves


@dataclass(frozen=True, kw_only=True)
class _Curves:
    """Which curves to draw: a row a severity, kept in the table as it grows, and plots.

    `leaves_out`: whether a distortion of colours is left out where the image is grey; else it is an error there.
    `drawn`: what there is so far, the rows of a curve with the name of the image.
    """

    options: Options
    rows: Sequence[Distortion]
    leaves_out: bool
    severities: Sequence[float]
    seed: int
    fails_below: float
    plot: Path | None
    report: Report
    drawn: list[tuple[str, Sequence[Row]]] = field(default_factory=list)

    def plan(self) -> Plan[Job]:
        options = self.options
        request = options.request(
            kind=_CURVE, severities=list(self.severities), seed=self.seed, fails_below=self.fails_below
        )
        return Plan(
            kind=_CURVE,
            request=request,
            work=self.draw,
            layout=self.layout(),
            columns=curves.COLUMNS,
            out=options.out,
            table=options.table,
            resume=options.resume,
            force=options.force,
            outputs=lambda job: [] if options.out is None else [_plot_of(job, options.out)],
            further=[] if self.plot is None else [self.plot],
            prepare=lambda: models.resolve(options.device),
            files_vouch=False,
            kept_elsewhere=self.plot is not None or options.out is not None,
            each=len(self.rows) * len(self.severities),
            names=lambda job: [(str(job.path), row.name) for row in self.rows],
            named=_named,
        )

    def draw(self, job: Job, turn: Turn) -> Iterator[dict[str, Any]]:
        """Score an image along all its curves, and plot them."""
        first = len(self.drawn)
        for rows in self._scored(job, turn):
            yield from rows
            if "error" not in rows[0]:
                self.drawn.append((escaped(job.name), rows))
        own = self.drawn[first:]
        if own and self.options.out is not None:
            self._plot(own, _plot_of(job, self.options.out))

    def conclude(self, batch: Batch[Job]) -> None:
        """Plot all curves together, if that is asked for and none is missing."""
        if self.plot is not None and self.drawn and not batch.interrupted:
            self._plot(self.drawn, self.plot)

    def _plot(self, drawn: Sequence[tuple[str, Sequence[Row]]], path: Path) -> None:
        from ..core.io.curve_plot import NamedCurve, write_curves

        of_all = [dict(sorted(row.items())) for _, rows in drawn for row in rows]  # the same, wherever they come from
        write_curves([NamedCurve(name, curve_of(rows)) for name, rows in drawn], path, of_all)
        if path == self.plot or len(self.rows) == 1:
            self.report.say(f"Plotted in {path}.")

    def _scored(self, job: Job, turn: Turn) -> Iterator[list[dict[str, Any]]]:
        """Give the rows of one curve after the other, or the one that says what is wrong with it."""
        file: ImageFile | None = None
        for number, row in enumerate(self.rows):
            named = {"file": str(job.path), "kind": _CURVE, "distortion": row.name}
            cells = {**named, **turn.vouch(distortion=row.name)}
            known = self._known(job, turn, cells)
            if len(known) == len(self.severities):
                yield [turn.keep(one) for one in known]
                continue
            turn.prepare()
            file = file or self.options.read(job.path)
            if not row.needs_colour or not is_grey(file):
                yield self._rows(file, row, number, cells, turn.progress)
            elif not self.leaves_out:
                message = f"{job.path} is grey, and {row.name} changes only colours."
                yield [{**named, "score": None, "error": message}]

    def _known(self, job: Job, turn: Turn, cells: Mapping[str, Any]) -> list[dict[str, Any]]:
        """Give the rows of a curve that are there, of the table or of a plot, by severity."""
        found = turn.known(cells)
        plots = [self.plot, None if self.options.out is None else _plot_of(job, self.options.out)]
        for path in filter(None, plots) if self.options.resume else ():
            info = (record_at(path) or {}).get("info")
            kept = info.get("rows") if isinstance(info, Mapping) else None
            rows = [row for row in kept if isinstance(row, Mapping)] if isinstance(kept, list) else []
            of_plot = [{**row, **cells} for row in rows if row.get(MADE_FROM) == cells[MADE_FROM]]
            found = found or turn.shown(of_plot)
        # People may have sorted the table.
        by_severity = {row["severity"]: row for row in found if isinstance(row.get("severity"), int | float)}
        there = [by_severity[severity] for severity in self.severities if severity in by_severity]
        known = [{**row, **{name: None for name in _MAY_BE_NONE if name not in row}} for row in there]
        try:
            curve_of(known)
        except (LookupError, TypeError, ValueError, AttributeError):
            return []  # what people have made of it: the curve is made anew
        return known

    def _rows(
        self, file: ImageFile, row: Distortion, number: int, cells: Mapping[str, Any], progress: Progress
    ) -> list[dict[str, Any]]:
        curve = curves.machine_curve(
            file.array,
            row.name,
            severities=self.severities,
            seed=self.seed,
            fails_below=self.fails_below,
            data_range=self.options.for_codes(file),
            channel_axis=file.channel_axis,
            weights=self.options.weights,
            device=self.options.device,
            tile=self.options.tile,
            progress=lambda done, total: progress(number * total + done, len(self.rows) * total),
        )
        made = {name: curve.info[name] for name in ("model", "weights", "weights_sha256", "scales", "seed")}
        told = [*file.notes, *([curve.info["span_remark"]] if "span_remark" in curve.info else [])]
        notes = {"notes": told} if told else {}
        # Tables call the unit of the score so.
        unit = KINDS[_KIND].unit
        return [{**cells, **one, "strength_unit": one["unit"], "unit": unit, **made, **notes} for one in curve.rows()]

    def layout(self) -> Layout:
        """Lay out a line a curve, with a column a severity."""

        def score_at(severity: float) -> Column:
            def cell(row: Row) -> str:
                return points(row["scores"][severity], 2) if "scores" in row else ""

            return Column(f"{severity:g}", cell, is_number=True)

        columns = (
            FILE,
            Column("distortion", lambda row: row.get("distortion", "")),
            *map(score_at, self.severities),
            Column("fails at", _fails_at, is_number=True),
            Column("remark", _remark, is_optional=True),
        )
        title = f"Score from 0, worst, to 1, best, by severity; the recogniser fails below {self.fails_below:g}"
        return Layout(title, columns, _sentence, _gathered, _said)


def _named(row: Row) -> tuple[str, str]:
    return str(row["file"]), str(row.get("distortion", ""))


def _plot_of(job: Job, out: Path) -> Path:
    return job.output(out, f"_{_CURVE}.png")


def curve_of(rows: Sequence[Row]) -> MachineCurve:
    """Make a curve of its rows again."""
    qualities = [
        QualityScore.of(
            _number(row["score"]),
            uncertainty=_number(row["uncertainty"]),
            reasons=[row["not_enough_evidence"]],
            **_SCALE,
        )
        for row in rows
    ]
    severities = [row["severity"] for row in rows]
    info = {name: rows[0][name] for name in ("weights_sha256", "seed", "fails_below") if name in rows[0]}
    return MachineCurve.of(rows[0]["distortion"], severities, qualities, fails_below=rows[0]["fails_below"], info=info)


def _number(value: float | None) -> float:
    return math.nan if value is None else value


def _gathered(rows: Sequence[Row]) -> list[Row]:
    """Make one line of the rows of a curve."""
    lines: dict[Any, list[Row]] = {}
    for row in rows:
        lines.setdefault(_named(row), []).append(row)
    return [group[0] if group[0].get("error") else _line(group) for group in lines.values()]


def _line(group: Sequence[Row]) -> Row:
    return {
        "file": group[0]["file"],
        "distortion": group[0]["distortion"],
        "curve": curve_of(group),
        "scores": {row["severity"]: row["score"] for row in group},
        "why": next((row["not_enough_evidence"] for row in group if row["not_enough_evidence"]), ""),
        "notes": group[0].get("notes", ()),
    }


def _said(rows: Sequence[Row]) -> str:
    count = len({row["distortion"] for row in rows if "error" not in row})
    return f"{count} curve{'' if count == 1 else 's'}"


def _sentence(row: Row) -> str:
    return row["curve"].sentence() if "curve" in row else ""


def _fails_at(row: Row) -> str:
    if "curve" not in row:
        return ""
    return f"{row['curve'].fails_at:.2g}" if math.isfinite(row["curve"].fails_at) else "none"


def _remark(row: Row) -> str:
    if "curve" not in row:
        return str(row.get("error", ""))
    why = f"not enough evidence: {row['why']}" if row["why"] else ""
    return "; ".join(filter(None, [row["curve"].reason, why, *row["notes"]]))
