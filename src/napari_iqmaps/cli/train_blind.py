"""``iqmaps train diqa|deepbqa``: train a network that judges images without a reference."""

from __future__ import annotations

import shlex
from dataclasses import replace
from pathlib import Path
from typing import Any

import click

from ..training import require_extra
from ..training.quality.config import BLIND_NETWORKS, QualityConfig
from .data import opened, optional_data_options, report_survey
from .options import device_option
from .train import changed_options, photographs_in, recipe_options

_HELP = {
    "diqa": "Train DIQA, which predicts an error map and a score from the same features.",
    "deepbqa": "Train DeepBQA, which predicts errors and how much each of them matters.",
}
_MORE = """

    The first stage learns errors from undistorted photographs, which are distorted by the bank; nobody has to score
    them. Its result is FOLDER/stage1/stage1.safetensors. The second stage learns scores from images that people have
    scored, and from the distorted photographs besides; the scale, from 0 (best) to 100 (worst), is that of the first
    --data. Its result is FOLDER/NETWORK.safetensors.

    A run that was stopped goes on when the same command is given again.
"""


def _make_command(network: str) -> click.Command:
    @click.command(name=network, help=_HELP[network] + _MORE, context_settings={"show_default": True})
    @optional_data_options
    @click.option("--out", type=click.Path(path_type=Path), metavar="FOLDER", help="The run's folder; needed to train.")
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
    @click.option("--resume/--no-resume", default=True, help="Continue the run in --out, or refuse to.")
    @click.option("--checkpoint-every", type=click.IntRange(min=1), default=100, help="Steps between checkpoints.")
    @click.option("--quiet", is_flag=True, help="No progress bar.")
    @click.option("--devices", type=click.IntRange(min=1), default=1, help="Devices that share each step.")
    @device_option
    def command(
        data: tuple[Path, ...],
        skip_missing: bool,
        dry_run: bool,
        out: Path | None,
        photographs: tuple[str, ...],
        pairs: tuple[Path, ...],
        start: Path | None,
        stage: str,
        resume: bool,
        checkpoint_every: int,
        quiet: bool,
        devices: int,
        device: str,
        **recipe: Any,
    ) -> None:
        require_extra()
        config = replace(QualityConfig.default(network), **recipe)
        if dry_run:
            report_survey(data, skip_missing=skip_missing)
            return
        if out is None:
            raise click.UsageError("Missing option '--out', the run's folder.")
        if stage == "both" and not data:
            raise click.UsageError("Missing option '--data', images with scores; or take --stage 1.")
        if stage == "1" and start is not None:
            raise click.UsageError("--start stands for the first stage, so --stage 1 would do nothing.")
        from ..training.quality.fit import fit, fit_errors

        options: dict[str, Any] = {
            "pairs": pairs,
            "resume": resume,
            "device": device,
            "devices": devices,
            "checkpoint_every": checkpoint_every,
            "command": _as_typed(data, skip_missing, photographs, pairs, start, stage, config),
            "bar": not quiet,
        }
        pictures = photographs_in(photographs)
        if stage == "1":
            weights = fit_errors(config, pictures, out / "stage1", **options)
        else:
            manifests = opened(data, skip_missing=skip_missing)
            weights = fit(config, manifests, out, photographs=pictures, start=start, **options)
        click.echo(f"{weights}")

    made: click.Command = command
    return made


def _as_typed(
    data: tuple[Path, ...],
    skip_missing: bool,
    photographs: tuple[str, ...],
    pairs: tuple[Path, ...],
    start: Path | None,
    stage: str,
    config: QualityConfig,
) -> str:
    """Say the command with what differs from the defaults, and without this machine's folders."""
    words = ["iqmaps", "train", config.network]
    for path in data:
        words += ["--data", path.resolve().name]
    words += ["--skip-missing"] * skip_missing
    for name in photographs:
        words += ["--photographs", Path(name).name]
    for path in pairs:
        words += ["--pairs", path.resolve().name]
    if start is not None:
        words += ["--start", start.name]
    words += ["--stage", stage] * (stage != "both")
    return shlex.join(words + changed_options(config))


COMMANDS = tuple(_make_command(network) for network in BLIND_NETWORKS)
