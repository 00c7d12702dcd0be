"""The P-net over an image tile on a CPU: the numbers of the plain pass in a fraction of its time."""

from __future__ import annotations

import copy
import math
from collections.abc import Iterator
from itertools import product

import torch
from torch import Tensor
from torch.nn import functional

from .pnet import PNet

__all__ = ["DensePNet"]

_Corner = tuple[int, int]


class DensePNet:
    """Evaluate a trained `PNet` over an image tile by overlap-save in the frequency domain.

    Nearly all the work of the plain pass is the dense layer: for each of 100 outputs, a correlation
    with 28x28x32 weights at every `stride`-th pixel. Here the features are regrouped into cells
    of stride x stride pixels, so that patches are one cell apart, and cut into overlapping square
    blocks. In the Fourier domain of a block the correlation is, at each frequency, one product of a
    (blocks x channels) with a (channels x 100) matrix.

    Parameters
    ----------
    net : PNet
        The trained network. Its weights are copied: training it further changes nothing here.
    stride : int
        Distance of neighbouring patches in pixels.

    Attributes
    ----------
    BLOCK : int
        Side of a block in pixels, nearly. Larger ones waste less of their border, smaller ones
        need a smaller table of transformed weights (about 130 MB at strides 1 to 8).
    cells_per_block : int
        Patches along each axis that a block answers; tiles of a multiple of it waste nothing.

    Notes
    -----
    The result equals `net(x, stride)` to float32 rounding, within 1e-5 of T. Everything is a
    product of real matrices. A block has so few cells that its Fourier transform is cheaper as a
    product with the transform's matrix, written straight into the order which the next product
    reads, than as a fast transform whose result must be transposed in memory; and products of
    real matrices are fast in every BLAS, those of complex ones are not.

    The table is made once, for the first tile that is worth it, in about half the time of a 512x512
    tile. Few cells, strides above 8, and devices other than the CPU take the plain pass. Pixels
    that are not finite have to be filled before: a transform spreads them over their block.
    """

    BLOCK = 96
    _LARGEST_STRIDE = 8
    # Reading the table takes as long as the plain pass does for about this many cells.
    _FEWEST_CELLS = 200
    # Blocks handled together: enough to pay for reading the table, few enough to bound the memory
    # (and to stay under the 32 MB above which glibc returns memory that is needed again at once).
    _BLOCKS_AT_ONCE = 25

    def __init__(self, net: PNet, stride: int = 4) -> None:
        self.stride = stride
        self._net = copy.deepcopy(net).eval().requires_grad_(False)
        self._kernel_cells = -(-net.dense.kernel_size[0] // stride)
        # Odd: one cell fewer would have just as many frequencies.
        n = self._block_cells = max(self.BLOCK // stride, self._kernel_cells) | 1
        self.cells_per_block = n - self._kernel_cells + 1
        self._to_y = _analysis_real(n)
        self._to_x = _analysis_complex(n)
        self._from_x = _synthesis_complex(n)[:, : self.cells_per_block].flatten(0, 1)
        self._from_y = _synthesis_real(n)[: self.cells_per_block]
        self._table: list[Tensor] | None = None

    @property
    def tile(self) -> int:
        """Side of the tile, in pixels, whose cells (one more on each side) fill 4x4 blocks.

        Few enough that a tile takes some tenths of a second on one core: between tiles, work can be cancelled.
        """
        return (4 * self.cells_per_block - 2) * self.stride

    def __call__(self, x: Tensor) -> Tensor:
        """Threshold of every patch of an image tile, at every `stride`-th pixel.

        Parameters
        ----------
        x : Tensor, shape (1, 1, H, W), float32, H and W at least 38
            Luminance in code values, 0..255.

        Returns
        -------
        Tensor, shape (1, 1, (H - 38) // stride + 1, (W - 38) // stride + 1)
            Thresholds in code values, as from `PNet.forward`.
        """
        rows, columns = ((size - PNet.NEIGHBOURHOOD) // self.stride + 1 for size in x.shape[-2:])
        # Autocast is for training: products in 8 bits would not be the plain pass any more.
        with torch.inference_mode(), torch.autocast(x.device.type, enabled=False):
            if not self._pays(x, rows * columns):
                plain: Tensor = self._net(x, self.stride)
                return plain
            features = self._features(x, rows, columns)
            corners = list(product(self._starts(rows), self._starts(columns)))
            z = torch.empty(1, 1, rows, columns)
            for first in range(0, len(corners), self._BLOCKS_AT_ONCE):
                some = corners[first : first + self._BLOCKS_AT_ONCE]
                blocks = self._log_threshold(self._correlation(self._gather(features, some)))
                for (row, column), values in zip(some, blocks.unbind(-1), strict=True):
                    target = z[0, 0, row:, column:][: len(values), : len(values)]
                    target.copy_(values[: target.shape[0], : target.shape[1]])
            return self._net.threshold(z)

    def _pays(self, x: Tensor, cells: int) -> bool:
        few = cells < self._FEWEST_CELLS or self.stride > self._LARGEST_STRIDE
        return x.device.type == "cpu" and not few

    def _starts(self, cells: int) -> list[int]:
        """First cell of each block; the last one moves back inside, so none needs padding."""
        last = max(cells - self.cells_per_block, 0)
        return [min(start, last) for start in range(0, cells, self.cells_per_block)]

    def _features(self, x: Tensor, rows: int, columns: int) -> Tensor:
        """Features as (pixel rows, cell columns, stride x 32), for one block at least."""
        border = PNet.NEIGHBOURHOOD - self._net.dense.kernel_size[0]
        height, width = (
            (max(cells, self.cells_per_block) + self._kernel_cells - 1) * self.stride + border
            for cells in (rows, columns)
        )
        x = x[..., :height, :width]
        below, right = height - x.shape[-2], width - x.shape[-1]
        if below or right:  # what is added meets zero weights, or only cells that are dropped
            x = functional.pad(x, (0, right, 0, below), mode="replicate")
        features = self._net.features(x)[0].permute(1, 2, 0)
        return features.reshape(height - border, (width - border) // self.stride, -1)

    def _gather(self, features: Tensor, corners: list[_Corner]) -> Tensor:
        """Copy blocks side by side, innermost but for the channels: (n, n, blocks, channels).

        The channels of a cell are those of its stride x stride pixels.
        """
        width = features.shape[1]
        along = torch.arange(self._block_cells)
        first = torch.tensor([row * self.stride * width + column for row, column in corners])
        index = (along * self.stride * width)[:, None] + along
        index = index[:, :, None] + first
        index = index[..., None] + torch.arange(self.stride) * width
        pixels = features.flatten(0, 1).index_select(0, index.flatten())
        return pixels.view(*index.shape[:3], -1)

    def _spectra(self, blocks: Tensor) -> Iterator[Tensor]:
        """Fourier transform of blocks, for one frequency along y after the other.

        Takes axes y, x, block, channel (sides below n are zero beyond), and yields axes frequency
        along x, (real and imaginary part, block), channel.
        """
        side, _, count, channels = blocks.shape
        n = self._block_cells
        along_y = torch.mm(self._to_y[:, :side], blocks.flatten(1)).view(n // 2 + 1, 2 * side, -1)
        to_x = self._to_x[:, :, :side].flatten(1)
        for frequency in along_y:
            yield torch.mm(to_x, frequency).view(n, 2 * count, channels)

    def _transformed_weights(self) -> list[Tensor]:
        """Transform the dense layer: each of its outputs is a block, zero outside the kernel."""
        weight = self._net.dense.weight
        n, stride = self._kernel_cells, self.stride
        missing = n * stride - weight.shape[-1]
        cells = functional.pad(weight, (0, missing, 0, missing))
        cells = cells.view(*weight.shape[:2], n, stride, n, stride).permute(2, 4, 0, 3, 5, 1)
        return list(self._spectra(cells.flatten(3)))

    def _correlation(self, blocks: Tensor) -> Tensor:
        """Correlate blocks with the weights: axes frequency along y, part, x, block, output."""
        if self._table is None:
            self._table = self._transformed_weights()
        count, outputs = blocks.shape[2], self._net.dense.out_channels
        frequencies, valid = len(self._table), self.cells_per_block
        result = torch.empty(frequencies, 2 * valid, count * outputs)
        # One frequency along y at a time: what is between the products stays in the cache.
        for spectrum, table, out in zip(self._spectra(blocks), self._table, result, strict=True):
            torch.mm(self._from_x, self._multiply(spectrum, table).flatten(1), out=out)
        return result.view(frequencies, 2, valid, count, outputs)

    def _multiply(self, left: Tensor, right: Tensor) -> Tensor:
        """Complex left times conjugate of right, summed over the channels.

        The four real products are one: (both parts of the blocks) x (both parts of the outputs).
        Returns axes: (frequency along x, part), block, output.
        """
        parts = torch.bmm(left, right.transpose(1, 2))
        parts = parts.view(len(parts), 2, -1, 2, parts.shape[2] // 2)
        result = torch.empty_like(parts[:, :, :, 0], memory_format=torch.contiguous_format)
        torch.add(parts[:, 0, :, 0], parts[:, 1, :, 1], out=result[:, 0])
        torch.sub(parts[:, 1, :, 0], parts[:, 0, :, 1], out=result[:, 1])
        return result.flatten(0, 1)

    def _log_threshold(self, correlation: Tensor) -> Tensor:
        """Go back along y, and apply the last layer: axes y, x, block."""
        _, _, valid, blocks, outputs = correlation.shape
        hidden = torch.mm(self._from_y, correlation.flatten(0, 1).flatten(1))
        hidden = hidden.view(valid, valid, blocks, outputs)
        hidden = hidden.add_(self._net.dense.get_parameter("bias")).relu_()
        last = self._net.output
        return functional.linear(hidden, last.weight.flatten(1), last.bias)[..., 0]


def _angles(rows: int, columns: int, n: int) -> tuple[Tensor, Tensor]:
    """Cosine and sine of 2 pi j k / n, in float64 and with j k reduced first."""
    turns = torch.outer(torch.arange(rows), torch.arange(columns)) % n
    angles = turns.double() * (2 * math.pi / n)
    return angles.cos(), angles.sin()


def _analysis_real(n: int) -> Tensor:
    """Transform n reals into (n + 1) / 2 pairs (real, imaginary): (n + 1, n)."""
    cosine, sine = _angles(n // 2 + 1, n, n)
    return torch.stack([cosine, -sine], dim=1).flatten(0, 1).float()


def _analysis_complex(n: int) -> Tensor:
    """Transform n real, then n imaginary parts into n pairs (real, imaginary): (2 n, 2, n)."""
    cosine, sine = _angles(n, n, n)
    real = torch.stack([cosine, sine], dim=1)
    imaginary = torch.stack([-sine, cosine], dim=1)
    return torch.stack([real, imaginary], dim=1).flatten(0, 1).float()


def _synthesis_complex(n: int) -> Tensor:
    """Invert n complex numbers, held as pairs (real, imaginary): (2, n, 2 n)."""
    cosine, sine = _angles(n, n, n)
    real = torch.stack([cosine, -sine], dim=2)
    imaginary = torch.stack([sine, cosine], dim=2)
    return (torch.stack([real, imaginary]).flatten(2) / n).float()


def _synthesis_real(n: int) -> Tensor:
    """Invert to n reals (n odd) from the (n + 1) / 2 pairs that determine them: (n, n + 1)."""
    cosine, sine = _angles(n, n // 2 + 1, n)
    # The frequencies k and n - k are conjugates: each pair stands for two, but for k = 0.
    times = torch.full((n // 2 + 1,), 2.0, dtype=torch.float64)
    times[0] = 1.0
    pairs = torch.stack([cosine * times, -sine * times], dim=2)
    return (pairs.flatten(1) / n).float()
