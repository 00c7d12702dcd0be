"""Rows of registrations: what a table says of one, of a series and of its frames, and how a screen shows it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ..core.registration.series import RegistrationSeries
from .layouts import FILE, Column, Layout, Row
from .registering import FRAMES, Images, correlation, written

KIND = "registration"
"""What a row is about."""

_UNIT = "local correlation with the fixed image after registration, -1 to 1"
_REFERENCE = "the frame that the others are registered to"
_MOST_NAMED = 5


def scored(row: Mapping[str, Any], images: Images) -> dict[str, Any]:
    """Give a registration's row the cells that every table has."""
    reason = row["reason"] or ("" if row["local_ncc_after"] is not None else "the images have no detail to compare")
    notes = [note for file in images.files for note in file.notes]
    return {
        **row, "kind": KIND, "score": row["local_ncc_after"] if row["accepted"] else None, "unit": _UNIT,
        "not_enough_evidence": reason, **({"notes": list(dict.fromkeys(notes))} if notes else {}),
    }  # fmt: skip


def series_row(series: RegistrationSeries, frames: Sequence[Row], images: Images) -> dict[str, Any]:
    """Sum up the frames of a series in one row."""
    reasons = {number: row["reason"].rstrip(".") for number, row in enumerate(frames) if not row["accepted"]}
    refused = [f"frame {number} ({reason})" for number, reason in reasons.items()]
    more = f" and {len(refused) - _MOST_NAMED} more" if len(refused) > _MOST_NAMED else ""
    scores = [row["local_ncc_after"] if row["accepted"] else None for row in frames]
    known = [score for score in scores if score is not None]
    before = [row["local_ncc_before"] for row in frames if row["local_ncc_before"] is not None]
    summed = {
        "method": series.info["method"], "accepted": not refused, "frames": len(frames),
        "frames_accepted": len(frames) - len(refused), "reason": ", ".join(refused[:_MOST_NAMED]) + more,
        "largest_shift": max(row["largest_shift"] for row in frames),
        "valid_fraction": float(np.mean([row["valid_fraction"] for row in frames])),
        "local_ncc_before": float(np.mean(before)) if before else None,
        "local_ncc_after": float(np.mean(known)) if known else None, "planes": scores,
    }  # fmt: skip
    row = scored(summed, images)
    return {**row, "score": row["local_ncc_after"], "sentence": series.sentence()}


def frame_row(path: Path, frame: Row) -> dict[str, Any]:
    """Give the row of a frame the cells that every table has."""
    why = frame["reason"] or ("" if frame["local_ncc_after"] is not None else _REFERENCE)
    score = frame["local_ncc_after"] if frame["accepted"] else None
    return {"file": str(path), "kind": KIND, **frame, "score": score, "unit": _UNIT, "not_enough_evidence": why}


def said(row: Row) -> str:
    """Say in a few words what came out, for a log."""
    if row.get("error"):
        return "failed"
    if row["accepted"]:
        return f"moved by up to {row['largest_shift']:.1f} pixels"
    return f"{row[FRAMES] - row['frames_accepted']} of {row[FRAMES]} frames refused" if FRAMES in row else "refused"


def _text(row: Row, name: str, form: str = "{}") -> str:
    return "" if row.get(name) is None else form.format(row[name])


def _is_accepted(row: Row) -> str:
    if row.get("error"):
        return ""
    if FRAMES in row:
        return f"{row['frames_accepted']} of {row[FRAMES]}"
    return "yes" if row["accepted"] else "refused"


LAYOUT = Layout(
    "Registration: local correlation with the fixed image, before -> after (1: alike)",
    (
        FILE,
        Column("method", lambda row: _text(row, "method")),
        Column("accepted", _is_accepted),
        Column("pixels moved", lambda row: _text(row, "largest_shift", "{:.1f}"), is_number=True),
        Column("inliers", lambda row: _text(row, "inliers"), is_number=True, is_optional=True),
        Column("correlation", correlation),
        Column("written to", written, is_optional=True),
        Column("remark", lambda row: row.get("error") or "; ".join(
            filter(None, [row["not_enough_evidence"], *row.get("notes", ())])), is_optional=True),
    ),
    lambda row: row.get("sentence", ""),
)  # fmt: skip
