"""Ink on colours: how well words are read on what lies under them, by the contrast of the web's guidelines [1]_.

References
----------
.. [1] W3C, "Web Content Accessibility Guidelines (WCAG) 2.2", 2023: relative luminance, contrast ratio, and success
   criterion 1.4.3.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

READABLE = 4.5
"""Least contrast at which small words are read, also by people with moderately low vision."""

BLACK, WHITE = (0.0, 0.0, 0.0), (1.0, 1.0, 1.0)

_FLARE = 0.05  # of a screen in a lit room, as a share of its white


def contrast(first: Sequence[float], second: Sequence[float]) -> float:
    """Give the contrast of two sRGB colours, 0 to 1 a channel: 1 (the same) to 21 (black and white)."""
    low, high = sorted((_luminance(first), _luminance(second)))
    return (high + _FLARE) / (low + _FLARE)


def least_contrast(ink: Sequence[float], colour: Sequence[float], opacity: float) -> float:
    """Give the contrast of an ink on a colour that lies over anything: over the backdrop that is worst for it."""
    # Mixed channel by channel the luminance rises with the backdrop's, so that its ends are over black and over white.
    over = [opacity * np.asarray(colour[:3]) + (1 - opacity) * np.asarray(backdrop) for backdrop in (BLACK, WHITE)]
    darkest, lightest = (_luminance(mixed.tolist()) for mixed in over)
    own = _luminance(ink)
    if darkest <= own <= lightest:
        return 1.0
    return min(contrast(ink, over[0].tolist()), contrast(ink, over[1].tolist()))


def ink_on(colour: Sequence[float], opacity: float = 1.0) -> tuple[float, float, float]:
    """Give black or white, whichever is read better on a colour that lies over anything."""
    return max((BLACK, WHITE), key=lambda ink: least_contrast(ink, colour, opacity))


def _luminance(colour: Sequence[float]) -> float:
    """Give the relative luminance of an sRGB colour."""
    codes = np.asarray(colour[:3], np.float64)
    # 0.04045 is where sRGB's line and curve meet; the guidelines' 0.03928 is an older draft's: no 8-bit code differs.
    light = np.where(codes <= 0.04045, codes / 12.92, ((codes + 0.055) / 1.055) ** 2.4)
    return float(light @ (0.2126, 0.7152, 0.0722))
