"""Files of high dynamic range in napari: a picture to look at, and the light for the maps."""

import cv2
import numpy as np
import pytest
from napari.layers import Image
from npe2 import PluginManager, PluginManifest
from skimage import data

import napari_iqmaps as iq
from napari_iqmaps.core.images import REC709_WEIGHTS
from napari_iqmaps.plugin.layers import pixels_of
from napari_iqmaps.plugin.reader import get_reader, light_layer, read_layers, tone_mapped

RNG = np.random.default_rng(5)
LIGHT = (100 * (data.coffee()[60:140, 200:290] / 255) ** 2.2 * np.geomspace(0.2, 80, 90)[:, None]).astype(np.float32)
NOISY = (LIGHT * np.exp(RNG.normal(0, 0.1, LIGHT.shape))).astype(np.float32)
OPTIONS = {"luminance": "absolute", "channel_axis": -1, "model": "contrast"}


@pytest.fixture
def hdr(tmp_path):
    path = tmp_path / "scene.hdr"
    cv2.imwrite(str(path), LIGHT[..., ::-1])
    return path


@pytest.fixture
def _registered():
    """A viewer without a window does not look for plugins."""
    manager = PluginManager.instance()
    if "napari-iqmaps" in manager:
        yield
    else:
        manager.register(PluginManifest.from_distribution("napari-iqmaps"))
        yield
        manager.unregister("napari-iqmaps")


def test_the_reader_takes_files_of_light_and_no_others(hdr):
    assert get_reader(str(hdr)) is read_layers
    assert get_reader([str(hdr), "other.EXR"]) is read_layers
    assert get_reader("photo.png") is None
    assert get_reader([str(hdr), "photo.png"]) is None
    envi = hdr.with_name("cube.hdr")
    envi.write_text("ENVI\nsamples = 100\n")
    assert get_reader(str(envi)) is None


@pytest.mark.usefixtures("_registered")
@pytest.mark.parametrize("suffix", ["hdr", "exr"])
def test_a_viewer_opens_a_file_and_keeps_its_light(viewer, tmp_path, hdr, suffix):
    path = hdr
    if suffix == "exr":
        openexr = pytest.importorskip("OpenEXR")
        path = tmp_path / "scene.exr"
        head = {"compression": openexr.ZIP_COMPRESSION, "type": openexr.scanlineimage, "whiteLuminance": 50.0}
        with openexr.File(head, {"RGB": LIGHT}) as file:
            file.write(str(path))
    (layer,) = viewer.open(path, plugin="napari-iqmaps")
    assert (layer.name, layer.rgb, layer.data.dtype) == (path.name, True, np.uint8)
    pixels = pixels_of(layer)
    np.testing.assert_array_equal(pixels.data, iq.read_image(path).array)
    assert (pixels.luminance, pixels.channel_axis) == ("absolute", -1)
    assert pixels.data_range == (None if suffix == "hdr" else (0, 2))


def test_a_damaged_file_is_refused_by_name(tmp_path):
    path = tmp_path / "bad.exr"
    path.write_bytes(b"\x76\x2f\x31\x01" + bytes(99))
    with pytest.raises(iq.InputError, match=r"bad.exr is damaged"):
        read_layers(str(path))


def test_tone_mapping_keeps_the_order_and_uses_the_range():
    light = np.geomspace(1e-3, 1e5, 4000).reshape(40, 100)
    shown = tone_mapped(light).ravel().astype(int)
    assert np.all(np.diff(shown) >= 0)
    assert shown[0] < 10
    assert shown[-1] == 255
    middle = tone_mapped(np.random.default_rng(0).lognormal(0, 0.3, (40, 40)))
    assert 80 < middle.mean() < 160
    np.testing.assert_array_equal(tone_mapped(LIGHT), tone_mapped(LIGHT * 1000))  # any unit


def test_tone_mapping_keeps_hues():
    shown = tone_mapped(np.full((4, 4, 3), [4.0, 2, 1]))
    assert shown[0, 0, 0] > shown[0, 0, 1] > shown[0, 0, 2]
    grey = tone_mapped(np.repeat((LIGHT @ REC709_WEIGHTS)[..., None], 3, axis=-1))
    assert np.ptp(grey, axis=-1).max() == 0


def test_tone_mapping_stands_odd_numbers():
    odd = LIGHT.copy()
    odd[0, :6] = np.array([np.nan, np.inf, -np.inf, 1e38, -1e38, 0])[:, None]
    with np.errstate(all="raise", under="ignore"):
        shown = tone_mapped(odd)
    assert np.all(shown[0, [0, 1, 2, 4, 5]] == 0)
    assert shown[0, 3].max() > 250
    assert np.abs(shown[10:].astype(int) - tone_mapped(LIGHT)[10:]).max() < 10
    assert tone_mapped(np.full((3, 3), np.nan)).max() == 0


def test_a_grey_scene_is_a_grey_layer():
    shown, options, _ = light_layer(LIGHT[..., 0], "grey")
    layer = Image(shown, **options)
    assert not layer.rgb
    assert pixels_of(layer).channel_axis is None
    np.testing.assert_array_equal(pixels_of(layer).data, LIGHT[..., 0])


def test_a_part_of_the_picture_is_a_picture(viewer):
    shown, options, _ = light_layer(LIGHT, "scene")
    part = Image(shown[:40], **options)
    assert pixels_of(part).luminance == "code"
    assert pixels_of(part).data.dtype == np.uint8


def add(viewer, light, name, **stated):
    shown, options, _ = light_layer(light, name, **stated)
    return viewer.add_image(shown, **options)


def test_the_widget_maps_the_light(viewer, open_widget, finish):
    scene, noisy = add(viewer, LIGHT, "scene"), add(viewer, NOISY, "noisy")
    widget = open_widget()
    widget.layers.images["image"].value = noisy
    assert widget.options["luminance"].value == "absolute"
    assert widget.range.white.native.placeholderText() == "100"
    assert "shown tone-mapped" in widget.message.text()
    widget.layers.images["reference"].value = scene
    widget.options["peak_luminance"].value = "1000"
    widget.options["black_level"].value = 0.005
    widget.run()
    finish(widget)
    layer = viewer.layers[-1]
    expected = iq.visibility_map(NOISY, LIGHT, peak_luminance=1000, black_level=0.005, **OPTIONS)
    np.testing.assert_allclose(layer.data, expected.values, rtol=1e-5)
    record = layer.metadata["iqmaps"]
    assert (record["luminance"], record["peak_luminance"], record["data_range"]) == ("absolute", 1000, (0, 100))
    assert "light in cd/m2" in widget.summary.standing.heading.text()


def test_black_and_white_of_the_file_or_of_the_user_hold(viewer, open_widget, finish):
    add(viewer, LIGHT, "scene", data_range=(0, 2))
    widget = open_widget()
    for typed, used in (("", (0, 2)), ("7", (0, 7))):
        if typed:
            widget.range.black.value, widget.range.white.value = "0", typed
        widget.run()
        finish(widget)
        expected = iq.threshold_map(LIGHT, data_range=used, **OPTIONS)
        np.testing.assert_allclose(viewer.layers[-1].data, expected.values, rtol=1e-5)
        assert viewer.layers[-1].metadata["iqmaps"]["data_range"] == used
        assert f"white {used[1]} (shown at 100 cd/m2)" in widget.summary.standing.heading.text()


def test_the_choice_of_luminance_follows_the_layer_and_then_the_user(viewer, open_widget):
    scene = add(viewer, LIGHT, "scene")
    photo = viewer.add_image(data.camera()[:50, :60], name="photo")
    widget = open_widget()
    chooser, luminance = widget.layers.images["image"], widget.options["luminance"]
    chooser.value = scene
    assert luminance.value == "absolute"
    luminance.value = "code"
    assert (widget.range.white.value, widget.range.white.native.placeholderText()) == ("", "white?")
    scene.name = "renamed"
    assert luminance.value == "code"
    chooser.value = photo
    assert luminance.value == "code"
    assert widget.range.white.value == "255"
    chooser.value = scene
    assert luminance.value == "absolute"


def test_a_doubt_about_the_unit_is_told(viewer, open_widget, finish):
    add(viewer, LIGHT / LIGHT.max(), "relative")
    widget = open_widget()
    widget.run()
    finish(widget)
    assert "Note: the image is nowhere brighter than 1 cd/m2" in widget.summary.sentence.text()


def test_a_float_layer_in_cd_m2_needs_only_the_choice(viewer, open_widget, finish):
    plane = LIGHT[..., 1]
    viewer.add_image(plane, name="measured")
    widget = open_widget()
    widget.options["luminance"].value = "absolute"
    widget.run()
    finish(widget)
    expected = iq.threshold_map(plane, luminance="absolute", model="contrast")
    np.testing.assert_allclose(viewer.layers[-1].data, expected.values, rtol=1e-5)
