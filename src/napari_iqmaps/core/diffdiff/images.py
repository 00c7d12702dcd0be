"""The three images of a judgement as planes of one frame, and how the frame is divided into blocks and tiles."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt

from ..arrays import as_array, computed
from ..display import WHITE
from ..errors import InputError
from ..images import Planes, as_planes, check_common_range, range_for
from ..opencv import opencv
from ..progress import Progress
from ..value_range import DataRange

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
        """Cut the box into boxes of about one size, of at most `side` pixels to each side."""
        rows, columns = _cuts(self.top, self.bottom, side), _cuts(self.left, self.right, side)
        for top, bottom in pairwise(rows):
            for left, right in pairwise(columns):
                yield Box(top, bottom, left, right)

    def widened(self, margin: int, shape: tuple[int, int]) -> Box:
        """Add a margin to all sides, as far as the image goes."""
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
    """Divide a stretch of pixels into parts that differ by at most one pixel; give where they begin, and the end.

    There are fewer parts where one would have under `SMALLEST_BLOCK` pixels.
    """
    # The notebook's blocks of n // 5 pixels leave up to four rows and columns out; these fill the stretch.
    parts = max(1, min(parts, (stop - start) // SMALLEST_BLOCK))
    return [start + i * (stop - start) // parts for i in range(parts + 1)]


def blocks(frame: Box, grid: tuple[int, int]) -> dict[tuple[int, int], Box]:
    """Divide a frame into a grid of blocks."""
    rows, columns = edges(frame.top, frame.bottom, grid[0]), edges(frame.left, frame.right, grid[1])
    return {
        (i, j): Box(rows[i], rows[i + 1], columns[j], columns[j + 1])
        for i in range(len(rows) - 1)
        for j in range(len(columns) - 1)
    }


def frame_of(shape: tuple[int, int], border: int, region: npt.NDArray[np.bool_] | None) -> Box:
    """Find the rectangle that is judged: the image without its border, or what of it surrounds the region."""
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


Mask = npt.NDArray[np.bool_]
Plane = npt.NDArray[np.float32]
NAMES = ("moving image", "registered image", "fixed image")


@dataclass(frozen=True)
class Windows:
    """The same part of the three images, grey levels of 255, 0 where not valid; `valid` of None means all."""

    moving: Plane
    registered: Plane
    fixed: Plane
    valid: Mask | None


@dataclass(frozen=True, eq=False)
class Trio:
    """Three checked images, read part by part; any of them may be one plane against a stack of the others.

    `lead` is the leading shape of the stack, and `valid` the pixels of the registered image that come from the moving
    one, unless they are found by its black border.
    """

    images: tuple[Planes, Planes, Planes]
    lead: tuple[int, ...]
    valid: Mask | None
    finds_border: bool = False

    @property
    def size(self) -> tuple[int, int]:
        """Height and width."""
        height, width = self.images[2].shape[-2:]
        return height, width

    def planes(self) -> Iterator[tuple[int, ...]]:
        """Go through the indices of the planes."""
        return np.ndindex(*self.lead)

    def mask_of(self, plane: tuple[int, ...]) -> Mask | None:
        """Give the valid pixels of a plane, as far as masks say; None means all."""
        if self.finds_border:
            return inside_black_border(self._read(1, plane, Box(0, self.size[0], 0, self.size[1])))
        if self.valid is None or self.valid.ndim == 2:
            return self.valid
        mask: Mask = self.valid[_own_index(plane, self.valid.shape[:-2])]
        return mask

    def read(self, plane: tuple[int, ...], box: Box, mask: Mask | None) -> Windows:
        """Read the same part of all three images into arrays of their own; `mask` is the plane's, from `mask_of`."""
        windows = [self._read(which, plane, box) for which in range(3)]
        valid = None if mask is None else mask[box.place].copy()
        for planes, window in zip(self.images, windows, strict=True):
            if _may_have_holes(planes):
                finite = np.isfinite(window)
                valid = finite if valid is None else valid & finite
        if valid is not None and valid.all():
            valid = None
        if valid is not None:
            outside = ~valid
            for window in windows:
                window[outside] = 0
        return Windows(windows[0], windows[1], windows[2], valid)

    @property
    def has_bytes(self) -> bool:
        """Whether all three are plain bytes in memory: grey, uint8, black at 0 and white at 255, none masked."""
        return all(
            (planes.array.dtype.name, planes.data_range) == ("uint8", (0, WHITE))
            and not (planes.is_lazy or planes.has_channels or _may_have_holes(planes))
            for planes in self.images
        )

    def read_bytes(self, plane: tuple[int, ...], box: Box) -> list[npt.NDArray[np.uint8]]:
        """Give the same part of all three images as it is, without a copy; see `has_bytes`."""
        return [planes.array[_own_index(plane, planes.shape[:-2])][box.place] for planes in self.images]

    def _read(self, which: int, plane: tuple[int, ...], box: Box) -> Plane:
        planes = self.images[which]
        rows, columns = box.place
        return planes.read(_own_index(plane, planes.shape[:-2]), rows, columns)


def trio_of(
    moving: Any,
    registered: Any,
    fixed: Any,
    *,
    valid: Any = None,
    data_range: DataRange = None,
    channel_axis: int | None = None,
    progress: Progress | None = None,
) -> Trio:
    """Check three images, of one height and width and one leading shape or none, and the mask."""
    used = range_for(fixed, data_range, channel_axis=channel_axis, name=NAMES[2], progress=progress)
    images = tuple(
        as_planes(image, data_range=used, channel_axis=channel_axis, name=name)
        for image, name in zip((moving, registered, fixed), NAMES, strict=True)
    )
    _check_sizes(images)
    check_common_range(images)
    try:
        lead = np.broadcast_shapes(*(planes.shape[:-2] for planes in images))
    except ValueError:
        shapes = ", ".join(str(planes.shape) for planes in images)
        raise InputError(
            f"The stacks differ in their leading axes (moving, registered, fixed: {shapes}). "
            "Give stacks of one length, or one plane against stacks."
        ) from None
    trio = (images[0], images[1], images[2])
    if isinstance(valid, str):
        if valid != "border":
            raise InputError(f"valid is {valid!r}; give a mask of bool, 'border' to find the black border, or None.")
        return Trio(trio, lead, None, finds_border=True)
    return Trio(trio, lead, None if valid is None else mask_for(valid, (*lead, *images[2].shape[-2:]), "valid"))


def mask_for(mask: Any, shape: tuple[int, ...], name: str) -> Mask:
    """Check a mask for images of a shape: bool, or whole numbers that mean it."""
    array = np.asarray(computed(as_array(mask, name), name))
    _check_mask_size(array, shape, name)
    if array.dtype.kind in "ui" and not set(np.unique(array).tolist()) - {0, 1, 255}:
        array = array != 0
    if array.dtype != np.bool_:
        raise InputError(f"{name} is an array of {array.dtype}; give bool, True where pixels are to be compared.")
    return array


def weights_for(weight: Any, shape: tuple[int, ...]) -> Plane:
    """Check weights of pixels for images of a shape: real, 0 or more, not all 0."""
    array = np.asarray(computed(as_array(weight, "weight"), "weight"))
    _check_mask_size(array, shape, "weight")
    if array.dtype.kind not in "buif":
        raise InputError(f"weight is an array of {array.dtype}; give bool or real numbers of at least 0.")
    with np.errstate(over="ignore"):  # what float32 does not hold becomes infinite, which is refused
        values = array.astype(np.float32)
    lowest, highest = float(values.min()), float(values.max())
    if not (lowest >= 0 and highest > 0 and np.isfinite(highest)):
        raise InputError(f"weight goes from {lowest:g} to {highest:g}; give finite weights of at least 0, not all 0.")
    return values if values.ndim == 2 else np.broadcast_to(values, shape)


def inside_black_border(registered: Plane) -> Mask | None:
    """Find what a warp left black or empty around an image; None if there is nothing such.

    False are pixels that are black or NaN and connected with the edge of the frame through such pixels, and their
    neighbours, which were interpolated with black. A black part of the scene that reaches the edge passes for outside
    too.
    """
    cv2 = opencv()
    empty = ~(registered > 0)
    if not (empty[0].any() or empty[-1].any() or empty[:, 0].any() or empty[:, -1].any()):
        return None
    _, labels = cv2.connectedComponents(empty.astype(np.uint8), connectivity=4)
    at_edge = np.unique(np.concatenate([labels[0], labels[-1], labels[:, 0], labels[:, -1]]))
    outside = np.isin(labels, at_edge[at_edge > 0])
    grown: Mask = cv2.dilate(outside.astype(np.uint8), np.ones((3, 3), np.uint8)).astype(bool)
    return ~grown


def _own_index(plane: tuple[int, ...], lead: tuple[int, ...]) -> tuple[int, ...]:
    """Find the plane of an array whose leading axes may be fewer, or of length 1, by numpy's rule of broadcasting."""
    own = plane[len(plane) - len(lead) :]
    return tuple(0 if length == 1 else index for index, length in zip(own, lead, strict=True))


def _may_have_holes(planes: Planes) -> bool:
    return planes.array.dtype.kind not in "bui" or isinstance(planes.array, np.ma.MaskedArray)


def _check_sizes(images: tuple[Planes, ...]) -> None:
    sizes = [planes.shape[-2:] for planes in images]
    if len(set(sizes)) > 1:
        told = ", ".join(f"{name} {size[0]}x{size[1]}" for name, size in zip(NAMES, sizes, strict=True))
        raise InputError(
            f"The images differ in size ({told}). They are compared pixel by pixel: crop or pad the moving image to "
            "the frame of the fixed one, and warp the registered image to it."
        )


def _check_mask_size(array: npt.NDArray[Any], shape: tuple[int, ...], name: str) -> None:
    fits = array.ndim >= 2 and array.shape[-2:] == shape[-2:]
    if fits:
        try:
            fits = np.broadcast_shapes(array.shape, shape) == shape
        except ValueError:
            fits = False
    if not fits:
        raise InputError(
            f"{name} has shape {array.shape}, and the images {shape}. Give it the height and width of the fixed image."
        )
