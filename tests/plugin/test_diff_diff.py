"""The widget "Diff-diff": what it judges, where it shows it, and that the tolerance is followed at once."""

import time

import numpy as np
import pytest
from napari.layers import Layer

import napari_iqmaps as iq
from napari_iqmaps.core.diffdiff import diff_diff_assess, overlay
from napari_iqmaps.plugin import samples
from napari_iqmaps.plugin.canvas import canvas_of
from napari_iqmaps.plugin.diff_diff import AS_PLACED, guessed_roles
from napari_iqmaps.plugin.diff_diff_layers import BETTER, WORSE

ROLES = ("before", "after", "map", "marks", "blocks")


def test_a_given_registration_is_judged_on_the_pixels_of_the_fixed_image(
    viewer, trio, add_trio, open_judge, judged, layer_of
):
    *_, fixed = add_trio(scale=(2, 3), translate=(5, 6))
    widget = open_judge()
    result = judged(widget)
    expected = diff_diff_assess(*trio, valid="border")
    shown = layer_of("map")
    np.testing.assert_array_equal(shown.data, expected.maps["diff_diff"].values)
    assert shown.name == "Diff-diff: registered → fixed"
    assert shown.colormap.name == "PiYG"
    assert shown.contrast_limits[0] == -shown.contrast_limits[1]
    assert result.score.verdict == "better"
    assert widget.summary.sentence.text() == expected.score.sentence()
    assert f"{expected.score.local_ncc_after:.2f}" in widget.summary.sentence.text()
    for role in ROLES:
        layer = layer_of(role)
        np.testing.assert_array_equal(layer.scale, fixed.scale)
        np.testing.assert_array_equal(layer.translate, fixed.translate)
    assert len(viewer.layers) == 3 + len(ROLES)
    judged(widget)
    assert len(viewer.layers) == 3 + len(ROLES)


def test_the_layers_follow_the_names_of_the_images(viewer, add_trio, open_judge, judged, layer_of):
    moving, registered, fixed = add_trio()
    judged(open_judge())
    layers = {role: layer_of(role) for role in ROLES}
    layers["marks"].name = "mine"
    fixed.name, registered.name, moving.name = "still", "warped", "first"
    assert [layer.name for layer in layers.values()] == [
        "Before: first → still", "After: warped → still", "Diff-diff: warped → still", "mine", "Blocks: warped → still"
    ]  # fmt: skip
    assert layers["marks"].metadata["iqmaps"]["source"] == "warped → still"


def test_marks_and_blocks_say_what_they_mean(viewer, add_trio, open_judge, judged, layer_of):
    add_trio()
    widget = open_judge()
    result = judged(widget)
    marks, blocks, canvas = layer_of("marks"), layer_of("blocks"), canvas_of(viewer)
    widget.views.button("Marks").click()
    at = tuple(int(number) for number in np.argwhere(marks.data == BETTER)[0])
    told = marks.get_status(at, dims_displayed=[0, 1], world=True)
    assert told["value"] == "better by more than the tolerance"
    viewer.cursor.position = at
    assert canvas.value_under_cursor(layer_of("map")) == told["value"]
    widget.views.button("Blocks").click()
    block = result.score.blocks[0]
    centre = (block.top + block.height / 2, block.left + block.width / 2)
    told = blocks.get_status(centre, dims_displayed=[0, 1], world=True)
    assert told["value"].startswith(f"{block.verdict} (")
    assert f"{block.count} of {block.n_valid} pixels changed" in told["value"]
    viewer.cursor.position = centre
    assert canvas.value_under_cursor(layer_of("map")) == told["value"]


def test_marks_and_overlays_are_the_core_s(trio, add_trio, open_judge, judged, layer_of):
    add_trio()
    widget = open_judge()
    result = judged(widget)
    values, tol = result.quality_map.values, result.score.tol
    marks = layer_of("marks").data
    np.testing.assert_array_equal(marks == BETTER, values > tol)
    np.testing.assert_array_equal(marks == WORSE, values < -tol)
    moving, registered, fixed = (layer.contrast_limits for layer in widget.layers.images["moving"].choices)
    assert moving == registered == fixed == [0, 255]
    np.testing.assert_array_equal(layer_of("before").data, overlay(trio[0], trio[2]))
    np.testing.assert_array_equal(layer_of("after").data, overlay(trio[1], trio[2]))
    assert layer_of("after").rgb


def test_the_tolerance_is_followed_without_a_new_map(
    trio, add_trio, open_judge, judged, layer_of, qtbot, patience, monkeypatch
):
    add_trio()
    widget = open_judge()
    automatic = judged(widget)
    shown, blocks = layer_of("map"), layer_of("blocks")
    values, before = shown.data, layer_of("marks").data.copy()
    assert widget.tolerance.is_automatic
    assert widget.tolerance.value == pytest.approx(automatic.score.tol, abs=0.26)
    monkeypatch.setattr("napari_iqmaps.plugin.diff_diff_run.diff_diff_assess", None)
    reach = widget.tolerance.slider.max
    tol = round(0.6 * reach, 1)
    widget.tolerance.slider.value = tol
    widget.views.button("Marks").click()
    qtbot.waitUntil(lambda: widget._current[0].score.tol == tol, timeout=patience)
    assert not widget.tolerance.is_automatic
    expected = diff_diff_assess(*trio, valid="border", tol=tol).score
    assert shown.data is values
    assert 0 < (layer_of("marks").data > 0).sum() == (np.abs(values) > tol).sum() < (before > 0).sum()
    assert widget._current[0].score.count == expected.count < automatic.score.count
    assert widget.summary.sentence.text() == expected.sentence()
    assert widget.summary.result.row()["tol"] == tol
    assert widget.summary.histogram._lines == (-tol, tol)
    # What is not seen waits until the slider rests.
    counts = [block.count for block in expected.blocks]
    qtbot.waitUntil(lambda: list(blocks.features["count"]) == counts, timeout=patience)
    widget.tolerance.box.value = True
    qtbot.waitUntil(lambda: widget._current[0].score.count == automatic.score.count, timeout=patience)


def test_lines_of_the_histogram_move_over_the_same_drawing(add_trio, open_judge, judged, drawn):
    add_trio()
    widget = open_judge()
    judged(widget)
    histogram = widget.summary.histogram
    first = drawn(histogram)
    drawing = histogram._image
    histogram.show_lines(-1, 1)
    second = histogram.grab().toImage()
    assert first != second
    assert histogram._image is drawing
    histogram.show_lines()
    assert histogram.grab().toImage() not in (first, second)


def test_blocks_are_shapes_with_their_numbers(add_trio, open_judge, judged, layer_of):
    add_trio()
    widget = open_judge()
    result = judged(widget)
    layer = layer_of("blocks")
    assert len(layer.data) == 25
    one, block = layer.data[7], result.score.blocks[7]
    assert tuple(one.min(axis=0)) == (block.top - 0.5, block.left - 0.5)
    assert tuple(one.max(axis=0) - one.min(axis=0)) == (block.height, block.width)
    features = layer.features
    assert features["score"][7] == pytest.approx(block.score, nan_ok=True)
    assert list(features["label"]) == [f"{b.score:.2f}" if b.scored else "" for b in result.score.blocks]
    assert {"row", "column", "count", "verdict", "local_ncc_after"} <= set(features.columns)
    for colour, each in zip(layer.face_color, result.score.blocks, strict=True):
        assert colour[3] == pytest.approx(0.75 * abs(2 * each.score - 1) if each.scored else 0, abs=1e-6)
        assert not each.scored or each.score == 0.5 or (colour[1] > colour[0]) == (each.score > 0.5)
    widget.options["grid"].value = 2
    judged(widget)
    assert len(layer_of("blocks").data) == 4
    widget.options["grid"].value = 0
    judged(widget)
    assert layer_of("blocks") is None


def test_two_stacks_go_frame_by_frame(viewer, trio, open_judge, judged, layer_of):
    moving, registered, fixed = trio
    for name, images in (("moving", [moving, fixed]), ("registered", [registered, fixed]), ("fixed", [fixed, moving])):
        viewer.add_image(np.stack(images), name=name)
    widget = open_judge()
    result = judged(widget)
    expected = diff_diff_assess(moving, registered, fixed, valid="border").score
    assert result.score.planes[0].count == expected.count
    assert layer_of("map").data.shape == (2, *fixed.shape)


def test_a_region_is_judged_alone(viewer, trio, add_trio, open_judge, judged, layer_of):
    add_trio()
    corners = np.array([[19.5, 29.5], [19.5, 79.5], [69.5, 79.5], [69.5, 29.5]])
    shapes = viewer.add_shapes(corners, shape_type="rectangle", name="here")
    widget = open_judge()
    widget.layers.region.value = shapes
    result = judged(widget)
    assert np.isfinite(layer_of("map").data).sum() == result.score.n_valid == 50 * 50
    assert np.isfinite(layer_of("map").data[20:70, 30:80]).all()
    assert widget.summary.sentence.text() == result.score.sentence()


def test_views_let_one_thing_be_seen(viewer, add_trio, open_judge, judged, layer_of):
    layers = dict(zip(("moving", "registered", "fixed"), add_trio(), strict=True))
    widget = open_judge()
    assert widget.views.isHidden()
    judged(widget)
    layers |= {role: layer_of(role) for role in ROLES}
    seen = lambda: {name for name, layer in layers.items() if layer.visible}  # noqa: E731
    assert seen() == {"fixed", "map"}
    for name, expected in (("Before", "before"), ("After", "after"), ("Marks", "marks"), ("Blocks", "blocks")):
        widget.views.button(name).click()
        assert seen() == {"fixed", expected}
    judged(widget)
    assert seen() == {"fixed", "blocks"}
    # A second judgement of the pair has layers of its own, and the first ones do not show through.
    widget.layers.images["registered"].value = None
    widget.options["method"].value = AS_PLACED
    judged(widget)
    assert seen() == {"fixed"}
    assert [layer.name for layer in viewer.layers if layer.visible] == ["fixed", "Blocks: moving → fixed"]


def test_it_follows_the_images_into_the_same_layers(
    viewer, trio, add_trio, open_judge, finish, layer_of, qtbot, patience
):
    _, registered, _ = add_trio()
    widget = open_judge()
    widget.follow.setChecked(True)
    qtbot.waitUntil(lambda: layer_of("map") is not None, timeout=patience)
    finish(widget)
    shown = layer_of("map")
    registered.data = trio[0]
    qtbot.waitUntil(lambda: not np.nan_to_num(shown.data).any(), timeout=patience)
    finish(widget)
    assert widget._current[0].score.verdict == "unchanged"
    assert layer_of("map") is shown


def test_a_cancelled_run_leaves_what_was(viewer, trio, open_judge, qtbot, finish, monkeypatch, patience):
    from napari_iqmaps.plugin import diff_diff_run

    def endless(*_, progress, **__):
        while True:
            progress(1, 3)
            time.sleep(0.005)

    monkeypatch.setattr(diff_diff_run, "register", endless)
    viewer.add_image(trio[0], name="a")
    viewer.add_image(trio[2], name="b")
    widget = open_judge()
    widget.run()
    qtbot.waitUntil(lambda: "26%" in widget.status.text(), timeout=patience)
    widget.button.click()
    finish(widget)
    assert len(viewer.layers) == 2
    assert "Stopped" in widget.status.text()


def test_layers_find_their_parts_by_name(viewer, trio, open_judge):
    widget = open_judge()
    chosen = lambda: [getattr(chooser.value, "name", None) for chooser in widget.layers.images.values()]  # noqa: E731
    for image, name in zip(trio, ("moving", "registered", "fixed"), strict=True):
        viewer.add_image(image, name=name)
    assert chosen() == ["moving", "fixed", "registered"]
    assert "judges 'registered'" in widget.message.text()
    assert guessed_roles(list(viewer.layers)[::2]).keys() == {"fixed", "moving"}


def test_two_images_are_moving_and_fixed_in_their_order(viewer, trio, open_judge):
    viewer.add_image(trio[0], name="one")
    viewer.add_image(trio[2], name="two")
    widget = open_judge()
    assert [chooser.value and chooser.value.name for chooser in widget.layers.images.values()] == ["one", "two", None]


def test_options_are_open_where_they_matter(add_trio, open_judge):
    add_trio()
    widget = open_judge()
    enabled = lambda: {name for name, option in widget.options.items() if option.enabled}  # noqa: E731
    registering = {"method", "transform", "max_shift", "min_overlap", "min_inliers", "seed", "result"}
    assert {"grid", "illumination", "median", "smooth", "border", "black_border"} <= enabled()
    assert not registering & enabled()
    widget.layers.images["registered"].value = None
    assert registering <= enabled()
    assert "black_border" not in enabled()
    widget.options["method"].value = AS_PLACED
    assert registering & enabled() == {"method"}


def twice(layers):
    layers["registered"].value = layers["moving"].value


def same(layers):
    layers["fixed"].value = layers["moving"].value


def elsewhere(layers):
    layers["registered"].value.affine = [[1, 0, 4], [0, 1, 0], [0, 0, 1]]


def smaller(layers):
    layers["registered"].value.data = layers["registered"].value.data[:-1]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (twice, "both as the moving image and as the registered image"),
        (same, "both as the moving image and as the fixed image"),
        (elsewhere, AS_PLACED),
        (smaller, "one grid"),
    ],
)
def test_what_does_not_work_is_told(add_trio, open_judge, told, finish, viewer, change, message):
    add_trio()
    widget = open_judge()
    change(widget.layers.images)
    widget.run()
    finish(widget)
    assert message in told[-1]
    assert message in widget.status.text()
    assert len(viewer.layers) == 3


def test_colours_and_other_sizes(viewer, trio, open_judge, judged, layer_of):
    moving, _, fixed = (np.stack([image, image // 2, image // 3], axis=-1) for image in trio)
    viewer.add_image(moving[:-4], name="a")
    viewer.add_image(fixed, name="b")
    widget = open_judge()
    widget.options["method"].value = AS_PLACED
    result = judged(widget)
    assert layer_of("map").data.shape == fixed.shape[:2]
    assert np.isnan(layer_of("map").data[-4:]).all()
    assert result.score.count == 0  # placed as they are, nothing has moved


@pytest.mark.parametrize("sample", [samples.relit_registration, samples.wrong_way_registration])
def test_the_samples_are_judged_as_they_were_made(sample):
    moving, registered, fixed = (Layer.create(*layer).data for layer in sample())
    score = iq.diff_diff_score(moving, registered, fixed, valid="border")
    assert score.verdict == ("better" if sample is samples.relit_registration else "worse")
