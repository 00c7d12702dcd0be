"""Judge scores without a reference, of given weights or on what a training has not seen, beside known measures."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from ...core.blind import BlindModel
from ...core.io.atomic import written_whole
from ...core.models import default_name, find
from .. import runs
from ..agreements import KEYS, SPLIT
from ..evaluate import SPLITS, Report, data_of, told_of
from ..keeping import image_names, kept_scores
from ..manifest import Manifest, pooled
from ..splits import Shares
from .bank import ScoreBank
from .evaluation_folds import Trial, trials_of
from .evaluation_scores import Floats, Progress, measured, measures, quality_scores
from .evaluation_starts import Start, header_of, is_unseen, start_for, twins_of, without
from .pairs import fingerprint
from .recipe import QualityConfig
from .scores import fit_scores_on, scores_of

COLUMNS = ("quality", "enough_evidence")
"""Of what `quality_scores` gives."""


def fixed_scores(
    manifests: Sequence[Manifest],
    weights: Sequence[tuple[str, str | Path | None]],
    *,
    folder: Path | None = None,
    device: str = "auto",
    report: Report | None = None,
) -> pd.DataFrame:
    """Score all images by given weights and by known measures.

    Parameters
    ----------
    weights : sequence of (str, str or pathlib.Path or None)
        A network (``"diqa"`` or ``"deepbqa"``) and its weights each; None is the network's default.
    folder : pathlib.Path, optional
        Keeps the scores as they are made; what is there is not done again.
    """
    table = pooled(manifests)
    if folder is not None:
        folder.mkdir(parents=True, exist_ok=True)
    scores = _known_measures(table, folder, manifests, report)
    for network, name in weights:
        sha256 = find(default_name(network) if name is None else name, network).sha256

        def score(some: pd.DataFrame, progress: Any, network: Any = network, name: Any = name) -> Floats:
            return quality_scores(some, network, name, device=device, progress=progress)

        label = network if name is None else f"{network} ({Path(name).stem})"
        keep = None if folder is None else folder / f"{network}_{sha256[:12]}.csv"
        origin, told = f"quality, {network} {sha256}, {data_of(manifests)}", told_of(report, f"scores of {label}")
        found = kept_scores(keep, table, origin, list(COLUMNS), score, told)
        scores[label] = found[:, 0]
        if folder is not None:
            _write_residuals(folder / f"residuals_{network}_{sha256[:12]}.csv", [_residuals(table, "", found)])
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
    """Train the second stage on each fold of a protocol, and score the images that it holds out.

    Parameters
    ----------
    manifests : sequence of Manifest
        The images; the first one's scores are the scale.
    folder : pathlib.Path
        Keeps a run for each network and fold, with the scores in it; what is there is not done again. Also
        ``residuals_NETWORK.csv``, each score beside people's.
    starts : sequence of pathlib.Path
        Results of first stages; see `start_for` for which of them starts what.
    photographs : sequence of pathlib.Path
        Undistorted pictures that the second stage learns from besides, distorted, with pseudo-scores.
    scoring : {"image", "seen"}
        Score held-out images as `quality` does, or by what the first stage has said of them for the training, which
        takes no time, in the precision of the training and without a look at the evidence.

    Returns
    -------
    pandas.DataFrame
        The manifests' rows that were held out, with a column for each method; with ``"splits"`` a row for each split
        and image in it, with the column split. Across databases, a network has a column for each that it learnt from,
        NaN for the images of that one.

    Notes
    -----
    The weights are those of a training's last step: none is chosen by what it does on the images that it is judged by.
    Where types are left out, the distorted photographs of the second stage are without them as well, and so is the
    first stage if a start is given that left them out.
    """
    table = pooled(manifests)
    trials = trials_of(protocol, table, shares)
    known = [header_of(path) for path in starts]
    for config in configs:  # what cannot be done is found before anything is
        for trial in trials:
            start_for(config.network, known, trial.types)
    folder.mkdir(parents=True, exist_ok=True)
    scores = _known_measures(table, folder, manifests, report)
    columns: dict[str, list[Floats]] = {}
    for config in configs:
        trainings = _Trainings(
            config, list(manifests), table, known, list(photographs), folder, device, scoring, report
        )
        found = [trainings.scores(trial, number, len(trials)) for number, trial in enumerate(trials, start=1)]
        columns[config.network] = [each[:, 0] for each in found]
        residuals = [
            _residuals(table.iloc[trial.fold.test], trial.fold.name, each)
            for trial, each in zip(trials, found, strict=True)
        ]
        _write_residuals(folder / f"residuals_{config.network}.csv", residuals)
    if protocol == SPLITS:
        parts = [
            scores.iloc[trial.fold.test].assign(**{name: found[n] for name, found in columns.items()}, **{SPLIT: n + 1})
            for n, trial in enumerate(trials)
        ]
        return pd.concat(parts, ignore_index=True)
    held_out = np.zeros(len(table), dtype=bool)
    for number, trial in enumerate(trials):
        held_out[trial.fold.test] = True
        for name, found in columns.items():
            label = f"{name} from {trial.learnt}" if trial.learnt else name
            if label not in scores:
                scores[label] = np.nan
            scores.iloc[trial.fold.test, scores.columns.get_loc(label)] = found[number]
    return scores[held_out]


def types_seen(
    manifests: Sequence[Manifest], configs: Sequence[QualityConfig], protocol: str, starts: Sequence[Path]
) -> dict[str, list[str]]:
    """Tell which types are held out of a second stage only, because the first has seen them on photographs.

    Returns
    -------
    dict of str to list of str
        Network to types; none where no type is held out, or every fold has a start that left its types out.
    """
    known = [header_of(path) for path in starts]
    trials = [trial for trial in trials_of(protocol, pooled(manifests)) if trial.types]
    found = {
        config.network: sorted({
            name for trial in trials for name in trial.types
            if not is_unseen((name,), start_for(config.network, known, trial.types))
        })
        for config in configs
    }  # fmt: skip
    return {network: types for network, types in found.items() if types}


def answered(scores: pd.DataFrame) -> tuple[pd.DataFrame, dict[str, int]]:
    """Leave out images that some network has no answer for, so that all methods are judged by the same images."""
    methods = [name for name in scores.columns if name not in (*KEYS, SPLIT, *measures())]
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


class _Trainings:
    """The trainings of one network, which share what its first stage says of the images."""

    def __init__(
        self,
        config: QualityConfig,
        manifests: list[Manifest],
        table: pd.DataFrame,
        starts: list[Start],
        photographs: list[Path],
        folder: Path,
        device: str,
        scoring: str,
        report: Report | None,
    ) -> None:
        self.config = config
        self.manifests = manifests
        self.table = table
        self.starts = starts
        self.photographs = photographs
        self.folder = folder / config.network
        self.device = device
        self.scoring = scoring
        self.report = report
        self._bank: tuple[Start, ScoreBank] | None = None
        self._weights: dict[str, Path] = {}

    def scores(self, trial: Trial, number: int, count: int) -> Floats:
        """Give ``(images, 2)`` of a fold's test images; train if they are not there yet."""
        run = self.folder / trial.fold.name
        run.mkdir(parents=True, exist_ok=True)
        name = f"{self.config.network}, {trial.fold.name} ({number} of {count})"

        def score(some: pd.DataFrame, progress: Progress | None) -> Floats:
            weights = self._trained(trial, run, name)
            network: BlindModel = self.config.network
            if self.scoring == "image":
                return quality_scores(some, network, weights, device=self.device, progress=progress)
            bank = self._bank_from(start_for(network, self.starts, trial.types))
            seen = scores_of(bank, weights, some.index.to_numpy())
            return np.stack([seen, np.full(len(seen), np.nan)], axis=1)

        told, some = told_of(self.report, f"scores of {name}"), self.table.iloc[trial.fold.test]
        return kept_scores(run / "held_out.csv", some, self._origin(trial), list(COLUMNS), score, told)

    def _trained(self, trial: Trial, run: Path, name: str) -> Path:
        """Give the weights of a fold."""
        if trial.fold.name not in self._weights:
            bank = self._bank_from(start_for(self.config.network, self.starts, trial.types))
            if trial.types and len(bank.distorted_visibility):
                bank = without(bank, self.photographs, twins_of(trial.types))
            self._weights[trial.fold.name] = fit_scores_on(
                bank, trial.fold.train, self.config, run, device=self.device, command="iqmaps evaluate quality",
                progress=told_of(self.report, f"training {name}"),
            )  # fmt: skip
            (run / runs.CHECKPOINT).unlink(missing_ok=True)
        return self._weights[trial.fold.name]

    def _bank_from(self, start: Start) -> ScoreBank:
        """Give what a first stage says of all images; the last one stays."""
        if self._bank is None or self._bank[0] != start:
            self._bank = None  # frees its memory first
            told = told_of(self.report, f"images as {start.path.stem} of {self.config.network} sees them")
            keep = self.folder / f"seen_{start.sha256[:12]}.safetensors"
            bank = ScoreBank(
                self.config, start.path, self.manifests, self.photographs, keep=keep, device=self.device, progress=told
            )
            self._bank = start, bank
        return self._bank[1]

    def _origin(self, trial: Trial) -> str:
        """Say what decides the scores of a fold, without making anything."""
        start = start_for(self.config.network, self.starts, trial.types)
        decides = {
            "config": self.config.of_stage(2),
            "start": start.sha256,
            "photographs": self._fingerprint,
            "data": data_of(self.manifests),
            "train": trial.fold.train.tolist(),
            "types": trial.types,
            "scoring": self.scoring,
        }
        digest = hashlib.sha256(json.dumps(decides, sort_keys=True).encode()).hexdigest()
        return f"quality, {self.config.network} trained without these, {digest}"

    @cached_property
    def _fingerprint(self) -> str:
        return fingerprint(self.photographs)


def _known_measures(
    table: pd.DataFrame, folder: Path | None, manifests: Sequence[Manifest], report: Report | None
) -> pd.DataFrame:
    """Score by known measures, or read what was kept of the same images."""
    names = list(measures())
    keep, origin = folder / "measures.csv" if folder else None, f"measures, {data_of(manifests)}"
    found = kept_scores(keep, table, origin, names, measured, told_of(report, "scores of known measures"))
    return table[list(KEYS)].assign(**{name: found[:, number] for number, name in enumerate(names)})


def _residuals(table: pd.DataFrame, fold: str, found: Floats) -> pd.DataFrame:
    """Put scores beside people's on the scale 0 (best) to 100 (worst) of their own database."""
    named = {"database": table["database"], "file": image_names(table), "scene": table["scene"], "type": table["type"]}
    points = {"score": found[:, 0], "target": 100 * table["impairment"].to_numpy(dtype=float)}
    return pd.DataFrame(named | {"fold": fold} | points | {"enough_evidence": found[:, 1]})


def _write_residuals(path: Path, parts: Sequence[pd.DataFrame]) -> None:
    with written_whole(path) as part:
        pd.concat(parts, ignore_index=True).to_csv(part, index=False)
