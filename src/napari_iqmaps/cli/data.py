"""What the commands that learn or judge read: scored images, labelled pictures; and bars that show how far they are."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from .streams import echo

if TYPE_CHECKING:
    from ..training.databases.manifest import Manifest


def data_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add ``--data``, ``--skip-missing`` and ``--dry-run``."""
    return _with_data(command, required=True)


def optional_data_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add the same for a command that can do without ``--data``."""
    return _with_data(command, required=False)


def _with_data(command: Callable[..., Any], *, required: bool) -> Callable[..., Any]:
    decorators = (
        click.option(
            "--data",
            multiple=True,
            required=required,
            type=click.Path(path_type=Path),
            metavar="FILE.csv|FOLDER",
            help="Scored images: a manifest, or the folder of TID2013, LIVE, CSIQ or KADID-10k; may be given several "
            "times.",
        ),
        click.option("--skip-missing", is_flag=True, help="Leave out images whose files are missing."),
        click.option("--dry-run", is_flag=True, help="Report what --data holds and lacks, and do nothing else."),
    )
    for decorate in reversed(decorators):
        command = decorate(command)
    return command


def opened(paths: Sequence[Path], *, skip_missing: bool) -> list[Manifest]:
    """Read and check databases, and say on standard error what had to be left out."""
    from ..training.databases.manifest import read_manifest

    manifests = [read_manifest(path, skip_missing=skip_missing) for path in paths]
    for manifest in manifests:
        if manifest.missing:
            count = manifest.missing + len(manifest.table)
            left_out = f"{manifest.missing} of {count} images are left out, because their files are missing."
            echo(f"{manifest.name}: {left_out}", err=True)
    return manifests


def report_survey(paths: Sequence[Path], *, skip_missing: bool, json_file: Path | None = None) -> None:
    """Print what databases hold; end with status 1 where the work itself would stop because files are missing."""
    import json

    from ..core.io.atomic import written_whole
    from ..training.databases import list_database
    from ..training.databases.survey import in_words, is_complete, survey

    found = survey([list_database(path) for path in paths])
    for line in in_words(found):
        echo(line)
    if json_file is not None:
        with written_whole(json_file) as part:
            part.write_text(json.dumps(found, indent=2) + "\n", encoding="utf-8")
    if not skip_missing and not is_complete(found):
        echo("Files are missing: complete them, or go on without them (--skip-missing).", err=True)
        click.get_current_context().exit(1)


Part = tuple[float, float]


def as_part(_ctx: click.Context, _param: click.Parameter, value: str | None) -> Part | None:
    """Read a part as it is typed: LOW:HIGH."""
    if value is None:
        return None
    low, colon, high = value.partition(":")
    try:
        part = float(low or 0), float(high or 1)
    except ValueError:
        colon = ""
    if not colon or not 0 <= part[0] < part[1] <= 1:
        raise click.BadParameter(f"{value!r} is not of the form LOW:HIGH, two rising numbers from 0 to 1.")
    return part


def picture_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add the options that say which labelled pictures are read."""
    for option in (
        click.option("--size", type=click.IntRange(min=1), metavar="PIXELS",
                     help="Bring the shorter side to this and cut out the middle.  [as they are, if all are alike]"),
        click.option("--part", callback=as_part, default="0:1", metavar="LOW:HIGH",
                     help="Only pictures whose name's number (by sha256) is in here, such as 0:0.45. Parts that do "
                     "not overlap hold different pictures."),
        click.option("--data", type=click.Path(path_type=Path), required=True, metavar="FOLDER|ARCHIVE",
                     help="Labelled pictures: a folder with a folder for each class, or a .tar, .tar.gz or .zip "
                     "of one."),
    ):  # fmt: skip
        command = option(command)
    return command


def part_as_typed(part: Part) -> str:
    """Say a part as it is typed."""
    return ":".join(f"{end:g}" for end in part)


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
