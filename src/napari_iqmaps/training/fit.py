"""Train a threshold network: the same numbers from the same seed, and a run that can be stopped and continued."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from ..core import models
from ..core.errors import InputError
from . import runs
from .anchoring import anchor
from .batches import Batches
from .callbacks import Keeper
from .config import TrainingConfig
from .databases.manifest import Manifest, pooled, read_manifest
from .memory import keep_freed_memory
from .module import ThresholdTraining
from .precision import resolved_precision
from .quiet import quiet_lightning
from .samples import ScoredImages, measure_of
from .trainer import make_trainer, reproducible, step_of
from .weights_file import write_weights

Progress = Callable[[int, int], None]


def fit(
    config: TrainingConfig,
    manifests: Sequence[str | Path | Manifest],
    folder: str | Path,
    *,
    photographs: Sequence[str | Path] = (),
    resume: bool = True,
    device: str = "auto",
    checkpoint_every: int = 100,
    command: str = "",
    bar: bool = False,
    progress: Progress | None = None,
) -> Path:
    """Train a network on scored images.

    Parameters
    ----------
    photographs : sequence of str or pathlib.Path
        Undistorted images for what is learnt without scores (invariance, pull), besides the references.
    resume : bool
        Continue the run that the folder holds, if it has the same recipe and data.
    command : str
        What to write into the weights' header as the command that trained them.
    progress : callable, optional
        Called with ``(steps done, steps in all)``; raise `Cancelled` in it to stop with a checkpoint.
    """
    read = [read_manifest(path) for path in manifests]
    table = pooled(read)
    record = {
        "data": [
            {"manifest": each.path.name, "sha256": each.sha256, "images": len(each.table), "pristine": each.pristine}
            for each in read
        ]
    }
    folder = Path(folder)
    finished = finished_weights(config, folder, record, photographs, resume=resume)
    if finished is not None:
        return finished
    data = ScoredImages.read(table, measure_of(config), [str(path) for path in photographs])
    return fit_images(config, data, np.arange(len(table)), folder, record=record, device=device,
                      checkpoint_every=checkpoint_every, command=command, bar=bar, progress=progress)  # fmt: skip


def fit_images(
    config: TrainingConfig,
    data: ScoredImages,
    rows: npt.NDArray[np.intp],
    folder: Path,
    *,
    record: dict[str, Any],
    device: str = "auto",
    checkpoint_every: int = 100,
    command: str = "",
    bar: bool = False,
    progress: Progress | None = None,
) -> Path:
    """Train on some rows of images that are in memory; continues the folder's run."""
    there = finished_weights(config, folder, record, data.photographs)
    if there is not None:
        return there
    if checkpoint_every < 1:
        raise InputError(f"checkpoint_every is {checkpoint_every}; give a number of steps, at least 1.")
    if data.measure != measure_of(config):
        raise InputError(f"The images were read for {data.measure}, and the recipe has {measure_of(config)}.")
    if not len(rows):
        raise InputError("There are no images to learn from.")
    target = models.resolve(device)
    precision = resolved_precision(config.precision, target)
    runs.write_json(folder / runs.VERSIONS, runs.versions(target, precision))

    keep_freed_memory()
    checkpoint = folder / runs.CHECKPOINT
    first = step_of(checkpoint) if checkpoint.is_file() else 0
    batches = Batches(data, rows, config, first)
    with quiet_lightning(), reproducible():
        module = ThresholdTraining(config, len(batches.databases))
        if first < config.steps:
            keeper = Keeper(checkpoint, checkpoint_every, config.steps, progress)
            trainer = make_trainer(folder, config.steps, first=first, averaging=config.averaging, device=target,
                                   precision=precision, keeper=keeper, bar=bar)  # fmt: skip
            with keeper.listening():
                trainer.fit(module, batches, ckpt_path=checkpoint if first else None, weights_only=True)
        else:
            module.load_state_dict(torch.load(checkpoint, map_location="cpu", weights_only=True)["state_dict"])
    if config.anchor:
        anchor(module.network, data.bank, np.unique(batches.references), config.anchor)
    finished = folder / f"{config.network}.safetensors"
    header = {
        "trained_by": command or "napari_iqmaps.training.fit",
        "seed": str(config.seed),
        "steps": str(config.steps),
        "databases": ", ".join(batches.databases),
        "images": str(len(batches.files)),
    }
    write_weights(finished, config.network, module.network, header)
    return finished


def finished_weights(
    config: TrainingConfig,
    folder: Path,
    record: dict[str, Any],
    photographs: Sequence[Any],
    *,
    resume: bool = True,
) -> Path | None:
    """Prepare a run's folder, and give its weights if the run is finished already.

    Returns
    -------
    pathlib.Path or None
        The weights, if they are there.
    """
    full = {"config": asdict(config), **record, "photographs": len(photographs)}
    weights = folder / f"{config.network}.safetensors"
    return weights if runs.prepare(folder, full, resume=resume) and weights.is_file() else None
