"""Train a small recogniser on labelled pictures; a run can be stopped and continued."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path

import torch

from ...core import models
from ...core.errors import InputError, WeightsError
from .. import runs
from ..callbacks import Keeper
from ..memory import keep_freed_memory
from ..precision import resolved_precision
from ..quiet import quiet_lightning
from ..trainer import make_trainer, reproducible, step_of
from ..weights_file import write_weights
from .pictures import LabelledPictures
from .worker_config import ARCHITECTURES, SMALLEST_SIDE, WorkerConfig
from .worker_networks import WorkerNetwork, predicted
from .worker_training import WorkerSteps, WorkerTraining

Progress = Callable[[int, int], None]

NETWORK = "worker"
"""What the header of the result calls it, and the name of its file."""


def fit_worker(
    config: WorkerConfig,
    pictures: LabelledPictures,
    folder: str | Path,
    *,
    resume: bool = True,
    device: str = "auto",
    checkpoint_every: int = 200,
    command: str = "",
    bar: bool = False,
    progress: Progress | None = None,
) -> Path:
    """Train a recogniser.

    Parameters
    ----------
    pictures : LabelledPictures
        What to learn from, at least 24 pixels a side.
    resume : bool
        Continue the run that the folder holds, if it has the same recipe and pictures.
    command : str
        What to write into the weights' header as the command that trained them.
    progress : callable, optional
        Called with ``(steps done, steps in all)``; raise `Cancelled` in it to stop with a checkpoint.
    """
    if checkpoint_every < 1:
        raise InputError(f"checkpoint_every is {checkpoint_every}; give a number of steps, at least 1.")
    _check(pictures)
    folder = Path(folder)
    config = replace(config, width=config.width or ARCHITECTURES[config.architecture])
    finished = folder / f"{NETWORK}.safetensors"
    there = runs.prepare(folder, {"config": asdict(config), "pictures": pictures.record()}, resume=resume)
    if there and finished.is_file():
        return finished
    target = models.resolve(device)
    precision = resolved_precision(config.precision, target)
    runs.write_json(folder / runs.VERSIONS, runs.versions(target, precision))

    keep_freed_memory()
    checkpoint = folder / runs.CHECKPOINT
    first = step_of(checkpoint) if checkpoint.is_file() else 0
    total = config.steps(len(pictures))
    with quiet_lightning(), reproducible():
        module = WorkerTraining(config, len(pictures.classes), total, half=precision != "32-true")
        if first < total:
            keeper = Keeper(checkpoint, checkpoint_every, total, progress)
            # Lightning would cast everything; the training step casts the convolutions alone.
            trainer = make_trainer(folder, total, first=first, averaging=config.averaging, device=target,
                                   precision="32-true", keeper=keeper, bar=bar)  # fmt: skip
            with keeper.listening():
                trainer.fit(module, WorkerSteps(pictures, config, first), ckpt_path=checkpoint if first else None,
                            weights_only=True)  # fmt: skip
        else:
            module.load_state_dict(torch.load(checkpoint, map_location="cpu", weights_only=True)["state_dict"])
    header = {
        "trained_by": command or "napari_iqmaps.training.machine.worker_fit",
        "seed": str(config.seed),
        "steps": str(total),
        "pictures": str(len(pictures)),
        "part": ":".join(f"{end:g}" for end in pictures.part),
        **describe(config, pictures.classes, pictures.size),
    }
    write_weights(finished, NETWORK, module.network, header)
    return finished


def describe(config: WorkerConfig, classes: tuple[str, ...], size: tuple[int, int]) -> dict[str, str]:
    """Say in the header of a recogniser's file what is needed to use it.

    Parameters
    ----------
    classes : tuple of str
        In the order of its answers.
    """
    return {
        "architecture": config.architecture,
        "width": str(config.width),
        "classes": json.dumps(list(classes)),
        "size": json.dumps(list(size)),
    }


def load_worker(path: str | Path) -> tuple[WorkerNetwork, tuple[str, ...]]:
    """Read a recogniser that was trained here.

    Returns
    -------
    classes : tuple of str
        In the order of its answers.
    """
    record = models.find(path, NETWORK)
    try:
        classes = tuple(str(name) for name in json.loads(record.details["classes"]))
        network = WorkerNetwork(record.details["architecture"], len(classes), int(record.details["width"]))
    except (KeyError, ValueError) as error:  # InputError is a ValueError
        raise WeightsError(f"The header of {path} does not say which recogniser it holds ({error}).") from None
    models.load_into(network, record.path)
    return network.eval().to(memory_format=torch.channels_last), classes  # type: ignore[call-overload]


def accuracy(network: WorkerNetwork, pictures: LabelledPictures) -> float:
    """Give the share of pictures that a recogniser gets right.

    Returns
    -------
    float
        0 to 1.
    """
    network.eval()
    said = predicted(network, torch.from_numpy(pictures.pixels).permute(0, 3, 1, 2))
    return float((said.argmax(1) == torch.from_numpy(pictures.labels)).float().mean())


def _check(pictures: LabelledPictures) -> None:
    if min(pictures.size) < SMALLEST_SIDE:
        raise InputError(
            f"The pictures have {pictures.size[0]}x{pictures.size[1]} pixels; a recogniser needs {SMALLEST_SIDE} a "
            "side. Give a larger size to bring them to."
        )
    shown = set(pictures.labels.tolist())
    if len(shown) < 2:
        raise InputError(f"All {len(pictures)} pictures show {pictures.classes[shown.pop()]}. Give a larger part.")
