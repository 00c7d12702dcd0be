"""What ``iqmaps errors`` and ``iqmaps quality`` do alike: a blind network looks at files, and a score says how bad."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from typing import Any

import click
import numpy as np

from ..core import blind, models
from ..core.errors import InputError
from ..core.io.image_file import ImageFile
from ..core.quality_score import QualityScore
from .layouts import FILE, Column, Layout, Row
from .options import Command, default_of, device_option
from .plans import Answer, Job, Plan, Progress, request_of
from .subjects import SUFFIXES, Options

KIND = "quality"
"""What the table calls the score."""


def blind_options(command: Command) -> Command:
    """Add the options that choose the network and how it is computed: model, weights, device, tile."""
    for decorate in (
        click.option("--tile", type=click.IntRange(min=1), metavar="PIXELS", help="Side of a tile; bounds the memory."),
        device_option,
        click.option("--weights", metavar="NAME|PATH", help="Instead of the model's own; see 'iqmaps weights'."),
        click.option(
            "--model",
            type=click.Choice(list(blind.MODELS)),
            default=default_of(blind.assess, "model"),
            show_default=True,
            help="The network with a sensitivity map, or the one that scores features.",
        ),
    ):
        command = decorate(command)
    return command


def data_range_of(options: Options, *files: ImageFile) -> tuple[float, float] | None:
    """Say which values are black and white in files that are looked at together.

    Returns
    -------
    (float, float) or None
        None where the type of the values says it.
    """
    for file in files:
        if file.luminance == "absolute":
            raise InputError(
                f"{file.path} holds linear light; the networks have learnt display codes. Tone-map it first."
            )
    data_range: tuple[float, float] | None = options.for_light(*files)["data_range"]
    return data_range


def blind_plan(
    options: Options, compute: Callable[[Job, Progress], Answer], *, layout: Layout, kind: str = KIND, **further: Any
) -> Plan:
    """Plan a batch of scores, with maps or without.

    Parameters
    ----------
    compute : callable
        From a job and a progress callback to the maps and the row.
    **further
        More fields of `Plan`: the kinds of maps, and how a row is found in them.
    """
    request = request_of(
        model=options.model,
        weights_sha256=options.weights_sha256(),
        data_range=options.data_range,
        channel_axis=options.channel_axis,
    )
    return Plan(
        kind=kind,
        request=request,
        compute=compute,
        prepare=lambda: models.resolve(options.device),
        out=options.out,
        suffixes=SUFFIXES[options.formats],
        table=options.table,
        resume=options.resume,
        layout=layout,
        columns=blind.COLUMNS,
        **further,
    )


def layout_of_scores(
    *more: Column, title: str = "Quality from 0, best, to 100, worst", places: int = 1, **scale: Any
) -> Layout:
    """Lay out rows of scores, with their uncertainty and whether there is evidence enough for them.

    Parameters
    ----------
    **scale
        What `QualityScore.of` has to be told of the scale, if it is not that of `title`'s default.
    """
    columns = (
        FILE,
        Column("score", lambda row: points(row["score"], places), is_number=True),
        Column("give or take", lambda row: _give_or_take(row, places), is_number=True),
        *more,
        Column("evidence", evidence_words),
        Column("remark", lambda row: row.get("error") or "; ".join(row.get("notes", ())), is_optional=True),
    )
    return Layout(title, columns, lambda row: _sentence(row, scale))


def shown_outputs(row: Row) -> str:
    """Name the maps of a row by one pattern."""
    paths = row.get("outputs", ())
    if len(paths) < 2:
        return "".join(paths)
    endings = {os.path.splitext(path)[1] for path in paths}  # noqa: PTH122 - a text, not a path to use
    return f"{os.path.commonprefix(paths)}*{endings.pop() if len(endings) == 1 else ''}"  # noqa: RUF071 - of texts, too


def points(number: float | None, places: int) -> str:
    """Write a score, and the lack of one as a word."""
    return "none" if number is None else f"{number:.{places}f}"


def _give_or_take(row: Row, places: int) -> str:
    if row["score"] is None:
        return ""
    return "unknown" if row["uncertainty"] is None else points(row["uncertainty"], places)


def evidence_words(row: Row) -> str:
    """Say whether the evidence of a row is enough."""
    if row.get("error"):
        return ""
    reason = row.get("not_enough_evidence")
    return f"not enough: {reason}" if reason else "enough"


def _sentence(row: Row, scale: Mapping[str, Any]) -> str:
    """Say a row in the words of the score itself."""
    if row.get("error"):
        return ""
    planes = np.asarray(row.get("planes", row["score"]), dtype=float)  # None becomes NaN
    spread = np.asarray(row.get("planes_uncertainty", row["uncertainty"]), dtype=float)
    # The reason of the row is already that of all planes.
    reasons = [row["not_enough_evidence"]] * planes.size
    return QualityScore.of(planes, uncertainty=spread, reasons=reasons, **scale).sentence()
