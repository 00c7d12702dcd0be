"""Scored images as a plain CSV: what was distorted, from what, and how people judged it.

::

    # best: 0
    # worst: 112
    file,reference,score,type,scene,weight
    wn/img87.png,ref/bikes.png,105.1,gaussian_noise,kodak05,1

Two comment lines at the head say the score's range and, by their order, its direction. Paths are relative to the file;
the columns type, scene and weight may be missing. Below its header, ``#`` is a letter like any other.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from ...core.errors import InputError
from ...core.io.records import Row, TextTable, number, read_table, short
from .listing import COLUMNS, Listing

TITLE = "CSV"
REQUIRED = ("file", "reference", "score")


def read(path: Path) -> Listing:
    """List the images of a CSV file, but for those that are their own reference."""
    text = read_table(path, REQUIRED, comments=True)
    best, worst = _range_of(path, text.comments)
    if not text.rows:
        raise InputError(f"{path} has a header but no rows. Each row names an image, its reference and its score.")
    table = pd.DataFrame([_image(text, row, path.parent) for row in text.rows], columns=list(COLUMNS))
    pristine = table["file"] == table["reference"]
    kept = table[~pristine].reset_index(drop=True)
    repeated = int(kept["file"].duplicated().sum())
    # Not dropped: a database may well hold several ratings of one image.
    notes = (f"{repeated} rows name an image that another row names too; all of them count",) if repeated else ()
    limits = (min(best, worst), max(best, worst))
    return Listing(TITLE, path.stem, path, (path,), "score", best, worst, limits, kept, int(pristine.sum()), notes)


def _range_of(path: Path, lines: Sequence[str]) -> tuple[float, float]:
    found: dict[str, float] = {}
    for line in lines:
        name, colon, text = line.partition(":")
        name = name.strip()
        if not colon or name not in ("best", "worst"):
            continue
        value = number(text)
        if value is None or name in found:
            wrong = "is there twice" if name in found else "gives no number, with a point for its decimals"
            raise InputError(f"In {path} the line {short(line)} {wrong}.")
        found[name] = value
    missing = [name for name in ("best", "worst") if name not in found]
    if missing:
        raise InputError(
            f"{path} does not say which score is {' and which '.join(missing)}. Begin the file with two lines such "
            "as '# best: 0' and '# worst: 100'."
        )
    if found["best"] == found["worst"] or not np.isfinite(found["worst"] - found["best"]):
        raise InputError(f"In {path} best is {found['best']:g} and worst {found['worst']:g}; give two finite numbers.")
    return found["best"], found["worst"]


def _image(text: TextTable, row: Row, folder: Path) -> tuple[str, str, float, str, str, float]:
    """Read a row of the table, as the columns of a listing."""
    for column in ("file", "reference"):
        if not row.cells[column]:
            text.refuse(row, column, "the name of an image")
    for column in ("type", "scene"):
        if row.cells.get(column) == "":
            text.refuse(row, column, "a word; leave the whole column out if it is not known")
    weight = text.number(row, "weight") if "weight" in text.columns else 1.0
    if weight < 0:
        text.refuse(row, "weight", "0 or more")
    file, reference = (os.path.realpath(folder / row.cells[column]) for column in ("file", "reference"))
    scene = row.cells.get("scene") or Path(row.cells["reference"]).stem
    return file, reference, text.number(row, "score"), row.cells.get("type", "all"), scene, weight
