"""Resampling: directions, sizes, borders, dtypes, holes."""

from __future__ import annotations

import numpy as np
import pytest
from skimage.transform import ProjectiveTransform, warp

from napari_iqmaps.core.errors import InputError
from napari_iqmaps.core.registration.warp import find_holes, valid_pixels, warp_image


def shift(x: float, y: float) -> np.ndarray:
    return np.array([(1, 0, x), (0, 1, y), (0, 0, 1.0)])


def picture(dtype: str = "uint8", shape: tuple[int, ...] = (40, 60)) -> np.ndarray:
    rng = np.random.default_rng(5)
    if dtype == "bool":
        return rng.random(shape) < 0.5
    return (rng.random(shape) * (1 if dtype.startswith("float") else 250)).astype(dtype)


@pytest.mark.parametrize(
    "dtype", ["bool", "uint8", "int16", "uint16", "int32", "int64", "float16", "float32", "float64"]
)
def test_whole_pixels_are_copied_exactly_in_every_dtype(dtype):
    image = picture(dtype)
    moved = warp_image(image, shift(5, 3), image.shape)
    assert moved.dtype == image.dtype
    np.testing.assert_array_equal(moved[3:, 5:], image[:-3, :-5])
    outside = moved[:3]
    assert np.isnan(outside).all() if image.dtype.kind == "f" else not outside.any()


@pytest.mark.parametrize("dtype", ["uint8", "float32", "int32"])
def test_the_identity_changes_nothing(dtype):
    image = picture(dtype)
    np.testing.assert_array_equal(warp_image(image, np.eye(3), image.shape), image)
    assert valid_pixels(np.eye(3), image.shape, image.shape).all()


def test_q1_the_result_has_the_fixed_images_size():
    moved = warp_image(picture(), shift(2, 1), (30, 90))
    assert moved.shape == (30, 90)
    np.testing.assert_array_equal(moved[1:, 2:62], picture()[:29])


def test_q3_a_pixel_is_valid_only_with_its_whole_footprint():
    valid = valid_pixels(shift(2.5, 0), (4, 8), (4, 8))
    assert valid[0].tolist() == [False] * 3 + [True] * 5
    valid = valid_pixels(shift(-2.5, 0), (4, 8), (4, 8))
    assert valid[0].tolist() == [True] * 5 + [False] * 3


@pytest.mark.parametrize("seed", range(3))
def test_perspective_agrees_with_scikit_image(seed):
    rng = np.random.default_rng(seed)
    image = picture("float64", (50, 70))
    matrix = np.eye(3) + rng.normal(0, [[0.05, 0.05, 3], [0.05, 0.05, 3], [3e-4, 3e-4, 0]])
    moved = warp_image(image, matrix, (45, 80))
    expected = warp(image, ProjectiveTransform(matrix).inverse, output_shape=(45, 80), order=1, cval=np.nan)
    valid = valid_pixels(matrix, image.shape, (45, 80))
    assert valid.mean() > 0.3
    # OpenCV's coordinates have steps of 1/32 pixel in some releases.
    np.testing.assert_allclose(moved[valid], expected[valid], atol=0.04)
    assert np.isnan(expected[valid]).sum() == 0
    assert np.isnan(moved[~valid]).all()


def test_nothing_beyond_the_horizon_is_valid():
    # Seen from the fixed image, the horizon of this motion is its column 50.
    matrix = np.linalg.inv(np.array([(1, 0, 0), (0, 1, 0), (-0.02, 0, 1.0)]))
    valid = valid_pixels(matrix, (40, 60), (40, 100))
    # Column x shows column x / (1 - x / 50) of the moving image, up to its last one, 59.
    assert valid[0].tolist() == [x <= 27 for x in range(100)]


def test_holes_and_what_touches_them_are_invalid():
    image = picture("float32")
    image[10, 20] = np.nan
    moved = warp_image(image, shift(0.5, 0), image.shape)
    assert np.isnan(moved[10, 20])
    assert np.isnan(moved[10, 21])
    assert np.isfinite(moved[10, 22])
    assert np.isfinite(moved[9, 20])
    masked = np.ma.masked_less(picture(), 10)
    assert find_holes(masked).sum() == masked.mask.sum()
    assert not warp_image(masked, np.eye(3), masked.shape)[masked.mask].any()


def test_colours_stay_in_the_last_axis():
    image = picture("uint8", (40, 60, 3))
    moved = warp_image(image, shift(4, 0), (40, 60), has_channels=True)
    assert moved.shape == (40, 60, 3)
    np.testing.assert_array_equal(moved[:, 4:], image[:, :-4])
    one = warp_image(image[..., :1], shift(4, 0), (40, 60), has_channels=True)
    assert one.shape == (40, 60, 1)


def test_a_side_beyond_what_coordinates_hold_is_refused():
    with pytest.raises(InputError, match="40000 pixels"):
        warp_image(np.zeros((20, 40000), np.uint8), np.eye(3), (20, 40))
