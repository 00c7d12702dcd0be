"""How the learning rate runs over the steps of a training run."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch.optim.lr_scheduler import LambdaLR, LRScheduler, OneCycleLR


def schedule_of(
    optimizer: torch.optim.Optimizer, rates: Sequence[float], kind: str, steps: int, warm_up: float
) -> LRScheduler:
    """Make the schedule of an optimiser.

    Parameters
    ----------
    kind : {"one-cycle", "cosine", "constant"}
        How it runs after the rise: as torch's one-cycle policy, as half a cosine down to 0, or not at all.
    warm_up : float
        Share of the steps over which the rate rises.

    Returns
    -------
    torch.optim.lr_scheduler.LRScheduler
        To be advanced after each step.
    """
    if kind == "one-cycle":
        # torch's own needs a rise and a fall of at least a step each.
        total = steps + 3
        share = min(max(warm_up, 2 / total), 1 - 1 / total)
        return OneCycleLR(optimizer, list(rates), total_steps=total, pct_start=share)

    def factor(step: int) -> float:
        rise = max(warm_up * steps, 1)
        if step < rise:
            return (step + 1) / (rise + 1)
        fall = (step - rise) / max(steps - rise, 1)
        return 1.0 if kind == "constant" else 0.5 * (1 + math.cos(math.pi * min(fall, 1)))

    return LambdaLR(optimizer, factor)
