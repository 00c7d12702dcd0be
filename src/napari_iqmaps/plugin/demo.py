"""napari with a photo, its threshold map, a distorted copy and its visibility map: ``python -m ...plugin.demo``."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from functools import partial
from typing import Any

import napari

from ..core import samples
from ..core.visibility import MODELS, threshold_map, visibility_map
from .canvas import place
from .layers import grid_of, pixels_of
from .results import Request, Result
from .tasks import Task
from .visibility import VisibilityThresholds

_WINDOW = 9  # finer than the default, so that the letters of the text can be read in the map


def show(viewer: Any, model: str) -> list[Task]:
    """Fill a viewer: images at once, maps as soon as they are computed."""
    distorted, photo = samples.distorted_pair()
    reference = viewer.add_image(photo, name="photo")
    copy = viewer.add_image(distorted, name="photo, distorted")
    grid = grid_of(viewer)
    grid.enabled = True
    grid.shape = (2, 2)
    viewer.reset_view()
    of_copy = {"test": pixels_of(copy), "reference": pixels_of(reference)}
    requests = (
        (reference, Request(threshold_map, {"image": pixels_of(reference)}, {"model": model})),
        (copy, Request(visibility_map, of_copy, {"model": model, "window": _WINDOW})),
    )
    tasks = []
    for source, request in requests:
        task = Task(request.run, request.name)
        task.returned.connect(partial(_show_result, viewer, source))
        task.start()
        tasks.append(task)
    return tasks


def main(argv: Sequence[str] | None = None) -> int:
    """Open napari with the demo and wait until it is closed; give the exit status."""
    parser = argparse.ArgumentParser(prog="python -m napari_iqmaps.plugin.demo", description=__doc__)
    parser.add_argument("--model", choices=MODELS, default=MODELS[0], help="threshold model (default: %(default)s)")
    arguments = parser.parse_args(argv)
    viewer = napari.Viewer(title="napari-iqmaps demo")
    viewer.window.add_dock_widget(VisibilityThresholds(viewer), name="Visibility thresholds")
    show(viewer, arguments.model)
    napari.run()
    return 0


def _show_result(viewer: Any, source: Any, result: Result) -> None:
    place(viewer, result, source)
    viewer.reset_view()


if __name__ == "__main__":
    raise SystemExit(main())
