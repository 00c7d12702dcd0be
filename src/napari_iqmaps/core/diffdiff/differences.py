"""The differences of the differences, tile by tile and in threads: light taken out, and how alike the images are."""

from __future__ import annotations

import math
import os
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import KW_ONLY, dataclass, fields
from functools import cached_property
from typing import Any, NamedTuple, TypeVar

import numpy as np
import numpy.typing as npt

from ..opencv import opencv, scalar
from .images import TILE, Box, Mask, Plane, Trio, Windows
from .options import LOCAL_SMOOTH, Illumination
from .tally import Tally, tallied

SIGMA = 7.0
"""Standard deviation in pixels of the Gaussian over which mean and contrast are taken."""

NOISE = 2.0
"""Grey levels added to the local contrast, so that noise on flat areas is not blown up to a pattern."""

STEP = 4
"""Mean and contrast vary slowly: they are taken from images reduced by this factor, and interpolated."""

_RADIUS = math.ceil(3 * SIGMA / STEP)

NORMALISING_HALO = STEP * (_RADIUS + 2)
"""Pixels that the statistics reach, interpolation and alignment included."""


def aligned(box: Box, shape: tuple[int, int]) -> Box:
    """Widen a box to multiples of `STEP` within the image, so that reduced pixels are the same whatever the tile."""
    return Box(
        box.top - box.top % STEP,
        min(-(-box.bottom // STEP) * STEP, shape[0]),
        box.left - box.left % STEP,
        min(-(-box.right // STEP) * STEP, shape[1]),
    )


def normalised(windows: Windows) -> tuple[Windows, tuple[Plane, Plane]]:
    """Subtract the local mean of each image and divide by its local contrast: ``(I - mean) / (spread + 2)``.

    Mean and standard deviation are weighted by a Gaussian of 7 pixels over the valid pixels of all three images. The
    windows begin on multiples of `STEP`; the local standard deviations of moving and fixed image are given too.
    """
    share = None if windows.valid is None else _local(windows.valid.astype(np.float32))
    moving, spread_m = _by_itself(windows.moving, windows.valid, share)
    registered, _ = _by_itself(windows.registered, windows.valid, share)
    fixed, spread_f = _by_itself(windows.fixed, windows.valid, share)
    return Windows(moving, registered, fixed, windows.valid), (spread_m, spread_f)


def _by_itself(plane: Plane, valid: Mask | None, share: Plane | None) -> tuple[Plane, Plane]:
    cv2 = opencv()
    centred: Plane = cv2.subtract(plane, scalar(127.5, plane))  # before squares are added up, for their precision
    if valid is not None:
        centred[~valid] = 0
    mean, square = _local(centred), _local(cv2.multiply(centred, centred))
    # As in `smoothed`, over the share of the window that is valid.
    if share is not None:
        known = np.maximum(share, np.float32(1e-6))
        mean /= known
        square /= known
    spread = cv2.sqrt(np.maximum(square - mean * mean, 0))
    size = (plane.shape[1], plane.shape[0])
    wide = _enlarged(spread, size)
    result = cv2.subtract(centred, _enlarged(mean, size))
    cv2.divide(result, cv2.add(wide, scalar(NOISE, wide)), dst=result)
    if valid is not None:
        result[~valid] = 0
    return result, wide


def _local(plane: npt.NDArray[np.float32]) -> Plane:
    """Average around each pixel of the reduced lattice."""
    cv2 = opencv()
    height, width = plane.shape
    down, across = -height % STEP, -width % STEP
    if down or across:
        plane = cv2.copyMakeBorder(plane, 0, down, 0, across, cv2.BORDER_REFLECT)
    size = ((width + across) // STEP, (height + down) // STEP)
    reduced = cv2.resize(plane, size, interpolation=cv2.INTER_AREA)
    side = 2 * _RADIUS + 1
    mean: Plane = cv2.GaussianBlur(reduced, (side, side), SIGMA / STEP, borderType=cv2.BORDER_REFLECT)
    return mean


def _enlarged(reduced: Plane, size: tuple[int, int]) -> Plane:
    cv2 = opencv()
    whole = (reduced.shape[1] * STEP, reduced.shape[0] * STEP)
    large: Plane = cv2.resize(reduced, whole, interpolation=cv2.INTER_LINEAR)
    return large[: size[1], : size[0]]


Part = TypeVar("Part")
Answer = TypeVar("Answer")

MOST_THREADS = 8

_WORTH_IT = 1 << 18  # pixels; below, threads take longer to start than the work does


def answers(work: Callable[[Part], Answer], parts: Sequence[Part], pixels: int) -> Iterator[Answer]:
    """Do the same work on several parts of so many pixels, in threads where that pays; give the answers in order.

    When the caller stops asking, what has not begun is not done.
    """
    threads = min(MOST_THREADS, _processors(), len(parts))
    if threads < 2 or pixels < _WORTH_IT:
        yield from map(work, parts)
        return
    with ThreadPoolExecutor(threads) as pool:
        futures = [pool.submit(work, part) for part in parts]
        try:
            for future in futures:
                yield future.result()
        finally:
            for future in futures:
                future.cancel()


def _processors() -> int:
    """Count the processors that this process may use, as far as the system tells."""
    affinity = getattr(os, "sched_getaffinity", None)
    return len(affinity(0)) if affinity else os.cpu_count() or 1


BYTES_TILE = 512
"""Pixels to the side of what is compared at once: what the processor's cache holds."""

_memory = threading.local()


def compare_bytes(
    images: list[npt.NDArray[Any]], corrections: tuple[float, float] | None, target: npt.NDArray[np.float32]
) -> None:
    """Write the diff-diff of a tile of bytes, at most `BYTES_TILE` to the side.

    The corrections are added to the fixed image: for the difference before the registration, and for the one after it.
    """
    cv2 = opencv()
    moving, registered, fixed = images
    # |l1 - l2| - |l1' - l2|, the notebook's get_diff_diff: moving l1, registered l1', fixed l2.
    if corrections is None:
        cv2.subtract(cv2.absdiff(moving, fixed), cv2.absdiff(registered, fixed), dst=target, dtype=cv2.CV_32F)
        return
    first, second = _scratch(target.shape)
    cv2.absdiff(cv2.subtract(moving, fixed, dst=first, dtype=cv2.CV_32F), scalar(corrections[0], first), dst=first)
    cv2.absdiff(
        cv2.subtract(registered, fixed, dst=second, dtype=cv2.CV_32F), scalar(corrections[1], second), dst=second
    )
    cv2.subtract(first, second, dst=target)


def _scratch(shape: tuple[int, ...]) -> list[Plane]:
    """Give two arrays to write to, the thread's own: to ask for memory takes as long as to calculate."""
    if not hasattr(_memory, "planes"):
        _memory.planes = [np.empty((BYTES_TILE, BYTES_TILE), np.float32) for _ in range(2)]
    return [plane[: shape[0], : shape[1]] for plane in _memory.planes]


WINDOW = 9
"""Side of the square window in pixels."""

HALO = WINDOW // 2

FLAT = 1.0
"""Standard deviation in a window, in grey levels, below which there is nothing to match."""

_MIDDLE = np.float32(127.5)  # taken off before squares are added up, for their precision
_FEWEST = 0.5  # share of the window that has to be valid


class Correlations(NamedTuple):
    """Local correlations with the fixed image, before and after; 0 where they are not defined.

    Defined are the valid pixels whose window is flat in none of the three images.
    """

    before: Plane
    after: Plane
    defined: Mask


def local_correlations(moving: Plane, registered: Plane, fixed: Plane, valid: Mask | None) -> Correlations:
    """Correlate both images, 0 where not valid, with the fixed one in a window around each pixel.

    It is Pearson's correlation over the valid pixels of 9 x 9 windows, of which at least half has to be valid; beyond
    the border of the arrays they are reflected. Both are defined on the same pixels, so that their means compare.
    """
    share = None if valid is None else _mean(valid.astype(np.float32))
    mean_f, spread_f, f = _moments(fixed, valid, share)
    before, defined = _correlation(moving, mean_f, spread_f, f, valid, share)
    after, also = _correlation(registered, mean_f, spread_f, f, valid, share)
    defined &= also
    if valid is not None and share is not None:
        defined &= valid & (share >= _FEWEST)
    absent = ~defined
    before[absent] = 0
    after[absent] = 0
    return Correlations(before, after, defined)


def _moments(plane: Plane, valid: Mask | None, share: Plane | None) -> tuple[Plane, Plane, Plane]:
    """Give local means and variances, and the plane about which they are: less middle grey, 0 in holes."""
    cv2 = opencv()
    centred: Plane = cv2.subtract(plane, scalar(float(_MIDDLE), plane))
    if valid is not None:
        centred[~valid] = 0
    mean = _mean(centred, share)
    variance = _mean(cv2.multiply(centred, centred), share)
    cv2.subtract(variance, cv2.multiply(mean, mean), dst=variance)  # E[x^2] - E[x]^2
    return mean, variance, centred


def _correlation(
    plane: Plane, mean_f: Plane, spread_f: Plane, fixed: Plane, valid: Mask | None, share: Plane | None
) -> tuple[Plane, Mask]:
    cv2 = opencv()
    mean, spread, centred = _moments(plane, valid, share)
    covariance = _mean(cv2.multiply(centred, fixed), share)  # Pearson: (E[xy] - E[x] E[y]) / sqrt(var x var y)
    cv2.subtract(covariance, cv2.multiply(mean, mean_f), dst=covariance)
    flat = np.float32(FLAT * FLAT)
    defined: Mask = (cv2.min(spread, spread_f) >= flat).view(np.bool_)
    product = cv2.sqrt(cv2.max(cv2.multiply(spread, spread_f), scalar(float(flat * flat), spread)))
    cv2.divide(covariance, product, dst=covariance)
    return np.clip(covariance, -1, 1, out=covariance), defined


def _mean(plane: npt.NDArray[np.float32], share: Plane | None = None) -> Plane:
    """Average over the window, or over its valid pixels: their share of it divides."""
    cv2 = opencv()
    mean: Plane = cv2.boxFilter(plane, cv2.CV_32F, (WINDOW, WINDOW), borderType=cv2.BORDER_REFLECT_101)
    return mean if share is None else cv2.divide(mean, np.maximum(share, np.float32(1e-6)))


@dataclass(frozen=True)
class CellFacts:
    """What is known of a cell, which is a block where there is a grid, whatever the tolerance.

    The shift is by how many grey levels the moving image is brighter than the fixed one. The others are sums over the
    valid pixels: of the local standard deviations (0 if the map is not normalised); of the local correlations, and the
    number of pixels that have them; of the weights, of weight times dd, and of weight times its square, dd being of
    locally normalised images; and of weight times the square of dd in grey levels, brought back by the contrast of the
    fixed image.
    """

    row: int
    column: int
    box: Box
    n_valid: int
    shift: float
    contrast_moving: float
    contrast_fixed: float
    ncc_pixels: float
    ncc_before: float
    ncc_after: float
    weight: float
    total: float
    squares: float
    grey_squares: float
    _: KW_ONLY
    tally: Tally | None = None


@dataclass(frozen=True)
class PlaneMasks:
    """Which pixels of a plane there are, which are compared, and how much they count; None means all, or all alike."""

    valid: Mask | None = None
    counted: Mask | None = None
    weight: Plane | None = None


@dataclass(frozen=True)
class Looking:
    """How a plane is looked at: how light is taken out, and the Gaussian before the map.

    `together` corrects the light of all cells at once. `tol` counts bytes without weights at once; None counts nothing.
    """

    illumination: Illumination
    smooth: float
    judges: bool
    together: bool
    tol: float | None = None

    @property
    def halo(self) -> int:
        """Pixels that an answer needs on every side."""
        smooth = max(self.smooth, LOCAL_SMOOTH if self.judges else 0)
        near = NORMALISING_HALO if self.illumination == "local" or self.judges else 0
        return math.ceil(3 * smooth) + max(near, HALO if self.judges else 0)


def differences(
    trio: Trio,
    plane: tuple[int, ...],
    masks: PlaneMasks,
    cells: dict[tuple[int, int], Box],
    looking: Looking,
    out: Plane,
    tick: Callable[[], object],
) -> Iterator[CellFacts]:
    """Write the diff-diff of a plane, cell by cell, each when its facts are yielded; NaN where a pixel is not valid.

    They are grey levels of 255, or, of normalised images, numbers without a unit; `tick` is called after every tile.
    """
    work = _Work(trio, plane, masks, looking, out)
    boxes = list(cells.values())
    pixels = sum(box.shape[0] * box.shape[1] for box in boxes)
    if looking.illumination in ("before", "each"):
        corrected = [boxes] if looking.together else [[box] for box in boxes]
        found = list(answers(work.correction, corrected, pixels))
    else:
        found = [(0.0, 0.0)]
    corrections = found * len(boxes) if len(found) == 1 else found
    tiles = [list(box.tiles(work.side)) for box in boxes]
    parts = [(tile, corrections[i]) for i, of_box in enumerate(tiles) for tile in of_box]
    sums = answers(work.tile, parts, pixels)
    for (row, column), box, of_box in zip(cells, boxes, tiles, strict=True):
        total, tallies = np.zeros(len(_SUMMED)), []
        for _ in of_box:
            found_sums, tally = next(sums)
            total += found_sums
            tallies.append(tally)
            tick()
        n_valid, shift, *others = total.tolist()
        known = [tally for tally in tallies if tally is not None]
        yield CellFacts(
            row, column, box, int(n_valid), shift / n_valid if n_valid else 0.0, *others,
            tally=sum(known, Tally()) if known else None,
        )  # fmt: skip


_SUMMED = fields(CellFacts)[3:-1]


@dataclass(frozen=True, eq=False)
class _Work:
    """What is done with each tile, in whatever thread."""

    trio: Trio
    plane: tuple[int, ...]
    masks: PlaneMasks
    looking: Looking
    out: Plane

    @cached_property
    def is_plain(self) -> bool:
        """Whether bytes are compared with bytes, without more ado."""
        masks, looking = self.masks, self.looking
        return (
            self.trio.has_bytes and masks.valid is None and masks.counted is None and looking.smooth == 0
            and looking.illumination != "local" and not looking.judges
        )  # fmt: skip

    @property
    def side(self) -> int:
        """Pixels to the side of a tile."""
        return BYTES_TILE if self.is_plain else TILE

    def correction(self, boxes: Sequence[Box]) -> tuple[float, float]:
        """Give how much brighter than the fixed image the moving and the registered one are on average."""
        totals, number = np.zeros(3), 0
        for box in boxes:
            for tile in box.tiles(TILE):
                images, valid = self._plain(tile), None
                if images is None:
                    own = _Look(self.trio, self.plane, self.masks, tile, self.looking).own
                    images, valid = [own.moving, own.registered, own.fixed], own.valid
                totals += [_total(image) for image in images]
                number += images[0].size if valid is None else int(np.count_nonzero(valid))
        if number == 0:
            return 0.0, 0.0
        # The notebook's ddscore_sub rounds the difference of the means and clips the corrected image to 0..255, which
        # loses up to half a grey level, and what is very bright or dark. Here it stays real, and nothing is clipped.
        moving, registered, fixed = totals.tolist()
        return (moving - fixed) / number, (registered - fixed) / number

    def tile(self, part: tuple[Box, tuple[float, float]]) -> tuple[npt.NDArray[np.float64], Tally | None]:
        """Write the differences of a tile; give the sums that `CellFacts` wants, from its number of valid pixels on."""
        tile, corrections = part
        images = self._plain(tile)
        if images is None:
            return _Look(self.trio, self.plane, self.masks, tile, self.looking).judged(corrections, self.out), None
        target = self.out[tile.place]
        lit = self.looking.illumination
        compare_bytes(images, None if lit == "none" else _used(corrections, lit), target)
        tol = self.looking.tol
        # Now, while the numbers are still in the processor's cache.
        tally = None if tol is None else tallied(target, tol, target.size)
        return np.array([target.size, corrections[0] * target.size, *[0.0] * (len(_SUMMED) - 2)]), tally

    def _plain(self, tile: Box) -> list[npt.NDArray[Any]] | None:
        return self.trio.read_bytes(self.plane, tile) if self.is_plain else None


class _Look:
    """A tile with what is around it."""

    def __init__(self, trio: Trio, plane: tuple[int, ...], masks: PlaneMasks, tile: Box, looking: Looking) -> None:
        self.looking = looking
        self.tile = tile
        self.outer = aligned(tile.widened(looking.halo, trio.size), trio.size)
        self.around = tile.widened(HALO, trio.size)
        self.inner = tile.within(self.outer)
        self.counted = None if masks.counted is None else masks.counted[tile.place]
        self.weight = None if masks.weight is None else masks.weight[tile.place]
        self.raw = trio.read(plane, self.outer, masks.valid)
        self.windows = smoothed(self.raw, looking.smooth)
        self.own = _part(self.windows, self.inner, self.counted)

    def judged(self, corrections: tuple[float, float], out: Plane) -> npt.NDArray[np.float64]:
        """Write the differences; give the sums that `CellFacts` wants, from its number of valid pixels on."""
        target = out[self.tile.place]
        valid = self.own.valid
        n_valid = target.size if valid is None else int(np.count_nonzero(valid))
        contrasts = (0.0, 0.0)
        spread: Plane | None = None
        if self.looking.illumination == "local":
            spreads = self._normalised(self.windows, target)
            contrasts = (_valid_sum(spreads[0], valid), _valid_sum(spreads[1], valid))
            spread = spreads[1]
        else:
            _subtract(self.own, _used(corrections, self.looking.illumination), target)
        judged = self._evidence(target, spread) if self.looking.judges else (0.0,) * 7
        if valid is not None:
            target[~valid] = np.nan
        shift = _total(self.own.moving) - _total(self.own.fixed)
        return np.array([n_valid, shift, *contrasts, *judged])

    def _normalised(self, windows: Windows, target: Plane) -> tuple[Plane, Plane]:
        """Write the differences of the normalised images; give the local contrasts of moving and fixed image."""
        patterns, spreads = normalised(windows)
        _subtract(_part(patterns, self.inner, self.counted), (0.0, 0.0), target)
        return spreads[0][self.inner], spreads[1][self.inner]

    def _evidence(self, target: Plane, spread: Plane | None) -> tuple[float, ...]:
        """Sum up correlations and evidence; the differences of the map serve if they are the ones wanted."""
        cv2 = opencv()
        windows = self.windows if self.looking.smooth == LOCAL_SMOOTH else smoothed(self.raw, LOCAL_SMOOTH)
        if spread is None or self.looking.smooth != LOCAL_SMOOTH:
            target = np.empty(self.tile.shape, np.float32)
            spread = self._normalised(windows, target)[1]
        valid = self.own.valid
        grey = cv2.multiply(target, cv2.add(spread, scalar(NOISE, spread)))
        if self.weight is None:
            weight = float(target.size if valid is None else np.count_nonzero(valid))
            sums = (_total(target), *(float(cv2.norm(part, cv2.NORM_L2SQR)) for part in (target, grey)))
        else:
            weight, heavy = _valid_sum(self.weight, valid), np.ascontiguousarray(self.weight)
            sums = tuple(_total(cv2.multiply(part, heavy)) for part in (target, target * target, grey * grey))
        return (*self._correlated(windows), weight, *sums)

    def _correlated(self, windows: Windows) -> tuple[float, float, float]:
        place = self.around.within(self.outer)
        valid = None if windows.valid is None else windows.valid[place]
        found = local_correlations(windows.moving[place], windows.registered[place], windows.fixed[place], valid)
        inner = self.tile.within(self.around)
        defined = found.defined[inner]
        if self.own.valid is not None:
            defined = defined & self.own.valid
        before, after = (_valid_sum(part[inner], defined) for part in (found.before, found.after))
        return float(np.count_nonzero(defined)), before, after


def smoothed(windows: Windows, sigma: float) -> Windows:
    """Smooth three images by the same Gaussian, over their valid pixels only."""
    if sigma <= 0:
        return windows
    cv2 = opencv()
    side = 2 * math.ceil(3 * sigma) + 1

    def blurred(plane: npt.NDArray[np.float32]) -> Plane:
        result: Plane = cv2.GaussianBlur(plane, (side, side), sigma, borderType=cv2.BORDER_REFLECT_101)
        return result

    images = (windows.moving, windows.registered, windows.fixed)
    if windows.valid is None:
        return Windows(blurred(images[0]), blurred(images[1]), blurred(images[2]), None)
    outside = ~windows.valid
    # A normalised convolution: the blur of what is valid, over the share of the kernel that is.
    share = blurred(windows.valid.astype(np.float32))
    share[outside] = 1
    parts = []
    for image in images:
        part = blurred(image) / share
        part[outside] = 0
        parts.append(part)
    return Windows(parts[0], parts[1], parts[2], windows.valid)


def _part(windows: Windows, place: tuple[slice, slice], counted: Mask | None) -> Windows:
    """Take a part out of the windows, 0 where a pixel is not compared."""
    images = [image[place] for image in (windows.moving, windows.registered, windows.fixed)]
    valid = None if windows.valid is None else windows.valid[place]
    if counted is not None:
        valid = counted if valid is None else valid & counted
        images = [np.where(valid, image, np.float32(0)) for image in images]
    return Windows(images[0], images[1], images[2], valid)


def _used(corrections: tuple[float, float], illumination: Illumination) -> tuple[float, float]:
    """Give what is added to the fixed image, for the difference before and for the one after the registration."""
    before, after = corrections
    return (before, after) if illumination == "each" else (before, before)


def _total(image: Plane) -> float:
    # Pixels that are not compared are 0, and add nothing.
    return float(opencv().sumElems(image)[0])


def _valid_sum(values: Plane, valid: Mask | None) -> float:
    return _total(values) if valid is None else float(values.sum(where=valid, dtype=np.float64))


def _subtract(own: Windows, corrections: tuple[float, float], target: Plane) -> None:
    """Write ``|moving - fixed| - |registered - fixed|``, the fixed image corrected; 0 where not valid."""
    cv2 = opencv()
    before, after = corrections
    fixed = cv2.add(own.fixed, scalar(before, own.fixed)) if before else own.fixed
    first = cv2.absdiff(own.moving, fixed)
    if after != before:
        fixed = cv2.add(own.fixed, scalar(after, own.fixed))
    second = cv2.absdiff(own.registered, fixed)
    cv2.subtract(first, second, dst=target)
    if own.valid is not None:
        target[~own.valid] = 0
