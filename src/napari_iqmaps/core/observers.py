"""Who looks: how large the difference of two images is to an observer, and how small a one he notices."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from .errors import InputError

ObserverName = Literal["everyday", "practised"]

PIXELS_PER_DEGREE = 35.0
"""Of visual angle, at the nominal viewing distance: 2.6 screen heights from 768 lines, or 55 cm from a 24-inch
full-HD screen. The databases that the thresholds were learnt from were viewed at about 27 to 40."""

LEAST_PIXELS_PER_DEGREE = 4.0
MOST_PIXELS_PER_DEGREE = 600.0

CHANNEL_SIGMAS = (0.6, 1.2, 2.4, 4.8, 9.6)
"""In pixels at the nominal distance: the Gaussians between which the channels of a difference lie."""


POOLING_EXPONENT = 3.0
"""Of the Minkowski mean: a few large differences are seen more easily than many small ones of the same sum."""

Plane = npt.NDArray[np.float32]

_AT_ONCE = 40_000_000
"""Pixels times taps that are filtered between two ticks: well under a tenth of a second."""

_LANES = 64  # a multiple of the numbers that a processor adds up at once

_TRUNCATION = 3.0  # standard deviations at which a Gaussian ends


@dataclass(frozen=True)
class Observer:
    """What separates one kind of looking from another.

    `gains` say how strongly each channel of a difference counts, from the finest (below .6 pixels at the nominal
    distance, or above about 11 cycles per degree) to what remains after the widest Gaussian (below about .6).
    """

    name: str
    gains: tuple[float, ...]
    threshold_factor: float


OBSERVERS: Mapping[str, Observer] = MappingProxyType(
    {
        observer.name: observer
        for observer in (
            Observer("everyday", (0.8, 0.8, 0.8, 2.7, 6.7, 0.4), 1.0),
            Observer("practised", (0.04, 0.94, 2.09, 1.88, 1.15, 0.38), 0.36),
        )
    }
)
"""Everyday: people who judge how much a photograph is impaired; gains fitted, with the network, to their scores, and
scaled so that a message of amplitude 1.5, which the published figure calls barely visible in the sky, is seen there
nearly half of the time. Practised: people who detect a known pattern on a plain field in forced choice; gains (together
they pass a grating of 3 cycles per degree as it is) and factor are those with which the shipped network's visibility is
.5 at the thresholds of 16 observers for 41 stimuli of Modelfest, rounded. The factor's 95 % interval is .33 to .45 with
the P-net and .28 to .38 with the contrast model; ``benchmarks/psychophysics`` repeats the fit."""

EVERYDAY_GAINS = OBSERVERS["everyday"].gains


def observer_named(name: str) -> Observer:
    """Look an observer up."""
    if name not in OBSERVERS:
        raise InputError(f"There is no observer {name!r}. Choose one of {', '.join(OBSERVERS)}.")
    return OBSERVERS[name]


def check_pixels_per_degree(value: object) -> float:
    """Refuse a viewing distance, pixels per degree of visual angle, that cannot be meant."""
    least, most = LEAST_PIXELS_PER_DEGREE, MOST_PIXELS_PER_DEGREE
    if isinstance(value, bool) or not isinstance(value, int | float) or not least <= value <= most:
        raise InputError(
            f"pixels_per_degree is {value!r}; give a number from {least:g} to {most:g}, such as 35. It is "
            "viewing distance / pixel pitch x 0.01745."
        )
    return float(value)


def checked_window(window: int | None, pixels_per_degree: float) -> int:
    """Give the side in pixels of the pooling square that options ask for; None takes what suits the distance."""
    check_pixels_per_degree(pixels_per_degree)
    if window is None:
        return window_in_pixels(pixels_per_degree)
    if isinstance(window, bool) or not isinstance(window, int) or window < 1 or window % 2 == 0:
        raise InputError(f"window is {window!r}; give an odd number of pixels, at least 1, so that it has a centre.")
    return window


def window_in_pixels(pixels_per_degree: float) -> int:
    """Give the side of the square over which a difference is pooled: the odd number nearest to .94 degrees."""
    return 2 * round((33 * pixels_per_degree / PIXELS_PER_DEGREE - 1) / 2) + 1


def viewing(info: Mapping[str, Any]) -> str:
    """Say who looks and from where, if that is not the usual, from a map's `info` or a row of a table of scores.

    Such as ``"the practised observer at 60 pixels per degree"``; empty for the everyday observer at 35.
    """
    observer, pixels = info.get("observer", "everyday"), info.get("pixels_per_degree")
    if observer == "everyday" and pixels in (None, PIXELS_PER_DEGREE):
        return ""
    return f"the {observer} observer" + ("" if pixels is None else f" at {pixels:g} pixels per degree")


def difference_reach(pixels_per_degree: float = PIXELS_PER_DEGREE) -> int:
    """Tell how many pixels to each side the channels look."""
    return _radius(_sigmas(pixels_per_degree)[-1])


def excitation(
    signed: Plane,
    gains: Sequence[float] = EVERYDAY_GAINS,
    pixels_per_degree: float = PIXELS_PER_DEGREE,
    exponent: float = POOLING_EXPONENT,
    tick: Callable[[], object] | None = None,
) -> Plane:
    """Give what the channels make of a difference (test minus reference, code values, no holes), to the exponent.

    The sum over the channels of ``|gain x (G_k - G_(k+1)) * signed|^p``, where G_k are Gaussians an octave apart (the
    first is no blur, the last difference is the widest Gaussian itself). `tick` is called several times a second.
    """
    import cv2

    finer: Any = np.ascontiguousarray(signed, np.float32)
    total: Plane = np.zeros(signed.shape, np.float32)
    for gain, sigma in zip(gains[:-1], _sigmas(pixels_per_degree), strict=True):
        side = 2 * _radius(sigma) + 1
        taps = np.asarray(cv2.getGaussianKernel(side, sigma, cv2.CV_32F), np.float32)
        coarser = _filtered(np.ascontiguousarray(signed, np.float32), taps, tick)
        total += _power(np.float32(gain) * (finer - coarser), exponent)
        finer = coarser
    total += _power(np.float32(gains[-1]) * finer, exponent)
    return total


def local_difference(
    test: Plane,
    reference: Plane,
    window: int,
    gains: Sequence[float] = EVERYDAY_GAINS,
    pixels_per_degree: float = PIXELS_PER_DEGREE,
    tick: Callable[[], object] | None = None,
) -> Plane:
    """Pool the difference of two planes over a window around each pixel; in code values, NaN in holes.

    The cube root of the mean of `excitation` over the pixels of the window that both planes have; 0 where it has none.
    Twice the difference gives twice as much.

    The paper takes the mean absolute difference. That mean ranks sparse distortions wrongly: impulse noise has a tenth
    of the mean absolute difference of Gaussian noise that observers find equally bad; hence the exponent. And it knows
    nothing of sizes: a difference that is spread over many pixels is worse than one of the same strength that
    alternates from pixel to pixel; hence the channels. The model card gives what each brought.
    """
    signed = test - reference
    valid = np.isfinite(signed)
    everywhere = bool(valid.all())
    known = signed if everywhere else np.where(valid, signed, np.float32(0))
    powers = excitation(known, gains, pixels_per_degree, tick=tick)
    if everywhere:
        mean = _window_mean(powers, window, tick)
    else:
        share = _window_mean(valid.astype(np.float32), window, tick)
        total = _window_mean(np.where(valid, powers, np.float32(0)), window, tick)
        mean = np.divide(total, share, out=np.zeros_like(total), where=share > 0)
    return np.cbrt(mean)


def _sigmas(pixels_per_degree: float) -> list[float]:
    return [sigma * pixels_per_degree / PIXELS_PER_DEGREE for sigma in CHANNEL_SIGMAS]


def _radius(sigma: float) -> int:
    return math.ceil(_TRUNCATION * sigma)


def _power(values: Plane, exponent: float) -> Plane:
    size = np.abs(values)
    return size * size * size if exponent == 3 else size ** np.float32(exponent)


def _window_mean(plane: Plane, window: int, tick: Callable[[], object] | None) -> Plane:
    # Not by running sums: beside a large difference they leave a rounding error of 1e-9 of it, whose cube root is 1e-3.
    return _filtered(plane, np.full(window, 1 / window, np.float32), tick)


def _filtered(plane: Plane, taps: npt.NDArray[np.float32], tick: Callable[[], object] | None) -> Plane:
    """Filter a plane with the same taps along both axes, in strips with a tick before each if there is much to do."""
    import cv2

    def along(part: Plane, across: Any, down: Any) -> Plane:
        return np.asarray(cv2.sepFilter2D(part, cv2.CV_32F, across, down, borderType=cv2.BORDER_REFLECT), np.float32)

    if tick is None or plane.size * taps.size <= _AT_ONCE:
        return along(plane, taps, taps)
    # Whole rows need no neighbours to be filtered along them, nor do whole columns. Columns are taken by `_LANES`, so
    # that each pixel is added up by the same instructions as without strips: to the same last digit.
    one, (height, width) = np.ones(1, np.float32), plane.shape
    rows = max(1, _AT_ONCE // (width * taps.size))
    columns = max(1, _AT_ONCE // (height * taps.size * _LANES)) * _LANES
    between, result = np.empty_like(plane), np.empty_like(plane)
    for top in range(0, height, rows):
        tick()
        between[top : top + rows] = along(plane[top : top + rows], taps, one)
    for left in range(0, width, columns):
        tick()
        part = np.ascontiguousarray(between[:, left : left + columns])
        result[:, left : left + columns] = along(part, one, taps)
    return result
