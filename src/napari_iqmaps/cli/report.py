"""What people and programs see: answers on standard output, progress and complaints on standard error."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import click
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table
from rich.text import Text

from .. import __version__
from .layouts import Layout, Row, number

_WIDTH_OF_A_FILE = 140  # columns of a table that goes into a pipe


def console(*, err: bool = False) -> Console:
    """Give a console on the stream as it is now; wide where nobody looks at it directly."""
    stream = sys.stderr if err else sys.stdout
    return Console(file=stream, highlight=False, width=None if stream.isatty() else _WIDTH_OF_A_FILE)


def print_table(
    title: str, columns: Sequence[str], rows: Sequence[Sequence[Any]], *, numbers: Sequence[str] = ()
) -> None:
    """Print a table on standard output.

    Parameters
    ----------
    rows : sequence of sequence
        Cells; None is left empty.
    """
    table = Table(title=title, title_justify="left", title_style="bold")
    for column in columns:
        table.add_column(column, justify="right" if column in numbers else "left", overflow="fold")
    for row in rows:
        # As Text, for rich would take brackets in a file's name for markup.
        table.add_row(*(Text("" if cell is None else str(cell)) for cell in row))
    console().print(table)


def print_json(value: Any) -> None:
    """Print JSON on standard output."""
    click.echo(json.dumps(value, indent=1, ensure_ascii=False))


class Report:
    """Follows a batch."""

    def __init__(self, command: str, *, as_json: bool) -> None:
        self.command = command
        self.as_json = as_json
        self._errors = console(err=True)
        self._progress: Progress | None = None
        self._tiles: Any = None
        self._files: Any = None
        self._planned = 0
        self._done = 0

    @contextmanager
    def bars(self, files: int) -> Iterator[None]:
        """Show two bars, files and tiles, while the block runs; only on a terminal."""
        self._planned = files
        with Progress(
            TextColumn("{task.description}", markup=False),
            BarColumn(),
            MofNCompleteColumn(),
            TimeRemainingColumn(),
            console=self._errors,
            transient=True,
            disable=not self._errors.is_terminal,
        ) as self._progress:
            self._files = self._progress.add_task("files", total=files, visible=files > 1)
            self._tiles = self._progress.add_task("", total=None)
            yield
        self._progress = None

    def start(self, path: Path) -> None:
        """Name the file at work."""
        if self._progress is not None:
            self._progress.reset(self._tiles, total=None, description=path.name)

    def tiles(self, done: int, total: int) -> None:
        """Move the bar of tiles; the ``progress`` callback of the core."""
        if self._progress is not None:
            self._progress.update(self._tiles, completed=done, total=total)

    def done(self, row: Row, said: str | None = None) -> None:
        """Move the bar of files; where there is no bar, write a line for the log: the score, or what is `said`."""
        self._done += 1
        if self._progress is not None and self._errors.is_terminal:
            self._progress.update(self._files, completed=self._done)
        elif self._planned > 1 and not row.get("error"):
            self.say(f"[{self._done}/{self._planned}] {row['file']}: {said or number(row['score'])}")

    def failure(self, path: Path, message: str) -> None:
        """Say at once that an input failed."""
        named = message if str(path) in message else f"{path}: {message}"
        self._errors.print(Text("Error: ", style="bold red") + Text(named), soft_wrap=True)

    def say(self, message: str) -> None:
        """Write a line on standard error."""
        self._errors.print(Text(message), soft_wrap=True)

    def finish(
        self, layout: Layout, rows: Sequence[Row], *, kept: int, failed: int, table: Path | None, planned: int,
        remains: str,
    ) -> None:  # fmt: skip
        """Give the rows, and sum up what was done, kept, failed and not reached.

        Parameters
        ----------
        kept, failed : int
            How many of them were there before, and how many inputs failed.
        table : pathlib.Path or None
            Where the rows were written.
        remains : str
            What of an interrupted batch the next one need not do again.
        """
        computed = len(rows) - kept - failed
        left = planned - len(rows)
        if self.as_json:
            counts = {"computed": computed, "kept": kept, "failed": failed, "not_reached": left}
            print_json({"command": self.command, "version": __version__, **counts, "rows": _plain_rows(rows)})
        elif rows:
            _print_rows(layout, layout.gathered(rows))
        parts = [f"{computed} computed"]
        if kept:
            parts.append(f"{kept} kept from before (same file, same options; --overwrite computes them anew)")
        if failed:
            parts.append(f"{failed} failed")
        if table is not None:
            parts.append(f"scores in {table}")
        self.say(", ".join(parts) + ".")
        if left:
            self.say(f"Interrupted: {left} of {planned} not done. {remains}")


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
        console().print(Text(sentence))


def _plain_rows(rows: Sequence[Row]) -> Any:
    from ..core.columns import plain

    return plain(list(rows))
