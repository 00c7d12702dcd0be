"""What a table of scores consists of: columns, which each subject declares beside its score, and what a cell can hold.

A subject's declaration is a tuple of `Column`. The table itself is written by `napari_iqmaps.core.io.score_table`,
which knows no subject: whoever writes a table says of which columns it is.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from enum import IntEnum
from operator import attrgetter
from typing import Any, Literal, NamedTuple

import numpy as np


class Part(IntEnum):
    """Where in a table a column stands, from the left."""

    FILES = 0
    """Which files a row is about."""
    KIND = 1
    """What of them, and which frame."""
    PLACE = 2
    """Which plane and which part of it."""
    TREATMENT = 3
    """What was done to the image."""
    VERDICT = 4
    SCORE = 5
    """The score, and the numbers that it rests on."""
    SPREAD = 6
    """How far off the score can be, and the same for each plane."""
    RESULTS = 7
    """The unit of the score, and what was found besides."""
    MODEL = 8
    """Which network, and how it looked."""
    SETTINGS = 9
    """Black, white, and the strength of what was done."""
    REMARKS = 10
    """Files that were written, and what to know of the row."""


Holds = Literal["value", "values", "text", "texts"]


class Column(NamedTuple):
    """A column of a table.

    `part`: within a part, columns stand in the order of their declaration. None: at the end, in the order in which rows
    have them, as columns that nobody has declared. `holds`: what a cell of a CSV is read as: a number, a truth or a
    word; several of them; one text, even if it looks like a number; several texts. `may_lack`: whether an empty cell of
    a CSV means "not known" (None); else it means that the row has no such cell.
    """

    name: str
    part: Part | None = None
    holds: Holds = "value"
    may_lack: bool = False


def columns(part: Part | None, *names: str, holds: Holds = "value") -> tuple[Column, ...]:
    """Declare columns of one part that hold the same."""
    return tuple(Column(name, part, holds) for name in names)


GENERAL = (
    *columns(Part.FILES, "file", "reference", holds="text"),
    Column("kind", Part.KIND, "text"),
    Column("score", Part.SCORE, may_lack=True),
    Column("uncertainty", Part.SPREAD, may_lack=True),
    *columns(Part.SPREAD, "planes", "planes_uncertainty", "planes_enough_evidence", holds="values"),
    Column("unit", Part.RESULTS, "text"),
    *columns(Part.MODEL, "model", "weights", "weights_sha256", holds="text"),
    Column("data_range", Part.SETTINGS, "values"),
    Column("range_rule", Part.SETTINGS, "text"),
    Column("span", Part.SETTINGS),
    Column("luminance", Part.SETTINGS, "text"),
    *columns(Part.SETTINGS, "peak_luminance", "black_level"),
    Column("encoding", Part.SETTINGS, "text"),
    Column("channel_axis", Part.SETTINGS),
    Column("scales", Part.SETTINGS, "values"),
    *columns(Part.REMARKS, "outputs", "notes", holds="texts"),
    *columns(Part.REMARKS, "not_enough_evidence", "error", "made_from", holds="text"),
)
"""What the tables of all subjects may have."""

ALWAYS = ("file", "kind", "score", "not_enough_evidence", "error")
"""Columns that a table has even if no row has such a cell."""


def in_order(declared: Iterable[Column]) -> tuple[Column, ...]:
    """Put the general columns and further ones in the order of a table, each once."""
    known: dict[str, Column] = {}
    for column in (*GENERAL, *declared):
        known.setdefault(column.name, column)
    placed = (column for column in known.values() if column.part is not None)
    return tuple(sorted(placed, key=attrgetter("part")))  # stable: within a part as declared


def origin(info: Mapping[str, Any], declared: Iterable[Column] = ()) -> dict[str, Any]:
    """Give the cells that a result's info has: where its numbers come from, and notes."""
    names = [column.name for column in in_order(declared) if column.part in (Part.MODEL, Part.SETTINGS)]
    notes = [*info.get("notes", ()), *([info["span_remark"]] if "span_remark" in info else [])]
    return {name: info[name] for name in names if name in info} | ({"notes": notes} if notes else {})


def range_cells(info: Mapping[str, Any]) -> dict[str, Any]:
    """Give the cells of a range that was found in the values, or of which they use little; else none."""
    if not ("range_rule" in info or "span" in info):
        return {}
    return {name: info[name] for name in ("data_range", "range_rule", "span") if name in info}


def plain(value: Any) -> Any:
    """Turn a value into what JSON holds: plain numbers, None for NaN and infinity, lists for tuples."""
    if isinstance(value, np.ndarray | np.generic):
        value = value.tolist()
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, Sequence) and not isinstance(value, str | bytes):
        return [plain(item) for item in value]
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    return value if value is None or isinstance(value, bool | int | str) else str(value)
