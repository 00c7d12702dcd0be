"""From a request to a result: what runs in the thread, and what is known of a map when it comes out."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from ..core import hiding
from ..core.call import Call
from ..core.images import range_for
from ..core.io.map_file import score_row
from ..core.maps import QualityMap
from ..core.progress import Progress
from .canvas import Showable
from .layers import (
    METADATA_KEY,
    PICTURE_KEY,
    LayerPixels,
    as_layer,
    common_channel_axis,
    map_template,
    picture_layer,
    picture_template,
    update_layer,
    update_picture,
)
from .provenance import note
from .regions import Region
from .tasks import with_dask_progress

BINS = 100
_SAMPLE_SIDE = 512
_RANGES = {"uint8": (0.0, 255.0), "uint16": (0.0, 65535.0)}
"""Black and white that the core takes by the type of an image, and a file may state otherwise."""


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
    call : Call or None
        What makes it again.
    """

    quality_map: QualityMap
    limits: tuple[float, float]
    histogram: Histogram | None
    names: tuple[str, ...]
    beside: tuple[Result | Picture, ...] = ()
    words: str = ""
    call: Call | None = None

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

    @property
    def template(self) -> str:
        """What the layer is called."""
        return map_template(self.quality_map)

    def new_layer(self, source: Any) -> Any:
        """Make a layer of the map."""
        layer = as_layer(self.quality_map, source, contrast_limits=self.limits)
        note(layer, self.call)
        return layer

    def update(self, layer: Any, source: Any) -> None:
        """Put the map into the layer of an earlier one."""
        update_layer(layer, self.quality_map, source, contrast_limits=self.limits)
        note(layer, self.call)

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
    call: Call | None = None

    @property
    def parts(self) -> tuple[Showable, ...]:
        """What gets a layer: itself."""
        return (self,)

    @property
    def template(self) -> str:
        """What the layer is called."""
        return picture_template(self.title)

    def new_layer(self, source: Any) -> Any:
        """Make a layer of the picture."""
        layer = picture_layer(self.pixels, source, self.title, self.info)
        note(layer, self.call)
        return layer

    def update(self, layer: Any, source: Any) -> None:
        """Put the picture into the layer of an earlier one."""
        update_picture(layer, self.pixels, source, self.info)
        note(layer, self.call)

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
        are those of the whole image. None means everywhere. A margin that takes a library to tell is asked for in the
        thread.
    call : Call, optional
        The same as a call of public functions; None: it is one.
    """

    function: Callable[..., Any]
    images: Mapping[str, LayerPixels]
    options: Mapping[str, Any]
    show: Callable[[Request, Any], Any] | None = None
    title: str = ""
    region: Region | None = None
    margin: int | Callable[[], int] = 0
    call: Call | None = None

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
        return called(with_dask_progress(show, progress), self.as_call())

    def as_call(self) -> Call:
        """Write down what is asked for, as of now."""
        time = datetime.now().astimezone().isoformat(timespec="seconds")
        if self.call is not None:
            return replace(self.call, time=time)
        remarks: tuple[str, ...] = ()
        if self.region is not None:
            remarks = (
                f"Only the region {self.region.name!r} was asked for. This maps the whole image: the same inside of "
                "the region, and another score.",
            )
        images = {name: image.given for name, image in self.images.items() if image.given is not None}
        return Call(self.function.__name__, images, in_full(self.images, self.options), remarks=remarks, time=time)

    def _computed(self, progress: Progress) -> Any:
        images, region = self.images, self.region
        margin = self.margin if isinstance(self.margin, int) else self.margin()
        if region is not None:
            images = {name: region.crop(image, margin) for name, image in images.items()}
        options = dict(self.options)
        axis = common_channel_axis(images.values())
        if region is not None and options.get("luminance", "code") == "code":
            # Found in the whole image, not in the part of it that is computed.
            whole = self.images.get("reference", next(iter(self.images.values()))).data
            used = range_for(whole, options.get("data_range"), channel_axis=axis, progress=progress)
            options["data_range"] = used
        if "progress" in inspect.signature(self.function).parameters:
            options["progress"] = progress
        given = self.function(**{name: image.data for name, image in images.items()}, channel_axis=axis, **options)
        return given if region is None else region.restore(given, margin)


def computed(result: Result, progress: Progress) -> Result:
    """Compute all planes of a lazy result; called in a thread."""
    if not result.quality_map.is_lazy:
        return result
    made: Result = called(with_dask_progress(result.in_memory, progress), result.call)
    return made


def called(result: Any, call: Call | None) -> Any:
    """Give a result, with its parts, the call that makes it again: of a range that was found, with its numbers."""
    if isinstance(result, Result):
        found = result.quality_map.info.get("data_range")
        if call is not None and found is not None and isinstance(call.options.get("data_range"), str):
            call = call.with_range(tuple(map(float, found)))
        return replace(result, call=call, beside=tuple(replace(part, call=call) for part in result.beside))
    return replace(result, call=call) if isinstance(result, Picture) else result


def in_full(images: Mapping[str, LayerPixels], options: Mapping[str, Any]) -> dict[str, Any]:
    """Give options as a call elsewhere needs them: with the axis of colours, and with numbers for black and white."""
    types = {str(image.data.dtype) for image in images.values()}
    is_code = options.get("luminance", "code") == "code"
    by_type = _RANGES.get(types.pop()) if len(types) == 1 and is_code else None
    given = options.get("data_range")
    return {
        **options,
        "channel_axis": common_channel_axis(images.values()),
        "data_range": by_type if given is None else given,
    }


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
