"""CSIQ (Larson, Chandler, Journal of Electronic Imaging 19(1), 2010) as it unpacks.

::

    src_imgs/1600.png
    dst_imgs/awgn/1600.AWGN.1.png       or dst_imgs/1600.AWGN.1.png
    csiq.DMOS.xlsx                      or a CSV file of one of its sheets

The table has the columns image, dst_type, dst_lev and dmos (0 best .. 1 worst), and others.
"""

from __future__ import annotations

import zipfile
from collections.abc import Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path
from types import MappingProxyType

import pandas as pd

from ...core.errors import InputError
from ...core.io.records import is_plain_name, lines_of, number, read_text
from ...core.io.source import check_regular
from .listing import Folder, Listing, listed, unreadable, without_repeats

TITLE = "CSIQ"
PARTS = ("src_imgs/", "dst_imgs/", "csiq*.xlsx, csiq*.csv or csiq*.txt")

BEST, WORST = 0.0, 1.0

TYPES: Mapping[str, tuple[str, str]] = MappingProxyType(
    {
        "awgn": ("AWGN", "gaussian_noise"),
        "noise": ("AWGN", "gaussian_noise"),
        "blur": ("BLUR", "gaussian_blur"),
        "contrast": ("contrast", "contrast_change"),
        "fnoise": ("fnoise", "pink_noise"),
        "jpeg": ("JPEG", "jpeg"),
        "jpeg2000": ("jpeg2000", "jpeg2000"),
    }
)
"""The table's word, without spaces, to the word in file names and to ours."""

SCORES = (".xlsx", ".csv", ".txt")
_COLUMNS = ("image", "dst_type", "dst_lev", "dmos")
_EXAMPLE = "1600,noise,1,0.062"

Row = tuple[int, Sequence[str]]
"""The number of a line, and its cells."""

_MOST_UNPACKED = 2**28


def read(folder: Path) -> Listing:
    """List the images of CSIQ; scenes are called csiq_1600 and so on."""
    inside = Folder(folder)
    references, distorted = Folder(inside.where("src_imgs")), Folder(inside.where("dst_imgs"), depth=1)
    path = scores_in(inside)
    assert path is not None  # as detected
    rows, wrong = [], []
    for line, (image, kind, level, dmos) in _records(path):
        strength, score = number(level), number(dmos)
        words = TYPES.get(kind.lower().replace(" ", "").replace("_", ""))
        if not is_plain_name(image) or words is None or score is None or strength is None or strength != int(strength):
            wrong.append((line, ",".join((image, kind, level, dmos))))
            continue
        label, ours = words
        name = f"{image}.{label}.{int(strength)}.png"
        file = distorted.get(name) or distorted.path / label.lower() / name
        rows.append((file, references.where(f"{image}.png"), score, ours, f"csiq_{image.lower()}"))
    if wrong:
        raise unreadable(path, wrong, _EXAMPLE)
    table, notes = without_repeats(listed(rows), path)
    return Listing(TITLE, "csiq", folder, (path,), "DMOS", BEST, WORST, (BEST, WORST), table, notes=notes)


def scores_in(folder: Folder) -> Path | None:
    """Find the table of scores: the workbook if it can be read or nothing else is there, else a text table."""
    names = [name for name in folder.names() if name.startswith("csiq") and name.endswith(SCORES)]
    ranks = SCORES if find_spec("openpyxl") else (*SCORES[1:], SCORES[0])
    names.sort(key=lambda name: ("dmos" not in name, ranks.index(Path(name).suffix), name))
    return folder.get(names[0]) if names else None


def _records(path: Path) -> list[tuple[int, tuple[str, ...]]]:
    """Give the four columns of each line under the header, with the line's number."""
    # The published workbook repeats the same scores by type and by image: the sheet with the most has all.
    records = max((_under_header(rows) for rows in _sheets(path)), key=len, default=[])
    if not records:
        raise InputError(
            f"{path} has no line with the words {', '.join(_COLUMNS)} in columns and scores under it. Give the "
            "workbook as published, or one of its sheets as CSV with that line at its head."
        )
    return records


def _under_header(rows: Sequence[Row]) -> list[tuple[int, tuple[str, ...]]]:
    for start, (_, row) in enumerate(rows):
        words = [cell.strip().lower() for cell in row]
        if set(_COLUMNS) <= set(words):
            places = [words.index(name) for name in _COLUMNS]
            cells = ((line, tuple(_cell(below, place) for place in places)) for line, below in rows[start + 1 :])
            # A line with neither image nor type is empty or a sum.
            return [(line, found) for line, found in cells if found[0] or found[1]]
    return []


def _cell(row: Sequence[str], place: int) -> str:
    return row[place].strip() if place < len(row) else ""


def _sheets(path: Path) -> list[list[Row]]:
    if path.suffix.lower() != ".xlsx":
        text = read_text(path)
        return [list(lines_of(text, max(",;\t", key=text.count), str(path)))]
    if find_spec("openpyxl") is None:
        raise InputError(
            f"Reading {path} needs openpyxl, which is not installed. Install it (pip install openpyxl), or save the "
            f"sheet with all images as {path.with_suffix('.csv').name} beside it."
        )
    check_regular(path)
    try:
        with zipfile.ZipFile(path) as archive:
            unpacked = sum(part.file_size for part in archive.infolist())
        if unpacked > _MOST_UNPACKED:
            raise ValueError(f"it unpacks to {unpacked / 2**20:.0f} MiB")
        sheets = pd.read_excel(path, sheet_name=None, header=None, dtype=object, engine="openpyxl")
    except Exception as error:  # openpyxl's reader raises many kinds on a damaged file
        raise InputError(f"{path} is not a workbook that can be read ({error}). Unpack it again.") from error
    return [
        [(line, [_text(cell) for cell in row]) for line, row in enumerate(sheet.itertuples(index=False), 1)]
        for sheet in sheets.values()
    ]


def _text(cell: object) -> str:
    """Write a cell as people see it: an image called 1600 is a number to the workbook."""
    if cell is None or cell != cell:
        return ""
    return str(int(cell)) if isinstance(cell, float) and cell.is_integer() else str(cell)
