"""A local operator over planes of any size: numpy in tiles with the exact halo, dask lazily.

An operator says how far it looks (its halo); a tile is read with that margin, reflected at the image's border, so
that a tile's interior is what the whole image gives, and memory is bounded by the tile, not by the image.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import partial
from itertools import product
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from .errors import InputError
from .images import Planes
from .progress import Progress


class Windowed(Protocol):
    """What says how it is to be tiled.

    `halo` is the margin in pixels that an answer needs on every side. Tiles start at multiples of `multiple` and have a
    multiple of it as their side (the cell grid of a network). `tile` is the side that suits the operator: large enough
    to be efficient, small enough that the time between two calls of ``progress`` stays well under half a second.
    """

    halo: int
    multiple: int
    tile: int


class LocalOperator(Windowed, Protocol):
    """What turns the windows of a tile into its answer."""

    def __call__(self, windows: Sequence[npt.NDArray[np.float32]]) -> npt.NDArray[np.float32]:
        """Turn one window an input, each ``(height + 2 halo, width + 2 halo)``, into ``(height, width)``."""
        ...


def apply(
    operator: LocalOperator, inputs: Sequence[Planes], *, tile: int | None = None, progress: Progress | None = None
) -> Any:
    """Apply a local operator to every plane of images of equal shape; float32 of that shape, lazy if one of them is.

    `progress` is called with ``(tiles done, tiles in all)`` before the first tile and after each. For a lazy input
    nothing is done here, so it is not called.
    """
    side = tile_side(operator, tile)
    if any(planes.is_lazy for planes in inputs):
        return apply_lazily(operator, inputs, side)
    result = np.empty(inputs[0].shape, np.float32)
    for place, windows in each_tile(operator, inputs, side, progress):
        part = result[place]
        part[...] = operator(windows)[: part.shape[0], : part.shape[1]]
    return result


def each_tile(
    operator: Windowed, inputs: Sequence[Planes], side: int, progress: Progress | None = None
) -> Iterator[tuple[tuple[Any, ...], list[npt.NDArray[np.float32]]]]:
    """Go through all planes tile by tile: give the tile's index in the inputs' shape, and a window of each input.

    A window has the halo around the tile, and is rounded up to the operator's multiple at the lower and right border.
    """
    shape = inputs[0].shape
    height, width = shape[-2:]
    corners = list(product(np.ndindex(*shape[:-2]), range(0, height, side), range(0, width, side)))
    if progress is not None:
        progress(0, len(corners))
    for done, (plane, top, left) in enumerate(corners, start=1):
        bottom, right = min(top + side, height), min(left + side, width)
        rows = window_indices(top, bottom, height, operator)
        columns = window_indices(left, right, width, operator)
        place = (*plane, slice(top, bottom), slice(left, right))
        yield place, [planes.read(plane, rows, columns) for planes in inputs]
        if progress is not None:
            progress(done, len(corners))


def window_indices(start: int, stop: int, length: int, operator: Windowed) -> slice | npt.NDArray[np.intp]:
    """Say which rows (or columns) a tile has to read, its halo included and widened to the operator's multiple.

    A slice inside the image, or the indices with what lies outside reflected at the border pixel (which is not
    repeated), as often as it takes for images smaller than the halo.
    """
    low, high = start - operator.halo, start + rounded_up(stop - start, operator.multiple) + operator.halo
    if low >= 0 and high <= length:
        return slice(low, high)
    return reflected(np.arange(low, high), length)


def rounded_up(number: int, multiple: int) -> int:
    """Give the smallest multiple that is not below the number."""
    return math.ceil(number / multiple) * multiple


def reflected(indices: npt.NDArray[np.intp], length: int) -> npt.NDArray[np.intp]:
    """Fold indices outside ``0..length-1`` back, without repeating the border (``c b | a b c | b a``)."""
    if length == 1:
        return np.zeros_like(indices)
    period = 2 * (length - 1)
    folded = np.mod(indices, period)
    mirrored: npt.NDArray[np.intp] = np.minimum(folded, period - folded)
    return mirrored


def tile_side(operator: Windowed, tile: int | None) -> int:
    """Check the side of a tile and round it up to the operator's multiple; None takes the operator's own."""
    if tile is None:
        tile = operator.tile
    if isinstance(tile, bool) or not isinstance(tile, int | np.integer) or tile < 1:
        raise InputError(f"tile is {tile!r}; give the side of a tile in pixels, a whole number of at least 1.")
    return rounded_up(int(tile), operator.multiple)


def apply_lazily(operator: LocalOperator, inputs: Sequence[Planes], side: int) -> Any:
    """Give the operator's answer as a dask array, float32, with one block a tile and plane."""
    return LazyTiles(partial(_cut, operator), operator, inputs, side).plane(_itself)


class LazyTiles:
    """What a function says of every tile, when it is asked for: planes, numbers, or both from one call of it.

    `function`: from the windows of a tile, one an input, and the rows and columns of the tile that lie inside the
    image, to anything. `inputs`: the images it takes, of equal shape; those in memory are wrapped.

    The image is reflected at its border first, and the first and last blocks of each axis keep that margin; dask's
    own overlap then gives every block its neighbours. That way the margin is the one of the numpy path whatever the
    image's size, and the numbers agree. Arrays that are picked from one object and computed together
    (``dask.compute(one, other)``) share the calls of the function.
    """

    def __init__(
        self,
        function: Callable[[Sequence[npt.NDArray[np.float32]], tuple[int, int]], Any],
        tiled: Windowed,
        inputs: Sequence[Planes],
        side: int,
    ) -> None:
        # A block must be no smaller than the margin that its neighbour takes from it.
        side = max(side, rounded_up(tiled.halo, tiled.multiple))
        sides = tuple(_sides(length, side, tiled.halo) for length in inputs[0].shape[-2:])
        windows = [_blocks_with_halo(planes, tiled, sides) for planes in inputs]
        self.lead = windows[0].ndim - 2
        import dask.array as da  # an optional dependency

        # Each block is whatever the function gives; only what is picked from it has the shape that dask is told.
        self.answers = da.map_blocks(
            _answer,
            *windows,
            function=function,
            sides=sides,
            dtype=object,
            chunks=windows[0].chunks[: self.lead] + sides,
            meta=np.empty((0,) * windows[0].ndim, object),
        )

    def plane(self, pick: Callable[[Any], npt.NDArray[Any]]) -> Any:
        """Give the planes that are picked from the answers, each float32, as a dask array of the inputs' shape."""
        meta = np.empty((0,) * self.answers.ndim, np.float32)
        return self.answers.map_blocks(_picked, pick=pick, lead=self.lead, dtype=np.float32, meta=meta)

    def numbers(self, pick: Callable[[Any], npt.NDArray[Any]], count: int) -> Any:
        """Add up the numbers picked from the answers, float64 ``(count,)`` each: a dask array ``(..., count)``."""
        ones = tuple((1,) * len(sizes) for sizes in self.answers.chunks)
        picked = self.answers.map_blocks(
            _picked,
            pick=pick,
            lead=self.lead + 2,
            dtype=np.float64,
            new_axis=self.lead + 2,
            chunks=(*ones, (count,)),
            meta=np.empty((0,) * (self.lead + 3), np.float64),
        )
        return picked.sum(axis=(self.lead, self.lead + 1))


def _answer(
    *parts: npt.NDArray[np.float32],
    function: Callable[[Sequence[npt.NDArray[np.float32]], tuple[int, int]], Any],
    sides: tuple[tuple[int, ...], tuple[int, ...]],
    block_id: tuple[int, ...] = (0, 0),
) -> Any:
    index = (0,) * (parts[0].ndim - 2)
    row, column = block_id[-2:]
    return function([part[index] for part in parts], (sides[0][row], sides[1][column]))


def _picked(answer: Any, pick: Callable[[Any], npt.NDArray[Any]], lead: int) -> npt.NDArray[Any]:
    return pick(answer)[(None,) * lead]


def _cut(
    operator: LocalOperator, windows: Sequence[npt.NDArray[np.float32]], shape: tuple[int, int]
) -> npt.NDArray[np.float32]:
    return operator(windows)[: shape[0], : shape[1]]


def _itself(answer: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    return answer


def _sides(length: int, side: int, halo: int) -> tuple[int, ...]:
    """Cut a length into tiles; a last one smaller than the halo joins the one before it."""
    full, rest = divmod(length, side)
    if rest == 0:
        return (side,) * full
    if full and rest < halo:
        return (*(side,) * (full - 1), side + rest)
    return (*(side,) * full, rest)


def _blocks_with_halo(planes: Planes, operator: Windowed, chunks: tuple[tuple[int, ...], ...]) -> Any:
    import dask.array as da
    from dask.array.overlap import overlap

    array = planes.lazy_luminance() if planes.is_lazy else _wrapped(planes)
    lead = array.ndim - 2
    for axis, sizes in zip((lead, lead + 1), chunks, strict=True):
        length = sum(sizes)
        covered = rounded_up(length, operator.multiple)
        array = da.take(array, reflected(np.arange(-operator.halo, covered + operator.halo), length), axis=axis)
        padded = np.asarray(sizes)
        padded[0] += operator.halo
        padded[-1] += covered - length + operator.halo
        array = array.rechunk({axis: tuple(int(size) for size in padded)})
    array = array.rechunk(dict.fromkeys(range(lead), 1))
    depth = {axis: operator.halo if axis >= lead else 0 for axis in range(array.ndim)}
    return overlap(array, depth=depth, boundary="none", allow_rechunk=False)


def _wrapped(planes: Planes) -> Any:
    import dask.array as da

    return replace(planes, array=da.from_array(planes.array)).lazy_luminance()
