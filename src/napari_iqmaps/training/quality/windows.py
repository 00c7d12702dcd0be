"""Windows of images in training: where they are cut out, and what a blind network says of their cells."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from ...core.networks.blind import CELL, INPUT_SCALE, BlindNetwork, Cells, normalised, quarter, reliability

_LEAST_RELIABILITY = 1e-3
"""Added to an image's mean reliability, so that where there is no detail nothing counts."""


class Window(NamedTuple):
    """A square of an image and how it is turned, as slices of pixels and of cells that show the same place."""

    pixels: tuple[slice, slice]
    cells: tuple[slice, slice]
    transposed: bool

    def of_pixels(self, plane: npt.NDArray[Any]) -> npt.NDArray[Any]:
        """Cut the window out of a plane at full resolution."""
        part = plane[self.pixels]
        return part.T if self.transposed else part

    def of_cells(self, plane: npt.NDArray[Any]) -> npt.NDArray[Any]:
        """Cut the window out of a plane at a quarter of the resolution."""
        part = plane[self.cells]
        return part.T if self.transposed else part


def draw_window(shape: tuple[int, int], side: int, rng: np.random.Generator, *, turned: bool = True) -> Window:
    """Draw a window and one of its orientations.

    `side`: of the window in pixels, a multiple of four, at most the image's. Returns whose cells sit on its pixels 0,
    4, 8, ... in every orientation: an axis as long as the window is not mirrored, since a mirrored window has to begin
    one pixel behind a cell.
    """
    places, mirrors = rng.random(2), rng.integers(2, size=2)
    transposed = bool(rng.integers(2)) and turned
    mirrors[0] *= turned
    rows, columns = (
        _span(length, side, float(place), bool(mirror))
        for length, place, mirror in zip(shape, places, mirrors, strict=True)
    )
    return Window((rows[0], columns[0]), (rows[1], columns[1]), transposed)


def _span(length: int, side: int, place: float, mirror: bool) -> tuple[slice, slice]:
    free = (length - side) // CELL
    mirror = mirror and free > 0
    first = int(place * (free + (not mirror)))
    if not mirror:
        return slice(CELL * first, CELL * first + side), slice(first, first + side // CELL)
    # Pixels 4 f + 1 .. 4 f + side, backwards: the last of them is a cell's, and comes first.
    last = CELL * first + side
    return slice(last, last - side, -1), slice(last // CELL, last // CELL - side // CELL, -1)


def cells_of(network: BlindNetwork, luminance: Tensor, *, half: bool) -> Cells:
    """Run a network on windows, as its own ``forward`` does: all in float32, no gradient for what has no weights.

    `network`: in channels-last memory order, which the convolutions are fastest in. `luminance`: code values, float32,
    ``(images, 1, height, width)``. `half`: whether the convolutions are in bfloat16. The pyramid never is: three digits
    of a code value are not enough.
    """
    with torch.no_grad():
        detail = normalised(luminance)
        rely, low = reliability(detail), quarter(luminance)
        scaled = (detail / INPUT_SCALE).contiguous(memory_format=torch.channels_last)
    with torch.autocast(luminance.device.type, torch.bfloat16, enabled=half):
        features, error = network.trunk(scaled)
        sensitivity = network.sensitivity_of(scaled)
    if features.requires_grad:
        # The means over a map give gradients in another memory order, with which a step takes a tenth longer.
        features.register_hook(lambda gradient: gradient.contiguous(memory_format=torch.channels_last))
    return Cells(error.float(), rely, None if sensitivity is None else sensitivity.float(), features.float(), low)


def inner(cells: Tensor, border: int) -> Tensor:
    """Leave out the cells along the border, which see what is assumed beyond it.

    `cells`: ``(images, channels, rows, columns)``. `border`: how many of them; 0 leaves all. Kim and Lee (ICASSP 2018)
    leave out 4.
    """
    return cells[..., border:-border, border:-border] if border else cells


def inner_cells(cells: Cells, border: int) -> Cells:
    """Leave out the cells along the border in all that a network says."""
    error, raw, features, low = (
        inner(each, border) for each in (cells.error, cells.reliability, cells.features, cells.low)
    )
    sensitivity = None if cells.sensitivity is None else inner(cells.sensitivity, border)
    return Cells(error, raw, sensitivity, features, low)


def relative(raw: Tensor) -> Tensor:
    """Divide reliability, 0 to 1, by its mean over each image, r / mean(r) of Kim, Nguyen and Lee (TNNLS 2019).

    The result has the mean 1, or less where an image has hardly any detail.
    """
    return raw / (raw.mean((2, 3), keepdim=True) + _LEAST_RELIABILITY)
