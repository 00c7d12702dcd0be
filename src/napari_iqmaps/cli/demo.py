"""``iqmaps demo``: in napari where there is a display, as pictures where there is none."""

from __future__ import annotations

import os
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import click
from rich.progress import Progress

from ..core.kinds import KINDS
from ..core.visibility import threshold_map
from .engine import make_folder
from .options import core_options
from .report import console, print_table
from .streams import echo

_FOLDER = Path("iqmaps-demo")
_IN_NAPARI = "napari_iqmaps.plugin.demo"  # started as a program of its own: this face knows no viewer


@click.command()
@click.option(
    "--out",
    type=click.Path(file_okay=False, path_type=Path),
    metavar="FOLDER",
    help=f"Write pictures here, and open no window.  [without a display: {_FOLDER}]",
)
@core_options(threshold_map, "model")
def demo(out: Path | None, model: str) -> None:
    """Show what this package does, on a photo.

    With a display and napari: opens napari with the photo, its threshold map, and a distorted copy with its
    visibility map. Otherwise, or with --out: writes the same as pictures, as values (TIFF) and as a table.
    """
    if out is None:
        reason = _why_no_window() or _shown_in_napari(model)
        if not reason:
            return
        echo(f"{reason} Writing pictures instead.", err=True)
    _write(out or _FOLDER, model)


def _why_no_window() -> str:
    """Say why napari cannot be shown; empty if it may be."""
    if sys.platform.startswith("linux") and not (os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")):
        return "There is no display (neither DISPLAY nor WAYLAND_DISPLAY is set)."
    if find_spec("napari") is None:
        return 'napari is not installed (pip install "napari-iqmaps[all]").'
    return ""


def _shown_in_napari(model: str) -> str:
    """Run the demo in napari until its window is closed; give why it failed, or nothing."""
    echo("Opening napari ...", err=True)
    command = [sys.executable, "-m", _IN_NAPARI, "--model", model]
    run = subprocess.run(command, stderr=subprocess.PIPE, text=True, check=False)
    if run.returncode == 0:
        return ""
    lines = [line.strip() for line in run.stderr.splitlines() if line.strip()]
    # Qt says first what went wrong and then, at length, what else there would be; Python says it last.
    said = next((line for line in lines if "could not" in line.lower()), lines[-1] if lines else "it said nothing")
    return f"napari ended with status {run.returncode} ({said})."


def _write(folder: Path, model: str) -> None:
    from ..core.demonstration import write_demonstration  # brings matplotlib

    make_folder(folder)
    stderr = console(err=True)
    with Progress(console=stderr, transient=True, disable=not stderr.is_terminal) as bars:
        bar = bars.add_task("maps", total=None)
        demonstration = write_demonstration(
            folder, progress=lambda done, total: bars.update(bar, completed=done, total=total), model=model
        )
    print_table(
        "What the maps say",
        ["image", "map", "score", "reads as"],
        [
            (row["file"], KINDS[row["kind"]].title, f"{row['score']:.3g}", sentence)
            for row, sentence in zip(demonstration.rows, demonstration.sentences, strict=True)
        ],
        numbers=("score",),
    )
    echo(f"Written to {folder.absolute()}:")
    for file in demonstration.files:
        echo(f"  {file.name}")
