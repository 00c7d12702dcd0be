"""``iqmaps evaluate quality``: how well scores without a reference agree with people's."""

from __future__ import annotations

from pathlib import Path

import click

from ..core.errors import InputError
from ..training import require_extra
from ..training.quality.config import BLIND_NETWORKS, QualityConfig
from .databases import data_options, opened, report_survey
from .evaluating import AS_IS, COUNTS, SPLITS, Bars, changed, check_use, figures_of, output_options, split_options
from .evaluating import write_scores as write_each
from .options import device_option
from .train import photographs_in

_PROTOCOLS = (AS_IS, SPLITS, "leave-one-scene-out", "leave-scenes-out", "leave-types-out", "cross-database")


@click.command()
@data_options
@click.option(
    "--protocol",
    type=click.Choice(_PROTOCOLS),
    default=AS_IS,
    show_default=True,
    help="Judge given weights as they are, or learn the scores anew without what is judged: random shares of the "
    "scenes, each scene in turn, scenes in four groups, groups of distortions on unseen scenes, or each database by "
    "those that learnt from another one, on unseen scenes.",
)
@split_options
@click.option(
    "--model",
    "models",
    type=click.Choice(list(BLIND_NETWORKS)),
    multiple=True,
    default=BLIND_NETWORKS,
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
    "--start",
    "starts",
    multiple=True,
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE.safetensors",
    help="Result of a first stage that the trainings start from; that of deepbqa serves diqa as well. May be given "
    "several times: with leave-types-out, those that left a type out are taken where it is judged.",
)
@click.option(
    "--set",
    "settings",
    multiple=True,
    metavar="[NETWORK.]NAME=VALUE",
    help="Change the recipe of the second stage, as 'diqa.dropout=0'; the names are the options of 'iqmaps train'.",
)
@click.option(
    "--photographs", multiple=True, metavar="FOLDER|FILES",
    help="Undistorted pictures that the second stage learns from besides, as in 'iqmaps train'.",
)  # fmt: skip
@click.option("--scoring", type=click.Choice(["image", "seen"]), default="image", show_default=True,
              help="Score held-out images as 'iqmaps quality' does, or by what the training has seen of them: much "
              "faster.")  # fmt: skip
@output_options
@device_option
def quality(
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
    starts: tuple[Path, ...],
    settings: tuple[str, ...],
    photographs: tuple[str, ...],
    scoring: str,
    csv_file: Path | None,
    json_file: Path | None,
    markdown_file: Path | None,
    scores_file: Path | None,
    quiet: bool,
    device: str,
) -> None:
    """Judge the scores of DIQA and DeepBQA, which need no reference.

    Gives SRCC, PLCC before and after a logistic, and RMSE after it, for each database and type of distortion, beside
    PSNR and SSIM, which see the reference, scikit-image's measures that do not, and published figures. What is trained
    is the second stage, which learns people's scores; the first has seen no image of a database.

    With --runs, residuals_NETWORK.csv there holds each score beside people's: what 'iqmaps train' makes the uncertainty
    of a score from.
    """
    require_extra()
    if dry_run:
        report_survey(data, skip_missing=skip_missing, json_file=json_file)
        return
    chosen = list(dict.fromkeys(models))
    configs = [
        changed(QualityConfig.default(name), settings, BLIND_NETWORKS, f"iqmaps train {name}") for name in chosen
    ]
    check_use(protocol, runs, weights, splits)
    if protocol != AS_IS and not starts:
        raise InputError(f"{protocol} trains, and needs the result of a first stage to start from: --start FILE.")

    from rich.console import Console

    from ..training.evaluation import quality
    from ..training.evaluation import visibility as judge
    from ..training.evaluation.figures import for_screen, with_databases, write_tables
    from ..training.evaluation.protocols import Shares
    from ..training.evaluation.published import with_published
    from ..training.memory import keep_freed_memory

    keep_freed_memory()
    read = opened(data, skip_missing=skip_missing)
    shares = Shares(splits or COUNTS.get(protocol, 1), test_share, seed)
    with Bars(hidden=quiet) as bars:
        if runs is None or protocol == AS_IS:
            named: list[tuple[str, str | Path | None]] = [judge.labelled(name, BLIND_NETWORKS) for name in weights]
            named = named or [(network, None) for network in chosen]
            scores = quality.fixed_scores(read, named, folder=runs, device=device, report=bars.show)
        else:
            for network, types in quality.types_seen(read, configs, protocol, starts).items():
                click.echo(
                    f"The first stage of {network} has seen {', '.join(types)} on photographs. To judge without, give "
                    "--start of one that was trained with --leave-out.", err=True,
                )  # fmt: skip
            scores = quality.held_out_scores(
                read, configs, protocol, runs, starts=starts, photographs=photographs_in(photographs), shares=shares,
                device=device, scoring=scoring, report=bars.show,
            )  # fmt: skip
        judged, silent = quality.answered(scores)
        figures = quality.judged_only(figures_of(judged, protocol, shares, bars.show), judged)
    for name, count in silent.items():
        click.echo(f"{name}: {count} images that some network has no answer for are left out of all rows.", err=True)
    figures = with_databases(figures, read)
    figures = with_published(figures.assign(no_answer=figures["database"].map(silent).fillna(0).astype(int)), read)
    console = Console()
    for table in for_screen(figures):
        console.print(table)
    write_tables(figures, csv_file, json_file, markdown_file)
    if scores_file is not None:
        write_each(scores, {manifest.name: manifest.path for manifest in read}, scores_file)
