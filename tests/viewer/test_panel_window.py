"""The panel in a real window: keys, folds, words that are never markup, and results that say when they are past."""

from itertools import pairwise

import numpy as np
import pytest
from napari._qt.dialogs.qt_notification import NapariQtNotification
from qtpy.QtCore import QPoint, QRect, Qt
from qtpy.QtWidgets import QApplication
from skimage import data


@pytest.fixture
def docked(viewer, dock):
    camera = data.camera()[::4, ::4]
    viewer.add_image(np.stack([camera, camera // 2]), name="a <b>bold</b> & plain")
    viewer.add_image(camera, name="other")
    widget = dock("contrast")
    widget.layers.images["image"].value = viewer.layers[0]
    viewer.window._qt_window.activateWindow()
    return widget


@pytest.fixture
def press(qtbot):
    """Press a key where the focus is; give where it is then."""

    def pressed(key):
        qtbot.keyClick(QApplication.focusWidget(), key)
        QApplication.processEvents()
        return QApplication.focusWidget()

    return pressed


def test_the_keyboard_goes_through_the_panel_from_top_to_bottom_and_runs_it(docked, press, finish, picture):
    first = docked.layers.images["image"].native
    first.setFocus()
    visited = [first]
    while docked.isAncestorOf(part := press(Qt.Key.Key_Tab)) and part not in visited:
        visited.append(part)
    places = [part.mapTo(docked._inner, QPoint(0, part.height() // 2)).y() for part in visited]
    assert all(below >= above - 6 for above, below in pairwise(places))
    folds = list(docked._folded)
    assert [part for part in visited if any(fold.content.isAncestorOf(part) for fold in folds)] == []
    assert {docked.button, docked.reset_button, docked.follow, *(fold.head for fold in folds)} <= set(visited)

    folds[1].head.setFocus()
    press(Qt.Key.Key_Return)
    assert folds[1].content.isVisible()
    while (field := press(Qt.Key.Key_Tab)) is not docked.options["tile"].native:
        assert field is docked.reset_button or folds[1].content.isAncestorOf(field)
    for key in "64":
        press(key)
    assert "(1 changed)" in folds[1].head.text()
    press(Qt.Key.Key_Return)
    finish(docked)
    assert docked.summary.standing.is_current
    assert "black 0" in docked.summary.standing.heading.text()
    picture("panel_by_the_keyboard")


def test_a_result_is_dimmed_as_long_as_another_layer_is_chosen(viewer, docked, finish, picture, qtbot):
    docked.button.click()
    finish(docked)
    summary = docked.summary
    viewer.dims.set_current_step(0, 1)
    assert summary.plane.text().startswith("Plane 1: ")

    def ink():
        """Give the lightness of the letters."""
        part = summary.sentence
        pixels = docked._inner.grab(QRect(part.mapTo(docked._inner, QPoint()), part.size())).toImage()
        return max(pixels.pixelColor(x, y).lightness() for x in range(pixels.width()) for y in range(pixels.height()))

    full = ink()
    docked.layers.images["image"].value = viewer.layers["other"]
    assert summary.standing.state.text().startswith("Out of date: the image is another")
    assert summary.standing.heading.text().startswith("Image 'a <b>bold</b> & plain' · ")
    assert not summary.save_map.isEnabled()
    docked.scroll_to(summary)
    picture("out_of_date")
    assert ink() < 0.85 * full
    docked.layers.images["image"].value = viewer.layers[0]
    assert ink() == full
    assert summary.save_map.isEnabled()


def test_a_name_is_shown_as_it_is_by_a_notification(viewer, docked, picture, qtbot):
    viewer.layers[0].data = np.zeros((96, 128, 7), np.uint8)
    docked.button.click()
    window = viewer.window._qt_window
    qtbot.waitUntil(lambda: bool(window.findChildren(NapariQtNotification)))
    shown = window.findChildren(NapariQtNotification)
    assert any("bold" in part.message.text() for part in shown)
    assert not any(Qt.mightBeRichText(part.message.text()) for part in shown)
    viewer.theme = "light"
    picture("error_in_the_light_theme")
    assert docked.status.text().startswith("Error: The layer 'a <b>bold</b> & plain' has shape")
