"""Run the training of a blind network, stage by stage; a run can be stopped and continued."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import torch

from ...core import models as known_devices
from ...core.errors import InputError
from ...core.io.atomic import written_whole
from .. import runs
from ..callbacks import Keeper
from ..databases.manifest import Manifest, check_names, read_manifest
from ..memory import keep_freed_memory
from ..precision import resolved_precision
from ..quiet import quiet_lightning
from ..trainer import is_main_process, make_trainer, reproducible, step_of
from ..weights_file import write_weights
from .config import QualityConfig
from .error_training import ErrorTraining
from .pairs import PairBank, fingerprint, learnt_photographs
from .score_fit import fit_scores
from .sensitivity_training import SENSITIVITY, fit_sensitivity, needs_sensitivity
from .steps import Steps

Progress = Callable[[int, int], None]

STAGE1 = "stage1.safetensors"
"""The file of the first stage's result in its folder: the whole network, its score head untrained."""


def fit(
    config: QualityConfig,
    manifests: Sequence[str | Path | Manifest],
    folder: str | Path,
    *,
    photographs: Sequence[str | Path] = (),
    pairs: Sequence[str | Path | Manifest] = (),
    start: str | Path | None = None,
    resume: bool = True,
    device: str = "auto",
    devices: int = 1,
    checkpoint_every: int = 100,
    command: str = "",
    bar: bool = False,
    progress: Progress | None = None,
) -> Path:
    """Train a blind network: its errors into ``folder/stage1``, its sensitivity, and its score into ``folder/stage2``.

    Parameters
    ----------
    manifests : sequence of str, pathlib.Path or Manifest
        Images that people have scored, for the second stage; the first one's scores are the scale.
    pairs : sequence of str, pathlib.Path or Manifest
        Distorted pictures for the first stage besides. Whoever judges the result on a database must leave its scenes
        out here: no other part of the first stage sees images of databases.
    start : str or pathlib.Path, optional
        Result of a first stage, or of DeepBQA's sensitivity after it (``folder/sensitivity``); what it holds is not
        trained again. DIQA takes one of either network.
    resume : bool
        Continue what the folder holds, if it has the same recipe and data.
    """
    folder = Path(folder)
    read = [read_manifest(manifest) for manifest in manifests]
    check_names([manifest.name for manifest in read])  # before hours are spent
    if start is None:
        start = fit_errors(config, photographs, folder / "stage1", pairs=pairs, resume=resume, device=device,
                           devices=devices, checkpoint_every=checkpoint_every, command=command, bar=bar,
                           progress=progress)  # fmt: skip
    if photographs and needs_sensitivity(config, start):  # it learns from nothing else
        start = fit_sensitivity(config, start, photographs, folder / SENSITIVITY, resume=resume, device=device,
                                checkpoint_every=checkpoint_every, command=command, bar=bar,
                                progress=progress)  # fmt: skip
    # A result that is there may have got its uncertainty since.
    known = (folder / "stage2" / f"{config.network}.safetensors").is_file()
    made = fit_scores(config, start, read, folder / "stage2", photographs=photographs, resume=resume, device=device,
                      checkpoint_every=checkpoint_every, command=command, bar=bar, progress=progress)  # fmt: skip
    finished = folder / made.name
    if not (known and finished.is_file()):
        with written_whole(finished) as part:
            part.write_bytes(made.read_bytes())
    return finished


def fit_errors(
    config: QualityConfig,
    photographs: Sequence[str | Path],
    folder: str | Path,
    *,
    pairs: Sequence[str | Path | Manifest] = (),
    resume: bool = True,
    device: str = "auto",
    devices: int = 1,
    checkpoint_every: int = 100,
    command: str = "",
    bar: bool = False,
    progress: Progress | None = None,
) -> Path:
    """Train the first stage: the error map, from photographs that no person has scored.

    Parameters
    ----------
    photographs : sequence of str or pathlib.Path
        Undistorted pictures of any size from the windows' on. They are distorted by the bank.
    pairs : sequence of str, pathlib.Path or Manifest
        Distorted pictures with their references besides, or instead, as `manifest` describes. Scores are not used.
    resume : bool
        Continue the run that the folder holds, if it has the same recipe and data.
    devices : int
        How many of them share each step; `photographs_per_step` has to be a multiple of it.
    command : str
        What to write into the weights' header as the command that trained them.
    progress : callable, optional
        Called with ``(steps done, steps in all)``; raise `Cancelled` in it to stop with a checkpoint.

    Returns
    -------
    pathlib.Path
        ``stage1.safetensors``: the state of the whole network.

    Notes
    -----
    Pairs are made when they are first drawn, about a tenth of a second each, and kept: the first steps are slower than
    the others, also of a continued run. They take 2.1 bytes a pixel, 330 kB for 480x320 pixels.
    """
    if checkpoint_every < 1:
        raise InputError(f"checkpoint_every is {checkpoint_every}; give a number of steps, at least 1.")
    if devices < 1 or config.photographs_per_step % devices:
        raise InputError(
            f"{devices} devices cannot share {config.photographs_per_step} photographs a step evenly. "
            "Make photographs_per_step a multiple of devices."
        )
    folder = Path(folder)
    paths = learnt_photographs([Path(path) for path in photographs], config.hold_out)
    read = [read_manifest(path) for path in pairs]
    finished = folder / STAGE1
    record = _record(config, paths, read)
    # What cannot be used is found before the folder is made.
    bank = None if finished.is_file() else PairBank(config, paths, read)
    # The first process of several has made the folder when the others start.
    if runs.prepare(folder, record, resume=resume or not is_main_process()) and bank is None:
        return finished
    target = known_devices.resolve(device)
    precision = resolved_precision(config.precision, target)
    runs.write_json(folder / runs.VERSIONS, runs.versions(target, precision))

    keep_freed_memory()
    checkpoint = folder / runs.CHECKPOINT
    first = step_of(checkpoint) if checkpoint.is_file() else 0
    with quiet_lightning(), reproducible():
        module = ErrorTraining(config, half=precision != "32-true")
        if bank is not None and first < config.stage1_steps:
            steps = Steps(bank, config, first)
            keeper = Keeper(checkpoint, checkpoint_every, config.stage1_steps, progress)
            # Lightning would cast everything; `forward` casts the convolutions alone.
            trainer = make_trainer(folder, config.stage1_steps, first=first, averaging=config.averaging, device=target,
                                   precision="32-true", keeper=keeper, bar=bar, devices=devices)  # fmt: skip
            with keeper.listening():
                trainer.fit(module, steps, ckpt_path=checkpoint if first else None, weights_only=True)
        else:
            module.load_state_dict(torch.load(checkpoint, map_location="cpu", weights_only=True)["state_dict"])
    header = {
        "trained_by": command or "napari_iqmaps.training.quality.fit",
        "seed": str(config.seed),
        "steps": str(config.stage1_steps),
        "stage": "1",
        "photographs": str(len(paths)),
        "pairs": ", ".join(manifest.name for manifest in read),
        "left_out": ", ".join(config.left_out),
    }
    if is_main_process():
        write_weights(finished, config.network, module.network, header)
    return finished


def _record(config: QualityConfig, photographs: Sequence[Path], pairs: Sequence[Manifest]) -> dict[str, Any]:
    missing = [path for path in photographs if not path.is_file()]
    if missing:
        raise InputError(f"{len(missing)} photographs are not there; the first is {missing[0]}.")
    return {
        "stage": 1,
        "config": config.of_stage(1),
        "photographs": {"number": len(photographs), "sha256": fingerprint(photographs)},
        "pairs": [
            {"manifest": each.path.name, "sha256": each.sha256, "images": len(each.table), "pristine": each.pristine}
            for each in pairs
        ],
    }
