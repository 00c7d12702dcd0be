"""Coding: what compression and few grey levels leave."""

from __future__ import annotations

import io
import math
from typing import Any

import numpy as np

from .record import Distortion, Pixels, blurred, refuse_longer_than

_LARGEST_JPEG = 65500


def _jpeg(image: Pixels, strength: float, rng: np.random.Generator) -> Pixels:
    """Baseline JPEG (libjpeg) at quality s, rounded, chroma 4:2:0; through 8 bits whatever the dtype."""
    refuse_longer_than(_LARGEST_JPEG, image, "JPEG")
    return _coded(image, "JPEG", quality=max(round(strength), 1), subsampling="4:2:0")


def _jpeg2000(image: Pixels, strength: float, rng: np.random.Generator) -> Pixels:
    """JPEG 2000 (OpenJPEG), irreversible 9/7 wavelets, 1 : s of the 8-bit size; through 8 bits whatever the dtype."""
    # Each resolution halves the image; the codec refuses more of them than the image has sizes.
    resolutions = min(6, int(math.log2(min(image.shape[:2]))) + 1)
    return _coded(
        image,
        "JPEG2000",
        quality_mode="rates",
        quality_layers=[strength],
        irreversible=True,
        num_resolutions=resolutions,
    )


def _quantisation(image: Pixels, strength: float, rng: np.random.Generator) -> Pixels:
    """``round(x (s - 1)) / (s - 1)`` with s rounded: s evenly spaced values for each channel."""
    steps = np.float32(max(round(strength), 2) - 1)
    result: Pixels = np.rint(image * steps) / steps
    return result


def _dithering(image: Pixels, strength: float, rng: np.random.Generator) -> Pixels:
    """``floor(x (s - 1) + u) / (s - 1)`` with s rounded, u even in 0..1: s values a channel, right on average."""
    steps = np.float32(max(round(strength), 2) - 1)
    result: Pixels = np.floor(image * steps + rng.random(image.shape, dtype=np.float32)) / steps
    return result


def _banding(image: Pixels, strength: float, rng: np.random.Generator) -> Pixels:
    """``x - b + round(b (s - 1)) / (s - 1)``, b = x blurred by 4 pixels: steps in what is smooth, detail kept."""
    steps = np.float32(strength - 1)
    base = blurred(image, 4.0)
    result: Pixels = image - base + np.rint(base * steps) / steps
    return result


def _coded(image: Pixels, codec: str, **options: Any) -> Pixels:
    from PIL import Image

    pixels = np.rint(image * 255).astype(np.uint8)
    stream = io.BytesIO()
    Image.fromarray(pixels[..., 0] if pixels.shape[-1] == 1 else pixels).save(stream, codec, **options)
    with Image.open(stream) as decoded:
        values = np.asarray(decoded, dtype=np.float32).reshape(image.shape)
    return values / np.float32(255)


ROWS = (
    Distortion("jpeg", "JPEG", "coding", "quality", "of 100", (40, 20, 10, 6, 3), _jpeg,
               bounds=(1, 100)),
    Distortion("jpeg2000", "JPEG 2000", "coding", "compression ratio", "1", (12, 30, 70, 150, 350), _jpeg2000,
               bounds=(1, math.inf)),
    Distortion("quantisation", "Few values", "coding", "values a channel", "1", (16, 10, 7, 5, 3), _quantisation,
               bounds=(2, math.inf)),
    Distortion("dithering", "Few values, dithered", "coding", "values a channel", "1",
               (16, 9, 6, 4, 3), _dithering, is_random=True, bounds=(2, math.inf)),
    Distortion("banding", "Banding", "coding", "values of the smooth part a channel", "1",
               (24, 14, 9, 6, 4), _banding, bounds=(2, math.inf)),
)  # fmt: skip
