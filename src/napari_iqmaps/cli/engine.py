"""The one batch under every command that goes over files.

A command says which jobs there are, what is done with each, and how its rows look (`Plan`). The batch does the rest: no
file is written twice or over an input; what the same options made of the same files is kept; a job that fails becomes a
row and stops none of the others, whatever it raised; Ctrl-C ends it in order; the table is written as it grows.
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from operator import itemgetter
from pathlib import Path
from typing import Any, Generic

import click

from ..core import models
from ..core.errors import InputError, IqmapsError, WeightsError
from ..core.io.atomic import Held, sweep
from ..core.io.map_file import row_of_record, score_row
from ..core.io.score_table import OwnText, read_scores, write_scores
from ..core.maps import COLUMNS, QualityMap
from ..core.names import escaped, unescaped
from ..core.progress import Progress
from ..core.score_columns import Column
from .group import in_one_line
from .inputs import Options
from .jobs import PLACE, Job, Places, Task, place_of, refuse_overwriting, same_made, settled
from .report import Layout, Report, Row, layout_of
from .streams import status_of

MADE_FROM = "made_from"
"""Column that tells by which options and from which files a row was made."""

SUFFIXES = {"tif": (".tif",), "png": (".png",), "both": (".tif", ".png")}
"""Endings of maps, by the word of ``--format``."""

_SECONDS = 2.0
_SHARE = 20  # the table may cost one part in this many of the time

_log = logging.getLogger(__name__)


# --- what is to be done


@dataclass(frozen=True, kw_only=True)
class Plan(Generic[Task]):
    """What a batch does with each job.

    Attributes
    ----------
    kind : str
        What its rows are about.
    request : mapping
        Everything beside the files that decides the values; see `napari_iqmaps.cli.inputs.request_of`.
    work : callable
        From a job and its `Turn` to the job's rows. It gives a row with ``error`` for a part that cannot be done, and
        raises if nothing of the job can be.
    columns : sequence of Column
        What its table consists of, beside the general columns.
    outputs : callable
        From a job to all files that it may write.
    further : sequence of pathlib.Path
        Files that are written of the batch as a whole, beside the table.
    prepare : callable
        Called once before the first result is computed; raises what concerns all jobs.
    force : bool
        Whether a file in the place of the table is replaced that is no table of scores.
    files_vouch : bool
        Whether the files in `out`, where there is one, tell what is done; else the rows of the table do.
    kept_elsewhere : bool
        Whether other files than the table keep rows, too: then rows have their cell even without a table.
    each : int
        How many rows a job is expected to give.
    names, named : callable
        From a job to what its rows stand for, and from a row to what it stands for; by themselves its file.
    failed : callable, optional
        From a job and a message to its rows if it fails; by itself one row.
    product : str
        What the outputs are called in messages.
    """

    kind: str
    request: Mapping[str, Any]
    work: Callable[[Task, Turn], Iterable[dict[str, Any]]]
    layout: Layout
    columns: Sequence[Column]
    out: Path | None
    table: Path | None
    resume: bool
    force: bool = False
    outputs: Callable[[Task], Iterable[Path]] = lambda _job: ()
    further: Sequence[Path] = ()
    prepare: Callable[[], object] = lambda: None
    files_vouch: bool = True
    kept_elsewhere: bool = False
    each: int = 1
    names: Callable[[Task], Iterable[Any]] = lambda job: (str(job.path),)
    named: Callable[[Row], Any] = itemgetter("file")
    failed: Callable[[Task, str], list[dict[str, Any]]] | None = None
    product: str = "map"

    @property
    def rows_vouch(self) -> bool:
        """Whether rows of the table tell what is done."""
        return self.out is None or not self.files_vouch

    def failed_rows(self, job: Task, message: str) -> list[dict[str, Any]]:
        """Give the rows of a job that failed."""
        if self.failed is not None:
            return self.failed(job, message)
        return [{**job.named, "kind": self.kind, "score": None, "error": message}]


class Turn:
    """The turn of a job: what the batch knows of it and does for the command that works on it."""

    def __init__(self, batch: Batch[Any], job: Job) -> None:
        self._batch = batch
        self._job = job
        self._sources = job.sources()
        self.progress: Progress = batch.report.tiles
        self.made_from = {"request": dict(batch.plan.request), **self._sources, PLACE: place_of(job.path)}
        """What the info of a file holds that was made by this request from these files."""

    def vouch(self, **about: Any) -> dict[str, str]:
        """Give the cell of the table by which a row is known again, which is about a part of the job if it says so."""
        return self._batch.ledger.made_from({**self._sources, **about})

    def known(self, cells: Mapping[str, Any]) -> list[dict[str, Any]]:
        """Find the rows of the table that have the same such cell and can be shown; give them with these cells."""
        return self.shown(self._batch.ledger.known_rows(cells))

    def shown(self, rows: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
        """Leave out the rows from files that could not be shown."""
        return [row for row in rows if self._batch.plan.layout.can_show(row)]

    def is_sound(self, row: Row, files: Iterable[Path]) -> bool:
        """Tell whether a row that outputs tell of can be shown, and whether the files that it names are of this job."""
        own = {os.path.abspath(path) for path in self._batch.plan.outputs(self._job)}  # noqa: PTH100 - texts
        named = {os.path.abspath(path) for path in files}  # noqa: PTH100
        if not {"file", "kind", "score"} <= row.keys():
            return False
        return named <= own and all(map(os.path.isfile, named)) and self._batch.plan.layout.can_show(row)

    def keep(self, row: dict[str, Any]) -> dict[str, Any]:
        """Count a row that was there before."""
        self._batch.kept += 1
        return row

    def prepare(self) -> None:
        """Do once what has to be done before the first result is computed."""
        self._batch.prepare()


class WrongForAllError(click.ClickException):
    """What no input can be computed with: an option, not an input, is wrong."""

    exit_code = 2


# --- doing it


def run(plan: Plan[Task], jobs: Sequence[Task], report: Report) -> Batch[Task]:
    """Work through a batch, and say what came of it."""
    batch = Batch(plan, jobs, report)
    batch.work()
    batch.tell()
    return batch


class Batch(Generic[Task]):
    """A batch at work.

    `kept`: rows that were there before. `planned`: rows that there will be if all goes well.
    """

    def __init__(self, plan: Plan[Task], jobs: Sequence[Task], report: Report) -> None:
        if plan.out is not None:
            jobs = settled(jobs, plan.out, plan.outputs)
        _check_outputs(plan, jobs)
        if plan.out is not None:
            make_folder(plan.out)
        self.plan = plan
        self.jobs = jobs
        self.report = report
        names = (name for job in jobs for name in plan.names(job))
        self.ledger = Ledger(
            plan.table,
            plan.columns,
            plan.request,
            names,
            vouches=plan.rows_vouch and (plan.table is not None or plan.kept_elsewhere),
            resume=plan.resume,
            kind=plan.kind,
            named=plan.named,
            force=plan.force,
        )
        self.kept = 0
        self.planned = len(jobs) * plan.each
        self._is_wrong = False
        self._stopped: BaseException | None = None
        self._is_prepared = False
        self._complaints: set[str] = set()

    @property
    def rows(self) -> list[dict[str, Any]]:
        """The rows so far."""
        return self.ledger.rows

    @property
    def counts(self) -> dict[str, int]:
        """How many rows were computed, kept, failed and not reached."""
        failed = sum(bool(row.get("error")) for row in self.rows)
        done = len(self.rows)
        return {
            "computed": done - self.kept - failed,
            "kept": self.kept,
            "failed": failed,
            "not_reached": self.planned - done,
        }

    @property
    def interrupted(self) -> bool:
        """Whether it was stopped before its end."""
        return self._stopped is not None

    @property
    def status(self) -> int:
        """Exit status: 0 all done, 1 some jobs or the table failed, 130 interrupted, 143 or 129 ended by a signal."""
        if self._stopped is not None:
            return status_of(self._stopped)
        return 1 if self.counts["failed"] or self.ledger.failure else 0

    def work(self) -> None:
        """Do one job after the other; whatever ends it, the table is written."""
        try:
            with self.report.bars(len(self.jobs)):
                for job in self.jobs:
                    self._do(job)
        except KeyboardInterrupt as error:
            self._stopped = error
        finally:
            if self.rows or not self._is_wrong:
                self.ledger.write()
            self.ledger.close()
        if self.ledger.failure:
            self.report.failure(self.plan.table, self.ledger.failure)

    def prepare(self) -> None:
        """Call the plan's `prepare`, if it was not."""
        if not self._is_prepared:
            try:
                self.plan.prepare()
            except IqmapsError as error:
                raise WrongForAllError(in_one_line(error)) from None
            self._is_prepared = True

    def tell(self) -> None:
        """Give the rows, and sum up what was done, kept, failed and not reached."""
        counts, plan = self.counts, self.plan
        self.report.give(plan.layout, self.rows, counts)
        parts = [f"{counts['computed']} computed"]
        if counts["kept"]:
            parts.append(f"{counts['kept']} kept from before (same file, same options; --overwrite computes them anew)")
        if counts["failed"]:
            parts.append(f"{counts['failed']} failed")
        if plan.table is not None and not self.ledger.failure:
            parts.append(f"scores in {plan.table}")
            if others := len(self.ledger.others):
                parts.append(f"beside {others} rows of other files or commands")
        self.report.say(", ".join(parts) + ".")
        if counts["not_reached"]:
            self.report.say(f"Interrupted: {counts['not_reached']} of {self.planned} not done. {self._remains()}")

    def _do(self, job: Task) -> None:
        self.report.start(job.path)
        rows = []
        for row in self._rows(job):
            if row.get("error"):
                self._complain(job, row["error"])
            self.ledger.add(row)
            rows.append(row)
        self.planned += len(rows) - self.plan.each
        is_done = not all(row.get("error") for row in rows)
        self.report.done(job.path, self.plan.layout.said(rows) if is_done else "")

    def _rows(self, job: Task) -> Iterator[dict[str, Any]]:
        """Give the rows of a job, or what says that it failed: nothing that one file raises stops the others."""
        try:
            yield from self.plan.work(job, Turn(self, job))
        except WeightsError as error:
            self._is_wrong = True
            raise WrongForAllError(in_one_line(error)) from None
        except click.ClickException:
            self._is_wrong = True
            raise
        except Exception as error:
            _log.debug("%s failed", escaped(job.title), exc_info=True)
            yield from self.plan.failed_rows(job, message_of(error, job.path))

    def _complain(self, job: Task, message: str) -> None:
        """Say what was wrong: once, where the same is wrong with several parts of a job."""
        name = next((str(path) for path in job.paths if str(path) in message), job.title)
        complaint = f"{name}: {message}"
        if complaint not in self._complaints:
            self._complaints.add(complaint)
            self.report.failure(name, message)

    def _remains(self) -> str:
        """Say what the next run need not do again."""
        plan = self.plan
        if not plan.rows_vouch:
            plural = f"{plan.product.removesuffix('y')}ies" if plan.product.endswith("y") else f"{plan.product}s"
            return f"{plural.capitalize()} in --out are kept; the same command goes on."
        if plan.table is not None:
            return "The rows in the table are kept; the same command goes on."
        return f"Give {'--out or --csv' if plan.files_vouch else '--csv'} to keep what is done."


def message_of(error: BaseException, path: Path) -> str:
    """Say in one line what was wrong with an input."""
    message = in_one_line(error)
    if isinstance(error, MemoryError):
        return f"Not enough memory for {path}. Crop it, or close other programs. ({message})"
    if isinstance(error, IqmapsError | OSError):
        return message
    return f"Unexpected {type(error).__name__}" + (f": {message}" if str(error) else "")


def make_folder(folder: Path) -> None:
    """Make a folder for outputs, with those above it; rid it of what killed writers left."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"The folder {folder} cannot be made ({error.strerror}).") from None
    sweep(folder)


def _check_outputs(plan: Plan[Task], jobs: Sequence[Task]) -> None:
    """See to it that no file is written twice, and none that is read: kinds of maps may end names of images, too."""
    written: dict[str, Path] = {}
    place = Places()
    for job in jobs:
        for path in plan.outputs(job):
            other = written.setdefault(place(path), job.path)
            if other != job.path:
                raise click.UsageError(
                    f"A {plan.product} of {job.path} and one of {other} would both be {path}. Rename one image."
                )
    own = (path for job in jobs for path in plan.outputs(job))
    further = (*plan.further, *([] if plan.table is None else [plan.table]))
    refuse_overwriting([*own, *further], jobs, out=plan.out)


# --- the table


def digest(value: Any) -> str:
    """Give 16 hexadecimal digits that stand for a value of JSON."""
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()[:16]


class Ledger:
    """The rows of a batch, and the file that they go to: written as it grows, and read back when a batch goes on.

    From when it is made until `close`, no other process writes the file. `path`: ``.csv`` or ``.json``; None writes
    nothing. `names`: what there will be rows of; rows from before stand for them until their turn has come. Rows of
    other files, and of other commands, stay in the table. `vouches`:
    give every row a cell that vouches for it: nothing else tells what is done. `named`: from a row to what it stands
    for; by itself the file. `force`: replace a file that is no table of scores.
    """

    def __init__(
        self,
        path: Path | None,
        columns: Sequence[Column],
        request: Mapping[str, Any],
        names: Iterable[Any],
        *,
        vouches: bool,
        resume: bool,
        kind: str = "",
        named: Callable[[Row], Any] = itemgetter("file"),
        force: bool = False,
    ) -> None:
        self.rows: list[dict[str, Any]] = []
        self.failure = ""
        self._path = path
        self._columns = columns
        self._request = digest(request)
        self._vouches = vouches
        self._resume = resume
        self._named = named
        self._waiting = dict.fromkeys(names)
        self._before: list[dict[str, Any]] = []
        self._known: dict[str | None, list[dict[str, Any]]] = {}
        self._own: dict[Any, list[dict[str, Any]]] = {}
        self._others: list[dict[str, Any]] = []
        self._held = None if path is None else Held(path)
        if path is not None:
            try:
                self._take(rows_there(path, columns, force=force), kind)
            except BaseException:
                self.close()
                raise
        self._due = time.monotonic() + _SECONDS

    def _take(self, rows: Sequence[Mapping[str, Any]], kind: str) -> None:
        """Take over the rows of the table that is there, and what its user has added to them."""
        for whole in rows:
            row = {name: cell for name, cell in whole.items() if not isinstance(cell, OwnText)}
            own = {name: cell for name, cell in whole.items() if isinstance(cell, OwnText)}
            self._own.setdefault(self._key(row), []).append(own)
            made = str(row.get(MADE_FROM, ""))
            if row.get("error") or not _has_numbers(row):
                continue
            if self._named(row) not in self._waiting or row["kind"] != kind:
                self._others.append(row)
            if self._vouches and made.startswith(f"{self._request}-"):
                self._known.setdefault(made, []).append(row)
                self._before.append(row)
            elif not self._vouches and row["kind"] == kind:
                self._before.append(row)

    def close(self) -> None:
        """Let other processes write the file."""
        if self._held is not None:
            self._held.release()

    def made_from(self, sources: Mapping[str, Any]) -> dict[str, str]:
        """Give the cell that vouches for a row: options and contents of files, each as a digest.

        Returns dict: empty where other files vouch.
        """
        return {MADE_FROM: f"{self._request}-{digest(sources)}"} if self._vouches else {}

    def known(self, cells: Mapping[str, Any]) -> dict[str, Any] | None:
        """Find the row that was made before by the same options from the same files."""
        rows = self.known_rows(cells)
        return rows[-1] if rows else None

    def known_rows(self, cells: Mapping[str, Any]) -> list[dict[str, Any]]:
        """Find all rows that were made before by the same options from the same files; see `known`."""
        rows = self._known.get(cells.get(MADE_FROM), []) if self._resume else []
        return [{**row, **cells} for row in rows]

    def add(self, row: dict[str, Any]) -> None:
        """Take a row; now and then, write the table."""
        self.rows.append(row)
        self._waiting.pop(self._named(row), None)
        begun = time.monotonic()
        if self._path is not None and begun >= self._due:
            self.write()
            done = time.monotonic()
            self._due = done + max(_SECONDS, _SHARE * (done - begun))

    def write(self) -> None:
        """Write the table as it is; rows from before stand for those whose turn has not come.

        What the system refuses is kept as `failure`: the next time it may be possible.
        """
        if self._path is None:
            return
        try:
            write_scores(self._with_own([*self.rows, *self._rest, *self.others]), self._path, self._columns)
            self.failure = ""
        except InputError as error:
            self.failure = in_one_line(error)

    @property
    def others(self) -> list[dict[str, Any]]:
        """The rows of the table that are about other files, or by other commands."""
        there = {self._key(row) for row in (*self.rows, *self._rest)}
        return [row for row in self._others if self._key(row) not in there]

    @property
    def _rest(self) -> list[dict[str, Any]]:
        """The rows from before of those whose turn has not come."""
        return [row for row in self._before if self._named(row) in self._waiting]

    def _key(self, row: Mapping[str, Any]) -> tuple[Any, Any]:
        return self._named(row), row.get("kind")

    def _with_own(self, rows: Iterable[dict[str, Any]]) -> Iterator[dict[str, Any]]:
        """Give rows the cells of the columns that the user has added: of one name, in their order."""
        given: dict[Any, int] = {}
        for row in rows:
            name = self._key(row)
            number = given[name] = given.get(name, -1) + 1
            own = self._own.get(name, [])
            yield {**own[number], **row} if number < len(own) else row


def rows_there(path: Path, columns: Sequence[Column], *, force: bool) -> list[dict[str, Any]]:
    """Read the table that is to be replaced, if it is one; refuse to replace another file unless forced to."""
    if not os.path.lexists(path):
        return []
    try:
        return read_scores(path, columns, keeps_own=True)
    except InputError as error:
        if force and path.is_file():
            return []
        if not path.exists():  # a link to nothing
            return []
        raise InputError(
            f"{path} is there and no whole table of this program, so it is not replaced: {in_one_line(error)} Give "
            "another name, or --force."
        ) from error


def _has_numbers(row: Mapping[str, Any]) -> bool:
    """Say whether a row of a table, which people may have edited, has numbers where there are some."""
    values = (row.get(name) for name in ("score", "uncertainty"))
    lists = (row.get(name, ()) for name in ("planes", "planes_uncertainty"))
    return all(isinstance(value, int | float | None) for value in (*values, *(item for part in lists for item in part)))


# --- batches of maps


@dataclass(frozen=True)
class Answer:
    """What a job of such a batch gives: maps, to be written if there is a folder for them, and its row."""

    maps: tuple[QualityMap, ...]
    row: Mapping[str, Any]

    @classmethod
    def of(cls, quality_map: QualityMap, columns: Sequence[Column] = ()) -> Answer:
        """Give a map, summed up by its score, with the cells of further columns."""
        return cls((quality_map,), score_row(quality_map, columns))


Compute = Callable[[Job, Progress], Answer]


@dataclass(frozen=True, kw_only=True)
class _Maps:
    """Makes the maps of a job, or keeps them if all are there: every one vouches by its record for what it is of."""

    kinds: tuple[str, ...]
    compute: Compute
    kept_row: Callable[[Sequence[Mapping[str, Any]]], Mapping[str, Any]]
    out: Path | None
    suffixes: tuple[str, ...]
    resume: bool

    def output(self, job: Job, kind: str, suffix: str) -> Path:
        """Name the file of a map; for a batch with a folder."""
        assert self.out is not None
        return job.output(self.out, f"_{kind}{suffix}")

    def outputs(self, job: Job) -> list[Path]:
        """Name the maps of a job, kind by kind; none without a folder."""
        if self.out is None:
            return []
        return [self.output(job, kind, suffix) for kind in self.kinds for suffix in self.suffixes]

    def work(self, job: Job, turn: Turn) -> list[dict[str, Any]]:
        """Give the row of a job; the `work` of a `Plan`."""
        cells = {**job.named, **turn.vouch()}
        paths = self.outputs(job)
        if (row := self._kept(turn, cells, paths)) is not None:
            return [turn.keep(row)]
        turn.prepare()
        answer = self.compute(job, turn.progress)
        beside = self._beside([quality_map.info for quality_map in answer.maps])
        from ..core.io import write_map

        try:
            for quality_map in answer.maps if paths else ():
                vouched = replace(quality_map, info={**quality_map.info, **turn.made_from})
                for suffix in self.suffixes:
                    write_map(vouched, self.output(job, quality_map.kind, suffix))
        except InputError as error:  # the disk is full: the score is there
            return [{**cells, **answer.row, "error": in_one_line(error)}]
        return [{**cells, **_outputs([*beside, *paths]), **answer.row}]

    def _kept(self, turn: Turn, cells: Mapping[str, Any], paths: Sequence[Path]) -> dict[str, Any] | None:
        """Give the row of a job that was done before."""
        if not paths or not self.resume:
            rows = turn.known(cells)
            return rows[-1] if rows else None
        records = same_made(paths, turn.made_from)
        if records is None:
            return None
        try:
            beside = self._beside([record["info"] for record in records])
            row = {**cells, **_outputs([*beside, *paths]), **self.kept_row(records[:: len(self.suffixes)])}
        except (LookupError, TypeError, ValueError, AttributeError):
            return None  # a record that lacks something: the map is made anew
        return row if turn.is_sound(row, beside) else None

    def _beside(self, infos: Sequence[Mapping[str, Any]]) -> list[Path]:
        """Name the files that were written beside the maps, as the maps' infos tell."""
        if self.out is None:
            return []
        # Once each: of one map, picture and values name the same files.
        names = dict.fromkeys(name for info in infos for name in info.get("beside", ()))
        # Some lie elsewhere: ".." is resolved for the eye.
        return [Path(os.path.normpath(self.out / unescaped(name))) for name in names]


def _outputs(paths: Sequence[Path]) -> dict[str, list[str]]:
    return {"outputs": [str(path) for path in paths]} if paths else {}


def maps_plan(
    kind: str,
    options: Options,
    compute: Compute,
    *,
    request: Mapping[str, Any],
    layout: Layout | None = None,
    columns: Sequence[Column] = (),
    maps: tuple[str, ...] | None = None,
    kept_row: Callable[[Sequence[Mapping[str, Any]]], Mapping[str, Any]] | None = None,
    beside: Callable[[Job], Iterable[Path]] = lambda _job: (),
    further: Sequence[Path] = (),
) -> Plan[Job]:
    """Plan a batch whose jobs give maps, or a row only.

    Parameters
    ----------
    compute : callable
        From a job and a progress callback to the `Answer`. It may write further files; their names, as seen from
        the folder of the maps, go into a map's info as ``"beside"``. Maps are written after them and vouch for them.
    maps : tuple of str, optional
        Kinds of the maps that every job gives, in their order; empty if it gives a row only, None for the one `kind`.
    kept_row : callable
        From the records of a job's maps, in the order of `maps`, to the row that was given with them.
    columns : sequence of Column
        What the subject's rows have beside those of every map.
    beside : callable
        From a job to the further files that it may write.
    """
    made = _Maps(
        kinds=(kind,) if maps is None else maps,
        compute=compute,
        kept_row=kept_row or (lambda records: row_of_record(records[0], columns)),
        out=options.out,
        suffixes=SUFFIXES[options.formats],
        resume=options.resume,
    )
    return Plan(
        kind=kind,
        request=request,
        work=made.work,
        layout=layout or layout_of(kind),
        columns=(*COLUMNS, *columns),
        out=options.out,
        table=options.table,
        resume=options.resume,
        force=options.force,
        outputs=lambda job: [*made.outputs(job), *beside(job)],
        further=further,
        prepare=lambda: None if options.model is None else models.resolve(options.device),
    )
