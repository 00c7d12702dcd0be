"""Judge models on scenes and distortions that they have not seen, beside PSNR, SSIM and GMSD on the same images."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from .. import __version__
from ..core.errors import InputError, WeightsError
from ..core.models import default_name, find, sha256_of
from . import runs
from .agreements import KEYS, SPLIT
from .baselines import BASELINES
from .keeping import kept_scores
from .manifest import Manifest, pooled
from .scoring import baseline_scores, patch_scores, visibility_scores
from .splits import Fold, Shares, leave_one_scene_out, leave_types_out, scenes_in_folds
from .visibility.recipe import TrainingConfig

Report = Callable[[str, int, int], None]
"""Called with what is being done, how much of it is done, and how much there is."""

PROTOCOLS: dict[str, Callable[[pd.DataFrame], list[Fold]]] = {
    "leave-one-scene-out": leave_one_scene_out,
    "leave-scenes-out": scenes_in_folds,
    "leave-types-out": leave_types_out,
}
"""Name to folds of a table; scenes-out holds out four groups of scenes, which costs four trainings."""

SPLITS = "splits"


def fixed_scores(
    manifests: Sequence[Manifest],
    weights: Sequence[tuple[str, str | Path | None]],
    *,
    folder: Path | None = None,
    stride: int = 4,
    device: str = "auto",
    report: Report | None = None,
) -> pd.DataFrame:
    """Score all images by given weights and by the baselines.

    Parameters
    ----------
    weights : sequence of (str, str or pathlib.Path or None)
        A model (``"pnet"`` or ``"contrast"``) and its weights each; None is the model's default.
    folder : pathlib.Path, optional
        Keeps the scores as they are made; what is there is not done again.
    """
    table = pooled(manifests)
    if folder is not None:
        folder.mkdir(parents=True, exist_ok=True)
    scores = _baselines(table, folder, manifests, report)
    for model, name in weights:
        label = model if name is None else f"{model} ({Path(name).stem})"
        told = told_of(report, f"scores of {label}")

        def score(some: pd.DataFrame, progress: Any, model: str = model, name: Any = name) -> np.ndarray:
            found = visibility_scores(some, model, name, stride=stride, device=device, progress=progress)
            return found[:, None]

        sha256 = find(default_name(model) if name is None else name, model).sha256
        origin = f"map, stride {stride}, {model} {sha256}, {data_of(manifests)}"
        keep = None if folder is None else folder / f"{model}_{sha256[:12]}_stride{stride}.csv"
        scores[label] = kept_scores(keep, table, origin, ["visibility"], score, told)[:, 0]
    return scores


def held_out_scores(
    manifests: Sequence[Manifest],
    configs: Sequence[TrainingConfig],
    protocol: str,
    folder: Path,
    *,
    shares: Shares | None = None,
    photographs: Sequence[str] = (),
    scoring: str = "map",
    stride: int = 4,
    device: str = "auto",
    report: Report | None = None,
) -> pd.DataFrame:
    """Train on each fold of a protocol, and score the images that it holds out.

    Parameters
    ----------
    folder : pathlib.Path
        Keeps a run for each network and fold, with the scores in it; what is there is not done again.
    scoring : {"map", "patches"}
        By the map, as a user does, or by patches that do not overlap, as the paper does, which is much faster.

    Returns
    -------
    pandas.DataFrame
        The manifests' rows that were held out, with a column for each method; with ``"splits"`` a row for each split
        and image in it, with the column split.
    """
    table = pooled(manifests)
    if protocol != SPLITS and protocol not in PROTOCOLS:
        raise InputError(f"There is no protocol {protocol!r}. Choose one of as-is, {SPLITS}, {', '.join(PROTOCOLS)}.")
    folds = (shares or Shares()).folds(table) if protocol == SPLITS else PROTOCOLS[protocol](table)
    folder.mkdir(parents=True, exist_ok=True)
    baselines = _baselines(table, folder, manifests, report)
    record = {"data": [{"manifest": each.path.name, "sha256": each.sha256} for each in manifests]}
    found = {
        config.network: _cross_validated(
            table, folds, config, folder / config.network, record, photographs, (scoring, stride, device), report
        )
        for config in configs
    }
    parts = [
        baselines.iloc[fold.test].assign(**{network: scores[number] for network, scores in found.items()})
        for number, fold in enumerate(folds)
    ]
    if protocol == SPLITS:
        held_out = pd.concat([part.assign(**{SPLIT: n}) for n, part in enumerate(parts, start=1)], ignore_index=True)
    else:
        held_out = pd.concat(parts).sort_index()  # each image once, in the order of the databases
    held_out.to_csv(folder / "scores.csv", index=False)
    return held_out


def labelled(name_or_path: str, models: Sequence[str]) -> tuple[str, str]:
    """Find out which model weights belong to.

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


def _baselines(
    table: pd.DataFrame, folder: Path | None, manifests: Sequence[Manifest], report: Report | None
) -> pd.DataFrame:
    """Score by the baselines, or read what was kept of the same images."""

    def score(some: pd.DataFrame, progress: Callable[[int, int], None] | None) -> np.ndarray:
        return np.asarray(baseline_scores(some, progress)[list(BASELINES)])

    keep, origin = folder / "baselines.csv" if folder else None, f"baselines, {data_of(manifests)}"
    found = kept_scores(keep, table, origin, list(BASELINES), score, told_of(report, "scores of PSNR, SSIM, GMSD"))
    return table[list(KEYS)].assign(**{name: found[:, number] for number, name in enumerate(BASELINES)})


def data_of(manifests: Sequence[Manifest]) -> str:
    """Say what scores were made from, and by what."""
    data = ", ".join(f"{each.name} {each.sha256[:12]}" for each in manifests)
    return f"{data}, napari-iqmaps {__version__}"


def _cross_validated(
    table: pd.DataFrame,
    folds: Sequence[Fold],
    config: TrainingConfig,
    folder: Path,
    record: dict[str, Any],
    photographs: Sequence[str],
    evaluation: tuple[str, int, str],
    report: Report | None,
) -> list[np.ndarray]:
    """Train and score each fold that has not been; give the scores of each fold's test rows."""
    from .visibility.samples import ScoredImages, measure_of
    from .visibility.training import finished_weights, fit_images

    scoring, stride, device = evaluation
    found = []

    @cache
    def data() -> ScoredImages:
        return ScoredImages.read(table, measure_of(config), photographs, told_of(report, "reading images"))

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
            progress=told_of(report, f"training {name}"),
        )
        (run / runs.CHECKPOINT).unlink(missing_ok=True)  # forty megabytes a fold, of no more use

        def score(some: pd.DataFrame, progress: Any, weights: Path = weights) -> np.ndarray:
            if scoring == "patches":
                return patch_scores(data(), some.index.to_numpy(), weights, config, progress)[:, None]
            seen = visibility_scores(some, config.network, weights, stride=stride, device=device, progress=progress)
            return seen[:, None]

        way = scoring if scoring == "patches" else f"{scoring}, stride {stride}"
        origin, told = f"{way}, {sha256_of(weights)}", told_of(report, f"scores of {name}")
        some = table.iloc[fold.test]
        found.append(kept_scores(run / "held_out.csv", some, origin, ["visibility"], score, told)[:, 0])
    return found


def told_of(report: Report | None, what: str) -> Callable[[int, int], None] | None:
    """Turn a report into the progress of one of its parts.

    Returns
    -------
    callable or None
        Called with ``(done, total)``.
    """
    return None if report is None else lambda done, total: report(what, done, total)
