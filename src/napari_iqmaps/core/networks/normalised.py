"""What the blind networks see of an image, and the two closed forms that go with it, all on tensors.

The shared preprocessing of DIQA [1]_ and DeepBQA [2]_: an image is freed of its low frequencies; the error of a
distorted image, and how far its prediction can be relied on, are taken of what is left and live at a quarter of the
resolution.

References
----------
.. [1] J. Kim, A.-D. Nguyen, S. Lee, "Deep CNN-Based Blind Image Quality Predictor", IEEE TNNLS 30(1), 2019,
   doi:10.1109/TNNLS.2018.2829819.
.. [2] J. Kim, W. Kim, S. Lee, "Deep Blind Image Quality Assessment by Learning Sensitivity Map", ICASSP 2018.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

CELL = 4
"""Pixels from cell to cell of what lives at a quarter of the resolution; a cell sits on pixel 4 k, not between two."""

REACH = 12
"""Pixels to each side on which a normalised pixel depends."""

ERROR_EXPONENT = 0.2
"""Of the absolute difference: spreads the many small differences and gathers the few large ones."""

DUST = 1e-3
"""Code values below which a difference of normalised images is none."""

RELIABILITY_SLOPE = 0.2
"""Alpha, per code value."""

_WHITE = 255.0
_BINOMIAL = (1.0, 4.0, 6.0, 4.0, 1.0)


def normalised(luminance: Tensor) -> Tensor:
    """Take the low frequencies away.

    Parameters
    ----------
    luminance : torch.Tensor
        Code values 0..255, ``(images, 1, height, width)``, sides multiples of four and at least 8.

    Returns
    -------
    torch.Tensor
        The same shape, code values around 0; within `REACH` pixels of the border it depends on the padding.

    Notes
    -----
    Low frequencies are what two levels of the pyramid of Burt and Adelson keep: the binomial kernel 1 4 6 4 1, every
    second sample, twice, and back. No pixel is shifted. (The paper says blur, down to a quarter, and up again.)
    """
    low = luminance
    for _ in range(2):
        low = _reduced(low)
    for _ in range(2):
        low = _expanded(low)
    return luminance - low


def quarter(plane: Tensor) -> Tensor:
    """Bring a plane to a quarter of its resolution by two reductions of the pyramid.

    Parameters
    ----------
    plane : torch.Tensor
        ``(images, channels, height, width)``, sides multiples of four and at least 8.

    Returns
    -------
    torch.Tensor
        ``(images, channels, height / 4, width / 4)``; the cell k sits on pixel 4 k.
    """
    return _reduced(_reduced(plane))


def objective_error(reference: Tensor, test: Tensor) -> Tensor:
    """Measure the error of a distorted image where its reference is known.

    Parameters
    ----------
    reference, test : torch.Tensor
        Normalised images, ``(images, 1, height, width)``.

    Returns
    -------
    torch.Tensor
        ``|reference - test| / 255`` to the power .2, at a quarter of the resolution; 0 for equal images, at most 1.15.

    Notes
    -----
    Of the absolute difference `DUST` is taken off first, a quarter of the step of 16-bit pictures. The rounding of the
    pyramid, 1e-5 code values, would else be an error of .03 wherever two images differ in low frequencies only.
    """
    difference = ((reference - test).abs() - DUST).clamp_min(0)
    return quarter((difference / _WHITE).pow(ERROR_EXPONENT))


def reliability(normalised_image: Tensor, slope: float = RELIABILITY_SLOPE) -> Tensor:
    """Tell how far the prediction of an error can be relied on: hardly where an image has no detail.

    Parameters
    ----------
    normalised_image : torch.Tensor
        ``(images, 1, height, width)``.
    slope : float
        Alpha, per code value.

    Returns
    -------
    torch.Tensor
        ``2 / (1 + exp(-alpha |x|)) - 1`` at a quarter of the resolution, 0 to 1, not divided by its mean.
    """
    return quarter(torch.tanh(normalised_image.abs() * (slope / 2)))


def at_pixels(cells: Tensor, distance: int = CELL) -> Tensor:
    """Interpolate cells bilinearly to the pixels, each cell on its pixel.

    Parameters
    ----------
    cells : torch.Tensor
        ``(images, channels, rows, columns)``, at least two rows and columns.
    distance : int
        Pixels from cell to cell.

    Returns
    -------
    torch.Tensor
        From the first cell up to just before the last, ``(images, channels, distance (rows - 1), distance (columns -
        1))``.
    """
    rows, columns = (distance * (length - 1) + 1 for length in cells.shape[-2:])
    fine = functional.interpolate(cells, (rows, columns), mode="bilinear", align_corners=True)
    return fine[..., :-1, :-1]


def _kernel(like: Tensor, gain: float) -> Tensor:
    one = torch.tensor(_BINOMIAL, dtype=like.dtype, device=like.device) / sum(_BINOMIAL)
    channels = like.shape[1]
    return (gain * one[:, None] * one).expand(channels, 1, -1, -1)


def _reduced(plane: Tensor) -> Tensor:
    padded = functional.pad(plane, (2, 2, 2, 2), mode="reflect")
    return functional.conv2d(padded, _kernel(plane, 1), stride=2, groups=plane.shape[1])


def _expanded(plane: Tensor) -> Tensor:
    padded = functional.pad(plane, (1, 1, 1, 1), mode="replicate")
    # Only a quarter of what the kernel meets are samples, hence the gain.
    fine = functional.conv_transpose2d(padded, _kernel(plane, 4), stride=2, groups=plane.shape[1])
    return fine[..., 4:-3, 4:-3]
