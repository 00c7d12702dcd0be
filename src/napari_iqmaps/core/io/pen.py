"""Draw on a matplotlib figure in pixels from its top left corner: text that wraps, images one to one, colour bars."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import matplotlib
import numpy as np
import numpy.typing as npt
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties
from matplotlib.patches import Rectangle

from ..kinds import Kind

HOLE_GREY = (0.62, 0.62, 0.62)
"""Of a pixel without an answer; neither viridis nor magma has a neutral grey."""

LINE = 1.35
"""Height of a line of text, in its size."""

_DPI = 100
_INK = "#1a1a1a"
_BAR_TEXT_WIDTH = 8.6


def mappable(kind: Kind, low: float, high: float) -> ScalarMappable:
    """Give matplotlib's form of a colour scale.

    Parameters
    ----------
    low, high : float
        Values of the first and the last colour.

    Returns
    -------
    matplotlib.cm.ScalarMappable
        With `HOLE_GREY` for NaN.
    """
    return ScalarMappable(Normalize(low, high), matplotlib.colormaps[kind.colormap].with_extremes(bad=HOLE_GREY))


class Pen:
    """Draws on a figure of its own.

    Parameters
    ----------
    em : float
        Size of the text in pixels.
    """

    def __init__(self, em: float) -> None:
        self.em = em
        self.figure = Figure(figsize=(1, 1), dpi=_DPI, facecolor="white")
        canvas: Any = FigureCanvasAgg(self.figure)  # its stubs are incomplete
        self._canvas = canvas
        self._renderer = canvas.get_renderer()
        self._width = self._height = _DPI
        self._images: list[tuple[int, int, npt.NDArray[np.uint8]]] = []

    def save(self, path: Path, text: Mapping[str, str]) -> None:
        """Write the figure as PNG; not by ``savefig``, which the user's matplotlib settings can bend."""
        from PIL import Image, PngImagePlugin

        self._canvas.draw()
        picture = np.asarray(self._canvas.buffer_rgba())[..., :3].copy()
        for left, top, pixels in self._images:
            picture[top : top + pixels.shape[0], left : left + pixels.shape[1]] = pixels
        chunks = PngImagePlugin.PngInfo()
        for key, value in text.items():
            chunks.add_text(key, value)
        # Half the time of the usual compression for a quarter more bytes.
        Image.fromarray(picture).save(path, format="PNG", pnginfo=chunks, dpi=(_DPI, _DPI), compress_level=3)

    def resize(self, width: int, height: int) -> None:
        """Set the figure's size in pixels; before anything is drawn."""
        self._width, self._height = width, height
        self.figure.set_size_inches(width / _DPI, height / _DPI)

    def wrapped(self, text: str, width: float, *, size: float = 1.0, bold: bool = False) -> list[str]:
        """Break a text into lines that are no wider than `width` pixels, a single long word aside."""
        font = self._font(size, bold)
        lines: list[str] = []
        for word in text.split():
            longer = f"{lines[-1]} {word}" if lines else word
            if lines and self._renderer.get_text_width_height_descent(longer, font, False)[0] <= width:
                lines[-1] = longer
            else:
                lines.append(word)
        return lines

    def text(
        self, left: float, top: float, lines: Sequence[str], *, size: float = 1.0, bold: bool = False,
        colour: str = _INK,
    ) -> None:  # fmt: skip
        """Write lines of text."""
        for number, line in enumerate(lines):
            baseline = top + (number + 1.0) * LINE * size * self.em - 0.3 * size * self.em
            self.figure.text(
                left / self._width,
                1 - baseline / self._height,
                line,
                fontproperties=self._font(size, bold),
                color=colour,
                verticalalignment="baseline",
                parse_math=False,
            )

    def image(self, left: int, top: int, pixels: npt.NDArray[np.uint8]) -> None:
        """Place pixels one to one; put in when the rest is drawn, since matplotlib would blow them up to floats."""
        self._images.append((left, top, pixels))

    def bar(self, scale: Any, left: float, top: float, height: float) -> None:
        """Draw a colour bar between the words for its two ends, with the unit beside it."""
        em = self.em
        width = _BAR_TEXT_WIDTH * em
        high = self.wrapped(scale.kind.high_means, width, size=0.9)
        low = self.wrapped(scale.kind.low_means, width, size=0.9)
        line = LINE * 0.9 * em
        self.text(left, top - 0.2 * em, high, size=0.9)
        self.text(left, top + height - len(low) * line + 0.1 * em, low, size=0.9)
        bar_top = top + len(high) * line + 0.3 * em
        bar_height = height - (len(high) + len(low)) * line - 0.6 * em
        axes = self.figure.add_axes((
            left / self._width,
            1 - (bar_top + bar_height) / self._height,
            1.3 * em / self._width,
            bar_height / self._height,
        ))  # fmt: skip
        ends = {(False, False): "neither", (True, False): "min", (False, True): "max", (True, True): "both"}
        bar = self.figure.colorbar(
            mappable(scale.kind, scale.low, scale.high), cax=axes, extend=ends[scale.has_below, scale.has_above]
        )
        bar.ax.tick_params(labelsize=self._points(0.9), width=em / 16, length=em / 4, pad=em / 6, colors=_INK)
        bar.outline.set_linewidth(em / 20)
        for label in bar.ax.get_yticklabels():
            label.set_fontfamily("DejaVu Sans")
        bar.set_label(scale.kind.unit, fontproperties=self._font(0.9, False), color=_INK, labelpad=em / 3)

    def swatch(self, left: float, top: float, text: str) -> None:
        """Name the grey of the holes."""
        em = self.em
        corner = (left / self._width, 1 - (top + 1.15 * em) / self._height)
        self.figure.add_artist(
            Rectangle(corner, em / self._width, em / self._height, transform=self.figure.transFigure,
                      facecolor=HOLE_GREY, edgecolor=_INK, linewidth=em / 20)
        )  # fmt: skip
        self.text(left + 1.5 * em, top, [text])

    def _font(self, size: float, bold: bool) -> FontProperties:
        # The font that comes with matplotlib: the same picture on every machine, whatever its settings.
        return FontProperties(family="DejaVu Sans", size=self._points(size), weight="bold" if bold else "normal")

    def _points(self, size: float) -> float:
        return size * self.em * 72 / _DPI
