"""Panels of pixels in a grid, with titles, captions and colour bars, as one PNG: matplotlib without a display.

Everything is laid out in pixels, so that a panel's pixels can be placed one to one.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from ..kinds import Kind
from .pen import LINE, Pen, mappable

Colours = npt.NDArray[np.uint8]

_ROWS = 256
_SMALL_SIDE = 480  # smaller maps are enlarged towards this
_BAR_SLOT = 9.6  # these three in the size of the text
_NARROWEST = 30.0
_LOWEST_WITH_BAR = 17.0


@dataclass(frozen=True)
class Scale:
    """Which value of a map has which colour.

    Attributes
    ----------
    low, high : float
        Values of the first and the last colour.
    has_below, has_above : bool
        Whether values lie beyond them; drawn as an arrow at that end.
    holes : float
        Share of the pixels without an answer.
    """

    kind: Kind
    low: float
    high: float
    has_below: bool = False
    has_above: bool = False
    holes: float = 0.0

    def colours(self, plane: npt.NDArray[Any]) -> Colours:
        """Colour a plane.

        Returns
        -------
        numpy.ndarray
            uint8, ``(height, width, 3)``.
        """
        scale = mappable(self.kind, self.low, self.high)
        colours = np.empty((*plane.shape, 3), np.uint8)
        for top in range(0, plane.shape[0], _ROWS):  # matplotlib works in float64, four channels
            rows = np.ma.masked_invalid(plane[top : top + _ROWS])
            colours[top : top + _ROWS] = scale.to_rgba(rows, bytes=True)[..., :3]
        return colours


@dataclass(frozen=True, eq=False)
class Panel:
    """One picture of a sheet.

    Attributes
    ----------
    pixels : numpy.ndarray
        uint8, ``(height, width, 3)``.
    """

    pixels: Colours
    title: str
    caption: str = ""
    scale: Scale | None = None


class Sheet:
    """Panels in a grid.

    Parameters
    ----------
    enlarge_to : int
        Side in pixels towards which smaller panels are enlarged, by a whole number.
    """

    def __init__(
        self, panels: Sequence[Panel], columns: int = 1, *, caption: str = "", footer: str = "",
        enlarge_to: int = _SMALL_SIDE,
    ) -> None:  # fmt: skip
        self.panels = panels
        self.columns = min(columns, len(panels))
        self.caption = caption
        self.footer = footer
        longest = max(max(panel.pixels.shape[:2]) for panel in panels)
        self.zoom = max(1, round(enlarge_to / longest))
        # Text grows with the picture: a legend of 13 pixels beside a map of 4000 could not be read in print.
        grid_side = longest * self.zoom * max(self.columns**0.5, 1)
        self.em = 13.0 * max(1.0, grid_side / 640)
        self.boxes: list[tuple[int, int, int, int]] = []
        """Where each panel's pixels are in the picture: left, top, width, height."""

    def save(self, path: Path, text: Mapping[str, str]) -> None:
        """Draw the sheet and write it as PNG."""
        self.draw().save(path, text)

    def draw(self) -> Pen:
        """Draw the sheet.

        Returns
        -------
        Pen
            With what it drew as its ``figure``; `boxes` is filled.
        """
        pen, em = Pen(self.em), self.em
        width, cells, bottom = self._layout(pen)
        caption = pen.wrapped(self.caption, width - 2 * em)
        footer = pen.wrapped(self.footer, width - 2 * em, size=0.8)
        holes = max((panel.scale.holes for panel in self.panels if panel.scale), default=0.0)
        hole_top = bottom + len(caption) * LINE * em
        footer_top = hole_top + bool(holes) * LINE * em + 0.3 * em
        pen.resize(round(width), round(footer_top + len(footer) * LINE * 0.8 * em + 0.7 * em))

        self.boxes = [self._place(pen, cell) for cell in cells]
        pen.text(em, bottom, caption)
        if holes:
            pen.swatch(em, hole_top, f"no answer: {_share(holes)} of the pixels are holes")
        pen.text(em, footer_top, footer, size=0.8, colour="#666666")
        return pen

    def _layout(self, pen: Pen) -> tuple[float, list[_Cell], float]:
        """Give the sheet's width, where each panel goes, and where the panels end."""
        em = self.em
        grid = [self.panels[start : start + self.columns] for start in range(0, len(self.panels), self.columns)]
        by_column = [self.panels[column :: self.columns] for column in range(self.columns)]
        widths = [max(map(self._width, panels)) for panels in by_column]
        lefts = np.cumsum([em, *(width + em for width in widths)])
        cells: list[_Cell] = []
        top = em
        for row in grid:
            titles = [pen.wrapped(panel.title, width, bold=True) for panel, width in zip(row, widths, strict=False)]
            captions = [pen.wrapped(panel.caption, width) for panel, width in zip(row, widths, strict=False)]
            image_top = top + max(map(len, titles)) * LINE * em + 0.3 * em
            image_bottom = image_top + max(self._height(panel) for panel in row)
            for panel, left, title, caption in zip(row, lefts, titles, captions, strict=False):
                cells.append(_Cell(panel, left, top, title, image_top, image_bottom + 0.3 * em, caption))
            top = image_bottom + max(map(len, captions)) * LINE * em + em
        return max(float(lefts[-1]), _NARROWEST * em), cells, top

    def _width(self, panel: Panel) -> float:
        return float(panel.pixels.shape[1] * self.zoom) + (_BAR_SLOT * self.em if panel.scale else 0)

    def _height(self, panel: Panel) -> float:
        return max(float(panel.pixels.shape[0] * self.zoom), _LOWEST_WITH_BAR * self.em if panel.scale else 0.0)

    def _place(self, pen: Pen, cell: _Cell) -> tuple[int, int, int, int]:
        pen.text(cell.left, cell.title_top, cell.title, bold=True)
        pixels = cell.panel.pixels
        if self.zoom > 1:
            pixels = pixels.repeat(self.zoom, axis=0).repeat(self.zoom, axis=1)
        height, width = pixels.shape[:2]
        left, top = round(cell.left), round(cell.image_top)
        pen.image(left, top, pixels)
        if cell.panel.scale is not None:
            pen.bar(cell.panel.scale, left + width + 0.8 * self.em, top, max(height, _LOWEST_WITH_BAR * self.em))
        pen.text(cell.left, cell.caption_top, cell.caption)
        return left, top, width, height


@dataclass(frozen=True, eq=False)
class _Cell:
    panel: Panel
    left: float
    title_top: float
    title: list[str]
    image_top: float
    caption_top: float
    caption: list[str]


def _share(holes: float) -> str:
    return "under 0.1 %" if holes < 0.001 else f"{100 * holes:.3g} %"
