"""Curves of score against severity as a picture."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from ..distortions import distortion
from ..machine_curve import MachineCurve
from .sheet import drawable, new_plot, write_figure

KIND = "machine_curve"
"""What ends the name of such a picture, and what its record says it is."""

_COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
"""Told apart by people of all kinds of colour vision: Okabe and Ito's without their yellow, 2008."""

_MARKERS = ("o", "s", "^", "D", "v", "P", "X")
_MOST_LINES = len(_COLOURS)
_MOST_BANDS = 3
_PANEL = (4.2, 3.2)  # inches
_ALONE = (6.4, 4.8)
_DPI = 120
_GREY = "0.6"


class NamedCurve(NamedTuple):
    """A curve and the image that it is of."""

    image: str
    curve: MachineCurve


class _Panel(NamedTuple):
    title: str
    lines: list[NamedCurve]  # each with its label in place of the image's name


def write_curves(curves: Sequence[NamedCurve], path: str | Path, kept: Sequence[Mapping[str, Any]] = ()) -> Path:
    """Draw score against severity, of curves that all have the same severities and `fails_below`, as PNG.

    Up to seven distortions of one image are lines of one panel. Otherwise there is a panel for each distortion, with a
    line for each image; of more than seven images the lines are grey, with their mean. A ring marks the severity at
    which a score falls below `fails_below`, a band one standard deviation of up to three scores. `kept`: rows of
    a table, of which the curves are made; the picture's record keeps them.
    """
    panels = _panels(curves)
    columns = math.ceil(math.sqrt(len(panels)))
    rows = math.ceil(len(panels) / columns)
    width, height = _ALONE if len(panels) == 1 else (_PANEL[0] * columns, _PANEL[1] * rows)
    with new_plot(width, height, dpi=_DPI, layout="constrained") as figure:
        for number, panel in enumerate(panels, 1):
            _draw(figure.add_subplot(rows, columns, number), panel)
        severities = curves[0].curve.severities
        figure.supxlabel("severity (0: as it is)" if severities[0] == 0 else "severity", fontsize="medium")
        figure.supylabel("machine-perceived quality", fontsize="medium")
        if len({image for image, _ in curves}) == 1 < len(panels):
            figure.suptitle(drawable(curves[0].image))
        record = _record(curves)
        return write_figure(figure, path, {**record, "info": {**record["info"], **({"rows": kept} if kept else {})}})


def _panels(curves: Sequence[NamedCurve]) -> list[_Panel]:
    """Sort the lines into panels by what they have in common, which is the panel's title."""
    images = list(dict.fromkeys(image for image, _ in curves))
    if len(images) == 1 and len(curves) <= _MOST_LINES:
        return [_Panel(images[0], [NamedCurve(distortion(curve.distortion).title, curve) for _, curve in curves])]
    lines: dict[str, list[NamedCurve]] = {}
    for image, curve in curves:
        lines.setdefault(distortion(curve.distortion).title, []).append(
            NamedCurve(image if len(images) > 1 else "", curve)
        )
    return [_Panel(title, panel) for title, panel in lines.items()]


def _draw(axes: Any, panel: _Panel) -> None:
    lines = panel.lines
    axes.axhline(lines[0].curve.fails_below, color=_GREY, linestyle="--", linewidth=1)
    if len(lines) > _MOST_LINES:
        for _, curve in lines:
            seen = np.isfinite(curve.scores)
            axes.plot(curve.severities[seen], curve.scores[seen], color=_GREY, linewidth=0.7)
        _draw_mean(axes, lines)
    else:
        for line, colour, marker in zip(lines, _COLOURS, _MARKERS, strict=False):
            _draw_line(axes, line, colour, marker, has_band=len(lines) <= _MOST_BANDS)
    severities = lines[0].curve.severities
    axes.set(
        title=drawable(panel.title),
        ylim=(0, 1),
        xticks=severities,
        xticklabels=[f"{severity:g}" for severity in severities],
    )
    axes.spines[["top", "right"]].set_visible(False)
    if axes.get_legend_handles_labels()[1]:
        axes.legend(fontsize="small", loc="best", framealpha=0.8)


def _draw_line(axes: Any, line: NamedCurve, colour: str, marker: str, *, has_band: bool) -> None:
    curve = line.curve
    seen = np.isfinite(curve.scores)  # a line goes on over a severity without a score, as `fails_at` does
    severities, scores = curve.severities[seen], curve.scores[seen]
    # What is 0 or 1 is drawn on the frame, and whole.
    axes.plot(severities, scores, color=colour, marker=marker, markersize=4, label=_label(line) or None, clip_on=False)
    spread = np.array([_uncertainty(row["uncertainty"]) for row in curve.rows()])[seen]
    if has_band and np.isfinite(spread).any():
        low, high = np.clip([scores - spread, scores + spread], 0, 1)
        axes.fill_between(severities, low, high, color=colour, alpha=0.15, linewidth=0)
    if math.isfinite(curve.fails_at):
        # Where the score is lower from the start, the ring is around the first one.
        height = min(curve.fails_below, float(np.interp(curve.fails_at, severities, scores)))
        ring = {"marker": "o", "markersize": 11, "markerfacecolor": "none", "markeredgewidth": 1.8}
        axes.plot(curve.fails_at, height, color=colour, clip_on=False, zorder=3, **ring)


def _draw_mean(axes: Any, lines: Sequence[NamedCurve]) -> None:
    scores = np.array([line.curve.scores for line in lines])
    seen = np.isfinite(scores)
    counts = seen.sum(axis=0)
    sums = scores.sum(axis=0, where=seen)
    means = np.divide(sums, counts, out=np.full(len(counts), np.nan), where=counts > 0)
    failing = sum(math.isfinite(line.curve.fails_at) for line in lines)
    label = f"mean of {len(lines)} images, {failing} of which fail"
    axes.plot(lines[0].curve.severities, means, marker="o", linewidth=2.2, label=label, clip_on=False)


def _label(line: NamedCurve) -> str:
    fails = f"fails at {line.curve.fails_at:.2g}" if math.isfinite(line.curve.fails_at) else ""
    # Of a name that begins with an underscore, matplotlib's legend is silent.
    name = drawable(line.image)
    image = f" {name}" if name.startswith("_") else name
    return f"{image} ({fails})" if image and fails else image or fails


def _uncertainty(value: float | None) -> float:
    return math.nan if value is None else value


def _record(curves: Sequence[NamedCurve]) -> dict[str, Any]:
    info = {"images": list(dict.fromkeys(image for image, _ in curves)), **curves[0].curve.info}
    return {"kind": KIND, "info": {**info, "distortion": list(dict.fromkeys(curve.distortion for _, curve in curves))}}
