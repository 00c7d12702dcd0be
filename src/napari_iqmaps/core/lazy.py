"""Local operators over dask arrays: dask in, dask out, nothing computed before it is asked for."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import dask.array as da
import numpy as np
import numpy.typing as npt
from dask.array.overlap import overlap

from .images import Planes
from .tiling import LocalOperator, Windowed, reflected, rounded_up


def apply_lazily(operator: LocalOperator, inputs: Sequence[Planes], side: int) -> Any:
    """Give the operator's answer as a dask array with one block a tile and plane.

    Parameters
    ----------
    operator : LocalOperator
        What to apply.
    inputs : sequence of Planes
        The images it takes, of equal shape; those in memory are wrapped.
    side : int
        Side of a tile, a multiple of the operator's.

    Returns
    -------
    dask.array.Array
        float32, the inputs' shape.
    """
    return LazyTiles(operator, operator, inputs, side).plane(_itself)


class LazyTiles:
    """What a function says of every tile, when it is asked for: planes, numbers, or both from one call of it.

    Parameters
    ----------
    function : callable
        From the windows of a tile, one an input, to anything.
    tiled : Windowed
        Says how far the function looks.
    inputs : sequence of Planes
        The images it takes, of equal shape; those in memory are wrapped.
    side : int
        Side of a tile, a multiple of the operator's.

    Notes
    -----
    The image is reflected at its border first, and the first and last blocks of each axis keep that margin; dask's
    own overlap then gives every block its neighbours. That way the margin is the one of the numpy path whatever the
    image's size, and the numbers agree. Arrays that are picked from one object and computed together
    (``dask.compute(one, other)``) share the calls of the function.
    """

    def __init__(
        self,
        function: Callable[[Sequence[npt.NDArray[np.float32]]], Any],
        tiled: Windowed,
        inputs: Sequence[Planes],
        side: int,
    ) -> None:
        self.height, self.width = inputs[0].shape[-2:]
        # A block must be no smaller than the margin that its neighbour takes from it.
        side = max(side, rounded_up(tiled.halo, tiled.multiple))
        sides = tuple(_sides(length, side, tiled.halo) for length in (self.height, self.width))
        windows = [_blocks_with_halo(planes, tiled, sides) for planes in inputs]
        self.lead = windows[0].ndim - 2
        chunks = windows[0].chunks[: self.lead] + tuple(
            (*sizes[:-1], rounded_up(sizes[-1], tiled.multiple)) for sizes in sides
        )
        # Each block is whatever the function gives; only what is picked from it has the shape that dask is told.
        self.answers = da.map_blocks(
            _answer, *windows, function=function, dtype=object, chunks=chunks,
            meta=np.empty((0,) * windows[0].ndim, object),
        )  # fmt: skip

    def plane(self, pick: Callable[[Any], npt.NDArray[Any]]) -> Any:
        """Give the planes that are picked from the answers.

        Parameters
        ----------
        pick : callable
            From an answer to the tile's values, float32, ``(height, width)``.

        Returns
        -------
        dask.array.Array
            float32, the inputs' shape.
        """
        meta = np.empty((0,) * self.answers.ndim, np.float32)
        picked = self.answers.map_blocks(_picked, pick=pick, lead=self.lead, dtype=np.float32, meta=meta)
        return picked[..., : self.height, : self.width]

    def numbers(self, pick: Callable[[Any], npt.NDArray[Any]], count: int) -> Any:
        """Add up the numbers that are picked from the answers, plane by plane.

        Parameters
        ----------
        pick : callable
            From an answer to the tile's numbers, float64, ``(count,)``.
        count : int
            How many.

        Returns
        -------
        dask.array.Array
            float64, ``(..., count)``.
        """
        ones = tuple((1,) * len(sizes) for sizes in self.answers.chunks)
        picked = self.answers.map_blocks(
            _picked, pick=pick, lead=self.lead + 2, dtype=np.float64, new_axis=self.lead + 2,
            chunks=(*ones, (count,)), meta=np.empty((0,) * (self.lead + 3), np.float64),
        )  # fmt: skip
        return picked.sum(axis=(self.lead, self.lead + 1))


def _answer(*parts: npt.NDArray[np.float32], function: Callable[[Sequence[npt.NDArray[np.float32]]], Any]) -> Any:
    index = (0,) * (parts[0].ndim - 2)
    return function([part[index] for part in parts])


def _picked(answer: Any, pick: Callable[[Any], npt.NDArray[Any]], lead: int) -> npt.NDArray[Any]:
    return pick(answer)[(None,) * lead]


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
    return replace(planes, array=da.from_array(planes.array)).lazy_luminance()
