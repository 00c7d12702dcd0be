"""``iqmaps visibility``: where the difference between an image and its reference is seen."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import Any

import click
import numpy as np

from ..core import visibility as subject
from ..core.errors import InputError
from ..core.io.reading import ImageFile
from ..core.maps import QualityMap
from .batch import Job, Progress, run
from .inputs import output_names, reference_for
from .options import distance_options, image_options, light_options, model_options, observer_option, output_options
from .report import Report
from .subjects import Options, found_inputs, plan_of, read, with_notes


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
    paths = found_inputs(tests, report)
    names = output_names(paths)
    jobs = [
        Job(path, name, {"reference": _reference(path, reference)}) for path, name in zip(paths, names, strict=True)
    ]
    # A batch often has one reference: it is decoded once.
    read_reference = lru_cache(maxsize=1)(lambda path: read(path, chosen.channel_axis))

    def compute(job: Job, progress: Progress) -> QualityMap:
        test, other = read(job.path, chosen.channel_axis), read_reference(job.others["reference"])
        first, second, channel_axis = _alike(test, other, forced=chosen.channel_axis != "auto")
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


def _reference(test: Path, reference: Path) -> Path | InputError:
    try:
        return reference_for(test, reference)
    except InputError as error:
        return error


def _alike(test: ImageFile, reference: ImageFile, *, forced: bool) -> tuple[Any, Any, int | None]:
    """Give both arrays the same axes: a grey picture may be stored as grey in one file and as colours in the other."""
    if forced or (test.channel_axis is None and reference.channel_axis is None):
        return test.array, reference.array, test.channel_axis
    return _colours_last(test), _colours_last(reference), -1


def _colours_last(file: ImageFile) -> Any:
    if file.channel_axis is None:
        return file.array[..., np.newaxis]
    return np.moveaxis(file.array, file.channel_axis, -1)
