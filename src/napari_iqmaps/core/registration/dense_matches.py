"""Matched points from elsewhere: DeepMatching, where it is installed, and quasi-dense matching by OpenCV.

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
import numpy.typing as npt

from ..arguments import checked
from ..errors import InputError
from ..images import as_planes, range_for
from ..opencv import opencv
from ..progress import Progress, Steps
from ..value_range import DataRange
from .images import Bytes, Pair, as_pair, plane_channel_axis
from .matches import MatchTable, parse_matches

_POLL = 0.1
"""Seconds between two looks at whether the work was cancelled."""

_LONGEST_STEP = 100_000  # pixels; longer than any image that is registered

_TOLD = 300
"""Characters of the program's own complaint that a message quotes."""


@checked
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
    data_range : float, (float, float), "data" or "percentiles", optional
        The values of black and white, as in `register`; for both images, where they are arrays.
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
    program, steps = _program(binary), Steps(progress, total=1)
    arguments = [str(option) for option in options]
    sources = [_source(image, data_range, channel_axis) for image in (moving, fixed)]
    if isinstance(data_range, str):
        array, own, axis = sources[1]
        used = range_for(array, own, channel_axis=axis, name="fixed image")
        sources = [(array, used, axis) for array, _, axis in sources]
    images = [_bytes(*source, name) for source, name in zip(sources, ("moving", "fixed"), strict=True)]
    shapes: list[tuple[int, int]] = [(image.shape[0], image.shape[1]) for image in images]
    if "-resize" in arguments and shapes[0] != shapes[1]:
        raise InputError(
            f"DeepMatching's -resize needs two images of one size; these have {shapes[0][0]}x{shapes[0][1]} and "
            f"{shapes[1][0]}x{shapes[1][1]}. Leave the option out."
        )
    with tempfile.TemporaryDirectory(prefix="iqmaps-") as folder:
        paths = [_written(image, Path(folder) / f"{name}.png") for image, name in zip(images, "12", strict=True)]
        output = _run([program, *paths, *arguments], timeout, steps)
    table = parse_matches(output, "DeepMatching's output", moving_shape=shapes[0], fixed_shape=shapes[1])
    steps.reach(1.0)
    return table


def _program(binary: str | Path) -> str:
    found = shutil.which(binary)
    if found is not None:
        return str(Path(found).resolve())
    if Path(binary).is_file():
        raise InputError(f"{binary} is not a program that may be run. Check its rights (chmod +x).")
    raise InputError(f"There is no program {binary}. Give the path of the deepmatching binary.")


def _source(image: Any, data_range: DataRange, channel_axis: int | None) -> tuple[Any, DataRange, int | None]:
    """Give the pixels of an image or of a file, their range, which a file may state, and their channel axis."""
    if isinstance(image, str | Path):
        from ..io import read_image

        file = read_image(image)
        stated = data_range if isinstance(data_range, str) else file.data_range or data_range
        image, channel_axis, data_range = file.array, file.channel_axis, stated
    return image, data_range, plane_channel_axis(image, channel_axis)


def _bytes(image: Any, data_range: DataRange, axis: int | None, name: str) -> Any:
    """Give an image as 8-bit grey."""
    planes = as_planes(image, data_range=data_range, channel_axis=axis, name=f"{name} image")
    if len(planes.shape) > 2:
        raise InputError(f"The {name} image is a stack (shape {planes.shape}); DeepMatching takes one plane.")
    plane = planes.read((), slice(None), slice(None))
    return np.clip(np.rint(np.nan_to_num(plane, nan=0.0)), 0, 255).astype(np.uint8)


def _written(image: Any, path: Path) -> str:
    from PIL import Image

    Image.fromarray(image).save(path)
    return str(path)


def _run(command: list[str], timeout: float, steps: Steps) -> str:
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
        output, complaint = _await(process, timeout, steps)
    finally:
        _stop(process)
    told = complaint.decode("utf-8", "replace").strip()[-_TOLD:]
    if process.returncode != 0:
        raise InputError(f"DeepMatching failed with status {process.returncode}: {told or 'it says nothing'}.")
    text = output.decode("utf-8", "replace")
    if not text.strip():
        raise InputError(f"DeepMatching found no match: {told or 'it printed nothing'}.")
    return text


def _await(process: subprocess.Popen[bytes], timeout: float, steps: Steps) -> tuple[bytes, bytes]:
    end = time.monotonic() + timeout
    while True:
        try:
            return process.communicate(timeout=_POLL)
        except subprocess.TimeoutExpired:
            steps.tick()
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


Plane = npt.NDArray[np.float32]

_CLAHE_CLIP = 2.0
_CLAHE_TILES = (8, 8)
_WINDOW = 15
"""Pixels to a side in which two patches are compared."""

_FLAT = 2.0
"""Standard deviation, grey levels, under which a patch shows nothing to match."""


@checked
def quasi_dense_matches(
    moving: Any,
    fixed: Any,
    *,
    step: int = 8,
    max_inconsistency: float = 1.0,
    min_score: float = 0.5,
    data_range: DataRange = None,
    channel_axis: int | None = None,
    progress: Progress | None = None,
) -> MatchTable:
    """Match two images at every few pixels, without features: for small motions (up to about a tenth of the side).

    Parameters
    ----------
    moving, fixed : array_like
        One plane each, at least 16 pixels to a side; sizes may differ.
    step : int
        Pixels between neighbouring points of the moving image, 1 or more.
    max_inconsistency : float
        How many pixels from its start a point may come back, when it is followed to the fixed image and back.
    min_score : float
        The least correlation of the two patches (15 x 15 pixels), -1 .. 1.
    data_range : float, (float, float), "data" or "percentiles", optional
        The values of black and white of both images, as in `register`.
    channel_axis : int, optional
        The axis of the colours in those images that have three axes.
    progress : callable, optional
        Called as ``progress(done, total)``; may raise `Cancelled`.

    Returns
    -------
    MatchTable
        In the columns of DeepMatching; the score is the correlation of the patches. Empty where nothing agrees, as
        between images of different things.

    Raises
    ------
    InputError
        If an image is none, or an option is unusable.

    Notes
    -----
    The flow is DIS (dense inverse search, Kroeger et al., ECCV 2016), as OpenCV has it, on images whose contrast was
    equalised locally, so that a change of lighting does not count as motion.
    """
    if not 1 <= step <= _LONGEST_STEP:
        raise InputError(f"step is {step!r}; give a whole number of pixels, 1 or more (up to {_LONGEST_STEP}).")
    if not max_inconsistency > 0:
        raise InputError(f"max_inconsistency is {max_inconsistency!r}; give pixels, more than 0.")
    if not -1 <= min_score <= 1:
        raise InputError(f"min_score is {min_score!r}; give a correlation, -1 to 1.")
    steps = Steps(progress)
    pair = steps.wait(lambda: as_pair(moving, fixed, data_range=data_range, channel_axis=channel_axis))
    return match_pair(pair, step=int(step), max_inconsistency=max_inconsistency, min_score=min_score, steps=steps)


def match_pair(pair: Pair, *, step: int, max_inconsistency: float, min_score: float, steps: Steps) -> MatchTable:
    """Match a checked pair; see `quasi_dense_matches`."""
    moving, fixed = steps.wait(lambda: _equalised(pair))
    steps.reach(0.1)
    forward = steps.wait(lambda: _flow(moving, fixed))
    steps.reach(0.5)
    backward = steps.wait(lambda: _flow(fixed, moving))
    steps.reach(0.9)
    height, width = pair.moving.shape
    rows = np.arange(min(step // 2, height - 1), height, step)
    columns = np.arange(min(step // 2, width - 1), width, step)
    x, y = (grid.ravel() for grid in np.meshgrid(columns, rows))
    start = np.stack([x, y], axis=1).astype(np.float64)
    end = start + forward[y, x]
    score = steps.wait(lambda: _correlation(moving, fixed, forward))[y, x]
    inside = (end >= 0).all(axis=1) & (end[:, 0] <= pair.fixed.shape[1] - 1) & (end[:, 1] <= pair.fixed.shape[0] - 1)
    returned = end + steps.wait(lambda: _sampled(backward, end))
    agrees = np.hypot(*(returned - start).T) <= max_inconsistency
    nearest = np.clip(np.rint(end).astype(int), 0, np.array(pair.fixed.shape[::-1]) - 1)
    known = pair.moving.known[y, x] & pair.fixed.known[nearest[:, 1], nearest[:, 0]]
    keep = inside & agrees & known & (score >= min_score)
    steps.reach(1.0)
    return MatchTable.of(
        start[keep],
        end[keep],
        moving_shape=pair.moving.shape,
        fixed_shape=pair.fixed.shape,
        score=score[keep],
    )


def _equalised(pair: Pair) -> tuple[Bytes, Bytes]:
    """Equalise the contrast of both locally, and give both one size: flow needs it. What is added is the last pixel."""
    cv2 = opencv()
    height, width = (max(sides) for sides in zip(pair.moving.shape, pair.fixed.shape, strict=True))
    clahe = cv2.createCLAHE(clipLimit=_CLAHE_CLIP, tileGridSize=_CLAHE_TILES)
    images = []
    for side in (pair.moving, pair.fixed):
        missing = height - side.shape[0], width - side.shape[1]
        images.append(np.pad(clahe.apply(side.bytes), [(0, missing[0]), (0, missing[1])], mode="edge"))
    return images[0], images[1]


def _flow(start: Bytes, end: Bytes) -> Plane:
    cv2 = opencv()
    flow: Plane = cv2.DISOpticalFlow_create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM).calc(start, end, None)
    return flow


def _sampled(flow: Plane, points: npt.NDArray[np.float64]) -> Plane:
    cv2 = opencv()
    if not len(points):
        return np.zeros((0, 2), np.float32)
    # In chunks of one row each: OpenCV counts the pixels along a side in 16 bits.
    parts = [
        cv2.remap(
            flow, chunk[:, np.newaxis].astype(np.float32), None, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE
        )
        for chunk in np.array_split(points, len(points) // 16384 + 1)
    ]
    return np.concatenate(parts)[:, 0]


def _correlation(moving: Bytes, fixed: Bytes, flow: Plane) -> Plane:
    """Correlate the patch around every pixel with the patch that the flow leads to; 0 where either is flat."""
    cv2 = opencv()
    rows, columns = np.indices(moving.shape, dtype=np.float32)
    first = moving.astype(np.float32)
    second = cv2.remap(
        fixed.astype(np.float32), columns + flow[..., 0], rows + flow[..., 1], cv2.INTER_LINEAR,
        borderMode=cv2.BORDER_REPLICATE,
    )  # fmt: skip

    def mean(values: Plane) -> Plane:
        blurred: Plane = cv2.blur(values, (_WINDOW, _WINDOW), borderType=cv2.BORDER_REFLECT)
        return blurred

    averages = mean(first), mean(second)
    variances = [mean(image * image) - average**2 for image, average in zip((first, second), averages, strict=True)]
    covariance = mean(first * second) - averages[0] * averages[1]
    shown = (variances[0] > _FLAT**2) & (variances[1] > _FLAT**2)
    result = np.zeros_like(covariance)
    np.divide(covariance, np.sqrt(np.maximum(variances[0] * variances[1], 1e-6)), out=result, where=shown)
    return result
