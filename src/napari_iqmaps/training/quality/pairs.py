"""Distorted images with their references: photographs that are distorted when they are first drawn, or given pairs.

A pair is made once and kept in memory as luminance in fixed point, with what its teachers say of it.
"""

from __future__ import annotations

import hashlib
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from ...core.distortions import distortion, distortions
from ...core.errors import InputError
from ...core.images import as_planes
from ...core.io.reading import read_image
from ..databases.manifest import Manifest
from .recipe import QualityConfig
from .teachers import Teachers, teachers_of

Colours = npt.NDArray[np.uint8]
"""``(height, width, 1 or 3)``."""

HIGHEST_SEVERITY = 6.3
"""Severities are drawn evenly from 0 to this: from hardly there to worse than the scale."""

# How often what is drawn, in proportion to the rest; see `drawing_weights`.
_FAMILY_WEIGHTS = {"noise": 1.0, "blur": 1.0, "coding": 1.0, "loss": 1.0, "tone": 0.4}
_CLASSIC_WEIGHT = 3.0
_CLASSIC = (
    "gaussian_noise",
    "correlated_noise",
    "high_frequency_noise",
    "impulse_noise",
    "quantisation",
    "speckle_noise",
    "gaussian_blur",
    "denoised",
    "jpeg",
    "jpeg2000",
)
_CLEAN_SHARE = 0.06  # of the variants, which are undistorted copies
_SECOND_SHARE = 0.12  # of the variants, which are distorted twice
_HIGHEST_SECOND = 4.0  # severity of the second distortion, so that something is left of the first
_WHITE = 255


def drawing_weights() -> dict[str, float]:
    """Give how often each distortion of the bank is drawn, in proportion.

    What changes only colours is never drawn: the networks see luminance. Tone counts little, since it hardly changes
    the normalised image, and what databases and people know best counts most.
    """
    weights = {name: weight for family, weight in _FAMILY_WEIGHTS.items() for name in distortions(family=family)}
    return weights | dict.fromkeys(_CLASSIC, _CLASSIC_WEIGHT)


@dataclass(frozen=True)
class Drawn:
    """What is done to a photograph for one of its variants.

    `steps`: names of distortions and severities, in the order of their application; empty for an undistorted copy.
    `seed`: of their random draws.
    """

    steps: tuple[tuple[str, float], ...]
    seed: int

    def applied_to(self, photograph: Colours) -> Colours:
        """Distort a photograph, rounded to 8 bits after each step, as files are."""
        colours = photograph
        rng = np.random.default_rng(self.seed)
        for name, severity in self.steps:
            row = distortion(name)
            unit = colours.astype(np.float32) / np.float32(_WHITE)
            changed = row.effect(unit, row.strength_beyond(severity), rng)
            colours = np.rint(np.clip(changed, 0, 1) * _WHITE).astype(np.uint8)
        return colours


def draw(seed: int, photograph: str, variant: int, *, left_out: Sequence[str] = (), colour: bool = True) -> Drawn:
    """Draw what is done to a photograph for one of its variants.

    `left_out`: distortions that are drawn anew instead; all other draws stay as they would be. `colour`: whether the
    photograph has colours; if not, what needs them is drawn anew as well.
    """
    rng = np.random.default_rng((seed, zlib.crc32(photograph.encode()), variant))
    weights = drawing_weights()
    names, chances = list(weights), np.array(list(weights.values())) / sum(weights.values())

    def chosen() -> str:
        while True:
            name = str(rng.choice(names, p=chances))
            if name not in left_out and (colour or not distortion(name).needs_colour):
                return name

    kind, second, noise = rng.random(), rng.random(), int(rng.integers(2**31))
    severity, severity2 = rng.uniform(0, HIGHEST_SEVERITY), rng.uniform(0, _HIGHEST_SECOND)
    if kind < _CLEAN_SHARE:
        return Drawn((), noise)
    steps = [(chosen(), float(severity))]
    if second < _SECOND_SHARE:
        steps.append((chosen(), float(severity2)))
    return Drawn(tuple(steps), noise)


Fixed = npt.NDArray[np.uint16]
"""Luminance in 256ths of a code value."""

FIXED_POINT = 256
_CELL = 4


@dataclass(frozen=True, eq=False)
class Pair:
    """A distorted image in memory.

    `test`: luminance in fixed point, ``(height, width)``, sides multiples of four.
    """

    test: Fixed
    teachers: Teachers


@dataclass(frozen=True, eq=False)
class Source:
    """A photograph, and what its variants are.

    `reference`: its luminance in fixed point, sides multiples of four. `given`: distorted files; none for a photograph
    that is distorted by the bank.
    """

    path: Path
    reference: Fixed
    colour: bool
    given: tuple[Path, ...] = ()


class PairBank:
    """All pairs of a run.

    `pairs`: distorted files with their references; scores are not used, and types that are left out are left out.
    `smallest`: pixels a side that a picture needs; None stands for the first stage's windows.
    """

    def __init__(
        self,
        config: QualityConfig,
        photographs: Sequence[Path],
        pairs: Sequence[Manifest] = (),
        *,
        smallest: int | None = None,
    ) -> None:
        self.config = config
        smallest = config.side if smallest is None else smallest
        if photographs and set(config.left_out) >= set(drawing_weights()):
            raise InputError("All distortions are left out, so none could be drawn. Leave out fewer.")
        wanted: list[tuple[Path, tuple[Path, ...]]] = [(path, ()) for path in photographs]
        for manifest in pairs:
            wanted += _grouped(manifest, config.left_out)
        if not wanted:
            raise InputError("There are no photographs to learn from. Pass at least one --photographs FOLDER.")
        self.sources = tuple(self._source(path, given) for path, given in wanted)
        small = [source for source in self.sources if min(source.reference.shape) < smallest]
        if small:
            listed = ", ".join(f"{each.path.name} ({_size(each.reference)})" for each in small[:5])
            raise InputError(
                f"{len(small)} of the {len(self.sources)} photographs are smaller than the windows of {smallest} "
                f"pixels a side: {listed}{', ...' if len(small) > 5 else ''}. Leave them out, or take smaller windows."
            )
        self._kept: dict[tuple[int, int], Pair] = {}

    def count(self, source: int) -> int:
        """Say how many variants a source has."""
        return len(self.sources[source].given) or self.config.variants

    def pair(self, source: int, variant: int) -> Pair:
        """Give a pair, made when it is asked for the first time."""
        found = self._kept.get((source, variant))
        if found is None:
            found = self._kept[source, variant] = self._made(self.sources[source], variant)
        return found

    def test(self, source: int, variant: int) -> Fixed:
        """Give the distorted image of a pair alone, which is not kept."""
        found = self._kept.get((source, variant))
        return self._test_of(self.sources[source], variant) if found is None else found.test

    def _source(self, path: Path, given: tuple[Path, ...]) -> Source:
        colours = read_photograph(path)
        return Source(path, self._fixed(colours), colours.shape[-1] > 1, given)

    def _made(self, source: Source, variant: int) -> Pair:
        test = self._test_of(source, variant)
        return Pair(test, teachers_of(as_luminance(test), as_luminance(source.reference)))

    def _test_of(self, source: Source, variant: int) -> Fixed:
        if source.given:
            path = source.given[variant]
            test = self._fixed(read_photograph(path))
            if test.shape != source.reference.shape:
                raise InputError(
                    f"{path} has {_size(test)} pixels and its reference {source.path.name} {_size(source.reference)} "
                    "(both cut to multiples of four). Give pairs of the same pixels."
                )
        else:
            left_out = self.config.left_out
            drawn = draw(self.config.seed, source.path.name, variant, left_out=left_out, colour=source.colour)
            test = self._fixed(drawn.applied_to(read_photograph(source.path))) if drawn.steps else source.reference
        return test

    def _fixed(self, colours: Colours) -> Fixed:
        """Take the middle of a large picture, cut it to whole cells, and turn it into luminance."""
        window = []
        for length in colours.shape[:2]:
            kept = min(length // _CELL * _CELL, self.config.middle)
            start = (length - kept) // 2
            window.append(slice(start, start + kept))
        planes = as_planes(colours[tuple(window)], channel_axis=-1, name="the photograph")
        luminance = planes.read((), slice(None), slice(None))
        return np.rint(luminance * FIXED_POINT).astype(np.uint16)


def learnt_photographs(photographs: Sequence[Path], hold_out: int) -> list[Path]:
    """Leave out the photographs that are held out for validation; the others stay in the order given.

    `hold_out`: one of so many is held out: in the order of their names the eighth of ten, and so on; 0 holds out none.
    """
    if not hold_out:
        return list(photographs)
    ordered = sorted(photographs, key=lambda path: (path.name, str(path)))
    held_out = set(ordered[hold_out - 3 :: hold_out])
    return [path for path in photographs if path not in held_out]


def as_luminance(fixed: Fixed) -> npt.NDArray[np.float32]:
    """Turn fixed point into code values, 0 to 255."""
    return fixed.astype(np.float32) / np.float32(FIXED_POINT)


def read_photograph(path: Path) -> Colours:
    """Read a grey or colour picture as uint8, ``(height, width, 1 or 3)``: without alpha, 16 bits rounded to 8."""
    file = read_image(path)
    planes = as_planes(file.array, channel_axis=file.channel_axis, data_range=file.data_range, name=str(path))
    if len(planes.shape) != 2:
        raise InputError(f"{path} is a stack of shape {planes.shape}; photographs are single images.")
    array: npt.NDArray[Any] = planes.array[..., :3] if planes.has_channels else planes.array[..., np.newaxis]
    holes = f"{path} has holes (NaN, infinite or masked pixels). Training needs whole images."
    if np.ma.is_masked(array):
        raise InputError(holes)
    if array.dtype.name == "uint8" and planes.data_range == (0.0, float(_WHITE)):
        return np.ascontiguousarray(array)
    low, high = planes.data_range
    unit = (array.astype(np.float64) - low) / (high - low)
    if not np.isfinite(unit).all():
        raise InputError(holes)
    return np.rint(np.clip(unit, 0, 1) * _WHITE).astype(np.uint8)


def fingerprint(paths: Sequence[Path]) -> str:
    """Give the sha256 of pictures and their names, in this order."""
    digest = hashlib.sha256()
    for path in paths:
        digest.update(path.name.encode() + b"\0" + hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()


def _grouped(manifest: Manifest, left_out: Sequence[str]) -> Iterator[tuple[Path, tuple[Path, ...]]]:
    """Gather a manifest's distorted files by their reference."""
    table = manifest.table
    if "type" in table:
        table = table[~table["type"].isin(list(left_out))]
    for reference, rows in table.groupby("reference", sort=True):
        yield Path(str(reference)), tuple(Path(file) for file in rows["file"])


def _size(plane: Fixed) -> str:
    return f"{plane.shape[0]}x{plane.shape[1]}"
