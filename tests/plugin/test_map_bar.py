"""What a panel says of the map in the canvas: the value under the cursor, and limits of its own."""

import pytest


@pytest.fixture
def mapped(viewer, photo, open_widget, finish):
    def made():
        viewer.add_image(photo, name="photo")
        widget = open_widget()
        widget.run()
        finish(widget)
        return widget

    return made


def test_the_value_under_the_cursor_is_said_whichever_layer_is_selected(viewer, mapped, qtbot, patience):
    widget = mapped()
    assert viewer.layers.selection.active.name == "photo"
    assert widget.map_bar.value.text() == "Under the cursor: -"
    viewer.mouse_over_canvas = True
    viewer.cursor.position = (12, 40)
    value = viewer.layers[-1].data[12, 40]
    expected = f"Under the cursor: {value:.3g} luminance code values (0..255)"
    qtbot.waitUntil(lambda: widget.map_bar.value.text() == expected, timeout=patience)
    viewer.cursor.position = (-5, 0)
    qtbot.waitUntil(lambda: widget.map_bar.value.text() == "Under the cursor: -", timeout=patience)


def test_the_value_under_the_cursor_is_told_in_counts_where_these_are_others(viewer, photo, open_widget, finish):
    viewer.add_image(photo.astype("uint16") * 4 + 188, name="cells", contrast_limits=(188, 1208))
    widget = open_widget()
    widget.run()
    finish(widget)
    viewer.mouse_over_canvas = True
    viewer.cursor.position = (12, 40)
    widget.map_bar.refresh()
    value = viewer.layers[-1].data[12, 40]
    counts = f"{value / 255 * 1020:.3g} counts of the image, {value / 2.55:.2g} % of black to white"
    assert widget.map_bar.value.text().endswith(f"luminance code values (0..255): {counts}")


def test_a_tick_gives_a_map_its_own_limits_and_the_histogram_follows(viewer, mapped, photo, finish):
    widget = mapped()
    first = viewer.layers[-1]
    own = first.contrast_limits
    widget.layers.images["image"].value = viewer.add_image(photo // 4 + 100, name="pale")
    widget.run()
    finish(widget)
    second = viewer.layers[-1]
    common = second.contrast_limits
    assert first.contrast_limits == common
    assert common[1] == max(own[1], second.metadata["iqmaps"]["display_limits"][1])
    narrow = min((first, second), key=lambda layer: layer.metadata["iqmaps"]["display_limits"][1])
    if narrow is first:
        widget.layers.images["image"].value = viewer.layers["photo"]
        widget.run()
        finish(widget)
    assert widget.summary.chosen_layer is narrow
    widget.map_bar.own_limits.click()
    assert narrow.contrast_limits[1] == pytest.approx(narrow.metadata["iqmaps"]["display_limits"][1])
    assert widget.summary.histogram._shown[2] == tuple(narrow.contrast_limits)
    widget.map_bar.own_limits.click()
    assert narrow.contrast_limits == common
