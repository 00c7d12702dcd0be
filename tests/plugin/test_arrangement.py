"""What a widget changes of the view comes back when it closes, unless the user has changed it since."""

import numpy as np
import pytest
from qtpy.QtWidgets import QWidget

from napari_iqmaps.plugin.arrangement import Arrangement


@pytest.fixture
def layers(viewer):
    return [viewer.add_image(np.zeros((8, 9)), name=name, visible=name != "c") for name in "abc"]


@pytest.fixture
def arrangement(viewer):
    return Arrangement(viewer)


def test_grid_and_visibility_come_back(viewer, layers, arrangement):
    a, b, c = layers
    viewer.canvas.grid.stride = 2
    arrangement.show(a, False)
    arrangement.show(c)
    arrangement.show(b)
    arrangement.grid(True, shape=(1, 3), stride=1)
    arrangement.show(a, True)
    arrangement.show(a, False)
    assert viewer.canvas.grid.enabled
    arrangement.put_back()
    assert [layer.visible for layer in layers] == [True, True, False]
    grid = viewer.canvas.grid
    assert (grid.enabled, grid.shape, grid.stride) == (False, (-1, -1), 2)


def test_what_the_user_changed_since_stays(viewer, layers, arrangement):
    a, b, _ = layers
    arrangement.show(a, False)
    arrangement.show(b, False)
    arrangement.grid(True, shape=(1, 3))
    a.visible = True
    viewer.canvas.grid.shape = (3, 1)
    viewer.layers.remove(b)
    arrangement.put_back()
    assert a.visible
    assert viewer.canvas.grid.shape == (3, 1)
    assert not viewer.canvas.grid.enabled
    assert not b.visible


def test_a_choice_of_the_user_between_two_views_is_what_comes_back(layers, arrangement):
    a, *_ = layers
    arrangement.show(a, False)
    a.visible = True
    a.visible = False  # by hand: that is how it was left, too
    arrangement.show(a, True)
    a.visible = False  # by hand, otherwise than it was left
    arrangement.show(a, True)
    arrangement.put_back()
    assert not a.visible


def test_layers_of_the_widget_s_own_stay_as_they_are_shown(layers, arrangement):
    a, b, _ = layers
    arrangement.own(a)
    arrangement.show(a, False)
    arrangement.show(b, False)
    arrangement.put_back()
    assert not a.visible
    assert b.visible


def test_closing_a_dock_puts_back_what_its_widget_arranged(viewer, photo, qtbot, finish):
    """As napari does it: the widget is taken out of its dock, and lives on as long as anything refers to it."""
    from napari_iqmaps.plugin.hiding import HideMark

    image = viewer.add_image(photo, name="photo")
    mark = viewer.add_image(np.eye(20), name="mark")
    widget = HideMark(viewer)
    dock = QWidget()
    qtbot.addWidget(dock)
    qtbot.addWidget(widget)
    widget.setParent(dock)
    widget.layers.images["image"].value = image
    widget.layers.images["mark"].value = mark
    widget.options["model"].value = "contrast"
    widget.run()
    finish(widget)
    assert viewer.canvas.grid.enabled
    assert not mark.visible
    widget.follow.setChecked(True)
    widget.setParent(None)
    assert not viewer.canvas.grid.enabled
    assert mark.visible
    assert not widget.follow.isChecked()
    finish(widget)
