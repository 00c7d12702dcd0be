"""How large a difference is: channels, pooling, holes."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import ndimage

from napari_iqmaps.core.observers import (
    CHANNEL_SIGMAS,
    OBSERVERS,
    PIXELS_PER_DEGREE,
    difference_reach,
    excitation,
    local_difference,
)

ALIKE = (1.0,) * (len(CHANNEL_SIGMAS) + 1)
EVERYBODY = [pytest.param(observer.gains, id=name) for name, observer in OBSERVERS.items()]


def pair(shape, seed=0):
    return np.random.default_rng(seed).uniform(0, 255, (2, *shape)).astype(np.float32)


def stated(test, reference, window, gains, pixels_per_degree, exponent=3.0):
    """The formula, in double precision and by another library."""
    signed = test.astype(float) - reference
    levels = [signed]
    for nominal in CHANNEL_SIGMAS:
        sigma = nominal * pixels_per_degree / PIXELS_PER_DEGREE
        radius = int(np.ceil(3 * sigma))
        levels.append(ndimage.gaussian_filter(signed, sigma, radius=radius, mode="reflect"))
    levels.append(np.zeros_like(signed))
    channels = np.asarray(gains)[:, None, None] * -np.diff(levels, axis=0)
    powers = (np.abs(channels) ** exponent).sum(0)
    return ndimage.uniform_filter(powers, window, mode="reflect") ** (1 / exponent)


@pytest.mark.parametrize("gains", [*EVERYBODY, ALIKE])
@pytest.mark.parametrize("pixels_per_degree", [20.0, PIXELS_PER_DEGREE, 61.5])
def test_it_is_the_stated_formula(gains, pixels_per_degree):
    test, reference = pair((60, 75))
    found = local_difference(test, reference, 9, gains, pixels_per_degree)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, stated(test, reference, 9, gains, pixels_per_degree), rtol=1e-4)


@pytest.mark.parametrize("exponent", [1.0, 2.5, 3.0])
def test_each_channel_is_raised_to_the_exponent(exponent):
    test, reference = pair((40, 50))
    found = excitation(test - reference, ALIKE, exponent=exponent) ** (1 / exponent)
    np.testing.assert_allclose(found, stated(test, reference, 1, ALIKE, PIXELS_PER_DEGREE, exponent), rtol=1e-4)


def test_by_default_the_everyday_observer_looks_from_the_nominal_distance():
    test, reference = pair((40, 50))
    explicit = local_difference(test, reference, 33, OBSERVERS["everyday"].gains, PIXELS_PER_DEGREE)
    np.testing.assert_array_equal(local_difference(test, reference, 33), explicit)


@given(st.floats(-200, 200), st.sampled_from([1, 3, 33]), st.floats(0.1, 5))
def test_a_uniform_difference_is_left_to_the_coarsest_channel(amount, window, gain):
    reference = np.random.default_rng(0).uniform(0, 255, (30, 40)).astype(np.float32)
    test = (reference + amount).astype(np.float32)
    gains = (*ALIKE[:-1], gain)
    np.testing.assert_allclose(
        local_difference(test, reference, window, gains), gain * abs(amount), rtol=1e-3, atol=1e-3
    )


@pytest.mark.parametrize("gains", EVERYBODY)
@pytest.mark.parametrize("factor", [-1.0, 0.01, 7.0])
def test_a_multiple_of_a_difference_is_that_many_times_as_large(gains, factor):
    difference = pair((50, 50))[0] - 128
    nothing = np.zeros_like(difference)
    once = local_difference(difference, nothing, 9, gains)
    scaled = local_difference(np.float32(factor) * difference, nothing, 9, gains)
    np.testing.assert_allclose(scaled, abs(factor) * once, rtol=1e-4)


def test_where_nothing_differs_nothing_is_left_over():
    reference = np.zeros((101, 101), np.float32)
    test = reference.copy()
    test[50, 50] = 255
    pooled = local_difference(test, reference, 5, ALIKE)
    seen = np.zeros_like(pooled, bool)
    end = difference_reach() + 2
    seen[50 - end : 51 + end, 50 - end : 51 + end] = True
    assert not pooled[~seen].any()
    assert pooled[50, 50 + end - 1] > 0
    assert not local_difference(test, test, 5).any()


def test_sparse_differences_count_more_than_spread_ones_of_the_same_mean():
    reference = np.zeros((66, 66), np.float32)
    sparse = reference.copy()
    sparse[::11, ::11] = 121
    spread = reference + 1
    centre = (33, 33)
    assert sparse.mean() == pytest.approx(spread.mean())
    pooled = [local_difference(each, reference, 33, ALIKE)[centre] for each in (sparse, spread)]
    assert pooled[0] > 5 * pooled[1]


def test_channels_go_from_fine_to_coarse():
    places = np.arange(128)
    periods = [2, 4, 8, 16, 32, 64]
    waves = [np.tile(np.cos(2 * np.pi * places / period), (128, 1)).astype(np.float32) for period in periods]
    strengths = [
        [local_difference(wave, np.zeros_like(wave), 65, gains)[64, 64] for gains in np.eye(len(ALIKE))]
        for wave in waves
    ]
    assert np.argmax(strengths, axis=1).tolist() == [0, 1, 2, 3, 4, 5]


def test_channels_and_reach_grow_with_the_pixels_of_a_degree():
    def blob(pixels_per_degree):
        places = np.arange(-2 * pixels_per_degree, 2 * pixels_per_degree + 1) / pixels_per_degree
        profile = np.exp(-(places**2) / (2 * 0.3**2))
        return np.outer(profile, profile * np.cos(2 * np.pi * 2 * places)).astype(np.float32)

    found = []
    for pixels_per_degree, window in ((40, 41), (80, 81)):
        shown = blob(pixels_per_degree)
        pooled = local_difference(shown, np.zeros_like(shown), window, ALIKE, pixels_per_degree)
        middle = 2 * pixels_per_degree
        found.append(pooled[middle, middle])
    assert found[0] == pytest.approx(found[1], rel=0.02)
    assert difference_reach(80) == pytest.approx(2 * difference_reach(40), abs=1)


def test_holes_are_left_out_of_the_mean():
    reference = np.zeros((140, 140), np.float32)
    test = reference + 7
    test[60:80, 60:80] = np.nan
    pooled = local_difference(test, reference, 3, ALIKE)
    assert np.isfinite(pooled).all()
    far = np.ones_like(test, bool)
    end = difference_reach() + 1
    far[60 - end : 80 + end, 60 - end : 80 + end] = False
    np.testing.assert_allclose(pooled[far], 7, rtol=1e-5)
    assert pooled[70, 70] == 0
    assert pooled[59, 70] > 0


def test_a_hole_is_one_whichever_image_has_it_and_whatever_is_there():
    test, reference = pair((50, 60))
    expected = test.copy()
    expected[10:15, 20:40] = np.nan
    changed = reference.copy()
    changed[10:15, 20:40] = np.inf
    np.testing.assert_array_equal(
        local_difference(test, changed, 9, ALIKE), local_difference(expected, reference, 9, ALIKE)
    )
