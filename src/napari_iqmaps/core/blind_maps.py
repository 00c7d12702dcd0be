"""One map of what a blind network says, without the others and without a score."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .blind import BlindModel, one_map
from .images import DataRange
from .maps import QualityMap
from .tiling import Progress

if TYPE_CHECKING:
    from pathlib import Path


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
