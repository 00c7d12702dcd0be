"""Databases of scored images in the layouts that they are published in, and as a plain CSV.

A module for each layout gives a `Listing`; a fifth layout is one more module and one more line in `LAYOUTS`.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from ...core.errors import InputError
from . import csiq, kadid10k, live, plain, tid2013
from .listing import Folder, Listing, entries_of

__all__ = ["LAYOUTS", "Folder", "Layout", "Listing", "list_database"]


@dataclass(frozen=True)
class Layout:
    """A published layout; `parts` are what its folder must hold, in words, where folders end in a slash."""

    title: str
    parts: tuple[str, ...]
    has: Callable[[Folder], Sequence[bool]]
    read: Callable[[Path], Listing]


def _by_name(parts: Sequence[str]) -> Callable[[Folder], list[bool]]:
    def has(folder: Folder) -> list[bool]:
        found = []
        for part in parts:
            places = [folder.get(name.rstrip("/")) for name in part.split(" or ")]
            found.append(any(place is not None and place.is_dir() == part.endswith("/") for place in places))
        return found

    return has


def _has_csiq(folder: Folder) -> list[bool]:
    return [*_by_name(csiq.PARTS[:2])(folder), csiq.scores_in(folder) is not None]


LAYOUTS: tuple[Layout, ...] = (
    Layout(tid2013.TITLE, tid2013.PARTS, _by_name(tid2013.PARTS), tid2013.read),
    Layout(live.TITLE, live.PARTS, _by_name(live.PARTS), live.read),
    Layout(csiq.TITLE, csiq.PARTS, _has_csiq, csiq.read),
    Layout(kadid10k.TITLE, kadid10k.PARTS, _by_name(kadid10k.PARTS), kadid10k.read),
)


def list_database(path: str | Path) -> Listing:
    """List the scored images of a CSV file, or of a folder in one of the published layouts; no image is looked for.

    The folder may also be one that holds the database's folder alone.
    """
    path = Path(path)
    if os.path.exists(path) and not os.path.isdir(path):  # noqa: PTH110, PTH112 - which refuse no name
        return plain.read(path)
    if not os.path.isdir(path):  # noqa: PTH112
        raise InputError(
            f"There is no manifest {path}. Give a CSV file with the columns {', '.join(plain.REQUIRED)}, or the "
            f"folder of a database ({', '.join(layout.title for layout in LAYOUTS)})."
        )
    path = path.resolve()  # a folder is recorded by its name, and "." has none
    # Many archives unpack into a folder of their own.
    inner = [entry for entry in entries_of(path) if entry.is_dir() and not entry.name.startswith(".")]
    for folders in ([path], inner):
        found = [(layout, folder) for folder in folders for layout in LAYOUTS if all(layout.has(Folder(folder)))]
        if len(found) == 1:
            layout, folder = found[0]
            return layout.read(folder)
        if found:
            names = ", ".join(f"{layout.title} in {folder}" for layout, folder in found)
            raise InputError(f"{path} holds several databases ({names}). Give each with its own --data.")
    raise InputError(_what_is_missing(path))


def _what_is_missing(path: Path) -> str:
    lacks = []
    for layout in LAYOUTS:
        parts = zip(layout.parts, layout.has(Folder(path)), strict=True)
        lacks.append((layout, [part for part, there in parts if not there]))
    near = [(layout, parts) for layout, parts in lacks if len(parts) < len(layout.parts)]
    said = "; ".join(f"{layout.title} lacks {', '.join(parts)}" for layout, parts in near or lacks)
    begin = "looks like a part of a database" if near else "has none of the known layouts"
    return f"{path} {begin}: {said}. Give a database's folder as it unpacks, or a CSV file."
