"""A map lies on the pixels of its image, whatever that image is, and leaves alone what the user has tuned."""

import dask.array as da
import numpy as np
import pytest
from napari.layers import Image, Labels
from qtpy.QtCore import QTimer

from napari_iqmaps import InputError, threshold_map
from napari_iqmaps.plugin.arrangement import add_beside
from napari_iqmaps.plugin.canvas import place_all
from napari_iqmaps.plugin.layers import (
    LayerPixels,
    as_layer,
    common_channel_axis,
    is_map,
    pixels_of,
    spatial_state,
    update_layer,
)
from napari_iqmaps.plugin.results import Picture

random = np.random.default_rng(0)
GREY = random.integers(0, 256, (40, 50), dtype=np.uint8)
COLOUR = random.integers(0, 256, (40, 50, 3), dtype=np.uint8)
STACK = random.integers(0, 256, (3, 40, 50), dtype=np.uint8)
COLOUR_STACK = random.integers(0, 256, (2, 40, 50, 3), dtype=np.uint8)

SPACE_2D = {
    "scale": (0.5, 2.0),
    "translate": (7, -3),
    "rotate": 30,
    "shear": (0.2,),
    "affine": [[1, 0.1, 5], [0, 1.5, 6], [0, 0, 1]],
    "units": ("um", "um"),
    "axis_labels": ("y", "x"),
}
SPACE_3D = {
    "scale": (3, 0.5, 2.0),
    "translate": (1, 7, -3),
    "rotate": [[1, 0, 0], [0, 0.8, -0.6], [0, 0.6, 0.8]],
    "shear": (0, 0, 0.3),
    "affine": np.diag([1, 1.2, 1.5, 1]),
    "units": ("s", "um", "um"),
    "axis_labels": ("t", "y", "x"),
}
SOURCES = {
    "grey": lambda: Image(GREY, name="picture", **SPACE_2D),
    "colour": lambda: Image(COLOUR, name="picture", rgb=True, **SPACE_2D),
    "stack": lambda: Image(STACK, name="picture", **SPACE_3D),
    "colour stack": lambda: Image(COLOUR_STACK, name="picture", rgb=True, **SPACE_3D),
    "multiscale": lambda: Image([GREY, GREY[::2, ::2]], name="picture", multiscale=True, **SPACE_2D),
    "multiscale colour": lambda: Image(
        [COLOUR, COLOUR[::2, ::2]], name="picture", rgb=True, multiscale=True, **SPACE_2D
    ),
    "dask": lambda: Image(da.from_array(STACK, chunks=(1, 40, 25)), name="picture", **SPACE_3D),
}


def mapped(layer):
    pixels = pixels_of(layer)
    return threshold_map(pixels.data, model="contrast", channel_axis=pixels.channel_axis)


@pytest.mark.parametrize("kind", SOURCES)
def test_a_map_lies_where_its_image_lies(kind):
    source = SOURCES[kind]()
    layer = as_layer(mapped(source), source)

    assert layer.data.shape == source.data.shape[: source.ndim]
    assert layer.ndim == source.ndim
    assert not layer.rgb
    assert not layer.multiscale
    for name in ("scale", "translate", "rotate", "shear"):
        np.testing.assert_allclose(getattr(layer, name), getattr(source, name), atol=1e-12, err_msg=name)
    np.testing.assert_allclose(layer.affine.affine_matrix, source.affine.affine_matrix)
    assert layer.units == source.units
    assert layer.axis_labels == source.axis_labels
    for point in (np.zeros(source.ndim), np.arange(1.0, source.ndim + 1)):
        np.testing.assert_allclose(layer.data_to_world(point), source.data_to_world(point))


def test_a_map_of_a_moved_layer_lies_where_it_was_moved():
    source = Image(GREY)
    source.affine = [[0, 1, 3], [-1, 0, 4], [0, 0, 1]]
    source.scale = (2, 3)
    layer = as_layer(mapped(source), source)
    np.testing.assert_allclose(layer.data_to_world((5, 6)), source.data_to_world((5, 6)))


def test_a_map_says_what_it_is():
    source = SOURCES["colour"]()
    quality_map = mapped(source)
    layer = as_layer(quality_map, source)
    about = layer.metadata["iqmaps"]

    assert layer.name == "Visibility threshold: picture"
    assert layer.colormap.name == "viridis"
    assert tuple(layer.contrast_limits) == pytest.approx(quality_map.meaning.display_limits(quality_map.values))
    assert layer.colorbar.visible
    assert about["kind"] == "threshold"
    assert about["score"] == quality_map.score
    assert about["weights_sha256"] == quality_map.info["weights_sha256"]
    assert about["unit"] == quality_map.meaning.unit
    assert is_map(layer)
    assert not is_map(source)


def test_a_lazy_map_stays_lazy():
    source = SOURCES["dask"]()
    layer = as_layer(mapped(source), source, contrast_limits=(0, 5))
    assert isinstance(layer.data, da.Array)


def test_a_map_three_pixels_wide_is_not_taken_for_colours():
    source = Image(STACK[:, :, :3][:1], rgb=False)
    layer = as_layer(threshold_map(np.zeros((1, 8, 3), np.uint8), model="contrast"), source)
    assert not layer.rgb


def test_the_finest_level_of_a_multiscale_layer_is_used():
    assert pixels_of(SOURCES["multiscale"]()).data is GREY


def test_rgb_layers_have_their_channels_last():
    assert pixels_of(SOURCES["colour"]()).channel_axis == -1
    assert pixels_of(SOURCES["colour"]()).plane_shape == (40, 50)
    assert pixels_of(SOURCES["stack"]()).channel_axis is None
    assert pixels_of(SOURCES["stack"]()).plane_shape == (40, 50)


@pytest.mark.parametrize(
    ("layer", "message"),
    [
        (None, "No reference is chosen"),
        (Labels(np.zeros((20, 20), int), name="cells"), "'cells' is a Labels layer"),
        (Image(np.zeros((64, 64, 7), np.uint8), name="bands"), r"'bands' has shape \(64, 64, 7\)"),
        (Image(np.zeros((64, 64, 3), np.uint8), rgb=False, name="flat"), "not RGB"),
    ],
)
def test_a_layer_that_cannot_be_used_is_refused_with_the_reason(layer, message):
    with pytest.raises(InputError, match=message):
        pixels_of(layer, "reference")


def test_grey_and_rgb_are_not_compared():
    grey, colour = LayerPixels("g", GREY, None), LayerPixels("c", COLOUR, -1)
    assert common_channel_axis([colour, colour]) == -1
    with pytest.raises(InputError, match="'c' is RGB and 'g' is grey"):
        common_channel_axis([colour, grey])


def test_an_update_brings_new_values_and_keeps_what_the_user_tuned():
    source = Image(GREY, name="picture")
    layer = as_layer(mapped(source), source)
    layer.name = "mine"
    layer.colormap = "gray"
    layer.opacity = 0.4
    layer.contrast_limits = (1, 2)
    layer.metadata["note"] = "keep me"
    source.data = 255 - GREY // 2
    source.translate = (3, 4)
    quality_map = mapped(source)

    update_layer(layer, quality_map, source)

    assert (layer.name, layer.colormap.name, layer.opacity) == ("mine", "gray", 0.4)
    assert tuple(layer.contrast_limits) == (1, 2)
    assert layer.metadata["note"] == "keep me"
    assert layer.metadata["iqmaps"]["score"] == quality_map.score
    np.testing.assert_array_equal(layer.data, quality_map.values)
    np.testing.assert_array_equal(layer.translate, (3, 4))


def test_untouched_contrast_limits_follow_the_map():
    source = Image(GREY, name="picture")
    layer = as_layer(mapped(source), source)
    source.data = GREY // 8
    quality_map = mapped(source)
    update_layer(layer, quality_map, source)
    assert tuple(layer.contrast_limits) == pytest.approx(quality_map.meaning.display_limits(quality_map.values))


def test_an_update_may_change_size_and_dimensions():
    source = Image(STACK)
    layer = as_layer(mapped(Image(GREY)), Image(GREY))
    update_layer(layer, mapped(source), source)
    assert layer.data.shape == STACK.shape
    assert spatial_state(layer)["axis_labels"] == source.axis_labels


def test_a_layer_comes_beside_what_is_selected(viewer):
    """napari would select it and make its controls twice."""
    chosen = viewer.add_image(np.zeros((8, 9)))
    changes = []
    viewer.layers.selection.events.changed.connect(changes.append)
    added = Image(np.ones((8, 9)))
    add_beside(viewer, added)
    assert list(viewer.layers) == [chosen, added]
    assert viewer.layers.selection == {chosen}
    assert not changes
    viewer.layers.selection.clear()
    add_beside(viewer, Image(np.ones((8, 9))))
    assert not viewer.layers.selection


def test_the_loop_turns_between_two_layers_of_a_result(qapp, viewer):
    source = viewer.add_image(np.zeros((8, 9)))
    heard = []
    viewer.layers.events.inserted.connect(lambda _event: heard.append("layer"))
    timer = QTimer()
    timer.timeout.connect(lambda: heard.append("turn"))
    timer.start(0)
    place_all(viewer, [Picture("one", np.zeros((8, 9)), {}), Picture("two", np.ones((8, 9)), {})], source)
    timer.stop()
    first, second = (number for number, what in enumerate(heard) if what == "layer")
    assert "turn" in heard[first:second]
