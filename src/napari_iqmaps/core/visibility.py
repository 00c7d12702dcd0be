"""Where a distortion would stay invisible, and where the difference of two images is seen."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from .. import __version__
from . import models
from .arguments import check_fields, checked
from .display import Display, Encoding, Luminance
from .errors import InputError
from .images import Planes, as_planes, check_same_shape, range_for
from .libraries import load
from .maps import QualityMap
from .observers import PIXELS_PER_DEGREE, Observer, ObserverName, checked_window, observer_named
from .progress import Progress, Steps
from .tiling import LocalOperator, apply
from .value_range import DataRange

if TYPE_CHECKING:
    from pathlib import Path

    from ._thresholds import CellGrid

ThresholdModel = Literal["pnet", "contrast"]
Stride = Literal[1, 2, 4, 8]

MODELS: tuple[ThresholdModel, ...] = ("pnet", "contrast")
STRIDES: tuple[Stride, ...] = (1, 2, 4, 8)
_PATCH_PIXELS = 32 * 32


@dataclass(frozen=True, kw_only=True)
class ThresholdOptions:
    """How visibility is judged: what gives the thresholds, who looks, and from where.

    Attributes
    ----------
    model : {"pnet", "contrast"}
        The trained network, or the closed form with three numbers.
    observer : {"everyday", "practised"}
        Who looks: people who judge photographs, or people who detect known patterns in a laboratory.
    pixels_per_degree : float
        Of visual angle, where the images are seen: viewing distance / pixel pitch x .01745. 4 to 600.
    window : int, optional
        Side, odd, of the square over which a difference is pooled; None takes .94 degrees, which is 33 pixels at 35
        pixels per degree.
    stride : {4, 1, 2, 8}
        Pixels between the cells that are evaluated; between them the map is interpolated. 4 is the paper's.
    weights : str or pathlib.Path, optional
        A name in the registry or a safetensors file; None takes the model's default.

    Raises
    ------
    InputError
        If an option cannot be used.

    See Also
    --------
    threshold_map, visibility_map : Take the same options one by one.
    hide : Takes this record as `thresholds`.

    Examples
    --------
    >>> import napari_iqmaps as iq
    >>> iq.ThresholdOptions(observer="practised", pixels_per_degree=60).model
    'pnet'
    """

    model: ThresholdModel = "pnet"
    observer: ObserverName = "everyday"
    pixels_per_degree: float = PIXELS_PER_DEGREE
    window: int | None = None
    stride: Stride = 4
    weights: str | Path | None = None

    def __post_init__(self) -> None:
        check_fields(self)
        observer_named(self.observer)
        checked_window(self.window, self.pixels_per_degree)
        if self.model not in MODELS:
            raise InputError(f"There is no threshold model {self.model!r}. Choose one of {', '.join(MODELS)}.")
        _check_stride(self.stride)

    @property
    def used_window(self) -> int:
        """Side of the window in pixels, also where it follows from the distance."""
        return checked_window(self.window, self.pixels_per_degree)

    @property
    def looking(self) -> Observer:
        """The observer's gains and factor."""
        return observer_named(self.observer)


@checked
def threshold_map(
    image: Any,
    *,
    model: ThresholdModel = "pnet",
    data_range: DataRange = None,
    channel_axis: int | None = None,
    luminance: Luminance = "code",
    peak_luminance: float | None = None,
    black_level: float = 0.0,
    encoding: Encoding = "pu21",
    observer: ObserverName = "everyday",
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
    data_range : float, (float, float), "data" or "percentiles", optional
        The values of black and white. Known for bool, uint8 and uint16, required for every other dtype. ``"data"``
        takes the lowest and the highest value of all planes and colours, ``"percentiles"`` the 0.1th and the 99.9th
        percentile; the numbers stand in ``info["data_range"]``. For absolute values white is the diffuse white, which
        is shown at 100 cd/m2, and cannot be found so; None means that values are cd/m2.
    channel_axis : int, optional
        The axis of 1, 3 or 4 channels; None means grey.
    luminance : {"code", "absolute"}
        What values are: display codes, gamma-coded as in ordinary pictures, or linear light in cd/m2 (high dynamic
        range), which may be brighter than white.
    peak_luminance : float, optional
        The display's white in cd/m2. None: 100 for display codes; 10,000 for absolute values, which are clipped to it.
    black_level : float
        The display's black in cd/m2; absolute values below it are raised to it.
    encoding : {"pu21", "pq"}
        What luminances above 100 cd/m2 are encoded with.
    observer : {"everyday", "practised"}
        Who looks: people who judge photographs, or people who detect known patterns in a laboratory, whose thresholds
        are lower by one factor.
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
    leave open, is set so that flat areas of photographs have the 1.8 code values of the paper's figure. This is the
    everyday observer's scale: a difference that is noticed in a picture. The practised observer's thresholds are lower
    by one factor, fitted to the contrasts that 16 observers of the Modelfest group detected in forced choice [2]_; on
    flat areas they lie below one step of 8 bits.
    Thresholds belong to patches of 32 pixels as the databases showed them, at about 35 pixels per degree.
    Deviations from the paper: the map covers every pixel (reflected border, cells centred on their patches,
    bilinear between cells), and thresholds are reported with the paper's mixing scalar absorbed; those of the
    network itself are listed in `napari_iqmaps.core.networks.pnet.PNet`.

    Code values go up to 255 at 100 cd/m2, as the sRGB code does, and on above it with the steps of the encoding (to 592
    at 10,000 cd/m2 with PU21), so an ordinary picture has the same thresholds whether it is stated in codes or in
    cd/m2. Where this differs from plain PU21 is said at `napari_iqmaps.core.display.code_values`. The network has
    seen no picture of high dynamic range: in its lights the thresholds are extrapolated.

    References
    ----------
    .. [1] N. K. Kottayil, G. Valenzise, F. Dufaux, I. Cheng, "Learning Local Distortion Visibility from Image
       Quality", ICIP 2018, arXiv:1803.04053.
    .. [2] T. Carney et al., "Development of an image/threshold database for designing and testing human vision models",
       Proc. SPIE 3644, 1999, doi:10.1117/12.348473.

    Examples
    --------
    >>> import numpy as np
    >>> import napari_iqmaps as iq
    >>> ramp = np.tile(np.arange(64, dtype=np.uint8), (48, 1))
    >>> iq.threshold_map(ramp, model="contrast").values.shape
    (48, 64)
    """
    display = Display(luminance, peak_luminance, black_level, encoding)
    planes = as_planes(image, data_range=data_range, channel_axis=channel_axis, display=display, progress=progress)
    options = ThresholdOptions(model=model, observer=observer, stride=stride, weights=weights)
    return thresholds_of(planes, options, device, tile, progress)


@checked
def visibility_map(
    test: Any,
    reference: Any,
    *,
    model: ThresholdModel = "pnet",
    data_range: DataRange = None,
    channel_axis: int | None = None,
    luminance: Luminance = "code",
    peak_luminance: float | None = None,
    black_level: float = 0.0,
    encoding: Encoding = "pu21",
    observer: ObserverName = "everyday",
    pixels_per_degree: float = PIXELS_PER_DEGREE,
    window: int | None = None,
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
        What gives the thresholds: the trained network, or the closed form with three numbers.
    data_range, channel_axis, luminance, peak_luminance, black_level, encoding : optional
        As in `threshold_map`; both images share them, and ``"data"`` and ``"percentiles"`` are those of the reference.
    observer : {"everyday", "practised"}
        Who looks: people who judge photographs, or people who detect known patterns in a laboratory.
    pixels_per_degree : float
        Of visual angle, where the images are seen: viewing distance / pixel pitch x .01745. 4 to 600.
    window : int, optional
        Side, odd, of the square over which the difference is pooled; None takes .94 degrees, which is 33 pixels at 35
        pixels per degree. A smaller window gives a finer map, whose score ranks images somewhat less well.
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
    The probability is ``q = 1 - exp(-d / T)``. The score is the power mean, of exponent 2.5, over the pixels of the
    impairment ``1 - exp(-a d / T)``, which from the map is ``1 - (1 - q) ** a``; the mixing scalar a, trained on human
    scores of quality, is below 1, because a difference that is surely seen need not be the worst there is.

    The everyday observer goes with the score: gains of the channels and exponents were fitted with the thresholds to
    scores of quality. For the practised observer gains and scale are fitted to thresholds of detection: q is .5 where
    such observers see a faint pattern half of the time, and close to 1 for most differences that one notices in a
    photograph. `pixels_per_degree` moves the channels and the window; T stays that of patches of 32 pixels.

    Deviations from the paper: d is not the mean absolute difference but the Minkowski mean over channels and window of
    `napari_iqmaps.core.observers.local_difference`; T is the geometric mean of the thresholds of test and reference
    (what hides a difference has to be in both: noise does not hide itself, blur does not hide behind the texture it
    removed), where the paper takes the test image's; the map has a value at each pixel; and the paper's score is the
    plain mean of the impairment.

    References
    ----------
    .. [1] N. K. Kottayil, G. Valenzise, F. Dufaux, I. Cheng, "Learning Local Distortion Visibility from Image
       Quality", ICIP 2018, arXiv:1803.04053.
    """
    meant: dict[str, Any] = {
        "channel_axis": channel_axis,
        "display": Display(luminance, peak_luminance, black_level, encoding),
    }
    used = range_for(reference, data_range, name="reference image", progress=progress, **meant)
    test_planes, reference_planes = (
        as_planes(image, data_range=used, name=name, **meant)
        for image, name in ((test, "test image"), (reference, "reference image"))
    )
    check_same_shape(test_planes, reference_planes, ("test image", "reference image"))
    options = ThresholdOptions(
        model=model,
        observer=observer,
        pixels_per_degree=pixels_per_degree,
        window=window,
        stride=stride,
        weights=weights,
    )
    return visibility_of(test_planes, reference_planes, options, device, tile, progress)


def thresholds_of(
    planes: Planes, options: ThresholdOptions, device: str, tile: int | None, progress: Progress | None
) -> QualityMap:
    """Map the thresholds of checked planes; see `threshold_map`."""
    grid, info = _evaluator(options, device)

    from ._thresholds import ThresholdOperator

    info |= {"method": "threshold_map", "observer": options.observer}
    return _map("threshold", ThresholdOperator(grid, options.looking), [planes], tile, progress, info)


def visibility_of(
    test: Planes,
    reference: Planes,
    options: ThresholdOptions,
    device: str,
    tile: int | None,
    progress: Progress | None,
) -> QualityMap:
    """Map the visibility of the difference of checked planes of one shape; see `visibility_map`."""
    grid, info = _evaluator(options, device)

    from ._thresholds import VisibilityOperator

    looking, window = options.looking, options.used_window
    info |= {
        "method": "visibility_map",
        "observer": options.observer,
        "pixels_per_degree": options.pixels_per_degree,
        "window": window,
        # The practised observer's thresholds are the network's times a factor, so that a d / T stays what it was.
        "mixing": grid.mixing * looking.threshold_factor,
    }
    inputs, steps = [test, reference], Steps(progress)
    # What is lazy is computed later, perhaps in another process, where nobody listens.
    tick = None if progress is None or any(planes.is_lazy for planes in inputs) else steps.tick
    operator = VisibilityOperator(grid, window, looking, options.pixels_per_degree, tick)
    return _map("visibility", operator, inputs, tile, progress and steps.count, info)


def surroundings(
    *, stride: int = 4, window: int | None = None, pixels_per_degree: float = PIXELS_PER_DEGREE, **_others: Any
) -> int:
    """Give the pixels around a part of an image with which its map is that of the whole.

    The part's first row and column have to be multiples of the stride.
    """
    _check_stride(stride)
    window = checked_window(window, pixels_per_degree)
    load("PyTorch")

    from ._thresholds import visibility_reach

    return visibility_reach(stride, window, pixels_per_degree)


def _evaluator(options: ThresholdOptions, device: str) -> tuple[CellGrid, dict[str, Any]]:
    """Give what evaluates the thresholds, and what a reader needs to repeat it."""
    model, stride = options.model, options.stride
    target = models.resolve(device)
    record = models.find(options.weights or models.default_name(model), model)

    from ._thresholds import cell_grid

    info = {"model": model, "weights": record.name, "weights_sha256": record.sha256}
    return cell_grid(model, record, stride, target), {**info, "stride": stride, "device": str(target)}


def _map(
    kind: str,
    operator: LocalOperator,
    inputs: list[Planes],
    tile: int | None,
    progress: Progress | None,
    info: dict[str, Any],
) -> QualityMap:
    values = apply(operator, inputs, tile=tile, progress=progress)
    info |= {**inputs[-1].record(), "tile": tile or operator.tile, "version": __version__}
    if notes := [note for planes in inputs for note in planes.notes]:
        info["notes"] = notes
    height, width = values.shape[-2:]
    if height * width < _PATCH_PIXELS:
        info["not_enough_evidence"] = (
            f"the image has {height * width} pixels, and one threshold rests on a patch of {_PATCH_PIXELS}; "
            "most of what it saw was the image's reflection."
        )
    return QualityMap.of(values, kind, info)


def _check_stride(stride: object) -> None:
    if stride not in STRIDES:
        raise InputError(f"stride is {stride!r}; choose one of {', '.join(map(str, STRIDES))}.")
