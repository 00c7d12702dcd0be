"""What is held out when scores without a reference are judged: scenes, types, or whole databases."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pandas as pd

from ...core.errors import InputError
from ..evaluate import PROTOCOLS as SCENES_AND_TYPES
from ..evaluate import SPLITS
from ..splits import Fold, Shares, leave_types_out

_GROUPS = 4


@dataclass(frozen=True, eq=False)
class Trial:
    """A fold, and what is special about its training.

    Attributes
    ----------
    learnt : str
        The database that is learnt from, where the others are judged; else ``""``.
    """

    fold: Fold
    learnt: str = ""
    types: tuple[str, ...] = ()


def across_databases(table: pd.DataFrame) -> list[Trial]:
    """Learn from each database in turn, and judge the others.

    Returns
    -------
    list of Trial
        For each database, one that learns from all of it and judges the others' scenes that it does not hold; where
        they share scenes, four more that each leave a group of those out and judge it. Together, the trials of a
        database judge every image of the others once.
    """
    names = list(dict.fromkeys(table["database"]))
    if len(names) < 2:
        raise InputError(f"To judge across databases, give at least two; there is {names[0]} alone (--data, twice).")
    trials = []
    for name in names:
        own, scene = (table["database"] == name).to_numpy(), table["scene"]
        mine = set(scene[own])
        shared = sorted(mine & set(scene[~own]))
        groups = [shared[first::_GROUPS] for first in range(min(_GROUPS, len(shared)))]
        apart = ~own & ~scene.isin(mine).to_numpy()
        if apart.any():
            trials.append(Trial(Fold(f"from-{name}", np.flatnonzero(own), np.flatnonzero(apart)), name))
        for number, group in enumerate(groups, start=1):
            inside = scene.isin(group).to_numpy()
            train, test = np.flatnonzero(own & ~inside), np.flatnonzero(~own & inside)
            if not len(train):
                raise InputError(
                    f"All {len(mine)} scenes of {name} are in the other databases as well, and leaving "
                    f"{', '.join(group)} out leaves nothing to learn from. Leave {name} out."
                )
            trials.append(Trial(Fold(f"from-{name}-group-{number}", train, test), name))
    return trials


def types_out(table: pd.DataFrame) -> list[Trial]:
    """Hold out groups of types on unseen scenes, as `leave_types_out` does."""
    return [Trial(fold, types=tuple(sorted(set(table["type"].iloc[fold.test])))) for fold in leave_types_out(table)]


def _plain(folds: Callable[[pd.DataFrame], list[Fold]]) -> Callable[[pd.DataFrame], list[Trial]]:
    return lambda table: [Trial(fold) for fold in folds(table)]


PROTOCOLS: dict[str, Callable[[pd.DataFrame], list[Trial]]] = {
    **{name: _plain(folds) for name, folds in SCENES_AND_TYPES.items()},
    "leave-types-out": types_out,
    "cross-database": across_databases,
}
"""Name to trials of a table."""


def trials_of(protocol: str, table: pd.DataFrame, shares: Shares | None = None) -> list[Trial]:
    """Give the trials of a protocol."""
    if protocol == SPLITS:
        return [Trial(fold) for fold in (shares or Shares()).folds(table)]
    if protocol not in PROTOCOLS:
        raise InputError(f"There is no protocol {protocol!r}. Choose one of as-is, {SPLITS}, {', '.join(PROTOCOLS)}.")
    return PROTOCOLS[protocol](table)
