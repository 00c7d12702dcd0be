"""How the rows of ``iqmaps diffdiff`` look on a screen: the verdict first, and what it rests on."""

from __future__ import annotations

from .layouts import FILE, Column, Layout, Row
from .registering import correlation, written


def _score(row: Row) -> str:
    if row.get("error"):
        return ""
    low, high = row.get("score_low"), row.get("score_high")
    between = "" if low is None or high is None else f" ({low:.2f} to {high:.2f})"
    return "none" if row["score"] is None else f"{row['score']:.2f}{between}"


def _changed(row: Row) -> str:
    return "" if row.get("count") is None else f"{row['count']:,}"


def _blocks(row: Row) -> str:
    if row.get("blocks_better") is None:
        return ""
    return f"{row['blocks_better']} / {row['blocks_worse']}"


def _remark(row: Row) -> str:
    if row.get("error"):
        return str(row["error"])
    return "; ".join(filter(None, [row.get("reason") or "", *row.get("notes", ())]))


LAYOUT = Layout(
    "Diff-diff: evidence (-1 worse to 1 better), share of the changed pixels that got better (90 %), local correlation",
    (
        FILE,
        Column("verdict", lambda row: str(row.get("verdict", ""))),
        Column(
            "evidence", lambda row: "" if row.get("evidence") is None else f"{row['evidence']:+.2f}", is_number=True
        ),
        Column("score", _score, is_number=True),
        Column("changed", _changed, is_number=True),
        Column("blocks +/-", _blocks, is_optional=True),
        Column("correlation", correlation),
        Column("written to", written, is_optional=True),
        Column("remark", _remark, is_optional=True),
    ),
    lambda row: row.get("sentence", ""),
    said=lambda row: row.get("verdict"),
)
