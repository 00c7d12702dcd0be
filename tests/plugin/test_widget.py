"""The widget as a user meets it: choose, run, run again, cancel, follow, restrict to a region."""

import dask.array as da
import numpy as np
import pytest

from napari_iqmaps import threshold_map, visibility_map
from napari_iqmaps.plugin import tasks
from napari_iqmaps.plugin.follower import REST_MILLISECONDS
from napari_iqmaps.plugin.visibility import VisibilityThresholds


def test_a_run_makes_one_layer_and_says_the_score(viewer, photo, open_widget, finish):
    viewer.add_image(photo, name="photo", scale=(2, 3))
    widget = open_widget()
    widget.run()
    finish(widget)

    expected = threshold_map(photo, model="contrast")
    (_, layer) = viewer.layers
    np.testing.assert_allclose(layer.data, expected.values)
    np.testing.assert_array_equal(layer.scale, (2, 3))
    assert widget.summary.sentence.text() == expected.sentence()
    assert widget.summary.result.histogram.shares.sum() == pytest.approx(1)
    assert not widget.summary.isHidden()
    assert not widget.summary.histogram.isHidden()
    assert viewer.layers.selection.active.name == "photo"


def test_a_second_run_updates_the_layer_that_the_user_tuned(viewer, photo, open_widget, finish):
    image = viewer.add_image(photo, name="photo")
    widget = open_widget()
    widget.run()
    finish(widget)
    layer = viewer.layers[-1]
    layer.name, layer.colormap, layer.contrast_limits = "mine", "gray", (1, 3)
    image.data = photo // 4
    widget.run()
    finish(widget)

    assert len(viewer.layers) == 2
    assert viewer.layers[-1] is layer
    assert (layer.name, layer.colormap.name, tuple(layer.contrast_limits)) == ("mine", "gray", (1, 3))
    np.testing.assert_allclose(layer.data, threshold_map(photo // 4, model="contrast").values)


def test_a_result_that_was_deleted_comes_as_a_new_layer(viewer, photo, open_widget, finish):
    viewer.add_image(photo, name="photo")
    widget = open_widget()
    widget.run()
    finish(widget)
    viewer.layers.pop()
    widget.run()
    finish(widget)
    assert [layer.name for layer in viewer.layers] == ["photo", "Visibility threshold: photo"]


def test_a_reference_turns_thresholds_into_visibility(viewer, photo, open_widget, finish):
    viewer.add_image(photo, name="clean")
    test = np.clip(photo + np.random.default_rng(0).normal(0, 6, photo.shape), 0, 255).astype(np.uint8)
    viewer.add_image(test, name="noisy")
    widget = open_widget()
    widget.layers.images["image"].value = viewer.layers["noisy"]
    assert "the threshold of 'noisy'" in widget.message.text()
    assert not widget.options["window"].enabled
    widget.layers.images["reference"].value = viewer.layers["clean"]
    assert "difference between 'noisy' and its reference 'clean'" in widget.message.text()
    assert widget.options["window"].enabled
    widget.options["window"].value = 5
    widget.run()
    finish(widget)

    expected = visibility_map(test, photo, model="contrast", window=5)
    np.testing.assert_allclose(viewer.layers[-1].data, expected.values)
    assert viewer.layers[-1].name == "Visibility of the difference: noisy"
    assert widget.summary.result.row()["reference"] == "clean"


def test_what_is_seen_first_is_model_and_observer_and_another_observer_is_named(viewer, photo, open_widget, finish):
    viewer.add_image(photo, name="photo")
    widget = open_widget()
    assert widget.main_options == ("model", "observer")
    assert not widget.options["pixels_per_degree"].enabled
    widget.options["observer"].value = "practised"
    widget.run()
    finish(widget)
    expected = threshold_map(photo, model="contrast", observer="practised")
    np.testing.assert_allclose(viewer.layers[-1].data, expected.values)
    assert "For the practised observer." in widget.summary.sentence.text()
    assert widget.summary.result.row()["observer"] == "practised"
    assert viewer.layers[-1].metadata["iqmaps"]["observer"] == "practised"


def test_thresholds_and_visibility_of_one_image_are_two_layers(viewer, photo, open_widget, finish):
    viewer.add_image(photo, name="a")
    viewer.add_image(255 - photo, name="b")
    widget = open_widget()
    for reference in (None, viewer.layers["a"], None):
        widget.layers.images["reference"].value = reference
        widget.run()
        finish(widget)
    assert [layer.metadata["iqmaps"]["kind"] for layer in viewer.layers[2:]] == ["threshold", "visibility"]


def test_maps_are_not_offered_as_images(viewer, photo, open_widget, finish):
    viewer.add_image(photo, name="photo")
    viewer.add_labels(np.zeros(photo.shape, int))
    widget = open_widget()
    widget.run()
    finish(widget)
    assert [layer.name for layer in widget.layers.images["image"].choices] == ["photo"]


def test_a_renamed_layer_stays_chosen(viewer, photo, open_widget):
    viewer.add_image(photo, name="a")
    second = viewer.add_image(photo, name="b")
    widget = open_widget()
    widget.layers.images["image"].value = second
    second.name = "z"
    assert widget.layers.images["image"].value is second
    assert "'z'" in widget.message.text()


def test_a_stack_says_mean_and_range_of_its_planes(viewer, photo, open_widget, finish):
    viewer.add_image(np.stack([photo, photo // 2, 255 - photo]), name="stack")
    widget = open_widget()
    widget.run()
    finish(widget)
    assert viewer.layers[-1].data.shape == (3, *photo.shape)
    assert "Mean of 3 planes" in widget.summary.sentence.text()


def test_a_lazy_stack_stays_lazy_until_all_planes_are_asked_for(viewer, photo, open_widget, finish):
    stack = np.stack([photo, photo // 2])
    viewer.add_image(da.from_array(stack, chunks=(1, 80, 96)), name="lazy")
    widget = open_widget()
    widget.run()
    finish(widget)
    layer = viewer.layers[-1]
    assert isinstance(layer.data, da.Array)
    assert "not computed yet" in widget.summary.sentence.text()
    assert not widget.summary.compute.isHidden()

    widget.summary.compute.click()
    finish(widget)
    assert viewer.layers[-1] is layer
    assert widget.summary.compute.isHidden()
    np.testing.assert_allclose(layer.data, threshold_map(stack, model="contrast").values, rtol=1e-5)
    assert "Mean of 2 planes" in widget.summary.sentence.text()


def test_what_is_shown_is_what_is_judged(viewer, photo, open_widget, finish):
    """A fluorescence image of 16 bits: as shown it is a photo, over its type's range it would be black."""
    layer = viewer.add_image(photo.astype(np.uint16) + 188, name="cells")
    widget = open_widget()
    low, high = map(int, layer.contrast_limits)
    assert (widget.range.black.value, widget.range.white.value) == (str(low), str(high))
    assert f"Black {low}, white {high}: as shown." in widget.message.text()
    widget.run()
    finish(widget)
    expected = threshold_map(layer.data, data_range=(low, high), model="contrast")
    np.testing.assert_allclose(viewer.layers[-1].data, expected.values, rtol=1e-4)
    assert viewer.layers[-1].metadata["iqmaps"]["data_range"] == (low, high)
    assert np.ptp(viewer.layers[-1].data) > 1

    layer.contrast_limits = (200, 300)
    assert "Black 200, white 300: as shown." in widget.message.text()
    layer.gamma = 0.5
    assert "gamma of 0.5 is not applied" in widget.message.text()


@pytest.mark.parametrize(
    ("rule", "expected", "words"),
    [
        ("whole type", None, "Black 0, white 65535: the range of uint16."),
        ("10 bit", (0, 1023), "Black 0, white 1023: 10 bit."),
        ("12 bit", (0, 4095), "Black 0, white 4095: 12 bit."),
        ("14 bit", (0, 16383), "Black 0, white 16383: 14 bit."),
    ],
)
def test_the_range_can_be_another_than_what_is_shown(viewer, photo, open_widget, rule, expected, words):
    viewer.add_image(photo.astype(np.uint16), name="cells")
    widget = open_widget()
    widget.range.rule.value = rule
    assert widget.range.value_given() == expected
    assert words in widget.message.text()


def test_a_typed_range_holds_for_its_layer_only(viewer, photo, open_widget):
    viewer.add_image(photo / 255, name="float", contrast_limits=(0.125, 0.75))
    other = viewer.add_image(photo, name="bytes")
    widget = open_widget()
    widget.layers.images["image"].value = viewer.layers["float"]
    assert widget.range.value_given() == (0.125, 0.75)
    widget.range.white.value = "1"
    assert widget.range.rule.value == "typed"
    assert widget.range.value_given() == (0.125, 1)
    viewer.layers["float"].contrast_limits = (0.2, 0.5)
    assert widget.range.value_given() == (0.125, 1)
    widget.layers.images["image"].value = other
    assert widget.range.rule.value == "as shown"
    assert widget.range.value_given() is None


def test_one_range_holds_for_both_images_that_of_the_reference(viewer, photo, open_widget, finish):
    test = viewer.add_image(photo, name="test", contrast_limits=(0, 90))
    reference = viewer.add_image(photo[::-1], name="reference", contrast_limits=(10, 220))
    widget = open_widget()
    widget.layers.images["image"].value = test
    assert "Black 0, white 90" in widget.message.text()
    widget.layers.images["reference"].value = reference
    assert "Black 10, white 220" in widget.message.text()
    widget.run()
    finish(widget)
    assert viewer.layers[-1].metadata["iqmaps"]["data_range"] == (10, 220)
    test.contrast_limits = (5, 6)
    assert "Black 10, white 220" in widget.message.text()


def test_colours_have_the_range_of_their_type(viewer, open_widget):
    colours = np.random.default_rng(0).integers(0, 256, (20, 24, 3), dtype=np.uint8)
    viewer.add_image(colours / 255, name="float colours", rgb=True)
    widget = open_widget()
    assert "Black 0, white 1: the range of float64." in widget.message.text()
    assert widget.range.value_given() == (0, 1)


@pytest.mark.parametrize(
    ("black", "white", "message"),
    [("dark", "1", "Black is 'dark'"), ("0", "", "value of white"), ("1", "0", "white must lie above black")],
)
def test_a_bad_range_is_refused(viewer, photo, open_widget, finish, told, black, white, message):
    viewer.add_image(photo / 255, name="float")
    widget = open_widget()
    widget.range.black.value, widget.range.white.value = black, white
    widget.run()
    finish(widget)
    assert message in told[-1]


def test_without_an_image_the_user_is_told(open_widget, told):
    widget = open_widget()
    widget.run()
    assert "No image is chosen" in told[-1]
    assert not widget.is_running


def test_images_of_different_sizes_are_refused(viewer, photo, open_widget, finish, told):
    viewer.add_image(photo, name="a")
    viewer.add_image(photo[:50], name="b")
    widget = open_widget()
    widget.layers.images["image"].value = viewer.layers["a"]
    widget.layers.images["reference"].value = viewer.layers["b"]
    widget.run()
    finish(widget)
    assert "differ in size (80x96, 50x96)" in told[-1]


def test_cancel_leaves_the_earlier_result(viewer, photo, open_widget, finish):
    image = viewer.add_image(photo, name="photo")
    widget = open_widget()
    widget.run()
    finish(widget)
    before = viewer.layers[-1].data
    sentence = widget.summary.sentence.text()
    image.data = 255 - photo
    widget.button.click()
    assert widget.button.text() == "Cancel"
    widget.button.click()
    finish(widget)
    assert viewer.layers[-1].data is before
    assert widget.summary.sentence.text() == sentence
    assert "Stopped" in widget.status.text()
    assert (widget.button.text(), widget.button.isEnabled()) == ("Run", True)


def test_follow_computes_again_when_pixels_or_options_change(viewer, photo, open_widget, qtbot, patience):
    image = viewer.add_image(photo, name="photo")
    widget = open_widget()
    widget.follow.setChecked(True)

    def shows(**options):
        expected = threshold_map(image.data, model="contrast", **options).values
        qtbot.waitUntil(
            lambda: len(viewer.layers) == 2 and np.allclose(viewer.layers[-1].data, expected), timeout=patience
        )

    shows()
    image.data = photo // 3
    shows()
    image.data[:40] = 200
    image.refresh()
    shows()
    widget.options["stride"].value = 8
    shows(stride=8)
    image.contrast_limits = (20, 150)
    shows(stride=8, data_range=(20, 150))


def test_follow_rests_when_nothing_changes(viewer, photo, open_widget, qtbot, patience):
    viewer.add_image(photo, name="photo")
    widget = open_widget()
    widget.follow.setChecked(True)
    qtbot.waitUntil(lambda: len(viewer.layers) == 2, timeout=patience)
    updates = []
    viewer.layers[-1].events.data.connect(updates.append)
    viewer.layers[0].colormap = "green"
    viewer.layers[0].opacity = 0.5
    viewer.add_points([[1, 2]])
    qtbot.wait(3 * REST_MILLISECONDS)
    assert not widget.is_running
    assert updates == []


def test_follow_starts_again_if_the_image_changes_during_a_run(viewer, photo, open_widget, qtbot, patience):
    image = viewer.add_image(np.tile(photo, (12, 12)), name="photo")
    widget = open_widget()
    widget.follow.setChecked(True)
    qtbot.waitUntil(lambda: widget.is_running, timeout=patience)
    image.data = photo
    expected = threshold_map(photo, model="contrast").values
    qtbot.waitUntil(
        lambda: len(viewer.layers) == 2 and np.array_equal(viewer.layers[-1].data, expected), timeout=patience
    )


def test_a_region_limits_map_score_and_histogram(viewer, photo, open_widget, finish):
    viewer.add_image(photo, name="photo")
    shapes = viewer.add_shapes([[10, 10], [29, 39]], name="roi")
    widget = open_widget()
    widget.layers.region.value = shapes
    widget.run()
    finish(widget)
    inside = threshold_map(photo, model="contrast").values[10:30, 10:40]
    values = viewer.layers[-1].data
    assert np.isfinite(values).sum() == inside.size
    np.testing.assert_allclose(values[10:30, 10:40], inside, rtol=1e-5)
    assert widget.summary.sentence.text().startswith("In the region 'roi': ")
    assert f"{inside.mean():.3g}" in widget.summary.sentence.text()


def test_a_run_stops_when_its_input_is_removed(viewer, photo, open_widget, finish):
    viewer.add_image(np.tile(photo, (8, 8)), name="photo")
    viewer.add_image(photo, name="other")
    widget = open_widget()
    widget.layers.images["image"].value = viewer.layers["photo"]
    widget.run()
    viewer.layers.remove("photo")
    finish(widget)
    assert [layer.name for layer in viewer.layers] == ["other"]
    assert widget.status.text() == "Error: 'photo' was removed; the run was stopped."
    widget.run()
    finish(widget)
    assert viewer.layers[-1].name == "Visibility threshold: other"


def test_the_widget_may_go_during_a_run(viewer, photo, qtbot, patience):
    viewer.add_image(np.tile(photo, (8, 8)), name="photo")
    widget = VisibilityThresholds(viewer)
    widget.run()
    widget.deleteLater()
    del widget
    qtbot.waitUntil(lambda: not tasks.running(), timeout=patience)
    viewer.add_image(photo)
    viewer.theme = "light"
    qtbot.wait(50)
    assert [layer.name for layer in viewer.layers] == ["photo", "photo [1]"]
