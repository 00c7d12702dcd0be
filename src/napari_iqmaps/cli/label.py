"""``iqmaps label``: how well recognisers do on distorted pictures, as a table."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from ..core.distortions import distortions
from ..core.errors import InputError
from ..training import require_extra
from ..training.machine.variants import SEVERITIES, LabelRequest
from .data import Bars, Part, picture_options
from .streams import echo

_HELP = """Label distorted pictures with how well recognisers do on them.

    The table has a row for each distorted copy of each picture: its image, class, distortion, severity and seed; for
    each worker p_NAME, its probability of the true class, and c_NAME, how far its answer is that on the undistorted
    picture (1: the same); and over all workers the mean and spread of p, the mean of c (consistency), and top1, the
    share of workers that are right. a_CLASS is their mean probability of each class, which 'iqmaps train metrifier'
    learns besides. Take pictures that the workers were not trained on.

    \b
    A WORKER is one of
      FILE.safetensors             result of 'iqmaps train worker'
      FILE.pt, FILE.ts             TorchScript
      FILE.onnx                    where onnxruntime is installed
      FILE.py:FUNCTION@WEIGHTS     a function that makes a torch module, and
                                   its weights (safetensors or a state dict)
      torchvision:NAME[@WEIGHTS]   where installed, weights from your cache
      timm:NAME[@WEIGHTS]          the same
      FILE.toml                    describes one of these by the keys worker,
                                   name, classes, size, mean, std and gives
                                   ("logits" or "probabilities")

    A table that was stopped goes on when the same command is given again.
"""


def _severities(_ctx: click.Context, _param: click.Parameter, value: str) -> tuple[float, ...]:
    try:
        return tuple(dict.fromkeys(float(word) for word in value.split(",")))
    except ValueError:
        raise click.BadParameter(f"{value!r} are no numbers divided by commas, such as 1,2,3,4,5.") from None


@click.command(help=_HELP, context_settings={"show_default": True})
@picture_options
@click.option("--worker", "workers", multiple=True, required=True, metavar="[NAME=]WORKER",
              help="Whom to ask; may be given several times.")  # fmt: skip
@click.option("--distortion", "names", type=click.Choice(distortions()), multiple=True, metavar="NAME",
              help="Of the bank; may be given several times.  [all]")  # fmt: skip
@click.option("--leave-out", "left_out", type=click.Choice(distortions()), multiple=True, metavar="NAME",
              help="Do not use this one; may be given several times.")  # fmt: skip
@click.option("--variants", type=click.IntRange(min=0), default=LabelRequest.variants,
              help="Distorted copies of each picture, besides the undistorted one.")  # fmt: skip
@click.option("--grid", is_flag=True, help="Every distortion at every severity instead.")
@click.option("--severities", callback=_severities, default=",".join(f"{each:g}" for each in SEVERITIES),
              metavar="NUMBER,...", help="From which severities are drawn.")  # fmt: skip
@click.option("--seed", type=click.IntRange(min=0), default=LabelRequest.seed, help="Of draws and distortions.")
@click.option("--answers/--no-answers", default=LabelRequest.answers,
              help="Also a column for each class; without, the table of many classes is smaller.")  # fmt: skip
@click.option("--out", type=click.Path(path_type=Path, dir_okay=False), required=True, metavar="FILE.csv|FILE.parquet",
              help="The table.")  # fmt: skip
@click.option("--jobs", type=click.IntRange(min=1), default=1, help="Processes that distort.")
@click.option("--quiet", is_flag=True, help="No progress bar.")
@click.pass_context
def label(
    ctx: click.Context,
    data: Path,
    part: Part,
    size: int | None,
    workers: tuple[str, ...],
    names: tuple[str, ...],
    left_out: tuple[str, ...],
    variants: int,
    grid: bool,
    severities: tuple[float, ...],
    seed: int,
    answers: bool,
    out: Path,
    jobs: int,
    quiet: bool,
) -> None:
    """Label distorted pictures; the help is above."""
    require_extra()
    request = LabelRequest(names, left_out, variants, grid, severities, seed, answers)
    if not out.resolve().parent.is_dir():
        raise InputError(f"The folder {out.resolve().parent} for {out.name} does not exist. Create it first.")
    from ..training.hardware import keep_freed_memory
    from ..training.machine.labels import make_labels
    from ..training.machine.pictures import read_pictures
    from ..training.machine.sources import open_worker

    keep_freed_memory()
    asked = [open_worker(spec) for spec in workers]
    with Bars(hidden=quiet) as bars:
        pictures = read_pictures(
            data, part=part, size=size, progress=lambda done, total: bars.show("Reading", done, total)
        )
        table = make_labels(
            pictures, asked, request, out, jobs=jobs, progress=lambda done, total: bars.show("Labelling", done, total)
        )
    if pictures.skipped:
        echo(f"{len(pictures.skipped)} files could not be read, among them {pictures.skipped[0]}.", err=True)
    echo(f"{out}: {_sentence(table)}")
    ctx.exit(1 if pictures.skipped else 0)


def _sentence(table: Any) -> str:
    frame = table.frame
    undistorted = frame.loc[frame["distortion"] == "none", "top1"].mean()
    return (
        f"{len(frame)} rows of {frame['image'].nunique()} pictures. The workers recognise {undistorted:.1%} of the "
        f"undistorted ones, and {frame['top1'].mean():.1%} of all."
    )
