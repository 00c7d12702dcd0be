"""Scores by the paper's literal way, patch beside patch, for recipes that the product does not offer.

The product scores with one definition of the difference and one rule for the pair's threshold. To say what each of
these choices brings, the others have to be evaluated too: from the same patches as in training.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import torch

from ..core.networks.contrast import ContrastModel
from ..core.networks.pnet import PNet
from .config import TrainingConfig
from .forward import thresholds
from .losses import combined_thresholds, impairment
from .samples import Integers, ScoredImages


def patchwise_scores(
    network: PNet | ContrastModel, config: TrainingConfig, data: ScoredImages, rows: npt.NDArray[np.intp]
) -> npt.NDArray[np.float64]:
    """Score images by the mean over patches that do not overlap.

    Parameters
    ----------
    network : PNet or ContrastModel
        Gives the thresholds.
    config : TrainingConfig
        Says which image they are taken from, and how the difference is measured.
    data : ScoredImages
        The images, read with the recipe's blur.
    rows : numpy.ndarray of int
        Which rows of the table.

    Returns
    -------
    numpy.ndarray
        0 for no difference, at most 1; one for each row.
    """
    files = data.bank.numbers(data.table["file"].iloc[rows])
    references = data.bank.numbers(data.table["reference"].iloc[rows])
    scores = np.empty(len(rows))
    with torch.inference_mode():
        for number, (file, reference) in enumerate(zip(files, references, strict=True)):
            corners = patch_grid(data, int(file))
            upright = np.zeros(len(corners[0]), dtype=np.int64)
            test, clean = (
                data.bank.take(np.full_like(upright, image), corners, upright) for image in (file, reference)
            )
            if config.thresholds in ("test", "reference"):
                threshold = thresholds(network, test if config.thresholds == "test" else clean)
            else:
                threshold = combined_thresholds(thresholds(network, torch.cat([test, clean])), config.thresholds)
            patches = impairment(test, clean, threshold, network.mixing, config.exponent)
            scores[number] = float(patches.double().mean())
    return scores


def patch_grid(data: ScoredImages, image: int) -> tuple[Integers, Integers]:
    """Give the first rows and columns of an image's patches, side by side."""
    rows, columns = (
        np.arange(0, int(size[image]) - PNet.PATCH + 1, PNet.PATCH) for size in (data.bank.height, data.bank.width)
    )
    top, left = np.meshgrid(rows, columns, indexing="ij")
    return top.ravel(), left.ravel()
