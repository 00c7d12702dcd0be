"""Local operators over dask arrays: dask in, dask out, nothing computed before it is asked for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import dask.array as da
import numpy as np
import numpy.typing as npt
from dask.array.overlap import overlap

from .images import Planes
from .tiling import LocalOperator, reflected, rounded_up


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

    Notes
    -----
    The image is reflected at its border first, and the first and last blocks of each axis keep that margin; dask's
    own overlap then gives every block its neighbours. That way the margin is the one of the numpy path whatever the
    image's size, and the numbers agree.
    """
    height, width = inputs[0].shape[-2:]
    # A block must be no smaller than the margin that its neighbour takes from it.
    side = max(side, rounded_up(operator.halo, operator.multiple))
    out_chunks = tuple(_sides(length, side, operator.halo) for length in (height, width))
    windows = [_blocks_with_halo(planes, operator, out_chunks) for planes in inputs]
    lead = windows[0].ndim - 2

    def block(*parts: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        index = (0,) * lead
        answer: npt.NDArray[np.float32] = operator([part[index] for part in parts])[(None,) * lead]
        return answer

    chunks = windows[0].chunks[:lead] + tuple(
        (*sizes[:-1], rounded_up(sizes[-1], operator.multiple)) for sizes in out_chunks
    )
    answer = da.map_blocks(
        block, *windows, dtype=np.float32, chunks=chunks, meta=np.empty((0,) * windows[0].ndim, np.float32)
    )
    return answer[..., :height, :width]


def _sides(length: int, side: int, halo: int) -> tuple[int, ...]:
    """Cut a length into tiles; a last one smaller than the halo joins the one before it."""
    full, rest = divmod(length, side)
    if rest == 0:
        return (side,) * full
    if full and rest < halo:
        return (*(side,) * (full - 1), side + rest)
    return (*(side,) * full, rest)


def _blocks_with_halo(planes: Planes, operator: LocalOperator, chunks: tuple[tuple[int, ...], ...]) -> Any:
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
