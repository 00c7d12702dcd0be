"""The widget "Distort an image": what copies it makes, where they go, and what it refuses."""

import dask.array as da
import numpy as np
import pytest

import napari_iqmaps as iq
from napari_iqmaps.core.distortions import distortion
from napari_iqmaps.plugin.distortion import DistortImage
from napari_iqmaps.plugin.layers import LIGHT_KEY, PICTURE_KEY
from napari_iqmaps.plugin.options import strength_in_words


@pytest.fixture
def open_distorting(qtbot, viewer):
    def opened(name="jpeg", severity=3):
        widget = DistortImage(viewer)
        qtbot.addWidget(widget)
        widget.options["distortion"].value = name
        widget.options["severity"].value = severity
        return widget

    return opened


@pytest.fixture
def copy_of(viewer, finish):
    """Run; give the topmost layer."""

    def made(widget):
        widget.run()
        finish(widget)
        return viewer.layers[-1]

    return made


@pytest.fixture
def colours():
    return np.random.default_rng(3).integers(0, 256, (32, 36, 3), dtype=np.uint8)


def test_the_copy_is_the_core_s_on_the_pixels_of_the_image_and_looks_like_it(viewer, photo, open_distorting, copy_of):
    source = viewer.add_image(
        photo, name="photo", scale=(2, 3), translate=(5, 6), colormap="green", contrast_limits=(20, 200)
    )
    source.affine = np.array([[1, 0.1, 4], [0, 1, 2], [0, 0, 1]])
    copy = copy_of(open_distorting())
    np.testing.assert_array_equal(copy.data, iq.distort(photo, "jpeg", 3, data_range=(20, 200)))
    outside = (photo < 20) | (photo > 200)
    assert outside.any()
    np.testing.assert_array_equal(copy.data[outside], photo[outside])
    assert [layer.name for layer in viewer.layers] == ["photo", "photo: JPEG 3"]
    np.testing.assert_array_equal(copy.affine.affine_matrix, source.affine.affine_matrix)
    np.testing.assert_array_equal(copy.scale, (2, 3))
    assert copy.colormap.name == "green"
    assert tuple(copy.contrast_limits) == (20, 200)
    np.testing.assert_array_equal(source.data, photo)
    made_by = copy.metadata[PICTURE_KEY]
    assert (made_by["distortion"], made_by["severity"], made_by["source"]) == ("jpeg", 3, "photo")


def test_colours_and_stacks_keep_their_axes_and_lazy_ones_stay_lazy(viewer, colours, open_distorting, copy_of):
    stack = np.stack([colours, 255 - colours])
    viewer.add_image(da.from_array(stack, chunks=(1, 32, 36, 3)), name="stack", rgb=True)
    widget = open_distorting("colour_cast", 4)
    copy = copy_of(widget)
    assert copy.rgb
    assert isinstance(copy.data, da.Array)
    np.testing.assert_array_equal(np.asarray(copy.data), iq.distort(stack, "colour_cast", 4, channel_axis=-1))


def test_other_settings_make_another_copy_and_the_same_ones_none(viewer, photo, open_distorting, copy_of):
    viewer.add_image(photo, name="photo")
    widget = open_distorting("gaussian_noise", 2)
    first = copy_of(widget)
    assert copy_of(widget) is first
    widget.options["seed"].value = 7
    second = copy_of(widget)
    assert [layer.name for layer in viewer.layers] == [
        "photo", "photo: Gaussian noise 2", "photo: Gaussian noise 2, seed 7"
    ]  # fmt: skip
    np.testing.assert_array_equal(second.data, iq.distort(photo, "gaussian_noise", 2, seed=7))
    viewer.layers.remove(second)
    assert copy_of(widget) is not second
    assert len(viewer.layers) == 3


def test_a_severity_that_is_followed_goes_into_the_latest_copy(
    viewer, photo, open_distorting, copy_of, finish, qtbot, patience
):
    viewer.add_image(photo, name="photo")
    widget = open_distorting("gaussian_blur", 2)
    copy = copy_of(widget)
    widget.follow.setChecked(True)
    finish(widget)
    widget.options["severity"].value = 4.5
    qtbot.waitUntil(lambda: copy.name == "photo: Gaussian blur 4.5", timeout=patience)
    finish(widget)
    assert list(viewer.layers)[1:] == [copy]
    np.testing.assert_array_equal(copy.data, iq.distort(photo, "gaussian_blur", 4.5))
    viewer.layers["photo"].name = "sky"
    assert copy.name == "sky: Gaussian blur 4.5"
    widget.options["severity"].value = 4
    qtbot.waitUntil(lambda: copy.name == "sky: Gaussian blur 4", timeout=patience)
    widget.options["severity"].value = 4.5
    qtbot.waitUntil(lambda: copy.name == "sky: Gaussian blur 4.5", timeout=patience)
    finish(widget)
    viewer.layers["sky"].name = "photo"
    widget.follow.setChecked(False)
    widget.options["severity"].value = 2
    again = copy_of(widget)
    assert again is not copy  # what was severity 2 shows 4.5 now
    copy.name = "kept"
    widget.options["severity"].value = 4.5
    copy_of(widget)
    assert [layer.name for layer in viewer.layers] == ["photo", "kept", "photo: Gaussian blur 2"]


def test_grey_images_are_offered_what_they_can_have(viewer, photo, colours, open_distorting):
    viewer.add_image(colours, name="colours")
    viewer.add_image(photo, name="grey")
    widget = open_distorting()
    image, chooser = widget.layers.images["image"], widget.options["distortion"]
    offered = lambda: {  # noqa: E731
        name for number, name in enumerate(chooser.choices) if chooser.native.model().item(number).isEnabled()
    }
    image.value = viewer.layers["colours"]
    assert chooser.choices == iq.distortions()
    assert offered() == set(iq.distortions())
    chooser.value = "haze"
    image.value = viewer.layers["grey"]
    assert chooser.value == "haze"
    assert offered() == {name for name in iq.distortions() if not distortion(name).needs_colour}
    image.value = viewer.layers["colours"]
    chooser.value = "colour_cast"
    image.value = viewer.layers["grey"]
    assert chooser.value == "jpeg"
    assert "JPEG at severity 3" in widget.message.text()


def test_the_seed_matters_where_something_is_random_and_the_words_tell_the_strength(viewer, photo, open_distorting):
    viewer.add_image(photo, name="photo")
    widget = open_distorting("jpeg", 3)
    assert not widget.options["seed"].enabled
    assert "quality 10 of 100" in widget.message.text()
    widget.options["distortion"].value = "shot_noise"
    assert widget.options["seed"].enabled
    assert "photons at white 42" in widget.message.text()
    assert strength_in_words(distortion("pixelation"), 2) == "side of a block 2.5 pixels"


def test_what_cannot_be_distorted_is_refused_in_words(viewer, photo, open_distorting, copy_of, told):
    light = viewer.add_image(photo, name="light")
    light.metadata[LIGHT_KEY] = {"values": photo.astype(np.float32), "data_range": None, "notes": ()}
    widget = open_distorting()
    copy_of(widget)
    assert "display codes" in told[-1]
    viewer.add_image(photo / 255, name="float")
    widget.layers.images["image"].value = viewer.layers["float"]
    widget.range.rule.value = "whole type"
    copy_of(widget)
    assert "black and white" in told[-1]
    widget.range.black.value, widget.range.white.value = "0", "1"
    copy = copy_of(widget)
    np.testing.assert_array_equal(copy.data, iq.distort(photo / 255, "jpeg", 3, data_range=(0, 1)))
    assert copy.metadata[PICTURE_KEY]["data_range"] == (0, 1)
