"""What was found of databases, in words, before anything is computed: the dry run."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pandas as pd

from . import Listing
from .listing import FEW, joined
from .manifest import check_names


def survey(listings: Sequence[Listing]) -> dict[str, Any]:
    """Report, fit for JSON, what databases hold and lack, and which scenes several of them share."""
    check_names([listing.name for listing in listings])
    return {"databases": [_record(listing) for listing in listings], "shared_scenes": _shared(listings)}


def in_words(found: dict[str, Any]) -> list[str]:
    """Write a survey as lines for a terminal."""
    lines = []
    for record in found["databases"]:
        kinds = ", ".join(f"{name} {count}" for name, count in record["types"].items())
        score, missing = record["score"], record["missing"]
        better = "higher" if score["higher_is_better"] else "lower"
        lines += [
            f"{record['name']}: {record['layout']} in {record['path']}",
            f"  images    {record['images']} of {record['references']} references, {record['scenes']} scenes",
            f"  types     {len(record['types'])}: {kinds}",
            f"  score     {score['measure']}, {better} is better: {score['best']:g} best, {score['worst']:g} worst; "
            f"found {score['lowest']:g} to {score['highest']:g}",
            f"  pristine  {record['pristine']} dropped",
            f"  missing   {_missing_in_words(missing)}",
            *(f"  note      {note}" for note in record["notes"]),
        ]
    if len(found["databases"]) > 1:
        shared = found["shared_scenes"]
        lines.append(f"shared scenes: {len(shared)}" + (f" ({', '.join(shared)})" if shared else ""))
    return lines


def is_complete(found: dict[str, Any]) -> bool:
    """Tell whether no image is missing."""
    return not any(record["missing"]["files"] for record in found["databases"])


def _record(listing: Listing) -> dict[str, Any]:
    table, missing = listing.table, listing.missing()
    left_out = int((table["file"].isin(missing) | table["reference"].isin(missing)).sum())
    clipped = int((~table["score"].between(*sorted((listing.best, listing.worst)))).sum())
    beyond = f"{clipped} scores lie beyond {listing.best:g} .. {listing.worst:g} and count as the end of the scale"
    return {
        "name": listing.name,
        "layout": listing.layout,
        "path": str(listing.path),
        "images": len(table),
        "references": int(table["reference"].nunique()),
        "scenes": int(joined(table["scene"]).nunique()),
        "types": {str(kind): int(count) for kind, count in table["type"].value_counts(sort=False).items()},
        "pristine": listing.pristine,
        "score": {
            "measure": listing.measure,
            "best": listing.best,
            "worst": listing.worst,
            "higher_is_better": listing.higher_is_better,
            "lowest": float(table["score"].min()),
            "highest": float(table["score"].max()),
        },
        "missing": {"files": len(missing), "first": missing[:FEW], "images_without": left_out},
        "notes": [*listing.notes, *([beyond] if clipped else [])],
    }


def _missing_in_words(missing: dict[str, Any]) -> str:
    if not missing["files"]:
        return "none"
    first = ", ".join(missing["first"]) + (", ..." if missing["files"] > len(missing["first"]) else "")
    return f"{missing['files']} files, needed by {missing['images_without']} images: {first}"


def _shared(listings: Sequence[Listing]) -> dict[str, list[str]]:
    rows = pd.concat([listing.table[["scene"]].assign(database=listing.name) for listing in listings])
    holders = rows.assign(scene=joined(rows["scene"])).groupby("scene")["database"].unique()
    return {str(scene): [str(name) for name in names] for scene, names in holders.items() if len(names) > 1}
