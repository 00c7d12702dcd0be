"""What is done to images before they are registered, or before a registration is judged: named steps, in sequence."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from .. import images
from ..errors import InputError
from ..images import as_planes, range_for
from ..io.image_file import ImageFile
from ..io.reading import read_image
from ..registration.external import check_installed
from ..registration.geometry import Matrix, as_matrix
from ..registration.search import METHODS
from ..value_range import DataRange

Plane = npt.NDArray[np.float32]
NONE = "none"
"""The preprocessing that changes nothing."""

_TILE = 64  # pixels; a tile of few pixels leaves the clip limit of CLAHE without effect
_SMALLEST = 16  # pixels of a side after downsampling
_MOST_REDUCED = 16


class Prepared(NamedTuple):
    """A preprocessed plane, 0 to 255, NaN where the image has no value, and the matrix from the image to it."""

    plane: Plane
    matrix: Matrix


@dataclass(frozen=True)
class Step:
    """One step of a preprocessing: a function of a plane without holes and of the number that was asked for.

    `number` is what is taken where none follows the name after a colon; None if the step takes none.
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
    """A sequence of steps with a name."""

    name: str
    steps: tuple[tuple[Step, int], ...]

    def apply(self, plane: npt.NDArray[Any]) -> Prepared:
        """Preprocess a plane, NaN in holes. A pixel that a hole reaches by downsampling is a hole.

        Pixel centres lie at whole numbers, so that a plane half as large has its first pixel at 0.5 of the first: ``x'
        = s (x + 0.5) - 0.5``. A homography ``H`` found between two such planes is ``inv(S2) H S1`` between the images.
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
    """Find a preprocessing: keys of `STEPS` joined by ``+``, done from left to right, numbers after a colon.

    Its own name is in one form: ``"downsample:2 + clahe-light"`` is ``"downsample+clahe-light"``.
    """
    steps = tuple(_step(word.strip()) for word in str(name).split("+"))
    if len(steps) > 1:
        steps = tuple(step for step in steps if step[0].name != NONE) or steps[:1]
    words = [step.name if number == (step.number or 0) else f"{step.name}:{number}" for step, number in steps]
    return Preprocessing("+".join(words), steps)


def bring_back(matrix: npt.NDArray[Any], moving: Matrix, fixed: Matrix) -> Matrix:
    """Bring a homography between preprocessed planes back to the images."""
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


_MATCHES = "matches"

REGISTRATIONS = tuple(name for name in METHODS if name != _MATCHES)
"""Names of the registrations that need nothing but the images."""


@dataclass(frozen=True)
class Method:
    """A way of registering: what is done to both images first, and how they are registered then.

    It is called by the preprocessing's name, and the registration's behind an ``@`` unless it is that of the
    comparison. `matches` is the folder of the matched points, if they were found elsewhere; see `matched`.
    """

    name: str
    preprocessing: Preprocessing
    registration: str
    matches: Path | None = None

    def __post_init__(self) -> None:
        check_installed(self.registration)  # once, and not for each pair

    def matches_of(self, moving: Path, fixed: Path) -> Path:
        """Name the file with the matched points of a pair; of a method with a folder of them."""
        assert self.matches is not None
        path = self.matches / f"{moving.stem}_to_{fixed.stem}.csv"
        if not path.is_file():
            raise InputError(f"{self.matches} holds no {path.name}, the matches of {moving.name} and {fixed.name}.")
        return path


def matched(name: str, folder: Path) -> Method:
    """Make a method of points that were matched elsewhere, such as by DeepMatching on images preprocessed elsewhere.

    The folder has a table ``MOVING_to_FIXED.csv`` a pair, as `napari_iqmaps.MatchTable` reads it: in pixels of the
    images as they came, or with the sizes that they had.
    """
    if not name or not folder.is_dir():
        raise InputError(f"{name!r} should be a name, and {folder} a folder of matches. Say NAME=FOLDER.")
    return Method(name, preprocessing(NONE), _MATCHES, folder)


def method(name: str, registration: str = "auto") -> Method:
    """Find a method by its name."""
    first, at, own = name.partition("@")
    steps = preprocessing(first.strip() or NONE)
    chosen = own.strip() if at else registration
    if chosen not in REGISTRATIONS:
        raise InputError(f"There is no registration {chosen!r} to compare. There are {', '.join(REGISTRATIONS)}.")
    return Method(steps.name if chosen == registration else f"{steps.name}@{chosen}", steps, chosen)


_MOST_BYTES = 2**28


class Frames:
    """Gives preprocessed planes of images, and keeps those that were asked for last; a file may state its own range."""

    def __init__(
        self,
        *,
        data_range: DataRange = None,
        channel_axis: int | None = None,
        read: Callable[[Path], ImageFile] = read_image,
    ) -> None:
        self._data_range = data_range
        self._channel_axis = channel_axis
        self._read = read
        self._kept: OrderedDict[tuple[Any, str, DataRange], Prepared] = OrderedDict()
        self._ranges: dict[Any, DataRange] = {}
        self._arrays: dict[int, Any] = {}

    def prepared(self, source: Any, steps: Preprocessing, standard: Any = None) -> Prepared:
        """Give an image preprocessed; it is kept, and not to be written into.

        `standard` is the fixed image of its pair: black and white that are to be found in the values are found in it.
        None stands for the image itself.
        """
        data_range = self._range(source if standard is None else standard)
        key = (self._key(source), steps.name, data_range)
        found = self._kept.pop(key, None)
        if found is None:
            found = steps.apply(self._plane(source, data_range))
            found.plane.flags.writeable = False
        self._kept[key] = found
        # The two images of a pair are in use at one time, whatever their size.
        while len(self._kept) > 2 and sum(one.plane.nbytes for one in self._kept.values()) > _MOST_BYTES:
            self._kept.popitem(last=False)
        return found

    def _key(self, source: Any) -> Any:
        if isinstance(source, Path):
            return source
        self._arrays[id(source)] = source  # kept alive, so that no other array gets its number
        return id(source)

    def _range(self, standard: Any) -> DataRange:
        """Give the range of a pair, as far as it is said for all images alike."""
        if not isinstance(self._data_range, str):
            return self._data_range
        key = self._key(standard)
        if key not in self._ranges:
            image, channel_axis, _, name = self._source(standard)
            self._ranges[key] = range_for(image, self._data_range, channel_axis=channel_axis, name=name)
        return self._ranges[key]

    def _source(self, source: Any) -> tuple[Any, int | None, DataRange, str]:
        """Give the pixels of an image, its channel axis, the range that its file states, and its name."""
        if not isinstance(source, Path):
            return source, self._channel_axis, None, "image"
        file = self._read(source)
        return file.array, file.channel_axis, file.data_range, source.name

    def _plane(self, source: Any, data_range: DataRange) -> npt.NDArray[np.float32]:
        image, channel_axis, stated, name = self._source(source)
        planes = as_planes(image, data_range=data_range or stated, channel_axis=channel_axis, name=name)
        if len(planes.shape) > 2:
            raise InputError(
                f"{name} holds a stack of planes (shape {planes.shape}); a comparison takes one image a file. Save its "
                "planes as files of their own."
            )
        plane = planes.read((), slice(None), slice(None))
        if not np.isfinite(plane).any():
            raise InputError(f"{name} has no pixel with a value (all NaN or masked). Check how it was saved.")
        return plane
