"""Run the second stage of a blind network's training: on all scored images, or on those of a fold."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from ...core import models
from ...core.errors import InputError
from ...core.models import load_into
from ...core.networks.blind import INPUT_SCALE
from ...core.networks.deepbqa import DeepBQA, SensitivityNet
from ...core.networks.normalised import CELL, REACH, normalised
from ...core.tiling import reflected, rounded_up
from .. import runs
from ..callbacks import Keeper
from ..databases.manifest import Manifest, read_manifest
from ..memory import keep_freed_memory
from ..precision import resolved_precision
from ..quiet import quiet_lightning
from ..trainer import make_trainer, reproducible, step_of
from ..weights_file import write_weights
from .config import QualityConfig
from .error_training import BLIND_CLASSES
from .forward import inner
from .pairs import as_luminance, learnt_photographs
from .score_bank import ScoreBank, perceptual_error, record_of
from .score_evidence import describe_training
from .score_steps import ScoreSteps, Targets, training_vectors
from .score_training import DeepBQAScores, DIQAScores, ScoreTraining

Progress = Callable[[int, int], None]

SEEN = "seen.safetensors"
"""The file of what the first stage's network says of all images, in the folder of a second stage."""

_MARGIN = rounded_up(max(SensitivityNet.REACH + REACH, 2 * REACH) + 1, CELL)


def fit_scores(
    config: QualityConfig,
    start: str | Path,
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
    """Train the second stage: the score, on images that people have scored.

    Parameters
    ----------
    start : str or pathlib.Path
        Weights of a first stage. DIQA takes those of either network.
    manifests : sequence of str, pathlib.Path or Manifest
        Scored images. The scale of the result is 100 times the first one's impairment.
    photographs : sequence of str or pathlib.Path
        Undistorted pictures, distorted by the bank, whose scores are predicted from their references.
    resume : bool
        Continue the run that the folder holds, if it has the same recipe and data.
    progress : callable, optional
        Called with ``(done, in all)``, images first, then steps; raise `Cancelled` in it to stop.
    """
    folder, read = Path(folder), [read_manifest(manifest) for manifest in manifests]
    learnt = learnt_photographs([Path(path) for path in photographs], config.hold_out)
    rows = np.arange(sum(len(manifest.table) for manifest in read))
    record = _record(config, record_of(config, start, read, learnt), rows)
    finished = folder / f"{config.network}.safetensors"
    if runs.prepare(folder, record, resume=resume) and finished.is_file():
        return finished
    bank = ScoreBank(config, start, read, photographs, keep=folder / SEEN, device=device, progress=progress)
    return fit_scores_on(bank, rows, config, folder, device=device,
                         checkpoint_every=checkpoint_every, command=command, bar=bar, progress=progress)  # fmt: skip


def fit_scores_on(
    bank: ScoreBank,
    rows: npt.NDArray[np.intp],
    config: QualityConfig,
    folder: Path,
    *,
    resume: bool = True,
    device: str = "auto",
    checkpoint_every: int = 100,
    command: str = "",
    bar: bool = False,
    progress: Progress | None = None,
) -> Path:
    """Train the second stage on some rows of images that a network has seen already; continues the folder's run.

    Parameters
    ----------
    bank : ScoreBank
        The images. All its distorted photographs are learnt from, whatever the rows.
    config : QualityConfig
        The recipe; it may differ from the bank's in how it learns.

    Returns
    -------
    pathlib.Path
        The weights, ``diqa.safetensors`` or ``deepbqa.safetensors``, with what they know of their training images.
    """
    bank.check(config)
    if checkpoint_every < 1:
        raise InputError(f"checkpoint_every is {checkpoint_every}; give a number of steps, at least 1.")
    finished = folder / f"{config.network}.safetensors"
    record = _record(config, bank.record, rows)
    targets = Targets.of(bank, rows)
    if runs.prepare(folder, record, resume=resume) and finished.is_file():
        return finished
    target = models.resolve(device)
    precision = resolved_precision(config.precision, target)
    runs.write_json(folder / runs.VERSIONS, runs.versions(target, precision))

    keep_freed_memory()
    checkpoint = folder / runs.CHECKPOINT
    first = step_of(checkpoint) if checkpoint.is_file() else 0
    with quiet_lightning(), reproducible():
        steps = ScoreSteps(bank, targets, config, first)
        module = _module(bank, targets, config, steps, half=precision != "32-true")
        if first < config.stage2_steps:
            keeper = Keeper(checkpoint, checkpoint_every, config.stage2_steps, progress)
            trainer = make_trainer(folder, config.stage2_steps, first=first, averaging=config.averaging2, device=target,
                                   precision="32-true", keeper=keeper, bar=bar)  # fmt: skip
            with keeper.listening():
                trainer.fit(module, steps, ckpt_path=checkpoint if first else None, weights_only=True)
        else:
            module.load_state_dict(torch.load(checkpoint, map_location="cpu", weights_only=True)["state_dict"])
        module.cpu().finish()
    network: Any = module.network
    describe_training(network.evidence, training_vectors(bank, rows))
    header = {
        "trained_by": command or "napari_iqmaps.training.quality.score_fit",
        "seed": str(config.seed),
        "steps": str(config.stage2_steps),
        "stage": "2",
        "start_sha256": bank.record["start"]["sha256"],
        "data": ", ".join(targets.databases),
        "scale": targets.databases[0],
        "images": str(len(rows)),
        "distorted_photographs": str(len(targets.pseudo)),
        "left_out": ", ".join(config.left_out),
    }
    write_weights(finished, config.network, network, header)
    return finished


def scores_of(bank: ScoreBank, weights: str | Path, rows: npt.NDArray[np.intp]) -> npt.NDArray[np.float64]:
    """Score images that a network has seen already with a second stage that started from it.

    Returns
    -------
    numpy.ndarray
        0 (best) to 100 (worst), ``(rows,)``: what `napari_iqmaps.quality` says, within the precision of the
        convolutions in training, and much faster.
    """
    config = bank.config
    network: Any = BLIND_CLASSES[config.network]()
    load_into(network, weights)
    network.eval().to(memory_format=torch.channels_last)
    with torch.inference_mode():
        if isinstance(network, DeepBQA):
            half = resolved_precision(config.precision, torch.device("cpu")) != "32-true"
            reduced = torch.stack([_perceptual_error(bank, int(row), network, half) for row in rows])
        else:
            reduced = torch.from_numpy(bank.scored.vectors()[rows])
        found: npt.NDArray[np.float64] = network.score(reduced).double().numpy()
        return found


def _record(config: QualityConfig, seen: Mapping[str, Any], rows: npt.NDArray[np.intp]) -> dict[str, Any]:
    digest = hashlib.sha256(np.asarray(rows, dtype=np.int64).tobytes()).hexdigest()
    return {"stage": 2, "config": config.of_stage(2), **seen, "rows": {"number": len(rows), "sha256": digest}}


def _module(
    bank: ScoreBank, targets: Targets, config: QualityConfig, steps: ScoreSteps, *, half: bool
) -> ScoreTraining:
    network: Any = bank.network()
    databases = len(targets.databases)
    if isinstance(network, DeepBQA):
        return DeepBQAScores(config, half, network, databases, bank, targets)
    return DIQAScores(config, half, network, databases, steps)


def _perceptual_error(bank: ScoreBank, row: int, network: DeepBQA, half: bool) -> torch.Tensor:
    """Give an image's mean perceptual error with the sensitivity of another network than the first stage's."""
    luminance = as_luminance(bank.scored.luminance[row])
    rows, columns = (
        reflected(np.arange(-_MARGIN, rounded_up(length, CELL) + _MARGIN), length) for length in luminance.shape
    )
    window = torch.from_numpy(luminance[np.ix_(rows, columns)])[None, None]
    scaled = (normalised(window) / INPUT_SCALE).contiguous(memory_format=torch.channels_last)
    with torch.autocast("cpu", torch.bfloat16, enabled=half):
        sensitivity = network.sensitivity_of(scaled)
    sensitivity = inner(sensitivity.float(), _MARGIN // CELL)
    error, raw = (
        torch.from_numpy(each[row].astype(np.float32))[None, None]
        for each in (bank.scored.error, bank.scored.reliability)
    )
    return perceptual_error(sensitivity, error, raw, bank.config.reliability_weighting)[0]
