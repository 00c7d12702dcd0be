"""LIVE release 2 (Sheikh, Wang, Cormack, Bovik; IEEE TIP 15(11), 2006) as it unpacks.

::

    refimgs/bikes.bmp
    jp2k/ jpeg/ wn/ gblur/ fastfading/  img1.bmp ..., info.txt ("bikes.bmp img1.bmp 0.5")
    dmos_realigned.mat                  dmos_new, orgs
    dmos.mat                            dmos, orgs
    refnames_all.mat                    refnames_all

The scores of all five folders follow each other in one row, in the order above; `orgs` marks those of the references,
which were shown among the others and are no distorted images.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import io

from ...core.errors import InputError
from ...core.io.records import is_plain_name, read_text, short
from ...core.io.source import check_regular
from .listing import Folder, Listing, listed, live_scene, unreadable

TITLE = "LIVE release 2"
PARTS = ("refimgs/", "dmos_realigned.mat or dmos.mat")

REALIGNED, PLAIN, NAMES = "dmos_realigned.mat", "dmos.mat", "refnames_all.mat"

BEST = 0.0
WORST: Mapping[str, float] = MappingProxyType({REALIGNED: 112.0, PLAIN: 100.0})
"""Realigned scores end at 111.77; a few lie under that of the references, which is 0 by definition."""

MARGIN = 20.0
"""How far a score may lie beyond the ends; it then counts as the end."""

TYPES: Mapping[str, str] = MappingProxyType(
    {
        "jp2k": "jpeg2000",
        "jpeg": "jpeg",
        "wn": "gaussian_noise",
        "gblur": "gaussian_blur",
        "fastfading": "fast_fading",
    }
)
"""Folder to type, in the order of the scores."""

COUNTS = (227, 233, 174, 174, 174)
"""Images in each folder, references among them."""

_MOST_BYTES = 2**20
"""Of a file of scores, and numbers of an array in it: the published ones have some thousands."""

_DIGITS = 6

_Image = tuple[str, int]  # folder and number


def read(folder: Path) -> Listing:
    """List the images of LIVE release 2: realigned scores where they are there, and Kodak's scenes where they are that.

    The folder holds `PARTS`, and refnames_all.mat or an info.txt in each folder of images.
    """
    inside = Folder(folder)
    folders = {name: Folder(inside.where(name)) for name in ("refimgs", *TYPES)}
    path = inside.get(REALIGNED) or inside.where(PLAIN)
    realigned = path.name.lower() == REALIGNED
    variables = _matlab(path)
    scores = _numbers(variables, "dmos_new" if realigned else "dmos", path)
    pristine = _numbers(variables, "orgs", path).astype(bool)
    if len(pristine) != len(scores) or not np.isfinite(scores).all():
        raise InputError(
            f"{path} has {len(scores)} scores, {int((~np.isfinite(scores)).sum())} of them no numbers, and "
            f"{len(pristine)} marks of references (orgs). Unpack the database again."
        )
    # Of the whole database the lists info.txt only confirm what is known.
    needed = len(scores) != sum(COUNTS) or inside.get(NAMES) is None
    infos = {name: _info(folders[name], needed=needed) for name in TYPES}
    images = _images(infos, len(scores), path)
    references, sources, notes = _references(inside, infos, images)
    table = listed(
        (
            folders[place].where(f"img{number}.bmp"),
            folders["refimgs"].where(reference),
            float(score),
            TYPES[place],
            live_scene(Path(reference).stem),
        )
        for (place, number), reference, score, original in zip(images, references, scores, pristine, strict=True)
        if not original
    )
    if not realigned:
        notes += (f"{REALIGNED} is not there, so the scores are the older ones of {PLAIN}",)
    worst = WORST[REALIGNED if realigned else PLAIN]
    limits, copies = (BEST - MARGIN, worst + MARGIN), int(pristine.sum())
    return Listing(TITLE, "live", folder, (path, *sources), "DMOS", BEST, worst, limits, table, copies, notes)


def _images(infos: Mapping[str, dict[int, str]], scores: int, path: Path) -> list[_Image]:
    """Say which image each score is of."""
    counts = COUNTS if scores == sum(COUNTS) else tuple(max(info, default=0) for info in infos.values())
    if sum(counts) != scores:
        listed_counts = ", ".join(f"{name} {count}" for name, count in zip(TYPES, counts, strict=True))
        raise InputError(
            f"{path} has {scores} scores, and the lists info.txt name {sum(counts)} images ({listed_counts}). The "
            f"whole database has {sum(COUNTS)}; a part of it needs an info.txt in each folder that fits the scores."
        )
    return [(name, number) for name, count in zip(TYPES, counts, strict=True) for number in range(1, count + 1)]


def _references(
    inside: Folder, infos: Mapping[str, dict[int, str]], images: list[_Image]
) -> tuple[list[str], tuple[Path, ...], tuple[str, ...]]:
    """Name the reference of each image, the files that say so, and where they disagree."""
    by_info = [infos[place].get(number, "") for place, number in images]
    path = inside.get(NAMES)
    if path is None:
        if "" in by_info:
            place, number = images[by_info.index("")]
            raise InputError(
                f"Nothing says which reference {place}/img{number}.bmp and {by_info.count('') - 1} more images belong "
                f"to: there is neither {inside.path / NAMES} nor a line in {inside.path / place / 'info.txt'}."
            )
        sources = tuple(Folder(inside.where(name)).where("info.txt") for name in TYPES)
        return by_info, tuple(source for source in sources if source.is_file()), ()
    names = [str(name) for name in _row(_matlab(path), "refnames_all", path)]
    if outside := [name for name in names if not is_plain_name(name)]:
        raise InputError(f"{path} names {short(outside[0])}, which is no file of a folder. Unpack the database again.")
    if len(names) != len(images):
        raise InputError(f"{path} names {len(names)} references for {len(images)} scores. Unpack the database again.")
    different = sum(bool(info) and info.lower() != name.lower() for info, name in zip(by_info, names, strict=True))
    notes = (f"{different} images have another reference in info.txt than in {NAMES}, which was taken",)
    return names, (path,), notes if different else ()


def _info(folder: Folder, *, needed: bool) -> dict[int, str]:
    """Read the reference of each image of a folder; empty where there is no list."""
    path = folder.get("info.txt")
    found: dict[int, str] = {}
    wrong = []
    lines = read_text(path).split("\n") if path else []
    for line, text in enumerate(lines, start=1):
        words = text.split()
        if not words:
            continue
        number = words[1].lower().removeprefix("img").removesuffix(".bmp") if len(words) > 1 else ""
        if number.isdecimal() and len(number) <= _DIGITS and is_plain_name(words[0]):
            found[int(number)] = words[0]
        else:
            wrong.append((line, text))
    if path and wrong and needed:
        raise unreadable(path, wrong, "bikes.bmp img1.bmp 0.5")
    return found


def _matlab(path: Path) -> dict[str, Any]:
    check_regular(path)
    try:
        if path.stat().st_size > _MOST_BYTES or any(math.prod(shape) > _MOST_BYTES for _, shape, _ in io.whosmat(path)):
            raise ValueError("it holds far more than the scores of LIVE")
        variables: dict[str, Any] = io.loadmat(path, squeeze_me=True)
    except Exception as error:  # scipy's reader raises many kinds on a damaged file
        raise InputError(f"{path} is not a MATLAB file that can be read ({error}). Unpack it again.") from error
    return variables


def _numbers(variables: dict[str, Any], name: str, path: Path) -> npt.NDArray[np.float64]:
    found = _row(variables, name, path)
    if found.dtype.kind not in "biuf":
        raise InputError(f"{path} has a variable {name} of {found.dtype}, not of numbers. Unpack the database again.")
    return found.astype(float)


def _row(variables: dict[str, Any], name: str, path: Path) -> npt.NDArray[Any]:
    if name not in variables:
        there = ", ".join(key for key in variables if not key.startswith("__")) or "nothing"
        raise InputError(f"{path} has no variable {name}; it has {there}.")
    return np.atleast_1d(variables[name]).ravel()
