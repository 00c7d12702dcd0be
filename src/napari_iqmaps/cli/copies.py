"""Distorted copies of many images, written one by one: what is done is kept, and a bad image does not stop the rest."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import click

from ..core.distortions import Distortion, distort
from ..core.distortions.sheet import strength_words
from ..core.errors import InputError, IqmapsError
from ..core.io.image_file import ImageFile
from ..core.io.map_file import read_record
from .batch import identity, message_of, same_made
from .group import INTERRUPTED
from .layouts import FILE, OUTPUTS, Column, Layout
from .plans import Job, request_of
from .report import Report
from .subjects import read

KIND = "distorted"
"""What a row is about."""

_SUFFIXES = (".png", ".tif")

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
)


@dataclass(frozen=True, kw_only=True)
class Order:
    """Which copies to make.

    Attributes
    ----------
    leaves_out : bool
        Whether a distortion of colours is left out where the image is grey; else it is an error there.
    """

    rows: Sequence[Distortion]
    severities: Sequence[float]
    seed: int
    leaves_out: bool
    data_range: tuple[float, float] | None
    channel_axis: int | str
    out: Path
    resume: bool

    @property
    def copies(self) -> list[tuple[Distortion, float]]:
        """Every distortion at every severity."""
        return [(row, severity) for row in self.rows for severity in self.severities]

    def names(self, job: Job, row: Distortion, severity: float) -> tuple[str, ...]:
        """Name the files that a copy may go to; which one, the pixels decide."""
        return tuple(f"{job.name}_{row.name}_{severity:g}{suffix}" for suffix in _SUFFIXES)


def read_codes(path: Path, channel_axis: int | str) -> ImageFile:
    """Read an image to be distorted; refuse linear light."""
    file = read(path, channel_axis)
    if file.luminance == "absolute":
        raise InputError(f"{path} holds linear light; distortions are of display codes. Tone-map it first.")
    return file


def is_grey(file: ImageFile) -> bool:
    """Say whether an image has no colours to distort."""
    return file.channel_axis is None or file.array.shape[file.channel_axis] < len("RGB")


def without_copies(paths: Sequence[Path], out: Path, report: Report) -> list[Path]:
    """Leave out the copies that an earlier run wrote into the folder that this one writes into."""
    folder = os.path.realpath(out)
    copies = [path for path in paths if os.path.realpath(path.parent) == folder and _is_copy(path)]
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
    record = read_record(path)
    return record is not None and "distortion" in record.get("info", {})


def make_copies(order: Order, jobs: Sequence[Job], report: Report) -> int:
    """Write the copies of all images.

    Returns
    -------
    int
        Exit status: 0 all done, 1 some images failed, 130 interrupted.
    """
    _check_names(order, jobs)
    try:
        order.out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"The folder {order.out} cannot be made ({error.strerror}).") from None
    work = _Work(order, report, planned=len(jobs) * len(order.copies))
    interrupted = False
    try:
        with report.bars(len(jobs)):
            for job in jobs:
                work.on(job)
    except KeyboardInterrupt:
        interrupted = True
    report.finish(
        _LAYOUT, work.rows, kept=work.kept, failed=work.failed, table=None, planned=work.planned,
        remains="Copies in --out are kept; the same command goes on.",
    )  # fmt: skip
    if interrupted:
        return INTERRUPTED
    return 1 if work.failed else 0


def _check_names(order: Order, jobs: Sequence[Job]) -> None:
    """See to it that no file is written twice, and none that is read; compared without case, as some systems do."""
    written: dict[str, Path] = {}
    for job in jobs:
        for name in (name for copy in order.copies for name in order.names(job, *copy)):
            if (other := written.setdefault(name.lower(), job.path)) != job.path:
                raise click.UsageError(
                    f"A copy of {job.path} and one of {other} would both be {order.out / name}. Rename one image."
                )
    folder = Path(os.path.realpath(order.out))
    inputs = {os.path.realpath(job.path).lower() for job in jobs}
    # Copies go where a link in the folder points to.
    links = [item for item in folder.iterdir() if item.is_symlink()] if folder.is_dir() else []
    for item in (*(folder / Path(path).name for path in inputs), *links):
        if item.name.lower() in written and os.path.realpath(item).lower() in inputs:
            raise click.UsageError(
                f"{order.out / item.name} is an input and would be overwritten. Choose another --out."
            )


@dataclass
class _Work:
    order: Order
    report: Report
    planned: int
    rows: list[dict[str, Any]] = field(default_factory=list)
    kept: int = 0
    failed: int = 0

    def on(self, job: Job) -> None:
        """Make the copies of an image; a row a copy, or one that says what is wrong with the image."""
        self.report.start(job.path)
        before, total = len(self.rows), len(self.order.copies)
        try:
            for number, row in enumerate(self._copies(job), 1):
                self.rows += [row] if row else []
                self.report.tiles(number, total)
        except (IqmapsError, OSError, MemoryError) as error:
            self.rows.append(self._failure(job, message_of(error, job.path)))
        rows = self.rows[before:]
        self.planned += len(rows) - total
        made = sum("error" not in row for row in rows)
        self.report.done({"file": str(job.path), "error": "" if made else "none"}, f"{made} copies")

    def _copies(self, job: Job) -> Iterator[dict[str, Any]]:
        """Make and tell one copy after the other; nothing is told of one that is left out."""
        order = self.order
        request = request_of(seed=order.seed, data_range=order.data_range, channel_axis=order.channel_axis)
        made_from = {"request": request, "source": identity(job.path)}
        file: ImageFile | None = None
        for row, severity in order.copies:
            cells: dict[str, Any] = {"file": str(job.path), "kind": KIND, "distortion": row.name, "severity": severity}
            cells |= {"strength": row.strength(severity), "strength_means": strength_words(row, severity)}
            cells["seed"] = order.seed
            paths = [order.out / name for name in order.names(job, row, severity)]
            if order.resume and (done := [path for path in paths if same_made([path], made_from)]):
                self.kept += 1
                yield {**cells, "outputs": [str(done[0])]}
                continue
            file = file or read_codes(job.path, order.channel_axis)
            if not row.needs_colour or not is_grey(file):
                yield {**cells, "outputs": [str(self._write(file, paths, cells, made_from))]}
            elif order.leaves_out:
                yield {}
            else:
                yield self._failure(job, f"{job.path} is grey, and {row.name} changes only colours.", **cells)

    def _write(
        self, file: ImageFile, paths: Sequence[Path], cells: Mapping[str, Any], made_from: Mapping[str, Any]
    ) -> Path:
        from ..core.io.image_file import lossless_suffix, write_picture

        copy = distort(
            file.array,
            cells["distortion"],
            cells["severity"],
            seed=self.order.seed,
            data_range=self.order.data_range or file.data_range,
            channel_axis=file.channel_axis,
        )
        suffix, _ = lossless_suffix(file)
        path = next(path for path in paths if path.suffix == suffix)
        info = {name: cells[name] for name in ("distortion", "severity", "strength", "seed")}
        return write_picture(copy, path, file, {**info, **made_from})

    def _failure(self, job: Job, message: str, **cells: Any) -> dict[str, Any]:
        self.failed += 1
        self.report.failure(job.path, message)
        return {"file": str(job.path), "kind": KIND, **cells, "error": message}
