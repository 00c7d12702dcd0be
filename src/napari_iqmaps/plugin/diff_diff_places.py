"""Where the pixels of a registration's images lie in the world, and how a layer is moved onto another."""

from __future__ import annotations

from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

import numpy as np
import numpy.typing as npt

from ..core.errors import InputError
from ..core.registration.geometry import Matrix
from .layers import spatial_state

ARROW = " → "

_SAME_PLACE = 1e-3
"""Pixels; layers that lie on each other but for rounding lie on each other."""


@dataclass(frozen=True, eq=False)
class Grid:
    """Where the fixed image's pixels lie, with the leading axes of a stack of frames before them.

    Attributes
    ----------
    name : str
        Of the pair: the registered image, or else the moving one, and the fixed one.
    scale, translate, rotate, shear, units, axis_labels, affine
        As a layer has them, so that it can stand for one.
    """

    name: str
    scale: Any
    translate: Any
    rotate: Any
    shear: Any
    units: Any
    axis_labels: Any
    affine: Any

    @classmethod
    def of(cls, moving: Any, fixed: Any, registered: Any = None) -> Grid:
        """Take the place from the layers.

        Parameters
        ----------
        moving, fixed : napari.layers.Image
            The moving one may have more dimensions, which come first.
        """
        name = f"{(registered or moving).name}{ARROW}{fixed.name}"
        lead = moving.ndim - fixed.ndim
        state = spatial_state(fixed)
        if lead > 0:
            size = moving.ndim
            state["scale"] = (*moving.scale[:lead], *fixed.scale)
            state["translate"] = (*moving.translate[:lead], *fixed.translate)
            state["units"] = (*moving.units[:lead], *fixed.units)
            state["axis_labels"] = (*moving.axis_labels[:lead], *fixed.axis_labels)
            state["rotate"] = _embedded(np.asarray(fixed.rotate), size)
            # Of the upper triangle, the last value is about the last two axes.
            state["shear"] = (*[0.0] * (size * (size - 1) // 2 - 1), fixed.shear[-1])
            state["affine"] = _embedded(state["affine"], size + 1)
        state["affine"] = SimpleNamespace(affine_matrix=np.asarray(state["affine"]))
        return cls(name, **state)


def placed_by_viewer(moving: Any, fixed: Any) -> Matrix:
    """Find the matrix by which the viewer shows one layer's pixels on another's.

    Parameters
    ----------
    moving, fixed : napari.layers.Image
        With scale, translate, rotate, shear and affine of their own.

    Returns
    -------
    numpy.ndarray
        float64 ``(3, 3)``: moving ``(x, y)`` to fixed.
    """
    points = np.array([(0.0, 0.0), (1.0, 0.0), (0.0, 1.0)])  # row, column
    seen = []
    for row, column in points:
        world = np.asarray(moving.data_to_world((*[0.0] * (moving.ndim - 2), row, column)), float)
        padded = np.concatenate([np.zeros(fixed.ndim), world])[-fixed.ndim :]
        if moving.ndim == fixed.ndim > 2:
            padded[:-2] = np.asarray(fixed.data_to_world(np.zeros(fixed.ndim)), float)[:-2]
        seen.append(np.asarray(fixed.world_to_data(padded), float)[-2:][::-1])
    origin, down, right = seen
    matrix = np.eye(3)
    matrix[:2, 0], matrix[:2, 1], matrix[:2, 2] = right - origin, down - origin, origin
    if abs(np.linalg.det(matrix)) < _SAME_PLACE:
        raise InputError(
            f"{moving.name!r} and {fixed.name!r} do not lie in one plane. Reset the transform of one of them."
        )
    return matrix


def lie_alike(first: Any, second: Any, shape: tuple[int, int]) -> bool:
    """Tell whether the viewer shows two layers pixel on pixel.

    Returns
    -------
    bool
        Whether no corner is further away than rounding would put it.
    """
    matrix = placed_by_viewer(first, second)
    return bool(np.abs(matrix - np.eye(3)).max() * max(shape) < _SAME_PLACE * max(shape) ** 0.5)


def set_affine(moving: Any, fixed: Any, affine: Matrix) -> None:
    """Bring a layer onto another by its affine; its pixels stay as they are.

    Parameters
    ----------
    affine : numpy.ndarray
        ``(3, 3)``: rows and columns of the moving image to those of the fixed one.
    """
    own = _matrix_of(moving, with_affine=False)
    moving.affine = _matrix_of(fixed, with_affine=True) @ affine @ np.linalg.inv(own)


def _matrix_of(layer: Any, *, with_affine: bool) -> Matrix:
    """Give a layer's transform from rows and columns to the world, with or without its affine."""
    ends = []
    for point in ((0.0, 0.0), (1.0, 0.0), (0.0, 1.0)):
        world = np.append(np.asarray(layer.data_to_world(point), float), 1)
        ends.append(world if with_affine else np.linalg.inv(np.asarray(layer.affine.affine_matrix)) @ world)
    origin, down, right = ends
    return np.column_stack([down - origin, right - origin, origin])


def _embedded(matrix: npt.NDArray[Any], size: int) -> npt.NDArray[np.float64]:
    whole = np.eye(size)
    whole[-len(matrix) :, -len(matrix) :] = matrix
    return whole
