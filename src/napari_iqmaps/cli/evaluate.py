"""``iqmaps evaluate``: how well scores agree with people's."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from ..training import require_extra
from ..training.config import NETWORKS, TrainingConfig
from .databases import data_options, opened, report_survey
from .evaluate_machine import machine
from .evaluate_quality import quality
from .evaluating import AS_IS, COUNTS, SPLITS, Bars, changed, check_use, figures_of, output_options, split_options
from .evaluating import write_scores as write_each
from .options import device_option
from .train import photographs_in

_PROTOCOLS = (AS_IS, SPLITS, "leave-one-scene-out", "leave-scenes-out", "leave-types-out", "fixed")


@click.group()
def evaluate() -> None:
    """Compare scores with people's or recognisers', with 95 % intervals, beside known measures of the same images."""


@evaluate.command()
@data_options
@click.option(
    "--protocol",
    type=click.Choice(_PROTOCOLS),
    default=AS_IS,
    show_default=True,
    help="Judge given weights as they are (fixed is the same), or train anew without what is judged: random shares of "
    "the scenes, each scene in turn, scenes in four groups, or groups of distortions on unseen scenes.",
)
@split_options
@click.option(
    "--model",
    "models",
    type=click.Choice(list(NETWORKS)),
    multiple=True,
    default=NETWORKS,
    show_default=True,
    help="What to judge; may be given several times.",
)
@click.option(
    "--weights",
    multiple=True,
    metavar="NAME|PATH",
    help="With as-is: judge these instead of the models' defaults. May be given several times.",
)
@click.option(
    "--runs", type=click.Path(file_okay=False, path_type=Path), metavar="FOLDER",
    help="Where runs and scores are kept; needed unless as-is. What is there is not done again.",
)  # fmt: skip
@click.option(
    "--set",
    "settings",
    multiple=True,
    metavar="[NETWORK.]NAME=VALUE",
    help="Change the recipe, as 'pnet.steps=500'; the names are the options of 'iqmaps train'.",
)
@click.option("--photographs", multiple=True, metavar="FOLDER|FILES", help="As in 'iqmaps train'.")
@click.option("--stride", type=click.Choice(["1", "2", "4", "8"]), default="4", show_default=True,
              help="Pixels between the evaluated cells.")  # fmt: skip
@click.option("--scoring", type=click.Choice(["map", "patches"]), default="map", show_default=True,
              help="Score held-out images as 'iqmaps visibility' does, or by patches: much faster.")  # fmt: skip
@output_options
@device_option
def visibility(
    data: tuple[Path, ...],
    skip_missing: bool,
    dry_run: bool,
    protocol: str,
    splits: int | None,
    test_share: float,
    seed: int,
    models: tuple[str, ...],
    weights: tuple[str, ...],
    runs: Path | None,
    settings: tuple[str, ...],
    photographs: tuple[str, ...],
    stride: str,
    scoring: str,
    csv_file: Path | None,
    json_file: Path | None,
    markdown_file: Path | None,
    scores_file: Path | None,
    quiet: bool,
    device: str,
) -> None:
    """Judge the visibility score of the P-net and of the contrast model.

    Gives SRCC, PLCC before and after a logistic, and RMSE after it, for each database and type of distortion; the
    error is in the database's own units. The images are those of a CSV file, or of a folder that holds TID2013,
    LIVE release 2, CSIQ or KADID-10k as it unpacks.
    """
    require_extra()
    if dry_run:
        report_survey(data, skip_missing=skip_missing, json_file=json_file)
        return
    protocol = AS_IS if protocol == "fixed" else protocol
    configs = [recipe(network, settings) for network in dict.fromkeys(models)]
    check_use(protocol, runs, weights, splits)

    from rich.console import Console

    from ..training.evaluation import visibility as judge
    from ..training.evaluation.figures import for_screen, with_databases, write_tables
    from ..training.evaluation.protocols import Shares
    from ..training.memory import keep_freed_memory

    keep_freed_memory()
    read = opened(data, skip_missing=skip_missing)
    shares = Shares(splits or COUNTS.get(protocol, 1), test_share, seed)
    common: dict[str, Any] = {"stride": int(stride), "device": device}
    with Bars(hidden=quiet) as bars:
        if runs is None or protocol == AS_IS:
            chosen: list[tuple[str, str | Path | None]] = [judge.labelled(name, NETWORKS) for name in weights]
            chosen = chosen or [(network, None) for network in dict.fromkeys(models)]
            scores = judge.fixed_scores(read, chosen, folder=runs, report=bars.show, **common)
        else:
            extra = [str(path) for path in photographs_in(photographs)]
            scores = judge.held_out_scores(read, configs, protocol, runs, shares=shares, photographs=extra,
                                           scoring=scoring, report=bars.show, **common)  # fmt: skip
        figures = with_databases(figures_of(scores, protocol, shares, bars.show), read)
    console = Console()
    for table in for_screen(figures):
        console.print(table)
    write_tables(figures, csv_file, json_file, markdown_file)
    if scores_file is not None:
        write_each(scores, {manifest.name: manifest.path for manifest in read}, scores_file)


def recipe(network: str, settings: tuple[str, ...]) -> TrainingConfig:
    """Change a network's default recipe."""
    return changed(TrainingConfig.default(network), settings, NETWORKS, "iqmaps train pnet")


evaluate.add_command(quality)
evaluate.add_command(machine)
