"""``iqmaps visibility``: where the difference between an image and its reference is seen."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import Any

import click

from ..core import visibility as subject
from ..core.maps import QualityMap
from .batch import run
from .options import distance_options, image_options, light_options, model_options, observer_option, output_options
from .plans import Job, Progress
from .report import Report
from .subjects import Options, alike, found_inputs, jobs_of, plan_of, read, with_notes


@click.command()
@click.argument("tests", nargs=-1, required=True, metavar="TEST...")
@click.option(
    "--reference",
    required=True,
    type=click.Path(exists=True, path_type=Path),
    metavar="FILE|FOLDER",
    help="The image to compare with: one for all, or a folder with images of the same names.",
)
@observer_option
@distance_options
@image_options
@light_options
@model_options
@output_options
@click.pass_context
def visibility(ctx: click.Context, /, tests: tuple[str, ...], reference: Path, as_json: bool, **options: Any) -> None:
    """Map how likely the difference to a reference is seen.

    TEST are files, patterns ('scans/*.tif', quoted or not) and folders. The score says how much the
    difference impairs the image: 0 for equal images, at most 1; higher is worse.
    """
    viewing = {name: options.pop(name) for name in ("observer", "pixels_per_degree", "window")}
    chosen = Options(**options)
    report = Report("visibility", as_json=as_json)
    jobs = jobs_of(found_inputs(tests, report), reference)
    # A batch often has one reference: it is decoded once.
    read_reference = lru_cache(maxsize=1)(lambda path: read(path, chosen.channel_axis))

    def compute(job: Job, progress: Progress) -> QualityMap:
        test, other = read(job.path, chosen.channel_axis), read_reference(job.others["reference"])
        first, second, channel_axis = alike(test, other, forced=chosen.channel_axis != "auto")
        quality_map = subject.visibility_map(
            first,
            second,
            channel_axis=channel_axis,
            progress=progress,
            **viewing,
            **chosen.for_light(test, other),
            **chosen.for_model(),
        )
        return with_notes(quality_map, test, other)

    ctx.exit(run(plan_of("visibility", chosen, compute, **viewing), jobs, report))
