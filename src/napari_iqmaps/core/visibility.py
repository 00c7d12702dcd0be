"""Where a distortion would stay invisible, and where the difference of two images is seen."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

from .. import __version__
from . import devices
from . import weights as weights_registry
from .errors import InputError
from .images import DataRange, Planes, as_planes, check_same_shape
from .maps import QualityMap
from .tiling import LocalOperator, Progress, apply

if TYPE_CHECKING:
    from pathlib import Path

    from .thresholds import CellGrid

ThresholdModel = Literal["pnet", "contrast"]
Stride = Literal[1, 2, 4, 8]

MODELS: tuple[ThresholdModel, ...] = ("pnet", "contrast")
STRIDES: tuple[Stride, ...] = (1, 2, 4, 8)
_PATCH_PIXELS = 32 * 32


def threshold_map(
    image: Any,
    *,
    model: ThresholdModel = "pnet",
    data_range: DataRange = None,
    channel_axis: int | None = None,
    stride: Stride = 4,
    weights: str | Path | None = None,
    device: str = "auto",
    tile: int | None = None,
    progress: Progress | None = None,
) -> QualityMap:
    """Map the threshold below which a distortion stays barely visible.

    Parameters
    ----------
    image : array_like or dask.array.Array
        A clean image ``(height, width)``, a stack ``(..., height, width)`` (one map per plane), or either with a
        channel axis. bool, integer or floating point; NaN, infinite and masked pixels are holes.
    model : {"pnet", "contrast"}
        The trained network, or the closed form with three numbers.
    data_range : float or (float, float), optional
        The values of black and white. Known for bool, uint8 and uint16, required for every other dtype.
    channel_axis : int, optional
        The axis of 1, 3 or 4 channels; None means grey.
    stride : {4, 1, 2, 8}
        Pixels between the cells that are evaluated; between them the map is interpolated. 4 is the paper's.
    weights : str or pathlib.Path, optional
        A name in the registry or a safetensors file; None takes the model's default.
    device : {"auto", "cpu", "cuda", "mps"}
        Where to compute.
    tile : int, optional
        Side of a tile in pixels: bounds the memory and the time between two progress calls.
    progress : callable, optional
        Called with ``(tiles done, tiles in all)``; raise `Cancelled` in it to stop.

    Returns
    -------
    QualityMap
        Kind ``"threshold"``: float32 luminance code values (0..255), .01 to 100, of shape ``(..., height, width)``,
        NaN in holes; its score is the mean of each plane. Lazy if `image` is a dask array.

    Raises
    ------
    InputError
        If the image or an option cannot be used.
    WeightsError
        If the weights are unknown, missing, changed or of another network.
    Cancelled
        If `progress` raised it.

    Notes
    -----
    A difference d (see `visibility_map`) around a pixel whose threshold is T is seen with the probability
    ``1 - exp(-d / T)``: at ``d = T``, 63 %. Feed the clean image: noise adds texture and so raises its own threshold.
    The network is trained on the scores that observers gave to whole images; the absolute scale, which those scores
    leave open, is set so that flat areas of photographs have the 1.8 code values of the paper's figure.
    Deviations from the paper: the map covers every pixel (reflected border, cells centred on their patches,
    bilinear between cells), and thresholds are reported with the paper's mixing scalar absorbed; those of the
    network itself are listed in `napari_iqmaps.core.networks.pnet.PNet`.

    References
    ----------
    .. [1] N. K. Kottayil, G. Valenzise, F. Dufaux, I. Cheng, "Learning Local Distortion Visibility from Image
       Quality", ICIP 2018, arXiv:1803.04053.

    Examples
    --------
    >>> import numpy as np
    >>> import napari_iqmaps as iq
    >>> ramp = np.tile(np.arange(64, dtype=np.uint8), (48, 1))
    >>> iq.threshold_map(ramp, model="contrast").values.shape
    (48, 64)
    """
    planes = as_planes(image, data_range=data_range, channel_axis=channel_axis)
    grid, info = _evaluator(model, stride, weights, device)

    from .thresholds import ThresholdOperator

    operator = ThresholdOperator(grid)
    info |= {"method": "threshold_map", "data_range": planes.data_range}
    return _map("threshold", operator, [planes], tile, progress, info)


def visibility_map(
    test: Any,
    reference: Any,
    *,
    model: ThresholdModel = "pnet",
    data_range: DataRange = None,
    channel_axis: int | None = None,
    window: int = 33,
    stride: Stride = 4,
    weights: str | Path | None = None,
    device: str = "auto",
    tile: int | None = None,
    progress: Progress | None = None,
) -> QualityMap:
    """Map how likely the difference between a test image and its reference is seen.

    Parameters
    ----------
    test, reference : array_like or dask.array.Array
        The image to judge and the one to judge it against, of the same shape and on the same pixels.
    model : {"pnet", "contrast"}
        What gives the thresholds.
    data_range, channel_axis : optional
        As in `threshold_map`; both images share them.
    window : int
        Side, odd, of the square over which the difference is pooled. 33 goes with the score; a smaller window gives a
        finer map, whose score ranks images somewhat less well.
    stride, weights, device, tile, progress : optional
        As in `threshold_map`.

    Returns
    -------
    QualityMap
        Kind ``"visibility"``: float32 probability 0..1, NaN where either image has a hole. Its score, one a plane, is
        0 for equal images, at most 1, and higher is worse. Lazy if either image is a dask array.

    Raises
    ------
    InputError
        If the images differ in size, or an image or an option cannot be used.
    WeightsError
        If the weights are unknown, missing, changed or of another network.
    Cancelled
        If `progress` raised it.

    Notes
    -----
    The probability is ``q = 1 - exp(-d / T)``. The score is the published one, the mean over the pixels of
    ``1 - exp(-a d / T)``, which from the map is ``1 - (1 - q) ** a``; the mixing scalar a, trained on human scores of
    quality, is below 1, because a difference that is surely seen need not be the worst there is.

    Deviations from the paper: d is not the mean absolute difference but the Minkowski mean of
    `napari_iqmaps.core.difference.local_difference`; T is the geometric mean of the thresholds of test and reference
    (what hides a difference has to be in both: noise does not hide itself, blur does not hide behind the texture it
    removed), where the paper takes the test image's; and the map has a value at each pixel.

    References
    ----------
    .. [1] N. K. Kottayil, G. Valenzise, F. Dufaux, I. Cheng, "Learning Local Distortion Visibility from Image
       Quality", ICIP 2018, arXiv:1803.04053.
    """
    test_planes = as_planes(test, data_range=data_range, channel_axis=channel_axis, name="test image")
    reference_planes = as_planes(reference, data_range=data_range, channel_axis=channel_axis, name="reference image")
    check_same_shape(test_planes, reference_planes, ("test image", "reference image"))
    _check_window(window)
    grid, info = _evaluator(model, stride, weights, device)

    from .thresholds import VisibilityOperator

    operator = VisibilityOperator(grid, window)
    info |= {
        "method": "visibility_map",
        "window": window,
        "mixing": grid.mixing,
        "data_range": test_planes.data_range,
    }
    return _map("visibility", operator, [test_planes, reference_planes], tile, progress, info)


def _evaluator(
    model: str, stride: int, name_or_path: str | Path | None, device: str
) -> tuple[CellGrid, dict[str, Any]]:
    """Check the options that choose the evaluator; give it with what a reader needs to repeat it."""
    if model not in MODELS:
        raise InputError(f"There is no threshold model {model!r}. Choose one of {', '.join(MODELS)}.")
    if stride not in STRIDES:
        raise InputError(f"stride is {stride!r}; choose one of {', '.join(map(str, STRIDES))}.")
    target = devices.resolve(device)
    record = weights_registry.find(name_or_path or weights_registry.default_name(model), model)

    from .thresholds import cell_grid

    info = {
        "model": model,
        "weights": record.name,
        "weights_sha256": record.sha256,
        "stride": stride,
        "device": str(target),
    }
    return cell_grid(model, record, stride, target), info


def _map(
    kind: str,
    operator: LocalOperator,
    inputs: list[Planes],
    tile: int | None,
    progress: Progress | None,
    info: dict[str, Any],
) -> QualityMap:
    values = apply(operator, inputs, tile=tile, progress=progress)
    info |= {"tile": tile or operator.tile, "version": __version__}
    height, width = values.shape[-2:]
    if height * width < _PATCH_PIXELS:
        info["not_enough_evidence"] = (
            f"the image has {height * width} pixels, and one threshold rests on a patch of {_PATCH_PIXELS}; "
            "most of what it saw was the image's reflection."
        )
    return QualityMap.of(values, kind, info)


def _check_window(window: object) -> None:
    if isinstance(window, bool) or not isinstance(window, int) or window < 1 or window % 2 == 0:
        raise InputError(f"window is {window!r}; give an odd number of pixels, at least 1, so that it has a centre.")
