"""Tables of agreement for the screen and for files."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pandas as pd
from rich.table import Table

from ..core.io.atomic import written_whole
from .statistics import Figure

HEADINGS = {
    "method": "method",
    "srcc": "SRCC",
    "plcc": "PLCC",
    "plcc_logistic": "PLCC logistic",
    "rmse": "RMSE",
    "images": "images",
    "scenes": "scenes",
}


def flat(table: pd.DataFrame) -> pd.DataFrame:
    """Turn the figures of `evaluate.agreements` into plain columns, for files.

    Parameters
    ----------
    table : pandas.DataFrame
        From `evaluate.agreements`.

    Returns
    -------
    pandas.DataFrame
        With columns such as srcc, srcc_low, srcc_high.
    """
    columns: dict[str, Any] = {}
    for name in table.columns:
        if len(table) and isinstance(table[name].iloc[0], Figure):
            columns[name] = [figure.value for figure in table[name]]
            columns[f"{name}_low"] = [figure.low for figure in table[name]]
            columns[f"{name}_high"] = [figure.high for figure in table[name]]
            if name == "srcc":
                columns["reason"] = [figure.reason for figure in table[name]]
        else:
            columns[name] = table[name]
    return pd.DataFrame(columns)


def for_screen(table: pd.DataFrame) -> list[Table]:
    """Lay figures out for a terminal, a table for each database.

    Parameters
    ----------
    table : pandas.DataFrame
        From `evaluate.agreements`.

    Returns
    -------
    list of rich.table.Table
        In the order of the databases.
    """
    tables = []
    for database, rows in table.groupby("database", sort=False):
        shown = Table(title=f"{database} (95 % intervals over scenes)")
        shown.add_column("type")
        for heading in HEADINGS.values():
            shown.add_column(heading, justify="left" if heading == "method" else "right")
        for kind, some in rows.groupby("type", sort=False):
            for number, (_, row) in enumerate(some.iterrows()):
                shown.add_row("" if number else str(kind), *(str(row[name]) for name in HEADINGS))
            shown.add_section()
        tables.append(shown)
    return tables


def as_markdown(table: pd.DataFrame) -> str:
    """Write figures as Markdown.

    Parameters
    ----------
    table : pandas.DataFrame
        From `evaluate.agreements`.

    Returns
    -------
    str
        One table for all databases.
    """
    names = {"database": "database", "type": "type", **HEADINGS}
    lines = ["| " + " | ".join(names.values()) + " |", "|" + "---|" * len(names)]
    lines += ["| " + " | ".join(str(row[name]) for name in names) + " |" for _, row in table.iterrows()]
    return "\n".join(lines) + "\n"


def write_tables(
    table: pd.DataFrame, csv: Path | None = None, json_file: Path | None = None, markdown: Path | None = None
) -> None:
    """Write figures into files.

    Parameters
    ----------
    table : pandas.DataFrame
        From `evaluate.agreements`.
    csv, json_file, markdown : pathlib.Path, optional
        Where to.
    """
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
