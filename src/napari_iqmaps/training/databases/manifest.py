"""Scored images, checked: what training and judging start from, whatever layout they came in."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from ...core.errors import InputError
from . import Listing, list_database
from .listing import few, joined


@dataclass(frozen=True, eq=False)
class Manifest:
    """A database as read and checked.

    Attributes
    ----------
    name : str
        The name of the database in tables: the stem of the CSV file, or the layout's.
    best, worst : float
        The scores of a perfect and of the worst possible image.
    table : pandas.DataFrame
        A row per image: file and reference (absolute paths), score, impairment (0 best .. 1 worst), type, scene,
        weight, database, and the database's best and worst.
    missing : int
        Rows left out because the image or its reference is not there.
    """

    name: str
    path: Path
    sha256: str
    best: float
    worst: float
    table: pd.DataFrame
    pristine: int
    measure: str = "score"
    missing: int = 0


def read_manifest(path: str | Path | Manifest, *, skip_missing: bool = False) -> Manifest:
    """Read and check a CSV file or a folder of images, but for the pixels; a manifest is given back as it is.

    `skip_missing` leaves out rows whose image or reference is not there, instead of refusing.
    """
    return path if isinstance(path, Manifest) else checked(list_database(path), skip_missing=skip_missing)


def checked(listing: Listing, *, skip_missing: bool = False) -> Manifest:
    """Look for the images of a listing."""
    table = listing.table.assign(impairment=listing.impairment, database=listing.name)
    table = table.assign(best=listing.best, worst=listing.worst)
    missing = listing.missing()
    if missing and not skip_missing:
        raise InputError(
            f"{len(missing)} of the {len(listing.images())} images that {listing.path} names are missing: "
            f"{few(missing)}. Complete them, or go on without them (--skip-missing)."
        )
    there = ~(table["file"].isin(missing) | table["reference"].isin(missing))
    if not there.any():
        raise InputError(
            f"Of the {len(table)} images that {listing.path} names, none is there with its reference; the first "
            f"that is missing is {missing[0]}."
        )
    kept = table[there].reset_index(drop=True)
    return Manifest(listing.name, listing.path, listing.sha256, listing.best, listing.worst, kept, listing.pristine,
                    listing.measure, int((~there).sum()))  # fmt: skip


def pooled(manifests: Sequence[Manifest]) -> pd.DataFrame:
    """Join the tables of manifests; scenes that may show the same photograph become one."""
    check_names([manifest.name for manifest in manifests])
    table = pd.concat([manifest.table for manifest in manifests], ignore_index=True)
    return table.assign(scene=joined(table["scene"]))


def check_names(names: Sequence[str]) -> None:
    """Refuse two databases of one name, or none."""
    if not names:
        raise InputError("No manifest was given. Pass at least one --data PATH.")
    repeated = sorted({name for name in names if names.count(name) > 1})
    if repeated:
        raise InputError(
            f"Several manifests are called {', '.join(repeated)}. A CSV file's name, or its layout's for a folder, "
            "names the database in tables: rename a file, or give each database once."
        )
