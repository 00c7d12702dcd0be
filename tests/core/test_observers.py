"""Who looks, from where: the numbers' meaning, and faint patterns at the contrasts that observers needed."""

import numpy as np
import pytest

import napari_iqmaps as iq
from napari_iqmaps.core.observers import (
    CHANNEL_SIGMAS,
    OBSERVERS,
    PIXELS_PER_DEGREE,
    check_pixels_per_degree,
    observer_named,
    window_in_pixels,
)
from napari_iqmaps.core.visibility import MODELS

FIELD = 30.0  # cd/m2


def gabor(frequency, spread, pixels_per_degree):
    """Contrast of a horizontal grating under a round Gaussian window, on two degrees of field; degrees throughout."""
    places = np.arange(-pixels_per_degree, pixels_per_degree + 1) / pixels_per_degree
    window = np.exp(-(places**2) / (2 * spread**2))
    return np.outer(window * np.cos(2 * np.pi * frequency * places), window)


def seen(contrast, pixels_per_degree, observer="practised", model="pnet"):
    """Highest visibility of a contrast picture on the field."""
    field = np.full(contrast.shape, FIELD)
    found = iq.visibility_map(
        field * (1 + contrast),
        field,
        model=model,
        data_range=(0, 100),
        luminance="absolute",
        observer=observer,
        pixels_per_degree=pixels_per_degree,
        stride=8,
    )
    return float(found.values.max())


def test_every_observer_has_a_gain_for_each_channel():
    for name, observer in OBSERVERS.items():
        assert observer.name == name
        assert len(observer.gains) == len(CHANNEL_SIGMAS) + 1
        assert min(observer.gains) > 0
        assert observer.threshold_factor > 0


def test_an_observer_is_found_by_name():
    assert observer_named("practised") is OBSERVERS["practised"]
    with pytest.raises(iq.InputError, match=r"no observer 'nobody'.*everyday, practised"):
        observer_named("nobody")


@pytest.mark.parametrize(
    "call", [iq.threshold_map, lambda image, **options: iq.visibility_map(image, image, **options)]
)
def test_the_maps_refuse_an_unknown_observer(call):
    with pytest.raises(iq.InputError, match="no observer 'eagle'"):
        call(np.zeros((40, 40), np.uint8), model="contrast", observer="eagle")


@pytest.mark.parametrize("value", [3.9, 601, 0, -35, float("nan"), float("inf"), "35", None, True])
def test_a_viewing_distance_that_cannot_be_meant_is_refused(value):
    with pytest.raises(iq.InputError, match="pixels_per_degree is .*from 4 to 600"):
        check_pixels_per_degree(value)
    with pytest.raises(iq.InputError, match="pixels_per_degree"):
        iq.visibility_map(np.zeros((40, 40)), np.zeros((40, 40)), data_range=(0, 1), pixels_per_degree=value)


def test_a_viewing_distance_may_be_a_whole_number():
    assert [check_pixels_per_degree(value) for value in (4, 35, 600.0)] == [4, 35, 600]


def test_the_window_is_odd_and_keeps_its_visual_angle():
    assert window_in_pixels(PIXELS_PER_DEGREE) == 33
    assert window_in_pixels(120) == 113
    for pixels_per_degree in np.linspace(4, 600, 97):
        window = window_in_pixels(pixels_per_degree)
        assert window % 2 == 1
        assert abs(window - 33 / 35 * pixels_per_degree) <= 1


# Stimuli 11 to 13 of Modelfest: the mean threshold of 16 observers in decibels.
@pytest.mark.parametrize(("frequency", "spread", "decibels"), [(2, 0.28, -35.39), (4, 0.14, -32.37), (8, 0.07, -23.86)])
@pytest.mark.parametrize("model", MODELS)
def test_practised_observers_see_a_pattern_half_of_the_time_where_modelfest_did(model, frequency, spread, decibels):
    contrast = 10 ** (decibels / 20) * gabor(frequency, spread, 120)
    assert 0.35 < seen(contrast, 120, model=model) < 0.65


def test_visibility_rises_with_contrast_from_never_to_always():
    probabilities = [seen(contrast * gabor(4, 0.14, 120), 120, model="contrast") for contrast in (0.002, 0.02, 0.2)]
    assert probabilities[0] < 0.1
    assert probabilities == sorted(probabilities)
    assert probabilities[2] > 0.95


def test_a_pattern_is_seen_equally_well_on_a_finer_screen():
    coarse, fine = (seen(0.01 * gabor(4, 0.25, pixels), pixels) for pixels in (60, 120))
    assert 0.2 < coarse < 0.8
    assert coarse == pytest.approx(fine, rel=0.05)


def test_the_same_pixels_from_further_away_are_another_pattern():
    pixels = 0.006 * gabor(4, 0.25, 60)  # at 240 pixels a degree these are 16 cycles per degree, on half a degree
    assert seen(pixels, 240) < 0.5 * seen(pixels, 60)


def test_an_observers_factor_scales_the_thresholds():
    image = np.random.default_rng(0).integers(0, 256, (40, 50), np.uint8)
    everyday, practised = (iq.threshold_map(image, model="contrast", observer=name) for name in OBSERVERS)
    ratio = OBSERVERS["practised"].threshold_factor / OBSERVERS["everyday"].threshold_factor
    np.testing.assert_allclose(practised.values / everyday.values, ratio, rtol=1e-5)
    assert practised.info["observer"] == "practised"


@pytest.mark.parametrize("name", OBSERVERS)
def test_the_record_says_who_looked_from_where(name):
    image = np.random.default_rng(0).integers(0, 256, (40, 50), np.uint8)
    found = iq.visibility_map(255 - image, image, model="contrast", observer=name, pixels_per_degree=60)
    assert (found.info["observer"], found.info["pixels_per_degree"], found.info["window"]) == (name, 60, 57)
