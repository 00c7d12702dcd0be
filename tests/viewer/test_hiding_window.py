"""The widget "Hide a mark" in a real window: a message over sky and grass, at two strengths.

As in `test_window`, the pictures can be kept: ``IQMAPS_SCREENSHOTS=docs/images pytest tests/viewer``.
"""

import numpy as np
import pytest


@pytest.fixture
def hiding(viewer, qtbot):
    """Open the sample and the widget as the menus do."""
    viewer.open_sample("napari-iqmaps", "message")
    for name in ("amplitude 4", "amplitude 1.5", "hidden, strength 1"):
        viewer.layers.remove(name)
    _, widget = viewer.window.add_plugin_dock_widget("napari-iqmaps", "Hide a mark")
    widget.layers.images["image"].value = viewer.layers["photo"]
    widget.layers.images["mark"].value = viewer.layers["message"]
    widget.options["window"].value = 9
    qtbot.wait(300)
    return widget


def test_the_slider_is_followed_and_shown_at_two_strengths(viewer, hiding, finish, picture, qtbot, patience):
    hiding.button.click()
    finish(hiding)
    (_, _, marked, mark, visibility) = viewer.layers
    faint = mark.data.copy()
    pictures = [picture("hide_strength_1")]
    hiding.follow.setChecked(True)
    finish(hiding)
    hiding.options["strength"].slider.value = np.log10(4)
    qtbot.waitUntil(lambda: np.abs(mark.data).sum() > 2 * np.abs(faint).sum(), timeout=patience)
    finish(hiding)
    pictures.append(picture("hide_strength_4"))
    assert viewer.layers[-1] is visibility
    assert hiding.options["strength"].value == 4
    assert visibility.data.max() <= visibility.metadata["iqmaps"]["level"]
    assert (pictures[0] != pictures[1]).any()
    assert viewer.canvas.grid.enabled
    hiding.views.group.button(1).click()
    assert marked.visible
    assert not visibility.visible


def test_the_menu_has_it(make_napari_viewer):
    from napari._app_model import get_app_model

    make_napari_viewer()
    items = get_app_model().menus.get_menu("napari/layers/filter")
    assert any("hide_a_mark" in item.command.id or "Hide a mark" in item.command.id for item in items
               if hasattr(item, "command"))  # fmt: skip
