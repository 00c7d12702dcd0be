"""The table of a batch: a row a file, as CSV for spreadsheets or JSON for programs.

Which columns there are, `napari_iqmaps.core.score_columns` and each subject beside its score declare.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from ..errors import InputError
from ..score_columns import ALWAYS, GENERAL, Column, in_order, plain
from .atomic import written_whole

NO_PIXEL = "the image has no valid pixel"
"""Why there is no score, where nothing else is said."""

_WORDS = {"nan": None, "True": True, "False": False}


def write_scores(rows: Iterable[Mapping[str, Any]], path: str | Path, columns: Sequence[Column]) -> Path:
    """Write a table of scores as ``.csv`` or ``.json``, whole or not at all.

    The columns that the subjects of the rows have declared, and the general ones, come first, as far as any row has
    them; others follow as they appear. A score that is None or NaN becomes an empty cell (null in JSON); its row should
    say why under ``not_enough_evidence`` or ``error``, and is given a reason if not.
    """
    path = Path(path)
    table = [_clean(row) for row in rows]
    if path.suffix.lower() == ".json":
        text = json.dumps(table, indent=1, ensure_ascii=False) + "\n"
    elif path.suffix.lower() == ".csv":
        text = _as_csv(table, columns)
    else:
        raise InputError(f"A table of scores is written as .csv or .json; {path.name!r} has another ending.")
    with written_whole(path) as part:
        part.write_text(text, encoding="utf-8", newline="")
    return path


def read_scores(path: str | Path, columns: Sequence[Column]) -> list[dict[str, Any]]:
    """Read a table back that `write_scores` wrote: numbers as numbers, lists as lists.

    An empty cell of a CSV is left out, unless its column says that it may lack: then it is None.
    """
    path = Path(path)
    known = {column.name: column for column in (*columns, *GENERAL)}
    try:
        text = path.read_text(encoding="utf-8")
        if path.suffix.lower() == ".json":
            rows = json.loads(text)
        else:
            rows = [_as_written(row, known) for row in csv.DictReader(io.StringIO(text, newline=""), strict=True)]
    except (OSError, ValueError, csv.Error) as error:
        raise InputError(f"{path} cannot be read as a table of scores ({error}).") from None
    if not isinstance(rows, list) or not all(isinstance(row, dict) and "file" in row for row in rows):
        raise InputError(f"{path} is no table of scores: it has no rows with a file each.")
    return rows


def _as_written(cells: Mapping[str | None, Any], known: Mapping[str, Column]) -> dict[str, Any]:
    """Undo `_cell` for a row of a CSV."""
    row: dict[str, Any] = {}
    for name, cell in cells.items():
        if not name or cell is None:
            raise ValueError("a row has more or fewer cells than there are columns")
        column = known.get(name) or Column(name)
        if cell or name == "not_enough_evidence":  # where empty means that there is enough
            row[name] = _value(column, cell)
        elif column.may_lack:
            row[name] = None
    return row


def _value(column: Column, cell: str) -> Any:
    if column.holds == "text":
        return cell
    if column.holds == "texts":
        return cell.split("; ")
    if column.holds == "values":
        return [_number(item) for item in cell.split(" ")]
    return _number(cell)


def _number(cell: str) -> Any:
    """Give a number, None for one that is not, a truth, and what is none of these as it is."""
    if cell in _WORDS:
        return _WORDS[cell]
    for kind in (int, float):
        try:
            return kind(cell)
        except ValueError:
            continue
    return cell


def _clean(row: Mapping[str, Any]) -> dict[str, Any]:
    clean = {name: plain(value) for name, value in row.items()}
    if clean.get("score") is None and not (clean.get("not_enough_evidence") or clean.get("error")):
        clean["not_enough_evidence"] = NO_PIXEL
    return clean


def _as_csv(table: Sequence[Mapping[str, Any]], columns: Sequence[Column]) -> str:
    present = dict.fromkeys([*ALWAYS, *(name for row in table for name in row)])
    placed = [column.name for column in in_order(columns) if column.name in present]
    buffer = io.StringIO()
    names = list(dict.fromkeys([*placed, *present]))
    writer = csv.DictWriter(buffer, names, restval="", lineterminator="\n")
    writer.writeheader()
    writer.writerows({name: _cell(value) for name, value in row.items()} for row in table)
    return buffer.getvalue()


def _cell(value: Any) -> Any:
    """Write a list as numbers with blanks between: a comma inside a cell breaks naive readers."""
    if isinstance(value, list):
        if any(isinstance(item, str) for item in value):
            return "; ".join(map(str, value))
        return " ".join("nan" if item is None else str(_cell(item)) for item in value)
    return "" if value is None else value
