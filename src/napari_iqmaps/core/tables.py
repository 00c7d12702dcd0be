"""Tables for people and for files: columns are declared once, and written as Markdown, LaTeX, CSV or for a terminal.

What stands in a cell is printed as it is, whatever it holds: names of files may have any sign in them.
"""

from __future__ import annotations

import csv
import io
import math
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from . import names
from .bootstrap import Figure

if TYPE_CHECKING:
    from rich.table import Table

Row = TypeVar("Row")

NO_DATA = "--"
"""What stands in a cell for which there is no number."""

_LATEX = {
    "\\": r"\textbackslash{}", "&": r"\&", "%": r"\%", "$": r"\$", "#": r"\#", "_": r"\_", "{": r"\{", "}": r"\}",
    "~": r"\textasciitilde{}", "^": r"\textasciicircum{}", "<": r"\textless{}", ">": r"\textgreater{}",
    "|": r"\textbar{}", "`": r"\textasciigrave{}",
}  # fmt: skip
_SPECIAL = re.compile("|".join(map(re.escape, _LATEX)))
_JOINED = re.compile(r"(['-])(?=\1)")  # which LaTeX makes one sign of

# An underscore between letters or digits is no sign of Markdown; an ampersand is one where an entity may begin.
_IN_MARKDOWN = re.compile(r"[\\`*<>\[\]|~$]|&(?=[#\w])|(?<![^\W_])_|_(?![^\W_])")


@dataclass(frozen=True)
class Column(Generic[Row]):
    """A column of a table.

    `cell`: gives what stands there of a row; it is written by `str`. `is_text`: words, which start at the left; numbers
    end at the right.
    """

    heading: str
    cell: Callable[[Row], object]
    is_text: bool = False


def markdown(columns: Sequence[Column[Row]], rows: Iterable[Row]) -> str:
    """Write a table as Markdown, without a line break at its end."""
    headings = markdown_head([column.heading for column in columns])
    return "\n".join([headings, *(markdown_line([column.cell(row) for column in columns]) for row in rows)])


def markdown_head(headings: Sequence[str]) -> str:
    """Write the two lines that a table begins with."""
    return f"{markdown_line(headings)}\n|{'---|' * len(headings)}"


def markdown_line(cells: Iterable[object]) -> str:
    """Write one line of a table."""
    return "| " + " | ".join(markdown_text(str(cell)) for cell in cells) + " |"


def markdown_text(text: str) -> str:
    """Write a text so that Markdown shows it as it is."""
    return _IN_MARKDOWN.sub(lambda found: f"\\{found.group()}", names.escaped(text))


def latex(columns: Sequence[Column[Row]], rows: Iterable[Row]) -> str:
    """Write a table as a LaTeX ``tabular``, which needs no package; headings and cells are LaTeX already."""
    layout = "".join("l" if column.is_text else "r" for column in columns)
    lines = [" & ".join(str(column.cell(row)) for column in columns) for row in rows]
    # A bracket or a star that begins a line would belong to the line break before it.
    lines = [f"{{}}{line}" if line.startswith(("[", "*")) else line for line in lines]
    headings = " & ".join(column.heading for column in columns)
    inside = [r"\hline", rf"{headings} \\", r"\hline", *(rf"{line} \\" for line in lines), r"\hline"]
    return "\n".join([rf"\begin{{tabular}}{{{layout}}}", *inside, r"\end{tabular}"])


def escaped(text: str) -> str:
    """Write a text so that LaTeX prints it as it is."""
    single = _SPECIAL.sub(lambda found: _LATEX[found.group()], names.escaped(text))
    return _JOINED.sub(r"\1{}", single)


def for_screen(
    columns: Sequence[Column[Row]], sections: Iterable[Iterable[Row]], title: str, caption: str = ""
) -> Table:
    """Lay a table out for a terminal, with a line after each section."""
    from rich.table import Table
    from rich.text import Text

    # As Text, for rich would take brackets for markup.
    shown = Table(
        title=Text(names.escaped(title), "table.title"),
        caption=Text(names.escaped(caption), "table.caption") if caption else None,
    )
    for column in columns:
        shown.add_column(Text(names.escaped(column.heading)), justify="left" if column.is_text else "right")
    for section in sections:
        for row in section:
            shown.add_row(*(Text(names.escaped(str(column.cell(row)))) for column in columns))
        shown.add_section()
    return shown


def as_csv(records: Sequence[Any]) -> str:
    """Write records as CSV: a line of names, and a line a record; what is not known is an empty cell."""
    rows = [flat(record) for record in records]
    buffer = io.StringIO()
    writer = csv.DictWriter(buffer, list(dict.fromkeys(name for row in rows for name in row)), lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return buffer.getvalue()


def flat(record: Any) -> dict[str, Any]:
    """Turn a record (a dataclass) into plain cells.

    Returns a figure ``soft`` becomes ``soft``, ``soft_low``, ``soft_high`` and, if it has one, ``soft_reason``; a
    sequence becomes a text; NaN becomes None.
    """
    cells: dict[str, Any] = {}
    for field in fields(record):
        value = getattr(record, field.name)
        if isinstance(value, Figure):
            cells |= {name: _known(part) for name, part in parts(field.name, value).items()}
            if value.reason:
                cells[f"{field.name}_reason"] = _known(value.reason)
        else:
            cells[field.name] = _known(" ".join(value) if isinstance(value, tuple) else value)
    return cells


def parts(name: str, figure: Figure) -> dict[str, float]:
    """Name the numbers of a figure as columns of a file do."""
    return {name: figure.value, f"{name}_low": figure.low, f"{name}_high": figure.high}


def _known(value: Any) -> Any:
    if isinstance(value, str):
        return names.escaped(value)
    if not isinstance(value, float):
        return value
    return float(f"{value:.9g}") if math.isfinite(value) else None
