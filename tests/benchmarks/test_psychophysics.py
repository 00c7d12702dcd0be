"""The stimuli of the psychophysical benchmark against facts in closed form, its arithmetic against known answers."""

from __future__ import annotations

import importlib
from pathlib import Path
from types import ModuleType

import numpy as np
import pandas as pd
import pytest

import napari_iqmaps as iq
from napari_iqmaps.core.observers import OBSERVERS, local_difference

FOLDER = Path(__file__).resolve().parents[2] / "benchmarks" / "psychophysics"


@pytest.fixture
def load(monkeypatch):
    """Import a module of the benchmark, whose folder is a program and no package."""
    monkeypatch.syspath_prepend(FOLDER)

    def module(name: str) -> ModuleType:
        return importlib.import_module(name)

    return module


def stimulus(number, kind, frequency=np.nan, across=0.5, along=0.5):
    return pd.Series(
        {"number": number, "kind": kind, "frequency_cpd": frequency, "sigma_x_deg": across, "sigma_y_deg": along}
    )


def test_a_gabor_has_its_frequency_orientation_and_bandwidth(load):
    modelfest = load("modelfest")
    picture = modelfest.contrast_picture(stimulus(4, "gabor", "4", across=0.28, along=0.2))
    assert picture[128, 128] == np.abs(picture).max() == 1
    power = np.abs(np.fft.fft2(picture)) ** 2
    frequency = np.fft.fftfreq(256, 1 / 120)
    upper = frequency > 0
    weights = power[upper].sum(1) / power[upper].sum()
    mean = weights @ frequency[upper]
    assert mean == pytest.approx(4, abs=0.01)
    # A Gaussian window of standard deviation s has a power spectrum of standard deviation 1 / (2 sqrt(2) pi s).
    spread = np.sqrt(weights @ (frequency[upper] - mean) ** 2)
    assert spread == pytest.approx(1 / (2 * np.sqrt(2) * np.pi * 0.28), rel=0.02)
    sideways = power.sum(0) / power.sum()
    assert np.sqrt(sideways @ frequency**2) == pytest.approx(1 / (2 * np.sqrt(2) * np.pi * 0.2), rel=0.02)


def test_gabors_turn_by_their_angle(load):
    modelfest = load("modelfest")
    horizontal = modelfest.contrast_picture(stimulus(12, "gabor", "4", 0.14, 0.14))
    vertical = modelfest.contrast_picture(stimulus(37, "gabor", "4", 0.14, 0.14))
    oblique = modelfest.contrast_picture(stimulus(36, "gabor", "4", 0.14, 0.14))
    np.testing.assert_allclose(vertical, horizontal.T, atol=1e-12)
    np.testing.assert_allclose(oblique, oblique.T, atol=1e-12)
    plaid = modelfest.contrast_picture(stimulus(38, "plaid", "4", 0.14, 0.14))
    np.testing.assert_allclose(plaid, (horizontal + vertical) / 2, atol=1e-12)


def test_a_pair_of_gabors_has_half_the_contrast_of_each(load):
    modelfest = load("modelfest")
    pair = modelfest.contrast_picture(stimulus(25, "gabor pair", "4+8"))
    single = [modelfest.contrast_picture(stimulus(1, "gabor", each)) for each in ("4", "8")]
    np.testing.assert_allclose(pair, sum(single) / 2, atol=1e-12)


def test_thin_stimuli_have_the_published_widths(load):
    modelfest = load("modelfest")
    line = modelfest.contrast_picture(stimulus(31, "line"))
    assert (np.abs(line).sum(1) > 0).sum() == 1
    dipole = modelfest.contrast_picture(stimulus(32, "dipole"))
    np.testing.assert_array_equal(np.flatnonzero(np.abs(dipole).sum(1)), [127, 129])
    np.testing.assert_allclose(dipole[127], -dipole[129])
    disk = modelfest.contrast_picture(stimulus(40, "disk", across=np.nan, along=np.nan))
    assert disk.sum() == pytest.approx(np.pi * (0.125 * 120) ** 2, rel=0.02)


def test_a_string_has_five_gabors_five_sigmas_apart(load):
    modelfest = load("modelfest")
    same = modelfest.contrast_picture(stimulus(33, "string", "8", 0.07, 0.07))
    other = modelfest.contrast_picture(stimulus(34, "string", "8", 0.07, 0.07))
    centres = 128 + 42 * np.arange(-2, 3)  # 5 x .07 degrees x 120 pixels per degree
    np.testing.assert_allclose(same[128, centres], 1, atol=1e-4)
    np.testing.assert_allclose(other[128, centres], [1, -1, 1, -1, 1], atol=1e-4)


def test_a_checkerboard_has_its_fundamentals_at_four_cycles_along_the_axes(load):
    modelfest = load("modelfest")
    spectrum = np.abs(np.fft.fft2(modelfest.contrast_picture(stimulus(42, "checkerboard", "2.81"))))
    row, column = np.unravel_index(spectrum[:100, :100].argmax(), (100, 100))
    assert sorted((row, column))[0] == 0
    assert max(row, column) * 120 / 256 == pytest.approx(2.81 * np.sqrt(2), abs=120 / 256)


def test_what_is_not_published_is_refused(load):
    with pytest.raises(ValueError, match="43"):
        load("modelfest").contrast_picture(stimulus(43, "picture"))


def test_thresholds_are_decibels_by_observer_stimulus_and_repeat(load, tmp_path):
    modelfest = load("modelfest")
    values = np.arange(43 * 4) / 100
    line = ",".join(["abc", *map(str, values)])
    (tmp_path / "modelfest_thresholds.csv").write_text(f"{line}\n{line}\n")
    thresholds = modelfest.read_thresholds(tmp_path)
    assert thresholds.shape == (2, 41, 4)
    np.testing.assert_allclose(thresholds[1, 0], [0, -0.2, -0.4, -0.6], atol=1e-12)
    np.testing.assert_allclose(thresholds[0, 34], -20 * values[35 * 4 : 36 * 4])  # stimulus 36: 35 is missing


def test_an_edge_falls_off_linearly_over_its_width(load):
    edges = load("edges")
    edge = edges.edge_picture(0.95)
    assert edge.mean() == pytest.approx(0, abs=1e-12)
    assert edge.std() == pytest.approx(1)
    column = edge[:, 5] / edge[87, 5]
    np.testing.assert_allclose(column[[87, 88]], [1, -1])
    assert column[87 - 21] == pytest.approx(1 - 21 / (0.95 * 44))
    assert (column[: 87 - 42] == 0).all()


@pytest.mark.parametrize("name", ["white", "pink", "brown", "NB3"])
def test_noise_has_its_contrast_and_its_spectrum(load, name):
    edges = load("edges")
    noise = edges.noise_picture(name, np.random.default_rng(3))
    assert noise.mean() == pytest.approx(0, abs=1e-12)
    assert noise.std() == pytest.approx(0.2)
    amplitude = np.abs(np.fft.fft2(noise))[0] / np.abs(np.fft.fft2(noise))[0, 12]  # 12 cycles in 4 degrees: 3 a degree
    expected = {"white": (1, 1), "pink": (3 / 2, 3 / 4), "brown": (9 / 4, 9 / 16), "NB3": (1 / 2, 1 / 2)}
    np.testing.assert_allclose(amplitude[[8, 16]], expected[name])  # 2 and 4 cycles per degree


def test_the_middle_of_a_psychometric_function_is_found(load, tmp_path):
    contrasts = np.array([1e-5, 0.001, 0.002, 0.003, 0.004])
    seen = -np.expm1(-np.log(2) * (contrasts / 0.0017) ** 2.5)
    right = np.rint(1e4 * (0.5 + 0.49 * seen)).astype(int)
    table = pd.DataFrame({"noise": "none", "edge": 0.15, "contrasts": contrasts, "ncorrect": right, "ntrials": 10_000})
    table.assign(vp="pooled").to_csv(tmp_path / "edges_in_noise_schmittwilken2024.csv", index=False)
    found = load("edges").read_thresholds(tmp_path)
    assert found.threshold.item() == pytest.approx(0.0017, rel=0.01)


def test_only_foveal_steady_luminance_gratings_are_read(load, tmp_path):
    row = {
        "luminance": 50,
        "s_frequency": 4,
        "col_dir_id": 1,
        "bkg_id": 1,
        "ge_sigma": 0.5,
        "area": 0.8,
        "t_frequency": 0,
    }
    row |= {"eccentricity": 0, "stimulus": "gabor", "sensitivity": 100, "dataset": "a"}
    others = [{"col_dir_id": 2}, {"eccentricity": 5}, {"t_frequency": 8}, {"luminance": 500}, {"dataset": "modelfest"}]
    pd.DataFrame([row, *(row | other for other in others)]).to_csv(
        tmp_path / "castlecsf_contrast_sensitivity.csv", index=False
    )
    pd.DataFrame({"col_dir_id": [1, 2], "L_delta": [2.0, 1.0], "M_delta": [1.0, -1.0], "S_delta": [0.1, 0.0]}).to_csv(
        tmp_path / "color_directions.csv", index=False
    )
    pd.DataFrame({"bkg_id": [1], "L": [20.0], "M": [10.0], "S": [1.0]}).to_csv(
        tmp_path / "backgrounds.csv", index=False
    )
    found = load("gratings").read_gratings(tmp_path)
    assert len(found) == 1
    assert found.threshold.item() == pytest.approx(0.01)  # all cones alike: cone contrast is luminance contrast


@pytest.fixture
def stimuli(load):
    """Gratings of five octaves, a fifth of the window wide, at 35 pixels per degree."""
    places = (np.arange(64) - 32) / 35
    window = np.exp(-(places**2) / (2 * 0.19**2))
    waves = [window * np.cos(2 * np.pi * frequency * places) for frequency in (0, 1, 2, 4, 8, 16)]
    pictures = np.stack([np.outer(wave, window) for wave in waves])
    return pictures, load("detection").Stimuli.of(pictures, 35.0)


@pytest.mark.parametrize("gains", [observer.gains for observer in OBSERVERS.values()])
def test_our_thresholds_are_those_of_the_difference_itself(load, stimuli, gains):
    detection = load("detection")
    pictures, prepared = stimuli
    shown = [detection.on_field(picture, 35.0) for picture in pictures]
    largest = [local_difference(picture, np.zeros_like(picture), 33, gains, 35.0).max() for picture in shown]
    # Looked up at every eighth pixel, the maximum is missed by little.
    np.testing.assert_allclose(detection.our_thresholds(prepared, gains), -20 * np.log10(largest), atol=0.2)


@pytest.mark.parametrize("smooth", [False, True])
def test_gains_that_made_the_thresholds_are_found_again(load, stimuli, smooth):
    detection = load("detection")
    _, prepared = stimuli
    places = np.arange(detection.CHANNELS)
    steep = np.where(places < 2.2, 0.7, 0.3)
    gains = np.exp(-steep * np.abs(places - 2.2) ** 1.7)
    observed = detection.our_thresholds(prepared, gains) - 30  # the scale is free
    found = detection.fitted_gains(prepared, observed, np.ones(len(observed), bool), smooth)
    np.testing.assert_allclose(found, gains / gains.max(), rtol=0.05)


def test_a_map_reaches_one_half_where_the_arithmetic_says(load):
    checks = load("checks")
    places = (np.arange(96) - 48) / 120
    window = np.exp(-(places**2) / (2 * 0.14**2))
    picture = np.outer(window * np.cos(2 * np.pi * 4 * places), window)
    found = checks.threshold_of_map(picture, 30.0, "contrast")
    contrast = load("detection").on_field(picture, 120).astype(float)
    field = np.full_like(contrast, 30.0)
    step = checks.largest_difference(30 * (1 + 1e-3 * contrast), field, 120) / 1e-3
    flat = iq.threshold_map(
        field, model="contrast", data_range=(0, 100), luminance="absolute", observer="practised"
    ).values[0, 0]
    assert found == pytest.approx(20 * np.log10(np.log(2) * flat / step), abs=0.5)


def test_what_is_judged_is_not_fitted_to(load):
    detection = load("detection")
    observed = np.array([1.0, 2.0, 3.0, 10.0])
    seen = []

    def predict(train):
        seen.append(train.copy())
        return np.where(train, observed - 5, 0.0)  # right, but for the scale, where it was fitted

    folds = [np.array([True, False, False, False]), np.array([False, False, False, True])]
    errors = detection.held_out(observed, folds, predict)
    np.testing.assert_allclose(errors, [1 - 5, np.nan, np.nan, 10 - 5])
    np.testing.assert_array_equal(seen, [~fold for fold in folds])
