"""Judge the metrifier by workers' labels of pictures that it has not seen, beside known measures on the same ones."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from ... import __version__
from ...core.errors import InputError
from ...core.io.atomic import written_whole
from ...core.machine import NETWORK
from ...core.models import WeightsRecord, default_name, find
from ..evaluate import Report, told_of
from ..keeping import kept_scores
from .evaluation_scores import MEASURES, Distorted, Remake, measured, metrifier_scores
from .labels import CONSISTENCY, PROBABILITY
from .variants import UNDISTORTED

Floats = npt.NDArray[np.float64]

SCORE = "machine quality"
_SUMMED_UP = ("mean", "consistency", "top1")
_OF_WORKERS = (PROBABILITY, CONSISTENCY)
_CHUNK = 2048
"""Pictures scored between two writings of a file: tens of seconds."""


def targets_in(labels: pd.DataFrame) -> list[str]:
    """Name what a table of labels says of a picture.

    Parameters
    ----------
    labels : pandas.DataFrame
        With columns such as mean, consistency, top1, and for each worker p_NAME and c_NAME.

    Returns
    -------
    list of str
        Of those that are there, each between 0 (worst) and 1 (best).
    """
    summed_up = [name for name in _SUMMED_UP if name in labels]
    return summed_up + [str(name) for name in labels if str(name).startswith(_OF_WORKERS)]


def with_other_labels(labels: pd.DataFrame, others: Mapping[str, pd.DataFrame]) -> tuple[pd.DataFrame, list[str]]:
    """Join what workers say whom the first table does not know, picture by picture.

    Parameters
    ----------
    labels : pandas.DataFrame
        Image, distortion, severity, seed, and labels.

    Returns
    -------
    rows : pandas.DataFrame
        The first table with further columns p_NAME and c_NAME, and, of a table of several workers, mean (TABLE),
        consistency (TABLE) and top1 (TABLE); NaN where a table has no such picture.
    """
    rows, joined = labels.copy(), list[str]()
    for table, other in others.items():
        names = [name for name in targets_in(other) if name.startswith(_OF_WORKERS)]
        if taken := [name[2:] for name in names if name in rows]:
            raise InputError(
                f"The worker {taken[0]!r} is in two tables of labels, the second of which is {table}. Give a table of "
                "other workers, or rename one."
            )
        renamed = {name: name for name in names}
        if sum(name.startswith("p_") for name in names) > 1:
            renamed |= {name: f"{name} ({table})" for name in _SUMMED_UP if name in other}
        found = other[list(renamed)].rename(columns=renamed)
        found = found[~_keys(other).duplicated().to_numpy()].set_axis(_keys(other).drop_duplicates(), axis=0)
        found = found.reindex(_keys(rows))
        if found.isna().all(axis=None):
            raise InputError(
                f"The table {table} has none of the {len(rows)} pictures of the first: image, distortion, severity and "
                "seed have to be the same. Make it with the same --data, --part, --seed and --variants."
            )
        for name in found:
            rows[name] = found[name].to_numpy(dtype=float)
        joined += list(renamed.values())
    return rows, joined


def _keys(rows: pd.DataFrame) -> pd.Series:
    """Name each distorted picture; the seed of an undistorted one means nothing."""
    clean = (rows["distortion"] == UNDISTORTED).to_numpy()
    seeds = np.where(clean, 0, rows["seed"].to_numpy())
    return pd.Series([
        f"{distortion} {severity:g} {seed} {image}"
        for distortion, severity, seed, image in zip(
            rows["distortion"], rows["severity"].astype(float), seeds, rows["image"], strict=True
        )
    ])  # fmt: skip


def found_weights(weights: Sequence[str | Path | None]) -> list[WeightsRecord]:
    """Find metrifiers and verify them.

    Parameters
    ----------
    weights : sequence of (str or pathlib.Path or None)
        Names or paths; None is the default.
    """
    return [find(default_name(NETWORK) if name is None else name, NETWORK) for name in weights]


def scored(
    rows: pd.DataFrame,
    remake: Remake,
    weights: Sequence[str | Path | None] = (None,),
    *,
    data: str = "",
    folder: Path | None = None,
    device: str = "auto",
    report: Report | None = None,
) -> tuple[pd.DataFrame, list[str]]:
    """Score all pictures by metrifiers and by known measures.

    Parameters
    ----------
    rows : pandas.DataFrame
        Image, distortion, severity, seed, and labels.
    weights : sequence of (str or pathlib.Path or None)
        Of metrifiers; None is the default.
    data : str
        What tells the undistorted pictures from others of the same names.
    folder : pathlib.Path, optional
        Keeps the scores as they are made; what is there is not done again. Also ``residuals_HASH.csv`` for each
        metrifier, see `write_residuals`.
    """
    weights = list(dict.fromkeys(weights))
    records = found_weights(weights)
    if folder is not None:
        folder.mkdir(parents=True, exist_ok=True)
    pictures = Distorted(rows.reset_index(drop=True), remake)
    keys = _keys(rows)
    told = f"{data}, {hashlib.sha256(chr(10).join(keys).encode()).hexdigest()}, napari-iqmaps {__version__}"
    kept = pd.DataFrame({
        "database": "labels", "file": [key.replace("/", "|") for key in keys], "reference": rows["image"].to_numpy(),
        "type": rows["distortion"].to_numpy(), "scene": rows["image"].to_numpy(),
    })  # fmt: skip

    def known(some: pd.DataFrame, progress: Any) -> Floats:
        return measured(pictures, some.index.to_numpy(), progress)

    keep = None if folder is None else folder / "measures.csv"
    found = kept_scores(keep, kept, f"measures, {told}", MEASURES, known,
                        told_of(report, f"scores of {', '.join(MEASURES)}"), chunk=_CHUNK)  # fmt: skip
    result = rows.reset_index(drop=True).assign(
        **{name: _with_a_highest(found[:, number]) for number, name in enumerate(MEASURES)}
    )
    names = []
    for name, record, label in zip(weights, records, _labels(weights), strict=True):

        def score(some: pd.DataFrame, progress: Any, name: Any = name) -> Floats:
            return metrifier_scores(pictures, some.index.to_numpy(), name, device=device, progress=progress)[:, None]

        keep = None if folder is None else folder / f"{NETWORK}_{record.sha256[:12]}.csv"
        made = kept_scores(keep, kept, f"machine quality, {record.sha256}, {told}", ["score"], score,
                           told_of(report, f"scores of {label}"), chunk=_CHUNK)  # fmt: skip
        result[label] = made[:, 0]
        names.append(label)
        target = str(record.details.get("target", "mean"))
        if folder is not None and target in rows:
            write_residuals(folder / f"residuals_{record.sha256[:12]}.csv", result, label, target)
    return result, names


def answered(rows: pd.DataFrame, scores: Sequence[str]) -> tuple[pd.DataFrame, int]:
    """Leave out the pictures that a metrifier has no answer for: nearly uniform ones.

    Returns
    -------
    rows : pandas.DataFrame
        Those that all metrifiers answer, so that all methods are judged by the same pictures.
    """
    has_answer = rows[list(scores)].notna().all(axis=1)
    return rows[has_answer].reset_index(drop=True), int((~has_answer).sum())


def write_residuals(path: Path, rows: pd.DataFrame, score: str, target: str) -> None:
    """Write scores beside labels, from which the uncertainty of a score is made.

    Parameters
    ----------
    path : pathlib.Path
        A CSV file: score, label, distortion, severity and image. Pictures without an answer are left out.
    """
    table = rows.rename(columns={score: "score", target: "label"})
    with written_whole(path) as part:
        table[["score", "label", "distortion", "severity", "image"]].dropna().to_csv(part, index=False)


def _labels(weights: Sequence[str | Path | None]) -> list[str]:
    """Name metrifiers by their files, with the folders' names where the files' are the same."""
    paths = [None if name is None else Path(name) for name in weights]
    stems = [None if path is None else path.stem for path in paths]
    labels = []
    for path, stem in zip(paths, stems, strict=True):
        if path is None:
            labels.append(SCORE)
        else:
            labels.append(f"{SCORE} ({stem if stems.count(stem) == 1 else f'{path.resolve().parent.name}/{stem}'})")
    return labels


def _with_a_highest(scores: Floats) -> Floats:
    """Put PSNR of equal pictures, which is infinite, above all others by as much as those differ."""
    infinite = np.isinf(scores)
    if not infinite.any():
        return scores
    known = scores[~infinite]
    return np.where(infinite, known.max() + np.ptp(known) if len(known) else 0.0, scores)
