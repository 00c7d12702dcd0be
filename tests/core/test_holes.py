"""Filling of holes: local, bounded, and without a trace where there is none."""

import numpy as np
import pytest

from napari_iqmaps.core import images


def test_a_plane_without_holes_comes_back_as_it_is():
    plane = np.ones((5, 6), np.float32)
    assert images.fill(plane) is plane


def test_valid_pixels_keep_their_values_and_holes_lie_between_their_neighbours():
    plane = np.tile(np.arange(40, dtype=np.float32) * 5, (30, 1))
    holed = plane.copy()
    holed[10:13, 20:22] = np.nan
    filled = images.fill(holed)
    valid = np.isfinite(holed)
    assert np.array_equal(filled[valid], plane[valid])
    assert np.isfinite(filled).all()
    np.testing.assert_allclose(filled[10:13, 20:22], plane[10:13, 20:22], atol=10)
    assert np.isnan(holed).sum() == 6


@pytest.mark.parametrize("value", [0.0, 255.0, 77.7])
def test_a_flat_plane_is_filled_flat(value):
    plane = np.full((80, 90), value, np.float32)
    plane[20:60, 20:70] = np.nan
    np.testing.assert_allclose(images.fill(plane), value, rtol=1e-5)


def test_the_fill_of_a_window_is_the_window_of_the_fill_beyond_the_reach():
    rng = np.random.default_rng(1)
    plane = rng.uniform(0, 255, (200, 210)).astype(np.float32)
    plane[rng.random(plane.shape) < 0.3] = np.nan
    plane[60:120, 70:140] = np.nan
    reach = images.REACH
    part = images.fill(plane[40:180, 30:190])[reach:-reach, reach:-reach]
    np.testing.assert_allclose(part, images.fill(plane)[40:180, 30:190][reach:-reach, reach:-reach], rtol=1e-4)


def test_nothing_but_holes_becomes_middle_grey():
    assert (images.fill(np.full((4, 5), np.nan, np.float32)) == 127.5).all()
