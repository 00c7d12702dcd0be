"""Draw what a diff-diff shows on the axes of any matplotlib figure: overlays, map, marks, histogram, block scores.

Nothing here makes a figure or a file: `napari_iqmaps.core.io.diffdiff_sheet` does, and so may a window.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from ..kinds import KINDS
from .pen import HOLE_GREY, mappable
from .sheet import Panel

if TYPE_CHECKING:
    from ..diffdiff.verdict import BlockScore

KIND = KINDS["diff_diff"]

BETTER = "#4d9221"
WORSE = "#c51b7d"
"""Of pixels and blocks beyond the tolerance: the two sides of the map's own colours."""

UNCHANGED = "#bdbdbd"
INK = "#1a1a1a"

LARGEST_SIDE = 640
"""Pixels; what is larger is reduced by a whole number before it is drawn."""

_BINS_TO_TOLERANCE = (1, 2, 3, 4, 5, 6, 8, 10, 12, 16, 20)
_LEAST_BINS, _MOST_BINS = 24, 100  # to one side
_LEAST_TOLERANCE = 1e-3
_PALE = 0.45
_SMALLEST_TEXT = 3.5  # points
_INCH = 72

Plane = npt.NDArray[Any]
Mask = npt.NDArray[np.bool_]
Colours = npt.NDArray[np.uint8]


def draw_picture(axes: Any, colours: Colours, title: str) -> None:
    """Show an RGB picture without ticks.

    Parameters
    ----------
    colours : numpy.ndarray
        uint8, ``(height, width, 3)``. Axes keep the coordinates of its pixels, however it is reduced.
    """
    height, width = colours.shape[:2]
    axes.imshow(reduced(colours), extent=(-0.5, width - 0.5, height - 0.5, -0.5))
    _without_ticks(axes, title)


def draw_map(axes: Any, values: Plane, tol: float, title: str = KIND.title, limit: float | None = None) -> Any:
    """Show a map in its diverging colours, with a bar that is marked at both tolerances.

    Parameters
    ----------
    values : numpy.ndarray
        The map, float, ``(height, width)``, grey levels; NaN is drawn in grey.
    tol : float
        The tolerance, grey levels.
    limit : float, optional
        Grey levels of the last colour to either side; without it, what the kind of map says.
    """
    height, width = values.shape
    # Wide enough for the tolerance to be on it: what changed by less shall look so.
    high = limit or max(KIND.display_limits(np.asarray(values))[1], 1.5 * tol)
    scale = mappable(KIND, -high, high)
    picture = axes.imshow(
        reduced(values), cmap=scale.get_cmap(), norm=scale.norm, extent=(-0.5, width - 0.5, height - 0.5, -0.5)
    )
    _without_ticks(axes, title)
    # Of the size of the picture, which the axes shrink to.
    bar = axes.figure.colorbar(picture, cax=axes.inset_axes((1.03, 0, 0.05, 1)), extend="both")
    bar.set_label(f"grey levels; > 0: {KIND.high_means}", fontsize="x-small", color=INK)
    bar.ax.tick_params(labelsize="x-small", colors=INK)
    if tol < high:
        bar.ax.hlines([-tol, tol], 0, 1, transform=bar.ax.get_yaxis_transform(), colors=INK, linewidth=1.2)
    return picture


def draw_marks(axes: Any, backdrop: Plane, better: Mask, worse: Mask, title: str) -> None:
    """Show which pixels changed beyond the tolerance, on a pale picture.

    Parameters
    ----------
    backdrop : numpy.ndarray
        The fixed image, ``(height, width)``, 0 to 255.
    better, worse : numpy.ndarray
        Of bool, the same shape.
    """
    draw_picture(axes, marked(backdrop, better, worse), title)


def marks_panel(values: Plane, info: Mapping[str, Any], limit: int) -> Panel:
    """Show which pixels of a map changed beyond its tolerance, as a panel of a sheet.

    Parameters
    ----------
    values : numpy.ndarray
        The map, float, ``(height, width)``; NaN is drawn in grey.
    info : mapping
        The map's; holds ``"tol"`` and, if the marks were voted on, ``"median"``.
    limit : int
        Largest side in pixels.

    Returns
    -------
    Panel
        At the map's own pixels, or reduced by a whole number.
    """
    from ..diffdiff.pictures import marks

    tol, median = float(info["tol"]), int(info.get("median", 0))
    better, worse = marks(values, tol, median=median)
    colours = marked(np.full(values.shape, 255, np.float32), better, worse)
    colours[~np.isfinite(values)] = np.rint(np.multiply(HOLE_GREY, 255)).astype(np.uint8)
    valid = max(int(np.isfinite(values).sum()), 1)
    shares = f"{100 * better.sum() / valid:.3g} % better (green), {100 * worse.sum() / valid:.3g} % worse (pink)"
    vote = f", by a vote of {median} x {median} pixels" if median else ""
    return Panel(reduced(colours, limit), f"Changed by more than {tol:.3g} grey levels", f"{shares}{vote}")


def marked(backdrop: Plane, better: Mask, worse: Mask) -> Colours:
    """Colour the pixels that changed on a pale picture.

    Parameters
    ----------
    backdrop : numpy.ndarray
        Grey, ``(height, width)``, 0 to 255; NaN is white.
    better, worse : numpy.ndarray
        Of bool, the same shape.

    Returns
    -------
    numpy.ndarray
        uint8, ``(height, width, 3)``.
    """
    from matplotlib.colors import to_rgb

    grey = np.clip(np.nan_to_num(np.asarray(backdrop, np.float32), nan=255.0), 0, 255)
    colours = np.repeat((255 - _PALE * (255 - grey)).astype(np.uint8)[..., np.newaxis], 3, axis=-1)
    for mask, colour in ((better, BETTER), (worse, WORSE)):
        colours[mask] = np.rint(np.multiply(to_rgb(colour), 255)).astype(np.uint8)
    return colours


def bins_at_tolerance(values: Plane, tol: float) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.int64]]:
    """Count differences in bins of which plus and minus the tolerance are edges.

    Parameters
    ----------
    values : numpy.ndarray
        The map, any shape; NaN is left out.
    tol : float
        Grey levels, 0 or more; less than a hundredth of the largest difference is taken for that.

    Returns
    -------
    edges : numpy.ndarray
        float64, rising, symmetric about 0.
    counts : numpy.ndarray
        int64, one fewer. What is beyond the outermost edges is counted in the outermost bins, so that their sum is the
        number of pixels with an answer. A value of exactly the tolerance counts inside, as it does in the score.
    """
    finite = np.asarray(values, np.float32)[np.isfinite(values)]
    largest = float(np.percentile(np.abs(finite), 99.99)) if finite.size else 0.0
    tol = _binned_tolerance(tol, largest)
    reach = max(largest, 2 * tol)
    parts = next((n for n in _BINS_TO_TOLERANCE if reach * n / tol >= _LEAST_BINS), _BINS_TO_TOLERANCE[-1])
    # Rounded up: the last bin may be partly empty, but it is as wide as the others.
    side = np.arange(1, math.ceil(reach * parts / tol - 1e-9) + 1) * (tol / parts)
    edges = np.concatenate([-side[::-1], [0.0], side])
    # numpy's bins hold their left edge; to the right of 0 they have to hold the right one.
    whole = side.astype(np.float32)  # as the map is, or a value of just the tolerance would lie beyond it
    cuts = np.concatenate([-whole[::-1], np.zeros(1, np.float32), np.nextafter(whole, np.float32(np.inf))])
    counts, _ = np.histogram(np.clip(finite, cuts[0], cuts[-1]), cuts)
    return edges, counts.astype(np.int64)


def _binned_tolerance(tol: float, largest: float) -> float:
    return max(tol, largest / _MOST_BINS, _LEAST_TOLERANCE)


def draw_histogram(axes: Any, values: Plane, tol: float, title: str = "", ink: str = INK) -> None:
    """Show how many pixels changed how far, with a line at plus and at minus the tolerance.

    Parameters
    ----------
    values : numpy.ndarray
        The map, any shape; NaN is left out.
    tol : float
        Grey levels, 0 or more.

    Notes
    -----
    The notebook draws its bars 5 grey levels inside the tolerance; here they are at it.
    """
    edges, counts = bins_at_tolerance(values, tol)
    total = max(int(counts.sum()), 1)
    centres = (edges[:-1] + edges[1:]) / 2
    inner = _binned_tolerance(tol, edges[-1])
    colours = np.where(centres > inner, BETTER, np.where(centres < -inner, WORSE, UNCHANGED))
    shares = 100 * counts / total
    axes.bar(centres, shares, np.diff(edges), color=colours.tolist(), linewidth=0)
    for where, side in ((-tol, "right"), (tol, "left")):
        axes.axvline(where, color=ink, linewidth=1)
        axes.annotate(
            f"{where:+.3g}", (where, 1), (-3 if side == "right" else 3, -2), xycoords=("data", "axes fraction"),
            textcoords="offset points", ha=side, va="top", fontsize="x-small", color=ink,
        )  # fmt: skip
    # Most pixels of a good pair do not change: on a linear scale nothing else could be seen.
    axes.set_yscale("log")
    axes.yaxis.set_major_formatter(lambda share, _: f"{share:g}")
    axes.minorticks_off()
    if shares.any():
        axes.set_ylim(min(shares[shares > 0].min() / 2, 1), min(2 * shares.max(), 100))
    axes.set_xlim(edges[0], edges[-1])
    axes.set_xlabel("change of the difference to the fixed image, grey levels", fontsize="small", color=ink)
    axes.set_ylabel("% of pixels", fontsize="small", color=ink)
    axes.set_title(title, color=ink, y=1.0)
    axes.tick_params(labelsize="x-small", colors=ink)
    axes.spines[["top", "right"]].set_visible(False)
    axes.spines[["bottom", "left"]].set_color(ink)


def draw_blocks(axes: Any, backdrop: Plane, blocks: Sequence[BlockScore], title: str) -> None:
    """Show how one-sided the change is in every block on a pale picture, and which share of its pixels got better.

    Parameters
    ----------
    backdrop : numpy.ndarray
        The fixed image, ``(height, width)``, 0 to 255.
    blocks : sequence of BlockScore
        Of a `DiffDiffScore`. Each is coloured by its evidence, which is written into it with the share of its changed
        pixels that got better; a dash stands for what there is not.
    """
    from matplotlib.patches import Rectangle

    none = np.zeros(np.shape(backdrop), bool)
    draw_picture(axes, marked(backdrop, none, none), title)
    scale: Any = mappable(KIND, -1.1, 1.1)  # without the darkest ends, on which numbers could not be read
    size = _text_size(axes, blocks)
    for block in blocks:
        corner = (block.left - 0.5, block.top - 0.5)
        told = math.isfinite(block.evidence)
        filled = {"facecolor": scale.to_rgba(block.evidence), "alpha": 0.75} if told else {"facecolor": "none"}
        axes.add_patch(Rectangle(corner, block.width, block.height, linewidth=0, **filled))
        axes.add_patch(
            Rectangle(corner, block.width, block.height, fill=False, edgecolor=INK, linewidth=0.5, alpha=0.6)
        )
        if size < _SMALLEST_TEXT:
            continue
        share = f"{100 * block.score:.0f} %" if block.scored else "-"
        text = f"{block.evidence:+.2f}\n{share}" if told else "-"
        axes.text(
            block.left + block.width / 2 - 0.5, block.top + block.height / 2 - 0.5, text, ha="center", va="center",
            fontsize=size, color=INK, linespacing=1.1,
        )  # fmt: skip


def reduced(pixels: npt.NDArray[Any], side: int = LARGEST_SIDE) -> npt.NDArray[Any]:
    """Shrink a large picture or map by a whole number, each pixel the mean of a square.

    Parameters
    ----------
    pixels : numpy.ndarray
        ``(height, width)`` or ``(height, width, 3)``.
    side : int
        Largest side of the result, in pixels.

    Returns
    -------
    numpy.ndarray
        The same dtype; of a map, NaN only where a square has no answer. A square that reaches over the edge is the mean
        of what it has.
    """
    block = math.ceil(max(pixels.shape[:2]) / side)
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


def _without_ticks(axes: Any, title: str) -> None:
    axes.set_title(title, color=INK, y=1.0)  # said, so that it is not looked for
    axes.set(xticks=[], yticks=[])
    axes.set_facecolor(HOLE_GREY)


def _text_size(axes: Any, blocks: Sequence[BlockScore]) -> float:
    """Give the size at which two lines fit into the smallest block, in points."""
    if not blocks:
        return 0.0
    box = axes.get_position()
    left, right = axes.get_xlim()
    bottom, top = sorted(axes.get_ylim())
    width, height = axes.figure.get_size_inches()
    # An image keeps its shape in axes that have another: the tighter side decides.
    points = _INCH * min(width * box.width / (right - left), height * box.height / (top - bottom))
    sides = [(block.width * points, block.height * points) for block in blocks]
    return float(min(8.0, *(min(wide / 3.2, high / 2.8) for wide, high in sides)))
