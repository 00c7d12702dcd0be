"""A map as a picture that explains itself: colours with a scale, the unit, what high and low mean, and the score.

matplotlib draws the legend; the pixels of the map are placed as they are, one to one or enlarged by a whole number.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from ... import __version__
from ..kinds import Kind
from ..maps import QualityMap
from .atomic import written_whole
from .image_file import KEY, SOFTWARE
from .sheet import Panel, Scale, Sheet

_LARGEST_SIDE = 4096
_MOST_PLANES = 64


def write_sheet(sheet: Sheet, path: str | Path, record: Mapping[str, Any] | None = None) -> Path:
    """Write a composed picture as PNG, whole or not at all."""
    text = {} if record is None else {KEY: json.dumps(record), "Software": SOFTWARE}
    with written_whole(path) as part:
        sheet.save(part, text)
    return Path(path)


def sheet_of(quality_map: QualityMap) -> Sheet:
    """Compose the picture of a map.

    Parameters
    ----------
    quality_map : QualityMap
        A map in memory. Of a stack, every plane is shown on the scale of all, or 64 evenly spaced ones.

    Returns
    -------
    Sheet
        One panel a plane, the score in words, and a line of provenance.
    """
    values = np.asarray(quality_map.values)
    scale = scale_of(values, quality_map.meaning)
    indices = list(np.ndindex(*values.shape[:-2]))
    chosen = _evenly(indices, _MOST_PLANES)
    columns = math.ceil(math.sqrt(len(chosen)))
    limit = max(_LARGEST_SIDE // columns, 64)
    panels = [
        map_panel(
            values[index],
            scale,
            title=_plane_title(quality_map, index),
            has_bar=number == min(columns, len(chosen)) - 1,
            limit=limit,
        )
        for number, index in enumerate(chosen)
    ]
    if quality_map.kind == "diff_diff" and values.ndim == 2 and "tol" in quality_map.info:
        from .diffdiff_drawing import marks_panel

        panels.append(marks_panel(values, quality_map.info, limit))
        columns = 2
    caption = quality_map.sentence()
    if values.ndim > 2:
        caption = f"{quality_map.meaning.title}, plane by plane. {caption}"
    if len(chosen) < len(indices):
        caption += f" {len(chosen)} of the {len(indices)} planes are shown, evenly spaced."
    shrunk = _block(values.shape[-2:], limit)
    if shrunk > 1:
        caption += f" Shown at 1:{shrunk}, each pixel the mean of {shrunk} x {shrunk}."
    return Sheet(panels, columns, caption=caption, footer=provenance(quality_map.info))


def map_panel(
    plane: npt.NDArray[Any], scale: Scale, *, title: str, caption: str = "", has_bar: bool = True,
    limit: int = _LARGEST_SIDE,
) -> Panel:  # fmt: skip
    """Colour one plane of a map as a panel of a sheet.

    Parameters
    ----------
    plane : numpy.ndarray
        Shape ``(height, width)``; NaN is shown in the scale's grey.
    has_bar : bool
        Whether the scale stands beside it.
    limit : int
        Largest side in pixels; a larger plane is reduced by a whole number, each pixel a mean.

    Returns
    -------
    Panel
        Colours at the map's own pixels.
    """
    shown = _reduced(plane, _block(plane.shape, limit))
    return Panel(scale.colours(shown), title, caption, scale if has_bar else None)


def scale_of(values: npt.NDArray[Any], kind: Kind) -> Scale:
    """Choose the colour scale of a map.

    Returns
    -------
    Scale
        From the kind's display limits, with arrows where values lie beyond them.
    """
    low, high = kind.display_limits(values)
    finite = np.isfinite(values)
    below = bool((values < low).any(where=finite))
    above = bool((values > high).any(where=finite))
    holes = 1 - float(finite.mean()) if values.size else 0.0
    return Scale(kind, low, high, below, above, holes)


def provenance(info: Mapping[str, Any]) -> str:
    """Say in a line where a map comes from.

    Returns
    -------
    str
        Model, weights, stride, observer, correction of the light, value range and version, as far as they are known.
    """
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


def _block(shape: Sequence[int], limit: int) -> int:
    return math.ceil(max(shape) / limit)


def _reduced(plane: npt.NDArray[Any], block: int) -> npt.NDArray[Any]:
    """Shrink by a whole number; a block with no valid pixel stays a hole."""
    if block == 1:
        return plane
    height, width = (math.ceil(side / block) for side in plane.shape)
    padded = np.full((height * block, width * block), np.nan, np.float32)
    padded[: plane.shape[0], : plane.shape[1]] = plane
    blocks = padded.reshape(height, block, width, block)
    valid = np.isfinite(blocks)
    count = valid.sum(axis=(1, 3))
    total = blocks.sum(axis=(1, 3), where=valid)
    means: npt.NDArray[np.float32] = np.divide(total, count, out=np.full_like(total, np.nan), where=count > 0)
    return means
