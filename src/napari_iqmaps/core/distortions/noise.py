"""Noise: the draw of a seed is one field, which the severities scale; so more is more in every pixel."""

from __future__ import annotations

import numpy as np

from .record import Distortion, Pixels, as_before, blurred, luminance


def _normal(rng: np.random.Generator, shape: tuple[int, ...]) -> Pixels:
    return rng.standard_normal(shape, dtype=np.float32)


def _gaussian(image: Pixels, strength: float, rng: np.random.Generator) -> Pixels:
    """``x + s n``, n standard normal, independent in every value."""
    return image + np.float32(strength) * _normal(rng, image.shape)


def _chroma(image: Pixels, strength: float, rng: np.random.Generator) -> Pixels:
    """``x + s (n - Y(n))``, n standard normal, Y the Rec. 709 luminance: noise in the colours alone."""
    noise = _normal(rng, image.shape)
    return image + np.float32(strength) * (noise - luminance(noise))


def _correlated(image: Pixels, strength: float, rng: np.random.Generator) -> Pixels:
    """``x + s n``, n normal noise blurred by a Gaussian of 1.5 pixels and scaled to a standard deviation of 1."""
    noise = blurred(_normal(rng, image.shape), 1.5)
    return image + np.float32(strength / noise.std()) * noise


def _high_frequency(image: Pixels, strength: float, rng: np.random.Generator) -> Pixels:
    """``x + s n``, n normal noise minus its blur by a Gaussian of 1 pixel, scaled to a standard deviation of 1."""
    noise = _normal(rng, image.shape)
    noise -= blurred(noise, 1.0)
    return image + np.float32(strength / noise.std()) * noise


def _shot(image: Pixels, strength: float, rng: np.random.Generator) -> Pixels:
    """``x + n sqrt(x / s)``, n standard normal: the normal form of Poisson noise with s photons at white."""
    result: Pixels = image + np.sqrt(image / np.float32(strength)) * _normal(rng, image.shape)
    return result


def _impulse(image: Pixels, strength: float, rng: np.random.Generator) -> Pixels:
    """Black or white, equally often, for a share s of the values, each channel by itself."""
    order = rng.random(image.shape, dtype=np.float32)
    ends = rng.integers(0, 2, image.shape, dtype=np.uint8).astype(np.float32)
    return np.where(order < strength, ends, image)


def _speckle(image: Pixels, strength: float, rng: np.random.Generator) -> Pixels:
    """``x (1 + s n)``, n standard normal, independent in every value."""
    return image * (1 + np.float32(strength) * _normal(rng, image.shape))


def _stripe(image: Pixels, strength: float, rng: np.random.Generator) -> Pixels:
    """``x + s n``, n standard normal, one draw for each row of the image and all its channels."""
    return image + np.float32(strength) * _normal(rng, (image.shape[0], 1, 1))


def _denoised(image: Pixels, strength: float, rng: np.random.Generator) -> Pixels:
    """Gaussian noise of s, clipped, then non-local means (patches of 3, search 3 pixels around, h = s, sigma = s)."""
    from skimage.restoration import denoise_nl_means

    noisy = np.clip(_gaussian(image, strength, rng), 0, 1)
    result = denoise_nl_means(
        noisy, patch_size=3, patch_distance=3, h=strength, sigma=strength, fast_mode=True, channel_axis=-1
    )
    return as_before(result, image)


_SD = "standard deviation"
_RANGE = "of the range"

ROWS = (
    Distortion("gaussian_noise", "Gaussian noise", "noise", _SD, _RANGE,
               (0.02, 0.04, 0.075, 0.14, 0.28), _gaussian, is_random=True),
    Distortion("chroma_noise", "Colour noise", "noise", _SD, _RANGE,
               (0.04, 0.08, 0.13, 0.2, 0.3), _chroma, is_random=True, needs_colour=True),
    Distortion("correlated_noise", "Spatially correlated noise", "noise", _SD, _RANGE,
               (0.013, 0.022, 0.037, 0.065, 0.12), _correlated, is_random=True),
    Distortion("high_frequency_noise", "High-frequency noise", "noise", _SD, _RANGE,
               (0.025, 0.045, 0.07, 0.1, 0.16), _high_frequency, is_random=True),
    Distortion("shot_noise", "Shot noise", "noise", "photons at white", "photons",
               (400, 110, 42, 14, 5), _shot, is_random=True),
    Distortion("impulse_noise", "Impulse noise", "noise", "share of the values", "1",
               (0.001, 0.003, 0.009, 0.03, 0.11), _impulse, is_random=True, bounds=(0, 0.6)),
    Distortion("speckle_noise", "Speckle noise", "noise", _SD, "of the value",
               (0.045, 0.09, 0.15, 0.3, 0.7), _speckle, is_random=True),
    Distortion("stripe_noise", "Stripes by rows", "noise", _SD, _RANGE,
               (0.012, 0.024, 0.04, 0.07, 0.12), _stripe, is_random=True),
    Distortion("denoised", "Noise removed by non-local means", "noise", _SD + " of the noise", _RANGE,
               (0.03, 0.06, 0.1, 0.17, 0.28), _denoised, is_random=True),
)  # fmt: skip
