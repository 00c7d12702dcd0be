"""``iqmaps visibility``: where the difference between an image and its reference is seen."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import Any

import click

from ..core import visibility as subject
from ..core.progress import Progress
from .engine import Answer, maps_plan, run
from .inputs import Options, alike, found_inputs, with_notes
from .jobs import Job, jobs_of
from .options import LIGHT, PIXELS, THRESHOLDS, core_options, output_options
from .report import Report

_LOOKING = ("observer", "pixels_per_degree", "window")


@click.command()
@click.argument("tests", nargs=-1, required=True, metavar="TEST...")
@click.option(
    "--reference",
    required=True,
    type=click.Path(exists=True, path_type=Path),
    metavar="FILE|FOLDER",
    help="The image to compare with: one for all, or a folder with images of the same names.",
)
@core_options(subject.visibility_map, *_LOOKING, *PIXELS, *LIGHT, *THRESHOLDS)
@output_options
@click.pass_context
def visibility(ctx: click.Context, /, tests: tuple[str, ...], reference: Path, as_json: bool, **options: Any) -> None:
    """Map how likely the difference to a reference is seen.

    TEST are files, patterns ('scans/*.tif', quoted or not) and folders. The score says how much the
    difference impairs the image: 0 for equal images, at most 1; higher is worse.
    """
    looking = {name: options.pop(name) for name in _LOOKING}
    chosen = Options(**options)
    report = Report("visibility", as_json=as_json)
    jobs = jobs_of(found_inputs(tests, report), reference)
    # A batch often has one reference: it is decoded once.
    read_reference = lru_cache(maxsize=1)(chosen.read)

    def compute(job: Job, progress: Progress) -> Answer:
        test, other = chosen.read(job.path), read_reference(job.others["reference"])
        first, second, channel_axis = alike(test, other, forced=chosen.channel_axis != "auto")
        quality_map = subject.visibility_map(
            first,
            second,
            channel_axis=channel_axis,
            progress=progress,
            **looking,
            **chosen.for_light(test, other),
            **chosen.for_model(),
        )
        return Answer.of(with_notes(quality_map, test, other))

    plan = maps_plan("visibility", chosen, compute, request=chosen.request(**looking))
    ctx.exit(run(plan, jobs, report).status)
