"""The two closed forms alone: where they lie and what they say. `test_blind` has every map beside the whole pass."""

import numpy as np
import pytest
from skimage import data

import napari_iqmaps as iq

PHOTO = data.camera()[100:251, 180:313]


def noisy(image, sigma=12, seed=0):
    return np.clip(image + np.random.default_rng(seed).normal(0, sigma, image.shape), 0, 255).round().astype(np.uint8)


@pytest.mark.parametrize("shift", [1, 2, 3])
def test_an_image_moved_by_less_than_a_cell_has_about_the_moved_map(shift):
    """Cells cannot follow a part of a cell, but the best match has to be at that shift, and not beside it."""
    wide, noise = data.camera()[96:256, 160:321], noisy(data.camera()[96:256, 160:321])
    for make in (
        lambda part: iq.reliability_map(wide[part]),
        lambda part: iq.objective_error_map(noise[part], wide[part]),
    ):
        one, other = (make((slice(None), part)).values for part in (slice(None, -shift), slice(shift, None)))
        width = other.shape[1] - 56
        misfits = [np.abs(one[:, 24 + s : 24 + s + width] - other[:, 24 : 24 + width]).mean() for s in range(8)]
        assert np.argmin(misfits) == shift


def test_a_turned_image_has_the_turned_reliability():
    """With a cell on the first and the last row and column a flip keeps the grid: any shift would show."""
    image, reference = noisy(PHOTO[:97, :89]), PHOTO[:97, :89]
    for flip in (np.flipud, np.fliplr):
        turned = iq.reliability_map(flip(image)).values
        np.testing.assert_allclose(turned, flip(iq.reliability_map(image).values), atol=1e-5)
        turned = iq.objective_error_map(flip(image), flip(reference)).values
        np.testing.assert_allclose(turned, flip(iq.objective_error_map(image, reference).values), atol=1e-5)


def test_equal_images_have_no_objective_error_and_more_noise_has_more():
    scores = [iq.objective_error_map(noisy(PHOTO, sigma), PHOTO).score for sigma in (0, 2, 8, 25)]
    assert scores[0] == 0
    assert scores == sorted(scores)
    assert iq.objective_error_map(PHOTO, noisy(PHOTO)).score == pytest.approx(
        iq.objective_error_map(noisy(PHOTO), PHOTO).score
    )
    assert scores[-1] < iq.KINDS["objective_error"].limits[1]


def test_the_largest_objective_error_is_below_its_limit():
    board = (255 * (np.indices((64, 64)).sum(axis=0) % 2)).astype(np.uint8)
    found = iq.objective_error_map(board, 255 - board)
    assert 0.95 < found.values.max() <= iq.KINDS["objective_error"].limits[1]


def test_the_objective_error_of_a_known_pair_is_frozen():
    """Of one code value it is (1 / 255) ** .2 = .33, of ten .52."""
    found = iq.objective_error_map(noisy(PHOTO), PHOTO)
    assert found.score == pytest.approx(0.4862, abs=2e-4)
