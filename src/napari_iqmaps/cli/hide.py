"""``iqmaps hide``: put a mark into images where the eye does not find it."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import click
import numpy as np

from ..core import hiding
from ..core.errors import InputError
from ..core.hiding import HiddenMark
from ..core.io.image_file import ImageFile
from ..core.io.reading import read_image
from ..core.maps import QualityMap
from ..core.marks import PLACEMENTS, text_mark
from ..core.observers import LEAST_PIXELS_PER_DEGREE, MOST_PIXELS_PER_DEGREE
from .batch import run
from .inputs import output_names
from .options import default_of, image_options, model_options, observer_option, output_options
from .plans import Job, Progress
from .report import Report
from .subjects import Options, found_inputs, plan_of, read, with_notes

_LOOKING = ("observer", "pixels_per_degree", "window")
_IMAGE = "hidden"  # ends the name of a marked image


def _placement(_ctx: click.Context, _param: click.Parameter, value: str) -> Any:
    if value in PLACEMENTS:
        return value
    row, _, column = value.partition(",")
    try:
        return int(row), int(column)
    except ValueError:
        raise click.BadParameter(
            f"{value!r} is none of {', '.join(PLACEMENTS)}, nor two whole numbers as in 10,-20."
        ) from None


@click.command(context_settings={"default_map": {"formats": "both"}})
@click.argument("images", nargs=-1, required=True, metavar="IMAGES...")
@click.option(
    "--mark", "mark_file", type=click.Path(exists=True, dir_okay=False, path_type=Path), metavar="FILE",
    help="A picture: white is the mark, black and transparent are none.",
)  # fmt: skip
@click.option("--text", metavar="TEXT", help="Write this instead.")
@click.option("--text-height", type=click.IntRange(min=4), metavar="PIXELS",
              help="Height of a capital letter.  [a tenth of the image's]")  # fmt: skip
@click.option(
    "--strength",
    type=click.FloatRange(0, hiding.STRONGEST, min_open=True),
    default=default_of(hiding.hide, "strength"),
    show_default=True,
    help="How much of it may be seen: 1 allows 63 % probability, .69 50 %, .1 10 %.",
)
@click.option(
    "--mode",
    type=click.Choice(list(hiding.MODES)),
    default=default_of(hiding.hide, "mode"),
    show_default=True,
    help="Multiply the mark by threshold times strength, or limit it to that.",
)
@click.option("--amplitude", type=float, metavar="CODES",
              help="With clamp: code values of a full mark. Without it the mark's own values are added.")  # fmt: skip
@click.option("--mark-range", type=float, nargs=2, default=None, metavar="NONE FULL",
              help="Values of the mark's file; '255 0' for dark letters on white paper.")  # fmt: skip
@click.option("--placement", callback=_placement, default=default_of(hiding.hide, "placement"), show_default=True,
              metavar="|".join(PLACEMENTS) + "|ROW,COLUMN", help="Where the mark goes.")  # fmt: skip
@click.option(
    "--rounding",
    type=click.Choice(list(hiding.ROUNDINGS)),
    default=default_of(hiding.hide, "rounding"),
    show_default=True,
    help="How the mark becomes whole numbers.",
)
@observer_option
@click.option(
    "--pixels-per-degree",
    type=click.FloatRange(LEAST_PIXELS_PER_DEGREE, MOST_PIXELS_PER_DEGREE),
    metavar="NUMBER",
    default=default_of(hiding.hide, "pixels_per_degree"),
    show_default=True,
    help="Of visual angle: viewing distance / size of a pixel x 0.01745.",
)
@click.option("--window", type=click.IntRange(min=1), metavar="PIXELS",
              help="Side, odd, of the square over which differences are pooled.  [33 at 35 per degree]")  # fmt: skip
@image_options
@model_options
@output_options
@click.pass_context
def hide(
    ctx: click.Context,
    /,
    images: tuple[str, ...],
    mark_file: Path | None,
    text: str | None,
    text_height: int | None,
    as_json: bool,
    **options: Any,
) -> None:
    """Hide a mark in images so that its visibility stays under a level at every pixel.

    IMAGES are files, patterns ('scans/*.tif', quoted or not) and folders. For each, --out gets NAME_hidden, the marked
    image in a format without loss; NAME_mark, what was really added; and NAME_visibility, where it is seen.
    """
    own = {
        name: options.pop(name)
        for name in ("strength", "mode", "amplitude", "mark_range", "placement", "rounding", *_LOOKING)
    }
    chosen = Options(**options)
    _check_words(chosen, mark_file, text, text_height, own["window"])
    report = Report("hide", as_json=as_json)
    paths = found_inputs(images, report, further=(_IMAGE,))
    others = {} if mark_file is None else {"mark": mark_file}
    jobs = [Job(path, name, others) for path, name in zip(paths, output_names(paths), strict=True)]
    _refuse_overwriting(jobs, chosen.out, others.values())
    mark: Any = text if mark_file is None else _read_mark(mark_file)
    if text_height is not None:
        mark = text_mark(mark, height=text_height)

    def compute(job: Job, progress: Progress) -> QualityMap:
        file = read(job.path, chosen.channel_axis)
        if file.luminance == "absolute":
            raise InputError(f"{job.path} holds linear light; a mark is hidden in display codes. Tone-map it first.")
        hidden = hiding.hide(
            mark,
            file.array,
            data_range=chosen.data_range or file.data_range,
            channel_axis=file.channel_axis,
            progress=progress,
            **own,
            **chosen.for_model(),
        )
        if not as_json:
            report.say(f"{job.path}: {hidden.sentence()}")
        return _written(hidden, file, job, chosen)

    ctx.exit(
        run(
            plan_of("visibility", chosen, compute, columns=hiding.COLUMNS, text=text, text_height=text_height, **own),
            jobs,
            report,
        )
    )


def _check_words(
    chosen: Options, mark_file: Path | None, text: str | None, text_height: int | None, window: int | None
) -> None:
    if (mark_file is None) == (text is None):
        raise click.UsageError("Give the mark: either --mark FILE or --text TEXT.")
    if text_height is not None and text is None:
        raise click.UsageError("--text-height belongs to --text.")
    if chosen.out is None:
        raise click.UsageError("Say where to write the marked images: --out FOLDER.")
    if window is not None and window % 2 == 0:
        raise click.BadParameter(f"{window} is even; an odd number of pixels has a centre.", param_hint="--window")


def _refuse_overwriting(jobs: Sequence[Job], out: Path | None, others: Any) -> None:
    """See to it that no file that is read is written: a_hidden.png may be an input, and of a.png the output."""
    assert out is not None
    inputs = {os.path.realpath(path) for path in (*(job.path for job in jobs), *others)}
    for job in jobs:
        for part in (_IMAGE, "mark", "visibility"):
            for suffix in (".png", ".tif"):
                path = out / f"{job.name}_{part}{suffix}"
                if os.path.realpath(path) in inputs:
                    raise click.UsageError(f"{path} is an input and would be overwritten. Choose another --out.")


def _read_mark(path: Path) -> Any:
    file = read_image(path)
    return file.array if file.channel_axis is None else np.moveaxis(file.array, file.channel_axis, -1)


def _written(hidden: HiddenMark, file: ImageFile, job: Job, chosen: Options) -> QualityMap:
    """Write what stands beside the visibility map, and name it in the map's info: the map is written last."""
    from ..core.io import write_map
    from ..core.io.image_file import lossless_suffix, write_picture

    assert chosen.out is not None
    suffix, reason = lossless_suffix(file)
    pictures = [chosen.out / f"{job.name}_{_IMAGE}{suffix}"]
    write_picture(hidden.image, pictures[0], file, hidden.info)
    drawn = hidden.mark_map()
    pictures += [
        write_map(drawn, chosen.out / f"{job.name}_mark{ending}")
        for ending in ((".tif", ".png") if chosen.formats == "both" else (f".{chosen.formats}",))
    ]
    quality_map = with_notes(hidden.visibility, file)
    notes = [*quality_map.info.get("notes", ()), *filter(None, (reason, hidden.info.get("remark")))]
    info = {**quality_map.info, "beside": [path.name for path in pictures], **({"notes": notes} if notes else {})}
    return replace(quality_map, info=info)
