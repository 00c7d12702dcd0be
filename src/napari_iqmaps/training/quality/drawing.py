"""What is done to a photograph for each of its variants: drawn from the seed, its name and the variant's number."""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ...core.distortions import distortion, distortions

Colours = npt.NDArray[np.uint8]
"""``(height, width, 1 or 3)``."""

HIGHEST_SEVERITY = 6.3
"""Severities are drawn evenly from 0 to this: from hardly there to worse than the scale."""

_FAMILY_WEIGHTS = {"noise": 1.0, "blur": 1.0, "coding": 1.0, "loss": 1.0, "tone": 0.4}
_CLASSIC_WEIGHT = 3.0
_CLASSIC = (
    "gaussian_noise",
    "correlated_noise",
    "high_frequency_noise",
    "impulse_noise",
    "quantisation",
    "speckle_noise",
    "gaussian_blur",
    "denoised",
    "jpeg",
    "jpeg2000",
)
_CLEAN_SHARE = 0.06
_SECOND_SHARE = 0.12
_HIGHEST_SECOND = 4.0
_WHITE = 255


def drawing_weights() -> dict[str, float]:
    """Give how often each distortion of the bank is drawn.

    Returns
    -------
    dict of str to float
        In proportion. What changes only colours is never drawn: the networks see luminance. Tone counts little, since
        it hardly changes the normalised image, and what databases and people know best counts most.
    """
    weights = {name: weight for family, weight in _FAMILY_WEIGHTS.items() for name in distortions(family=family)}
    return weights | dict.fromkeys(_CLASSIC, _CLASSIC_WEIGHT)


@dataclass(frozen=True)
class Drawn:
    """What is done to a photograph for one of its variants.

    Attributes
    ----------
    steps : tuple of (str, float)
        Names of distortions and severities, in the order of their application; empty for an undistorted copy.
    seed : int
        Of their random draws.
    """

    steps: tuple[tuple[str, float], ...]
    seed: int

    def applied_to(self, photograph: Colours) -> Colours:
        """Distort a photograph, rounded to 8 bits after each step, as files are."""
        colours = photograph
        rng = np.random.default_rng(self.seed)
        for name, severity in self.steps:
            row = distortion(name)
            unit = colours.astype(np.float32) / np.float32(_WHITE)
            changed = row.effect(unit, row.strength_beyond(severity), rng)
            colours = np.rint(np.clip(changed, 0, 1) * _WHITE).astype(np.uint8)
        return colours


def draw(seed: int, photograph: str, variant: int, *, left_out: Sequence[str] = (), colour: bool = True) -> Drawn:
    """Draw what is done to a photograph for one of its variants.

    Parameters
    ----------
    left_out : sequence of str
        Distortions that are drawn anew instead; all other draws stay as they would be.
    colour : bool
        Whether the photograph has colours; if not, what needs them is drawn anew as well.
    """
    rng = np.random.default_rng((seed, zlib.crc32(photograph.encode()), variant))
    weights = drawing_weights()
    names, chances = list(weights), np.array(list(weights.values())) / sum(weights.values())

    def chosen() -> str:
        while True:
            name = str(rng.choice(names, p=chances))
            if name not in left_out and (colour or not distortion(name).needs_colour):
                return name

    kind, second, noise = rng.random(), rng.random(), int(rng.integers(2**31))
    severity, severity2 = rng.uniform(0, HIGHEST_SEVERITY), rng.uniform(0, _HIGHEST_SECOND)
    if kind < _CLEAN_SHARE:
        return Drawn((), noise)
    steps = [(chosen(), float(severity))]
    if second < _SECOND_SHARE:
        steps.append((chosen(), float(severity2)))
    return Drawn(tuple(steps), noise)
