"""What the paper of DeepBQA reports, as rows beside our own figures, with what is different about the data."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any, NamedTuple

import pandas as pd

from ...core.bootstrap import Figure
from ..databases.manifest import Manifest
from .agreement import FIGURES
from .figures import ALL, LABEL

NOTE = "note"
"""The column that says where a published figure is from."""


class Extent(NamedTuple):
    """How large a published database is."""

    images: int
    types: int


EXTENTS: Mapping[str, Extent] = MappingProxyType(
    {"live": Extent(779, 5), "csiq": Extent(866, 6), "tid2013": Extent(3000, 24)}
)

PUBLISHED: Mapping[str, Mapping[str, tuple[float, float]]] = MappingProxyType({
    "DeepBQA": {"live": (0.970, 0.971), "csiq": (0.858, 0.879), "tid2013": (0.843, 0.868)},
    "PSNR": {"live": (0.876, math.nan), "csiq": (0.806, math.nan), "tid2013": (0.636, math.nan)},
    "SSIM": {"live": (0.948, math.nan), "csiq": (0.876, math.nan), "tid2013": (0.775, math.nan)},
    "BRISQUE": {"live": (0.939, math.nan), "csiq": (0.775, math.nan), "tid2013": (0.572, math.nan)},
    "BIECON": {"live": (0.958, math.nan), "csiq": (0.825, math.nan), "tid2013": (0.721, math.nan)},
})  # fmt: skip
"""Method and database to SRCC and PLCC in Kim, Kim, Lee (ICASSP 2018); NaN where only one of them is at hand."""

_OF_DATABASE = ("measure", "best", "worst", "left_out", "no_answer", "splits", "test_share", "split_seed")


def with_published(figures: pd.DataFrame, manifests: Sequence[Manifest]) -> pd.DataFrame:
    """Put the published figures below those of each database whose name begins with live, csiq or tid2013.

    Gives more rows, of type ``"all"`` and methods such as ``"DeepBQA (published)"``, and the column note, which says
    what is different: published figures are medians over random splits, by reference, of all of a database.
    """
    rows: list[dict[str, Any]] = []
    for manifest in manifests:
        name = next((name for name in EXTENTS if manifest.name.casefold().startswith(name)), None)
        if name is None or manifest.name not in set(figures["database"]):
            continue
        note = f"{manifest.name}: {_note(name, manifest)}."
        for method, found in PUBLISHED.items():
            label = dict(zip(LABEL, (manifest.name, ALL, f"{method} (published)"), strict=True))
            rows.append(label | _cells(figures, *found[name]) | {NOTE: note})
    if not rows:
        return figures
    own = figures.assign(**{NOTE: ""})
    more = pd.DataFrame(rows).reindex(columns=own.columns)
    carried = [name for name in _OF_DATABASE if name in own]
    of_database = own.groupby("database")[carried].first()
    for name in carried:
        more[name] = more["database"].map(of_database[name])
    found = pd.concat([own.astype(object), more.astype(object)], ignore_index=True)
    order = {name: number for number, name in enumerate(own["database"].unique())}
    # Below the own figures of all types, above those of each.
    place = [(order[row["database"]], row["type"] != ALL, row[NOTE] != "") for _, row in found.iterrows()]
    return found.iloc[sorted(range(len(place)), key=place.__getitem__)].reset_index(drop=True)


def _cells(figures: pd.DataFrame, srcc: float, plcc: float) -> dict[str, Any]:
    """Fill the figures of a row; a table of medians has no other column for PLCC than that after the logistic."""
    values = {"srcc": srcc, "plcc": plcc, "srcc_median": srcc, "plcc_logistic_median": plcc}
    there = [name for name in (*FIGURES, *(f"{name}_median" for name in FIGURES)) if name in figures]
    counts = {name: "" for name in ("images", "scenes") if name in figures}
    return {name: Figure(values.get(name, math.nan)) for name in there} | counts


def _note(name: str, manifest: Manifest) -> str:
    extent = EXTENTS[name]
    images, types = len(manifest.table), manifest.table["type"].nunique()
    where = "published figures are medians over random splits (Kim, Kim, Lee, ICASSP 2018; PLCC as printed there) "
    if images == extent.images:
        return f"{where}of the same {images} images"
    return (
        f"{where}of all {extent.images} images and {extent.types} types; here are {images} images of {types} "
        f"{'type' if types == 1 else 'types'}, so they are not to be compared closely"
    )
