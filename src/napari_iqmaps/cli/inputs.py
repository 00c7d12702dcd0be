"""From the words of the command line to files: names, patterns, folders; and from files to names of outputs."""

from __future__ import annotations

import glob
import os
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path

import click

SUFFIXES = (
    *(".avif", ".bmp", ".gif", ".jpeg", ".jpg", ".png", ".tif", ".tiff", ".webp"),
    *(".exr", ".hdr", ".j2k", ".jp2", ".pbm", ".pfm", ".pgm", ".pnm", ".ppm"),
)
"""Which files of a folder are taken for images; a file named by itself may have any name."""


def expand(words: Iterable[str], kinds: Sequence[str]) -> tuple[list[Path], list[Path]]:
    """Turn file names, patterns and folders into files.

    Parameters
    ----------
    words : iterable of str
        A word that names nothing is kept: reading it says what is wrong, and the others go on.
    kinds : sequence of str
        Kinds of maps; a file that ends in one and holds this package's record is not an input.

    Returns
    -------
    images, maps : list of pathlib.Path
        What to work on, each once, in the order given; and the maps that were left out.
    """
    found: dict[str, Path] = {}
    for word in words:
        for path in _files(word):
            found.setdefault(os.path.realpath(path), path)
    images: list[Path] = []
    maps: list[Path] = []
    for path in found.values():
        (maps if _is_map(path, kinds) else images).append(path)
    return images, maps


def _files(word: str) -> list[Path]:
    path = Path(word)
    if path.is_dir():
        inside = sorted(item for item in path.iterdir() if item.is_file() and item.suffix.lower() in SUFFIXES)
        return [item for item in inside if not item.name.startswith(".")] or [path]
    if path.exists():
        return [path]  # before the pattern: a name may have brackets in it
    matches = sorted(map(Path, glob.glob(word, recursive=True)))  # noqa: PTH207 - the pattern may be absolute
    return [match for match in matches if match.is_file()] or [path]


def _is_map(path: Path, kinds: Sequence[str]) -> bool:
    if not path.stem.endswith(tuple(f"_{kind}" for kind in kinds)):
        return False
    from ..core.io.map_file import read_record

    return read_record(path) is not None


def output_names(paths: Sequence[Path]) -> list[str]:
    """Name each input's outputs, without an ending.

    Returns
    -------
    list of str
        The stem of the file; where two inputs share it, also the suffix and the folders below their common one.
    """
    # Compared without case: some file systems do not tell "A" from "a".
    stems = Counter(path.stem.lower() for path in paths)
    shared = [path for path in paths if stems[path.stem.lower()] > 1]
    root = os.path.commonpath([path.absolute().parent for path in shared]) if shared else ""
    names = []
    for path in paths:
        if stems[path.stem.lower()] == 1:
            names.append(path.stem)
        else:
            folders = path.absolute().parent.relative_to(root).parts
            names.append("_".join([*folders, path.name.replace(".", "-")]))
    clashes = [name for name, count in Counter(name.lower() for name in names).items() if count > 1]
    if clashes:
        raise click.UsageError(
            f"Several inputs would be written as {clashes[0]!r}. Rename one of them, or run one folder at a time."
        )
    return names


def reference_for(test: Path, reference: Path) -> Path:
    """Find the reference of a test image.

    Parameters
    ----------
    reference : pathlib.Path
        A file, the reference of all; or a folder, which holds one of the same name, or of the same stem.
    """
    from ..core.errors import InputError

    if not reference.is_dir():
        return reference
    if (reference / test.name).is_file():
        return reference / test.name
    alike = sorted(item for item in reference.iterdir() if item.stem == test.stem and item.suffix.lower() in SUFFIXES)
    if len(alike) == 1:
        return alike[0]
    if alike:
        names = ", ".join(item.name for item in alike)
        raise InputError(f"{reference} holds several references for {test.name}: {names}. Keep one.")
    raise InputError(f"{reference} holds no reference for {test.name}: no file of that name or stem.")
