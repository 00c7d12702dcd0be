"""Scores of a manifest's images without their references: by our networks, as a user gets them, and by others."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd
from skimage import measure, restoration

from ...core.blind import BlindModel, quality
from ..baselines import BASELINES
from ..scoring import each_pair
from ..visibility.samples import read_luminance

Floats = npt.NDArray[np.float64]
Plane = npt.NDArray[np.float32]
Progress = Callable[[int, int], None]

WITH_REFERENCE = ("PSNR", "SSIM")
"""Of `BASELINES`: what most papers on blind quality give beside."""


def blur_effect(luminance: Plane) -> float:
    """Give scikit-image's measure of blur: how little is lost when an image is blurred once more.

    Returns
    -------
    float
        0 (sharp) to 1.
    """
    return float(measure.blur_effect(luminance))  # type: ignore[no-untyped-call]


def estimate_sigma(luminance: Plane) -> float:
    """Give scikit-image's estimate of the standard deviation of noise, from the finest diagonal wavelets."""
    return float(restoration.estimate_sigma(luminance))  # type: ignore[no-untyped-call]


def shannon_entropy(luminance: Plane) -> float:
    """Give the entropy of the histogram.

    Parameters
    ----------
    luminance : numpy.ndarray
        ``(height, width)``, 0..255; rounded to whole code values.

    Returns
    -------
    float
        Bits, 0 to 8.
    """
    return float(measure.shannon_entropy(np.rint(luminance)))  # type: ignore[no-untyped-call]


def measures() -> dict[str, Callable[[Plane, Plane], float]]:
    """Give the measures that stand beside the networks.

    Returns
    -------
    dict
        Name to a function of ``(test, reference)``. Those of scikit-image do not look at the reference.
    """
    blind = {"blur_effect": blur_effect, "estimate_sigma": estimate_sigma, "shannon_entropy": shannon_entropy}
    found = {name: BASELINES[name] for name in WITH_REFERENCE}
    return found | {name: _without_reference(one) for name, one in sorted(blind.items())}


def measured(table: pd.DataFrame, progress: Progress | None = None) -> Floats:
    """Score images by all `measures`.

    Parameters
    ----------
    progress : callable, optional
        Called with ``(images done, images in all)``.
    """
    return each_pair(table, list(measures().values()), progress)


def quality_scores(
    table: pd.DataFrame,
    model: BlindModel,
    weights: str | Path | None = None,
    *,
    device: str = "auto",
    progress: Progress | None = None,
) -> Floats:
    """Score images by `quality`.

    Parameters
    ----------
    weights : str or pathlib.Path, optional
        Name or path; None takes the model's default.
    progress : callable, optional
        Called with ``(images done, images in all)``.

    Returns
    -------
    numpy.ndarray
        ``(images, 2)``: the score, 0 (best) to 100 (worst), NaN where there is no answer; and 1 where there is enough
        evidence for it, else 0.
    """
    scores = np.full((len(table), 2), np.nan)
    for row, file in enumerate(table["file"]):
        found = quality(read_luminance(file), model=model, data_range=(0, 255), weights=weights, device=device)
        scores[row] = found.value, found.enough_evidence
        if progress is not None:
            progress(row + 1, len(table))
    return scores


def _without_reference(measure: Callable[[Plane], float]) -> Callable[[Plane, Plane], float]:
    return lambda test, _: measure(test)
