"""Where a registration made it better or worse: a signed map, and the score of what changed."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Any, Literal

import numpy as np

from ... import __version__
from ..arguments import check_fields, checked, shown
from ..arrays import as_array, computed
from ..errors import InputError
from ..evidence import reservations
from ..maps import QualityMap
from ..progress import Progress, Steps
from ..value_range import DataRange
from .differences import WINDOW, CellFacts, Looking, PlaneMasks, differences
from .images import TILE, Box, Mask, Plane, Trio, blocks, frame_of, mask_for, trio_of, weights_for
from .options import LIMITS, Illumination, Options, ScoreLimits, checked_median, checked_tol, options_of
from .tolerance import local_tolerance, noise_left, tolerance_of
from .verdict import Counter, DiffDiffScore, PlaneFacts

KIND = "diff_diff"
EVIDENCE_GRID = (5, 5)
"""Parts by which the evidence is judged where the blocks are not wanted."""

_DENSE = 0.5  # share of the valid pixels

Tolerance = float | Literal["auto"]


@dataclass(frozen=True, eq=False)
class DiffDiffAssessment:
    """The map and the score of one pass.

    Attributes
    ----------
    maps : mapping
        Kind to `QualityMap`: one map, of the kind ``"diff_diff"``.
    score : DiffDiffScore
        What it says; one part for each plane of a stack.
    counter : object
        What the score was made of, from which it is counted again at another tolerance.
    """

    maps: Mapping[str, QualityMap]
    score: DiffDiffScore
    counter: Counter

    def __post_init__(self) -> None:
        check_fields(self)
        object.__setattr__(self, "maps", MappingProxyType(dict(self.maps)))

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickle the maps as a plain dict: a read-only view cannot travel between processes."""
        return type(self), (dict(self.maps), self.score, self.counter)

    def sentence(self) -> str:
        """Say the verdict in words, with its numbers and its reservations."""
        return self.score.sentence()

    def __str__(self) -> str:
        return self.sentence()


_PART = 2048
"""Side, in pixels, of the parts in which the two ends of a plane are read."""

_REST = 2
"""Parts of the work at the end of a plane that go over all of it: the noise of its ends, and what is left."""


@dataclass(frozen=True, eq=False, kw_only=True)
class _Task:
    """What is judged, as a caller gives it, and how."""

    images: tuple[Any, Any, Any]
    options: Options
    valid: Any
    weight: Any
    region: Any
    data_range: DataRange
    channel_axis: int | None
    progress: Progress | None


@checked
def diff_diff(
    moving: Any,
    registered: Any,
    fixed: Any,
    *,
    valid: Any = None,
    weight: Any = None,
    region: Any = None,
    border: int = 0,
    tol: Tolerance = "auto",
    grid: tuple[int, int] | None = (5, 5),
    illumination: Illumination = "local",
    smooth: float | None = None,
    median: int = 0,
    data_range: DataRange = None,
    channel_axis: int | None = None,
    progress: Progress | None = None,
) -> QualityMap:
    """Map where a registration brought the moving image closer to the fixed one, and where further away.

    Parameters
    ----------
    moving, registered, fixed : array_like or dask.array.Array
        The image before and after its registration, and the one that it was registered to: ``(height, width)`` each, of
        one size, or stacks ``(..., height, width)`` (one map per plane; any of the three may be one plane), or either
        with a channel axis. bool, integer or floating point; NaN, infinite and masked pixels are holes.
    valid : array_like of bool or "border", optional
        Pixels of the registered image that come from the moving one, ``(height, width)`` or the stack's shape:
        ``Registration.valid``. ``"border"`` takes what is black and connected with the edge of the frame for outside.
        None means all.
    weight : array_like, optional
        How much pixels count, 0 or more, ``(height, width)`` or the stack's shape; pixels of weight 0 are left out.
        See `edge_weight`.
    region : (slice, slice) or array_like of bool, optional
        Rows and columns, as ``numpy.s_[300:450, 190:310]``, or a mask ``(height, width)``. The grid divides the
        smallest rectangle around it.
    border : int
        Pixels at each side of the frame to leave out.
    tol : float or "auto"
        Grey levels (of 255) by which the difference of a pixel has to fall or to rise before it counts; strict. "auto"
        finds it for each plane from the contrast and the noise of moving and fixed image; see `auto_tolerance`.
    grid : (int, int) or None
        Rows and columns of the blocks in which the light is corrected and the score is taken; None is one block. Of a
        frame of under 40 pixels there are fewer.
    illumination : {"local", "before", "each", "none"}
        How a difference of light is taken out. "local": from each image its local mean is subtracted, and it is divided
        by its local contrast (Gaussian of 7 pixels). "before": in each block the fixed image is moved to the mean of
        the moving image. "each": each of the two differences is centred in each block. "none": not at all, the formula
        alone.
    smooth : float, optional
        Standard deviation in pixels of the Gaussian that all three images are smoothed with. None takes 1.5 for
        "local" and 0 for the others.
    median : {0, 3, 5}
        Not used by the map; see `diff_diff_score`.
    data_range : float, (float, float), "data" or "percentiles", optional
        The values of black and white. Known for bool, uint8 and uint16, required for every other dtype. ``"data"``
        takes the lowest and the highest value of all planes and colours of the fixed image, ``"percentiles"`` the 0.1th
        and the 99.9th percentile; the numbers stand in ``info["data_range"]``.
    channel_axis : int, optional
        The axis of 1, 3 or 4 channels; None means grey.
    progress : callable, optional
        Called with ``(parts done, parts in all)``; raise `Cancelled` in it to stop.

    Returns
    -------
    QualityMap
        Kind ``"diff_diff"``: float32 grey levels (of 255) of the images' shape, above 0 where the registration made it
        better, NaN where it cannot be told. Its score, one a plane, is the mean of ``clip(dd / (2 tol), -1, 1)``.

    Raises
    ------
    InputError
        If the images differ in size, or an image or an option cannot be used.
    Cancelled
        If `progress` raised it.

    Notes
    -----
    The map is ``|moving - fixed| - |registered - fixed|`` on the luminance; the corrections are made before the
    differences are taken, and nothing is rounded or clipped. With "local" a map has the unit of grey levels as if the
    contrast had been the same everywhere: the normalised images are multiplied by the mean local contrast of the fixed
    one. Swapping moving and registered image turns the sign of the map; with "before" it does not where they differ in
    brightness, since the fixed image then goes with the moving one.

    A dask array is computed, plane by plane.

    Examples
    --------
    >>> import numpy as np
    >>> import napari_iqmaps as iq
    >>> fixed = np.tile(np.arange(0, 240, 4, dtype=np.uint8), (60, 1))
    >>> iq.diff_diff(fixed + 10, fixed, fixed, tol=5, illumination="none").score
    1.0
    """
    options = options_of(tol=tol, grid=grid, illumination=illumination, smooth=smooth, median=median, border=border)
    task = _Task(
        images=(moving, registered, fixed),
        options=options,
        valid=valid,
        weight=weight,
        region=region,
        data_range=data_range,
        channel_axis=channel_axis,
        progress=progress,
    )
    return _assess(task, "diff_diff", judges=False).maps[KIND]


@checked
def diff_diff_score(
    moving: Any,
    registered: Any,
    fixed: Any,
    *,
    valid: Any = None,
    weight: Any = None,
    region: Any = None,
    border: int = 0,
    tol: Tolerance = "auto",
    grid: tuple[int, int] | None = (5, 5),
    illumination: Illumination = "local",
    smooth: float | None = None,
    median: int = 0,
    limits: ScoreLimits = LIMITS,
    compat: Literal["notebook"] | None = None,
    data_range: DataRange = None,
    channel_axis: int | None = None,
    progress: Progress | None = None,
) -> DiffDiffScore:
    """Score a registration by the share of the pixels it changed that came closer to the fixed image.

    Parameters
    ----------
    moving, registered, fixed : array_like or dask.array.Array
        As in `diff_diff`.
    valid, weight, region, border, tol, grid, smooth : optional
        As in `diff_diff`. Weights go into score, gain, soft and evidence; counts are of pixels.
    illumination : {"local", "before", "each", "none"}
        As in `diff_diff`.
    median : {0, 3, 5}
        Side of the window of a vote on the changed pixels, which removes single ones; 0 takes none.
    limits : ScoreLimits
        How much evidence a score takes: changed pixels of a block and of all blocks, valid share of the frame.
    compat : {"notebook"}, optional
        Repeat the original's numbers: its score of the whole frame with ``grid=None``, of sub-blocks with
        ``grid=(5, 5)``. `tol` is then 50 unless it is given, and `border` is its crop; of the other options there is
        none.
    data_range, channel_axis, progress : optional
        As in `diff_diff`.

    Returns
    -------
    DiffDiffScore
        Score, counts, blocks, local correlations and the verdict; for a stack of all planes together, and of each.

    Raises
    ------
    InputError
        If the images differ in size, or an image or an option cannot be used; with `compat` also if the original has
        no answer or has no such option.
    Cancelled
        If `progress` raised it.

    Notes
    -----
    The score is ``better / (better + worse)`` over the pixels of the blocks that count. It says which way the changes
    went and not how large they are; never optimise it (one pixel can score 1), but `soft`.

    Differences from the original: pixels from outside the moving image are left out; each axis has its own border and
    blocks; blocks fill the frame to its last pixel; the light is corrected in real numbers, without rounding or
    clipping; the tolerance comes from the images; a score that too few pixels make is NaN with a reason, not one half;
    and beside it there are an interval, the local correlation before and after, and a verdict.
    ``compat="notebook"`` gives the original's numbers, .5 and 0 where it has no score.

    The verdict, the evidence and the local correlations hang neither on `illumination` nor on `tol`: they always come
    from the images smoothed by 1.5 pixels, the evidence from their locally normalised differences. The verdict is the
    sign of the evidence where its interval leaves out 0 and the local correlation agrees; ``benchmarks/judging.py``
    says how often it is right. It has a limit: interpolation smooths the registered image and not the moving one,
    which is worth about a tenth of a pixel. Of two alignments that are wrong by under half a pixel, the interpolated
    one tends to be called better (``benchmarks/judging_subpixel.py``).
    """
    options = options_of(
        tol=tol, grid=grid, illumination=illumination, smooth=smooth, median=median, border=border, limits=limits
    )
    task = _Task(
        images=(moving, registered, fixed),
        options=options,
        valid=valid,
        weight=weight,
        region=region,
        data_range=data_range,
        channel_axis=channel_axis,
        progress=progress,
    )
    if compat is not None:
        return _as_notebook(task, compat, tol=tol)
    return _assess(task, "diff_diff_score", judges=True).score


@checked
def diff_diff_assess(
    moving: Any,
    registered: Any,
    fixed: Any,
    *,
    valid: Any = None,
    weight: Any = None,
    region: Any = None,
    border: int = 0,
    tol: Tolerance = "auto",
    grid: tuple[int, int] | None = (5, 5),
    illumination: Illumination = "local",
    smooth: float | None = None,
    median: int = 0,
    limits: ScoreLimits = LIMITS,
    data_range: DataRange = None,
    channel_axis: int | None = None,
    progress: Progress | None = None,
) -> DiffDiffAssessment:
    """Judge a registration: the map and the score of one pass.

    Parameters
    ----------
    moving, registered, fixed : array_like or dask.array.Array
        As in `diff_diff`.
    valid, weight, region, border, tol, grid, smooth, data_range, channel_axis, progress : optional
        As in `diff_diff`.
    illumination : {"local", "before", "each", "none"}
        As in `diff_diff`.
    median, limits : optional
        As in `diff_diff_score`.

    Returns
    -------
    DiffDiffAssessment
        Its `maps`, of which there is one, ``"diff_diff"``, and its `score`.

    Raises
    ------
    InputError
        If the images differ in size, or an image or an option cannot be used.
    Cancelled
        If `progress` raised it.
    """
    options = options_of(
        tol=tol, grid=grid, illumination=illumination, smooth=smooth, median=median, border=border, limits=limits
    )
    task = _Task(
        images=(moving, registered, fixed),
        options=options,
        valid=valid,
        weight=weight,
        region=region,
        data_range=data_range,
        channel_axis=channel_axis,
        progress=progress,
    )
    return _assess(task, "diff_diff", judges=True)


def recounted(assessment: DiffDiffAssessment, *, tol: float, median: int | None = None) -> DiffDiffAssessment:
    """Count a map again at another tolerance, and with another vote unless it is None; nothing else is done anew."""
    counter = assessment.counter
    tol = checked_tol(tol)
    if median is not None:
        counter = replace(counter, options=replace(counter.options, median=checked_median(median)))
    found = assessment.maps[KIND]
    info = {**found.info, "tol_from": "given", "median": counter.options.median}
    return _assessed(found.values, counter, [tol] * len(counter.planes), info)


def _as_notebook(task: _Task, compat: str, *, tol: Tolerance) -> DiffDiffScore:
    """Give the original's score; of an option that it does not have, only our default can be meant."""
    from .notebook import notebook_score

    options = task.options
    others = {
        "valid": task.valid,
        "weight": task.weight,
        "region": task.region,
        "illumination": None if options.illumination == Options.illumination else options.illumination,
        "smooth": options.smooth,
        "median": options.median or None,
        "limits": None if options.limits == LIMITS else options.limits,
        "data_range": task.data_range,
        "channel_axis": task.channel_axis,
    }
    given = [name for name, value in others.items() if value is not None]
    return notebook_score(*task.images, compat, tol=tol, grid=options.grid, border=options.border, given=given)


def _assess(task: _Task, method: str, *, judges: bool) -> DiffDiffAssessment:
    """Go over all planes, and put together what they say; without `judges` the verdict's share of the work is left."""
    options = task.options
    known: Any = {"data_range": task.data_range, "channel_axis": task.channel_axis, "progress": task.progress}
    trio = trio_of(*task.images, valid=task.valid, **known)
    shape = (*trio.lead, *trio.size)
    weights = None if task.weight is None else weights_for(task.weight, shape)
    chosen = _region(task.region, trio.size)
    frame = frame_of(trio.size, options.border, chosen)
    cells = blocks(frame, options.grid or EVIDENCE_GRID)
    # What is counted with weights, or after a vote, cannot be counted while the pixels are computed.
    counted_at = options.tol if weights is None and not options.median else None
    looking = Looking(options.illumination, options.used_smooth, judges, together=options.grid is None, tol=counted_at)
    planes = list(trio.planes())
    tiles = sum(1 for box in cells.values() for _ in box.tiles(TILE))
    needs_ends = judges or options.tol is None
    parts = sum(1 for _ in frame.tiles(_PART)) if needs_ends else 0
    steps = Steps(task.progress, total=len(planes) * (tiles + parts + _REST))
    steps.tick()

    def tick() -> None:
        steps.reach((steps.done + 1) / steps.total)

    is_whole = frame.shape == trio.size
    values = np.empty(shape, np.float32) if is_whole else np.full(shape, np.nan, np.float32)
    facts: list[PlaneFacts] = []
    found: list[tuple[float, str]] = []
    for index in planes:
        masks = _masks(trio, index, chosen, weights)
        own = tuple(differences(trio, index, masks, cells, looking, values[index], tick))
        ends = _ends(trio, index, masks, frame, tick) if needs_ends else ()
        noise = noise_left(ends) if judges else math.nan
        tick()
        facts.append(PlaneFacts(index, own, frame, _area(frame, masks.counted), noise, counted_at))
        contrasts = _contrasts(own)
        if options.illumination == "local":
            # Normalised images have no unit; times the contrast of the fixed image they are grey levels again.
            values[index] *= np.float32(contrasts[1])
        found.append(_tolerance(options, contrasts, ends))
        tick()
    info = {
        "method": method,
        **options.record(),
        "blocks": len(cells) if options.grid else 0,
        "tol_from": " and ".join(sorted({source for _, source in found})),
        "local_ncc_window": WINDOW,
        **trio.images[2].range_record(),
        "version": __version__,
    }
    return _assessed(values, Counter(tuple(facts), weights, options, trio.lead), [tol for tol, _ in found], info)


def _tolerance(options: Options, contrasts: tuple[float, float], ends: tuple[Any, ...]) -> tuple[float, str]:
    """Give the tolerance of a plane, and where it comes from."""
    if options.tol is not None:
        return options.tol, "given"
    if options.illumination == "local":
        return local_tolerance(sum(contrasts) / 2, ends, options.used_smooth)
    return tolerance_of(ends, options.used_smooth)


def _assessed(values: Any, counter: Counter, tols: list[float], info: dict[str, Any]) -> DiffDiffAssessment:
    """Count a map, and put its score and what it rests on together."""
    info["tol"] = np.reshape(tols, counter.lead).tolist()
    score = counter.score(values, tols, info)
    soft = np.reshape([part.soft for part in score.planes], counter.lead)
    counts = {name: getattr(score, name) for name in ("better", "worse", "n_valid", "valid_fraction")}
    lacking = "not enough evidence"
    enough = [part.verdict != lacking for part in score.planes]
    reserved = reservations(score.reason if score.verdict == lacking else "", enough, counter.lead)
    found = QualityMap(values, KIND, soft if counter.lead else float(soft), {**info, **counts, **reserved})
    return DiffDiffAssessment({KIND: found}, score, counter)


def _masks(trio: Trio, index: tuple[int, ...], chosen: Mask | None, weights: Plane | None) -> PlaneMasks:
    """Put together which pixels of a plane there are, which are compared, and how much they count."""
    weight = weights if weights is None or weights.ndim == 2 else weights[index]
    counted = chosen
    if weight is not None:
        heavy: Mask = weight > 0
        counted = heavy if chosen is None else heavy & chosen
    return PlaneMasks(trio.mask_of(index), counted, weight)


def _area(frame: Box, counted: Mask | None) -> int:
    if counted is None:
        return frame.shape[0] * frame.shape[1]
    return int(np.count_nonzero(counted[frame.place]))


def _ends(
    trio: Trio, index: tuple[int, ...], masks: PlaneMasks, frame: Box, tick: Callable[[], object]
) -> tuple[Any, Any]:
    """Read what is compared of the moving and of the fixed image, NaN elsewhere; bytes as they are.

    Where less than half of the valid pixels are compared, as with a threshold of `edge_weight`, all of these are read:
    noise and contrast are the images', and scattered pixels do not tell them. `tick` is called after every part.
    """
    parts = frame.tiles(_PART)
    if trio.has_bytes and masks.valid is None and masks.counted is None:
        moving, _, fixed = trio.read_bytes(index, frame)
        for _ in parts:
            tick()
        return moving, fixed
    moving, fixed = np.empty(frame.shape, np.float32), np.empty(frame.shape, np.float32)
    there = np.ones(frame.shape, bool)
    for part in parts:
        windows, place = trio.read(index, part, masks.valid), part.within(frame)
        moving[place], fixed[place] = windows.moving, windows.fixed
        if windows.valid is not None:
            there[place] = windows.valid
        tick()
    if masks.counted is not None:
        both = there & masks.counted[frame.place]
        there = both if np.count_nonzero(both) >= _DENSE * np.count_nonzero(there) else there
    moving[~there] = np.nan
    fixed[~there] = np.nan
    return moving, fixed


def _contrasts(cells: tuple[CellFacts, ...]) -> tuple[float, float]:
    """Average the local contrasts of the moving and of the fixed image over the valid pixels."""
    n_valid = sum(cell.n_valid for cell in cells)
    if not n_valid:
        return math.nan, math.nan
    return sum(cell.contrast_moving for cell in cells) / n_valid, sum(cell.contrast_fixed for cell in cells) / n_valid


def _region(region: Any, size: tuple[int, int]) -> Mask | None:
    if region is None:
        return None
    if isinstance(region, tuple) and len(region) == 2 and all(isinstance(part, slice) for part in region):
        mask = np.zeros(size, np.bool_)
        try:
            mask[region] = True
        except (TypeError, ValueError) as error:
            raise InputError(f"The region {shown(region)} is none ({error}). Give slices of whole numbers.") from error
        if not mask.any():
            raise InputError(
                f"The region {region} has no pixel of an image of {size[0]}x{size[1]}. Choose another one."
            )
        return mask
    array = computed(as_array(region, "region"), "region")
    if array.ndim != 2:
        raise InputError(
            f"region is {type(region).__name__} of shape {array.shape}; give a pair of slices, rows and columns, or a "
            f"mask of {size[0]}x{size[1]} pixels."
        )
    return mask_for(array, size, "region")
