"""One pass of a network over images of any size: its maps at the pixels, and the sums that scores are made of.

Imports torch; the public functions in `blind` and `machine` load this module when they are called, not before.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.nn import functional

from . import images, models
from .evidence import UNIFORM
from .images import REC709_WEIGHTS, Planes
from .networks.blind import (
    CELL,
    FEATURES,
    INPUT_SCALE,
    LOW_SCALE,
    NORMALISED_REACH,
    BlindNetwork,
    DeepBQA,
    ErrorTrunk,
    SensitivityNet,
    normalised,
    objective_error,
    quarter,
    reliability,
)
from .networks.metrifier import CHANNELS, Metrifier
from .progress import Progress
from .tiling import LazyTiles, Windowed, each_tile, rounded_up, tile_side

Plane = npt.NDArray[np.float32]
Numbers = npt.NDArray[np.float64]

_MIDDLE = 127.5  # code values, taken off before squares are added up, for the precision of their spread
_OTHER_TILE = 1024  # of what is no CPU


@dataclass(frozen=True, eq=False)
class Answer:
    """What an operator says of one tile; no tuple, since dask takes a tuple that it has cached for a part of its graph.

    `layers` are kinds to values at the pixels, float32 ``(height, width)``, NaN in holes; `sums`, float64, is what the
    tile adds to the sums of its plane.
    """

    layers: dict[str, Plane]
    sums: Numbers


class NetworkOperator(Windowed, Protocol):
    """What turns the windows of a tile into its share of the maps (`kinds`) and of a plane's sums (`numbers`)."""

    kinds: tuple[str, ...]
    numbers: int

    def __call__(self, windows: Sequence[Plane], shape: tuple[int, int]) -> Answer:
        """Answer a tile, of `shape` inside the image, from one window an input, each with its halo."""
        ...

    def finished(self, maps: dict[str, Any], sums: Any) -> dict[str, Any]:
        """Give the maps when the sums of whole planes are known; numpy or dask alike."""
        ...


def run(
    operator: NetworkOperator, inputs: Sequence[Planes], *, tile: int | None, progress: Progress | None
) -> tuple[dict[str, Any], Any]:
    """Pass over all planes; give kinds to values, float32 of the image's shape, and sums, float64 ``(..., numbers)``.

    Both are arrays of dask if an input is lazy and a map is wanted.
    """
    side = tile_side(operator, tile)
    if operator.kinds and any(planes.is_lazy for planes in inputs):
        tiles = LazyTiles(operator, operator, inputs, side)
        lazy_sums = tiles.numbers(_sums_of, operator.numbers)
        return operator.finished(
            {kind: tiles.plane(partial(_layer_of, kind)) for kind in operator.kinds}, lazy_sums
        ), lazy_sums
    shape = inputs[0].shape
    maps = {kind: np.empty(shape, np.float32) for kind in operator.kinds}
    sums = np.zeros((*shape[:-2], operator.numbers))
    for place, windows in each_tile(operator, inputs, side, progress):
        rows, columns = place[-2:]
        answer = operator(windows, (rows.stop - rows.start, columns.stop - columns.start))
        sums[place[:-2]] += answer.sums
        for kind, values in maps.items():
            values[place] = answer.layers[kind]
    return operator.finished(maps, sums), sums


def _layer_of(kind: str, answer: Answer) -> Plane:
    return answer.layers[kind]


def _sums_of(answer: Answer) -> Numbers:
    return answer.sums


def at_pixels(cells: Tensor, distance: int = CELL) -> Tensor:
    """Interpolate cells bilinearly to the pixels, each cell on its pixel.

    Cells, ``(images, channels, rows, columns)`` and `distance` pixels apart, become the pixels from the first cell up
    to just before the last: ``(images, channels, distance (rows - 1), distance (columns - 1))``.
    """
    rows, columns = (distance * (length - 1) + 1 for length in cells.shape[-2:])
    fine = functional.interpolate(cells, (rows, columns), mode="bilinear", align_corners=True)
    return fine[..., :-1, :-1]


def _cropped(plane: Any, margin: int) -> Any:
    return plane[margin:-margin, margin:-margin]


def _ratio(total: Any, count: Any) -> Any:
    """Divide sums by numbers, NaN where there is none; numpy or dask alike."""
    with np.errstate(invalid="ignore"):
        return total / count


class BlindSums:
    """Sums of a blind network's pass over each plane; numpy or dask alike.

    In this order: valid cells, and over them the reliability r, the perceptual error s e r, the low frequencies less
    127.5, and the square of that; valid pixels, and over them r; over the valid cells again each of the features.
    """

    COUNT = 7 + FEATURES

    def __init__(self, values: Any) -> None:
        self.values = values
        self.cells = values[..., 0]

    @property
    def reliability(self) -> Any:
        """Mean reliability over the cells, not divided by anything."""
        return _ratio(self.values[..., 1], self.cells)

    @property
    def reliability_at_pixels(self) -> Any:
        """Mean reliability over the pixels, known where a map was made that has to be divided by it."""
        return _ratio(self.values[..., 6], self.values[..., 5])

    @property
    def perceptual_error(self) -> Any:
        """Mean of s e r / mean(r), which is the sum of s e r over the sum of r (DeepBQA, the pooled error)."""
        return _ratio(self.values[..., 2], self.values[..., 1])

    @property
    def pooled(self) -> Any:
        """What `napari_iqmaps.core.networks.blind.pooled` gives for a whole image, ``(..., 130)``."""
        means = _ratio(self.values, self.cells[..., None])
        # Of the population: the mean of the squares less the square of the mean.
        spread = np.sqrt(np.maximum(means[..., 4] - means[..., 3] ** 2, 0)) / LOW_SCALE
        return np.concatenate([means[..., 7:], means[..., 1:2], spread[..., None]], axis=-1)


class BlindOperator:
    """Everything a blind network is asked about a tile, from one look at it.

    The objective error and the reliability are closed forms and need no network; with `scores` the sums have all that a
    score is made of.
    """

    multiple = CELL
    numbers = BlindSums.COUNT
    LONGEST_HALO = rounded_up(ErrorTrunk.REACH + 1, CELL) + images.REACH
    CPU_TILE = 320

    def __init__(
        self,
        kinds: Collection[str],
        network: BlindNetwork | None = None,
        *,
        scores: bool = False,
        device: torch.device | None = None,
    ) -> None:
        self.kinds = tuple(kinds)
        self.network = network
        self.device = device or torch.device("cpu")
        self.runs_trunk = scores or self._wants("error", "perceptual_error")
        self.runs_sensitivity = isinstance(network, DeepBQA) and (
            scores or self._wants("sensitivity", "perceptual_error")
        )
        # One more cell than the tile has is needed at its end, to interpolate towards.
        reach = ErrorTrunk.REACH if self.runs_trunk else 2 * NORMALISED_REACH
        self.margin = rounded_up(reach + 1, CELL)
        self.halo = self.margin + images.REACH
        self.tile = self.CPU_TILE if self.device.type == "cpu" else _OTHER_TILE

    def __call__(self, windows: Sequence[Plane], shape: tuple[int, int]) -> Answer:
        """Answer a tile from the luminance of the image and, for the objective error, of its reference."""
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
        layers = {kind: values[: shape[0], : shape[1]] for kind, values in layers.items()}
        if "reliability" in layers:
            known = np.isfinite(layers["reliability"])
            sums[5:7] = known.sum(), layers["reliability"].sum(where=known, dtype=np.float64)
        return Answer(layers, sums)

    def finished(self, maps: dict[str, Any], sums: Any) -> dict[str, Any]:
        """Divide reliability and perceptual error by the plane's mean reliability: r / mean(r), s e r / mean(r)."""
        if self._wants("reliability", "perceptual_error"):
            mean = BlindSums(sums).reliability_at_pixels
            factor = np.where(mean >= UNIFORM, 1 / np.maximum(mean, UNIFORM), np.nan).astype(np.float32)
            for kind in {"reliability", "perceptual_error"}.intersection(maps):
                maps[kind] *= factor[..., None, None]
        return maps

    def _wants(self, *kinds: str) -> bool:
        return not set(kinds).isdisjoint(self.kinds)

    def _interpolated(self) -> list[str]:
        wanted = set(self.kinds) - {"objective_error"}
        if "perceptual_error" in wanted:
            wanted |= {"reliability"}  # whose mean it has to be divided by
        return sorted(wanted)

    def _tensor(self, window: Plane) -> Tensor:
        part = np.ascontiguousarray(_cropped(window, images.REACH))
        return torch.from_numpy(part).to(self.device)[None, None]

    def _cells(self, luminance: Tensor, detail: Tensor) -> dict[str, Tensor]:
        """Give all that is asked for on the cells of the tile and the first beyond it."""
        cells = {"reliability": self._inner(reliability(detail), luminance, self.margin)}
        if self.network is None:
            return cells
        if self.runs_trunk:
            kept = rounded_up(ErrorTrunk.REACH - NORMALISED_REACH + 1, CELL)
            features, error = self.network.trunk(self._scaled(detail, kept))
            cells["features"] = self._inner(features, luminance, kept)
            cells["error"] = self._inner(error, luminance, kept).clamp_min(0)
            cells["low"] = self._inner(quarter(luminance), luminance, self.margin)
        if self.runs_sensitivity:
            kept = rounded_up(SensitivityNet.REACH + 1, CELL)
            sensitivity = self.network.sensitivity_of(self._scaled(detail, kept))
            assert sensitivity is not None
            cells["sensitivity"] = self._inner(sensitivity, luminance, kept)
            if self.runs_trunk:
                # DeepBQA: the perceptual error of a cell is s e r, here before the division by mean(r).
                cells["perceptual_error"] = cells["sensitivity"] * cells["error"] * cells["reliability"]
        return cells

    def _inner(self, cells: Tensor, pixels: Tensor, margin: int) -> Tensor:
        """Keep the cells of the tile and the first beyond it, of what begins `margin` pixels before the tile."""
        rows, columns = ((length - 2 * self.margin) // CELL + 1 for length in pixels.shape[-2:])
        first = margin // CELL
        return cells[..., first : first + rows, first : first + columns]

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
        return self._plane(self._inner(error, detail, self.margin), _cropped(known, self.halo))

    def _detail_within(self, window: Plane, known: npt.NDArray[np.bool_]) -> Tensor:
        """Normalise with the holes of both images: what fills a hole of one must not face pixels of the other."""
        return normalised(self._tensor(images.fill(np.where(known, window, np.float32(np.nan)))))

    def _sums(self, cells: Mapping[str, Tensor], valid: npt.NDArray[np.bool_]) -> Numbers:
        sums = np.zeros(BlindSums.COUNT)
        mask = torch.from_numpy(np.ascontiguousarray(valid)).to(self.device)

        def total(cells: Tensor) -> Any:
            # Rows are short enough for float32; not every device has float64.
            return (cells[0, :, :-1, :-1] * mask).sum(2).cpu().numpy().sum(1, dtype=np.float64)

        sums[:2] = valid.sum(), *total(cells["reliability"])
        if "perceptual_error" in cells:
            sums[2:3] = total(cells["perceptual_error"])
        if "features" in cells:
            low = cells["low"] - _MIDDLE
            sums[3:4], sums[4:5], sums[7:] = total(low), total(low * low), total(cells["features"])
        return sums


class MachineSums:
    """Sums of the metrifier's pass over each plane; numpy or dask alike.

    In this order: valid cells and the sum of their probabilities; valid pixels, and over them the luminance less 127.5
    and the square of that.
    """

    COUNT = 5

    def __init__(self, values: Any) -> None:
        self.values = values
        self.cells, self.pixels = values[..., 0], values[..., 2]

    @property
    def probability(self) -> Any:
        """Mean probability over the cells: the score."""
        return _ratio(self.values[..., 1], self.cells)

    @property
    def spread(self) -> Any:
        """Standard deviation of the luminance (of the population), in code values of 255."""
        mean, squares = (_ratio(self.values[..., number], self.pixels) for number in (3, 4))
        return np.sqrt(np.maximum(squares - mean**2, 0))


TRAINED, HALF = 1.0, 0.5
"""Scales at which the metrifier looks: pixels of its picture for one of the image, to each side."""

SMALLEST_HALVED = 64
"""Pixels to a side from which an image is looked at in half its size as well: a half is no smaller than 32."""

_WHITE = 255.0
_BLUR = (0.25, 0.5, 0.25)
_FINE_REACH = Metrifier.REACH
_HALF_REACH = 2 * Metrifier.REACH + 1  # 1 for the blur


def scales_for(shape: tuple[int, ...]) -> tuple[float, ...]:
    """Tell at which scales an image is looked at: the training's, and from 64 pixels to each side half of it."""
    return (TRAINED, HALF) if min(shape[-2:]) >= SMALLEST_HALVED else (TRAINED,)


class MachineOperator:
    """What the metrifier says of a tile."""

    numbers = MachineSums.COUNT
    LONGEST_HALO = _HALF_REACH + 1 + images.REACH
    CPU_TILE = 256

    def __init__(
        self, kinds: Collection[str], network: Metrifier, scales: tuple[float, ...], device: torch.device
    ) -> None:
        self.kinds = tuple(kinds)
        self.network = network
        self.scales = scales
        self.device = device
        is_halved = HALF in scales
        # One more cell than the tile has is needed at its end, to interpolate towards; it sits on the next pixel.
        self.margin = (_HALF_REACH if is_halved else _FINE_REACH) + 1
        self.halo = self.margin + images.REACH
        self.multiple = 2 * CELL if is_halved else CELL
        self.tile = self.CPU_TILE if device.type == "cpu" else _OTHER_TILE

    def __call__(self, windows: Sequence[Plane], shape: tuple[int, int]) -> Answer:
        """Answer a tile from the image's colours, 0..255, or its grey values alone: one window each, or one of all."""
        colours: Plane = np.reshape(windows, (-1, *windows[0].shape[-2:]))
        holed = ~np.isfinite(colours).all(axis=0)
        filled = [images.fill(np.where(holed, np.float32(np.nan), colour)) for colour in colours]
        with torch.inference_mode(), models.full_precision(self.device):
            seen = self._tensor(filled)
            probability = at_pixels(self._cells(self._within(seen, _FINE_REACH)), CELL)
            if HALF in self.scales:
                halved = _halved(self._within(seen, _HALF_REACH))
                probability = (probability + at_pixels(self._cells(halved), 2 * CELL)) / 2
            plane: Plane = probability[0, 0].cpu().numpy()
        values = np.where(_cropped(holed, self.halo), np.float32(np.nan), plane)[: shape[0], : shape[1]]
        grey = _grey([_cropped(colour, self.halo)[: shape[0], : shape[1]] for colour in colours])
        return Answer({"machine_quality": values}, _machine_sums(values, grey))

    def finished(self, maps: dict[str, Any], sums: Any) -> dict[str, Any]:
        """Give the maps as they are."""
        return maps

    def _tensor(self, windows: Sequence[Plane]) -> Tensor:
        stacked = np.stack([_cropped(window, images.REACH) for window in windows])
        return (torch.from_numpy(stacked).to(self.device) / _WHITE).expand(CHANNELS, -1, -1)[None]

    def _cells(self, colours: Tensor) -> Tensor:
        """Give the cells of the tile and the first beyond it, between which there are pixels."""
        cells: Tensor = torch.sigmoid(self.network(colours.contiguous(memory_format=torch.channels_last)))
        return cells

    def _within(self, colours: Tensor, reach: int) -> Tensor:
        """Keep what is within reach of the first cell of the tile up to the first beyond it."""
        start, stop = self.margin - reach, reach + 1 - self.margin
        return colours[..., start : colours.shape[-2] + stop, start : colours.shape[-1] + stop]


class Colours(Planes):
    """Planes of which all colours are read at once, so that a file behind them is read once."""

    def read(self, plane: tuple[int, ...], rows: Any, columns: Any) -> Plane:
        """Give ``(colours, rows, columns)``; see `Planes.read`."""
        pixels = self.window(plane, rows, columns)
        parts = [pixels[..., channel] for channel in range(pixels.shape[-1])][:CHANNELS]
        return np.stack(
            [
                images.luminance(part, self.data_range, has_channels=False, display=self.display)
                for part in (parts if self.has_channels else [pixels])
            ]
        )


def _halved(colours: Tensor) -> Tensor:
    """Blur and take every second pixel, those that cells of both scales sit on among them."""
    blur = torch.tensor(_BLUR, device=colours.device)
    kernel = (blur[:, None] * blur).expand(colours.shape[1], 1, -1, -1)
    return functional.conv2d(colours, kernel, stride=2, groups=colours.shape[1])


def _grey(colours: Sequence[Plane]) -> Numbers:
    weights = REC709_WEIGHTS if len(colours) == CHANNELS else (1.0,)
    return np.tensordot(weights, np.asarray(colours, np.float64), 1)


def _machine_sums(values: Plane, grey: Numbers) -> Numbers:
    cells = values[::CELL, ::CELL]
    seen, valid = np.isfinite(cells), np.isfinite(values)
    light = np.where(valid, grey, _MIDDLE) - _MIDDLE
    return np.array(
        [seen.sum(), cells.sum(where=seen, dtype=np.float64), valid.sum(), light.sum(), (light * light).sum()]
    )
