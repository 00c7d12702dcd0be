"""The scores of blocks as shapes: coloured by the score, with all numbers as features."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from matplotlib.colors import to_rgba
from napari.layers import Shapes

from ..core.diffdiff import DiffDiffScore
from ..core.diffdiff.sheet import BETTER, WORSE

_STRONGEST = 0.75  # opacity of a block in which all that changed went one way
_LABEL = "label"


def blocks_layer(score: DiffDiffScore, name: str, ndim: int, state: dict[str, Any]) -> Shapes:
    """Make the layer.

    Parameters
    ----------
    ndim : int
        Of the map: 2, or more for a stack, whose blocks lie on their planes.
    state : dict
        Where the map's pixels lie, as `spatial_state` gives it.

    Returns
    -------
    napari.layers.Shapes
        A rectangle for each block: green where the registration made it better, pink where worse, clear where it cannot
        be told; with its score, if enough has changed for one.
    """
    layer = Shapes(
        _corners(score, ndim),
        shape_type="rectangle",
        name=name,
        ndim=ndim,
        edge_color="white",
        edge_width=0.75,
        face_color=_colours(score),
        features=_features(score),
        text={"string": "{label}", "color": "white", "size": 11, "anchor": "center"},
        **state,
    )
    layer.editable = False  # the blocks are a grid; a moved one would say what is not so
    return layer


def update_blocks(layer: Shapes, score: DiffDiffScore) -> bool:
    """Show other scores of the same blocks."""
    corners = _corners(score, layer.ndim)
    old = layer.data
    if len(old) != len(corners) or not all(map(np.array_equal, old, corners)):
        return False
    layer.features = _features(score)
    layer.face_color = _colours(score)
    layer.refresh_text()
    return True


def rows_of(score: DiffDiffScore, **more: Any) -> list[dict[str, Any]]:
    """Give the blocks as a table."""
    return [{**more, "kind": "diff_diff_block", **block.features()} for block in score.blocks]


def _corners(score: DiffDiffScore, ndim: int) -> list[npt.NDArray[np.float64]]:
    made = []
    for block in score.blocks:
        top, left = block.top - 0.5, block.left - 0.5
        bottom, right = top + block.height, left + block.width
        plane = np.zeros((4, ndim))
        if block.plane:
            plane[:, : ndim - 2] = block.plane
        plane[:, -2:] = [(top, left), (top, right), (bottom, right), (bottom, left)]
        made.append(plane)
    return made


def _colours(score: DiffDiffScore) -> npt.NDArray[np.float32]:
    """Colour by the direction, the more so the clearer it is; a block that is not scored stays clear."""
    better, worse = to_rgba(BETTER), to_rgba(WORSE)
    colours = []
    for block in score.blocks:
        lean = 2 * block.score - 1 if block.scored else 0.0
        colours.append((*(better if lean > 0 else worse)[:3], _STRONGEST * abs(lean)))
    return np.asarray(colours, np.float32)


def _features(score: DiffDiffScore) -> dict[str, list[Any]]:
    rows = [block.features() for block in score.blocks]
    columns = {name: [row[name] for row in rows] for name in rows[0]}
    return columns | {_LABEL: [f"{block.score:.2f}" if block.scored else "" for block in score.blocks]}
