"""The table of a batch: a row a file, as CSV for spreadsheets or JSON for programs.

Which columns there are, `napari_iqmaps.core.score_columns` and each subject beside its score declare. A table is read
back in whatever form a spreadsheet has saved it, with what people have added to it.
"""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from ..errors import InputError
from ..names import escaped, unescaped
from ..score_columns import ALWAYS, GENERAL, Column, in_order, plain
from .atomic import written_whole
from .source import check_regular

NO_PIXEL = "the image has no valid pixel"
"""Why there is no score, where nothing else is said."""

_TIME = "time"
_WORDS = {"nan": None, "true": True, "false": False}
_SEPARATORS = (",", ";", "\t")
"""What spreadsheets put between cells; the first is ours."""

# A spreadsheet runs a cell that begins so, also one that it makes of the rest of a cell behind a semicolon. An
# apostrophe before it makes it a text.
_FORMULA = re.compile("(^|;)('*)(?=[=+\\-@\uff1d\uff0b\uff0d\uff20])")
_NEUTRAL = re.compile("(^|;)'('*)(?=[=+\\-@\uff1d\uff0b\uff0d\uff20])")
_IS_NUMBER = re.compile(r"[+-]?[\d.,]+(e[+-]?\d+)?", re.IGNORECASE)


class OwnText(str):
    """The cell of a column that a user has added: it is written as it was read."""

    __slots__ = ()


def write_scores(rows: Iterable[Mapping[str, Any]], path: str | Path, columns: Sequence[Column]) -> Path:
    """Write a table of scores as ``.csv`` or ``.json``, whole or not at all.

    The columns that the subjects of the rows have declared, and the general ones, come first, as far as any row has
    them; others follow as they appear. A score that is None or NaN becomes an empty cell (null in JSON); its row should
    say why under ``not_enough_evidence`` or ``error``, and is given a reason if not.
    """
    path = Path(path)
    table = [_clean(row) for row in rows]
    if path.suffix.lower() == ".json":
        shown = [{name: _mapped(value, escaped) for name, value in row.items()} for row in table]
        text = json.dumps(shown, indent=1, ensure_ascii=False) + "\n"
    elif path.suffix.lower() == ".csv":
        text = _as_csv(table, columns)
    else:
        raise InputError(f"A table of scores is written as .csv or .json; {path.name!r} has another ending.")
    with written_whole(path) as part:
        part.write_text(text, encoding="utf-8", newline="")
    return path


def read_scores(path: str | Path, columns: Sequence[Column], *, keeps_own: bool = False) -> list[dict[str, Any]]:
    """Read a table back that `write_scores` wrote: numbers as numbers, lists as lists.

    A spreadsheet may have saved it in between: with a byte order mark, as UTF-16, with semicolons or tabs, with decimal
    commas, with other ends of lines, in another order, with further columns. An empty cell of a CSV is left out, unless
    its column says that it may lack: then it is None. `keeps_own`: leave the cells of columns that nobody has declared
    as they are, as `OwnText`.
    """
    path = Path(path)
    known = {column.name: column for column in (*columns, *GENERAL)}
    check_regular(path)
    try:
        text = _decoded(path.read_bytes())
        if path.suffix.lower() == ".json":
            rows = list(_rows_of_json(text, known, keeps_own))
        else:
            rows = list(_rows_of(text, known, keeps_own))
    except (OSError, ValueError, LookupError, TypeError, AttributeError, RecursionError, csv.Error) as error:
        raise InputError(f"{path} cannot be read as a table of scores ({error or type(error).__name__}).") from error
    if not all("file" in row for row in rows):
        raise InputError(f"{path} is no table of scores: it has no rows with a file each.")
    return rows


def is_among(row: Mapping[str, Any], rows: Iterable[Mapping[str, Any]]) -> bool:
    """Tell whether a table has a row: all cells are written alike, but for the time and a user's own columns."""
    cells = _written(row)
    return any(_written(other) == cells for other in rows)


def _written(row: Mapping[str, Any]) -> dict[str, str]:
    cells = {name: str(_cell(value)) for name, value in _clean(row).items() if not isinstance(row[name], OwnText)}
    return {name: cell for name, cell in cells.items() if cell and name != _TIME}


def _decoded(code: bytes) -> str:
    if code.startswith((b"\xff\xfe", b"\xfe\xff")):
        return code.decode("utf-16")
    try:
        return code.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise ValueError(f"it is not UTF-8: save it as CSV in UTF-8; {error}") from error


def _rows_of(text: str, known: Mapping[str, Column], keeps_own: bool) -> Iterator[dict[str, Any]]:
    """Give the rows of a CSV."""
    if text[:4].lower() == "sep=":  # by which spreadsheets say the separator
        text = text.partition("\n")[2]
    if not text.strip():
        return
    separator, head = _head_of(text)
    lines = csv.reader(io.StringIO(text, newline=""), strict=True, delimiter=separator)
    next(lines)
    is_complete = text.endswith(("\n", "\r"))
    if not is_complete and "\r" not in text:  # some spreadsheets end no last line, but those write other ends of lines
        raise ValueError("its last line does not end: it was cut short")
    for cells in lines:
        if not any(cells):
            continue
        # Spreadsheets add separators at the end of a row, or leave them out; a last line that does not end was cut.
        while len(cells) > len(head) and not cells[-1]:
            cells.pop()
        lacks = len(head) - len(cells)
        if lacks < 0 or (lacks > 0 and not is_complete):
            raise ValueError("a row has more or fewer cells than there are columns")
        yield _as_written(dict(zip(head, cells + [""] * lacks, strict=True)), known, keeps_own, separator != ",")


def _head_of(text: str) -> tuple[str, list[str]]:
    """Find what stands between the cells, and the names of the columns."""
    for separator in _SEPARATORS:
        try:
            head = next(csv.reader(io.StringIO(text, newline=""), strict=True, delimiter=separator))
        except csv.Error:  # quotes in the midst of what this separator makes a cell
            continue
        while head and not head[-1]:
            head.pop()
        if set(ALWAYS) <= set(head):
            if len(set(head)) < len(head):
                raise ValueError("two columns have one name")
            return separator, head
    raise ValueError(f"it lacks one of the columns {', '.join(ALWAYS)}")


def _as_written(
    cells: Mapping[str, str], known: Mapping[str, Column], keeps_own: bool, has_decimal_commas: bool
) -> dict[str, Any]:
    """Undo `_cell` for a row of a CSV."""
    row: dict[str, Any] = {}
    for name, cell in cells.items():
        if keeps_own and name not in known:
            row[name] = OwnText(cell)
            continue
        column = known.get(name) or Column(name)
        if cell or name == "not_enough_evidence":  # where empty means that there is enough
            row[name] = _value(column, cell, has_decimal_commas)
        elif column.may_lack:
            row[name] = None
    return row


def _value(column: Column, cell: str, has_decimal_commas: bool) -> Any:
    if column.holds == "values":
        return [_number(item, has_decimal_commas) for item in cell.split(" ")]
    if column.holds == "value":
        return _number(cell, has_decimal_commas)
    text = unescaped(_NEUTRAL.sub(r"\1\2", cell))
    return text if column.holds == "text" else text.split("; ")


def _number(cell: str, has_decimal_commas: bool) -> Any:
    """Give a number, None for one that is not, a truth, and what is none of these as it is."""
    if cell.lower() in _WORDS:
        return _WORDS[cell.lower()]
    figure = cell.replace(",", ".") if has_decimal_commas and _IS_NUMBER.fullmatch(cell) else cell
    for kind in (int, float):
        try:
            return kind(figure)
        except ValueError:
            continue
    return unescaped(_NEUTRAL.sub(r"\1\2", cell))


def _rows_of_json(text: str, known: Mapping[str, Column], keeps_own: bool) -> Iterator[dict[str, Any]]:
    """Give the rows of a table in JSON."""
    table = json.loads(text) if text.strip() else []
    if not isinstance(table, list) or not all(isinstance(row, dict) and "kind" in row for row in table):
        raise ValueError("it has no rows with a kind each")
    for row in table:
        for name, cell in row.items():
            holds = known[name].holds if name in known else None
            if holds == "text" and isinstance(cell, dict | list):
                raise ValueError(f"a row holds {cell!r:.40} as {name}")
        is_own = {name: keeps_own and name not in known for name in row}
        yield {name: _own(cell) if is_own[name] else _mapped(cell, unescaped) for name, cell in row.items()}


def _own(value: Any) -> Any:
    return OwnText(value) if isinstance(value, str) else value


def _mapped(value: Any, change: Any) -> Any:
    """Change the texts of a cell."""
    if isinstance(value, list):
        return [_mapped(item, change) for item in value]
    return change(value) if isinstance(value, str) and not isinstance(value, OwnText) else value


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
            return _text("; ".join(map(str, value)))
        return " ".join("nan" if item is None else str(_cell(item)) for item in value)
    if isinstance(value, str):
        return value if isinstance(value, OwnText) else _text(value)
    return "" if value is None else value


def _text(text: str) -> str:
    """Write a text that no spreadsheet runs as a formula, and without characters that are not seen."""
    return _FORMULA.sub(r"\1'\2", escaped(text))
