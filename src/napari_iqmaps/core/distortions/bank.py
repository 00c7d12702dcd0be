"""The bank: every row, by name."""

from __future__ import annotations

import difflib
from types import MappingProxyType

from ..errors import InputError
from . import blur, coding, colour, loss, noise, tone
from .record import Distortion

BANK = MappingProxyType({
    row.name: row for family in (noise, blur, coding, tone, colour, loss) for row in family.ROWS
})  # fmt: skip


def distortions(*, family: str | None = None) -> tuple[str, ...]:
    """Give the names of the distortions of the bank.

    Parameters
    ----------
    family : str, optional
        Only those of one family: "noise", "blur", "coding", "tone", "colour" or "loss".

    Returns
    -------
    tuple of str
        Names for `distort`, in the bank's order, which does not change; new ones are added at a family's end.

    Raises
    ------
    InputError
        If there is no such family.
    """
    families = list(dict.fromkeys(row.family for row in BANK.values()))
    if family is not None and family not in families:
        raise InputError(f"There is no family {family!r} of distortions. Choose one of {', '.join(families)}.")
    return tuple(row.name for row in BANK.values() if family in (None, row.family))


def distortion(name: str) -> Distortion:
    """Give the record of a distortion: what its parameter is, and its values at the five severities.

    Parameters
    ----------
    name : str
        One of `distortions()`.

    Returns
    -------
    Distortion
        The row of the bank.

    Raises
    ------
    InputError
        If there is no such distortion.
    """
    row: Distortion | None = BANK.get(name) if isinstance(name, str) else None
    if row is None:
        close = difflib.get_close_matches(str(name), BANK, n=3)
        hint = f"Did you mean {' or '.join(close)}?" if close else f"There are {', '.join(BANK)}."
        raise InputError(f"There is no distortion {name!r}. {hint}")
    return row
