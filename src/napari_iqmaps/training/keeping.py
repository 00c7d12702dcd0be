"""Scores that are kept as they are made, so that a long evaluation can be stopped and continued."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from ..core.io.atomic import written_whole

Floats = npt.NDArray[np.float64]
Progress = Callable[[int, int], None]

CHUNK = 40
"""Images scored between two writings, about; an image's reference is not read twice for it."""

_SAID = ("type", "scene", "score", "impairment")
"""Columns that say in a file what an image is, of those that a table has."""


def image_names(table: pd.DataFrame) -> list[str]:
    """Name images without this machine's folders.

    Returns
    -------
    list of str
        Such as ``"live/img7.bmp"``.
    """
    return [f"{database}/{Path(file).name}" for database, file in zip(table["database"], table["file"], strict=True)]


def kept_scores(
    path: Path | None,
    table: pd.DataFrame,
    origin: str,
    columns: Sequence[str],
    score: Callable[[pd.DataFrame, Progress | None], Floats],
    progress: Progress | None = None,
    *,
    chunk: int | None = None,
) -> Floats:
    """Read scores of the same images and origin, and make and keep those that are not there.

    Parameters
    ----------
    path : pathlib.Path or None
        A CSV file; None keeps nothing.
    origin : str
        What decides the scores; those of another origin are made anew.
    score : callable
        Called with some rows and a progress; gives their scores, ``(rows, columns)``.
    progress : callable, optional
        Called with ``(images done, images in all)``; where it raises, what is done is in the file.
    """
    values = np.full((len(table), len(columns)), np.nan)
    done = np.zeros(len(table), dtype=bool)
    if path is not None and path.is_file():
        values, done = _read(path, table, origin, columns, values, done)
    for rows in _chunks(table, np.flatnonzero(~done), len(table) if path is None else chunk or CHUNK):
        behind = int(done.sum())
        values[rows] = score(table.iloc[rows], _after(progress, behind, len(table)))
        done[rows] = True
        if path is not None:
            _write(path, table, origin, columns, values, done)
    return values


def _read(
    path: Path, table: pd.DataFrame, origin: str, columns: Sequence[str], values: Floats, done: npt.NDArray[np.bool_]
) -> tuple[Floats, npt.NDArray[np.bool_]]:
    old = pd.read_csv(path)
    known = {"origin", "file", *columns} <= set(old)
    if not known or list(old["file"]) != image_names(table) or set(old["origin"]) != {origin}:
        return values, done
    finished = np.array(old["done"], dtype=bool) if "done" in old else np.ones(len(old), dtype=bool)
    return np.array(old[list(columns)], dtype=float), finished


def _write(
    path: Path, table: pd.DataFrame, origin: str, columns: Sequence[str], values: Floats, done: npt.NDArray[np.bool_]
) -> None:
    scores: dict[str, Any] = {name: values[:, number] for number, name in enumerate(columns)}
    whole = table[[name for name in _SAID if name in table]].assign(
        file=image_names(table), **scores, origin=origin, done=done
    )
    with written_whole(path) as part:
        whole.to_csv(part, index=False)


def _chunks(table: pd.DataFrame, rows: npt.NDArray[np.intp], size: int) -> list[npt.NDArray[np.intp]]:
    """Divide rows into chunks of whole references."""
    chunks: list[list[int]] = []
    for _, of_reference in table.iloc[rows].assign(row=rows).groupby("reference", sort=True):
        if not chunks or len(chunks[-1]) >= size:
            chunks.append([])
        chunks[-1] += list(of_reference["row"])
    return [np.array(chunk, dtype=np.intp) for chunk in chunks]


def _after(progress: Progress | None, behind: int, total: int) -> Progress | None:
    return None if progress is None else lambda done, _: progress(behind + done, total)
