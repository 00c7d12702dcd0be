"""Thresholds of single gratings from other laboratories, out of the collection behind castleCSF.

References
----------
M. Ashraf et al., "castleCSF: a contrast sensitivity function of color, area, spatiotemporal frequency, luminance and
eccentricity", Journal of Vision 24(4), 2024.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd

PIXELS_PER_DEGREE = 120

Picture = npt.NDArray[np.float64]


def read_gratings(folder: Path) -> pd.DataFrame:
    """Read the steady luminance gratings, seen straight on, that lie within about a degree.

    Parameters
    ----------
    folder : pathlib.Path
        Holds ``castlecsf_contrast_sensitivity.csv``, ``color_directions.csv`` and ``backgrounds.csv``.

    Returns
    -------
    pandas.DataFrame
        ``dataset``, ``luminance`` (cd/m2, 15 to 100), ``frequency`` (1 to 16 cycles per degree), ``radius``
        (degrees; standard deviation of a Gabor), ``stimulus`` (gabor or grating), ``threshold`` (luminance contrast).
        Modelfest's own rows are left out.

    Notes
    -----
    The collection states contrast as the root mean square of the three cone contrasts. A grating counts as one of
    luminance where the contrasts of L and M cones differ by less than a tenth; their mean is its luminance contrast.
    """
    rows = pd.read_csv(folder / "castlecsf_contrast_sensitivity.csv")
    directions = pd.read_csv(folder / "color_directions.csv").set_index("col_dir_id")
    backgrounds = pd.read_csv(folder / "backgrounds.csv").set_index("bkg_id")
    change = directions.loc[rows.col_dir_id, ["L_delta", "M_delta", "S_delta"]].to_numpy()
    cones = change / backgrounds.loc[rows.bkg_id, ["L", "M", "S"]].to_numpy()
    cones /= np.sqrt(np.mean(cones**2, axis=1, keepdims=True))
    long, middle = cones[:, 0], cones[:, 1]
    table = pd.DataFrame(
        {
            "dataset": rows.dataset,
            "luminance": rows.luminance,
            "frequency": rows.s_frequency,
            "radius": rows.ge_sigma,
            "stimulus": rows.stimulus,
            "threshold": (long + middle) / 2 / rows.sensitivity,
        }
    )
    of_luminance = (np.minimum(long, middle) > 0) & (np.abs(long - middle) < 0.1 * np.maximum(long, middle))
    kept = (
        of_luminance
        & (rows.t_frequency == 0)
        & (rows.eccentricity == 0)
        & rows.luminance.between(15, 100)
        & rows.s_frequency.between(1, 16)
        & rows.area.between(0.05, 1.5)
        & rows.stimulus.isin(["gabor", "grating"])
        & (rows.dataset != "modelfest")
    )
    return table[kept].reset_index(drop=True)


def contrast_picture(frequency: float, radius: float, stimulus: str) -> Picture:
    """Render a grating of contrast 1 in cosine phase, square, with a field of half a degree around it.

    Parameters
    ----------
    frequency : float
        Cycles per degree.
    radius : float
        Degrees: the standard deviation of a Gabor's Gaussian window, the radius of a sharp-edged grating.
    stimulus : {"gabor", "grating"}
        Which of the two.

    Returns
    -------
    numpy.ndarray
        Contrast of odd side, 0 on the field.
    """
    half = round((min(3 * radius, 1.7) + 0.5) * PIXELS_PER_DEGREE)
    places = np.arange(-half, half + 1) / PIXELS_PER_DEGREE
    distance = np.hypot(places[:, None], places[None])
    window = np.exp(-(distance**2) / (2 * radius**2)) if stimulus == "gabor" else (distance <= radius) * 1.0
    return window * np.cos(2 * np.pi * frequency * places)[None]
