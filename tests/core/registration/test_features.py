"""Matched points: fitting through outliers, and refusals with a reason."""

from __future__ import annotations

import numpy as np
import pytest

from napari_iqmaps.core.registration.candidates import Options
from napari_iqmaps.core.registration.features import propose_equalised, propose_plain, propose_views
from napari_iqmaps.core.registration.geometry import FEWEST, TRANSFORMS, corner_error, fit_matrix, map_points

from .scenes_for_registration import TRUTH, as_pair_of, photograph, seen_by

TURN = np.deg2rad(10)
MOTIONS = {
    "homography": TRUTH,
    "affine": np.array([(1.05, 0.1, 4), (-0.06, 0.95, -3), (0, 0, 1.0)]),
    "euclidean": np.array([(np.cos(TURN), -np.sin(TURN), 8), (np.sin(TURN), np.cos(TURN), 2), (0, 0, 1.0)]),
    "translation": np.array([(1, 0, 5.5), (0, 1, -7.25), (0, 0, 1.0)]),
}


@pytest.mark.parametrize("transform", TRANSFORMS)
def test_a_motion_is_found_through_half_wrong_matches(transform):
    rng = np.random.default_rng(1)
    starts = rng.uniform(0, 200, (120, 2))
    ends = map_points(MOTIONS[transform], starts) + rng.normal(0, 0.2, (120, 2))
    ends[60:] = rng.uniform(0, 200, (60, 2))
    fit = fit_matrix(starts, ends, transform, seed=3)
    assert fit.reason == ""
    assert fit.inliers[:60].all()
    assert fit.inliers[60:].sum() <= 3
    assert corner_error(fit.matrix, MOTIONS[transform], (200, 200)) < 0.6
    again = fit_matrix(starts, ends, transform, seed=3)
    np.testing.assert_array_equal(again.matrix, fit.matrix)


@pytest.mark.parametrize("transform", TRANSFORMS)
def test_q20_too_few_points_are_a_reason_not_a_crash(transform):
    few = np.random.default_rng(0).uniform(0, 50, (FEWEST[transform] - 1, 2))
    fit = fit_matrix(few, few, transform)
    assert fit.matrix is None
    assert f"at least {FEWEST[transform]}" in fit.reason
    assert not fit.inliers.any()


def test_q20_points_on_one_line_are_a_reason_not_a_crash():
    line = np.column_stack([np.arange(4.0), np.arange(4.0)])
    fit = fit_matrix(line, line + 3)
    assert fit.matrix is None
    assert "one line" in fit.reason


@pytest.mark.parametrize("propose", [propose_equalised, propose_plain])
def test_sift_finds_a_known_motion(propose):
    moving, fixed = seen_by(photograph(), TRUTH)
    (candidate,) = propose(as_pair_of(moving, fixed), Options())
    assert corner_error(candidate.matrix, TRUTH, moving.shape) < 1
    assert 20 <= candidate.inliers <= candidate.n_matches
    apart = map_points(candidate.matrix, candidate.moving_points) - candidate.fixed_points
    assert np.hypot(*apart.T).max() < 3.5


def test_simulated_views_see_through_a_squeeze_that_plain_sift_does_not():
    image = photograph(200)
    squeezed = np.array([(0.3, 0.0, 60), (0.1, 1.0, -10), (0, 0, 1.0)])
    moving, fixed = seen_by(image, squeezed)
    pair = as_pair_of(moving, fixed)
    (plain,) = propose_plain(pair, Options())
    views = propose_views(pair, Options())[0]
    assert views.inliers > 2 * plain.inliers
    assert corner_error(views.matrix, squeezed, moving.shape) < 3


def test_a_flat_image_gives_a_reason():
    (candidate,) = propose_plain(as_pair_of(np.full((64, 64), 7, np.uint8), photograph(64)), Options())
    assert candidate.matrix is None
    assert "0 matched points" in candidate.reason
