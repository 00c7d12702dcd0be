"""Without a reference: where the errors are, how far to trust that, how much they matter, and what score follows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal

from .. import __version__
from . import models
from .arguments import checked
from .assessment import Assessment, BlindJudge
from .errors import InputError
from .images import Planes, as_planes, check_same_shape, range_for
from .maps import QualityMap
from .progress import Progress
from .quality_score import QualityScore
from .score_columns import Part, columns
from .value_range import DataRange

if TYPE_CHECKING:
    from pathlib import Path


BlindModel = Literal["deepbqa", "diqa"]
BlindKind = Literal["objective_error", "error", "reliability", "sensitivity", "perceptual_error"]

MODELS: tuple[BlindModel, ...] = ("deepbqa", "diqa")
MAPS: tuple[BlindKind, ...] = ("objective_error", "error", "reliability", "sensitivity", "perceptual_error")
"""The kinds of map of one pass, in the order in which they are given and shown."""

COLUMNS = columns(Part.RESULTS, *(f"mean_{kind}" for kind in MAPS))
"""Of a table of quality scores, beside the general ones: the mean of each map."""

_WITH_SENSITIVITY = ("sensitivity", "perceptual_error")


@checked
def assess(
    image: Any,
    *,
    reference: Any = None,
    model: BlindModel = "deepbqa",
    maps: Sequence[BlindKind] | None = None,
    data_range: DataRange = None,
    channel_axis: int | None = None,
    weights: str | Path | None = None,
    device: str = "auto",
    tile: int | None = None,
    progress: Progress | None = None,
) -> Assessment:
    """Judge an image without a reference: all maps and the score of one pass.

    Parameters
    ----------
    image : array_like or dask.array.Array
        The image to judge, ``(height, width)``, a stack ``(..., height, width)`` (one map per plane), or either with a
        channel axis. bool, integer or floating point; NaN, infinite and masked pixels are holes.
    reference : array_like or dask.array.Array, optional
        What the image should look like, of the same shape and on the same pixels; gives the objective error besides
        and has no part in anything else.
    model : {"deepbqa", "diqa"}
        The network. DIQA has no sensitivity and so no perceptual error.
    maps : sequence of str, optional
        The kinds of map wanted, of "objective_error", "error", "reliability", "sensitivity" and "perceptual_error".
        An empty one gives the score alone, None takes all that the model and the reference allow.
    data_range : float, (float, float), "data" or "percentiles", optional
        The values of black and white. Known for bool, uint8 and uint16, required for every other dtype. ``"data"``
        takes the lowest and the highest value of all planes and colours, ``"percentiles"`` the 0.1th and the 99.9th
        percentile, of the reference if there is one; the numbers stand in ``info["data_range"]``.
    channel_axis : int, optional
        The axis of 1, 3 or 4 channels; None means grey.
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
    Assessment
        Its ``maps`` and its ``score``. Lazy maps if `image` or `reference` is a dask array.

    Raises
    ------
    InputError
        If the images differ in size, a map is not to be had, or an image or an option cannot be used.
    WeightsError
        If the weights are unknown, missing, changed or of another network.
    Cancelled
        If `progress` raised it.

    Notes
    -----
    Everything starts from the normalised image x, the luminance less its low frequencies, and lives on cells, one at
    every fourth pixel, between which the maps are interpolated. The objective error is ``(|x_reference - x| / 255) **
    .2``; the error is a network's prediction of it, at least 0. The reliability is ``r = 2 / (1 + exp(-alpha |x|)) -
    1``, and its map is the ratio to the mean over the plane's valid pixels. The sensitivity s is learnt from scores of
    whole images. The perceptual error is ``s e r / mean(r)``.

    The score of DeepBQA is a function of the perceptual error's mean; that of DIQA is one of the mean features of the
    network that predicts the error, the mean r and the spread of the low frequencies. Means are over the valid cells,
    in float64, so that a score does not depend on the tiles. Its uncertainty is the standard deviation of its error on
    images that were not trained on, by the score; it travels with the weights.

    There is no score, but NaN with a reason, for a plane without valid pixels, of under 32 pixels to a side, or whose
    mean r is below a limit (.02, or what the weights state): errors cannot be told from content there. The evidence is
    not enough for a score from fewer valid cells than a patch of 112 x 112 pixels has, the papers' unit of training,
    or from an image whose features, mean r and spread lie farther from the training's than a limit that travels with
    the weights (Mahalanobis distance).

    Deviations from the papers: low frequencies are those of a pyramid with the kernel 1 4 6 4 1, as in the authors'
    sibling program (the kernel of the tutorial on DIQA shifts an image by one pixel); each cell sits on its pixel, and
    maps have the image's resolution; beyond the border the image is reflected, where the papers assume zeros and
    DeepBQA leaves four cells out of its mean; alpha is ``info["reliability_slope"]``, per code value of 255 (the
    paper's 1 has no stated scale), and so is the error's scale; differences below .001 code values are none; the
    score is 100 times a logistic function, 0 best to 100 worst, whatever scale its observers used; holes are filled for
    the filters and left out of maps, means and score.

    References
    ----------
    .. [1] J. Kim, W. Kim, S. Lee, "Deep Blind Image Quality Assessment by Learning Sensitivity Map", ICASSP 2018.
    .. [2] J. Kim, A.-D. Nguyen, S. Lee, "Deep CNN-Based Blind Image Quality Predictor", IEEE TNNLS 30(1), 2019,
       doi:10.1109/TNNLS.2018.2829819.
    """
    _check_model(model)
    wanted = _wanted(maps, model, has_reference=reference is not None)
    images = {"image": image} | ({"reference image": reference} if reference is not None else {})
    inputs = _inputs(images, data_range, channel_axis, progress)
    return _passed(inputs, wanted, "assess", model, weights, device, tile, progress, scores=True)


@checked
def quality(
    image: Any,
    *,
    model: BlindModel = "deepbqa",
    data_range: DataRange = None,
    channel_axis: int | None = None,
    weights: str | Path | None = None,
    device: str = "auto",
    tile: int | None = None,
    progress: Progress | None = None,
) -> QualityScore:
    """Score an image without a reference, from 0 (best) to 100 (worst).

    Parameters
    ----------
    image : array_like or dask.array.Array
        As in `assess`; a dask array is read and judged tile by tile.
    model, data_range, channel_axis, weights, device, tile, progress : optional
        As in `assess`.

    Returns
    -------
    QualityScore
        One score a plane, each with a standard deviation; NaN with a reason where there is no answer.

    Raises
    ------
    InputError
        If the image or an option cannot be used.
    WeightsError
        If the weights are unknown, missing, changed or of another network.
    Cancelled
        If `progress` raised it.
    """
    options: Any = {"data_range": data_range, "channel_axis": channel_axis, "weights": weights, "device": device}
    return assess(image, model=model, maps=(), tile=tile, progress=progress, **options).score


def maps_of(model: BlindModel, *, has_reference: bool = False) -> tuple[BlindKind, ...]:
    """Give the kinds of map that there are, in the order of `MAPS`."""
    _check_model(model)
    return tuple(
        kind
        for kind in MAPS
        if (has_reference or kind != "objective_error") and (model == "deepbqa" or kind not in _WITH_SENSITIVITY)
    )


def surroundings(**_options: Any) -> int:
    """Give the pixels around a part of an image with which its map is that of the whole.

    The part's first row and column have to be multiples of four. Reliability and perceptual error keep their factor:
    they are divided by a mean, which is that of the part.
    """
    from ._network_pass import BlindOperator

    return BlindOperator.LONGEST_HALO


def one_map(
    kind: BlindKind,
    images: Mapping[str, Any],
    *,
    model: BlindModel | None = None,
    data_range: DataRange = None,
    channel_axis: int | None = None,
    weights: str | Path | None = None,
    device: str = "auto",
    tile: int | None = None,
    progress: Progress | None = None,
) -> QualityMap:
    """Make one kind of map, running no more than it takes; `model` is None for a closed form.

    `images` are names for messages, to images; for the objective error the reference is the second.
    """
    if model is not None:
        _check_model(model)
        _check_has(kind, model)
    inputs = _inputs(images, data_range, channel_axis, progress)
    made = _passed(inputs, (kind,), f"{kind}_map", model, weights, device, tile, progress, scores=False)
    return made.maps[kind]


def _inputs(
    images: Mapping[str, Any], data_range: DataRange, channel_axis: int | None, progress: Progress | None
) -> list[Planes]:
    *_, (name, standard) = images.items()  # the reference, where there is one
    used = range_for(standard, data_range, channel_axis=channel_axis, name=name, progress=progress)
    planes = [as_planes(image, data_range=used, channel_axis=channel_axis, name=name) for name, image in images.items()]
    for other in planes[1:]:
        check_same_shape(planes[0], other, tuple(images))
    return planes


def _check_model(model: str) -> None:
    if model not in MODELS:
        raise InputError(f"There is no blind model {model!r}. Choose one of {', '.join(MODELS)}.")


def _wanted(maps: Sequence[BlindKind] | None, model: BlindModel, *, has_reference: bool) -> tuple[BlindKind, ...]:
    """Check the kinds asked for and put them in order."""
    if maps is None:
        return maps_of(model, has_reference=has_reference)
    if isinstance(maps, str):
        raise InputError(f"maps is the text {maps!r}; give a sequence of kinds, such as [{maps!r}].")
    for kind in maps:
        if kind not in MAPS:
            raise InputError(f"There is no blind map {kind!r}. Choose some of {', '.join(MAPS)}.")
        if kind == "objective_error" and not has_reference:
            raise InputError("The objective error needs a reference. Pass reference=IMAGE, or ask for the error.")
        _check_has(kind, model)
    return tuple(kind for kind in MAPS if kind in maps)


def _check_has(kind: BlindKind, model: BlindModel) -> None:
    if model == "diqa" and kind in _WITH_SENSITIVITY:
        raise InputError(
            f'DIQA has no sensitivity, so there is no {kind.replace("_", " ")} map of it. Use model="deepbqa".'
        )


def _passed(
    inputs: list[Planes],
    kinds: tuple[BlindKind, ...],
    method: str,
    model: BlindModel | None,
    name_or_path: str | Path | None,
    device: str,
    tile: int | None,
    progress: Progress | None,
    *,
    scores: bool,
) -> Assessment:
    """Pass over the planes and say where the numbers come from."""
    target = models.resolve(device)
    record = None if model is None else models.find(name_or_path or models.default_name(model), model)

    from ._network_pass import BlindOperator, run
    from .networks.blind import RELIABILITY_SLOPE

    network = None if record is None else models.load_network(record, target)
    operator = BlindOperator(kinds, network, scores=scores, device=target)
    if "objective_error" not in kinds:
        inputs = inputs[:1]
    values, sums = run(operator, inputs, tile=tile, progress=progress)
    info: dict[str, Any] = {"method": method}
    if record is not None:
        info |= {"model": model, "weights": record.name, "weights_sha256": record.sha256}
    info |= {"device": str(target), "reliability_slope": RELIABILITY_SLOPE, **inputs[-1].record()}
    info |= {"tile": tile or operator.tile, "version": __version__}
    return Assessment.of(values, sums, BlindJudge(record, str(target), inputs[0].shape, info, operator.runs_trunk))


@checked
def objective_error_map(
    test: Any,
    reference: Any,
    *,
    data_range: DataRange = None,
    channel_axis: int | None = None,
    device: str = "auto",
    tile: int | None = None,
    progress: Progress | None = None,
) -> QualityMap:
    """Map the error of an image whose reference is known: what the blind networks learn to predict.

    Parameters
    ----------
    test, reference : array_like or dask.array.Array
        The image to judge and the one to judge it against, of the same shape and on the same pixels.
    data_range, channel_axis, device, tile, progress : optional
        As in `assess`; both images share the first two.

    Returns
    -------
    QualityMap
        Kind ``"objective_error"``: float32, 0 (equal) to about 1, NaN where either image has a hole. Its score is the
        mean of each plane. Lazy if either image is a dask array.

    Raises
    ------
    InputError
        If the images differ in size, or an image or an option cannot be used.
    Cancelled
        If `progress` raised it.

    Notes
    -----
    ``(|x_reference - x_test| / 255) ** .2`` of the images less their low frequencies, at a quarter of the resolution,
    interpolated; see `assess` for the papers and for what differs from them. The exponent spreads small differences:
    one code value gives .33, ten give .52. Images that differ only in low frequencies, as in brightness, have none.
    """
    return one_map(
        "objective_error", {"test image": test, "reference image": reference}, data_range=data_range,
        channel_axis=channel_axis, device=device, tile=tile, progress=progress,
    )  # fmt: skip


@checked
def error_map(
    image: Any,
    *,
    model: BlindModel = "deepbqa",
    data_range: DataRange = None,
    channel_axis: int | None = None,
    weights: str | Path | None = None,
    device: str = "auto",
    tile: int | None = None,
    progress: Progress | None = None,
) -> QualityMap:
    """Map the error that a network predicts without a reference; see `assess` for how.

    Parameters
    ----------
    image : array_like or dask.array.Array
        As in `assess`.
    model, data_range, channel_axis, weights, device, tile, progress : optional
        As in `assess`.

    Returns
    -------
    QualityMap
        Kind ``"error"``: float32, at least 0, on the scale of `objective_error_map`, NaN in holes. Its score is the
        mean of each plane. Lazy if `image` is a dask array.

    Raises
    ------
    InputError
        If the image or an option cannot be used.
    WeightsError
        If the weights are unknown, missing, changed or of another network.
    Cancelled
        If `progress` raised it.
    """
    return one_map(
        "error", {"image": image}, model=model, data_range=data_range, channel_axis=channel_axis,
        weights=weights, device=device, tile=tile, progress=progress,
    )  # fmt: skip


@checked
def reliability_map(
    image: Any,
    *,
    data_range: DataRange = None,
    channel_axis: int | None = None,
    device: str = "auto",
    tile: int | None = None,
    progress: Progress | None = None,
) -> QualityMap:
    """Map how far a predicted error can be relied on: hardly where an image has no detail. A closed form.

    Parameters
    ----------
    image : array_like or dask.array.Array
        As in `assess`.
    data_range, channel_axis, device, tile, progress : optional
        As in `assess`.

    Returns
    -------
    QualityMap
        Kind ``"reliability"``: float32, at least 0, a ratio to the plane's mean, NaN in holes and all over a uniform
        plane; a mean below .02 before the division is said in its provenance. Lazy if `image` is a dask array.

    Raises
    ------
    InputError
        If the image or an option cannot be used.
    Cancelled
        If `progress` raised it.
    """
    return one_map(
        "reliability", {"image": image}, data_range=data_range, channel_axis=channel_axis, device=device, tile=tile,
        progress=progress,
    )  # fmt: skip


@checked
def sensitivity_map(
    image: Any,
    *,
    model: BlindModel = "deepbqa",
    data_range: DataRange = None,
    channel_axis: int | None = None,
    weights: str | Path | None = None,
    device: str = "auto",
    tile: int | None = None,
    progress: Progress | None = None,
) -> QualityMap:
    """Map how much an error would matter to people who look, as learnt from their scores; see `assess`.

    Parameters
    ----------
    image : array_like or dask.array.Array
        As in `assess`.
    model : {"deepbqa"}
        DIQA has no sensitivity.
    data_range, channel_axis, weights, device, tile, progress : optional
        As in `assess`.

    Returns
    -------
    QualityMap
        Kind ``"sensitivity"``: float32, at least 0, NaN in holes. Lazy if `image` is a dask array.

    Raises
    ------
    InputError
        If the image or an option cannot be used.
    WeightsError
        If the weights are unknown, missing, changed or of another network.
    Cancelled
        If `progress` raised it.
    """
    return one_map(
        "sensitivity", {"image": image}, model=model, data_range=data_range, channel_axis=channel_axis,
        weights=weights, device=device, tile=tile, progress=progress,
    )  # fmt: skip


@checked
def perceptual_error_map(
    image: Any,
    *,
    model: BlindModel = "deepbqa",
    data_range: DataRange = None,
    channel_axis: int | None = None,
    weights: str | Path | None = None,
    device: str = "auto",
    tile: int | None = None,
    progress: Progress | None = None,
) -> QualityMap:
    """Map what each place costs in quality: sensitivity x error x reliability.

    Parameters
    ----------
    image : array_like or dask.array.Array
        As in `assess`.
    model : {"deepbqa"}
        DIQA has no sensitivity and so no perceptual error.
    data_range, channel_axis, weights, device, tile, progress : optional
        As in `assess`.

    Returns
    -------
    QualityMap
        Kind ``"perceptual_error"``: float32, at least 0, NaN in holes and all over a uniform plane. Its score is the
        mean of each plane, from which `quality` makes its points. Lazy if `image` is a dask array.

    Raises
    ------
    InputError
        If the image or an option cannot be used.
    WeightsError
        If the weights are unknown, missing, changed or of another network.
    Cancelled
        If `progress` raised it.
    """
    return one_map(
        "perceptual_error", {"image": image}, model=model, data_range=data_range, channel_axis=channel_axis,
        weights=weights, device=device, tile=tile, progress=progress,
    )  # fmt: skip
