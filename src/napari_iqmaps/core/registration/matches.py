"""Matched points as a table that keeps the sizes of its images, in the columns that DeepMatching writes."""

from __future__ import annotations

import csv
import io
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from ..arguments import check_fields, checked
from ..arrays import numbers
from ..errors import InputError
from ..io.atomic import written_whole
from ..io.records import lines_of, read_text, short
from .candidates import Candidate, Options
from .geometry import Points, check_sides, fit_matrix, resized_points
from .images import Pair

POINT_COLUMNS = ("x_1", "y_1", "x_2", "y_2")
COLUMNS = (*POINT_COLUMNS, "score", "index")
"""Of a table: a point of the moving image, its match in the fixed one, how good the match is, and where it is from."""

SIZE_COLUMNS = ("height_1", "width_1", "height_2", "width_2")
"""Sizes of the two images, the same in every row, so that a table can be used for images of another size."""

_ASPECT = 0.02
"""How far the scales of the two axes may be apart before an image is taken for another one."""

_LARGEST_INDEX = 2.0**53


@dataclass(frozen=True, eq=False)
class MatchTable:
    """Matched points of two images.

    Attributes
    ----------
    moving_points, fixed_points : numpy.ndarray
        float64, shape ``(n, 2)``, each row ``(x, y)`` in pixels, pixel centres at integers: the same thing in both.
    score : numpy.ndarray
        float64, shape ``(n,)``; the higher, the better, on the scale of what found the matches. NaN where unknown.
    index : numpy.ndarray
        int64, shape ``(n,)``; what the finder numbered its matches by.
    moving_shape, fixed_shape : (int, int)
        Height and width of the images that the points are pixels of.
    """

    moving_points: Points
    fixed_points: Points
    score: npt.NDArray[np.float64]
    index: npt.NDArray[np.int64]
    moving_shape: tuple[int, int]
    fixed_shape: tuple[int, int]

    def __post_init__(self) -> None:
        check_fields(self)
        check_sides("moving_shape", self.moving_shape)
        check_sides("fixed_shape", self.fixed_shape)
        count = len(np.atleast_1d(self.score))
        shapes = [column.shape for column in (self.moving_points, self.fixed_points, self.score, self.index)]
        if shapes != [(count, 2), (count, 2), (count,), (count,)]:
            raise InputError(
                f"The columns have the shapes {', '.join(map(str, shapes))} (moving, fixed, score, index); give "
                "(n, 2), (n, 2), (n,) and (n,)."
            )

    def __len__(self) -> int:
        return len(self.moving_points)

    @classmethod
    @checked
    def of(
        cls,
        moving_points: Any,
        fixed_points: Any,
        *,
        moving_shape: tuple[int, int],
        fixed_shape: tuple[int, int],
        score: Any = None,
        index: Any = None,
    ) -> MatchTable:
        """Make a table from arrays.

        Parameters
        ----------
        moving_points, fixed_points : array_like
            Shape ``(n, 2)``, each row ``(x, y)`` in pixels.
        moving_shape, fixed_shape : (int, int)
            Height and width of the images that the points are pixels of.
        score, index : array_like, optional
            Shape ``(n,)``; by default unknown, and numbers from 0.

        Returns
        -------
        MatchTable
            The table, checked.

        Raises
        ------
        InputError
            If lengths differ, a point is not finite, or a size is none.
        """
        moving, fixed = _points(moving_points, "moving"), _points(fixed_points, "fixed")
        count = len(moving)
        scores = np.full(count, np.nan) if score is None else numbers(score, "score").ravel()
        indices = np.arange(count) if index is None else _whole(index)
        lengths = count, len(fixed), len(scores), len(indices)
        if len(set(lengths)) > 1:
            raise InputError(
                f"The columns differ in length (moving, fixed, score, index: {', '.join(map(str, lengths))})."
            )
        if not (np.isfinite(moving).all() and np.isfinite(fixed).all()):
            raise InputError("A matched point is NaN or infinite. Leave out the rows without a match.")
        return cls(moving, fixed, scores, indices, _checked_shape(moving_shape), _checked_shape(fixed_shape))

    @checked
    def rescaled(self, *, moving_shape: tuple[int, int], fixed_shape: tuple[int, int]) -> MatchTable:
        """Give the same matches for resized versions of the images.

        Parameters
        ----------
        moving_shape, fixed_shape : (int, int)
            Height and width of the images that the points shall be pixels of.

        Returns
        -------
        MatchTable
            With points moved as resizing by areas moves pixel centres: ``x`` goes to ``(x + 0.5) * scale - 0.5``.

        Raises
        ------
        InputError
            If an image would change its proportions: then it is another image, or cropped, and no scale is right.
        """
        moving, fixed = _checked_shape(moving_shape), _checked_shape(fixed_shape)
        return replace(
            self,
            moving_points=_resized(self.moving_points, self.moving_shape, moving, "moving"),
            fixed_points=_resized(self.fixed_points, self.fixed_shape, fixed, "fixed"),
            moving_shape=moving,
            fixed_shape=fixed,
        )

    @checked
    def to_csv(self, path: str | Path) -> Path:
        """Write the table as CSV, with a header, the sizes of the images and a first column of row numbers.

        Parameters
        ----------
        path : str or pathlib.Path
            The file; it is replaced only when the new one is complete.

        Returns
        -------
        pathlib.Path
            The file. pandas reads it with ``index_col=0``.

        Raises
        ------
        InputError
            If the folder is missing, or the system refuses to write.
        """
        text = io.StringIO()
        writer = csv.writer(text, lineterminator="\n")
        writer.writerow(("", *COLUMNS, *SIZE_COLUMNS))
        sizes = (*self.moving_shape, *self.fixed_shape)
        rows = zip(self.moving_points, self.fixed_points, self.score, self.index, strict=True)
        for number, (moving, fixed, score, index) in enumerate(rows):
            numbers = [repr(float(value)) for value in (*moving, *fixed)]
            writer.writerow((number, *numbers, "" if np.isnan(score) else repr(float(score)), int(index), *sizes))
        with written_whole(path) as part:
            part.write_text(text.getvalue(), encoding="utf-8")
        return Path(path)

    @classmethod
    def read(
        cls,
        path: str | Path,
        *,
        moving_shape: tuple[int, int] | None = None,
        fixed_shape: tuple[int, int] | None = None,
    ) -> MatchTable:
        """Read matched points from a file; the same as `read_deepmatching`.

        Parameters
        ----------
        path : str or pathlib.Path
            A table that `to_csv` or pandas wrote, or what DeepMatching printed.
        moving_shape, fixed_shape : (int, int), optional
            Height and width of the images that the points are pixels of, where the file does not say them.

        Returns
        -------
        MatchTable
            The matches.

        Raises
        ------
        InputError
            As `read_deepmatching`.
        """
        return read_deepmatching(path, moving_shape=moving_shape, fixed_shape=fixed_shape)


def propose_matches(pair: Pair, options: Options) -> list[Candidate]:
    """Fit a matrix to the matches that the caller brought; those of resized images are brought to their size."""
    table = options.matches
    if not isinstance(table, MatchTable):
        raise InputError(
            "method='matches' needs matches=, a MatchTable: read one with MatchTable.read(path), or make one with "
            f"run_deepmatching or quasi_dense_matches. It is {type(table).__name__}."
        )
    table = table.rescaled(moving_shape=pair.moving.shape, fixed_shape=pair.fixed.shape)
    fit = fit_matrix(table.moving_points, table.fixed_points, options.transform, seed=options.seed)
    if fit.matrix is None:
        return [Candidate("matches", None, reason=fit.reason, n_matches=len(table))]
    return [Candidate.of_points("matches", table.moving_points, table.fixed_points, fit)]


def _resized(points: Points, before: tuple[int, int], after: tuple[int, int], name: str) -> Points:
    scale = np.array([after[1] / before[1], after[0] / before[0]])
    rounding = 1 / min(*before, *after)  # a side of an odd number of pixels cannot be halved
    if abs(scale[0] / scale[1] - 1) > _ASPECT + rounding:
        raise InputError(
            f"The matches are of a {name} image of {before[0]}x{before[1]} pixels, and this one has "
            f"{after[0]}x{after[1]}: other proportions, so it is another image or cropped. Match the images again."
        )
    return resized_points(points, scale)


def _points(points: Any, name: str) -> Points:
    array = numbers(points, f"table of {name} points")
    if array.ndim == 0 or (array.size and (array.ndim > 2 or array.shape[-1] != 2)):
        raise InputError(f"The {name} points have shape {array.shape}; give (n, 2), each row x and y.")
    return array.reshape(-1, 2)


def _whole(index: Any) -> npt.NDArray[np.int64]:
    array = numbers(index, "index").ravel()
    if not (np.abs(array) < 2**63).all():
        raise InputError("The index of a match is NaN or too large; give whole numbers of up to 63 bits.")
    return array.astype(np.int64)


def _checked_shape(shape: Any) -> tuple[int, int]:
    sides = tuple(int(side) for side in shape)
    if len(sides) != 2 or min(sides) < 1:
        raise InputError(f"The size of an image is {shape!r}; give (height, width) in pixels.")
    return sides[0], sides[1]


@checked
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
    return parse_matches(read_text(path), str(path), moving_shape=moving_shape, fixed_shape=fixed_shape)


def parse_matches(
    text: str, name: str, *, moving_shape: tuple[int, int] | None = None, fixed_shape: tuple[int, int] | None = None
) -> MatchTable:
    """Read matched points from text; see `read_deepmatching`."""
    lines = _lines(text, name)
    if not lines:
        raise InputError(f"{name} is empty. Give rows of {' '.join(COLUMNS)}, or the header alone if nothing matches.")
    header = lines.pop(0)[1] if lines and not all(_is_number(field) for field in lines[0][1]) else None
    if header is not None and not set(POINT_COLUMNS) <= set(header):
        raise InputError(
            f"{name}, line 1, is neither numbers nor a header with {', '.join(POINT_COLUMNS)}: "
            f"{short(' '.join(header))}."
        )
    if header is not None and (repeated := [one for one in header if header.count(one) > 1]):
        raise InputError(f"{name} has more than one column {repeated[0]!r}. Keep one.")
    width = len(header) if header is not None else (len(lines[0][1]) if lines else len(COLUMNS))
    names = header if header is not None else _unnamed(width, name)
    values = np.full((len(lines), width), np.nan)
    for row, (number, fields) in enumerate(lines):
        values[row] = _numbers(fields, names, f"{name}, line {number},")
    columns = dict(zip(names, values.T, strict=True))
    points = np.stack([columns[column] for column in POINT_COLUMNS], axis=1)
    incomplete = np.flatnonzero(~np.isfinite(points).all(axis=1))
    if len(incomplete):
        raise InputError(
            f"{name}, line {lines[incomplete[0]][0]}, has a point without a number. Mend or remove the line."
        )
    sizes = _sizes(columns, name, moving_shape, fixed_shape)
    beyond = np.flatnonzero(_is_beyond(points[:, :2], sizes[0]) | _is_beyond(points[:, 2:], sizes[1]))
    if len(beyond):
        shown = ", ".join(f"{value:g}" for value in points[beyond[0]])
        (height, width), (high, wide) = sizes
        raise InputError(
            f"{name}, line {lines[beyond[0]][0]}, has the points {shown}, which lie far outside of images of "
            f"{height}x{width} and {high}x{wide} pixels (height x width). Are these the images that were matched?"
        )
    index = np.nan_to_num(columns["index"], nan=-1) if "index" in columns else None
    if index is not None and not (np.abs(index) < _LARGEST_INDEX).all():
        raise InputError(f"{name} has numbers in the column index that are too large to number matches.")
    return MatchTable.of(
        points[:, :2],
        points[:, 2:],
        moving_shape=sizes[0],
        fixed_shape=sizes[1],
        score=columns.get("score"),
        index=index,
    )


def _lines(text: str, name: str) -> list[tuple[int, list[str]]]:
    """Give the fields of each line that has any, with its number; lines that begin with ``#`` say nothing."""
    sign = _separator(text)
    if sign:
        lines = list(lines_of(text, sign, name))
    else:
        lines = [(number, line.split()) for number, line in enumerate(io.StringIO(text), 1) if line.strip()]
    if lines and (head := [field for field in (lines[0][1][0].lstrip("# "), *lines[0][1][1:]) if field]):
        # numpy marks the names of its columns so.
        lines[0] = (lines[0][0], head) if set(POINT_COLUMNS) <= set(head) and lines[0][1][0][:1] == "#" else lines[0]
    return [(number, fields) for number, fields in lines if not fields[0].startswith("#")]


def _separator(text: str) -> str:
    """Tell what is between the values: the first of these signs in the first line of values; empty for blanks."""
    said = (line for line in io.StringIO(text) if line.strip() and not line.lstrip().startswith("#"))
    first = next(said, "")
    return next((sign for sign in ";\t," if sign in first.strip()), "")


def _is_number(field: str) -> bool:
    try:
        float(field)
    except ValueError:
        return field == ""
    return True


def _numbers(fields: list[str], names: list[str], where: str) -> list[float]:
    if len(fields) != len(names):
        raise InputError(f"{where} has {len(fields)} values instead of {len(names)}. Is the file complete?")
    try:
        if "_" in "".join(fields):
            raise ValueError("a number has no underscore")
        return [float(field) if field else np.nan for field in fields]
    except ValueError as error:
        point = " Write decimals with a point." if any("," in field for field in fields) else ""
        raise InputError(f"{where} holds what is no number ({error}).{point}") from error


def _is_beyond(points: Points, shape: tuple[int, int]) -> npt.NDArray[np.bool_]:
    """Tell which points lie further outside of an image than it is large: they are of another one."""
    sides = np.array([shape[1], shape[0]], np.float64)
    return np.asarray(((points < -sides) | (points > 2 * sides)).any(axis=1))


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
            if not ((rows >= 1) & (rows < _LARGEST_INDEX) & (rows == np.floor(rows))).all():
                raise InputError(f"{name} says that its {image} image has {rows[0, 0]:g}x{rows[0, 1]:g} pixels.")
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
