"""Regions of interest, from the shapes that a user drew: where to answer, and what has a score of its own."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt
from napari.layers import Shapes
from qtpy.QtCore import Signal  # type: ignore[attr-defined]
from qtpy.QtWidgets import QVBoxLayout, QWidget
from skimage.draw import polygon

from ..core.assessment import Assessment
from ..core.blind import MAPS
from ..core.errors import InputError
from ..core.ink import BLACK, ink_on
from ..core.maps import QualityMap
from ..core.progress import Progress
from ..core.regions import Area, RegionQuality, region_qualities
from ..core.visibility import STRIDES
from .layers import LayerPixels
from .parts import button, tip, wrapped
from .standing import Standing
from .tasks import with_dask_progress

_ALIGNMENT = max(STRIDES)  # the cells of a network lie on a grid, which has to keep its phase
_WITH_AREA = ("rectangle", "ellipse", "polygon")
_CIRCLE = np.linspace(0, 2 * np.pi, 180, endpoint=False)


@dataclass(frozen=True, eq=False)
class Region:
    """Part of the planes of an image.

    `mask`: which pixels of the bounding box belong to it. `corner`: row and column of the bounding box's first pixel.
    """

    name: str
    mask: npt.NDArray[np.bool_]
    corner: tuple[int, int]
    plane_shape: tuple[int, int]

    def crop(self, image: LayerPixels, margin: int) -> LayerPixels:
        """Cut the bounding box with a margin out of an image of `plane_shape`; no pixel is copied."""
        window = self._window(margin)
        index = (..., *window) if image.channel_axis is None else (..., *window, slice(None))
        return replace(image, data=image.data[index])

    def restore(self, quality_map: QualityMap, margin: int) -> QualityMap:
        """Put the map of a crop back in its place, NaN outside the region; its score is about the region alone."""
        window = self._window(margin)
        inside = tuple(
            slice(first - part.start, first - part.start + size)
            for first, part, size in zip(self.corner, window, self.mask.shape, strict=True)
        )
        values = quality_map.values[(..., *inside)]
        info = {
            **quality_map.info,
            "region": self.name,
            "region_box": self._box(),
            "region_pixels": int(self.mask.sum()),
        }
        if quality_map.is_lazy:
            return self._restored_lazily(values, quality_map.kind, info)
        inside_only = np.where(self.mask, values, np.float32(np.nan))
        whole = np.full((*values.shape[:-2], *self.plane_shape), np.nan, np.float32)
        top, left, bottom, right = self._box()
        whole[..., top:bottom, left:right] = inside_only
        # The score is taken from the box: the rest of a large image has nothing to add.
        return replace(QualityMap.of(inside_only, quality_map.kind, info), values=whole)

    def whole_mask(self) -> npt.NDArray[np.bool_]:
        """Give the mask at the image's own size."""
        top, left, bottom, right = self._box()
        whole = np.zeros(self.plane_shape, bool)
        whole[top:bottom, left:right] = self.mask
        return whole

    @property
    def box(self) -> tuple[slice, slice]:
        """The rows and the columns of the bounding box."""
        top, left, bottom, right = self._box()
        return slice(top, bottom), slice(left, right)

    def _restored_lazily(self, values: Any, kind: str, info: dict[str, Any]) -> QualityMap:
        import dask.array as da

        top, left, bottom, right = self._box()
        height, width = self.plane_shape
        padding = [(0, 0)] * (values.ndim - 2) + [(top, height - bottom), (left, width - right)]
        inside_only = da.where(self.mask, values, np.float32(np.nan))
        whole = da.pad(inside_only, padding, mode="constant", constant_values=np.float32(np.nan))
        return replace(QualityMap.of(inside_only, kind, info), values=whole)

    def _box(self) -> tuple[int, int, int, int]:
        (top, left), (height, width) = self.corner, self.mask.shape
        return top, left, top + height, left + width

    def _window(self, margin: int) -> tuple[slice, slice]:
        top, left, bottom, right = self._box()
        rows, columns = (
            slice(max(0, (first - margin) // _ALIGNMENT * _ALIGNMENT), min(length, last + margin))
            for first, last, length in zip((top, left), (bottom, right), self.plane_shape, strict=True)
        )
        return rows, columns


def region_of(shapes: Any, image_layer: Any, plane_shape: tuple[int, int]) -> Region:
    """Turn drawn shapes into a region of an image: all pixels whose centre lies in one of them.

    Rectangles, ellipses and polygons count, wherever and in whatever scale their layer lies; lines and paths have no
    area and are left out. In a stack the shapes hold for every plane.
    """
    if not isinstance(shapes, Shapes):
        raise InputError(f"The region has to be a Shapes layer; {shapes.name!r} is a {type(shapes).__name__} layer.")
    outlines = [
        _outline(kind, _in_data(vertices, shapes, image_layer)[:, -2:])
        for vertices, kind in zip(shapes.data, shapes.shape_type, strict=True)
        if kind in _WITH_AREA
    ]
    if not outlines:
        raise InputError(
            f"The Shapes layer {shapes.name!r} has no shape with an area. Draw a rectangle, an ellipse or a polygon "
            "in it, or choose no region."
        )
    mask = np.zeros(plane_shape, bool)
    for outline in outlines:
        mask[polygon(outline[:, 0], outline[:, 1], plane_shape)] = True  # type: ignore[no-untyped-call]
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    if rows.size == 0:
        raise InputError(
            f"No pixel of {image_layer.name!r} ({plane_shape[0]}x{plane_shape[1]}) lies in the shapes of "
            f"{shapes.name!r}. Draw the region over the image."
        )
    box = mask[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    return Region(shapes.name, box.copy(), (int(rows[0]), int(columns[0])), plane_shape)


def areas_of(shapes: Any, image_layer: Any, shape: tuple[int, ...]) -> list[Area]:
    """Turn each drawn shape into an area of its own, without pixels if it has no area or lies beside the image.

    What was drawn on one plane of a stack belongs to that plane, what was drawn in two dimensions to all. The shape is
    that of the image without channels: leading axes, height and width.
    """
    drawn = zip(shapes.data, shapes.shape_type, strict=True)
    return [_area(kind, vertices, shapes, image_layer, shape) for vertices, kind in drawn]


def _area(kind: str, vertices: npt.NDArray[Any], shapes: Any, image_layer: Any, shape: tuple[int, ...]) -> Area:
    nothing = Area(np.zeros((0, 0), bool))
    if kind not in _WITH_AREA:
        return nothing
    points = _in_data(vertices, shapes, image_layer)
    lead = shape[:-2]
    plane = None
    if lead and shapes.ndim >= image_layer.ndim:
        plane = tuple(int(number) for number in np.rint(points[0, :-2]))
        if any(not 0 <= number < length for number, length in zip(plane, lead, strict=True)):
            return nothing
    outline = _outline(kind, points[:, -2:])
    corner = np.maximum(np.floor(outline.min(axis=0)), 0).astype(int)
    size = np.minimum(np.ceil(outline.max(axis=0)).astype(int) + 1, shape[-2:]) - corner
    if (size <= 0).any():
        return nothing
    mask = np.zeros(size, bool)
    outline = outline - corner
    mask[polygon(outline[:, 0], outline[:, 1], mask.shape)] = True  # type: ignore[no-untyped-call]
    return Area(mask, (int(corner[0]), int(corner[1])), plane)


def _in_data(vertices: npt.NDArray[Any], shapes: Any, image_layer: Any) -> npt.NDArray[np.float64]:
    """Take vertices through the world, so that the two layers may have transforms of their own."""
    points = []
    for vertex in vertices:
        world = np.asarray(shapes.data_to_world(vertex), dtype=float)
        # napari aligns layers of different dimensions at their last axes.
        padded = np.concatenate([np.zeros(max(0, image_layer.ndim - world.size)), world])[-image_layer.ndim :]
        points.append(np.asarray(image_layer.world_to_data(padded)))
    return np.asarray(points, dtype=float)


def _outline(kind: str, corners: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    if kind != "ellipse":
        return corners
    # An ellipse is stored as the four corners around it; in a rotated or sheared image they are a parallelogram.
    centre = corners.mean(axis=0)
    first, second = (corners[1] - corners[0]) / 2, (corners[3] - corners[0]) / 2
    return np.asarray(centre + np.cos(_CIRCLE)[:, None] * first + np.sin(_CIRCLE)[:, None] * second)


_LABEL = "{quality:.0f}"
_MEANS = tuple(f"mean_{kind}" for kind in MAPS)


def measured(assessment: Assessment, areas: Sequence[Area], progress: Progress) -> list[RegionQuality]:
    """Measure areas of an image; called in a thread. Of a lazy assessment only what they need is computed."""
    work = partial(region_qualities, assessment, areas)
    made: list[RegionQuality] = with_dask_progress(work, progress) if assessment.is_lazy else work(progress=progress)
    return made


def write_features(shapes: Any, regions: Sequence[RegionQuality]) -> None:
    """Put what was measured, one for each shape, into the features of a Shapes layer, and the scores beside the shapes.

    Columns of the same names are replaced, all others stay. Text that the layer shows already stays, too.
    """
    rows = [region.features() for region in regions]
    names = list(rows[0])
    kept = {name: np.asarray(column) for name, column in shapes.features.items() if name not in (*names, *_MEANS)}
    shapes.features = {**kept, **{name: [row[name] for row in rows] for name in names}}
    # A shape that is drawn next has none of these until it has been measured.
    nothing = {name: np.nan if isinstance(rows[0][name], float) else type(rows[0][name])() for name in names}
    defaults = {name: column.iloc[0] for name, column in shapes.feature_defaults.items()}
    shapes.feature_defaults = {name: [value] for name, value in (defaults | nothing).items()}
    if getattr(shapes.text.string, "constant", None) == "":  # as it is where nobody has chosen a text
        shapes.text = {"string": _LABEL, "color": _ink(shapes), "size": 12}


def _ink(shapes: Any) -> str:
    """Give the ink of the scores: black where most shapes have a face on which that is read better, else white."""
    faces = np.asarray(shapes.face_color, float)
    dark = [face[3] > 0 and ink_on(face.tolist(), face[3] * shapes.opacity) == BLACK for face in faces]
    return "black" if 2 * sum(dark) > len(dark) else "white"


class RegionBar(QWidget):
    """Says how many regions have a score, and offers their table."""

    save_wanted = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.regions: list[RegionQuality] = []
        self.name = ""
        self.label = wrapped()
        self.save = button("Save regions…", "Write a row for each region into a CSV file.")
        self.standing = Standing((self.label,), (self.save,))
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        for part in (self.standing, self.label, self.save):
            layout.addWidget(part)
        self.save.clicked.connect(self.save_wanted)
        self.hide()

    def show_regions(self, name: str, regions: Sequence[RegionQuality]) -> None:
        """Sum up regions; none at all hides the bar."""
        self.name, self.regions = name, list(regions)
        scored = sum(np.isfinite(region.quality.value) for region in regions)
        sure = sum(region.quality.enough_evidence for region in regions)
        self.label.setText(f"Regions scored: {scored} of {len(regions)}, with enough evidence: {sure}.")
        self.label.setToolTip(tip("All numbers are features of the Shapes layer; Features table widget shows them."))
        self.setVisible(bool(regions))

    def rows(self, **more: Any) -> list[dict[str, Any]]:
        """Give the table."""
        return [region.row(**more, region=self.name, shape=number) for number, region in enumerate(self.regions)]
