"""Models of the contrast at which a stimulus on a uniform field is seen: our channels, and plain sensitivity functions.

All give thresholds in dB up to one constant, the scale; `held_out` fits that constant, and the parameters where a model
has some, to other stimuli than those it is judged on.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import optimize

from napari_iqmaps.core.observers import (
    CHANNEL_SIGMAS,
    OBSERVERS,
    POOLING_EXPONENT,
    difference_reach,
    local_difference,
    window_in_pixels,
)

Array = npt.NDArray[np.float64]
Chosen = npt.NDArray[np.bool_]

CHANNELS = len(CHANNEL_SIGMAS) + 1

_REACH, _STEP = 0.8, 8  # degrees around the centre, and pixels, at which our difference is looked up
_STANDARD = np.array([4.1726, 1.3625, 0.8493, 0.7786])  # Watson and Ahumada 2005
_STANDARD_SUM, _STANDARD_APERTURE = 2.4081, 0.6273


def on_field(picture: Array, pixels_per_degree: float) -> npt.NDArray[np.float32]:
    """Surround a contrast picture with as much field as our widest channel sees."""
    return np.pad(picture, difference_reach(pixels_per_degree)).astype(np.float32)


@dataclass(frozen=True)
class Stimuli:
    """Contrast pictures, with what the models need of them computed once.

    Attributes
    ----------
    pixels_per_degree : float
        Of the pictures.
    powers : numpy.ndarray
        ``(stimuli, channels, places)``: the window means of our channels, each with gain 1 and raised to the exponent,
        at contrast 1.
    spectra : numpy.ndarray
        Fourier transforms of the pictures on a larger field.
    frequencies : numpy.ndarray
        Cycles per degree of the spectra.
    """

    pixels_per_degree: float
    powers: Array
    spectra: npt.NDArray[np.complex128]
    frequencies: Array

    @classmethod
    def of(cls, pictures: Array, pixels_per_degree: float) -> Stimuli:
        """Prepare pictures ``(stimuli, side, side)`` of even side."""
        padded = np.stack([on_field(picture, pixels_per_degree) for picture in pictures])
        side = padded.shape[-1]
        down, across = np.fft.fftfreq(side)[:, None], np.fft.rfftfreq(side)[None]
        frequencies = np.hypot(down, across) * pixels_per_degree
        centre, around = side // 2, _STEP * round(_REACH * pixels_per_degree / _STEP)
        inner = slice(centre - around, centre + around + 1, _STEP)
        field, window = np.zeros_like(padded[0]), window_in_pixels(pixels_per_degree)
        powers = [
            [
                local_difference(picture, field, window, gains, pixels_per_degree)[inner, inner].ravel()
                for gains in np.eye(CHANNELS)
            ]
            for picture in padded
        ]
        return cls(pixels_per_degree, np.asarray(powers, float) ** POOLING_EXPONENT, np.fft.rfft2(padded), frequencies)

    def filtered(self, sensitivity: Array) -> Array:
        """Filter the pictures by a gain at each of `frequencies`; the field around them is kept."""
        side = self.spectra.shape[1]
        return np.fft.irfft2(self.spectra * sensitivity, (side, side))


def our_thresholds(stimuli: Stimuli, gains: npt.ArrayLike) -> Array:
    """Predict thresholds in dB by our local difference: the contrast at which its maximum is 1."""
    pooled = np.tensordot(stimuli.powers, np.asarray(gains, float) ** POOLING_EXPONENT, ([1], [0])).max(1)
    return -20 / POOLING_EXPONENT * np.log10(pooled)


def fitted_gains(stimuli: Stimuli, observed: Array, train: Chosen, smooth: bool = False) -> Array:
    """Fit the gains of the channels to the thresholds of some stimuli, up to the scale.

    Parameters
    ----------
    stimuli : Stimuli
        All stimuli.
    observed : numpy.ndarray
        Thresholds in dB.
    train : numpy.ndarray
        bool, which to fit to.
    smooth : bool
        Fit a curve through the logarithms of the gains instead of each: where its peak lies, how steep it is on either
        side, and its exponent.

    Returns
    -------
    numpy.ndarray
        ``(channels,)``, the largest 1.
    """
    places = np.arange(CHANNELS)

    def gains(parameters: Array) -> Array:
        logs = parameters
        if smooth:
            peak, finer, coarser, exponent = parameters
            logs = -np.where(places < peak, finer, coarser) * np.abs(places - peak) ** exponent
        return np.exp(np.clip(logs, -7, 7))

    def errors(parameters: Array) -> Array:
        error = (observed - our_thresholds(stimuli, gains(parameters)))[train]
        return error - error.mean()

    start = [2.2, 0.8, 0.2, 2.0] if smooth else np.log(OBSERVERS["practised"].gains)
    found = gains(optimize.least_squares(errors, start).x)
    return found / found.max()


def standard_sensitivity(frequency: Array, parameters: Array = _STANDARD) -> Array:
    """Give the contrast sensitivity of the standard observer of Watson and Ahumada (2005), without its gain."""
    high, low, loss, power = parameters
    return _sech((frequency / high) ** power) - loss * _sech(frequency / low)


def mannos_sakrison(frequency: Array) -> Array:
    """Give the contrast sensitivity of Mannos and Sakrison (1974)."""
    return 2.6 * (0.0192 + 0.114 * frequency) * np.exp(-((0.114 * frequency) ** 1.1))


def plain_thresholds(stimuli: Stimuli, sensitivity: Array, exponent: float) -> Array:
    """Predict thresholds by a contrast-sensitivity function alone: infinite exponent the peak, 2 the energy."""
    response = np.abs(stimuli.filtered(sensitivity))
    if np.isinf(exponent):
        return -20 * np.log10(response.max(axis=(1, 2)))
    return -20 / exponent * np.log10((response**exponent).sum(axis=(1, 2)))


def standard_thresholds(stimuli: Stimuli) -> Array:
    """Predict thresholds by the published standard model: sensitivity, aperture and a sum to the power 2.4."""
    response = stimuli.filtered(standard_sensitivity(stimuli.frequencies))
    side = response.shape[-1]
    places = (np.arange(side) - side // 2) / stimuli.pixels_per_degree
    aperture = np.exp(-(places**2) / (2 * _STANDARD_APERTURE**2))
    response = np.abs(response * aperture[:, None] * aperture) ** _STANDARD_SUM
    return -20 / _STANDARD_SUM * np.log10(response.sum(axis=(1, 2)))


def fitted_energy_thresholds(stimuli: Stimuli, observed: Array, train: Chosen) -> Array:
    """Predict thresholds by the energy after a contrast-sensitivity function whose four numbers are fitted."""
    bands = np.geomspace(0.2, 60, 200)
    band = np.digitize(stimuli.frequencies, bands)
    twice = np.full(stimuli.frequencies.shape, 2.0)
    twice[:, [0, -1]] = 1  # the half of the spectrum that is not stored mirrors all columns but these
    energy = [
        np.bincount(band.ravel(), (twice * np.abs(each) ** 2).ravel(), len(bands) + 1) for each in stimuli.spectra
    ]
    middle = np.concatenate([[0.0], np.sqrt(bands[1:] * bands[:-1]), [60.0]])

    def predicted(parameters: Array) -> Array:
        seen = np.asarray(energy) @ standard_sensitivity(middle, parameters) ** 2
        return -10 * np.log10(seen + 1e-12)

    def cost(parameters: Array) -> float:
        return float(np.std((observed - predicted(parameters))[train]))

    bounds = [(1.0, 20.0), (0.3, 6.0), (0.0, 1.2), (0.3, 2.0)]
    found = optimize.minimize(cost, _STANDARD, method="Nelder-Mead", bounds=bounds, options={"maxiter": 1000})
    return predicted(found.x)


def held_out(observed: Array, folds: Iterable[Chosen], predict: Callable[[Chosen], Array]) -> Array:
    """Give each stimulus the error of a model that was fitted to others.

    Parameters
    ----------
    observed : numpy.ndarray
        Thresholds in dB.
    folds : iterable of numpy.ndarray
        bool, the stimuli to judge; the others are fitted to.
    predict : callable
        From the stimuli to fit to, to the predicted thresholds of all in dB, up to the scale.

    Returns
    -------
    numpy.ndarray
        dB, positive where observers need more contrast than the model.
    """
    errors = np.full(len(observed), np.nan)
    for judged in folds:
        error = observed - predict(~judged)
        errors[judged] = error[judged] - error[~judged].mean()
    return errors


def _sech(x: Array) -> Array:
    return 1 / np.cosh(np.minimum(x, 300))
