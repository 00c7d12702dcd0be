"""The table of labels: how well workers do on each of many distorted pictures. How it is made, kept and read."""

from __future__ import annotations

import json
import os
import signal
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures import TimeoutError as NotYet
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import torch

from ...core.errors import InputError
from ...core.io.atomic import written_whole
from ...core.io.records import fields_of, read_json, short
from ...core.io.source import check_regular
from ...core.progress import Progress
from ..runs import differences, write_json
from .pictures import LabelledPictures, read_pictures
from .variants import LabelRequest, Pixels, Variant, made
from .workers import Worker, answers, check_names, columns_of

KEYS = ("image", "class", "distortion", "severity", "seed")
"""Columns that say which picture a row is of; `distort` makes it again from them."""

SUMMARY = ("mean", "spread", "consistency", "top1")
"""Columns that sum the workers up."""

PROBABILITY, CONSISTENCY = "p_", "c_"
"""What the columns of a worker begin with."""

ANSWER = "a_"
"""What the columns of a class begin with."""

PARQUET = ".parquet"

Floats = npt.NDArray[np.float64]

_ROWS = 1800
"""Of a chunk, about: what is lost when a run is stopped."""

_PIXELS = 1 << 18
"""Shown to a worker at once: 256 pictures of 32x32, 5 of 224x224."""

_BLOCK = 1 << 20

_WAIT = 0.1
"""Seconds between two looks at whether to stop."""


@dataclass(frozen=True, eq=False)
class LabelTable:
    """Labels as read from a file.

    `frame`: a row for each distorted picture: image, class, distortion ("none" for undistorted), severity (0 for it)
    and seed; for each worker ``p_NAME``, its probability of the true class, and ``c_NAME``, the overlap of its
    probabilities with those on the undistorted picture (the sum over classes of the smaller of the two); mean and
    spread (population standard deviation) of the probabilities over workers, mean consistency, and top1, the share of
    workers that are right. All from 0 (worst) to 1 (best), but for the spread. Where they were asked for, also
    ``a_CLASS``, the workers' mean probability of each class.
    """

    frame: pd.DataFrame
    record: dict[str, Any]
    path: Path

    @property
    def workers(self) -> tuple[str, ...]:
        """Names of the workers."""
        return tuple(name.removeprefix(PROBABILITY) for name in self.frame if name.startswith(PROBABILITY))


def columns_for(workers: Sequence[str], answers: Sequence[str] = ()) -> list[str]:
    """Give the columns of a table, with one for each class in `answers`."""
    own = [f"{prefix}{name}" for name in workers for prefix in (PROBABILITY, CONSISTENCY)]
    return [*KEYS, *own, *SUMMARY, *(f"{ANSWER}{name}" for name in answers)]


def record_path(table: Path) -> Path:
    """Give the path of the record beside a table."""
    return table.with_name(f"{table.name}.json")


def read_labels(path: str | Path) -> LabelTable:
    """Read a table of labels.

    `path`: CSV or Parquet, as ``iqmaps label`` has written it, with its record (``.json``) beside it.
    """
    path = Path(path)
    if not os.path.exists(path):  # noqa: PTH110 - which refuses no name
        unfinished = os.path.isfile(part_path(path))  # noqa: PTH113
        raise InputError(
            f"The labels {path} are not finished. Give 'iqmaps label' once more to go on."
            if unfinished
            else f"There are no labels {path}. Make them with 'iqmaps label'."
        )
    frame = read_frame(path)
    missing = [name for name in (*KEYS, *SUMMARY) if name not in frame]
    if missing:
        raise InputError(f"{path} has no column {' and no '.join(missing)}, so it is no table of labels.")
    _check_numbers(frame, path)
    return LabelTable(frame, _record_of(path), path)


def _record_of(path: Path) -> dict[str, Any]:
    """Read the record beside a table, with what is needed of it."""
    beside = record_path(path)
    record = fields_of(read_json(beside), str(beside))
    made = record.record("pictures")
    made.text("sha256")
    made.text("data")
    made.whole("pictures", least=0)
    made.numbers("part", count=2)
    made.whole("asked_size", None, least=1)
    return dict(record.values)


def _check_numbers(frame: pd.DataFrame, path: Path) -> None:
    """Refuse labels that are no numbers from 0 to 1, and severities and seeds that are none."""
    for name in frame:
        if name not in (*KEYS[3:], *SUMMARY) and not str(name).startswith((PROBABILITY, CONSISTENCY, ANSWER)):
            continue
        values = pd.to_numeric(frame[name], errors="coerce").to_numpy(dtype=float)
        most = np.inf if name in KEYS else 1.0
        wrong = ~(np.isfinite(values) & (values >= 0) & (values <= most))
        if name == "seed":
            wrong |= values != np.floor(values)
        if wrong.any():
            first = int(np.flatnonzero(wrong)[0])
            said = f"from 0 to {most:g}" if np.isfinite(most) else "of at least 0"
            raise InputError(
                f"{path}, row {first + 1}: {name} is {short(frame[name].iloc[first])}; it must be a "
                f"{'whole ' if name == 'seed' else ''}number {said}."
            )


def read_frame(path: Path) -> pd.DataFrame:
    """Read the columns of a table with their types; text as it is, since a class may be called "nan"."""
    check_regular(path)
    if path.suffix == PARQUET:
        need_parquet(path)
    else:
        _refuse_binary(path)
    text = dict.fromkeys(("image", "class", "distortion"), str)
    try:
        if path.suffix == PARQUET:
            return pd.read_parquet(path)
        return pd.read_csv(path, dtype={**text, "severity": float}, keep_default_na=False, low_memory=False)
    except Exception as error:  # pandas and pyarrow raise many kinds on a damaged file
        raise InputError(f"The labels {path} cannot be read ({error}).") from error


def _refuse_binary(path: Path) -> None:
    """Refuse a file with a NUL character, at which pandas would end a cell."""
    try:
        with path.open("rb") as file:
            while block := file.read(_BLOCK):
                if b"\0" in block:
                    raise InputError(f"The labels {path} hold a NUL character, so they are no text in UTF-8.")
    except OSError as error:
        raise InputError(f"The labels {path} cannot be read ({error.strerror}). Check the permissions.") from error


def write_frame(frame: pd.DataFrame, path: Path) -> None:
    """Write a table, whole or not at all."""
    with written_whole(path) as part:
        if path.suffix == PARQUET:
            frame.to_parquet(part, index=False)
        else:
            frame.to_csv(part, index=False, float_format="%.6g")


def need_parquet(path: Path) -> None:
    """Say what to install if a Parquet file cannot be handled here."""
    if find_spec("pyarrow") is None:
        raise InputError(f"{path.name} needs pyarrow, which is not installed: pip install pyarrow, or use .csv.")


def part_path(table: Path) -> Path:
    """Give the path of what is done of a table that is not finished."""
    return table.with_name(f"{table.name}.part")


def pictures_of(table: LabelTable, data: str | Path, *, progress: Progress | None = None) -> LabelledPictures:
    """Read the pictures that a table was made of, from their data set; see `pictures.read_pictures`."""
    made: Mapping[str, Any] = table.record["pictures"]
    pictures = read_pictures(data, part=tuple(made["part"]), size=made["asked_size"], progress=progress)
    if pictures.fingerprint != made["sha256"]:
        raise InputError(
            f"{table.path} was made of {made['pictures']} pictures of {made['data']}; {data} gives {len(pictures)} "
            "there that are not the same. Give the data set that the labels were made of, or make them anew."
        )
    return pictures


def distorted_batch(pictures: LabelledPictures, rows: pd.DataFrame, progress: Progress | None = None) -> Pixels:
    """Make the pictures of some rows of a table again: uint8 ``(rows, height, width, 3)``.

    Each is ``distort(picture, distortion, severity, seed=seed, channel_axis=-1)`` by the row's columns, or the picture
    itself for "none". `progress` is called with ``(pictures made, pictures in all)``.
    """
    return made(*rows_of(pictures, rows), progress)


def rows_of(pictures: LabelledPictures, rows: pd.DataFrame) -> tuple[list[Pixels], list[Variant]]:
    """Give what the pictures of some rows are made of: by their columns image, distortion, severity and seed."""
    if rows.empty:
        raise InputError("There are no rows to make pictures of.")
    missing = [name for name in rows["image"] if name not in pictures.places]
    if missing:
        raise InputError(f"{pictures.path} has no picture {missing[0]} (and {len(missing) - 1} others) of the table.")
    columns = (rows[name] for name in ("distortion", "severity", "seed"))
    variants = [Variant(name, float(severity), int(seed)) for name, severity, seed in zip(*columns, strict=True)]
    return [pictures.pixels[pictures.places[name]] for name in rows["image"]], variants


def make_labels(
    pictures: LabelledPictures,
    workers: Sequence[Worker],
    request: LabelRequest,
    path: str | Path,
    *,
    jobs: int = 1,
    progress: Progress | None = None,
) -> LabelTable:
    """Make a table of labels, or go on with one.

    `pictures`: pictures of known classes that the workers were not trained on. `path`: the table: CSV, or Parquet if it
    ends in ``.parquet``. Its record is written beside it, as ``.json``. `jobs`: processes that distort; the workers run
    in this one. The table does not depend on it. `progress`: called with ``(rows done, rows in all)``; raise
    `Cancelled` in it to stop. What is done is kept.
    """
    path = Path(path)
    if isinstance(jobs, bool) or not isinstance(jobs, int) or jobs < 1:
        raise InputError(f"jobs is {jobs!r}; give a number of processes, at least 1.")
    if path.suffix == PARQUET:
        need_parquet(path)
    check_names(workers)
    columns = [columns_of(worker, pictures.classes) for worker in workers]
    named = columns_for([worker.name for worker in workers], pictures.classes if request.answers else ())
    record: dict[str, Any] = {
        "pictures": pictures.record(),
        "request": request.record(),
        "workers": [{"name": worker.name, "sha256": getattr(worker, "sha256", "")} for worker in workers],
        "rows": request.rows * len(pictures),
    }
    if _begun(path, record) and path.is_file():
        return read_labels(path)
    chunks = _chunks(pictures, request)
    first = _whole_chunks(part_path(path), chunks, named)
    total, done = record["rows"], sum(len(chunk) for chunk in chunks[:first])

    def told(number: int) -> None:
        if progress is not None:
            progress(done + number, total)

    told(0)
    with _distorted(pictures, chunks[first:], jobs, told) as batches:
        for rows, pixels in zip(chunks[first:], batches, strict=True):
            said = [_asked(worker, pixels, pictures.classes, lambda: told(0)) for worker in workers]
            frame = _labelled(rows, pictures, workers, said, columns)
            with part_path(path).open("a", encoding="utf-8", newline="") as file:
                frame[named].to_csv(file, index=False, header=file.tell() == 0, float_format="%.6g")
            done += len(rows)
            told(0)
    write_frame(read_frame(part_path(path)), path)
    part_path(path).unlink()
    return read_labels(path)


def _begun(path: Path, record: dict[str, Any]) -> bool:
    """Write the record of a table, or recognise it."""
    beside = record_path(path)
    if not beside.is_file():
        for there in (path, part_path(path)):
            if there.exists():
                raise InputError(
                    f"{there} is there without its record {beside.name}. Choose another name, or remove it."
                )
        write_json(beside, record)
        return False
    try:
        old = read_json(beside)
    except InputError as error:
        raise InputError(f"{error} Choose another name for the table, or remove it.") from error
    changes = differences(old, json.loads(json.dumps(record)))
    if changes:
        listed = "; ".join(f"{' '.join(keys)} was {before} and is {now}" for keys, before, now in changes[:4])
        raise InputError(
            f"{path} holds labels of another request: {listed}. Choose another name, or give the same options to go on."
        )
    return True


def _chunks(pictures: LabelledPictures, request: LabelRequest) -> list[pd.DataFrame]:
    """Plan all rows, in chunks of whole pictures."""
    together = max(1, _ROWS // request.rows)
    planned = []
    for start in range(0, len(pictures), together):
        rows = [
            (name, pictures.classes[pictures.labels[pictures.places[name]]], *variant)
            for name in pictures.names[start : start + together]
            for variant in request.variants_of(name)
        ]
        planned.append(pd.DataFrame(rows, columns=list(KEYS)))
    return planned


def _whole_chunks(part: Path, chunks: Sequence[pd.DataFrame], columns: Sequence[str]) -> int:
    """Count the chunks that are done, and cut off what a killed run has left of the next."""
    if not part.is_file():
        return 0
    content = part.read_bytes()
    lines = content.splitlines(keepends=True)
    if not lines or lines[0].decode(errors="replace").rstrip("\r\n").split(",") != list(columns):
        part.unlink()
        return 0
    there = len(lines) - 1 - (not lines[-1].endswith(b"\n"))
    ends = np.cumsum([len(chunk) for chunk in chunks])
    count = int(np.searchsorted(ends, there, side="right"))
    kept = int(ends[count - 1]) if count else 0
    with written_whole(part) as file:
        file.write_bytes(b"".join(lines[: 1 + kept]) if count else b"")
    return count


@contextmanager
def _distorted(
    pictures: LabelledPictures, chunks: Sequence[pd.DataFrame], jobs: int, told: Callable[[int], None]
) -> Iterator[Iterator[Pixels]]:
    """Give the distorted pictures of each chunk in turn."""
    if jobs == 1 or len(chunks) < 2:
        yield (distorted_batch(pictures, rows, lambda number, _: told(0)) for rows in chunks)
        return
    # Not forked: a copy of a process with threads may hang. Ctrl-C reaches every process of the terminal; this one ends
    # the others.
    pool = ProcessPoolExecutor(
        jobs, get_context("spawn"), initializer=signal.signal, initargs=(signal.SIGINT, signal.SIG_IGN)
    )
    try:
        yield _ahead(pool, pictures, chunks, jobs, told)
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


def _ahead(
    pool: ProcessPoolExecutor,
    pictures: LabelledPictures,
    chunks: Sequence[pd.DataFrame],
    jobs: int,
    told: Callable[[int], None],
) -> Iterator[Pixels]:
    waiting: deque[Future[Pixels]] = deque()
    to_do = iter(chunks)
    while True:
        while len(waiting) < jobs + 1 and (rows := next(to_do, None)) is not None:
            waiting.append(pool.submit(made, *rows_of(pictures, rows)))
        if not waiting:
            return
        future = waiting.popleft()
        while True:
            try:
                pixels = future.result(timeout=_WAIT)
                break
            except NotYet:
                told(0)
        yield pixels


def _asked(worker: Worker, pixels: Pixels, classes: Sequence[str], look: Callable[[], None]) -> Floats:
    """Show pictures to a worker, few enough at once to be stopped in time."""
    together = max(1, _PIXELS // (pixels.shape[1] * pixels.shape[2]))
    parts = []
    for start in range(0, len(pixels), together):
        look()
        colours = torch.from_numpy(pixels[start : start + together]).permute(0, 3, 1, 2).float() / 255
        parts.append(answers(worker, colours, classes))
    return np.concatenate(parts)


def _labelled(
    rows: pd.DataFrame,
    pictures: LabelledPictures,
    workers: Sequence[Worker],
    probabilities: Sequence[Floats],
    columns: Sequence[npt.NDArray[np.intp]],
) -> pd.DataFrame:
    """Turn probabilities into labels, with the mean answers of all classes."""
    number = {name: index for index, name in enumerate(pictures.classes)}
    classes = rows["class"].map(number).to_numpy()
    # Where each row's undistorted picture is: at the last row before it that is the first of an image.
    images = rows["image"].to_numpy()
    starts = np.flatnonzero(np.append(True, images[1:] != images[:-1]))
    undistorted = starts[np.searchsorted(starts, np.arange(len(rows)), side="right") - 1]
    said: dict[str, Any] = {}
    right = []
    for worker, each, of_class in zip(workers, probabilities, columns, strict=True):
        true = of_class[classes]
        said[f"{PROBABILITY}{worker.name}"] = each[np.arange(len(rows)), true]
        said[f"{CONSISTENCY}{worker.name}"] = np.minimum(each, each[undistorted]).sum(1)
        right.append(each.argmax(1) == true)
    of_true = np.stack([said[f"{PROBABILITY}{worker.name}"] for worker in workers])
    same = np.stack([said[f"{CONSISTENCY}{worker.name}"] for worker in workers])
    summary = {
        "mean": of_true.mean(0),
        "spread": of_true.std(0),
        "consistency": same.mean(0),
        "top1": np.mean(right, axis=0),
    }
    mean = np.mean([each[:, of_class] for each, of_class in zip(probabilities, columns, strict=True)], axis=0)
    summary |= {f"{ANSWER}{name}": mean[:, place] for place, name in enumerate(pictures.classes)}
    # Sums of rounded probabilities leave the interval by a rounding.
    return rows.assign(**{name: np.clip(values, 0, 1) for name, values in (said | summary).items()})
