"""Figures and sheets: what every picture is drawn on, and panels of pixels in a grid, with words and colour bars.

matplotlib draws words, bars and plots, without a display and without the user's settings. The pixels of panels are put
into the finished drawing, one to one or enlarged by a whole number: drawn by matplotlib they would be the same, but a
map of 4096 x 4096 would take ten times as long and five times the memory.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import matplotlib
import matplotlib.style
import numpy as np
import numpy.typing as npt
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.cm import ScalarMappable
from matplotlib.colors import LinearSegmentedColormap, Normalize
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties, findfont, get_font
from matplotlib.patches import Rectangle
from matplotlib.transforms import IdentityTransform

from ... import __version__
from ..evidence import DIM_ENDS
from ..kinds import Kind
from ..names import escaped
from ..score_columns import plain
from .atomic import written_whole
from .image_file import KEY, SOFTWARE

Colours = npt.NDArray[np.uint8]

HOLE_GREY = (0.62, 0.62, 0.62)
"""Of a pixel without an answer; neither viridis nor magma has a neutral grey."""

INK = "#1a1a1a"
PALE_INK = "#666666"

_DPI = 100
_FONT = "DejaVu Sans"  # which comes with matplotlib
_SMALL_SIDE = 480  # smaller maps are enlarged towards this
_ROWS = 256
# These in the size of the text.
_LINE = 1.35
_BAR_SLOT = 9.6
_BAR_TEXT_WIDTH = 8.6
_NARROWEST = 30.0
_LOWEST_WITH_BAR = 17.0


def new_figure(width: float, height: float, **options: Any) -> Any:
    """Give an empty figure, sizes in inches."""
    figure = Figure(figsize=(width, height), facecolor="white", **options)
    FigureCanvasAgg(figure)
    return figure


def drawable(text: str) -> str:
    """Write a text with escapes for what would not be shown: no characters, and those that the font does not have."""
    known = _signs()
    shown = escaped(text)
    return "".join(sign if sign in known else sign.encode("unicode_escape").decode() for sign in shown)


@cache
def _signs() -> frozenset[str]:
    """Give the characters that the font of all pictures has, plain and bold."""
    fonts = (get_font(findfont(FontProperties(family=_FONT, weight=weight))) for weight in ("normal", "bold"))
    return frozenset(map(chr, set.intersection(*(set(font.get_charmap()) for font in fonts))))


@contextmanager
def new_plot(width: float, height: float, *, style: Mapping[str, Any] | None = None, **options: Any) -> Iterator[Any]:
    """Give a figure to be drawn and written within the block, where the user's settings of matplotlib do not count.

    Settings are of the whole process: not for what a thread may write while a window is drawn.
    """
    with matplotlib.style.context(["default", {"text.parse_math": False, **(style or {})}], after_reset=True):
        yield new_figure(width, height, **options)


def write_figure(
    figure: Any,
    path: str | Path,
    record: Mapping[str, Any] | None = None,
    pixels: Sequence[tuple[int, int, Colours]] = (),
) -> Path:
    """Write a figure as PNG, whole or not at all.

    `record`: what the picture shows; kept in it, as `napari_iqmaps.core.io.map_file.read_record` reads it. `pixels`:
    left, top, and what is put there over the drawing: uint8, ``(height, width, 3)``.
    """
    from PIL import Image, PngImagePlugin

    with written_whole(path) as part:
        figure.canvas.draw()
        picture = np.asarray(figure.canvas.buffer_rgba())[..., :3].copy()
        for left, top, colours in pixels:
            picture[top : top + colours.shape[0], left : left + colours.shape[1]] = colours
        text = PngImagePlugin.PngInfo()
        if record is not None:
            text.add_text(KEY, json.dumps(plain({**record, "version": __version__})))
            text.add_text("Software", SOFTWARE)
        # Half the time of the usual compression for a quarter more bytes.
        Image.fromarray(picture).save(part, "PNG", pnginfo=text, dpi=(figure.dpi, figure.dpi), compress_level=3)
    return Path(path)


def mappable(kind: Kind, low: float, high: float) -> ScalarMappable:
    """Give matplotlib's form of a colour scale from one value to another, with `HOLE_GREY` for NaN."""
    return ScalarMappable(Normalize(low, high), matplotlib.colormaps[kind.colormap].with_extremes(bad=HOLE_GREY))


def reduced(pixels: npt.NDArray[Any], side: int) -> npt.NDArray[Any]:
    """Shrink a large picture or map by a whole number, each pixel the mean of a square.

    `pixels`: ``(height, width)`` or ``(height, width, 3)``. `side`: largest side of the result, in pixels. Returns the
    same dtype; of a map, NaN only where a square has no answer. A square that reaches over the edge is the mean of what
    it has.
    """
    block = block_of(pixels.shape, side)
    if block <= 1:
        return pixels
    rows = np.arange(0, pixels.shape[0], block)
    columns = np.arange(0, pixels.shape[1], block)
    valid = np.isfinite(pixels)

    def sums(array: npt.NDArray[Any]) -> npt.NDArray[Any]:
        along = np.add.reduceat(array, rows, axis=0)
        total: npt.NDArray[Any] = np.add.reduceat(along, columns, axis=1)
        return total

    count = sums(valid.astype(np.float32))
    total = sums(np.where(valid, pixels, 0).astype(np.float32))
    means = np.divide(total, count, out=np.full(total.shape, np.nan, np.float32), where=count > 0)
    result: npt.NDArray[Any] = (np.rint(means) if pixels.dtype.kind in "iu" else means).astype(pixels.dtype)
    return result


def block_of(shape: Sequence[int], side: int) -> int:
    """Say how many pixels become one where the largest side may be no longer than `side`."""
    return math.ceil(max(shape[:2]) / side)


@dataclass(frozen=True)
class Scale:
    """Which value of a map has which colour.

    `low`, `high`: values of the first and the last colour. `has_below`, `has_above`: whether values lie beyond them;
    drawn as an arrow at that end. `holes`: share of the pixels without an answer. `is_dimmed`: whether it has
    dull greys instead of colours, for want of evidence.
    """

    kind: Kind
    low: float
    high: float
    has_below: bool = False
    has_above: bool = False
    holes: float = 0.0
    is_dimmed: bool = False

    @classmethod
    def of(cls, values: npt.NDArray[Any], kind: Kind) -> Scale:
        """Choose the colour scale of a map: the kind's display limits, with arrows where values lie beyond them."""
        low, high = kind.display_limits(values)
        finite = np.isfinite(values)
        below = bool((values < low).any(where=finite))
        above = bool((values > high).any(where=finite))
        return cls(kind, low, high, below, above, holes=1 - float(finite.mean()) if values.size else 0.0)

    def mappable(self) -> ScalarMappable:
        """Give matplotlib's form of it."""
        scale = mappable(self.kind, self.low, self.high)
        if self.is_dimmed:
            greys = LinearSegmentedColormap.from_list("dim", [(grey,) * 3 for grey in DIM_ENDS])
            scale.set_cmap(greys.with_extremes(bad=HOLE_GREY))
        return scale

    def colours(self, plane: npt.NDArray[Any]) -> Colours:
        """Colour a plane: uint8, ``(height, width, 3)``."""
        scale = self.mappable()
        colours = np.empty((*plane.shape, 3), np.uint8)
        for top in range(0, plane.shape[0], _ROWS):  # matplotlib works in float64, four channels
            rows = np.ma.masked_invalid(plane[top : top + _ROWS])
            colours[top : top + _ROWS] = scale.to_rgba(rows, bytes=True)[..., :3]
        return colours


@dataclass(frozen=True, eq=False)
class Panel:
    """One picture of a sheet: uint8 pixels, ``(height, width, 3)``, with a colour bar if it has a scale.

    `stamp`: words across the pixels.
    """

    pixels: Colours
    title: str
    caption: str = ""
    scale: Scale | None = None
    stamp: str = ""


@dataclass(frozen=True, eq=False)
class _Cell:
    """A panel and where it goes, in pixels from the top left of the sheet."""

    panel: Panel
    left: int
    top: int
    title: list[str]
    caption: list[str]
    caption_top: float


class Sheet:
    """Panels in a grid.

    `title`: above the panels; `caption` and, smaller, `footer` are below them. `enlarge_to`: side in pixels towards
    which smaller panels are enlarged, by a whole number.
    """

    def __init__(
        self,
        panels: Sequence[Panel],
        columns: int = 1,
        *,
        title: str = "",
        caption: str = "",
        footer: str = "",
        enlarge_to: int = _SMALL_SIDE,
    ) -> None:
        self.panels = panels
        self.columns = min(columns, len(panels))
        self.title = title
        self.caption = caption
        self.footer = footer
        longest = max(max(panel.pixels.shape[:2]) for panel in panels)
        self.zoom = max(1, round(enlarge_to / longest))
        # Text grows with the picture: a legend of 13 pixels beside a map of 4000 could not be read in print.
        grid_side = longest * self.zoom * max(self.columns**0.5, 1)
        self.em: float = 13.0 * max(1.0, grid_side / 640)
        self.boxes: list[tuple[int, int, int, int]] = []
        """Where each panel's pixels are in the picture, once it is drawn: left, top, width, height."""

    def write(self, path: str | Path, record: Mapping[str, Any] | None = None) -> Path:
        """Draw the sheet and write it as PNG; see `write_figure`."""
        figure = self.drawn()
        places = zip(self.boxes, self.panels, strict=True)
        pixels = [(left, top, self._enlarged(panel)) for (left, top, _, _), panel in places]
        return write_figure(figure, path, record, pixels)

    def drawn(self) -> Any:
        """Give the figure with all that is drawn, which is all but the pixels; `boxes` is filled."""
        em = self.em
        figure = new_figure(1, 1, dpi=_DPI)
        width, title, cells, bottom = self._layout(figure)
        caption = self._wrapped(figure, self.caption, width - 2 * em)
        footer = self._wrapped(figure, self.footer, width - 2 * em, 0.8)
        holes = max((panel.scale.holes for panel in self.panels if panel.scale), default=0.0)
        hole_top = bottom + len(caption) * _LINE * em
        footer_top = hole_top + bool(holes) * _LINE * em + 0.3 * em
        height = footer_top + len(footer) * _LINE * 0.8 * em + 0.7 * em
        figure.set_size_inches(round(width) / _DPI, round(height) / _DPI)
        self._text(figure, em, 0.6 * em, title, size=1.2)
        self.boxes = [self._place(figure, cell) for cell in cells]
        self._text(figure, em, bottom, caption)
        if holes:
            self._swatch(figure, em, hole_top, f"no answer: {_share(holes)} of the pixels are holes")
        self._text(figure, em, footer_top, footer, size=0.8, colour=PALE_INK)
        return figure

    def _layout(self, figure: Any) -> tuple[float, list[str], list[_Cell], float]:
        """Give the sheet's width, its title, where each panel goes, and where the panels end."""
        em = self.em
        grid = [self.panels[start : start + self.columns] for start in range(0, len(self.panels), self.columns)]
        by_column = [self.panels[column :: self.columns] for column in range(self.columns)]
        widths = [max(map(self._width, panels)) for panels in by_column]
        lefts = np.cumsum([em, *(width + em for width in widths)])
        width = max(float(lefts[-1]), _NARROWEST * em)
        title = self._wrapped(figure, self.title, width - 2 * em, 1.2)
        cells: list[_Cell] = []
        top = em + len(title) * 1.2 * _LINE * em
        for row in grid:
            titles = [
                self._wrapped(figure, panel.title, wide, bold=True) for panel, wide in zip(row, widths, strict=False)
            ]
            captions = [self._wrapped(figure, panel.caption, wide) for panel, wide in zip(row, widths, strict=False)]
            image_top = top + max(map(len, titles)) * _LINE * em + 0.3 * em
            image_bottom = image_top + max(self._height(panel) for panel in row)
            cells += [
                _Cell(panel, round(left), round(image_top), words, caption, image_bottom + 0.3 * em)
                for panel, left, words, caption in zip(row, lefts, titles, captions, strict=False)
            ]
            top = image_bottom + max(map(len, captions)) * _LINE * em + em
        return width, title, cells, top

    def _width(self, panel: Panel) -> float:
        return float(panel.pixels.shape[1] * self.zoom) + (_BAR_SLOT * self.em if panel.scale else 0)

    def _height(self, panel: Panel) -> float:
        return max(float(panel.pixels.shape[0] * self.zoom), _LOWEST_WITH_BAR * self.em if panel.scale else 0.0)

    def _enlarged(self, panel: Panel) -> Colours:
        pixels = panel.pixels.repeat(self.zoom, axis=0).repeat(self.zoom, axis=1) if self.zoom > 1 else panel.pixels
        return _stamped(pixels, panel.stamp, self.em) if panel.stamp else pixels

    def _place(self, figure: Any, cell: _Cell) -> tuple[int, int, int, int]:
        """Draw what belongs to a panel, and give the box of its pixels."""
        em = self.em
        height, width = (side * self.zoom for side in cell.panel.pixels.shape[:2])
        title_top = cell.top - 0.3 * em - len(cell.title) * _LINE * em
        self._text(figure, cell.left, title_top, cell.title, bold=True)
        self._text(figure, cell.left, cell.caption_top, cell.caption)
        if cell.panel.scale is not None:
            tall = max(height, _LOWEST_WITH_BAR * em)
            self._bar(figure, cell.panel.scale, cell.left + width + 0.8 * em, cell.top, tall)
        return cell.left, cell.top, width, height

    def _bar(self, figure: Any, scale: Scale, left: float, top: float, height: float) -> None:
        """Draw a colour bar between the words for its two ends, with the unit beside it."""
        em = self.em
        line = _LINE * 0.9 * em
        high = self._wrapped(figure, scale.kind.high_means, _BAR_TEXT_WIDTH * em, 0.9)
        low = self._wrapped(figure, scale.kind.low_means, _BAR_TEXT_WIDTH * em, 0.9)
        self._text(figure, left, top - 0.2 * em, high, size=0.9)
        self._text(figure, left, top + height - len(low) * line + 0.1 * em, low, size=0.9)
        bar_height = height - (len(high) + len(low)) * line - 0.6 * em
        bottom = top + len(high) * line + 0.3 * em + bar_height
        wide, tall = figure.get_size_inches() * _DPI
        axes = figure.add_axes((left / wide, 1 - bottom / tall, 1.3 * em / wide, bar_height / tall))
        ends = {(False, False): "neither", (True, False): "min", (False, True): "max", (True, True): "both"}
        colours = scale.mappable()
        bar = figure.colorbar(colours, cax=axes, extend=ends[scale.has_below, scale.has_above])
        bar.ax.tick_params(labelsize=self._points(0.9), width=em / 16, length=em / 4, pad=em / 6, colors=INK)
        bar.outline.set_linewidth(em / 20)
        for label in bar.ax.get_yticklabels():
            label.set_fontfamily(_FONT)
        bar.set_label(scale.kind.unit, fontproperties=self._font(0.9), color=INK, labelpad=em / 3)

    def _swatch(self, figure: Any, left: float, top: float, text: str) -> None:
        """Name the grey of the holes."""
        em = self.em
        corner = (left, figure.bbox.height - top - 1.15 * em)
        box = Rectangle(corner, em, em, transform=IdentityTransform(), facecolor=HOLE_GREY, edgecolor=INK)
        box.set_linewidth(em / 20)
        figure.add_artist(box)
        self._text(figure, left + 1.5 * em, top, [text])

    def _wrapped(self, figure: Any, text: str, width: float, size: float = 1.0, *, bold: bool = False) -> list[str]:
        """Break a text into lines that are no wider than `width` pixels, a single long word aside."""
        font = self._font(size, bold=bold)
        measure = figure.canvas.get_renderer().get_text_width_height_descent
        lines: list[str] = []
        for word in map(drawable, text.split()):
            longer = f"{lines[-1]} {word}" if lines else word
            if lines and measure(longer, font, False)[0] <= width:
                lines[-1] = longer
            else:
                lines.append(word)
        return lines

    def _text(
        self,
        figure: Any,
        left: float,
        top: float,
        lines: Sequence[str],
        *,
        size: float = 1.0,
        bold: bool = False,
        colour: str = INK,
    ) -> None:
        """Write lines of text, pixels from the top left."""
        font = self._font(size, bold=bold)
        for number, line in enumerate(lines):
            baseline = figure.bbox.height - top - ((number + 1) * _LINE - 0.3) * size * self.em
            text = figure.text(left, baseline, line, fontproperties=font, color=colour, transform=IdentityTransform())
            text.set_parse_math(False)  # a file's name may have dollars in it

    def _font(self, size: float, *, bold: bool = False) -> FontProperties:
        # The font that comes with matplotlib: the same picture on every machine, whatever its settings.
        return FontProperties(family=_FONT, size=self._points(size), weight="bold" if bold else "normal")

    def _points(self, size: float) -> float:
        return size * self.em * 72 / _DPI


def _share(holes: float) -> str:
    return "under 0.1 %" if holes < 0.001 else f"{100 * holes:.3g} %"


def _stamped(pixels: Colours, words: str, em: float) -> Colours:
    """Write words on a dark plate across a picture, as large as they fit and no larger than a title."""
    from PIL import Image, ImageDraw, ImageFont

    file = findfont(FontProperties(family=_FONT, weight="bold"))
    height, width = pixels.shape[:2]
    size = 1.6 * em
    size *= min(1.0, 0.9 * width / ImageFont.truetype(file, size).getlength(words))
    picture = Image.fromarray(pixels)
    draw = ImageDraw.Draw(picture)
    font = ImageFont.truetype(file, max(size, 1.0))
    centre = (width / 2, height / 2)
    left, top, right, bottom = draw.textbbox(centre, words, font=font, anchor="mm")
    margin = size / 3
    draw.rectangle((left - margin, top - margin, right + margin, bottom + margin), fill=INK)
    draw.text(centre, words, fill="white", font=font, anchor="mm")
    return np.asarray(picture)
