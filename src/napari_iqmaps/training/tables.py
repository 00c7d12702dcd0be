"""Tables of agreement for the screen and for files."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd
from rich.table import Table

from ..core.bootstrap import Figure
from ..core.io.atomic import written_whole

HEADINGS = {
    "method": "method",
    "srcc": "SRCC",
    "plcc": "PLCC",
    "plcc_logistic": "PLCC logistic",
    "rmse": "RMSE",
    "images": "images",
    "scenes": "scenes",
}
"""Column to heading, of figures over all images."""

MEDIAN_HEADINGS = {
    "method": "method",
    "srcc_median": "SRCC",
    "plcc_logistic_median": "PLCC logistic",
    "rmse_median": "RMSE",
}
"""Of figures over splits."""


def flat(table: pd.DataFrame) -> pd.DataFrame:
    """Turn figures into plain columns, for files."""
    columns: dict[str, Any] = {}
    for name in table.columns:
        if len(table) and isinstance(table[name].iloc[0], Figure):
            columns[name] = [figure.value for figure in table[name]]
            columns[f"{name}_low"] = [figure.low for figure in table[name]]
            columns[f"{name}_high"] = [figure.high for figure in table[name]]
        else:
            columns[name] = table[name].to_numpy()
    columns["reason"] = [_reasons(row) for _, row in table.iterrows()]
    return pd.DataFrame(columns)


def _reasons(row: pd.Series) -> str:
    """Say why figures of a row have no value or no interval."""
    return "; ".join(dict.fromkeys(cell.reason for cell in row if isinstance(cell, Figure) and cell.reason))


def for_screen(table: pd.DataFrame, by: str = "database") -> list[Table]:
    """Lay figures out for a terminal, a table or two for each database.

    Returns
    -------
    list of rich.table.Table
        In the order of the databases: over all images, then over splits.
    """
    tables = []
    for database, rows in table.groupby(by, sort=False):
        unit = f"; RMSE in {_scale(rows.iloc[0])}" if "measure" in rows else ""
        if "srcc" in rows:
            tables.append(_laid_out(f"{database} (95 % intervals over scenes{unit})", rows, HEADINGS))
        if "srcc_median" in rows:
            share = f" of {100 * rows['test_share'].iloc[0]:g} % of the scenes" if "test_share" in rows else ""
            title = f"{database} (median and middle 95 % over {rows['splits'].max()} splits{share}{unit})"
            tables.append(_laid_out(title, rows, MEDIAN_HEADINGS))
    return tables


def _scale(row: pd.Series) -> str:
    return f"{row['measure']}, {row['best']:g} best .. {row['worst']:g} worst"


def _laid_out(title: str, rows: pd.DataFrame, headings: Mapping[str, str]) -> Table:
    shown = Table(title=title, caption=" ".join(_notes(rows)) or None)
    shown.add_column("type")
    for heading in headings.values():
        shown.add_column(heading, justify="left" if heading == "method" else "right")
    for kind, some in rows.groupby("type", sort=False):
        for number, (_, row) in enumerate(some.iterrows()):
            shown.add_row("" if number else str(kind), *(str(row[name]) for name in headings))
        shown.add_section()
    return shown


def as_markdown(table: pd.DataFrame, by: str = "database") -> str:
    """Write figures as Markdown."""
    over_splits = {name: f"{word}, median" for name, word in MEDIAN_HEADINGS.items() if name != "method"}
    names = {by: by, "type": "type", **HEADINGS, **over_splits}
    names = {name: word for name, word in names.items() if name in table}
    lines = ["| " + " | ".join(names.values()) + " |", "|" + "---|" * len(names)]
    lines += ["| " + " | ".join(str(row[name]) for name in names) + " |" for _, row in table.iterrows()]
    return "\n".join([*lines, *(f"\n{note}" for note in _notes(table))]) + "\n"


def _notes(table: pd.DataFrame) -> list[str]:
    """Gather what a column note says, each note once, for below the table."""
    return [note for note in dict.fromkeys(table["note"]) if note] if "note" in table else []


def write_tables(
    table: pd.DataFrame, csv: Path | None = None, json_file: Path | None = None, markdown: Path | None = None
) -> None:
    """Write figures into files."""
    plain = flat(table)
    records = json.loads(plain.to_json(orient="records"))  # by pandas first, which writes NaN as null
    contents = (
        (csv, plain.to_csv(index=False)),
        (json_file, json.dumps(records, indent=2) + "\n"),
        (markdown, as_markdown(table)),
    )
    for path, content in contents:
        if path is not None:
            with written_whole(path) as part:
                part.write_text(content, encoding="utf-8")
