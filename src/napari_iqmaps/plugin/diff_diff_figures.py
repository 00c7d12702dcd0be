"""Figures that look closer at a judgement: marks at nine tolerances, the score against tolerance and against shift."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Any, ClassVar

import numpy as np
from qtpy.QtCore import Signal  # type: ignore[attr-defined]
from qtpy.QtWidgets import QGroupBox, QVBoxLayout, QWidget

from ..core.diffdiff import (
    ShiftSurface,
    TolerancePoint,
    ladder_tolerances,
    marks,
    score_surface,
    tolerance_curve,
)
from ..core.progress import Progress
from ..core.value_range import DataRange
from .canvas import ARROW
from .diff_diff_run import JudgedResult
from .figure_view import COLOURS, FONT, FigureView
from .layers import LayerPixels, pixels_of
from .parts import MARGIN, Flow, button, wrapped
from .standing import Standing

_MOST_SIDE = 400  # pixels of a picture in the ladder; more is not seen
_POINTS = 60
_LEAST, _MOST = 220, 420  # pixels of the height of a figure
_TITLES = 3 * 20  # pixels for the titles of three rows of pictures
_FRAME = 24  # pixels that the group takes for itself


@dataclass(frozen=True, eq=False)
class PlaneOf:
    """One plane of a judgement: what the figures are about.

    `values`: the map, ``(height, width)``. `fixed`: grey, of that height and width, in codes of 0 to 255 to look at.
    """

    values: Any
    fixed: Any
    moving: LayerPixels
    target: LayerPixels
    options: Mapping[str, Any]
    tol: float
    title: str


def plane_of(result: JudgedResult, roles: Mapping[str, Any], index: tuple[int, ...], data_range: DataRange) -> PlaneOf:
    """Take one plane of a judgement and of its images; the index is empty for one image."""
    if isinstance(data_range, str):  # found in the values of all planes, of which this is one
        data_range = result.quality_map.info["data_range"]
    moving, fixed = pixels_of(roles["moving"], "moving image"), pixels_of(roles["fixed"], "fixed image")
    values = result.quality_map.values
    number = int(np.ravel_multi_index(index, values.shape[:-2])) if index else 0
    tol = result.score.planes[number].tol
    title = f"{moving.name}{ARROW}{fixed.name}" + (f", plane {', '.join(map(str, index))}" if index else "")
    source, target = (replace(image, data=_plane_at(image, index)) for image in (moving, fixed))
    shown = result.after[index][..., 1]
    return PlaneOf(values[index], shown, source, target, {"tol": tol, "data_range": data_range}, tol, title)


@dataclass(frozen=True, eq=False)
class Ladder:
    """Nine pictures with marks, by tolerance."""

    pictures: tuple[Any, ...]
    points: tuple[TolerancePoint, ...]
    title: str
    name: ClassVar[str] = "ladder"

    @classmethod
    def made(cls, plane: PlaneOf, progress: Progress) -> Ladder:
        """Draw the marks; called in a thread."""
        from ..core.diffdiff.sheet import marked  # matplotlib takes a while to import
        from ..core.io.sheet import reduced

        pictures = []
        tols = ladder_tolerances(plane.values)
        points = tolerance_curve(plane.values, tols)
        for number, tol in enumerate(tols):
            progress(number, len(tols))
            better, worse = marks(plane.values, tol)
            pictures.append(reduced(marked(plane.fixed, better, worse), _MOST_SIDE))
        return cls(tuple(pictures), points, plane.title)

    @property
    def words(self) -> str:
        """What the figure shows."""
        return (
            f"{self.title}: what got better (green) and worse (pink) by more than each tolerance in grey levels of "
            "255, and the score."
        )

    def draw(self, figure: Any, view: FigureView) -> None:
        """Draw into an empty figure."""
        for axes, picture, point in zip(figure.subplots(3, 3).flat, self.pictures, self.points, strict=True):
            axes.imshow(picture, aspect="equal")
            axes.set_axis_off()
            score = f"{point.score:.2f}" if np.isfinite(point.score) else "none"
            axes.set_title(f"> {point.tol:g}: {score}", fontsize=FONT, color=view.foreground, pad=2)


@dataclass(frozen=True, eq=False)
class Curve:
    """The score and the share of changed pixels against the tolerance."""

    points: tuple[TolerancePoint, ...]
    tol: float
    pixels: int
    title: str
    name: ClassVar[str] = "tolerance"

    @classmethod
    def made(cls, plane: PlaneOf, progress: Progress) -> Curve:
        """Count; called in a thread."""
        progress(0, 1)
        tols = np.linspace(0, ladder_tolerances(plane.values)[-1], _POINTS + 1)[1:]
        points = tolerance_curve(plane.values, tols.tolist())
        return cls(points, plane.tol, int(np.isfinite(plane.values).sum()), plane.title)

    @property
    def words(self) -> str:
        """What the figure shows."""
        return (
            f"{self.title}: share of the changed pixels that got better, and share of all pixels that changed, against "
            f"the tolerance; the line is at the tolerance in use, {self.tol:.3g}."
        )

    def draw(self, figure: Any, view: FigureView) -> None:
        """Draw into an empty figure."""
        axes = figure.subplots()
        tols = [point.tol for point in self.points]
        axes.plot(tols, [point.score for point in self.points], color=COLOURS[0], label="score: got better / changed")
        shares = [point.count / max(self.pixels, 1) for point in self.points]
        axes.plot(tols, shares, color=COLOURS[1], linestyle="--", label="changed / all")
        axes.axhline(0.5, color=view.foreground, linewidth=0.6, linestyle=":")
        axes.axvline(self.tol, color=view.foreground, linewidth=0.8)
        axes.set_ylim(-0.03, 1.03)
        axes.set_xlim(0, tols[-1])
        view.colour_axes(axes, "tolerance (grey levels)", "share")
        view.add_legend(axes)


@dataclass(frozen=True, eq=False)
class Shifts:
    """The soft score of every shift of the moving image."""

    surface: ShiftSurface
    title: str
    name: ClassVar[str] = "shifts"

    @classmethod
    def made(cls, plane: PlaneOf, progress: Progress) -> Shifts:
        """Score all shifts; called in a thread."""
        axis = plane.moving.channel_axis
        surface = score_surface(
            plane.moving.data, plane.target.data, channel_axis=axis, progress=progress, **plane.options
        )
        return cls(surface, plane.title)

    @property
    def words(self) -> str:
        """What the figure shows."""
        down, right = self.surface.best
        where = (
            "not moving it at all"
            if (down, right) == (0, 0)
            else f"{_way(right, 'right', 'left')}, {_way(down, 'down', 'up')}"
        )
        return f"{self.title}: of all shifts of the moving image by whole pixels the best is {where} (x)."

    def draw(self, figure: Any, view: FigureView) -> None:
        """Draw into an empty figure."""
        radius = self.surface.radius
        axes = figure.subplots()
        extent = (-radius - 0.5, radius + 0.5, radius + 0.5, -radius - 0.5)
        largest = max(float(np.nanmax(np.abs(self.surface.soft))), 1e-6)
        shown = axes.imshow(self.surface.soft, extent=extent, cmap="PiYG", vmin=-largest, vmax=largest)
        down, right = self.surface.best
        axes.plot(right, down, marker="x", color="black", markersize=7, markeredgewidth=2)
        view.colour_axes(axes, "shift to the right (pixels)", "shift down (pixels)")
        bar = figure.colorbar(shown, ax=axes, shrink=0.9)
        bar.ax.tick_params(colors=view.foreground, labelsize=7)
        bar.set_label("soft score: better > 0", color=view.foreground, fontsize=FONT)


Closer = Ladder | Curve | Shifts

FIGURES: Mapping[str, tuple[Callable[[PlaneOf, Progress], Closer], str]] = MappingProxyType(
    {
        "Ladder": (Ladder.made, "The marks at nine tolerances."),
        "Tolerance": (Curve.made, "The score against the tolerance."),
        "Shifts": (Shifts.made, "The score of every shift of the moving image by up to 15 pixels."),
    }
)
"""Button to what makes the figure, and what it says."""


def _way(pixels: int, one: str, other: str) -> str:
    return f"{abs(pixels)} px {one if pixels >= 0 else other}"


def _plane_at(pixels: LayerPixels, index: tuple[int, ...]) -> Any:
    """Give the plane of an image that belongs to a plane of the map; one plane belongs to all."""
    lead = pixels.data.ndim - (2 if pixels.channel_axis is None else 3)
    return np.asarray(pixels.data[index[len(index) - lead :] if lead else ...])


class CloserView(FigureView):
    """Draws whichever figure was asked for last."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.shown: Closer | None = None

    def show_figure(self, figure: Closer | None) -> None:
        """Draw a figure."""
        self.shown = figure
        height = _LEAST
        if isinstance(figure, Ladder):
            rows, columns = figure.pictures[0].shape[:2]
            # A view that has not been shown yet does not know its width; the group around it does.
            width = max(self.width(), self.parentWidget().width() - _FRAME)  # type: ignore[union-attr]
            height = round(width * rows / columns) + _TITLES
        self.setMinimumHeight(min(max(height, _LEAST), _MOST))
        self.redraw()
        self.setVisible(figure is not None)

    def fill(self, figure: Any) -> None:
        """Draw what was asked for."""
        shown = self.shown
        if shown is not None:
            shown.draw(figure, self)


class CloserPanel(QGroupBox):
    """Asks for figures, shows the last one, and offers it and the table of blocks as files."""

    wanted = Signal(str)
    figure_save_wanted = Signal()
    blocks_save_wanted = Signal()
    planes_save_wanted = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__("Look closer", parent)
        self.view = CloserView(self)
        self.words = wrapped(selectable=True)
        self.buttons = {name: button(name, tooltip) for name, (_, tooltip) in FIGURES.items()}
        self.save_figure = button("Save figure…", "Write the figure as a PNG file.")
        self.save_blocks = button("Save blocks…", "Write a row for each block into a CSV file.")
        self.save_planes = button("Save planes…", "Write a row for each plane of the stack into a CSV file.")
        column = QVBoxLayout(self)
        column.setContentsMargins(MARGIN, MARGIN, MARGIN, MARGIN)
        for name, made in self.buttons.items():
            made.clicked.connect(lambda _checked=False, name=name: self.wanted.emit(name))
        column.addLayout(Flow(self.buttons.values(), spacing=2))
        self.standing = Standing((self.view, self.words), (self.save_figure,))
        column.addWidget(self.standing)
        column.addWidget(self.view)
        column.addWidget(self.words)
        column.addLayout(Flow((self.save_figure, self.save_blocks, self.save_planes)))
        self.save_figure.clicked.connect(self.figure_save_wanted)
        self.save_blocks.clicked.connect(self.blocks_save_wanted)
        self.save_planes.clicked.connect(self.planes_save_wanted)
        self.show_figure(None)
        self.hide()

    def show_figure(self, figure: Closer | None) -> None:
        """Show a figure with its words."""
        self.view.show_figure(figure)
        self.words.setText("" if figure is None else figure.words)
        self.words.setVisible(figure is not None)
        self.standing.offer(self.save_figure, figure is not None)

    def set_running(self, running: bool) -> None:
        """Close or open the buttons."""
        for made in self.buttons.values():
            made.setEnabled(not running)
