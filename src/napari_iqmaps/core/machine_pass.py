"""One pass of the metrifier over images of any size: its map at the pixels, and the sums that scores are made of.

Imports torch; the public functions in `machine` load this module when they are called, not before.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.nn import functional

from . import images, models
from .images import REC709_WEIGHTS, Planes, luminance
from .machine_assessment import MIDDLE, SUMS
from .models import WeightsRecord
from .networks.blind import at_pixels
from .networks.metrifier import CELL, CHANNELS, Metrifier
from .progress import Progress
from .tiling import each_tile, tile_side

Plane = npt.NDArray[np.float32]
Numbers = npt.NDArray[np.float64]

TRAINED, HALF = 1.0, 0.5
"""Scales at which the network looks: pixels of its picture for one of the image, to each side."""

SMALLEST_HALVED = 64
"""Pixels to a side from which an image is looked at in half its size as well: a half is no smaller than 32."""

_WHITE = 255.0
_BLUR = (0.25, 0.5, 0.25)
_FINE_REACH = Metrifier.REACH
_HALF_REACH = 2 * Metrifier.REACH + 1  # 1 for the blur
LONGEST_HALO = _HALF_REACH + 1 + images.REACH
"""Pixels to each side on which anything of a pass depends."""

_CPU_TILE = 256
_OTHER_TILE = 1024


def scales_for(shape: tuple[int, ...]) -> tuple[float, ...]:
    """Tell at which scales an image is looked at.

    Returns
    -------
    tuple of float
        The scale of the training, and for an image of at least 64 pixels to each side half of it.
    """
    return (TRAINED, HALF) if min(shape[-2:]) >= SMALLEST_HALVED else (TRAINED,)


class MachineOperator:
    """What the metrifier says of a tile."""

    def __init__(self, network: Metrifier, scales: tuple[float, ...], device: torch.device) -> None:
        self.network = network
        self.scales = scales
        self.device = device
        is_halved = HALF in scales
        # One more cell than the tile has is needed at its end, to interpolate towards; it sits on the next pixel.
        self.margin = (_HALF_REACH if is_halved else _FINE_REACH) + 1
        self.halo = self.margin + images.REACH
        self.multiple = 2 * CELL if is_halved else CELL
        self.tile = _CPU_TILE if device.type == "cpu" else _OTHER_TILE

    def __call__(self, windows: Sequence[Plane]) -> Plane:
        """Give the map of a tile.

        Parameters
        ----------
        windows : sequence of numpy.ndarray
            The image's colours, or its grey values alone, 0..255, NaN in holes, each ``(height + 2 halo, width + 2
            halo)``.

        Returns
        -------
        numpy.ndarray
            float32, 0 to 1, NaN in holes, ``(height, width)``.
        """
        holed = ~np.isfinite(windows).all(axis=0)
        if holed.any():
            windows = [images.fill(np.where(holed, np.float32(np.nan), window)) for window in windows]
        with torch.inference_mode(), models.full_precision(self.device):
            colours = self._tensor(windows)
            probability = at_pixels(self._cells(self._within(colours, _FINE_REACH)), CELL)
            if HALF in self.scales:
                halved = _halved(self._within(colours, _HALF_REACH))
                probability = (probability + at_pixels(self._cells(halved), 2 * CELL)) / 2
            plane: Plane = probability[0, 0].cpu().numpy()
        return np.where(_inner(holed, self.halo), np.float32(np.nan), plane)

    def _tensor(self, windows: Sequence[Plane]) -> Tensor:
        stacked = np.stack([_inner(window, images.REACH) for window in windows])
        return (torch.from_numpy(stacked).to(self.device) / _WHITE).expand(CHANNELS, -1, -1)[None]

    def _cells(self, colours: Tensor) -> Tensor:
        """Give the cells of the tile and the first beyond it, between which there are pixels."""
        cells: Tensor = torch.sigmoid(self.network(colours.contiguous(memory_format=torch.channels_last)))
        return cells

    def _within(self, colours: Tensor, reach: int) -> Tensor:
        """Keep what is within reach of the first cell of the tile up to the first beyond it."""
        start, stop = self.margin - reach, reach + 1 - self.margin
        return colours[..., start : colours.shape[-2] + stop, start : colours.shape[-1] + stop]


def run(
    operator: MachineOperator, planes: Planes, *, keeps_map: bool, tile: int | None, progress: Progress | None
) -> tuple[Any, Any]:
    """Pass over all planes.

    Parameters
    ----------
    keeps_map : bool
        Whether the map is wanted, or the sums alone.

    Returns
    -------
    values : numpy.ndarray, dask.array.Array or None
        float32, the image's shape; of dask if the image is; None if it is not wanted.
    sums : numpy.ndarray or dask.array.Array
        float64, ``(..., SUMS)``, in the order that `napari_iqmaps.core.machine_assessment` reads; lazy if `values` is.
    """
    side = tile_side(operator, tile)
    if planes.is_lazy and keeps_map:
        from .tiling import apply_lazily

        values = apply_lazily(operator, planes.colours(), side)
        return values, _lazy_sums(values, planes.lazy_luminance())
    together = _Colours(planes.array, planes.has_channels, planes.data_range, planes.display)
    values = np.empty(planes.shape, np.float32) if keeps_map else None
    sums = np.zeros((*planes.shape[:-2], SUMS))
    for place, (colours,) in each_tile(operator, [together], side, progress):
        rows, columns = (part.stop - part.start for part in place[-2:])
        answer = operator(list(colours))[:rows, :columns]
        grey = _grey([_inner(colour, operator.halo)[:rows, :columns] for colour in colours])
        sums[place[:-2]] += _sums(answer, grey)
        if values is not None:
            values[place] = answer
    return values, sums


def load_metrifier(record: WeightsRecord, device: torch.device) -> Metrifier:
    """Read the metrifier from verified weights; see `napari_iqmaps.core.models.load_network`."""
    return models.load_network(Metrifier, record, device)


class _Colours(Planes):
    """Planes of which all colours are read at once, so that a file behind them is read once."""

    def read(self, plane: tuple[int, ...], rows: Any, columns: Any) -> Plane:
        """Give ``(colours, rows, columns)``; see `Planes.read`."""
        pixels = self.window(plane, rows, columns)
        parts = [pixels[..., channel] for channel in range(pixels.shape[-1])][:CHANNELS]
        return np.stack([
            luminance(part, self.data_range, has_channels=False, display=self.display)
            for part in (parts if self.has_channels else [pixels])
        ])  # fmt: skip


def _inner(plane: Any, margin: int) -> Any:
    return plane[margin:-margin, margin:-margin]


def _halved(colours: Tensor) -> Tensor:
    """Blur and take every second pixel, those that cells of both scales sit on among them."""
    blur = torch.tensor(_BLUR, device=colours.device)
    kernel = (blur[:, None] * blur).expand(colours.shape[1], 1, -1, -1)
    return functional.conv2d(colours, kernel, stride=2, groups=colours.shape[1])


def _grey(colours: Sequence[Plane]) -> Numbers:
    weights = REC709_WEIGHTS if len(colours) == CHANNELS else (1.0,)
    return np.tensordot(weights, np.asarray(colours, np.float64), 1)


def _sums(values: Plane, grey: Numbers) -> Numbers:
    cells = values[::CELL, ::CELL]
    seen, valid = np.isfinite(cells), np.isfinite(values)
    light = np.where(valid, grey, MIDDLE) - MIDDLE
    return np.array([
        seen.sum(), cells.sum(where=seen, dtype=np.float64), valid.sum(), light.sum(), (light * light).sum()
    ])  # fmt: skip


def _lazy_sums(values: Any, grey: Any) -> Any:
    import dask.array as da

    cells = values[..., ::CELL, ::CELL]
    seen, valid = da.isfinite(cells), da.isfinite(values)
    light = da.where(da.isfinite(grey), grey.astype(np.float64), MIDDLE) - MIDDLE
    terms = seen, da.where(seen, cells, 0), valid, light, light * light
    return da.stack([term.sum(axis=(-2, -1), dtype=np.float64) for term in terms], axis=-1)
