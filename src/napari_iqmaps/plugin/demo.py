"""napari with a photo, its threshold map, a distorted copy and its visibility map: ``python -m ...plugin.demo``."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from functools import partial
from typing import Any

import napari

from ..core.visibility import MODELS, threshold_map, visibility_map
from .layers import pixels_of
from .results import Request, Result, place
from .samples import jpeg, photo
from .tasks import Task
from .visibility import VisibilityThresholds

_JPEG_QUALITY = 15


def show(viewer: Any, model: str) -> list[Task]:
    """Fill a viewer: images at once, maps as soon as they are computed.

    Parameters
    ----------
    viewer : napari.Viewer
        An empty viewer.
    model : str
        Which threshold model to use.

    Returns
    -------
    list of Task
        The two running computations.
    """
    ((image, options, _),) = photo()
    reference = viewer.add_image(image, **options)
    copy = viewer.add_image(jpeg(image, quality=_JPEG_QUALITY), name=f"{reference.name}, JPEG {_JPEG_QUALITY}")
    # napari 0.9 moved the grid from the viewer to its canvas.
    grid = getattr(viewer, "canvas", viewer).grid
    grid.enabled = True
    grid.shape = (2, 2)
    viewer.reset_view()
    requests = (
        (reference, Request(threshold_map, (pixels_of(reference),), {"model": model})),
        (copy, Request(visibility_map, (pixels_of(copy), pixels_of(reference)), {"model": model})),
    )
    tasks = []
    for source, request in requests:
        task = Task(request.run, request.function.__name__.replace("_", " "))
        task.returned.connect(partial(_show_result, viewer, source))
        task.start()
        tasks.append(task)
    return tasks


def main(argv: Sequence[str] | None = None) -> int:
    """Open napari with the demo and wait until it is closed.

    Parameters
    ----------
    argv : sequence of str, optional
        Command line without the program's name; None takes that of the process.

    Returns
    -------
    int
        Exit status, 0.
    """
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
