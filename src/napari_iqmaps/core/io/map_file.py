"""A map as a file: values to go on with as TIFF, a picture to look at as PNG, each with a record of what it is.

The record is JSON: in the description of a TIFF, beside the shape that tifffile itself understands, so that other
programs read the values as they are and this package reads the whole map back; in a text of a PNG.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ... import __version__
from ..arguments import checked
from ..errors import InputError
from ..kinds import KINDS
from ..maps import COLUMNS, QualityMap
from ..score_columns import Column, origin, plain
from .atomic import written_whole
from .image_file import CLASSIC_LIMIT, KEY, SOFTWARE, TIFF_SUFFIXES
from .score_table import NO_PIXEL
from .source import Source

MAP_SUFFIXES = (*TIFF_SUFFIXES, ".png")
"""What `write_map` writes: values to go on with (TIFF), and a picture to look at (PNG)."""

_FORMAT = 1


@checked
def write_map(quality_map: QualityMap, path: str | Path) -> Path:
    """Write a map to a file.

    Parameters
    ----------
    quality_map : QualityMap
        The map; a lazy one is computed, whole.
    path : str or pathlib.Path
        ``.tif`` or ``.tiff``: float32 values, NaN and stacks included, losslessly compressed, with the map's kind,
        score and info inside; `read_map` gives it back. ``.png``: the map in colours at its own resolution, with a
        legend that names numbers, unit and meaning, and the score in words. A stack becomes one sheet of its
        planes (64 at most, evenly spaced) on a common scale. The PNG carries the same record as text.

    Returns
    -------
    pathlib.Path
        The file. It replaces one of the same name only when it is complete.

    Raises
    ------
    InputError
        If the suffix is another, the folder is missing, or the system refuses to write.
    """
    path = Path(path)
    suffix = path.suffix.lower()
    if suffix not in MAP_SUFFIXES:
        raise InputError(
            f"A map is written as .tif (values) or .png (a picture with a legend), not as {path.suffix or path.name!r}."
        )
    quality_map = quality_map.compute()
    if suffix != ".png":
        _write_tiff(quality_map, path)
        return path
    from .legend import sheet_of  # matplotlib takes a while to import

    return sheet_of(quality_map).write(path, record_of(quality_map))


@checked
def read_map(path: str | Path) -> QualityMap:
    """Read a map that `write_map` wrote as TIFF.

    Parameters
    ----------
    path : str or pathlib.Path
        A ``.tif`` or ``.tiff`` file.

    Returns
    -------
    QualityMap
        Equal to the one written: values bit for bit, kind, score and info.

    Raises
    ------
    InputError
        If the file is missing, is not such a map, is damaged, or was written by a later version.
    """
    path = Path(path)
    source = Source.of(path)
    if path.suffix.lower() == ".png":
        raise InputError(f"{path} is a picture of a map; its values are in the TIFF. Write .tif to read it back.")
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
    from ._tiff import read_tiff_image

    with source.decoding():
        values = read_tiff_image(source).array
    score = np.asarray(record["score"], dtype=float)  # null becomes NaN
    return QualityMap(
        np.asarray(values, dtype=np.float32),
        record["kind"],
        float(score) if score.ndim == 0 else score,
        {name: _tuples(value) for name, value in record["info"].items()},
    )


def record_of(quality_map: QualityMap) -> dict[str, Any]:
    """Describe a map in what JSON holds: format, kind, unit, score (null where there is none), info and version."""
    return {
        "format": _FORMAT,
        "kind": quality_map.kind,
        "unit": quality_map.meaning.unit,
        "score": plain(np.asarray(quality_map.score)),
        "info": plain(quality_map.info),
        "version": __version__,
    }


def read_record(path: Path) -> dict[str, Any] | None:
    """Read what a file says of the map in it, as made by `record_of`, without its pixels; None if there is nothing."""
    import tifffile

    suffix = path.suffix.lower()
    try:
        if suffix in TIFF_SUFFIXES:
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


def score_row(quality_map: QualityMap, columns: Sequence[Column] = (), **more: Any) -> dict[str, Any]:
    """Sum up a map as a row of the table of scores.

    `quality_map`: a map in memory. `columns`: further columns, beside those of all maps, whose cells are in the map's
    info. `more`: further cells, such as ``file``. Returns a stack's ``score`` is the mean over its planes that have
    one, and ``planes`` holds them all. Where there is no score, it is None and ``not_enough_evidence`` says why.
    """
    return row_of_record(record_of(quality_map), columns, **more)


def row_of_record(record: Mapping[str, Any], columns: Sequence[Column] = (), **more: Any) -> dict[str, Any]:
    """Sum up a map by the record that its file carries; see `score_row`."""
    info = record["info"]
    planes = np.asarray(record["score"], dtype=float)  # None becomes NaN
    valid = planes[np.isfinite(planes)]
    row = {
        **more,
        "kind": record["kind"],
        "score": float(valid.mean()) if valid.size else None,
        "unit": record["unit"],
        "not_enough_evidence": info.get("not_enough_evidence", "" if valid.size else NO_PIXEL),
    }
    if planes.ndim:
        row["planes"] = plain(planes)
    further = {column.name: info[column.name] for column in columns if column.name in info}
    return row | origin(info, COLUMNS) | further


def _write_tiff(quality_map: QualityMap, path: Path) -> None:
    import tifffile

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
            bigtiff=values.nbytes > CLASSIC_LIMIT,
            # The leading axes are of unknown meaning ("Q") to a map.
            metadata={"axes": "Q" * (values.ndim - 2) + "YX", KEY: record_of(quality_map)},
            software=SOFTWARE,
        )


def _planes(values: np.ndarray) -> Iterator[np.ndarray]:
    """Hand over plane by plane, so that compression never holds a second copy of a stack."""
    for index in np.ndindex(*values.shape[:-2]):
        yield np.ascontiguousarray(values[index])


def _tuples(value: Any) -> Any:
    """Undo what JSON does to tuples, so that a map read back compares equal to the one written."""
    if isinstance(value, list):
        return tuple(_tuples(item) for item in value)
    if isinstance(value, Mapping):
        return {name: _tuples(item) for name, item in value.items()}
    return value
