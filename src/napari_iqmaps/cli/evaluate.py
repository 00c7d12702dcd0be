"""``iqmaps evaluate``: how well scores agree with people's, or with what recognisers do."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from ..core.errors import InputError
from ..training import require_extra
from ..training.quality.recipe import BLIND_NETWORKS, QualityConfig
from ..training.visibility.recipe import NETWORKS, TrainingConfig
from .data import Bars, data_options, opened, report_survey
from .options import device_option
from .streams import echo
from .train import photographs_in

if TYPE_CHECKING:
    import pandas as pd

    from ..core.models import WeightsRecord
    from ..training.databases.manifest import Manifest
    from ..training.evaluation.protocols import Shares

AS_IS, SPLITS = "as-is", "splits"
COUNTS = {AS_IS: 100, SPLITS: 10}
"""How many splits are made unless said otherwise: they cost a training each where they train."""

_PROTOCOLS = (AS_IS, SPLITS, "leave-one-scene-out", "leave-scenes-out", "leave-types-out")
_TABLE = click.Path(dir_okay=False, path_type=Path)
_Recipe = TypeVar("_Recipe")


@click.group()
def evaluate() -> None:
    """Compare scores with people's or recognisers', with 95 % intervals, beside known measures of the same images."""


# --- options and what they ask for -----------------------------------------------------------------------------------


def _with(*decorators: Callable[..., Any]) -> Callable[..., Any]:
    def decorate(command: Callable[..., Any]) -> Callable[..., Any]:
        for each in reversed(decorators):
            command = each(command)
        return command

    return decorate


def _judging_options(networks: Sequence[str], protocols: Sequence[str], protocol_help: str) -> Callable[..., Any]:
    """Add the options that begin a command that judges by people's scores."""
    return _with(
        data_options,
        click.option("--protocol", type=click.Choice(protocols), default=AS_IS, show_default=True, help=protocol_help),
        click.option(
            "--splits",
            type=click.IntRange(min=1),
            metavar="N",
            help="With as-is and splits: random shares of the scenes, of which medians are given.  "
            "[default: 100 as-is, 10 where each is trained]",
        ),
        click.option(
            "--test-share",
            type=click.FloatRange(0, 1, min_open=True, max_open=True),
            default=0.2,
            show_default=True,
            help="Share of the scenes that a split is tested on.",
        ),
        click.option("--seed", type=click.IntRange(min=0), default=0, show_default=True, help="Of the splits."),
        click.option(
            "--model",
            "models",
            type=click.Choice(networks),
            multiple=True,
            default=networks,
            show_default=True,
            help="What to judge; may be given several times.",
        ),
        click.option(
            "--weights",
            multiple=True,
            metavar="NAME|PATH",
            help="With as-is: judge these instead of the models' defaults. May be given several times.",
        ),
        click.option(
            "--runs",
            type=click.Path(file_okay=False, path_type=Path),
            metavar="FOLDER",
            help="Where runs and scores are kept; needed unless as-is. What is there is not done again.",
        ),
    )


def _recipe_options(set_help: str, photographs_help: str) -> Callable[..., Any]:
    """Add ``--set`` and ``--photographs``."""
    return _with(
        click.option("--set", "settings", multiple=True, metavar="[NETWORK.]NAME=VALUE", help=set_help),
        click.option("--photographs", multiple=True, metavar="FOLDER|FILES", help=photographs_help),
    )


_output_options = _with(
    click.option("--csv", "csv_file", type=_TABLE, metavar="FILE", help="Write the figures."),
    click.option(
        "--json",
        "json_file",
        type=_TABLE,
        metavar="FILE",
        help="Write the figures; with a command's --dry-run, what was found.",
    ),
    click.option("--markdown", "markdown_file", type=_TABLE, metavar="FILE", help="Write the figures."),
    click.option("--scores", "scores_file", type=_TABLE, metavar="FILE.csv", help="Write each image's scores."),
    click.option("--quiet", is_flag=True, help="No progress bar."),
    device_option,
)


@dataclass(frozen=True)
class Asked:
    """What a command that judges by people's scores was asked for: its options by their names."""

    data: tuple[Path, ...]
    skip_missing: bool
    dry_run: bool
    protocol: str
    splits: int | None
    test_share: float
    seed: int
    models: tuple[str, ...]
    weights: tuple[str, ...]
    runs: Path | None
    settings: tuple[str, ...]
    photographs: tuple[str, ...]
    csv_file: Path | None
    json_file: Path | None
    markdown_file: Path | None
    scores_file: Path | None
    quiet: bool
    device: str

    @property
    def networks(self) -> list[str]:
        """The models, each once."""
        return list(dict.fromkeys(self.models))

    @property
    def folder(self) -> Path:
        """Where runs are kept, if anything is trained."""
        if self.runs is None:
            raise InputError(f"{self.protocol} trains, so it needs a folder to keep the runs in: --runs FOLDER.")
        return self.runs

    @property
    def shares(self) -> Shares:
        """How scenes are divided at random."""
        from ..training.evaluation.protocols import Shares

        return Shares(self.splits or COUNTS.get(self.protocol, 1), self.test_share, self.seed)

    def surveyed(self) -> bool:
        """Report what the data hold, if that is all that was asked for."""
        if self.dry_run:
            report_survey(self.data, skip_missing=self.skip_missing, json_file=self.json_file)
        return self.dry_run

    def check(self) -> None:
        """Refuse options that do not go with the protocol."""
        if self.protocol != AS_IS:
            _ = self.folder
        if self.protocol != AS_IS and self.weights:
            raise InputError(f"{self.protocol} trains its own weights; --weights goes with --protocol {AS_IS}.")
        if self.protocol not in COUNTS and self.splits is not None:
            raise InputError(
                f"{self.protocol} judges every image once; --splits goes with --protocol {' or '.join(COUNTS)}."
            )

    def opened(self) -> list[Manifest]:
        """Read the data."""
        from ..training.hardware import keep_freed_memory

        keep_freed_memory()
        return opened(self.data, skip_missing=self.skip_missing)

    def given(self, networks: Sequence[str]) -> list[tuple[str, str | Path | None]]:
        """Give the networks whose weights are judged as they are, each with its weights."""
        from ..training.evaluation.evaluator import labelled

        named: list[tuple[str, str | Path | None]] = [labelled(name, networks) for name in self.weights]
        return named or [(network, None) for network in self.networks]

    def figures(self, scores: pd.DataFrame, report: Callable[[str, int, int], None]) -> pd.DataFrame:
        """Sum scores up over all images, over splits, or both, as the protocol has it."""
        from ..training.evaluation.figures import LABEL, agreements, agreements_over_splits

        told = partial(report, "figures of splits")
        drawn = {"test_share": self.shares.test_share, "split_seed": self.shares.seed}
        if self.protocol == SPLITS:
            return agreements_over_splits(scores, progress=told).assign(**drawn)
        figures = agreements(scores)
        # Each database needs scenes for both sides.
        if self.protocol != AS_IS or scores.groupby("database")["scene"].nunique().min() < 2:
            return figures
        over_splits = agreements_over_splits(scores, self.shares.folds(scores), told).assign(**drawn)
        return figures.merge(over_splits, on=list(LABEL), how="left")

    def write(self, figures: pd.DataFrame, scores: pd.DataFrame, manifests: Sequence[Manifest]) -> None:
        """Print figures, and write them and the scores of all images into the files asked for."""
        from rich.console import Console

        from ..training.evaluation.figures import for_screen, write_tables

        console = Console()
        for table in for_screen(figures):
            console.print(table)
        write_tables(figures, self.csv_file, self.json_file, self.markdown_file)
        if self.scores_file is not None:
            _write_scores(scores, {manifest.name: manifest.path for manifest in manifests}, self.scores_file)


def _write_scores(scores: pd.DataFrame, folders: dict[str, Path], path: Path) -> None:
    """Write each image's scores, its name as seen from its database's folder or manifest."""
    from ..core.io.atomic import written_whole

    names = []
    for database, file in zip(scores["database"], scores["file"], strict=True):
        root = folders[database] if folders[database].is_dir() else folders[database].resolve().parent
        inside = Path(file).is_relative_to(root)
        names.append(Path(file).relative_to(root).as_posix() if inside else Path(file).name)
    with written_whole(path) as part:
        scores.drop(columns=["file", "reference"]).assign(file=names).to_csv(part, index=False)


def recipe(network: str, settings: tuple[str, ...]) -> TrainingConfig:
    """Change a network's default recipe."""
    return changed(TrainingConfig.default(network), settings, NETWORKS, "iqmaps train pnet")


def changed(default: _Recipe, settings: Sequence[str], networks: Sequence[str], command: str) -> _Recipe:
    """Change a network's default recipe.

    A setting is ``NAME=VALUE`` for all networks, ``NETWORK.NAME=VALUE`` for one; several words are divided by commas.
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


# --- the commands ----------------------------------------------------------------------------------------------------


@evaluate.command()
@_judging_options(
    NETWORKS,
    (*_PROTOCOLS, "fixed"),
    "Judge given weights as they are (fixed is the same), or train anew without what is judged: random shares of "
    "the scenes, each scene in turn, scenes in four groups, or groups of distortions on unseen scenes.",
)
@_recipe_options(
    "Change the recipe, as 'pnet.steps=500'; the names are the options of 'iqmaps train'.", "As in 'iqmaps train'."
)
@click.option(
    "--stride",
    type=click.Choice(["1", "2", "4", "8"]),
    default="4",
    show_default=True,
    help="Pixels between the evaluated cells.",
)
@click.option(
    "--scoring",
    type=click.Choice(["map", "patches"]),
    default="map",
    show_default=True,
    help="Score held-out images as 'iqmaps visibility' does, or by patches: much faster.",
)
@_output_options
def visibility(protocol: str, stride: str, scoring: str, **options: Any) -> None:
    """Judge the visibility score of the P-net and of the contrast model.

    Gives SRCC, PLCC before and after a logistic, and RMSE after it, for each database and type of distortion; the
    error is in the database's own units. The images are those of a CSV file, or of a folder that holds TID2013,
    LIVE release 2, CSIQ or KADID-10k as it unpacks.
    """
    require_extra()
    asked = Asked(protocol=AS_IS if protocol == "fixed" else protocol, **options)
    if asked.surveyed():
        return
    configs = [recipe(network, asked.settings) for network in asked.networks]
    asked.check()

    from ..training.evaluation import visibility as judged
    from ..training.evaluation.figures import with_databases

    read = asked.opened()
    common: dict[str, Any] = {"stride": int(stride), "device": asked.device}
    with Bars(hidden=asked.quiet) as bars:
        common["report"] = bars.show
        if asked.protocol == AS_IS:
            scores = judged.fixed_scores(read, asked.given(NETWORKS), folder=asked.runs, **common)
        else:
            common["photographs"] = [str(path) for path in photographs_in(asked.photographs)]
            common |= {"shares": asked.shares, "scoring": scoring}
            scores = judged.held_out_scores(read, configs, asked.protocol, asked.folder, **common)
        figures = with_databases(asked.figures(scores, bars.show), read)
    asked.write(figures, scores, read)


@evaluate.command()
@_judging_options(
    BLIND_NETWORKS,
    (*_PROTOCOLS, "cross-database"),
    "Judge given weights as they are, or learn the scores anew without what is judged: random shares of the "
    "scenes, each scene in turn, scenes in four groups, groups of distortions on unseen scenes, or each database by "
    "those that learnt from another one, on unseen scenes.",
)
@click.option(
    "--start",
    "starts",
    multiple=True,
    type=_TABLE,
    metavar="FILE.safetensors",
    help="Result of a first stage that the trainings start from; that of deepbqa serves diqa as well. May be given "
    "several times: with leave-types-out, those that left a type out are taken where it is judged.",
)
@_recipe_options(
    "Change the recipe of the second stage, as 'diqa.dropout=0'; the names are the options of 'iqmaps train'.",
    "Undistorted pictures that the second stage learns from besides, as in 'iqmaps train'.",
)
@click.option(
    "--scoring",
    type=click.Choice(["image", "seen"]),
    default="image",
    show_default=True,
    help="Score held-out images as 'iqmaps quality' does, or by what the training has seen of them: much faster.",
)
@_output_options
def quality(starts: tuple[Path, ...], scoring: str, **options: Any) -> None:
    """Judge the scores of DIQA and DeepBQA, which need no reference.

    Gives SRCC, PLCC before and after a logistic, and RMSE after it, for each database and type of distortion, beside
    PSNR and SSIM, which see the reference, scikit-image's measures that do not, and published figures. What is trained
    is the second stage, which learns people's scores; the first has seen no image of a database.

    With --runs, residuals_NETWORK.csv there holds each score beside people's: what 'iqmaps train' makes the uncertainty
    of a score from.
    """
    require_extra()
    asked = Asked(**options)
    if asked.surveyed():
        return
    configs = [
        changed(QualityConfig.default(name), asked.settings, BLIND_NETWORKS, f"iqmaps train {name}")
        for name in asked.networks
    ]
    asked.check()
    if asked.protocol != AS_IS and not starts:
        raise InputError(f"{asked.protocol} trains, and needs the result of a first stage to start from: --start FILE.")

    from ..training.evaluation import quality as judged
    from ..training.evaluation.figures import with_databases
    from ..training.evaluation.published import with_published

    read = asked.opened()
    with Bars(hidden=asked.quiet) as bars:
        common: dict[str, Any] = {"device": asked.device, "report": bars.show}
        if asked.protocol == AS_IS:
            scores = judged.fixed_scores(read, asked.given(BLIND_NETWORKS), folder=asked.runs, **common)
        else:
            for network, types in judged.types_seen(read, configs, asked.protocol, starts).items():
                echo(
                    f"The first stage of {network} has seen {', '.join(types)} on photographs. To judge without, give "
                    "--start of one that was trained with --leave-out.",
                    err=True,
                )
            common["photographs"] = photographs_in(asked.photographs)
            scores = judged.held_out_scores(
                read,
                configs,
                asked.protocol,
                asked.folder,
                starts=starts,
                shares=asked.shares,
                scoring=scoring,
                **common,
            )
        answered, silent = judged.answered(scores)
        figures = judged.judged_only(asked.figures(answered, bars.show), answered)
    for name, count in silent.items():
        echo(f"{name}: {count} images that some network has no answer for are left out of all rows.", err=True)
    figures = with_databases(figures, read)
    figures = with_published(figures.assign(no_answer=figures["database"].map(silent).fillna(0).astype(int)), read)
    asked.write(figures, scores, read)


@evaluate.command()
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
@_output_options
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
    from ..training.hardware import keep_freed_memory
    from ..training.machine.labels import distorted_batch, pictures_of, read_labels

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
        echo(f"{silent} of {len(rows)} pictures are nearly uniform, have no score, and count nowhere.", err=True)
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
            echo(f"{record.name} was trained on this very table: the figures are not those of new pictures.",
                       err=True)  # fmt: skip
