"""Judge scores without a reference, of given weights or on what a training has not seen, beside known measures."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import pandas as pd

from ...core.blind import BlindModel, quality
from ...core.bootstrap import Floats
from ...core.io.atomic import written_whole
from ...core.progress import Progress
from ..databases.manifest import Manifest, pooled
from ..quality.bank import ScoreBank
from ..quality.pairs import fingerprint
from ..quality.recipe import QualityConfig
from ..quality.second_stage import fit_scores_on, scores_of
from ..visibility.samples import read_luminance
from .evaluator import (
    Evaluator,
    Judged,
    Learner,
    Report,
    Told,
    Weights,
    data_of,
    image_names,
    weights_of,
    with_held_out,
)
from .figures import KEYS, SPLIT
from .measures import BESIDE_BLIND, each_pair
from .protocols import Fold, Shares, folds_of
from .starts import Start, header_of, is_unseen, start_for, twins_of, without


@dataclass(frozen=True)
class Quality(Judged):
    """Scores of `quality`, with whether there is enough evidence for them, and measures beside them."""

    columns = ("quality", "enough_evidence")
    measures = tuple(BESIDE_BLIND)

    device: str

    def measured(self, table: pd.DataFrame, progress: Progress | None) -> Floats:
        """Score images by known measures."""
        return each_pair(table, list(BESIDE_BLIND.values()), progress)

    def scored(self, table: pd.DataFrame, weights: Weights, progress: Progress | None) -> Floats:
        """Score images as a user does."""
        return quality_scores(table, weights.network, weights.name, device=self.device, progress=progress)

    def origin(self, weights: Weights) -> str:
        """Name the network and its weights."""
        return f"quality, {weights.network} {weights.sha256}"


@dataclass(eq=False)
class ScoreLearner(Learner):
    """Trainings of one network's second stage, which share what its first stage says of the images."""

    columns = Quality.columns
    config: QualityConfig
    evaluator: Evaluator
    manifests: list[Manifest]
    starts: Sequence[Start]
    photographs: list[Path]
    device: str
    as_seen: bool
    _bank: tuple[Start, ScoreBank] | None = None

    @property
    def network(self) -> str:
        """The network that is trained."""
        return self.config.network

    def trained(self, fold: Fold, run: Path, progress: Told | None) -> Path:
        """Train on the images of a fold."""
        run.mkdir(parents=True, exist_ok=True)  # the bank is kept beside it
        bank = self._bank_for(fold)
        if fold.types and len(bank.distorted_visibility):
            bank = without(bank, self.photographs, twins_of(fold.types))
        command = "iqmaps evaluate quality"
        return fit_scores_on(bank, fold.train, self.config, run, device=self.device, command=command, progress=progress)

    def scored(self, table: pd.DataFrame, fold: Fold, weights: Path, progress: Progress | None) -> Floats:
        """Score images as a user does, or by what the training has seen of them."""
        if not self.as_seen:
            return quality_scores(table, self.network, weights, device=self.device, progress=progress)
        seen = scores_of(self._bank_for(fold), weights, table.index.to_numpy())
        return np.stack([seen, np.full(len(seen), np.nan)], axis=1)

    def origin(self, fold: Fold, weights: Callable[[], Path]) -> str:
        """Say what decides the scores of a fold, without making anything."""
        decides = {
            "config": self.config.of_stage(2),
            "start": start_for(self.network, self.starts, fold.types).sha256,
            "photographs": self._fingerprint,
            "data": self.evaluator.data,
            "train": fold.train.tolist(),
            "types": fold.types,
            "scoring": "seen" if self.as_seen else "image",
        }
        digest = hashlib.sha256(json.dumps(decides, sort_keys=True).encode()).hexdigest()
        return f"quality, {self.network} trained without these, {digest}"

    def _bank_for(self, fold: Fold) -> ScoreBank:
        """Give what a fold's first stage says of all images; the last one stays."""
        start = start_for(self.network, self.starts, fold.types)
        if self._bank is None or self._bank[0] != start:
            self._bank = None  # frees its memory first
            assert self.evaluator.folder is not None
            keep = self.evaluator.folder / self.network / f"seen_{start.sha256[:12]}.safetensors"
            told = self.evaluator.told(f"images as {start.path.stem} of {self.network} sees them")
            bank = ScoreBank(
                self.config, start.path, self.manifests, self.photographs, keep=keep, device=self.device, progress=told
            )
            self._bank = start, bank
        return self._bank[1]

    @cached_property
    def _fingerprint(self) -> str:
        return fingerprint(self.photographs)


def fixed_scores(
    manifests: Sequence[Manifest],
    weights: Sequence[tuple[str, str | Path | None]],
    *,
    folder: Path | None = None,
    device: str = "auto",
    report: Report | None = None,
) -> pd.DataFrame:
    """Score all images by given weights of ``"diqa"`` or ``"deepbqa"`` (None: the default) and by known measures."""
    table, judged = pooled(manifests), Quality(device)
    evaluator = Evaluator(table, data_of(manifests), folder, report)
    scores = evaluator.with_measures(judged)
    for network, name in weights:
        found = weights_of(network, name)
        given = evaluator.as_they_are(judged, found)
        scores[found.label] = given[:, 0]
        if folder is not None:
            _write_residuals(folder / f"residuals_{network}_{found.sha256[:12]}.csv", [_residuals(table, "", given)])
    return scores


def held_out_scores(
    manifests: Sequence[Manifest],
    configs: Sequence[QualityConfig],
    protocol: str,
    folder: Path,
    *,
    starts: Sequence[Path],
    photographs: Sequence[Path] = (),
    shares: Shares | None = None,
    device: str = "auto",
    scoring: str = "image",
    report: Report | None = None,
) -> pd.DataFrame:
    """Train the second stage on each fold of a protocol, and score the images that it holds out; see `with_held_out`.

    Parameters
    ----------
    manifests : sequence of Manifest
        The images; the first one's scores are the scale.
    folder : pathlib.Path
        Keeps the runs and the scores, and ``residuals_NETWORK.csv``, each score beside people's.
    starts : sequence of pathlib.Path
        Results of first stages; see `start_for` for which of them starts what.
    photographs : sequence of pathlib.Path
        Undistorted pictures that the second stage learns from besides, distorted, with pseudo-scores.
    scoring : {"image", "seen"}
        Score held-out images as `quality` does, or by what the first stage has said of them for the training, which
        takes no time, in the precision of the training and without a look at the evidence.

    Notes
    -----
    The weights are those of a training's last step: none is chosen by what it does on the images that it is judged by.
    Where types are left out, the distorted photographs of the second stage are without them as well, and so is the
    first stage if a start is given that left them out.
    """
    table = pooled(manifests)
    folds = folds_of(protocol, table, shares)
    known = [header_of(path) for path in starts]
    for config in configs:  # what cannot be done is found before anything is
        for fold in folds:
            start_for(config.network, known, fold.types)
    evaluator = Evaluator(table, data_of(manifests), folder, report)
    scores = evaluator.with_measures(Quality(device))
    columns: dict[str, list[Floats]] = {}
    for config in configs:
        learner = ScoreLearner(
            config, evaluator, list(manifests), known, list(photographs), device, as_seen=scoring == "seen"
        )
        found = evaluator.held_out(learner, folds)
        columns[config.network] = [each[:, 0] for each in found]
        pairs = zip(folds, found, strict=True)
        residuals = [_residuals(table.iloc[fold.test], fold.name, each) for fold, each in pairs]
        _write_residuals(folder / f"residuals_{config.network}.csv", residuals)
    return with_held_out(scores, folds, protocol, columns)


def quality_scores(
    table: pd.DataFrame, model: str, weights: str | Path, *, device: str = "auto", progress: Progress | None = None
) -> Floats:
    """Score images by `quality`: 0 (best) to 100 (worst), NaN for no answer; and 1 for enough evidence, else 0."""
    network: BlindModel = model  # type: ignore[assignment] # checked there
    scores = np.full((len(table), 2), np.nan)
    for row, file in enumerate(table["file"]):
        found = quality(read_luminance(file), model=network, data_range=(0, 255), weights=weights, device=device)
        scores[row] = found.value, found.enough_evidence
        if progress is not None:
            progress(row + 1, len(table))
    return scores


def types_seen(
    manifests: Sequence[Manifest], configs: Sequence[QualityConfig], protocol: str, starts: Sequence[Path]
) -> dict[str, list[str]]:
    """Tell which of the types held out each network's first stage has seen on photographs."""
    known = [header_of(path) for path in starts]
    held_out = {fold.types for fold in folds_of(protocol, pooled(manifests)) if fold.types}
    found: dict[str, list[str]] = {}
    for config in configs:
        starts_for = {types: start_for(config.network, known, types) for types in held_out}
        seen = {name for types, start in starts_for.items() for name in types if not is_unseen((name,), start)}
        if seen:
            found[config.network] = sorted(seen)
    return found


def answered(scores: pd.DataFrame) -> tuple[pd.DataFrame, dict[str, int]]:
    """Leave out images that some network has no answer for, so that all methods are judged by the same images."""
    methods = [name for name in scores.columns if name not in (*KEYS, SPLIT, *BESIDE_BLIND)]
    silent = pd.Series(False, index=scores.index)
    for _, rows in scores.groupby("database", sort=False):
        # A method that gives none for a whole database has not judged it.
        judged = [name for name in methods if rows[name].notna().any()]
        silent.loc[rows.index] = rows[judged].isna().any(axis=1)
    left_out = silent.groupby(scores["database"], sort=False).sum()
    return scores[~silent], {str(name): int(count) for name, count in left_out.items() if count}


def judged_only(figures: pd.DataFrame, scores: pd.DataFrame) -> pd.DataFrame:
    """Leave out the rows of methods that have not judged a database."""
    there = {
        (database, method): bool(rows[method].notna().any())
        for database, rows in scores.groupby("database", sort=False)
        for method in set(figures["method"])
    }
    kept = [there[pair] for pair in zip(figures["database"], figures["method"], strict=True)]
    return figures[kept].reset_index(drop=True)


def _residuals(table: pd.DataFrame, fold: str, found: Floats) -> pd.DataFrame:
    """Put scores beside people's on the scale 0 (best) to 100 (worst) of their own database."""
    named = {"database": table["database"], "file": image_names(table), "scene": table["scene"], "type": table["type"]}
    points = {"score": found[:, 0], "target": 100 * table["impairment"].to_numpy(dtype=float)}
    return pd.DataFrame(named | {"fold": fold} | points | {"enough_evidence": found[:, 1]})


def _write_residuals(path: Path, parts: Sequence[pd.DataFrame]) -> None:
    with written_whole(path) as part:
        pd.concat(parts, ignore_index=True).to_csv(part, index=False)
