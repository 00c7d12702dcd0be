"""What the diff-diff says of a registration: the numbers that stand in its record."""

from __future__ import annotations

import math
from typing import Any

from ..diffdiff import diff_diff_score
from .geometry import Matrix, identity
from .images import Pair
from .warp import valid_pixels, warp_image


def judgement(pair: Pair, matrix: Matrix) -> dict[str, Any]:
    """Compare the images before and after a motion.

    Parameters
    ----------
    pair : Pair
        The images.
    matrix : numpy.ndarray
        moving (x, y) -> fixed (x, y).

    Returns
    -------
    dict
        ``local_ncc_before`` and ``local_ncc_after``, the local correlations as `napari_iqmaps.diff_diff_score` has
        them (None where no pixel that all images have has any detail), and its ``verdict``.
    """
    shape = pair.fixed.shape
    holes = ~pair.moving.known
    moved = [valid_pixels(motion, pair.moving.shape, shape, holes=holes) for motion in (identity(), matrix)]
    moving, registered = (
        warp_image(pair.moving.plane, motion, shape, valid=valid)
        for motion, valid in zip((identity(), matrix), moved, strict=True)
    )
    valid = pair.fixed.known & moved[0] & moved[1]
    judged = diff_diff_score(moving, registered, pair.fixed.plane, valid=valid, data_range=255)
    return {
        "local_ncc_before": _known(judged.local_ncc_before),
        "local_ncc_after": _known(judged.local_ncc_after),
        "verdict": judged.verdict,
    }


def _known(number: float) -> float | None:
    return None if math.isnan(number) else number
