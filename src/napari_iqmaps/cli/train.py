"""``iqmaps train``: train a network, or put what was trained among the weights that ship."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Sequence
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import click

from ..core.errors import InputError
from ..training import require_extra
from ..training.machine.recipe import MetrifierConfig, WorkerConfig
from ..training.quality.recipe import BLIND_NETWORKS, QualityConfig
from ..training.visibility.recipe import NETWORKS, TrainingConfig
from .data import (
    Bars,
    Part,
    as_part,
    data_options,
    opened,
    optional_data_options,
    part_as_typed,
    picture_options,
    report_survey,
)
from .options import device_option
from .streams import echo

Command = Callable[..., Any]

_PICTURES = (".png", ".jpg", ".jpeg", ".tif", ".tiff", ".bmp", ".webp")
_FILE = click.Path(path_type=Path, dir_okay=False)
_HELP = {
    "pnet": "Train the P-net, which gives the visibility threshold of every place of an image.",
    "contrast": "Fit the contrast model: three numbers, the bar that the P-net has to beat.",
    "diqa": "Train DIQA, which predicts an error map and a score from the same features.",
    "deepbqa": "Train DeepBQA, which predicts errors and how much each of them matters.",
}
_STAGES = """

    The first stage learns errors from undistorted photographs, which are distorted by the bank; nobody has to score
    them. Its result is FOLDER/stage1/stage1.safetensors. The second stage learns scores from images that people have
    scored, and from the distorted photographs besides; the scale, from 0 (best) to 100 (worst), is that of the first
    --data. Its result is FOLDER/NETWORK.safetensors.

    A run that was stopped goes on when the same command is given again.
"""


@click.group()
def train() -> None:
    """Train a network on images with scores, or, for errors, on undistorted photographs.

    Images with scores are those of a CSV file with the columns file, reference and score (and type, scene, weight if
    you have them), headed by two lines that say the score's range and direction: '# best: 0' and '# worst: 100'. Or
    those of a folder that holds TID2013, LIVE release 2, CSIQ or KADID-10k as it unpacks.

    A run that was stopped goes on when the same command is given again.
    """


def recipe_options(default: Any) -> Callable[[Command], Command]:
    """Make an option of every field of a recipe but its network; the recipe's values are shown as defaults."""

    def decorate(command: Command) -> Command:
        for entry in reversed(fields(default)):
            if entry.name != "network":
                command = _option(entry.name, getattr(default, entry.name), entry.metadata)(command)
        return command

    return decorate


def _option(name: str, default: Any, metadata: Any) -> Callable[[Command], Command]:
    flag = "--" + metadata.get("flag", name.replace("_", "-"))
    if isinstance(default, tuple):
        names = click.Choice(list(metadata["choices"]))
        return click.option(flag, name, type=names, multiple=True, metavar="NAME", help=metadata["help"])
    if isinstance(default, bool):
        return click.option(f"{flag}/--no-{flag[2:]}", name, default=default, show_default=True, help=metadata["help"])
    if "choices" in metadata:
        kind: Any = click.Choice(list(metadata["choices"]))
    else:
        ranges = click.IntRange if isinstance(default, int) else click.FloatRange
        kind = ranges(min=metadata.get("least"), max=metadata.get("most"))
    return click.option(flag, name, type=kind, default=default, show_default=True, help=metadata["help"])


def _run_options(checkpoint_every: int, *, devices: bool = False) -> Callable[[Command], Command]:
    """Add the options that say how a run is carried out: their names are those of `RunOptions`, but for ``--quiet``."""
    several = click.option("--devices", type=click.IntRange(min=1), default=1, help="Devices that share each step.")
    decorators: list[Callable[..., Any]] = [
        click.option("--resume/--no-resume", default=True, help="Continue the run in --out, or refuse to."),
        click.option(
            "--checkpoint-every",
            type=click.IntRange(min=1),
            default=checkpoint_every,
            help="Steps between checkpoints.",
        ),
        click.option("--quiet", is_flag=True, help="No progress bar."),
        *([several] if devices else []),
        device_option,
    ]

    def decorate(command: Command) -> Command:
        for decorator in reversed(decorators):
            command = decorator(command)
        return command

    return decorate


def _split(recipe: Any, options: dict[str, Any]) -> tuple[Any, dict[str, Any]]:
    """Part what was typed into a recipe and the options of the run."""
    names = {entry.name for entry in fields(recipe)}
    changes = {name: options.pop(name) for name in names & options.keys()}
    return replace(recipe, **changes), options


_out_option = click.option(
    "--out", type=click.Path(path_type=Path), metavar="FOLDER", help="The run's folder; needed to train."
)
_needed_out_option = click.option(
    "--out", type=click.Path(path_type=Path), required=True, metavar="FOLDER", help="The run's folder."
)


def _needed(out: Path | None) -> Path:
    if out is None:
        raise click.UsageError("Missing option '--out', the run's folder.")
    return out


def photographs_in(patterns: tuple[str, ...]) -> list[Path]:
    """Find the pictures that folders, patterns and names stand for."""
    found: list[Path] = []
    for pattern in patterns:
        path = Path(pattern)
        if path.is_dir():
            chosen = sorted(file for file in path.iterdir() if file.suffix.lower() in _PICTURES)
        else:
            chosen = sorted(Path(path.anchor or ".").glob(str(path.relative_to(path.anchor))))
        if not chosen:
            raise InputError(f"{pattern} names no pictures. Give a folder of them, a file or a pattern.")
        found += chosen
    return found


def _as_typed(config: Any, *words: str) -> str:
    """Say the command with what differs from the defaults, and without this machine's folders."""
    return shlex.join(["iqmaps", "train", config.network, *words, *changed_options(config)])


def _named(option: str, paths: Sequence[str | Path]) -> list[str]:
    """Say an option that was given once for each of some files or folders."""
    return [word for path in paths for word in (option, Path(path).name)]


def changed_options(config: Any) -> list[str]:
    """Say what differs from a network's defaults, as one would type it."""
    words: list[str] = []
    default = type(config).default(config.network)
    for entry in fields(config):
        value = getattr(config, entry.name)
        if value == getattr(default, entry.name):
            continue
        flag = entry.metadata.get("flag", entry.name.replace("_", "-"))
        if isinstance(value, bool):
            words.append(f"--{flag}" if value else f"--no-{flag}")
        else:
            values = value if isinstance(value, tuple | list) else [value]
            words += [word for each in values for word in (f"--{flag}", str(each))]
    return words


def _threshold_command(network: str) -> click.Command:
    @click.command(name=network, help=_HELP[network], context_settings={"show_default": True})
    @data_options
    @_out_option
    @recipe_options(TrainingConfig.default(network))
    @click.option(
        "--photographs",
        multiple=True,
        metavar="FOLDER|FILES",
        help="Undistorted pictures without scores, for --invariance and --pull.",
    )
    @_run_options(100)
    def command(
        data: tuple[Path, ...],
        skip_missing: bool,
        dry_run: bool,
        out: Path | None,
        photographs: tuple[str, ...],
        quiet: bool,
        **options: Any,
    ) -> None:
        require_extra()
        config, options = _split(TrainingConfig.default(network), options)
        if dry_run:
            report_survey(data, skip_missing=skip_missing)
            return
        folder = _needed(out)
        from ..training.visibility.training import fit

        manifests = opened(data, skip_missing=skip_missing)
        typed = [*_data_as_typed(data, skip_missing), *_named("--photographs", photographs)]
        pictures = photographs_in(photographs)
        command = _as_typed(config, *typed)
        weights = fit(config, manifests, folder, photographs=pictures, command=command, bar=not quiet, **options)
        echo(f"{weights}")

    made: click.Command = command
    return made


def _data_as_typed(data: tuple[Path, ...], skip_missing: bool) -> list[str]:
    return [*_named("--data", [path.resolve() for path in data]), *["--skip-missing"] * skip_missing]


def _blind_command(network: str) -> click.Command:
    @click.command(name=network, help=_HELP[network] + _STAGES, context_settings={"show_default": True})
    @optional_data_options
    @_out_option
    @click.option("--photographs", multiple=True, metavar="FOLDER|FILES", help="Undistorted pictures.")
    @click.option(
        "--pairs",
        multiple=True,
        type=click.Path(path_type=Path),
        metavar="FILE.csv|FOLDER",
        help="Distorted pictures with references for the first stage, besides photographs or instead; their scores "
        "are not used. Leave out the scenes that the result will be judged on.",
    )
    @click.option(
        "--start",
        type=click.Path(path_type=Path),
        metavar="FILE.safetensors",
        help="Result of a first stage, to train the second alone; for DIQA of either network.",
    )
    @click.option("--stage", type=click.Choice(["1", "both"]), default="both", help="What to train.")
    @recipe_options(QualityConfig.default(network))
    @_run_options(100, devices=True)
    def command(
        data: tuple[Path, ...],
        skip_missing: bool,
        dry_run: bool,
        out: Path | None,
        photographs: tuple[str, ...],
        pairs: tuple[Path, ...],
        start: Path | None,
        stage: str,
        quiet: bool,
        **options: Any,
    ) -> None:
        require_extra()
        config, options = _split(QualityConfig.default(network), options)
        if dry_run:
            report_survey(data, skip_missing=skip_missing)
            return
        folder = _needed(out)
        if stage == "both" and not data:
            raise click.UsageError("Missing option '--data', images with scores; or take --stage 1.")
        if stage == "1" and start is not None:
            raise click.UsageError("--start stands for the first stage, so --stage 1 would do nothing.")
        typed = [*_data_as_typed(data, skip_missing), *_named("--photographs", photographs)]
        typed += _named("--pairs", [path.resolve() for path in pairs])
        typed += _named("--start", () if start is None else (start,))
        typed += ["--stage", stage] * (stage != "both")
        options |= {"pairs": pairs, "command": _as_typed(config, *typed), "bar": not quiet}
        from ..training.quality.first_stage import fit_errors
        from ..training.quality.training import fit

        pictures = photographs_in(photographs)
        if stage == "1":
            weights = fit_errors(config, pictures, folder / "stage1", **options)
        else:
            manifests = opened(data, skip_missing=skip_missing)
            weights = fit(config, manifests, folder, photographs=pictures, start=start, **options)
        echo(f"{weights}")

    made: click.Command = command
    return made


@train.command(context_settings={"show_default": True})
@picture_options
@click.option(
    "--validate-part",
    callback=as_part,
    metavar="LOW:HIGH",
    help="Say in the end what share of these pictures is recognised; none of --part.",
)
@_needed_out_option
@recipe_options(WorkerConfig.default())
@_run_options(200)
def worker(
    data: Path, part: Part, size: int | None, validate_part: Part | None, out: Path, quiet: bool, **options: Any
) -> None:
    """Train a worker: a small recogniser, from labelled pictures.

    'iqmaps label' asks workers how well they do on distorted pictures, and 'iqmaps train metrifier' learns that from
    what they said. The result is FOLDER/worker.safetensors. Give workers of different --architecture the same --part,
    and label pictures of another.

    A run that was stopped goes on when the same command is given again.
    """
    require_extra()
    config, options = _split(WorkerConfig.default(), options)
    if validate_part is not None and max(part[0], validate_part[0]) < min(part[1], validate_part[1]):
        raise InputError(
            f"--validate-part {part_as_typed(validate_part)} overlaps --part {part_as_typed(part)}: the worker would "
            "be judged on what it has learnt."
        )
    from ..training.machine.pictures import read_pictures
    from ..training.machine.recognisers import fit_worker

    typed = ["--data", data.resolve().name]
    typed += ["--part", part_as_typed(part)] * (part != (0.0, 1.0))
    typed += ["--size", str(size)] * (size is not None)
    with Bars(hidden=quiet) as bars:
        pictures = read_pictures(
            data, part=part, size=size, progress=lambda done, total: bars.show("Reading", done, total)
        )
        weights = fit_worker(
            config,
            pictures,
            out,
            command=_as_typed(config, *typed),
            progress=lambda done, total: bars.show("Training", done, total),
            **options,
        )
    if pictures.skipped:
        echo(f"{len(pictures.skipped)} files could not be read, among them {pictures.skipped[0]}.", err=True)
    echo(f"{weights}")
    if validate_part is not None:
        _validate(weights, data, validate_part, pictures.size)


def _validate(weights: Path, data: Path, part: Part, size: tuple[int, int]) -> None:
    from ..training.machine.pictures import read_pictures
    from ..training.machine.recognisers import accuracy, load_worker

    network, classes = load_worker(weights)
    pictures = read_pictures(data, part=part, size=size[0] if size[0] == size[1] else None)
    if pictures.classes != classes:
        raise InputError(f"{data} has other classes than it had when {weights} was trained.")
    share = accuracy(network, pictures)
    echo(f"{share:.1%} of {len(pictures)} pictures that it has not seen are recognised.")


@train.command(context_settings={"show_default": True})
@click.option(
    "--labels",
    type=_FILE,
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
@_needed_out_option
@recipe_options(MetrifierConfig.default())
@_run_options(200)
def metrifier(labels: Path, data: Path, out: Path, quiet: bool, **options: Any) -> None:
    """Train the metrifier, which says how well recognisers do on an image and where.

    It learns from a table of labels: what workers (recognisers of your own, or those of 'iqmaps train worker') said of
    pictures distorted by the bank, as 'iqmaps label' writes it. The result is FOLDER/metrifier.safetensors, for
    'iqmaps machine --weights'. Judge it with 'iqmaps evaluate machine' on labels of other pictures.

    A run that was stopped goes on when the same command is given again.
    """
    require_extra()
    config, options = _split(MetrifierConfig.default(), options)
    from ..training.machine.labels import pictures_of, read_labels
    from ..training.machine.metrifier import fit_metrifier

    table = read_labels(labels)
    with Bars(hidden=quiet) as bars:
        pictures = pictures_of(table, data, progress=lambda done, total: bars.show("Reading", done, total))
        weights = fit_metrifier(
            config,
            table,
            pictures,
            out,
            command=_as_typed(config, "--labels", labels.name, "--data", data.resolve().name),
            making=lambda done, total: bars.show("Distorting", done, total),
            progress=lambda done, total: bars.show("Training", done, total),
            **options,
        )
    echo(f"{weights}")


@train.command(context_settings={"show_default": True})
@click.argument("trained", type=_FILE, metavar="FILE.safetensors")
@click.option("--name", required=True, help="What the weights are called: NAME.safetensors, and --weights NAME.")
@click.option(
    "--into",
    type=click.Path(path_type=Path, exists=True, file_okay=False),
    default=Path("weights"),
    metavar="FOLDER",
    help="Where the weights that ship are, with registry.toml.",
)
@click.option("--half", is_flag=True, help="Keep two bytes a number of what is large.")
@click.option(
    "--figures",
    type=_FILE,
    required=True,
    metavar="FILE.json",
    help="From 'iqmaps evaluate --json': how well the network does on pictures that it was not trained on.",
)
@click.option("--data", required=True, metavar="TEXT", help="What the network was trained on, in words.")
@click.option("--licence", required=True, metavar="TEXT", help="Of the weights, such as BSD-3-Clause.")
@click.option(
    "--residuals",
    type=_FILE,
    metavar="FILE.csv",
    help="From 'iqmaps evaluate quality|machine --runs': what a score's uncertainty is made of. It is written into "
    "FILE.safetensors too.",
)
def register(
    trained: Path, name: str, into: Path, half: bool, figures: Path, data: str, licence: str, residuals: Path | None
) -> None:
    """Register trained weights: put them among those that ship.

    FILE.safetensors gets into a folder whose registry.toml then has its record: network, sha256, data, command and
    figures. It becomes the default of its network. This is how a release gets its weights; it is run in a checkout of
    the sources.
    """
    require_extra()
    from ..core.models import read_state, sha256_of
    from ..training.limits import set_uncertainty
    from ..training.weights import held_out_figures
    from ..training.weights import register as put

    network = read_state(trained)[1].get("network", "")
    found = held_out_figures(figures, network)
    if residuals is not None:
        set_uncertainty(trained, residuals)
    made = put(trained, into, name, half=half, figures=found, data=data, licence=licence)
    echo(f"{made.name}: {made.stat().st_size:,} bytes, {sha256_of(made)}")


for _command in (*map(_threshold_command, NETWORKS), *map(_blind_command, BLIND_NETWORKS)):
    train.add_command(_command)
