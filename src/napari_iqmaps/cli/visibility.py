"""``iqmaps visibility``: where the difference between an image and its reference is seen."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import Any

import click
import numpy as np

from ..core import visibility as subject
from ..core.errors import InputError
from ..core.images import DataRange
from ..core.io.reading import ImageFile
from ..core.maps import QualityMap
from .batch import Job, Progress, run
from .inputs import output_names, reference_for
from .options import default_of, image_options, model_options, output_options
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
@click.option(
    "--window",
    type=click.IntRange(min=1),
    default=default_of(subject.visibility_map, "window"),
    show_default=True,
    metavar="PIXELS",
    help="Side, odd, of the square over which the difference is averaged.",
)
@image_options
@model_options
@output_options
@click.pass_context
def visibility(
    ctx: click.Context, /, tests: tuple[str, ...], reference: Path, window: int, as_json: bool, **options: Any
) -> None:
    """Map how likely the difference to a reference is seen.

    TEST are files, patterns ('scans/*.tif', quoted or not) and folders. The score says how much the
    difference impairs the image: 0 for equal images, at most 1; higher is worse.
    """
    if window % 2 == 0:
        raise click.BadParameter(f"{window} is even; an odd number of pixels has a centre.", param_hint="--window")
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
            data_range=chosen.data_range or _common_range(test, other),
            channel_axis=channel_axis,
            window=window,
            progress=progress,
            **chosen.for_model(),
        )
        return with_notes(quality_map, test, other)

    ctx.exit(run(plan_of("visibility", chosen, compute, window=window), jobs, report))


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


def _common_range(test: ImageFile, reference: ImageFile) -> DataRange:
    if test.data_range != reference.data_range:
        raise InputError(
            f"{test.path.name} and {reference.path.name} state different values of white. "
            "Say data_range=(black, white)."
        )
    return test.data_range
