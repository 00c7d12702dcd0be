"""A map as a file that keeps everything: float32 TIFF, with the map's kind, score and provenance inside.

The record is JSON in the image description, beside the shape that tifffile itself understands, so that other
programs read the values as they are and this package reads the whole map back.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import tifffile

from ... import __version__
from ..errors import InputError
from ..kinds import KINDS
from ..maps import QualityMap
from .atomic import written_whole
from .reading_tiff import read_tiff_image

KEY = "napari_iqmaps"
"""Name of the record, in a TIFF's description as in a PNG's text."""

_FORMAT = 1
_CLASSIC_LIMIT = 2**32 - 2**25
"""Bytes of pixels up to which offsets of 32 bits suffice, with room for the tags; as tifffile reckons."""


def record_of(quality_map: QualityMap) -> dict[str, Any]:
    """Describe a map in what JSON holds.

    Returns
    -------
    dict
        format, kind, unit, score (null where there is none), info and version.
    """
    return {
        "format": _FORMAT,
        "kind": quality_map.kind,
        "unit": quality_map.meaning.unit,
        "score": plain(np.asarray(quality_map.score)),
        "info": plain(quality_map.info),
        "version": __version__,
    }


def plain(value: Any) -> Any:
    """Turn a value into what JSON holds: numpy numbers into Python's, NaN and infinities into None, tuples into lists.

    Returns
    -------
    object
        None, bool, int, float, str, list or dict.
    """
    if isinstance(value, np.ndarray | np.generic):
        value = value.tolist()
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, Sequence) and not isinstance(value, str | bytes):
        return [plain(item) for item in value]
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    return value if value is None or isinstance(value, bool | int | str) else str(value)


def write_tiff(quality_map: QualityMap, path: Path) -> None:
    """Write a map as float32 TIFF; see `napari_iqmaps.core.io.write_map`."""
    values = np.asarray(quality_map.values, dtype=np.float32)
    with written_whole(path) as part:
        tifffile.imwrite(
            part,
            _planes(values),
            shape=values.shape,
            dtype=np.float32,
            photometric="minisblack",
            compression="zlib",
            compressionargs={"level": 1},  # float maps hardly shrink further
            # Compressed sizes are not known in advance, so tifffile cannot choose by itself.
            bigtiff=values.nbytes > _CLASSIC_LIMIT,
            metadata={"axes": _axes(values.ndim), KEY: record_of(quality_map)},
            software=f"napari-iqmaps {__version__}",
        )


def read_tiff(path: Path) -> QualityMap:
    """Read a map back from its TIFF; see `napari_iqmaps.core.io.read_map`."""
    record = read_record(path)
    if record is None:
        raise InputError(
            f"{path} is not a map that napari-iqmaps wrote as TIFF: it holds no record of kind and score. "
            "Use read_image for pictures."
        )
    if record.get("kind") not in KINDS or record.get("format") != _FORMAT:
        raise InputError(
            f"{path} holds a map of kind {record.get('kind')!r} in format {record.get('format')!r}, written by version "
            f"{record.get('version')}; this is version {__version__}. Install the newer of the two."
        )
    values = read_tiff_image(path).array
    score = np.asarray(record["score"], dtype=float)  # null becomes NaN
    return QualityMap(
        np.asarray(values, dtype=np.float32),
        record["kind"],
        float(score) if score.ndim == 0 else score,
        {name: _tuples(value) for name, value in record["info"].items()},
    )


def read_record(path: Path) -> dict[str, Any] | None:
    """Read what a file says of the map in it, without its pixels.

    Returns
    -------
    dict or None
        As made by `record_of`; None if the file is not a TIFF or PNG written by this package.
    """
    suffix = path.suffix.lower()
    try:
        if suffix in (".tif", ".tiff"):
            with tifffile.TiffFile(path) as file:
                record = json.loads(file.pages[0].tags["ImageDescription"].value)[KEY]  # type: ignore[union-attr]
        elif suffix == ".png":
            from PIL import Image

            with Image.open(path) as picture:
                record = json.loads(picture.info[KEY])
        else:
            return None
    except (OSError, ValueError, LookupError, TypeError, SyntaxError, tifffile.TiffFileError):
        return None
    return record if isinstance(record, dict) else None


def _planes(values: np.ndarray) -> Iterator[np.ndarray]:
    """Hand over plane by plane, so that compression never holds a second copy of a stack."""
    for index in np.ndindex(*values.shape[:-2]):
        yield np.ascontiguousarray(values[index])


def _axes(ndim: int) -> str:
    """Name the axes: the leading ones are of unknown meaning ("Q") to a map."""
    return "Q" * (ndim - 2) + "YX"


def _tuples(value: Any) -> Any:
    """Undo what JSON does to tuples, so that a map read back compares equal to the one written."""
    if isinstance(value, list):
        return tuple(_tuples(item) for item in value)
    if isinstance(value, Mapping):
        return {name: _tuples(item) for name, item in value.items()}
    return value
