"""The pass over all planes: from three images and options to a map and what its counting needs."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from ... import __version__
from ..errors import InputError
from ..images import DataRange
from ..tiling import Progress
from .blocks import TILE, Box, blocks, frame_of
from .differences import Looking, PlaneMasks, differences
from .local_ncc import WINDOW
from .options import Options
from .scoring import Counter, PlaneFacts
from .tolerance import local_tolerance, noise_left, tolerance_of
from .trio import Mask, Plane, Trio, mask_for, trio_of, weights_for

EVIDENCE_GRID = (5, 5)
"""Parts by which the evidence is judged where the blocks are not wanted."""

_DENSE = 0.5  # share of the valid pixels


@dataclass(frozen=True, eq=False)
class Passed:
    """What a pass gives.

    Attributes
    ----------
    values : numpy.ndarray
        float32, the map.
    counter : Counter
        Makes the score of it.
    tols : list of float
        Tolerance of each plane.
    info : dict
        Where the numbers come from.
    """

    values: Plane
    counter: Counter
    tols: list[float]
    info: dict[str, Any]


def passed(
    images: tuple[Any, Any, Any],
    options: Options,
    *,
    judges: bool,
    valid: Any,
    weight: Any,
    region: Any,
    data_range: DataRange,
    channel_axis: int | None,
    progress: Progress | None,
) -> Passed:
    """Go over all planes.

    Parameters
    ----------
    images : tuple
        moving, registered, fixed.
    options : Options
        What was chosen.
    judges : bool
        Whether evidence and local correlations are wanted.
    valid, weight, region, data_range, channel_axis, progress : optional
        As in `napari_iqmaps.diff_diff`.

    Returns
    -------
    Passed
        Map, counter and tolerances.

    Raises
    ------
    InputError
        If an image, a mask or an option cannot be used.
    """
    trio = trio_of(*images, valid=valid, data_range=data_range, channel_axis=channel_axis)
    shape = (*trio.lead, *trio.size)
    weights = None if weight is None else weights_for(weight, shape)
    chosen = _region(region, trio.size)
    frame = frame_of(trio.size, options.border, chosen)
    cells = blocks(frame, options.grid or EVIDENCE_GRID)
    counts = weights is None and not options.median
    looking = Looking(
        options.illumination, options.used_smooth, judges, together=options.grid is None,
        tol=options.tol if counts else None,
    )  # fmt: skip

    planes = list(trio.planes())
    tick = _ticker(progress, len(planes) * (1 + sum(1 for box in cells.values() for _ in box.tiles(TILE))))
    is_whole = frame.shape == trio.size
    values = np.empty(shape, np.float32) if is_whole else np.full(shape, np.nan, np.float32)
    facts: list[PlaneFacts] = []
    tols: list[float] = []
    sources: set[str] = set()
    for index in planes:
        masks = _masks(trio, index, chosen, weights)
        found = tuple(differences(trio, index, masks, cells, looking, values[index], tick))
        ends = _ends(trio, index, masks, frame) if judges or options.tol is None else ()
        noise = noise_left(ends) if judges else math.nan
        facts.append(PlaneFacts(index, found, frame, _area(frame, masks.counted), noise, looking.tol))
        tol, source = options.tol, "given"
        if options.illumination == "local":
            contrasts = _contrasts(facts[-1])
            values[index] *= np.float32(contrasts[1])
            if tol is None:
                tol, source = local_tolerance(sum(contrasts) / 2, ends, options.used_smooth)
        if tol is None:
            tol, source = tolerance_of(ends, options.used_smooth)
        tols.append(tol)
        sources.add(source)
        tick()
    info = {
        **options.record(), "blocks": len(cells) if options.grid else 0, "tol_from": " and ".join(sorted(sources)),
        "local_ncc_window": WINDOW, "data_range": trio.images[2].data_range, "version": __version__,
    }  # fmt: skip
    return Passed(values, Counter(tuple(facts), weights, options, trio.lead), tols, info)


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


def _ends(trio: Trio, index: tuple[int, ...], masks: PlaneMasks, frame: Box) -> tuple[Any, Any]:
    """Read what is compared of the moving and of the fixed image, NaN elsewhere; bytes as they are.

    Where less than half of the valid pixels are compared, as with a threshold of `edge_weight`, all of these are read:
    noise and contrast are the images', and scattered pixels do not tell them.
    """
    if trio.has_bytes and masks.valid is None and masks.counted is None:
        moving, _, fixed = trio.read_bytes(index, frame)
        return moving, fixed
    windows = trio.read(index, frame, masks.valid)
    there = windows.valid
    if masks.counted is not None:
        counted = masks.counted[frame.place]
        both = counted if there is None else there & counted
        whole = counted.size if there is None else np.count_nonzero(there)
        there = both if np.count_nonzero(both) >= _DENSE * whole else there
    if there is None:
        return windows.moving, windows.fixed
    return np.where(there, windows.moving, np.float32(np.nan)), np.where(there, windows.fixed, np.float32(np.nan))


def _contrasts(facts: PlaneFacts) -> tuple[float, float]:
    """Average the local contrasts of the moving and of the fixed image over the valid pixels."""
    if not facts.n_valid:
        return math.nan, math.nan
    return (
        sum(cell.contrast_moving for cell in facts.cells) / facts.n_valid,
        sum(cell.contrast_fixed for cell in facts.cells) / facts.n_valid,
    )


def _region(region: Any, size: tuple[int, int]) -> Mask | None:
    if region is None:
        return None
    if isinstance(region, tuple) and len(region) == 2 and all(isinstance(part, slice) for part in region):
        mask = np.zeros(size, np.bool_)
        mask[region] = True
        if not mask.any():
            raise InputError(
                f"The region {region} has no pixel of an image of {size[0]}x{size[1]}. Choose another one."
            )
        return mask
    array = np.asarray(region)
    if array.ndim != 2:
        raise InputError(
            f"region is {type(region).__name__} of shape {array.shape}; give a pair of slices, rows and columns, or a "
            f"mask of {size[0]}x{size[1]} pixels."
        )
    return mask_for(array, size, "region")


def _ticker(progress: Progress | None, total: int) -> Any:
    """Count parts that are done, and tell."""
    if progress is None:
        return lambda: None
    done = -1

    def tick() -> None:
        nonlocal done
        done += 1
        progress(done, total)

    tick()
    return tick
