"""Many files, one after the other: a bad one does not stop the rest, and what is done is kept and not done twice."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from typing import Any, TypeGuard

import click

from ..core.errors import InputError, IqmapsError, WeightsError
from ..core.io.map_file import read_record
from ..core.io.reading import read_image
from ..core.models import sha256_of
from .group import INTERRUPTED, in_one_line
from .ledger import Ledger
from .plans import Job, Plan
from .report import Report


def run(plan: Plan, jobs: Sequence[Job], report: Report) -> int:
    """Work through a batch.

    Returns
    -------
    int
        Exit status: 0 all done, 1 some inputs failed, 130 interrupted.
    """
    _check_outputs(plan, jobs)
    if plan.out is not None:
        try:
            plan.out.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise InputError(f"The folder {plan.out} cannot be made ({error.strerror}).") from None
    files = [str(job.path) for job in jobs]
    ledger = Ledger(plan.table, plan.columns, plan.request, files, grows=plan.out is None, resume=plan.resume)
    batch = _Batch(plan, report, ledger)
    interrupted = False
    try:
        with report.bars(len(jobs)):
            for job in jobs:
                batch.work_on(job)
    except KeyboardInterrupt:
        interrupted = True
    ledger.write()
    report.finish(
        plan.layout, ledger.rows, kept=batch.kept, failed=batch.failed, table=plan.table, planned=len(jobs),
        remains=_remains(plan),
    )  # fmt: skip
    if interrupted:
        return INTERRUPTED
    return 1 if batch.failed else 0


def _check_outputs(plan: Plan, jobs: Sequence[Job]) -> None:
    """See to it that no file is written twice, and none that is read: kinds of maps may end names of images, too."""
    read = {os.path.realpath(path) for job in jobs for path in (job.path, *job.others.values()) if _is_path(path)}
    written: dict[str, Path] = {}
    for job in jobs:
        for path in plan.outputs(job):
            # Compared without case: some file systems do not tell "A" from "a".
            other = written.setdefault(os.path.realpath(path).lower(), job.path)
            if other != job.path:
                raise click.UsageError(
                    f"A map of {job.path} and one of {other} would both be {path}. Rename one image."
                )
            if os.path.realpath(path) in read:
                raise click.UsageError(f"{path} is an input and would be overwritten. Choose another --out.")


def _is_path(path: Path | InputError) -> TypeGuard[Path]:
    return isinstance(path, Path)


def _remains(plan: Plan) -> str:
    if plan.out is not None:
        return "Maps in --out are kept; the same command goes on."
    if plan.table is not None:
        return "The rows in the table are kept; the same command goes on."
    return "Give --out or --csv to keep what is done."


class WrongForAllError(click.ClickException):
    """What no input can be computed with: an option, not an input, is wrong."""

    exit_code = 2


class _Batch:
    def __init__(self, plan: Plan, report: Report, ledger: Ledger) -> None:
        self.plan = plan
        self.report = report
        self.ledger = ledger
        self.kept = 0
        self.failed = 0
        self._is_prepared = False

    def work_on(self, job: Job) -> None:
        self.report.start(job.path)
        try:
            row = self._row(job)
        except WeightsError as error:
            raise WrongForAllError(in_one_line(error)) from None
        except (IqmapsError, OSError, MemoryError) as error:
            message = message_of(error, job.path)
            self.failed += 1
            row = {**_names(job), "kind": self.plan.kind, "score": None, "error": message}
            self.report.failure(job.path, message)
        self.ledger.add(row)
        self.report.done(row, self.plan.layout.said(row))

    def _row(self, job: Job) -> dict[str, Any]:
        sources = _sources(job)
        cells = {**_names(job), **self.ledger.made_from(sources)}
        made_from = {"request": dict(self.plan.request), **sources}
        paths = self.plan.outputs(job)
        if (row := self._kept(cells, paths, made_from)) is not None:
            self.kept += 1
            return row
        self._prepare()
        answer = self.plan.compute(job, self.report.tiles)
        beside = self._beside([quality_map.info for quality_map in answer.maps])
        from ..core.io import write_map

        for quality_map in answer.maps if paths else ():
            vouched = replace(quality_map, info={**quality_map.info, **made_from})
            for suffix in self.plan.suffixes:
                write_map(vouched, self.plan.output(job, quality_map.kind, suffix))
        return {**cells, **_outputs([*beside, *paths]), **answer.row}

    def _kept(
        self, cells: Mapping[str, Any], paths: Sequence[Path], made_from: Mapping[str, Any]
    ) -> dict[str, Any] | None:
        """Give the row of a job that was done before."""
        if not paths or not self.plan.resume:
            return self.ledger.known(cells)
        records = same_made(paths, made_from)
        if records is None:
            return None
        beside = self._beside([record["info"] for record in records])
        if not all(path.is_file() for path in beside):
            return None
        return {**cells, **_outputs([*beside, *paths]), **self.plan.kept_row(records[:: len(self.plan.suffixes)])}

    def _prepare(self) -> None:
        if not self._is_prepared:
            try:
                self.plan.prepare()
            except IqmapsError as error:
                raise WrongForAllError(in_one_line(error)) from None
            self._is_prepared = True

    def _beside(self, infos: Sequence[Mapping[str, Any]]) -> list[Path]:
        if self.plan.out is None:
            return []
        # Once each: of one map, picture and values name the same files.
        names = dict.fromkeys(name for info in infos for name in info.get("beside", ()))
        # Some lie elsewhere: ".." is resolved for the eye.
        return [Path(os.path.normpath(self.plan.out / name)) for name in names]


def _outputs(paths: Sequence[Path]) -> dict[str, list[str]]:
    return {"outputs": [str(path) for path in paths]} if paths else {}


def _names(job: Job) -> dict[str, str]:
    others = {role: str(path) for role, path in job.others.items() if isinstance(path, Path)}
    return {"file": str(job.path), **others}


def _sources(job: Job) -> dict[str, dict[str, str]]:
    """Tell the files of a job by role and content; what was wrong with one is raised in the job's turn."""
    sources = {"source": identity(job.path)}
    for role, path in job.others.items():
        if isinstance(path, InputError):
            raise path
        sources[f"{role}_source"] = identity(path)
    return sources


def message_of(error: BaseException, path: Path) -> str:
    """Say in one line what was wrong with an input."""
    message = in_one_line(error)
    if isinstance(error, MemoryError):
        return f"Not enough memory for {path}. Crop it, or close other programs. ({message})"
    return message


def same_made(paths: Sequence[Path], made_from: Mapping[str, Any]) -> list[dict[str, Any]] | None:
    """Give the records of existing outputs if all of them were made from the same files by the same request."""
    records = []
    for path in paths:
        record = read_record(path)
        if record is None or any(record.get("info", {}).get(name) != value for name, value in made_from.items()):
            return None
        records.append(record)
    return records


def identity(path: Path) -> dict[str, str]:
    """Tell a file by its content, so that a changed file of the same name is another one."""
    if not path.is_file():
        read_image(path)  # says what is wrong
    status = path.stat()
    return {"file": path.name, "sha256": _sha256(path, status.st_size, status.st_mtime_ns)}


@lru_cache(maxsize=8)
def _sha256(path: Path, _size: int, _modified: int) -> str:
    return sha256_of(path)
