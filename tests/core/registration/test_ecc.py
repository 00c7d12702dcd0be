"""Refinement on the images: direction, precision, robustness to light, and losing its way honestly."""

from __future__ import annotations

import numpy as np
import pytest
from skimage import data

from napari_iqmaps.core.registration import dense
from napari_iqmaps.core.registration.candidates import Options
from napari_iqmaps.core.registration.geometry import corner_error

from .scenes_for_registration import TRUTH, as_pair_of, photograph, seen_by


def test_a_nearly_right_matrix_becomes_right_under_another_light():
    moving, fixed = seen_by(photograph(), TRUTH)
    x = np.linspace(0.6, 1.0, fixed.shape[1])
    darker = (255 * (fixed / 255.0) ** 1.4 * x).astype(np.uint8)
    start = TRUTH.copy()
    start[:2, 2] += 1.5, -1.0
    refined = dense.refine(as_pair_of(moving, darker), start, Options(), start=0)
    assert corner_error(start, TRUTH, moving.shape) > 1.5
    # The mean over four corners, two of which lie in a dark border, of a picture of 160 pixels.
    assert corner_error(refined, TRUTH, moving.shape) < 0.3


def test_from_the_identity_coarse_to_fine():
    moving, fixed = seen_by(photograph(), TRUTH)
    candidate = dense.propose_ecc(as_pair_of(moving, fixed), Options())[0]
    assert corner_error(candidate.matrix, TRUTH, moving.shape) < 0.3


@pytest.mark.parametrize("transform", ["affine", "euclidean", "translation"])
def test_a_stiffer_motion_stays_one(transform):
    moving, fixed = seen_by(photograph(), np.array([(1, 0, 3.0), (0, 1, -2.0), (0, 0, 1)]))
    matrix = dense.refine(as_pair_of(moving, fixed), np.eye(3), Options(transform=transform), start=2)
    np.testing.assert_array_equal(matrix[2], [0, 0, 1])
    np.testing.assert_allclose(matrix[:2, 2], [3, -2], atol=0.5)
    turn = matrix[:2, :2]
    if transform == "translation":
        np.testing.assert_array_equal(turn, np.eye(2))
    if transform == "euclidean":
        np.testing.assert_allclose(turn @ turn.T, np.eye(2), atol=1e-6)


def test_an_image_thrown_out_of_the_frame_is_lost():
    moving, fixed = seen_by(photograph(), TRUTH)
    away = np.array([(1, 0, 500.0), (0, 1, 0), (0, 0, 1)])
    assert dense.refine(as_pair_of(moving, fixed), away, Options(), start=0) is None


def test_normalising_takes_out_light():
    image = photograph().astype(np.float32)
    darker = image * 0.5 + 20
    first, second = dense.normalise(image, floor=0.01), dense.normalise(darker, floor=0.01)
    np.testing.assert_allclose(first, second, atol=5e-3)


@pytest.mark.parametrize("place", [(100, 100, 200, 220), (20, 20, 160, 240)])
def test_what_lies_beyond_the_border_of_one_image_only_does_not_pull(place):
    """The same pixels in two crops: a local mean near a border knows other surroundings in each."""
    row, column, height, width = place
    scene = data.camera()
    fixed = scene[row : row + height, column : column + width]
    moving = scene[row + 6 : row + 6 + height, column - 4 : column - 4 + width]
    truth = np.array([(1.0, 0, -4), (0, 1, 6), (0, 0, 1)])
    refined = dense.refine(as_pair_of(moving, fixed), truth, Options(), start=1)
    assert corner_error(refined, truth, moving.shape) < 0.12
