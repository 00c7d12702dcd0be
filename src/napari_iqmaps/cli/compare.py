"""``iqmaps compare``: which preprocessing, or which registration, makes most pairs of images better."""

from __future__ import annotations

import math
import os
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import click
from rich.text import Text

from ..core.comparison.compare import (
    METHODS,
    NEUTRAL,
    Comparison,
    FilePair,
    against_first,
    baseline_of,
    drawn_pairs,
    favoured,
    methods_of,
    outcome_of,
    read_pairs,
    scorings_of,
)
from ..core.comparison.outcome import COLUMNS, KIND, Outcome, Rules, judged_matrix, views, write_pair
from ..core.comparison.preprocessing import REGISTRATIONS, STEPS, Frames, Method, Preprocessing, matched
from ..core.comparison.summary import Paired, as_latex, as_markdown, extremes, figure_text, spread
from ..core.errors import InputError
from ..core.io.atomic import written_whole
from ..core.io.image_file import ImageFile
from ..core.io.reading import SUFFIXES
from ..core.names import escaped
from ..core.progress import Steps
from ..core.registration.search import register
from ..core.tables import as_csv, flat
from ..core.value_range import DataRange
from .engine import Batch, Plan, Turn, make_folder
from .group import in_one_line
from .inputs import found_inputs, read, request_of
from .jobs import Job
from .options import (
    PIXELS,
    core_options,
    force_option,
    json_option,
    motion_options,
    out_option,
    resume_option,
    score_options,
    scoring_of,
    words_of,
)
from .report import Layout, Report, Row, console, print_json, print_table

FIRST, ALL, DRAWN = "first", "all", 100

ROWS = "pairs.csv"
"""The table of outcomes, in the folder of a comparison."""

_TABLES = ("summary.csv", "summary.md", "summary.tex", "paired.csv", "best_of_methods.csv", "scorings.csv")
_NOT_IN_NAMES = re.compile(r"[^A-Za-z0-9.+-]+")
_MEASURE = "soft_or_unchanged"
_CLEAR = 0.05
_LITTLE = 0.005  # of a scale from -1 to 1: nobody sees it


def _pairs(_ctx: click.Context, _param: click.Parameter, value: str) -> str | int:
    if value in (FIRST, ALL):
        return value
    if value.isdecimal() and int(value) > 0:
        return int(value)
    raise click.BadParameter(f"{value!r} is neither {FIRST!r} nor {ALL!r} nor a number of pairs.")


@click.command()
@click.argument("images", nargs=-1, metavar="FOLDER|IMAGES...|PAIRS.csv")
@click.option(
    "--pairs",
    "wanted",
    default=str(DRAWN),
    show_default=True,
    metavar="NUMBER|all|first",
    callback=_pairs,
    help="Draw so many of all pairs, take all, or pair each image with the first. Not for a list of pairs.",
)
@click.option(
    "--method",
    "methods",
    multiple=True,
    metavar="NAME,NAME...",
    help="What is done to the images before they are registered; '+' joins steps, '@' names another registration: "
    f"none,downsample:4+clahe-heavy,none@fast; --list tells the steps.  [{','.join(METHODS)}]",
)
@click.option(
    "--matches",
    "matched_elsewhere",
    multiple=True,
    metavar="NAME=FOLDER",
    help="Take one more method: points that another program matched, a table MOVING_to_FIXED.csv a pair, as "
    "DeepMatching gives them. May be given several times; then there are no methods but those named.",
)
@click.option(
    "--register",
    "registration",
    type=click.Choice(REGISTRATIONS),
    default="auto",
    show_default=True,
    help="How the images are registered.",
)
@click.option(
    "--scoring",
    "scorings",
    multiple=True,
    default=(NEUTRAL,),
    metavar="NAME,NAME...",
    help="What is done to the images on which all methods are judged; should be none of the methods. Several show how "
    f"far the conclusion rests on it.  [{NEUTRAL}]",
)
@click.option("--baseline", metavar="NAME", help="The method with which the others are compared.  [the first]")
@motion_options
@score_options
@out_option("Write everything here (made if missing).")
@core_options(register, *PIXELS)
@click.option(
    "--pictures/--no-pictures",
    "draws",
    default=True,
    show_default=True,
    help="Show the best and the worst pair of each method, on the images of the first --scoring.",
)
@click.option("--list", "lists", is_flag=True, help="Tell the steps of preprocessings.")
@force_option
@json_option
@click.option("--strict", is_flag=True, help="Take a registration that is refused for a failure: exit status 1.")
@resume_option("Keep what the same files and options gave, or compute all anew.")
@click.pass_context
def compare(
    ctx: click.Context,
    /,
    images: tuple[str, ...],
    wanted: str | int,
    methods: tuple[str, ...],
    matched_elsewhere: tuple[str, ...],
    registration: str,
    scorings: tuple[str, ...],
    baseline: str | None,
    out: Path | None,
    data_range: DataRange,
    channel_axis: int | str,
    most_pixels: int,
    draws: bool,
    force: bool,
    lists: bool,
    as_json: bool,
    strict: bool,
    resume: bool,
    **options: Any,
) -> None:
    """Compare ways to register, on the same pairs of images and by one judge.

    Give a folder or images, of which pairs are drawn, or a CSV file with the columns moving and fixed. Every pair is
    registered by every method, and every registration judged by diff-diff on the same kind of images. The folder
    --out gets pairs.csv, a row a pair and method, which grows, so that the same command goes on where it was stopped;
    summaries as CSV, Markdown and LaTeX; differences to the baseline, pair by pair, with 95 % intervals and a sign
    test; and the best and the worst pair of each method as pictures.
    """
    if lists:
        _list(as_json=as_json)
        return
    if not images:
        raise click.UsageError("Say which images to compare on: a folder, images, or a list of pairs (CSV).")
    if out is None:
        raise click.UsageError("Say where to write the results: --out FOLDER.")
    report = Report("compare", as_json=as_json)
    try:
        chosen = _methods_of(words_of(methods), matched_elsewhere, registration)
        judges = scorings_of(words_of(scorings))
        first = baseline_of(baseline, chosen, registration)
        pairs = _pairs_of(images, wanted, options["seed"], report)
    except InputError as error:
        raise click.UsageError(str(error), ctx) from None
    for name, scoring in favoured(chosen, judges):
        report.say(
            f"{name} is judged on the very images that it registers ({scoring}), which favours it. "
            f"Judge on {NEUTRAL!r}, or compare several --scoring."
        )
    if any(
        os.path.realpath(path.parent) == os.path.realpath(out) for pair in pairs for path in (pair.moving, pair.fixed)
    ):
        raise click.UsageError(
            f"{out} holds the images, and pictures would be written among them. Choose another --out."
        )
    make_folder(out)
    work = _Comparison(
        methods=chosen,
        scorings=judges,
        baseline=first,
        rules=Rules(**scoring_of(options), **options),
        data_range=data_range,
        channel_axis=channel_axis,
        out=out,
        resume=resume,
        force=force,
        most_pixels=most_pixels,
        report=report,
    )
    batch = Batch(work.plan(), work.jobs(pairs), report)
    batch.work()
    work.conclude(batch, draws=draws and not batch.interrupted)
    failed = not work.is_whole or (strict and work.refused)
    ctx.exit(1 if failed and not batch.interrupted else batch.status)


def _methods_of(names: Sequence[str], matched_elsewhere: Sequence[str], registration: str) -> list[Method]:
    if not names and not matched_elsewhere:
        names = METHODS
    further = []
    for one in matched_elsewhere:
        name, equals, folder = one.partition("=")
        if not equals:
            raise InputError(f"--matches {one!r} names no folder. Say NAME=FOLDER.")
        further.append(matched(name, Path(folder)))
    return methods_of([*names, *further], registration)


def _pairs_of(words: Sequence[str], wanted: str | int, seed: int, report: Report) -> list[FilePair]:
    lists = [word for word in words if Path(word).suffix.lower() == ".csv"]
    if lists:
        if len(words) > 1:
            raise InputError(f"{lists[0]} is a list of pairs; give it alone.")
        return read_pairs(lists[0])
    paths = found_inputs(words, report)
    if len(paths) == 1 and paths[0].is_dir():
        raise InputError(f"{paths[0]} holds no images ({', '.join(SUFFIXES[:4])} ...).")
    if wanted == FIRST:
        return against_first(paths)
    pairs = drawn_pairs(paths, None if wanted == ALL else int(wanted), seed=seed)
    total = len(paths) * (len(paths) - 1) // 2
    if len(pairs) < total:
        report.say(f"Drew {len(pairs)} of {total} pairs of {len(paths)} images (seed {seed}).")
    return pairs


def _list(*, as_json: bool) -> None:
    if as_json:
        print_json([{"name": step.name, "number": step.number, "meaning": step.meaning} for step in STEPS.values()])
        return
    rows = [
        [step.name if step.number is None else f"{step.name}[:{step.number}]", step.meaning] for step in STEPS.values()
    ]
    print_table("Steps of preprocessings; '+' joins them", ["name", "what is done"], rows)


# --- registering and judging


@dataclass(frozen=True)
class _Task(Job):
    """A pair of images and a method to register it by."""

    method: Method = field(kw_only=True)

    @property
    def title(self) -> str:
        """Both images."""
        return f"{self.path} to {self.pair[1]}"

    @property
    def pair(self) -> tuple[Path, Path]:
        """The moving and the fixed image."""
        fixed = self.others["fixed"]
        assert isinstance(fixed, Path)
        return self.path, fixed


@dataclass(kw_only=True)
class _Comparison:
    """What to compare, and what came of it: a row a pair, method and scoring, kept in the table as it grows.

    `scorings`: on what to judge; pictures are of the first. `is_whole`: whether all tables and pictures were written.
    """

    methods: Sequence[Method]
    scorings: Sequence[Preprocessing]
    baseline: str
    rules: Rules
    data_range: DataRange
    channel_axis: int | str
    out: Path
    resume: bool
    force: bool
    most_pixels: int
    report: Report
    outcomes: list[Outcome] = field(default_factory=list)
    is_whole: bool = True

    def __post_init__(self) -> None:
        self._frames = Frames(data_range=self.data_range, read=self.read)

    def read(self, path: Path) -> ImageFile:
        """Read an image as the command line says."""
        return read(path, self.channel_axis, self.most_pixels)

    @property
    def refused(self) -> int:
        """How many registrations were refused."""
        return sum(outcome.category == "refused" for outcome in self.outcomes)

    def jobs(self, pairs: Sequence[FilePair]) -> list[_Task]:
        """Give the tasks: every pair by every method."""
        return [
            _Task(pair.moving, pair.moving.stem, {"fixed": pair.fixed, **_matches_of(method, pair)}, method=method)
            for pair in pairs
            for method in self.methods
        ]

    def plan(self) -> Plan[_Task]:
        request = request_of(
            kind="compare", **asdict(self.rules), data_range=self.data_range, channel_axis=self.channel_axis
        )
        return Plan(
            kind=KIND,
            request=request,
            work=self.judge,
            layout=Layout("", (), lambda _row: "", said=_said),
            columns=COLUMNS,
            out=self.out,
            table=self.out / ROWS,
            resume=self.resume,
            force=self.force,
            files_vouch=False,
            each=len(self.scorings),
            names=lambda task: [(*map(str, task.pair), task.method.name, one.name) for one in self.scorings],
            named=_named,
            failed=self.failed,
        )

    def judge(self, task: _Task, turn: Turn) -> list[dict[str, Any]]:
        """Register and judge a pair by one method, or take the rows that are there; a row for every scoring."""
        method = task.method
        cells = [
            turn.vouch(method=method.name, registration=method.registration, scoring=scoring.name)
            for scoring in self.scorings
        ]
        known = [turn.known(one) for one in cells]
        before = [Outcome.from_row(rows[-1]) if rows else None for rows in known]
        made = list(self._made(task, before, turn))
        self.outcomes += made
        rows = []
        for outcome, old, one in zip(made, before, cells, strict=True):
            row = outcome.row() if outcome.error else {**outcome.row(), **one}
            rows.append(row if old is None else turn.keep(row))
        return rows

    def failed(self, task: _Task, message: str) -> list[dict[str, Any]]:
        """Give the rows of a pair that could not be registered or judged; the `failed` of a `Plan`."""
        moving, fixed, method = str(task.path), str(task.pair[1]), task.method
        made = [
            Outcome(moving, fixed, method.name, one.name, method.registration, error=message) for one in self.scorings
        ]
        self.outcomes += made
        return [outcome.row() for outcome in made]

    def _made(self, task: _Task, before: Sequence[Outcome | None], turn: Turn) -> Iterator[Outcome]:
        """Give the outcome of every scoring; a registration that is known is judged without registering."""
        pair, names, method = task.pair, (str(task.path), str(task.pair[1])), task.method
        there = next((outcome for outcome in before if outcome is not None), None)
        if there is None:
            yield from outcome_of(self._frames, pair, names, method, self.scorings, self.rules, turn.progress)
            return
        matrix = there.homography
        assert matrix is not None  # rows that failed are not kept
        facts = {"accepted": there.accepted, "reason": there.reason, "inliers": there.inliers}
        for scoring, outcome in zip(self.scorings, before, strict=True):
            yield outcome or judged_matrix(
                self._frames, pair, names, method, scoring, self.rules, matrix, facts, steps=Steps(turn.progress)
            )

    def conclude(self, batch: Batch[_Task], *, draws: bool) -> None:
        """Write the tables and pictures, and say what follows."""
        comparison = Comparison(tuple(self.outcomes), self.baseline, {"seed": self.rules.seed})
        self._write(comparison, draws=draws)
        counts = batch.counts
        left = counts.pop("not_reached")
        if self.report.as_json:
            told = {**counts, "refused": self.refused, "not_reached": left, **as_records(comparison)}
            self.report.give_json({**told, "rows": comparison.rows()})
        elif self.outcomes:
            print_comparison(comparison)
        parts = [f"{counts['computed']} judgements computed"]
        if counts["kept"]:
            parts.append(
                f"{counts['kept']} kept from before (same files, same options; --overwrite computes them anew)"
            )
        if counts["failed"]:
            parts.append(f"{counts['failed']} failed")
        if self.refused:
            parts.append(f"{self.refused} refused (their reasons are in {ROWS})")
        self.report.say(f"{', '.join(parts)}; all in {self.out}.")
        if left:
            self.report.say(
                f"Interrupted: {left} of {batch.planned} not done. The rows in {self.out / ROWS} are kept; the same "
                "command goes on."
            )

    def _write(self, comparison: Comparison, *, draws: bool) -> None:
        """Write the tables and pictures; if the system refuses, what was found is told all the same."""
        try:
            for name, text in zip(_TABLES, _texts(comparison) if self.outcomes else (), strict=False):
                with written_whole(self.out / name) as part:
                    part.write_text(text, encoding="utf-8", newline="")
            if draws:
                self._draw()
        except InputError as error:
            self.report.failure(self.out, in_one_line(error))
            self.is_whole = False

    def _draw(self) -> None:
        """Show the best and the worst pair of every method."""
        scoring = self.scorings[0]
        for method in self.methods:
            found = extremes(self.outcomes, scoring.name, method.name)
            for word, outcome in zip(("best", "worst"), found or (), strict=False):
                path = self.out / f"{word}_{_NOT_IN_NAMES.sub('-', method.name)}.png"
                matrix = outcome.homography
                assert matrix is not None
                seen = views(self._frames, (Path(outcome.moving), Path(outcome.fixed)), scoring, matrix)
                write_pair(seen, outcome, self.rules, path)


def _matches_of(method: Method, pair: FilePair) -> dict[str, Path | InputError]:
    """Name the table of matches that a method takes, if it takes one."""
    if method.matches is None:
        return {}
    try:
        return {"matches": method.matches_of(pair.moving, pair.fixed)}
    except InputError as error:
        return {"matches": error}


def _named(row: Row) -> tuple[str, str, str, str]:
    return str(row["file"]), str(row.get("fixed", "")), str(row.get("method", "")), str(row.get("scoring", ""))


def _said(rows: Sequence[Row]) -> str:
    first = Outcome.from_row(rows[0])
    if first.category == "refused":
        said = f"refused ({first.reason})"
    else:
        said = f"{first.verdict}, score {first.score:.2f}" if first.scored else first.verdict or "failed"
    return f"to {Path(first.fixed).name} by {first.method}: {said}"


# --- what follows, for programs and for people


def as_records(comparison: Comparison) -> dict[str, Any]:
    """Give what follows from a comparison, for JSON.

    Returns baseline, summary, paired, scorings and best_of_methods, each a list of plain records.
    """
    return {
        "baseline": comparison.baseline,
        "summary": [flat(one) for one in comparison.summaries],
        "paired": [flat(one) for one in comparison.paired],
        "scorings": [flat(one) for one in comparison.sensitivity],
        "best_of_methods": [flat(one) for one in comparison.best_of_methods],
    }


def _texts(comparison: Comparison) -> list[str]:
    """Write the tables, in the order of their names."""
    summed = comparison.summaries
    return [
        *(as_csv(summed), as_markdown(summed), as_latex(summed)),
        *(as_csv(comparison.paired), as_csv(comparison.best_of_methods), as_csv(comparison.sensitivity)),
    ]


def print_comparison(comparison: Comparison) -> None:
    """Print what a comparison says on standard output.

    `comparison`: with at least one outcome.
    """
    summed = comparison.summaries
    for scoring in dict.fromkeys(one.scoring for one in summed):
        lines = [one for one in summed if one.scoring == scoring]
        heads: dict[str, list[Any]] = {
            "method": [one.method for one in lines],
            "pairs": [one.pairs for one in lines],
            "better (score)": [_with_score(one.better, one.mean_better, one.std_better) for one in lines],
            "worse (score)": [_with_score(one.worse, one.mean_worse, one.std_worse) for one in lines],
            "tie": [one.tie for one in lines],
            "unscored": [one.unscored for one in lines],
            "refused": [one.refused for one in lines],
            "failed": [one.failed for one in lines],
            "soft gain (95 %)": [figure_text(one.soft_or_unchanged) for one in lines],
        }
        # What happened to no pair needs no column.
        shown = {head: cells for head, cells in heads.items() if head not in ("tie", "refused", "failed") or any(cells)}
        print_table(
            f"Pairs that got better or worse, judged on {scoring!r}",
            list(shown),
            list(zip(*shown.values(), strict=True)),
            numbers=list(shown)[1:],
        )
    out = console()
    for sentence in sentences(comparison):
        out.print(Text(escaped(sentence)), soft_wrap=True)


def sentences(comparison: Comparison) -> Iterator[str]:
    """Say what follows from a comparison."""
    several = len({one.scoring for one in comparison.outcomes}) > 1
    for one in comparison.paired:
        if one.measure == _MEASURE and one.pairs:
            yield _against(one, several=several)
    if len({one.method for one in comparison.outcomes}) > 1:
        for scoring in dict.fromkeys(one.scoring for one in comparison.best_of_methods):
            chosen = Counter(one.method for one in comparison.best_of_methods if one.scoring == scoring)
            none = chosen.pop("", 0)
            where = f"Judged on {scoring!r}, the" if several else "The"
            counts = ", ".join(f"{method} {count}" for method, count in chosen.most_common()) or "none"
            rest = f"; on {none} none made it better" if none else ""
            yield f"{where} best method, pair by pair: {counts}{rest}."
    orders = comparison.sensitivity
    for order in orders[1:]:
        same = "the same order of methods as" if order.methods == orders[0].methods else "another order of methods than"
        tau = "" if math.isnan(order.agreement) else f" (Kendall's tau {order.agreement:.2f})"
        ranks = ", ".join(order.methods)
        yield f"Judging on {order.scoring!r} gives {same} judging on {orders[0].scoring!r}{tau}: {ranks}."


def _with_score(count: int, mean: float, std: float) -> str:
    return f"{count} ({spread(mean, std)})" if count else "0"


def _against(one: Paired, *, several: bool) -> str:
    where = f" (judged on {one.scoring!r})" if several else ""
    figure = one.difference
    if one.higher == one.lower == 0:
        return f"{one.method} against {one.baseline}{where}: no difference on any of {one.pairs} pairs."
    interval = "" if math.isnan(figure.low) else f" (95 %: {figure.low:+.2g} to {figure.high:+.2g})"
    excludes = not math.isnan(figure.low) and (figure.low > 0 or figure.high < 0)
    is_clear = excludes and one.p_value < _CLEAR
    says = ("better" if figure.value > 0 else "worse") if is_clear else "not shown to differ"
    if is_clear and abs(figure.value) < _LITTLE:
        says += ", but by very little"
    return (
        f"{one.method} against {one.baseline}{where}: {says}; soft gain {figure.value:+.2g}{interval} on {one.pairs} "
        f"pairs, higher on {one.higher}, lower on {one.lower} (sign test p = {one.p_value:.2g})."
    )
