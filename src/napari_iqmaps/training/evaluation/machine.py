"""Judge the metrifier by workers' labels of pictures that it has not seen, beside known measures on the same ones.

Pictures come by the tens of thousands: they are distorted when they are first asked for, and scored many at once.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd
import torch

from ... import __version__
from ...core import models
from ...core._network_pass import HALF, scales_for
from ...core.bootstrap import Floats
from ...core.errors import InputError
from ...core.evidence import machine_verdict
from ...core.images import luminance
from ...core.io.atomic import written_whole
from ...core.machine import NETWORK, machine_quality
from ...core.models import WeightsRecord, default_name, find, load_network
from ...core.networks.metrifier import Metrifier, score_of, with_border
from ...core.progress import Progress
from ..machine.labels import CONSISTENCY, PROBABILITY
from ..machine.variants import UNDISTORTED
from .agreement import finite
from .evaluator import Evaluator, Judged, Report, Weights, weights_of
from .measures import BASELINES, blur_effect

Pixels = npt.NDArray[np.uint8]
Remake = Callable[[pd.DataFrame], Pixels]
"""Gives the distorted pictures of rows, uint8 ``(rows, height, width, 3)``."""

MEASURES = ("PSNR", "SSIM", "blur_effect")
_BATCH = 32
"""Pictures that the network sees at once: more are no faster, and progress is to be told of often."""

_BATCHED_SIDE = 64
"""Pixels to a side up to which a batch needs little memory."""

_MOST_KEPT = 1 << 30
"""Bytes of pictures that are kept in memory between two networks, rather than distorted again."""


SCORE = "machine quality"
_SUMMED_UP = ("mean", "consistency", "top1")
_OF_WORKERS = (PROBABILITY, CONSISTENCY)
_CHUNK = 2048
"""Pictures scored between two writings of a file: tens of seconds."""


class Distorted:
    """Distorted pictures of rows, made when they are first asked for and kept while there is room."""

    def __init__(self, rows: pd.DataFrame, remake: Remake) -> None:
        self.rows = rows
        self._remake = remake
        self._kept: Pixels | None = None
        self._made = np.zeros(len(rows), dtype=bool)

    def __call__(self, places: npt.NDArray[np.intp]) -> Pixels:
        """Give some pictures, uint8 ``(places, height, width, 3)``."""
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


@dataclass(frozen=True)
class MachineQuality(Judged):
    """Scores of `machine_quality` of distorted pictures, and measures of which two see the undistorted ones."""

    columns = ("score",)
    measures = MEASURES
    measures_words = ", ".join(MEASURES)
    chunk = _CHUNK

    pictures: Distorted
    device: str

    def measured(self, table: pd.DataFrame, progress: Progress | None) -> Floats:
        """Score pictures by known measures."""
        return measured(self.pictures, table.index.to_numpy(), progress)

    def scored(self, table: pd.DataFrame, weights: Weights, progress: Progress | None) -> Floats:
        """Score pictures as a user does."""
        places = table.index.to_numpy()
        found = metrifier_scores(self.pictures, places, weights.name, device=self.device, progress=progress)
        return found[:, np.newaxis]

    def origin(self, weights: Weights) -> str:
        """Name the weights."""
        return f"machine quality, {weights.sha256}"


def scored(
    rows: pd.DataFrame,
    remake: Remake,
    weights: Sequence[str | Path | None] = (None,),
    *,
    data: str = "",
    folder: Path | None = None,
    device: str = "auto",
    report: Report | None = None,
) -> tuple[pd.DataFrame, list[str]]:
    """Score the pictures of a table of labels by metrifiers (None: the default) and by known measures.

    `data` tells the undistorted pictures from others of the same names. `folder` also gets ``residuals_HASH.csv`` for
    each metrifier, see `write_residuals`.
    """
    weights = list(dict.fromkeys(weights))
    records = found_weights(weights)
    result, keys = rows.reset_index(drop=True), _keys(rows)
    data = f"{data}, {hashlib.sha256(chr(10).join(keys).encode()).hexdigest()}, napari-iqmaps {__version__}"
    columns = {"file": [key.replace("/", "|") for key in keys], "reference": result["image"], "scene": result["image"]}
    table = pd.DataFrame({"database": "labels", **columns, "type": result["distortion"]})
    judged, evaluator = MachineQuality(Distorted(result, remake), device), Evaluator(table, data, folder, report)
    # PSNR of a picture equal to its reference is infinite.
    result = result.assign(**{name: finite(values) for name, values in evaluator.measures(judged).items()})
    labels = _labels(weights)
    for name, record, label in zip(weights, records, labels, strict=True):
        result[label] = evaluator.as_they_are(judged, weights_of(NETWORK, name, label))[:, 0]
        target = str(record.details.get("target", "mean"))
        if folder is not None and target in rows:
            write_residuals(folder / f"residuals_{record.sha256[:12]}.csv", result, label, target)
    return result, labels


def metrifier_scores(
    pictures: Distorted,
    places: npt.NDArray[np.intp],
    weights: str | Path | None = None,
    *,
    device: str = "auto",
    progress: Progress | None = None,
) -> Floats:
    """Score pictures as `machine_quality` does, 0 (worst) to 1 (best), NaN for no answer; small ones many at once."""
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
    """Score pictures by `MEASURES` of their luminance; PSNR and SSIM see the undistorted picture as well."""
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


def targets_in(labels: pd.DataFrame) -> list[str]:
    """Name what a table of labels says of a picture, each between 0 (worst) and 1 (best): mean, p_NAME and so on."""
    summed_up = [name for name in _SUMMED_UP if name in labels]
    return summed_up + [str(name) for name in labels if str(name).startswith(_OF_WORKERS)]


def with_other_labels(labels: pd.DataFrame, others: Mapping[str, pd.DataFrame]) -> tuple[pd.DataFrame, list[str]]:
    """Join what workers say whom the first table does not know, picture by picture, and name the new columns.

    These are p_NAME and c_NAME, and, of a table of several workers, mean (TABLE), consistency (TABLE) and top1 (TABLE);
    NaN where a table has no such picture.
    """
    rows, joined = labels.copy(), list[str]()
    for table, other in others.items():
        names = [name for name in targets_in(other) if name.startswith(_OF_WORKERS)]
        if taken := [name[2:] for name in names if name in rows]:
            raise InputError(
                f"The worker {taken[0]!r} is in two tables of labels, the second of which is {table}. Give a table of "
                "other workers, or rename one."
            )
        renamed = {name: name for name in names}
        if sum(name.startswith("p_") for name in names) > 1:
            renamed |= {name: f"{name} ({table})" for name in _SUMMED_UP if name in other}
        found = other[list(renamed)].rename(columns=renamed)
        found = found[~_keys(other).duplicated().to_numpy()].set_axis(_keys(other).drop_duplicates(), axis=0)
        found = found.reindex(_keys(rows))
        if found.isna().all(axis=None):
            raise InputError(
                f"The table {table} has none of the {len(rows)} pictures of the first: image, distortion, severity and "
                "seed have to be the same. Make it with the same --data, --part, --seed and --variants."
            )
        for name in found:
            rows[name] = found[name].to_numpy(dtype=float)
        joined += list(renamed.values())
    return rows, joined


def _keys(rows: pd.DataFrame) -> pd.Series:
    """Name each distorted picture; the seed of an undistorted one means nothing."""
    clean = (rows["distortion"] == UNDISTORTED).to_numpy()
    seeds = np.where(clean, 0, rows["seed"].to_numpy())
    return pd.Series([
        f"{distortion} {severity:g} {seed} {image}"
        for distortion, severity, seed, image in zip(
            rows["distortion"], rows["severity"].astype(float), seeds, rows["image"], strict=True
        )
    ])  # fmt: skip


def found_weights(weights: Sequence[str | Path | None]) -> list[WeightsRecord]:
    """Find metrifiers and verify them; None is the default."""
    return [find(default_name(NETWORK) if name is None else name, NETWORK) for name in weights]


def answered(rows: pd.DataFrame, scores: Sequence[str]) -> tuple[pd.DataFrame, int]:
    """Leave out, and count, the pictures that some metrifier has no answer for: nearly uniform ones."""
    has_answer = rows[list(scores)].notna().all(axis=1)
    return rows[has_answer].reset_index(drop=True), int((~has_answer).sum())


def write_residuals(path: Path, rows: pd.DataFrame, score: str, target: str) -> None:
    """Write score, label, distortion, severity and image, from which the uncertainty of a score is made, as CSV."""
    table = rows.rename(columns={score: "score", target: "label"})
    with written_whole(path) as part:
        table[["score", "label", "distortion", "severity", "image"]].dropna().to_csv(part, index=False)


def _labels(weights: Sequence[str | Path | None]) -> list[str]:
    """Name metrifiers by their files, with the folders' names where the files' are the same."""
    paths = [None if name is None else Path(name) for name in weights]
    stems = [None if path is None else path.stem for path in paths]
    labels = []
    for path, stem in zip(paths, stems, strict=True):
        if path is None:
            labels.append(SCORE)
        else:
            labels.append(f"{SCORE} ({stem if stems.count(stem) == 1 else f'{path.resolve().parent.name}/{stem}'})")
    return labels
