"""What a database is read into: its images with their scores, and one name for one photograph in all.

LIVE and TID2013 both took most of their references from Kodak's lossless photographs (kodim01 .. kodim24), LIVE
renamed and partly reduced, TID2013 cropped and in Kodak's order. The name of the scene keeps splits apart across them.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

import pandas as pd

from ...core.errors import InputError
from ...core.models import sha256_of

EITHER = "|"
"""Between the names in a scene that may be one or the other."""

LIVE_KODAK: Mapping[str, str] = MappingProxyType(
    {
        "caps": "kodak03",
        "womanhat": "kodak04",
        "bikes": "kodak05",
        "sailing1": "kodak06",
        "buildings": "kodak08",
        # Both are upright pictures of boats under spinnakers; no source that could be checked says which is which.
        "sailing2": "kodak09|kodak10",
        "sailing3": "kodak09|kodak10",
        "sailing4": "kodak11",
        "stream": "kodak13",
        "rapids": "kodak14",
        "ocean": "kodak16",
        "statue": "kodak17",
        "woman": "kodak18",
        "lighthouse": "kodak19",
        "plane": "kodak20",
        "lighthouse2": "kodak21",
        "house": "kodak22",
        "parrots": "kodak23",
        "paintedhouse": "kodak24",
    }
)
"""LIVE's reference to Kodak's number; its ten others, monarch among them, are not Kodak's."""

KODAK_COUNT = 24


def live_scene(reference: str) -> str:
    """Name the photograph of a reference of LIVE, such as ``"kodak05"``; by LIVE's own name if it is not Kodak's."""
    name = reference.lower()
    return LIVE_KODAK.get(name, name)


def tid_scene(reference: int) -> str:
    """Name the photograph of a reference of TID2013, such as ``"kodak05"``; the 25th is artificial."""
    return f"kodak{reference:02d}" if reference <= KODAK_COUNT else f"tid2013_{reference:02d}"


def joined(scenes: pd.Series) -> pd.Series:
    """Make one scene of all that may be the same photograph.

    A scene such as ``"kodak09|kodak10"`` may show either. All names that such a scene connects are replaced by all of
    them together.
    """
    groups: list[set[str]] = []
    for scene in dict.fromkeys(scenes):
        group = set(scene.split(EITHER))
        if len(group) == 1:
            continue
        for other in [known for known in groups if known & group]:
            groups.remove(other)
            group |= other
        groups.append(group)
    together = {name: EITHER.join(sorted(group)) for group in groups for name in group}
    return scenes.map(lambda scene: together.get(scene.split(EITHER)[0], scene))


COLUMNS = ("file", "reference", "score", "type", "scene", "weight")
FEW = 3


@dataclass(frozen=True, eq=False)
class Listing:
    """Images with their scores, as a database's own files list them.

    Attributes
    ----------
    layout : str
        Which of the published layouts, such as ``"TID2013"``, or ``"CSV"``.
    measure : str
        What the scores are: ``"MOS"`` (mean opinion score), ``"DMOS"`` (difference mean opinion score) or ``"score"``.
    best, worst : float
        The scores of a perfect and of the worst possible image, 0 and 1 on the scale of impairment.
    limits : (float, float)
        No score may lie beyond; those between a limit and `best` or `worst` count as that one.
    table : pandas.DataFrame
        A row per image: file and reference (absolute paths, not looked for yet), score, type, scene, weight.
    notes : tuple of str
        What a person should know of this copy of the database.
    """

    layout: str
    name: str
    path: Path
    sources: tuple[Path, ...]
    measure: str
    best: float
    worst: float
    limits: tuple[float, float]
    table: pd.DataFrame
    pristine: int = 0
    notes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if self.table.empty:
            raise InputError(
                f"Every image in {self.path} is its own reference, so there is nothing to learn or judge."
                if self.pristine
                else f"{self.path} lists no scored images."
            )
        low, high = self.limits
        outside = self.table.loc[~self.table["score"].between(low, high), "score"]
        if len(outside):
            raise InputError(
                f"{len(outside)} scores in {self.path} lie outside {self.best:g} (best) .. {self.worst:g} (worst), "
                f"such as {outside.iloc[0]:g}. Correct the header or the scores."
            )

    @property
    def higher_is_better(self) -> bool:
        """Whether the scores rise with quality."""
        return self.best > self.worst

    @property
    def impairment(self) -> pd.Series:
        """The scores on one scale for all databases: 0 best .. 1 worst."""
        return ((self.table["score"] - self.best) / (self.worst - self.best)).clip(0, 1)

    @property
    def sha256(self) -> str:
        """Of the file of scores; of all of them, with their names, where there are several."""
        if len(self.sources) == 1:
            return sha256_of(self.sources[0])
        lines = "".join(f"{source.name} {sha256_of(source)}\n" for source in self.sources)
        return hashlib.sha256(lines.encode()).hexdigest()

    def images(self) -> list[str]:
        """Name all image files that are needed, each once."""
        return list(pd.unique(pd.concat([self.table["file"], self.table["reference"]])))

    def missing(self) -> list[str]:
        """Name the image files that are not there."""
        return [name for name in self.images() if not os.path.isfile(name)]  # noqa: PTH113 - which refuses no name


def entries_of(folder: Path) -> list[Path]:
    """List what is in a folder, sorted."""
    try:
        return sorted(folder.iterdir())
    except OSError as error:
        raise InputError(f"The folder {folder} cannot be read ({error.strerror}). Check its permissions.") from error


class Folder:
    """The files of a folder by name, whatever the case of their letters.

    The published lists say ``i01_01_1.bmp`` where some copies hold ``I01_01_1.BMP``.
    """

    def __init__(self, path: Path, depth: int = 0) -> None:
        self.path = path
        self._entries: dict[str, Path] = {}
        self._add(path, depth)

    def _add(self, folder: Path, depth: int) -> None:
        for entry in entries_of(folder) if folder.is_dir() else []:
            self._entries.setdefault(entry.name.lower(), entry)
            if depth and entry.is_dir():
                self._add(entry, depth - 1)

    def get(self, name: str) -> Path | None:
        """Find a file or a folder; None if it is not there."""
        exact = self.path / name
        return exact if exact.exists() else self._entries.get(name.lower())

    def where(self, name: str) -> Path:
        """Find a file or a folder; where it should be if it is not there."""
        return self.get(name) or self.path / name

    def names(self) -> list[str]:
        """Give all names in lower case, in order."""
        return list(self._entries)


def listed(rows: Iterable[tuple[Path, Path, float, str, str]]) -> pd.DataFrame:
    """Make a listing's table, with all weights 1."""
    columns = ["file", "reference", "score", "type", "scene"]
    table = pd.DataFrame(
        [(os.path.realpath(file), os.path.realpath(reference), *rest) for file, reference, *rest in rows],
        columns=columns,
    )
    return table.assign(weight=1.0)


def without_repeats(table: pd.DataFrame, path: Path) -> tuple[pd.DataFrame, tuple[str, ...]]:
    """Drop rows that say the same twice."""
    once = table.drop_duplicates(["file", "reference", "score"], ignore_index=True)
    several = once.loc[once["file"].duplicated(keep=False), "file"]
    if len(several):
        names = few(Path(name).name for name in pd.unique(several))
        raise InputError(f"{path} gives {several.nunique()} images more than one score or reference: {names}.")
    dropped = len(table) - len(once)
    return once, (f"{dropped} rows of {path.name} repeat another row and were dropped",) if dropped else ()


def unreadable(path: Path, lines: Sequence[tuple[int, str]], form: str) -> InputError:
    """Make the error of lines that are not of the right form."""
    count, (line, text) = len(lines), lines[0]
    return InputError(
        f"{count} {'line' if count == 1 else 'lines'} of {path} cannot be read; the first is line {line}, "
        f"{text.strip()[:60]!r}. A line should be like {form!r}."
    )


def few(names: Iterable[str]) -> str:
    """Name the first of many."""
    all_names = list(names)
    return ", ".join(all_names[:FEW]) + (", ..." if len(all_names) > FEW else "")
