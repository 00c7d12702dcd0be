"""What the commands of all subjects do alike: gather options, find inputs, read a file, plan a batch."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from ..core import devices, weights
from ..core.errors import InputError
from ..core.io.reading import ImageFile, read_image
from ..core.maps import KINDS, QualityMap
from .batch import Job, Plan, Progress, request_of
from .inputs import expand
from .report import Report

_SUFFIXES = {"tif": (".tif",), "png": (".png",), "both": (".tif", ".png")}


@dataclass(frozen=True)
class Options:
    """The shared options of a command, as `image_options`, `model_options` and `output_options` name them."""

    data_range: tuple[float, float] | None
    channel_axis: int | str
    model: Any
    weights: str | None
    stride: Any
    device: str
    tile: int | None
    out: Path | None
    formats: str
    table: Path | None
    resume: bool

    def for_model(self) -> dict[str, Any]:
        """Give the arguments that choose how thresholds are found."""
        names = ("model", "weights", "stride", "device", "tile")
        return {name: getattr(self, name) for name in names}


def found_inputs(words: Iterable[str], report: Report) -> list[Path]:
    """Find the images, and say which files were left out because they are maps.

    Parameters
    ----------
    words : iterable of str
        Files, patterns, folders.
    report : Report
        Where to say it.

    Returns
    -------
    list of pathlib.Path
        The images.

    Raises
    ------
    InputError
        If all of them are maps.
    """
    images, maps = expand(words, tuple(KINDS))
    if maps:
        report.say(f"Left out {len(maps)} files that are maps written by iqmaps, such as {maps[0]}.")
    if not images:
        raise InputError("There is nothing left to do: give images.")
    return images


def read(path: Path, channel_axis: int | str) -> ImageFile:
    """Read an image, with its channel axis as the command line says.

    Parameters
    ----------
    path : pathlib.Path
        The file.
    channel_axis : int or str
        ``"auto"`` for what the file says, ``"none"`` for grey, or a number.

    Returns
    -------
    ImageFile
        The image.
    """
    file = read_image(path)
    if channel_axis == "auto":
        return file
    return replace(file, channel_axis=None if isinstance(channel_axis, str) else channel_axis)


def with_notes(quality_map: QualityMap, *files: ImageFile) -> QualityMap:
    """Keep what reading the files brought up (pages left out, transparency ignored) in the map's info."""
    notes = [note for file in files for note in file.notes]
    return replace(quality_map, info={**quality_map.info, "notes": notes}) if notes else quality_map


def plan_of(kind: str, options: Options, compute: Callable[[Job, Progress], QualityMap], **further: Any) -> Plan:
    """Plan a batch of maps that rest on thresholds.

    Parameters
    ----------
    kind : str
        Kind of map.
    options : Options
        What the command line says.
    compute : callable
        From a job and a progress callback to the map.
    **further
        More options that decide the values.

    Returns
    -------
    Plan
        For `napari_iqmaps.cli.batch.run`.

    Raises
    ------
    WeightsError
        If the weights cannot be used; before any image is read.
    """
    record = weights.find(options.weights or weights.default_name(options.model), options.model)
    request = request_of(
        model=options.model,
        weights_sha256=record.sha256,
        stride=options.stride,
        data_range=options.data_range,
        channel_axis=options.channel_axis,
        **further,
    )
    return Plan(
        kind=kind,
        request=request,
        compute=compute,
        prepare=lambda: devices.resolve(options.device),
        out=options.out,
        suffixes=_SUFFIXES[options.formats],
        table=options.table,
        resume=options.resume,
    )
