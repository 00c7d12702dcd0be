"""Preprocessings: what each does, holes, and matrices that come back to the size of the images."""

import cv2
import numpy as np
import pytest
from skimage import data, transform

from napari_iqmaps import InputError
from napari_iqmaps.core.comparison.preprocessing import STEPS, bring_back, preprocessing


@pytest.fixture(scope="module")
def plane():
    return data.camera()[100:228, 150:310].astype(np.float32)  # 128 x 160


def apply(name, image):
    return preprocessing(name).apply(image)


@pytest.mark.parametrize("name", STEPS)
def test_every_step_gives_a_plane_on_the_same_scale(name, plane):
    found, matrix = apply(name, plane)
    assert found.dtype == np.float32
    assert found.shape == ((64, 80) if name == "downsample" else plane.shape)
    assert found.min() >= 0
    assert found.max() <= 255
    assert matrix[2].tolist() == [0, 0, 1]
    assert np.array_equal(found, apply(name, plane).plane)  # and nothing was written into
    if name == "none":
        assert np.array_equal(found, plane)
    else:
        assert not np.array_equal(found, plane[: found.shape[0], : found.shape[1]])


def test_denoising_brings_a_noisy_image_closer(plane):
    noisy = np.clip(plane + np.random.default_rng(1).normal(0, 10, plane.shape), 0, 255).astype(np.float32)
    before = np.abs(noisy - plane).mean()
    for name in ("bilateral", "nlmeans", "smooth"):
        assert np.abs(apply(name, noisy).plane - plane).mean() < 0.9 * before, name


def test_more_clip_gives_more_local_contrast(plane):
    def contrast(image):
        return np.mean([part.std() for row in np.split(image, 4) for part in np.split(row, 5, axis=1)])

    flat = 100 + plane / 10
    values = [contrast(apply(name, flat).plane) for name in ("none", "clahe-light", "clahe-heavy")]
    assert values == sorted(values)
    assert values[2] > 2 * values[1]


def test_q27_tiles_are_large_enough_for_the_clip_limit_to_act(plane):
    # With 20 tiles a side (here of 8 x 6 pixels) the limit is 1 whatever is asked for, and both would be the same.
    codes = plane.astype(np.uint8)
    few = [cv2.createCLAHE(clip, (20, 20)).apply(codes) for clip in (2.0, 8.0)]
    assert np.abs(few[0].astype(int) - few[1]).mean() < 12
    ours = [apply(name, plane).plane for name in ("clahe-light", "clahe-heavy")]
    assert np.abs(ours[0] - ours[1]).mean() > 12


def test_names_have_one_form():
    assert preprocessing(" downsample:2 + clahe-light").name == "downsample+clahe-light"
    assert preprocessing("none+smooth").name == "smooth"
    assert preprocessing("none+none").name == "none"
    assert preprocessing("downsample:4").name == "downsample:4"
    for wrong, says in (
        ("clahe", "no preprocessing 'clahe'"), ("smooth:3", "takes no number"), ("downsample:1", "from 2 to 16"),
        ("downsample:x", "from 2 to 16"), ("", "no preprocessing ''"), ("downsample:", "from 2 to 16"),
    ):  # fmt: skip
        with pytest.raises(InputError, match=says):
            preprocessing(wrong)


def test_steps_are_done_from_left_to_right(plane):
    first, then = apply("clahe-heavy", plane).plane, preprocessing("downsample")
    assert np.array_equal(apply("clahe-heavy+downsample", plane).plane, then.apply(first).plane)
    assert not np.allclose(apply("downsample+clahe-heavy", plane).plane, then.apply(first).plane, atol=5)


def test_holes_stay_holes_and_reach_no_other_pixel_by_nan(plane):
    holed = plane.copy()
    holed[40:45, 60:70] = np.nan
    for name in STEPS:
        found = apply(name, holed).plane
        share = np.isnan(found).mean()
        # Downsampled, a hole takes every pixel that it touches.
        assert np.isnan(found).sum() == (15 if name == "downsample" else 50), name
        assert share < 0.01
    assert np.isnan(apply("smooth", np.full((32, 32), np.nan, np.float32)).plane).all()


def test_too_small_to_downsample(plane):
    with pytest.raises(InputError, match=r"128x160 pixels, downsampled 16 times, would have 8x10"):
        apply("downsample:16", plane)


def test_q25_a_matrix_found_on_smaller_planes_comes_back_to_full_size():
    half = apply("downsample", np.zeros((100, 120), np.float32)).matrix
    third = apply("downsample:3", np.zeros((99, 120), np.float32)).matrix
    shift = np.array([[1, 0, 5], [0, 1, -3], [0, 0, 1.0]])
    assert bring_back(shift, half, half) == pytest.approx(np.array([[1, 0, 10], [0, 1, -6], [0, 0, 1]]))
    # Two scales: a homography of pixels, tried on points through the definition of the scales.
    homography = np.array([[1.02, 0.03, 4], [-0.02, 0.97, -2], [1e-4, -2e-4, 1]])
    full = bring_back(homography, half, third)
    points = np.array([[0, 0], [119, 0], [119, 98], [30.5, 70]])
    small = (points + 0.5) / 2 - 0.5
    moved = transform.ProjectiveTransform(homography)(small)
    back = (moved + 0.5) * 3 - 0.5
    assert transform.ProjectiveTransform(full)(points) == pytest.approx(back)
    assert full[2, 2] == 1


def test_q25_the_half_pixel_is_that_of_the_pixels(plane):
    # The matrix says where a blob of the image lies in the smaller plane, to a hundredth of a pixel.
    y, x = np.mgrid[:128, :161].astype(np.float32)
    blob = 200 * np.exp(-((x - 70.3) ** 2 + (y - 41.8) ** 2) / 50)
    small, matrix = apply("downsample:3", blob)
    rows, columns = np.mgrid[: small.shape[0], : small.shape[1]]
    centre = [(small * where).sum() / small.sum() for where in (columns, rows)]
    assert (matrix @ [70.3, 41.8, 1])[:2] == pytest.approx(centre, abs=0.02)
