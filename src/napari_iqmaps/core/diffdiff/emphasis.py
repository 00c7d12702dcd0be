"""Weights that let edges or isolated detail count for more."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from ..arguments import checked
from ..errors import InputError
from ..images import as_planes, fill
from ..opencv import opencv
from ..value_range import DataRange

EdgeKind = Literal["mean", "gaussian", "laplacian"]
EDGE_KINDS: tuple[EdgeKind, ...] = ("mean", "gaussian", "laplacian")

_MOST_LAPLACIAN = 31
_MOST_RADIUS = 10_000


@checked
def edge_weight(
    image: Any,
    *,
    kind: EdgeKind = "gaussian",
    radius: int = 5,
    data_range: DataRange = None,
    channel_axis: int | None = None,
) -> npt.NDArray[np.float32]:
    """Measure how much each pixel stands out from its surroundings.

    Parameters
    ----------
    image : array_like or dask.array.Array
        ``(..., height, width)``, or with a channel axis.
    kind : {"gaussian", "mean", "laplacian"}
        The size of the difference to the blurred image (by a Gaussian, or by the mean of a square), or of the
        Laplacian.
    radius : int
        Side of the window in pixels; an even one is made odd by adding 1, but for "mean". At most 31 for "laplacian".
    data_range, channel_axis : optional
        As in `napari_iqmaps.diff_diff`.

    Returns
    -------
    numpy.ndarray
        float32, 0 or more, ``(..., height, width)``: grey levels of 255, for "laplacian" per squared pixel; 0 in holes.
        Use it, or a threshold of it, as the weight of `diff_diff_score`.

    Raises
    ------
    InputError
        If the image or an option cannot be used.

    Notes
    -----
    The original tries 9 sides from 5 to 200 (5 to 31 for the Laplacian) and scores nothing with them. Its Laplacian is
    the unscaled derivative filter, whose values grow by about 4 with each pixel of the side; here it is divided by the
    filter's gain, so that sides compare.
    """
    if kind not in EDGE_KINDS:
        raise InputError(f"kind is {kind!r}; choose one of {', '.join(map(repr, EDGE_KINDS))}.")
    if isinstance(radius, bool) or not isinstance(radius, int | np.integer) or radius < 1:
        raise InputError(f"radius is {radius!r}; give the side of the window as a whole number of pixels, 1 or more.")
    most = _MOST_LAPLACIAN if kind == "laplacian" else _MOST_RADIUS
    if radius > most:
        raise InputError(f"radius is {radius}; the {'Laplacian' if kind == 'laplacian' else kind} goes up to {most}.")
    planes = as_planes(image, data_range=data_range, channel_axis=channel_axis)
    result = np.empty(planes.shape, np.float32)
    for index in np.ndindex(*planes.shape[:-2]):
        plane = planes.read(index, slice(None), slice(None))
        result[index] = np.where(np.isfinite(plane), _standing_out(fill(plane), kind, int(radius)), 0)
    return result


def _standing_out(plane: npt.NDArray[np.float32], kind: EdgeKind, side: int) -> Any:
    cv2 = opencv()
    odd = side + 1 - side % 2
    if kind == "mean":
        return cv2.absdiff(plane, cv2.blur(plane, (side, side)))
    if kind == "gaussian":
        return cv2.absdiff(plane, cv2.GaussianBlur(plane, (odd, odd), 0))
    # Beyond a side of 1 its kernels smooth as well, and make a second derivative 2^(2 side - 4) times as large.
    scale = 1.0 if odd == 1 else 2.0 ** (4 - 2 * odd)
    return np.abs(cv2.Laplacian(plane, cv2.CV_32F, ksize=odd, scale=scale))
