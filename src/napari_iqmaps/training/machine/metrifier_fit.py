"""Run the training of the metrifier; a run can be stopped and continued."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file

from ...core import models as known_devices
from ...core.errors import InputError, WeightsError
from ...core.models import sha256_of
from .. import runs
from ..callbacks import Keeper
from ..memory import keep_freed_memory
from ..precision import resolved_precision
from ..quality.score_evidence import deviations_at
from ..quiet import quiet_lightning
from ..trainer import make_trainer, reproducible, step_of
from ..weights_file import write_tensors, write_weights
from .labels import LabelTable
from .metrifier_bank import MetrifierBank, MetrifierSteps, check_size, learnt_rows
from .metrifier_config import MetrifierConfig
from .metrifier_training import MetrifierTraining
from .pictures import LabelledPictures

Progress = Callable[[int, int], None]
Floats = npt.NDArray[np.float64]

NETWORK = "metrifier"

_POINTS = 100.0  # the scale that `deviations_at` smooths on
_FEWEST = 20


def fit_metrifier(
    config: MetrifierConfig,
    table: LabelTable,
    pictures: LabelledPictures,
    folder: str | Path,
    *,
    resume: bool = True,
    device: str = "auto",
    checkpoint_every: int = 200,
    command: str = "",
    progress: Progress | None = None,
    making: Progress | None = None,
) -> Path:
    """Train a metrifier on a table of labels.

    Parameters
    ----------
    table : LabelTable
        From ``iqmaps label``: how well workers did on which distorted pictures.
    resume : bool
        Continue the run that the folder holds, if it has the same recipe and table.
    command : str
        What to write into the weights' header as the command that trained them.
    progress : callable, optional
        Called with ``(steps done, steps in all)``; raise `Cancelled` in it to stop with a checkpoint.
    making : callable, optional
        Called before the steps with ``(pictures distorted, pictures in all)``; raise `Cancelled` in it to stop.

    Notes
    -----
    The pictures are distorted anew from what the table says of each row, and kept in memory; a continued run makes them
    once more. Whoever judges the result must not judge it on pictures of the table, nor on those that the workers
    were trained on.
    """
    if checkpoint_every < 1:
        raise InputError(f"checkpoint_every is {checkpoint_every}; give a number of steps, at least 1.")
    config.check_classes(len(pictures.classes))
    check_size(pictures.size)
    if pictures.fingerprint != table.record["pictures"]["sha256"]:
        raise InputError(f"{table.path} was made of other pictures. Read them with pictures_of(table, data).")
    folder = Path(folder)
    rows = learnt_rows(table.frame, config)
    finished = folder / f"{NETWORK}.safetensors"
    record: dict[str, Any] = {"config": asdict(config), "labels": _record(table), "rows": len(rows)}
    if runs.prepare(folder, record, resume=resume) and finished.is_file():
        return finished
    target = known_devices.resolve(device)
    precision = resolved_precision(config.precision, target)
    runs.write_json(folder / runs.VERSIONS, runs.versions(target, precision))

    keep_freed_memory()
    checkpoint = folder / runs.CHECKPOINT
    first = step_of(checkpoint) if checkpoint.is_file() else 0
    with quiet_lightning(), reproducible():
        module = MetrifierTraining(config, len(pictures.classes), half=precision != "32-true")
        module.network.trained_side.fill_(min(pictures.size))
        if first < config.steps:
            bank = MetrifierBank.made(pictures, rows, config.target, making)
            keeper = Keeper(checkpoint, checkpoint_every, config.steps, progress)
            # Lightning would cast everything; the module casts the convolutions alone.
            trainer = make_trainer(folder, config.steps, first=first, averaging=0, device=target, precision="32-true",
                                   keeper=keeper, bar=False)  # fmt: skip
            with keeper.listening():
                trainer.fit(module, MetrifierSteps(bank, config, first), ckpt_path=checkpoint if first else None,
                            weights_only=True)  # fmt: skip
        else:
            module.load_state_dict(torch.load(checkpoint, map_location="cpu", weights_only=True)["state_dict"])
    header = {
        "trained_by": command or "napari_iqmaps.training.machine.metrifier_fit",
        "seed": str(config.seed),
        "steps": str(config.steps),
        "target": config.target,
        "data": table.record["pictures"]["data"],
        "workers": ", ".join(table.workers),
        "images": str(rows["image"].nunique()),
        "rows": str(len(rows)),
        "labels_sha256": record["labels"]["sha256"],
        "left_out": ", ".join(config.left_out),
    }
    write_weights(finished, NETWORK, module.network, header)
    return finished


def set_metrifier_uncertainty(weights: str | Path, residuals: str | Path) -> None:
    """Write into weights how far their scores are off.

    Parameters
    ----------
    residuals : str or pathlib.Path
        A CSV file with the columns score and label, both from 0 to 1, of pictures that neither the workers nor the
        metrifier were trained on.

    Notes
    -----
    At six scores, the root mean square deviation around each, as `deviations_at` estimates it with a hundredth of the
    scale as a point. Rows without a score or a label do not count.
    """
    weights = Path(weights)
    try:
        tensors = load_file(weights)
        with safe_open(weights, framework="pt") as file:
            header: dict[str, str] = file.metadata() or {}
    except (OSError, SafetensorError) as error:
        raise WeightsError(f"{weights} cannot be read ({error}). Give weights of a metrifier.") from None
    if header.get("network") != NETWORK or "uncertainty.knots" not in tensors:
        raise WeightsError(f"{weights} are no weights of a metrifier. Give what `iqmaps train metrifier` made.")
    scores, targets = _read_residuals(Path(residuals))
    knots = tensors["uncertainty.knots"].double().numpy()
    deviations = deviations_at(_POINTS * knots, _POINTS * scores, _POINTS * targets) / _POINTS
    tensors["uncertainty.deviations"] = torch.from_numpy(deviations).float()
    write_tensors(weights, tensors, header | {"uncertainty_from": f"{len(scores)} images that were not trained on"})


def _read_residuals(path: Path) -> tuple[Floats, Floats]:
    try:
        table = pd.read_csv(path)
    except (OSError, ValueError) as error:
        raise InputError(
            f"{path} cannot be read ({error}). Give a CSV file with the columns score and label."
        ) from None
    missing = [name for name in ("score", "label") if name not in table]
    if missing:
        raise InputError(f"{path} has no column {' and no '.join(missing)}. It needs score and label.")
    table = table.dropna(subset=["score", "label"])
    if len(table) < _FEWEST:
        raise InputError(f"{path} has {len(table)} rows that count; at least {_FEWEST} are needed.")
    if not (table["score"].between(0, 1).all() and table["label"].between(0, 1).all()):
        raise InputError(f"{path} has scores or labels outside 0 to 1. Give both on that scale.")
    return table["score"].to_numpy(dtype=float), table["label"].to_numpy(dtype=float)


def _record(table: LabelTable) -> dict[str, Any]:
    return {"table": table.path.name, "sha256": sha256_of(table.path), "made_with": table.record}
