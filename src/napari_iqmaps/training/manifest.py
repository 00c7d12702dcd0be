"""Scored images as a plain CSV: what was distorted, from what, and how people judged it.

::

    # best: 0
    # worst: 112
    file,reference,score,type,scene,weight
    wn/img87.png,ref/bikes.png,105.1,gaussian_noise,kodak05,1

Two comment lines say the score's range and, by their order, its direction. Paths are relative to the manifest; the
columns type, scene and weight may be missing.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from ..core.errors import InputError
from ..core.weights import sha256_of

REQUIRED = ("file", "reference", "score")


@dataclass(frozen=True, eq=False)
class Manifest:
    """A manifest as read and checked.

    Attributes
    ----------
    name : str
        Stem of the file; the name of the database in tables.
    path : pathlib.Path
        The file.
    sha256 : str
        Of the file.
    best, worst : float
        The scores of a perfect and of the worst possible image.
    table : pandas.DataFrame
        A row per image: file and reference (absolute paths), score, impairment (0 best .. 1 worst), type, scene,
        weight and database.
    pristine : int
        Rows left out because they are their own reference.
    """

    name: str
    path: Path
    sha256: str
    best: float
    worst: float
    table: pd.DataFrame
    pristine: int


def read_manifest(path: str | Path) -> Manifest:
    """Read and check a manifest.

    Parameters
    ----------
    path : str or pathlib.Path
        A CSV file as this module describes.

    Returns
    -------
    Manifest
        The rows, checked but for the images' pixels.

    Raises
    ------
    InputError
        If the file, its header, a column or an image is missing, or a score lies outside the range.
    """
    path = Path(path)
    if not path.is_file():
        raise InputError(f"There is no manifest {path}. Give a CSV file with the columns {', '.join(REQUIRED)}.")
    best, worst = _range_of(path)
    table = _columns(path)
    if table.empty:
        raise InputError(f"{path} has a header but no rows. Each row names an image, its reference and its score.")
    table["impairment"] = (table["score"] - best) / (worst - best)
    outside = table.loc[~table["impairment"].between(0, 1), "score"]
    if len(outside):
        raise InputError(
            f"{len(outside)} scores in {path} lie outside {best:g} (best) .. {worst:g} (worst), such as "
            f"{outside.iloc[0]:g}. Correct the header or the scores."
        )
    for column in ("file", "reference"):
        table[column] = [str((path.parent / entry).resolve()) for entry in table[column]]
    _check_files(path, table)
    pristine = table["file"] == table["reference"]
    table = table[~pristine].reset_index(drop=True)
    if table.empty:
        raise InputError(f"Every image in {path} is its own reference, so there is nothing to learn or judge.")
    table["database"] = path.stem
    return Manifest(path.stem, path, sha256_of(path), best, worst, table, int(pristine.sum()))


def pooled(manifests: Sequence[Manifest]) -> pd.DataFrame:
    """Join the tables of manifests.

    Parameters
    ----------
    manifests : sequence of Manifest
        Of different names.

    Returns
    -------
    pandas.DataFrame
        All rows, numbered anew; the column database tells them apart.
    """
    names = [manifest.name for manifest in manifests]
    if not names:
        raise InputError("No manifest was given. Pass at least one --data FILE.csv.")
    repeated = sorted({name for name in names if names.count(name) > 1})
    if repeated:
        raise InputError(
            f"Several manifests are called {', '.join(repeated)}. A manifest's file name is its database's name in "
            "tables: rename one."
        )
    return pd.concat([manifest.table for manifest in manifests], ignore_index=True)


def _range_of(path: Path) -> tuple[float, float]:
    found: dict[str, float] = {}
    for line in path.read_text(encoding="utf-8-sig").splitlines():
        if not line.startswith("#"):
            break
        name, colon, value = line.lstrip("# ").partition(":")
        if colon and name.strip() in ("best", "worst"):
            try:
                found[name.strip()] = float(value)
            except ValueError:
                raise InputError(f"In {path} the line {line!r} gives no number.") from None
    missing = [name for name in ("best", "worst") if name not in found]
    if missing:
        raise InputError(
            f"{path} does not say which score is {' and which '.join(missing)}. Begin the file with two lines such "
            "as '# best: 0' and '# worst: 100'."
        )
    if found["best"] == found["worst"] or not np.isfinite([*found.values()]).all():
        raise InputError(f"In {path} best is {found['best']:g} and worst {found['worst']:g}; give two finite numbers.")
    return found["best"], found["worst"]


def _columns(path: Path) -> pd.DataFrame:
    try:
        table = pd.read_csv(path, comment="#", dtype={"file": str, "reference": str, "type": str, "scene": str},
                            encoding="utf-8-sig")  # fmt: skip
    except (ValueError, pd.errors.ParserError) as error:
        raise InputError(f"{path} is not a CSV table ({error}).") from None
    missing = [name for name in REQUIRED if name not in table]
    if missing:
        raise InputError(f"{path} lacks the columns {', '.join(missing)}; it has {', '.join(map(str, table.columns))}.")
    for column, default in (("type", "all"), ("weight", 1.0)):
        if column not in table:
            table[column] = default
    if "scene" not in table:
        table["scene"] = [Path(str(entry)).stem for entry in table["reference"]]
    for column in ("score", "weight"):
        table[column] = pd.to_numeric(table[column], errors="coerce")
    table = table[["file", "reference", "score", "type", "scene", "weight"]].copy()
    holes = table.isna().any(axis=1) | (table["weight"] < 0)
    if holes.any():
        row = int(np.flatnonzero(holes)[0]) + 1
        raise InputError(
            f"{int(holes.sum())} rows of {path} have an empty or unreadable field or a negative weight; the "
            f"first is row {row}."
        )
    return table


def _check_files(path: Path, table: pd.DataFrame) -> None:
    names = pd.unique(pd.concat([table["file"], table["reference"]]))
    missing = [name for name in names if not Path(name).is_file()]
    if missing:
        few = ", ".join(missing[:3]) + (", ..." if len(missing) > 3 else "")
        raise InputError(f"{len(missing)} of the {len(names)} images that {path} names are missing: {few}.")
