"""``iqmaps errors``: where the errors of an image are, how far that can be trusted, and how much the eye minds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from typing import Any

import click

from ..core import blind
from ..core.io.map_file import record_of, row_of_record
from ..core.maps import QualityMap
from ..core.progress import Progress
from ..core.quality_score import quality_row
from .engine import Answer, maps_plan, run
from .inputs import Options, alike, found_inputs, with_notes
from .jobs import Job, jobs_of
from .options import NETWORK, PIXELS, core_options, output_options, words_of
from .report import Column, Report, layout_of_scores, shown_outputs

_KIND = "quality"  # of the score, and where a map's info keeps its row


def _kinds(_ctx: click.Context, _param: click.Parameter, value: str | None) -> tuple[blind.BlindKind, ...] | None:
    if value is None:
        return None
    names = words_of((value,))
    for name in names:
        if name not in blind.MAPS:
            raise click.BadParameter(f"{name!r} is none of {', '.join(blind.MAPS)}.")
    return tuple(kind for kind in blind.MAPS if kind in names)


@click.command()
@click.argument("images", nargs=-1, required=True, metavar="IMAGES...")
@click.option(
    "--reference",
    type=click.Path(exists=True, path_type=Path),
    metavar="FILE|FOLDER",
    help="Map the real error as well, against one image for all, or a folder with images of the same names.",
)
@click.option(
    "--maps",
    "kinds",
    metavar="KIND,KIND...",
    callback=_kinds,
    help=f"Make only these maps, of {', '.join(blind.MAPS)}.  [all that there are]",
)
@core_options(blind.assess, *PIXELS, *NETWORK, model={"sentences": 2})
@output_options
@click.pass_context
def errors(
    ctx: click.Context,
    /,
    images: tuple[str, ...],
    reference: Path | None,
    kinds: tuple[blind.BlindKind, ...] | None,
    as_json: bool,
    **options: Any,
) -> None:
    """Map errors, reliability and sensitivity, without a reference.

    IMAGES are files, patterns ('scans/*.tif', quoted or not) and folders. All maps of an image come from one look at
    it, as NAME_KIND.tif in --out: the predicted error, how far that can be trusted, how much the eye cares, and what
    follows: the perceptual error. The score goes from 0, best, to 100, worst.
    """
    chosen = Options(**options)
    report = Report("errors", as_json=as_json)
    wanted = _wanted(kinds, chosen.model, has_reference=reference is not None)
    # A batch often has one reference: it is decoded once.
    read_reference = lru_cache(maxsize=1)(chosen.read)

    def compute(job: Job, progress: Progress) -> Answer:
        files = [chosen.read(job.path)]
        image, other, channel_axis = files[0].array, None, files[0].channel_axis
        if "reference" in job.others:
            files.append(read_reference(job.others["reference"]))
            image, other, channel_axis = alike(*files, forced=chosen.channel_axis != "auto")
        found = blind.assess(
            image,
            reference=other,
            maps=wanted,
            channel_axis=channel_axis,
            data_range=chosen.for_codes(*files),
            progress=progress,
            **chosen.for_model(),
        )
        score = quality_row(with_notes(found.score, *files))
        # Each map carries the score, so that the row can be given again from any of them.
        maps = tuple(with_notes(_with_score(found.maps[kind], score), *files) for kind in wanted)
        return Answer(maps, _row([record_of(quality_map) for quality_map in maps]))

    plan = maps_plan(
        _KIND,
        chosen,
        compute,
        request=chosen.request(),
        layout=layout_of_scores(Column("written to", shown_outputs, is_optional=True)),
        columns=blind.COLUMNS,
        maps=wanted,
        kept_row=_row,
    )
    ctx.exit(run(plan, jobs_of(found_inputs(images, report), reference), report).status)


def _wanted(
    kinds: tuple[blind.BlindKind, ...] | None, model: Any, *, has_reference: bool
) -> tuple[blind.BlindKind, ...]:
    """Check which maps are asked for before any image is read."""
    there = blind.maps_of(model, has_reference=has_reference)
    if kinds is None:
        return there
    for kind in kinds:
        if kind == "objective_error" and not has_reference:
            raise click.UsageError("The objective error needs --reference.")
        if kind not in there:
            raise click.UsageError(f"{model} gives {', '.join(there)}, and no {kind}. Use --model deepbqa.")
    if has_reference and "objective_error" not in kinds:
        raise click.UsageError("--reference is for the objective_error, which --maps leaves out. Drop one of the two.")
    return kinds


def _with_score(quality_map: QualityMap, score: Mapping[str, Any]) -> QualityMap:
    return replace(quality_map, info={**quality_map.info, _KIND: dict(score)})


def _row(records: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Give the score that all maps of an image carry, and the mean of each."""
    means = {f"mean_{record['kind']}": row_of_record(record)["score"] for record in records}
    return {**records[0]["info"][_KIND], **means}
