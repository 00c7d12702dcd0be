"""A result says what it is of, and that it is out of date as soon as anything of that is another."""

import dask.array as da
import numpy as np
import pytest
from qtpy.QtCore import Qt

from napari_iqmaps import threshold_map
from napari_iqmaps.plugin import follower
from napari_iqmaps.plugin.follower import REST_MILLISECONDS


@pytest.fixture
def shown(viewer, photo, open_widget, finish):
    """A widget that shows a result of the first of two layers."""
    viewer.add_image(photo, name="photo")
    viewer.add_image(photo[::-1].copy(), name="other")
    viewer.add_shapes([[10, 10], [29, 39]], name="roi")
    widget = open_widget()
    widget.layers.images["image"].value = viewer.layers["photo"]
    widget.run()
    finish(widget)
    return widget


def state(widget):
    return widget.summary.standing.state.text()


def is_open(widget):
    summary = widget.summary
    effect = summary.sentence.graphicsEffect()
    dimmed = effect is not None and effect.isEnabled()
    buttons = [summary.save_map.isEnabled(), summary.save_row.isEnabled()]
    assert buttons == [not dimmed] * 2
    assert summary.standing.state.isHidden() != dimmed
    return not dimmed


def test_a_result_is_headed_by_what_it_is_of(viewer, photo, open_widget, finish):
    viewer.add_image(photo, name="a <b>photo</b>", contrast_limits=(10, 220))
    widget = open_widget()
    widget.run()
    finish(widget)
    heading = widget.summary.standing.heading
    *said, clock = heading.text().split(" · ")
    assert said == ["Image 'a <b>photo</b>'", "model contrast", "black 10, white 220"]
    assert [len(part) for part in clock.split(":")] == [2, 2, 2]
    assert heading.textFormat() == Qt.TextFormat.PlainText
    viewer.layers[0].name = "renamed"
    assert heading.text().startswith("Image 'a <b>photo</b>'")
    assert is_open(widget)


def test_reference_and_weights_are_in_the_heading(viewer, photo, open_widget, finish):
    viewer.add_image(photo, name="clean")
    viewer.add_image(photo // 2, name="dark")
    widget = open_widget()
    widget.layers.images["image"].value = viewer.layers["dark"]
    widget.layers.images["reference"].value = viewer.layers["clean"]
    widget.run()
    finish(widget)
    assert widget.summary.standing.heading.text().startswith("Image 'dark' · reference 'clean' · model contrast · ")


CHANGES = {
    "another layer": (
        lambda w, v: setattr(w.layers.images["image"], "value", v.layers["other"]),
        lambda w, v: setattr(w.layers.images["image"], "value", v.layers["photo"]),
        "Out of date: the image is another.",
    ),
    "a reference": (
        lambda w, v: setattr(w.layers.images["reference"], "value", v.layers["other"]),
        lambda w, v: setattr(w.layers.images["reference"], "value", None),
        "Out of date: there is a reference.",
    ),
    "a region": (
        lambda w, v: setattr(w.layers.region, "value", v.layers["roi"]),
        lambda w, v: setattr(w.layers.region, "value", None),
        "Out of date: there is a region.",
    ),
    "limits": (
        lambda w, v: setattr(v.layers["photo"], "contrast_limits", (20, 150)),
        lambda w, v: setattr(v.layers["photo"], "contrast_limits", (0, 255)),
        "Out of date: black and white are 20 and 150.",
    ),
    "typed range": (
        lambda w, v: setattr(w.range.white, "value", "150"),
        lambda w, v: setattr(w.range.white, "value", "255"),
        "Out of date: black and white are 0 and 150.",
    ),
    "an option": (
        lambda w, v: setattr(w.options["model"], "value", "pnet"),
        lambda w, v: setattr(w.options["model"], "value", "contrast"),
        "Out of date: the model is another.",
    ),
    "light": (
        lambda w, v: setattr(w.options["luminance"], "value", "absolute"),
        lambda w, v: setattr(w.options["luminance"], "value", "code"),
        "Out of date: black and white are others; the kind of values is another.",
    ),
    "an expert's option": (
        lambda w, v: setattr(w.options["stride"], "value", 8),
        lambda w, v: setattr(w.options["stride"], "value", 4),
        "Out of date: the step of the map is another.",
    ),
}


@pytest.mark.parametrize("change", CHANGES)
def test_a_result_is_out_of_date_as_long_as_something_is_another(viewer, shown, change):
    differ, restore, words = CHANGES[change]
    assert is_open(shown)
    sentence = shown.summary.sentence.text()
    differ(shown, viewer)
    assert state(shown) == words
    assert not is_open(shown)
    assert shown.summary.sentence.text() == sentence
    restore(shown, viewer)
    assert is_open(shown)


def test_an_option_that_does_not_matter_changes_nothing(shown):
    shown.options["window"].value = "5"
    assert is_open(shown)


def test_other_data_are_seen_at_once_and_equal_data_forgiven(viewer, photo, shown, qtbot):
    layer = viewer.layers["photo"]
    layer.data = photo // 2
    assert state(shown) == "Out of date: the data of 'photo' have changed."
    layer.data = photo.copy()
    qtbot.waitUntil(lambda: is_open(shown))


def test_pixels_written_in_place_are_seen_without_follow(viewer, photo, shown, qtbot):
    layer = viewer.layers["photo"]
    layer.data[3, 4] += 1
    layer.refresh()
    qtbot.waitUntil(lambda: not is_open(shown))
    assert "the data of 'photo' have changed" in state(shown)
    layer.data[3, 4] -= 1
    layer.refresh()
    qtbot.waitUntil(lambda: is_open(shown))


def test_what_was_written_before_a_run_is_part_of_its_result(viewer, shown, finish, qtbot):
    """Nobody has told the widget of the pixels when it runs; the run reads them."""
    viewer.layers["photo"].data[:10] = 77
    shown.run()
    finish(shown)
    viewer.layers["photo"].refresh()
    qtbot.wait(2 * REST_MILLISECONDS)
    assert is_open(shown)


def test_a_result_of_pixels_that_changed_during_the_run_is_out_of_date(viewer, photo, open_widget, finish):
    layer = viewer.add_image(np.tile(photo, (6, 6)), name="photo")
    widget = open_widget()
    widget.run()
    layer.data = layer.data // 2
    finish(widget)
    assert state(widget) == "Out of date: the data of 'photo' have changed."


@pytest.mark.parametrize("kind", ["large", "lazy"])
def test_arrays_that_are_not_read_are_known_by_themselves(viewer, photo, open_widget, finish, qtbot, monkeypatch, kind):
    monkeypatch.setattr(follower, "_LARGEST_READ", 100)
    first, second = photo, photo // 2
    if kind == "lazy":
        first, second = (da.from_array(pixels, chunks=(40, 96)) for pixels in (first, second))
    layer = viewer.add_image(first, name="photo", contrast_limits=(0, 255))
    widget = open_widget()
    widget.run()
    finish(widget)
    assert is_open(widget)
    layer.data = second
    assert not is_open(widget)
    layer.data = first
    qtbot.waitUntil(lambda: is_open(widget))
    layer.data = first  # the same once more, as one does after writing into it
    qtbot.wait(2 * REST_MILLISECONDS)
    assert not is_open(widget)


def test_another_plane_changes_nothing_but_the_words_about_it(viewer, photo, open_widget, finish, qtbot):
    stack = np.stack([photo, photo // 2, 255 - photo])
    viewer.add_image(stack, name="stack")
    widget = open_widget()
    widget.run()
    finish(widget)
    scores = threshold_map(stack, model="contrast").score
    for number in (2, 0):
        viewer.dims.set_current_step(0, number)
        assert widget.summary.plane.text().startswith(f"Plane {number}: ")
        assert f"{scores[number]:.3g}" in widget.summary.plane.text()
    viewer.dims.ndisplay = 3
    assert widget.summary.plane.isHidden()
    viewer.dims.ndisplay = 2
    assert not widget.summary.plane.isHidden()
    qtbot.wait(2 * REST_MILLISECONDS)
    assert is_open(widget)


def test_one_image_has_no_words_about_planes(shown):
    assert shown.summary.plane.isHidden()


def test_a_removed_input_is_named_and_may_come_back(viewer, shown):
    layer = viewer.layers["photo"]
    viewer.layers.remove(layer)
    assert "'photo' was removed" in state(shown)
    viewer.add_layer(layer)
    shown.layers.images["image"].value = layer
    assert is_open(shown)


def test_shapes_that_moved_make_a_region_another(viewer, shown, finish, qtbot):
    shapes = viewer.layers["roi"]
    shown.layers.region.value = shapes
    shown.run()
    finish(shown)
    assert "region 'roi'" in shown.summary.standing.heading.text()
    before = shapes.data[0].copy()
    shapes.data = [before + 3]
    assert state(shown) == "Out of date: the shapes of 'roi' have changed."
    shapes.data = [before]
    qtbot.waitUntil(lambda: is_open(shown))
    shapes.translate = (0, 4)
    qtbot.waitUntil(lambda: "the place of the region is another" in state(shown))


def test_more_than_a_few_differences_are_counted(viewer, shown):
    for name, value in (("model", "pnet"), ("stride", 8), ("tile", "64"), ("observer", "practised")):
        shown.options[name].value = value
    shown.layers.images["image"].value = viewer.layers["other"]
    assert state(shown).endswith("; 2 more.")


def test_what_follows_is_current_again(viewer, photo, shown, qtbot, patience):
    shown.follow.setChecked(True)
    viewer.layers["photo"].data = photo // 3
    assert not is_open(shown)
    expected = threshold_map(photo // 3, model="contrast").values
    qtbot.waitUntil(lambda: np.allclose(viewer.layers[-1].data, expected) and is_open(shown), timeout=patience)


def test_limits_of_many_digits_are_used_as_they_are(viewer, open_widget, finish):
    image = viewer.add_image(np.random.default_rng(0).uniform(1_000_000, 1_000_001, (64, 64)), name="fine")
    image.contrast_limits = (1_000_000.00001, 1_000_000.99999)
    widget = open_widget()
    assert widget.range.value_given() == (1_000_000.00001, 1_000_000.99999)
    widget.run()
    finish(widget)
    assert widget.summary.result.quality_map.info["data_range"] == (1_000_000.00001, 1_000_000.99999)
    image.contrast_limits = (1_000_000.00001, 1_000_000.99998)
    assert not widget.summary.standing.is_current


def test_a_followed_image_that_is_removed_is_followed_by_none(viewer, photo, open_widget, finish, qtbot):
    viewer.add_image(photo, name="a")
    second = viewer.add_image(photo, name="b")
    widget = open_widget()
    widget.layers.images["image"].value = second
    widget.follow.setChecked(True)
    qtbot.waitUntil(lambda: len(viewer.layers) == 3, timeout=60_000)
    finish(widget)
    viewer.layers.remove(second)
    assert not widget.follow.isChecked()
    assert "'b' was removed" in widget.status.text()
    qtbot.wait(500)
    assert not widget.is_running
    assert len(viewer.layers) == 2


def test_a_map_that_is_removed_has_no_value_under_the_cursor(viewer, photo, open_widget, finish):
    viewer.add_image(photo, name="photo")
    widget = open_widget()
    widget.run()
    finish(widget)
    viewer.mouse_over_canvas = True
    viewer.cursor.position = (10, 12)
    widget.map_bar.refresh()
    assert any(letter.isdigit() for letter in widget.map_bar.value.text())
    viewer.layers.pop()
    assert not any(letter.isdigit() for letter in widget.map_bar.value.text())
    assert widget.map_bar.own_limits.isHidden()
