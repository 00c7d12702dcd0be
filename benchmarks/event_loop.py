"""How long napari's window stands still: the longest gap between two turns of the event loop, in a real window.

Each case runs in a fresh process, with the window on a display of its own (Xvfb) where there is none: opening a widget,
its first run at once after that, and a second; opening each sample, and once more; from a file to the first map, cold
(in a fresh process) and warm (the same again). A timer of 5 ms tells the turns. What the first run of a process costs
is in its first run.

On a machine that is busy with other work, a gap is also the time in which the process did not get its turn. So two more
figures are told: "own", the most that this process computed in one gap, in all its threads, which bounds the gap on an
idle machine from above; and "main", the most that the main thread computed in one gap, which bounds it from below.

    python benchmarks/event_loop.py
    python benchmarks/event_loop.py --cases thresholds sample:message --profile
    PYTHONPATH=OTHER/src python benchmarks/event_loop.py

The last line measures another checkout; --profile prints where the main thread stood whenever no turn came for 80 ms.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import threading
import time
import traceback
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path
from typing import Any

TICK = 5  # milliseconds
LIMIT = 0.1  # seconds that a gap may have
SUSPECT = 0.08  # seconds without a turn, after which the profile looks at the thread
SETTLED = 1.5  # seconds that a case is watched after its last work: paint events come late
DEADLINE = 120.0
LARGE = 4096
STACK = (4, 2048, 2048)
_FRAMES = 7

SAMPLES = (
    "photo", "marked_photo", "message", "distorted_pair", "jpeg_photo", "blurred_photo", "noisy_photo",
    "denoised_micrograph", "nuclei", "nuclei_stack", "banded_pair", "severities", "relit_registration",
    "wrong_way_registration", "shaking_series",
)  # fmt: skip


class Clock:
    """Tells the turns of the event loop, and whatever lies between two of them."""

    def __init__(self, profile: bool) -> None:
        from qtpy.QtCore import Qt, QTimer

        self.turns: list[tuple[float, float, float]] = []
        self.stacks: Counter[str] = Counter()
        self._main = threading.main_thread().ident
        self._timer = QTimer()
        self._timer.setTimerType(Qt.TimerType.PreciseTimer)
        self._timer.timeout.connect(self.turn)
        self._timer.start(TICK)
        if profile:
            threading.Thread(target=self._watch, daemon=True).start()

    def turn(self) -> None:
        """Take note that the loop has come round."""
        self.turns.append((time.perf_counter(), time.process_time(), time.thread_time()))

    def gaps(self) -> list[list[float]]:
        """Give all gaps since the last call, in seconds: whole, computed by the process, and by the main thread."""
        self.turn()
        turns, self.turns = self.turns, self.turns[-1:]
        return [[end - begin for begin, end in zip(*pair, strict=True)] for pair in pairwise(turns)]

    def _watch(self) -> None:
        while True:
            time.sleep(TICK / 1000)
            if not self.turns or time.perf_counter() - self.turns[-1][0] < SUSPECT:
                continue
            frames = sys._current_frames()
            for thread in threading.enumerate():
                frame = frames.get(thread.ident or 0)
                if frame is None or thread is threading.current_thread():
                    continue
                where = "main" if thread.ident == self._main else "other"
                stack = traceback.extract_stack(frame)[-_FRAMES:]
                text = " < ".join(f"{Path(line.filename).name}:{line.lineno} {line.name}" for line in reversed(stack))
                self.stacks[f"{where}: {text}"] += 1


class Window:
    """A viewer in which cases run, and what was measured of them."""

    def __init__(self, profile: bool) -> None:
        import napari
        from qtpy.QtWidgets import QApplication

        self.viewer = napari.Viewer()
        self.viewer.window.resize(1280, 860)
        self.app = QApplication.instance()
        # What napari itself does for the first image of a process is not this package's.
        first = self.viewer.add_image(_ramp((64, 64)), name="first")
        self.wait(SETTLED)
        self.viewer.layers.remove(first)
        self.wait(SETTLED)
        self.clock = Clock(profile)
        self.profile = profile
        self.rows: list[dict[str, Any]] = []

    def wait(self, seconds: float) -> None:
        """Let the loop turn for some time."""
        self.until(lambda: False, seconds)

    def until(self, done: Callable[[], bool], seconds: float = DEADLINE) -> None:
        """Let the loop turn until something is so."""
        end = time.perf_counter() + seconds
        while time.perf_counter() < end and not done():
            self.app.processEvents()
            time.sleep(0.0005)

    @contextmanager
    def measured(self, what: str, **more: Any) -> Iterator[dict[str, Any]]:
        """Measure the gaps of what is done meanwhile, and of what follows it."""
        self.clock.gaps()
        self.clock.stacks.clear()
        began = time.perf_counter()
        row: dict[str, Any] = {"what": what, **more}
        yield row
        row.setdefault("seconds", time.perf_counter() - began)
        self.wait(SETTLED)
        gaps = self.clock.gaps()
        row |= {
            "longest": max(gap[0] for gap in gaps),
            # Threads that compute side by side cannot make a gap longer than it was.
            "own": max(min(gap[:2]) for gap in gaps),
            "main": max(gap[2] for gap in gaps),
            "above": sum(min(gap[:2]) > LIMIT for gap in gaps),
        }
        if self.profile:
            row["stacks"] = self.clock.stacks.most_common(12)
        self.rows.append(row)

    def dock(self, name: str) -> Any:
        """Open a widget."""
        with self.measured("open"):
            _, widget = self.viewer.window.add_plugin_dock_widget("napari-iqmaps", name)
        return widget

    def run(self, widget: Any, what: str, start: Callable[[], object] | None = None) -> None:
        """Run a widget, or something else of it, and wait for its result."""
        with self.measured(what):
            (start or widget.run)()
            self.until(lambda: not widget.is_running)

    def twice(self, widget: Any) -> None:
        """Run a widget twice."""
        self.run(widget, "first run")
        self.run(widget, "second run")


def _ramp(shape: tuple[int, ...]) -> Any:
    import numpy as np

    return np.random.default_rng(0).integers(0, 255, shape, dtype=np.uint8)


def _large(shape: tuple[int, ...]) -> Any:
    """Make a picture with something to see on all scales, of which each plane is the same but for noise."""
    import cv2
    import numpy as np
    from skimage import data

    plane = cv2.resize(data.camera(), shape[-1:] * 2, interpolation=cv2.INTER_CUBIC)
    noise = np.random.default_rng(0).integers(-6, 7, shape, dtype=np.int16)
    return np.clip(plane + noise, 0, 255).astype(np.uint8)


def _photos() -> tuple[Any, Any]:
    import numpy as np
    from skimage import data

    photo = data.camera()
    noise = np.random.default_rng(0).normal(0, 6, photo.shape)
    return photo, np.clip(photo + noise, 0, 255).astype(np.uint8)


def thresholds(window: Window) -> None:
    """Threshold map with the default model."""
    window.viewer.add_image(_photos()[0], name="photo")
    window.twice(window.dock("Visibility thresholds"))


def waited(window: Window) -> None:
    """Threshold map, where the user waits some seconds before the first run."""
    window.viewer.add_image(_photos()[0], name="photo")
    widget = window.dock("Visibility thresholds")
    with window.measured("6 s of rest"):
        window.wait(6)
    window.twice(widget)


def visibility(window: Window) -> None:
    """Visibility map of a pair."""
    photo, noisy = _photos()
    reference, test = window.viewer.add_image(photo, name="reference"), window.viewer.add_image(noisy, name="test")
    widget = window.dock("Visibility thresholds")
    widget.layers.images["image"].value, widget.layers.images["reference"].value = test, reference
    window.twice(widget)


def following(window: Window) -> None:
    """Follow a large image: its fingerprint is taken when it is watched, and when it was drawn."""
    layer = window.viewer.add_image(_large((LARGE, LARGE)), name="large")
    widget = window.dock("Visibility thresholds")
    widget.options["model"].value = "contrast"
    window.run(widget, "first run", lambda: widget.follow.setChecked(True))
    with window.measured("change"):
        layer.data[:64] = 0
        layer.refresh()
        window.wait(1)
        window.until(lambda: not widget.is_running)


def large(window: Window) -> None:
    """Threshold map of a large image, with the model of three numbers."""
    window.viewer.add_image(_large((LARGE, LARGE)), name="large")
    widget = window.dock("Visibility thresholds")
    widget.options["model"].value = "contrast"
    window.twice(widget)


def stack(window: Window) -> None:
    """Threshold maps of a stack of large planes."""
    window.viewer.add_image(_large(STACK), name="stack")
    widget = window.dock("Visibility thresholds")
    widget.options["model"].value = "contrast"
    window.twice(widget)


def hide(window: Window) -> None:
    """Hide a text."""
    window.viewer.add_image(_photos()[0], name="photo")
    window.twice(window.dock("Hide a mark"))


def blind(window: Window) -> None:
    """All maps of the blind network."""
    window.viewer.add_image(_photos()[1], name="photo")
    window.twice(window.dock("Error, reliability & sensitivity"))


def machine(window: Window) -> None:
    """Machine-perceived quality, and a curve."""
    window.viewer.add_image(_photos()[0][::2, ::2], name="photo")
    widget = window.dock("Machine-perceived quality")
    window.twice(widget)
    window.run(widget, "first curve", widget.run_curve)
    window.run(widget, "second curve", widget.run_curve)


def distort(window: Window) -> None:
    """Make a distorted copy."""
    window.viewer.add_image(_photos()[0], name="photo")
    window.twice(window.dock("Distort an image"))


def diff_diff(window: Window) -> None:
    """Register two frames and judge that, then look closer."""
    window.viewer.open_sample("napari-iqmaps", "relit_registration")
    window.wait(SETTLED)
    widget = window.dock("Diff-diff: judge a registration")
    widget.layers.images["registered"].value = None
    window.twice(widget)
    for name in list(widget.closer.buttons):
        window.run(widget, name, lambda name=name: widget.look_closer(name))


def diff_diff_large(window: Window) -> None:
    """Judge a registration of large frames that is there."""
    import numpy as np

    frame = _large((2048, 2048))
    for name, shift in (("moving", 3), ("registered", 0), ("fixed", 0)):
        window.viewer.add_image(np.roll(frame, shift, 1), name=name)
    window.twice(window.dock("Diff-diff: judge a registration"))


def tiff16(window: Window) -> None:
    """From a 16-bit TIFF file to its first map."""
    import numpy as np
    import tifffile

    image = (188 + _photos()[0].astype(np.uint16) * 4).astype(np.uint16)
    _from_file(window, "cells.tif", lambda path: tifffile.imwrite(path, image))


def photo8(window: Window) -> None:
    """From an 8-bit photograph to its first map."""
    from skimage import data, io

    _from_file(window, "photo.png", lambda path: io.imsave(path, data.coffee()))


def _from_file(window: Window, name: str, write: Callable[[Path], object]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / name
        write(path)
        for what in ("cold", "warm"):
            with window.measured(what) as row:
                began = time.perf_counter()
                window.viewer.open(str(path))
                window.app.processEvents()
                _, widget = window.viewer.window.add_plugin_dock_widget("napari-iqmaps", "Visibility thresholds")
                window.app.processEvents()
                widget.run()
                window.until(lambda widget=widget: not widget.is_running)
                row["seconds"] = time.perf_counter() - began
            window.viewer.window.remove_dock_widget("all")
            window.viewer.layers.clear()
            window.wait(SETTLED)


def sample(window: Window, key: str) -> None:
    """Open a sample, twice."""
    for what in ("first", "second"):
        with window.measured(what):
            window.viewer.open_sample("napari-iqmaps", key)
            window.app.processEvents()
        window.viewer.layers.clear()
        window.wait(SETTLED)


def napari_alone(window: Window) -> None:
    """Show large arrays, without this package: what napari itself takes."""
    import numpy as np

    for what, image in (
        ("512, uint8", _photos()[0]),
        ("4096, float32", _large((LARGE, LARGE)).astype(np.float32)),
        ("4 x 2048, float32", _large(STACK).astype(np.float32)),
    ):
        with window.measured(what):
            window.viewer.add_image(image, name=what, contrast_limits=(0, 255))
        window.viewer.layers.clear()
        window.wait(SETTLED)


CASES: dict[str, Callable[[Window], None]] = {
    function.__name__: function
    for function in (
        napari_alone, thresholds, waited, visibility, following, large, stack, hide, blind, machine, distort, diff_diff,
        diff_diff_large, tiff16, photo8,
    )
} | {f"sample:{key}": lambda window, key=key: sample(window, key) for key in SAMPLES}  # fmt: skip


def inside(case: str, out: Path, *, profile: bool) -> None:
    """Run one case in this process, and write what was measured."""
    window = Window(profile)
    CASES[case](window)
    out.write_text(json.dumps(window.rows))
    window.viewer.close()
    window.wait(0.5)
    os._exit(0)  # the end of the interpreter with Qt, OpenGL and torch is not what is measured


@contextmanager
def display() -> Iterator[dict[str, str]]:
    """Give the environment of a display: the one that there is, or a virtual one."""
    if os.environ.get("DISPLAY"):
        yield dict(os.environ)
        return
    read, write = os.pipe()
    command = ["Xvfb", "-displayfd", str(write), "-screen", "0", "1600x1000x24", "-nolisten", "tcp"]
    server = subprocess.Popen(command, pass_fds=(write,), stderr=subprocess.DEVNULL)
    os.close(write)
    with os.fdopen(read) as number:
        name = f":{number.readline().strip()}"
    try:
        yield {**os.environ, "DISPLAY": name}
    finally:
        server.terminate()
        server.wait()


def print_rows(case: str, rows: list[dict[str, Any]]) -> None:
    """Print what was measured of a case."""
    for row in rows:
        gaps = " ".join(f"{row[name] * 1000:8.0f}" for name in ("longest", "own", "main"))
        print(f"{case:30s} {row['what']:20s} {row['seconds']:7.2f} {gaps} {row['above']:7d}", flush=True)
        for stack_text, count in row.get("stacks", ()):
            print(f"      {count:4d} {stack_text}")


def main() -> None:
    """Run the cases and print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cases", nargs="+", choices=CASES, default=list(CASES), metavar="CASE",
                        help=f"which: {', '.join(CASES)} (default: all)")  # fmt: skip
    parser.add_argument("--profile", action="store_true", help="print where the threads stood in long gaps")
    parser.add_argument("--json", type=Path, help="write all figures here, too")
    parser.add_argument("--inside", type=Path, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.inside:
        inside(given.cases[0], given.inside, profile=given.profile)
    print(f"{'case':30s} {'what':20s} {'seconds':>7s} {'gap, ms':>8s} {'own':>8s} {'main':>8s} {'own>100':>7s}")
    found = {}
    with tempfile.TemporaryDirectory() as folder, display() as environment:
        for case in given.cases:
            out = Path(folder) / "rows.json"
            out.unlink(missing_ok=True)
            command = [sys.executable, "-W", "ignore", __file__, "--cases", case, "--inside", str(out)]
            done = subprocess.run([*command, *["--profile"] * given.profile], env=environment,
                                  capture_output=True, text=True, check=False)  # fmt: skip
            if not out.exists():
                print(f"{case:30s} failed:\n{done.stderr[-2000:]}", flush=True)
                continue
            found[case] = json.loads(out.read_text())
            print_rows(case, found[case])
    if given.json:
        given.json.write_text(json.dumps(found, indent=1))


if __name__ == "__main__":
    main()
