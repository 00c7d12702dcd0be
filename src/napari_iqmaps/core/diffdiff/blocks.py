"""How a frame is divided: blocks that fill it, and tiles in which a large block is worked through."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from ..errors import InputError

SMALLEST_BLOCK = 8
"""Pixels to the side of a block; of a smaller frame there are fewer blocks."""

TILE = 1024
"""Pixels to the side of what is read at once."""


@dataclass(frozen=True)
class Box:
    """A rectangle of pixels: the first row and column, and the ones behind the last."""

    top: int
    bottom: int
    left: int
    right: int

    @property
    def shape(self) -> tuple[int, int]:
        """Height and width."""
        return self.bottom - self.top, self.right - self.left

    @property
    def place(self) -> tuple[slice, slice]:
        """Rows and columns."""
        return slice(self.top, self.bottom), slice(self.left, self.right)

    def tiles(self, side: int = TILE) -> Iterator[Box]:
        """Cut the box into boxes of about one size, of at most `side` pixels to each side.

        Parameters
        ----------
        side : int
            Pixels.

        Yields
        ------
        Box
            From the top left, row by row.
        """
        rows, columns = _cuts(self.top, self.bottom, side), _cuts(self.left, self.right, side)
        for top, bottom in pairwise(rows):
            for left, right in pairwise(columns):
                yield Box(top, bottom, left, right)

    def widened(self, margin: int, shape: tuple[int, int]) -> Box:
        """Add a margin to all sides, as far as the image goes.

        Parameters
        ----------
        margin : int
            Pixels.
        shape : (int, int)
            Height and width of the image.

        Returns
        -------
        Box
            The larger box.
        """
        return Box(
            max(self.top - margin, 0),
            min(self.bottom + margin, shape[0]),
            max(self.left - margin, 0),
            min(self.right + margin, shape[1]),
        )

    def within(self, outer: Box) -> tuple[slice, slice]:
        """Give the rows and columns of this box in an array that holds the outer one."""
        rows = slice(self.top - outer.top, self.bottom - outer.top)
        return rows, slice(self.left - outer.left, self.right - outer.left)


def _cuts(start: int, stop: int, side: int) -> list[int]:
    """Divide a stretch evenly into as few parts as have at most `side` pixels."""
    parts = -(-(stop - start) // side)
    return [start + i * (stop - start) // parts for i in range(parts + 1)]


def edges(start: int, stop: int, parts: int) -> list[int]:
    """Divide a stretch of pixels into parts that differ by at most one pixel and leave none out.

    Parameters
    ----------
    start, stop : int
        First pixel, and the one behind the last.
    parts : int
        How many; fewer are made where one would have under `SMALLEST_BLOCK` pixels.

    Returns
    -------
    list of int
        One more than there are parts: ``start + i * (stop - start) // parts``.
    """
    parts = max(1, min(parts, (stop - start) // SMALLEST_BLOCK))
    return [start + i * (stop - start) // parts for i in range(parts + 1)]


def blocks(frame: Box, grid: tuple[int, int]) -> dict[tuple[int, int], Box]:
    """Divide a frame into a grid of blocks.

    Parameters
    ----------
    frame : Box
        What to divide.
    grid : (int, int)
        Rows and columns of blocks.

    Returns
    -------
    dict
        (row, column) to its box, row by row.
    """
    rows, columns = edges(frame.top, frame.bottom, grid[0]), edges(frame.left, frame.right, grid[1])
    return {
        (i, j): Box(rows[i], rows[i + 1], columns[j], columns[j + 1])
        for i in range(len(rows) - 1)
        for j in range(len(columns) - 1)
    }


def frame_of(shape: tuple[int, int], border: int, region: npt.NDArray[np.bool_] | None) -> Box:
    """Find the rectangle that is judged: the image without its border, or what of it surrounds the region.

    Parameters
    ----------
    shape : (int, int)
        Height and width of the image.
    border : int
        Pixels to leave out at each side.
    region : numpy.ndarray of bool, optional
        ``shape``; True inside the region.

    Returns
    -------
    Box
        With at least one pixel.

    Raises
    ------
    InputError
        If border and region leave nothing.
    """
    height, width = shape
    if 2 * border >= min(shape):
        raise InputError(
            f"A border of {border} pixels at each side leaves nothing of {height}x{width} pixels. "
            f"Take a border below {(min(shape) + 1) // 2}."
        )
    inside = Box(border, height - border, border, width - border)
    if region is None:
        return inside
    part = region[inside.place]
    rows, columns = (np.flatnonzero(part.any(axis=axis)) for axis in (1, 0))
    if rows.size == 0:
        raise InputError(f"The region has no pixel inside the border of {border} pixels. Choose another region.")
    return Box(
        border + int(rows[0]), border + int(rows[-1]) + 1, border + int(columns[0]), border + int(columns[-1]) + 1
    )
