"""The one evaluator: scores of given weights, or of trainings on all folds of a protocol; what is done is kept.

A kind of networks (`Judged`) says how its networks score the images of a table and which known measures stand beside
them; a `Learner` says how one network is trained on a fold and scores the images that the fold holds out.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, ClassVar, NamedTuple

import numpy as np
import numpy.typing as npt
import pandas as pd

from ... import __version__
from ...core.bootstrap import Floats
from ...core.errors import InputError, WeightsError
from ...core.io.atomic import written_whole
from ...core.io.records import Row, TextTable, read_table
from ...core.models import default_name, find
from ...core.progress import Progress
from .. import runs
from ..databases.manifest import Manifest
from .figures import KEYS, SPLIT
from .protocols import SPLITS, Fold

Report = Callable[[str, int, int], None]
"""Called with what is being done, how much of it is done, and how much there is."""

Told = Callable[[int, int], None]
"""A `Progress` of one part of the work."""

Score = Callable[[pd.DataFrame, Progress | None], Floats]
"""Called with some rows and a progress; gives their scores, ``(rows, columns)``."""

CHUNK = 40
"""Images scored between two writings, about; an image's reference is not read twice for it."""

_SAID = ("type", "scene", "score", "impairment")
"""Columns that say in a file what an image is, of those that a table has."""


_NO_NUMBERS = {"": math.nan, "nan": math.nan, "inf": math.inf, "-inf": -math.inf}
"""What stands in a cell of kept scores where there is no finite one."""


class Weights(NamedTuple):
    """Weights that are judged, and what their column is called."""

    network: str
    name: str | Path
    sha256: str
    label: str


class Judged(ABC):
    """How a kind of networks scores images, and what is known of the images without them."""

    columns: ClassVar[Sequence[str]]
    """What a network gives of an image; the first is its score."""
    measures: ClassVar[Sequence[str]]
    """Names of the known measures."""
    measures_file: ClassVar[str] = "measures"
    measures_words: ClassVar[str] = "known measures"
    chunk: ClassVar[int | None] = None

    @abstractmethod
    def measured(self, table: pd.DataFrame, progress: Progress | None) -> Floats:
        """Score images by the known measures, ``(images, measures)``."""

    @abstractmethod
    def scored(self, table: pd.DataFrame, weights: Weights, progress: Progress | None) -> Floats:
        """Score images by a network, ``(images, columns)``."""

    @abstractmethod
    def origin(self, weights: Weights) -> str:
        """Say what decides a network's scores of an image."""

    def file(self, weights: Weights) -> str:
        """Name the file that a network's scores are kept in."""
        return f"{weights.network}_{weights.sha256[:12]}.csv"


class Learner(ABC):
    """How one network is trained on a fold, and scores the images that the fold holds out."""

    columns: ClassVar[Sequence[str]]

    @property
    @abstractmethod
    def network(self) -> str:
        """The network that is trained."""

    @abstractmethod
    def trained(self, fold: Fold, run: Path, progress: Told | None) -> Path:
        """Train, or find what was trained, in a run's folder; give the weights."""

    @abstractmethod
    def origin(self, fold: Fold, weights: Callable[[], Path]) -> str:
        """Say what decides the scores of a fold; `weights` trains first if need be."""

    @abstractmethod
    def scored(self, table: pd.DataFrame, fold: Fold, weights: Path, progress: Progress | None) -> Floats:
        """Score some of the images that the fold holds out, ``(images, columns)``."""


@dataclass(frozen=True, eq=False)
class Evaluator:
    """Scores of the images of a table.

    `data`: what tells the images from others of the same names. `folder`: keeps the scores as they are made, and the
    trainings; what is there is not done again.
    """

    table: pd.DataFrame
    data: str
    folder: Path | None
    report: Report | None

    def __post_init__(self) -> None:
        if self.folder is not None:
            self.folder.mkdir(parents=True, exist_ok=True)

    def told(self, what: str) -> Told | None:
        """Give the progress of one part of the work."""
        report = self.report
        return None if report is None else lambda done, total: report(what, done, total)

    def measures(self, judged: Judged) -> dict[str, Floats]:
        """Score by known measures; a column each."""
        origin, words = f"{judged.measures_file}, {self.data}", f"scores of {judged.measures_words}"
        keep, chunk = self._inside(f"{judged.measures_file}.csv"), judged.chunk
        found = kept_scores(keep, self.table, origin, judged.measures, judged.measured, self.told(words), chunk=chunk)
        return {name: found[:, number] for number, name in enumerate(judged.measures)}

    def with_measures(self, judged: Judged) -> pd.DataFrame:
        """Begin a table of scores: what each image is, and its known measures."""
        return self.table[list(KEYS)].assign(**self.measures(judged))

    def as_they_are(self, judged: Judged, weights: Weights) -> Floats:
        """Score by given weights, ``(images, columns)``."""

        def score(some: pd.DataFrame, progress: Progress | None) -> Floats:
            return judged.scored(some, weights, progress)

        origin, keep = f"{judged.origin(weights)}, {self.data}", self._inside(judged.file(weights))
        told, chunk = self.told(f"scores of {weights.label}"), judged.chunk
        return kept_scores(keep, self.table, origin, judged.columns, score, told, chunk=chunk)

    def held_out(self, learner: Learner, folds: Sequence[Fold]) -> list[Floats]:
        """Train on each fold, and score the images that it holds out, ``(images, columns)`` for each fold."""
        return [
            self._on_fold(learner, fold, f"{learner.network}, {fold.name} ({number} of {len(folds)})")
            for number, fold in enumerate(folds, start=1)
        ]

    def _on_fold(self, learner: Learner, fold: Fold, name: str) -> Floats:
        assert self.folder is not None
        run = self.folder / learner.network / fold.name

        @cache
        def weights() -> Path:
            made = learner.trained(fold, run, self.told(f"training {name}"))
            (run / runs.CHECKPOINT).unlink(missing_ok=True)  # forty megabytes a fold, of no more use
            return made

        def score(some: pd.DataFrame, progress: Progress | None) -> Floats:
            return learner.scored(some, fold, weights(), progress)

        some, origin = self.table.iloc[fold.test], learner.origin(fold, weights)
        return kept_scores(run / "held_out.csv", some, origin, learner.columns, score, self.told(f"scores of {name}"))

    def _inside(self, name: str) -> Path | None:
        return None if self.folder is None else self.folder / name


def with_held_out(
    scores: pd.DataFrame, folds: Sequence[Fold], protocol: str, found: Mapping[Any, list[Floats]]
) -> pd.DataFrame:
    """Put each network's scores of the folds' test images beside known measures of the same images.

    Gives the rows that were held out, with a column for each network; with ``"splits"`` a row for each split and image
    in it, with the column split. Across databases, a network has a column for each that it learnt from, NaN for the
    images of that one.
    """
    if protocol == SPLITS:
        parts = [
            scores.iloc[fold.test].assign(**{name: each[n] for name, each in found.items()}, **{SPLIT: n + 1})
            for n, fold in enumerate(folds)
        ]
        return pd.concat(parts, ignore_index=True)
    held_out = np.zeros(len(scores), dtype=bool)
    for number, fold in enumerate(folds):
        held_out[fold.test] = True
        for name, each in found.items():
            label = f"{name} from {fold.learnt}" if fold.learnt else name
            if label not in scores:
                scores = scores.assign(**{label: np.nan})
            scores.iloc[fold.test, scores.columns.get_loc(label)] = each[number]
    return scores[held_out]


def labelled(name_or_path: str | Path, networks: Sequence[str]) -> tuple[str, str | Path]:
    """Find out which network weights belong to; give it and the weights."""
    for network in networks:
        try:
            find(name_or_path, network)
        except WeightsError as error:
            problem = error
            continue
        return network, name_or_path
    raise problem


def weights_of(network: str, name: str | Path | None, label: str = "") -> Weights:
    """Find weights and verify them; None is the network's default."""
    name_or_default = default_name(network) if name is None else name
    label = label or (network if name is None else f"{network} ({Path(name).stem})")
    return Weights(network, name_or_default, find(name_or_default, network).sha256, label)


def data_of(manifests: Sequence[Manifest]) -> str:
    """Say what scores were made from, and by what."""
    data = ", ".join(f"{each.name} {each.sha256[:12]}" for each in manifests)
    return f"{data}, napari-iqmaps {__version__}"


# --- files of scores -------------------------------------------------------------------------------------------------


def image_names(table: pd.DataFrame) -> list[str]:
    """Name images without this machine's folders, such as ``"live/img7.bmp"``."""
    return [f"{database}/{Path(file).name}" for database, file in zip(table["database"], table["file"], strict=True)]


def kept_scores(
    path: Path | None,
    table: pd.DataFrame,
    origin: str,
    columns: Sequence[str],
    score: Score,
    progress: Progress | None = None,
    *,
    chunk: int | None = None,
) -> Floats:
    """Read scores of the same images and origin from a CSV file, and make and keep those that are not there.

    `origin` says what decides the scores; those of another origin are made anew. `progress` is called with ``(images
    done, images in all)``; where it raises, what is done is in the file. None as a file keeps nothing.
    """
    values, done = np.full((len(table), len(columns)), np.nan), np.zeros(len(table), dtype=bool)
    if path is not None and path.is_file():
        values, done = _read(path, table, origin, columns, values, done)
    for rows in _chunks(table, np.flatnonzero(~done), len(table) if path is None else chunk or CHUNK):
        values[rows] = score(table.iloc[rows], _after(progress, int(done.sum()), len(table)))
        done[rows] = True
        if path is not None:
            _write(path, table, origin, columns, values, done)
    return values


def _read(
    path: Path, table: pd.DataFrame, origin: str, columns: Sequence[str], values: Floats, done: npt.NDArray[np.bool_]
) -> tuple[Floats, npt.NDArray[np.bool_]]:
    try:
        old = read_table(path, ("origin", "file", *columns))
        names = [row.cells["file"] for row in old.rows]
        if names != image_names(table) or {row.cells["origin"] for row in old.rows} != {origin}:
            return values, done
        numbers = [[_score(old, row, name) for name in columns] for row in old.rows]
        finished = [row.cells.get("done", "True") == "True" for row in old.rows]
    except InputError:
        return values, done  # damaged: to be made anew
    return np.array(numbers, dtype=float).reshape(values.shape), np.array(finished, dtype=bool)


def _score(table: TextTable, row: Row, column: str) -> float:
    """Give a score; of identical images the PSNR is infinite, and a cell without one is empty."""
    cell = row.cells[column]
    if cell in _NO_NUMBERS:
        return _NO_NUMBERS[cell]
    return table.number(row, column)


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
