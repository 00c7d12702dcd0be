"""Which files belong to an input of a batch: those that it is read from, and those that are made of it.

An output is called after its input. One that is there already was made from the file that its record tells of: it keeps
its name for that file, whatever else is given beside it, and no other file takes it.
"""

from __future__ import annotations

import hashlib
import os
from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache
from pathlib import Path
from typing import Any, TypeVar

import click

from ..core import models
from ..core.errors import InputError
from ..core.io.map_file import read_record
from ..core.io.reading import read_image
from ..core.io.records import read_json
from ..core.io.source import check_regular
from ..core.names import entry_of, escaped, file_name, folded, mark_of
from .inputs import output_names, partner

PLACE = "place"
"""Key by which the record of an output tells where its input lay: it says no name of a folder."""

_ANY = 2**62  # pixels: how large an image may be, is told where it is read for itself

_CERTAIN = 40  # characters of a name that are never cut


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

    def output(self, folder: Path, ending: str) -> Path:
        """Name a file that is made of it; a name that the system would not take is cut."""
        return folder / file_name(self.name, ending)

    def sources(self) -> dict[str, dict[str, str]]:
        """Tell its files by role and content; raises what was wrong with one."""
        sources = {"source": identity(self.path)}
        for role, path in self.others.items():
            if isinstance(path, InputError):
                # What belongs to an image that cannot be read is missing for that reason.
                read_image(self.path, most_pixels=_ANY)
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
    check_regular(path)
    try:
        status = path.stat()
        return {"file": escaped(path.name), "sha256": _sha256(path, status.st_size, status.st_mtime_ns)}
    except OSError as error:
        raise InputError(f"{path} cannot be read ({error.strerror}). Check its permissions.") from error


@lru_cache(maxsize=65536)
def _sha256(path: Path, _size: int, _modified: int) -> str:
    return models.sha256_of(path)


def place_of(path: Path) -> str:
    """Tell where a file lies by a digest."""
    return hashlib.sha256(os.fsencode(entry_of(path))).hexdigest()


# --- what outputs tell of their making


def is_made(info: object, made_from: Mapping[str, Any]) -> bool:
    """Say whether the info of an output tells of the same files and the same request; they may lie elsewhere by now."""
    if not isinstance(info, Mapping):
        return False
    return all(info.get(name) == value for name, value in made_from.items() if name != PLACE)


def same_made(paths: Sequence[Path], made_from: Mapping[str, Any]) -> list[dict[str, Any]] | None:
    """Give the records of existing outputs if all of them were made from the same files by the same request."""
    records = []
    for path in paths:
        record = record_at(path)
        if record is None or not is_made(record.get("info"), made_from):
            return None
        records.append(record)
    return records


def record_at(path: Path) -> dict[str, Any] | None:
    """Read the record of an output, of a map, a picture or a matrix; None where there is none."""
    try:
        status = path.stat()
    except (OSError, ValueError):
        return None
    return _record(path, status.st_size, status.st_mtime_ns) if path.is_file() else None


@lru_cache(maxsize=16384)
def _record(path: Path, _size: int, _modified: int) -> dict[str, Any] | None:
    if path.suffix.lower() != ".json":
        return read_record(path)
    try:
        record = read_json(path)
    except InputError:
        return None
    return record if isinstance(record, dict) else None


# --- whose an output is


def settled(jobs: Sequence[Task], out: Path, outputs: Callable[[Task], Iterable[Path]]) -> list[Task]:
    """Name the outputs of jobs so that each finds what was made of it before, and takes nothing that is another's.

    `outputs`: from a job to all files that it may write, in the folder `out` or elsewhere.
    """
    there = _names_in(out)
    if not there:
        return list(jobs)
    choice = _Choice(jobs, out, there, outputs)
    for is_own in (_same_place, _same_content):
        for number in range(len(jobs)):
            choice.claim(number, is_own)
    return [choice.of(number) for number in range(len(jobs))]


class _Choice:
    """Chooses a name for each of some jobs; `there`: names of the files in `out`, folded."""

    def __init__(
        self, jobs: Sequence[Any], out: Path, there: set[str], outputs: Callable[[Any], Iterable[Path]]
    ) -> None:
        self._jobs = jobs
        self._out = out
        self._there = there
        self._sorted = sorted(there)
        self._outputs = outputs
        self._chosen: dict[int, str] = {}
        self._usual = {folded(job.name): number for number, job in enumerate(jobs)}

    def claim(self, number: int, is_own: Callable[[Mapping[str, Any], Path], bool]) -> None:
        """Give a job the first of its names under which there is something of its own."""
        job = self._jobs[number]
        if number in self._chosen:
            return
        for name in self._names(job):
            info = self._info(replace(job, name=name))
            if info is not None and is_own(info, job.path) and self._is_free(name, number):
                self._take(number, name)
                return

    def of(self, number: int) -> Any:
        """Give a job with its name."""
        job = self._jobs[number]
        if number not in self._chosen:
            self._take(number, self._new_name(job, number))
        return replace(job, name=self._chosen[number])

    def _new_name(self, job: Any, number: int) -> str:
        names: list[str] = [job.name, *(name for name in self._names(job) if name != Path(job.path).stem)]
        for name in names:
            info = self._info(replace(job, name=name))
            if self._is_free(name, number) and (info is None or _may_be_own(info, job.path)):
                return name
        return names[-1]  # with a digest of the whole path: nobody else's

    def _names(self, job: Any) -> Iterator[str]:
        """Give the names that its outputs can have or can have had."""
        path = job.path
        whole = path.name.replace(".", "-")
        folder = path.absolute().parent.name
        usual = (job.name, path.stem, whole, f"{folder}_{whole}", f"{path.stem}-{mark_of(entry_of(path))}")
        yield from dict.fromkeys(usual)

    def _is_free(self, name: str, number: int) -> bool:
        return self._usual.get(folded(name), number) == number

    def _take(self, number: int, name: str) -> None:
        if self._usual.get(folded(self._jobs[number].name)) == number:
            del self._usual[folded(self._jobs[number].name)]
        self._usual[folded(name)] = number
        self._chosen[number] = name

    def _info(self, job: Any) -> Mapping[str, Any] | None:
        """Give what the outputs of that name say of their making; None if they say nothing, or there are none."""
        if not self._may_have(job.name):
            return None
        for path in self._outputs(job):
            if path.parent == self._out and folded(path.name) in self._there:
                info = (record_at(path) or {}).get("info")
                if isinstance(info, Mapping) and isinstance(info.get("source"), Mapping):
                    return info
        return None

    def _may_have(self, name: str) -> bool:
        """Say at once whether any output can be called so."""
        begins = folded(name)[:_CERTAIN]
        place = bisect_left(self._sorted, begins)
        return place < len(self._sorted) and self._sorted[place].startswith(begins)


def _names_in(folder: Path) -> set[str]:
    try:
        return {folded(name) for name in os.listdir(folder)}  # noqa: PTH208 - names are enough, and there may be many
    except OSError:
        return set()


def _same_place(info: Mapping[str, Any], path: Path) -> bool:
    return bool(info.get(PLACE) == place_of(path))


def _same_content(info: Mapping[str, Any], path: Path) -> bool:
    try:
        return bool(info["source"] == identity(path))
    except InputError:
        return False


def _may_be_own(info: Mapping[str, Any], path: Path) -> bool:
    """Say whether an output may be of an earlier state of a file: those of versions that told no place."""
    return PLACE not in info and info["source"].get("file") == escaped(path.name)


# --- what must not be overwritten


def refuse_overwriting(outputs: Iterable[Path], jobs: Iterable[Job], *, out: Path | None = None) -> None:
    """Refuse to write over a file that is read."""
    place = Places()
    read = {place(path) for job in jobs for path in job.paths}
    for path in outputs:
        if place(path) in read:
            other = "--out" if out is not None and path.parent == out else "name"
            raise click.UsageError(f"{path} is an input and would be overwritten. Choose another {other}.")


class Places:
    """Tells where paths lead to, links followed; looks into each folder once, for there may be many files in it."""

    def __init__(self) -> None:
        self._folders: dict[Path, tuple[str, set[str]]] = {}

    def __call__(self, path: Path) -> str:
        """Give the place, in a form that is the same for names that some file system takes for one."""
        folder = path.parent
        if folder not in self._folders:
            self._folders[folder] = (os.path.realpath(folder), _links_in(folder))
        root, links = self._folders[folder]
        is_link = folded(path.name) in links
        return folded(os.path.realpath(path) if is_link else os.path.join(root, path.name))  # noqa: PTH118


def _links_in(folder: Path) -> set[str]:
    try:
        with os.scandir(folder) as entries:
            return {folded(entry.name) for entry in entries if entry.is_symlink()}
    except OSError:
        return set()
