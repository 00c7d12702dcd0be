"""Export of a result: its map as a file, its score as a row of a table.

What asks for a file gives a task that is not started, or None if the user closed the dialog. What writes it runs in a
thread like any work.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Mapping, Sequence
from functools import cache, partial
from pathlib import Path
from typing import Any

from qtpy.QtWidgets import QFileDialog, QWidget

from ..core.errors import InputError
from ..core.io import write_map, write_scores
from ..core.io.atomic import written_whole
from ..core.io.score_table import is_among, read_scores
from ..core.names import file_name
from ..core.progress import Progress
from ..core.score_columns import Column
from .provenance import told_by, with_told
from .results import Result, computed
from .tasks import Task

_UNFIT = re.compile(r'[\\/:*?"<>|\x00-\x1f]')
"""What some system takes in no name of a file."""


@cache
def _columns() -> tuple[Column, ...]:
    """Give the columns of all subjects: one table may take rows of each. Called in a thread: it imports them all."""
    from ..core import blind, hiding, machine_curve, maps
    from ..core.diffdiff import verdict
    from ..core.registration import record

    subjects = (maps, machine_curve, blind, hiding, verdict, record)
    return tuple(column for subject in subjects for column in subject.COLUMNS)


def save_map(result: Result, told: Mapping[str, Any], path: str | Path, progress: Progress) -> Path:
    """Write the map of a result, computed if it is lazy: its values (.tif), or a picture with a legend (.png).

    `told`: what its layer tells of it; see `told_by`.
    """
    return write_map(with_told(computed(result, progress).quality_map, told), path)


def append_row(result: Result, path: str | Path, progress: Progress) -> Path:
    """Write the row of a result into a table, after the rows that are there; a new column is added to all of them.

    The same row is not added twice.
    """
    path = Path(path)
    rows, row = _rows_of(path), computed(result, progress).row()
    if is_among(row, rows):
        raise InputError(f"This row is in {path.name} already: nothing was written.")
    return write_scores([*rows, row], path, _columns())


def save_rows(rows: Sequence[Mapping[str, Any]], path: str | Path, _progress: Progress) -> Path:
    """Write a table of its own, in place of an earlier file; called in a thread."""
    return write_scores(rows, path, _columns())


def save_drawn(draw: Callable[[], bytes], path: str | Path, _progress: Progress) -> Path:
    """Write what is drawn now, in place of an earlier file; called in a thread."""
    data = draw()
    with written_whole(path) as part:
        part.write_bytes(data)
    return Path(path)


def ask_for_picture(parent: QWidget, draw: Callable[[], bytes], *, suggestion: str = "figure.png") -> Task | None:
    """Ask where to save a figure, and make the task that does it."""
    return _asked(parent, "Save the figure", suggestion, "Picture (*.png)", save_drawn, draw)


def ask_for_rows(
    parent: QWidget,
    rows: Sequence[Mapping[str, Any]],
    *,
    title: str = "Save the table of regions",
    suggestion: str = "regions.csv",
) -> Task | None:
    """Ask where to save a table, and make the task that does it."""
    return _asked(parent, title, suggestion, "Table (*.csv)", save_rows, rows)


def ask_for_map(parent: QWidget, result: Result, *, layer: Any = None) -> Task | None:
    """Ask where to save a map, and make the task that does it; `layer`: where it is shown."""
    suggestion = file_name(_UNFIT.sub("_", result.names[0]), f"_{result.quality_map.kind}.tif")
    told = {} if layer is None else told_by(layer)
    filters = "Values (*.tif *.tiff);;Picture with legend (*.png)"
    return _asked(parent, "Save the map", suggestion, filters, partial(save_map, result), told)


def ask_for_row(parent: QWidget, result: Result) -> Task | None:
    """Ask for a table, and make the task that adds the row of a result to it."""
    return _asked(parent, "Add the row to a table", "scores.csv", "Table (*.csv)", append_row, result)


def _asked(parent: QWidget, title: str, suggestion: str, filters: str, work: Any, what: Any) -> Task | None:
    options = QFileDialog.Option.DontConfirmOverwrite if work is append_row else QFileDialog.Option(0)
    path, chosen = QFileDialog.getSaveFileName(parent, title, suggestion, filters, options=options)
    if not path:
        return None
    if not Path(path).suffix:
        path += ".csv" if "csv" in filters else ".png" if "png" in chosen else ".tif"
    return Task(partial(work, what, path), f"Writing {Path(path).name}")


def _rows_of(path: Path) -> list[dict[str, Any]]:
    if not os.path.lexists(path):
        return []
    try:
        return read_scores(path, _columns(), keeps_own=True)
    except InputError as error:
        raise InputError(
            f"{path.name} exists and is not a table of scores, or damaged ({error}). Choose another file."
        ) from error
