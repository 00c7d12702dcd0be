"""The coloured picture: its pixels are the map's, and the legend is there."""

import matplotlib
import numpy as np
import pytest
from PIL import Image

import napari_iqmaps as iq
from napari_iqmaps.core import io
from napari_iqmaps.core.io.legend import provenance, sheet_of
from napari_iqmaps.core.io.sheet import HOLE_GREY

GREY = np.round(np.array(HOLE_GREY) * 255)


def ramp(shape=(120, 200), kind="visibility", **info):
    values = np.linspace(0, 1, shape[-1], dtype=np.float32) * np.ones(shape, np.float32)
    score = values.mean(axis=(-2, -1))
    return iq.QualityMap(values, kind, float(score) if score.ndim == 0 else score, info)


def drawn(quality_map, path):
    sheet = sheet_of(quality_map)
    sheet.write(path)
    return np.array(Image.open(path).convert("RGB")), sheet


def shown(picture, sheet, number=0):
    left, top, width, height = sheet.boxes[number]
    return picture[top : top + height : sheet.zoom, left : left + width : sheet.zoom]


def texts(sheet):
    figure = sheet.drawn()
    axes = [text for ax in figure.axes for text in ax.findobj(matplotlib.text.Text)]
    return " ".join(text.get_text() for text in [*figure.texts, *axes])


def test_the_colours_are_the_maps_own_pixel_by_pixel(tmp_path):
    quality_map = ramp()
    picture, sheet = drawn(quality_map, tmp_path / "map.png")
    expected = matplotlib.colormaps["magma"](quality_map.values, bytes=True)[..., :3]
    np.testing.assert_array_equal(shown(picture, sheet), expected)


def test_native_resolution_up_to_4096_and_whole_factors_beyond(tmp_path):
    _, sheet = drawn(ramp((300, 1500)), tmp_path / "map.png")
    assert sheet.boxes[0][2:] == (1500, 300)
    assert sheet.zoom == 1
    _, sheet = drawn(ramp((16, 5000)), tmp_path / "map.png")
    assert sheet.boxes[0][2:] == (2500, 8)
    assert "1:2" in sheet.caption


def test_holes_are_grey_and_named(tmp_path):
    quality_map = ramp()
    quality_map.values[10:20, 30:50] = np.nan
    picture, sheet = drawn(quality_map, tmp_path / "map.png")
    assert (shown(picture, sheet)[10:20, 30:50] == GREY).all()
    assert "no answer: 0.833 %" in texts(sheet)
    _, sheet = drawn(ramp(), tmp_path / "map.png")
    assert "no answer" not in texts(sheet)


def test_the_legend_says_numbers_unit_meaning_and_score(tmp_path):
    for kind in iq.KINDS.values():
        quality_map = ramp(kind=kind.name, model="contrast", weights="contrast", weights_sha256="abcdef0123", stride=4)
        text = texts(sheet_of(quality_map))
        for part in (kind.title, kind.unit, "−0.5" if kind.is_signed else "0.4", "abcdef01", "stride 4"):  # noqa: RUF001
            assert part in text
        for words in (kind.low_means, kind.high_means, quality_map.sentence()):
            assert set(words.split()) <= set(text.split())
    picture, sheet = drawn(quality_map, tmp_path / "map.png")
    left, top, width, height = sheet.boxes[0]
    beside = picture[top : top + 200, left + width :]
    below = picture[top + height + 5 :]
    assert (beside < 100).any()
    assert (below < 100).any()


def test_limits_come_from_the_table_of_kinds():
    values = np.full((100, 100), 2, np.float32)
    values[0, 0] = 90
    sheet = sheet_of(iq.QualityMap(values, "threshold", 2.0, {}))
    scale = sheet.panels[0].scale
    assert (scale.low, scale.high) == iq.KINDS["threshold"].display_limits(values)
    assert scale.has_above
    assert not scale.has_below


def test_a_stack_is_a_sheet_on_one_scale(tmp_path):
    quality_map = ramp((5, 60, 90))
    quality_map.values[2] *= 0.5
    picture, sheet = drawn(quality_map, tmp_path / "map.png")
    assert len(sheet.boxes) == 5
    assert sum(panel.scale is not None for panel in sheet.panels) == 1
    colours = matplotlib.colormaps["magma"](quality_map.values, bytes=True)[..., :3]
    for number in range(5):
        np.testing.assert_array_equal(shown(picture, sheet, number), colours[number])
    boxes = {(left, top) for left, top, _, _ in sheet.boxes}
    assert len(boxes) == 5


def test_a_long_stack_is_thinned_and_says_so():
    sheet = sheet_of(ramp((200, 8, 9)))
    assert len(sheet.panels) == 64
    assert "64 of the 200 planes" in sheet.caption


@pytest.mark.parametrize("shape", [(1, 1), (1, 300), (300, 1), (3, 3), (2, 1, 5)])
def test_odd_shapes(tmp_path, shape):
    picture, sheet = drawn(ramp(shape), tmp_path / "map.png")
    assert picture.shape[1] >= 390  # there is room for the words
    assert len(sheet.boxes) == (2 if len(shape) == 3 else 1)


def test_no_answer_anywhere(tmp_path):
    quality_map = iq.QualityMap(np.full((40, 50), np.nan, np.float32), "threshold", np.nan, {})
    picture, sheet = drawn(quality_map, tmp_path / "map.png")
    assert (shown(picture, sheet) == GREY).all()
    assert "100 %" in texts(sheet)
    assert "no valid pixel" in sheet.caption


def test_dollars_are_no_mathematics(tmp_path):
    io.write_map(ramp(model="$a_{$", not_enough_evidence="$x^$"), tmp_path / "map.png")


def test_the_users_matplotlib_settings_change_nothing(tmp_path):
    usual, _ = drawn(ramp(), tmp_path / "usual.png")
    with matplotlib.rc_context({"savefig.bbox": "tight", "savefig.dpi": 30, "savefig.transparent": True}):
        other, _ = drawn(ramp(), tmp_path / "other.png")
    np.testing.assert_array_equal(usual, other)


def test_provenance_says_who_looks_and_from_where():
    info = {"stride": 4, "observer": "practised", "pixels_per_degree": 60.0, "window": 57, "version": "9"}
    assert provenance(info) == "stride 4, practised observer, 60 pixels per degree, window 57, napari-iqmaps 9"


def test_provenance_shows_no_folders():
    line = provenance({"weights": "/somewhere/private/mine.safetensors", "data_range": (0.0, 1.0), "version": "9"})
    assert line == "weights mine.safetensors (sha256 ), black 0, white 1, napari-iqmaps 9"


def test_a_map_without_evidence_is_grey_and_stamped(tmp_path):
    reason = "it is small."
    vivid, sheet = drawn(ramp(), tmp_path / "map.png")
    assert np.ptp(shown(vivid, sheet).astype(int), axis=-1).mean() > 20
    dim, sheet = drawn(ramp(not_enough_evidence=reason), tmp_path / "map.png")
    pixels = shown(dim, sheet)
    assert np.ptp(pixels.astype(int), axis=-1).max() == 0
    height, width = pixels.shape[:2]
    plate = pixels[height // 2 - 10 : height // 2 + 10, width // 10 : -width // 10]
    assert (plate == 255).any()  # the letters
    assert [panel.stamp for panel in sheet.panels] == ["Not enough evidence"]


def test_of_a_stack_only_the_planes_without_evidence_are_stamped(tmp_path):
    stack = ramp((3, 40, 60), not_enough_evidence="plane 1: it is small.", planes_enough_evidence=[True, False, True])
    picture, sheet = drawn(stack, tmp_path / "map.png")
    assert [bool(panel.stamp) for panel in sheet.panels] == [False, True, False]
    greys = [np.ptp(shown(picture, sheet, number).astype(int), axis=-1).max() == 0 for number in range(3)]
    assert greys == [False, True, False]
    assert not sheet.panels[1].scale.is_dimmed  # the bar beside the upper row is that of the others
