"""Judge threshold networks by people's scores, beside PSNR, SSIM and GMSD of the same images."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import torch

from ...core.bootstrap import Floats
from ...core.models import read_network, sha256_of
from ...core.progress import Progress
from ...core.visibility import visibility_map
from ..databases.manifest import Manifest, pooled
from ..hardware import resolved_precision
from ..visibility.impairment import combined_thresholds, impairment, power_mean, thresholds
from ..visibility.recipe import TrainingConfig
from ..visibility.samples import ScoredImages, measure_of
from .evaluator import Evaluator, Judged, Learner, Report, Told, Weights, data_of, weights_of, with_held_out
from .measures import BASELINES, Plane, each_pair
from .protocols import Fold, Shares, folds_of

WHOLE = 2048
"""Side of a tile: photographs are done in one."""


@dataclass(frozen=True)
class Visibility(Judged):
    """Scores of `visibility_map`, and measures that see the reference as well."""

    columns = ("visibility",)
    measures = tuple(BASELINES)
    measures_file = "baselines"
    measures_words = "PSNR, SSIM, GMSD"

    stride: int
    device: str

    def measured(self, table: pd.DataFrame, progress: Progress | None) -> Floats:
        """Score images by the baselines."""
        return each_pair(table, list(BASELINES.values()), progress)

    def scored(self, table: pd.DataFrame, weights: Weights, progress: Progress | None) -> Floats:
        """Score images by their maps."""
        return self.by_map(table, weights.network, weights.name, progress)

    def by_map(self, table: pd.DataFrame, network: str, weights: str | Path, progress: Progress | None) -> Floats:
        """Score images as a user does."""

        def score(test: Plane, reference: Plane) -> float:
            answer = visibility_map(
                test,
                reference,
                model=network,  # type: ignore[arg-type] # checked there
                data_range=(0, 255),
                weights=weights,
                stride=self.stride,  # type: ignore[arg-type]
                device=self.device,
                tile=WHOLE,
            )
            return float(answer.score)

        return each_pair(table, [score], progress)

    def origin(self, weights: Weights) -> str:
        """Name the network, its weights and the map's stride."""
        return f"map, stride {self.stride}, {weights.network} {weights.sha256}"

    def file(self, weights: Weights) -> str:
        """Name a file for each stride."""
        return f"{weights.network}_{weights.sha256[:12]}_stride{self.stride}.csv"


@dataclass(eq=False)
class ThresholdLearner(Learner):
    """Trainings of a threshold network, which share the images that they are made of."""

    columns = Visibility.columns
    config: TrainingConfig
    evaluator: Evaluator
    record: dict[str, Any]
    photographs: Sequence[str]
    judged: Visibility
    by_patches: bool

    @property
    def network(self) -> str:
        """The network that is trained."""
        return self.config.network

    @cached_property
    def images(self) -> ScoredImages:
        """All images of the evaluation, in memory."""
        told = self.evaluator.told("reading images")
        return ScoredImages.read(self.evaluator.table, measure_of(self.config), self.photographs, told)

    def trained(self, fold: Fold, run: Path, progress: Told | None) -> Path:
        """Train on the images of a fold."""
        from ..visibility.training import finished_weights, fit_images  # Lightning takes seconds to import

        record = {**self.record, "protocol": {"fold": fold.name, "train": len(fold.train), "test": len(fold.test)}}
        return finished_weights(self.config, run, record, self.photographs) or fit_images(
            self.config, self.images, fold.train, run, record=record, device=self.judged.device, progress=progress
        )

    def origin(self, fold: Fold, weights: Callable[[], Path]) -> str:
        """Say how the scores are made, by which weights."""
        way = "patches" if self.by_patches else f"map, stride {self.judged.stride}"
        return f"{way}, {sha256_of(weights())}"

    def scored(self, table: pd.DataFrame, fold: Fold, weights: Path, progress: Progress | None) -> Floats:
        """Score images by patches, or as a user does."""
        if self.by_patches:
            return patch_scores(self.images, table.index.to_numpy(), weights, self.config, progress)[:, np.newaxis]
        return self.judged.by_map(table, self.network, weights, progress)


def fixed_scores(
    manifests: Sequence[Manifest],
    weights: Sequence[tuple[str, str | Path | None]],
    *,
    folder: Path | None = None,
    stride: int = 4,
    device: str = "auto",
    report: Report | None = None,
) -> pd.DataFrame:
    """Score all images by given weights of ``"pnet"`` or ``"contrast"`` (None: the default) and by the baselines."""
    judged, evaluator = Visibility(stride, device), Evaluator(pooled(manifests), data_of(manifests), folder, report)
    scores = evaluator.with_measures(judged)
    for network, name in weights:
        found = weights_of(network, name)
        scores[found.label] = evaluator.as_they_are(judged, found)[:, 0]
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
    """Train on each fold of a protocol, and score the images that it holds out; see `with_held_out`.

    `scoring` is by the map, as a user does, or by patches that do not overlap, as the paper does, which is much faster.
    """
    table = pooled(manifests)
    folds = folds_of(protocol, table, shares)
    judged, evaluator = Visibility(stride, device), Evaluator(table, data_of(manifests), folder, report)
    scores = evaluator.with_measures(judged)
    record = {"data": [{"manifest": each.path.name, "sha256": each.sha256} for each in manifests]}
    found = {}
    for config in configs:
        by_patches = scoring == "patches"
        learner = ThresholdLearner(config, evaluator, record, photographs, judged, by_patches=by_patches)
        found[config.network] = [each[:, 0] for each in evaluator.held_out(learner, folds)]
    held_out = with_held_out(scores, folds, protocol, found)
    held_out.to_csv(folder / "scores.csv", index=False)
    return held_out


def patch_scores(
    data: ScoredImages,
    rows: npt.NDArray[np.intp],
    weights: Path,
    config: TrainingConfig,
    progress: Progress | None = None,
) -> Floats:
    """Score images in memory as the paper does, by the mean over patches that do not overlap.

    Many times faster than the map's score, which covers every pixel, and nearly the same: for choosing recipes, and for
    the many folds of a cross-validation.
    """
    network = read_network(config.network, weights.as_posix())
    table = data.table.iloc[rows]
    files, references = data.bank.numbers(table["file"]), data.bank.numbers(table["reference"])
    scores = np.full(len(rows), np.nan)
    half = resolved_precision(config.precision, torch.device("cpu")) == "bf16-mixed"
    reference, of_reference, current = None, None, -1
    with torch.inference_mode(), torch.autocast("cpu", torch.bfloat16, enabled=half):
        for done, row in enumerate(np.argsort(references, kind="stable"), start=1):
            if references[row] != current:
                current = references[row]
                reference = data.bank.tiles(current)
                of_reference = thresholds(network, reference)
            assert reference is not None
            assert of_reference is not None
            test = data.bank.tiles(files[row])
            threshold = of_reference
            if config.thresholds != "reference":
                threshold = thresholds(network, test)
            if config.thresholds not in ("test", "reference"):
                threshold = combined_thresholds(torch.cat([threshold, of_reference]), config.thresholds)
            patches = impairment(test, threshold, network.mixing, config.exponent)
            scores[row] = power_mean(patches[None], config.pooling).item()
            if progress is not None:
                progress(done, len(rows))
    return scores
