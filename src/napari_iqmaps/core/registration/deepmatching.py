"""Run DeepMatching, where the user has it installed, and read what it prints.

DeepMatching (Revaud et al., IJCV 2016) is a program of its own under another licence; nothing of it is part of this
package. It is started as a process, with images as PNG files, and its output is text.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import InputError
from ..images import DataRange, as_planes
from ..progress import Progress
from .images import plane_channel_axis
from .match_reading import parse_matches
from .matches import MatchTable

_POLL = 0.1
"""Seconds between two looks at whether the work was cancelled."""

_TOLD = 300
"""Characters of the program's own complaint that a message quotes."""


def run_deepmatching(
    binary: str | Path,
    moving: Any,
    fixed: Any,
    *,
    options: Sequence[str] = (),
    timeout: float = 600.0,
    data_range: DataRange = None,
    channel_axis: int | None = None,
    progress: Progress | None = None,
) -> MatchTable:
    """Match two images with an installed DeepMatching.

    Parameters
    ----------
    binary : str or pathlib.Path
        The program, as a path or as a name that the system finds.
    moving, fixed : array_like, str or pathlib.Path
        The images, as arrays of one plane each or as files.
    options : sequence of str
        Further arguments, each option and each of its values an item of its own: ``("-nt", "4")``.
    timeout : float
        Seconds after which the program is stopped.
    data_range : float or (float, float), optional
        See `napari_iqmaps.core.images.as_planes`; for both images, where they are arrays.
    channel_axis : int, optional
        The axis of the colours in those arrays that have three axes.
    progress : callable, optional
        Called as ``progress(0, 1)`` ten times a second, and ``progress(1, 1)`` at the end; raising `Cancelled` in it
        stops the program.

    Returns
    -------
    MatchTable
        Points in pixels of the images as given.

    Raises
    ------
    InputError
        If the program is not there, cannot be run, fails, takes too long, prints nothing or what cannot be read, or if
        the images differ in size although ``-resize`` is among the options.

    Notes
    -----
    DeepMatching reports pixels of the original images, whatever ``-resize`` says. Options that ask for a small change
    of scale or rotation (``-max_scale 1.05 -rot_range 0 2``) change nothing but the time it takes: it knows half
    octaves and steps of 45 degrees only (version 1.2.2).
    """
    program = _program(binary)
    arguments = [str(option) for option in options]
    images = [_bytes(image, name, data_range, channel_axis) for image, name in ((moving, "moving"), (fixed, "fixed"))]
    shapes: list[tuple[int, int]] = [(image.shape[0], image.shape[1]) for image in images]
    if "-resize" in arguments and shapes[0] != shapes[1]:
        raise InputError(
            f"DeepMatching's -resize needs two images of one size; these have {shapes[0][0]}x{shapes[0][1]} and "
            f"{shapes[1][0]}x{shapes[1][1]}. Leave the option out."
        )
    with tempfile.TemporaryDirectory(prefix="iqmaps-") as folder:
        paths = [_written(image, Path(folder) / f"{name}.png") for image, name in zip(images, "12", strict=True)]
        output = _run([program, *paths, *arguments], timeout, progress)
    table = parse_matches(output, "DeepMatching's output", moving_shape=shapes[0], fixed_shape=shapes[1])
    if progress is not None:
        progress(1, 1)
    return table


def _program(binary: str | Path) -> str:
    found = shutil.which(binary)
    if found is not None:
        return str(Path(found).resolve())
    if Path(binary).is_file():
        raise InputError(f"{binary} is not a program that may be run. Check its rights (chmod +x).")
    raise InputError(f"There is no program {binary}. Give the path of the deepmatching binary.")


def _bytes(image: Any, name: str, data_range: DataRange, channel_axis: int | None) -> Any:
    """Give an image as 8-bit grey."""
    if isinstance(image, str | Path):
        from ..io import read_image

        file = read_image(image)
        image, channel_axis, data_range = file.array, file.channel_axis, file.data_range or data_range
    axis = plane_channel_axis(image, channel_axis)
    planes = as_planes(image, data_range=data_range, channel_axis=axis, name=f"{name} image")
    if len(planes.shape) > 2:
        raise InputError(f"The {name} image is a stack (shape {planes.shape}); DeepMatching takes one plane.")
    plane = planes.read((), slice(None), slice(None))
    return np.clip(np.rint(np.nan_to_num(plane, nan=0.0)), 0, 255).astype(np.uint8)


def _written(image: Any, path: Path) -> str:
    from PIL import Image

    Image.fromarray(image).save(path)
    return str(path)


def _run(command: list[str], timeout: float, progress: Progress | None) -> str:
    try:
        process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            start_new_session=os.name == "posix",  # so that what it starts itself can be stopped with it
        )
    except OSError as error:
        raise InputError(f"{command[0]} could not be started ({error.strerror or error}).") from error
    try:
        output, complaint = _await(process, timeout, progress)
    finally:
        _stop(process)
    told = complaint.decode("utf-8", "replace").strip()[-_TOLD:]
    if process.returncode != 0:
        raise InputError(f"DeepMatching failed with status {process.returncode}: {told or 'it says nothing'}.")
    text = output.decode("utf-8", "replace")
    if not text.strip():
        raise InputError(f"DeepMatching found no match: {told or 'it printed nothing'}.")
    return text


def _await(process: subprocess.Popen[bytes], timeout: float, progress: Progress | None) -> tuple[bytes, bytes]:
    end = time.monotonic() + timeout
    while True:
        try:
            return process.communicate(timeout=_POLL)
        except subprocess.TimeoutExpired:
            if progress is not None:
                progress(0, 1)
            if time.monotonic() > end:
                raise InputError(
                    f"DeepMatching did not finish in {timeout:g} s. Give a longer timeout, or smaller images."
                ) from None


def _stop(process: subprocess.Popen[bytes]) -> None:
    if process.poll() is None:
        if os.name == "posix":
            import signal

            os.killpg(process.pid, signal.SIGKILL)
        else:
            process.kill()
        process.wait()
    for stream in (process.stdout, process.stderr):
        if stream is not None:
            stream.close()
