"""Scored images in memory, and random patches of them: a whole step at once, without a Python loop over patches."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd
import torch
from scipy import ndimage
from torch import Tensor

from ...core.errors import InputError
from ...core.images import as_planes
from ...core.io.reading import read_image
from ...core.networks.pnet import GAUSSIAN, PNet
from ...core.observers import excitation
from ...core.progress import Progress
from ..draws import Draws, Integers, equal_shares, without_repeats
from .recipe import TrainingConfig

ORIENTATIONS = 8
"""Turns and mirror images of a square."""

_FLAT_VARIANCE = 1e-6  # as in the networks
_FLAT_CONTRAST = 0.05
"""What is left of the local contrast of a clean patch that is made nearly flat."""


def read_luminance(path: str | Path) -> npt.NDArray[np.float32]:
    """Read a single grey or colour image of 8 or 16 bits as luminance: float32, ``(height, width)``, 0..255."""
    file = read_image(path)
    planes = as_planes(file.array, channel_axis=file.channel_axis, data_range=file.data_range, name=str(path))
    if len(planes.shape) != 2:
        raise InputError(f"{path} is a stack of shape {planes.shape}; scored images are single.")
    return planes.read((), slice(None), slice(None))


class ImageBank:
    """Images as what the networks see of them, in one flat tensor whatever their sizes.

    A pixel is four numbers of half precision: its luminance, its distance from the local mean, the local standard
    deviation, and how much it differs from its reference. The distance rather than the mean is kept because half
    precision cannot tell a bright pixel from its mean.

    `references`: image files, at least 38x38 pixels each, with the file that each is compared with; None for an
    undistorted one. `progress`: called with ``(images read, images in all)``. `start`, `height`, `width`: for each
    image, its first pixel in `values` and the sides of what is known of it: a border of three pixels, whose
    neighbourhood is incomplete, is left out.
    """

    def __init__(
        self, references: Mapping[str, str | None], measure: DifferenceMeasure, progress: Progress | None = None
    ) -> None:
        self.number = {path: index for index, path in enumerate(references)}
        parts, sizes = [], []
        read = lru_cache(maxsize=2)(read_luminance)  # files of one reference stand together
        for done, (path, reference) in enumerate(references.items(), start=1):
            luminance = read_luminance(path)
            difference = None if reference is None else measure.of(luminance, read(reference), path)
            part = statistics_of(luminance, path, difference)
            parts.append(part.flatten(0, 1))
            sizes.append(part.shape[:2])
            if progress is not None:
                progress(done, len(self.number))
        self.values = torch.cat(parts)
        self.height, self.width = np.array(sizes, dtype=np.int64).reshape(-1, 2).T
        self.start = np.concatenate([[0], np.cumsum(self.height * self.width)[:-1]])

    def numbers(self, paths: Sequence[str]) -> Integers:
        """Look up images by their paths."""
        return np.array([self.number[path] for path in paths], dtype=np.int64)

    def corners(self, images: Integers, draws: npt.NDArray[np.float64]) -> tuple[Integers, Integers]:
        """Place a patch in each image by draws, uniform in [0, 1), ``(2, patches)``: first rows and first columns."""
        top = (draws[0] * (self.height[images] - PNet.PATCH + 1)).astype(np.int64)
        left = (draws[1] * (self.width[images] - PNet.PATCH + 1)).astype(np.int64)
        return top, left

    def take(self, images: Integers, corners: tuple[Integers, Integers], orientations: Integers) -> Tensor:
        """Cut patches out, each turned or mirrored.

        `corners`: first rows and columns. `orientations`: 0..7 for each patch; 0 leaves it as it is. Returns float32,
        ``(patches, 32, 32, 4)``.
        """
        # A turned patch is the same pixels read with other strides from another corner.
        last = PNet.PATCH - 1
        down, right, swap = (orientations >> bit & 1 for bit in range(3))
        width = self.width[images]
        first = self.start[images] + (corners[0] + last * down) * width + corners[1] + last * right
        row_step, column_step = width * (1 - 2 * down), 1 - 2 * right
        row_step, column_step = np.where(swap, column_step, row_step), np.where(swap, row_step, column_step)
        steps = np.arange(PNet.PATCH)
        index = first[:, None, None] + row_step[:, None, None] * steps[:, None] + column_step[:, None, None] * steps
        return self.values[torch.from_numpy(index)].float()

    def tiles(self, image: int) -> Tensor:
        """Cut an image into patches that do not overlap, ``(patches, 32, 32, 4)``, without a rest right and below."""
        height, width = int(self.height[image]), int(self.width[image])
        plane = self.values[self.start[image] : self.start[image] + height * width].view(height, width, -1)
        side = PNet.PATCH
        rows, columns = height // side, width // side
        parts = plane[: rows * side, : columns * side].reshape(rows, side, columns, side, -1)
        return parts.transpose(1, 2).flatten(0, 1).float()


@dataclass(frozen=True)
class DifferenceMeasure:
    """How the difference of two images is measured at a pixel.

    `gains`: of the channels; empty for the bare difference of the published method. `exponent`: of the Minkowski mean,
    over channels as over pixels.
    """

    gains: tuple[float, ...]
    exponent: float

    def of(
        self, test: npt.NDArray[np.float32], reference: npt.NDArray[np.float32], name: str
    ) -> npt.NDArray[np.float32]:
        """Measure: float32, code values, at least 0."""
        if test.shape != reference.shape:
            raise InputError(
                f"{name} has {test.shape[0]}x{test.shape[1]} pixels and its reference "
                f"{reference.shape[0]}x{reference.shape[1]}. Score the same pixels."
            )
        signed = test - reference
        if not self.gains:
            bare: npt.NDArray[np.float32] = np.abs(signed)
            return bare
        size: npt.NDArray[np.float32] = excitation(signed, self.gains, exponent=self.exponent)
        size **= np.float32(1 / self.exponent)
        return size


def measure_of(config: TrainingConfig) -> DifferenceMeasure:
    """Give the measure of a recipe."""
    return DifferenceMeasure(config.gains, config.exponent)


def statistics_of(
    luminance: npt.NDArray[np.float32], name: str, difference: npt.NDArray[np.float32] | None = None
) -> Tensor:
    """Turn luminance into what `ImageBank` keeps.

    `luminance`: float32, ``(height, width)``, 0..255. `difference`: float32, of the same shape: what the last channel
    holds; None is no difference. Returns float16, ``(height - 6, width - 6, 4)``.

    What the networks' own `local_statistics` gives (a test holds them together), in double precision where that one
    arranges its sums to need single: ten times faster for one image on a busy processor.
    """
    if min(luminance.shape) < PNet.NEIGHBOURHOOD:
        raise InputError(
            f"{name} has {luminance.shape[0]}x{luminance.shape[1]} pixels; training needs at least "
            f"{PNet.NEIGHBOURHOOD} a side."
        )
    if not np.isfinite(luminance).all():
        raise InputError(f"{name} has holes (NaN or infinite pixels). Training needs whole images.")
    pixels = luminance.astype(np.float64)
    mean = _smoothed(pixels)
    variance = _smoothed(pixels * pixels) - mean * mean
    reach = len(GAUSSIAN) // 2
    statistics = np.empty((*luminance.shape, 4), dtype=np.float16)
    statistics[..., 0] = pixels
    statistics[..., 1] = pixels - mean
    statistics[..., 2] = np.sqrt(np.maximum(variance, _FLAT_VARIANCE))
    statistics[..., 3] = 0 if difference is None else difference
    return torch.from_numpy(statistics[reach:-reach, reach:-reach].copy())


def _smoothed(pixels: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    across = ndimage.correlate1d(pixels, GAUSSIAN, axis=1)
    smooth: npt.NDArray[np.float64] = ndimage.correlate1d(across, GAUSSIAN, axis=0)
    return smooth


@dataclass(frozen=True, eq=False)
class ScoredImages:
    """A table of scored images with their pixels at hand.

    `bank`: holds all files and references of the table, and the photographs.
    """

    table: pd.DataFrame
    bank: ImageBank
    measure: DifferenceMeasure
    photographs: tuple[str, ...] = ()

    @classmethod
    def read(
        cls,
        table: pd.DataFrame,
        measure: DifferenceMeasure,
        photographs: Sequence[str] = (),
        progress: Progress | None = None,
    ) -> ScoredImages:
        """Read all images of a table; `progress` is called with ``(images read, images in all)``."""
        ordered = table.sort_values("reference", kind="stable")
        references: dict[str, str | None] = dict(zip(ordered["file"], ordered["reference"], strict=True))
        references.update(dict.fromkeys([*ordered["reference"], *photographs]))
        return cls(table, ImageBank(references, measure, progress), measure, tuple(photographs))


class PatchSteps(Draws):
    """The steps of a threshold network's training, from a given one on.

    `rows`: which rows of the table to learn from; no other image is touched, references included. `first`: the step to
    begin with; what a resumed run continues from.

    A step's patches stay together by image: patch k belongs to image ``k // config.patches``.
    """

    def __init__(self, data: ScoredImages, rows: npt.NDArray[np.intp], config: TrainingConfig, first: int = 0) -> None:
        table = data.table.iloc[rows]
        super().__init__(config.steps, first)
        self.config = config
        self.bank = data.bank
        self.files = data.bank.numbers(table["file"])
        self.references = data.bank.numbers(table["reference"])
        self.impairment = table["impairment"].to_numpy(dtype=np.float32)
        self.weight = table["weight"].to_numpy(dtype=np.float32)
        self.databases = sorted(set(table["database"]))
        self.database = np.array([self.databases.index(name) for name in table["database"]], dtype=np.int64)
        self.clean = np.concatenate([np.unique(self.references), data.bank.numbers(data.photographs)])

    def step(self, number: int) -> dict[str, Tensor]:
        """Draw one step.

        Returns test and reference patches ``(images * patches, 32, 32, 4)``; impairment, weight and database of each
        image; clean patches where the recipe needs them.
        """
        config = self.config
        rng = np.random.default_rng((config.seed, number))
        rows = self._draw_images(rng)
        each = np.repeat(rows, config.patches)
        corners = self.bank.corners(self.files[each], rng.random((2, len(each))))
        orientations = rng.integers(ORIENTATIONS, size=len(each))
        batch = {
            "test": self.bank.take(self.files[each], corners, orientations),
            "reference": self.bank.take(self.references[each], corners, orientations),
            "impairment": torch.from_numpy(self.impairment[rows]),
            "weight": torch.from_numpy(self.weight[rows]),
            "database": torch.from_numpy(self.database[rows]),
        }
        if config.brightness:
            shift = rng.uniform(-config.brightness, config.brightness, len(rows)).repeat(config.patches)
            for name in ("test", "reference"):
                batch[name][..., 0] += torch.from_numpy(shift).float()[:, None, None]
        if config.invariance or config.pull:
            batch |= self._draw_clean(rng)
        return batch

    def _draw_images(self, rng: np.random.Generator) -> Integers:
        count = self.config.images
        if not self.config.balance:
            return without_repeats(rng, len(self.files), count)
        return equal_shares(rng, self.database, len(self.databases), count)

    def _draw_clean(self, rng: np.random.Generator) -> dict[str, Tensor]:
        count = self.config.clean_patches
        images = rng.choice(self.clean, count)
        corners = self.bank.corners(images, rng.random((2, count)))
        patches = self.bank.take(images, corners, rng.integers(ORIENTATIONS, size=count))
        flat = round(self.config.flat_share * count)
        grey = torch.from_numpy(rng.uniform(0, 255, flat)).float()
        patches[:flat, ..., 0] = grey[:, None, None]
        patches[:flat, ..., 1] = 0
        patches[:flat, ..., 2] *= _FLAT_CONTRAST
        shifts = rng.uniform(-self.config.invariance_range, self.config.invariance_range, count)
        return {"clean": patches, "shift": torch.from_numpy(shifts).float()}
