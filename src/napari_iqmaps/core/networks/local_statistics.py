"""Local mean and standard deviation, the common first step of the threshold models."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

SIDE = 7
SIGMA = 1.0
_MIDDLE_GREY = 127.5
_SMALLEST_VARIANCE = 1e-6


def local_mean_and_std(luminance: Tensor) -> tuple[Tensor, Tensor]:
    """Filter with a 7x7 Gaussian of sigma 1, without padding.

    Parameters
    ----------
    luminance : torch.Tensor
        float32, shape ``(images, 1, height, width)``, 0..255.

    Returns
    -------
    mean, deviation : torch.Tensor
        Weighted local mean and standard deviation, ``(images, 1, height - 6, width - 6)``, in code values.

    Notes
    -----
    The published form ``sqrt|G*x^2 - (G*x)^2|`` cancels in float32 where the image is bright and flat; the variance
    does not change with an offset, so middle grey is taken off first. A floor of (.001 code values)^2 keeps the
    gradient of the root finite on flat patches.
    """
    kernel = gaussian_kernel(luminance.device)
    centred = luminance - _MIDDLE_GREY
    mean = _separable(centred, kernel)
    variance = _separable(centred.square(), kernel) - mean.square()
    return mean + _MIDDLE_GREY, variance.clamp_min(_SMALLEST_VARIANCE).sqrt()


def gaussian_kernel(device: torch.device | None = None) -> Tensor:
    """Give the normalised one-dimensional Gaussian, seven taps, float32."""
    taps = torch.arange(SIDE, device=device, dtype=torch.float32) - SIDE // 2
    kernel = torch.exp(-taps.square() / (2 * SIGMA**2))
    return kernel / kernel.sum()


def _separable(plane: Tensor, kernel: Tensor) -> Tensor:
    across = functional.conv2d(plane, kernel[None, None, None, :])
    return functional.conv2d(across, kernel[None, None, :, None])
