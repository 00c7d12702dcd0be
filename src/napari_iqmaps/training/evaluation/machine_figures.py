"""Figures of machine-perceived quality: agreement with labels by distortion, and the fall with severity."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
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
from ..machine.variants import UNDISTORTED
from .agreement import FIGURES, Draws, agreements_with, distance
from .figures import as_markdown
from .machine import MEASURES

if TYPE_CHECKING:
    from rich.table import Table

ALL, DISTORTED, LEFT_OUT, LEARNT = "all", "distorted", "left out of training", "not left out"
GROUPS = (ALL, DISTORTED, LEFT_OUT, LEARNT)
"""Types that are several distortions; only the first contains undistorted pictures."""

WORKERS = "labels (mean)"
"""The first table's labels as a method, where other workers' are to be told: what knows the class can do."""

_FALLING = ("blur_effect", "severity")
_MEANINGS = {
    "mean": "mean: the mean over workers of the probability of the true class.",
    "consistency": "consistency: the mean over workers of how much of the answer to the undistorted picture is left.",
    "top1": "top1: the share of workers that are right.",
}
_FEWEST_SEVERITIES = 3
"""Severities of one picture, the undistorted one among them, from which a rank correlation says something."""


def figures(
    rows: pd.DataFrame,
    scores: Sequence[str],
    targets: Sequence[str],
    *,
    others: Sequence[str] = (),
    left_out: Sequence[str] = (),
    seed: int = 0,
    progress: Progress | None = None,
) -> pd.DataFrame:
    """Compare scores with labels, over all pictures, over groups of distortions and for each.

    Gives a row for each target, type and method: srcc, plcc, plcc_logistic and rmse, with intervals that draw
    undistorted pictures (scenes); images (distorted pictures) and scenes; a note; and for the metrifiers, which are on
    the labels' scale, rmse_unfitted, their difference as they are. Correlations are turned so that 1 is perfect for
    every method. `others` are the targets that are of other workers than the first table's.
    """
    made: list[dict[str, Any]] = []
    done, total = 0, sum(1 for _ in targets for _ in _types(rows, left_out))
    for target in targets:
        known = rows[rows[target].notna()]
        for kind, some in _types(known, left_out):
            label = some[target].to_numpy(dtype=float)
            methods = _methods(some, scores, with_workers=target in others)
            draws = Draws(some["image"].to_numpy(), seed)
            note = _MEANINGS.get(target, "") if kind == ALL else ""
            for method, found in agreements_with(label, methods, draws).items():
                unfitted = distance(methods[method], label, draws) if method in scores else Figure(math.nan)
                row = {"target": target, "type": kind, "method": method}
                row |= {name: getattr(found, name) for name in (*FIGURES, "images", "scenes")}
                made.append(row | {"note": note, "rmse_unfitted": unfitted})
            done += 1
            if progress is not None:
                progress(min(done, total), total)
    return pd.DataFrame(made)


def _types(rows: pd.DataFrame, left_out: Sequence[str]) -> Iterator[tuple[str, pd.DataFrame]]:
    kinds = rows["distortion"]
    distorted = rows[kinds != UNDISTORTED]
    yield ALL, rows
    yield DISTORTED, distorted
    if left_out:
        is_new = distorted["distortion"].isin(left_out)
        yield LEFT_OUT, distorted[is_new]
        yield LEARNT, distorted[~is_new]
    for kind in sorted(set(kinds), key=lambda name: (name == UNDISTORTED, name)):
        yield kind, rows[kinds == kind]


def _methods(rows: pd.DataFrame, scores: Sequence[str], *, with_workers: bool) -> dict[str, Floats]:
    """Give each method's scores, turned so that they rise with quality."""
    names = [*scores, *MEASURES, "severity"]
    made = {name: rows[name].to_numpy(dtype=float) * (-1 if name in _FALLING else 1) for name in names}
    if with_workers:
        made[WORKERS] = rows["mean"].to_numpy(dtype=float)
    return made


def falls(rows: pd.DataFrame, columns: Sequence[str]) -> pd.DataFrame:
    """Tell how scores and labels fall with severity, distortion by distortion.

    Returns a row for each distortion: images (distorted pictures), scenes (undistorted ones), ladders (those with at
    least three severities); for each column "NAME within", the rank correlation with severity within one picture's
    ladder, averaged over ladders (a column that does not change in one counts as 0 there), "NAME across", the same over
    all pictures, and "NAME at S", its mean at severity S. -1 is a fall from each severity to the next. NaN where there
    are no ladders.

    An undistorted picture is severity 0 of each distortion that it appears in.
    """
    clean = rows[rows["distortion"] == UNDISTORTED].drop_duplicates("image")
    made = []
    for kind in sorted(set(rows["distortion"]) - {UNDISTORTED}):
        own = rows[rows["distortion"] == kind]
        some = pd.concat([clean[clean["image"].isin(own["image"])], own], ignore_index=True)
        # Further seeds of one severity are no further step.
        steps = some.groupby(["image", "severity"], sort=True)[list(columns)].mean().reset_index()
        ladders = steps[steps.groupby("image")["severity"].transform("size") >= _FEWEST_SEVERITIES]
        row: dict[str, Any] = {"type": kind, "images": len(own), "scenes": own["image"].nunique(),
                               "ladders": ladders["image"].nunique()}  # fmt: skip
        for name in columns:
            row[f"{name} within"] = _within(ladders, name)
            row[f"{name} across"] = _rank_correlation(some["severity"].rank(), some[name].rank())
        for name in columns:
            row |= {f"{name} at {level:g}": mean for level, mean in some.groupby("severity")[name].mean().items()}
        made.append(row)
    return pd.DataFrame(made)


def _within(ladders: pd.DataFrame, name: str) -> float:
    known = ladders[ladders[name].notna()]
    by_image = known.groupby("image")
    ranks = by_image[["severity", name]].rank()
    centred = ranks - ranks.groupby(known["image"]).transform("mean")
    parts = pd.DataFrame({
        "both": centred["severity"] * centred[name], "one": centred["severity"] ** 2, "other": centred[name] ** 2
    }).groupby(known["image"]).sum()  # fmt: skip
    norms = np.sqrt(parts["one"] * parts["other"])
    return float((parts["both"] / norms).where(norms > 0, 0).mean()) if len(parts) else math.nan


def _rank_correlation(first: pd.Series, second: pd.Series) -> float:
    if first.nunique() < 2 or second.nunique() < 2:
        return math.nan
    return float(first.corr(second))


def by_type(table: pd.DataFrame, target: str) -> pd.DataFrame:
    """Set one label's rank correlations out, a row for each type and a column for each method."""
    some = table[table["target"] == target]
    wide = some.assign(srcc=some["srcc"].map(lambda figure: number(figure.value))).pivot_table(
        index=["type", "images"], columns="method", values="srcc", aggfunc="first", sort=False
    )
    return wide[list(dict.fromkeys(some["method"]))].reset_index().rename_axis(columns=None)


def fall_words(table: pd.DataFrame, columns: Sequence[str]) -> pd.DataFrame:
    """Set the falls out for reading, as words: rank correlations within and across pictures, and the means."""
    words = table[["type", "ladders"]].astype(str)
    for name in columns:
        for way in ("within", "across"):
            words[f"{name}, {way}"] = table[f"{name} {way}"].map(number)
        means = [column for column in table if str(column).startswith(f"{name} at ")]
        words[f"{name}, means"] = [" ".join(map(number, row)) for row in table[means].to_numpy(dtype=float)]
    return words


def number(value: float) -> str:
    """Write two decimals without the zero before them; a dash for NaN."""
    return "-" if math.isnan(value) else f"{value:.2f}".replace("0.", ".", 1)


def laid_out(title: str, words: pd.DataFrame) -> Table:
    """Lay a table of words out for a terminal."""
    return tables.for_screen(_columns(words), [words.to_numpy()], title)


def write_csv(path: Path, table: pd.DataFrame) -> None:
    """Write a table of plain columns."""
    with written_whole(path) as part:
        table.to_csv(part, index=False)


def write_markdown(path: Path, table: pd.DataFrame, others: Mapping[str, pd.DataFrame]) -> None:
    """Write the figures over groups, and tables of words below them."""
    parts = [as_markdown(table[table["type"].isin(GROUPS)], "target")]
    parts += [
        f"\n{tables.markdown_text(title)}\n\n{tables.markdown(_columns(words), words.to_numpy())}\n"
        for title, words in others.items()
    ]
    with written_whole(path) as part:
        part.write_text("".join(parts), encoding="utf-8")


def _columns(words: pd.DataFrame) -> list[Column[Any]]:
    return [Column(str(name), itemgetter(place), is_text=not place) for place, name in enumerate(words)]
