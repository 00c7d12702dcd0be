"""Scores of a manifest's images, by our models on the path that a user takes, and by the baselines."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd
import torch

from ..core.models import read_network
from ..core.visibility import visibility_map
from .baselines import BASELINES
from .hardware import resolved_precision
from .visibility.impairment import combined_thresholds, impairment, power_mean, thresholds
from .visibility.recipe import TrainingConfig
from .visibility.samples import ScoredImages, read_luminance

Floats = npt.NDArray[np.float64]
Progress = Callable[[int, int], None]

WHOLE = 2048
"""Side of a tile: photographs are done in one."""


def visibility_scores(
    table: pd.DataFrame,
    model: str,
    weights: str | Path | None = None,
    *,
    stride: int = 4,
    device: str = "auto",
    progress: Progress | None = None,
) -> Floats:
    """Score images by `visibility_map`.

    Parameters
    ----------
    weights : str or pathlib.Path, optional
        Name or path; None takes the model's default.
    progress : callable, optional
        Called with ``(images done, images in all)``.
    """

    def score(test: npt.NDArray[np.float32], reference: npt.NDArray[np.float32]) -> float:
        answer = visibility_map(
            test,
            reference,
            model=model,  # type: ignore[arg-type] # checked there
            data_range=(0, 255),
            weights=weights,
            stride=stride,  # type: ignore[arg-type]
            device=device,
            tile=WHOLE,
        )
        return float(answer.score)

    return each_pair(table, [score], progress)[:, 0]


def patch_scores(
    data: ScoredImages,
    rows: npt.NDArray[np.intp],
    weights: Path,
    config: TrainingConfig,
    progress: Progress | None = None,
) -> Floats:
    """Score images in memory as the paper does, by the mean over patches that do not overlap.

    Parameters
    ----------
    config : TrainingConfig
        The recipe, which says whose thresholds count and how differences are measured.
    progress : callable, optional
        Called with ``(images done, images in all)``.

    Notes
    -----
    Many times faster than the map's score, which covers every pixel, and nearly the same: for choosing recipes, and
    for the many folds of a cross-validation.
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


def baseline_scores(table: pd.DataFrame, progress: Progress | None = None) -> pd.DataFrame:
    """Score images by PSNR, SSIM and GMSD.

    Parameters
    ----------
    progress : callable, optional
        Called with ``(images done, images in all)``.
    """
    return pd.DataFrame(each_pair(table, list(BASELINES.values()), progress), columns=list(BASELINES))


def each_pair(
    table: pd.DataFrame,
    measures: Sequence[Callable[[npt.NDArray[np.float32], npt.NDArray[np.float32]], float]],
    progress: Progress | None = None,
) -> Floats:
    """Score images by measures of luminance.

    Parameters
    ----------
    measures : sequence of callable
        Called with the luminance, 0..255, of an image and of its reference.
    progress : callable, optional
        Called with ``(images done, images in all)``.
    """
    scores = np.full((len(table), len(measures)), np.nan)
    path, reference = None, None
    # Rows of one reference after each other, so that each is read once.
    for done, row in enumerate(np.argsort(table["reference"].to_numpy(dtype=str), kind="stable"), start=1):
        if table["reference"].iloc[row] != path:
            path = table["reference"].iloc[row]
            reference = read_luminance(path)
        assert reference is not None
        test = read_luminance(table["file"].iloc[row])
        scores[row] = [measure(test, reference) for measure in measures]
        if progress is not None:
            progress(done, len(table))
    return scores
