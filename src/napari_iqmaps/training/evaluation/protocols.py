"""What is held out when a model is judged: scenes, kinds of distortion, both, or whole databases.

A scene is a photograph, whatever database it appears in: the same scene of two databases is always on one side.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np
import numpy.typing as npt
import pandas as pd

from ...core.errors import InputError

SPLITS = "splits"
"""The protocol that trains on random shares of the scenes."""

TYPE_GROUPS: tuple[tuple[str, ...], ...] = (
    ("gaussian_noise", "multiplicative_noise", "chroma_noise"),
    ("correlated_noise", "pink_noise"),
    ("high_frequency_noise", "impulse_noise"),
    ("quantisation", "colour_quantisation", "dithering"),
    ("gaussian_blur", "defocus_blur", "motion_blur"),
    ("jpeg",),
    ("jpeg2000",),
    ("jpeg2000_transmission", "fast_fading"),
    ("mean_shift", "brightening", "darkening"),
    ("saturation_change", "saturation_change_lab"),
    ("local_blocks", "colour_blocks"),
)
"""Kinds of distortion so alike that leaving out one alone would leave a twin in training."""


_GROUPS = 4
"""Groups of scenes that two databases share, each left out in turn where databases are judged by each other."""


@dataclass(frozen=True)
class Shares:
    """Random divisions of the scenes into those to learn from and those to be tested on.

    `test_share`: share of the scenes that is tested on, above 0 and below 1; at least one scene of every database is on
    either side, so a small database can have another share. A division depends on the seed and on its own number
    alone: asking for more keeps the first ones.
    """

    count: int = 100
    test_share: float = 0.2
    seed: int = 0

    def __post_init__(self) -> None:
        if self.count < 1:
            raise InputError(f"{self.count} splits were asked for; give at least 1.")
        if not 0 < self.test_share < 1:
            raise InputError(f"The test share is {self.test_share:g}; give a number above 0 and below 1, such as 0.2.")
        if self.seed < 0:
            raise InputError(f"The seed is {self.seed}; give a whole number from 0 up.")

    def folds(self, table: pd.DataFrame) -> list[Fold]:
        """Divide the rows of a table; no scene is on both sides, whatever databases it is in."""
        holders = _holders(table)
        folds = []
        for number in range(self.count):
            rng = np.random.default_rng([self.seed, number])
            held_out = table["scene"].isin(_drawn(holders, self.test_share, rng)).to_numpy()
            name = f"share{self.test_share:g}-seed{self.seed}-{number + 1}".replace(".", "_")
            folds.append(Fold(name, np.flatnonzero(~held_out), np.flatnonzero(held_out)))
        return folds


@dataclass(frozen=True, eq=False)
class Fold:
    """One division of the rows of a table.

    `learnt` is the database that is learnt from, where the others are judged; `types` are the kinds of distortion held
    out.
    """

    name: str
    train: npt.NDArray[np.intp]
    test: npt.NDArray[np.intp]
    learnt: str = ""
    types: tuple[str, ...] = ()


def leave_one_scene_out(table: pd.DataFrame) -> list[Fold]:
    """Hold out each scene in turn."""
    return _by_scenes(table, [[scene] for scene in _scenes(table)], "scene")


def scenes_in_folds(table: pd.DataFrame, folds: int = 4) -> list[Fold]:
    """Hold out the scenes in groups, of which each has its part of the scenes that several databases share."""
    scenes = _scenes(table)
    if not 2 <= folds <= len(scenes):
        raise InputError(f"{folds} folds of {len(scenes)} scenes: choose from 2 to {len(scenes)}.")
    databases = table.groupby("scene")["database"].nunique()
    smallest = table.groupby("database")["scene"].nunique().idxmin()
    in_smallest = set(table.loc[table["database"] == smallest, "scene"])
    order = sorted(scenes, key=lambda scene: (-databases[scene], scene not in in_smallest, scene))
    return _by_scenes(table, [order[start::folds] for start in range(folds)], "fold")


def leave_types_out(table: pd.DataFrame, groups: Sequence[Sequence[str]] = TYPE_GROUPS) -> list[Fold]:
    """Hold out each group of distortions, on scenes that are held out as well.

    Gives two folds for each group: trained on the other types of one half of the scenes, tested on the group's images
    of the other half. Together they test every image once. A type in no group is one by itself.
    """
    grouped = {name for group in groups for name in group}
    there = set(table["type"])
    present = [kinds for group in groups if (kinds := tuple(name for name in group if name in there))]
    present += [(name,) for name in sorted(there - grouped)]
    if len(present) < 2:
        raise InputError("To leave types out, the manifests have to name at least two kinds of distortion.")
    folds = []
    for group in present:
        of_group = table["type"].isin(group).to_numpy()
        for half in scenes_in_folds(table, 2):
            train, test = half.train[~of_group[half.train]], half.test[of_group[half.test]]
            if len(train) and len(test):
                types = tuple(sorted(set(table["type"].iloc[test])))
                folds.append(Fold(f"{'+'.join(group)}-{half.name}", train, test, types=types))
    return folds


def across_databases(table: pd.DataFrame) -> list[Fold]:
    """Learn from each database in turn, and judge the others.

    Gives for each database a fold that learns from all of it and judges the others' scenes that it does not hold; where
    they share scenes, four more that each leave a group of those out and judge it. Together, the folds of a database
    judge every image of the others once.
    """
    names = list(dict.fromkeys(table["database"]))
    if len(names) < 2:
        raise InputError(f"To judge across databases, give at least two; there is {names[0]} alone (--data, twice).")
    folds = []
    for name in names:
        own, scene = (table["database"] == name).to_numpy(), table["scene"]
        mine = set(scene[own])
        shared = sorted(mine & set(scene[~own]))
        groups = [shared[first::_GROUPS] for first in range(min(_GROUPS, len(shared)))]
        apart = ~own & ~scene.isin(mine).to_numpy()
        if apart.any():
            folds.append(Fold(f"from-{name}", np.flatnonzero(own), np.flatnonzero(apart), name))
        for number, group in enumerate(groups, start=1):
            inside = scene.isin(group).to_numpy()
            train, test = np.flatnonzero(own & ~inside), np.flatnonzero(~own & inside)
            if not len(train):
                raise InputError(
                    f"All {len(mine)} scenes of {name} are in the other databases as well, and leaving "
                    f"{', '.join(group)} out leaves nothing to learn from. Leave {name} out."
                )
            folds.append(Fold(f"from-{name}-group-{number}", train, test, name))
    return folds


def _holders(table: pd.DataFrame) -> dict[str, frozenset[str]]:
    """Give the databases that each scene is in."""
    _scenes(table)
    few = table.groupby("database", sort=False)["scene"].nunique()
    if few.min() < 2:
        raise InputError(
            f"{few.idxmin()} has a single scene, which cannot be on both sides of a split. Check its column scene, or "
            "leave the database out."
        )
    return {scene: frozenset(of_scene["database"]) for scene, of_scene in table.groupby("scene")}


def _drawn(holders: dict[str, frozenset[str]], share: float, rng: np.random.Generator) -> set[str]:
    """Draw the scenes to be tested on, in each group of scenes that the same databases hold."""
    groups: dict[tuple[str, ...], list[str]] = {}
    for scene, databases in holders.items():
        groups.setdefault(tuple(sorted(databases)), []).append(scene)
    drawn: set[str] = set()
    for _, scenes in sorted(groups.items()):
        # Rounded at random, so that groups of a few scenes get their share in the mean.
        count = int(np.floor(share * len(scenes) + rng.uniform()))
        drawn |= {str(scene) for scene in rng.permutation(scenes)[:count]}
    names = sorted({name for databases in holders.values() for name in databases})
    for _ in range(len(names) + 1):
        if not _moved(holders, drawn, names, rng):
            return drawn
    raise InputError(
        f"The scenes of {', '.join(names)} could not be divided so that each has some on both sides. Judge the "
        "databases one by one."
    )


def _moved(
    holders: dict[str, frozenset[str]], drawn: set[str], databases: Sequence[str], rng: np.random.Generator
) -> bool:
    """Move a scene for each database that has none on one side; tell whether any was moved."""
    moved = False
    for database in databases:
        scenes = sorted(scene for scene, those in holders.items() if database in those)
        inside = [scene for scene in scenes if scene in drawn]
        if 0 < len(inside) < len(scenes):
            continue
        moved = True
        # A scene that no other database holds disturbs none.
        scenes.sort(key=lambda scene: (len(holders[scene]), rng.uniform()))
        drawn ^= {scenes[0]}
    return moved


def _by_scenes(table: pd.DataFrame, groups: Sequence[Sequence[str]], word: str) -> list[Fold]:
    folds = []
    for number, group in enumerate(groups):
        held_out = table["scene"].isin(group).to_numpy()
        label = group[0] if word == "scene" else str(number + 1)
        safe = "".join(letter if letter.isalnum() else "_" for letter in label)
        folds.append(Fold(f"{word}-{safe}", np.flatnonzero(~held_out), np.flatnonzero(held_out)))
    return folds


def _scenes(table: pd.DataFrame) -> list[str]:
    scenes = sorted(set(table["scene"]))
    if len(scenes) < 2:
        raise InputError(f"Holding out scenes needs at least two; there is {len(scenes)}. Check the column scene.")
    return scenes


PROTOCOLS: Mapping[str, Callable[[pd.DataFrame], list[Fold]]] = MappingProxyType(
    {
        "leave-one-scene-out": leave_one_scene_out,
        "leave-scenes-out": scenes_in_folds,
        "leave-types-out": leave_types_out,
        "cross-database": across_databases,
    }
)
"""Name to folds of a table; scenes-out holds out four groups of scenes, which costs four trainings."""


def folds_of(protocol: str, table: pd.DataFrame, shares: Shares | None = None) -> list[Fold]:
    """Give the folds of a protocol; `shares` are those of ``"splits"``."""
    if protocol == SPLITS:
        return (shares or Shares()).folds(table)
    if protocol not in PROTOCOLS:
        raise InputError(f"There is no protocol {protocol!r}. Choose one of as-is, {SPLITS}, {', '.join(PROTOCOLS)}.")
    return PROTOCOLS[protocol](table)
