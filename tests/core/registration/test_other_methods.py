"""Phase correlation, and the methods that are other packages."""

import sys

import cv2
import numpy as np
import pytest
from skimage import data

import napari_iqmaps as iq
from napari_iqmaps.core.progress import Steps
from napari_iqmaps.core.registration import dense, external
from napari_iqmaps.core.registration.candidates import Options
from napari_iqmaps.core.registration.geometry import corner_error
from napari_iqmaps.core.registration.images import as_pair

SCENE = cv2.resize(data.camera(), (240, 200), interpolation=cv2.INTER_AREA)
AFFINE = np.array([[1.02, -0.02, 3.0], [0.015, 0.99, -2.0], [0, 0, 1.0]])


def moved(matrix, shape=(200, 240)):
    return cv2.warpPerspective(SCENE, matrix, shape[::-1], borderMode=cv2.BORDER_REFLECT)


def shift(dx, dy):
    return np.array([[1.0, 0, dx], [0, 1, dy], [0, 0, 1]])


@pytest.mark.parametrize(("dx", "dy"), [(7, -4), (-20.5, 11.25), (0, 0)])
def test_phase_correlation_finds_a_shift_under_another_light(dx, dy):
    fixed = (np.linspace(0.5, 1, 240) * moved(shift(dx, dy)) + 20).astype(np.uint8)
    (candidate,) = dense.propose_phase(as_pair(SCENE, fixed), Options())
    assert corner_error(candidate.matrix, shift(dx, dy), SCENE.shape) < 0.3
    assert candidate.info["response"] > 0.1


def test_phase_correlation_of_other_sizes():
    (candidate,) = dense.propose_phase(as_pair(SCENE, SCENE[10:180, 5:200]), Options())
    np.testing.assert_allclose(candidate.matrix[:2, 2], [-5, -10], atol=0.3)
    large = cv2.resize(SCENE, (1320, 1100))
    (candidate,) = dense.propose_phase(as_pair(large, np.roll(large, (22, -33), (0, 1))), Options())
    np.testing.assert_allclose(candidate.matrix[:2, 2], [-33, 22], atol=1)


def test_phase_correlation_of_different_things_has_no_peak():
    noise = np.random.default_rng(0).integers(0, 256, (2, 128, 128)).astype(np.uint8)
    for images in (noise, (SCENE, SCENE[:, ::-1]), (np.full((64, 64), 9, np.uint8),) * 2):
        (candidate,) = dense.propose_phase(as_pair(*images), Options())
        assert candidate.matrix is None
        assert "no more than noise" in candidate.reason


@pytest.mark.parametrize(
    ("transform", "truth"),
    [("translation", shift(5, -3)), ("euclidean", shift(5, -3)), ("affine", AFFINE), ("homography", AFFINE)],
)
def test_stackreg_goes_from_moving_to_fixed(transform, truth):
    pytest.importorskip("pystackreg")
    (candidate,) = external.propose_stackreg(as_pair(SCENE, moved(truth)), Options(transform=transform))
    assert corner_error(candidate.matrix, truth, SCENE.shape) < 0.5


def test_stackreg_cuts_images_to_one_size():
    pytest.importorskip("pystackreg")
    (candidate,) = external.propose_stackreg(
        as_pair(SCENE, moved(shift(4, 2))[:180, :230]), Options(transform="translation")
    )
    np.testing.assert_allclose(candidate.matrix[:2, 2], [4, 2], atol=0.2)


@pytest.mark.parametrize(
    ("propose", "package"), [(external.propose_stackreg, "pystackreg"), (external.propose_elastix, "itk")]
)
def test_a_missing_package_is_named_with_how_to_install_it(propose, package, monkeypatch):
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(iq.InputError, match=r"pip install 'napari-iqmaps\[registration\]'"):
        propose(as_pair(SCENE, SCENE), Options())


def test_elastixs_parameters_become_a_matrix_about_its_centre():
    turn, centre = 0.3, np.array([100.0, 50.0])
    backward = external._backward("rigid", np.array([turn, 4.0, -2.0]), centre)
    np.testing.assert_allclose(backward @ [*centre, 1], [104, 48, 1])
    np.testing.assert_allclose(backward @ [101, 50, 1], [104 + np.cos(turn), 48 + np.sin(turn), 1])
    affine = external._backward("affine", np.array([1.1, 0.2, -0.1, 0.9, 3.0, 5.0]), centre)
    np.testing.assert_allclose(affine @ [*centre, 1], [103, 55, 1])
    np.testing.assert_allclose(affine[:2, :2], [[1.1, 0.2], [-0.1, 0.9]])
    shifted = external._backward("translation", np.array([3.0, 5.0]), np.zeros(2))
    np.testing.assert_allclose(shifted, shift(3, 5))


@pytest.mark.parametrize("method", ["phase", "translation", "dd", "matches", "stackreg"])
def test_each_method_serves_a_registration(method):
    if method == "stackreg":
        pytest.importorskip("pystackreg")
    truth = shift(6, -9)
    fixed = (0.8 * moved(truth) + 10).astype(np.uint8)
    matches = iq.quasi_dense_matches(SCENE, fixed) if method == "matches" else None
    result = iq.register(SCENE, fixed, method=method, transform="translation", matches=matches)
    assert result.accepted, result.reason
    assert result.method.startswith(method)
    assert corner_error(result.matrix, truth, SCENE.shape) < 0.3


def test_cancelling():
    def stop(done, total):
        raise iq.Cancelled

    with pytest.raises(iq.Cancelled):
        dense.propose_phase(as_pair(SCENE, SCENE), Options(steps=Steps(stop)))
