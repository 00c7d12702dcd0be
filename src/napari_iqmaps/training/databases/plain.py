"""Scored images as a plain CSV: what was distorted, from what, and how people judged it.

::

    # best: 0
    # worst: 112
    file,reference,score,type,scene,weight
    wn/img87.png,ref/bikes.png,105.1,gaussian_noise,kodak05,1

Two comment lines say the score's range and, by their order, its direction. Paths are relative to the file; the
columns type, scene and weight may be missing.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from ...core.errors import InputError
from .listing import COLUMNS, Listing

TITLE = "CSV"
REQUIRED = ("file", "reference", "score")


def read(path: Path) -> Listing:
    """List the images of a CSV file, but for those that are their own reference."""
    best, worst = _range_of(path)
    table = _columns(path)
    if table.empty:
        raise InputError(f"{path} has a header but no rows. Each row names an image, its reference and its score.")
    for column in ("file", "reference"):
        table[column] = [str((path.parent / entry).resolve()) for entry in table[column]]
    pristine = table["file"] == table["reference"]
    kept = table[~pristine].reset_index(drop=True)
    repeated = int(kept["file"].duplicated().sum())
    # Not dropped: a database may well hold several ratings of one image.
    notes = (f"{repeated} rows name an image that another row names too; all of them count",) if repeated else ()
    limits = (min(best, worst), max(best, worst))
    return Listing(TITLE, path.stem, path, (path,), "score", best, worst, limits, kept, int(pristine.sum()), notes)


def _range_of(path: Path) -> tuple[float, float]:
    found: dict[str, float] = {}
    for line in _text(path).splitlines():
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


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError:
        raise InputError(f"{path} is not a text in UTF-8. Save the table as a CSV file in that encoding.") from None


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
    table = table[list(COLUMNS)].copy()
    holes = table.isna().any(axis=1) | (table["weight"] < 0)
    if holes.any():
        row = int(np.flatnonzero(holes)[0]) + 1
        raise InputError(
            f"{int(holes.sum())} rows of {path} have an empty or unreadable field or a negative weight; the "
            f"first is row {row}."
        )
    return table
