"""A map as a file: values to go on with as TIFF, a picture to look at as PNG, each with a record of what it is.

The record is JSON: in the description of a TIFF, beside the shape that tifffile itself understands, so that other
programs read the values as they are and this package reads the whole map back; in a text of a PNG.
"""

from __future__ import annotations

import os
import struct
import zlib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import numpy.typing as npt

from ... import __version__
from ..arguments import checked
from ..errors import InputError
from ..kinds import KINDS
from ..maps import COLUMNS, QualityMap
from ..own_units import units_of_score
from ..score_columns import Column, origin, plain
from . import space
from .atomic import written_whole
from .image_file import CLASSIC_LIMIT, KEY, SOFTWARE, TIFF_SUFFIXES
from .records import MOST_BYTES, Fields, fields_of, is_number, parse_json, short
from .score_table import NO_PIXEL
from .source import Source

MAP_SUFFIXES = (*TIFF_SUFFIXES, ".png")
"""What `write_map` writes: values to go on with (TIFF), and a picture to look at (PNG)."""

_FORMAT = 1
_DESCRIPTION = 270  # the tag of a TIFF
_PNG = b"\x89PNG\r\n\x1a\n"
_TEXT_CHUNKS = (b"tEXt", b"zTXt", b"iTXt")
_OURS = KEY.encode() + b"\0"

_NUMBERS = ("span", "adaptation_luminance", "pixels_per_degree", "peak_luminance", "black_level", "smooth")
_TEXTS = ("not_enough_evidence", "span_remark", "range_rule", "observer", "luminance", "encoding", "illumination")
"""Of an info, what is put into sentences, where it is there."""


@checked
def write_map(quality_map: QualityMap, path: str | Path) -> Path:
    """Write a map to a file.

    Parameters
    ----------
    quality_map : QualityMap
        The map; a lazy one is computed, whole. Where its pixels lie is kept if its info has a ``"space"``, with
        the names and values of a layer of napari: ``scale``, ``translate``, ``rotate``, ``shear``, ``affine``,
        ``units``, ``axis_labels``. A TIFF states the size of a pixel in its own tags as well, for other programs.
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
        If the suffix is another, its space does not fit the map, the folder is missing, or the system refuses to
        write.
    """
    path = Path(path)
    suffix = path.suffix.lower()
    if suffix not in MAP_SUFFIXES:
        raise InputError(
            f"A map is written as .tif (values) or .png (a picture with a legend), not as {path.suffix or path.name!r}."
        )
    where = space.checked(quality_map.info, quality_map.values.ndim, "The info of the map")
    quality_map = quality_map.compute()
    if suffix != ".png":
        _write_tiff(quality_map, path, where)
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
        Equal to the one written: values bit for bit, kind, score and info, with the space of its pixels.

    Raises
    ------
    InputError
        If the file is missing, is not such a map, is damaged, or was written by a later version.
    """
    path = Path(path)
    source = Source.of(path)
    if path.suffix.lower() == ".png":
        raise InputError(f"{path} is a picture of a map; its values are in the TIFF. Write .tif to read it back.")
    stated = _stated(source)
    if stated is None or not {"kind", "format"} & stated.keys():
        raise InputError(
            f"{path} is not a map that napari-iqmaps wrote as TIFF: it holds no record of kind and score. "
            "Use read_image for pictures."
        )
    _checked(stated, path)  # before the pixels are read
    from ._tiff import read_tiff_image

    with source.decoding():
        file = read_tiff_image(source)
    return map_of_record(file.array, stated, path, in_colours=file.channel_axis is not None)


def map_of_record(
    values: npt.NDArray[Any], stated: Mapping[str, Any], path: Path, *, in_colours: bool = False
) -> QualityMap:
    """Make the map of the pixels in a file, and what its record states; refuse what does not go together."""
    record = _checked(stated, path)
    if values.dtype != np.float32 or in_colours:
        colours = " in colours" if in_colours else ""
        raise InputError(
            f"{path} holds {values.dtype} pixels{colours}; a map holds float32. It was changed by another program: "
            "compute the map anew."
        )
    score = record["score"]
    if score.shape != values.shape[:-2]:
        raise InputError(
            f"{path} holds a map of shape {values.shape}, and its record scores of shape {score.shape}; one is needed "
            "for each plane. It was changed by another program: compute the map anew."
        )
    return QualityMap(
        np.asarray(values),
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
    """Read what a file says of the map or picture in it, without its pixels; None if that is nothing, or damaged."""
    if path.suffix.lower() not in MAP_SUFFIXES:
        return None
    try:
        record = _stated(Source.of(path))
        if record is None:
            return None
        if "format" in record:
            _checked(record, path)
        else:
            fields_of(record, str(path)).record("info", {})
    except InputError:
        return None
    return record


def _stated(source: Source) -> dict[str, Any] | None:
    """Give the record of a file as it stands there; None if there is none."""
    texts = _descriptions(source) if source.path.suffix.lower() in TIFF_SUFFIXES else _png_texts(source)
    for text in texts:
        if not text.lstrip().startswith("{") or KEY not in text:
            continue
        described = parse_json(text, f"What {source.path} says of itself")
        record = described.get(KEY) if isinstance(described, dict) else None
        if record is not None:
            found: dict[str, Any] = dict(fields_of(record, f"The record in {source.path}").values)
            return found
    return None


def _descriptions(source: Source) -> list[str]:
    """Give all descriptions of a TIFF's first page: other programs add their own."""
    import tifffile

    try:
        with tifffile.TiffFile(source.path) as file:
            tags = file.pages[0].tags.getall(_DESCRIPTION, ())  # type: ignore[union-attr]
            return [tag.value for tag in tags or () if isinstance(tag.value, str)]
    except Exception:  # of a damaged TIFF tifffile raises anything; what is no TIFF has no record
        return []


def _png_texts(source: Source) -> list[str]:
    """Give what a PNG says under our name, as the text of an object that has it."""
    try:
        with source.path.open("rb") as file:
            texts = [_text_of(kind, body) for kind, body in _chunks(file) if body.startswith(_OURS)]
    except (OSError, struct.error):
        return []
    return [f'{{"{KEY}": {text}}}' for text in texts if text is not None]


def _chunks(file: BinaryIO) -> Iterator[tuple[bytes, bytes]]:
    """Give the kind and the body of each chunk of a PNG that holds a text; pixels are passed over."""
    if file.read(len(_PNG)) != _PNG:
        return
    while len(head := file.read(8)) == 8:
        length, kind = struct.unpack(">I4s", head)
        if kind in _TEXT_CHUNKS and length <= MOST_BYTES:
            yield kind, file.read(length)
            file.seek(4, os.SEEK_CUR)  # the check sum
        else:
            file.seek(length + 4, os.SEEK_CUR)


def _text_of(kind: bytes, body: bytes) -> str | None:
    """Read the text of a chunk under our name; None if it is damaged or unpacks to more than a record has."""
    code, is_packed = body[len(_OURS) :], kind == b"zTXt"
    if is_packed:
        code = code[1:]  # the method of compression, of which there is one
    elif kind == b"iTXt":
        is_packed = code[:1] == b"\1"
        code = code[2:].partition(b"\0")[2].partition(b"\0")[2]  # language, and name in that language
    try:
        if is_packed:
            unpacker = zlib.decompressobj()
            code = unpacker.decompress(code, MOST_BYTES)
            if unpacker.unconsumed_tail or not unpacker.eof:
                return None
        return code.decode("utf-8" if kind == b"iTXt" else "latin-1")
    except (zlib.error, UnicodeDecodeError):
        return None


def _checked(stated: Mapping[str, Any], path: Path) -> dict[str, Any]:
    """Give kind, score and info of a map's record, of the right types; see `record_of`."""
    fields = fields_of(stated, f"The record of the map in {path}")
    number, kind = stated.get("format"), fields.text("kind")
    if number is not True and number == _FORMAT and kind in KINDS:
        info = fields.record("info")
        _check_info(info)
        fields.text("unit")
        score = _score(fields)
        space.checked(info.values, score.ndim + 2, info.where)
        return {"kind": kind, "score": score, "info": info.values}
    raise InputError(
        f"{path} holds a map of kind {short(kind)} in format {short(number)}, written by version "
        f"{short(stated.get('version'))}; this is version {__version__}. Install the newer of the two."
    )


def _score(fields: Fields) -> npt.NDArray[np.float64]:
    """Give the scores of a record: numbers, null becomes NaN."""
    value = fields.values.get("score")
    flat = [value]
    while any(isinstance(item, list) for item in flat):
        flat = [one for item in flat for one in (item if isinstance(item, list) else [item])]
    if "score" not in fields.values or not all(item is None or is_number(item) for item in flat):
        fields.refuse("score", "a number, or null, for each plane")
    try:
        return np.asarray(value, dtype=float)
    except ValueError:  # lists of different lengths
        fields.refuse("score", "as many numbers for each plane of a stack")


def _check_info(info: Fields) -> None:
    """Refuse an info of which sentences and pictures could not be made."""
    for name in _NUMBERS:
        info.number(name, None)
    for name in _TEXTS:
        info.text(name, None)
    info.texts("notes", ())
    info.whole("median", 0)
    if isinstance(info.values.get("data_range"), list):
        info.numbers("data_range", count=2)
    if "encoding" in info:
        info.text("luminance")
        for name in ("black_level", "peak_luminance"):
            info.number(name)


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
    if valid.size and (units := units_of_score(record["kind"], row["score"], info)):
        row |= units.cells()
    if planes.ndim:
        row["planes"] = plain(planes)
    further = {column.name: info[column.name] for column in columns if column.name in info}
    return row | origin(info, COLUMNS) | further


def _write_tiff(quality_map: QualityMap, path: Path, where: Mapping[str, Any]) -> None:
    import tifffile

    size = space.pixel_size_of(where)
    stated: dict[str, Any] = {}
    if size is not None:
        stated = {"resolution": (1e4 / size[1], 1e4 / size[0]), "resolutionunit": "CENTIMETER"}
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
            metadata={"axes": space.letters_of(where, values.ndim), KEY: record_of(quality_map)},
            software=SOFTWARE,
            **stated,
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
