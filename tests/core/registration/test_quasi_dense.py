"""Matches from dense flow."""

import cv2
import numpy as np
import pytest
from skimage import data

import napari_iqmaps as iq

SCENE = cv2.resize(data.camera(), (256, 192), interpolation=cv2.INTER_AREA)
MATRIX = np.array([[1.01, -0.02, 5.0], [0.02, 1.01, -3.0], [1e-5, 0, 1]])


def moved(points):
    projected = np.column_stack([points, np.ones(len(points))]) @ MATRIX.T
    return projected[:, :2] / projected[:, 2:]


@pytest.mark.parametrize("gain", [1.0, 0.5], ids=["same light", "half the light"])
def test_matches_follow_a_known_motion(gain):
    fixed = cv2.warpPerspective(SCENE, MATRIX, (256, 192), borderMode=cv2.BORDER_REFLECT)
    fixed = (gain * fixed + 20).clip(0, 255).astype(np.uint8)
    table = iq.quasi_dense_matches(SCENE, fixed, step=8)
    assert len(table) > 200
    error = np.hypot(*(moved(table.moving_points) - table.fixed_points).T)
    assert np.median(error) < 0.25
    assert np.mean(error < 1) > 0.9
    assert (table.score >= 0.5).all()
    assert set(np.unique(table.moving_points % 8)) == {4.0}


def test_different_things_hardly_match():
    noise = np.random.default_rng(0).integers(0, 256, (2, 96, 96)).astype(np.uint8)
    assert len(iq.quasi_dense_matches(*noise, step=4)) < 0.02 * 24**2
    flat = np.full((64, 64), 90, np.uint8)
    assert len(iq.quasi_dense_matches(flat, flat)) == 0


def test_sizes_may_differ_and_holes_do_not_match():
    moving = SCENE[:160, :200].astype(np.float32)
    moving[40:80, 60:100] = np.nan
    table = iq.quasi_dense_matches(moving, SCENE[4:, 6:].astype(np.float32), data_range=255)
    assert (table.moving_shape, table.fixed_shape) == ((160, 200), (188, 250))
    np.testing.assert_allclose(np.median(table.fixed_points - table.moving_points, axis=0), [-6, -4], atol=0.1)
    x, y = table.moving_points.T
    assert not ((x >= 60) & (x < 100) & (y >= 40) & (y < 80)).any()
    assert (table.fixed_points >= 0).all()


def test_options_and_cancelling():
    with pytest.raises(iq.InputError, match="step is 0"):
        iq.quasi_dense_matches(SCENE, SCENE, step=0)
    with pytest.raises(iq.InputError, match="max_inconsistency is 0"):
        iq.quasi_dense_matches(SCENE, SCENE, max_inconsistency=0)

    def stop(done, total):
        raise iq.Cancelled

    with pytest.raises(iq.Cancelled):
        iq.quasi_dense_matches(SCENE, SCENE, progress=stop)
