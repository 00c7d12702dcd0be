"""A map as a picture that explains itself: colours with a scale, the unit, what high and low mean, and the score."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from ... import __version__
from ..evidence import STAMP, planes_in_doubt
from ..maps import QualityMap
from .sheet import Panel, Scale, Sheet, block_of, reduced

_LARGEST_SIDE = 4096
_MOST_PLANES = 64


def sheet_of(quality_map: QualityMap) -> Sheet:
    """Compose the picture of a map in memory: a panel a plane, the score in words, and a line of provenance.

    Of a stack, every plane is shown on the scale of all, or 64 evenly spaced ones.
    """
    values = np.asarray(quality_map.values)
    scale = Scale.of(values, quality_map.meaning)
    doubt = planes_in_doubt(quality_map.info, values.shape[:-2])
    scales = {False: replace(scale, is_dimmed=bool(doubt.all())), True: replace(scale, is_dimmed=True)}
    indices = list(np.ndindex(*values.shape[:-2]))
    chosen = _evenly(indices, _MOST_PLANES)
    columns = math.ceil(math.sqrt(len(chosen)))
    limit = max(_LARGEST_SIDE // columns, 64)
    last_of_row = min(columns, len(chosen)) - 1
    panels = [
        map_panel(
            values[index],
            scales[bool(doubt[index])],
            title=_plane_title(quality_map, index),
            has_bar=number == last_of_row,
            limit=limit,
        )
        for number, index in enumerate(chosen)
    ]
    # The bar is of the planes in colours, also where the plane beside it is dimmed.
    panels[last_of_row] = replace(panels[last_of_row], scale=scales[False])
    if quality_map.kind == "diff_diff" and values.ndim == 2 and "tol" in quality_map.info:
        from ..diffdiff.sheet import marks_panel

        panels.append(marks_panel(values, quality_map.info, limit))
        columns = 2
    caption = quality_map.sentence()
    if values.ndim > 2:
        caption = f"{quality_map.meaning.title}, plane by plane. {caption}"
    if len(chosen) < len(indices):
        caption += f" {len(chosen)} of the {len(indices)} planes are shown, evenly spaced."
    shrunk = block_of(values.shape[-2:], limit)
    if shrunk > 1:
        caption += f" Shown at 1:{shrunk}, each pixel the mean of {shrunk} x {shrunk}."
    return Sheet(panels, columns, caption=caption, footer=provenance(quality_map.info))


def map_panel(
    plane: npt.NDArray[Any],
    scale: Scale,
    *,
    title: str,
    caption: str = "",
    has_bar: bool = True,
    limit: int = _LARGEST_SIDE,
) -> Panel:
    """Colour one plane of a map as a panel, at its own pixels or reduced to a largest side of `limit`."""
    stamp = STAMP if scale.is_dimmed else ""
    return Panel(scale.colours(reduced(plane, limit)), title, caption, scale if has_bar else None, stamp)


def provenance(info: Mapping[str, Any]) -> str:
    """Say in a line where a map comes from, as far as it is known."""
    parts = []
    if "model" in info:
        parts.append(f"model {info['model']}")
    if "weights" in info:
        # Weights given by path are named by the file: a picture to be published should not show folders.
        name = Path(str(info["weights"])).name
        parts.append(f"weights {name} (sha256 {str(info.get('weights_sha256', ''))[:8]})")
    if "stride" in info:
        parts.append(f"stride {info['stride']}")
    if "observer" in info:
        parts.append(f"{info['observer']} observer")
    if "pixels_per_degree" in info:
        parts.append(f"{info['pixels_per_degree']:g} pixels per degree")
    if "window" in info:
        parts.append(f"window {info['window']}")
    if "illumination" in info:
        smooth = f", smoothed by {info['smooth']:g} pixels" if info.get("smooth") else ""
        parts.append(f"light corrected: {info['illumination']}{smooth}")
    if isinstance(info.get("data_range"), Sequence):
        low, high = info["data_range"]
        parts.append(f"black {low:g}, white {high:g}")
    if "encoding" in info:
        what = "values in cd/m2" if info["luminance"] == "absolute" else "display codes"
        parts.append(
            f"{what}, shown at {info['black_level']:g} to {info['peak_luminance']:g} cd/m2 ({info['encoding']})"
        )
    parts.append(f"napari-iqmaps {info.get('version', __version__)}")
    return ", ".join(parts)


def _plane_title(quality_map: QualityMap, index: tuple[int, ...]) -> str:
    if not index:
        return quality_map.meaning.title
    score = np.asarray(quality_map.score)[index]
    number = ", ".join(map(str, index))
    return f"plane {number}: {score:.3g}" if np.isfinite(score) else f"plane {number}: no valid pixel"


def _evenly(items: list[Any], most: int) -> list[Any]:
    if len(items) <= most:
        return items
    return [items[round(position)] for position in np.linspace(0, len(items) - 1, most)]
