"""How the rows of a batch are laid out on a screen."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from ..core.kinds import KINDS
from ..core.observers import viewing

Row = Mapping[str, Any]


class Column(NamedTuple):
    """A column of a table.

    Attributes
    ----------
    is_optional : bool
        Whether it is left out when no row has anything in it.
    """

    head: str
    cell: Callable[[Row], str]
    is_number: bool = False
    is_optional: bool = False


@dataclass(frozen=True)
class Layout:
    """A table for people.

    Attributes
    ----------
    sentence : callable
        From a row to what it says in words; shown when there is one row only, and if not empty.
    gathered : callable
        From the rows of the batch to those of the screen, where several make one.
    said : callable
        From a row to what the log says of it at once; None for its score.
    """

    title: str
    columns: tuple[Column, ...]
    sentence: Callable[[Row], str]
    gathered: Callable[[Sequence[Row]], Sequence[Row]] = list
    said: Callable[[Row], str | None] = lambda _row: None


def number(value: float | None) -> str:
    """Write a number with three digits, and the lack of one as a word."""
    return "none" if value is None else f"{value:.3g}"


FILE = Column("file", lambda row: str(row["file"]))
SCORE = Column("score", lambda row: number(row["score"]), is_number=True)
OUTPUTS = Column("written to", lambda row: " ".join(row.get("outputs", ())), is_optional=True)


def layout_of(kind: str) -> Layout:
    """Lay out rows that sum up a map each.

    Returns
    -------
    Layout
        File, score, where the map is, and what there is to remark.
    """
    meaning = KINDS[kind]

    def sentence(row: Row) -> str:
        return "" if row["score"] is None else meaning.score_means.format(score=number(row["score"]))

    return Layout(
        f"{meaning.title}: low, {meaning.low_means}; high, {meaning.high_means} ({meaning.unit})",
        (FILE, SCORE, OUTPUTS, Column("remark", _remark, is_optional=True)),
        sentence,
    )


def _remark(row: Row) -> str:
    return row.get("error") or row.get("not_enough_evidence") or "; ".join([*_seen(row), *row.get("notes", ())])


def _seen(row: Row) -> Iterator[str]:
    """Say who looks, and how values became light, where that is not a matter of course."""
    if who := viewing(row):
        yield f"for {who}"
    if "encoding" in row:
        what = "cd/m2" if row["luminance"] == "absolute" else "codes"
        yield f"{what} on a display of {row['black_level']:g} to {row['peak_luminance']:g} cd/m2, {row['encoding']}"
