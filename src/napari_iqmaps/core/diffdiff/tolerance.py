"""From which change on a pixel counts: the tolerance that suits the contrast and the noise of the images."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from ..arguments import check_fields, checked
from ..arrays import as_array, computed
from ..errors import InputError
from ..images import as_planes, range_for
from ..opencv import opencv
from ..value_range import DataRange
from .options import LOCAL_SMOOTH

Plane = npt.NDArray[np.float32] | npt.NDArray[np.uint8]

SLOPE, OFFSET = 1.12, 1.88
"""Tolerance from the mean contrast of windows, the notebook's get_tol: fitted by eye to images of one camera, in grey
levels of 255."""

WINDOW = 50
"""Pixels to the side of a window."""

LOCAL_SLOPE = 0.15
"""Tolerance from the mean local contrast of locally normalised images, in which few differences are as large as the
spread of a window; chosen by how well the score then tells the better of two alignments (``benchmarks/judging.py``)."""

_FEWEST = 0.5  # share of a window that has to be valid
_LAPLACIAN = np.array([[1, -2, 1], [-2, 4, -2], [1, -2, 1]], np.float32) / 6
# Immerkaer's mask, the difference of two Laplacians: blind to edges and slopes, and by 6, the root of the sum of its
# squares, of unit gain for independent noise.
_GAUSSIAN_MEDIAN = 0.6744897501960817  # median size of a standard normal number
_NOISE_PIXELS = 1 << 17  # enough to tell the noise by; of a larger plane only bands of rows are looked at
_BAND = 16


@dataclass(frozen=True)
class LocalContrast:
    """Brightness and contrast of the windows of an image, in grey levels of 255.

    Attributes
    ----------
    mean_brightness : float
        Mean over the windows of their means.
    mean_contrast : float
        Mean over the windows of their standard deviations.
    brightness_variation : float
        Standard deviation over the windows of their means.
    contrast_variation : float
        Standard deviation over the windows of their standard deviations.
    windows : int
        How many there are.
    """

    mean_brightness: float
    mean_contrast: float
    brightness_variation: float
    contrast_variation: float
    windows: int

    def __post_init__(self) -> None:
        check_fields(self)

    @property
    def tolerance(self) -> float:
        """The tolerance that suits this contrast: 1.12 times the mean contrast, and 1.88."""
        return SLOPE * self.mean_contrast + OFFSET


@checked
def local_contrast(
    image: Any,
    *,
    window: int = WINDOW,
    compat: Literal["notebook"] | None = None,
    data_range: DataRange = None,
    channel_axis: int | None = None,
) -> LocalContrast:
    """Measure brightness and contrast in windows of an image.

    Parameters
    ----------
    image : array_like or dask.array.Array
        An image ``(height, width)`` or a stack, whose windows are all taken together. NaN and masked pixels are holes.
    window : int
        Side of the windows in pixels. They do not overlap; the rest at the lower and right border belongs to none. An
        image smaller than a window is one window.
    compat : {"notebook"}, optional
        Repeat the original's numbers: from the values as they are, and without the last window of an axis that the
        windows fill exactly.
    data_range, channel_axis : optional
        As in `napari_iqmaps.visibility_map`.

    Returns
    -------
    LocalContrast
        NaN without a window of which half is valid.

    Raises
    ------
    InputError
        If the image or an option cannot be used.

    Notes
    -----
    The mean contrast of windows tells images that were equalised locally from others, which mean, median and standard
    deviation of whole images do not. The original loses windows (10 x 10 of a 500 x 500 image are 9 x 9), and has none
    at all for an image of one window.
    """
    if isinstance(window, bool) or not isinstance(window, int | np.integer) or window < 1:
        raise InputError(f"window is {window!r}; give the side of the windows as a whole number of pixels, 1 or more.")
    if compat is not None:
        return _notebook_contrast(computed(as_array(image, "image")), int(window), compat)
    planes = as_planes(image, data_range=data_range, channel_axis=channel_axis)
    everywhere = slice(None)
    found = [
        pair
        for index in np.ndindex(*planes.shape[:-2])
        for pair in window_moments(planes.read(index, everywhere, everywhere), int(window))
    ]
    return _summed_up(found)


@checked
def auto_tolerance(
    *images: Any,
    window: int = WINDOW,
    compat: Literal["notebook"] | None = None,
    data_range: DataRange = None,
    channel_axis: int | None = None,
) -> float:
    """Find the tolerance that suits images.

    Parameters
    ----------
    *images : array_like or dask.array.Array
        Give the moving and the fixed image, not the registered one: its black border would pass for contrast.
    window, compat, data_range, channel_axis : optional
        As in `local_contrast`; a range that is found in the values is that of the last image.

    Returns
    -------
    float
        Grey levels of 255: the mean over the images of 1.12 times their mean contrast and 1.88, and at least twice the
        standard deviation of the noise in the difference of two of them. NaN if no image has a window.

    Raises
    ------
    InputError
        If there is no image, or one of them or an option cannot be used.

    Notes
    -----
    The line is the original's, fitted by eye to frames of one camera. The noise is estimated from the median size of
    the response to a mask that is blind to edges and slopes [1]_; below it interpolation alone, which smooths the
    registered image and not the moving one, passes for a better match. ``compat="notebook"`` leaves the noise out.

    References
    ----------
    .. [1] J. Immerkaer, "Fast noise variance estimation", Computer Vision and Image Understanding 64, 1996,
       doi:10.1006/cviu.1996.0060. It takes the mean size; the median disregards texture.
    """
    if not images:
        raise InputError("auto_tolerance got no image. Give the moving and the fixed image.")
    used = data_range if compat else range_for(images[-1], data_range, channel_axis=channel_axis)
    options: dict[str, Any] = {"window": window, "data_range": used, "channel_axis": channel_axis}
    tols = [local_contrast(image, compat=compat, **options).tolerance for image in images]
    known = [tol for tol in tols if math.isfinite(tol)]
    tol = sum(known) / len(known) if known else math.nan
    if compat is not None or not known:
        return tol
    everywhere = slice(None)
    noises = []
    for image in images:
        planes = as_planes(image, data_range=used, channel_axis=channel_axis)
        own = [noise_of(planes.read(index, everywhere, everywhere)) for index in np.ndindex(*planes.shape[:-2])]
        noises.append(sum(own) / len(own))
    return max(tol, _floor(noises, 0.0))


def tolerance_of(planes: Sequence[Plane], smooth: float = 0.0) -> tuple[float, str]:
    """Find the tolerance of planes of grey levels, NaN in holes, that will be smoothed, and what it comes from."""
    for fewest in (_FEWEST, 0.0):  # of what has no window with enough pixels the others have to do
        tols = [_summed_up(window_moments(plane, WINDOW, fewest)).tolerance for plane in planes]
        known = [tol for tol in tols if math.isfinite(tol)]
        if known:
            break
    else:
        return math.nan, "contrast"
    tol, noise = sum(known) / len(known), _floor([noise_of(plane) for plane in planes], smooth)
    return (noise, "noise") if noise > tol else (tol, "contrast")


def local_tolerance(contrast: float, planes: Sequence[Plane], smooth: float) -> tuple[float, str]:
    """Find the tolerance of planes with this mean local contrast, once they are smoothed and normalised.

    It is `LOCAL_SLOPE` times the contrast, and at least twice the noise that smoothing leaves in a difference of two.
    """
    tol, noise = LOCAL_SLOPE * contrast, 2 * noise_left(planes, smooth)
    return (noise, "noise") if noise > tol else (tol, "local contrast")


def noise_left(planes: Sequence[Plane], smooth: float = LOCAL_SMOOTH) -> float:
    """Estimate the noise in the difference of two planes after they are smoothed, if pixels are independent."""
    return _left(smooth) * _of_difference([noise_of(plane) for plane in planes])


def window_moments(plane: Plane, window: int, fewest: float = _FEWEST) -> Iterator[tuple[float, float]]:
    """Give mean and standard deviation of each window of a plane of which a share is valid; NaN in holes."""
    cv2 = opencv()
    height, width = plane.shape
    rows, columns = min(window, height), min(window, width)
    holes = None if plane.dtype == np.uint8 else ~np.isfinite(plane)
    if holes is not None and not holes.any():
        holes = None
    for top in range(0, height - rows + 1, rows):
        for left in range(0, width - columns + 1, columns):
            part = plane[top : top + rows, left : left + columns]
            mask = None
            if holes is not None:
                valid = ~holes[top : top + rows, left : left + columns]
                if valid.mean() < fewest or not valid.any():
                    continue
                mask = valid.view(np.uint8)
            mean, spread = cv2.meanStdDev(part, mask=mask)
            yield float(mean[0, 0]), float(spread[0, 0])


def noise_of(plane: Plane) -> float:
    """Estimate the standard deviation of the noise in a plane, NaN in holes; 0 where it is too small to tell."""
    cv2 = opencv()
    if min(plane.shape) < 3:  # the mask's side
        return 0.0
    step = math.ceil(plane.size / _NOISE_PIXELS)
    tops = range(0, plane.shape[0] - 2, _BAND * step) if step > 1 else [0]
    bands = [plane[top : top + _BAND] if step > 1 else plane for top in tops]
    reals = (np.asarray(band, np.float32) for band in bands)  # bytes are filtered to other last digits
    sizes = [np.abs(cv2.filter2D(band, cv2.CV_32F, _LAPLACIAN)[1:-1, 1:-1]).ravel() for band in reals]
    known = np.concatenate(sizes)
    if plane.dtype != np.uint8:
        known = known[np.isfinite(known)]
    return float(np.median(known)) / _GAUSSIAN_MEDIAN if known.size else 0.0


def _of_difference(noises: Sequence[float]) -> float:
    """Give the noise of the difference of two images that have, on average, the given noises."""
    return math.sqrt(2 * sum(noise * noise for noise in noises) / len(noises))


def _left(smooth: float) -> float:
    """Give the part of independent noise that a Gaussian leaves."""
    # The root of the sum of squares of a sampled Gaussian: 1 / (2 sqrt(pi) sigma), in two dimensions.
    return min(1.0, 1 / (2 * math.sqrt(math.pi) * smooth)) if smooth > 0 else 1.0


def _floor(noises: Sequence[float], smooth: float) -> float:
    """Give the tolerance below which noise would count: twice what is left of it, at least what there was."""
    return max(1.0, 2 * _left(smooth)) * _of_difference(noises)


def _summed_up(moments: Sequence[tuple[float, float]] | Iterator[tuple[float, float]]) -> LocalContrast:
    found = np.array(list(moments), np.float64)
    if not found.size:
        return LocalContrast(math.nan, math.nan, math.nan, math.nan, 0)
    means, spreads = found[:, 0], found[:, 1]
    return LocalContrast(
        float(means.mean()), float(spreads.mean()), float(means.std()), float(spreads.std()), len(found)
    )


def _notebook_contrast(image: npt.NDArray[Any], window: int, compat: str) -> LocalContrast:
    if compat != "notebook":
        raise InputError(f"compat is {compat!r}; give 'notebook' or None.")
    if image.ndim != 2:
        raise InputError(f"compat='notebook' takes one grey image (height, width); this one has shape {image.shape}.")
    # Without the + 1 the last window that fits is lost, as the notebook's get_local_contrast loses it.
    rows, columns = range(0, image.shape[0] - window, window), range(0, image.shape[1] - window, window)
    parts = [image[top : top + window, left : left + window] for top in rows for left in columns]
    return _summed_up([(part.mean(), part.std()) for part in parts])
