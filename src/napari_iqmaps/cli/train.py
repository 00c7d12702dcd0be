"""``iqmaps train``: fit a threshold network to scored images."""

from __future__ import annotations

import shlex
from collections.abc import Callable
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import click

from ..core.errors import InputError
from ..training import require_extra
from ..training.config import NETWORKS, TrainingConfig
from .data import data_options, opened, report_survey
from .options import device_option

_PICTURES = (".png", ".jpg", ".jpeg", ".tif", ".tiff", ".bmp", ".webp")


@click.group()
def train() -> None:
    """Train a network on images with scores, or, for errors, on undistorted photographs.

    Images with scores are those of a CSV file with the columns file, reference and score (and type, scene, weight if
    you have them), headed by two lines that say the score's range and direction: '# best: 0' and '# worst: 100'. Or
    those of a folder that holds TID2013, LIVE release 2, CSIQ or KADID-10k as it unpacks.

    A run that was stopped goes on when the same command is given again.
    """


def recipe_options(default: Any) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Make an option of every field of a recipe.

    Parameters
    ----------
    default : TrainingConfig or QualityConfig
        Whose values to show as defaults; its network is no option.
    """

    def decorate(command: Callable[..., Any]) -> Callable[..., Any]:
        for entry in reversed(fields(default)):
            if entry.name != "network":
                command = _option(entry.name, getattr(default, entry.name), entry.metadata)(command)
        return command

    return decorate


def _option(name: str, default: Any, metadata: Any) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
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


def _make_command(network: str) -> click.Command:
    @click.command(name=network, help=_HELP[network], context_settings={"show_default": True})
    @data_options
    @click.option("--out", type=click.Path(path_type=Path), metavar="FOLDER", help="The run's folder; needed to train.")
    @recipe_options(TrainingConfig.default(network))
    @click.option(
        "--photographs",
        multiple=True,
        metavar="FOLDER|FILES",
        help="Undistorted pictures without scores, for --invariance and --pull.",
    )
    @click.option("--resume/--no-resume", default=True, help="Continue the run in --out, or refuse to.")
    @click.option("--checkpoint-every", type=click.IntRange(min=1), default=100, help="Steps between checkpoints.")
    @click.option("--quiet", is_flag=True, help="No progress bar.")
    @device_option
    def command(
        data: tuple[Path, ...],
        skip_missing: bool,
        dry_run: bool,
        out: Path | None,
        photographs: tuple[str, ...],
        resume: bool,
        checkpoint_every: int,
        quiet: bool,
        device: str,
        **recipe: Any,
    ) -> None:
        require_extra()
        config = replace(TrainingConfig.default(network), **recipe)
        if dry_run:
            report_survey(data, skip_missing=skip_missing)
            return
        if out is None:
            raise click.UsageError("Missing option '--out', the run's folder.")
        from ..training.fit import fit

        manifests = opened(data, skip_missing=skip_missing)
        weights = fit(
            config,
            manifests,
            out,
            photographs=photographs_in(photographs),
            resume=resume,
            device=device,
            checkpoint_every=checkpoint_every,
            command=_as_typed(data, skip_missing, photographs, config),
            bar=not quiet,
        )
        click.echo(f"{weights}")

    return command


def _as_typed(data: tuple[Path, ...], skip_missing: bool, photographs: tuple[str, ...], config: TrainingConfig) -> str:
    """Say the command with what differs from the defaults, and without this machine's folders."""
    words = ["iqmaps", "train", config.network]
    for path in data:
        words += ["--data", path.resolve().name]
    words += ["--skip-missing"] * skip_missing
    for name in photographs:
        words += ["--photographs", Path(name).name]
    return shlex.join(words + changed_options(config))


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


_HELP = {
    "pnet": "Train the P-net, which gives the visibility threshold of every place of an image.",
    "contrast": "Fit the contrast model: three numbers, the bar that the P-net has to beat.",
}
for _network in NETWORKS:
    train.add_command(_make_command(_network))


def _add_blind_networks() -> None:
    from .train_blind import COMMANDS  # it takes the options of a recipe from here

    for command in COMMANDS:
        train.add_command(command)


def _add_machine_networks() -> None:
    from .train_metrifier import metrifier
    from .train_worker import worker

    for command in (worker, metrifier):
        train.add_command(command)


_add_blind_networks()
_add_machine_networks()
