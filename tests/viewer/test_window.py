"""The plugin in a real window, under Xvfb where there is no display (pytest-xvfb starts it).

Pictures of the window go to the test's own folder. To keep them, name a folder:
``IQMAPS_SCREENSHOTS=docs/images pytest tests/viewer``.
"""

import subprocess
import sys

import numpy as np
import pytest
from napari.utils.notifications import notification_manager
from skimage import data

from napari_iqmaps import threshold_map
from napari_iqmaps.plugin import demo, tasks


def shows_colours(pixels):
    """Tell whether the canvas in the middle of a window shows a coloured map."""
    height, width = pixels.shape[:2]
    middle = pixels[height // 4 : 3 * height // 4, width // 3 : width // 2, :3].astype(int)
    return np.ptp(middle, axis=-1).mean() > 20


def test_thresholds_of_a_sample(viewer, dock, finish, picture):
    viewer.open_sample("napari-iqmaps", "photo")
    widget = dock()
    widget.button.click()
    finish(widget)
    assert shows_colours(picture("thresholds"))
    layer = viewer.layers[-1]
    expected = threshold_map(viewer.layers[0].data, model="pnet", channel_axis=-1)
    np.testing.assert_allclose(layer.data, expected.values, rtol=1e-5)
    assert layer.colorbar.visible
    assert widget.summary.sentence.isVisible()
    assert widget.summary.histogram.isVisible()


def test_visibility_of_a_mark(viewer, dock, finish, picture):
    (clean, marked) = viewer.open_sample("napari-iqmaps", "marked_photo")
    widget = dock()
    widget.layers.images["image"].value = marked
    widget.layers.images["reference"].value = clean
    widget.options["window"].value = 9
    widget.button.click()
    finish(widget)
    picture("visibility_of_a_mark")
    assert viewer.layers[-1].metadata["iqmaps"]["kind"] == "visibility"


def test_a_region_of_a_microscopy_image_in_the_light_theme(viewer, dock, finish, picture):
    (image,) = viewer.open_sample("napari-iqmaps", "nuclei")
    corners = np.array([[80, 100], [80, 400], [360, 400], [360, 100]])
    shapes = viewer.add_shapes(
        corners, shape_type="ellipse", name="roi", scale=image.scale, units=image.units, face_color="transparent"
    )
    widget = dock()
    widget.layers.region.value = shapes
    widget.button.click()
    finish(widget)
    viewer.theme = "light"
    picture("region")
    layer = viewer.layers[-1]
    assert layer.units == image.units
    assert 0.6 < np.isfinite(layer.data).sum() / (280 * 300) < 0.9


def test_a_run_on_a_large_image_is_cancelled(viewer, dock, finish, picture, qtbot, patience):
    viewer.add_image(np.tile(data.camera(), (8, 8)), name="4096 x 4096")
    widget = dock("pnet")
    seen = []
    widget.button.click()
    (task,) = tasks.running()
    task.progressed.connect(lambda done, total: seen.append((done, total)))
    qtbot.waitUntil(lambda: len(seen) > 3 or not widget.is_running, timeout=patience)
    viewer.window._qt_viewer.window()._activity_dialog.show()
    picture("running")
    assert widget.button.text() == "Cancel"
    widget.button.click()
    finish(widget)
    qtbot.waitUntil(lambda: not task.is_in_thread, timeout=patience)
    done, total = seen[-1]
    assert done < total
    assert [layer.name for layer in viewer.layers] == ["4096 x 4096"]
    assert widget.button.text() == "Run"
    viewer.window._qt_viewer.window()._activity_dialog.hide()
    picture("cancelled")


@pytest.mark.parametrize(
    ("name", "pixels", "message"),
    [
        ("seven_channels", np.random.default_rng(0).integers(0, 255, (96, 128, 7), dtype=np.uint8), "(96, 128, 7)"),
    ],
)
def test_a_layer_that_cannot_be_used_says_why(viewer, dock, finish, picture, told, name, pixels, message):
    viewer.add_image(pixels, name=name.replace("_", " "))
    widget = dock()
    widget.button.click()
    finish(widget)
    picture(name)
    assert message in told[-1]
    assert message in widget.status.text()
    assert len(viewer.layers) == 1


def test_labels_are_not_offered_and_their_absence_is_told(viewer, dock, told):
    viewer.add_labels(np.zeros((64, 64), int))
    widget = dock()
    widget.button.click()
    assert widget.layers.images["image"].choices == ()
    assert "No image is chosen" in told[-1]


def test_the_dock_may_be_closed_during_a_run(viewer, dock, qtbot, patience):
    viewer.open_sample("napari-iqmaps", "nuclei_stack")
    widget = dock("pnet")
    widget.button.click()
    qtbot.wait(50)
    viewer.window.remove_dock_widget(widget)
    del widget
    qtbot.waitUntil(lambda: not tasks.running(), timeout=patience)
    viewer.add_image(np.zeros((5, 6)))
    assert len(viewer.layers) in (2, 3)


def test_the_window_may_be_closed_during_a_run(make_napari_viewer, qtbot, patience):
    viewer = make_napari_viewer(show=True)
    viewer.open_sample("napari-iqmaps", "nuclei_stack")
    _, widget = viewer.window.add_plugin_dock_widget("napari-iqmaps", "Visibility thresholds")
    widget.button.click()
    qtbot.wait(50)
    del widget
    errors = len(notification_manager.records)
    viewer.close()
    qtbot.waitUntil(lambda: not tasks.running(), timeout=patience)
    assert len(notification_manager.records) == errors


def test_the_menus_have_the_widget(make_napari_viewer):
    from napari._app_model import get_app_model

    make_napari_viewer()
    menus = get_app_model().menus
    for menu in ("napari/layers/filter", "napari/layers/measure"):
        commands = [item.command.id for item in menus.get_menu(menu) if hasattr(item, "command")]
        assert any("visibility_thresholds" in command or "Visibility thresholds" in command for command in commands)


def test_the_demo_shows_photo_copy_and_both_maps(viewer, dock, picture, qtbot, patience):
    dock()
    demo.show(viewer, "contrast")
    qtbot.waitUntil(lambda: not tasks.running(), timeout=patience)
    assert len(viewer.layers) == 4
    assert viewer.canvas.grid.enabled
    assert shows_colours(picture("demo"))
    kinds = [layer.metadata.get("iqmaps", {}).get("kind") for layer in viewer.layers]
    assert sorted(filter(None, kinds)) == ["threshold", "visibility"]


DEMO = """
import sys

import napari
from qtpy.QtCore import QTimer
from napari_iqmaps.plugin import demo

napari.qt.get_qapp()
timer = QTimer()
timer.setInterval(200)


def close_when_complete():
    viewer = napari.current_viewer()
    if viewer is not None and len(viewer.layers) == 4:
        timer.stop()
        viewer.close()


timer.timeout.connect(close_when_complete)
timer.start()
QTimer.singleShot(180_000, lambda: sys.exit("the demo is not complete after three minutes"))
raise SystemExit(demo.main(["--model", "contrast"]))
"""


def test_the_demo_runs_as_a_program():
    finished = subprocess.run([sys.executable, "-c", DEMO], capture_output=True, text=True, timeout=200, check=False)
    assert finished.returncode == 0, finished.stderr
    assert "Traceback" not in finished.stderr
