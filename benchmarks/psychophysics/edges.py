"""Edges in noise: the stimuli and the observers' 50 % points of Schmittwilken, Wichmann and Maertens (2024).

A horizontal Cornsweet edge, light above and dark below, on 4 x 4 degrees of noise; observers said whether it lay above
or below the middle.

References
----------
L. Schmittwilken, F. A. Wichmann, M. Maertens, "Standard models of spatial vision mispredict edge sensitivity at low
spatial frequencies", Vision Research 222, 2024.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy import optimize

PIXELS_PER_DEGREE = 44
SIZE = 4 * PIXELS_PER_DEGREE
FIELD = 100.0
"""Mean luminance in cd/m2."""

NOISE_CONTRAST = 0.2
"""Standard deviation of the noise over the mean luminance."""

NOISES = ("none", "white", "pink", "brown", "NB05", "NB3", "NB9")
_NARROW = {"NB05": 0.5, "NB3": 3.0, "NB9": 9.0}
_FALL = {"white": 0.0, "pink": 1.0, "brown": 2.0}
_GUESSING = 0.5

Picture = npt.NDArray[np.float64]


def edge_picture(width: float) -> Picture:
    """Render an edge.

    Parameters
    ----------
    width : float
        Degrees over which the luminance returns to the mean on each side, linearly.

    Returns
    -------
    numpy.ndarray
        Contrast ``(176, 176)`` of mean 0 and standard deviation 1.
    """
    distance = (np.arange(SIZE // 2)) / (width * PIXELS_PER_DEGREE)
    ramp = np.clip(1 - distance, 0, None)
    profile = np.concatenate([ramp[::-1], -ramp])
    return np.tile((profile / profile.std())[:, None], (1, SIZE))


def noise_picture(name: str, generator: np.random.Generator) -> Picture:
    """Draw a sample of noise.

    Parameters
    ----------
    name : str
        One of `NOISES`; narrow bands are one octave wide around .5, 3 and 9 cycles per degree.
    generator : numpy.random.Generator
        Gives the phases.

    Returns
    -------
    numpy.ndarray
        Contrast ``(176, 176)`` of mean 0 and standard deviation .2; 0 for "none".

    Notes
    -----
    The amplitude of each frequency is exact and only the phases are drawn, as published. The samples shown are others.
    """
    if name == "none":
        return np.zeros((SIZE, SIZE))
    frequencies = np.fft.fftfreq(SIZE, 1 / PIXELS_PER_DEGREE)
    radius = np.hypot(frequencies[:, None], frequencies[None])
    if name in _NARROW:
        centre = _NARROW[name]
        spread = centre / (3 * np.sqrt(2 * np.log(2)))
        amplitude = np.exp(-((radius - centre) ** 2) / (2 * spread**2))
    else:
        amplitude = np.where(radius > 0, radius, 1) ** -_FALL[name]
    amplitude[0, 0] = 0
    phases = np.angle(np.fft.fft2(generator.standard_normal((SIZE, SIZE))))
    noise = np.fft.ifft2(amplitude * np.exp(1j * phases)).real
    return NOISE_CONTRAST * noise / noise.std()


def luminances(noise: Picture, edge: Picture, contrast: float) -> Picture:
    """Show an edge on noise, clipped to what the display shows.

    Parameters
    ----------
    noise, edge : numpy.ndarray
        Of `noise_picture` and `edge_picture`.
    contrast : float
        Standard deviation of the edge over the mean luminance.

    Returns
    -------
    numpy.ndarray
        cd/m2, 0..200.
    """
    return np.clip(FIELD * (1 + noise + contrast * edge), 0, 2 * FIELD)


def read_thresholds(folder: Path) -> pd.DataFrame:
    """Find the contrast at which observers were right midway between guessing and always.

    Parameters
    ----------
    folder : pathlib.Path
        Holds ``edges_in_noise_schmittwilken2024.csv``.

    Returns
    -------
    pandas.DataFrame
        One row for each noise and edge: ``noise``, ``edge`` (degrees), ``threshold`` (rms contrast, of the six
        observers pooled).
    """
    answers = pd.read_csv(folder / "edges_in_noise_schmittwilken2024.csv")
    pooled = answers[answers.vp == "pooled"]
    rows = [(noise, edge, _midpoint(table)) for (noise, edge), table in pooled.groupby(["noise", "edge"], sort=False)]
    return pd.DataFrame(rows, columns=["noise", "edge", "threshold"])


def _midpoint(table: pd.DataFrame) -> float:
    """Fit a Weibull function of the contrast by maximum likelihood; NaN if its middle lies outside the contrasts."""
    contrast = table.contrasts.to_numpy()
    right, shown = table.ncorrect.to_numpy(), table.ntrials.to_numpy()

    def cost(parameters: Picture) -> float:
        middle, slope = np.exp(parameters)
        seen = -np.expm1(-np.log(2) * (contrast / middle) ** slope)
        chance = np.clip(_GUESSING + (1 - _GUESSING - 0.01) * seen, 1e-6, 1 - 1e-6)
        return float(-(right * np.log(chance) + (shown - right) * np.log1p(-chance)).sum())

    start = np.log([contrast.max() / 2, 2.0])
    bounds = [(np.log(contrast.max() / 50), np.log(contrast.max() * 2)), (np.log(0.5), np.log(10))]
    found = optimize.minimize(cost, start, method="L-BFGS-B", bounds=bounds)
    middle = float(np.exp(found.x[0]))
    return middle if middle < contrast.max() else float("nan")
