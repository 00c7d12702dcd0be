"""The stimuli and thresholds of the Modelfest experiment, from their published definitions.

Contrast pictures of 43 small stimuli: 256 x 256 pixels at 120 pixels per degree on a uniform field of 30 cd/m2.

References
----------
T. Carney et al., "Development of an image/threshold database for designing and testing human vision models", SPIE 3644,
1999. A. B. Watson, A. J. Ahumada, "A standard model for foveal detection of spatial contrast", Journal of Vision 5(9),
2005.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy import special

PIXELS_PER_DEGREE = 120
SIZE = 256
FIELD = 30.0
"""Luminance of the field in cd/m2."""

MISSING = (35, 43)
"""A sample of noise and a photograph, whose pixels are not published with the definitions."""

REPEATS = 4

_DISK_RADIUS = 0.125  # degrees
_IN_PHASE = 33
_ANGLES = {36: (45,), 37: (90,), 38: (0, 90), 39: (45, 90)}  # degrees; 0 has horizontal bars

FAMILIES = {
    "Gabors of one size": range(1, 11),
    "Gabors of one octave": range(11, 15),
    "elongated Gabors": range(15, 22),
    "two Gabors summed": range(22, 26),
    "Gaussians": range(26, 30),
    "edge, line, dipole": range(30, 33),
    "strings of Gabors": range(33, 35),
    "oblique, vertical, plaids": range(36, 40),
    "disk, Bessel, checks": range(40, 43),
}

Picture = npt.NDArray[np.float64]


def contrast_picture(stimulus: pd.Series) -> Picture:
    """Render a stimulus.

    Parameters
    ----------
    stimulus : pandas.Series
        A row of ``modelfest_stimuli.csv``.

    Returns
    -------
    numpy.ndarray
        Contrast ``(256, 256)`` relative to the field, largest magnitude 1, 0 on the field.

    Notes
    -----
    The centre is pixel (128, 128). What the definitions leave open: the dipole is a light line, a grey one and a dark
    one; the checkerboard has a check in the centre.
    """
    places = (np.arange(SIZE) - SIZE // 2) / PIXELS_PER_DEGREE
    y, x = np.meshgrid(places, places, indexing="ij")
    # The table's first sigma is the one across the bars, which are horizontal.
    sigma_x, sigma_y = stimulus.sigma_y_deg, stimulus.sigma_x_deg
    if stimulus.kind == "disk":
        picture = (np.hypot(x, y) <= _DISK_RADIUS) * 1.0
    elif stimulus.kind == "string":
        signs = [1, 1, 1, 1, 1] if stimulus.number == _IN_PHASE else [1, -1, 1, -1, 1]
        windows = [
            sign * _gaussian(x - 5 * sigma_x * place, y, sigma_x, sigma_y)
            for place, sign in zip(range(-2, 3), signs, strict=True)
        ]
        picture = _pattern(stimulus, x, y) * sum(windows)
    else:
        picture = _pattern(stimulus, x, y) * _gaussian(x, y, sigma_x, sigma_y)
    return picture / np.abs(picture).max()


def _pattern(stimulus: pd.Series, x: Picture, y: Picture) -> Picture:
    """Give what stands under a stimulus's window."""
    frequencies = [float(part) for part in str(stimulus.frequency_cpd).split("+")]
    row = np.rint(y * PIXELS_PER_DEGREE)
    match stimulus.kind:
        case "gabor" | "gabor pair" | "string" | "plaid":
            return sum(
                _grating(x, y, frequency, angle)
                for frequency in frequencies
                for angle in _ANGLES.get(stimulus.number, (0,))
            )
        case "blob":
            return np.ones_like(x)
        case "edge":
            return np.where(row >= 0, 1.0, -1.0)
        case "line":
            return (row == 0) * 1.0
        case "dipole":
            return (row == -1) * 1.0 - (row == 1)
        case "bessel":
            return special.j0(2 * np.pi * frequencies[0] * np.hypot(x, y))
        case "checkerboard":
            along, across = (x + y) / np.sqrt(2), (x - y) / np.sqrt(2)
            waves = np.cos(2 * np.pi * frequencies[0] * along) * np.cos(2 * np.pi * frequencies[0] * across)
            return np.where(waves >= 0, 1.0, -1.0)
    raise ValueError(f"Stimulus {stimulus.number} is a {stimulus.kind}, whose picture is not given.")


def read_stimuli(folder: Path) -> pd.DataFrame:
    """Read the table of the stimuli that can be rendered, with the family of each.

    Parameters
    ----------
    folder : pathlib.Path
        Holds ``modelfest_stimuli.csv``.

    Returns
    -------
    pandas.DataFrame
        41 rows.
    """
    table = pd.read_csv(folder / "modelfest_stimuli.csv")
    table = table[~table.number.isin(MISSING)].reset_index(drop=True)
    family = {number: name for name, numbers in FAMILIES.items() for number in numbers}
    return table.assign(family=table.number.map(family))


def read_thresholds(folder: Path) -> Picture:
    """Read the observers' thresholds of the stimuli that can be rendered.

    Parameters
    ----------
    folder : pathlib.Path
        Holds ``modelfest_thresholds.csv``.

    Returns
    -------
    numpy.ndarray
        Threshold contrast in dB, 20 log10 of the peak contrast, ``(observers, stimuli, repeats)``.
    """
    table = pd.read_csv(folder / "modelfest_thresholds.csv", header=None, index_col=0)
    values = -20 * table.to_numpy().reshape(len(table), -1, REPEATS)
    kept = [number - 1 for number in range(1, values.shape[1] + 1) if number not in MISSING]
    return values[:, kept]


def _gaussian(x: Picture, y: Picture, sigma_x: float, sigma_y: float) -> Picture:
    return np.exp(-((x / sigma_x) ** 2 + (y / sigma_y) ** 2) / 2)


def _grating(x: Picture, y: Picture, frequency: float, angle: float) -> Picture:
    """Give a cosine grating; at 0 degrees its bars are horizontal."""
    turned = y * np.cos(np.radians(angle)) + x * np.sin(np.radians(angle))
    return np.cos(2 * np.pi * frequency * turned)
