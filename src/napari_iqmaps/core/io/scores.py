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
from ..quality_score import QualityScore
from .atomic import written_whole
from .records import plain, record_of

COLUMNS = (
    "file",
    "reference",
    "fixed",
    "registered",
    "matrix",
    "valid",
    "matches",
    "kind",
    "frame",
    "plane",
    "row",
    "column",
    "top",
    "left",
    "height",
    "width",
    "distortion",
    "severity",
    "method",
    "accepted",
    "verdict",
    "score",
    "score_low",
    "score_high",
    "evidence",
    "soft",
    "gain",
    "better",
    "worse",
    "count",
    "n_valid",
    "valid_fraction",
    "tol",
    "blocks_better",
    "blocks_worse",
    "local_ncc_before",
    "local_ncc_after",
    "inliers",
    "largest_shift",
    "frames",
    "frames_accepted",
    "uncertainty",
    "planes",
    "planes_uncertainty",
    "planes_enough_evidence",
    "unit",
    "fails_below",
    "fails_at",
    "mean_objective_error",
    "mean_error",
    "mean_reliability",
    "mean_sensitivity",
    "mean_perceptual_error",
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
    "scales",
    "seed",
    "strength",
    "strength_unit",
    "parameter",
    "level",
    "highest",
    "energy",
    "kept",
    "outputs",
    "notes",
    "not_enough_evidence",
    "error",
    "made_from",
)
"""Columns that come first, in this order, when any row has them; others follow as they appear."""

_ALWAYS = ("file", "kind", "score", "not_enough_evidence", "error")
_FROM_INFO = (
    *("model", "weights", "weights_sha256", "stride", "observer", "pixels_per_degree", "window", "data_range"),
    *("luminance", "peak_luminance", "black_level", "encoding", "channel_axis", "scales", "notes"),
    *("strength", "level", "highest", "energy", "kept"),
)
_TEXTS = frozenset(
    (*("file", "reference", "kind", "unit", "model", "weights", "weights_sha256", "observer", "luminance", "encoding"),
     *("fixed", "registered", "matrix", "valid", "matches", "method", "verdict", "reason", "sentence", "registered_by"),
     *("planes_verdict", "not_enough_evidence", "error", "made_from"))
)  # fmt: skip
_LISTS_OF_TEXTS = ("outputs", "notes")
_LISTS = ("planes", "planes_uncertainty", "planes_enough_evidence", "data_range", "scales")
_WORDS = {"nan": None, "True": True, "False": False}
_MAY_LACK = ("score", "uncertainty")
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


def quality_row(quality: QualityScore, **more: Any) -> dict[str, Any]:
    """Sum up a quality score as a row of the table.

    Returns
    -------
    dict
        ``kind`` is ``"quality"``, ``uncertainty`` a standard deviation in points. A stack's ``score`` is the mean over
        the planes that have one, its ``uncertainty`` the mean of theirs (errors of planes that look alike do not
        cancel); ``planes``, ``planes_uncertainty`` and ``planes_enough_evidence`` hold them all. What is not known is
        None.
    """
    best, worst = quality.range if quality.lower_is_better else quality.range[::-1]
    answered = np.isfinite(quality.planes) & np.isfinite(quality.uncertainty)
    row = {
        **more,
        "kind": "quality",
        "score": quality.value,
        "uncertainty": quality.uncertainty[answered].mean() if answered.any() else None,
        "unit": f"points, {best:g} best to {worst:g} worst",
        "not_enough_evidence": quality.reason,
    }
    if quality.planes.ndim:
        row |= {
            "planes": quality.planes,
            "planes_uncertainty": quality.uncertainty,
            "planes_enough_evidence": [not reason for reason in quality.reasons],
        }
    row |= {name: quality.info[name] for name in _FROM_INFO if name in quality.info}
    plainly: dict[str, Any] = plain(row)
    return plainly


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


def read_scores(path: str | Path) -> list[dict[str, Any]]:
    """Read a table back that `write_scores` wrote.

    Returns
    -------
    list of dict
        The rows, with numbers as numbers and lists as lists. An empty cell of a CSV is left out, but for a score or
        an uncertainty, which is then None.
    """
    path = Path(path)
    try:
        text = path.read_text(encoding="utf-8")
        if path.suffix.lower() == ".json":
            rows = json.loads(text)
        else:
            rows = [_as_written(row) for row in csv.DictReader(io.StringIO(text, newline=""), strict=True)]
    except (OSError, ValueError, csv.Error) as error:
        raise InputError(f"{path} cannot be read as a table of scores ({error}).") from None
    if not isinstance(rows, list) or not all(isinstance(row, dict) and "file" in row for row in rows):
        raise InputError(f"{path} is no table of scores: it has no rows with a file each.")
    return rows


def _as_written(cells: Mapping[str | None, Any]) -> dict[str, Any]:
    """Undo `_cell` for a row of a CSV."""
    row: dict[str, Any] = {}
    for name, cell in cells.items():
        if not name or cell is None:
            raise ValueError("a row has more or fewer cells than there are columns")
        if cell or name == "not_enough_evidence":
            row[name] = _value(name, cell)
        elif name in _MAY_LACK:
            row[name] = None
    return row


def _value(name: str, cell: str) -> Any:
    if name in _TEXTS:
        return cell
    if name in _LISTS_OF_TEXTS:
        return cell.split("; ")
    if name in _LISTS:
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
