"""Train a blind network stage by stage: its errors, DeepBQA's sensitivity, and its score."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Unpack

from ...core.io.atomic import written_whole
from ..databases.manifest import Manifest, check_names, read_manifest
from ..runs import RunOptions
from .first_stage import fit_errors
from .recipe import QualityConfig
from .second_stage import fit_scores
from .sensitivity import SENSITIVITY, fit_sensitivity, needs_sensitivity


def fit(
    config: QualityConfig,
    manifests: Sequence[str | Path | Manifest],
    folder: str | Path,
    *,
    photographs: Sequence[str | Path] = (),
    pairs: Sequence[str | Path | Manifest] = (),
    start: str | Path | None = None,
    **options: Unpack[RunOptions],
) -> Path:
    """Train a blind network: its errors into ``folder/stage1``, its sensitivity, and its score into ``folder/stage2``.

    `manifests`: images that people have scored, for the second stage; the first one's scores are the scale. `pairs`:
    distorted pictures for the first stage besides. Whoever judges the result on a database must leave its scenes out
    here: no other part of the first stage sees images of databases. `start`: result of a first stage, or of DeepBQA's
    sensitivity after it (``folder/sensitivity``); what it holds is not trained again. DIQA takes one of either network.
    """
    folder = Path(folder)
    read = [read_manifest(manifest) for manifest in manifests]
    check_names([manifest.name for manifest in read])  # before hours are spent
    if start is None:
        start = fit_errors(config, photographs, folder / "stage1", pairs=pairs, **options)
    options.pop("devices", None)  # the later stages are short
    if photographs and needs_sensitivity(config, start):  # it learns from nothing else
        start = fit_sensitivity(config, start, photographs, folder / SENSITIVITY, **options)
    # A result that is there may have got its uncertainty since.
    known = (folder / "stage2" / f"{config.network}.safetensors").is_file()
    made = fit_scores(config, start, read, folder / "stage2", photographs=photographs, **options)
    finished = folder / made.name
    if not (known and finished.is_file()):
        with written_whole(finished) as part:
            part.write_bytes(made.read_bytes())
    return finished
