"""How large a difference is: units, pooling, holes."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import ndimage

from napari_iqmaps.core.difference import local_difference


@given(st.floats(-200, 200), st.sampled_from([1, 3, 33]))
def test_a_uniform_difference_gives_itself(amount, window):
    reference = np.random.default_rng(0).uniform(0, 255, (30, 40)).astype(np.float32)
    test = (reference + amount).astype(np.float32)
    np.testing.assert_allclose(local_difference(test, reference, window), abs(amount), rtol=1e-4, atol=1e-4)


def test_it_is_the_stated_formula():
    rng = np.random.default_rng(0)
    test, reference = rng.uniform(0, 255, (2, 20, 25)).astype(np.float32)
    blurred = ndimage.gaussian_filter((test - reference).astype(float), 0.6, radius=2, mode="reflect")
    padded = np.pad(np.abs(blurred) ** 3, 4, mode="symmetric")
    windows = np.lib.stride_tricks.sliding_window_view(padded, (9, 9))
    expected = windows.mean((2, 3)) ** (1 / 3)
    np.testing.assert_allclose(local_difference(test, reference, 9), expected, rtol=1e-5)


def test_where_nothing_differs_nothing_is_left_over():
    reference = np.zeros((100, 100), np.float32)
    test = reference.copy()
    test[50, 50] = 255
    pooled = local_difference(test, reference, 5)
    assert (pooled > 0).sum() == 81
    assert not pooled[:46].any()


def test_sparse_differences_count_more_than_spread_ones_of_the_same_mean():
    reference = np.zeros((66, 66), np.float32)
    sparse = reference.copy()
    sparse[::11, ::11] = 121
    spread = reference + 1
    centre = (33, 33)
    assert sparse.mean() == pytest.approx(spread.mean())
    assert local_difference(sparse, reference, 33)[centre] > 5 * local_difference(spread, reference, 33)[centre]


def test_holes_are_left_out_of_the_mean():
    reference = np.zeros((50, 50), np.float32)
    test = reference + 7
    test[20:30, 20:30] = np.nan
    pooled = local_difference(test, reference, 3)
    assert np.isfinite(pooled).all()
    far = np.ones_like(test, bool)
    far[16:34, 16:34] = False
    np.testing.assert_allclose(pooled[far], 7, rtol=1e-5)
    assert pooled[25, 25] == 0
    assert 0 < pooled[19, 25] <= 7
