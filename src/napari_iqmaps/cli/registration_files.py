"""The files of a registration: the registered image as its own file was, where it has pixels, and before and after."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from ..core.io.image_file import ImageFile
from ..core.registration import Registration
from .plans import Job
from .registering import FRAMES, MATRIX, OVERLAY, REGISTERED, VALID, Images, on_grid

_IMAGES = (f"{REGISTERED}.png", f"{REGISTERED}.tif", f"{VALID}.png", f"{VALID}.tif", f"{OVERLAY}.png")


def outputs(job: Job, out: Path) -> list[Path]:
    """Name all files that a registration may write."""
    return [out / f"{job.name}_{name}" for name in (*_IMAGES, f"{MATRIX}.json", f"{FRAMES}.csv")]


def image_paths(job: Job, out: Path, images: Images, *, is_stack: bool) -> list[Path]:
    """Name what `write_images` writes: where it has pixels, and the registered image."""
    from ..core.io.image_file import lossless_suffix

    suffix, _ = lossless_suffix(images.files[0])
    return [out / f"{job.name}_{VALID}{'.tif' if is_stack else '.png'}", out / f"{job.name}_{REGISTERED}{suffix}"]


def write_images(
    job: Job, out: Path, images: Images, registered: Any, valid: Any, info: Mapping[str, Any]
) -> list[Path]:
    """Write a registered image, or a stack of them.

    Parameters
    ----------
    images : Images
        What was registered: the file takes over the axes, the type and the profile of the moving image's.
    registered : numpy.ndarray
        With the axes of ``images.arrays``.
    valid : numpy.ndarray
        bool, ``(..., height, width)``: where it has pixels; written as 0 and 255.
    info : mapping
        How it was made; kept in the registered image, which is written last and so vouches for all files.
    """
    from ..core.io.image_file import write_picture

    paths = image_paths(job, out, images, is_stack=valid.ndim > 2)
    pixels = np.where(valid, np.uint8(255), np.uint8(0))
    mask = ImageFile(paths[0], pixels, None, "T" * (valid.ndim - 2) + "YX")
    write_picture(pixels, paths[0], mask, {"mask": VALID, "of": job.path.name})
    source = images.files[0]
    if images.channel_axis is not None and source.channel_axis is None:
        registered = np.take(registered, 0, axis=images.channel_axis)  # grey, beside a fixed image in colours
    elif images.channel_axis is not None and source.channel_axis is not None:
        registered = np.moveaxis(registered, images.channel_axis, source.channel_axis)
    write_picture(registered, paths[1], source, info)
    return paths


def write_overlay(job: Job, out: Path, images: Images, found: Registration) -> Path:
    """Draw the moving image and the registered one in red on the fixed one in green."""
    from ..core.diffdiff.pictures import overlay
    from ..core.diffdiff.sheet import write_overlays

    fixed = images.arrays[1]
    before, _ = on_grid(images.arrays[0], found.fixed_shape, images.channel_axis)
    pictures = {
        "Before: moving (red) on fixed (green)": overlay(before, fixed, **images.known),
        "After: registered (red) on fixed (green)": overlay(found.registered, fixed, **images.known),
    }
    title = f"{job.path.name} on {images.files[1].path.name}, registered by {found.method}"
    return write_overlays(pictures, out / f"{job.name}_{OVERLAY}.png", title)


def remove_images(job: Job, out: Path) -> None:
    """Remove the images of an earlier registration that the present one refuses; only what this package wrote."""
    from ..core.io.map_file import read_record

    for name in _IMAGES:
        path = out / f"{job.name}_{name}"
        if path.is_file() and read_record(path) is not None:
            path.unlink()
