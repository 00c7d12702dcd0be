"""``iqmaps quality``: how good images are, without a reference."""

from __future__ import annotations

from typing import Any

import click

from ..core import blind
from ..core.quality_score import quality_row
from .assessing import blind_options, blind_plan, data_range_of, layout_of_scores
from .batch import run
from .options import image_options, table_options
from .plans import Answer, Job, Progress
from .report import Report
from .subjects import Options, found_inputs, jobs_of, read, with_notes


@click.command()
@click.argument("images", nargs=-1, required=True, metavar="IMAGES...")
@image_options
@blind_options
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
        file = read(job.path, chosen.channel_axis)
        score = blind.quality(
            file.array,
            channel_axis=file.channel_axis,
            data_range=data_range_of(chosen, file),
            progress=progress,
            **chosen.for_model(),
        )
        return Answer((), quality_row(with_notes(score, file)))

    plan = blind_plan(chosen, compute, layout=layout_of_scores(), maps=())
    ctx.exit(run(plan, jobs_of(found_inputs(images, report)), report))
