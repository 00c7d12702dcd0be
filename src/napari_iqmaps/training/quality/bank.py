"""What a first stage's network says of scored images and of distorted photographs: asked once, kept for all folds."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from ...core import models
from ...core.errors import InputError, WeightsError
from ...core.evidence import UNIFORM
from ...core.networks.blind import CELL, POOLED, BlindNetwork, ErrorTrunk, pooled
from ...core.progress import Progress, Steps
from ...core.tiling import reflected, rounded_up
from ...core.visibility import visibility_map
from ..databases.manifest import Manifest, read_manifest
from ..databases.manifest import pooled as pooled_tables
from ..hardware import SINGLE, resolved_precision
from ..visibility.samples import read_luminance
from ..weights import write_tensors
from .first_stage import BLIND_CLASSES
from .pairs import FIXED_POINT, Fixed, PairBank, as_luminance, fingerprint, learnt_photographs
from .recipe import QualityConfig
from .windows import cells_of, inner_cells

Floats = npt.NDArray[np.float32]
Halves = npt.NDArray[np.float16]

_MARGIN = rounded_up(ErrorTrunk.REACH + 1, CELL)
"""Pixels beyond an image that its outermost cells look at, in whole cells."""

_SMALLEST = 48
"""Pixels a side of an image that DIQA can look at."""

_DECIDING = (
    "network",
    "seed",
    "precision",
    "middle",
    "left_out",
    "hold_out",
    "pseudo_variants",
    "variants",
    "reliability_weighting",
)
"""Fields of the recipe that decide what a bank holds."""


@dataclass(eq=False)
class SeenImages:
    """Images, and what a network says of each.

    Attributes
    ----------
    pooled : list of numpy.ndarray
        float32, ``(130,)``; see `napari_iqmaps.core.networks.blind.pooled`.
    perceptual : list of float
        Mean perceptual error with the first stage's sensitivity; empty for DIQA, as are the next three.
    luminance : list of numpy.ndarray
        In fixed point, ``(height, width)``.
    error, reliability : list of numpy.ndarray
        At the cells, float16: the error at least 0, the reliability not divided by its mean.
    """

    pooled: list[Floats] = field(default_factory=list)
    perceptual: list[float] = field(default_factory=list)
    luminance: list[Fixed] = field(default_factory=list)
    error: list[Halves] = field(default_factory=list)
    reliability: list[Halves] = field(default_factory=list)

    def vectors(self) -> Floats:
        """Give all pooled vectors, ``(images, 130)``."""
        return np.stack(self.pooled) if self.pooled else np.empty((0, POOLED), np.float32)

    def tensors(self) -> dict[str, Tensor]:
        """Give everything but the luminance, which is in the pictures."""
        flat = {
            name: np.concatenate([plane.ravel() for plane in planes]) if planes else np.empty(0, np.float16)
            for name, planes in (("error", self.error), ("reliability", self.reliability))
        }
        shapes = np.array([plane.shape for plane in self.error], dtype=np.int64).reshape(-1, 2)
        arrays = {"pooled": self.vectors(), "perceptual": np.array(self.perceptual), "shapes": shapes, **flat}
        return {name: torch.from_numpy(array) for name, array in arrays.items()}

    @classmethod
    def of(cls, tensors: Mapping[str, Tensor]) -> SeenImages:
        """Read what `tensors` gave, which is without the luminance."""
        arrays = {name: tensor.numpy() for name, tensor in tensors.items()}
        ends = np.cumsum(arrays["shapes"].prod(1))[:-1]
        planes = {
            name: [part.reshape(shape) for part, shape in zip(np.split(arrays[name], ends), arrays["shapes"])]  # noqa: B905
            for name in ("error", "reliability")
        }
        return cls(list(arrays["pooled"]), arrays["perceptual"].tolist(), [], planes["error"], planes["reliability"])


def write_seen(path: Path, record: Mapping[str, Any], groups: Mapping[str, SeenImages], numbers: Any) -> None:
    """Write what was seen, whole or not at all."""
    tensors = {f"{group}.{name}": each for group, seen in groups.items() for name, each in seen.tensors().items()}
    tensors |= {name: torch.from_numpy(np.asarray(array, dtype=np.float64)) for name, array in numbers.items()}
    path.parent.mkdir(parents=True, exist_ok=True)
    write_tensors(path, tensors, {"record": json.dumps(record, sort_keys=True)})


def read_seen(
    path: Path, record: Mapping[str, Any]
) -> tuple[dict[str, SeenImages], dict[str, npt.NDArray[np.float64]]] | None:
    """Read the groups and numbers that `write_seen` wrote; None if there are none, or something else decided them."""
    try:
        tensors, header = models.read_state(path)
    except WeightsError:
        return None
    if header.get("record") != json.dumps(record, sort_keys=True):
        return None
    groups: dict[str, dict[str, Tensor]] = {}
    for name, tensor in tensors.items():
        group, dot, inside = name.partition(".")
        if dot:
            groups.setdefault(group, {})[inside] = tensor
    numbers = {name: tensor.numpy() for name, tensor in tensors.items() if "." not in name}
    try:
        return {group: SeenImages.of(inside) for group, inside in groups.items()}, numbers
    except (KeyError, ValueError):  # tensors that are missing, or of shapes that do not fit each other
        return None


class ScoreBank:
    """Scored images and distorted photographs as a first stage's network sees them.

    Parameters
    ----------
    start : str or pathlib.Path
        Weights of a first stage. DIQA takes those of either network, which share their trunk.
    manifests : sequence of str, pathlib.Path or Manifest
        Scored images; the first one's scores are the scale.
    photographs : sequence of str or pathlib.Path
        Undistorted pictures, of which those that are held out are not used.
    keep : pathlib.Path, optional
        A file of what was seen: read if it is of the same images, network and recipe, and written if not. Some
        kilobytes an image for DIQA, a quarter of a byte a pixel for DeepBQA.
    progress : callable, optional
        Called with ``(images done, images in all)``; raise `Cancelled` in it to stop.

    Attributes
    ----------
    scored : SeenImages
        Those images, in the order of the rows.
    distorted_visibility : numpy.ndarray
        What the visibility map says of them with the reference at hand, 0..1.

    Notes
    -----
    Images are seen whole, reflected beyond their border, as `napari_iqmaps.assess` does. What belongs to a fold, such
    as the scale of pseudo-scores, is not here, so that a bank serves all folds, and recipes that differ only in how
    they learn.
    """

    def __init__(
        self,
        config: QualityConfig,
        start: str | Path,
        manifests: Sequence[str | Path | Manifest],
        photographs: Sequence[str | Path] = (),
        *,
        keep: Path | None = None,
        device: str = "auto",
        progress: Progress | None = None,
    ) -> None:
        self.config = config
        self.manifests = [read_manifest(manifest) for manifest in manifests]
        self.table = pooled_tables(self.manifests)
        learnt = learnt_photographs([Path(path) for path in photographs], config.hold_out)
        self._state = start_state(config.network, Path(start))
        self.record = record_of(config, start, self.manifests, learnt)
        self._visibility = np.full(len(self.table), np.nan)
        found = None if keep is None else read_seen(keep, self.record)
        pairs, variants = None, min(config.pseudo_variants, config.variants)
        if learnt and variants and (found is None or _needs_cells(config)):
            pairs = PairBank(config, learnt, smallest=config.crop_side if _needs_cells(config) else _SMALLEST)
        # The scale of pseudo-scores, which hardly any fold does without.
        scale = np.flatnonzero(self.table["database"] == self.manifests[0].name)
        if pairs is None or found is not None:
            scale = scale[:0]
        count = Steps(progress, len(self.table) + (len(pairs.sources) * variants if pairs else 0) + len(scale))
        if found is None:
            self._look(pairs, variants, device, count)
            for row in scale:
                self.visibility(np.array([row]))
                _one_more(count)
            if keep is not None:
                numbers = {"visibility": self._visibility, "distorted_visibility": self.distorted_visibility}
                write_seen(keep, self.record, {"scored": self.scored, "distorted": self.distorted}, numbers)
            return
        self.scored, self.distorted = found[0]["scored"], found[0]["distorted"]
        self._visibility, self.distorted_visibility = found[1]["visibility"], found[1]["distorted_visibility"]
        if _needs_cells(config):
            for luminance in self._scored_images(count):
                self.scored.luminance.append(_fixed(luminance))
            for test, _ in _distorted_images(pairs, variants, count):
                self.distorted.luminance.append(test)

    scored: SeenImages
    distorted: SeenImages
    distorted_visibility: npt.NDArray[np.float64]

    def _look(self, pairs: PairBank | None, variants: int, device: str, count: Steps) -> None:
        """Run the network over all images."""
        target = models.resolve(device)
        network = self.network().eval().to(target, memory_format=torch.channels_last)  # type: ignore[call-overload]
        look = _Look(network, resolved_precision(self.config.precision, target) != SINGLE, target, self.config)
        self.scored, self.distorted = SeenImages(), SeenImages()
        for luminance in self._scored_images(count):
            look.at(luminance, self.scored)
        seen = []
        for test, reference in _distorted_images(pairs, variants, count):
            look.at(as_luminance(test), self.distorted)
            seen.append(_visibility(as_luminance(test), as_luminance(reference)))
        self.distorted_visibility = np.array(seen)

    def _scored_images(self, count: Steps) -> Iterator[Floats]:
        for file in self.table["file"]:
            luminance = read_luminance(file)
            if not np.isfinite(luminance).all():
                raise InputError(f"{file} has holes (NaN or infinite pixels). Training needs whole images.")
            yield luminance
            _one_more(count)

    def network(self) -> BlindNetwork:
        """Give a network as the first stage left it, a new one each time."""
        made: BlindNetwork = BLIND_CLASSES[self.config.network]()
        state = made.state_dict()
        kept = {name: tensor for name, tensor in self._state.items() if name in state and _is_learnt(name)}
        made.load_state_dict(state | kept)
        return made

    def visibility(self, rows: npt.NDArray[np.intp]) -> npt.NDArray[np.float64]:
        """Say how visible the distortions of scored images are, with the reference at hand.

        Each row is computed when it is first asked for, in about a quarter of a second.
        """
        files, references = self.table["file"], self.table["reference"]
        for row in rows[np.isnan(self._visibility[rows])]:
            self._visibility[row] = _visibility(read_luminance(files.iloc[row]), read_luminance(references.iloc[row]))
        return self._visibility[rows]

    def check(self, config: QualityConfig) -> None:
        """Refuse a recipe that this bank was not made for."""
        for name in _DECIDING:
            mine, other = getattr(self.config, name), getattr(config, name)
            if mine != other:
                raise InputError(f"The images were seen with {name} {mine}, and the recipe has {other}. See them anew.")


class _Look:
    """Runs a network over whole images and keeps what the second stage needs."""

    def __init__(self, network: BlindNetwork, half: bool, device: torch.device, config: QualityConfig) -> None:
        self.network = network
        self.half = half
        self.device = device
        self.keeps_cells = _needs_cells(config)
        self.weighs = config.reliability_weighting

    def at(self, luminance: Floats, images: SeenImages) -> None:
        rows, columns = (
            reflected(np.arange(-_MARGIN, rounded_up(length, CELL) + _MARGIN), length) for length in luminance.shape
        )
        window = torch.from_numpy(luminance[np.ix_(rows, columns)])[None, None].to(self.device)
        with torch.inference_mode():
            cells = inner_cells(cells_of(self.network, window, half=self.half), _MARGIN // CELL)
            images.pooled.append(pooled(cells)[0].cpu().numpy())
            if not self.keeps_cells:
                return
            error = cells.error.clamp_min(0)
            assert cells.sensitivity is not None
            images.perceptual.append(perceptual_error(cells.sensitivity, error, cells.reliability, self.weighs).item())
        images.error.append(error[0, 0].half().cpu().numpy())
        images.reliability.append(cells.reliability[0, 0].half().cpu().numpy())
        images.luminance.append(_fixed(luminance))


def perceptual_error(sensitivity: Tensor, error: Tensor, raw: Tensor, weighs: bool) -> Tensor:
    """Give the mean perceptual error of each image.

    `sensitivity`, `error`, `raw`: at the cells, ``(images, 1, rows, columns)``; the last is the reliability, not
    divided by its mean.
    """
    # The mean of p = s e r^ (Kim and Lee, ICASSP 2018), with r^ = r / mean(r).
    costs = sensitivity * error
    if not weighs:
        return costs.mean((1, 2, 3))
    return (costs * raw).mean((1, 2, 3)) / raw.mean((1, 2, 3)).clamp_min(UNIFORM)


def record_of(
    config: QualityConfig, start: str | Path, manifests: Sequence[Manifest], learnt: Sequence[Path]
) -> dict[str, Any]:
    """Say what decides a bank: the recipe, the weights of the first stage, the scored images, the photographs."""
    used = list(learnt) if min(config.pseudo_variants, config.variants) else []
    data = [{"manifest": each.path.name, "sha256": each.sha256, "images": len(each.table)} for each in manifests]
    return {
        "seen": {name: _plain(getattr(config, name)) for name in _DECIDING},
        "start": {"file": Path(start).name, "sha256": state_sha256(start_state(config.network, Path(start)))},
        "data": data,
        "photographs": {"number": len(used), "sha256": fingerprint(used)},
    }


def _distorted_images(pairs: PairBank | None, variants: int, count: Steps) -> Iterator[tuple[Fixed, Fixed]]:
    for index, source in enumerate(pairs.sources if pairs else ()):
        assert pairs is not None
        for variant in range(variants):
            yield pairs.test(index, variant), source.reference
            _one_more(count)


def _one_more(count: Steps) -> None:
    count.reach((count.done + 1) / count.total)


def _needs_cells(config: QualityConfig) -> bool:
    return config.network == "deepbqa"


def _plain(value: Any) -> Any:
    return list(value) if isinstance(value, tuple) else value


def _fixed(luminance: Floats) -> Fixed:
    return np.rint(luminance * FIXED_POINT).astype(np.uint16)


def _visibility(test: Floats, reference: Floats) -> float:
    return float(visibility_map(test, reference, model="contrast", data_range=(0, 255)).score)


def _is_learnt(name: str) -> bool:
    return not name.startswith(("evidence.", "uncertainty."))


def start_state(network: str, path: Path) -> dict[str, Tensor]:
    """Read the weights of a first stage."""
    tensors = {name: tensor.float() for name, tensor in models.read_state(path)[0].items()}
    state = BLIND_CLASSES[network]().state_dict()
    needed = [name for name in state if name.startswith(("trunk.", "sensitivity."))]
    missing = [name for name in needed if name not in tensors or tensors[name].shape != state[name].shape]
    if missing:
        raise WeightsError(
            f"{path} cannot start {network}: {len(missing)} of its {len(needed)} tensors are missing or of another "
            f"shape; the first is {missing[0]}. Give a first stage of {network}"
            f"{' or deepbqa' if network == 'diqa' else ''}."
        )
    return {name: tensor for name, tensor in tensors.items() if name in state and tensor.shape == state[name].shape}


def state_sha256(state: Mapping[str, Any]) -> str:
    """Give the sha256 of what a network has learnt, whatever its file says besides."""
    digest = hashlib.sha256()
    for name in sorted(state):
        if _is_learnt(name):
            digest.update(name.encode() + state[name].contiguous().numpy().tobytes())
    return digest.hexdigest()
