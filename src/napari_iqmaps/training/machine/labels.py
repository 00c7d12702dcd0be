"""The table of labels: how well workers do on each of many distorted pictures."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pandas as pd

from ...core.errors import InputError
from ...core.io.atomic import written_whole
from .label_config import Pixels, Variant, made
from .pictures import LabelledPictures, read_pictures

Progress = Callable[[int, int], None]

KEYS = ("image", "class", "distortion", "severity", "seed")
"""Columns that say which picture a row is of; `distort` makes it again from them."""

SUMMARY = ("mean", "spread", "consistency", "top1")
"""Columns that sum the workers up."""

PROBABILITY, CONSISTENCY = "p_", "c_"
"""What the columns of a worker begin with."""

ANSWER = "a_"
"""What the columns of a class begin with."""

PARQUET = ".parquet"


@dataclass(frozen=True, eq=False)
class LabelTable:
    """Labels as read from a file.

    Attributes
    ----------
    frame : pandas.DataFrame
        A row for each distorted picture: image, class, distortion ("none" for undistorted), severity (0 for it) and
        seed; for each worker ``p_NAME``, its probability of the true class, and ``c_NAME``, the overlap of its
        probabilities with those on the undistorted picture (the sum over classes of the smaller of the two); mean and
        spread (population standard deviation) of the probabilities over workers, mean consistency, and top1, the share
        of workers that are right. All from 0 (worst) to 1 (best), but for the spread. Where they were asked for, also
        ``a_CLASS``, the workers' mean probability of each class.
    """

    frame: pd.DataFrame
    record: dict[str, Any]
    path: Path

    @property
    def workers(self) -> tuple[str, ...]:
        """Names of the workers."""
        return tuple(name.removeprefix(PROBABILITY) for name in self.frame if name.startswith(PROBABILITY))


def columns_for(workers: Sequence[str], answers: Sequence[str] = ()) -> list[str]:
    """Give the columns of a table.

    Parameters
    ----------
    answers : sequence of str
        The classes, if the table has what the workers say of each.
    """
    own = [f"{prefix}{name}" for name in workers for prefix in (PROBABILITY, CONSISTENCY)]
    return [*KEYS, *own, *SUMMARY, *(f"{ANSWER}{name}" for name in answers)]


def record_path(table: Path) -> Path:
    """Give the path of the record beside a table."""
    return table.with_name(f"{table.name}.json")


def read_labels(path: str | Path) -> LabelTable:
    """Read a table of labels.

    Parameters
    ----------
    path : str or pathlib.Path
        CSV or Parquet, as ``iqmaps label`` has written it, with its record (``.json``) beside it.
    """
    path = Path(path)
    if not path.is_file():
        unfinished = part_path(path).is_file()
        raise InputError(
            f"The labels {path} are not finished. Give 'iqmaps label' once more to go on."
            if unfinished
            else f"There are no labels {path}. Make them with 'iqmaps label'."
        )
    try:
        record = json.loads(record_path(path).read_text(encoding="utf-8"))
        frame = read_frame(path)
    except (OSError, ValueError) as error:
        raise InputError(
            f"The labels {path} or their record {record_path(path).name} cannot be read: {error}"
        ) from None
    missing = [name for name in (*KEYS, *SUMMARY) if name not in frame]
    if missing:
        raise InputError(f"{path} has no column {' and no '.join(missing)}, so it is no table of labels.")
    return LabelTable(frame, record, path)


def read_frame(path: Path) -> pd.DataFrame:
    """Read the columns of a table with their types.

    Returns
    -------
    pandas.DataFrame
        Text as it is: a class may be called "nan".
    """
    if path.suffix == PARQUET:
        need_parquet(path)
        return pd.read_parquet(path)
    text = dict.fromkeys(("image", "class", "distortion"), str)
    return pd.read_csv(path, dtype={**text, "severity": float}, keep_default_na=False)


def write_frame(frame: pd.DataFrame, path: Path) -> None:
    """Write a table, whole or not at all."""
    with written_whole(path) as part:
        if path.suffix == PARQUET:
            frame.to_parquet(part, index=False)
        else:
            frame.to_csv(part, index=False, float_format="%.6g")


def need_parquet(path: Path) -> None:
    """Say what to install if a Parquet file cannot be handled here."""
    if find_spec("pyarrow") is None:
        raise InputError(f"{path.name} needs pyarrow, which is not installed: pip install pyarrow, or use .csv.")


def part_path(table: Path) -> Path:
    """Give the path of what is done of a table that is not finished."""
    return table.with_name(f"{table.name}.part")


def pictures_of(table: LabelTable, data: str | Path, *, progress: Progress | None = None) -> LabelledPictures:
    """Read the pictures that a table was made of.

    Parameters
    ----------
    data : str or pathlib.Path
        The data set that they were made of, as for `pictures.read_pictures`.
    """
    made: Mapping[str, Any] = table.record["pictures"]
    pictures = read_pictures(data, part=tuple(made["part"]), size=made["asked_size"], progress=progress)
    if pictures.fingerprint != made["sha256"]:
        raise InputError(
            f"{table.path} was made of {made['pictures']} pictures of {made['data']}; {data} gives {len(pictures)} "
            "there that are not the same. Give the data set that the labels were made of, or make them anew."
        )
    return pictures


def distorted_batch(pictures: LabelledPictures, rows: pd.DataFrame, progress: Progress | None = None) -> Pixels:
    """Make the pictures of some rows of a table again.

    Parameters
    ----------
    rows : pandas.DataFrame
        With the columns image, distortion, severity and seed.
    progress : callable, optional
        Called with ``(pictures made, pictures in all)``; raise `Cancelled` in it to stop.

    Returns
    -------
    numpy.ndarray
        uint8 ``(rows, height, width, 3)``; each is
        ``distort(picture, distortion, severity, seed=seed, channel_axis=-1)``, or the picture itself for "none".
    """
    return made(*rows_of(pictures, rows), progress)


def rows_of(pictures: LabelledPictures, rows: pd.DataFrame) -> tuple[list[Pixels], list[Variant]]:
    """Give what the pictures of some rows are made of.

    Parameters
    ----------
    rows : pandas.DataFrame
        One or more, with the columns image, distortion, severity and seed.
    """
    if rows.empty:
        raise InputError("There are no rows to make pictures of.")
    missing = [name for name in rows["image"] if name not in pictures.places]
    if missing:
        raise InputError(f"{pictures.path} has no picture {missing[0]} (and {len(missing) - 1} others) of the table.")
    columns = (rows[name] for name in ("distortion", "severity", "seed"))
    variants = [Variant(name, float(severity), int(seed)) for name, severity, seed in zip(*columns, strict=True)]
    return [pictures.pixels[pictures.places[name]] for name in rows["image"]], variants
