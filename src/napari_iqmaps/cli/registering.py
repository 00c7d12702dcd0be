"""What the commands around registration do alike: find the partner files of an image, read pairs, choose the method."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import click
import numpy as np

from ..core.errors import InputError
from ..core.io.image_file import ImageFile
from ..core.registration.api import METHODS, register
from ..core.registration.external import check_installed
from ..core.registration.geometry import TRANSFORMS
from .inputs import SUFFIXES
from .layouts import Row
from .options import Command, default_of
from .subjects import Options, alike, read

REGISTERED, VALID, MATRIX, OVERLAY = "registered", "valid", "matrix", "overlay"
"""What ends the names of files that belong to a registration."""

FRAMES = "frames"
"""What ends the name of the table of a series."""

MATCHES = "matches"
"""What ends the name of a table of matched points, and the method that takes it."""


_CALLED = {"": "fixed image", REGISTERED: "registered image", VALID: "mask", MATCHES: "table of matches"}


@dataclass(frozen=True, kw_only=True)
class Motion:
    """How the motion between two images is to be found, as the options of `motion_options` name it."""

    method: str
    transform: str
    max_shift: float | None
    min_overlap: float
    min_inliers: int
    seed: int

    def __post_init__(self) -> None:
        check_installed(self.method)  # once, and not for each image

    def options(self) -> dict[str, Any]:
        """Give the keyword arguments of `napari_iqmaps.register`."""
        return {name: getattr(self, name) for name in self.__dataclass_fields__}


MOTION = tuple(Motion.__dataclass_fields__)
"""Names of the options that say how the motion is found."""


def motion_options(command: Command) -> Command:
    """Add the options that say how the motion is found, all but the method: its name differs between commands."""
    for decorate in (
        click.option("--seed", type=click.IntRange(min=0), default=default_of(register, "seed"), show_default=True,
                     metavar="NUMBER", help="Of what is drawn at random."),
        click.option("--min-inliers", type=click.IntRange(min=0), default=default_of(register, "min_inliers"),
                     show_default=True, metavar="NUMBER", help="Refuse what fewer matched points agree on."),
        click.option("--min-overlap", type=click.FloatRange(0, 1), default=default_of(register, "min_overlap"),
                     show_default=True, metavar="SHARE", help="Refuse what leaves less of the images in common."),
        click.option("--max-shift", type=click.FloatRange(min=0, min_open=True), metavar="PIXELS",
                     default=default_of(register, "max_shift"),
                     help="Refuse what moves a corner further.  [any movement]"),
        click.option("--transform", type=click.Choice(TRANSFORMS), default=default_of(register, "transform"),
                     show_default=True, help="From the freest motion to the stiffest."),
    ):  # fmt: skip
        command = decorate(command)
    return command


def partner(moving: Path, given: Path, ending: str = "", suffixes: Sequence[str] = SUFFIXES) -> Path | InputError:
    """Find the file that belongs to a moving image.

    Parameters
    ----------
    ending : str
        What stands behind the name of the image in such a folder, as in ``NAME_registered.png``.

    Returns
    -------
    pathlib.Path or InputError
        The file: of the image's own name, or of its name without a suffix and this ending, or of its name without a
        suffix; the first of these that there is. If there is none, or there are several, the error, to be raised in
        the image's turn.
    """
    if not given.is_dir():
        return given
    what = _CALLED.get(ending, ending)
    if not ending and (given / moving.name).is_file():
        same = (given / moving.name).samefile(moving) if moving.exists() else False
        return (
            InputError(f"{given} is where {moving.name} itself is. Give other images.") if same else given / moving.name
        )
    stems = [f"{moving.stem}_{ending}", moving.stem] if ending else [moving.stem]
    for stem in stems:
        alike = sorted(item for item in given.iterdir() if item.stem == stem and item.suffix.lower() in suffixes)
        if len(alike) == 1:
            return alike[0]
        if alike:
            names = ", ".join(item.name for item in alike)
            return InputError(f"{given} holds several files for {moving.name} ({what}): {names}. Keep one.")
    wanted = " or ".join(f"{stem}{suffixes[0] if len(suffixes) == 1 else '.*'}" for stem in stems)
    return InputError(f"{given} holds no {what} for {moving.name}: no {wanted}.")


@dataclass(frozen=True, eq=False)
class Images:
    """Images that go into one registration, with the same axes.

    Attributes
    ----------
    arrays : tuple of numpy.ndarray
        Their pixels; all with colours or all without.
    data_range : (float, float) or None
        Of all; None where the type of the values says it.
    """

    files: tuple[ImageFile, ...]
    arrays: tuple[Any, ...]
    channel_axis: int | None
    data_range: tuple[float, float] | None

    @property
    def known(self) -> dict[str, Any]:
        """How the pixels are meant, as every function of the core takes it."""
        return {"channel_axis": self.channel_axis, "data_range": self.data_range}

    def is_stack(self, number: int) -> bool:
        """Whether an image has more axes than height, width and colours."""
        return bool(np.ndim(self.arrays[number]) - (self.channel_axis is not None) > 2)


def shape_of(array: Any, channel_axis: int | None) -> tuple[int, int]:
    """Give height and width of an image."""
    shape = list(np.shape(array))
    if channel_axis is not None:
        del shape[channel_axis]
    return shape[-2], shape[-1]


def on_grid(array: Any, shape: tuple[int, int], channel_axis: int | None) -> tuple[Any, Any]:
    """Put an image of one plane on a grid of another size, from the top left corner.

    Returns
    -------
    valid : numpy.ndarray or None
        bool, `shape`: which pixels of the grid it has; None for all.
    """
    from ..core.registration.warp import valid_pixels, warp_image

    size = shape_of(array, channel_axis)
    if size == shape:
        return array, None
    here = np.eye(3)
    pixels = array if channel_axis is None else np.moveaxis(array, channel_axis, -1)
    moved = warp_image(pixels, here, shape, has_channels=channel_axis is not None)
    image = moved if channel_axis is None else np.moveaxis(moved, -1, channel_axis)
    return image, valid_pixels(here, size, shape)


class Reader:
    """Reads images that go into one registration.

    Parameters
    ----------
    options : Options
        What the command line says of pixels.
    """

    def __init__(self, options: Options) -> None:
        self._options = options
        # A batch often has one fixed image: it is decoded once.
        self._fixed = lru_cache(maxsize=1)(lambda path: read(path, options.channel_axis))

    def images(self, moving: Path, fixed: Path | None = None, *others: Path) -> Images:
        """Read images, and give them the same axes.

        Returns
        -------
        Images
            A grey image beside one in colours has one channel.
        """
        axis = self._options.channel_axis
        files = (
            read(moving, axis), *([] if fixed is None else [self._fixed(fixed)]), *(read(path, axis) for path in others)
        )  # fmt: skip
        known = range_of(self._options, files)
        coloured = next((file for file in files if file.channel_axis is not None), None)
        if axis != "auto" or coloured is None:
            return Images(files, tuple(file.array for file in files), files[0].channel_axis, known)
        return Images(files, tuple(alike(file, coloured, forced=False)[0] for file in files), -1, known)


def range_of(options: Options, files: Sequence[ImageFile]) -> tuple[float, float] | None:
    """Say which values are black and white in images that are compared.

    Returns
    -------
    (float, float) or None
        None where the type of the values says it.
    """
    if options.data_range is not None:
        types = dict.fromkeys(file.array.dtype.name for file in files)
        if len({np.dtype(name).kind == "f" for name in types}) > 1:
            raise InputError(
                f"{' and '.join(file.path.name for file in files)} are {' and '.join(types)}; one data range cannot "
                "hold for whole numbers and floating point. Save all in one type."
            )
        return options.data_range
    for file in files:
        if file.luminance == "absolute":
            raise InputError(
                f"{file.path} holds linear light, whose black and white are not known. Tone-map it, or state "
                "data_range=(black, white)."
            )
    stated = {file.data_range for file in files}
    if len(stated) > 1:
        raise InputError(
            f"{' and '.join(file.path.name for file in files)} state different values of white. "
            "Say data_range=(black, white)."
        )
    return stated.pop()


def method_option(name: str, **more: Any) -> Callable[[Command], Command]:
    """Give the option that names the method."""
    return click.option(name, "method", type=click.Choice(METHODS), **more)


def correlation(row: Row) -> str:
    """Say in a table how alike the images were and are."""
    before, after = row.get("local_ncc_before"), row.get("local_ncc_after")
    if before is None and after is None:
        return ""
    return " -> ".join("none" if value is None else f"{value:.2f}" for value in (before, after))


def written(row: Row) -> str:
    """Name the files of a row in a table, those of one folder by a pattern."""
    folders: dict[str, list[str]] = {}
    for path in row.get("outputs", ()):
        folders.setdefault(os.path.dirname(path), []).append(path)  # noqa: PTH120 - texts, not paths to use
    patterns = [
        names[0] if len(names) == 1 else f"{os.path.commonprefix(names)}*"  # noqa: RUF071 - of texts, too
        for names in folders.values()
    ]
    return " ".join(patterns)


def region(_ctx: click.Context, _param: click.Parameter, value: str | None) -> tuple[slice, slice] | None:
    """Read ``TOP:BOTTOM,LEFT:RIGHT``, as a callback of an option; either number of a pair may be left out."""
    if value is None:
        return None
    try:
        rows, columns = (part.split(":") for part in value.split(","))
        found = tuple(slice(*(int(number) if number.strip() else None for number in pair)) for pair in (rows, columns))
        if len(rows) != 2 or len(columns) != 2:
            raise ValueError
    except ValueError:
        raise click.BadParameter(f"{value!r} is not TOP:BOTTOM,LEFT:RIGHT in pixels, as in 300:450,190:310.") from None
    return found[0], found[1]
