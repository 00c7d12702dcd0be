"""``iqmaps hide``: put a mark into images where the eye does not find it."""

from __future__ import annotations

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
from ..core.names import escaped
from ..core.progress import Progress
from ..core.visibility import ThresholdOptions, visibility_map
from .engine import SUFFIXES, Answer, maps_plan, run
from .inputs import Options, found_inputs, output_names, with_notes
from .jobs import Job
from .options import PIXELS, THRESHOLDS, core_options, output_options
from .report import Report

_LOOKING = ("observer", "pixels_per_degree", "window")
_OWN = ("strength", "mode", "amplitude", "mark_range", "placement", "rounding")
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
    "--mark",
    "mark_file",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    metavar="FILE",
    help="Hide this picture: white is the mark, black and transparent are none.",
)
@click.option("--text", metavar="TEXT", help="Hide this text instead.")
@click.option(
    "--text-height",
    type=click.IntRange(min=4),
    metavar="PIXELS",
    help="Height of a capital letter.  [a tenth of the image's]",
)
@core_options(
    hiding.hide,
    *_OWN,
    strength={
        "type": click.FloatRange(0, hiding.STRONGEST, min_open=True),
        "help": "How much of it may be seen: 1 allows 63 % probability, .69 50 %, .1 10 %.",
    },
    amplitude={
        "type": float,
        "metavar": "CODES",
        "help": "With clamp: code values of a full mark. Without it the mark's own values are added.",
    },
    mark_range={
        "type": float,
        "nargs": 2,
        "metavar": "NONE FULL",
        "help": "Values of the mark's file; '255 0' for dark letters on white paper.",
    },
    placement={
        "type": str,
        "callback": _placement,
        "metavar": "|".join(PLACEMENTS) + "|ROW,COLUMN",
        "help": "Where the mark goes.",
    },
)
@core_options(visibility_map, *_LOOKING, *PIXELS, *THRESHOLDS)
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
    own = {name: options.pop(name) for name in _OWN}
    looking = {name: options.pop(name) for name in _LOOKING}
    chosen = Options(**options)
    _check_words(chosen, mark_file, text, text_height)
    report = Report("hide", as_json=as_json)
    paths = found_inputs(images, report, further=(_IMAGE,))
    others = {} if mark_file is None else {"mark": mark_file}
    jobs = [Job(path, name, others) for path, name in zip(paths, output_names(paths), strict=True)]
    mark: Any = text if mark_file is None else _read_mark(mark_file, chosen)
    model: Any = {"model": chosen.model, "weights": chosen.weights, "stride": chosen.stride}
    thresholds = ThresholdOptions(**looking, **model)
    if text_height is not None:
        mark = text_mark(mark, height=text_height)

    def compute(job: Job, progress: Progress) -> Answer:
        file = chosen.read(job.path)
        if file.luminance == "absolute":
            raise InputError(f"{job.path} holds linear light; a mark is hidden in display codes. Tone-map it first.")
        hidden = hiding.hide(
            mark,
            file.array,
            data_range=chosen.data_range or file.data_range,
            channel_axis=file.channel_axis,
            thresholds=thresholds,
            device=chosen.device,
            tile=chosen.tile,
            progress=progress,
            **own,
        )
        if not as_json:
            report.say(f"{job.path}: {hidden.sentence()}")
        return Answer.of(_written(hidden, file, job, chosen), hiding.COLUMNS)

    request = chosen.request(text=text, text_height=text_height, **own, **looking)
    plan = maps_plan(
        "visibility",
        chosen,
        compute,
        request=request,
        columns=hiding.COLUMNS,
        beside=lambda job: _beside(chosen, job, (".png", ".tif")),
    )
    ctx.exit(run(plan, jobs, report).status)


def _check_words(chosen: Options, mark_file: Path | None, text: str | None, text_height: int | None) -> None:
    if (mark_file is None) == (text is None):
        raise click.UsageError("Give the mark: either --mark FILE or --text TEXT.")
    if text_height is not None and text is None:
        raise click.UsageError("--text-height belongs to --text.")
    if chosen.out is None:
        raise click.UsageError("Say where to write the marked images: --out FOLDER.")


def _beside(chosen: Options, job: Job, suffixes: Sequence[str]) -> list[Path]:
    """Name the marked image, which may have any of some suffixes, and the files of the mark."""
    assert chosen.out is not None
    images = [job.output(chosen.out, f"_{_IMAGE}{suffix}") for suffix in suffixes]
    return images + [job.output(chosen.out, f"_mark{suffix}") for suffix in SUFFIXES[chosen.formats]]


def _read_mark(path: Path, chosen: Options) -> Any:
    file = read_image(path, most_pixels=chosen.most_pixels)
    return file.array if file.channel_axis is None else np.moveaxis(file.array, file.channel_axis, -1)


def _written(hidden: HiddenMark, file: ImageFile, job: Job, chosen: Options) -> QualityMap:
    """Write what stands beside the visibility map, and name it in the map's info: the map is written last."""
    from ..core.io import write_map
    from ..core.io.image_file import lossless_suffix, write_picture

    suffix, reason = lossless_suffix(file)
    image, *marks = pictures = _beside(chosen, job, [suffix])
    write_picture(hidden.image, image, file, hidden.info)
    drawn = with_notes(hidden.mark_map(), file)
    for path in marks:
        write_map(drawn, path)
    quality_map = with_notes(hidden.visibility, file)
    notes = [*quality_map.info.get("notes", ()), *filter(None, (reason, hidden.info.get("remark")))]
    info = {
        **quality_map.info,
        "beside": [escaped(path.name) for path in pictures],
        **({"notes": notes} if notes else {}),
    }
    return replace(quality_map, info=info)
