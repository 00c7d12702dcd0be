"""``iqmaps evaluate``: how well scores agree with people's."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import click

from ..core.errors import InputError
from ..training import require_extra
from ..training.config import NETWORKS, TrainingConfig
from .databases import data_options, opened, report_survey
from .options import device_option
from .train import photographs_in

_AS_IS, _SPLITS = "as-is", "splits"
_PROTOCOLS = (_AS_IS, _SPLITS, "leave-one-scene-out", "leave-scenes-out", "leave-types-out", "fixed")
_COUNTS = {_AS_IS: 100, _SPLITS: 10}
"""How many splits are made unless said otherwise: they cost a training each where they train."""
_OUTPUT = click.Path(dir_okay=False, path_type=Path)


@click.group()
def evaluate() -> None:
    """Compare scores with people's, with 95 % intervals, beside PSNR, SSIM and GMSD on the same images."""


@evaluate.command()
@data_options
@click.option(
    "--protocol",
    type=click.Choice(_PROTOCOLS),
    default=_AS_IS,
    show_default=True,
    help="Judge given weights as they are (fixed is the same), or train anew without what is judged: random shares of "
    "the scenes, each scene in turn, scenes in four groups, or groups of distortions on unseen scenes.",
)
@click.option("--splits", type=click.IntRange(min=1), metavar="N",
              help="With as-is and splits: random shares of the scenes, of which medians are given.  "
              "[default: 100 as-is, 10 where each is trained]")  # fmt: skip
@click.option("--test-share", type=click.FloatRange(0, 1, min_open=True, max_open=True), default=0.2,
              show_default=True, help="Share of the scenes that a split is tested on.")  # fmt: skip
@click.option("--seed", type=click.IntRange(min=0), default=0, show_default=True, help="Of the splits.")
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
@click.option("--csv", "csv_file", type=_OUTPUT, metavar="FILE", help="Write the figures.")
@click.option("--json", "json_file", type=_OUTPUT, metavar="FILE",
              help="Write the figures; with --dry-run, what was found.")  # fmt: skip
@click.option("--markdown", "markdown_file", type=_OUTPUT, metavar="FILE", help="Write the figures.")
@click.option("--scores", "scores_file", type=_OUTPUT, metavar="FILE.csv", help="Write each image's scores.")
@click.option("--quiet", is_flag=True, help="No progress bar.")
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
    protocol = _AS_IS if protocol == "fixed" else protocol
    configs = [recipe(network, settings) for network in dict.fromkeys(models)]
    if protocol != _AS_IS and runs is None:
        raise InputError(f"{protocol} trains, so it needs a folder to keep the runs in: --runs FOLDER.")
    if protocol != _AS_IS and weights:
        raise InputError(f"{protocol} trains its own weights; --weights goes with --protocol {_AS_IS}.")
    if protocol not in _COUNTS and splits is not None:
        raise InputError(f"{protocol} judges every image once; --splits goes with --protocol {' or '.join(_COUNTS)}.")

    from rich.console import Console

    from ..training import evaluate as judge
    from ..training.agreements import with_databases
    from ..training.memory import keep_freed_memory
    from ..training.splits import Shares
    from ..training.tables import for_screen, write_tables

    keep_freed_memory()
    read = opened(data, skip_missing=skip_missing)
    shares = Shares(splits or _COUNTS.get(protocol, 1), test_share, seed)
    common: dict[str, Any] = {"stride": int(stride), "device": device}
    with _Bars(hidden=quiet) as bars:
        if runs is None or protocol == _AS_IS:
            chosen: list[tuple[str, str | Path | None]] = [judge.labelled(name, NETWORKS) for name in weights]
            chosen = chosen or [(network, None) for network in dict.fromkeys(models)]
            scores = judge.fixed_scores(read, chosen, folder=runs, report=bars.show, **common)
        else:
            extra = [str(path) for path in photographs_in(photographs)]
            scores = judge.held_out_scores(read, configs, protocol, runs, shares=shares, photographs=extra,
                                           scoring=scoring, report=bars.show, **common)  # fmt: skip
        figures = with_databases(_figures(scores, protocol, shares, bars.show), read)
    console = Console()
    for table in for_screen(figures):
        console.print(table)
    write_tables(figures, csv_file, json_file, markdown_file)
    if scores_file is not None:
        _write_scores(scores, {manifest.name: manifest.path for manifest in read}, scores_file)


def _figures(scores: Any, protocol: str, shares: Any, report: Any) -> Any:
    """Sum scores up over all images, over splits, or both, as the protocol has it."""
    from ..training.agreements import LABEL, agreements, agreements_over_splits

    def told(done: int, total: int) -> None:
        report("figures of splits", done, total)

    drawn = {"test_share": shares.test_share, "split_seed": shares.seed}
    if protocol == _SPLITS:
        return agreements_over_splits(scores, progress=told).assign(**drawn)
    figures = agreements(scores)
    if protocol != _AS_IS or not _can_be_split(scores):
        return figures
    over_splits = agreements_over_splits(scores, shares.folds(scores), told).assign(**drawn)
    return figures.merge(over_splits, on=list(LABEL), how="left")


def _can_be_split(scores: Any) -> bool:
    """Tell whether each database has scenes for both sides."""
    return bool(scores.groupby("database")["scene"].nunique().min() > 1)


def _write_scores(scores: Any, folders: dict[str, Path], path: Path) -> None:
    """Write each image's scores, its name as seen from its database."""
    from ..core.io.atomic import written_whole

    names = []
    for database, file in zip(scores["database"], scores["file"], strict=True):
        root = folders[database] if folders[database].is_dir() else folders[database].resolve().parent
        inside = Path(file).is_relative_to(root)
        names.append(Path(file).relative_to(root).as_posix() if inside else Path(file).name)
    with written_whole(path) as part:
        scores.drop(columns=["file", "reference"]).assign(file=names).to_csv(part, index=False)


def recipe(network: str, settings: tuple[str, ...]) -> TrainingConfig:
    """Change a network's default recipe.

    Parameters
    ----------
    network : str
        Whose.
    settings : tuple of str
        ``NAME=VALUE`` for all networks, ``NETWORK.NAME=VALUE`` for one.

    Returns
    -------
    TrainingConfig
        The recipe.
    """
    default = TrainingConfig.default(network)
    changes: dict[str, Any] = {}
    for setting in settings:
        left, equals, text = setting.partition("=")
        owner, _, name = left.rpartition(".")
        name = name.replace("-", "_")
        if not equals or owner not in ("", *NETWORKS) or name == "network" or not hasattr(default, name):
            raise InputError(
                f"--set {setting!r} is not of the form [NETWORK.]NAME=VALUE; see 'iqmaps train pnet --help'."
            )
        if owner in ("", network):
            changes[name] = _value(setting, text, type(getattr(default, name)))
    return replace(default, **changes)


def _value(setting: str, text: str, kind: type) -> Any:
    if kind is bool:
        words = {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}
        if text.lower() not in words:
            raise InputError(f"--set {setting!r}: give true or false.")
        return words[text.lower()]
    try:
        return kind(text)
    except ValueError:
        raise InputError(f"--set {setting!r}: {text!r} is not a number of the right kind.") from None


class _Bars:
    """One progress bar after another, on standard error."""

    def __init__(self, *, hidden: bool) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

        self._progress = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeRemainingColumn(),
            console=Console(stderr=True),
            disable=hidden,
        )
        self._tasks: dict[str, Any] = {}

    def __enter__(self) -> _Bars:
        self._progress.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._progress.stop()

    def show(self, what: str, done: int, total: int) -> None:
        """Move the bar of `what`."""
        if what not in self._tasks:
            self._tasks[what] = self._progress.add_task(what, total=total)
        self._progress.update(self._tasks[what], completed=done)
