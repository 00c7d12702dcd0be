"""What the commands of all subjects do alike: gather options, find inputs, read files, plan a batch."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from ..core import models
from ..core.columns import Column
from ..core.display import SDR_WHITE
from ..core.errors import InputError
from ..core.io.image_file import RELATIVE_LIGHT, ImageFile
from ..core.io.map_file import row_of_record
from ..core.io.reading import read_image
from ..core.kinds import KINDS
from ..core.maps import COLUMNS, QualityMap
from ..core.quality_score import QualityScore
from .inputs import expand, output_names, reference_for
from .layouts import layout_of
from .plans import Answer, Job, Plan, Progress, request_of
from .report import Report

Result = TypeVar("Result", QualityMap, QualityScore)

SUFFIXES = {"tif": (".tif",), "png": (".png",), "both": (".tif", ".png")}
"""Endings of maps, by the word of ``--format``."""


@dataclass(frozen=True, kw_only=True)
class Options:
    """The shared options of a command, as the functions of `napari_iqmaps.cli.options` name them.

    What a command has no option for keeps its default.
    """

    data_range: tuple[float, float] | None
    channel_axis: int | str
    model: Any
    weights: str | None
    device: str
    tile: int | None
    table: Path | None
    resume: bool
    stride: Any = None
    out: Path | None = None
    formats: str = "tif"
    luminance: str = "auto"
    peak_luminance: float | None = None
    black_level: float = 0.0
    encoding: Any = "pu21"

    def for_light(self, *files: ImageFile) -> dict[str, Any]:
        """Give the arguments that say what the values of some files, which go into one map, mean as light.

        Parameters
        ----------
        *files : ImageFile
            One or more files; where the command line leaves it open, they say themselves what they hold.
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
            data_range = files[0].data_range
            for file in files[1:]:
                if file.data_range != data_range:
                    raise InputError(
                        f"{files[0].path.name} and {file.path.name} state different values of white. "
                        "Say data_range=(black, white)."
                    )
        names = ("peak_luminance", "black_level", "encoding")
        return {"luminance": luminance, "data_range": data_range} | {name: getattr(self, name) for name in names}

    def for_model(self) -> dict[str, Any]:
        """Give the arguments that choose the model and how it is computed."""
        names = ["model", "weights", "device", "tile"] + ["stride"] * (self.stride is not None)
        return {name: getattr(self, name) for name in names}

    def weights_sha256(self) -> str:
        """Find the weights, before any image is read, and give their digest; raises WeightsError."""
        return models.find(self.weights or models.default_name(self.model), self.model).sha256


def found_inputs(words: Iterable[str], report: Report, *, further: Iterable[str] = ()) -> list[Path]:
    """Find the images, and say which files were left out because they are maps.

    Parameters
    ----------
    further : iterable of str
        What ends the names of other files that this package writes beside its maps.
    """
    images, maps = expand(words, (*KINDS, *further))
    if maps:
        report.say(f"Left out {len(maps)} files that are maps written by iqmaps, such as {maps[0]}.")
    if not images:
        raise InputError("There is nothing left to do: give images.")
    return images


def read(path: Path, channel_axis: int | str) -> ImageFile:
    """Read an image, with its channel axis as the command line says.

    Parameters
    ----------
    channel_axis : int or str
        ``"auto"`` for what the file says, ``"none"`` for grey, or a number.
    """
    file = read_image(path)
    if channel_axis == "auto":
        return file
    return replace(file, channel_axis=None if isinstance(channel_axis, str) else channel_axis)


def jobs_of(paths: Sequence[Path], reference: Path | None = None) -> list[Job]:
    """Make a job of each image, with its reference where there are any.

    Parameters
    ----------
    reference : pathlib.Path, optional
        A file, the reference of all; or a folder with images of the same names.

    Returns
    -------
    list of Job
        A reference that was not found is an error in its place.
    """
    return [
        Job(path, name, {} if reference is None else {"reference": _reference(path, reference)})
        for path, name in zip(paths, output_names(paths), strict=True)
    ]


def _reference(test: Path, reference: Path) -> Path | InputError:
    try:
        return reference_for(test, reference)
    except InputError as error:
        return error


def alike(test: ImageFile, reference: ImageFile, *, forced: bool) -> tuple[Any, Any, int | None]:
    """Give both arrays the same axes: a grey picture may be stored as grey in one file and as colours in the other."""
    if forced or (test.channel_axis is None and reference.channel_axis is None):
        return test.array, reference.array, test.channel_axis
    return _colours_last(test), _colours_last(reference), -1


def _colours_last(file: ImageFile) -> Any:
    if file.channel_axis is None:
        return file.array[..., np.newaxis]
    return np.moveaxis(file.array, file.channel_axis, -1)


def with_notes(result: Result, *files: ImageFile) -> Result:
    """Keep what reading the files brought up (pages left out, transparency ignored) in the info of a map or score."""
    info: Mapping[str, Any] = result.info
    as_candelas = info.get("luminance") == "absolute" and tuple(info["data_range"]) == (0, SDR_WHITE)
    notes: list[str] = [note for file in files for note in file.notes if as_candelas or note != RELATIVE_LIGHT]
    if not notes:
        return result
    # Once each: test and reference often have the same.
    return replace(result, info={**info, "notes": list(dict.fromkeys([*info.get("notes", ()), *notes]))})


def plan_of(
    kind: str,
    options: Options,
    compute: Callable[[Job, Progress], QualityMap],
    *,
    columns: Sequence[Column] = (),
    **further: Any,
) -> Plan:
    """Plan a batch of maps that rest on thresholds, in a table with further columns, whose cells are in their info."""
    request = request_of(
        model=options.model,
        weights_sha256=options.weights_sha256(),
        stride=options.stride,
        data_range=options.data_range,
        channel_axis=options.channel_axis,
        luminance=options.luminance,
        peak_luminance=options.peak_luminance,
        black_level=options.black_level,
        encoding=options.encoding,
        **further,
    )
    return Plan(
        kind=kind,
        maps=(kind,),
        request=request,
        compute=lambda job, progress: Answer.of(compute(job, progress), columns),
        prepare=lambda: models.resolve(options.device),
        out=options.out,
        suffixes=SUFFIXES[options.formats],
        table=options.table,
        resume=options.resume,
        layout=layout_of(kind),
        columns=(*COLUMNS, *columns),
        kept_row=lambda records: row_of_record(records[0], columns),
    )
