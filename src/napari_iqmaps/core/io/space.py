"""Where the pixels of a map lie: what of it is kept with the map, and the size of a pixel for other programs.

A map carries it in its info as ``"space"``, an object with the names that a layer of napari has: ``scale``,
``translate`` and ``shear`` (numbers), ``rotate`` and ``affine`` (matrices), ``units`` and ``axis_labels`` (texts). Any
of them may be left out. Every one is about the axes of the map, leading axes first.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from ..score_columns import plain
from .records import Fields, fields_of, is_number

KEY = "space"
"""Where a map's info holds it."""

MICROMETRE = "micrometer"
"""The unit of the sizes that image files state, as napari spells it."""

_MICROMETRES = {"picometer": 1e-6, "angstrom": 1e-4, "nanometer": 1e-3, MICROMETRE: 1.0, "millimeter": 1e3} | {
    "centimeter": 1e4,
    "inch": 25400.0,
    "meter": 1e6,
}
_SHORT = {"pm": "picometer", "nm": "nanometer", "um": MICROMETRE, "µm": MICROMETRE, "μm": MICROMETRE} | {
    "micron": MICROMETRE,
    "mm": "millimeter",
    "cm": "centimeter",
    "in": "inch",
    "m": "meter",
}
_SMALLEST, _LARGEST = 1e-5, 1e12  # micrometres, which the tags of a TIFF can state
_AXES = frozenset("tzc")  # leading axes whose letters mean the same to TIFF


def from_file(pixel_size: tuple[float, float] | None, axes: str, ndim: int) -> dict[str, Any]:
    """Take what an image file states: height and width of a pixel in micrometres, and a letter for each axis.

    `ndim`: axes of the map, which has no colours. Gives an empty record where the file says nothing beyond the order of
    rows and columns.
    """
    letters = axes.replace("S", "").lower()
    named = len(letters) == ndim and bool(_AXES & set(letters))
    if pixel_size is None and not named:
        return {}
    found: dict[str, Any] = {}
    if named or ndim == 2:
        found["axis_labels"] = tuple(letters if named else "yx")
    if pixel_size is not None:
        lead = ndim - 2
        found |= {"scale": (1.0,) * lead + tuple(pixel_size), "units": ("pixel",) * lead + (MICROMETRE,) * 2}
    return found


def checked(info: Mapping[str, Any], ndim: int, where: str) -> dict[str, Any]:
    """Give the space in a map's info, of the right types and sizes for a map of so many axes; else refuse it."""
    if info.get(KEY) is None:
        return {}
    fields: Fields = fields_of({KEY: plain(info[KEY])}, where).record(KEY)
    found = {
        "scale": fields.numbers("scale", None, count=ndim),
        "translate": fields.numbers("translate", None, count=ndim),
        "shear": fields.numbers("shear", None, count=ndim * (ndim - 1) // 2),
        "rotate": _matrix(fields, "rotate", ndim),
        "affine": _matrix(fields, "affine", ndim + 1),
        "units": _words(fields, "units", ndim),
        "axis_labels": _words(fields, "axis_labels", ndim),
    }
    if found["scale"] is not None and 0 in found["scale"]:
        fields.refuse("scale", "numbers other than 0")
    return {name: value for name, value in found.items() if value is not None}


def pixel_size_of(space: Mapping[str, Any]) -> tuple[float, float] | None:
    """Give height and width of a pixel in micrometres: how long the sides of a pixel are in the world.

    None where an axis of the image is not a length, or nothing is said of sizes.
    """
    units = space.get("units", ())[-2:]
    lengths = [_MICROMETRES.get(_SHORT.get(unit, unit)) for unit in units]
    if len(lengths) != 2 or None in lengths or lengths[0] != lengths[1] or "scale" not in space:
        return None
    with np.errstate(all="ignore"):
        height, width = map(float, np.linalg.norm(_linear(space), axis=0)[-2:] * lengths[0])
    is_fit = all(_SMALLEST <= side <= _LARGEST for side in (height, width))
    return (height, width) if is_fit else None


def letters_of(space: Mapping[str, Any], ndim: int) -> str:
    """Give a letter for each axis as TIFF knows them; Q for a leading axis of another meaning."""
    labels = space.get("axis_labels", ("",) * ndim)[: ndim - 2]
    letters = [label.upper() if label.lower() in _AXES else "Q" for label in labels]
    known = [letter for letter in letters if letter != "Q"]
    return ("".join(letters) if len(set(known)) == len(known) else "Q" * (ndim - 2)) + "YX"


def _linear(space: Mapping[str, Any]) -> npt.NDArray[np.float64]:
    """Compose what turns steps between pixels into steps in the world: affine @ rotation @ shear @ scale."""
    scale = np.asarray(space["scale"], float)
    size = scale.size
    shear = np.eye(size)
    if "shear" in space:
        shear[np.triu_indices(size, 1)] = space["shear"]
    affine = np.asarray(space.get("affine", np.eye(size + 1)), float)[:size, :size]
    rotate = np.asarray(space.get("rotate", np.eye(size)), float)
    composed: npt.NDArray[np.float64] = affine @ rotate @ shear @ np.diag(scale)
    return composed


def _matrix(fields: Fields, name: str, size: int) -> list[list[float]] | None:
    value = fields.values.get(name)
    if value is None:
        return None
    rows = value if isinstance(value, list) and len(value) == size else []
    if not rows or not all(isinstance(row, list) and len(row) == size and all(map(is_number, row)) for row in rows):
        fields.refuse(name, f"{size} lists of {size} finite numbers")
    with np.errstate(all="ignore"):
        scale = np.linalg.det(np.asarray(rows, float))
    if scale == 0 or not np.isfinite(scale):
        fields.refuse(name, "a matrix that can be inverted")
    return rows


def _words(fields: Fields, name: str, count: int) -> list[str] | None:
    words = fields.texts(name, None)
    if words is not None and len(words) != count:
        fields.refuse(name, f"{count} texts, one for each axis")
    return None if words is None else list(words)
