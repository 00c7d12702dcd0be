"""``iqmaps evaluate machine``: how well machine-perceived quality tells what recognisers do."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import click

from ..core.errors import InputError
from ..training import require_extra
from .evaluating import Bars, output_options
from .options import device_option

if TYPE_CHECKING:
    import pandas as pd

    from ..core.models import WeightsRecord

_TABLE = click.Path(dir_okay=False, path_type=Path)


@click.command()
@click.option("--labels", type=_TABLE, required=True, metavar="TABLE", help="What workers said, from 'iqmaps label'.")
@click.option("--data", type=click.Path(path_type=Path), required=True, metavar="FOLDER|ARCHIVE",
              help="The labelled pictures that the table is about.")  # fmt: skip
@click.option(
    "--weights",
    multiple=True,
    metavar="NAME|PATH",
    help="Judge these instead of the default metrifier. May be given several times.",
)
@click.option(
    "--other-labels",
    multiple=True,
    type=_TABLE,
    metavar="TABLE",
    help="What further workers said of the same distorted pictures. May be given several times.",
)
@click.option(
    "--target",
    "targets",
    multiple=True,
    metavar="COLUMN",
    help="Judge by these columns of the tables alone, such as mean, consistency or p_NAME.  [default: all]",
)
@click.option(
    "--left-out",
    multiple=True,
    metavar="NAME",
    help="A distortion that the training did not know: those are also judged as a group. May be given several times.  "
    "[default: what the weights say]",
)
@click.option(
    "--runs", type=click.Path(file_okay=False, path_type=Path), metavar="FOLDER",
    help="Where scores are kept, so that what is there is not done again, and residuals: each score beside its label.",
)  # fmt: skip
@click.option("--falls", "falls_file", type=_TABLE, metavar="FILE.csv",
              help="Write how scores and labels fall with severity.")  # fmt: skip
@click.option("--seed", type=click.IntRange(min=0), default=0, show_default=True, help="Of the intervals' draws.")
@output_options
@device_option
def machine(
    labels: Path,
    data: Path,
    weights: tuple[str, ...],
    other_labels: tuple[Path, ...],
    targets: tuple[str, ...],
    left_out: tuple[str, ...],
    runs: Path | None,
    falls_file: Path | None,
    seed: int,
    csv_file: Path | None,
    json_file: Path | None,
    markdown_file: Path | None,
    scores_file: Path | None,
    quiet: bool,
    device: str,
) -> None:
    """Judge machine-perceived quality by what recognisers do on pictures that were distorted.

    Gives SRCC and PLCC with each label (the mean over workers of the probability of the true class, consistency, each
    worker), over all pictures, by distortion, and for distortions that the training did not know, beside PSNR and
    SSIM, which see the undistorted picture, blur_effect and the bare severity. Intervals draw undistorted pictures,
    called scenes. Also how scores and labels fall with severity.

    The pictures should be ones that neither the workers nor the metrifier were trained on.
    """
    require_extra()
    from ..training.evaluation import machine
    from ..training.evaluation import machine_figures as tables
    from ..training.evaluation.figures import write_tables
    from ..training.machine.labels import distorted_batch, pictures_of, read_labels
    from ..training.memory import keep_freed_memory

    keep_freed_memory()
    table = read_labels(labels)
    others = {path.stem: read_labels(path).frame for path in other_labels}
    rows, joined = machine.with_other_labels(table.frame, others)
    chosen = _chosen(targets, machine.targets_in(table.frame) + joined)
    records = machine.found_weights(weights or (None,))
    _warn_if_learnt(records, labels)
    unseen = _checked(left_out, rows) or _left_out_by(records, rows)
    with Bars(hidden=quiet) as bars:
        pictures = pictures_of(table, data, progress=lambda done, total: bars.show("reading pictures", done, total))
        rows, scores = machine.scored(
            rows, partial(distorted_batch, pictures), weights or (None,), data=pictures.fingerprint, folder=runs,
            device=device, report=bars.show,
        )  # fmt: skip
        judged, silent = machine.answered(rows, scores)
        figures = tables.figures(
            judged, scores, chosen, others=joined, left_out=unseen, seed=seed,
            progress=lambda done, total: bars.show("figures", done, total),
        )  # fmt: skip
    if silent:
        click.echo(f"{silent} of {len(rows)} pictures are nearly uniform, have no score, and count nowhere.", err=True)
    columns = [*scores, *chosen]
    falls = tables.falls(judged, columns)
    words = {
        f"SRCC with {chosen[0]}, by distortion": tables.by_type(figures, chosen[0]),
        "Rank correlation with severity (-1: falls at every step) and means from severity 0 on": tables.fall_words(
            falls, [*scores, chosen[0]]
        ),
    }
    _show(figures, words)
    write_tables(figures.assign(no_answer=silent), csv_file, json_file)
    if markdown_file is not None:
        tables.write_markdown(markdown_file, figures, words)
    if scores_file is not None:
        tables.write_csv(scores_file, rows)
    if falls_file is not None:
        tables.write_csv(falls_file, falls)


def _show(figures: pd.DataFrame, words: dict[str, pd.DataFrame]) -> None:
    from rich.console import Console

    from ..training.evaluation.figures import for_screen
    from ..training.evaluation.machine_figures import GROUPS, laid_out

    console = Console()
    for shown in for_screen(figures[figures["type"].isin(GROUPS)], "target"):
        console.print(shown)
    for title, table in words.items():
        console.print(laid_out(title, table))


def _chosen(targets: tuple[str, ...], known: list[str]) -> list[str]:
    wrong = [name for name in targets if name not in known]
    if wrong:
        raise InputError(f"The tables have no label {wrong[0]!r}. Choose of {', '.join(known)}.")
    if not known:
        raise InputError("The table has no labels: columns such as mean or p_NAME. Make one with 'iqmaps label'.")
    return list(dict.fromkeys(targets)) or known


def _left_out_by(records: list[WeightsRecord], rows: pd.DataFrame) -> list[str]:
    """Give the distortions of the table that the trainings of all weights left out."""
    there = set(rows["distortion"])
    each = [[name.strip() for name in str(record.details.get("left_out", "")).split(",")] for record in records]
    return [name for name in dict.fromkeys(each[0]) if name in there and all(name in names for names in each)]


def _checked(names: tuple[str, ...], rows: pd.DataFrame) -> list[str]:
    from ..core.distortions import distortion

    for name in names:
        distortion(name)
        if not (rows["distortion"] == name).any():
            raise InputError(f"The table has no picture with {name}, which --left-out names.")
    return list(dict.fromkeys(names))


def _warn_if_learnt(records: list[WeightsRecord], labels: Path) -> None:
    from ..core.models import sha256_of

    sha256 = sha256_of(labels)
    for record in records:
        if record.details.get("labels_sha256") == sha256:
            click.echo(f"{record.name} was trained on this very table: the figures are not those of new pictures.",
                       err=True)  # fmt: skip
