"""The layers of a judged registration: where they lie, what they hold, and which of them are seen together."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from types import SimpleNamespace
from typing import Any

import numpy as np
import numpy.typing as npt
from napari.layers import Image, Labels, Shapes
from napari.utils.colormaps import DirectLabelColormap

from ..core.diffdiff import DiffDiffScore, marks
from ..core.diffdiff.pictures import BETTER as BETTER_COLOUR
from ..core.diffdiff.pictures import WORSE as WORSE_COLOUR
from ..core.diffdiff.pictures import block_colour
from ..core.errors import InputError
from ..core.evidence import PLANES
from ..core.registration.geometry import Matrix
from .arrangement import Arrangement
from .canvas import ARROW, add, canvas_of
from .diff_diff_run import JudgedResult
from .layers import METADATA_KEY, PICTURE_KEY, holds, looks_of, move_onto, plane_of_view, spatial_state
from .provenance import note
from .tasks import breathe

BETTER, WORSE = 1, 2
"""Labels of the marked pixels."""

_LABEL = "label"
_EVIDENCE = ("not_enough_evidence", PLANES)

_SAME_PLACE = 1e-3
"""Pixels; layers that lie on each other but for rounding lie on each other."""


@dataclass(frozen=True, eq=False)
class Grid:
    """Where the fixed image's pixels lie, with the leading axes of a stack of frames before them.

    `name`: of the pair: the registered image, or else the moving one, and the fixed one. `scale`, `translate`,
    `rotate`, `shear`, `units`, `axis_labels`, `affine`: as a layer has them, so that it can stand for one.
    """

    name: str
    scale: Any
    translate: Any
    rotate: Any
    shear: Any
    units: Any
    axis_labels: Any
    affine: Any

    @classmethod
    def of(cls, moving: Any, fixed: Any, registered: Any = None) -> Grid:
        """Take the place from the layers; the moving one may have more dimensions, which come first."""
        name = f"{(registered or moving).name}{ARROW}{fixed.name}"
        lead = moving.ndim - fixed.ndim
        state = spatial_state(fixed)
        if lead > 0:
            size = moving.ndim
            state["scale"] = (*moving.scale[:lead], *fixed.scale)
            state["translate"] = (*moving.translate[:lead], *fixed.translate)
            state["units"] = (*moving.units[:lead], *fixed.units)
            state["axis_labels"] = (*moving.axis_labels[:lead], *fixed.axis_labels)
            state["rotate"] = _embedded(np.asarray(fixed.rotate), size)
            # Of the upper triangle, the last value is about the last two axes.
            state["shear"] = (*[0.0] * (size * (size - 1) // 2 - 1), fixed.shear[-1])
            state["affine"] = _embedded(state["affine"], size + 1)
        state["affine"] = SimpleNamespace(affine_matrix=np.asarray(state["affine"]))
        return cls(name, **state)


def placed_by_viewer(moving: Any, fixed: Any) -> Matrix:
    """Find the matrix, moving ``(x, y)`` to fixed, by which the viewer shows one layer's pixels on another's."""
    points = np.array([(0.0, 0.0), (1.0, 0.0), (0.0, 1.0)])  # row, column
    seen = []
    for row, column in points:
        world = np.asarray(moving.data_to_world((*[0.0] * (moving.ndim - 2), row, column)), float)
        padded = np.concatenate([np.zeros(fixed.ndim), world])[-fixed.ndim :]
        if moving.ndim == fixed.ndim > 2:
            padded[:-2] = np.asarray(fixed.data_to_world(np.zeros(fixed.ndim)), float)[:-2]
        seen.append(np.asarray(fixed.world_to_data(padded), float)[-2:][::-1])
    origin, down, right = seen
    matrix = np.eye(3)
    matrix[:2, 0], matrix[:2, 1], matrix[:2, 2] = right - origin, down - origin, origin
    if abs(np.linalg.det(matrix)) < _SAME_PLACE:
        raise InputError(
            f"{moving.name!r} and {fixed.name!r} do not lie in one plane. Reset the transform of one of them."
        )
    return matrix


def lie_alike(first: Any, second: Any, shape: tuple[int, int]) -> bool:
    """Tell whether the viewer shows two layers pixel on pixel, but for rounding."""
    matrix = placed_by_viewer(first, second)
    return bool(np.abs(matrix - np.eye(3)).max() * max(shape) < _SAME_PLACE * max(shape) ** 0.5)


def set_affine(moving: Any, fixed: Any, affine: Matrix) -> None:
    """Bring a layer onto another by its affine; its pixels stay as they are.

    The matrix, ``(3, 3)``, leads from rows and columns of the moving image to those of the fixed one.
    """
    own = _matrix_of(moving, with_affine=False)
    moving.affine = _matrix_of(fixed, with_affine=True) @ affine @ np.linalg.inv(own)


def _matrix_of(layer: Any, *, with_affine: bool) -> Matrix:
    """Give a layer's transform from rows and columns to the world, with or without its affine."""
    ends = []
    for point in ((0.0, 0.0), (1.0, 0.0), (0.0, 1.0)):
        world = np.append(np.asarray(layer.data_to_world(point), float), 1)
        ends.append(world if with_affine else np.linalg.inv(np.asarray(layer.affine.affine_matrix)) @ world)
    origin, down, right = ends
    return np.column_stack([down - origin, right - origin, origin])


def _embedded(matrix: npt.NDArray[Any], size: int) -> npt.NDArray[np.float64]:
    whole = np.eye(size)
    whole[-len(matrix) :, -len(matrix) :] = matrix
    return whole


def blocks_layer(score: DiffDiffScore, source: str, ndim: int, state: dict[str, Any]) -> Shapes:
    """Make a rectangle for each block: green where the registration made it better, pink where worse, white between.

    A block that is not scored is clear; each other shows its score. All have their numbers as features. In a stack
    (ndim above 2) the blocks lie on their planes. The state says where the map's pixels lie, as `spatial_state` gives
    it.
    """
    layer = Shapes(
        _corners(score, ndim),
        shape_type="rectangle",
        name=f"Blocks: {source}",
        metadata={METADATA_KEY: {"method": "blocks", "source": source}},
        ndim=ndim,
        edge_color="white",
        edge_width=0.75,
        opacity=1,  # shapes have 0.7, at which nothing is known of how the numbers are read
        face_color=_colours(score),
        features=_features(score),
        text={"string": "{label}", "color": "black", "size": 11, "anchor": "center"},
        **state,
    )
    layer.editable = False  # the blocks are a grid; a moved one would say what is not so
    return layer


def update_blocks(layer: Shapes, score: DiffDiffScore) -> bool:
    """Show other scores of the same blocks; False if the layer has other blocks, and stays as it is."""
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
    clear = (1.0, 1.0, 1.0, 0.0)
    colours = [block_colour(2 * block.score - 1) if block.scored else clear for block in score.blocks]
    return np.asarray(colours, np.float32)


def _features(score: DiffDiffScore) -> dict[str, list[Any]]:
    rows = [block.features() for block in score.blocks]
    columns = {name: [row[name] for row in rows] for name in rows[0]}
    return columns | {_LABEL: [f"{block.score:.2f}" if block.scored else "" for block in score.blocks]}


class JudgedLayers:
    """The layers that show one judgement, by role; later judgements of the same images go into them.

    Each view has the name of the role whose layer lies over the fixed image: before, after, map, marks, blocks.
    """

    def __init__(self, viewer: Any, arrangement: Arrangement) -> None:
        self._viewer = viewer
        self._arrangement = arrangement
        self.layers: dict[str, Any] = {}

    def show(self, result: JudgedResult, moving: Any, fixed: Any, registered: Any = None) -> None:
        """Put a judgement of the layers that were chosen into its own; those that the user has removed come back."""
        grid = Grid.of(moving, fixed, registered)
        self._put_all(result, grid, moving, fixed)
        after = (registered or moving, fixed)
        names = {role: (after, f"{role.capitalize()}: {{all}}") for role in self.layers}
        names["map"] = (after, result.template.replace("{0}", "{all}"))
        names |= {"before": ((moving, fixed), "Before: {all}"), "registered": ((moving, fixed), "{0}: registered")}
        doubt = {name: value for name, value in result.quality_map.info.items() if name in _EVIDENCE}
        for role in self.layers:
            if (layer := self.get(role)) is None:
                continue
            canvas_of(self._viewer).attend(layer, *names[role])
            if role in ("marks", "blocks"):
                own = {name: value for name, value in layer.metadata[METADATA_KEY].items() if name not in _EVIDENCE}
                layer.metadata = {**layer.metadata, METADATA_KEY: {**own, **doubt}}

    def _put_all(self, result: JudgedResult, grid: Grid, moving: Any, fixed: Any) -> None:
        if result.registrations and result.affine is None:
            info = {PICTURE_KEY: {"method": "registered", "source": grid.name}}
            looks = {"rgb": moving.rgb, **looks_of(moving)}
            self._put_image("registered", result.registered, f"{moving.name}: registered", grid, info, looks)
            if result.call is not None and result.call.before is not None:
                note(self.layers["registered"], replace(result.call.before, time=result.call.time))
        for role, pixels, name in (
            ("before", result.before, Grid.of(moving, fixed).name),
            ("after", result.after, grid.name),
        ):
            # An overlay is to look at: it cannot be chosen as an image, as the registered one can.
            info = {METADATA_KEY: {"method": role, "source": grid.name}}
            self._put_image(role, pixels, f"{role.capitalize()}: {name}", grid, info, {"rgb": True})
        self._show_map(result, grid)
        self._put("marks", marked(result), grid, partial(_marks_layer, grid.name))
        self._show_blocks(result, grid)

    def recount(self, result: JudgedResult, view: str | None = None) -> None:
        """Show the same judgement at another tolerance, in the layers of one view or in all."""
        roles = (view.lower(),) if view else tuple(self.layers)
        if "marks" in roles and (layer := self.get("marks")) is not None:
            layer.data[...] = marked(result)  # the same size, so that nothing else has to be found out anew
            layer.refresh(extent=False)
        if "blocks" in roles and (layer := self.get("blocks")) is not None:
            update_blocks(layer, result.score)

    def view(self, name: str, moving: Any, fixed: Any, registered: Any = None) -> None:
        """Let the layers of a view be seen, and none that would cover them."""
        for role in self.layers:
            if (layer := self.get(role)) is not None:
                self._arrangement.show(layer, role == name.lower())
        for layer in (moving, registered):
            if layer is not None and layer is not fixed:
                self._arrangement.show(layer, False)
        self._arrangement.show(fixed)

    def hide(self) -> None:
        """Let none of them be seen: another judgement is looked at."""
        for role in self.layers:
            if (layer := self.get(role)) is not None:
                self._arrangement.show(layer, False)

    def get(self, role: str) -> Any:
        """Give the layer of a role, or None if it is not in the viewer."""
        layer = self.layers.get(role)
        return layer if holds(self._viewer.layers, layer) else None

    def plane(self) -> tuple[int, ...]:
        """Give the index of the plane of the map that the viewer shows; empty for one image."""
        layer = self.get("map")
        return () if layer is None else plane_of_view(self._viewer, layer)

    def _add(self, role: str, layer: Any) -> None:
        self.layers[role] = layer
        self._arrangement.own(layer)
        add(self._viewer, layer)

    def _put(self, role: str, data: Any, grid: Grid, make: Callable[..., Any]) -> None:
        """Put data into the layer of a role, or into a new one if that has gone or has other dimensions."""
        layer = self.get(role)
        if layer is not None and layer.data.ndim == data.ndim:
            breathe()
            layer.data = data
            move_onto(layer, grid)
        else:
            self._add(role, make(data, **spatial_state(grid)))

    def _put_image(
        self, role: str, pixels: Any, name: str, grid: Grid, info: Mapping[str, Any], looks: Mapping[str, Any]
    ) -> None:
        self._put(role, pixels, grid, partial(Image, name=name, metadata=info, multiscale=False, **looks))

    def _show_map(self, result: JudgedResult, grid: Grid) -> None:
        layer = self.get("map")
        if layer is not None and layer.ndim == result.quality_map.values.ndim:
            result.update(layer, grid)
            return
        self._add("map", result.new_layer(grid))

    def _show_blocks(self, result: JudgedResult, grid: Grid) -> None:
        layer = self.get("blocks")
        if result.score.blocks and layer is not None and update_blocks(layer, result.score):
            return
        if layer is not None:
            self._viewer.layers.remove(layer)
        if result.score.blocks:
            ndim = result.quality_map.values.ndim
            self._add("blocks", blocks_layer(result.score, grid.name, ndim, spatial_state(grid)))


def marked(result: JudgedResult) -> npt.NDArray[np.uint8]:
    """Mark the pixels of the map that changed: `BETTER`, `WORSE` or 0."""
    values = result.quality_map.values
    labels = np.zeros(values.shape, np.uint8)
    median = int(result.score.info.get("median", 0))
    for index, part in zip(np.ndindex(*values.shape[:-2]), result.score.planes, strict=True):
        better, worse = marks(values[index], part.tol, median=median)
        labels[index][better], labels[index][worse] = BETTER, WORSE
    return labels


def _marks_layer(source: str, labels: npt.NDArray[np.uint8], **state: Any) -> Labels:
    info = {METADATA_KEY: {"method": "marks", "source": source}}
    colours = {None: "transparent", 0: "transparent", BETTER: BETTER_COLOUR, WORSE: WORSE_COLOUR}
    return Labels(
        labels,
        name=f"Marks: {source}",
        metadata=info,
        colormap=DirectLabelColormap(color_dict=colours),
        opacity=0.8,
        **state,
    )
