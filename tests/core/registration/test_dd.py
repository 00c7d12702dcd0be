"""The matrix with the best diff-diff: found, judged, and not fooled."""

import subprocess
import sys
import textwrap

import cv2
import numpy as np
import pytest
from skimage import data

import napari_iqmaps as iq
from napari_iqmaps.core.progress import Steps
from napari_iqmaps.core.registration import direct
from napari_iqmaps.core.registration.candidates import Options
from napari_iqmaps.core.registration.direct import SoftObjective, freedom, motion, smoothed
from napari_iqmaps.core.registration.geometry import corner_error, corner_shifts
from napari_iqmaps.core.registration.images import as_pair

SCENE = cv2.resize(data.camera(), (288, 240), interpolation=cv2.INTER_AREA)
SHAPE = (208, 256)
HOMOGRAPHY = np.array([[1.015, -0.02, 6.0], [0.018, 1.01, -5.0], [4e-5, -3e-5, 1.0]])
TURN = np.deg2rad(1.5)
EUCLIDEAN = np.array([[np.cos(TURN), -np.sin(TURN), 5.3], [np.sin(TURN), np.cos(TURN), -2.2], [0, 0, 1]])
AFFINE = np.array([[1.02, 0.01, -3.5], [-0.015, 0.99, 4.0], [0, 0, 1]])
SHIFT = np.array([[1.0, 0, 3.4], [0, 1, -6.7], [0, 0, 1]])


def pair(matrix, noise=3.0, light=True):
    """The scene from two places, the second under another light, both with noise."""
    rng = np.random.default_rng(0)
    window = np.array([[1.0, 0, -16], [0, 1, -16], [0, 0, 1]])
    views = [cv2.warpPerspective(SCENE, view @ window, SHAPE[::-1]).astype(float) for view in (np.eye(3), matrix)]
    if light:
        views[1] = views[1] * np.linspace(0.7, 1.0, SHAPE[1]) + 15
    return [(view + rng.normal(0, noise, SHAPE)).clip(0, 255).astype(np.uint8) for view in views]


def small_pair():
    """A part of the shifted scene that is worked on at one level: quick."""
    return as_pair(*(image[:110, :120] for image in pair(SHIFT)))


@pytest.mark.parametrize(("transform", "truth"), [("homography", HOMOGRAPHY), ("euclidean", EUCLIDEAN)])
def test_a_known_motion_is_found_under_another_light(transform, truth):
    (candidate,) = direct.propose_dd(as_pair(*pair(truth)), Options(transform=transform))
    assert corner_error(candidate.matrix, truth, SHAPE) < 0.35
    assert not candidate.refine
    assert candidate.info["soft"] > 0.05
    assert [level["scale"] for level in candidate.info["trace"]] == [0.5, 1.0]


def test_q29_only_the_best_matrix_and_a_short_trace_are_kept():
    (candidate,) = direct.propose_dd(small_pair(), Options(transform="translation"))
    assert corner_error(candidate.matrix, SHIFT, (110, 120)) < 0.35
    assert not any(isinstance(value, np.ndarray) for value in candidate.info.values())
    assert len(candidate.info["trace"]) == 1
    assert all(set(level) == {"scale", "evaluations", "soft", "tol"} for level in candidate.info["trace"])


def test_equal_seeds_give_equal_matrices_and_numpys_own_random_state_stays():
    images = small_pair()
    np.random.seed(7)  # noqa: NPY002 - it is the global state that is looked at
    expected = np.random.RandomState(7).uniform()
    first, second = (direct.propose_dd(images, Options(transform="translation", seed=3))[0].matrix for _ in range(2))
    assert np.random.uniform() == expected  # noqa: NPY002
    np.testing.assert_array_equal(first, second)


def test_a_bound_on_the_shift_is_kept():
    (candidate,) = direct.propose_dd(small_pair(), Options(transform="translation", max_shift=4.0))
    assert candidate.matrix is None or corner_shifts(candidate.matrix, (110, 120)).max() <= 4.0


def test_nothing_to_gain_is_a_reason():
    flat = np.full((120, 120), 80, np.uint8)
    (candidate,) = direct.propose_dd(as_pair(flat, flat), Options(transform="translation"))
    assert candidate.matrix is None
    assert "no motion scores better than none at all" in candidate.reason


def test_cancelling_and_progress():
    def stop(done, total):
        if done >= 5:
            raise iq.Cancelled

    with pytest.raises(iq.Cancelled):
        direct.propose_dd(small_pair(), Options(transform="translation", steps=Steps(stop)))


def test_cma_leaves_the_warning_filters_as_they_are():
    """In a process of its own, since cma adds its filters when it is first imported."""
    code = """
        import sys, warnings
        import numpy as np, scipy.stats
        import napari_iqmaps as iq
        scene = np.random.default_rng(0).integers(0, 255, (16, 16)).astype(np.uint8).repeat(8, 0).repeat(8, 1)
        before = list(warnings.filters)
        found = iq.register(scene[3:, 2:], scene[:-3, :-2], method="dd", transform="translation")
        print("cma" in sys.modules, found.method, warnings.filters == before)
    """
    found = subprocess.run([sys.executable, "-c", textwrap.dedent(code)], capture_output=True, text=True, check=False)
    assert found.stdout.split() == ["True", "dd", "True"], found.stdout + found.stderr


def objective(truth=SHIFT, min_overlap=0.5):
    moving, fixed = (smoothed(image.astype(np.float32)) for image in pair(truth, light=False))
    return SoftObjective.between(moving, fixed, np.eye(3), 20.0, min_overlap)


def test_q4_the_objective_rises_all_the_way_to_the_truth_and_falls_behind_it():
    judge = objective()
    scores = []
    for part in (0.0, 0.25, 0.5, 0.75, 1.0, 1.25, 1.5):
        matrix = np.eye(3)
        matrix[:2, 2] = part * SHIFT[:2, 2]
        scores.append(judge(matrix))
    assert scores[0] == 0
    assert np.all(np.diff(scores[:5]) > 0)
    assert np.all(np.diff(scores[4:]) < 0)


def test_q34_an_image_thrown_out_of_the_frame_scores_worst():
    judge = objective()
    away = np.array([[1.0, 0, 150], [0, 1, 0], [0, 0, 1]])  # 106 of 256 columns are left
    assert judge(away) == -1
    assert objective(min_overlap=0.3)(away) > -1


def test_q28_a_corner_moved_by_half_a_pixel_moves_the_score():
    judge = objective()
    make = motion("homography", SHAPE, SHIFT)
    here = judge(make(np.zeros(8)))
    for number in range(8):
        step = np.zeros(8)
        step[number] = 0.5
        assert judge(make(step)) != here  # the count for a raw entry of the matrix, 1e-6 on, does not change at all


@pytest.mark.parametrize("transform", ["homography", "affine", "euclidean", "translation"])
def test_zero_numbers_give_the_start_and_equal_ones_a_shift(transform):
    make = motion(transform, SHAPE, AFFINE)
    np.testing.assert_allclose(make(np.zeros(freedom(transform))), AFFINE, atol=1e-9)
    numbers = np.resize([2.0, -3.0], freedom(transform))
    numbers[2:] *= transform in ("homography", "affine")
    shifted = make(numbers)
    np.testing.assert_allclose(shifted, np.array([[1, 0, 2], [0, 1, -3], [0, 0, 1.0]]) @ AFFINE, atol=1e-9)


def test_a_turn_moves_the_corners_by_its_number():
    make = motion("euclidean", SHAPE, np.eye(3))
    assert corner_shifts(make(np.array([0.0, 0.0, 2.0])), SHAPE) == pytest.approx(2.0, abs=1e-3)
