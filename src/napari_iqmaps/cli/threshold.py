"""``iqmaps threshold``: where a distortion would stay invisible."""

from __future__ import annotations

from typing import Any

import click

from ..core import visibility as subject
from ..core.maps import QualityMap
from .batch import run
from .options import image_options, light_options, model_options, observer_option, output_options
from .plans import Job, Progress
from .report import Report
from .subjects import Options, found_inputs, jobs_of, plan_of, read, with_notes


@click.command()
@click.argument("images", nargs=-1, required=True, metavar="IMAGES...")
@observer_option
@image_options
@light_options
@model_options
@output_options
@click.pass_context
def threshold(ctx: click.Context, /, images: tuple[str, ...], observer: Any, as_json: bool, **options: Any) -> None:
    """Map where a distortion would stay invisible.

    IMAGES are files, patterns ('scans/*.tif', quoted or not) and folders. Give clean images: noise adds texture and
    so raises its own threshold. The score is the mean threshold, in luminance code values (0..255).
    """
    chosen = Options(**options)
    report = Report("threshold", as_json=as_json)
    jobs = jobs_of(found_inputs(images, report))

    def compute(job: Job, progress: Progress) -> QualityMap:
        file = read(job.path, chosen.channel_axis)
        quality_map = subject.threshold_map(
            file.array,
            channel_axis=file.channel_axis,
            observer=observer,
            progress=progress,
            **chosen.for_light(file),
            **chosen.for_model(),
        )
        return with_notes(quality_map, file)

    ctx.exit(run(plan_of("threshold", chosen, compute, observer=observer), jobs, report))
