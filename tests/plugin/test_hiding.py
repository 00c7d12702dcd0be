"""The widget "Hide a mark": what goes in, what comes out, and that it follows."""

import math

import numpy as np
import pytest

import napari_iqmaps as iq
from napari_iqmaps.plugin import samples
from napari_iqmaps.plugin.hiding import HideMark
from napari_iqmaps.plugin.layers import is_map


@pytest.fixture
def open_hiding(qtbot, viewer):
    def opened():
        widget = HideMark(viewer)
        qtbot.addWidget(widget)
        widget.options["model"].value = "contrast"
        widget.options["text"].value = "iq"
        return widget

    return opened


@pytest.fixture
def hidden_layers(viewer, finish):
    """Run; give the layers that came of it: marked image, mark, visibility."""

    def run(widget):
        widget.run()
        finish(widget)
        return list(viewer.layers)[-3:]

    return run


def test_a_text_gives_three_layers_on_the_pixels_of_the_image(viewer, photo, open_hiding, hidden_layers):
    source = viewer.add_image(photo, name="photo", scale=(2, 3), translate=(5, 6), colormap="green")
    widget = open_hiding()
    marked, mark, visibility = hidden_layers(widget)
    expected = iq.hide("iq", photo, thresholds=iq.ThresholdOptions(model="contrast"))
    np.testing.assert_array_equal(marked.data, expected.image)
    np.testing.assert_array_equal(mark.data, expected.mark)
    np.testing.assert_array_equal(visibility.data, expected.visibility.values)
    for layer in (marked, mark, visibility):
        np.testing.assert_array_equal(layer.scale, source.scale)
        np.testing.assert_array_equal(layer.translate, source.translate)
    assert [layer.name for layer in viewer.layers] == [
        "photo", "photo: marked", "Embedded mark: photo", "Visibility of the difference: photo",
    ]  # fmt: skip
    assert marked.colormap.name == "green"
    assert mark.contrast_limits[0] == -mark.contrast_limits[1]
    assert widget.summary.sentence.text() == expected.sentence()
    assert marked.metadata["iqmaps_picture"]["level"] == pytest.approx(1 - math.exp(-1))
    assert not is_map(marked)
    assert marked in widget.layers.images["image"].choices
    assert mark not in widget.layers.images["image"].choices


def test_the_strength_is_followed_into_the_same_layers(
    viewer, photo, open_hiding, hidden_layers, finish, qtbot, patience
):
    viewer.add_image(photo, name="photo")
    widget = open_hiding()
    marked, mark, visibility = hidden_layers(widget)
    before = np.abs(mark.data).sum()
    widget.follow.setChecked(True)
    finish(widget)
    widget.options["strength"].value = 3.0
    qtbot.waitUntil(lambda: np.abs(mark.data).sum() > 2 * before, timeout=patience)
    finish(widget)
    assert list(viewer.layers)[-3:] == [marked, mark, visibility]
    level = visibility.metadata["iqmaps"]["level"]
    assert level == pytest.approx(1 - math.exp(-3), rel=1e-3)
    assert visibility.data.max() <= level
    widget.options["text"].value = "another"
    qtbot.waitUntil(lambda: mark.metadata["iqmaps"]["strength"] > 0 and widget.is_running, timeout=patience)
    finish(widget)
    assert len(viewer.layers) == 4


def test_before_and_after_are_one_press_apart(viewer, photo, open_hiding, hidden_layers):
    source = viewer.add_image(photo, name="photo")
    widget = open_hiding()
    assert widget.views.isHidden()
    layers = [source, *hidden_layers(widget)]
    assert not widget.views.isHidden()

    def visible():
        return [layer.visible for layer in layers]

    grid = getattr(viewer, "canvas", viewer).grid
    assert grid.enabled
    assert visible() == [True] * 4
    for number, expected in ((0, [True, False, False, False]), (1, [True, True, False, False]),
                             (2, [True, False, True, False]), (3, [True, False, False, True])):  # fmt: skip
        widget.views.group.button(number).click()
        assert visible() == expected
        assert not grid.enabled
    widget.views.group.button(1).click()
    hidden_layers(widget)
    assert visible() == [True, True, False, False]


def marks_of(viewer, shape):
    drawn = np.zeros(shape, np.float32)
    drawn[20:40, 30:60] = 2.0
    yield viewer.add_image(drawn, name="grey", contrast_limits=(0, 2)), drawn / 2
    yield viewer.add_image(np.repeat(np.uint8(drawn * 127.5)[..., None], 3, -1), name="rgb", rgb=True), drawn / 2
    yield viewer.add_labels(np.int32(drawn), name="labels"), drawn > 0
    corners = np.array([[19.5, 29.5], [19.5, 59.5], [39.5, 59.5], [39.5, 29.5]])
    yield viewer.add_shapes(corners, shape_type="rectangle", name="shapes"), drawn > 0


def test_layers_as_marks(viewer, photo, open_hiding, hidden_layers):
    image = viewer.add_image(photo, name="photo")
    for layer, pattern in marks_of(viewer, photo.shape):
        widget = open_hiding()
        widget.layers.images["image"].value = image
        widget.layers.images["mark"].value = layer
        marked, _, _ = hidden_layers(widget)
        expected = iq.hide(np.float32(pattern), photo, thresholds=iq.ThresholdOptions(model="contrast"))
        assert np.abs(marked.data.astype(int) - expected.image).max() <= 1, layer.name
        assert (marked.data != expected.image).mean() < 0.03, layer.name
        widget.options["invert"].value = True
        marked, mark, _ = hidden_layers(widget)
        assert not mark.data[24:36, 34:56].any(), layer.name
        assert mark.data[:10].any(), layer.name


def test_options_are_open_where_they_matter(viewer, photo, open_hiding):
    viewer.add_image(photo, name="photo")
    logo = viewer.add_image(photo[:20, :20], name="logo")
    widget = open_hiding()
    widget.layers.images["image"].value = viewer.layers["photo"]
    enabled = lambda: [widget.options[name].enabled for name in ("text", "invert", "amplitude")]  # noqa: E731
    assert enabled() == [True, False, False]
    widget.layers.images["mark"].value = logo
    assert enabled() == [False, True, False]
    widget.options["mode"].value = "clamp"
    assert enabled() == [False, True, True]
    assert "'logo'" in widget.describe()


def test_the_words_follow_text_and_strength(viewer, photo, open_hiding):
    viewer.add_image(photo, name="photo")
    widget = open_hiding()
    widget.options["text"].value = "secret"
    widget.options["strength"].value = 0.6931
    assert "'secret'" in widget.message.text()
    assert "50%" in widget.message.text()


def test_the_slider_and_the_number_are_one_strength(viewer, photo, open_hiding):
    viewer.add_image(photo, name="photo")
    strength = open_hiding().options["strength"]
    heard = []
    strength.changed.connect(heard.append)
    strength.slider.value = -0.5
    assert strength.value == strength.number.value == 0.32
    strength.value = 5
    assert strength.slider.value == pytest.approx(math.log10(5), abs=0.01)
    assert heard


def test_a_hidden_mark_is_of_what_the_mark_shows_white(viewer, photo, open_hiding, hidden_layers, told):
    viewer.add_image(photo, name="photo")
    mark = viewer.add_image(photo[:20, :30].copy(), name="mark", contrast_limits=(0, 255))
    widget = open_hiding()
    widget.layers.images["image"].value = viewer.layers["photo"]
    widget.layers.images["mark"].value = mark
    hidden_layers(widget)
    standing = widget.summary.standing
    assert standing.heading.text().startswith("Image 'photo' · mark 'mark' · model contrast")
    mark.contrast_limits = (0, 90)
    widget._check()
    assert standing.state.text() == "Out of date: the look of the mark is another."
    widget.layers.images["mark"].value = None
    assert "there is no mark" in standing.state.text()
    widget.layers.images["mark"].value = viewer.layers["photo"]
    widget.run()
    assert "'photo' is chosen both as the image and as the mark" in told[-1]


def test_clamp_with_an_amplitude(viewer, photo, open_hiding, hidden_layers):
    viewer.add_image(photo, name="photo")
    widget = open_hiding()
    widget.options["mode"].value = "clamp"
    widget.options["amplitude"].value = "1"
    _, mark, _ = hidden_layers(widget)
    assert set(np.unique(mark.data)) == {0, 1}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda widget: setattr(widget.options["text"], "value", ""), "nothing to write"),
        (lambda widget: setattr(widget.options["mode"], "value", "clamp"), "amplitude="),
    ],
)
def test_what_does_not_work_is_told(viewer, photo, open_hiding, told, finish, change, message):
    viewer.add_image(photo, name="photo")
    widget = open_hiding()
    change(widget)
    widget.run()
    finish(widget)
    assert message in told[-1]
    assert len(viewer.layers) == 1


def test_a_stack_as_mark_is_refused(viewer, photo, open_hiding, told):
    image = viewer.add_image(photo, name="photo")
    stack = viewer.add_image(np.stack([photo, photo]), name="stack")
    widget = open_hiding()
    widget.layers.images["image"].value = image
    widget.layers.images["mark"].value = stack
    widget.run()
    assert "a mark is one picture" in told[-1]


def test_the_sample_shows_the_message_three_times():
    layers = {options["name"]: data for data, options, _ in samples.message()}
    photo, four, faint = layers["photo"].astype(int), layers["amplitude 4"], layers["amplitude 1.5"]
    inside = layers["message"] == 1
    assert set(np.unique((four - photo)[inside])) == {4}
    assert (faint - photo)[inside].mean() == pytest.approx(1.5, abs=0.02)
    hidden = next(data for name, data in layers.items() if name.startswith("hidden"))
    assert iq.visibility_map(hidden, layers["photo"]).values.max() <= 1 - math.exp(-1)
    sky, grass = np.s_[:150], np.s_[230:]
    added = (hidden - photo) * inside
    assert added[grass].sum() > 1.35 * added[sky].sum() > 0
