"""A real window with the widget docked in it, and pictures of it."""

import os
from pathlib import Path

import pytest
from napari.utils.notifications import notification_manager
from PIL import Image
from qtpy.QtWidgets import QApplication

from napari_iqmaps.plugin import tasks

PATIENCE = 60_000  # milliseconds
KEEP = "IQMAPS_SCREENSHOTS"


@pytest.fixture
def patience():
    return PATIENCE


@pytest.fixture
def viewer(make_napari_viewer, qtbot):
    viewer = make_napari_viewer(show=True)
    viewer.window.resize(1280, 860)
    yield viewer
    for task in tasks.running():
        task.cancel()
    qtbot.waitUntil(lambda: not tasks.running(), timeout=PATIENCE)


@pytest.fixture
def dock(viewer, qtbot):
    """Open the widget as the menu does."""

    def docked(model="pnet"):
        _, widget = viewer.window.add_plugin_dock_widget("napari-iqmaps", "Visibility thresholds")
        widget.options["model"].value = model
        qtbot.wait(300)  # the window makes room, and notifications find their place
        return widget

    return docked


@pytest.fixture
def finish(qtbot):
    def wait(widget):
        qtbot.waitUntil(lambda: not widget.is_running, timeout=PATIENCE)

    return wait


@pytest.fixture
def told():
    messages = []
    listen = lambda notification: messages.append(str(notification.message))  # noqa: E731
    notification_manager.notification_ready.connect(listen)
    yield messages
    notification_manager.notification_ready.disconnect(listen)


@pytest.fixture
def picture(viewer, qtbot, tmp_path):
    """Take a picture of the window; give it as an array, and keep it where the environment says."""

    def taken(name):
        viewer.reset_view()
        qtbot.wait(800)  # layouts, the canvas and notifications come to rest
        QApplication.processEvents()
        path = tmp_path / f"{name}.png"
        pixels = viewer.window.screenshot(path=str(path), flash=False)
        if folder := os.environ.get(KEEP):
            Path(folder).mkdir(parents=True, exist_ok=True)
            # 256 colours keep a picture small enough for a repository.
            Image.open(path).convert("RGB").quantize(256).save(Path(folder) / path.name, optimize=True)
        return pixels

    return taken
