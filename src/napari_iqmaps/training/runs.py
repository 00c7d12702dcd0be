"""The folder of a training run: what was asked for, with what, and what came out.

::

    config.json             the recipe, the data with their sha256, and what was held out
    versions.json           python, libraries, device, precision
    metrics.csv             the loss and its parts, by step
    last.ckpt               all that is needed to go on
    pnet.safetensors        the result (or that of another network)
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypedDict

from ..core.errors import InputError
from ..core.io.atomic import written_whole
from ..core.io.records import parse_table, read_json, read_text
from ..core.progress import Progress

CONFIG = "config.json"
VERSIONS = "versions.json"
METRICS = "metrics.csv"
CHECKPOINT = "last.ckpt"


class RunOptions(TypedDict, total=False):
    """How a run is carried out: what every training takes by these keywords, and what changes nothing in its result.

    Attributes
    ----------
    resume : bool
        Continue the run that the folder holds, if it has the same recipe and data; True.
    device : str
        ``"auto"`` or one of torch's.
    devices : int
        How many of them share each step, where a training can; 1.
    checkpoint_every : int
        Steps between checkpoints; 100.
    command : str
        What to write into the weights' header as the command that trained them.
    bar : bool
        Whether Lightning shows a bar; False.
    progress : callable or None
        Called with ``(steps done, steps in all)``; raise `Cancelled` in it to stop with a checkpoint.
    """

    resume: bool
    device: str
    devices: int
    checkpoint_every: int
    command: str
    bar: bool
    progress: Progress | None


@dataclass(frozen=True)
class Run:
    """A run's folder, and how the run is carried out; see `RunOptions`."""

    folder: Path
    resume: bool = True
    device: str = "auto"
    devices: int = 1
    checkpoint_every: int = 100
    command: str = ""
    bar: bool = False
    progress: Progress | None = None

    def __post_init__(self) -> None:
        if self.checkpoint_every < 1:
            raise InputError(f"checkpoint_every is {self.checkpoint_every}; give a number of steps, at least 1.")

    @property
    def checkpoint(self) -> Path:
        """The file of all that is needed to go on."""
        return self.folder / CHECKPOINT

    def finished(self, file: str, record: Mapping[str, Any]) -> Path | None:
        """Prepare the folder for a run of this record, and give its weights if it is finished already."""
        # Of several processes that share the steps, the first has made the folder when the others start.
        there = prepare(self.folder, record, resume=self.resume or not is_main_process())
        return self.folder / file if there and (self.folder / file).is_file() else None


def is_main_process() -> bool:
    """Tell whether this process writes files: the only one of a run, or the first of those that share its steps."""
    from lightning.pytorch.utilities import rank_zero_only

    return getattr(rank_zero_only, "rank", 0) == 0


def prepare(folder: Path, record: Mapping[str, Any], *, resume: bool) -> bool:
    """Make a run's folder, or recognise it; tell whether there is a run of the same record to continue."""
    if folder.exists() and not folder.is_dir():
        raise InputError(f"{folder} is a file. Give a folder for the run.")
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / CONFIG
    if not path.is_file():
        if any(folder.iterdir()):
            raise InputError(f"{folder} is not empty and holds no training run. Give a new folder.")
        write_json(path, record)
        return False
    if not resume:
        raise InputError(f"{folder} holds a run already. Give a new folder, or continue it with resume.")
    changes = differences(read_json(path), json.loads(json.dumps(record)))
    if changes:
        listed = "; ".join(f"{'.'.join(keys)} was {old}, is {new}" for keys, old, new in changes[:5])
        raise InputError(
            f"{folder} holds a run with another recipe or other data: {listed}. "
            "Give a new folder, or the same options to continue it."
        )
    return True


def write_json(path: Path, content: Mapping[str, Any]) -> None:
    """Write JSON, whole or not at all."""
    with written_whole(path) as part:
        part.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")


def metrics_until(folder: Path, step: int) -> list[dict[str, Any]]:
    """Read what a run has logged before a step; rows from it on will be written again."""
    path = folder / METRICS
    if not path.is_file():
        return []
    text = read_text(path)
    # What a killed run has left of its last line is behind its checkpoint.
    whole = text[: text.rfind("\n") + 1]
    if not whole:
        return []
    rows = []
    try:
        table = parse_table(whole, str(path), ("step",))
        for row in table.rows:
            rows.append({name: _number(table.number(row, name), cell) for name, cell in row.cells.items() if cell})
            if "step" not in rows[-1]:
                table.refuse(row, "step", "the number of a step")
    except InputError as error:
        raise InputError(f"{error} Remove the file to go on without what was logged before.") from error
    return [row for row in rows if row["step"] < step]


def _number(number: float, cell: str) -> int | float:
    """Give a number as it was written: whole numbers without a point are counts."""
    return int(cell) if cell.lstrip("-").isdigit() else number


def differences(old: Any, new: Any, *keys: str) -> list[tuple[tuple[str, ...], str, str]]:
    """List where two JSON records differ: the keys that lead there, and both values in short."""
    if isinstance(old, dict) and isinstance(new, dict):
        return [
            line for key in dict.fromkeys([*old, *new]) for line in differences(old.get(key), new.get(key), *keys, key)
        ]
    return [] if old == new else [(keys, _short(old), _short(new))]


def _short(value: Any) -> str:
    text = json.dumps(value)
    return text if len(text) <= 60 else text[:57] + "..."
