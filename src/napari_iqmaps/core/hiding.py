"""What hiding a mark gives: the marked image, the mark that is in it, and where it is seen."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from .. import __version__
from . import marks
from .arguments import check_fields, checked
from .arrays import as_array, computed
from .display import WHITE
from .errors import InputError
from .images import Planes, as_planes
from .maps import QualityMap
from .marks import MarkRange, Placement
from .own_units import units_of_score
from .progress import Progress, Steps
from .score_columns import Part, columns
from .span import remarked
from .value_range import DataRange
from .visibility import ThresholdOptions, thresholds_of, visibility_of

COLUMNS = columns(Part.SETTINGS, "strength", "level", "highest", "energy", "kept")
"""Of a table of hidden marks, beside those of all maps."""


@dataclass(frozen=True, eq=False)
class HiddenMark:
    """An image with a mark in it, and what is seen of the mark.

    Attributes
    ----------
    image : numpy.ndarray
        The marked image: dtype, shape, axes, alpha channel and mask of the given one.
    mark : numpy.ndarray
        The mark as it is in the image after rounding and limiting, ``image - original``, the same for every colour
        channel: code values of the image, shape ``(..., height, width)``. Signed integers for an integer image.
    amplitude : numpy.ndarray
        float32, the same shape and unit: threshold times strength, the bound that the mark was given; NaN in holes.
    visibility : QualityMap
        What `visibility_map` says of the marked image against the original: nowhere above ``info["level"]``.
    energy : float or numpy.ndarray
        Mean square of the mark, one a plane, in luminance code values (0..255) whatever the dtype of the image.
    info : mapping
        Strength, level, highest visibility, options, method and version; ``"kept"``, the share of the wanted amplitude
        that is in the image, and ``"remark"``, which says so when that is little.
    """

    image: npt.NDArray[Any]
    mark: npt.NDArray[Any]
    amplitude: npt.NDArray[np.float32]
    visibility: QualityMap
    energy: float | npt.NDArray[np.float64]
    info: Mapping[str, Any]

    def __post_init__(self) -> None:
        check_fields(self)
        if missing := [name for name in _NEEDED if name not in self.info]:
            raise InputError(f"The info of a hidden mark has no {' and no '.join(missing)}. Give what `hide` gives.")
        object.__setattr__(self, "info", MappingProxyType(dict(self.info)))

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickle the provenance as a plain dict: a read-only view cannot travel between processes."""
        return type(self), (
            self.image, self.mark, self.amplitude, self.visibility, self.energy, dict(self.info),
        )  # fmt: skip

    def mark_map(self) -> QualityMap:
        """Give the mark as a map, to show and to write.

        Returns
        -------
        QualityMap
            Kind ``"mark"``: luminance code values (0..255), signed; its score is the energy.
        """
        low, high = self.info["data_range"]
        values = self.mark.astype(np.float32) * np.float32(WHITE / (high - low))
        return QualityMap.of(np.where(np.isfinite(self.amplitude), values, np.float32(np.nan)), "mark", self.info)

    def sentence(self) -> str:
        """Say in words how well the mark is hidden.

        Returns
        -------
        str
            One sentence or two, with the reservations.
        """
        highest, level, kept = (self.info[name] for name in ("highest", "level", "kept"))
        with np.errstate(over="ignore"):
            energy = float(np.mean(self.energy))
        units = units_of_score("mark", energy, self.info)
        own = "" if units is None else f", whose root is {units.words()}"
        text = (
            f"Nowhere is the mark seen with more than {highest:.0%} probability (allowed: {level:.0%}, strength "
            f"{self.info['strength']:g}). Its mean square is {energy:.3g} in code values of 255{own}; {kept:.0%} "
            "of the amplitude that was wanted is in the image."
        )
        return remarked(f"{text} {self.info['remark']}" if self.info.get("remark") else text, self.info)

    def __repr__(self) -> str:
        shape = " x ".join(map(str, self.mark.shape))
        return f"<HiddenMark, {shape}: {self.sentence()}>"


_NEEDED = ("strength", "level", "highest", "kept", "data_range")
"""Entries of a hidden mark's info that its sentence and its map are made of."""

Mode = Literal["multiply", "clamp"]
Rounding = Literal["dither", "nearest"]

MODES: tuple[Mode, ...] = ("multiply", "clamp")
ROUNDINGS: tuple[Rounding, ...] = ("dither", "nearest")
STRONGEST = 10.0
"""Largest strength: above it float32 hardly tells the level from 1."""

_LITTLE = 0.5


@checked
def hide(
    mark: Any,
    image: Any,
    *,
    strength: float = 1.0,
    mode: Mode = "multiply",
    placement: Placement = "centre",
    mark_range: MarkRange = None,
    amplitude: float | None = None,
    rounding: Rounding = "dither",
    data_range: DataRange = None,
    channel_axis: int | None = None,
    thresholds: ThresholdOptions | None = None,
    device: str = "auto",
    tile: int | None = None,
    progress: Progress | None = None,
) -> HiddenMark:
    """Hide a mark in an image so that its visibility stays under a chosen level at every pixel.

    Parameters
    ----------
    mark : array_like or str
        A picture, grey ``(rows, columns)`` or with 3 or 4 colour channels in the last axis, whose luminance times alpha
        says how much of the mark a pixel has; or a text. See `mark_range` for which values mean what.
    image : array_like or dask.array.Array
        An image ``(height, width)``, a stack ``(..., height, width)``, each plane of which gets the mark, or either
        with a channel axis; unsigned or signed integers up to 32 bits, or floating point. A dask array is computed.
    strength : float
        Bound of the mark's pooled difference over the threshold, above 0 and up to 10. It sets the level that the
        visibility nowhere exceeds, ``1 - exp(-strength)``: 63 % for 1, 50 % for .69, 10 % for .1.
    mode : {"multiply", "clamp"}
        Multiply the mark by threshold times strength; or add it as it is, limited to plus and minus threshold times
        strength.
    placement : {"centre", "tile", "stretch"} or (int, int)
        In the middle, at its own size (it has to fit); repeated edge to edge; resampled to the image's size; or with
        its first pixel at this row and column, cropped at the image's edges.
    mark_range : (float, float), optional
        The values of `mark` that mean no mark and a full mark. None takes (0, 1) for bool and floating point (down to
        -1 the mark darkens), (0, 255) for uint8 and (0, 65535) for uint16. (255, 0) reads dark letters on white.
    amplitude : float, optional
        For ``mode="clamp"``: code values of the image that a full mark has before it is limited. None takes the values
        of `mark` for code values themselves.
    rounding : {"dither", "nearest"}
        How the mark becomes whole numbers in an integer image. "dither" keeps its mean amplitude also below half a
        code value, where "nearest" leaves nothing of it.
    data_range, channel_axis, device, tile : optional
        As in `visibility_map`.
    thresholds : ThresholdOptions, optional
        What gives the thresholds, who looks, and from where; None takes what `visibility_map` takes by itself.
    progress : callable, optional
        Called with ``(steps done, steps in all)``; raise `Cancelled` in it to stop.

    Returns
    -------
    HiddenMark
        The marked image in its own dtype, the mark as it is in it, its energy, and its visibility map and score.

    Raises
    ------
    InputError
        If mark, image or an option cannot be used, such as a bool image, which has no room between black and white.
    WeightsError
        If the weights are unknown, missing, changed or of another network.
    Cancelled
        If `progress` raised it.

    Notes
    -----
    The same luminance change is added to every colour channel, and limited where a channel reaches an end of the
    range, so that hues do not turn. Holes, and pixels outside the range, stay as they are.

    The level is kept by looking, not by trust: the visibility of the finished image is mapped, and where it exceeds the
    level, the mark is lowered smoothly around that place and the image is mapped again. What no lowering has mended
    after five rounds is removed. The visibility map that comes back is the last one of
    these, the one that `visibility_map` gives for the same options.

    The published demonstration multiplies the mark by the threshold and leaves it there [1]_; the guard, the clamp, and
    the rounding that keeps faint marks are additions. The guard only lowers: a mark that covers little of the window is
    pooled with its surroundings and stays below the level by itself, and is not raised towards it, because the model
    has not learnt how single bright pixels are seen.

    References
    ----------
    .. [1] N. K. Kottayil, G. Valenzise, F. Dufaux, I. Cheng, "Learning Local Distortion Visibility from Image
       Quality", ICIP 2018, arXiv:1803.04053.

    Examples
    --------
    >>> import numpy as np
    >>> import napari_iqmaps as iq
    >>> ramp = np.tile(np.arange(50, 178, dtype=np.uint8), (64, 1))
    >>> hidden = iq.hide("iq", ramp, strength=0.5, thresholds=iq.ThresholdOptions(model="contrast"))
    >>> bool(hidden.visibility.values.max() <= hidden.info["level"])
    True
    """
    bound = _strength(strength)
    _check_choice("mode", mode, MODES)
    _check_choice("rounding", rounding, ROUNDINGS)
    planes = _image_planes(image, data_range, channel_axis, progress)
    code = (planes.data_range[1] - planes.data_range[0]) / WHITE
    shape: tuple[int, int] = (int(planes.shape[-2]), int(planes.shape[-1]))
    pattern = marks.place(_pattern(mark, shape, mode, placement, mark_range, amplitude, code), shape, placement)
    options = ThresholdOptions() if thresholds is None else thresholds
    if not isinstance(options, ThresholdOptions):
        raise InputError(
            f'thresholds is {options!r}; give a ThresholdOptions, such as ThresholdOptions(model="contrast").'
        )

    from ._embedding import Carrier, Pooling, embed, level_of, mark_dtype

    pooling = Pooling(options.used_window, options.looking.gains, float(options.pixels_per_degree))
    steps = Steps(progress)
    marked = planes.array.copy()
    embedded = np.zeros(planes.shape, mark_dtype(marked.dtype))
    allowed, seen = np.empty(planes.shape, np.float32), np.empty(planes.shape, np.float32)
    amounts: dict[str, float] = {}
    info: dict[str, Any] = {}
    indices = list(np.ndindex(*planes.shape[:-2]))
    for number, index in enumerate(indices):
        part = steps.part(number / len(indices), (number + 1) / len(indices))
        maps = _each_map(part)
        clean = replace(planes, array=planes.array[index])
        limits = thresholds_of(clean, options, device, tile, next(maps)).values
        allowed[index] = limits * np.float32(bound)
        wanted = _wanted(pattern, allowed[index], mode)

        def look(candidate: Any, clean: Planes = clean, index: Any = index, maps: Any = maps) -> Any:
            quality_map = visibility_of(replace(clean, array=candidate), clean, options, device, tile, next(maps))
            seen[index] = quality_map.values
            info.update(quality_map.info)
            return quality_map.values

        carrier = Carrier(clean.array, planes.has_channels, planes.data_range, rounding, part.tick)
        result = embed(carrier, wanted, limits, strength=bound, pooling=pooling, seen=look, tick=part.tick)
        marked[index], embedded[index] = result.marked, result.mark
        for name, amount in result.amounts.items():
            amounts[name] = amounts.get(name, 0.0) + amount
        part.reach(1)

    info |= {
        "method": "hide",
        "strength": bound,
        "level": float(level_of(bound)),
        "highest": float(np.nanmax(seen)) if np.isfinite(seen).any() else 0.0,
        "mode": mode,
        "placement": placement,
        "rounding": rounding,
        **planes.range_record(),
        "kept": amounts["kept"] / amounts["wanted"] if amounts["wanted"] else 0.0,
        "version": __version__,
    }
    if remark := _remark(amounts, bool(embedded.any())):
        info["remark"] = remark
    energy = _energy(embedded, code, np.isfinite(allowed))
    info["energy"] = energy
    return HiddenMark(
        _axes_as_given(marked, image, channel_axis),
        embedded,
        allowed * np.float32(code),
        QualityMap.of(seen, "visibility", info),
        energy,
        info,
    )


def _each_map(steps: Steps) -> Iterator[Progress | None]:
    """Give the progress of one map after the other. How many follow is not known: each takes half of the rest."""
    begin = 0.0
    while True:
        end = begin + (1 - begin) / 2
        yield steps.part(begin, end).progress
        begin = end


def _strength(strength: Any) -> float:
    try:
        bound = float(strength)
    except (TypeError, ValueError):
        bound = float("nan")
    if isinstance(strength, bool) or not 0 < bound <= STRONGEST:
        raise InputError(
            f"strength is {strength!r}; give a number above 0, up to {STRONGEST:g}: 1 lets the mark be seen with 63 % "
            "probability where it shows most, 0.1 with 10 %."
        )
    return bound


def _check_choice(name: str, value: object, choices: tuple[str, ...]) -> None:
    if value not in choices:
        raise InputError(f"{name} is {value!r}; choose one of {', '.join(choices)}.")


def _image_planes(image: Any, data_range: DataRange, channel_axis: int | None, progress: Progress | None) -> Planes:
    array = computed(as_array(image, "image"))
    planes = as_planes(array, data_range=data_range, channel_axis=channel_axis, progress=progress)
    dtype = planes.array.dtype
    if dtype.kind == "b":
        raise InputError(
            "The image is bool, which has no room for a mark between black and white. Convert it first, such as with "
            "image * np.uint8(255), if grey is allowed in it."
        )
    if dtype.kind in "ui" and dtype.itemsize > 4:
        raise InputError(f"The image is {dtype}; a mark is added to integers of up to 32 bits. Convert it first.")
    low, high = planes.data_range
    return replace(planes, data_range=(float(low), float(high)))


def _pattern(
    mark: Any,
    shape: tuple[int, int],
    mode: Mode,
    placement: Placement,
    mark_range: MarkRange,
    amplitude: float | None,
    code: float,
) -> marks.Plane:
    """Read the mark: shares of a full one to multiply, or luminance code values to clamp."""
    if mode == "multiply":
        if amplitude is not None:
            raise InputError('amplitude belongs to mode="clamp"; in mode="multiply" the threshold gives the amplitude.')
    elif amplitude is None:
        if mark_range is not None:
            raise InputError(
                'mark_range says what a full mark is, and mode="clamp" then needs amplitude=, its code values.'
            )
        return marks.as_change(mark) / np.float32(code)
    elif isinstance(amplitude, bool) or not isinstance(amplitude, int | float) or not 0 < abs(amplitude) < np.inf:
        raise InputError(f"amplitude is {amplitude!r}; give the code values of a full mark, a number other than 0.")
    drawn = marks.text_for(mark, shape, placement) if isinstance(mark, str) else mark
    pattern = marks.as_pattern(drawn, mark_range=mark_range)
    return pattern if amplitude is None else pattern * np.float32(amplitude / code)


def _wanted(pattern: marks.Plane, allowed: marks.Plane, mode: Mode) -> marks.Plane:
    bound = np.nan_to_num(allowed)  # nothing is put into a hole
    return pattern * bound if mode == "multiply" else np.clip(pattern, -bound, bound)


def _remark(amounts: Mapping[str, float], is_there: bool) -> str:
    """Say when little of the mark is in the image, and what took it."""
    wanted, kept = amounts["wanted"], amounts["kept"]
    if wanted and kept >= _LITTLE * wanted:
        return ""
    if not wanted:
        return "The mark vanished: the image has no pixel with a value under it."
    losses = {
        "the image is black or white there, and values cannot leave the range": wanted - amounts["fits"],
        "it would have been seen more than the level allows; a higher strength allows more": (
            amounts["fits"] - amounts["guarded"]
        ),
        "threshold times strength is too small for whole code values; raise the strength": amounts["guarded"] - kept,
    }
    reason = max(losses, key=lambda name: losses[name])
    if not is_there:
        return f"The mark vanished: {reason}."
    return f"Only {kept / wanted:.0%} of the mark's amplitude is left: {reason}."


def _energy(embedded: npt.NDArray[Any], code: float, valid: npt.NDArray[np.bool_]) -> float | npt.NDArray[np.float64]:
    squares = np.square(embedded.astype(np.float64) / code)
    count = np.maximum(valid.sum(axis=(-2, -1)), 1)
    energy: npt.NDArray[np.float64] = np.where(valid, squares, 0).sum(axis=(-2, -1)) / count
    return float(energy) if energy.ndim == 0 else energy


def _axes_as_given(marked: npt.NDArray[Any], image: Any, channel_axis: int | None) -> npt.NDArray[Any]:
    return marked if channel_axis is None else np.moveaxis(marked, -1, channel_axis)
