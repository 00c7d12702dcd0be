"""The widget "Error, reliability & sensitivity" in a real window: all maps side by side, and scores of regions.

As in `test_window`, the pictures can be kept: ``IQMAPS_SCREENSHOTS=docs/images pytest tests/viewer``.
"""

import numpy as np
import pytest

ALL = ["objective_error", "error", "reliability", "sensitivity", "perceptual_error"]


@pytest.fixture
def judging(viewer, qtbot):
    """Open a sample and the widget as the menus do."""

    def opened(sample):
        layers = viewer.open_sample("napari-iqmaps", sample)
        _, widget = viewer.window.add_plugin_dock_widget("napari-iqmaps", "Error, reliability & sensitivity")
        widget.layers.images["image"].value = layers[-1]
        qtbot.wait(300)
        return widget, *layers

    return opened


def shown(viewer):
    return [layer.metadata["iqmaps"]["kind"] for layer in viewer.layers if layer.visible and "iqmaps" in layer.metadata]


def test_all_maps_of_a_jpeg_photo_side_by_side(viewer, judging, finish, picture):
    widget, photo, _ = judging("jpeg_photo")
    widget.layers.images["reference"].value = photo
    widget.button.click()
    finish(widget)
    pixels = picture("blind_jpeg")
    assert shown(viewer) == ALL
    assert widget.summary.sentence.text().startswith("Quality ")
    assert viewer.canvas.grid.actual_shape(viewer.layers) == (3, 3)
    middle = pixels[pixels.shape[0] // 4 : -pixels.shape[0] // 4, 300:800, :3]
    assert middle.std() > 20
    viewer.layers.selection.active = viewer.layers[2 + ALL.index("reliability")]
    assert widget.summary.chosen_map.quality_map.kind == "reliability"
    widget.side_by_side.click()
    assert shown(viewer) == ["reliability"]
    picture("blind_one_map")
    assert not viewer.canvas.grid.enabled


def test_regions_of_a_micrograph_get_scores(viewer, judging, finish, picture, qtbot, patience):
    widget, _, _ = judging("denoised_micrograph")
    corners = [[10, 180], [10, 460], [290, 460], [290, 180]]
    boxes = [np.array(corners), np.array(corners) / 2 + [180, 90], np.array([[0, 440], [0, 505], [60, 505], [60, 440]])]
    shapes = viewer.add_shapes(
        boxes, shape_type=["ellipse", "rectangle", "rectangle"], name="regions", face_color="transparent",
        edge_color="cyan", edge_width=3,
    )  # fmt: skip
    widget.button.click()
    finish(widget)
    widget.layers.region.value = shapes
    qtbot.waitUntil(lambda: "quality" in shapes.features, timeout=patience)
    finish(widget)
    picture("blind_regions")
    assert np.isfinite(shapes.features["quality"]).all()
    assert list(shapes.features["enough_evidence"]) == [True, True, False]
    shapes.data = [*boxes[:2], boxes[0] + [200, -150]]
    qtbot.waitUntil(lambda: shapes.features["pixels"][2] > 10_000, timeout=patience)


def test_the_menu_has_it(make_napari_viewer):
    from napari._app_model import get_app_model

    make_napari_viewer()
    items = get_app_model().menus.get_menu("napari/layers/measure")
    assert any("blind_quality" in item.command.id for item in items if hasattr(item, "command"))
