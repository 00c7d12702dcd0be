"""``iqmaps train metrifier``: train the network that says how well recognisers do on an image."""

from __future__ import annotations

import shlex
from dataclasses import replace
from pathlib import Path
from typing import Any

import click

from ..training import require_extra
from ..training.machine.metrifier_config import MetrifierConfig
from .data import Bars
from .options import device_option
from .train import changed_options, recipe_options


@click.command(name="metrifier", context_settings={"show_default": True})
@click.option(
    "--labels",
    type=click.Path(path_type=Path, dir_okay=False),
    required=True,
    metavar="FILE",
    help="How well workers did on which distorted pictures, from 'iqmaps label'.",
)
@click.option(
    "--data",
    type=click.Path(path_type=Path),
    required=True,
    metavar="FOLDER|ARCHIVE",
    help="The pictures that the labels name, in a folder for each class.",
)
@click.option("--out", type=click.Path(path_type=Path), required=True, metavar="FOLDER", help="The run's folder.")
@recipe_options(MetrifierConfig.default())
@click.option("--resume/--no-resume", default=True, help="Continue the run in --out, or refuse to.")
@click.option("--checkpoint-every", type=click.IntRange(min=1), default=200, help="Steps between checkpoints.")
@click.option("--quiet", is_flag=True, help="No progress bar.")
@device_option
def metrifier(
    labels: Path,
    data: Path,
    out: Path,
    resume: bool,
    checkpoint_every: int,
    quiet: bool,
    device: str,
    **recipe: Any,
) -> None:
    """Train the metrifier, which says how well recognisers do on an image and where.

    It learns from a table of labels: what workers (recognisers of your own, or those of 'iqmaps train worker') said of
    pictures distorted by the bank, as 'iqmaps label' writes it. The result is FOLDER/metrifier.safetensors, for
    'iqmaps machine --weights'. Judge it with 'iqmaps evaluate machine' on labels of other pictures.

    A run that was stopped goes on when the same command is given again.
    """
    require_extra()
    config = replace(MetrifierConfig.default(), **recipe)
    from ..training.machine.labels import pictures_of, read_labels
    from ..training.machine.metrifier_fit import fit_metrifier

    table = read_labels(labels)
    with Bars(hidden=quiet) as bars:
        pictures = pictures_of(table, data, progress=lambda done, total: bars.show("Reading", done, total))
        weights = fit_metrifier(
            config,
            table,
            pictures,
            out,
            resume=resume,
            device=device,
            checkpoint_every=checkpoint_every,
            command=_as_typed(labels, data, config),
            making=lambda done, total: bars.show("Distorting", done, total),
            progress=lambda done, total: bars.show("Training", done, total),
        )
    click.echo(f"{weights}")


def _as_typed(labels: Path, data: Path, config: MetrifierConfig) -> str:
    """Say the command with what differs from the defaults, and without this machine's folders."""
    words = ["iqmaps", "train", config.network, "--labels", labels.name, "--data", data.resolve().name]
    return shlex.join(words + changed_options(config))
