"""What is held out when a model is judged: scenes, kinds of distortion, or both.

A scene is a photograph, whatever database it appears in: the same scene of two databases is always on one side.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from ..core.errors import InputError

TYPE_GROUPS: tuple[tuple[str, ...], ...] = (
    ("gaussian_noise", "multiplicative_noise"),
    ("correlated_noise",),
    ("high_frequency_noise", "impulse_noise"),
    ("quantisation",),
    ("gaussian_blur",),
    ("jpeg",),
    ("jpeg2000",),
)
"""Kinds of distortion so alike that leaving out one alone would leave a twin in training."""


@dataclass(frozen=True, eq=False)
class Fold:
    """One division of the rows of a table.

    Attributes
    ----------
    name : str
        Says what is held out; fit for a folder's name.
    train, test : numpy.ndarray of int
        Row numbers. They share no scene.
    """

    name: str
    train: npt.NDArray[np.intp]
    test: npt.NDArray[np.intp]


def leave_one_scene_out(table: pd.DataFrame) -> list[Fold]:
    """Hold out each scene in turn.

    Parameters
    ----------
    table : pandas.DataFrame
        With a column scene.

    Returns
    -------
    list of Fold
        One for each scene.
    """
    return _by_scenes(table, [[scene] for scene in _scenes(table)], "scene")


def scenes_in_folds(table: pd.DataFrame, folds: int = 4) -> list[Fold]:
    """Hold out the scenes in groups.

    Parameters
    ----------
    table : pandas.DataFrame
        With the columns scene and database.
    folds : int
        How many groups. Scenes that several databases share are dealt out first, so that each group has its part.

    Returns
    -------
    list of Fold
        One for each group.
    """
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

    Parameters
    ----------
    table : pandas.DataFrame
        With the columns scene and type.
    groups : sequence of sequence of str
        Types that are held out together. A type in no group is one by itself.

    Returns
    -------
    list of Fold
        Two for each group: trained on the other types of one half of the scenes, tested on the group's images of
        the other half. Together they test every image once.
    """
    grouped = {name for group in groups for name in group}
    present = [tuple(group) for group in groups if table["type"].isin(group).any()]
    present += [(name,) for name in sorted(set(table["type"]) - grouped)]
    if len(present) < 2:
        raise InputError("To leave types out, the manifests have to name at least two kinds of distortion.")
    folds = []
    for group in present:
        of_group = table["type"].isin(group).to_numpy()
        for half in scenes_in_folds(table, 2):
            train, test = half.train[~of_group[half.train]], half.test[of_group[half.test]]
            if len(train) and len(test):
                folds.append(Fold(f"{'+'.join(group)}-{half.name}", train, test))
    return folds


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
