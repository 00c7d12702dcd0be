"""Files in a real window: what napari asks, and what is opened and saved."""

from pathlib import Path

import numpy as np
import pytest
import tifffile
from napari._qt.dialogs.qt_reader_dialog import QtReaderDialog
from npe2 import PluginManager, PluginManifest
from qtpy.QtCore import QTimer
from qtpy.QtWidgets import QApplication, QFileDialog

import napari_iqmaps as iq
from napari_iqmaps.plugin.layers import is_map

PHOTO = np.random.default_rng(2).integers(188, 1200, (60, 80), dtype=np.uint16)


@pytest.fixture
def opened(viewer):
    """Open a file as one that is dropped on the canvas; give the layers, and which readers napari asked about."""
    manager, own = PluginManager.instance(), PluginManifest.from_file(Path(iq.__file__).with_name("napari.yaml"))
    if manager.get_manifest("napari-iqmaps").contributions != own.contributions:  # installed from another checkout
        manager.unregister("napari-iqmaps")
        manager.register(own)

    def drop(path):
        asked = []

        def accept():
            for dialog in QApplication.topLevelWidgets():
                if isinstance(dialog, QtReaderDialog):
                    asked.extend(button.text() for button in dialog.reader_btn_group.buttons())
                    dialog.accept()
                    return
            QTimer.singleShot(50, accept)

        before = list(viewer.layers)
        timer = QTimer()
        timer.setSingleShot(True)
        timer.timeout.connect(accept)
        timer.start(50)
        viewer.window._qt_viewer._qt_open([str(path)], stack=False)
        timer.stop()
        return [layer for layer in viewer.layers if layer not in before], asked

    return drop


def test_an_ordinary_tiff_is_opened_without_a_question_and_a_map_as_a_map(opened, viewer, tmp_path, qtbot):
    tifffile.imwrite(tmp_path / "plain.tif", PHOTO)
    (layer,), asked = opened(tmp_path / "plain.tif")
    assert not asked
    assert not is_map(layer)
    made = iq.threshold_map(PHOTO, model="contrast", data_range=(188, 1200))
    (read,), asked = opened(iq.write_map(made, tmp_path / "plain_threshold.tif"))
    assert asked == ["Image quality maps", "napari builtins"]  # the first is chosen
    assert is_map(read)
    np.testing.assert_array_equal(read.data, made.values)
    assert (read.name, read.colorbar.visible) == ("Visibility threshold: plain", True)


def test_the_dialog_of_napari_offers_the_map_with_its_record(opened, viewer, tmp_path, monkeypatch):
    made = iq.threshold_map(PHOTO, model="contrast", data_range=(188, 1200))
    opened(iq.write_map(made, tmp_path / "plain_threshold.tif"))
    offered = []

    def chosen(*_, **options):
        offered.extend(options["filter"].split(";;"))
        return str(tmp_path / "again"), next(one for one in offered if "record" in one)

    # The system's file dialog cannot be driven by a test; everything behind it is real.
    monkeypatch.setattr(QFileDialog, "getSaveFileName", chosen)
    viewer.layers.selection = {viewer.layers[-1]}
    viewer.window._qt_viewer._save_layers_dialog(selected=True)
    assert offered[0].startswith("napari builtins")
    assert iq.read_map(tmp_path / "again.iqmap.tif").info["source"] == "plain"
