"""What the canvas of a real window shows of maps: legends, stamps, numbers on blocks, the status bar; and closing."""

import numpy as np
import pytest
from qtpy.QtWidgets import QApplication

from napari_iqmaps.core.diffdiff import diff_diff_score
from napari_iqmaps.core.ink import READABLE, contrast
from napari_iqmaps.core.io import write_map
from napari_iqmaps.core.kinds import KINDS
from napari_iqmaps.core.maps import QualityMap
from napari_iqmaps.plugin.canvas import place
from napari_iqmaps.plugin.diff_diff_layers import blocks_layer
from napari_iqmaps.plugin.layers import spatial_state
from napari_iqmaps.plugin.reader import read_map_layers
from napari_iqmaps.plugin.results import Result
from napari_iqmaps.plugin.words_overlay import words_of


def mapped(**info):
    values = np.tile(np.linspace(0, 10, 120, dtype=np.float32), (90, 1))
    return Result.of(QualityMap.of(values, "threshold", info), ["photo"])


@pytest.fixture
def canvas(viewer, qtbot):
    """Take the pixels of the canvas, from 0 to 1."""

    def taken():
        viewer.reset_view()
        qtbot.wait(300)
        return viewer.screenshot(flash=False)[..., :3] / 255

    return taken


@pytest.mark.parametrize("theme", ["dark", "light"])
def test_title_unit_and_stamp_are_drawn_and_read(viewer, canvas, theme):
    viewer.theme = theme
    source = viewer.add_image(np.zeros((90, 120), np.uint8), name="photo")
    layer = place(viewer, mapped(), source)
    with_legend = canvas()
    layer.colorbar.visible = False
    place(viewer, mapped(not_enough_evidence="it is small."), source, layer)
    stamped = canvas()
    height, width = with_legend.shape[:2]
    corner = (slice(0, height // 4), slice(0, width // 3))
    for pixels in (with_legend, stamped):
        shades = pixels[corner].reshape(-1, 3)
        order = shades.sum(axis=-1).argsort()
        assert contrast(shades[order[0]], shades[order[-1]]) > READABLE
    assert (with_legend[corner] != stamped[corner]).any()
    middle = (slice(height // 2 - 20, height // 2 + 20), slice(width // 3, 2 * width // 3))
    assert np.ptp(with_legend[middle], axis=-1).mean() > 0.1
    assert np.ptp(stamped[middle], axis=-1).max() < 0.02


@pytest.mark.parametrize("grey", [0, 90, 255])
def test_numbers_on_blocks_are_read_over_any_image(viewer, canvas, grey):
    random = np.random.default_rng(1)
    fixed = random.integers(60, 200, (96, 128)).astype(np.uint8)
    moving, registered = fixed.copy(), fixed.copy()
    moving[:, :64] = moving[:, :64] // 2
    registered[:, 64:] = registered[:, 64:] // 2
    score = diff_diff_score(moving, registered, fixed, tol=10, illumination="none", grid=(1, 2))
    image = viewer.add_image(np.full((96, 128), grey, np.uint8), name="image", contrast_limits=(0, 255))
    blocks = viewer.add_layer(blocks_layer(score, "a", 2, spatial_state(image)))
    assert list(blocks.features["label"]) == ["1.00", "0.00"]
    with_numbers = canvas()
    blocks.text.visible = False
    bare = canvas()
    ink = (np.abs(with_numbers - bare).sum(axis=-1) > 0.4) & (with_numbers.sum(axis=-1) < 0.2)
    assert ink.sum() > 40
    assert min(contrast(with_numbers[at], bare[at]) for at in map(tuple, np.argwhere(ink))) > READABLE


def test_the_status_bar_says_value_and_unit(viewer):
    source = viewer.add_image(np.zeros((90, 120), np.uint8), name="photo")
    layer = place(viewer, mapped(), source)
    viewer.layers.selection.active = layer
    viewer.mouse_over_canvas = True
    viewer.cursor.position = (12, 40)
    viewer.update_status_from_cursor()  # as the thread does that tests do not have
    expected = f"[12, 40]: {layer.data[12, 40]:.3g} {KINDS['threshold'].unit}"
    assert viewer.status["coordinates"] == expected
    assert viewer.status["layer_base"] == "Visibility threshold: photo"


def test_the_dock_s_button_puts_back_grid_and_visibility(viewer, qtbot):
    photo = viewer.add_image(np.random.default_rng(0).integers(0, 255, (90, 120)).astype(np.uint8), name="photo")
    other = viewer.add_image(np.zeros((9, 9)), name="mark")
    dock, widget = viewer.window.add_plugin_dock_widget("napari-iqmaps", "Hide a mark")
    widget.arrangement.show(other, False)
    widget.arrangement.show(photo)
    widget.arrangement.grid(True)
    dock.title.close_button.click()
    qtbot.wait(50)
    QApplication.processEvents()
    assert not viewer.canvas.grid.enabled
    assert other.visible


def test_a_map_that_is_opened_without_a_dock_has_its_legend(viewer, tmp_path):
    path = write_map(mapped().quality_map, tmp_path / "photo_threshold.iqmaps.tif")
    (read,) = read_map_layers(str(path))
    layer = viewer.add_layer(read)
    assert words_of(layer, "iqmaps_legend").startswith("Visibility threshold")
    assert layer.get_status((12, 40), dims_displayed=[0, 1], world=True)["value"].endswith(KINDS["threshold"].unit)
