"""Databases of scored images, as commands take them: a CSV file or a folder in a published layout."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

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
    """Read and check databases, and say on standard error what had to be left out.

    Returns
    -------
    list of Manifest
        In the order given.
    """
    from ..training.databases.manifest import read_manifest

    manifests = [read_manifest(path, skip_missing=skip_missing) for path in paths]
    for manifest in manifests:
        if manifest.missing:
            count = manifest.missing + len(manifest.table)
            click.echo(f"{manifest.name}: {manifest.missing} of {count} images left out, for want of files.", err=True)
    return manifests


def report_survey(paths: Sequence[Path], *, skip_missing: bool, json_file: Path | None = None) -> None:
    """Print what databases hold; end with status 1 where the work itself would stop for want of files."""
    import json

    from ..core.io.atomic import written_whole
    from ..training.databases import list_database
    from ..training.databases.survey import in_words, is_complete, survey

    found = survey([list_database(path) for path in paths])
    for line in in_words(found):
        click.echo(line)
    if json_file is not None:
        with written_whole(json_file) as part:
            part.write_text(json.dumps(found, indent=2) + "\n", encoding="utf-8")
    if not skip_missing and not is_complete(found):
        click.echo("Files are missing: complete them, or go on without them (--skip-missing).", err=True)
        click.get_current_context().exit(1)
