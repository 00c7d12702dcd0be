"""The P-net over an image tile on a CPU: the numbers of the plain pass in a fraction of its time."""

from __future__ import annotations

import copy
import math
from itertools import product

import torch
import torch.nn.functional as F
from torch import Tensor

from napari_iqmaps.core.networks.pnet import PNet

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

    The table is made once, for the first tile that is worth it, in about the time of one 512x512
    tile. Few cells, strides above 8, and devices other than the CPU take the plain pass.
    """

    BLOCK = 96
    _LARGEST_STRIDE = 8
    # Reading the table takes as long as the plain pass does for about this many cells.
    _FEWEST_CELLS = 400
    # Blocks handled together: enough to pay for reading the table, few enough to bound the memory
    # (and to stay under the 32 MB above which glibc returns memory that is needed again at once).
    _BLOCKS_AT_ONCE = 25

    def __init__(self, net: PNet, stride: int = 4) -> None:
        self.stride = stride
        self._net = copy.deepcopy(net).eval().requires_grad_(False)
        self._kernel_cells = -(-net.dense.kernel_size[0] // stride)
        # Odd: an even number of cells has one more frequency, and it is used half.
        n = self._block_cells = max(self.BLOCK // stride, self._kernel_cells) | 1
        self.cells_per_block = n - self._kernel_cells + 1
        self._to_y = _analysis_real(n)
        self._to_x = _analysis_complex(n)
        self._from_x = _synthesis_complex(n)[:, : self.cells_per_block].flatten(0, 1)
        self._from_y = _synthesis_real(n)[: self.cells_per_block]
        self._table: Tensor | None = None

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
            cells = self._cells(x, rows, columns)
            corners = list(product(self._starts(rows), self._starts(columns)))
            z = torch.empty(1, 1, rows, columns)
            for first in range(0, len(corners), self._BLOCKS_AT_ONCE):
                some = corners[first : first + self._BLOCKS_AT_ONCE]
                blocks = self._log_threshold(self._correlation(self._spectrum(cells, some)))
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

    def _cells(self, x: Tensor, rows: int, columns: int) -> Tensor:
        """Features as (cell rows, cell columns, pixels of a cell x 32), at least one block."""
        border = PNet.NEIGHBOURHOOD - self._net.dense.kernel_size[0]
        height, width = (
            (max(cells, self.cells_per_block) + self._kernel_cells - 1) * self.stride
            for cells in (rows, columns)
        )
        below = max(height + border - x.shape[-2], 0)
        right = max(width + border - x.shape[-1], 0)
        if below or right:  # what is added meets zero weights, or only cells that are dropped
            x = F.pad(x, (0, right, 0, below), mode="replicate")
        features = self._net.features(x)[0].permute(1, 2, 0)
        return self._regroup(features[:height, :width])

    def _regroup(self, pixels: Tensor) -> Tensor:
        """Turn (rows, columns, channels) of pixels into those of cells of stride x stride."""
        cells = pixels.unflatten(1, (-1, self.stride)).unflatten(0, (-1, self.stride))
        return cells.transpose(1, 2).flatten(2)

    def _empty_spectrum(self, blocks: int) -> Tensor:
        """Axes: frequency along y, along x, real and imaginary part, block, channel."""
        n = self._block_cells
        channels = self._net.dense.in_channels * self.stride**2
        return torch.empty(n // 2 + 1, n, 2, blocks, channels)

    def _transform(self, block: Tensor, spectrum: Tensor) -> None:
        """Fourier transform of one block (cell rows, cell columns, channels) into its spectrum."""
        n = self._block_cells
        along_y = torch.mm(self._to_y, block.flatten(1)).view(n // 2 + 1, 2 * n, -1)
        for part, matrix in enumerate(self._to_x):
            torch.bmm(matrix.expand(len(along_y), -1, -1), along_y, out=spectrum[:, :, part])

    def _spectrum(self, cells: Tensor, corners: list[_Corner]) -> Tensor:
        n = self._block_cells
        spectrum = self._empty_spectrum(len(corners))
        for block, (row, column) in enumerate(corners):
            self._transform(cells[row : row + n, column : column + n], spectrum[..., block, :])
        return spectrum

    def _transformed_weights(self) -> Tensor:
        """Transform the dense layer: each of its outputs is a block, zero outside the kernel."""
        kernels = self._net.dense.weight.permute(0, 2, 3, 1)
        table = self._empty_spectrum(len(kernels))
        side = self._block_cells * self.stride
        canvas = torch.zeros(side, side, kernels.shape[-1])
        for output, kernel in enumerate(kernels):
            canvas[: len(kernel), : len(kernel)] = kernel
            self._transform(self._regroup(canvas), table[..., output, :])
        return table

    def _correlation(self, spectrum: Tensor) -> Tensor:
        """Multiply with the conjugate of the table, and go back along x.

        Returns axes: frequency along y, real and imaginary part, x, block, output.
        """
        if self._table is None:
            self._table = self._transformed_weights()
        frequencies, _, _, blocks, _ = spectrum.shape
        outputs = self._table.shape[3]
        valid = self.cells_per_block
        result = torch.empty(frequencies, 2 * valid, blocks * outputs)
        # One row of frequencies at a time: what is between the two products stays in the cache.
        for left, right, out in zip(spectrum, self._table, result, strict=True):
            torch.mm(self._from_x, self._multiply(left, right).view(-1, blocks * outputs), out=out)
        return result.view(frequencies, 2, valid, blocks, outputs)

    def _multiply(self, left: Tensor, right: Tensor) -> Tensor:
        """Complex left times conjugate of right, summed over the channels.

        The four real products are one: (both parts of the blocks) x (both parts of the outputs).
        """
        n, _, blocks, _ = left.shape
        parts = torch.bmm(left.flatten(1, 2), right.flatten(1, 2).transpose(1, 2))
        parts = parts.view(n, 2, blocks, 2, -1)
        result = torch.empty(n, 2, blocks, parts.shape[-1])
        torch.add(parts[:, 0, :, 0], parts[:, 1, :, 1], out=result[:, 0])
        torch.sub(parts[:, 1, :, 0], parts[:, 0, :, 1], out=result[:, 1])
        return result

    def _log_threshold(self, correlation: Tensor) -> Tensor:
        """Go back along y, and apply the last layer: axes y, x, block."""
        _, _, valid, blocks, outputs = correlation.shape
        hidden = torch.mm(self._from_y, correlation.flatten(0, 1).flatten(1))
        hidden = hidden.view(valid, valid, blocks, outputs).add_(self._net.dense.bias).relu_()
        last = self._net.output
        return F.linear(hidden, last.weight.flatten(1), last.bias)[..., 0]


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
    """Transform n complex numbers, held as n real then n imaginary parts: (2, n, 2 n)."""
    cosine, sine = _angles(n, n, n)
    real = torch.cat([cosine, sine], dim=1)
    imaginary = torch.cat([-sine, cosine], dim=1)
    return torch.stack([real, imaginary]).float()


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
