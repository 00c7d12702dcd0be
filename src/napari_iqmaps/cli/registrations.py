"""Register many images, one by one: what is done is kept, a bad file does not stop the rest, and refusals are named."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import click

from ..core.columns import plain
from ..core.errors import InputError, IqmapsError
from ..core.io.table import write_scores
from ..core.registration.api import register
from ..core.registration.record import COLUMNS
from ..core.registration.series import register_series
from .batch import identity, message_of, same_made
from .group import INTERRUPTED
from .layouts import Row
from .ledger import Ledger
from .plans import Job, request_of
from .registering import FRAMES, MATCHES, MATRIX, REGISTERED, Images, Motion, Reader, shape_of
from .registration_files import image_paths, outputs, remove_images, write_images, write_overlay
from .registration_rows import KIND, LAYOUT, frame_row, said, scored, series_row
from .report import Report
from .subjects import Options

_MOST_NAMED = 5


@dataclass(frozen=True, kw_only=True)
class Order:
    """How to register, and what to write.

    Attributes
    ----------
    options : Options
        What else the command line says: pixels, table, folder.
    overlay : bool
        Whether to draw before and after.
    strict : bool
        Whether a refusal ends in status 1.
    """

    motion: Motion
    options: Options
    to: Any
    deepmatching: str | None
    overlay: bool
    strict: bool


def register_all(order: Order, jobs: Sequence[Job], report: Report) -> int:
    """Register the images of a batch.

    Parameters
    ----------
    jobs : sequence of Job
        The moving images, each with its fixed one, and with a table of matches if there is one.

    Returns
    -------
    int
        Exit status: 0 all done, 1 some images failed (or were refused, if that is to count), 130 interrupted.
    """
    out = order.options.out
    if out is not None:
        _refuse_overwriting(out, jobs)
        try:
            out.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise InputError(f"The folder {out} cannot be made ({error.strerror}).") from None
    request = request_of(
        kind=KIND, **order.motion.options(), to=order.to, deepmatching=order.deepmatching, overlay=order.overlay,
        data_range=order.options.data_range, channel_axis=order.options.channel_axis,
    )  # fmt: skip
    files = [str(job.path) for job in jobs]
    ledger = Ledger(order.options.table, COLUMNS, request, files, grows=out is None, resume=order.options.resume)
    work = _Work(order, request, ledger, report)
    interrupted = False
    try:
        with report.bars(len(jobs)):
            for job in jobs:
                work.on(job)
    except KeyboardInterrupt:
        interrupted = True
    ledger.write()
    report.finish(
        LAYOUT, ledger.rows, kept=work.kept, failed=work.failed, table=order.options.table, planned=len(jobs),
        remains="Images in --out are kept; the same command goes on." if out is not None
        else "Give --out to keep what is done." if order.options.table is None
        else "The rows in the table are kept; the same command goes on.",
    )  # fmt: skip
    refused = [row for row in ledger.rows if row.get("accepted") is False]
    _name_refused(refused, len(ledger.rows), report)
    if interrupted:
        return INTERRUPTED
    return 1 if work.failed or (order.strict and refused) else 0


def _name_refused(refused: Sequence[Row], total: int, report: Report) -> None:
    if not refused:
        return
    named = "; ".join(f"{row['file']}: {row['not_enough_evidence'].rstrip('.')}" for row in refused[:_MOST_NAMED])
    more = f"; and {len(refused) - _MOST_NAMED} more" if len(refused) > _MOST_NAMED else ""
    report.say(f"Refused, {len(refused)} of {total}: {named}{more}.")


def _refuse_overwriting(out: Path, jobs: Sequence[Job]) -> None:
    """See to it that no file that is read is written; names are those of images, so none is written twice."""
    read = {
        os.path.realpath(path).lower() for job in jobs for path in (job.path, *job.others.values())
        if isinstance(path, Path)
    }  # fmt: skip
    for job in jobs:
        for path in outputs(job, out):
            if os.path.realpath(path).lower() in read:
                raise click.UsageError(f"{path} is an input and would be overwritten. Choose another --out.")


@dataclass
class _Work:
    order: Order
    request: Mapping[str, Any]
    ledger: Ledger
    report: Report
    kept: int = 0
    failed: int = 0
    reader: Reader = field(init=False)

    def __post_init__(self) -> None:
        self.reader = Reader(self.order.options)

    def on(self, job: Job) -> None:
        """Register an image, or keep what there is."""
        self.report.start(job.path)
        try:
            row = self._row(job)
        except (IqmapsError, OSError, MemoryError) as error:
            message = message_of(error, job.path)
            self.failed += 1
            row = {**_names(job), "kind": KIND, "score": None, "error": message}
            self.report.failure(job.path, message)
        self.ledger.add(row)
        self.report.done(row, said(row))

    def _row(self, job: Job) -> dict[str, Any]:
        sources = {"source": identity(job.path)}
        for role, path in job.others.items():
            if isinstance(path, InputError):
                raise path
            sources[f"{role}_source"] = identity(path)
        cells = {**_names(job), **self.ledger.made_from(sources)}
        made_from = {"request": dict(self.request), **sources}
        if (row := self._known(job, cells, made_from)) is not None:
            self.kept += 1
            return row
        images = self.reader.images(job.path, self._path(job, "fixed"))
        if images.is_stack(0):
            return {**cells, **self._series(job, images, made_from)}
        if "fixed" not in job.others:
            raise InputError(f"{job.path} has one plane. Say what it is to be registered to: --fixed FILE.")
        return {**cells, **self._pair(job, images, made_from)}

    def _path(self, job: Job, role: str) -> Path | None:
        path = job.others.get(role)
        return path if isinstance(path, Path) else None

    def _known(self, job: Job, cells: Mapping[str, Any], made_from: Mapping[str, Any]) -> dict[str, Any] | None:
        """Give the row of a registration that was done before."""
        out, resume = self.order.options.out, self.order.options.resume
        if out is None or not resume:
            return self.ledger.known(cells)
        infos = [_matrix_info(out / f"{job.name}_{MATRIX}.json", made_from)]
        for suffix in (".png", ".tif"):
            records = same_made([out / f"{job.name}_{REGISTERED}{suffix}"], made_from)
            infos += [record["info"] for record in records or () if FRAMES in record["info"]["row"]]
        for info in infos:
            outputs = [out / name for name in info["beside"]] if info else []
            if info and all(path.is_file() for path in outputs):
                return {**cells, **info["row"], "outputs": [str(path) for path in outputs]}
        return None

    def _matches(self, job: Job, images: Images) -> Any:
        """Give the matched points of a pair: from a file, or from a program."""
        if (path := self._path(job, MATCHES)) is not None:
            from ..core.registration.matches import MatchTable

            moving, fixed = (shape_of(array, images.channel_axis) for array in images.arrays)
            return MatchTable.read(path, moving_shape=moving, fixed_shape=fixed)
        if self.order.deepmatching is not None:
            from ..core.registration.matchers import run_deepmatching

            program = self.order.deepmatching
            return run_deepmatching(program, *images.arrays, progress=self.report.tiles, **images.known)
        return None

    def _pair(self, job: Job, images: Images, made_from: Mapping[str, Any]) -> dict[str, Any]:
        if images.is_stack(1):
            raise InputError(f"{images.files[1].path} is a stack. Give a fixed image of one plane.")
        options = {**images.known, **self.order.motion.options()}
        moving, fixed = images.arrays
        found = register(moving, fixed, matches=self._matches(job, images), progress=self.report.tiles, **options)
        row = {**scored(found.row(), images), "sentence": found.sentence()}
        if (out := self.order.options.out) is None:
            return row
        from ..core.registration.matrix_file import save_matrix

        paths = []
        if found.accepted:
            paths = write_images(job, out, images, found.registered, found.valid, {"method": found.method})
            if self.order.overlay:
                paths.append(write_overlay(job, out, images, found))
        else:
            remove_images(job, out)  # of an earlier run that this one replaces
        path = out / f"{job.name}_{MATRIX}.json"
        beside = [item.name for item in (*paths, path)]
        save_matrix(path, replace(found, info={**found.info, **made_from, "row": plain(row), "beside": beside}))
        return {**row, "outputs": [str(item) for item in (*paths, path)]}

    def _series(self, job: Job, images: Images, made_from: Mapping[str, Any]) -> dict[str, Any]:
        if self.order.deepmatching is not None or MATCHES in job.others:
            raise InputError(f"{job.path} is a stack; matched points are of one pair. Give its frames as files.")
        fixed = images.arrays[1] if len(images.arrays) > 1 else None
        options = {**images.known, **self.order.motion.options()}
        series = register_series(images.arrays[0], fixed, to=self.order.to, progress=self.report.tiles, **options)
        frames = series.rows()
        row = series_row(series, frames, images)
        if (out := self.order.options.out) is None:
            return row
        table = out / f"{job.name}_{FRAMES}.csv"
        write_scores([frame_row(job.path, frame) for frame in frames], table, COLUMNS)
        paths = [table, *image_paths(job, out, images, is_stack=True)]
        info = {**made_from, "row": plain(row), "beside": [path.name for path in paths]}
        write_images(job, out, images, series.registered, series.valid, info)
        return {**row, "outputs": [str(path) for path in paths]}


def _matrix_info(path: Path, made_from: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """Give what a file of a matrix says of its making, if that is this one."""
    from ..core.registration.matrix_file import load_matrix

    try:
        info: Mapping[str, Any] = plain(load_matrix(path).info)
    except InputError:
        return None
    same = all(info.get(name) == value for name, value in made_from.items())
    return info if same and {"row", "beside"} <= info.keys() else None


def _names(job: Job) -> dict[str, str]:
    return {"file": str(job.path)} | {
        role: str(path) for role, path in job.others.items() if isinstance(path, Path)
    }  # fmt: skip
