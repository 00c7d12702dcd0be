"""What people and programs see: answers on standard output as a table or JSON, progress and complaints on the other."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table
from rich.text import Text

from .. import __version__
from ..core.kinds import KINDS
from ..core.names import escaped
from ..core.own_units import told
from ..core.progress import stages_told
from ..core.quality_score import QualityScore
from ..core.score_columns import plain
from .streams import fitting

_WIDTH_OF_A_FILE = 140  # columns of a table that goes into a pipe

Row = Mapping[str, Any]


# --- how rows are laid out


class Column(NamedTuple):
    """A column of a table; an optional one is left out when no row has anything in it."""

    head: str
    cell: Callable[[Row], str]
    is_number: bool = False
    is_optional: bool = False


def number(value: float | None) -> str:
    """Write a number with three digits, and the lack of one as a word."""
    return "none" if value is None else f"{value:.3g}"


def points(value: float | None, places: int) -> str:
    """Write a score with so many places, and the lack of one as a word."""
    return "none" if value is None else f"{value:.{places}f}"


def _score_of_first(rows: Sequence[Row]) -> str:
    return number(rows[0]["score"])


@dataclass(frozen=True)
class Layout:
    """A table for people.

    `sentence`: from a row to what it says in words; shown when there is one row only, and if not empty. `gathered`:
    from the rows of the batch to those of the screen, where several make one. `said`: from the rows of a file to what
    the log says of them at once.
    """

    title: str
    columns: tuple[Column, ...]
    sentence: Callable[[Row], str]
    gathered: Callable[[Sequence[Row]], Sequence[Row]] = list
    said: Callable[[Sequence[Row]], str] = _score_of_first

    def can_show(self, row: Row) -> bool:
        """Tell whether a row that comes from a file, which people may have edited, has what is shown of it."""
        try:
            told = [column.cell(row) for column in self.columns], self.sentence(row), self.said([row])
        except (LookupError, TypeError, ValueError, AttributeError):
            return False
        return all(isinstance(text, str) for text in (*told[0], *told[1:]))


FILE = Column("file", lambda row: str(row["file"]))
SCORE = Column("score", lambda row: number(row["score"]), is_number=True)
OUTPUTS = Column("written to", lambda row: " ".join(row.get("outputs", ())), is_optional=True)


def layout_of(kind: str) -> Layout:
    """Lay out rows that sum up a map each: file, score, where the map is, and what there is to remark."""
    meaning = KINDS[kind]

    def sentence(row: Row) -> str:
        if row["score"] is None:
            return ""
        return told(meaning.score_means.format(score=number(row["score"])), kind, row["score"], row)

    return Layout(
        f"{meaning.title}: low, {meaning.low_means}; high, {meaning.high_means} ({meaning.unit})",
        (FILE, SCORE, OUTPUTS, Column("remark", _remark, is_optional=True)),
        sentence,
    )


def _remark(row: Row) -> str:
    return row.get("error") or row.get("not_enough_evidence") or "; ".join([*_seen(row), *row.get("notes", ())])


def _seen(row: Row) -> Iterator[str]:
    """Say who looks, and how values became light, where that is not a matter of course."""
    from ..core.observers import viewing

    if who := viewing(row):
        yield f"for {who}"
    if "encoding" in row:
        what = "cd/m2" if row["luminance"] == "absolute" else "codes"
        yield f"{what} on a display of {row['black_level']:g} to {row['peak_luminance']:g} cd/m2, {row['encoding']}"


def layout_of_scores(
    *more: Column, title: str = "Quality from 0, best, to 100, worst", places: int = 1, **scale: Any
) -> Layout:
    """Lay out rows of scores, with their uncertainty and whether there is evidence enough for them.

    `scale`: what `QualityScore.of` has to be told of the scale, if it is not that of `title`'s default.
    """
    columns = (
        FILE,
        Column("score", lambda row: points(row["score"], places), is_number=True),
        Column("give or take", lambda row: _give_or_take(row, places), is_number=True),
        *more,
        Column("evidence", _evidence_words),
        Column("remark", lambda row: row.get("error") or "; ".join(row.get("notes", ())), is_optional=True),
    )
    return Layout(title, columns, lambda row: _sentence(row, scale))


def _give_or_take(row: Row, places: int) -> str:
    if row["score"] is None:
        return ""
    return "unknown" if row["uncertainty"] is None else points(row["uncertainty"], places)


def _evidence_words(row: Row) -> str:
    if row.get("error"):
        return ""
    reason = row.get("not_enough_evidence")
    return f"not enough: {reason}" if reason else "enough"


def _sentence(row: Row, scale: Mapping[str, Any]) -> str:
    """Say a row in the words of the score itself."""
    if row.get("error"):
        return ""
    planes = np.asarray(row.get("planes", row["score"]), dtype=float)  # None becomes NaN
    spread = np.asarray(row.get("planes_uncertainty", row["uncertainty"]), dtype=float)
    # The reason of the row is already that of all planes.
    reasons = [row["not_enough_evidence"]] * planes.size
    return QualityScore.of(planes, uncertainty=spread, reasons=reasons, **scale).sentence()


def shown_outputs(row: Row) -> str:
    """Name the maps of a row by one pattern."""
    paths = row.get("outputs", ())
    if len(paths) < 2:
        return "".join(paths)
    endings = {os.path.splitext(path)[1] for path in paths}  # noqa: PTH122 - a text, not a path to use
    return f"{os.path.commonprefix(paths)}*{endings.pop() if len(endings) == 1 else ''}"  # noqa: RUF071 - of texts, too


def shown_by_folder(row: Row) -> str:
    """Name the files of a row, those of one folder by one pattern."""
    folders: dict[str, list[str]] = {}
    for path in row.get("outputs", ()):
        folders.setdefault(os.path.dirname(path), []).append(path)  # noqa: PTH120 - texts, not paths to use
    patterns = [
        names[0] if len(names) == 1 else f"{os.path.commonprefix(names)}*"  # noqa: RUF071 - of texts, too
        for names in folders.values()
    ]
    return " ".join(patterns)


def correlation(row: Row) -> str:
    """Say how alike the images were and are."""
    before, after = row.get("local_ncc_before"), row.get("local_ncc_after")
    if before is None and after is None:
        return ""
    return " -> ".join("none" if value is None else f"{value:.2f}" for value in (before, after))


# --- standard output


def console(*, err: bool = False) -> Console:
    """Give a console on the stream as it is now; wide where nobody looks at it directly."""
    stream = sys.stderr if err else sys.stdout
    return Console(file=stream, highlight=False, width=None if stream.isatty() else _WIDTH_OF_A_FILE)


def print_table(
    title: str, columns: Sequence[str], rows: Sequence[Sequence[Any]], *, numbers: Sequence[str] = ()
) -> None:
    """Print a table on standard output; a cell that is None is left empty."""
    out = console()
    table = Table(title=title, title_justify="left", title_style="bold")
    for column in columns:
        table.add_column(column, justify="right" if column in numbers else "left", overflow="fold")
    for row in rows:
        # As Text, for rich would take brackets in a file's name for markup.
        table.add_row(*(Text("" if cell is None else fitting(escaped(str(cell)), out.encoding)) for cell in row))
    out.print(table)


def print_json(value: Any) -> None:
    """Print JSON on standard output."""
    # JSON has its own escapes for what the encoding lacks.
    has_all = (sys.stdout.encoding or "").lower().startswith("utf")
    text = json.dumps(_shown(value), indent=1, ensure_ascii=not has_all)
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


def _shown(value: Any) -> Any:
    """Escape the texts in what becomes JSON."""
    if isinstance(value, Mapping):
        return {name: _shown(item) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [_shown(item) for item in value]
    # JSON says by itself where lines end.
    return "\n".join(map(escaped, value.split("\n"))) if isinstance(value, str) else value


def _print_rows(layout: Layout, rows: Sequence[Row]) -> None:
    texts = {column: [column.cell(row) for row in rows] for column in layout.columns}
    shown = [column for column in layout.columns if not column.is_optional or any(texts[column])]
    print_table(
        layout.title,
        [column.head for column in shown],
        list(zip(*(texts[column] for column in shown), strict=True)),
        numbers=[column.head for column in shown if column.is_number],
    )
    if len(rows) == 1 and (sentence := layout.sentence(rows[0])):
        console().print(Text(escaped(sentence)))


# --- a batch


class Report:
    """Follows a batch."""

    def __init__(self, command: str, *, as_json: bool) -> None:
        self.command = command
        self.as_json = as_json
        self._errors = console(err=True)
        self._progress: Progress | None = None
        self._tiles: Any = None
        self._files: Any = None
        self._name = ""
        self._planned = 0
        self._done = 0

    @contextmanager
    def bars(self, files: int) -> Iterator[None]:
        """Show two bars, files and tiles, while the block runs; only on a terminal."""
        self._planned = files
        with (
            Progress(
                TextColumn("{task.description}", markup=False),
                BarColumn(),
                MofNCompleteColumn(),
                TimeRemainingColumn(),
                console=self._errors,
                transient=True,
                disable=not self._errors.is_terminal,
            ) as self._progress,
            stages_told(self._stage),
        ):
            self._files = self._progress.add_task("files", total=files, visible=files > 1)
            self._tiles = self._progress.add_task("", total=None)
            yield
        self._progress = None

    def start(self, path: Path) -> None:
        """Name the file at work."""
        self._name = escaped(path.name)
        if self._progress is not None:
            self._progress.reset(self._tiles, total=None, description=self._name)

    def tiles(self, done: int, total: int) -> None:
        """Move the bar of tiles; the ``progress`` callback of the core."""
        if self._progress is not None:
            self._progress.update(self._tiles, completed=done, total=total, description=self._name)

    def _stage(self, stage: str) -> None:
        """Say beside the name what is being done that cannot be counted."""
        if self._progress is not None:
            self._progress.update(self._tiles, description=f"{self._name}: {stage}" if self._name else stage)

    def done(self, path: Path, said: str) -> None:
        """Move the bar of files; where there is no bar, write a line for the log, if there is anything to say."""
        self._done += 1
        if self._progress is not None and self._errors.is_terminal:
            self._progress.update(self._files, completed=self._done)
        elif self._planned > 1 and said:
            self.say(f"[{self._done}/{self._planned}] {path}: {said}")

    def failure(self, name: object, message: str) -> None:
        """Say at once that an input failed."""
        named = message if str(name) in message else f"{name}: {message}"
        self._errors.print(Text("Error: ", style="bold red") + Text(escaped(named)), soft_wrap=True)

    def say(self, message: str) -> None:
        """Write a line on standard error."""
        self._errors.print(Text(escaped(message)), soft_wrap=True)

    def give(self, layout: Layout, rows: Sequence[Row], counts: Mapping[str, int]) -> None:
        """Print the rows on standard output, as JSON with how many there are of which sort, or as a table."""
        if self.as_json:
            self.give_json({**counts, "rows": plain(list(rows))})
        elif rows:
            _print_rows(layout, layout.gathered(rows))

    def give_json(self, values: Mapping[str, Any]) -> None:
        """Print JSON on standard output, headed by the command and its version."""
        print_json({"command": self.command, "version": __version__, **values})
