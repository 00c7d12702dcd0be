"""Where users look for the plugin: the command palette, the menu of a layer, the keyboard."""

import numpy as np
import pytest
from app_model.types import KeyBinding
from napari._app_model import get_app_model
from napari._app_model.context import get_context
from napari._qt._qapp_model import build_qmodel_menu
from napari.utils.shortcuts import default_shortcuts
from qtpy.QtCore import Qt
from qtpy.QtTest import QTest

from napari_iqmaps.plugin import places

WORDS = {
    "quality": "judge_quality",
    "sharpness": "judge_quality",
    "noise": "judge_quality",
    "blur": "judge_quality",
    "error map": "judge_quality",
    "ssim": "compare",
    "psnr": "compare",
    "reference": "compare",
    "jnd": "map_thresholds",
    "threshold": "map_thresholds",
    "visibility": "map_thresholds",
    "masking": "map_thresholds",
    "watermark": "hide_watermark",
    "text": "hide_watermark",
    "registration check": "check_registration",
    "alignment": "check_registration",
    "drift": "check_registration",
    "motion correction": "check_registration",
    "detector": "judge_for_machines",
    "machine vision": "judge_for_machines",
    "jpeg": "add_distortion",
    "add noise": "add_distortion",
    "run": "run",
}
SAMPLES = {"sample noise": "noisy_photo", "sample watermark": "marked_photo", "sample drift": "shaking_series"}


@pytest.fixture
def app(viewer):
    """The application, with what the plugin adds when napari activates it."""
    app = get_app_model()
    undo = [] if places.MENU in app.menus else places.offer()
    yield app
    for function in undo:
        function()


@pytest.fixture
def pair(viewer):
    random = np.random.default_rng(0)
    return [viewer.add_image(random.integers(0, 255, (40, 50), np.uint8), name=name) for name in ("one", "two")]


def docked(viewer):
    return {type(widget).__name__: widget for widget in viewer.window.dock_widgets.values()}


def test_the_palette_finds_every_widget_and_the_samples_by_the_words_that_users_type(viewer, app):
    palette = viewer.window._qt_window._command_palette
    for words, command in (WORDS | SAMPLES).items():
        found = [hit.id for hit in palette._list.iter_top_hits(words)]
        assert f"napari-iqmaps.{command}" in found, words


def test_a_command_opens_its_widget_for_the_selected_image(viewer, app, pair):
    one, two = pair
    run = app.commands.execute_command
    for selected in (two, one):  # the second time it is open already
        viewer.layers.selection.active = selected
        run("napari-iqmaps.judge_quality").result()
        assert docked(viewer)["BlindQuality"].source is selected
    run("napari-iqmaps.compare").result()
    visibility = docked(viewer)["VisibilityThresholds"]
    assert (visibility.source, visibility.layer("reference")) == (one, two)
    viewer.layers.selection.active = two
    run("napari-iqmaps.check_registration").result()
    judge = docked(viewer)["DiffDiff"]
    assert (judge.layer("moving"), judge.layer("fixed")) == (two, one)
    assert all(widget.isVisible() for widget in docked(viewer).values() if isinstance(widget, places.MapWidget))


def test_a_layer_that_says_its_role_keeps_it(viewer, app, pair):
    one, _ = pair
    registered = viewer.add_image(one.data, name="registered")
    viewer.layers.selection.active = registered
    app.commands.execute_command("napari-iqmaps.check_registration").result()
    judge = docked(viewer)["DiffDiff"]
    assert [judge.layer(role) for role in ("moving", "fixed", "registered")] == [*pair, registered]


def test_the_menu_of_a_layer_offers_what_is_for_images(viewer, app, pair):
    menu = build_qmodel_menu("napari/layers/context", parent=viewer.window._qt_window)
    viewer.add_labels(np.zeros((40, 50), int))

    def offered():
        menu.update_from_context(get_context(viewer.layers))
        (ours,) = [action.menu() for action in menu.actions() if action.text() == "Image quality maps"]
        assert not ours.icon().isNull()
        return {action.text(): (action.isEnabled(), action.shortcut().toString()) for action in ours.actions()}

    assert not any(enabled for title, (enabled, _) in offered().items() if title != places.RUN[1])
    viewer.layers.selection.active = pair[0]
    expected = {title: (True, key) for title, key in places.OFFERED.values()} | {places.RUN[1]: (True, places.RUN[2])}
    assert offered() == expected


def test_keys_open_and_run_and_are_nobody_elses(viewer, app, pair, finish, qtbot):
    window = viewer.window._qt_window
    ours = {key for _, key in places.OFFERED.values()} | {places.RUN[2]}
    naparis = {str(KeyBinding.validate(key)) for keys in default_shortcuts.values() for key in keys}
    others = {str(bound.keybinding) for bound in app.keybindings if "iqmaps" not in bound.command_id}
    assert not ours & (naparis | others)
    window.activateWindow()
    window.setFocus()
    qtbot.waitUntil(window.isActiveWindow, timeout=5000)
    QTest.keyClick(window, Qt.Key.Key_6, Qt.KeyboardModifier.AltModifier)
    widget = docked(viewer)["DistortImage"]
    QTest.keyClick(window, Qt.Key.Key_R, Qt.KeyboardModifier.AltModifier)
    finish(widget)
    assert len(viewer.layers) == 3


def test_running_without_a_widget_says_so(viewer, app, told):
    app.commands.execute_command("napari-iqmaps.run").result()
    assert "No widget of Image quality maps is open" in told[-1]
