"""Judge models on scenes and distortions that they have not seen, beside PSNR, SSIM and GMSD on the same images."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import fields
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from ..core.errors import InputError, WeightsError
from ..core.io.atomic import written_whole
from ..core.weights import find, sha256_of
from . import runs
from .baselines import BASELINES
from .config import TrainingConfig
from .manifest import Manifest, pooled
from .scoring import baseline_scores, patch_scores, visibility_scores
from .splits import Fold, leave_one_scene_out, leave_types_out, scenes_in_folds
from .statistics import Agreement, agreement

Report = Callable[[str, int, int], None]
"""Called with what is being done, how much of it is done, and how much there is."""

PROTOCOLS: dict[str, Callable[[pd.DataFrame], list[Fold]]] = {
    "leave-one-scene-out": leave_one_scene_out,
    "leave-scenes-out": scenes_in_folds,
    "leave-types-out": leave_types_out,
}
"""Name to folds of a table; scenes-out holds out four groups of scenes, which costs four trainings."""

ALL = "all"
_KEYS = ["database", "file", "reference", "type", "scene", "score", "impairment"]


def fixed_scores(
    manifests: Sequence[Manifest],
    weights: Sequence[tuple[str, str | Path | None]],
    *,
    stride: int = 4,
    device: str = "auto",
    report: Report | None = None,
) -> pd.DataFrame:
    """Score all images by given weights and by the baselines.

    Parameters
    ----------
    manifests : sequence of Manifest
        The images.
    weights : sequence of (str, str or pathlib.Path or None)
        A model (``"pnet"`` or ``"contrast"``) and its weights each; None is the model's default.
    stride, device : optional
        As in `visibility_map`.
    report : callable, optional
        Told of the progress.

    Returns
    -------
    pandas.DataFrame
        The manifests' rows with a column for each method.
    """
    table = pooled(manifests)
    scores = _baselines(table, None, report)
    for model, name in weights:
        label = model if name is None else f"{model} ({Path(name).stem})"
        scores[label] = visibility_scores(
            table, model, name, stride=stride, device=device, progress=_told(report, f"scores of {label}")
        )
    return scores


def held_out_scores(
    manifests: Sequence[Manifest],
    configs: Sequence[TrainingConfig],
    protocol: str,
    folder: Path,
    *,
    photographs: Sequence[str] = (),
    scoring: str = "map",
    stride: int = 4,
    device: str = "auto",
    report: Report | None = None,
) -> pd.DataFrame:
    """Train on each fold of a protocol, and score the images that it holds out.

    Parameters
    ----------
    manifests : sequence of Manifest
        The images.
    configs : sequence of TrainingConfig
        A recipe for each network.
    protocol : str
        A key of `PROTOCOLS`.
    folder : pathlib.Path
        Keeps a run for each network and fold, with the scores in it; what is there is not done again.
    photographs : sequence of str
        As in `fit`.
    scoring : {"map", "patches"}
        By the map, as a user does, or by patches that do not overlap, as the paper does, which is much faster.
    stride, device : optional
        As in `visibility_map`.
    report : callable, optional
        Told of the progress.

    Returns
    -------
    pandas.DataFrame
        The manifests' rows that were held out, with a column for each method.
    """
    table = pooled(manifests)
    if protocol not in PROTOCOLS:
        raise InputError(f"There is no protocol {protocol!r}. Choose one of fixed, {', '.join(PROTOCOLS)}.")
    folds = PROTOCOLS[protocol](table)
    folder.mkdir(parents=True, exist_ok=True)
    scores = _baselines(table, folder / "baselines.csv", report)
    record = {"data": [{"manifest": each.path.name, "sha256": each.sha256} for each in manifests]}
    for config in configs:
        scores[config.network] = _cross_validated(
            table, folds, config, folder / config.network, record, photographs, (scoring, stride, device), report
        )
    held_out = scores.dropna(subset=[config.network for config in configs])
    held_out.to_csv(folder / "scores.csv", index=False)
    return held_out


def agreements(scores: pd.DataFrame) -> pd.DataFrame:
    """Compare the scores of each method with people's, by database and by type.

    Parameters
    ----------
    scores : pandas.DataFrame
        From `fixed_scores` or `held_out_scores`.

    Returns
    -------
    pandas.DataFrame
        A row for each database, type (the first is ``"all"``) and method: images, scenes, and the figures of
        `Agreement`. All are compared with the impairment, so a method that falls with it has negative correlations;
        these are turned, so that 1 is perfect for every method.
    """
    methods = [name for name in scores.columns if name not in _KEYS]
    rows = []
    for database, of_database in scores.groupby("database", sort=False):
        kinds = sorted(set(of_database["type"]))
        for kind in [ALL, *kinds] if len(kinds) > 1 else [ALL]:
            some = of_database if kind == ALL else of_database[of_database["type"] == kind]
            for method in methods:
                sign = -1.0 if method in ("PSNR", "SSIM") else 1.0
                found = agreement(
                    sign * some[method].to_numpy(), some["impairment"].to_numpy(), some["scene"].to_numpy()
                )
                rows.append({"database": database, "type": kind, "method": method, **_cells(found)})
    return pd.DataFrame(rows)


def labelled(name_or_path: str, models: Sequence[str]) -> tuple[str, str]:
    """Find out which model weights belong to.

    Parameters
    ----------
    name_or_path : str
        Of weights.
    models : sequence of str
        What they may belong to.

    Returns
    -------
    (str, str)
        The model and the weights.
    """
    for model in models:
        try:
            find(name_or_path, model)
        except WeightsError as error:
            problem = error
            continue
        return model, name_or_path
    raise problem


def _cells(found: Agreement) -> dict[str, Any]:
    return {entry.name: getattr(found, entry.name) for entry in fields(found)}


def _baselines(table: pd.DataFrame, keep: Path | None, report: Report | None) -> pd.DataFrame:
    """Score by the baselines, or read what was kept of the same images."""
    scores = table[_KEYS].copy()
    if keep is not None and keep.is_file():
        kept = pd.read_csv(keep)
        if list(kept["file"]) == _names(table) and set(BASELINES) <= set(kept.columns):
            return scores.assign(**{name: kept[name].to_numpy() for name in BASELINES})
    found = baseline_scores(table, _told(report, "scores of PSNR, SSIM, GMSD"))
    if keep is not None:
        found.assign(file=_names(table)).to_csv(keep, index=False)
    return scores.assign(**{name: found[name].to_numpy() for name in BASELINES})


def _names(table: pd.DataFrame) -> list[str]:
    return [f"{database}/{Path(file).name}" for database, file in zip(table["database"], table["file"], strict=True)]


def _cross_validated(
    table: pd.DataFrame,
    folds: Sequence[Fold],
    config: TrainingConfig,
    folder: Path,
    record: dict[str, Any],
    photographs: Sequence[str],
    evaluation: tuple[str, int, str],
    report: Report | None,
) -> np.ndarray:
    """Train and score each fold that has not been; give the scores of all rows, NaN where no fold tested."""
    from .fit import finished_weights, fit_images
    from .samples import ScoredImages

    scoring, stride, device = evaluation
    pooled_scores = np.full(len(table), np.nan)

    @cache
    def data() -> ScoredImages:
        return ScoredImages.read(table, photographs, config.blur, _told(report, "reading images"))

    for number, fold in enumerate(folds):
        run = folder / fold.name
        name = f"{config.network}, {fold.name} ({number + 1} of {len(folds)})"
        fold_record = {**record, "protocol": {"fold": fold.name, "train": len(fold.train), "test": len(fold.test)}}
        weights = finished_weights(config, run, fold_record, photographs) or fit_images(
            config,
            data(),
            fold.train,
            run,
            record=fold_record,
            device=device,
            progress=_told(report, f"training {name}"),
        )
        (run / runs.CHECKPOINT).unlink(missing_ok=True)  # forty megabytes a fold, of no more use
        some, progress = table.iloc[fold.test], _told(report, f"scores of {name}")

        def scores(
            some: pd.DataFrame = some, rows: Any = fold.test, weights: Path = weights, progress: Any = progress
        ) -> np.ndarray:
            if scoring == "patches":
                return patch_scores(data(), rows, weights, config, progress)
            return visibility_scores(some, config.network, weights, stride=stride, device=device, progress=progress)

        way = scoring if scoring == "patches" else f"{scoring}, stride {stride}"
        pooled_scores[fold.test] = _kept(run / "held_out.csv", some, f"{way}, {sha256_of(weights)}", scores)
    return pooled_scores


def _kept(path: Path, table: pd.DataFrame, origin: str, scores: Callable[[], np.ndarray]) -> np.ndarray:
    """Read scores of the same rows and origin, or make and keep them."""
    if path.is_file():
        old = pd.read_csv(path)
        if (
            {"origin", "visibility"} <= set(old)
            and list(old["file"]) == _names(table)
            and set(old["origin"]) == {origin}
        ):
            known: np.ndarray = old["visibility"].to_numpy(dtype=float)
            return known
    columns = table[["type", "scene", "score", "impairment"]].assign(
        file=_names(table), visibility=scores(), origin=origin
    )
    with written_whole(path) as part:
        columns.to_csv(part, index=False)
    return columns["visibility"].to_numpy(dtype=float)  # type: ignore[no-any-return]


def _told(report: Report | None, what: str) -> Callable[[int, int], None] | None:
    return None if report is None else lambda done, total: report(what, done, total)
