"""``iqmaps train worker``: train a small recogniser on labelled pictures."""

from __future__ import annotations

import shlex
from dataclasses import replace
from pathlib import Path
from typing import Any

import click

from ..core.errors import InputError
from ..training import require_extra
from ..training.machine.worker_config import WorkerConfig
from .data import Bars, Part, as_part, part_as_typed, picture_options
from .options import device_option
from .train import changed_options, recipe_options


@click.command(name="worker", context_settings={"show_default": True})
@picture_options
@click.option("--validate-part", callback=as_part, metavar="LOW:HIGH",
              help="Say in the end what share of these pictures is recognised; none of --part.")  # fmt: skip
@click.option("--out", type=click.Path(path_type=Path), required=True, metavar="FOLDER", help="The run's folder.")
@recipe_options(WorkerConfig.default())
@click.option("--resume/--no-resume", default=True, help="Continue the run in --out, or refuse to.")
@click.option("--checkpoint-every", type=click.IntRange(min=1), default=200, help="Steps between checkpoints.")
@click.option("--quiet", is_flag=True, help="No progress bar.")
@device_option
def worker(
    data: Path,
    part: Part,
    size: int | None,
    validate_part: Part | None,
    out: Path,
    resume: bool,
    checkpoint_every: int,
    quiet: bool,
    device: str,
    **recipe: Any,
) -> None:
    """Train a worker: a small recogniser, from labelled pictures.

    'iqmaps label' asks workers how well they do on distorted pictures, and 'iqmaps train metrifier' learns that from
    what they said. The result is FOLDER/worker.safetensors. Give workers of different --architecture the same --part,
    and label pictures of another.

    A run that was stopped goes on when the same command is given again.
    """
    require_extra()
    config = replace(WorkerConfig.default(), **recipe)
    if validate_part is not None and max(part[0], validate_part[0]) < min(part[1], validate_part[1]):
        raise InputError(
            f"--validate-part {part_as_typed(validate_part)} overlaps --part {part_as_typed(part)}: the worker would "
            "be judged on what it has learnt."
        )
    from ..training.machine.pictures import read_pictures
    from ..training.machine.worker_fit import fit_worker

    with Bars(hidden=quiet) as bars:
        pictures = read_pictures(
            data, part=part, size=size, progress=lambda done, total: bars.show("Reading", done, total)
        )
        weights = fit_worker(
            config,
            pictures,
            out,
            resume=resume,
            device=device,
            checkpoint_every=checkpoint_every,
            command=_as_typed(data, part, size, config),
            progress=lambda done, total: bars.show("Training", done, total),
        )
    if pictures.skipped:
        click.echo(f"{len(pictures.skipped)} files could not be read, among them {pictures.skipped[0]}.", err=True)
    click.echo(f"{weights}")
    if validate_part is not None:
        _validate(weights, data, validate_part, pictures.size)


def _validate(weights: Path, data: Path, part: Part, size: tuple[int, int]) -> None:
    from ..training.machine.pictures import read_pictures
    from ..training.machine.worker_fit import accuracy, load_worker

    network, classes = load_worker(weights)
    pictures = read_pictures(data, part=part, size=size[0] if size[0] == size[1] else None)
    if pictures.classes != classes:
        raise InputError(f"{data} has other classes than it had when {weights} was trained.")
    share = accuracy(network, pictures)
    click.echo(f"{share:.1%} of {len(pictures)} pictures that it has not seen are recognised.")


def _as_typed(data: Path, part: Part, size: int | None, config: WorkerConfig) -> str:
    """Say the command with what differs from the defaults, and without this machine's folders."""
    words = ["iqmaps", "train", "worker", "--data", data.resolve().name]
    if part != (0.0, 1.0):
        words += ["--part", part_as_typed(part)]
    if size is not None:
        words += ["--size", str(size)]
    return shlex.join(words + changed_options(config))
