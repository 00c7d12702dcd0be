"""A pair of high dynamic range in a real window: shown tone-mapped, mapped from its light."""

import numpy as np

from napari_iqmaps import threshold_map, visibility_map
from napari_iqmaps.core import samples


def test_a_banded_scene_and_its_maps(viewer, dock, finish, picture):
    scene, banded = viewer.open_sample("napari-iqmaps", "banded_pair")
    widget = dock()
    image, reference = (widget.layers.images[name] for name in ("image", "reference"))
    image.value = scene
    assert widget.options["luminance"].value == "absolute"
    widget.button.click()
    finish(widget)
    image.value, reference.value = banded, scene
    widget.options["window"].value = 9
    widget.button.click()
    finish(widget)
    grid = getattr(viewer, "canvas", viewer).grid  # on the canvas since napari 0.9
    grid.enabled = True
    grid.stride = 1  # the first layer in the upper left
    viewer.window.resize(1500, 740)
    pixels = picture("hdr_pair")

    thresholds, visibility = viewer.layers[-2:]
    assert visibility.metadata["iqmaps"]["luminance"] == "absolute"
    test, light = (image[96:304, 96:304] for image in samples.banded_pair())
    inner = (slice(64, 144), slice(64, 144))  # where the margin of a part changes nothing
    within = (slice(160, 240), slice(160, 240))
    options = {"luminance": "absolute", "channel_axis": -1}
    np.testing.assert_allclose(thresholds.data[within], threshold_map(light, **options).values[inner], rtol=1e-5)
    expected = visibility_map(test, light, window=9, **options).values
    np.testing.assert_allclose(visibility.data[within], expected[inner], atol=1e-5)
    middle = pixels[pixels.shape[0] // 4 : -pixels.shape[0] // 4, 300:800, :3]
    assert middle.std() > 20
