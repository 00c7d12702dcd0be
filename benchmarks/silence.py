"""How long the functions with `progress` work without a call of it: the longest silence of each, on large images.

    python benchmarks/silence.py                      # all, at 4000x3000 pixels
    python benchmarks/silence.py --only register --height 1500 --width 2000
    python benchmarks/silence.py --where              # with the calls before and after the longest silence

A silence is the processor time of the process between two calls of `progress`, before the first and after the last one
included, with one thread a library. At most half a second is what is wanted (of one core): a person who cancels waits
that long. The share is that of the whole run. Each function runs in a process of its own, after a run on small images,
so that imports and the reading of weights do not count.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import time
import traceback
from collections.abc import Callable
from typing import Any

OWN = ("told", "reach", "tick", "count")
THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")

Make = Callable[[Any, dict[str, Any], Callable[[int, int], None]], object]


class Listener:
    """A progress callback that keeps the longest time between two calls, and where they came from."""

    def __init__(self) -> None:
        self.calls = 0
        self.longest = 0.0
        self.where = ("", "")
        self.begun = self.last = time.process_time()
        self.place = "the start"

    def __call__(self, done: int, total: int) -> None:
        """Take note of a call."""
        frames = traceback.extract_stack(limit=16)[:-1]
        self._heard(" < ".join(f"{frame.name}:{frame.lineno}" for frame in reversed(frames) if frame.name not in OWN))
        self.calls += 1

    def end(self) -> float:
        """Count the time after the last call, and give that of the whole run."""
        self._heard("the end")
        return self.last - self.begun

    def _heard(self, place: str) -> None:
        now = time.process_time()
        if now - self.last > self.longest:
            self.longest, self.where = now - self.last, (self.place, place)
        self.last, self.place = time.process_time(), place


def functions() -> dict[str, Make]:
    """Give by name what is measured: functions of an image pair, the options of its type, and a progress callback."""
    import numpy as np

    import napari_iqmaps as iq
    from napari_iqmaps.core.registration.search import METHODS

    def visible(number: float) -> Make:
        return lambda pair, kind, heard: iq.visibility_map(*pair, pixels_per_degree=number, progress=heard, **kind)

    def registered(method: str) -> Make:
        return lambda pair, kind, heard: iq.register(*pair, method=method, progress=heard, **kind)

    def of_one(function: Callable[..., object], **options: Any) -> Make:
        return lambda pair, kind, heard: function(pair[0], progress=heard, **options, **kind)

    def of_two(function: Callable[..., object], **options: Any) -> Make:
        return lambda pair, kind, heard: function(*pair, progress=heard, **options, **kind)

    def of_three(function: Callable[..., object], **options: Any) -> Make:
        return lambda pair, kind, heard: function(pair[0], pair[0], pair[1], progress=heard, **options, **kind)

    def hidden(pair: Any, kind: dict[str, Any], heard: Any) -> object:
        mark = np.pad(np.full((60, 60), 255, np.uint8), 20)
        return iq.hide(mark, pair[0], progress=heard, **kind)

    found: dict[str, Make] = {
        "threshold_map": of_one(iq.threshold_map),
        "threshold_map contrast": of_one(iq.threshold_map, model="contrast"),
        "visibility_map": visible(35.0),
        **{f"visibility_map at {number:g}": visible(number) for number in (4, 10, 100, 600)},
        "quality": of_one(iq.quality),
        "assess": of_one(iq.assess),
        "error_map": of_one(iq.error_map),
        "perceptual_error_map": of_one(iq.perceptual_error_map),
        "sensitivity_map": of_one(iq.sensitivity_map),
        "reliability_map": of_one(iq.reliability_map),
        "objective_error_map": of_two(iq.objective_error_map),
        "machine_quality": of_one(iq.machine_quality),
        "machine_quality_map": of_one(iq.machine_quality_map),
        "machine_assess": of_one(iq.machine_assess),
        "machine_curve": of_one(iq.machine_curve, distortion="gaussian-blur", severities=[0.5]),
        "hide": hidden,
        "diff_diff": of_three(iq.diff_diff),
        "diff_diff_score": of_three(iq.diff_diff_score),
        "diff_diff_score before": of_three(iq.diff_diff_score, illumination="before"),
        "diff_diff_assess": of_three(iq.diff_diff_assess),
        "search_translation": of_two(iq.search_translation),
        "quasi_dense_matches": of_two(iq.quasi_dense_matches),
        "local_optimum": of_two(iq.local_optimum),
        **{f"register {method}": registered(method) for method in METHODS if method != "matches"},
        "compare_registrations": lambda pair, kind, heard: iq.compare_registrations(
            [pair], ["none", "downsample+clahe-heavy"], registration="fast", progress=heard, **kind
        ),
    }
    return found


def images(kind: str, height: int, width: int) -> tuple[Any, dict[str, Any]]:
    """Make a pair, the second a few pixels off and a little brighter, and the options that go with its type."""
    import numpy as np
    from scipy import ndimage

    rng = np.random.default_rng(3)
    scene = np.zeros((height + 16, width + 16), np.float32)
    for side in (2, 5, 17, 60):
        shape = tuple(-(-length // side) + 1 for length in scene.shape)
        fine = np.kron(rng.standard_normal(shape), np.ones((side, side)))[: scene.shape[0], : scene.shape[1]]
        scene += ndimage.uniform_filter(fine.astype(np.float32), side)
    scene = np.clip(128 + 30 * scene, 0, 250)
    pair = [scene[8:-8, 8:-8], scene[5:-11, 2:-14] + 5]
    pair = [np.clip(plane + rng.normal(0, 2, plane.shape), 0, 255) for plane in pair]
    if kind == "16-bit":
        return [(plane * 257).astype(np.uint16) for plane in pair], {}
    made = [plane.astype(np.uint8) for plane in pair]
    if kind == "rgb":
        return [np.stack([plane, plane, 255 - plane], axis=-1) for plane in made], {"channel_axis": -1}
    return made, {}


def measure(name: str, kind: str, height: int, width: int, where: bool) -> None:
    """Run one function, and print its longest silence."""
    import cv2
    import torch

    from napari_iqmaps import IqmapsError

    cv2.setNumThreads(1)
    torch.set_num_threads(1)
    function = functions()[name]
    label = f"{name:28s}{kind:8s}"
    try:
        function(*images(kind, 300, 400), lambda done, total: None)
        pair, options = images(kind, height, width)
        listener = Listener()
        function(pair, options, listener)
        whole = listener.end()
    except IqmapsError as error:
        print(f"{label} {str(error)[:80]}", flush=True)
        return
    share = listener.longest / whole if whole else 0.0
    print(f"{label}{listener.longest:8.2f} s {share:7.1%}{whole:9.2f} s{listener.calls:8d}", flush=True)
    if where:
        print(f"    after  {listener.where[0]}\n    before {listener.where[1]}", flush=True)


def main() -> None:
    """Measure each function in a process of its own."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--height", type=int, default=3000)
    parser.add_argument("--width", type=int, default=4000)
    parser.add_argument("--only", default="", help="functions whose name begins so")
    parser.add_argument("--kinds", default="grey", help="of grey, rgb and 16-bit, separated by commas")
    parser.add_argument("--where", action="store_true", help="tell the calls around the longest silence")
    parser.add_argument("--one", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    kinds = arguments.kinds.split(",")
    if arguments.one:
        measure(arguments.one, kinds[0], arguments.height, arguments.width, arguments.where)
        return
    print(f"{'function':28s}{'type':8s}{'silence':>10s}{'share':>8s}{'whole':>11s}{'calls':>8s}", flush=True)
    environment = {**os.environ, **dict.fromkeys(THREADS, "1")}
    own = ["--height", str(arguments.height), "--width", str(arguments.width), *(["--where"] * arguments.where)]
    for name in functions():
        for kind in kinds if name.startswith(arguments.only) else ():
            subprocess.run(
                [sys.executable, __file__, "--one", name, "--kinds", kind, *own], env=environment, check=False
            )


if __name__ == "__main__":
    main()
