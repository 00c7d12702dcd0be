"""Which images are compared with which: a list in a file, pairs of a folder, or each image with the first."""

from __future__ import annotations

import csv
import io
import itertools
import random
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..errors import InputError

_ALL_IN_MEMORY = 1_000_000
_DIGITS = re.compile(r"(\d+)")


@dataclass(frozen=True)
class FilePair:
    """Two image files.

    Attributes
    ----------
    moving, fixed : pathlib.Path
        The image to be registered, and the one to register it to.
    """

    moving: Path
    fixed: Path

    def __str__(self) -> str:
        return f"{self.moving.name} to {self.fixed.name}"


def in_order(paths: Sequence[Path]) -> list[Path]:
    """Sort files by the numbers in their names.

    Parameters
    ----------
    paths : sequence of pathlib.Path
        In any order.

    Returns
    -------
    list of pathlib.Path
        ``2.png`` before ``10.png``, on every system, however its folders are listed.
    """

    def key(path: Path) -> tuple[Any, ...]:
        # Words stand at even places and numbers at odd ones, so that like is compared with like.
        parts = _DIGITS.split(path.name)
        return (tuple(int(part) if part.isdigit() else part for part in parts), str(path))

    return sorted(paths, key=key)


def against_first(paths: Sequence[Path]) -> list[FilePair]:
    """Pair each image with the first.

    Parameters
    ----------
    paths : sequence of pathlib.Path
        Two or more; sorted here.

    Returns
    -------
    list of FilePair
        The first is the fixed one of all.

    Raises
    ------
    InputError
        If there are fewer than two.
    """
    ordered = _enough(in_order(paths))
    return [FilePair(path, ordered[0]) for path in ordered[1:]]


def drawn_pairs(paths: Sequence[Path], count: int | None = None, *, seed: int = 0) -> list[FilePair]:
    """Draw pairs from all those of some images.

    Parameters
    ----------
    paths : sequence of pathlib.Path
        Two or more; sorted here, so that the pairs do not depend on their order.
    count : int, optional
        How many pairs; all of them if it is left out or more than there are.
    seed : int
        Of the drawing; all pairs are given in their order, not shuffled.

    Returns
    -------
    list of FilePair
        No image with itself, and no two images twice; the one that comes first in the order is the moving one.

    Raises
    ------
    InputError
        If there are fewer than two images, or `count` is below 1.

    Notes
    -----
    Up to a million pairs, the list is shuffled by Python's generator and cut, as the notebook does, so that its seed
    123 gives its own pairs wherever its folder was listed in the order of the numbers. Of more, indices are drawn.
    """
    ordered = _enough(in_order(paths))
    if count is not None and count < 1:
        raise InputError(f"{count} pairs were asked for; ask for 1 or more.")
    total = len(ordered) * (len(ordered) - 1) // 2
    if count is None or (count >= total and total > _ALL_IN_MEMORY):
        return list(itertools.starmap(FilePair, itertools.combinations(ordered, 2)))
    # Not for secrets: the notebook's own generator, whose draws are the same everywhere.
    generator = random.Random(seed)
    if total > _ALL_IN_MEMORY:
        return [_pair_at(ordered, index) for index in generator.sample(range(total), count)]
    pairs = list(itertools.starmap(FilePair, itertools.combinations(ordered, 2)))
    if count < total:
        generator.shuffle(pairs)
    return pairs[:count]


def read_pairs(path: str | Path) -> list[FilePair]:
    """Read a list of pairs.

    Parameters
    ----------
    path : str or pathlib.Path
        A CSV file with the columns ``moving`` and ``fixed``, beside which others may stand. Names of files are
        relative to its folder.

    Returns
    -------
    list of FilePair
        In its order. Whether the images are there is seen when they are read.

    Raises
    ------
    InputError
        If the file cannot be read, lacks a column or a cell, names no pair, or names one twice.
    """
    path = Path(path)
    try:
        text = path.read_text(encoding="utf-8-sig")
        rows = list(csv.DictReader(io.StringIO(text, newline=""), skipinitialspace=True, strict=True))
    except (OSError, ValueError, csv.Error) as error:
        raise InputError(f"{path} cannot be read as a list of pairs ({error}). Give CSV with moving,fixed.") from None
    if not rows:
        raise InputError(f"{path} names no pair. Give a line 'moving,fixed' and a line a pair below it.")
    missing = [name for name in ("moving", "fixed") if name not in rows[0]]
    if missing:
        there = ", ".join(str(name) for name in rows[0])
        raise InputError(f"{path} has no column {' and none '.join(missing)}; its first line reads {there}.")
    pairs: dict[FilePair, int] = {}
    for number, row in enumerate(rows, 2):
        words = [(row[name] or "").strip() for name in ("moving", "fixed")]
        if not all(words):
            raise InputError(f"Line {number} of {path} lacks the name of an image. Name two, moving and fixed.")
        pair = FilePair(*(path.parent / word for word in words))
        if (before := pairs.setdefault(pair, number)) != number:
            raise InputError(f"Lines {before} and {number} of {path} name the same pair ({pair}). Keep one.")
    return list(pairs)


def _enough(ordered: list[Path]) -> list[Path]:
    if len(ordered) < 2:
        raise InputError(f"A pair needs two images, and there {'is 1' if ordered else 'are none'}. Give more images.")
    return ordered


def _pair_at(ordered: Sequence[Path], index: int) -> FilePair:
    """Give one of all pairs by its place among them, as `itertools.combinations` orders them."""
    first = 0
    while index >= len(ordered) - 1 - first:
        index -= len(ordered) - 1 - first
        first += 1
    return FilePair(ordered[first], ordered[first + 1 + index])
