"""Keep a change of one plane of an image, as it can really be stored, below a visibility everywhere."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from . import difference
from .carrier import STRIP_PIXELS, Carrier, Plane, Tick
from .observers import checked_window, observer_named
from .tiling import reflected

Seen = Callable[[npt.NDArray[Any]], Plane]

ROUNDS = 5
"""How often the visibility of the result is looked at before the mark is removed where it is still too visible."""

_REMOVALS = 3
_STEPS = 12
_MARGIN = np.float32(0.98)
_SMOOTHING = 8


@dataclass(frozen=True)
class Pooling:
    """How visibility sums a difference up around a pixel; see `napari_iqmaps.core.difference.local_difference`.

    Attributes
    ----------
    window : int
        Side of the square.
    gains : tuple of float
        Of the channels.
    pixels_per_degree : float
        Of visual angle.
    """

    window: int
    gains: tuple[float, ...]
    pixels_per_degree: float

    @classmethod
    def of(cls, observer: str, pixels_per_degree: float, window: int | None) -> Pooling:
        """Take what `visibility_map` takes.

        Parameters
        ----------
        observer : {"everyday", "practised"}
            Whose gains.
        pixels_per_degree : float
            Of visual angle.
        window : int, optional
            Odd; None takes what suits the distance.

        Returns
        -------
        Pooling
            Checked.

        Raises
        ------
        InputError
            If one of them cannot be used.
        """
        side = checked_window(window, pixels_per_degree)
        return cls(side, observer_named(observer).gains, float(pixels_per_degree))

    @property
    def reach(self) -> int:
        """Pixels to each side that a pooled difference depends on."""
        return self.window // 2 + difference.reach(self.pixels_per_degree)

    def __call__(self, change: Plane) -> Plane:
        """Pool a change of luminance."""
        unchanged = np.zeros_like(change)
        return difference.local_difference(change, unchanged, self.window, self.gains, self.pixels_per_degree)


def level_of(strength: float) -> np.float32:
    """Give the visibility that a strength allows, ``1 - exp(-strength)``, as the float32 that is not above it."""
    level = -math.expm1(-strength)
    rounded = np.float32(level)
    return rounded if float(rounded) <= level else np.nextafter(rounded, np.float32(0))


@dataclass(frozen=True, eq=False)
class Embedded:
    """A mark in one plane.

    Attributes
    ----------
    marked, mark : numpy.ndarray
        As `Carrier.put` gives them.
    amounts : dict
        Sums of the amplitude, in luminance code values: ``wanted``, what ``fits`` the ends of the range, what the
        guard left (``guarded``) and what is ``kept`` after rounding.
    rounds : int
        How often the visibility was looked at.
    """

    marked: npt.NDArray[Any]
    mark: npt.NDArray[Any]
    amounts: dict[str, float]
    rounds: int


def embed(
    carrier: Carrier,
    wanted: Plane,
    thresholds: Plane,
    *,
    strength: float,
    pooling: Pooling,
    seen: Seen,
    tick: Tick,
) -> Embedded:
    """Put a mark into a plane so that its visibility stays under ``1 - exp(-strength)`` at every pixel.

    Parameters
    ----------
    carrier : Carrier
        The plane.
    wanted : numpy.ndarray
        float32, the change in luminance code values, before anything limits it.
    thresholds : numpy.ndarray
        float32, of the clean plane; NaN in holes.
    strength : float
        Bound of the pooled difference over the threshold.
    pooling : Pooling
        How visibility pools the difference.
    seen : callable
        From a marked plane to its visibility map against the clean one.
    tick : callable
        Called every few hundredths of a second; may raise.

    Returns
    -------
    Embedded
        The result. Where the guard found no gain in `ROUNDS` rounds, the mark was removed.

    Notes
    -----
    Between two looks at the real visibility, the gain is settled on the pooled difference alone, which needs no
    network: the thresholds of the marked plane change little. Each look corrects them.
    """
    level = level_of(strength)
    thresholds = np.where(np.isfinite(thresholds), thresholds, np.float32(np.inf))
    gain = np.ones(wanted.shape, np.float32)
    for rounds in range(1, ROUNDS + _REMOVALS + 1):
        if rounds <= ROUNDS:
            gain = _settled(carrier, wanted, gain, strength * thresholds, pooling, tick)
        marked, mark = carrier.put(wanted * gain)
        visibility = seen(marked)
        too_much = visibility > level  # False in holes
        if not too_much.any():
            break
        if rounds < ROUNDS:
            thresholds = _corrected(thresholds, visibility, carrier.stored(wanted * gain), pooling, tick)
        else:
            gain = np.where(ndimage.maximum_filter(too_much, 2 * pooling.reach + 1), np.float32(0), gain)
    else:
        gain = np.zeros_like(gain)
        marked, mark = carrier.put(gain)
        rounds += 1
        seen(marked)
    amounts = {
        "wanted": _amount(wanted),
        "fits": _amount(carrier.fitted(wanted)),
        "guarded": _amount(carrier.fitted(wanted * gain)),
        "kept": _amount(carrier.stored(wanted * gain)),
    }
    return Embedded(marked, mark, amounts, rounds)


def _settled(carrier: Carrier, wanted: Plane, gain: Plane, limit: Plane, pooling: Pooling, tick: Tick) -> Plane:
    """Lower the gain, smoothly and only around where it is needed, until the pooled difference is below a limit."""
    for _ in range(_STEPS):
        excess = _pooled(carrier.stored(wanted * gain), pooling, tick) / limit
        if not (excess > 1).any():
            break
        gain = gain * _in_strips(_envelope(pooling.reach), excess, tick)
    return gain


def _envelope(reach: int) -> tuple[Callable[[Plane], Plane], int]:
    """Give the operation that turns an excess into a factor which suffices for every window it reaches."""
    smoothing = 2 * _SMOOTHING + 1

    def factor(excess: Plane) -> Plane:
        # The mean over a neighbourhood of what suffices in all of a wider one suffices as well.
        worst = ndimage.maximum_filter(excess, 2 * (reach + _SMOOTHING) + 1)
        enough = np.where(worst > 1, _MARGIN / np.maximum(worst, 1), np.float32(1))
        smooth: Plane = np.clip(ndimage.uniform_filter(enough, smoothing), 0, 1)
        return smooth

    return factor, reach + 2 * _SMOOTHING


def _corrected(thresholds: Plane, visibility: Plane, change: Plane, pooling: Pooling, tick: Tick) -> Plane:
    """Take the thresholds from what is really seen of a change, where there is one."""
    pooled = _pooled(change, pooling, tick)
    with np.errstate(divide="ignore", invalid="ignore"):
        real = pooled / -np.log1p(-visibility)
    usable = np.isfinite(real) & (real > 0)
    corrected: Plane = np.where(usable, real, thresholds).astype(np.float32)
    return corrected


def _pooled(change: Plane, pooling: Pooling, tick: Tick) -> Plane:
    return _in_strips((pooling, pooling.reach), change, tick)


def _in_strips(operation: tuple[Callable[[Plane], Plane], int], plane: Plane, tick: Tick) -> Plane:
    """Apply a local operation a strip at a time, with the border reflected as tiles have it."""
    function, reach = operation
    height, width = plane.shape
    rows = max(1, STRIP_PIXELS // (width + 2 * reach))
    columns = reflected(np.arange(-reach, width + reach), width)
    result = np.empty_like(plane)
    for top in range(0, height, rows):
        tick()
        bottom = min(top + rows, height)
        window = plane[np.ix_(reflected(np.arange(top - reach, bottom + reach), height), columns)]
        result[top:bottom] = function(window)[reach : reach + bottom - top, reach : reach + width]
    return result


def _amount(change: Plane) -> float:
    return float(np.abs(change).sum(dtype=np.float64))
