"""What the two observers see on a flat field: the amplitude of some patterns that is seen half of the time.

    python benchmarks/observers.py [--model contrast] [--pixels-per-degree 60]

The patterns stand on a flat field of middle grey, which has nothing to hide them.
"""

from __future__ import annotations

import argparse
from typing import get_args

import numpy as np
import numpy.typing as npt

import napari_iqmaps as iq
from napari_iqmaps.core.observers import PIXELS_PER_DEGREE, ObserverName
from napari_iqmaps.core.visibility import MODELS, surroundings

GREY = 118.0
FAINT = 0.25
"""Amplitude to start from."""

ROUNDS = 4
"""Of reading and scaling: d grows with the amplitude, and a little so does T, for the pattern is a texture itself."""


def patterns(side: int, pixels_per_degree: float) -> dict[str, npt.NDArray[np.float64]]:
    """Make patterns of amplitude 1 in squares of a side, all with their best place in the middle."""
    rows, columns = np.mgrid[:side, :side] - side // 2
    noise = np.random.default_rng(0).normal(0, 1, (side, side))
    made = {
        "a grey a little brighter, everywhere": np.ones((side, side)),
        "a disc of 1 degree": (np.hypot(rows, columns) < pixels_per_degree / 2).astype(float),
        "a line of 1 pixel": (columns == 0).astype(float),
        "white noise (standard deviation)": noise,
    }
    for cycles in (0.5, 1, 2, 4, 8, 16):
        made[f"a grating of {cycles:g} cycles per degree"] = np.cos(2 * np.pi * cycles * columns / pixels_per_degree)
    return made


def half_seen(pattern: npt.NDArray[np.float64], **options: object) -> float:
    """Give the amplitude of a pattern at which the visibility map reaches one half in its middle."""
    field = np.full(pattern.shape, GREY)
    middle = tuple(slice(length // 2 - 8, length // 2 + 9) for length in pattern.shape)
    amplitude = FAINT
    for _ in range(ROUNDS):
        test = field + amplitude * pattern
        seen = iq.visibility_map(test, field, data_range=255, **options).values  # type: ignore[arg-type]
        # The median, for noise: its luckiest place is not what is meant. The others hardly differ there.
        amplitude *= float(np.log(2) / -np.log1p(-np.median(seen[middle])))
    return amplitude


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", choices=MODELS, default=MODELS[0])
    parser.add_argument("--pixels-per-degree", type=float, default=PIXELS_PER_DEGREE)
    chosen = vars(parser.parse_args())
    seen_at = chosen["pixels_per_degree"]
    observers = get_args(ObserverName)
    print(f"Seen half of the time at {seen_at:g} pixels per degree ({chosen['model']}), amplitude in code values\n")
    print(f"| pattern | {' | '.join(observers)} |")
    print("|---" * (1 + len(observers)) + "|")
    for name, pattern in patterns(4 * surroundings(pixels_per_degree=seen_at), seen_at).items():
        cells = (f"{half_seen(pattern, observer=observer, **chosen):.2g}" for observer in observers)
        print(f"| {name} | {' | '.join(cells)} |")


if __name__ == "__main__":
    main()
