"""From a request to a result: what runs in the thread, and what is known of a map when it comes out."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from ..core import hiding
from ..core.io.map_file import score_row
from ..core.maps import QualityMap
from ..core.progress import Progress
from .layers import (
    METADATA_KEY,
    PICTURE_KEY,
    LayerPixels,
    Showable,
    as_layer,
    common_channel_axis,
    picture_layer,
    update_layer,
    update_picture,
)
from .regions import Region
from .tasks import with_dask_progress

BINS = 100
_SAMPLE_SIDE = 512


@dataclass(frozen=True, eq=False)
class Histogram:
    """How the values of a map are distributed.

    The shares are those of the valid pixels in each bin.
    """

    shares: npt.NDArray[np.float64]
    edges: npt.NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Result:
    """A map and what is shown of it.

    Attributes
    ----------
    histogram : Histogram or None
        None for a lazy map, and for one without a valid pixel.
    names : tuple of str
        Names of the layers that it was computed from, in the order of the widget's slots.
    beside : tuple of Result or Picture
        What the same run made besides; each gets a layer, below the map's.
    words : str
        What the summary says; empty for the sentence of the map.
    """

    quality_map: QualityMap
    limits: tuple[float, float]
    histogram: Histogram | None
    names: tuple[str, ...]
    beside: tuple[Result | Picture, ...] = ()
    words: str = ""

    @classmethod
    def of(cls, quality_map: QualityMap, names: Sequence[str], sample: Any = None, **more: Any) -> Self:
        """Look at a map once, in the thread that made it, so that showing it costs nothing.

        The sample holds some values of a lazy map, as `samples` gives them; None computes them.
        """
        if sample is None:
            (sample,) = samples([quality_map])
        limits = quality_map.meaning.display_limits(sample)
        histogram = None if quality_map.is_lazy else _histogram(quality_map)
        return cls(quality_map, limits, histogram, tuple(names), **more)

    @property
    def parts(self) -> tuple[Showable, ...]:
        """What gets a layer each, from below."""
        return (*self.beside, self)

    def new_layer(self, source: Any) -> Any:
        """Make a layer of the map."""
        return as_layer(self.quality_map, source, contrast_limits=self.limits)

    def update(self, layer: Any, source: Any) -> None:
        """Put the map into the layer of an earlier one."""
        update_layer(layer, self.quality_map, source, contrast_limits=self.limits)

    def is_in(self, layer: Any) -> bool:
        """Tell whether a layer shows a map of the same kind."""
        return bool(layer.metadata.get(METADATA_KEY, {}).get("kind") == self.quality_map.kind)

    def in_memory(self) -> Result:
        """Compute values, score and histogram if they are lazy."""
        if not self.quality_map.is_lazy:
            return self
        return Result.of(self.quality_map.compute(), self.names)

    def plane_words(self, index: tuple[int, ...]) -> str:
        """Say what one plane of a stack has to say for itself; nothing as long as it is not computed."""
        return "" if self.quality_map.is_lazy else self.quality_map.plane_sentence(index)

    def row(self) -> dict[str, Any]:
        """Sum the result up as a row of a table, with the names of the layers and of the region."""
        image, *reference = self.names
        row = score_row(
            self.quality_map, hiding.COLUMNS, file=image, **({"reference": reference[0]} if reference else {})
        )
        return row | {name: value for name, value in self.quality_map.info.items() if name.startswith("region")}


@dataclass(frozen=True, eq=False)
class Picture:
    """An image that a run made; it is shown as its source is, on the same pixels.

    `title`: what it is; the name of its layer after that of the source. `pixels`: of the source's shape and dtype.
    """

    title: str
    pixels: npt.NDArray[Any]
    info: Mapping[str, Any]

    @property
    def parts(self) -> tuple[Showable, ...]:
        """What gets a layer: itself."""
        return (self,)

    def new_layer(self, source: Any) -> Any:
        """Make a layer of the picture."""
        return picture_layer(self.pixels, source, self.title, self.info)

    def update(self, layer: Any, source: Any) -> None:
        """Put the picture into the layer of an earlier one."""
        update_picture(layer, self.pixels, source, self.info)

    def is_in(self, layer: Any) -> bool:
        """Tell whether a layer shows a picture, and not a map."""
        return PICTURE_KEY in layer.metadata


@dataclass(frozen=True, eq=False)
class Request:
    """All that a run needs, taken from the viewer before it starts: the thread touches no layer.

    Attributes
    ----------
    function : callable
        Computes, of the core.
    images : mapping
        Its images, by the names that it has for them.
    options : mapping
        Its keyword arguments besides the images, the channel axis and the progress.
    show : callable, optional
        Makes of this request and what the function gave what is shown; None: the function gives a map.
    title : str
        What the bar of progress is about; empty for the name of the function.
    region : Region or None
        Where to answer: the images are cut down to it, with a margin of so many pixels around that the values inside
        are those of the whole image. None means everywhere.
    """

    function: Callable[..., Any]
    images: Mapping[str, LayerPixels]
    options: Mapping[str, Any]
    show: Callable[[Request, Any], Any] | None = None
    title: str = ""
    region: Region | None = None
    margin: int = 0

    @property
    def names(self) -> list[str]:
        """The names of the layers."""
        return [image.name for image in self.images.values()]

    @property
    def name(self) -> str:
        """What the bar of progress is about."""
        return self.title or self.function.__name__.replace("_", " ")

    def run(self, progress: Progress) -> Any:
        """Compute, and look at what came out; called in a thread."""
        given = self._computed(progress)
        show = partial(Result.of, given, self.names) if self.show is None else partial(self.show, self, given)
        return with_dask_progress(show, progress)

    def _computed(self, progress: Progress) -> Any:
        images, region = self.images, self.region
        if region is not None:
            images = {name: region.crop(image, self.margin) for name, image in images.items()}
        options = dict(self.options)
        if "progress" in inspect.signature(self.function).parameters:
            options["progress"] = progress
        axis = common_channel_axis(images.values())
        given = self.function(**{name: image.data for name, image in images.items()}, channel_axis=axis, **options)
        return given if region is None else region.restore(given, self.margin)


def computed(result: Result, progress: Progress) -> Result:
    """Compute all planes of a lazy result; called in a thread."""
    made: Result = with_dask_progress(result.in_memory, progress) if result.quality_map.is_lazy else result
    return made


def samples(maps: Sequence[QualityMap]) -> list[npt.NDArray[np.float32]]:
    """Give values that tell how maps are to be coloured: all of a map in memory, the middle of a lazy one.

    Lazy maps of one pass share it; all have to be lazy, or none.
    """
    if not any(quality_map.is_lazy for quality_map in maps):
        return [np.asarray(quality_map.values) for quality_map in maps]
    from dask.base import compute

    return list(compute(*(_middle(quality_map.values) for quality_map in maps)))


def _middle(values: Any) -> Any:
    plane = tuple(length // 2 for length in values.shape[:-2])
    window = tuple(
        slice(max(0, length // 2 - _SAMPLE_SIDE // 2), length // 2 + _SAMPLE_SIDE // 2) for length in values.shape[-2:]
    )
    return values[(*plane, *window)]


def _histogram(quality_map: QualityMap) -> Histogram | None:
    finite = quality_map.values[np.isfinite(quality_map.values)]
    if finite.size == 0:
        return None
    meaning = quality_map.meaning
    highest = max(float(np.abs(finite).max()), 1e-3)
    bounds = meaning.limits if meaning.fixed_scale else (-highest if meaning.is_signed else 0.0, highest)
    counts, edges = np.histogram(finite, bins=BINS, range=bounds)
    return Histogram(counts / finite.size, edges)
