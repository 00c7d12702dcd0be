"""Figures of agreement between methods and people, by database and by type of distortion, and their tables."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Sequence
from operator import itemgetter
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from ...core import tables
from ...core.bootstrap import Figure, Floats
from ...core.io.atomic import written_whole
from ...core.progress import Progress
from ...core.tables import Column
from ..databases.manifest import Manifest
from .agreement import Agreement, Draws, agreements_with, median
from .protocols import Fold

if TYPE_CHECKING:
    from rich.table import Table

ALL = "all"
KEYS = ("database", "file", "reference", "type", "scene", "score", "impairment", "best", "worst")
"""Columns of a table of scores that are no methods."""

LABEL = ("database", "type", "method")
"""Columns that name a row of figures."""

SPLIT = "split"
_RISES_WITH_QUALITY = ("PSNR", "SSIM", "shannon_entropy")
_MEDIANS = ("srcc", "plcc_logistic", "rmse")

_Label = tuple[str, str, str]

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

MEDIAN_HEADINGS = {"method": "method", **{f"{name}_median": HEADINGS[name] for name in _MEDIANS}}
"""Of figures over splits."""


def agreements(scores: pd.DataFrame) -> pd.DataFrame:
    """Compare the scores of each method with people's, by database and by type.

    Gives a row for each database, type (the first is ``"all"``) and method, with an `Agreement`, its error in the
    database's own units. Correlations are turned so that 1 is perfect for every method and database.
    """
    return pd.DataFrame([dict(zip(LABEL, label, strict=True)) | vars(found) for label, found in _cases(scores)])


def agreements_over_splits(
    scores: pd.DataFrame, folds: Sequence[Fold] | None = None, progress: Progress | None = None
) -> pd.DataFrame:
    """Compare the scores of each method with people's on each split's test images, and sum up over the splits.

    `scores` has a row per image, or, without `folds`, a row per split and test image, with the column split. Gives a
    row for each database, type and method: splits, and the medians srcc_median, plcc_logistic_median and rmse_median
    with the middle 95 % of the splits. The logistic is fitted anew on each split's test images, as is usual.
    """
    if folds is None:
        parts = [part.drop(columns=SPLIT) for _, part in scores.groupby(SPLIT, sort=False)]
    else:
        parts = [scores.iloc[fold.test] for fold in folds]
    found: dict[_Label, list[Agreement]] = {label: [] for label in _labels(scores)}
    for number, part in enumerate(parts, start=1):
        for label, one in _cases(part, draws=0):
            found.setdefault(label, []).append(one)
        if progress is not None:
            progress(number, len(parts))
    rows = []
    for label, several in found.items():
        reasons = [getattr(one, name).reason for one in several for name in _MEDIANS]
        # A split may have no image of a type.
        lacking = len(parts) - len(several)
        reason = next((why for why in [*reasons, *["no such images"] * lacking] if why), "")
        row: dict[str, Any] = {**dict(zip(LABEL, label, strict=True)), "splits": len(parts)}
        for name in _MEDIANS:
            values = [getattr(one, name).value for one in several] + [math.nan] * lacking
            row[f"{name}_median"] = median(values, reason)
        rows.append(row)
    return pd.DataFrame(rows)


def with_databases(figures: pd.DataFrame, manifests: Sequence[Manifest]) -> pd.DataFrame:
    """Say beside figures what the scores of each database are, and how many of its images are left out."""
    known = pd.DataFrame(
        [
            {"database": m.name, "measure": m.measure, "best": m.best, "worst": m.worst, "left_out": m.missing}
            for m in manifests
        ]
    )
    return figures.merge(known, on="database", how="left")


def _cases(scores: pd.DataFrame, draws: int | None = None) -> Iterator[tuple[_Label, Agreement]]:
    """Give the agreement of each database, type and method; scores and people's are turned to rise with impairment."""
    for database, kind, some in _groups(scores):
        # In the database's own units, which the error keeps.
        judged = (np.sign(some["worst"] - some["best"]) * some["score"]).to_numpy(dtype=float)
        methods = {name: _rising(some, name) for name in _methods(scores)}
        found = agreements_with(judged, methods, Draws(some["scene"].to_numpy(), count=draws))
        for name, one in found.items():
            yield (database, kind, name), one


def _labels(scores: pd.DataFrame) -> list[_Label]:
    return [(database, kind, name) for database, kind, _ in _groups(scores) for name in _methods(scores)]


def _groups(scores: pd.DataFrame) -> Iterator[tuple[str, str, pd.DataFrame]]:
    """Give the images of each database, of all types and, if there are several, of each."""
    for database, own in scores.groupby("database", sort=False):
        yield str(database), ALL, own
        kinds = sorted(set(own["type"]))
        for kind in kinds if len(kinds) > 1 else []:
            yield str(database), kind, own[own["type"] == kind]


def _methods(scores: pd.DataFrame) -> list[str]:
    return [name for name in scores.columns if name not in (*KEYS, SPLIT)]


def _rising(scores: pd.DataFrame, method: str) -> Floats:
    values: Floats = scores[method].to_numpy(dtype=float)
    return -values if method in _RISES_WITH_QUALITY else values


# --- tables ----------------------------------------------------------------------------------------------------------


def for_screen(table: pd.DataFrame, by: str = "database") -> list[Table]:
    """Lay figures out for a terminal: over all images, then over splits, for each database in turn."""
    shown = []
    for database, rows in table.groupby(by, sort=False):
        unit = f"; RMSE in {_scale(rows.iloc[0])}" if "measure" in rows else ""
        if "srcc" in rows:
            shown.append(_laid_out(f"{database} (95 % intervals over scenes{unit})", rows, HEADINGS))
        if "srcc_median" in rows:
            share = f" of {100 * rows['test_share'].iloc[0]:g} % of the scenes" if "test_share" in rows else ""
            title = f"{database} (median and middle 95 % over {rows['splits'].max()} splits{share}{unit})"
            shown.append(_laid_out(title, rows, MEDIAN_HEADINGS))
    return shown


def _scale(row: pd.Series) -> str:
    return f"{row['measure']}, {row['best']:g} best .. {row['worst']:g} worst"


def _laid_out(title: str, rows: pd.DataFrame, headings: dict[str, str]) -> Table:
    sections = []
    for kind, some in rows.groupby("type", sort=False):
        # The type stands in the first row alone.
        types = [str(kind), *[""] * (len(some) - 1)]
        sections.append(some.assign(type=types).to_dict("records"))
    return tables.for_screen(_columns({"type": "type", **headings}), sections, title, " ".join(_notes(rows)))


def as_markdown(table: pd.DataFrame, by: str = "database") -> str:
    """Write figures as Markdown."""
    over_splits = {name: f"{word}, median" for name, word in MEDIAN_HEADINGS.items() if name != "method"}
    names = {by: by, "type": "type", **HEADINGS, **over_splits}
    columns = _columns({name: word for name, word in names.items() if name in table})
    return (
        "\n".join(
            [
                tables.markdown(columns, table.to_dict("records")),
                *(f"\n{tables.markdown_text(note)}" for note in _notes(table)),
            ]
        )
        + "\n"
    )


def _columns(headings: dict[str, str]) -> list[Column[dict[str, Any]]]:
    return [Column(word, itemgetter(name), is_text=name in ("type", "method")) for name, word in headings.items()]


def _notes(table: pd.DataFrame) -> list[str]:
    """Gather what a column note says, each note once, for below the table."""
    return [note for note in dict.fromkeys(table["note"]) if note] if "note" in table else []


def flat(table: pd.DataFrame) -> pd.DataFrame:
    """Turn figures into plain columns, for files."""
    columns: dict[str, Any] = {}
    for name in table.columns:
        if len(table) and isinstance(table[name].iloc[0], Figure):
            parts = [tables.parts(name, figure) for figure in table[name]]
            columns |= {part: [each[part] for each in parts] for part in parts[0]}
        else:
            columns[name] = table[name].to_numpy()
    columns["reason"] = [_reasons(row) for _, row in table.iterrows()]
    return pd.DataFrame(columns)


def _reasons(row: pd.Series) -> str:
    """Say why figures of a row have no value or no interval."""
    return "; ".join(dict.fromkeys(cell.reason for cell in row if isinstance(cell, Figure) and cell.reason))


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
