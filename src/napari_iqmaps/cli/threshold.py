"""``iqmaps threshold``: where a distortion would stay invisible."""

from __future__ import annotations

from typing import Any

import click

from ..core import visibility as subject
from ..core.progress import Progress
from .engine import Answer, maps_plan, run
from .inputs import Options, found_inputs, with_notes
from .jobs import Job, jobs_of
from .options import LIGHT, PIXELS, THRESHOLDS, core_options, output_options
from .report import Report


@click.command()
@click.argument("images", nargs=-1, required=True, metavar="IMAGES...")
@core_options(subject.threshold_map, "observer", *PIXELS, *LIGHT, *THRESHOLDS)
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

    def compute(job: Job, progress: Progress) -> Answer:
        file = chosen.read(job.path)
        quality_map = subject.threshold_map(
            file.array,
            channel_axis=file.channel_axis,
            observer=observer,
            progress=progress,
            **chosen.for_light(file),
            **chosen.for_model(),
        )
        return Answer.of(with_notes(quality_map, file))

    plan = maps_plan("threshold", chosen, compute, request=chosen.request(observer=observer))
    ctx.exit(run(plan, jobs, report).status)
