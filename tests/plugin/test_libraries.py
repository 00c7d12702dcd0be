"""Large libraries are loaded, figures drawn and samples made outside the main thread, and loading can be cancelled."""

import os
import subprocess
import sys
import textwrap
import threading

import pytest

from napari_iqmaps.core import libraries
from napari_iqmaps.plugin import samples
from napari_iqmaps.plugin.figure_view import FigureView
from napari_iqmaps.plugin.tasks import Task, meanwhile


def run(code):
    environment = {**os.environ, "QT_QPA_PLATFORM": "offscreen"}
    command = [sys.executable, "-W", "ignore", "-c", textwrap.dedent(code)]
    return subprocess.run(command, capture_output=True, text=True, check=False, env=environment)


def test_no_large_library_is_imported_in_the_main_thread():
    """Opening a widget, a first run at once and its figure: who imports what is seen by the finders."""
    found = run("""
        import sys, threading, time
        import numpy as np
        from napari.components import ViewerModel
        from qtpy.QtWidgets import QApplication

        class Watch:
            def find_spec(self, name, path, target=None):
                if name in ("torch", "cv2", "matplotlib", "matplotlib.figure", "skimage.transform"):
                    importers.setdefault(name, threading.current_thread() is threading.main_thread())

        importers = {}
        sys.meta_path.insert(0, Watch())
        app = QApplication([])
        viewer = ViewerModel()
        viewer.add_image(np.random.default_rng(0).integers(0, 255, (48, 64), dtype=np.uint8))
        from napari_iqmaps.plugin.visibility import VisibilityThresholds
        from napari_iqmaps.plugin import blind, diff_diff, hiding, machine, samples
        widget = VisibilityThresholds(viewer)
        widget.options["model"].value = "contrast"
        widget.run()
        end = time.monotonic() + 120
        while time.monotonic() < end and (widget.is_running or not widget.summary.histogram.is_drawn):
            app.processEvents()
            time.sleep(0.01)
            if not widget.is_running:
                widget.summary.histogram.grab()
        samples.severities()
        print(sorted(importers), any(importers.values()))
        import os; sys.stdout.flush(); os._exit(0)
    """)
    libraries_seen = ["cv2", "matplotlib", "matplotlib.figure", "skimage.transform", "torch"]
    assert found.stdout.strip() == f"{libraries_seen} False", found.stdout + found.stderr


@pytest.mark.parametrize("pause", [0, 0.4])
def test_a_program_may_end_while_libraries_are_warmed_up(pause):
    found = run(f"""
        import time
        from napari_iqmaps.core import libraries
        libraries.warm_up()
        libraries.warm_up()
        time.sleep({pause})
    """)
    assert (found.returncode, found.stderr) == (0, "")


def test_whoever_waits_for_a_library_is_told_and_can_cancel(qtbot, patience, monkeypatch):
    monkeypatch.setattr(libraries, "_loaded", set())
    heard = []
    task = Task(lambda _progress: heard.append("worked"), "test")
    task.staged.connect(heard.append)
    task.cancelled.connect(lambda: heard.append("cancelled"))
    with libraries._loading:  # another thread loads, and goes on loading
        task.start()
        qtbot.waitUntil(lambda: bool(heard), timeout=patience)
        task.cancel()
        qtbot.waitUntil(lambda: not task.is_in_thread, timeout=patience)
    assert heard == ["loading image processing", "cancelled"]


def test_stages_are_said_in_the_panel_in_their_order(viewer, photo, open_widget, finish, monkeypatch):
    from napari_iqmaps.core._thresholds import _cell_grid

    _cell_grid.cache_clear()
    viewer.add_image(photo)
    widget = open_widget("pnet")
    said = []
    say = widget.say
    monkeypatch.setattr(widget, "say", lambda text, **more: (said.append(text), say(text, **more)))
    widget.run()
    finish(widget)
    stages = [text for text in said if text.endswith("…") and not text.startswith("Loading")]
    assert stages == ["Running…", "Reading pnet…", "Making tables…"]
    assert said[-1] == ""


def test_figures_are_drawn_in_a_thread(qtbot, drawn):
    threads = []

    class View(FigureView):
        def fill(self, figure):
            threads.append(threading.current_thread())
            figure.subplots().plot([0, len(threads)])

    view = View()
    qtbot.addWidget(view)
    first = drawn(view)
    view.redraw()
    assert not view.is_drawn
    second = drawn(view)
    assert first != second
    assert len(threads) == 2
    assert threading.main_thread() not in threads


def test_a_figure_that_cannot_be_drawn_is_told_once(qtbot, drawn, told):
    class View(FigureView):
        def fill(self, figure):
            raise ZeroDivisionError("no figure")

    view = View()
    qtbot.addWidget(view)
    drawn(view)
    view.grab()
    assert told == ["no figure"]


def test_the_loop_turns_while_work_is_waited_for(qtbot, qapp):
    from qtpy.QtCore import QTimer

    turned = threading.Event()
    QTimer.singleShot(0, turned.set)
    thread, was_turned = meanwhile(lambda: (threading.current_thread(), turned.wait(60)))
    assert was_turned
    assert thread is not threading.main_thread()
    with pytest.raises(ZeroDivisionError):
        meanwhile(lambda: 1 / 0)


def test_samples_are_made_outside_the_main_thread(qapp, monkeypatch):
    threads = []
    bundled = samples.pictures.bundled
    monkeypatch.setattr(
        samples.pictures, "bundled", lambda name: (threads.append(threading.current_thread()), bundled(name))[1]
    )
    samples.photo()
    assert threads
    assert threading.main_thread() not in threads
