"""Read matched points from text: what DeepMatching prints, what pandas made of it, and what this package writes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt

from ..errors import InputError
from .matches import COLUMNS, POINT_COLUMNS, SIZE_COLUMNS, MatchTable


def read_deepmatching(
    path: str | Path, *, moving_shape: tuple[int, int] | None = None, fixed_shape: tuple[int, int] | None = None
) -> MatchTable:
    """Read matched points from what DeepMatching printed, from a table that pandas wrote, or from one of `to_csv`.

    Parameters
    ----------
    path : str or pathlib.Path
        Rows of ``x_1 y_1 x_2 y_2 score index`` between blanks, commas, semicolons or tabs, with or without a header and
        with or without a first column of row numbers. Without a header, score and index may be missing.
    moving_shape, fixed_shape : (int, int), optional
        Height and width of the images that the points are pixels of. Needed unless the file says them; DeepMatching
        gives pixels of the original images even when it was told to resize them. Use `MatchTable.rescaled` afterwards
        to bring the points to other sizes.

    Returns
    -------
    MatchTable
        The matches.

    Raises
    ------
    InputError
        If there is no such file, if a line cannot be read (its number is named), or if sizes are missing or contradict
        those in the file.
    """
    path = Path(path)
    try:
        text = path.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise InputError(f"{path} could not be read ({error.strerror or error}).") from error
    except UnicodeDecodeError:
        raise InputError(f"{path} is no text. Give the rows that DeepMatching printed, or a CSV table.") from None
    return parse_matches(text, str(path), moving_shape=moving_shape, fixed_shape=fixed_shape)


def parse_matches(
    text: str, name: str, *, moving_shape: tuple[int, int] | None = None, fixed_shape: tuple[int, int] | None = None
) -> MatchTable:
    """Read matched points from text; see `read_deepmatching`.

    Parameters
    ----------
    text : str
        The rows.
    name : str
        What to call the text in messages.
    moving_shape, fixed_shape : (int, int), optional
        Height and width of the images.

    Returns
    -------
    MatchTable
        The matches.

    Raises
    ------
    InputError
        If a line cannot be read, or sizes are missing or contradict those in the text.
    """
    lines = [(number, _fields(line)) for number, line in enumerate(text.splitlines(), 1) if line.strip()]
    header = lines.pop(0)[1] if lines and not all(_is_number(field) for field in lines[0][1]) else None
    if header is not None and not set(POINT_COLUMNS) <= set(header):
        raise InputError(
            f"{name}, line 1, is neither numbers nor a header with {', '.join(POINT_COLUMNS)}: {' '.join(header)!r}."
        )
    width = len(header) if header is not None else (len(lines[0][1]) if lines else len(COLUMNS))
    names = header if header is not None else _unnamed(width, name)
    values = np.full((len(lines), width), np.nan)
    for row, (number, fields) in enumerate(lines):
        values[row] = _numbers(fields, width, f"{name}, line {number},")
    columns = dict(zip(names, values.T, strict=True))
    points = np.stack([columns[column] for column in POINT_COLUMNS], axis=1)
    incomplete = np.flatnonzero(~np.isfinite(points).all(axis=1))
    if len(incomplete):
        raise InputError(
            f"{name}, line {lines[incomplete[0]][0]}, has a point without a number. Mend or remove the line."
        )
    sizes = _sizes(columns, name, moving_shape, fixed_shape)
    return MatchTable.of(
        points[:, :2],
        points[:, 2:],
        moving_shape=sizes[0],
        fixed_shape=sizes[1],
        score=columns.get("score"),
        index=np.nan_to_num(columns["index"], nan=-1) if "index" in columns else None,
    )


def _fields(line: str) -> list[str]:
    for separator in ",;":
        if separator in line:
            return [field.strip() for field in line.split(separator)]
    return line.split()


def _is_number(field: str) -> bool:
    try:
        float(field)
    except ValueError:
        return field == ""
    return True


def _numbers(fields: list[str], width: int, where: str) -> list[float]:
    if len(fields) != width:
        raise InputError(f"{where} has {len(fields)} values instead of {width}. Is the file complete?")
    try:
        return [float(field) if field else np.nan for field in fields]
    except ValueError as error:
        raise InputError(f"{where} holds what is no number ({error}).") from None


def _unnamed(width: int, name: str) -> list[str]:
    if width == len(COLUMNS) + 1:
        return ["", *COLUMNS]
    if len(POINT_COLUMNS) <= width <= len(COLUMNS):
        return list(COLUMNS[:width])
    raise InputError(f"{name} has {width} columns; matches have 4 to 7: {', '.join(COLUMNS)}, numbered or not.")


def _sizes(
    columns: dict[str, npt.NDArray[np.float64]],
    name: str,
    moving_shape: tuple[int, int] | None,
    fixed_shape: tuple[int, int] | None,
) -> tuple[tuple[int, int], tuple[int, int]]:
    """Give both sizes, from the file or from the caller; refuse to guess."""
    found: list[tuple[int, int]] = []
    for image, given, (height, width) in (
        ("moving", moving_shape, SIZE_COLUMNS[:2]),
        ("fixed", fixed_shape, SIZE_COLUMNS[2:]),
    ):
        stated = None
        if height in columns and width in columns and len(columns[height]):
            rows = np.unique(np.stack([columns[height], columns[width]], axis=1), axis=0)
            if len(rows) > 1 or not np.isfinite(rows).all():
                raise InputError(f"{name} names more than one size for the {image} image. Keep one pair to a file.")
            stated = int(rows[0, 0]), int(rows[0, 1])
        if stated is not None and given is not None and stated != tuple(given):
            raise InputError(
                f"{name} says that its {image} image has {stated[0]}x{stated[1]} pixels, not {given[0]}x{given[1]}. "
                "Read it without sizes, then use rescaled()."
            )
        size = given if given is not None else stated
        if size is None:
            raise InputError(
                f"{name} does not say of which size the images are whose pixels it names. Give moving_shape and "
                "fixed_shape (height, width)."
            )
        found.append((int(size[0]), int(size[1])))
    return found[0], found[1]
