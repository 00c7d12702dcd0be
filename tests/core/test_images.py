"""The contract for arrays: what every subject may rely on, and every refusal."""

import dask.array as da
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from napari_iqmaps import InputError
from napari_iqmaps.core.images import REC709_WEIGHTS, as_planes, check_same_shape

EVERYTHING = (slice(None), slice(None))

grey8 = hnp.arrays(np.uint8, hnp.array_shapes(min_dims=2, max_dims=2, min_side=1, max_side=12))


def whole(image, **options):
    return as_planes(image, **options).read((), *EVERYTHING)


@given(grey8)
def test_the_same_picture_in_other_dtypes_is_the_same_luminance(image):
    expected = image.astype(np.float32)
    assert np.array_equal(whole(image), expected)
    assert np.array_equal(whole(image.astype(np.uint16) * 257), expected)
    assert np.array_equal(whole(image.astype(">i4") * 1000 + 7, data_range=(7, 255_007)), expected)
    np.testing.assert_allclose(whole(image / 255.0, data_range=1), expected, atol=2e-5)
    np.testing.assert_allclose(whole(image.astype(np.float16), data_range=(0, 255)), expected)


def test_wide_integers_keep_small_differences_on_a_large_offset():
    image = np.array([[0, 1, 2, 255]], np.int64) + 3_000_000_000
    assert np.array_equal(whole(image, data_range=(3_000_000_000, 3_000_000_255)), [[0, 1, 2, 255]])


def test_bool_is_black_and_white():
    assert np.array_equal(whole(np.array([[True, False]])), [[255, 0]])


def test_values_outside_the_range_are_clipped():
    assert np.array_equal(whole(np.array([[-1.0, 0.5, 9.0]]), data_range=1), [[0, 127.5, 255]])


@given(hnp.arrays(np.uint8, (4, 5, 3)))
def test_colour_is_the_rec_709_luma_wherever_the_channels_are(image):
    expected = (image * np.array(REC709_WEIGHTS)).sum(-1)
    for axis in (0, 1, 2, -1):
        np.testing.assert_allclose(whole(np.moveaxis(image, -1, axis), channel_axis=axis), expected, atol=1e-4)


def test_alpha_is_ignored_and_one_channel_is_grey():
    grey = np.arange(20, dtype=np.uint8).reshape(4, 5)
    alpha = np.stack([grey, grey, grey, 255 - grey], axis=-1)
    np.testing.assert_allclose(whole(alpha, channel_axis=-1), grey, atol=1e-4)
    assert np.array_equal(whole(grey[..., None], channel_axis=-1), grey)


def test_nan_infinite_and_masked_pixels_are_holes():
    image = np.array([[0.0, np.nan, np.inf, -np.inf, 1.0]])
    assert np.array_equal(np.isnan(whole(image, data_range=1)), [[False, True, True, True, False]])
    masked = np.ma.array(np.array([[1, 2, 3]], np.uint8), mask=[[False, True, False]])
    assert np.array_equal(whole(masked), [[1, np.nan, 3]], equal_nan=True)
    colour = np.zeros((1, 2, 3))
    colour[0, 1, 2] = np.nan
    assert np.array_equal(np.isnan(whole(colour, data_range=1, channel_axis=-1)), [[False, True]])


def test_a_window_is_the_whole_cut_out_also_by_repeating_indices():
    image = np.arange(2 * 6 * 7 * 3, dtype=np.uint8).reshape(2, 6, 7, 3)
    planes = as_planes(image, channel_axis=-1)
    assert planes.shape == (2, 6, 7)
    plane = planes.read((1,), *EVERYTHING)
    assert np.array_equal(planes.read((1,), slice(2, 5), slice(1, 3)), plane[2:5, 1:3])
    rows = np.array([1, 0, 0, 5])
    assert np.array_equal(planes.read((1,), rows, slice(1, 3)), plane[rows, 1:3])


def test_the_input_is_never_written_to():
    image = np.array([[0.0, np.nan, 2.0]], np.float32)
    before = image.copy()
    whole(image, data_range=1)
    assert np.array_equal(image, before, equal_nan=True)


@pytest.mark.parametrize("channel_axis", [None, 1])
def test_lazy_luminance_equals_the_eager_one_and_computes_nothing_early(channel_axis):
    shape = (3, 10, 11) if channel_axis is None else (3, 3, 10, 11)
    image = np.random.default_rng(0).random(shape)
    image[..., 4, 5] = np.nan

    def read(block):
        assert block.size, "computed before it was asked for"
        return block

    lazy = da.from_array(image, chunks=4).map_blocks(read, dtype=image.dtype, meta=np.empty((0,) * image.ndim))
    planes = as_planes(lazy, data_range=1, channel_axis=channel_axis)
    eager = as_planes(image, data_range=1, channel_axis=channel_axis)
    result = planes.lazy_luminance()
    assert result.dtype == np.float32
    assert result.shape == eager.shape == (3, 10, 11)
    computed = result.compute()
    for plane in range(3):
        assert np.array_equal(computed[plane], eager.read((plane,), *EVERYTHING), equal_nan=True)


GREY = np.zeros((20, 30), np.uint8)


@pytest.mark.parametrize(
    ("image", "options", "says"),
    [
        pytest.param(GREY / 255, {}, r"float64.*data_range=\(black, white\)", id="float without a range"),
        pytest.param(GREY.astype(np.int32), {}, "int32.*data_range", id="int32 without a range"),
        pytest.param(GREY[:0], {}, r"empty \(shape \(0, 30\)\)", id="empty"),
        pytest.param(GREY[0], {}, "1 axes.*height and width", id="1-D"),
        pytest.param(GREY * 1j, {}, "complex128.*magnitude", id="complex"),
        pytest.param(np.array([[object()]]), {}, "object.*numbers", id="object"),
        pytest.param("photo.png", {}, "read_image", id="path"),
        pytest.param(np.array([["a", "b"]]), {}, "not numbers", id="text"),
        pytest.param([[1, 2], [3]], {}, "equal length", id="ragged"),
        pytest.param(GREY.astype("M8[s]"), {}, "datetime64", id="dates"),
        pytest.param(GREY, {"data_range": (255, 0)}, r"\(255, 0\).*[Ss]wap", id="upside-down range"),
        pytest.param(GREY, {"data_range": (7, 7)}, r"\(7, 7\)", id="empty range"),
        pytest.param(GREY, {"data_range": 0}, r"\(0, 0\)", id="range of zero"),
        pytest.param(GREY, {"data_range": (0, np.nan)}, "finite", id="NaN range"),
        pytest.param(GREY, {"data_range": (0, np.inf)}, "finite", id="infinite range"),
        pytest.param(GREY, {"data_range": (0, 1, 2)}, "3 values", id="three values"),
        pytest.param(GREY, {"data_range": "full"}, "'full'", id="range as text"),
        pytest.param(GREY, {"channel_axis": 2}, "channel_axis is 2.*axes 0 to 1", id="channel axis out of range"),
        pytest.param(GREY, {"channel_axis": 0.5}, "0.5", id="channel axis not whole"),
        pytest.param(np.zeros((20, 30, 7), np.uint8), {"channel_axis": -1}, "7 channels along axis 2", id="7 channels"),
        pytest.param(np.zeros((20, 30, 3), np.uint8), {}, "channel_axis=-1", id="colour taken for a stack"),
        pytest.param(np.zeros((20, 3), np.uint8), {"channel_axis": -1}, "1 axes beside its channels", id="colour line"),
    ],
)
def test_bad_input_is_refused_by_name_with_the_numbers_and_the_remedy(image, options, says):
    with pytest.raises(InputError, match=says):
        as_planes(image, **options)


def test_different_sizes_are_refused_with_both_sizes():
    with pytest.raises(InputError, match=r"left.*right.*20x30, 20x29"):
        check_same_shape(as_planes(GREY), as_planes(GREY[:, 1:]), ("left", "right"))


@given(st.sampled_from([(2, 3, 4), (5, 20, 3)]))
def test_small_stacks_of_narrow_planes_are_not_taken_for_colour(shape):
    assert as_planes(np.zeros(shape, np.uint8)).shape == shape
