"""``iqmaps quality``: how good images are, without a reference."""

from __future__ import annotations

from typing import Any

import click

from ..core import blind
from ..core.progress import Progress
from ..core.quality_score import quality_row
from .engine import Answer, maps_plan, run
from .inputs import Options, found_inputs, with_notes
from .jobs import Job, jobs_of
from .options import NETWORK, PIXELS, core_options, table_options
from .report import Report, layout_of_scores


@click.command()
@click.argument("images", nargs=-1, required=True, metavar="IMAGES...")
@core_options(blind.assess, *PIXELS, *NETWORK, model={"sentences": 2})
@table_options
@click.pass_context
def quality(ctx: click.Context, /, images: tuple[str, ...], as_json: bool, **options: Any) -> None:
    """Score how good images are, without a reference.

    IMAGES are files, patterns ('scans/*.tif', quoted or not) and folders. The score goes from 0, best, to 100, worst,
    with its standard deviation, and it says where there is not enough evidence for it. 'iqmaps errors' maps where the
    errors are. With --csv, rows are kept as they are made, and the same command goes on where it was stopped.
    """
    chosen = Options(**options)
    report = Report("quality", as_json=as_json)

    def compute(job: Job, progress: Progress) -> Answer:
        file = chosen.read(job.path)
        score = blind.quality(
            file.array,
            channel_axis=file.channel_axis,
            data_range=chosen.for_codes(file),
            progress=progress,
            **chosen.for_model(),
        )
        return Answer((), quality_row(with_notes(score, file)))

    plan = maps_plan(
        "quality", chosen, compute, request=chosen.request(), layout=layout_of_scores(), columns=blind.COLUMNS, maps=()
    )
    ctx.exit(run(plan, jobs_of(found_inputs(images, report)), report).status)
