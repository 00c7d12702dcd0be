"""``iqmaps evaluate``: how well scores agree with people's."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import click

from ..core.errors import InputError
from ..training import require_extra
from ..training.config import NETWORKS, TrainingConfig
from .options import device_option
from .train import data_option, photographs_in

_PROTOCOLS = ("fixed", "leave-one-scene-out", "leave-scenes-out", "leave-types-out")
_OUTPUT = click.Path(dir_okay=False, path_type=Path)


@click.group()
def evaluate() -> None:
    """Compare scores with people's, with 95 % intervals, beside PSNR, SSIM and GMSD on the same images."""


@evaluate.command()
@data_option
@click.option(
    "--protocol",
    type=click.Choice(_PROTOCOLS),
    default="fixed",
    show_default=True,
    help="Judge given weights, or train anew without what is judged: each scene in turn, scenes in four groups, or "
    "groups of distortions on unseen scenes.",
)
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
    help="With fixed: judge these instead of the models' defaults. May be given several times.",
)
@click.option(
    "--runs", type=click.Path(file_okay=False, path_type=Path), metavar="FOLDER",
    help="Where runs and their scores are kept; needed unless fixed. What is there is not done again.",
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
@click.option("--json", "json_file", type=_OUTPUT, metavar="FILE", help="Write the figures.")
@click.option("--markdown", "markdown_file", type=_OUTPUT, metavar="FILE", help="Write the figures.")
@click.option("--scores", "scores_file", type=_OUTPUT, metavar="FILE.csv", help="Write each image's scores.")
@click.option("--quiet", is_flag=True, help="No progress bar.")
@device_option
def visibility(
    manifests: tuple[Path, ...],
    protocol: str,
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
    """Judge the visibility score of the P-net and of the contrast model."""
    require_extra()
    configs = [recipe(network, settings) for network in dict.fromkeys(models)]
    if protocol != "fixed" and runs is None:
        raise InputError(f"{protocol} trains, so it needs a folder to keep the runs in: --runs FOLDER.")
    if protocol != "fixed" and weights:
        raise InputError(f"{protocol} trains its own weights; --weights goes with --protocol fixed.")

    from rich.console import Console

    from ..training import evaluate as judge
    from ..training.manifest import read_manifest
    from ..training.memory import keep_freed_memory
    from ..training.tables import for_screen, write_tables

    keep_freed_memory()
    read = [read_manifest(path) for path in manifests]
    common: dict[str, Any] = {"stride": int(stride), "device": device}
    with _Bars(hidden=quiet) as bars:
        if runs is None or protocol == "fixed":
            chosen: list[tuple[str, str | Path | None]] = [judge.labelled(name, NETWORKS) for name in weights]
            chosen = chosen or [(network, None) for network in dict.fromkeys(models)]
            scores = judge.fixed_scores(read, chosen, report=bars.show, **common)
        else:
            extra = [str(path) for path in photographs_in(photographs)]
            scores = judge.held_out_scores(
                read, configs, protocol, runs, photographs=extra, scoring=scoring, report=bars.show, **common
            )
    figures = judge.agreements(scores)
    console = Console()
    for table in for_screen(figures):
        console.print(table)
    write_tables(figures, csv_file, json_file, markdown_file)
    if scores_file is not None:
        scores.drop(columns=["file", "reference"]).assign(file=[Path(name).name for name in scores["file"]]).to_csv(
            scores_file, index=False
        )


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
