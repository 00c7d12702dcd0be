"""A mark is read, written and placed as documented."""

import numpy as np
import pytest

from napari_iqmaps import InputError, text_mark
from napari_iqmaps.core.marks import as_change, as_pattern, place, text_for


def test_a_text_has_the_height_that_was_asked_for_and_a_margin():
    mark = text_mark("H", height=40)
    rows = np.flatnonzero((mark > 0.5).any(axis=1))
    assert abs(np.ptp(rows) + 1 - 40) <= 1
    assert mark.dtype == np.float32
    assert (mark.min(), mark.max()) == (0, 1)
    assert not mark[:20].any()
    assert not mark[-20:].any()
    assert not mark[:, :20].any()
    assert not mark[:, -20:].any()


def test_a_text_may_have_lines():
    assert text_mark("a\nb", height=20).shape[0] > 1.6 * text_mark("a", height=20).shape[0]


@pytest.mark.parametrize("shape", [(512, 512), (64, 900), (300, 60), (40, 40)])
def test_a_text_fits_the_image_whose_height_it_takes(shape):
    mark = text_for("hidden", shape, "centre")
    assert mark.shape <= shape
    assert place(mark, shape).sum() == pytest.approx(mark.sum())


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"text": "  "}, "nothing to write"),
        ({"text": "a", "height": 2}, "height is 2"),
        ({"text": "a", "height": True}, "height is True"),
        ({"text": "a" * 4000, "height": 40}, "20000 a side"),
        ({"text": "a", "font": "no-such-font.ttf"}, "There is no file"),
    ],
)
def test_a_text_that_cannot_be_written_says_why(options, message):
    with pytest.raises(InputError, match=message):
        text_mark(**options)


def test_full_and_no_mark_by_dtype():
    ramp = np.array([[0, 128, 255]], np.uint8)
    np.testing.assert_allclose(as_pattern(ramp), [[0, 128 / 255, 1]], rtol=1e-6)
    np.testing.assert_allclose(as_pattern(ramp.astype(np.uint16) * 257), [[0, 128 / 255, 1]], rtol=1e-6)
    np.testing.assert_array_equal(as_pattern(ramp > 0), [[0, 1, 1]])
    np.testing.assert_array_equal(as_pattern(np.array([[-1, 0.5]])), [[-1, 0.5]])
    np.testing.assert_allclose(as_pattern(ramp, mark_range=(255, 0)), [[1, 127 / 255, 0]], rtol=1e-6)


def test_what_is_transparent_masked_or_no_number_is_no_mark():
    logo = np.full((2, 3, 4), 255, np.uint8)
    logo[0, 0, 3] = 0
    logo[0, 1, 3] = 51
    np.testing.assert_allclose(as_pattern(logo)[0], [0, 0.2, 1], rtol=1e-6)
    masked = np.ma.array(np.ones((1, 2)), mask=[[True, False]])
    np.testing.assert_array_equal(as_pattern(masked), [[0, 1]])
    np.testing.assert_array_equal(as_pattern(np.array([[np.nan, np.inf, 1.0]])), [[0, 0, 1]])


def test_colours_count_by_their_luminance():
    green = np.zeros((1, 1, 3), np.uint8)
    green[..., 1] = 255
    assert as_pattern(green)[0, 0] == pytest.approx(0.7152)


@pytest.mark.parametrize(
    ("mark", "options", "message"),
    [
        (np.full((2, 2), 3.0), {}, "values from 3 to 3"),
        (np.zeros((2, 2), np.uint8), {}, "empty"),
        (np.full((2, 2), 255, np.uint8), {"mark_range": (255, 0)}, r"mark_range=\(0, 255\)"),
        (np.ones((2, 2), np.int32), {}, "int32"),
        (np.ones((2, 2)), {"mark_range": (1, 1)}, "two different"),
        (np.ones(3), {}, r"shape \(3,\)"),
        (np.ones((2, 2, 5)), {}, r"shape \(2, 2, 5\)"),
        (np.empty((0, 2)), {}, "shape"),
        (np.ones((2, 2), complex), {}, "complex"),
        ([[1, 2], [3]], {}, "not an array"),
    ],
)
def test_what_is_no_mark_says_why(mark, options, message):
    with pytest.raises(InputError, match=message):
        as_pattern(mark, **options)


def test_a_mark_in_code_values_stays_as_it_is():
    np.testing.assert_array_equal(as_change(np.array([[-7, 300]], np.int16)), [[-7, 300]])
    for mark in ("text", np.ones((2, 2), bool)):
        with pytest.raises(InputError, match="amplitude="):
            as_change(mark)
    with pytest.raises(InputError, match="0 at every pixel"):
        as_change(np.zeros((2, 2)))


def test_placement():
    mark = np.array([[1, 2], [3, 4]], np.float32) / 4
    centre = place(mark, (4, 6))
    np.testing.assert_array_equal(centre[1:3, 2:4], mark)
    assert centre.sum() == mark.sum()
    np.testing.assert_array_equal(place(mark, (3, 5), "tile"), np.tile(mark, (2, 3))[:3, :5])
    assert place(mark, (9, 7), "stretch").shape == (9, 7)
    np.testing.assert_array_equal(place(mark, (3, 3), (-1, 2)), [[0, 0, 0.75], [0, 0, 0], [0, 0, 0]])
    np.testing.assert_array_equal(place(mark, (2, 2), "stretch"), mark)


def test_stretching_a_large_mark_keeps_thin_strokes():
    lines = np.zeros((400, 400), np.float32)
    lines[::20] = 1
    assert place(lines, (40, 40), "stretch").mean() == pytest.approx(lines.mean(), rel=0.1)


@pytest.mark.parametrize(
    ("placement", "message"),
    [
        ("centre", "larger than the image"),
        ((9, 0), "no part of the mark"),
        ("left", "placement is 'left'"),
        ((1.5, 2), "placement is"),
        (3, "placement is 3"),
    ],
)
def test_a_placement_that_does_not_work_says_why(placement, message):
    with pytest.raises(InputError, match=message):
        place(np.ones((9, 2), np.float32), (8, 8), placement)
