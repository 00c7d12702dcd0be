"""The folder of a training run: what was asked for, with what, and what came out.

::

    config.json             the recipe, the manifests with their sha256, and what was held out
    versions.json           python, libraries, device, precision
    metrics.csv             the loss and its parts, by step
    last.ckpt               all that is needed to go on
    pnet.safetensors        the result (or contrast.safetensors)
"""

from __future__ import annotations

import csv
import json
import platform
from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch

from .. import __version__
from ..core.errors import InputError
from ..core.io.atomic import written_whole

CONFIG = "config.json"
VERSIONS = "versions.json"
METRICS = "metrics.csv"
CHECKPOINT = "last.ckpt"


def prepare(folder: Path, record: Mapping[str, Any], *, resume: bool) -> bool:
    """Make a run's folder, or recognise it.

    Returns
    -------
    bool
        Whether there is a run of the same record to continue.
    """
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
    differences = _differences(json.loads(path.read_text(encoding="utf-8")), json.loads(json.dumps(record)))
    if differences:
        raise InputError(
            f"{folder} holds a run with another recipe or other data: {'; '.join(differences[:5])}. "
            "Give a new folder, or the same options to continue it."
        )
    return True


def write_json(path: Path, content: Mapping[str, Any]) -> None:
    """Write JSON, whole or not at all."""
    with written_whole(path) as part:
        part.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")


def versions(device: torch.device, precision: str) -> dict[str, Any]:
    """Say what a run ran on.

    Returns
    -------
    dict
        Versions of python and of the libraries, device, precision and threads.
    """
    libraries = ("torch", "lightning", "numpy", "pandas", "safetensors", "scikit-image", "scipy")
    return {
        "napari-iqmaps": __version__,
        "python": platform.python_version(),
        **{name: version(name) for name in libraries},
        "platform": f"{platform.system()} {platform.machine()}",
        "device": str(device),
        "precision": precision,
        "threads": torch.get_num_threads(),
    }


def metrics_until(folder: Path, step: int) -> list[dict[str, Any]]:
    """Read what a run has logged before a step.

    Parameters
    ----------
    step : int
        Rows from this step on are left out: they will be written again.
    """
    path = folder / METRICS
    if not path.is_file():
        return []
    with path.open(newline="", encoding="utf-8") as file:
        rows = [{name: _number(text) for name, text in row.items() if text} for row in csv.DictReader(file)]
    return [row for row in rows if row["step"] < step]


def _number(text: str) -> int | float:
    return int(text) if text.lstrip("-").isdigit() else float(text)


def _differences(old: Any, new: Any, name: str = "") -> list[str]:
    """List where two JSON records differ."""
    if isinstance(old, dict) and isinstance(new, dict):
        keys = dict.fromkeys([*old, *new])
        return [line for key in keys for line in _differences(old.get(key), new.get(key), f"{name}.{key}".strip("."))]
    return [] if old == new else [f"{name} was {_short(old)}, is {_short(new)}"]


def _short(value: Any) -> str:
    text = json.dumps(value)
    return text if len(text) <= 60 else text[:57] + "..."
