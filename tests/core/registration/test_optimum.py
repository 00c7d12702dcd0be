"""Whether a matrix is a local optimum: good already, or bad and unchanged."""

import cv2
import numpy as np
import pytest
from skimage import data

import napari_iqmaps as iq

SCENE = cv2.resize(data.camera(), (260, 220), interpolation=cv2.INTER_AREA)
MATRIX = np.array([[1.01, -0.01, 4.0], [0.012, 1.0, -3.0], [2e-5, 0, 1.0]])


def pair(noise=4.0):
    rng = np.random.default_rng(0)
    window = np.array([[1.0, 0, -20], [0, 1, -20], [0, 0, 1]])
    views = [cv2.warpPerspective(SCENE, view @ window, (210, 170)).astype(float) for view in (np.eye(3), MATRIX)]
    return [(view + rng.normal(0, noise, view.shape)).clip(0, 255).astype(np.uint8) for view in views]


@pytest.mark.parametrize("options", [{}, {"illumination": "none", "tol": 8.0}], ids=["local", "none"])
def test_the_truth_is_an_optimum_and_the_identity_is_none(options):
    moving, fixed = pair()
    truth = iq.local_optimum(moving, fixed, MATRIX, **options)
    assert truth.is_optimum, truth.sentence()
    assert "is a local optimum" in truth.sentence()
    start = iq.local_optimum(moving, fixed, **options)
    assert not start.is_optimum
    assert start.gains.max() > 0.01
    assert start.best_move[1] in start.sentence()


def test_the_best_move_is_the_one_that_was_left_out():
    moving, fixed = pair()
    # The top right corner held back by 2 px to the left, all others in place.
    places = np.float32([[0, 0], [209, 0], [209, 169], [0, 169]])
    ends = np.stack([(MATRIX @ [*place, 1])[:2] / (MATRIX @ [*place, 1])[2] for place in places])
    ends[1] -= [2, 0]
    short = cv2.getPerspectiveTransform(places, np.float32(ends))
    result = iq.local_optimum(moving, fixed, short)
    assert not result.is_optimum
    assert result.best_move == ("top right", "right")


@pytest.mark.parametrize("step", [0.5, 1.0])
def test_q15_interpolation_of_noise_wins_nothing(step):
    rng = np.random.default_rng(1)
    noise = (128 + rng.normal(0, 8, (2, 200, 200))).clip(0, 255).astype(np.uint8)
    result = iq.local_optimum(*noise, step=step)
    assert (result.soft > 0).all()  # every move gains something, whatever its direction
    assert result.is_optimum, result.gains


def test_refusals_and_cancelling():
    moving, fixed = pair()
    with pytest.raises(iq.InputError, match="step is 0"):
        iq.local_optimum(moving, fixed, step=0)
    with pytest.raises(iq.InputError, match="margin is -1"):
        iq.local_optimum(moving, fixed, margin=-1)
    with pytest.raises(iq.InputError, match="tolerance of 0"):
        iq.local_optimum(moving, fixed, tol=0)
    with pytest.raises(iq.InputError, match="covers nothing"):
        iq.local_optimum(moving, fixed, [[1, 0, 900], [0, 1, 0], [0, 0, 1]])

    def stop(done, total):
        raise iq.Cancelled

    with pytest.raises(iq.Cancelled):
        iq.local_optimum(moving, fixed, progress=stop)
