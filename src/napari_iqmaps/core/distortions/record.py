"""What a row of the bank says of itself, how a severity becomes a strength, and what several effects have in common."""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable
from dataclasses import dataclass
from numbers import Real
from typing import Any

import numpy as np
import numpy.typing as npt

from ..arguments import check_fields, checked
from ..errors import InputError
from ..images import REC709_WEIGHTS

Pixels = npt.NDArray[np.float32]
"""float32, shape ``(height, width, channels)`` with one channel or three, 0 (black) .. 1 (white)."""

Effect = Callable[[Pixels, float, np.random.Generator], Pixels]
"""Pixels, strength and generator in, pixels out; the caller clips to 0..1."""

_FAR_BEYOND = 100  # a hundred steps of any row fit into a float
LOWEST, HIGHEST = 1, 5
"""The ends of the scale of severity."""


@dataclass(frozen=True)
class Distortion:
    """One row of the bank.

    Attributes
    ----------
    name : str
        How `distort` is asked for it.
    title : str
        How people read it.
    family : str
        noise, blur, coding, tone, colour or loss.
    parameter : str
        What the strength is, in words.
    unit : str
        Its unit; "of the range" means of white minus black.
    levels : tuple of float
        The strength at the severities 1 to 5, rising or falling, never 0.
    effect : callable
        What it does to pixels.
    is_random : bool
        Whether the result depends on the seed.
    needs_colour : bool
        Whether a grey image has nothing that it could change.
    bounds : (float, float)
        Strengths between which the parameter means something, for what lies beyond the five levels.
    """

    name: str
    title: str
    family: str
    parameter: str
    unit: str
    levels: tuple[float, float, float, float, float]
    effect: Effect
    is_random: bool = False
    needs_colour: bool = False
    bounds: tuple[float, float] = (0.0, math.inf)

    def __post_init__(self) -> None:
        check_fields(self)
        if not all(0 < abs(level) < math.inf for level in self.levels) or not self.bounds[0] < self.bounds[1]:
            raise InputError(
                f"The levels are {self.levels!r} within {self.bounds!r}; give five finite strengths other than 0, and "
                "bounds that rise."
            )

    @property
    def description(self) -> str:
        """What is computed, precisely enough to compute it elsewhere; s is the strength."""
        return inspect.getdoc(self.effect) or ""

    @checked
    def strength(self, severity: float) -> float:
        """Give the parameter that belongs to a severity.

        Parameters
        ----------
        severity : float
            1 to 5.

        Returns
        -------
        float
            In `unit`: one of `levels` at whole numbers, interpolated geometrically (in the logarithm) between them.

        Raises
        ------
        InputError
            If the severity is not a number from 1 to 5.
        """
        value = checked_severity(severity)
        if value == 0:
            raise InputError(f"Severity 0 is the image itself and has no strength; {self.name} begins at {LOWEST}.")
        if value.is_integer():
            return float(self.levels[int(value) - 1])
        return self._interpolated(value)

    @checked
    def strength_beyond(self, severity: float) -> float:
        """Give the parameter of a severity that may lie beyond the scale of 1 to 5.

        Parameters
        ----------
        severity : float
            Any number; training draws from 0 (hardly there) to above 6 (worse than any picture that is kept).

        Returns
        -------
        float
            As `strength` gives it on the scale; below and above, the step of its first or its last two levels is
            continued, up to `bounds`.

        Raises
        ------
        InputError
            If the severity is not a finite number.
        """
        if not abs(severity) <= _FAR_BEYOND:
            raise InputError(f"The severity is {severity!r}; give a number from -{_FAR_BEYOND} to {_FAR_BEYOND}.")
        least, most = self.bounds
        return min(max(self._interpolated(float(severity)), least), most)

    def _interpolated(self, severity: float) -> float:
        """Go on between, or beyond, two neighbouring levels by a constant factor."""
        below = min(max(math.floor(severity), LOWEST), HIGHEST - 1)
        start, end = self.levels[below - 1], self.levels[below]
        return float(start * (end / start) ** (severity - below))


def checked_severity(severity: Any) -> float:
    """Give a severity as a number, or say what a severity is."""
    value = float(severity) if _is_number(severity) else math.nan
    if value == 0 or LOWEST <= value <= HIGHEST:
        return value
    raise InputError(
        f"The severity is {severity!r}; give a number from {LOWEST} (just visible) to {HIGHEST} (very bad), whole or "
        "between, or 0 for the image unchanged."
    )


def _is_number(value: Any) -> bool:
    return isinstance(value, Real) and not isinstance(value, bool | np.bool_)


LARGEST_WARP = 32766
"""Pixels a side that OpenCV can warp."""


def refuse_longer_than(limit: int, image: Pixels, what: str) -> None:
    """Refuse an image with a side that a library underneath cannot handle."""
    height, width = image.shape[:2]
    if max(height, width) > limit:
        raise InputError(
            f"The image has {height}x{width} pixels, and {what} takes {limit} a side at most. Distort it in parts."
        )


def luminance(image: Pixels) -> Pixels:
    """Give the Rec. 709 luminance of pixels with the channel axis kept: ``(height, width, 1)``."""
    if image.shape[-1] == 1:
        return image
    plane: Pixels = (image @ np.asarray(REC709_WEIGHTS, np.float32))[..., np.newaxis]
    return plane


def blurred(image: Pixels, sigma: float) -> Pixels:
    """Blur each channel with a Gaussian of a standard deviation in pixels; the border is reflected."""
    import cv2  # scipy's filter gives the same to 4e-5 and takes four times as long

    return as_before(cv2.GaussianBlur(image, (0, 0), sigma, borderType=cv2.BORDER_REFLECT), image)


def filtered(image: Pixels, kernel: npt.NDArray[np.float64]) -> Pixels:
    """Filter each channel with a kernel, scaled to a sum of 1; the border is reflected."""
    import cv2

    weights = (kernel / kernel.sum()).astype(np.float32)
    return as_before(cv2.filter2D(image, -1, weights, borderType=cv2.BORDER_REFLECT), image)


def block_means(image: Pixels, side: float) -> Pixels:
    """Reduce an image by a factor, each new pixel the mean of the area it covers."""
    import cv2

    height, width = image.shape[:2]
    small = (max(round(width / side), 1), max(round(height / side), 1))
    return cv2.resize(image, small, interpolation=cv2.INTER_AREA).astype(np.float32, copy=False)


def as_before(result: npt.NDArray[Any], image: Pixels) -> Pixels:
    """Give a result the shape of the image: OpenCV and scikit-image drop a channel axis of one."""
    shaped: Pixels = result.reshape(image.shape).astype(np.float32, copy=False)
    return shaped
