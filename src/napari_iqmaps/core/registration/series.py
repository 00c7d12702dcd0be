"""Register the frames of a series, each to one image or to the frame before it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from ... import __version__
from ..arguments import check_fields, checked
from ..arrays import as_array, computed
from ..errors import InputError
from ..progress import Progress, Steps
from ..span import remarked
from ..value_range import DataRange
from .geometry import Matrix
from .images import range_of_pair
from .record import Registration
from .search import register
from .warp import on_grid

_SHARE = 100
"""Steps of progress that a frame counts for."""


@dataclass(frozen=True, eq=False)
class RegistrationSeries:
    """The registrations of all frames of a series.

    Attributes
    ----------
    frames : tuple of Registration
        One per frame; all matrices map to the one image that the whole series is brought to.
    registered : numpy.ndarray
        All registered frames, ``(frames, height, width)`` or with the channel axis where it was given; a refused frame
        as it is.
    valid : numpy.ndarray
        bool, ``(frames, height, width)``.
    to : {"first", "previous"}
        What each frame was compared with.
    info : mapping
        Options, number of accepted frames, version.
    """

    frames: tuple[Registration, ...]
    registered: npt.NDArray[Any]
    valid: npt.NDArray[np.bool_]
    to: str
    info: Mapping[str, Any]

    def __post_init__(self) -> None:
        check_fields(self)

    def __len__(self) -> int:
        return len(self.frames)

    @property
    def accepted(self) -> npt.NDArray[np.bool_]:
        """bool, one per frame: whether it was registered."""
        return np.array([frame.accepted for frame in self.frames], bool)

    @property
    def matrices(self) -> npt.NDArray[np.float64]:
        """float64, shape ``(frames, 3, 3)``; the identity for a refused frame."""
        return np.stack([frame.matrix for frame in self.frames])

    def rows(self) -> list[dict[str, Any]]:
        """Give a flat row per frame for a table: its number, and what `Registration.row` gives."""
        return [{"frame": number, **frame.row()} for number, frame in enumerate(self.frames)]

    def sentence(self) -> str:
        """Say in words how many frames were registered, and which were not."""
        accepted = self.accepted
        furthest = max((frame.largest_shift for frame in self.frames if frame.accepted), default=0.0)
        text = f"{accepted.sum()} of {len(self)} frames registered, corners move by up to {furthest:.1f} pixels"
        if not accepted.all():
            text += f"; refused: {', '.join(map(str, np.flatnonzero(~accepted)))}"
        return remarked(f"{text}.", self.info)

    def __str__(self) -> str:
        return self.sentence()


@checked
def register_series(
    frames: Any,
    fixed: Any = None,
    *,
    to: Literal["first", "previous"] = "first",
    method: str = "auto",
    transform: str = "homography",
    max_shift: float | None = None,
    min_overlap: float = 0.5,
    min_inliers: int = 8,
    seed: int = 0,
    data_range: DataRange = None,
    channel_axis: int | None = None,
    progress: Progress | None = None,
) -> RegistrationSeries:
    """Register every frame of a series.

    Parameters
    ----------
    frames : array_like or dask.array.Array
        ``(frames, height, width)``, or with channels along `channel_axis`.
    fixed : array_like, optional
        The image that all frames are brought to; by default the first frame. Grey, or with its channels where the
        frames have theirs.
    to : {"first", "previous"}
        "first" compares every frame with the fixed image. "previous" compares it with the last frame before it that was
        registered, and multiplies the matrices: for a camera that drifts out of the first frame, at the price that
        small errors add up; `max_shift` and `min_overlap` then hold from frame to frame.
    method, transform, max_shift, min_overlap, min_inliers, seed
        As in `register`.
    data_range : float, (float, float), "data" or "percentiles", optional
        The values of black and white of all images, as in `register`; ``"data"`` and ``"percentiles"`` are those of the
        image that all frames are brought to.
    channel_axis : int, optional
        The axis of the colours in `frames`.
    progress : callable, optional
        Called as ``progress(done, total)``, a hundred steps a frame; may raise `Cancelled`.

    Returns
    -------
    RegistrationSeries
        A registration per frame. A frame that was refused keeps the identity and its reason, and stops none of the
        others.

    Raises
    ------
    InputError
        If `frames` is no series, or an image or an option is unusable.
    """
    if to not in ("first", "previous"):
        raise InputError(f"to is {to!r}; choose 'first' or 'previous'.")
    stack, has_channels = _checked(frames, channel_axis)
    own_axis = -1 if has_channels else None
    anchor = _frame(stack, 0) if fixed is None else _fixed(fixed, channel_axis if has_channels else None)
    shape = (int(anchor.shape[0]), int(anchor.shape[1]))
    steps = Steps(progress, total=_SHARE * len(stack))
    used = steps.wait(partial(range_of_pair, anchor, data_range, own_axis))  # one for all frames
    colours = stack.shape[3:] if has_channels else ()
    registered = np.zeros((len(stack), *shape, *colours), stack.dtype)
    valid = np.zeros((len(stack), *shape), bool)
    results: list[Registration] = []
    base: Matrix = np.eye(3)  # from the anchor's pixels to the fixed image's
    for number in range(len(stack)):
        frame = _frame(stack, number)
        if number == 0 and fixed is None:
            result = _first(frame, shape, own_axis)
        else:
            result = register(
                frame,
                anchor,
                method=method,
                transform=transform,
                max_shift=max_shift,
                min_overlap=min_overlap,
                min_inliers=min_inliers,
                seed=seed,
                data_range=used,
                channel_axis=own_axis,
                progress=steps.part(number / len(stack), (number + 1) / len(stack)).progress,
            )
            if to == "previous" and result.accepted:
                result = _placed(result, frame, base @ result.matrix, shape, own_axis)
        if to == "previous":
            if result.accepted:
                anchor, base = frame, result.matrix
            else:
                # The refusal was judged on the anchor's grid; what is shown of the frame is on the fixed image's.
                result = _placed(result, frame, np.eye(3), shape, own_axis)
        registered[number], valid[number] = result.registered, result.valid
        # Views of the stack, so that the series is held once.
        results.append(replace(result, registered=registered[number], valid=valid[number]))
        steps.reach((number + 1) / len(stack))
    info = {
        **_range_of(results),
        "method": method,
        "transform": transform,
        "to": to,
        "max_shift": max_shift,
        "min_overlap": min_overlap,
        "min_inliers": min_inliers,
        "seed": seed,
        "accepted": sum(result.accepted for result in results),
        "version": __version__,
    }
    if has_channels and channel_axis is not None:
        registered = np.moveaxis(registered, -1, channel_axis)
    return RegistrationSeries(tuple(results), registered, valid, to, info)


def _range_of(results: list[Registration]) -> dict[str, Any]:
    """Say what the registrations say of the range: that of the image that they share."""
    info = next((result.info for result in results if "data_range" in result.info), {})
    names = ("data_range", "range_rule", "span", "span_remark")
    return {name: info[name] for name in names if name in info}


def _checked(frames: Any, channel_axis: int | None) -> tuple[Any, bool]:
    """Give the frames with their channels last, and whether they have any."""
    stack = as_array(frames, "series")
    has_channels = channel_axis is not None
    if channel_axis is not None:
        if not isinstance(channel_axis, int | np.integer) or not -stack.ndim <= channel_axis < stack.ndim:
            raise InputError(f"channel_axis is {channel_axis!r}, but the frames have {stack.ndim} axes.")
        order = [axis for axis in range(stack.ndim) if axis != channel_axis % stack.ndim]
        stack = stack.transpose([*order, channel_axis % stack.ndim])
    axes = stack.ndim - has_channels
    if axes != 3 or 0 in stack.shape:
        hint = " One image is registered by register." if axes == 2 else " Choose one series of the stack."
        raise InputError(
            f"The frames have shape {tuple(stack.shape)}; a series is (frames, height, width), and colours along "
            f"channel_axis.{hint if axes != 3 else ''}"
        )
    return stack, has_channels


def _frame(stack: Any, number: int) -> npt.NDArray[Any]:
    frame: npt.NDArray[Any] = computed(stack[number], "series")
    return frame


def _fixed(fixed: Any, channel_axis: int | None) -> npt.NDArray[Any]:
    """Give the fixed image with its channels last; the axis is counted as in the frames, which have one axis more."""
    image: npt.NDArray[Any] = computed(as_array(fixed, "fixed image"), "fixed image")
    if channel_axis is None or image.ndim == 2:
        if image.ndim != 2:
            raise InputError(f"The fixed image has shape {image.shape}; give one plane, (height, width).")
        return image
    own = channel_axis if channel_axis < 0 else channel_axis - 1
    if image.ndim != 3 or not -3 <= own < 3:
        raise InputError(f"The fixed image has shape {image.shape}; give one plane with its colours as the frames'.")
    return np.moveaxis(image, own, -1)


def _first(frame: npt.NDArray[Any], shape: tuple[int, int], own_axis: int | None) -> Registration:
    registered, valid = on_grid(frame, np.eye(3), shape, own_axis)
    return Registration(
        matrix=np.eye(3),
        registered=registered,
        valid=valid,
        method="reference",
        inliers=None,
        accepted=True,
        reason="",
        info={"reference": True, "version": __version__},
        moving_shape=shape,
    )


def _placed(
    result: Registration, frame: npt.NDArray[Any], matrix: Matrix, shape: tuple[int, int], own_axis: int | None
) -> Registration:
    """Give a registration with another matrix, to the image that the series is brought to."""
    matrix = matrix / matrix[2, 2]
    registered, valid = on_grid(frame, matrix, shape, own_axis)
    return replace(result, matrix=matrix, registered=registered, valid=valid)
