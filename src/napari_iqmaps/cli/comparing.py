"""A comparison as it goes on: a row a pair, method and scoring, kept in the table as it grows; then what follows."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import click

from .. import __version__
from ..core.comparison.compare import Comparison, FilePair, outcome_of
from ..core.comparison.outcome import COLUMNS, Outcome, Rules, judged_matrix, views
from ..core.comparison.preprocessing import Frames, Method, Preprocessing
from ..core.comparison.summary import as_csv, as_latex, as_markdown, extremes
from ..core.errors import InputError, IqmapsError
from ..core.io.atomic import written_whole
from ..core.io.image_file import ImageFile
from .batch import identity, message_of
from .group import INTERRUPTED
from .ledger import Ledger
from .plans import request_of
from .report import Report, print_json
from .verdicts import print_comparison

ROWS = "pairs.csv"
"""The table of outcomes, in the folder of a comparison."""

_TABLES = ("summary.csv", "summary.md", "summary.tex", "paired.csv", "best_of_methods.csv", "scorings.csv")
_NOT_IN_NAMES = re.compile(r"[^A-Za-z0-9.+-]+")


@dataclass(frozen=True, kw_only=True)
class Order:
    """What to compare.

    Attributes
    ----------
    scorings : sequence of Preprocessing
        On what to judge; pictures are of the first.
    """

    pairs: Sequence[FilePair]
    methods: Sequence[Method]
    scorings: Sequence[Preprocessing]
    baseline: str
    rules: Rules
    data_range: tuple[float, float] | None
    channel_axis: int | str
    read: Callable[[Path], ImageFile]
    out: Path
    resume: bool
    strict: bool
    draws: bool


def compare_all(order: Order, report: Report) -> int:
    """Work through a comparison.

    Returns
    -------
    int
        Exit status: 0 all done, 1 some pairs failed (or, if strict, were refused), 130 interrupted.
    """
    _check_folder(order)
    request = request_of(
        kind="compare", **asdict(order.rules), data_range=order.data_range, channel_axis=order.channel_axis
    )
    names = [
        (str(pair.moving), str(pair.fixed), method.name, scoring.name)
        for pair in order.pairs for method in order.methods for scoring in order.scorings
    ]  # fmt: skip
    ledger = Ledger(order.out / ROWS, COLUMNS, request, names, grows=True, resume=order.resume, named=_named)
    work = _Work(order, ledger, report)
    interrupted = False
    try:
        with report.bars(len(order.pairs) * len(order.methods)):
            for pair in order.pairs:
                for method in order.methods:
                    work.on(pair, method)
    except KeyboardInterrupt:
        interrupted = True
    ledger.write()
    info = {"seed": order.rules.seed}
    comparison = Comparison(tuple(work.outcomes), order.baseline, info)
    work.conclude(comparison, planned=len(names), draws_pictures=order.draws and not interrupted)
    if interrupted:
        return INTERRUPTED
    return 1 if work.count("failed") or (order.strict and work.count("refused")) else 0


def _named(row: Mapping[str, Any]) -> tuple[str, str, str, str]:
    return str(row["file"]), str(row.get("fixed", "")), str(row.get("method", "")), str(row.get("scoring", ""))


def _check_folder(order: Order) -> None:
    folders = {os.path.realpath(path.parent) for pair in order.pairs for path in (pair.moving, pair.fixed)}
    if os.path.realpath(order.out) in folders:
        raise click.UsageError(f"{order.out} holds the images, and pictures would be written among them. Choose "
                               "another --out.")  # fmt: skip
    try:
        order.out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"The folder {order.out} cannot be made ({error.strerror}).") from None


@dataclass
class _Work:
    order: Order
    ledger: Ledger
    report: Report
    outcomes: list[Outcome] = field(default_factory=list)
    kept: int = 0
    _said: set[str] = field(default_factory=set)
    _sources: dict[Path, dict[str, str]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._frames = Frames(data_range=self.order.data_range, read=self.order.read)

    def count(self, category: str) -> int:
        return sum(outcome.category == category for outcome in self.outcomes)

    def on(self, pair: FilePair, method: Method) -> None:
        """Register and judge a pair by one method, or take the rows that are there."""
        self.report.start(pair.moving)
        try:
            found = list(self._found(pair, method))
        except (IqmapsError, OSError, MemoryError) as error:
            message = message_of(error, pair.moving)
            found = [(self._failed(pair, method, scoring, message), {}) for scoring in self.order.scorings]
        for outcome, cells in found:
            self.outcomes.append(outcome)
            self.ledger.add({**outcome.row(), **cells})
        failure = next((outcome for outcome, _ in found if outcome.error), None)
        if failure is not None and failure.error not in self._said:
            self._said.add(failure.error)  # once, not for every method and pair
            named = (path for path in (pair.moving, pair.fixed) if str(path) in failure.error)
            self.report.failure(next(named, Path(f"{pair.moving} to {pair.fixed}")), failure.error)
        first = found[0][0]
        said = f"to {pair.fixed.name} by {method.name}: {_said_of(first)}"
        self.report.done({"file": str(pair.moving), "error": first.error}, said)

    def conclude(self, comparison: Comparison, *, planned: int, draws_pictures: bool) -> None:
        """Write the tables and pictures, and say what follows."""
        out, failed, refused = self.order.out, self.count("failed"), self.count("refused")
        if self.outcomes:
            for name, text in zip(_TABLES, _texts(comparison), strict=True):
                with written_whole(out / name) as part:
                    part.write_text(text, encoding="utf-8", newline="")
        if draws_pictures:
            self._draw()
        done, left = len(self.outcomes), planned - len(self.outcomes)
        counts = {"computed": done - self.kept - failed, "kept": self.kept, "failed": failed, "refused": refused}
        if self.report.as_json:
            print_json({
                "command": self.report.command, "version": __version__, **counts, "not_reached": left,
                **as_records(comparison), "rows": comparison.rows(),
            })  # fmt: skip
        elif self.outcomes:
            print_comparison(comparison)
        parts = [f"{counts['computed']} judgements computed"]
        if self.kept:
            parts.append(f"{self.kept} kept from before (same files, same options; --overwrite computes them anew)")
        if failed:
            parts.append(f"{failed} failed")
        if refused:
            parts.append(f"{refused} refused (their reasons are in {ROWS})")
        self.report.say(f"{', '.join(parts)}; all in {out}.")
        if left:
            self.report.say(f"Interrupted: {left} of {planned} not done. The rows in {out / ROWS} are kept; the same "
                            "command goes on.")  # fmt: skip

    def _found(self, pair: FilePair, method: Method) -> Iterator[tuple[Outcome, dict[str, str]]]:
        """Give the outcome of every scoring, with the cell that vouches for it."""
        sources = {role: self._identity(path) for role, path in (("moving", pair.moving), ("fixed", pair.fixed))}
        if method.matches is not None:
            sources["matches"] = self._identity(method.matches_of(pair.moving, pair.fixed))
        cells = [
            self.ledger.made_from({**sources, "method": method.name, "registration": method.registration,
                                   "scoring": scoring.name})
            for scoring in self.order.scorings
        ]  # fmt: skip
        known = [self.ledger.known(one) for one in cells]
        before = [None if row is None else Outcome.from_row(row) for row in known]
        names = (str(pair.moving), str(pair.fixed))
        images = (pair.moving, pair.fixed)
        there = next((outcome for outcome in before if outcome is not None), None)
        if there is None:
            found = outcome_of(self._frames, images, names, method, self.order.scorings, self.order.rules,
                               self.report.tiles)  # fmt: skip
            yield from zip(found, [{} if outcome.error else one for outcome, one in zip(found, cells, strict=True)],
                           strict=True)  # fmt: skip
            return
        matrix = there.homography
        assert matrix is not None  # rows that failed are not kept
        facts = {"accepted": there.accepted, "reason": there.reason, "inliers": there.inliers}
        for scoring, outcome, one in zip(self.order.scorings, before, cells, strict=True):
            if outcome is not None:
                self.kept += 1
                yield outcome, one
            else:  # the same registration, judged on something else
                yield judged_matrix(self._frames, images, names, method, scoring, self.order.rules, matrix,
                                    facts), one  # fmt: skip

    def _identity(self, path: Path) -> dict[str, str]:
        if path not in self._sources:
            self._sources[path] = identity(path)
        return self._sources[path]

    def _failed(self, pair: FilePair, method: Method, scoring: Preprocessing, message: str) -> Outcome:
        return Outcome(str(pair.moving), str(pair.fixed), method.name, scoring.name, method.registration, error=message)

    def _draw(self) -> None:
        """Show the best and the worst pair of every method."""
        from ..core.comparison.outcome import write_pair

        scoring = self.order.scorings[0]
        for method in self.order.methods:
            found = extremes(self.outcomes, scoring.name, method.name)
            for word, outcome in zip(("best", "worst"), found or (), strict=False):
                path = self.order.out / f"{word}_{_NOT_IN_NAMES.sub('-', method.name)}.png"
                matrix = outcome.homography
                assert matrix is not None
                images = (Path(outcome.moving), Path(outcome.fixed))
                seen = views(self._frames, images, scoring, matrix)
                write_pair(seen, outcome, self.order.rules, path)


def as_records(comparison: Comparison) -> dict[str, Any]:
    """Give what follows from a comparison, for JSON.

    Returns
    -------
    dict
        baseline, summary, paired, scorings and best_of_methods, each a list of plain records.
    """
    from ..core.comparison.summary import flat

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
        as_csv(summed), as_markdown(summed), as_latex(summed), as_csv(comparison.paired),
        as_csv(comparison.best_of_methods), as_csv(comparison.sensitivity),
    ]  # fmt: skip


def _said_of(outcome: Outcome) -> str:
    if outcome.category == "refused":
        return f"refused ({outcome.reason})"
    return f"{outcome.verdict}, score {outcome.score:.2f}" if outcome.scored else f"{outcome.verdict or 'failed'}"
