"""Pixels without a value: fill them for a filter's sake, and keep them out of the result.

The fill is a local operation of a known reach, so that a tile filled by itself equals the whole image filled.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from .display import WHITE

_RADII = (1, 3, 7, 15, 31)
REACH = _RADII[-1]
"""How far, in pixels, a hole looks for valid neighbours; past that distance it cannot touch a valid answer."""


def fill(plane: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """Fill the holes of a plane from the nearest scale at which they have valid neighbours.

    Parameters
    ----------
    plane : numpy.ndarray
        float32, shape ``(height, width)``, NaN in holes.

    Returns
    -------
    numpy.ndarray
        The plane itself where it has no hole; otherwise a copy in which each hole holds the mean of the valid
        pixels in the smallest window (3, 7, 15, 31, 63 pixels wide) that has any, and middle grey where none has.

    Notes
    -----
    A hole without a valid pixel within `REACH` is farther from every valid pixel than any halo of this package, so
    its middle grey reaches no answer.
    """
    holes = ~np.isfinite(plane)
    if not holes.any():
        return plane
    valid = (~holes).astype(np.float32)
    known = np.where(holes, np.float32(0), plane)
    filled = known.copy()
    pending = holes
    for radius in _RADII:
        size = 2 * radius + 1
        # mode="constant" counts nothing outside the plane, so the mean is over pixels that exist.
        weight = ndimage.uniform_filter(valid, size, mode="constant")
        total = ndimage.uniform_filter(known, size, mode="constant")
        # Running sums leave dust where the true count is zero: less than half a pixel is none.
        reached = pending & (weight * size**2 > 0.5)
        filled[reached] = total[reached] / weight[reached]
        pending = pending & ~reached
    filled[pending] = WHITE / 2
    # Code values of high dynamic range lie above white; the fill adds nothing brighter.
    return np.clip(filled, 0, max(WHITE, float(known.max())), out=filled)
