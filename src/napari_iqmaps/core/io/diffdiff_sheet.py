"""A diff-diff in one picture: overlays before and after, the map, its histogram, the block scores and the verdict."""

from __future__ import annotations

import json
import math
import textwrap
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from ... import __version__
from ..columns import plain
from ..diffdiff.curve import ladder_tolerances
from ..diffdiff.pictures import marks, overlay
from ..errors import InputError
from .atomic import written_whole
from .diffdiff_drawing import (
    INK,
    draw_blocks,
    draw_histogram,
    draw_map,
    draw_marks,
    draw_picture,
)
from .image_file import KEY

if TYPE_CHECKING:
    from ..diffdiff.records import DiffDiffScore

KIND = "diff_diff_sheet"
"""What the record of such a picture says it is."""

_PANEL = 3.7  # these in inches
_LOWEST = 2.9
_EDGE, _GAP, _BAR = 0.65, 0.3, 0.95
_HEAD, _BETWEEN, _FOOT = 0.75, 0.5, 0.6
_DPI = 110
_WHITE = 255
_LETTERS = 56
_SMALL_PRINT = 62
_SECOND_COLUMN = 105  # points
_STYLE: list[str | dict[str, Any]] = [
    "default",
    {"text.parse_math": False, "axes.titlesize": "medium", "font.size": 9.5},  # a file's name may have dollars in it
]

Plane = npt.NDArray[Any]


@dataclass(frozen=True, eq=False)
class Shown:
    """What a picture of a diff-diff shows: one plane of each.

    Attributes
    ----------
    moving, registered, fixed : numpy.ndarray
        Grey, ``(height, width)``, 0 to 255.
    values : numpy.ndarray
        The map, float32, the same shape; NaN where there is no answer.
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


def write_diffdiff_sheet(shown: Shown, path: str | Path) -> Path:
    """Show in one picture where a registration made it better or worse.

    Parameters
    ----------
    path : str or pathlib.Path
        A PNG; written whole or not at all. It carries the scores as a record.

    Notes
    -----
    From the top left: the fixed image in green under the moving one in red, the same after registration (what agrees
    is yellow), the map with the tolerance marked on its bar; the histogram with lines at both tolerances, the evidence
    of every block, and the verdict.
    """
    score, pictures = shown.score, _picture_height(shown.values.shape)
    lower = max(pictures, _LOWEST)
    lefts = [_EDGE + column * (_PANEL + _GAP) for column in range(3)]
    tops = (_HEAD, _HEAD + pictures + _BETWEEN)
    with _figure(lefts[2] + _PANEL + _BAR, tops[1] + lower + _FOOT) as figure:
        before, after, difference = (_axes(figure, left, tops[0], _PANEL, pictures) for left in lefts)
        counts = _axes(figure, lefts[0], tops[1], _PANEL, lower)
        blocks = _axes(figure, lefts[1], tops[1], _PANEL, pictures)
        draw_picture(
            before, overlay(shown.moving, shown.fixed, data_range=_WHITE), "Before: moving (red) on fixed (green)"
        )
        draw_picture(
            after, overlay(shown.registered, shown.fixed, data_range=_WHITE), "After: registered (red) on fixed (green)"
        )
        draw_map(difference, shown.values, score.tol, "Diff-diff: green better, pink worse")
        draw_histogram(counts, shown.values, score.tol, "How far pixels changed, and the tolerance")
        if score.blocks:
            draw_blocks(blocks, shown.fixed, score.blocks, "Blocks: evidence, and share that got better")
        else:
            masks = marks(shown.values, score.tol, median=_median(shown))
            draw_marks(blocks, shown.fixed, *masks, "Pixels that changed: green better, pink worse")
        _write_words(_axes(figure, lefts[2], tops[1], _PANEL + _BAR - _GAP, lower), score)
        figure.text(0.5, 1 - 0.25 / figure.get_figheight(), shown.title, ha="center", va="center", fontsize="large")
        _save(figure, path, {"kind": KIND, "title": shown.title, "info": score.row()})
    return Path(path)


def write_ladder(shown: Shown, path: str | Path, tolerances: Sequence[float] | None = None) -> Path:
    """Show which pixels change beyond one tolerance after the other.

    Parameters
    ----------
    shown : Shown
        What to draw; the tolerance of its score is not used.
    path : str or pathlib.Path
        A PNG; written whole or not at all.
    tolerances : sequence of float, optional
        Grey levels, 0 or more each. None takes nine that suit the map; the original had 10, 20 .. 90.
    """
    if tolerances is None:
        tolerances = ladder_tolerances(shown.values)
    if not len(tolerances) or not all(math.isfinite(tol) and tol >= 0 for tol in tolerances):
        raise InputError(f"The tolerances {list(tolerances)} should be grey levels of 0 or more, at least one.")
    titles, masks = [], []
    for tol in tolerances:
        better, worse = marks(shown.values, tol, median=_median(shown))
        changed = int(better.sum()) + int(worse.sum())
        share = f"{better.sum() / changed:.2f} of {changed:,} better" if changed else "no pixel changed"
        titles.append(f"beyond {tol:.3g}: {share}")
        masks.append((better, worse))
    with _pictures(shown.values.shape, titles, shown.title) as (figure, grid):
        for axes, title, pair in zip(grid, titles, masks, strict=True):
            draw_marks(axes, shown.fixed, *pair, title)
        record = {"kind": "diff_diff_ladder", "title": shown.title}
        _save(figure, path, {**record, "info": {**shown.score.row(), "tolerances": list(tolerances)}})
    return Path(path)


def write_overlays(pictures: Mapping[str, npt.NDArray[np.uint8]], path: str | Path, title: str = "") -> Path:
    """Write pictures side by side.

    Parameters
    ----------
    pictures : mapping
        Title to uint8 colours, ``(height, width, 3)``, such as `napari_iqmaps.core.diffdiff.overlay` gives; at least
        one, all of one shape.
    path : str or pathlib.Path
        A PNG; written whole or not at all.
    """
    with _pictures(next(iter(pictures.values())).shape, list(pictures), title, len(pictures)) as (figure, grid):
        for axes, (name, colours) in zip(grid, pictures.items(), strict=True):
            draw_picture(axes, colours, name)
        _save(figure, path, {"kind": "overlay", "title": title, "info": {}})
    return Path(path)


@contextmanager
def _pictures(
    shape: Sequence[int], titles: Sequence[str], title: str, columns: int | None = None
) -> Iterator[tuple[Any, list[Any]]]:
    """Give a figure with a grid of axes for pictures of one shape."""
    columns = columns or math.ceil(math.sqrt(len(titles)))
    rows = math.ceil(len(titles) / columns)
    high, step = _picture_height(shape), _PANEL + 0.15
    with _figure(0.3 + columns * step, _HEAD + rows * (high + 0.4) - 0.25) as figure:
        grid = [
            _axes(figure, 0.2 + (number % columns) * step, _HEAD + (number // columns) * (high + 0.4), _PANEL, high)
            for number in range(len(titles))
        ]
        figure.text(0.5, 1 - 0.22 / figure.get_figheight(), title, ha="center", va="center", fontsize="large")
        yield figure, grid


def verdict_words(score: DiffDiffScore) -> list[tuple[str, str]]:
    """Say what a score rests on, number by number.

    Returns
    -------
    list of (str, str)
        What, and how much, in the order in which to read them.
    """
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
    top = axes.text(0, 0.99, text, va="top", fontsize="medium", color=INK, transform=axes.transAxes, linespacing=1.3)
    rows = verdict_words(score)
    for column, (left, colour) in enumerate(((0, "#666666"), (_SECOND_COLUMN, INK))):
        axes.annotate(
            "\n".join(row[column] for row in rows), (0, 0), (left, -8), xycoords=top, textcoords="offset points",
            va="top", fontsize="small", color=colour, linespacing=1.6,
        )  # fmt: skip
    illumination = score.info.get("illumination")
    small = f"illumination corrected: {illumination}. " if illumination else ""
    axes.text(
        0, 0, textwrap.fill(f"{small}napari-iqmaps {__version__}", _SMALL_PRINT), va="bottom", fontsize="x-small",
        color="#666666", transform=axes.transAxes,
    )  # fmt: skip


def _between(interval: tuple[float, float]) -> str:
    low, high = interval
    return f" (90 %: {low:.2f} to {high:.2f})" if math.isfinite(low) and math.isfinite(high) else ""


def _median(shown: Shown) -> int:
    return int(shown.score.info.get("median", 0))


def _number(value: float) -> str:
    return f"{value:.2f}" if math.isfinite(value) else "unknown"


@contextmanager
def _figure(width: float, height: float) -> Iterator[Any]:
    """Give an empty figure, sizes in inches; without a display and without the user's settings."""
    import matplotlib.style
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    with matplotlib.style.context(_STYLE, after_reset=True):
        figure = Figure(figsize=(width, height))
        FigureCanvasAgg(figure)
        yield figure


def _axes(figure: Any, left: float, top: float, width: float, height: float) -> Any:
    """Add axes by inches from the figure's top left corner."""
    wide, high = figure.get_size_inches()
    return figure.add_axes((left / wide, 1 - (top + height) / high, width / wide, height / high))


def _picture_height(shape: Sequence[int]) -> float:
    return _PANEL * min(max(shape[0] / shape[1], 0.3), 1.6)


def _save(figure: Any, path: str | Path, record: Mapping[str, Any]) -> None:
    text = {
        KEY: json.dumps(plain({**record, "version": __version__})),
        "Software": f"napari-iqmaps {__version__}",
    }
    with written_whole(path) as part:
        # Half the time of the usual compression for a quarter more bytes.
        figure.savefig(part, format="png", dpi=_DPI, metadata=text, pil_kwargs={"compress_level": 3})
