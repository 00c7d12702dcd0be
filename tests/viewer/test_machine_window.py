"""The widgets "Machine-perceived quality" and "Distort an image" in a real window.

As in `test_window`, the pictures can be kept: ``IQMAPS_SCREENSHOTS=docs/images pytest tests/viewer``.
"""

import numpy as np
import pytest
from skimage import data

from napari_iqmaps.plugin.samples import severities


@pytest.fixture
def judging(viewer, qtbot):
    """Open a photo and the widget as the menu does."""
    viewer.add_image(severities()[0][0][0], name="horse")  # as small as what the default weights know
    _, widget = viewer.window.add_plugin_dock_widget("napari-iqmaps", "Machine-perceived quality")
    qtbot.wait(300)
    return widget


def test_map_score_and_curves_of_a_photo(viewer, judging, finish, picture):
    judging.button.click()
    finish(judging)
    layer = viewer.layers["Machine-perceived quality: horse"]
    assert layer.data.shape == (32, 32)
    assert layer.colorbar.visible
    assert judging.summary.sentence.text().startswith("Quality ")
    pictures = [picture("machine_map")]
    for name in ("gaussian_noise", "jpeg", "gaussian_blur"):
        judging.curves.distortion.value = name
        judging.curves.button.click()
        finish(judging)
    assert judging.curves.view.isVisible()
    assert len(judging.curves.words.text().splitlines()) == 3
    pictures.append(picture("machine_curve"))
    assert (pictures[0] != pictures[1]).any()
    assert not judging.curves.view.visibleRegion().isEmpty()


def test_a_distorted_copy_beside_the_photo(viewer, finish, picture):
    photo = viewer.add_image(data.cat(), name="cat")
    _, widget = viewer.window.add_plugin_dock_widget("napari-iqmaps", "Distort an image")
    widget.options["distortion"].value = "jpeg"
    widget.options["severity"].value = 4
    widget.button.click()
    finish(widget)
    assert viewer.layers[-1].name == "cat: JPEG 4"
    assert np.abs(viewer.layers[-1].data.astype(int) - photo.data).mean() > 2
    viewer.canvas.grid.enabled = True
    pixels = picture("machine_distorted")
    assert pixels[pixels.shape[0] // 4 : -pixels.shape[0] // 4, 300:800, :3].std() > 20


@pytest.mark.parametrize(("menu", "command"), [("measure", "machine_quality"), ("filter", "napari-iqmaps.distort")])
def test_the_menus_have_them(make_napari_viewer, menu, command):
    from napari._app_model import get_app_model

    make_napari_viewer()
    items = get_app_model().menus.get_menu(f"napari/layers/{menu}")
    assert any(command in item.command.id for item in items if hasattr(item, "command"))
