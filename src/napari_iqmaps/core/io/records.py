"""What a program or a person has written down as text: JSON, TOML and CSV, read whole, or refused with what is wrong.

A reader of a format says which fields or columns it needs, and of which type. What comes out of here is of these types;
everything else, whatever the file holds, is an error of ours that names the file, the field or the line, and what
stands there.
"""

from __future__ import annotations

import codecs
import csv
import io
import json
import math
import tomllib
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, NoReturn

from ..errors import InputError, IqmapsError
from .source import check_regular

MOST_BYTES = 2**26
"""Bytes up to which a record is read: 64 MiB, half a million rows of a manifest. What is larger is no record."""

_MOST_DEPTH = 50
"""How deep a record may be nested: those that are written here are 6 deep, and what reads them recurses."""

_MARKS = {
    codecs.BOM_UTF8: "utf-8",
    codecs.BOM_UTF32_LE: "utf-32-le",  # before UTF-16, whose mark it begins with
    codecs.BOM_UTF32_BE: "utf-32-be",
    codecs.BOM_UTF16_LE: "utf-16-le",
    codecs.BOM_UTF16_BE: "utf-16-be",
}
_DELIMITERS = ",;\t"
_SHOWN = 60
_NEEDED: Any = object()

Error = type[IqmapsError]


# --- text


def read_text(path: str | Path, error: Error = InputError) -> str:
    """Read a text of bounded size: UTF-8, or as its byte order mark says; `error` is what is raised."""
    path = Path(path)
    with _as_ours(error):
        check_regular(path)
    try:
        with path.open("rb") as file:
            content = file.read(MOST_BYTES + 1)
    except OSError as cause:
        raise error(f"{path} cannot be read ({cause.strerror or cause}). Check its permissions.") from cause
    if len(content) > MOST_BYTES:
        raise error(f"{path} has more than {MOST_BYTES // 2**20} MiB, up to which such files are read. Is it the one?")
    mark = next((mark for mark in _MARKS if content.startswith(mark)), b"")
    try:
        text = content[len(mark) :].decode(_MARKS.get(mark, "utf-8"))
    except UnicodeDecodeError as cause:
        raise error(
            f"{path} is no text in UTF-8 (byte {cause.start + len(mark)}). Save it in that encoding."
        ) from cause
    if (place := text.find("\0")) >= 0:
        line = text.count("\n", 0, place) + 1
        raise error(f"{path} holds a NUL character in line {line}, so it is no text in UTF-8. Save it as that.")
    return text


# --- JSON and TOML


def read_json(path: str | Path, error: Error = InputError) -> Any:
    """Read a file of JSON."""
    return parse_json(read_text(path, error), str(path), error)


def parse_json(text: str | bytes, where: str, error: Error = InputError) -> Any:
    """Read a text of JSON; `where` is what messages call it."""
    if not text.strip():
        raise error(f"{where} is empty. It should hold JSON.")
    try:
        value = json.loads(text, object_pairs_hook=_each_once, parse_constant=_no_constant)
    except (ValueError, RecursionError) as cause:  # also of texts that are not UTF-8, and numbers of many digits
        deep = isinstance(cause, RecursionError)
        raise error(f"{where} is not JSON ({_too_deep() if deep else cause}).") from cause
    _check_depth(value, where, error)
    return value


def read_toml(path: str | Path, error: Error = InputError) -> dict[str, Any]:
    """Read a file of TOML."""
    return parse_toml(read_text(path, error), str(path), error)


def parse_toml(text: str, where: str, error: Error = InputError) -> dict[str, Any]:
    """Read a text of TOML; see `parse_json`."""
    try:
        value = tomllib.loads(text)
    except (ValueError, RecursionError) as cause:
        deep = isinstance(cause, RecursionError)
        raise error(f"{where} cannot be read as TOML ({_too_deep() if deep else cause}).") from cause
    _check_depth(value, where, error)
    return value


def fields_of(value: Any, where: str, error: Error = InputError) -> Fields:
    """Take a value for an object of JSON, or refuse it."""
    if not isinstance(value, Mapping):
        raise error(f"{where} holds {short(value)}; it should be an object with named fields.")
    return Fields(value, where, error)


def short(value: Any) -> str:
    """Show a value in a message."""
    if isinstance(value, list | tuple | Mapping):
        text = repr(value) if len(value) < 10 and not _holds_much(value) else ""
        if text and len(text) <= _SHOWN:
            return text
        return f"an object of {len(value)} fields" if isinstance(value, Mapping) else f"a list of {len(value)} values"
    try:
        text = repr(value)
    except ValueError:  # Python writes no numbers of more than 4300 digits
        return "a number of thousands of digits"
    return text if len(text) <= _SHOWN else f"{text[: _SHOWN - 3]}..."


@dataclass(frozen=True)
class Fields:
    """The fields of a record, each given only if it is of the type that is asked for.

    `where`: what messages call the record. `error`: what is raised. A `default` is given where the field is not there
    or null; without one it is needed.
    """

    values: Mapping[str, Any]
    where: str
    error: Error = InputError

    def __contains__(self, name: str) -> bool:
        return self.values.get(name) is not None

    def text(self, name: str, default: Any = _NEEDED) -> Any:
        """Give a text."""
        return self._given(name, default, lambda value: isinstance(value, str), "a text")

    def truth(self, name: str, default: Any = _NEEDED) -> Any:
        """Give true or false."""
        return self._given(name, default, lambda value: isinstance(value, bool), "true or false")

    def whole(self, name: str, default: Any = _NEEDED, *, least: int = -(2**53), most: int = 2**53) -> Any:
        """Give a whole number."""
        said = f"a whole number{f' of at least {least}' if least > -(2**53) else ''}"
        return self._given(name, default, lambda value: is_whole(value) and least <= value <= most, said)

    def number(self, name: str, default: Any = _NEEDED) -> Any:
        """Give a finite number."""
        return self._given(name, default, is_number, "a finite number")

    def numbers(self, name: str, default: Any = _NEEDED, *, count: int | None = None) -> Any:
        """Give a list of finite numbers."""

        def fits(value: Any) -> bool:
            return isinstance(value, list | tuple) and count in (None, len(value)) and all(map(is_number, value))

        return self._given(name, default, fits, f"a list of {'' if count is None else f'{count} '}finite numbers")

    def texts(self, name: str, default: Any = _NEEDED) -> Any:
        """Give a list of texts."""

        def fits(value: Any) -> bool:
            return isinstance(value, list | tuple) and all(isinstance(item, str) for item in value)

        return self._given(name, default, fits, "a list of texts")

    def sides(self, name: str, default: Any = _NEEDED) -> Any:
        """Give height and width."""

        def fits(value: Any) -> bool:
            return isinstance(value, list | tuple) and len(value) == 2 and all(is_whole(s) and s > 0 for s in value)

        found = self._given(name, default, fits, "[height, width]")
        return None if found is None else tuple(found)

    def record(self, name: str, default: Any = _NEEDED) -> Any:
        """Give the fields of an object within this one."""
        found = self._given(name, default, lambda value: isinstance(value, Mapping), "an object with named fields")
        return replace(self, values=found, where=f"{self.where}, {name},") if isinstance(found, Mapping) else found

    def file_name(self, name: str) -> str:
        """Give the name of a file that lies in the folder of the record itself."""
        found: str = self.text(name)
        if not is_plain_name(found):
            raise self.error(f"{self.where}: {name} is {short(found)}; it must name a file of the same folder.")
        return found

    def refuse(self, name: str, wanted: str) -> NoReturn:
        """Raise that a field is not what it should be."""
        if name not in self.values:
            there = ", ".join(map(str, self.values))
            raise self.error(f"{self.where} lacks {name}; it holds {there[: 2 * _SHOWN] or 'nothing'}.")
        raise self.error(f"{self.where}: {name} is {short(self.values[name])}; it must be {wanted}.")

    def _given(self, name: str, default: Any, fits: Callable[[Any], bool], wanted: str) -> Any:
        value = self.values.get(name)
        if value is None and default is not _NEEDED:
            return default
        if not fits(value):
            self.refuse(name, wanted)
        return value


def is_whole(value: Any) -> bool:
    """Tell whether a value of JSON is a whole number; true and false are none."""
    return isinstance(value, int) and not isinstance(value, bool)


def is_number(value: Any) -> bool:
    """Tell whether a value of JSON is a number that is finite as a float; true and false are none."""
    if not isinstance(value, int | float) or isinstance(value, bool):
        return False
    try:
        return math.isfinite(value)
    except OverflowError:  # a whole number beyond all floats
        return False


def is_plain_name(name: str) -> bool:
    """Tell whether a name stays in its folder, on every system."""
    return bool(name) and name not in (".", "..") and not any(sign in name for sign in "/\\:\0")


# --- CSV


@dataclass(frozen=True)
class Row:
    """A row of a table: the number of its line in the file, and its cells by column, without blanks around them."""

    line: int
    cells: Mapping[str, str]


@dataclass(frozen=True)
class TextTable:
    """A table as text.

    `where`: what messages call it. `comments`: the lines before the header that begin with ``#``, without that.
    """

    where: str
    columns: tuple[str, ...]
    rows: tuple[Row, ...]
    comments: tuple[str, ...] = ()
    error: Error = InputError

    def number(self, row: Row, column: str) -> float:
        """Give the finite number in a cell, or refuse the table."""
        found = number(cell := row.cells[column])
        if found is None:
            self.refuse(row, column, "a number, with a point for its decimals" if "," in cell else "a finite number")
        return found

    def refuse(self, row: Row, column: str, wanted: str) -> NoReturn:
        """Raise that a cell is not what it should be."""
        cell = row.cells[column]
        said = f"is {short(cell)}; it must be" if cell else "is empty; it must be"
        raise self.error(f"{self.where}, line {row.line}: {column} {said} {wanted}.")


def read_table(
    path: str | Path, needed: Sequence[str], *, comments: bool = False, lower: bool = False, error: Error = InputError
) -> TextTable:
    """Read a table of text between commas, semicolons or tabs, whose first line names the columns.

    `needed`: columns that it must have; which sign is between the cells is told from them. `comments`: whether lines
    that begin with ``#`` may stand before the header; below it, ``#`` is a letter like any other. `lower`: whether
    names of columns count without case.
    """
    path = Path(path)
    return parse_table(read_text(path, error), str(path), needed, comments=comments, lower=lower, error=error)


def parse_table(
    text: str,
    where: str,
    needed: Sequence[str],
    *,
    comments: bool = False,
    lower: bool = False,
    error: Error = InputError,
) -> TextTable:
    """Read a table from text; see `read_table`."""
    if not text.strip():
        raise error(f"{where} is empty. Its first line should name the columns {', '.join(needed)}.")
    above, skipped, body = _without_comments(text) if comments else ([], 0, text)
    head = next(filter(str.strip, io.StringIO(body)), "")
    # Between the cells stands what makes the columns that are needed, or else most of them.
    sign = max(_DELIMITERS, key=lambda one: (len(set(needed) & set(_names(head, one, lower))), head.count(one)))
    lines = lines_of(body, sign, where, error, skipped)
    columns = [name.lower() if lower else name for name in next(lines, (0, []))[1]]
    missing = [name for name in needed if name not in columns]
    if missing:
        there = ", ".join(filter(None, columns)) or "nothing"
        several = "columns" if len(missing) > 1 else "column"
        raise error(f"{where} lacks the {several} {', '.join(missing)}; its first line has {there[: 3 * _SHOWN]}.")
    repeated = [name for name in columns if name and columns.count(name) > 1]
    if repeated:
        raise error(f"{where} has more than one column {repeated[0]}. Keep one.")
    rows = tuple(_row(line, cells, columns, needed, where, error) for line, cells in lines)
    return TextTable(where, tuple(filter(None, columns)), rows, tuple(above), error)


def lines_of(
    text: str, sign: str, where: str, error: Error = InputError, skipped: int = 0
) -> Iterator[tuple[int, list[str]]]:
    """Give the lines of a table that are not empty, each with its number; `skipped`: lines that stood before."""
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=sign, strict=True, skipinitialspace=sign != "\t")
    while True:
        line = skipped + reader.line_num + 1
        try:
            cells = next(reader, None)
        except csv.Error as cause:
            raise error(f"{where}, line {line}, cannot be read as a line of a table ({cause}).") from cause
        if cells is None:
            return
        stripped = [cell.strip() for cell in cells]
        if any(stripped):
            yield line, stripped


def number(text: str) -> float | None:
    """Read a finite number; None where there is none."""
    try:
        value = float(text)
    except ValueError:
        return None
    # Python takes 1_000 for a number, which no table means.
    return value if math.isfinite(value) and "_" not in text else None


# --- the parts of it


@contextmanager
def _as_ours(error: Error) -> Iterator[None]:
    """Turn an InputError into the error that is asked for."""
    try:
        yield
    except InputError as cause:
        if error is InputError:
            raise
        raise error(str(cause)) from cause


def _each_once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        names = [name for name, _ in pairs]
        raise ValueError(f"it names {next(name for name in names if names.count(name) > 1)!r} twice")
    return found


def _no_constant(word: str) -> NoReturn:
    raise ValueError(f"it holds {word}, which is no number")


def _too_deep() -> str:
    return f"it is nested more than {_MOST_DEPTH} deep"


def _check_depth(value: Any, where: str, error: Error) -> None:
    """Refuse what is nested deeper than anything that is written here; without recursion."""
    level: list[Any] = [value]
    for _ in range(_MOST_DEPTH):
        inside: list[Any] = []
        for item in level:
            if isinstance(item, dict):
                inside += item.values()
            elif isinstance(item, list):
                inside += item
        if not inside:
            return
        level = inside
    raise error(f"{where} cannot be read: {_too_deep()}.")


def _holds_much(value: Any) -> bool:
    items = value.values() if isinstance(value, Mapping) else value
    return any(isinstance(item, list | tuple | Mapping) or (is_whole(item) and abs(item) > 2**64) for item in items)


def _without_comments(text: str) -> tuple[list[str], int, str]:
    """Part the lines at the head that begin with ``#`` from the table below; also how many lines they are."""
    found: list[str] = []
    skipped, place = 0, 0
    for line in io.StringIO(text, newline=""):
        # A spreadsheet puts quotes around such a line, and signs behind it for the cells that are not there.
        said = line.strip().rstrip(_DELIMITERS).strip().strip('"').strip()
        if said and not said.startswith("#"):
            break
        if said:
            found.append(said.lstrip("# "))
        skipped, place = skipped + 1, place + len(line)
    return found, skipped, text[place:]


def _names(header: str, sign: str, lower: bool) -> list[str]:
    try:
        names = [name.strip() for name in next(csv.reader([header], delimiter=sign, skipinitialspace=True), [])]
    except csv.Error:
        return []
    return [name.lower() for name in names] if lower else names


def _row(
    line: int, cells: Sequence[str], columns: Sequence[str], needed: Sequence[str], where: str, error: Error
) -> Row:
    # Spreadsheets leave out signs behind the last cell of a row; what is needed has to be there.
    lacks = set(columns[len(cells) :]) & set(needed)
    if lacks or any(cells[len(columns) :]):
        raise error(f"{where}, line {line}, has {len(cells)} cells instead of {len(columns)}. Mend or remove it.")
    found = dict.fromkeys(filter(None, columns), "")
    return Row(line, found | {name: cell for name, cell in zip(columns, cells, strict=False) if name})
