"""The P-net over a whole image tile on a CPU: the numbers of the plain pass, in a fraction of it."""

from __future__ import annotations

import copy
import math
from itertools import product

import torch
import torch.nn.functional as F
from torch import Tensor

from napari_iqmaps.core.networks.pnet import PNet

__all__ = ["DensePNet"]


class DensePNet:
    """Evaluate a trained `PNet` over an image tile, by overlap-save in the frequency domain.

    Nearly all the work of the plain pass is the dense layer, a convolution with 28x28x32 weights
    for each of 100 outputs. Here the features are regrouped by the stride (pixels -> channels), so
    that patches are one cell apart, and cut into overlapping blocks of `BLOCK` pixels. In the
    Fourier domain of a block the convolution is, at each frequency, one matrix product of
    (blocks x channels) with (channels x 100).

    Parameters
    ----------
    net : PNet
        The trained network. Its weights are copied: training it further changes nothing here.
    stride : int
        Distance of neighbouring patches in pixels.

    Attributes
    ----------
    BLOCK : int
        Side of a block in pixels. 96 has small factors at every stride and gives the cheapest
        evaluation at 512x512; the table of the weights takes about 130 MB at strides 1 to 8.

    Notes
    -----
    The result equals `net(x, stride)` within 1e-5 of T: all sums are in float32. Everything is
    a product of real matrices. A block has at most 96 cells, so its Fourier transform is
    cheaper as a product with the matrix of the transform, written straight into the order that
    the next product reads, than as an FFT whose result has to be transposed in memory; and only
    real products are fast in every BLAS.

    The table is made once, at the first tile that is worth it, in about the time of one 512x512
    tile. Few cells, strides above 8, and devices other than the CPU take the plain pass.
    """

    BLOCK = 96
    _LARGEST_STRIDE = 8
    # Reading the table costs what the plain pass takes for about so many cells.
    _FEWEST_CELLS = 400
    # Blocks handled together: enough to pay for reading the table, few enough to bound memory.
    _BLOCKS_AT_ONCE = 64

    def __init__(self, net: PNet, stride: int = 4) -> None:
        self.stride = stride
        self._net = copy.deepcopy(net).eval().requires_grad_(False)
        side = net.dense.weight.shape[-1]
        self._kernel_cells = -(-side // stride)
        self._block_cells = max(self.BLOCK // stride, self._kernel_cells)
        #: Cells of a block with an answer: those whose kernel does not wrap around its border.
        self._valid_cells = self._block_cells - self._kernel_cells + 1
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
        rows, columns = ((n - PNet.NEIGHBOURHOOD) // self.stride + 1 for n in x.shape[-2:])
        with torch.inference_mode(), torch.autocast(x.device.type, enabled=False):
            if not self._pays(x, rows * columns):
                return self._net(x, self.stride)  # type: ignore[no-any-return]
            if self._table is None:
                self._table = self._transformed_weights()
            cells = self._cells(x, rows, columns)
            z = torch.empty(rows, columns)
            corners = list(product(self._starts(rows), self._starts(columns)))
            for first in range(0, len(corners), self._BLOCKS_AT_ONCE):
                some = corners[first : first + self._BLOCKS_AT_ONCE]
                spectrum = self._empty_spectrum(len(some))
                for block, (row, column) in enumerate(some):
                    self._transform(self._block(cells, row, column), spectrum[..., block, :])
                self._write(z, self._log_threshold(self._product(spectrum)), some)
            return self._net.threshold(z)[None, None]

    def _pays(self, x: Tensor, cells: int) -> bool:
        return (
            x.device.type == "cpu"
            and self.stride <= self._LARGEST_STRIDE
            and cells >= self._FEWEST_CELLS
        )

    def _starts(self, cells: int) -> list[int]:
        """First cell of each block; the last one moves back inside, so none needs padding."""
        last = max(cells - self._valid_cells, 0)
        return [min(start, last) for start in range(0, cells, self._valid_cells)]

    def _cells(self, x: Tensor, rows: int, columns: int) -> Tensor:
        """Features as (cell rows, cell columns, pixels of a cell x 32), one block at least."""
        reach = PNet.NEIGHBOURHOOD - self._net.dense.weight.shape[-1]
        shape = [max(n, self._valid_cells) + self._kernel_cells - 1 for n in (rows, columns)]
        missing = [
            max(n * self.stride + reach - have, 0)
            for n, have in zip(shape, x.shape[-2:], strict=True)
        ]
        if any(missing):  # what is added meets zero weights, or only cells that are dropped
            x = F.pad(x, (0, missing[1], 0, missing[0]), mode="replicate")
        features = self._net.features(x)[0].permute(1, 2, 0)
        return self._regroup(features[: shape[0] * self.stride, : shape[1] * self.stride])

    def _block(self, cells: Tensor, row: int, column: int) -> Tensor:
        return cells[row : row + self._block_cells, column : column + self._block_cells]

    def _regroup(self, pixels: Tensor) -> Tensor:
        """Turn (rows, columns, channels) of pixels into those of cells of stride x stride."""
        cells = pixels.unflatten(1, (-1, self.stride)).unflatten(0, (-1, self.stride))
        return cells.transpose(1, 2).flatten(2)

    def _empty_spectrum(self, blocks: int) -> Tensor:
        """Axes: frequency along y, along x, real and imaginary part, block, channel."""
        n = self._block_cells
        return torch.empty(n // 2 + 1, n, 2, blocks, 32 * self.stride**2)

    def _transform(self, block: Tensor, spectrum: Tensor) -> None:
        """Fourier transform of one block (cell rows, cell columns, channels) into its spectrum."""
        n = self._block_cells
        along_y = torch.mm(_analysis_real(n), block.flatten(1))
        along_y = along_y.view(n // 2 + 1, 2 * n, -1)
        for part, matrix in enumerate(_analysis_complex(n)):
            torch.bmm(matrix.expand(len(along_y), -1, -1), along_y, out=spectrum[:, :, part])

    def _transformed_weights(self) -> Tensor:
        """Transform the dense layer: each of its outputs is a block, zero outside the kernel."""
        weight = self._net.dense.weight  # (100, 32, 28, 28)
        table = self._empty_spectrum(len(weight))
        side = self._block_cells * self.stride
        canvas = torch.zeros(side, side, weight.shape[1])
        for output, kernel in enumerate(weight.permute(0, 2, 3, 1)):
            canvas[: kernel.shape[0], : kernel.shape[1]] = kernel
            self._transform(self._regroup(canvas), table[..., output, :])
        return table

    def _product(self, spectrum: Tensor) -> Tensor:
        """Multiply with the conjugate table, and go back along x.

        Returns axes: frequency along y, real and imaginary part, x, block, output.
        """
        assert self._table is not None  # noqa: S101 - made by the caller
        frequencies, n, _, blocks, _ = spectrum.shape
        outputs = self._table.shape[3]
        synthesis = _synthesis_complex(n)[:, : self._valid_cells].flatten(0, 1)
        result = torch.empty(frequencies, 2 * self._valid_cells, blocks * outputs)
        combined = torch.empty(n, 2, blocks, outputs)
        for frequency in range(frequencies):  # one at a time: the products stay in the cache
            left = spectrum[frequency].flatten(1, 2)
            right = self._table[frequency].flatten(1, 2).transpose(1, 2)
            parts = torch.bmm(left, right).view(n, 2, blocks, 2, outputs)
            torch.add(parts[:, 0, :, 0], parts[:, 1, :, 1], out=combined[:, 0])
            torch.sub(parts[:, 1, :, 0], parts[:, 0, :, 1], out=combined[:, 1])
            torch.mm(synthesis, combined.view(2 * n, -1), out=result[frequency])
        return result.view(frequencies, 2, self._valid_cells, blocks, outputs)

    def _log_threshold(self, product: Tensor) -> Tensor:
        """Go back along y, and apply the last layer: axes y, x, block."""
        _, _, valid, blocks, outputs = product.shape
        synthesis = _synthesis_real(self._block_cells)[:valid]
        hidden = torch.mm(synthesis, product.flatten(0, 1).flatten(1))
        hidden = hidden.view(valid, valid, blocks, outputs)
        hidden = hidden.add_(self._net.dense.bias).relu_()
        return F.linear(hidden, self._net.output.weight.flatten(1), self._net.output.bias)[..., 0]

    def _write(self, z: Tensor, blocks: Tensor, corners: list[tuple[int, int]]) -> None:
        for (row, column), values in zip(corners, blocks.unbind(-1), strict=True):
            target = z[row : row + self._valid_cells, column : column + self._valid_cells]
            target.copy_(values[: target.shape[0], : target.shape[1]])


def _angles(rows: int, columns: int, n: int) -> tuple[Tensor, Tensor]:
    """Cosine and sine of 2 pi j k / n; j k is reduced first, so float32 gets exact roots."""
    turns = torch.outer(torch.arange(rows), torch.arange(columns)) % n
    angles = turns.double() * (2 * math.pi / n)
    return angles.cos(), angles.sin()


def _analysis_real(n: int) -> Tensor:
    """Transform n reals into n // 2 + 1 pairs (real, imaginary): (2 (n // 2 + 1), n)."""
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
    """Invert to n reals from the n // 2 + 1 pairs (real, imaginary) that they determine."""
    cosine, sine = _angles(n, n // 2 + 1, n)
    # Frequencies k and n - k are conjugate: each pair stands for two, but for 0 and n / 2.
    twice = torch.full((n // 2 + 1,), 2.0, dtype=torch.float64)
    twice[0] = 1.0
    if n % 2 == 0:
        twice[-1] = 1.0
    pairs = torch.stack([cosine * twice, -sine * twice], dim=2)
    return (pairs.flatten(1) / n).float()
