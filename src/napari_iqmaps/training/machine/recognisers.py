"""Small recognisers of different make, and their training on labelled pictures: the workers that are made here."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any, Unpack

import numpy as np
import torch
from torch import Tensor, nn

from ...core import models
from ...core.errors import InputError, WeightsError
from ...core.io.records import Fields, parse_json
from ..draws import Draws, Epochs, Integers
from ..engine import Training, run_training
from ..runs import Run, RunOptions
from .pictures import LabelledPictures
from .recipe import ARCHITECTURES, SMALLEST_SIDE, WorkerConfig

NETWORK = "worker"
"""What the header of the result calls it, and the name of its file."""

MIDDLE, SPREAD = 0.47, 0.25
"""What is taken off values of 0 (black) to 1 (white) and what they are divided by, of natural photographs."""

_WIDEST = 4096
"""Channels of the first step; a file that states more would take all memory before its tensors are looked at."""

_ORDER = 1
"""Tells the draws of an epoch's order from those of a step."""


def _step(
    inputs: int, outputs: int, kernel: int = 3, stride: int = 1, *, groups: int = 1, pool: bool = False
) -> nn.Sequential:
    """Convolve, halve if wanted, normalise over the batch, rectify."""
    layers: list[nn.Module] = [
        nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2, groups=groups, bias=False),
        # Before the normalisation, which then has a quarter of the numbers to go through.
        *([nn.MaxPool2d(2)] if pool else []),
        nn.BatchNorm2d(outputs),
        nn.ReLU(inplace=True),
    ]
    return nn.Sequential(*layers)


class _Residual(nn.Module):
    """Add what a few layers say to what they were given."""

    def __init__(self, *layers: nn.Module) -> None:
        super().__init__()
        self.change = nn.Sequential(*layers)

    def forward(self, cells: Tensor) -> Tensor:
        change: Tensor = self.change(cells)
        return cells + change


def _separable(inputs: int, outputs: int, *, pool: bool = False) -> nn.Sequential:
    """Filter each channel by itself, then mix the channels."""
    # In bfloat16 a filter that skips pixels goes a slow way: 110 ms for 20 (48 channels of 32x32, torch 2.13).
    return nn.Sequential(_step(inputs, inputs, groups=inputs), _step(inputs, outputs, 1, pool=pool))


def _plain(width: int) -> tuple[nn.Sequential, int]:
    """Convolutions and maxima, one after the other, as in VGG."""
    return nn.Sequential(
        _step(3, width),
        _step(width, 2 * width, pool=True),
        _step(2 * width, 2 * width),
        _step(2 * width, 4 * width, pool=True),
        _step(4 * width, 4 * width),
        _step(4 * width, 8 * width, pool=True),
        _step(8 * width, 8 * width),
    ), 8 * width


def _residual(width: int) -> tuple[nn.Sequential, int]:
    """Pairs of convolutions that add to what they were given, as in ResNet."""

    def pair(channels: int) -> nn.Module:
        return _Residual(
            _step(channels, channels), nn.Conv2d(channels, channels, 3, 1, 1, bias=False), nn.BatchNorm2d(channels)
        )

    layers: list[nn.Module] = [_step(3, width)]
    for times in (1, 2, 4):
        layers += [_step(times * width, 2 * times * width, stride=2), pair(2 * times * width), nn.ReLU(inplace=True)]
    return nn.Sequential(*layers), 8 * width


def _separated(width: int) -> tuple[nn.Sequential, int]:
    """One filter a channel, then a mixture of the channels, as in MobileNet."""
    return nn.Sequential(
        _step(3, 2 * width, pool=True),
        _Residual(_separable(2 * width, 2 * width)),
        _Residual(_separable(2 * width, 2 * width)),
        _separable(2 * width, 4 * width, pool=True),
        _Residual(_separable(4 * width, 4 * width)),
        _Residual(_separable(4 * width, 4 * width)),
        _Residual(_separable(4 * width, 4 * width)),
        _separable(4 * width, 8 * width, pool=True),
    ), 8 * width


def _patches(width: int) -> tuple[nn.Sequential, int]:
    """Overlapping patches of 5x5 pixels, mixed over places and over channels by turns, as in ConvMixer."""
    layers: list[nn.Module] = [_step(3, width, 5, 3)]
    for _ in range(5):
        layers += [_Residual(_step(width, width, groups=width)), _step(width, width, 1)]
    return nn.Sequential(*layers), width


_BUILDERS: dict[str, Callable[[int], tuple[nn.Sequential, int]]] = {
    "plain": _plain,
    "residual": _residual,
    "separable": _separated,
    "patches": _patches,
}


class WorkerNetwork(nn.Module):
    """A recogniser, which says what class a picture shows.

    `width`: channels of its first step; by default what the command line has for the architecture.

    The features of all places are averaged, so a picture may have any size from 24 pixels a side on; objects have to
    be about as large, in pixels, as in the pictures it learnt from.
    """

    def __init__(self, architecture: str, classes: int, width: int | None = None) -> None:
        super().__init__()
        if architecture not in _BUILDERS:
            raise InputError(f"There is no architecture {architecture!r}. Choose one of {', '.join(_BUILDERS)}.")
        if classes < 2:
            raise InputError(f"There are {classes} classes; a recogniser needs two or more to choose from.")
        self.features, channels = _BUILDERS[architecture](width or ARCHITECTURES[architecture])
        self.head = nn.Linear(channels, classes)

    def forward(self, colours: Tensor) -> Tensor:
        """Give the logit of each class.

        `colours`: ``(batch, 3, height, width)``, RGB from 0 (black) to 1 (white), at least 24 pixels a side.
        """
        height, width = colours.shape[-2:]
        if min(height, width) < SMALLEST_SIDE:
            raise InputError(
                f"The pictures have {height}x{width} pixels; the recogniser needs {SMALLEST_SIDE} a side. Enlarge them."
            )
        cells: Tensor = self.features((colours - MIDDLE) / SPREAD)
        logits: Tensor = self.head(cells.mean((2, 3)))
        return logits


def predicted(network: nn.Module, pictures: Tensor, batch: int = 500) -> Tensor:
    """Give a network's probabilities, float32 ``(number, classes)``, for uint8 ``(number, 3, height, width)``."""
    with torch.inference_mode():
        parts = [network(part.float() / 255).float().softmax(1) for part in torch.split(pictures, batch)]
    return torch.cat(parts)


class WorkerSteps(Draws):
    """The steps of a run from a given one on.

    Every epoch takes the pictures in a new order; a step may reach from one epoch into the next.
    """

    def __init__(self, pictures: LabelledPictures, config: WorkerConfig, first: int = 0) -> None:
        super().__init__(config.steps(len(pictures)), first)
        self.pictures = torch.from_numpy(pictures.pixels).permute(0, 3, 1, 2)
        self.labels = torch.from_numpy(pictures.labels)
        self.config = config
        self.order = Epochs(config.seed, len(pictures), _ORDER)

    def step(self, number: int) -> dict[str, Tensor]:
        """Draw one step: colours, uint8 ``(batch, 3, height, width)``, and label, ``(batch,)``."""
        config = self.config
        rows = torch.from_numpy(self._rows(number))
        rng = np.random.default_rng((config.seed, number))
        colours = self.pictures[rows]
        if config.flip:
            flipped = torch.from_numpy(rng.random(len(rows)) < 0.5)
            colours = torch.where(flipped[:, None, None, None], colours.flip(3), colours)
        height, width = colours.shape[-2:]
        reach = min(config.shift, height - 1, width - 1)
        if reach:
            colours = nn.functional.pad(colours.float(), (reach,) * 4, mode="reflect").to(torch.uint8)
            corners = torch.from_numpy(rng.integers(2 * reach + 1, size=(2, len(rows))))
            down = (corners[0][:, None] + torch.arange(height))[:, None, :, None]
            right = (corners[1][:, None] + torch.arange(width))[:, None, None, :]
            colours = colours[torch.arange(len(rows))[:, None, None, None], torch.arange(3)[:, None, None], down, right]
        return {"colours": colours, "label": self.labels[rows]}

    def _rows(self, number: int) -> Integers:
        batch = self.config.batch
        return np.array([self.order.at(place) for place in range(number * batch, (number + 1) * batch)])


class WorkerTraining(Training):
    """A recogniser in training."""

    config: WorkerConfig
    network: WorkerNetwork

    def __init__(self, config: WorkerConfig, classes: int, steps: int, *, half: bool) -> None:
        super().__init__(config, half)
        self.steps = steps
        self.network = WorkerNetwork(config.architecture, classes, config.width)
        self.to(memory_format=torch.channels_last)

    def losses(self, batch: dict[str, Tensor]) -> tuple[Tensor, dict[str, Tensor]]:
        """Give the cross-entropy of a step, and the share of pictures that are recognised."""
        colours = (batch["colours"].float() / 255).contiguous(memory_format=torch.channels_last)
        with torch.autocast(colours.device.type, torch.bfloat16, enabled=self.half_precision):
            logits = self.network(colours)
        loss = nn.functional.cross_entropy(logits.float(), batch["label"], label_smoothing=self.config.smoothing)
        return loss, {"accuracy": (logits.argmax(1) == batch["label"]).float().mean()}

    def configure_optimizers(self) -> Any:
        """Give AdamW and its schedule."""
        groups = self.pulled_and_free(self.config.rate, self.config.weight_decay)
        return self.adamw(groups, "one-cycle", self.steps, self.config.warm_up)


def fit_worker(
    config: WorkerConfig,
    pictures: LabelledPictures,
    folder: str | Path,
    **options: Unpack[RunOptions],
) -> Path:
    """Train a recogniser.

    `pictures`: what to learn from, at least 24 pixels a side.
    """
    run = Run(Path(folder), **options)
    _check(pictures)
    config = replace(config, width=config.width or ARCHITECTURES[config.architecture])
    steps, file = config.steps(len(pictures)), f"{NETWORK}.safetensors"
    return run.finished(file, {"config": asdict(config), "pictures": pictures.record()}) or run_training(
        run,
        config,
        file,
        lambda half: WorkerTraining(config, len(pictures.classes), steps, half=half),
        lambda: WorkerSteps(pictures, config),
        steps=steps,
        header={
            "pictures": str(len(pictures)),
            "part": ":".join(f"{end:g}" for end in pictures.part),
            "architecture": config.architecture,
            "width": str(config.width),
            "classes": json.dumps(list(pictures.classes)),
            "size": json.dumps(list(pictures.size)),
        },
        averaging=config.averaging,
    )


def load_worker(path: str | Path) -> tuple[WorkerNetwork, tuple[str, ...]]:
    """Read a recogniser that was trained here, and its classes in the order of its answers."""
    record = models.find(path, NETWORK)
    header = Fields(record.details, f"The header of {path}", WeightsError)
    width = header.text("width")
    if not width.isdecimal() or not 0 < int(width[:6]) <= _WIDEST:
        header.refuse("width", f"a whole number from 1 to {_WIDEST}")
    said = {"classes": parse_json(header.text("classes"), f"classes in the header of {path}", WeightsError)}
    classes = tuple(Fields(said, header.where, WeightsError).texts("classes"))
    try:
        network = WorkerNetwork(header.text("architecture"), len(classes), int(width))
    except InputError as error:
        raise WeightsError(f"The header of {path} does not say which recogniser it holds ({error}).") from error
    models.load_into(network, record.path)
    return network.eval().to(memory_format=torch.channels_last), classes  # type: ignore[call-overload]


def accuracy(network: WorkerNetwork, pictures: LabelledPictures) -> float:
    """Give the share of pictures that a recogniser gets right, 0 to 1."""
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
