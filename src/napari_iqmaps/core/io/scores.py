"""The table of a batch: a row a file, as CSV for spreadsheets or JSON for programs."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import InputError
from ..maps import QualityMap
from .atomic import written_whole
from .records import plain, record_of

COLUMNS = (
    "file",
    "reference",
    "kind",
    "score",
    "planes",
    "unit",
    "model",
    "weights",
    "weights_sha256",
    "stride",
    "observer",
    "pixels_per_degree",
    "window",
    "data_range",
    "luminance",
    "peak_luminance",
    "black_level",
    "encoding",
    "channel_axis",
    "strength",
    "level",
    "highest",
    "energy",
    "kept",
    "outputs",
    "notes",
    "not_enough_evidence",
    "error",
)
"""Columns that come first, in this order, when any row has them; others follow as they appear."""

_ALWAYS = ("file", "kind", "score", "not_enough_evidence", "error")
_FROM_INFO = (
    *("model", "weights", "weights_sha256", "stride", "observer", "pixels_per_degree", "window", "data_range"),
    *("luminance", "peak_luminance", "black_level", "encoding", "channel_axis", "notes"),
    *("strength", "level", "highest", "energy", "kept"),
)
_NO_PIXEL = "the image has no valid pixel"


def score_row(quality_map: QualityMap, **more: Any) -> dict[str, Any]:
    """Sum up a map as a row of the table.

    Parameters
    ----------
    quality_map : QualityMap
        A map in memory.
    **more
        Further cells, such as ``file``.

    Returns
    -------
    dict
        A stack's ``score`` is the mean over its planes that have one, and ``planes`` holds them all. Where there
        is no score, it is None and ``not_enough_evidence`` says why.
    """
    return row_of_record(record_of(quality_map), **more)


def row_of_record(record: Mapping[str, Any], **more: Any) -> dict[str, Any]:
    """Sum up a map by the record that its file carries; see `score_row`."""
    info = record["info"]
    planes = np.asarray(record["score"], dtype=float)  # None becomes NaN
    valid = planes[np.isfinite(planes)]
    row = {
        **more,
        "kind": record["kind"],
        "score": float(valid.mean()) if valid.size else None,
        "unit": record["unit"],
        "not_enough_evidence": info.get("not_enough_evidence", "" if valid.size else _NO_PIXEL),
    }
    if planes.ndim:
        row["planes"] = plain(planes)
    return row | {name: info[name] for name in _FROM_INFO if name in info}


def write_scores(rows: Iterable[Mapping[str, Any]], path: str | Path) -> Path:
    """Write a table of scores.

    Parameters
    ----------
    rows : iterable of mapping
        A mapping a row, as `score_row` makes them. A score that is None or NaN becomes an empty cell (null in
        JSON); its row should say why under ``not_enough_evidence`` or ``error``, and is given a reason if not.
    path : str or pathlib.Path
        Ends in ``.csv`` or ``.json``. Written whole or not at all.

    Returns
    -------
    pathlib.Path
        The file.

    Raises
    ------
    InputError
        If the suffix is another, or the file cannot be written.
    """
    path = Path(path)
    table = [_clean(row) for row in rows]
    if path.suffix.lower() == ".json":
        text = json.dumps(table, indent=1, ensure_ascii=False) + "\n"
    elif path.suffix.lower() == ".csv":
        text = _as_csv(table)
    else:
        raise InputError(f"A table of scores is written as .csv or .json; {path.name!r} has another ending.")
    with written_whole(path) as part:
        part.write_text(text, encoding="utf-8", newline="")
    return path


def _clean(row: Mapping[str, Any]) -> dict[str, Any]:
    clean = {name: plain(value) for name, value in row.items()}
    if clean.get("score") is None and not (clean.get("not_enough_evidence") or clean.get("error")):
        clean["not_enough_evidence"] = _NO_PIXEL
    return clean


def _as_csv(table: list[dict[str, Any]]) -> str:
    present = list(dict.fromkeys([*_ALWAYS, *(name for row in table for name in row)]))
    names = [name for name in COLUMNS if name in present] + [name for name in present if name not in COLUMNS]
    buffer = io.StringIO()
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
