"""From a trained threshold model to local operators that tiling can run: cells, centring, upsampling, holes.

Imports torch; the public functions in `visibility` load this module when they are called, not before.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import lru_cache, partial

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.nn import functional

from . import images, models, observers
from .networks.pnet import DensePNet, PNet
from .observers import Observer

Plane = npt.NDArray[np.float32]

_CONTRAST_TILE = 512


class CellGrid:
    """Turns a window of pixels into thresholds at its pixels, with each cell centred on its patch.

    `evaluate` gives, from luminance ``(1, 1, height, width)``, the thresholds of all patches at the stride. A patch of
    even side has its centre between two pixels, at ``k + 15.5``. Cells sit at ``(stride - 1) / 2`` plus multiples of
    the stride, one more on each side of the tile, so that bilinear interpolation reaches every pixel and none is
    extrapolated. At stride 1 a pixel lies amid four cells and takes their mean.
    """

    def __init__(
        self, evaluate: Callable[[Tensor], Tensor], stride: int, device: torch.device, mixing: float, tile: int
    ) -> None:
        self.evaluate = evaluate
        self.mixing = mixing
        self.tile = tile
        self.stride = stride
        self.device = device
        self.margin = cell_margin(stride)

    def __call__(self, window: Plane) -> Plane:
        """Give the threshold at each pixel of a window (float32 luminance without holes) but its margin."""
        with torch.inference_mode():
            pixels = torch.from_numpy(np.ascontiguousarray(window)).to(self.device)[None, None]
            cells = self.evaluate(pixels)
            if self.stride == 1:
                centred = functional.avg_pool2d(cells, 2, 1)
            else:
                fine = functional.interpolate(cells, scale_factor=self.stride, mode="bilinear", align_corners=False)
                centred = fine[..., self.stride : -self.stride, self.stride : -self.stride]
            plane: Plane = centred[0, 0].cpu().numpy()
            return plane


class ThresholdOperator:
    """Threshold at every pixel of one image; NaN in its holes."""

    def __init__(self, grid: CellGrid, observer: Observer) -> None:
        self.grid = grid
        self.factor = np.float32(observer.threshold_factor)
        self.halo = threshold_reach(grid.stride)
        self.multiple = grid.stride
        self.tile = grid.tile

    def __call__(self, windows: Sequence[Plane]) -> Plane:
        """See `LocalOperator`; takes one window."""
        (window,) = windows
        thresholds = self.grid(_cropped(images.fill(window), images.REACH))
        return _with_holes_of(_cropped(window, self.halo), np.clip(self.factor * thresholds, *PNet.LIMITS))


class VisibilityOperator:
    """Probability of seeing the difference at every pixel of a pair; NaN in the holes of either.

    The threshold of the pair is the geometric mean of its images' thresholds. `tick` is called within a tile: from far
    away an eye pools over hundreds of pixels, and one tile takes seconds.
    """

    def __init__(
        self,
        grid: CellGrid,
        window: int,
        observer: Observer,
        pixels_per_degree: float,
        tick: Callable[[], object] | None = None,
    ) -> None:
        self.grid = grid
        self.window = window
        self.observer = observer
        self.pixels_per_degree = pixels_per_degree
        self.tick = tick
        self.halo = visibility_reach(grid.stride, window, pixels_per_degree)
        self.multiple = grid.stride
        self.tile = grid.tile

    def __call__(self, windows: Sequence[Plane]) -> Plane:
        """See `LocalOperator`; takes the windows of test and reference."""
        test, reference = windows
        margin = self.halo - self.grid.margin
        of_test, of_reference = (self.grid(_cropped(images.fill(window), margin)) for window in windows)
        pooled = observers.local_difference(
            test, reference, self.window, self.observer.gains, self.pixels_per_degree, self.tick
        )
        # Kottayil et al.: q = 1 - exp(-d / T), here with the geometric mean of both images' T.
        threshold = np.float32(self.observer.threshold_factor) * np.sqrt(of_test * of_reference)
        probability = -np.expm1(-_cropped(pooled, self.halo) / threshold)
        return _with_holes_of(_cropped(test - reference, self.halo), probability)


def cell_margin(stride: int) -> int:
    """Give the pixels around a tile that the cells of a stride look at."""
    return PNet.NEIGHBOURHOOD // 2 + stride // 2


def threshold_reach(stride: int) -> int:
    """Give the pixels to each side that a threshold depends on."""
    return cell_margin(stride) + images.REACH


def visibility_reach(stride: int, window: int, pixels_per_degree: float) -> int:
    """Give the pixels to each side that a visibility depends on."""
    return max(threshold_reach(stride), window // 2 + observers.difference_reach(pixels_per_degree))


def cell_grid(model: str, record: models.WeightsRecord, stride: int, device: torch.device) -> CellGrid:
    """Build the evaluator of a threshold model from verified weights; the last ones stay ready."""
    return _cell_grid(model, record.path.as_posix(), record.sha256, stride, str(device))


# The key holds the sha256: a file that changed under the same path is another model. Two places, because a map and
# a visibility map of one session often differ in stride, and a P-net's tables take some hundred megabytes.
@lru_cache(maxsize=2)
def _cell_grid(model: str, path: str, sha256: str, stride: int, device: str) -> CellGrid:
    network = models.read_network(model, path)
    target = torch.device(device)
    network.to(target)
    mixing = float(network.mixing.detach())
    if isinstance(network, PNet):
        dense = DensePNet(network, stride)
        return CellGrid(dense, stride, target, mixing, dense.tile)
    return CellGrid(partial(network, stride=stride), stride, target, mixing, _CONTRAST_TILE)


def _cropped(plane: Plane, margin: int) -> Plane:
    return plane[margin:-margin, margin:-margin] if margin else plane


def _with_holes_of(source: Plane, plane: Plane) -> Plane:
    return np.where(np.isfinite(source), plane, np.float32(np.nan))
