"""The networks of visibility thresholds: the P-net, its fast evaluation, and the contrast model with three numbers."""

from __future__ import annotations

import copy
import math
from collections.abc import Iterator
from itertools import product

import torch
from torch import Tensor, nn
from torch.nn import functional

from ..progress import tell_stage

SIGMA = 1.0
RADIUS = 3
_TAPS = [math.exp(-0.5 * (k / SIGMA) ** 2) for k in range(-RADIUS, RADIUS + 1)]
GAUSSIAN = tuple(tap / sum(_TAPS) for tap in _TAPS)
"""The 7 weights of the Gaussian along one axis; the 7x7 one is their outer product."""

_START_THRESHOLD = 3.0  # code values
_START_MIXING = 0.3

# A variance below this (squared code values) is read as flat: the square root keeps a finite
# gradient there, and a deviation of .001 is a tenth of the .01 that the P-net adds to it.
_FLAT_VARIANCE = 1e-6


def local_statistics(luminance: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Give each pixel with the mean and the standard deviation of its 7x7 Gaussian neighbourhood.

    From code values 0..255, ``(N, 1, H, W)``, to three tensors ``(N, 1, H - 6, W - 6)``: pixels whose neighbourhood
    reaches outside have none.
    """
    centre = _crop(_crop(luminance, -1), -2)
    across, variance_across = _local_moments(luminance, None, -1)
    mean, variance = _local_moments(across, variance_across, -2)
    return centre, mean, variance.abs().clamp_min(_FLAT_VARIANCE).sqrt()


def _crop(x: Tensor, dim: int, start: int = RADIUS) -> Tensor:
    """Take what the Gaussian's tap `start` sees along `dim`: shorter by twice its reach."""
    return x.narrow(dim, start, x.shape[dim] - 2 * RADIUS)


def _local_moments(mean: Tensor, variance: Tensor | None, dim: int) -> tuple[Tensor, Tensor]:
    """Pool means and variances of points along one axis with the Gaussian.

    By the law of total variance, the variance of a pool is the mean of the variances in it plus
    the variance of the means; so two passes of 7 taps give the 49 tap variance. All differences
    are taken from the point in the middle, where G*x^2 - mu^2 would subtract two numbers near
    65,000 to find a variance near 0: a flat image gives exactly 0 at any brightness. The sums run
    in one order for every pixel, so a patch alone and a patch in an image agree to the last bit.
    """
    middle = _crop(mean, dim)
    shift = torch.zeros_like(middle)
    spread = torch.zeros_like(middle)
    for tap, weight in enumerate(GAUSSIAN):
        if tap != RADIUS:
            difference = _crop(mean, dim, tap) - middle
            shift = shift.add_(difference, alpha=weight)
            spread = spread.addcmul_(difference, difference, value=weight)
        if variance is not None:
            spread = spread.add_(_crop(variance, dim, tap), alpha=weight)
    return middle + shift, spread - shift * shift


class PNet(nn.Module):
    """Map an image to the distortion threshold T of each 32x32 patch of it.

    T, in luminance code values (0..255), is the distortion that an observer notices with the probability 1 - 1/e:
    q(d) = 1 - exp(-d / T).

    `PATCH`: side of the patch that a threshold belongs to, in pixels (32). `NEIGHBOURHOOD`: side of what has to be
    known to compute it, in pixels (38): the patch and the reach of the 7x7 Gaussian around it. `LIMITS`: smallest and
    largest threshold, in code values.

    Layers, widths, dropout and starting values are those of [1]_, with 2,512,242 parameters. The scalar `mixing`, a in
    the paper, turns d / T into impairment on the scale of human scores, 1 - exp(-a d / T). Images with scores
    determine only a / T: training ends by setting the scale of T, and a with it (see `napari_iqmaps.training`), and
    both are kept.

    What differs from the paper, and why:

    - The output is log T: T = exp(clamp(z)). The published clip of T to [.01, 100] has no
      gradient at its floor, where 1/T^2 explodes just above it; here a step of z is the same
      relative change of T everywhere. The bias of the last layer starts at log 3, so that T
      starts in the middle of the published range.
    - Gradients are to be clipped while training (see `napari_iqmaps.training`).
    - The Gaussian reads a true neighbourhood of 38x38 pixels, where the paper pads each patch
      with zeros. A patch then has one threshold, whether it is evaluated alone or with the
      whole image: the network is convolutional from end to end, without padding.

    References
    ----------
    .. [1] N. K. Kottayil, G. Valenzise, F. Dufaux, I. Cheng, "Learning Local Distortion
       Visibility from Image Quality", ICIP 2018, arXiv:1803.04053.
    """

    PATCH = 32
    NEIGHBOURHOOD = PATCH + 2 * RADIUS
    LIMITS = (0.01, 100.0)

    def __init__(self) -> None:
        super().__init__()
        self.channel_weight = nn.Parameter(torch.tensor([1 / 255, 1 / 255, 1 / 255, 1 / 4]))
        self.channel_bias = nn.Parameter(torch.full((4,), 1e-6))
        self.convolution = nn.Conv2d(4, 32, 5)
        # Dense layers on a patch, kept as convolutions: the same numbers slide over an image.
        self.dense = nn.Conv2d(32, 100, self.PATCH - 4)
        self.output = nn.Conv2d(100, 1, 1)
        self.mixing = nn.Parameter(torch.tensor(_START_MIXING))
        self.dropout = nn.Dropout(0.5)
        for layer in (self.convolution, self.dense, self.output):
            nn.init.xavier_uniform_(layer.weight)
            nn.init.zeros_(layer.get_parameter("bias"))
        nn.init.constant_(self.output.get_parameter("bias"), math.log(_START_THRESHOLD))

    def augment(self, x: Tensor) -> Tensor:
        """Add to the luminance what the eye compares it with, ``(N, 4, H - 6, W - 6)``.

        Luminance, local mean, local standard deviation, and the distance from the mean in standard deviations; each
        times its weight plus its bias. In channels-last order.
        """
        # Statistics are kept out of autocast: 8 bits of mantissa cannot tell x from its mean.
        with torch.autocast(x.device.type, enabled=False):
            luminance, mean, deviation = local_statistics(x.to(self.channel_weight.dtype))
            distance = (luminance - mean).abs() / (deviation + 0.01)
            channels = torch.cat([luminance, mean, deviation, distance], dim=1)
            channels = channels.permute(0, 2, 3, 1).contiguous()
            channels = torch.addcmul(self.channel_bias, channels, self.channel_weight)
            return channels.permute(0, 3, 1, 2)

    def features(self, x: Tensor) -> Tensor:
        """Filter the augmented luminance: 32 maps, 5x5, rectified, ``(N, 32, H - 10, W - 10)``; channels last."""
        augmented = self.augment(x)
        return functional.relu(self.convolution(augmented), inplace=True)

    def head(self, features: Tensor, stride: int = 4) -> Tensor:
        """Reduce the 28x28 features of each patch to its threshold; see `forward` for the shape."""
        features = self.dropout(features)
        weight, bias = self.dense.weight, self.dense.bias
        if features.shape[-2:] == weight.shape[-2:]:
            # One patch an image, as in training: a matrix product, twice as fast.
            hidden = functional.linear(features.flatten(1), weight.flatten(1), bias)[..., None, None]
        else:
            hidden = functional.conv2d(features, weight, bias, stride=stride)
        return self.threshold(self.output(self.dropout(functional.relu(hidden))))

    def threshold(self, z: Tensor) -> Tensor:
        """Return T = exp(z) within the limits, in the precision of the parameters."""
        with torch.autocast(z.device.type, enabled=False):
            low, high = (math.log(limit) for limit in self.LIMITS)
            return z.to(self.channel_weight.dtype).clamp(low, high).exp()

    def forward(self, x: Tensor, stride: int = 4) -> Tensor:
        """Give the threshold of every patch of an image, at every `stride`-th pixel, in code values.

        From code values 0..255, ``(N, 1, H, W)`` with both sides at least 38, to ``(N, 1, (H - 38) // stride + 1, (W -
        38) // stride + 1)``. Cell (i, j) belongs to the patch whose first pixel is (stride i + 3, stride j + 3), that
        is to the point (stride i + 18.5, stride j + 18.5).
        """
        return self.head(self.features(x), stride)


class DensePNet:
    """Evaluate a trained `PNet` over an image tile by overlap-save in the frequency domain.

    Nearly all the work of the plain pass is the dense layer: for each of 100 outputs, a correlation
    with 28x28x32 weights at every `stride`-th pixel. Here the features are regrouped into cells
    of stride x stride pixels, so that patches are one cell apart, and cut into overlapping square
    blocks. In the Fourier domain of a block the correlation is, at each frequency, one product of a
    (blocks x channels) with a (channels x 100) matrix.

    `net`: the trained network. Its weights are copied: training it further changes nothing here. `stride`: distance of
    neighbouring patches in pixels. `BLOCK`: side of a block in pixels, nearly. Larger ones waste less of their border,
    smaller ones need a smaller table of transformed weights (about 130 MB at strides 1 to 8). `cells_per_block`:
    patches along each axis that a block answers; tiles of a multiple of it waste nothing.

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
        """Give the threshold of every patch of an image tile, ``(1, 1, H, W)``, as `PNet.forward` does."""
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

    def _gather(self, features: Tensor, corners: list[tuple[int, int]]) -> Tensor:
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
            tell_stage("making tables")
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


class ContrastModel(nn.Module):
    """Visibility threshold from the local standard deviation, with three numbers.

    ``T = exp(k) softplus(p0 + p1 s)``, where s is the mean over the 32x32 patch of the local standard deviation
    (7x7 Gaussian, sigma 1) of the luminance. It has the geometry of `PNet`, so the two exchange freely: instant,
    explainable, and the bar that the network has to beat.

    `offset`, `slope`, `log_scale`: p0, p1 (per code value of local standard deviation) and k. `mixing`: the paper's
    scalar a, which turns d / T into impairment on the scale of human scores, ``1 - exp(-a d / T)``.

    Not in the paper: it rests on the observation that the published map is almost an affine function of s. The
    softplus keeps T positive and bends only where s is near zero.
    """

    def __init__(self) -> None:
        super().__init__()
        self.offset = nn.Parameter(torch.tensor(1.0))
        self.slope = nn.Parameter(torch.tensor(0.1))
        self.log_scale = nn.Parameter(torch.tensor(0.0))
        self.mixing = nn.Parameter(torch.tensor(0.3))

    def forward(self, luminance: Tensor, stride: int = 4) -> Tensor:
        """Give the threshold of every patch, in code values, at every `stride`-th pixel, as `PNet.forward` does."""
        _, _, deviation = local_statistics(luminance)
        contrast = functional.avg_pool2d(deviation, PNet.PATCH, stride)
        return self.log_scale.exp() * functional.softplus(self.offset + self.slope * contrast)
