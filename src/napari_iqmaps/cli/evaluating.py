"""What the commands of ``iqmaps evaluate`` have in common: settings of recipes, figures, files, progress bars."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

import click

from ..core.errors import InputError

AS_IS, SPLITS = "as-is", "splits"
COUNTS = {AS_IS: 100, SPLITS: 10}
"""How many splits are made unless said otherwise: they cost a training each where they train."""

_OUTPUT = click.Path(dir_okay=False, path_type=Path)
_Recipe = TypeVar("_Recipe")


def split_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add ``--splits``, ``--test-share`` and ``--seed``."""
    return _with(
        command,
        click.option("--splits", type=click.IntRange(min=1), metavar="N",
                     help="With as-is and splits: random shares of the scenes, of which medians are given.  "
                     "[default: 100 as-is, 10 where each is trained]"),
        click.option("--test-share", type=click.FloatRange(0, 1, min_open=True, max_open=True), default=0.2,
                     show_default=True, help="Share of the scenes that a split is tested on."),
        click.option("--seed", type=click.IntRange(min=0), default=0, show_default=True, help="Of the splits."),
    )  # fmt: skip


def output_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add ``--csv``, ``--json``, ``--markdown``, ``--scores`` and ``--quiet``."""
    return _with(
        command,
        click.option("--csv", "csv_file", type=_OUTPUT, metavar="FILE", help="Write the figures."),
        click.option("--json", "json_file", type=_OUTPUT, metavar="FILE",
                     help="Write the figures; with a command's --dry-run, what was found."),
        click.option("--markdown", "markdown_file", type=_OUTPUT, metavar="FILE", help="Write the figures."),
        click.option("--scores", "scores_file", type=_OUTPUT, metavar="FILE.csv", help="Write each image's scores."),
        click.option("--quiet", is_flag=True, help="No progress bar."),
    )  # fmt: skip


def _with(command: Callable[..., Any], *decorators: Callable[..., Any]) -> Callable[..., Any]:
    for decorate in reversed(decorators):
        command = decorate(command)
    return command


def check_use(protocol: str, runs: Path | None, weights: Sequence[str], splits: int | None) -> None:
    """Refuse options that do not go with a protocol."""
    if protocol != AS_IS and runs is None:
        raise InputError(f"{protocol} trains, so it needs a folder to keep the runs in: --runs FOLDER.")
    if protocol != AS_IS and weights:
        raise InputError(f"{protocol} trains its own weights; --weights goes with --protocol {AS_IS}.")
    if protocol not in COUNTS and splits is not None:
        raise InputError(f"{protocol} judges every image once; --splits goes with --protocol {' or '.join(COUNTS)}.")


def figures_of(scores: Any, protocol: str, shares: Any, report: Any) -> Any:
    """Sum scores up over all images, over splits, or both, as the protocol has it."""
    from ..training.evaluation.figures import LABEL, agreements, agreements_over_splits

    def told(done: int, total: int) -> None:
        report("figures of splits", done, total)

    drawn = {"test_share": shares.test_share, "split_seed": shares.seed}
    if protocol == SPLITS:
        return agreements_over_splits(scores, progress=told).assign(**drawn)
    figures = agreements(scores)
    if protocol != AS_IS or not _can_be_split(scores):
        return figures
    over_splits = agreements_over_splits(scores, shares.folds(scores), told).assign(**drawn)
    return figures.merge(over_splits, on=list(LABEL), how="left")


def _can_be_split(scores: Any) -> bool:
    """Tell whether each database has scenes for both sides."""
    return bool(scores.groupby("database")["scene"].nunique().min() > 1)


def write_scores(scores: Any, folders: dict[str, Path], path: Path) -> None:
    """Write each image's scores, its name as seen from its database.

    Parameters
    ----------
    scores : pandas.DataFrame
        With the columns database, file and reference.
    folders : dict of str to pathlib.Path
        Database to its folder or manifest.
    path : pathlib.Path
        The CSV file.
    """
    from ..core.io.atomic import written_whole

    names = []
    for database, file in zip(scores["database"], scores["file"], strict=True):
        root = folders[database] if folders[database].is_dir() else folders[database].resolve().parent
        inside = Path(file).is_relative_to(root)
        names.append(Path(file).relative_to(root).as_posix() if inside else Path(file).name)
    with written_whole(path) as part:
        scores.drop(columns=["file", "reference"]).assign(file=names).to_csv(part, index=False)


def changed(default: _Recipe, settings: Sequence[str], networks: Sequence[str], command: str) -> _Recipe:
    """Change a network's default recipe.

    Parameters
    ----------
    settings : sequence of str
        ``NAME=VALUE`` for all networks, ``NETWORK.NAME=VALUE`` for one; several words of a setting that takes several
        are divided by commas.
    """
    recipe: Any = default
    fields, changes = recipe.__dataclass_fields__, dict[str, Any]()
    for setting in settings:
        left, equals, text = setting.partition("=")
        owner, _, name = left.rpartition(".")
        name = name.replace("-", "_")
        if not equals or owner not in ("", *networks) or name == "network" or name not in fields:
            raise InputError(f"--set {setting!r} is not of the form [NETWORK.]NAME=VALUE; see '{command} --help'.")
        if owner in ("", recipe.network):
            changes[name] = _value(setting, text, type(getattr(recipe, name)))
    made: _Recipe = replace(recipe, **changes)
    return made


def _value(setting: str, text: str, kind: type) -> Any:
    if kind is tuple:
        return tuple(word for word in text.split(",") if word)
    if kind is bool:
        words = {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}
        if text.lower() not in words:
            raise InputError(f"--set {setting!r}: give true or false.")
        return words[text.lower()]
    try:
        return kind(text)
    except ValueError:
        raise InputError(f"--set {setting!r}: {text!r} is not a number of the right kind.") from None


class Bars:
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

    def __enter__(self) -> Bars:
        self._progress.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._progress.stop()

    def show(self, what: str, done: int, total: int) -> None:
        """Move the bar of `what`."""
        if what not in self._tasks:
            self._tasks[what] = self._progress.add_task(what, total=total)
        self._progress.update(self._tasks[what], completed=done)
