"""One pair of a comparison as a picture: what was there, what came out, and where it got better or worse."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from ..io.diffdiff_sheet import Shown, write_diffdiff_sheet
from .judge import Rules, Views, assess
from .outcome import Outcome


def write_pair(seen: Views, outcome: Outcome, rules: Rules, path: Path) -> Path:
    """Show what one method made of a pair.

    Parameters
    ----------
    seen : Views
        The images as they were judged.
    outcome : Outcome
        Whose.
    rules : Rules
        How it was judged.
    path : pathlib.Path
        A PNG; written whole or not at all. It is one plane's sheet of ``iqmaps diffdiff --sheet``.

    Returns
    -------
    pathlib.Path
        The file.
    """
    found = assess(seen, rules)
    # A picture to be published should not show folders.
    moving, fixed = (Path(name).name for name in outcome.pair)
    shown = Shown(
        np.nan_to_num(seen.moving), np.nan_to_num(seen.registered), seen.fixed, np.asarray(found.map.values),
        found.score, f"{moving} to {fixed} by {outcome.method}, judged on {outcome.scoring}",
    )  # fmt: skip
    return write_diffdiff_sheet(shown, path)
