"""A statistic with the interval in which it lies, or with the reason why there is none."""

from __future__ import annotations

import math
from dataclasses import dataclass


@dataclass(frozen=True)
class Figure:
    """A statistic with its 95 % interval.

    Attributes
    ----------
    value, low, high : float
        NaN where there is none.
    reason : str
        Why there is none; empty where there is.
    """

    value: float
    low: float = math.nan
    high: float = math.nan
    reason: str = ""

    def __str__(self) -> str:
        if math.isnan(self.value):
            return f"- ({self.reason})" if self.reason else "-"
        if math.isnan(self.low):
            return f"{self.value:.3f}"
        return f"{self.value:.3f} ({self.low:.3f}, {self.high:.3f})"
