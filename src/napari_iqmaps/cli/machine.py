"""``iqmaps machine``: how well a recogniser does on images, where, and from which severity of a distortion it fails."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import click

from ..core import machine as core
from ..core.kinds import KINDS
from ..core.machine_curve import FAILS_BELOW, SEVERITIES
from ..core.maps import QualityMap
from ..core.quality_score import QualityScore, quality_row
from .assessing import blind_plan, data_range_of, layout_of_scores
from .bank import ALL, chosen_rows, names_callback, seed_option, severity_option
from .batch import run
from .curves import KIND as CURVE
from .curves import Wanted, draw_curves
from .layouts import OUTPUTS
from .options import device_option, image_options, output_options, picture_file
from .plans import Answer, Job, Progress
from .report import Report
from .subjects import Options, found_inputs, jobs_of, read, with_notes

_KIND = "machine_quality"
_SCORE = "quality"  # where a map's info keeps the row of its score


@click.command()
@click.argument("images", nargs=-1, required=True, metavar="IMAGES...")
@click.option(
    "--curve",
    "names",
    multiple=True,
    metavar="NAME,NAME...|all",
    callback=names_callback,
    help="Score against severity of these distortions ('iqmaps distort --list') instead of maps.",
)
@severity_option(0, SEVERITIES, "Of --curve: from 0, the image itself, to 5, very bad.")
@click.option(
    "--fails-below",
    type=click.FloatRange(0, 1, min_open=True, max_open=True),
    default=FAILS_BELOW,
    show_default=True,
    metavar="SCORE",
    help="Of --curve: the score below which the recogniser fails.",
)
@seed_option
@click.option(
    "--plot",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE.png",
    callback=picture_file,
    help="Of --curve: draw all curves in one picture. In --out, each image has its own.",
)
@image_options
@click.option("--weights", metavar="NAME|PATH", help="Of your own recogniser; see 'iqmaps train metrifier'.")
@device_option
@click.option("--tile", type=click.IntRange(min=1), metavar="PIXELS", help="Side of a tile; bounds the memory.")
@output_options
@click.pass_context
def machine(
    ctx: click.Context,
    /,
    images: tuple[str, ...],
    names: tuple[str, ...],
    severities: tuple[float, ...],
    fails_below: float,
    seed: int,
    plot: Path | None,
    as_json: bool,
    **options: Any,
) -> None:
    """Score and map how well a recogniser does on images.

    IMAGES are files, patterns ('scans/*.tif', quoted or not) and folders. The score goes from 0, the recogniser fails,
    to 1, it is right; --out gets the maps. With --curve, each image is distorted more and more, and the severity is
    given from which the recogniser fails. With --csv, rows are kept as they are made, and the same command goes on
    where it was stopped.
    """
    chosen = Options(model=core.NETWORK, **options)
    report = Report("machine", as_json=as_json)
    if not names:
        _check_words(ctx)
        ctx.exit(run(_plan(chosen), jobs_of(found_inputs(images, report, further=(CURVE,))), report))
    wanted = Wanted(
        rows=chosen_rows(names),
        leaves_out=names == (ALL,),
        severities=sorted(severities),
        seed=seed,
        fails_below=fails_below,
        plot=plot,
    )
    ctx.exit(draw_curves(wanted, chosen, jobs_of(found_inputs(images, report, further=(CURVE,))), report))


def _check_words(ctx: click.Context) -> None:
    given = click.core.ParameterSource.COMMANDLINE
    for name, option in (("severities", "--severity"), ("fails_below", "--fails-below"), ("seed", "--seed"),
                         ("plot", "--plot")):  # fmt: skip
        if ctx.get_parameter_source(name) == given:
            raise click.UsageError(f"{option} belongs to --curve.")


def _plan(chosen: Options) -> Any:
    def compute(job: Job, progress: Progress) -> Answer:
        file = read(job.path, chosen.channel_axis)
        known: dict[str, Any] = {
            "channel_axis": file.channel_axis, "data_range": data_range_of(chosen, file), "weights": chosen.weights,
            "device": chosen.device, "tile": chosen.tile, "progress": progress,
        }  # fmt: skip
        if chosen.out is None:
            return Answer((), _row(with_notes(core.machine_quality(file.array, **known), file)))
        found = core.machine_assess(file.array, **known)
        row = _row(with_notes(found.quality, file))
        quality_map = with_notes(found.map, file)
        return Answer((_with_score(quality_map, row),), row)

    layout = layout_of_scores(
        OUTPUTS,
        title="Machine-perceived quality from 0, a recogniser fails, to 1, it is right",
        places=2,
        lower_is_better=False,
        range=(0.0, 1.0),
    )
    return blind_plan(chosen, compute, kind=_KIND, layout=layout, maps=(_KIND,), kept_row=_kept_row)


def _row(score: QualityScore) -> dict[str, Any]:
    return {**quality_row(score), "kind": _KIND, "unit": KINDS[_KIND].unit}


def _with_score(quality_map: QualityMap, row: Mapping[str, Any]) -> QualityMap:
    return replace(quality_map, info={**quality_map.info, _SCORE: dict(row)})


def _kept_row(records: Sequence[Mapping[str, Any]]) -> Mapping[str, Any]:
    row: Mapping[str, Any] = records[0]["info"][_SCORE]
    return row
