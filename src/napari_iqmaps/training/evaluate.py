"""Judge models on scenes and distortions that they have not seen, beside PSNR, SSIM and GMSD on the same images."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from ..core.errors import InputError
from ..core.weights import find, sha256_of
from .baselines import BASELINES
from .config import TrainingConfig
from .manifest import Manifest, pooled
from .scoring import baseline_scores, visibility_scores
from .splits import Fold, leave_one_scene_out, leave_types_out, scenes_in_folds
from .statistics import Agreement, Figure, agreement

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
            table, folds, config, folder / config.network, record, photographs, (stride, device), report
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


def flat(table: pd.DataFrame) -> pd.DataFrame:
    """Turn the figures of `agreements` into plain columns, for files.

    Parameters
    ----------
    table : pandas.DataFrame
        From `agreements`.

    Returns
    -------
    pandas.DataFrame
        With columns such as srcc, srcc_low, srcc_high.
    """
    columns: dict[str, Any] = {}
    for name in table.columns:
        if len(table) and isinstance(table[name].iloc[0], Figure):
            columns[name] = [figure.value for figure in table[name]]
            columns[f"{name}_low"] = [figure.low for figure in table[name]]
            columns[f"{name}_high"] = [figure.high for figure in table[name]]
            if name == "srcc":
                columns["reason"] = [figure.reason for figure in table[name]]
        else:
            columns[name] = table[name]
    return pd.DataFrame(columns)


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
    from ..core.errors import WeightsError

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
        kept = pd.read_csv(keep, float_precision="round_trip")
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
    evaluation: tuple[int, str],
    report: Report | None,
) -> np.ndarray:
    """Train and score each fold that has not been; give the scores of all rows, NaN where no fold tested."""
    from .fit import finished_weights, fit_images
    from .samples import ScoredImages

    stride, device = evaluation
    pooled_scores = np.full(len(table), np.nan)
    data: ScoredImages | None = None
    for number, fold in enumerate(folds):
        run, kept = folder / fold.name, folder / fold.name / "held_out.csv"
        name = f"{config.network}, {fold.name} ({number + 1} of {len(folds)})"
        fold_record = {**record, "protocol": {"fold": fold.name, "train": len(fold.train), "test": len(fold.test)}}
        weights = finished_weights(config, run, fold_record, photographs)
        if weights is None:
            if data is None:
                data = ScoredImages.read(table, photographs, config.blur, _told(report, "reading images"))
            weights = fit_images(
                config,
                data,
                fold.train,
                run,
                record=fold_record,
                device=device,
                progress=_told(report, f"training {name}"),
            )
        pooled_scores[fold.test] = _fold_scores(
            table.iloc[fold.test], config.network, weights, kept, stride, device, _told(report, f"scores of {name}")
        )
    return pooled_scores


def _fold_scores(
    table: pd.DataFrame,
    network: str,
    weights: Path,
    kept: Path,
    stride: int,
    device: str,
    progress: Callable[[int, int], None] | None,
) -> np.ndarray:
    """Score the rows that a fold holds out, or read what was kept of the same weights."""
    digest = sha256_of(weights)
    if kept.is_file():
        old = pd.read_csv(kept, float_precision="round_trip")
        same = {"weights", "stride", "visibility"} <= set(old.columns) and list(old["file"]) == _names(table)
        if same and set(old["weights"]) == {digest} and set(old["stride"]) == {stride}:
            known: np.ndarray = old["visibility"].to_numpy(dtype=float)
            return known
    scores = visibility_scores(table, network, weights, stride=stride, device=device, progress=progress)
    columns = table[["type", "scene", "score", "impairment"]].assign(
        file=_names(table), visibility=scores, weights=digest, stride=stride
    )
    columns.to_csv(kept, index=False)
    return scores


def _told(report: Report | None, what: str) -> Callable[[int, int], None] | None:
    return None if report is None else lambda done, total: report(what, done, total)
