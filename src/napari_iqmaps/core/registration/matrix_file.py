"""A matrix as a file: JSON that says between which sizes of images it maps, in which convention, and who found it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from ... import __version__
from ..arguments import check_fields, checked
from ..arrays import as_array, computed
from ..errors import InputError
from ..io.atomic import written_whole
from ..io.records import Fields, is_number, read_json
from ..score_columns import plain
from .geometry import Matrix, as_matrix, check_sides
from .images import plane_channel_axis
from .record import Registration
from .warp import on_grid

FORMAT = "iqmaps-matrix"
VERSION = 1
CONVENTION = (
    "3x3, row by row; maps a pixel (x, y, 1) of the moving image to the fixed image, x to the right, y down, centres "
    "of pixels at whole numbers; OpenCV's warpPerspective takes it as it is"
)

_HELD = 20_000
"""Characters of info that a file holds at most: arrays such as a score surface belong elsewhere."""


@dataclass(frozen=True, eq=False)
class MatrixRecord:
    """What a matrix file says.

    Attributes
    ----------
    matrix : numpy.ndarray
        float64, shape ``(3, 3)``, last entry 1: moving ``(x, y)`` to fixed ``(x, y)``.
    moving_shape, fixed_shape : (int, int) or None
        Height and width of the two images; None if the file does not say.
    method : str
        What found the matrix; ``""`` if the file does not say.
    transform : str
        "homography", "affine", "euclidean" or "translation"; ``""`` if the file does not say.
    accepted : bool
        Whether the registration was accepted; a refused one has the identity for its matrix.
    reason : str
        Why it was refused, or ``""``.
    info : mapping
        What else the file holds.
    """

    matrix: Matrix
    moving_shape: tuple[int, int] | None = None
    fixed_shape: tuple[int, int] | None = None
    method: str = ""
    transform: str = ""
    accepted: bool = True
    reason: str = ""
    info: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        check_fields(self)
        object.__setattr__(self, "matrix", as_matrix(self.matrix))
        for name in ("moving_shape", "fixed_shape"):
            check_sides(name, getattr(self, name))

    @checked
    def apply(
        self, moving: Any, *, fixed_shape: tuple[int, int] | None = None, channel_axis: int | None = None
    ) -> Registration:
        """Move an image by the matrix.

        Parameters
        ----------
        moving : array_like
            One plane, of the size that the file says.
        fixed_shape : (int, int), optional
            Height and width of the result, where the file does not say them.
        channel_axis : int, optional
            The axis of the colours, if the image has three axes.

        Returns
        -------
        Registration
            The image on the fixed image's grid, with this record's method, acceptance and reason.

        Raises
        ------
        InputError
            If the image has another size than the file says, or the size of the result is not known.
        """
        moving = computed(as_array(moving, "moving image"), "moving image")
        axis = plane_channel_axis(moving, channel_axis)
        if axis is not None and not -moving.ndim <= axis < moving.ndim:
            raise InputError(f"channel_axis is {axis}, but the moving image has {moving.ndim} axes.")
        sides = moving.shape if axis is None else np.delete(moving.shape, axis).tolist()
        if len(sides) != 2:
            raise InputError(f"The moving image has shape {moving.shape}; a matrix moves one plane at a time.")
        shape = sides[0], sides[1]
        target = _agreed("fixed", self.fixed_shape, fixed_shape)
        check_sides("fixed_shape", target)
        _agreed("moving", self.moving_shape, shape)
        registered, valid = on_grid(moving, self.matrix, target, axis)
        return Registration(
            matrix=self.matrix,
            registered=registered,
            valid=valid,
            method=self.method or "matrix",
            inliers=self.info.get("inliers"),
            accepted=self.accepted,
            reason=self.reason,
            info=self.info,
            moving_shape=shape,
        )


@checked
def save_matrix(
    path: str | Path,
    registration: Registration | MatrixRecord | Any,
    *,
    moving_shape: tuple[int, int] | None = None,
    fixed_shape: tuple[int, int] | None = None,
    method: str = "",
    transform: str = "",
) -> Path:
    """Write a matrix to a file.

    Parameters
    ----------
    path : str or pathlib.Path
        The file, usually ``.json``; it is replaced only when the new one is complete.
    registration : Registration, MatrixRecord or array_like
        What was found; or a 3x3 (2x3 for an affine motion) matrix, moving ``(x, y)`` to fixed ``(x, y)``.
    moving_shape, fixed_shape : (int, int), optional
        Height and width of the two images, where only a matrix is given.
    method, transform : str
        What found it and what kind of motion it is, where only a matrix is given.

    Returns
    -------
    pathlib.Path
        The file.

    Raises
    ------
    InputError
        If the matrix is unusable, the folder is missing, or the system refuses to write.
    """
    record = _record(registration, moving_shape, fixed_shape, method, transform)
    content = {
        "format": FORMAT,
        "version": VERSION,
        "convention": CONVENTION,
        "matrix": record.matrix.tolist(),
        "moving_shape": plain(record.moving_shape),
        "fixed_shape": plain(record.fixed_shape),
        "method": record.method,
        "transform": record.transform,
        "accepted": record.accepted,
        "reason": record.reason,
        "info": _kept(record.info),
        "written_by": f"napari-iqmaps {__version__}",
    }
    with written_whole(path) as part:
        text = json.dumps(content, indent=2, ensure_ascii=False) + "\n"
        # What is no character, as in names of files that are not UTF-8, becomes the escape that JSON has for it.
        part.write_text(text, encoding="utf-8", errors="backslashreplace")
    return Path(path)


@checked
def load_matrix(path: str | Path) -> MatrixRecord:
    """Read a matrix that `save_matrix` wrote.

    Parameters
    ----------
    path : str or pathlib.Path
        The file.

    Returns
    -------
    MatrixRecord
        What it says; ``apply`` moves an image.

    Raises
    ------
    InputError
        If there is no such file, it is not a matrix file, of a newer version, or its matrix is unusable.
    """
    content = read_json(path)
    if not isinstance(content, dict) or content.get("format") != FORMAT:
        raise InputError(
            f'{path} is not a matrix file: its "format" is not "{FORMAT}". Give one that save_matrix wrote.'
        )
    fields = Fields(content, str(path))
    if fields.whole("version") != VERSION:
        raise InputError(
            f"{path} is a matrix file of version {fields.whole('version')}; this version of napari-iqmaps reads "
            f"{VERSION}. Install the newer of the two."
        )
    rows = content.get("matrix")
    if not isinstance(rows, list) or not all(isinstance(row, list) and all(map(is_number, row)) for row in rows):
        fields.refuse("matrix", "3x3 finite numbers")
    try:
        matrix = as_matrix(rows)
    except InputError as error:
        raise InputError(f"{path}: {error}") from error
    return MatrixRecord(
        matrix=matrix,
        moving_shape=fields.sides("moving_shape", None),
        fixed_shape=fields.sides("fixed_shape", None),
        method=fields.text("method", ""),
        transform=fields.text("transform", ""),
        accepted=fields.truth("accepted", True),
        reason=fields.text("reason", ""),
        info=_read_info(fields),
    )


def _read_info(fields: Fields) -> Mapping[str, Any]:
    """Give the info of a file, in which what a `Registration` shows is of the right types."""
    info = fields.record("info", None)
    if info is None:
        return {}
    info.whole("inliers", None, least=0)
    for name in ("local_ncc_before", "local_ncc_after"):
        info.number(name, None)
    found: Mapping[str, Any] = info.values
    return found


def _record(
    found: Registration | MatrixRecord | Any,
    moving_shape: tuple[int, int] | None,
    fixed_shape: tuple[int, int] | None,
    method: str,
    transform: str,
) -> MatrixRecord:
    if isinstance(found, MatrixRecord):
        return found
    if not isinstance(found, Registration):
        return MatrixRecord(as_matrix(found), moving_shape, fixed_shape, method, transform)
    return MatrixRecord(
        matrix=found.matrix,
        moving_shape=found.moving_shape,
        fixed_shape=found.fixed_shape,
        method=found.method,
        transform=str(found.info.get("transform") or transform or ""),
        accepted=found.accepted,
        reason=found.reason,
        info={"inliers": found.inliers, **found.info},
    )


def _kept(info: Mapping[str, Any]) -> dict[str, Any]:
    """Give what a file holds of an info: all but arrays, which would be longer than everything else together."""
    kept = {name: plain(value) for name, value in info.items() if not _holds_array(value)}
    return kept if len(json.dumps(kept)) <= _HELD else {name: kept[name] for name in kept if name != "candidates"}


def _holds_array(value: Any) -> bool:
    if isinstance(value, Mapping):
        return any(_holds_array(item) for item in value.values())
    return isinstance(value, np.ndarray) and value.size > 16


def _agreed(name: str, stated: tuple[int, int] | None, given: tuple[int, int] | None) -> tuple[int, int]:
    if stated is not None and given is not None and tuple(stated) != tuple(given):
        raise InputError(
            f"The matrix is for a {name} image of {stated[0]}x{stated[1]} pixels; this one has {given[0]}x{given[1]}. "
            "Give the image that was registered, or register this one."
        )
    shape = given if given is not None else stated
    if shape is None:
        raise InputError(
            f"The matrix file does not say the size of the {name} image. Give {name}_shape=(height, width)."
        )
    return int(shape[0]), int(shape[1])
