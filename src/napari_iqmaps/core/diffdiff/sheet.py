"""Pictures of a diff-diff: overlays, map, marks, histogram and block scores, and all of it with the verdict in one."""

from __future__ import annotations

import math
import textwrap
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from matplotlib.colors import to_rgb
from matplotlib.patches import Rectangle

from ... import __version__
from ..errors import InputError
from ..evidence import STAMP
from ..io.sheet import HOLE_GREY, INK, PALE_INK, Panel, Scale, Sheet, drawable, new_plot, reduced, write_figure
from ..kinds import KINDS
from .pictures import BETTER, WORSE, block_colour, ladder_tolerances, marks, overlay
from .verdict import BlockScore, DiffDiffScore

SHEET = "diff_diff_sheet"
"""What the record of a picture of a diff-diff says it is."""

KIND = KINDS["diff_diff"]

UNCHANGED = "#bdbdbd"

LARGEST_SIDE = 640
"""Pixels; what is larger is reduced by a whole number before it is drawn."""

_BINS_TO_TOLERANCE = (1, 2, 3, 4, 5, 6, 8, 10, 12, 16, 20)
_LEAST_BINS, _MOST_BINS = 24, 100  # to one side
_LEAST_TOLERANCE = 1e-3
_PALE = 0.45
_SMALLEST_TEXT = 3.5  # points
_INCH = 72  # points
_PANEL = 3.7  # width of a picture, in inches
_LOWEST = 2.9  # of the lower row, in inches
_WIDTH, _WORDS = 13.3, 1.6  # of the whole, and what titles and labels take of its height
_RUNG = 400  # pixels towards which a picture of a ladder is enlarged
_DPI = 110
_WHITE = 255
_LETTERS = 56
_SMALL_PRINT = 62
_SECOND_COLUMN = 105  # points
_STYLE = {"axes.titlesize": "medium", "font.size": 9.5}

Plane = npt.NDArray[Any]
Mask = npt.NDArray[np.bool_]
Colours = npt.NDArray[np.uint8]


@dataclass(frozen=True, eq=False)
class Shown:
    """What a picture of a diff-diff shows: one plane of each.

    `moving`, `registered`, `fixed`: grey, ``(height, width)``, 0 to 255. `values`: the map, float32, the same shape;
    NaN where there is no answer.
    """

    moving: Plane
    registered: Plane
    fixed: Plane
    values: Plane
    score: DiffDiffScore
    title: str = ""

    def __post_init__(self) -> None:
        shapes = {np.shape(plane) for plane in (self.moving, self.registered, self.fixed, self.values)}
        if len(shapes) > 1 or len(next(iter(shapes))) != 2:
            text = ", ".join(map(str, sorted(shapes, key=str)))
            raise InputError(f"A picture of a diff-diff shows four planes of one shape; these have {text}.")

    def marks(self, tol: float) -> tuple[Mask, Mask]:
        """Say which pixels got better and which got worse by more than a tolerance, voted on as for the score."""
        return marks(self.values, tol, median=int(self.score.info.get("median", 0)))


def write_diffdiff_sheet(shown: Shown, path: str | Path) -> Path:
    """Show in one picture where a registration made it better or worse, as PNG with the scores as its record.

    From the top left: the fixed image in green under the moving one in magenta, the same after registration (what
    agrees is grey), the map with the tolerance marked on its bar; the histogram with lines at both tolerances, the
    evidence of every block, and the verdict.
    """
    score, (height, width) = shown.score, shown.values.shape
    upper = _PANEL * min(max(height / width, 0.3), 1.6)
    lower = max(upper, _LOWEST)
    with new_plot(_WIDTH, upper + lower + _WORDS, style=_STYLE, dpi=_DPI, layout="constrained") as figure:
        figure.get_layout_engine().set(w_pad=0.1, h_pad=0.1)
        grid = [["before", "after", "map"], ["counts", "blocks", "words"]]
        # The layout moves the sides; the text of blocks is fitted to where they are at first.
        axes = figure.subplot_mosaic(grid, height_ratios=(upper, lower), gridspec_kw={"left": 0.05, "right": 0.93})
        axes["blocks"].set_anchor("N")
        for name, image, title in (
            ("before", shown.moving, "Before: moving (magenta) on fixed (green)"),
            ("after", shown.registered, "After: registered (magenta) on fixed (green)"),
        ):
            draw_picture(axes[name], overlay(image, shown.fixed, data_range=_WHITE), title)
        doubtful = score.verdict == "not enough evidence"
        draw_map(axes["map"], shown.values, score.tol, "Diff-diff: green better, pink worse", doubtful=doubtful)
        draw_histogram(axes["counts"], shown.values, score.tol, "How far pixels changed, and the tolerance")
        _write_words(axes["words"], score)
        figure.suptitle(drawable(shown.title), fontsize="large")
        if score.blocks:
            draw_blocks(axes["blocks"], shown.fixed, score.blocks, "Blocks: evidence, and share that got better")
        else:
            colours = marked(shown.fixed, *shown.marks(score.tol))
            draw_picture(axes["blocks"], colours, "Pixels that changed: green better, pink worse")
        return write_figure(figure, path, {"kind": SHEET, "title": shown.title, "info": score.row()})


def write_ladder(shown: Shown, path: str | Path, tolerances: Sequence[float] | None = None) -> Path:
    """Show which pixels change beyond one tolerance after the other, as PNG.

    `shown`: what to draw; the tolerance of its score is not used. `tolerances`: grey levels, 0 or more each. None takes
    nine that suit the map; the original had 10, 20 .. 90.
    """
    if tolerances is None:
        tolerances = ladder_tolerances(shown.values)
    if not len(tolerances) or not all(math.isfinite(tol) and tol >= 0 for tol in tolerances):
        raise InputError(f"The tolerances {list(tolerances)} should be grey levels of 0 or more, at least one.")
    panels = []
    for tol in tolerances:
        better, worse = shown.marks(tol)
        changed = int(better.sum()) + int(worse.sum())
        share = f"{better.sum() / changed:.2f} of {changed:,} better" if changed else "no pixel changed"
        colours = reduced(marked(shown.fixed, better, worse), LARGEST_SIDE)
        panels.append(Panel(colours, f"beyond {tol:.3g}: {share}"))
    sheet = Sheet(panels, math.ceil(math.sqrt(len(panels))), title=shown.title, enlarge_to=_RUNG)
    info = {**shown.score.row(), "tolerances": list(tolerances)}
    return sheet.write(path, {"kind": "diff_diff_ladder", "title": shown.title, "info": info})


def write_overlays(pictures: Mapping[str, Colours], path: str | Path, title: str = "") -> Path:
    """Write pictures of one shape side by side as PNG.

    `pictures`: title to uint8 colours, ``(height, width, 3)``, such as `napari_iqmaps.core.diffdiff.overlay` gives; at
    least one.
    """
    panels = [Panel(reduced(colours, LARGEST_SIDE), name) for name, colours in pictures.items()]
    sheet = Sheet(panels, len(panels), title=title)
    return sheet.write(path, {"kind": "overlay", "title": title, "info": {}})


def marks_panel(values: Plane, info: Mapping[str, Any], limit: int) -> Panel:
    """Show which pixels of a map changed beyond the tolerance in its info, as a panel of at most `limit` pixels."""
    tol, median = float(info["tol"]), int(info.get("median", 0))
    better, worse = marks(values, tol, median=median)
    colours = marked(np.full(values.shape, 255, np.float32), better, worse)
    colours[~np.isfinite(values)] = np.rint(np.multiply(HOLE_GREY, 255)).astype(np.uint8)
    valid = max(int(np.isfinite(values).sum()), 1)
    shares = f"{100 * better.sum() / valid:.3g} % better (green), {100 * worse.sum() / valid:.3g} % worse (pink)"
    vote = f", by a vote of {median} x {median} pixels" if median else ""
    return Panel(reduced(colours, limit), f"Changed by more than {tol:.3g} grey levels", f"{shares}{vote}")


def verdict_words(score: DiffDiffScore) -> list[tuple[str, str]]:
    """Say what a score rests on, number by number: what, and how much, in the order in which to read them."""
    changed = f"{score.count:,} of {score.n_valid:,}"
    lines = [
        ("evidence, -1 to 1", f"{_number(score.evidence)}{_between(score.evidence_interval)}"),
        ("share that got better", f"{score.score:.3f}{_between(score.interval)}" if score.scored else "none"),
        ("pixels changed", f"{changed}: {score.better:,} better, {score.worse:,} worse"),
        ("soft share, gain", f"{_number(score.soft)}, {_number(score.gain)}"),
        ("local correlation", f"{_number(score.local_ncc_before)} before, {_number(score.local_ncc_after)} after"),
        ("tolerance", f"{score.tol:.3g} grey levels of 255"),
        ("frame with an answer", f"{100 * score.valid_fraction:.3g} %"),
    ]
    if score.blocks:
        lines.append(("blocks", f"{score.blocks_better} better, {score.blocks_worse} worse of {len(score.blocks)}"))
    return lines


def _write_words(axes: Any, score: DiffDiffScore) -> None:
    axes.set_axis_off()
    axes.set_title(f"Verdict: {score.verdict}", color=INK, fontweight="bold", loc="left")
    text = textwrap.fill(score.sentence(), _LETTERS)
    words = [
        axes.text(0, 0.99, text, va="top", fontsize="medium", color=INK, transform=axes.transAxes, linespacing=1.3)
    ]
    rows = verdict_words(score)
    for column, (left, colour) in enumerate(((0, PALE_INK), (_SECOND_COLUMN, INK))):
        lines = "\n".join(row[column] for row in rows)
        below: dict[str, Any] = {"xy": (0, 0), "xycoords": words[0], "xytext": (left, -8)}
        below |= {"textcoords": "offset points", "va": "top", "linespacing": 1.6}
        words.append(axes.annotate(lines, fontsize="small", color=colour, **below))
    illumination = score.info.get("illumination")
    small = f"illumination corrected: {illumination}. " if illumination else ""
    small = textwrap.fill(f"{small}napari-iqmaps {__version__}", _SMALL_PRINT)
    words.append(axes.text(0, 0, small, va="bottom", fontsize="x-small", color=PALE_INK, transform=axes.transAxes))
    for text in words:
        text.set_in_layout(False)  # the words take the room that the pictures leave


def _between(interval: tuple[float, float]) -> str:
    low, high = interval
    return f" (90 %: {low:.2f} to {high:.2f})" if math.isfinite(low) and math.isfinite(high) else ""


def _number(value: float) -> str:
    return f"{value:.2f}" if math.isfinite(value) else "unknown"


# --- On any axes


def draw_picture(axes: Any, colours: Colours, title: str) -> None:
    """Show uint8 colours, ``(height, width, 3)``, without ticks; axes keep the coordinates of their pixels."""
    height, width = colours.shape[:2]
    axes.imshow(reduced(colours, LARGEST_SIDE), extent=(-0.5, width - 0.5, height - 0.5, -0.5))
    _without_ticks(axes, title)


def draw_map(axes: Any, values: Plane, tol: float, title: str = KIND.title, *, doubtful: bool = False) -> Any:
    """Show a map in its diverging colours, NaN in grey, with a bar that is marked at both tolerances.

    Without enough evidence it is grey and stamped.
    """
    height, width = values.shape
    # Wide enough for the tolerance to be on it: what changed by less shall look so.
    high = max(KIND.display_limits(np.asarray(values))[1], 1.5 * tol)
    scale = Scale(KIND, -high, high, is_dimmed=doubtful).mappable()
    picture = axes.imshow(
        reduced(values, LARGEST_SIDE),
        cmap=scale.get_cmap(),
        norm=scale.norm,
        extent=(-0.5, width - 0.5, height - 0.5, -0.5),
    )
    _without_ticks(axes, title)
    if doubtful:
        plate = {"facecolor": INK, "linewidth": 0}
        axes.text(0.5, 0.5, STAMP, transform=axes.transAxes, ha="center", va="center", color="white", bbox=plate)
    # Of the size of the picture, which the axes shrink to.
    bar = axes.figure.colorbar(picture, cax=axes.inset_axes((1.03, 0, 0.05, 1)), extend="both")
    bar.set_label(f"grey levels; > 0: {KIND.high_means}", fontsize="x-small", color=INK)
    bar.ax.tick_params(labelsize="x-small", colors=INK)
    if tol < high:
        bar.ax.hlines([-tol, tol], 0, 1, transform=bar.ax.get_yaxis_transform(), colors=INK, linewidth=1.2)
    return picture


def marked(backdrop: Plane, better: Mask, worse: Mask) -> Colours:
    """Colour the pixels that changed on a pale picture of a grey one, 0 to 255 with NaN as white; gives uint8."""
    grey = np.clip(np.nan_to_num(np.asarray(backdrop, np.float32), nan=255.0), 0, 255)
    colours = np.repeat((255 - _PALE * (255 - grey)).astype(np.uint8)[..., np.newaxis], 3, axis=-1)
    for mask, colour in ((better, BETTER), (worse, WORSE)):
        colours[mask] = np.rint(np.multiply(to_rgb(colour), 255)).astype(np.uint8)
    return colours


def bins_at_tolerance(values: Plane, tol: float) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.int64]]:
    """Count differences in bins of which plus and minus the tolerance are edges.

    `values`: the map, any shape; NaN is left out. `tol`: grey levels, 0 or more; less than a hundredth of the largest
    difference is taken for that. Returns `edges`: float64, rising, symmetric about 0. Returns `counts`: int64, one
    fewer. What is beyond the outermost edges is counted in the outermost bins, so that their sum is the number of
    pixels with an answer. A value of exactly the tolerance counts inside, as it does in the score.
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

    The notebook draws its lines 5 grey levels inside the tolerance; here they are at it.
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
        place: dict[str, Any] = {"xy": (where, 1), "xycoords": ("data", "axes fraction"), "textcoords": "offset points"}
        offset = (-3 if side == "right" else 3, -2)
        axes.annotate(f"{where:+.3g}", xytext=offset, ha=side, va="top", fontsize="x-small", color=ink, **place)
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
    """Show on a pale picture how one-sided the change is in every block, and which share of its pixels got better.

    A block has the colour of its evidence; a dash stands for a number that there is not.
    """
    none = np.zeros(np.shape(backdrop), bool)
    draw_picture(axes, marked(backdrop, none, none), title)
    size = _text_size(axes, blocks)
    for block in blocks:
        frame = ((block.left - 0.5, block.top - 0.5), block.width, block.height)
        told = math.isfinite(block.evidence)
        filled = {"facecolor": block_colour(block.evidence)} if told else {"facecolor": "none"}
        axes.add_patch(Rectangle(*frame, linewidth=0, **filled))
        axes.add_patch(Rectangle(*frame, fill=False, edgecolor=INK, linewidth=0.5, alpha=0.6))
        if size < _SMALLEST_TEXT:
            continue
        share = f"{100 * block.score:.0f} %" if block.scored else "-"
        text = f"{block.evidence:+.2f}\n{share}" if told else "-"
        centre = (block.left + block.width / 2 - 0.5, block.top + block.height / 2 - 0.5)
        axes.text(*centre, text, ha="center", va="center", fontsize=size, color=INK, linespacing=1.1)


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
