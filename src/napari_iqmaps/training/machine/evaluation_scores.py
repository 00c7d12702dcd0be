"""Scores of distorted pictures by the tens of thousands: the metrifier's, as a user gets them, and known measures'."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd
import torch

from ...core import models
from ...core._network_pass import HALF, scales_for
from ...core.evidence import machine_verdict
from ...core.images import luminance
from ...core.machine import NETWORK, machine_quality
from ...core.models import default_name, find, load_network
from ...core.networks.metrifier import Metrifier, score_of, with_border
from ..baselines import BASELINES
from ..quality.evaluation_scores import blur_effect
from .variants import UNDISTORTED

Floats = npt.NDArray[np.float64]
Pixels = npt.NDArray[np.uint8]
Progress = Callable[[int, int], None]
Remake = Callable[[pd.DataFrame], Pixels]
"""Gives the distorted pictures of rows, uint8 ``(rows, height, width, 3)``."""

MEASURES = ("PSNR", "SSIM", "blur_effect")
_BATCH = 32
"""Pictures that the network sees at once: more are no faster, and progress is to be told of often."""

_BATCHED_SIDE = 64
"""Pixels to a side up to which a batch needs little memory."""

_MOST_KEPT = 1 << 30
"""Bytes of pictures that are kept in memory between two networks, rather than distorted again."""


class Distorted:
    """Distorted pictures of rows, made when they are first asked for and kept while there is room.

    Parameters
    ----------
    rows : pandas.DataFrame
        All that may be asked for: image, distortion, severity and seed.
    """

    def __init__(self, rows: pd.DataFrame, remake: Remake) -> None:
        self.rows = rows
        self._remake = remake
        self._kept: Pixels | None = None
        self._made = np.zeros(len(rows), dtype=bool)

    def __call__(self, places: npt.NDArray[np.intp]) -> Pixels:
        """Give some pictures.

        Returns
        -------
        numpy.ndarray
            uint8 ``(places, height, width, 3)``.
        """
        missing = places[~self._made[places]]
        if len(missing):
            made = self._remake(self.rows.iloc[missing])
            if self._kept is None and math.prod(made.shape[1:]) * len(self.rows) <= _MOST_KEPT:
                self._kept = np.empty((len(self.rows), *made.shape[1:]), np.uint8)
            if self._kept is None:
                return made
            self._kept[missing] = made
            self._made[missing] = True
        assert self._kept is not None
        return self._kept[places]

    def undistorted(self, places: npt.NDArray[np.intp]) -> Pixels:
        """Give what some pictures were made from."""
        rows = self.rows.iloc[places].assign(distortion=UNDISTORTED, severity=0)
        images, back = np.unique(rows["image"].to_numpy(dtype=str), return_inverse=True)
        one_each = rows.iloc[[int(np.flatnonzero(back == number)[0]) for number in range(len(images))]]
        return self._remake(one_each)[back]


def metrifier_scores(
    pictures: Distorted,
    places: npt.NDArray[np.intp],
    weights: str | Path | None = None,
    *,
    device: str = "auto",
    progress: Progress | None = None,
) -> Floats:
    """Score pictures as `machine_quality` does, small ones many at once.

    Parameters
    ----------
    weights : str or pathlib.Path, optional
        Name or path; None takes the default.
    progress : callable, optional
        Called with ``(pictures done, pictures in all)``; raise `Cancelled` in it to stop.

    Returns
    -------
    numpy.ndarray
        0 (worst) to 1 (best), NaN where there is no answer, ``(places,)``.
    """
    record = find(default_name(NETWORK) if weights is None else weights, NETWORK)
    target = models.resolve(device)
    network = load_network(record, target)
    scores = np.full(len(places), np.nan)
    for first in range(0, len(places), _BATCH):
        some = pictures(places[first : first + _BATCH])
        if _goes_in_batches(some):
            found = _batch_scores(network, some, target)
        else:
            found = np.array([
                machine_quality(one, channel_axis=-1, weights=weights, device=device).value for one in some
            ])  # fmt: skip
        scores[first : first + len(some)] = found
        if progress is not None:
            progress(first + len(some), len(places))
    return scores


def measured(pictures: Distorted, places: npt.NDArray[np.intp], progress: Progress | None = None) -> Floats:
    """Score pictures by `MEASURES`, of their luminance.

    Returns
    -------
    numpy.ndarray
        ``(places, measures)``: PSNR in decibels, infinite for equal pictures, and SSIM, both against the undistorted
        picture; blur_effect from 0 (sharp) to 1.
    """
    scores = np.full((len(places), len(MEASURES)), np.nan)
    for first in range(0, len(places), _BATCH):
        some = places[first : first + _BATCH]
        tests, references = (_luminance(each) for each in (pictures(some), pictures.undistorted(some)))
        for place, (test, reference) in enumerate(zip(tests, references, strict=True), start=first):
            known = [BASELINES[name](test, reference) for name in MEASURES[:2]]
            scores[place] = *known, blur_effect(test)
        if progress is not None:
            progress(first + len(some), len(places))
    return scores


def _goes_in_batches(pictures: Pixels) -> bool:
    """Tell whether pictures are looked at once, in one scale, and large enough to be reflected in one go."""
    shape = pictures.shape[1:3]
    return min(shape) > Metrifier.REACH and max(shape) <= _BATCHED_SIDE and HALF not in scales_for(shape)


def _batch_scores(network: Metrifier, pictures: Pixels, device: torch.device) -> Floats:
    colours = torch.from_numpy(np.ascontiguousarray(pictures)).to(device).permute(0, 3, 1, 2).float() / 255
    with torch.inference_mode(), models.full_precision(device):
        bordered = with_border(colours).contiguous(memory_format=torch.channels_last)
        scores: Floats = score_of(network(bordered)).double().cpu().numpy()
    height, width = pictures.shape[1:3]
    cells = math.ceil(height / 4) * math.ceil(width / 4)
    spreads = _luminance(pictures).std(axis=(1, 2), dtype=np.float64)
    answered = [
        machine_verdict(shape=(height, width), pixels=height * width, cells=cells, spread=spread).has_answer
        for spread in spreads
    ]
    return np.where(answered, scores, np.nan)


def _luminance(pictures: Pixels) -> npt.NDArray[np.float32]:
    return luminance(pictures, (0, 255), has_channels=True)
