"""The demonstration without a viewer: a photo, its thresholds, a distorted copy, and where the distortion is seen."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from . import samples
from .io import write_map, write_scores
from .io.legend import map_panel, provenance
from .io.map_file import score_row
from .io.sheet import Panel, Scale, Sheet
from .maps import COLUMNS, QualityMap
from .visibility import threshold_map, visibility_map

_WINDOW = 9  # finer than the default, so that the letters of the text can be read in the map


@dataclass(frozen=True)
class Demonstration:
    """What was written; of the files the combined figure comes first."""

    files: list[Path]
    rows: list[dict[str, Any]]
    sentences: list[str]


def write_demonstration(
    folder: Path, *, progress: Callable[[int, int], object] | None = None, **options: Any
) -> Demonstration:
    """Compute the maps of the sample photo, and write them as pictures, as values and as a table.

    `progress` is called for each of the two maps in turn; `options` are those of `threshold_map`: model, weights,
    stride, device.
    """
    distorted, photo = samples.distorted_pair()
    thresholds = threshold_map(photo, progress=progress, **options)
    visibility = visibility_map(distorted, photo, window=_WINDOW, progress=progress, **options)

    photo_panel = Panel(_as_colours(photo), "A photo")
    distorted_panel = Panel(_as_colours(distorted), "The same with a faint text, and compressed")
    panels = [photo_panel, _panel(thresholds), distorted_panel, _panel(visibility)]
    files = [
        Sheet(panels, 2, footer=provenance(visibility.info)).write(folder / "demo.png"),
        Sheet([photo_panel]).write(folder / "photo.png"),
        write_map(thresholds, folder / "photo_threshold.png"),
        Sheet([distorted_panel]).write(folder / "distorted.png"),
        write_map(visibility, folder / "distorted_visibility.png"),
        write_map(thresholds, folder / "photo_threshold.tif"),
        write_map(visibility, folder / "distorted_visibility.tif"),
    ]
    rows = [
        score_row(thresholds, file="photo", outputs=["photo_threshold.tif"]),
        score_row(visibility, file="distorted", reference="photo", outputs=["distorted_visibility.tif"]),
    ]
    files.append(write_scores(rows, folder / "scores.csv", COLUMNS))
    return Demonstration(files, rows, [thresholds.sentence(), visibility.sentence()])


def _panel(quality_map: QualityMap) -> Panel:
    scale = Scale.of(quality_map.values, quality_map.meaning)
    title = quality_map.meaning.title
    return map_panel(quality_map.values, scale, title=title, caption=quality_map.sentence())


def _as_colours(grey: samples.Pixels) -> samples.Pixels:
    return np.repeat(grey[..., np.newaxis], 3, axis=-1)
