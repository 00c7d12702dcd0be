"""From the words of the command line to files, and from files to pixels and what they mean."""

from __future__ import annotations

import glob
import os
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from .. import __version__
from ..core import models
from ..core.display import SDR_WHITE
from ..core.errors import InputError
from ..core.io import space
from ..core.io.image_file import RELATIVE_LIGHT, ImageFile
from ..core.io.map_file import read_record
from ..core.io.reading import SUFFIXES, read_image
from ..core.io.source import MOST_PIXELS
from ..core.kinds import KINDS
from ..core.maps import QualityMap
from ..core.names import composed, entry_of, folded, mark_of
from ..core.quality_score import QualityScore
from ..core.score_columns import plain
from ..core.value_range import DataRange
from .report import Report

Result = TypeVar("Result", QualityMap, QualityScore)

_BRACKET = re.compile(r"\[")


# --- files


def found_inputs(words: Iterable[str], report: Report, *, further: Iterable[str] = ()) -> list[Path]:
    """Find the images, and say which files were left out because they are maps.

    `further`: what ends the names of other files that this package writes beside its maps.
    """
    images, maps = expand(words, (*KINDS, *further))
    if maps:
        report.say(f"Left out {len(maps)} files that are maps written by iqmaps, such as {maps[0]}.")
    if not images:
        raise InputError("There is nothing left to do: give images.")
    return images


def expand(words: Iterable[str], kinds: Sequence[str]) -> tuple[list[Path], list[Path]]:
    """Turn file names, patterns and folders into files.

    `words`: a word that names nothing is kept: reading it says what is wrong, and the others go on. `kinds`: kinds of
    maps; a file that ends in one and holds this package's record is not an input. Returns `images, maps`: what to work
    on, each once, in the order given; and the maps that were left out.
    """
    found: dict[str, Path] = {}
    for word in words:
        for path in _files(word):
            found.setdefault(entry_of(path), path)
    images: list[Path] = []
    maps: list[Path] = []
    for path in found.values():
        (maps if _is_map(path, kinds) else images).append(path)
    return images, maps


def _files(word: str) -> list[Path]:
    """Find what a word stands for; what cannot be looked at stands for itself, and reading it says what is wrong."""
    path = Path(word)
    try:
        if os.path.isdir(path):  # noqa: PTH112 - of any text, where Path raises for some
            inside = sorted(item for item in path.iterdir() if item.suffix.lower() in SUFFIXES)
            return [item for item in inside if not item.name.startswith(".") and not item.is_dir()] or [path]
        if os.path.lexists(path):
            return [path]  # before the pattern: a name may have brackets in it
        return _matches(word) or [_other_form(path) or path]
    except (OSError, ValueError):
        return [path]


def _matches(word: str) -> list[Path]:
    """Find the files of a pattern; brackets in the names of folders that there are mean themselves."""
    folder = next((parent for parent in Path(word).parents if parent.is_dir()), None)
    patterns = [word, _BRACKET.sub("[[]", word)]
    if folder is not None and folder != Path():
        inside = Path(word).relative_to(folder)
        patterns.insert(0, os.path.join(glob.escape(str(folder)), str(inside)))  # noqa: PTH118 - a pattern
    for pattern in patterns:
        found = map(Path, glob.glob(pattern, recursive=True))  # noqa: PTH207 - the pattern may be absolute
        if matches := sorted(path for path in found if not path.is_dir()):
            return matches
    return []


def _other_form(path: Path) -> Path | None:
    """Find the file whose name is the same but for how its accents are written."""
    if path.name.isascii() or not path.parent.is_dir():
        return None
    wanted = composed(path.name)
    return next((item for item in sorted(path.parent.iterdir()) if composed(item.name) == wanted), None)


def _is_map(path: Path, kinds: Sequence[str]) -> bool:
    """Say whether a file is a map of ours; what is no regular file is not opened, for a pipe would be waited for."""
    return (
        path.stem.endswith(tuple(f"_{kind}" for kind in kinds))
        and os.path.isfile(path)  # noqa: PTH113 - of any text, where Path raises for some
        and read_record(path) is not None
    )


def output_names(paths: Sequence[Path]) -> list[str]:
    """Name each input's outputs, without an ending, so that no file system takes two of them for one.

    Returns the stem of the file; where two inputs share it, also the suffix and the folders below their common one;
    and where these are shared as well, the stem with a digest of the whole path.
    """
    stems = Counter(folded(path.stem) for path in paths)
    shared = [path for path in paths if stems[folded(path.stem)] > 1]
    root = _common_folder(shared)
    names = []
    for path in paths:
        if stems[folded(path.stem)] == 1:
            names.append(path.stem)
        else:
            folders = path.absolute().parent.relative_to(root).parts if root else path.absolute().parent.parts[-1:]
            names.append("_".join([*folders, path.name.replace(".", "-")]))
    counts = Counter(folded(name) for name in names)
    return [
        name if counts[folded(name)] == 1 else f"{path.stem}-{mark_of(entry_of(path))}"
        for name, path in zip(names, paths, strict=True)
    ]


def _common_folder(paths: Sequence[Path]) -> str:
    try:
        return os.path.commonpath([path.absolute().parent for path in paths])
    except ValueError:  # of none, or of several drives
        return ""


def partner(
    image: Path, given: Path, what: str, *, ending: str = "", suffixes: Sequence[str] = SUFFIXES, other: bool = False
) -> Path | InputError:
    """Find the file that belongs to an image: the one given, or the one of its name in the folder given.

    `what`: what the file is, for messages. `ending`: what stands behind the name of the image in such a folder, as in
    ``NAME_registered.png``. `other`: whether the image itself is not meant. Returns the file: of the image's own name,
    or of its name without a suffix and this ending, or of its name without a suffix; the first of these that there is.
    If there is none, or there are several, the error, to be raised in the image's turn.
    """
    try:
        return _partner(image, given, what, ending, suffixes, other=other)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        return InputError(f"{given} cannot be searched for the {what} of {image.name} ({reason}).")


def _partner(
    image: Path, given: Path, what: str, ending: str, suffixes: Sequence[str], *, other: bool
) -> Path | InputError:
    if not given.is_dir():
        return given
    if not ending and (given / image.name).is_file():
        if other and image.exists() and (given / image.name).samefile(image):
            return InputError(f"{given} is where {image.name} itself is. Give other images.")
        return given / image.name
    stems = [f"{image.stem}_{ending}", image.stem] if ending else [image.stem]
    for stem in stems:
        alike = _called(given, stem, suffixes)
        if len(alike) == 1:
            return alike[0]
        if alike:
            names = ", ".join(item.name for item in alike)
            several = f"files for {image.name} ({what})" if ending or other else f"{what}s for {image.name}"
            return InputError(f"{given} holds several {several}: {names}. Keep one.")
    if not ending and not other:
        return InputError(f"{given} holds no {what} for {image.name}: no file of that name or stem.")
    wanted = " or ".join(f"{stem}{suffixes[0] if len(suffixes) == 1 else '.*'}" for stem in stems)
    return InputError(f"{given} holds no {what} for {image.name}: no {wanted}.")


def _called(folder: Path, stem: str, suffixes: Sequence[str]) -> list[Path]:
    """Find the files of a stem; if there is none, those whose stem differs in how its accents are written."""
    inside = sorted(item for item in folder.iterdir() if item.suffix.lower() in suffixes)
    exactly = [item for item in inside if item.stem == stem]
    return exactly or [item for item in inside if composed(item.stem) == composed(stem)]


# --- what the command line says of all files


@dataclass(frozen=True, kw_only=True)
class Options:
    """The shared options of a command, as `napari_iqmaps.cli.options` names them.

    What a command has no option for keeps its default.
    """

    data_range: DataRange
    channel_axis: int | str
    table: Path | None
    resume: bool
    force: bool = False
    most_pixels: int = MOST_PIXELS
    model: Any = None
    weights: str | None = None
    device: str = "cpu"
    tile: int | None = None
    stride: Any = None
    out: Path | None = None
    formats: str = "tif"
    luminance: str = "auto"
    peak_luminance: float | None = None
    black_level: float = 0.0
    encoding: Any = "pu21"

    def read(self, path: Path) -> ImageFile:
        """Read an image as the command line says."""
        return read(path, self.channel_axis, self.most_pixels)

    def for_light(self, *files: ImageFile) -> dict[str, Any]:
        """Give the arguments that say what the values of some files, which go into one map, mean as light.

        `files`: one or more files; where the command line leaves it open, they say themselves what they hold.
        """
        luminance = self.luminance
        if luminance == "auto":
            luminance = files[0].luminance
            for file in files[1:]:
                if file.luminance != luminance:
                    code, light = (files[0], file) if luminance == "code" else (file, files[0])
                    raise InputError(
                        f"{light.path.name} holds linear light and {code.path.name} display codes. Compare like with "
                        "like: save both in one format, or say --luminance."
                    )
        data_range = self.data_range
        if data_range is None and luminance == files[0].luminance:
            data_range = _stated_range(files)
        names = ("peak_luminance", "black_level", "encoding")
        return {"luminance": luminance, "data_range": data_range} | {name: getattr(self, name) for name in names}

    def for_codes(self, *files: ImageFile) -> DataRange:
        """Say which values are black and white for a network that has learnt display codes; refuse linear light."""
        for file in files:
            if file.luminance == "absolute":
                raise InputError(
                    f"{file.path} holds linear light; the networks have learnt display codes. Tone-map it first."
                )
        return self.data_range or _stated_range(files)

    def for_model(self) -> dict[str, Any]:
        """Give the arguments that choose the model and how it is computed."""
        names = ["model", "weights", "device", "tile"] + ["stride"] * (self.stride is not None)
        return {name: getattr(self, name) for name in names}

    def request(self, **further: Any) -> dict[str, Any]:
        """Gather what decides the values of a map of a network; finds the weights, and raises WeightsError if not."""
        weights = models.find(self.weights or models.default_name(self.model), self.model)
        names = ["model", "data_range", "channel_axis"]
        if self.stride is not None:  # thresholds, which depend on the light
            names += ["stride", "luminance", "peak_luminance", "black_level", "encoding"]
        chosen = {name: getattr(self, name) for name in names}
        return request_of(**chosen, weights_sha256=weights.sha256, **further)


def request_of(**options: Any) -> dict[str, Any]:
    """Gather what decides the values of a result, in the form in which a file gives it back.

    `options`: the options; device and tile are not among them, for they change no value beyond rounding.
    """
    request: dict[str, Any] = plain({**options, "version": __version__})
    return request


def _stated_range(files: Sequence[ImageFile]) -> tuple[float, float] | None:
    """Give the values of black and white that files state, which have to be the same; None for those of the type."""
    for file in files[1:]:
        if file.data_range != files[0].data_range:
            raise InputError(
                f"{files[0].path.name} and {file.path.name} state different values of white. "
                "Say data_range=(black, white)."
            )
    return files[0].data_range


# --- pixels


def read(path: Path, channel_axis: int | str, most_pixels: int = MOST_PIXELS) -> ImageFile:
    """Read an image, with its channel axis as the command line says.

    `channel_axis`: ``"auto"`` for what the file says, ``"none"`` for grey, or a number.
    """
    file = read_image(path, most_pixels=most_pixels)
    if channel_axis == "auto":
        return file
    return replace(file, channel_axis=None if isinstance(channel_axis, str) else channel_axis)


def alike(test: ImageFile, reference: ImageFile, *, forced: bool) -> tuple[Any, Any, int | None]:
    """Give both arrays the same axes: a grey picture may be stored as grey in one file and as colours in the other."""
    if forced or (test.channel_axis is None and reference.channel_axis is None):
        return test.array, reference.array, test.channel_axis
    return _colours_last(test), _colours_last(reference), -1


def _colours_last(file: ImageFile) -> Any:
    if file.channel_axis is None:
        return file.array[..., np.newaxis]
    return np.moveaxis(file.array, file.channel_axis, -1)


def is_grey(file: ImageFile) -> bool:
    """Say whether an image has no colours to distort."""
    return file.channel_axis is None or file.array.shape[file.channel_axis] < len("RGB")


def with_notes(result: Result, *files: ImageFile, on: int = 0) -> Result:
    """Keep what reading the files brought up (pages left out, transparency ignored) in the info of a map or score.

    A map also keeps where its pixels lie, as the file with the number `on` states it.
    """
    info: Mapping[str, Any] = result.info
    as_candelas = info.get("luminance") == "absolute" and tuple(info["data_range"]) == (0, SDR_WHITE)
    notes: list[str] = [note for file in files for note in file.notes if as_candelas or note != RELATIVE_LIGHT]
    # Once each: test and reference often have the same.
    kept: dict[str, Any] = {"notes": list(dict.fromkeys([*info.get("notes", ()), *notes]))} if notes else {}
    return replace(result, info={**info, **kept, **_placed(result, files[on])})


def _placed(result: QualityMap | QualityScore, file: ImageFile) -> dict[str, Any]:
    if not isinstance(result, QualityMap):
        return {}
    where = space.from_file(file.pixel_size, file.axes, result.values.ndim)
    return {space.KEY: where} if where else {}


# --- images that are registered to each other


@dataclass(frozen=True, eq=False)
class Images:
    """Images that go into one registration, with the same axes.

    `arrays`: their pixels; all with colours or all without. `data_range`: of all; None where the type of the values
    says it.
    """

    files: tuple[ImageFile, ...]
    arrays: tuple[Any, ...]
    channel_axis: int | None
    data_range: DataRange

    @property
    def known(self) -> dict[str, Any]:
        """How the pixels are meant, as every function of the core takes it."""
        return {"channel_axis": self.channel_axis, "data_range": self.data_range}

    @property
    def notes(self) -> list[str]:
        """What reading the files brought up."""
        return [note for file in self.files for note in file.notes]

    def is_stack(self, number: int) -> bool:
        """Whether an image has more axes than height, width and colours."""
        return bool(np.ndim(self.arrays[number]) - (self.channel_axis is not None) > 2)

    def size(self, number: int) -> tuple[int, int]:
        """Height and width of an image."""
        return size_of(self.arrays[number], self.channel_axis)


class Reader:
    """Reads images that go into one registration, with what the command line says of pixels."""

    def __init__(self, options: Options) -> None:
        self._options = options
        # A batch often has one fixed image: it is decoded once.
        self._fixed = lru_cache(maxsize=1)(options.read)

    def images(self, moving: Path, fixed: Path | None = None, *others: Path) -> Images:
        """Read images, and give them the same axes: a grey image beside one in colours has one channel."""
        axis = self._options.channel_axis
        first = self._options.read(moving)
        second = [] if fixed is None else [self._fixed(fixed)]
        files = (first, *second, *map(self._options.read, others))
        known = _common_range(self._options, files)
        coloured = next((file for file in files if file.channel_axis is not None), None)
        if axis != "auto" or coloured is None:
            return Images(files, tuple(file.array for file in files), first.channel_axis, known)
        return Images(files, tuple(alike(file, coloured, forced=False)[0] for file in files), -1, known)


def _common_range(options: Options, files: Sequence[ImageFile]) -> DataRange:
    """Say which values are black and white in images that are compared; None where the type of the values says it."""
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
    return _stated_range(files)


def size_of(array: Any, channel_axis: int | None) -> tuple[int, int]:
    """Give height and width of an image."""
    shape = list(np.shape(array))
    if channel_axis is not None:
        del shape[channel_axis]
    return shape[-2], shape[-1]


def on_grid(array: Any, size: tuple[int, int], channel_axis: int | None) -> tuple[Any, Any]:
    """Put an image of one plane on a grid of another size, from the top left corner.

    Returns `valid`: bool, `size`: which pixels of the grid it has; None for all.
    """
    from ..core.registration.warp import valid_pixels, warp_image

    own = size_of(array, channel_axis)
    if own == size:
        return array, None
    here = np.eye(3)
    pixels = array if channel_axis is None else np.moveaxis(array, channel_axis, -1)
    moved = warp_image(pixels, here, size, has_channels=channel_axis is not None)
    image = moved if channel_axis is None else np.moveaxis(moved, -1, channel_axis)
    return image, valid_pixels(here, own, size)
