"""Matrices in pixels: what they do to points, corners and areas."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from napari_iqmaps.core.errors import InputError
from napari_iqmaps.core.registration import geometry

SHAPE = (40, 60)
small = st.floats(-0.2, 0.2)
motions = st.builds(
    lambda a, b, c, d, x, y, g, h: np.array([(1 + a, b, x), (c, 1 + d, y), (g / 100, h / 100, 1)]),
    small, small, small, small, st.floats(-20, 20), st.floats(-20, 20), small, small,
)  # fmt: skip


@settings(max_examples=40, deadline=None)
@given(motions)
def test_a_matrix_and_its_inverse_bring_points_home(matrix):
    there = geometry.map_points(matrix, geometry.corners(SHAPE))
    back = geometry.map_points(geometry.as_matrix(np.linalg.inv(matrix)), there)
    np.testing.assert_allclose(back, geometry.corners(SHAPE), atol=1e-6)


@settings(max_examples=40, deadline=None)
@given(motions, st.sampled_from([0.5, 0.25, 1.0]), st.sampled_from([0.5, 1.0]))
def test_a_matrix_restated_for_resized_images_means_the_same(matrix, moving_scale, fixed_scale):
    points = geometry.corners(SHAPE)
    restated = geometry.scaled(matrix, moving_scale, fixed_scale)
    resized = (points + 0.5) * moving_scale - 0.5
    expected = (geometry.map_points(matrix, points) + 0.5) * fixed_scale - 0.5
    np.testing.assert_allclose(geometry.map_points(restated, resized), expected, atol=1e-6)


def test_q25_ten_pixels_are_five_at_half_the_size():
    shift = np.array([(1, 0, 10.0), (0, 1, 0), (0, 0, 1)])
    assert geometry.scaled(shift, 0.5, 0.5)[0, 2] == pytest.approx(5)


def test_points_beyond_the_horizon_are_nowhere():
    matrix = np.array([(1, 0, 0), (0, 1, 0), (-0.02, 0, 1.0)])  # the horizon is at x = 50
    moved = geometry.map_points(matrix, [(10, 5), (50, 5), (59, 5)])
    assert np.isfinite(moved[0]).all()
    assert np.isnan(moved[1:]).all()
    assert math.isinf(geometry.corner_shifts(matrix, SHAPE).max())
    assert not geometry.is_convex(matrix, SHAPE)


def test_turned_over_is_seen_by_area_and_order():
    mirror = np.array([(-1, 0, 59.0), (0, 1, 0), (0, 0, 1)])
    assert geometry.area_ratio(mirror, SHAPE) == pytest.approx(-1)
    assert not geometry.is_convex(mirror, SHAPE)
    turn = np.array([(0, -1, 39.0), (1, 0, 0), (0, 0, 1)])
    assert geometry.is_convex(turn, SHAPE)
    assert geometry.area_ratio(2 * np.eye(3) - np.diag([0, 0, 1]), SHAPE) == pytest.approx(4)


def test_corner_error_is_the_mean_distance():
    shift = np.array([(1, 0, 3.0), (0, 1, 4.0), (0, 0, 1)])
    assert geometry.corner_error(shift, np.eye(3), SHAPE) == pytest.approx(5)
    assert geometry.corner_shifts(shift, SHAPE) == pytest.approx([5] * 4)


@pytest.mark.parametrize(
    ("matrix", "says"),
    [
        (np.zeros((3, 3)), "infinity"),
        (np.diag([1.0, 0, 1]), "not invertible"),
        (np.full((3, 3), np.nan), "NaN"),
        (np.eye(4), "shape \\(4, 4\\)"),
        ("abc", "not numbers"),
    ],
)
def test_unusable_matrices_are_refused_by_name(matrix, says):
    with pytest.raises(InputError, match=says):
        geometry.as_matrix(matrix)


def test_matrices_are_scaled_and_completed():
    assert geometry.as_matrix(2 * np.eye(3))[2, 2] == 1
    assert geometry.as_matrix([(1, 0, 5), (0, 1, 6)]).tolist() == [[1, 0, 5], [0, 1, 6], [0, 0, 1]]
