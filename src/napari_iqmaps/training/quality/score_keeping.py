"""What a network said of images, in memory and as a file, so that a run that goes on need not ask it again."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor

from ...core.networks.blind import POOLED
from ..weights_file import write_tensors
from .pairs import Fixed

Floats = npt.NDArray[np.float32]
Halves = npt.NDArray[np.float16]


@dataclass(eq=False)
class SeenImages:
    """Images, and what a network says of each.

    Attributes
    ----------
    pooled : list of numpy.ndarray
        float32, ``(130,)``; see `napari_iqmaps.core.networks.blind.pooled`.
    perceptual : list of float
        Mean perceptual error with the first stage's sensitivity; empty for DIQA, as are the next three.
    luminance : list of numpy.ndarray
        In fixed point, ``(height, width)``.
    error, reliability : list of numpy.ndarray
        At the cells, float16: the error at least 0, the reliability not divided by its mean.
    """

    pooled: list[Floats] = field(default_factory=list)
    perceptual: list[float] = field(default_factory=list)
    luminance: list[Fixed] = field(default_factory=list)
    error: list[Halves] = field(default_factory=list)
    reliability: list[Halves] = field(default_factory=list)

    def vectors(self) -> Floats:
        """Give all pooled vectors, ``(images, 130)``."""
        return np.stack(self.pooled) if self.pooled else np.empty((0, POOLED), np.float32)

    def tensors(self) -> dict[str, Tensor]:
        """Give everything but the luminance, which is in the pictures."""
        flat = {
            name: np.concatenate([plane.ravel() for plane in planes]) if planes else np.empty(0, np.float16)
            for name, planes in (("error", self.error), ("reliability", self.reliability))
        }
        shapes = np.array([plane.shape for plane in self.error], dtype=np.int64).reshape(-1, 2)
        arrays = {"pooled": self.vectors(), "perceptual": np.array(self.perceptual), "shapes": shapes, **flat}
        return {name: torch.from_numpy(array) for name, array in arrays.items()}

    @classmethod
    def of(cls, tensors: Mapping[str, Tensor]) -> SeenImages:
        """Read what `tensors` gave.

        Returns
        -------
        SeenImages
            The same, without the luminance.
        """
        arrays = {name: tensor.numpy() for name, tensor in tensors.items()}
        ends = np.cumsum(arrays["shapes"].prod(1))[:-1]
        planes = {
            name: [part.reshape(shape) for part, shape in zip(np.split(arrays[name], ends), arrays["shapes"])]  # noqa: B905
            for name in ("error", "reliability")
        }
        return cls(list(arrays["pooled"]), arrays["perceptual"].tolist(), [], planes["error"], planes["reliability"])


def write_seen(path: Path, record: Mapping[str, Any], groups: Mapping[str, SeenImages], numbers: Any) -> None:
    """Write what was seen, whole or not at all."""
    tensors = {f"{group}.{name}": each for group, seen in groups.items() for name, each in seen.tensors().items()}
    tensors |= {name: torch.from_numpy(np.asarray(array, dtype=np.float64)) for name, array in numbers.items()}
    path.parent.mkdir(parents=True, exist_ok=True)
    write_tensors(path, tensors, {"record": json.dumps(record, sort_keys=True)})


def read_seen(
    path: Path, record: Mapping[str, Any]
) -> tuple[dict[str, SeenImages], dict[str, npt.NDArray[np.float64]]] | None:
    """Read what `write_seen` wrote.

    Returns
    -------
    groups, numbers : dict
        As they were written; None if there is no such file, or one that something else decided.
    """
    try:
        with safe_open(path, framework="pt") as file:
            if (file.metadata() or {}).get("record") != json.dumps(record, sort_keys=True):
                return None
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 # it is no mapping
    except (OSError, SafetensorError):
        return None
    names = {name.split(".")[0] for name in tensors if "." in name}
    groups = {
        group: SeenImages.of({
            name.removeprefix(f"{group}."): each for name, each in tensors.items() if name.startswith(f"{group}.")
        })
        for group in names
    }  # fmt: skip
    return groups, {name: tensor.numpy() for name, tensor in tensors.items() if "." not in name}
