"""What is done to images before they are registered, or before a registration is judged: named steps, in sequence."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from .. import images
from ..errors import InputError
from ..registration.geometry import Matrix, as_matrix

Plane = npt.NDArray[np.float32]
NONE = "none"
"""The preprocessing that changes nothing."""

_TILE = 64  # pixels; a tile of few pixels leaves the clip limit of CLAHE without effect
_SMALLEST = 16  # pixels of a side after downsampling
_MOST_REDUCED = 16


class Prepared(NamedTuple):
    """A preprocessed plane.

    Attributes
    ----------
    plane : numpy.ndarray
        float32, shape ``(height, width)``, on the scale 0 to 255; NaN where the image has no value.
    matrix : numpy.ndarray
        Shape ``(3, 3)``: a pixel ``(x, y)`` of the image as it came to the same place in `plane`.
    """

    plane: Plane
    matrix: Matrix


@dataclass(frozen=True)
class Step:
    """One step of a preprocessing.

    Attributes
    ----------
    name : str
        How it is asked for.
    apply : callable
        From a plane without holes, and the number asked for, to the new plane.
    meaning : str
        What it does, in words.
    number : int or None
        The number that may follow the name after a colon, if none is given; None if the step takes no number.
    """

    name: str
    apply: Callable[[Plane, int], Plane]
    meaning: str
    number: int | None = None


def _as_it_is(plane: Plane, _number: int) -> Plane:
    return plane


def _downsampled(plane: Plane, factor: int) -> Plane:
    import cv2

    height, width = (round(side / factor) for side in plane.shape)
    if min(height, width) < _SMALLEST:
        raise InputError(
            f"An image of {plane.shape[0]}x{plane.shape[1]} pixels, downsampled {factor} times, would have "
            f"{height}x{width}; registration needs {_SMALLEST} a side. Leave downsample out."
        )
    return np.asarray(cv2.resize(plane, (width, height), interpolation=cv2.INTER_AREA), np.float32)


def _equalised(clip: float) -> Callable[[Plane, int], Plane]:
    def apply(plane: Plane, _number: int) -> Plane:
        import cv2

        # In 8 bits: of a histogram with 65536 bins, no tile is large enough for a clip limit to act.
        codes = np.clip(np.rint(plane), 0, 255).astype(np.uint8)
        tiles = tuple(max(1, round(side / _TILE)) for side in reversed(plane.shape))
        return np.asarray(cv2.createCLAHE(clipLimit=clip, tileGridSize=tiles).apply(codes), np.float32)

    return apply


def _edge_kept(plane: Plane, _number: int) -> Plane:
    import cv2

    return np.asarray(cv2.bilateralFilter(plane, 7, 25.0, 3.0), np.float32)


def _non_local(plane: Plane, _number: int) -> Plane:
    from skimage.restoration import denoise_nl_means

    return np.asarray(
        denoise_nl_means(plane, patch_size=5, patch_distance=6, h=8.0, fast_mode=True, preserve_range=True), np.float32
    )


def _smooth(plane: Plane, _number: int) -> Plane:
    from scipy.ndimage import gaussian_filter

    return np.asarray(gaussian_filter(plane, 1.0, mode="nearest"), np.float32)


STEPS: Mapping[str, Step] = MappingProxyType({
    step.name: step
    for step in (
        Step(NONE, _as_it_is, "the image as it is"),
        Step("downsample", _downsampled, "smaller by a whole number, 2 if none follows: each pixel a mean", 2),
        Step("clahe-light", _equalised(2.0), "contrast equalised in tiles of 64 pixels, clip limit 2"),
        Step("clahe-heavy", _equalised(8.0), "the same with clip limit 8"),
        Step("bilateral", _edge_kept, "smoothed within edges: 7 pixels, 25 grey levels"),
        Step("nlmeans", _non_local, "non-local means: patches of 5 pixels, strength 8 grey levels"),
        Step("smooth", _smooth, "smoothed by a Gaussian of 1 pixel"),
    )
})  # fmt: skip
"""The steps, by name."""


@dataclass(frozen=True)
class Preprocessing:
    """A sequence of steps with a name.

    Attributes
    ----------
    name : str
        The steps, joined by ``+``.
    steps : tuple of (Step, int)
        Each with its number.
    """

    name: str
    steps: tuple[tuple[Step, int], ...]

    def apply(self, plane: npt.NDArray[Any]) -> Prepared:
        """Preprocess a plane.

        Parameters
        ----------
        plane : numpy.ndarray
            Shape ``(height, width)``, 0 to 255; NaN marks a hole.

        Returns
        -------
        Prepared
            The new plane and the matrix to its grid. A pixel that a hole reaches by downsampling is a hole.

        Raises
        ------
        InputError
            If downsampling leaves too few pixels.

        Notes
        -----
        Pixel centres lie at whole numbers, so that a plane half as large has its first pixel at 0.5 of the first:
        ``x' = s (x + 0.5) - 0.5``. A homography ``H`` found between two such planes is ``inv(S2) H S1`` between the
        images.
        """
        result = np.asarray(plane, np.float32)
        unknown = ~np.isfinite(result)
        result = images.fill(result)
        for step, number in self.steps:
            result = step.apply(result, number)
        matrix = _scaling(plane.shape, result.shape)
        if unknown.any():
            result = np.where(_reached(unknown, result.shape), np.float32(np.nan), result)
        return Prepared(np.ascontiguousarray(result), matrix)


def preprocessing(name: str) -> Preprocessing:
    """Find a preprocessing by its name.

    Parameters
    ----------
    name : str
        Keys of `STEPS` joined by ``+``, done from left to right, such as ``"downsample+clahe-light"``. A step that
        takes a number has it after a colon: ``"downsample:4"``.

    Returns
    -------
    Preprocessing
        With its name in one form: no blanks, numbers that are the default left out.

    Raises
    ------
    InputError
        If there is no such step, or a number is not one it can take.

    Examples
    --------
    >>> preprocessing("downsample:2 + clahe-light").name
    'downsample+clahe-light'
    """
    steps = tuple(_step(word.strip()) for word in str(name).split("+"))
    if len(steps) > 1:
        steps = tuple(step for step in steps if step[0].name != NONE) or steps[:1]
    words = [step.name if number == (step.number or 0) else f"{step.name}:{number}" for step, number in steps]
    return Preprocessing("+".join(words), steps)


def bring_back(matrix: npt.NDArray[Any], moving: Matrix, fixed: Matrix) -> Matrix:
    """Bring a homography between preprocessed planes back to the images.

    Parameters
    ----------
    matrix : numpy.ndarray
        Shape ``(3, 3)``, from the preprocessed moving plane to the preprocessed fixed one.
    moving, fixed : numpy.ndarray
        The matrices of their `Prepared`.

    Returns
    -------
    numpy.ndarray
        float64, shape ``(3, 3)``, from the moving image to the fixed one; the last entry is 1.
    """
    return as_matrix(np.linalg.inv(fixed) @ matrix @ moving)


def _step(word: str) -> tuple[Step, int]:
    name, colon, text = word.partition(":")
    if name not in STEPS:
        raise InputError(f"There is no preprocessing {word!r}. There are {', '.join(STEPS)}, and sequences with '+'.")
    step = STEPS[name]
    if not colon:
        return step, step.number or 0
    if step.number is None:
        raise InputError(f"The preprocessing {name} takes no number; {word!r} gives one. Leave it out.")
    if not text.isdecimal() or not 1 < int(text) <= _MOST_REDUCED:
        raise InputError(f"{word!r} should have a whole number from 2 to {_MOST_REDUCED} after the colon.")
    return step, int(text)


def _scaling(before: tuple[int, ...], after: tuple[int, ...]) -> Matrix:
    matrix = np.eye(3)
    for axis in (0, 1):  # x is the last axis of an image
        scale = after[1 - axis] / before[1 - axis]
        matrix[axis, axis], matrix[axis, 2] = scale, (scale - 1) / 2
    return matrix


def _reached(unknown: npt.NDArray[np.bool_], shape: tuple[int, ...]) -> npt.NDArray[np.bool_]:
    if unknown.shape == shape:
        return unknown
    import cv2

    share = cv2.resize(unknown.astype(np.float32), (shape[1], shape[0]), interpolation=cv2.INTER_AREA)
    return np.asarray(share > 0)
