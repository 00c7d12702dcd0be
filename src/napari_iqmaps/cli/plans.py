"""What a batch is to do: the inputs, what becomes of each, and what is asked for."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from .. import __version__
from ..core.columns import Column, plain
from ..core.errors import InputError
from ..core.io.map_file import row_of_record, score_row
from ..core.maps import QualityMap
from .layouts import Layout

Progress = Callable[[int, int], object]


@dataclass(frozen=True)
class Job:
    """One input of a batch.

    Attributes
    ----------
    others : mapping
        Further files that the map depends on, such as ``{"reference": path}``. An error met while looking for
        them stands in their place, to be raised in the job's turn.
    """

    path: Path
    name: str
    others: Mapping[str, Path | InputError] = field(default_factory=dict)


@dataclass(frozen=True)
class Answer:
    """What a job gives.

    Attributes
    ----------
    maps : tuple of QualityMap
        To be written, if there is a folder for them.
    """

    maps: tuple[QualityMap, ...]
    row: Mapping[str, Any]

    @classmethod
    def of(cls, quality_map: QualityMap, columns: Sequence[Column] = ()) -> Answer:
        """Give a map, summed up by its score, with the cells of further columns."""
        return cls((quality_map,), score_row(quality_map, columns))


def row_of_first(records: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Sum up the first map of a job by its record."""
    return row_of_record(records[0])


@dataclass(frozen=True)
class Plan:
    """What a batch does with each job.

    Attributes
    ----------
    maps : tuple of str
        Kinds of the maps that every job gives, in their order; empty if it gives a row only.
    request : mapping
        Everything beside the files that decides the values; a job is done if all its maps are there, made by the
        same request from the same files. Where no maps are written, the same goes for its row in the table.
    compute : callable
        From the job and a progress callback to the `Answer`. It may write further files into `out`; their names go
        into a map's info as ``"beside"``. Maps are written after them, so that they vouch for them.
    columns : sequence of Column
        Of the table, beside the general ones.
    prepare : callable
        Called once before the first map is computed; raises what concerns all jobs.
    kept_row : callable
        From the records of a job's maps, in the order of `maps`, to the row that was given with them.
    """

    kind: str
    maps: tuple[str, ...]
    request: Mapping[str, Any]
    compute: Callable[[Job, Progress], Answer]
    prepare: Callable[[], object]
    out: Path | None
    suffixes: tuple[str, ...]
    table: Path | None
    resume: bool
    layout: Layout
    columns: Sequence[Column]
    kept_row: Callable[[Sequence[Mapping[str, Any]]], Mapping[str, Any]] = row_of_first

    def output(self, job: Job, kind: str, suffix: str) -> Path:
        """Name the file of a map; for a plan with a folder."""
        assert self.out is not None
        return self.out / f"{job.name}_{kind}{suffix}"

    def outputs(self, job: Job) -> list[Path]:
        """Name the maps of a job, kind by kind; none without a folder."""
        if self.out is None:
            return []
        return [self.output(job, kind, suffix) for kind in self.maps for suffix in self.suffixes]


def request_of(**options: Any) -> dict[str, Any]:
    """Gather what decides the values of a map, in the form in which a file gives it back.

    Parameters
    ----------
    **options
        The options; device and tile are not among them, for they change no value beyond rounding.
    """
    request: dict[str, Any] = plain({**options, "version": __version__})
    return request
