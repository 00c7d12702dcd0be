"""Many files, one after the other: a bad one does not stop the rest, and what is done is kept and not done twice."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache
from pathlib import Path
from typing import Any

import click

from .. import __version__
from ..core.errors import InputError, IqmapsError, WeightsError
from ..core.io.reading import read_image
from ..core.io.records import plain, read_record
from ..core.io.scores import row_of_record, score_row, write_scores
from ..core.maps import QualityMap
from ..core.weights import sha256_of
from .group import INTERRUPTED, in_one_line
from .report import Report

Progress = Callable[[int, int], object]


@dataclass(frozen=True)
class Job:
    """One input of a batch.

    Attributes
    ----------
    path : pathlib.Path
        The image.
    name : str
        Of its outputs, without kind and suffix.
    others : mapping
        Further files that the map depends on, such as ``{"reference": path}``. An error met while looking for
        them stands in their place, to be raised in the job's turn.
    """

    path: Path
    name: str
    others: Mapping[str, Path | InputError] = field(default_factory=dict)


@dataclass(frozen=True)
class Plan:
    """What a batch does with each job.

    Attributes
    ----------
    kind : str
        Kind of map.
    request : mapping
        Everything beside the files that decides the values of a map; an existing map is kept if it was made by the
        same request from the same files.
    compute : callable
        From the job and a progress callback to the map. It may write further files into `out`; their names go into
        the map's info as ``"beside"``. The map is written after them, so that it vouches for them.
    prepare : callable
        Called once before the first map is computed; raises what concerns all jobs.
    out : pathlib.Path or None
        Folder of the maps.
    suffixes : tuple of str
        What to write there.
    table : pathlib.Path or None
        Where the table of scores goes.
    resume : bool
        Keep existing maps.
    """

    kind: str
    request: Mapping[str, Any]
    compute: Callable[[Job, Progress], QualityMap]
    prepare: Callable[[], object]
    out: Path | None
    suffixes: tuple[str, ...]
    table: Path | None
    resume: bool


def run(plan: Plan, jobs: Sequence[Job], report: Report) -> int:
    """Work through a batch.

    Parameters
    ----------
    plan : Plan
        What to do.
    jobs : sequence of Job
        The inputs.
    report : Report
        Shows progress and, at the end, the rows.

    Returns
    -------
    int
        Exit status: 0 all done, 1 some inputs failed, 130 interrupted.
    """
    if plan.out is not None:
        try:
            plan.out.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise InputError(f"The folder {plan.out} cannot be made ({error.strerror}).") from None
    batch = _Batch(plan, report)
    interrupted = False
    try:
        with report.bars(len(jobs)):
            for job in jobs:
                batch.work_on(job)
    except KeyboardInterrupt:
        interrupted = True
    if plan.table is not None:
        write_scores(batch.rows, plan.table)
    report.finish(plan.kind, batch.rows, kept=batch.kept, failed=batch.failed, table=plan.table, planned=len(jobs))
    if interrupted:
        return INTERRUPTED
    return 1 if batch.failed else 0


class WrongForAllError(click.ClickException):
    """What no input can be computed with: an option, not an input, is wrong."""

    exit_code = 2


class _Batch:
    def __init__(self, plan: Plan, report: Report) -> None:
        self.plan = plan
        self.report = report
        self.rows: list[dict[str, Any]] = []
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
            message = in_one_line(error)
            if isinstance(error, MemoryError):
                message = f"Not enough memory for {job.path}. Crop it, or close other programs. ({message})"
            self.failed += 1
            row = {**_names(job), "kind": self.plan.kind, "score": None, "error": message}
            self.report.failure(job.path, message)
        self.rows.append(row)
        self.report.done(row)

    def _row(self, job: Job) -> dict[str, Any]:
        made_from = {"request": dict(self.plan.request), "source": _identity(job.path)}
        for role, path in job.others.items():
            if isinstance(path, InputError):
                raise path
            made_from[f"{role}_source"] = _identity(path)
        paths = self._outputs(job)
        cells = _names(job) | ({"outputs": [str(path) for path in paths]} if paths else {})
        if paths and self.plan.resume and (record := _same_made(paths, made_from)):
            beside = self._beside(record["info"])
            if all(path.is_file() for path in beside):
                self.kept += 1
                return row_of_record(record, **_with_outputs(cells, beside))
        if not self._is_prepared:
            try:
                self.plan.prepare()
            except IqmapsError as error:
                raise WrongForAllError(in_one_line(error)) from None
            self._is_prepared = True
        quality_map = self.plan.compute(job, self.report.tiles)
        quality_map = replace(quality_map, info={**quality_map.info, **made_from})
        from ..core.io import write_map

        for path in paths:
            write_map(quality_map, path)
        return score_row(quality_map, **_with_outputs(cells, self._beside(quality_map.info)))

    def _beside(self, info: Mapping[str, Any]) -> list[Path]:
        return [] if self.plan.out is None else [self.plan.out / name for name in info.get("beside", ())]

    def _outputs(self, job: Job) -> list[Path]:
        if self.plan.out is None:
            return []
        return [self.plan.out / f"{job.name}_{self.plan.kind}{suffix}" for suffix in self.plan.suffixes]


def request_of(**options: Any) -> dict[str, Any]:
    """Gather what decides the values of a map, in the form in which a file gives it back.

    Parameters
    ----------
    **options
        The options; device and tile are not among them, for they change no value beyond rounding.

    Returns
    -------
    dict
        With the version besides.
    """
    request: dict[str, Any] = plain({**options, "version": __version__})
    return request


def _with_outputs(cells: Mapping[str, Any], beside: Sequence[Path]) -> dict[str, Any]:
    return {**cells, "outputs": [*map(str, beside), *cells["outputs"]]} if beside else dict(cells)


def _names(job: Job) -> dict[str, str]:
    others = {role: str(path) for role, path in job.others.items() if isinstance(path, Path)}
    return {"file": str(job.path), **others}


def _same_made(paths: Sequence[Path], made_from: Mapping[str, Any]) -> dict[str, Any] | None:
    """Give the record of existing outputs if all of them were made from the same files by the same request."""
    record = None
    for path in paths:
        record = read_record(path)
        if record is None or any(record.get("info", {}).get(name) != value for name, value in made_from.items()):
            return None
    return record


def _identity(path: Path) -> dict[str, str]:
    """Tell a file by its content, so that a changed file of the same name is another one."""
    if not path.is_file():
        read_image(path)  # says what is wrong
    status = path.stat()
    return {"file": path.name, "sha256": _sha256(path, status.st_size, status.st_mtime_ns)}


@lru_cache(maxsize=8)
def _sha256(path: Path, _size: int, _modified: int) -> str:
    return sha256_of(path)
