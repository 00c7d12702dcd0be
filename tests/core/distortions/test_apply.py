"""The contract for images: dtype, range, channels, stacks, holes, sizes, and what is refused."""

import numpy as np
import pytest

import napari_iqmaps as iq
from napari_iqmaps.core.distortions import distortion, distortions

GREY = tuple(name for name in distortions() if not distortion(name).needs_colour)
SMOOTH = ("gaussian_blur", "contrast_loss", "gamma_high", "vignetting", "gaussian_noise", "haze", "downsampling")


@pytest.fixture(scope="module")
def image():
    return np.random.default_rng(0).integers(0, 256, (33, 41, 3), dtype=np.uint8)


@pytest.mark.parametrize("name", distortions())
def test_dtype_shape_and_range_are_kept(name, image):
    cases = [
        (image, None),
        (image.astype(np.uint16) * 257, None),
        (image.astype(np.int16) - 100, (-100, 155)),
        (image.astype(np.float16) / 255, 1),
        (image.astype(np.float32) / 255, 1),
        (image * 1e6 + 5e6, (5e6, 5e6 + 255e6)),
    ]
    for pixels, data_range in cases:
        before = pixels.copy()
        result = iq.distort(pixels, name, 5, data_range=data_range, channel_axis=-1)
        low, high = (0, np.iinfo(pixels.dtype).max) if data_range is None else (
            (0, data_range) if data_range == 1 else data_range
        )  # fmt: skip
        assert result.dtype == pixels.dtype
        assert result.shape == pixels.shape
        assert low <= result.min() < result.max() <= high
        np.testing.assert_array_equal(pixels, before)


@pytest.mark.parametrize("name", distortions())
def test_16_bits_are_8_bits_times_257(name, image):
    eight = iq.distort(image, name, 3, channel_axis=-1).astype(float)
    sixteen = iq.distort(image.astype(np.uint16) * 257, name, 3, channel_axis=-1) / 257
    np.testing.assert_allclose(eight, sixteen, atol=0.51)


@pytest.mark.parametrize("name", SMOOTH)
def test_a_float_image_is_not_rounded(name, image):
    result = iq.distort(image / 255, name, 3, data_range=1, channel_axis=-1)
    np.testing.assert_allclose(255 * result, iq.distort(image, name, 3, channel_axis=-1), atol=0.51)
    assert np.abs(255 * result - np.rint(255 * result)).max() > 0.4


@pytest.mark.parametrize("name", distortions())
@pytest.mark.parametrize("size", [(8, 8), (9, 31)])
def test_small_and_odd_sizes(name, size, image):
    small = image[: size[0], : size[1]]
    cases = [(small, -1)] if distortion(name).needs_colour else [(small, -1), (small[..., 0], None)]
    for pixels, channel_axis in cases:
        result = iq.distort(pixels, name, 5, channel_axis=channel_axis)
        assert result.shape == pixels.shape
        assert not np.array_equal(result, pixels)


@pytest.mark.parametrize("name", GREY)
def test_a_hole_stays_a_hole_and_stays_alone(name, image):
    grey = image[..., 0] / 255
    grey[10:12, 20:23] = np.nan
    grey[30, 5] = np.inf
    result = iq.distort(grey, name, 3, data_range=1)
    np.testing.assert_array_equal(np.isfinite(result), np.isfinite(grey))
    assert result[30, 5] == np.inf


def test_masked_pixels_stay(image):
    masked = np.ma.masked_array(image[..., 0], image[..., 0] > 200)
    result = iq.distort(masked, "gaussian_blur", 3)
    np.testing.assert_array_equal(result.mask, masked.mask)
    np.testing.assert_array_equal(result.data[masked.mask], masked.data[masked.mask])
    # A value behind the mask reaches no neighbour.
    other = np.ma.masked_array(np.where(masked.mask, 0, masked.data), masked.mask)
    np.testing.assert_array_equal(iq.distort(other, "gaussian_blur", 3).filled(0), result.filled(0))


def test_alpha_stays(image):
    alpha = np.arange(33 * 41, dtype=np.uint8).reshape(33, 41, 1)
    result = iq.distort(np.concatenate([image, alpha], axis=-1), "gaussian_noise", 4, channel_axis=-1)
    np.testing.assert_array_equal(result[..., 3:], alpha)
    np.testing.assert_array_equal(result[..., :3], iq.distort(image, "gaussian_noise", 4, channel_axis=-1))


def test_channels_may_lie_anywhere(image):
    expected = iq.distort(image, "motion_blur", 3, channel_axis=-1)
    result = iq.distort(np.moveaxis(image, -1, 0), "motion_blur", 3, channel_axis=0)
    np.testing.assert_array_equal(np.moveaxis(result, 0, -1), expected)
    grey = image[..., :1]
    one = iq.distort(grey, "jpeg", 3, channel_axis=-1)
    np.testing.assert_array_equal(one[..., 0], iq.distort(grey[..., 0], "jpeg", 3))


def test_each_plane_has_its_own_draw():
    stack = np.full((2, 3, 16, 18), 100, np.uint8)
    result = iq.distort(stack, "gaussian_noise", 3, seed=4)
    np.testing.assert_array_equal(result[0, 0], iq.distort(stack[0, 0], "gaussian_noise", 3, seed=4))
    planes = result.reshape(6, -1)
    assert len(np.unique(planes, axis=0)) == 6


@pytest.mark.parametrize("channel_axis", [None, 1])
def test_lazily_the_same(channel_axis):
    array = pytest.importorskip("dask.array")
    shape = (2, 3, 20, 24)
    stack = np.random.default_rng(1).integers(0, 256, shape, dtype=np.uint8)
    lazy = array.from_array(stack, chunks=(1, 2, 7, 24))
    result = iq.distort(lazy, "speckle_noise", 3, channel_axis=channel_axis)
    assert (result.shape, result.dtype) == (shape, np.uint8)
    np.testing.assert_array_equal(np.asarray(result), iq.distort(stack, "speckle_noise", 3, channel_axis=channel_axis))


def test_severity_zero_is_a_copy(image):
    beyond = image / 100.0  # outside the range: unchanged all the same
    result = iq.distort(beyond, "haze", 0, data_range=1, channel_axis=-1)
    np.testing.assert_array_equal(result, beyond)
    assert not np.shares_memory(result, beyond)


@pytest.mark.parametrize("severity", [0.5, -1, 5.1, np.nan, True, "3", None])
def test_what_is_no_severity(severity):
    with pytest.raises(iq.InputError, match="1 .just visible. to 5"):
        iq.distort(np.zeros((8, 8), np.uint8), "jpeg", severity)


def test_what_is_refused():
    plane = np.zeros((16, 16), np.uint8)
    for image, name, options, message in (
        (plane, "gausian_noise", {}, "Did you mean gaussian_noise"),
        (plane, "tilt", {}, "There are gaussian_noise, "),
        (plane, 3, {}, "name is 3; give a text"),
        (plane > 0, "jpeg", {}, "bool"),
        (plane / 1.0, "jpeg", {}, "data_range"),
        (plane[:, :7], "jpeg", {}, "16x7 pixels"),
        (plane, "saturation_loss", {}, "grey.*channel_axis"),
        (plane[..., np.newaxis], "colour_cast", {"channel_axis": -1}, "grey"),
        (plane, "jpeg", {"seed": -1}, "whole number"),
        (plane, "jpeg", {"seed": 0.5}, "whole number"),
        (np.zeros((8, 65501), np.uint8), "jpeg", {}, "8x65501.*65500"),
        (np.zeros((8, 40000), np.uint8), "jitter", {}, "32766"),
        (np.zeros((8, 40000, 3), np.uint8), "chromatic_aberration", {"channel_axis": -1}, "32766"),
    ):
        with pytest.raises(iq.InputError, match=message):
            iq.distort(image, name, 1, **options)
    with pytest.raises(iq.InputError, match="Choose one of noise, blur"):
        iq.distortions(family="sound")
    with pytest.raises(iq.InputError, match="no strength"):
        distortion("jpeg").strength(0)
