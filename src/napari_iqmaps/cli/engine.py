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
from dataclasses import dataclass, field, replace
from functools import lru_cache
from operator import itemgetter
from pathlib import Path
from typing import Any, Generic, TypeVar

import click

from ..core import models
from ..core.errors import InputError, IqmapsError, WeightsError
from ..core.io.map_file import read_record, row_of_record, score_row
from ..core.io.reading import read_image
from ..core.io.score_table import read_scores, write_scores
from ..core.maps import COLUMNS, QualityMap
from ..core.progress import Progress
from ..core.score_columns import Column
from .group import in_one_line
from .inputs import Options, output_names, partner
from .report import Layout, Report, Row, layout_of
from .streams import status_of

MADE_FROM = "made_from"
"""Column that tells by which options and from which files a row was made."""

SUFFIXES = {"tif": (".tif",), "png": (".png",), "both": (".tif", ".png")}
"""Endings of maps, by the word of ``--format``."""

_SECONDS = 2.0
_SHARE = 20  # the table may cost one part in this many of the time

_log = logging.getLogger(__name__)


# --- jobs


@dataclass(frozen=True)
class Job:
    """One input of a batch.

    `name`: what the names of its outputs begin with. `others`: further files that the result depends on, such as
    ``{"reference": path}``. An error met while looking for them stands in their place, to be raised in the job's turn.
    """

    path: Path
    name: str
    others: Mapping[str, Path | InputError] = field(default_factory=dict)

    @property
    def paths(self) -> list[Path]:
        """All files that are read."""
        return [self.path, *(path for path in self.others.values() if isinstance(path, Path))]

    @property
    def named(self) -> dict[str, str]:
        """Cells that name its files in a table."""
        others = {role: str(path) for role, path in self.others.items() if isinstance(path, Path)}
        return {"file": str(self.path), **others}

    @property
    def title(self) -> str:
        """What messages call it that name none of its files."""
        return str(self.path)

    def sources(self) -> dict[str, dict[str, str]]:
        """Tell its files by role and content; raises what was wrong with one."""
        sources = {"source": identity(self.path)}
        for role, path in self.others.items():
            if isinstance(path, InputError):
                raise path
            sources[f"{role}_source"] = identity(path)
        return sources


Task = TypeVar("Task", bound=Job)


def jobs_of(paths: Sequence[Path], reference: Path | None = None) -> list[Job]:
    """Make a job of each image, with its reference where there are any.

    `reference`: a file, the reference of all; or a folder with images of the same names.
    """
    return [
        Job(path, name, {} if reference is None else {"reference": partner(path, reference, "reference")})
        for path, name in zip(paths, output_names(paths), strict=True)
    ]


def identity(path: Path) -> dict[str, str]:
    """Tell a file by its content, so that a changed file of the same name is another one."""
    if not path.is_file():
        read_image(path)  # says what is wrong
    status = path.stat()
    return {"file": path.name, "sha256": _sha256(path, status.st_size, status.st_mtime_ns)}


@lru_cache(maxsize=4096)
def _sha256(path: Path, _size: int, _modified: int) -> str:
    return models.sha256_of(path)


def same_made(paths: Sequence[Path], made_from: Mapping[str, Any]) -> list[dict[str, Any]] | None:
    """Give the records of existing outputs if all of them were made from the same files by the same request."""
    records = []
    for path in paths:
        record = read_record(path)
        if record is None or any(record.get("info", {}).get(name) != value for name, value in made_from.items()):
            return None
        records.append(record)
    return records


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
    files_vouch : bool
        Whether the files in `out`, where there is one, tell what is done; else the rows of the table do.
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
    outputs: Callable[[Task], Iterable[Path]] = lambda _job: ()
    further: Sequence[Path] = ()
    prepare: Callable[[], object] = lambda: None
    files_vouch: bool = True
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
        self._sources = job.sources()
        self.progress: Progress = batch.report.tiles
        self.made_from = {"request": dict(batch.plan.request), **self._sources}
        """What the info of a file holds that was made by this request from these files."""

    def vouch(self, **about: Any) -> dict[str, str]:
        """Give the cell of the table by which a row is known again, which is about a part of the job if it says so."""
        return self._batch.ledger.made_from({**self._sources, **about})

    def known(self, cells: Mapping[str, Any]) -> list[dict[str, Any]]:
        """Find the rows of the table that have the same such cell, and give them with these cells."""
        return self._batch.ledger.known_rows(cells)

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
        _check_outputs(plan, jobs)
        if plan.out is not None:
            make_folder(plan.out)
        self.plan = plan
        self.jobs = jobs
        self.report = report
        names = (name for job in jobs for name in plan.names(job))
        self.ledger = Ledger(
            plan.table, plan.columns, plan.request, names, grows=plan.rows_vouch, resume=plan.resume, named=plan.named
        )
        self.kept = 0
        self.planned = len(jobs) * plan.each
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
        """Exit status: 0 all done, 1 some jobs failed, 130 interrupted, more if a signal other than Ctrl-C did it."""
        if self._stopped is not None:
            return status_of(self._stopped)
        return 1 if self.counts["failed"] else 0

    def work(self) -> None:
        """Do one job after the other."""
        try:
            with self.report.bars(len(self.jobs)):
                for job in self.jobs:
                    self._do(job)
        except KeyboardInterrupt as error:
            self._stopped = error
        self.ledger.write()

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
        if plan.table is not None:
            parts.append(f"scores in {plan.table}")
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
            raise WrongForAllError(in_one_line(error)) from None
        except click.ClickException:
            raise
        except Exception as error:
            _log.debug("%s failed", job.title, exc_info=True)
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
    """Make a folder for outputs, with those above it."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"The folder {folder} cannot be made ({error.strerror}).") from None


def _check_outputs(plan: Plan[Task], jobs: Sequence[Task]) -> None:
    """See to it that no file is written twice, and none that is read: kinds of maps may end names of images, too."""
    written: dict[str, Path] = {}
    place = _Places()
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


def refuse_overwriting(outputs: Iterable[Path], jobs: Iterable[Job], *, out: Path | None = None) -> None:
    """Refuse to write over a file that is read."""
    place = _Places()
    read = {place(path) for job in jobs for path in job.paths}
    for path in outputs:
        if place(path) in read:
            other = "--out" if out is not None and path.parent == out else "name"
            raise click.UsageError(f"{path} is an input and would be overwritten. Choose another {other}.")


class _Places:
    """Tells where paths lead to, links followed; looks into each folder once, for there may be many files in it."""

    def __init__(self) -> None:
        self._folders: dict[Path, tuple[str, set[str]]] = {}

    def __call__(self, path: Path) -> str:
        """Give the place, without case: some file systems do not tell "A" from "a"."""
        folder = path.parent
        if folder not in self._folders:
            inside = folder.iterdir() if folder.is_dir() else ()
            links = {item.name.lower() for item in inside if item.is_symlink()}
            self._folders[folder] = (os.path.realpath(folder), links)
        root, links = self._folders[folder]
        place = os.path.realpath(path) if path.name.lower() in links else os.path.join(root, path.name)  # noqa: PTH118
        return place.lower()


# --- the table


def digest(value: Any) -> str:
    """Give 16 hexadecimal digits that stand for a value of JSON."""
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()[:16]


class Ledger:
    """The rows of a batch, and the file that they go to: written as it grows, and read back when a batch goes on.

    `path`: ``.csv`` or ``.json``; None writes nothing. `names`: what there will be rows of; rows from before stand for
    them until their turn has come. `grows`: write the file as it grows, with a cell in every row that vouches for it:
    nothing else keeps what is done. `named`: from a row to what it stands for; by itself the file.
    """

    def __init__(
        self,
        path: Path | None,
        columns: Sequence[Column],
        request: Mapping[str, Any],
        names: Iterable[Any],
        *,
        grows: bool,
        resume: bool,
        named: Callable[[Row], Any] = itemgetter("file"),
    ) -> None:
        self.rows: list[dict[str, Any]] = []
        self._path = path
        self._columns = columns
        self._request = digest(request)
        self._grows = path is not None and grows
        self._resume = resume
        self._named = named
        self._waiting = dict.fromkeys(names)
        self._before = self._read() if self._grows else {}
        self._due = time.monotonic() + _SECONDS

    def made_from(self, sources: Mapping[str, Any]) -> dict[str, str]:
        """Give the cell that vouches for a row: options and contents of files, each as a digest.

        Returns dict: empty when the table does not grow.
        """
        return {MADE_FROM: f"{self._request}-{digest(sources)}"} if self._grows else {}

    def known(self, cells: Mapping[str, Any]) -> dict[str, Any] | None:
        """Find the row that was made before by the same options from the same files."""
        rows = self.known_rows(cells)
        return rows[-1] if rows else None

    def known_rows(self, cells: Mapping[str, Any]) -> list[dict[str, Any]]:
        """Find all rows that were made before by the same options from the same files; see `known`."""
        rows = self._before.get(cells.get(MADE_FROM), []) if self._resume else []
        return [{**row, **cells} for row in rows]

    def add(self, row: dict[str, Any]) -> None:
        """Take a row; now and then, write the table."""
        self.rows.append(row)
        self._waiting.pop(self._named(row), None)
        begun = time.monotonic()
        if self._grows and begun >= self._due:
            self.write()
            done = time.monotonic()
            self._due = done + max(_SECONDS, _SHARE * (done - begun))

    def write(self) -> None:
        """Write the table as it is; rows from before stand for the files whose turn has not come."""
        if self._path is not None:
            rest = (row for rows in self._before.values() for row in rows if self._named(row) in self._waiting)
            write_scores([*self.rows, *rest], self._path, self._columns)

    def _read(self) -> dict[str | None, list[dict[str, Any]]]:
        assert self._path is not None
        try:
            rows: Sequence[dict[str, Any]] = read_scores(self._path, self._columns)
        except InputError:
            return {}  # none, or no table of ours: it will be replaced, as ever
        found: dict[str | None, list[dict[str, Any]]] = {}
        for row in rows:
            if not row.get("error") and str(row.get(MADE_FROM, "")).startswith(f"{self._request}-"):
                found.setdefault(row[MADE_FROM], []).append(row)
        return found


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
        return self.out / f"{job.name}_{kind}{suffix}"

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

        for quality_map in answer.maps if paths else ():
            vouched = replace(quality_map, info={**quality_map.info, **turn.made_from})
            for suffix in self.suffixes:
                write_map(vouched, self.output(job, quality_map.kind, suffix))
        return [{**cells, **_outputs([*beside, *paths]), **answer.row}]

    def _kept(self, turn: Turn, cells: Mapping[str, Any], paths: Sequence[Path]) -> dict[str, Any] | None:
        """Give the row of a job that was done before."""
        if not paths or not self.resume:
            rows = turn.known(cells)
            return rows[-1] if rows else None
        records = same_made(paths, turn.made_from)
        if records is None:
            return None
        beside = self._beside([record["info"] for record in records])
        if not all(path.is_file() for path in beside):
            return None
        return {**cells, **_outputs([*beside, *paths]), **self.kept_row(records[:: len(self.suffixes)])}

    def _beside(self, infos: Sequence[Mapping[str, Any]]) -> list[Path]:
        """Name the files that were written beside the maps, as the maps' infos tell."""
        if self.out is None:
            return []
        # Once each: of one map, picture and values name the same files.
        names = dict.fromkeys(name for info in infos for name in info.get("beside", ()))
        # Some lie elsewhere: ".." is resolved for the eye.
        return [Path(os.path.normpath(self.out / name)) for name in names]


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
        outputs=lambda job: [*made.outputs(job), *beside(job)],
        further=further,
        prepare=lambda: None if options.model is None else models.resolve(options.device),
    )
