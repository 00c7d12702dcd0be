"""Figures of agreement between methods and people, by database and by type of distortion."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import fields
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from .manifest import Manifest
from .splits import Fold
from .statistics import Agreement, agreement, median, point

Floats = npt.NDArray[np.float64]

ALL = "all"
KEYS = ("database", "file", "reference", "type", "scene", "score", "impairment", "best", "worst")
"""Columns of a table of scores that are no methods."""

LABEL = ("database", "type", "method")
"""Columns that name a row of figures."""

SPLIT = "split"
_RISES_WITH_QUALITY = ("PSNR", "SSIM", "shannon_entropy")
_MEDIANS = ("srcc", "plcc_logistic", "rmse")


def agreements(scores: pd.DataFrame) -> pd.DataFrame:
    """Compare the scores of each method with people's, by database and by type.

    Returns
    -------
    pandas.DataFrame
        A row for each database, type (the first is ``"all"``) and method: images, scenes, and the figures of
        `Agreement`, the error in the database's own units. Correlations are turned so that 1 is perfect for every
        method and database, whatever way their scores run.
    """
    rows = [
        {**label, **_cells(agreement(found, judged, some["scene"].to_numpy()))}
        for label, some, found, judged in _cases(scores)
    ]
    return pd.DataFrame(rows)


def agreements_over_splits(
    scores: pd.DataFrame, folds: Sequence[Fold] | None = None, progress: Callable[[int, int], None] | None = None
) -> pd.DataFrame:
    """Compare the scores of each method with people's on each split's test images, and sum up over the splits.

    Parameters
    ----------
    scores : pandas.DataFrame
        A row per image, or, without `folds`, a row per split and test image, with the column split.
    progress : callable, optional
        Called with ``(splits done, splits in all)``.

    Returns
    -------
    pandas.DataFrame
        A row for each database, type and method: splits, and as figures the medians srcc_median,
        plcc_logistic_median and rmse_median with the middle 95 % of the splits. The logistic is fitted anew on each
        split's test images, as is usual.
    """
    if folds is None:
        parts = [part.drop(columns=SPLIT) for _, part in scores.groupby(SPLIT, sort=False)]
    else:
        parts = [scores.iloc[fold.test] for fold in folds]
    found: dict[tuple[str, ...], list[tuple[dict[str, float], str]]] = {
        tuple(label.values()): [] for label, *_ in _cases(scores)
    }
    for number, part in enumerate(parts, start=1):
        for label, _, method, judged in _cases(part):
            found.setdefault(tuple(label.values()), []).append(point(method, judged))
        if progress is not None:
            progress(number, len(parts))
    rows = []
    for key, points in found.items():
        # A split may have no image of a type.
        points += [(dict.fromkeys(_MEDIANS, math.nan), "no such images")] * (len(parts) - len(points))
        reason = next((why for _, why in points if why), "")
        medians = {f"{name}_median": median([values[name] for values, _ in points], reason) for name in _MEDIANS}
        rows.append({**dict(zip(LABEL, key, strict=True)), "splits": len(parts), **medians})
    return pd.DataFrame(rows)


def with_databases(figures: pd.DataFrame, manifests: Sequence[Manifest]) -> pd.DataFrame:
    """Say beside figures what the scores of each database are.

    Returns
    -------
    pandas.DataFrame
        With the columns measure, best and worst, in whose units the error is, and left_out: how many images of the
        database are not judged because their files are missing.
    """
    known = pd.DataFrame(
        [
            {"database": m.name, "measure": m.measure, "best": m.best, "worst": m.worst, "left_out": m.missing}
            for m in manifests
        ]
    )
    return figures.merge(known, on="database", how="left")


def _cases(scores: pd.DataFrame) -> Iterator[tuple[dict[str, str], pd.DataFrame, Floats, Floats]]:
    """Give each database, type and method with its rows, its scores and people's, both rising with impairment."""
    methods = [name for name in scores.columns if name not in (*KEYS, SPLIT)]
    for database, of_database in scores.groupby("database", sort=False):
        # In the database's own units, which the error keeps.
        sign = np.sign(of_database["worst"] - of_database["best"]).to_numpy(dtype=float)
        own = of_database.assign(judged=sign * of_database["score"])
        kinds = sorted(set(own["type"]))
        for kind in [ALL, *kinds] if len(kinds) > 1 else [ALL]:
            some = own if kind == ALL else own[own["type"] == kind]
            for method in methods:
                turn = -1.0 if method in _RISES_WITH_QUALITY else 1.0
                label = {"database": str(database), "type": kind, "method": method}
                yield label, some, turn * some[method].to_numpy(dtype=float), some["judged"].to_numpy(dtype=float)


def _cells(found: Agreement) -> dict[str, Any]:
    return {entry.name: getattr(found, entry.name) for entry in fields(found)}
