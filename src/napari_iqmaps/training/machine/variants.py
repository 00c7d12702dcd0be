"""What a table of labels is asked to hold, and how the pictures of its rows are made.

Free of torch and pandas, so that ``iqmaps label --help`` and the processes that distort start at once.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from ...core.distortions import distort, distortion, distortions
from ...core.distortions.record import checked_severity
from ...core.errors import InputError
from ...core.progress import Progress

UNDISTORTED = "none"
"""What the table has as the distortion of a picture that is not distorted."""

SEVERITIES = (1.0, 2.0, 3.0, 4.0, 5.0)


Pixels = npt.NDArray[np.uint8]


class Variant(NamedTuple):
    """What is done to a picture in one row of the table.

    `distortion`: a name of the bank, or "none". `severity`: 1 to 5; 0 for "none".
    """

    distortion: str
    severity: float
    seed: int


@dataclass(frozen=True)
class LabelRequest:
    """Which distorted copies of each picture the workers are shown.

    Attributes
    ----------
    distortions : tuple of str
        Names of the bank; none stands for all of it.
    left_out : tuple of str
        Those of them that are not used after all.
    severities : tuple of float
        From which severities are drawn, evenly, 1 to 5.
    answers : bool
        Keep what the workers say of each class, a column a class.
    """

    distortions: tuple[str, ...] = ()
    left_out: tuple[str, ...] = ()
    variants: int = 8
    grid: bool = False
    severities: tuple[float, ...] = SEVERITIES
    seed: int = 0
    answers: bool = True

    def __post_init__(self) -> None:
        for name in (*self.distortions, *self.left_out):
            distortion(name)  # says what there is
        if not self.used:
            raise InputError(f"All of {', '.join(self.left_out)} are left out, so no distortion remains.")
        if not self.severities:
            raise InputError("There are no severities to draw from. Give some from 1 to 5.")
        for severity in self.severities:
            if not checked_severity(severity):
                raise InputError("0 is among the severities; the undistorted picture is shown in any case.")
        for name, least in (("variants", 0), ("seed", 0)):
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, int) or value < least:
                raise InputError(f"{name} is {value!r}; give a whole number of at least {least}.")

    @property
    def used(self) -> tuple[str, ...]:
        """Which distortions are drawn from, in the bank's order."""
        wanted = self.distortions or distortions()
        return tuple(name for name in distortions() if name in wanted and name not in self.left_out)

    @property
    def rows(self) -> int:
        """How many rows each picture has."""
        return 1 + (len(self.used) * len(self.severities) if self.grid else self.variants)

    def record(self) -> dict[str, Any]:
        """Say what decides the table."""
        return {
            "distortions": list(self.used),
            "severities": list(self.severities),
            "variants": "grid" if self.grid else self.variants,
            "seed": self.seed,
            "answers": self.answers,
        }

    def variants_of(self, image: str) -> Iterator[Variant]:
        """Say what is done to a picture, row by row; the first is the undistorted one.

        Yields drawn from the seed, the name and the row's number alone.
        """
        used = self.used
        pairs = [(name, severity) for name in used for severity in self.severities] if self.grid else []
        for number in range(self.rows):
            seed = zlib.crc32(f"{self.seed}/{image}/{number}".encode())
            if number == 0:
                yield Variant(UNDISTORTED, 0.0, seed)
            elif self.grid:
                yield Variant(*pairs[number - 1], seed)
            else:
                rng = np.random.default_rng(seed)
                name, severity = used[rng.integers(len(used))], self.severities[rng.integers(len(self.severities))]
                yield Variant(name, float(severity), seed)


def made(pictures: Sequence[Pixels], variants: Sequence[Variant], progress: Progress | None = None) -> Pixels:
    """Make the pictures of some rows, uint8 ``(rows, height, width, 3)``, out of the undistorted picture of each.

    `progress`: called with ``(pictures made, pictures in all)``; raise `Cancelled` in it to stop.
    """
    changed = np.empty((len(pictures), *pictures[0].shape), np.uint8)
    for number, (picture, (name, severity, seed)) in enumerate(zip(pictures, variants, strict=True)):
        if name == UNDISTORTED:
            changed[number] = picture
        else:
            changed[number] = distort(picture, name, float(severity), seed=int(seed), channel_axis=-1)
        if progress is not None:
            progress(number + 1, len(pictures))
    return changed
