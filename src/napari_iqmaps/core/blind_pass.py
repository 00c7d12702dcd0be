"""One pass of a blind network over images of any size: its maps at the pixels, and the sums that scores are made of.

Imports torch; the public functions in `blind` load this module when they are called, not before.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from . import images, models
from .evidence import UNIFORM
from .images import Planes
from .maps import lazy_mean_of_valid
from .networks.blind import (
    CELL,
    DIQA,
    FEATURES,
    INPUT_SCALE,
    LOW_SCALE,
    NORMALISED_REACH,
    BlindNetwork,
    DeepBQA,
    ErrorTrunk,
    SensitivityNet,
    at_pixels,
    normalised,
    objective_error,
    quarter,
    reliability,
)
from .progress import Progress
from .tiling import each_tile, rounded_up, tile_side

Plane = npt.NDArray[np.float32]
Numbers = npt.NDArray[np.float64]

_NETWORKS: Mapping[str, type[DIQA | DeepBQA]] = {"diqa": DIQA, "deepbqa": DeepBQA}
LONGEST_HALO = rounded_up(ErrorTrunk.REACH + 1, CELL) + images.REACH
"""Pixels to each side on which anything of a pass depends."""

_CPU_TILE = 320
_OTHER_TILE = 1024
_MIDDLE = 127.5  # taken off the low frequencies before they are squared, for the precision of their spread


class Answer(NamedTuple):
    """What a pass says of one tile.

    Attributes
    ----------
    layers : dict
        Kind to its values at the pixels, float32 ``(height, width)``, NaN in holes; reliability and perceptual error
        are not divided by the mean reliability.
    sums : numpy.ndarray
        float64, over the valid cells; see `Sums`.
    """

    layers: dict[str, Plane]
    sums: Numbers


class Sums:
    """Sums over the valid cells of each plane; numpy or dask alike."""

    COUNT = 5 + FEATURES

    def __init__(self, values: Any) -> None:
        self.values = values
        self.cells = values[..., 0]

    @property
    def reliability(self) -> Any:
        """Mean reliability, not divided by anything."""
        return self._mean(1)

    @property
    def perceptual_error(self) -> Any:
        """Sum of sensitivity x error x reliability, divided by the sum of the reliability."""
        with np.errstate(invalid="ignore"):
            return self.values[..., 2] / self.values[..., 1]

    @property
    def pooled(self) -> Any:
        """What `napari_iqmaps.core.networks.blind.pooled` gives for a whole image, ``(..., 130)``."""
        with np.errstate(invalid="ignore"):
            means = self.values / self.cells[..., None]
        spread = np.sqrt(np.maximum(means[..., 4] - means[..., 3] ** 2, 0)) / LOW_SCALE
        return np.concatenate([means[..., 5:], means[..., 1:2], spread[..., None]], axis=-1)

    def _mean(self, index: int) -> Any:
        with np.errstate(invalid="ignore"):
            return self.values[..., index] / self.cells


class BlindOperator:
    """Everything a blind network is asked about a tile, from one look at it.

    Parameters
    ----------
    network : BlindNetwork, optional
        Not needed for the objective error and the reliability, which are closed forms.
    scores : bool
        Whether the sums have to have all that a score is made of.
    """

    multiple = CELL

    def __init__(
        self,
        kinds: Collection[str],
        network: BlindNetwork | None = None,
        *,
        scores: bool = False,
        device: torch.device | None = None,
    ) -> None:
        self.kinds = frozenset(kinds)
        self.network = network
        self.device = device or torch.device("cpu")
        self.runs_trunk = scores or not self.kinds.isdisjoint({"error", "perceptual_error"})
        self.runs_sensitivity = isinstance(network, DeepBQA) and (
            scores or not self.kinds.isdisjoint({"sensitivity", "perceptual_error"})
        )
        # One more cell than the tile has is needed at its end, to interpolate towards.
        reach = ErrorTrunk.REACH if self.runs_trunk else 2 * NORMALISED_REACH
        self.margin = rounded_up(reach + 1, CELL)
        self.halo = self.margin + images.REACH
        self.tile = _CPU_TILE if self.device.type == "cpu" else _OTHER_TILE

    def __call__(self, windows: Sequence[Plane]) -> Answer:
        """Say everything about a tile.

        Parameters
        ----------
        windows : sequence of numpy.ndarray
            float32 luminance of the image and, for the objective error, of its reference, NaN in holes,
            ``(height + 2 halo, width + 2 halo)``.
        """
        image = windows[0]
        valid = np.isfinite(_cropped(image, self.halo))
        with torch.inference_mode(), models.full_precision(self.device):
            luminance = self._tensor(images.fill(image))
            detail = normalised(luminance)
            cells = self._cells(luminance, detail)
            layers = {kind: self._plane(cells[kind], valid) for kind in self._interpolated()}
            sums = self._sums(cells, valid[::CELL, ::CELL])
            if "objective_error" in self.kinds:
                layers["objective_error"] = self._objective_error(windows, detail)
        return Answer(layers, sums)

    def _interpolated(self) -> list[str]:
        wanted = self.kinds - {"objective_error"}
        if "perceptual_error" in wanted:
            wanted |= {"reliability"}  # whose mean it has to be divided by
        return sorted(wanted)

    def _tensor(self, window: Plane) -> Tensor:
        part = np.ascontiguousarray(_cropped(window, images.REACH))
        return torch.from_numpy(part).to(self.device)[None, None]

    def _cells(self, luminance: Tensor, detail: Tensor) -> dict[str, Tensor]:
        """Give all that is asked for on the cells of the tile and the first beyond it."""
        rows, columns = ((length - 2 * self.margin) // CELL + 1 for length in luminance.shape[-2:])

        def inner(cells: Tensor, margin: int) -> Tensor:
            first = margin // CELL
            return cells[..., first : first + rows, first : first + columns]

        cells = {"reliability": inner(reliability(detail), self.margin)}
        if self.network is None:
            return cells
        if self.runs_trunk:
            kept = rounded_up(ErrorTrunk.REACH - NORMALISED_REACH + 1, CELL)
            features, error = self.network.trunk(self._scaled(detail, kept))
            cells |= {"features": inner(features, kept), "error": inner(error, kept).clamp_min(0)}
            cells["low"] = inner(quarter(luminance), self.margin)
        if self.runs_sensitivity:
            kept = rounded_up(SensitivityNet.REACH + 1, CELL)
            sensitivity = self.network.sensitivity_of(self._scaled(detail, kept))
            assert sensitivity is not None
            cells["sensitivity"] = inner(sensitivity, kept)
            if self.runs_trunk:
                cells["perceptual_error"] = cells["sensitivity"] * cells["error"] * cells["reliability"]
        return cells

    def _scaled(self, detail: Tensor, kept: int) -> Tensor:
        """Give a network its input with no more margin than it looks at."""
        cut = self.margin - kept
        scaled = detail[..., cut : detail.shape[-2] - cut, cut : detail.shape[-1] - cut] / INPUT_SCALE
        return scaled.contiguous(memory_format=torch.channels_last)

    def _plane(self, cells: Tensor, valid: npt.NDArray[np.bool_]) -> Plane:
        plane: Plane = at_pixels(cells)[0, 0].cpu().numpy()
        return np.where(valid, plane, np.float32(np.nan))

    def _objective_error(self, windows: Sequence[Plane], detail: Tensor) -> Plane:
        image, reference = windows
        known = np.isfinite(image) & np.isfinite(reference)
        if not np.array_equal(known, np.isfinite(image)):
            detail = self._detail_within(image, known)
        error = objective_error(self._detail_within(reference, known), detail)
        rows, columns = ((length - 2 * self.margin) // CELL + 1 for length in detail.shape[-2:])
        first = self.margin // CELL
        inner = error[..., first : first + rows, first : first + columns]
        return self._plane(inner, _cropped(known, self.halo))

    def _detail_within(self, window: Plane, known: npt.NDArray[np.bool_]) -> Tensor:
        """Normalise with the holes of both images: what fills a hole of one must not face pixels of the other."""
        return normalised(self._tensor(images.fill(np.where(known, window, np.float32(np.nan)))))

    def _sums(self, cells: Mapping[str, Tensor], valid: npt.NDArray[np.bool_]) -> Numbers:
        sums = np.zeros(Sums.COUNT)
        mask = torch.from_numpy(np.ascontiguousarray(valid)).to(self.device)

        def total(cells: Tensor) -> Any:
            # Rows are short enough for float32; not every device has float64.
            return (cells[0, :, :-1, :-1] * mask).sum(2).cpu().numpy().sum(1, dtype=np.float64)

        sums[:2] = valid.sum(), *total(cells["reliability"])
        if "perceptual_error" in cells:
            sums[2:3] = total(cells["perceptual_error"])
        if "features" in cells:
            low = cells["low"] - _MIDDLE
            sums[3:4], sums[4:5], sums[5:] = total(low), total(low * low), total(cells["features"])
        return sums


def run(
    operator: BlindOperator, inputs: Sequence[Planes], *, tile: int | None, progress: Progress | None
) -> tuple[dict[str, Any], Sums]:
    """Pass over all planes.

    Returns
    -------
    maps : dict
        Kind to values, float32, the image's shape. Arrays of dask if an input is lazy and a map is asked for.
    sums : Sums
        Over the valid cells of each plane, lazy if the maps are.
    """
    side = tile_side(operator, tile)
    if operator.kinds and any(planes.is_lazy for planes in inputs):
        return _lazily(operator, inputs, side)
    shape = inputs[0].shape
    maps = {kind: np.empty(shape, np.float32) for kind in operator.kinds}
    sums = np.zeros((*shape[:-2], Sums.COUNT))
    # Sum and number of the reliability over the valid pixels, which are not kept if only another map is wanted.
    weight = np.zeros((*shape[:-2], 2))
    for place, windows in each_tile(operator, inputs, side, progress):
        answer = operator(windows)
        sums[place[:-2]] += answer.sums
        rows, columns = (part.stop - part.start for part in place[-2:])
        for kind, values in answer.layers.items():
            inner = values[:rows, :columns]
            if kind in maps:
                maps[kind][place] = inner
            if kind == "reliability":
                valid = np.isfinite(inner)
                weight[place[:-2]] += inner.sum(where=valid, dtype=np.float64), valid.sum()
    with np.errstate(invalid="ignore"):
        mean = weight[..., 0] / weight[..., 1]
    factor = np.where(mean >= UNIFORM, 1 / np.maximum(mean, UNIFORM), np.nan).astype(np.float32)
    for kind in operator.kinds & {"reliability", "perceptual_error"}:
        maps[kind] *= factor[..., None, None]
    return maps, Sums(sums)


def _lazily(operator: BlindOperator, inputs: Sequence[Planes], side: int) -> tuple[dict[str, Any], Sums]:
    import dask.array as da

    from .tiling import LazyTiles

    tiles = LazyTiles(operator, operator, inputs, side)
    maps = {kind: tiles.plane(_Layer(kind)) for kind in operator.kinds}
    if operator.kinds & {"reliability", "perceptual_error"}:
        mean = lazy_mean_of_valid(maps.get("reliability", tiles.plane(_Layer("reliability"))))
        factor = da.where(mean >= UNIFORM, 1 / da.maximum(mean, UNIFORM), np.nan).astype(np.float32)
        for kind in operator.kinds & {"reliability", "perceptual_error"}:
            maps[kind] = maps[kind] * factor[..., None, None]
    return maps, Sums(tiles.numbers(_sums_of, Sums.COUNT))


@dataclass(frozen=True)
class _Layer:
    """Picks a layer; a class, so that lazy maps can be pickled."""

    kind: str

    def __call__(self, answer: Answer) -> Plane:
        return answer.layers[self.kind]


def _sums_of(answer: Answer) -> Numbers:
    return answer.sums


def load_network(record: models.WeightsRecord, device: torch.device) -> DIQA | DeepBQA:
    """Read a blind network from verified weights; the last ones stay ready.

    Returns
    -------
    DIQA or DeepBQA
        float32, in evaluation mode.
    """
    make: Callable[[], DIQA | DeepBQA] = _NETWORKS[record.network]
    return models.load_network(make, record, device)


def _cropped(plane: Any, margin: int) -> Any:
    return plane[margin:-margin, margin:-margin]
