"""How well a recogniser does on an image: a map of its probability of being right, and the map's mean as a score."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .. import __version__
from . import models
from .arguments import checked
from .assessment import MachineAssessment, MachineJudge
from .images import as_planes
from .maps import QualityMap
from .progress import Progress
from .quality_score import QualityScore
from .value_range import DataRange

if TYPE_CHECKING:
    from pathlib import Path

NETWORK = "metrifier"
KIND = "machine_quality"


@checked
def machine_assess(
    image: Any,
    *,
    data_range: DataRange = None,
    channel_axis: int | None = None,
    weights: str | Path | None = None,
    device: str = "auto",
    tile: int | None = None,
    progress: Progress | None = None,
) -> MachineAssessment:
    """Say how well a recogniser does on an image: the map and the score of one pass.

    Parameters
    ----------
    image : array_like or dask.array.Array
        The image to judge, ``(height, width)``, a stack ``(..., height, width)`` (one map per plane), or either with a
        channel axis. bool, integer or floating point; NaN, infinite and masked pixels are holes.
    data_range : float, (float, float), "data" or "percentiles", optional
        The values of black and white. Known for bool, uint8 and uint16, required for every other dtype. ``"data"``
        takes the lowest and the highest value of all planes and colours, ``"percentiles"`` the 0.1th and the 99.9th
        percentile; the numbers stand in ``info["data_range"]``.
    channel_axis : int, optional
        The axis of 1, 3 (RGB) or 4 channels (alpha is ignored); None means grey, which is taken for equal red, green
        and blue.
    weights : str or pathlib.Path, optional
        A name in the registry or a safetensors file; None takes the default.
    device : {"auto", "cpu", "cuda", "mps"}
        Where to compute.
    tile : int, optional
        Side of a tile in pixels: bounds the memory and the time between two progress calls.
    progress : callable, optional
        Called with ``(tiles done, tiles in all)``; raise `Cancelled` in it to stop.

    Returns
    -------
    MachineAssessment
        Its ``maps``, of which there is one, and its ``score``. A lazy map if `image` is a dask array.

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
    The metrifier is a convolutional network that was shown distorted pictures and told, for each, the probability that
    recognisers, its workers, gave to the true class. It knows the workers, classes and distortions of its training; the
    weights' card says which. Of another recogniser it says something as far as that one fails as they do.

    The map is the probability at every fourth pixel, from the 37 x 37 pixels around it, interpolated bilinearly. Beyond
    the border the image is reflected (the border pixel is not repeated), as in the training. An image of at least 64
    pixels to each side is looked at twice, as it is and in half its size (blurred by 1 2 1 in both axes, every second
    pixel), and the map is the mean of both maps; ``info["scales"]`` says which there were. The training has one size
    of pictures; the second scale lets the network see more of large objects.

    The score is the mean of the map over every fourth row and column of valid pixels, which is what the training makes
    equal to the label; the map's own score is the same number. It is added up in float64, so that it does not depend on
    the tiles. Its uncertainty is the standard deviation of its error on pictures of the training's size that were not
    trained on, by the score; it travels with the weights, and says nothing of how well the score suits larger images.

    There is no score, but NaN with a reason, for a plane without valid pixels, of under 16 pixels to a side, or whose
    luminance has a standard deviation below 1 code value of 255: nothing is there to recognise. The evidence is not
    enough for a score from under 32 x 32 valid pixels, nor for one of an image of more than four times the pixels to
    each side that the training's pictures had: of it the network judges parts that no recogniser would be shown. Holes
    are filled for the network and left out of map and score; a pixel with a hole in one colour is one.
    """
    return _passed(image, data_range, channel_axis, weights, device, tile, progress)


@checked
def machine_quality_map(
    image: Any,
    *,
    data_range: DataRange = None,
    channel_axis: int | None = None,
    weights: str | Path | None = None,
    device: str = "auto",
    tile: int | None = None,
    progress: Progress | None = None,
) -> QualityMap:
    """Map how well a recogniser does with what is at each place; see `machine_assess` for how.

    Parameters
    ----------
    image : array_like or dask.array.Array
        As in `machine_assess`.
    data_range, channel_axis, weights, device, tile, progress : optional
        As in `machine_assess`.

    Returns
    -------
    QualityMap
        Kind ``"machine_quality"``: float32, 0 (the recogniser fails) to 1 (it is right), NaN in holes. Its score is
        that of `machine_quality`. Lazy if `image` is a dask array.

    Raises
    ------
    InputError
        If the image or an option cannot be used.
    WeightsError
        If the weights are unknown, missing, changed or of another network.
    Cancelled
        If `progress` raised it.
    """
    return _passed(image, data_range, channel_axis, weights, device, tile, progress).maps[KIND]


@checked
def machine_quality(
    image: Any,
    *,
    data_range: DataRange = None,
    channel_axis: int | None = None,
    weights: str | Path | None = None,
    device: str = "auto",
    tile: int | None = None,
    progress: Progress | None = None,
) -> QualityScore:
    """Score how well a recogniser does on an image, from 0 (it fails) to 1 (it is right).

    Parameters
    ----------
    image : array_like or dask.array.Array
        As in `machine_assess`; a dask array is read and judged tile by tile.
    data_range, channel_axis, weights, device, tile, progress : optional
        As in `machine_assess`.

    Returns
    -------
    QualityScore
        One score a plane, each with a standard deviation; higher is better. NaN with a reason where there is no
        answer.

    Raises
    ------
    InputError
        If the image or an option cannot be used.
    WeightsError
        If the weights are unknown, missing, changed or of another network.
    Cancelled
        If `progress` raised it.
    """
    return _passed(image, data_range, channel_axis, weights, device, tile, progress, kinds=()).score


def surroundings(**_options: Any) -> int:
    """Give the pixels around a part of an image with which its map is that of the whole.

    The part's first row and column have to be multiples of eight.
    """
    from ._network_pass import MachineOperator

    return MachineOperator.LONGEST_HALO


def _passed(
    image: Any,
    data_range: DataRange,
    channel_axis: int | None,
    name_or_path: str | Path | None,
    device: str,
    tile: int | None,
    progress: Progress | None,
    *,
    kinds: tuple[str, ...] = (KIND,),
) -> MachineAssessment:
    """Pass over the planes and say where the numbers come from; without a kind, for the score alone."""
    planes = as_planes(image, data_range=data_range, channel_axis=channel_axis, progress=progress)
    target = models.resolve(device)
    record = models.find(name_or_path or models.default_name(NETWORK), NETWORK)

    from ._network_pass import Colours, MachineOperator, run, scales_for

    scales = scales_for(planes.shape)
    operator = MachineOperator(kinds, models.load_network(record, target), scales, target)
    # Dask reads each colour by itself, lazily; what is read here and now is read once.
    inputs = planes.colours() if planes.is_lazy and kinds else [Colours(**vars(planes))]
    values, sums = run(operator, inputs, tile=tile, progress=progress)
    info: dict[str, Any] = {"method": "machine_quality_map", "model": NETWORK}
    info |= {"weights": record.name, "weights_sha256": record.sha256, "device": str(target), "scales": scales}
    info |= {**planes.record(), "tile": tile or operator.tile, "version": __version__}
    return MachineAssessment.of(values, sums, MachineJudge(record, str(target), planes.shape, info))
