"""Every widget in a window of 1280 x 720: the canvas keeps 700 pixels, and nothing of the panel is cut off."""

import numpy as np
from qtpy.QtCore import QPoint
from qtpy.QtWidgets import QAbstractButton, QLabel, QScrollArea, QWidget
from skimage import data

from napari_iqmaps import threshold_map
from napari_iqmaps.plugin.blind import BlindQuality
from napari_iqmaps.plugin.diff_diff import DiffDiff
from napari_iqmaps.plugin.distortion import DistortImage
from napari_iqmaps.plugin.hiding import HideMark
from napari_iqmaps.plugin.machine import MachineQuality
from napari_iqmaps.plugin.visibility import VisibilityThresholds

WIDTH, HEIGHT, CANVAS = 1280, 720, 700
COLUMN = 333  # pixels left of the canvas, as a rule; some 30 more where napari shows longer words
LONG_NAME = "a_name_as_long_as_that_of_a_file_from_a_microscope_channel_488"
FOLDS = ("More options", "Expert")
TITLES = {
    "Visibility thresholds": VisibilityThresholds,
    "Hide a mark": HideMark,
    "Error, reliability & sensitivity": BlindQuality,
    "Machine-perceived quality": MachineQuality,
    "Distort an image": DistortImage,
    "Diff-diff: judge a registration": DiffDiff,
}


def cut_off(panel):
    """Name the parts that reach beyond the panel, and the words that are wider than their place."""
    (area,) = [area for area in panel.findChildren(QScrollArea) if area.widget() is not None]
    inner = area.widget()
    bad = []
    for part in inner.findChildren(QWidget):
        if not part.isVisible():
            continue
        left = part.mapTo(inner, part.rect().topLeft()).x()
        if left < 0 or left + part.width() > inner.width():
            bad.append((type(part).__name__, "reaches outside", left, part.width()))
        needed = words_of(part)
        if needed > part.width():
            bad.append((part.text(), "needs", needed, "has", part.width()))
    if inner.width() > area.viewport().width():
        bad.append(("the panel", inner.width(), "its place", area.viewport().width()))
    return bad


def has_its_place(native, window):
    """Tell whether the canvas has 700 pixels, but for what napari's own column takes beyond its usual width."""
    return native.width() + max(0, native.mapTo(window, QPoint(0, 0)).x() - COLUMN) >= CANVAS


def words_of(part):
    """Give the width that the words on a label or a button take; sentences may break into lines."""
    if not isinstance(part, QLabel | QAbstractButton) or not part.text():
        return 0
    if isinstance(part, QLabel) and part.wordWrap():
        return part.minimumSizeHint().width()
    return max(part.fontMetrics().horizontalAdvance(line) for line in part.text().splitlines())


def test_a_canvas_of_700_pixels_and_a_whole_panel_of_every_widget(viewer, finish, picture, qtbot, patience):
    fixed = data.camera()[64:192, 128:288]
    threshold_map(fixed, model="contrast")  # libraries are loaded before anybody waits
    viewer.window.resize(WIDTH, HEIGHT)
    viewer.add_image(np.roll(fixed, 2, axis=1), name="moving")
    viewer.add_image(fixed, name=LONG_NAME)

    def check():
        qtbot.wait(400)  # layouts and folds come to rest
        window = viewer.window._qt_window
        assert (window.width(), window.height()) == (WIDTH, HEIGHT)
        native = viewer.window._qt_viewer.canvas.native
        try:
            qtbot.waitUntil(lambda: has_its_place(native, window), timeout=patience)  # napari lays its docks out late
        except qtbot.TimeoutError:
            raise AssertionError(f"{native.width()} pixels of canvas beside {title!r} with {widget.width()}") from None
        assert cut_off(widget) == [], title

    for title, kind in TITLES.items():
        _, widget = viewer.window.add_plugin_dock_widget("napari-iqmaps", title)
        assert isinstance(widget, kind)
        if "contrast" in getattr(widget.options.get("model"), "choices", ()):
            widget.options["model"].value = "contrast"
        check()
        for fold in widget.findChildren(QAbstractButton):
            if fold.isCheckable() and any(word in fold.text() for word in FOLDS):
                fold.setChecked(True)
        widget.run()
        finish(widget)
        viewer.theme = "light" if viewer.theme == "dark" else "dark"
        check()
        picture(f"narrow_{kind.__name__}")
        del viewer.layers[2:]
        viewer.window.remove_dock_widget(widget)
