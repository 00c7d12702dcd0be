"""``iqmaps demo``: a window where there is one, pictures where there is none, and never neither."""

import subprocess
import sys
from types import SimpleNamespace

import numpy as np
import pytest

import napari_iqmaps as iq
from napari_iqmaps.cli import demo

FILES = {
    "demo.png", "photo.png", "photo_threshold.png", "photo_threshold.tif", "distorted.png",
    "distorted_visibility.png", "distorted_visibility.tif", "scores.csv",
}  # fmt: skip
FAST = ("--model", "contrast")


@pytest.fixture
def display(monkeypatch):
    """Pretend that there is a display and napari; the list takes the programs that are started."""
    started = []
    monkeypatch.setenv("DISPLAY", ":99")
    monkeypatch.setattr(demo, "find_spec", lambda name: SimpleNamespace(name=name))

    def start(status, said=""):
        def run(command, **_options):
            started.append(command)
            return subprocess.CompletedProcess(command, status, "", said)

        monkeypatch.setattr(demo.subprocess, "run", run)
        return started

    return start


def test_without_a_display_pictures_values_and_a_table_are_written(iqmaps, tmp_path, monkeypatch):
    monkeypatch.setattr(sys, "platform", "linux")
    monkeypatch.delenv("DISPLAY", raising=False)
    monkeypatch.delenv("WAYLAND_DISPLAY", raising=False)
    result = iqmaps("demo", *FAST)
    assert result.exit_code == 0
    assert "There is no display" in result.stderr
    folder = tmp_path / "iqmaps-demo"
    assert {path.name for path in folder.iterdir()} == FILES
    assert str(folder) in result.stdout
    assert "barely visible" in result.stdout
    thresholds = iq.read_map(folder / "photo_threshold.tif")
    assert thresholds.values.shape == (512, 512)
    picture = iq.read_image(folder / "demo.png").array
    assert min(picture.shape[:2]) > 1024
    assert np.ptp(picture[..., :3].astype(int), axis=2).max() > 100  # colours


def test_out_opens_no_window(iqmaps, tmp_path, display):
    started = display(0)
    result = iqmaps("demo", *FAST, "--out", "new/folder")
    assert result.exit_code == 0
    assert started == []
    assert {path.name for path in (tmp_path / "new" / "folder").iterdir()} == FILES


def test_with_a_display_napari_is_a_program_of_its_own(iqmaps, tmp_path, display):
    started = display(0)
    result = iqmaps("demo", *FAST)
    assert result.exit_code == 0
    assert started == [[sys.executable, "-m", "napari_iqmaps.plugin.demo", "--model", "contrast"]]
    assert not (tmp_path / "iqmaps-demo").exists()


def test_a_display_that_does_not_work_falls_back_to_pictures(iqmaps, tmp_path, display):
    display(134, "lots of\nqt.qpa.xcb: could not connect to display :99\nAvailable: minimal, xcb.\n\n")
    result = iqmaps("demo", *FAST)
    assert result.exit_code == 0
    assert "status 134 (qt.qpa.xcb: could not connect to display :99)" in result.stderr
    assert (tmp_path / "iqmaps-demo" / "demo.png").exists()


def test_napari_missing_is_said_with_the_remedy(iqmaps, tmp_path, display, monkeypatch):
    display(0)
    monkeypatch.setattr(demo, "find_spec", lambda _name: None)
    result = iqmaps("demo", *FAST)
    assert result.exit_code == 0
    assert 'pip install "napari-iqmaps[all]"' in result.stderr
    assert (tmp_path / "iqmaps-demo" / "demo.png").exists()


def test_wrong_use_makes_no_folder(iqmaps, tmp_path):
    assert iqmaps("demo", "--out", "new", "--model", "magic").exit_code == 2
    assert not (tmp_path / "new").exists()
    (tmp_path / "file").touch()
    assert iqmaps("demo", "--out", "file").exit_code == 2
