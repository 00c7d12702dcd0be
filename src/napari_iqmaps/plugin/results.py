"""From a request to a result: what runs in the thread, and what is known of a map when it comes out."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from ..core import hiding
from ..core.io.map_file import score_row
from ..core.maps import QualityMap
from ..core.visibility import surroundings
from .layers import LayerPixels, common_channel_axis
from .regions import Region
from .tasks import Progress

BINS = 100
_SAMPLE_SIDE = 512


@dataclass(frozen=True, eq=False)
class Histogram:
    """How the values of a map are distributed.

    Attributes
    ----------
    shares : numpy.ndarray
        Share of the valid pixels in each bin.
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
        Names of the layers that it was computed from, in the order of the function's arguments.
    beside : tuple of Result or Picture
        What the same run made besides; each gets a layer, below the map's.
    """

    quality_map: QualityMap
    limits: tuple[float, float]
    histogram: Histogram | None
    names: tuple[str, ...]
    beside: tuple[Result | Picture, ...] = ()
    words: str = ""

    @classmethod
    def of(cls, quality_map: QualityMap, names: Sequence[str], sample: Any = None) -> Result:
        """Look at a map once, in the thread that made it, so that showing it costs nothing.

        Parameters
        ----------
        sample : numpy.ndarray, optional
            Some values of a lazy map, as `samples` gives them. None computes them.

        Returns
        -------
        Result
            With the colour limits and, if the values are in memory, the histogram.
        """
        if sample is None:
            (sample,) = samples([quality_map])
        limits = quality_map.meaning.display_limits(sample)
        histogram = None if quality_map.is_lazy else _histogram(quality_map)
        return cls(quality_map, limits, histogram, tuple(names))

    def in_memory(self) -> Result:
        """Compute what is lazy.

        Returns
        -------
        Result
            The same with its values, score and histogram in memory; itself if nothing is lazy.
        """
        if not self.quality_map.is_lazy:
            return self
        return Result.of(self.quality_map.compute(), self.names)

    def row(self) -> dict[str, Any]:
        """Sum the result up as a row of a table.

        Returns
        -------
        dict
            As `napari_iqmaps.core.io.score_row` makes it, with the names of the layers and of the region.
        """
        image, *reference = self.names
        row = score_row(
            self.quality_map, hiding.COLUMNS, file=image, **({"reference": reference[0]} if reference else {})
        )
        return row | {name: value for name, value in self.quality_map.info.items() if name.startswith("region")}


@dataclass(frozen=True, eq=False)
class Picture:
    """An image that a run made; it is shown as its source is, on the same pixels.

    Attributes
    ----------
    title : str
        What it is; the name of its layer after that of the source.
    pixels : numpy.ndarray
        Of the source's shape and dtype.
    """

    title: str
    pixels: npt.NDArray[Any]
    info: Mapping[str, Any]


@dataclass(frozen=True, eq=False)
class Request:
    """All that a run needs, taken from the viewer before it starts: the thread touches no layer.

    Attributes
    ----------
    options : mapping
        Its keyword arguments besides the channel axis and the progress.
    region : Region or None
        Where to answer; None means everywhere.
    """

    function: Callable[..., QualityMap]
    images: tuple[LayerPixels, ...]
    options: Mapping[str, Any]
    region: Region | None = None

    def run(self, progress: Progress) -> Result:
        """Compute; called in a thread."""
        images = self.images
        margin = 0 if self.region is None else surroundings(**self.options)
        if self.region is not None:
            images = tuple(self.region.crop(image, margin) for image in images)
        quality_map = self.function(
            *(image.data for image in images),
            channel_axis=common_channel_axis(images),
            progress=progress,
            **self.options,
        )
        if self.region is not None:
            quality_map = self.region.restore(quality_map, margin)
        return Result.of(quality_map, [image.name for image in images])


def computed(result: Result, progress: Progress) -> Result:
    """Compute all planes of a lazy result; called in a thread.

    Parameters
    ----------
    progress : callable
        Called with the chunks done and in all; what it raises stops the work.

    Returns
    -------
    Result
        The same with its values, score and histogram in memory.
    """
    return with_dask_progress(result.in_memory, progress) if result.quality_map.is_lazy else result


def with_dask_progress(work: Callable[[], Any], progress: Progress) -> Any:
    """Do work that computes dask arrays in this thread, and tell its progress.

    Parameters
    ----------
    progress : callable
        Called with the chunks done and in all; what it raises stops the work.
    """
    from dask.callbacks import Callback

    thread = threading.get_ident()

    def after_chunk(_key: Any, _value: Any, _graph: Any, state: Mapping[str, Any], _worker: Any) -> None:
        # dask calls back for every computation of the process; the viewer's own slicing is none of ours.
        if threading.get_ident() == thread:
            done = len(state["finished"])
            progress(done, done + sum(len(state[group]) for group in ("ready", "waiting", "running")))

    with Callback(posttask=after_chunk):
        return work()


def samples(maps: Sequence[QualityMap]) -> list[npt.NDArray[np.float32]]:
    """Give values that tell how maps are to be coloured.

    Parameters
    ----------
    maps : sequence of QualityMap
        All lazy or all in memory; lazy ones of one pass share it.

    Returns
    -------
    list of numpy.ndarray
        All values of a map in memory, and the middle of the middle plane of a lazy one.
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
