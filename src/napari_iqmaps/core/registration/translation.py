"""The best shift by whole pixels, found by trying all of them: exhaustive search on the diff-diff score."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from ... import __version__
from ..arguments import checked
from ..arrays import as_array, computed
from ..diffdiff.lighting import comparable
from ..diffdiff.options import checked_tol
from ..diffdiff.surface import SMALLEST_WINDOW, ShiftSurface, check_objective, judge_shifts, shift_scores
from ..errors import InputError
from ..progress import Progress, Steps
from ..span import range_first
from ..value_range import DataRange
from .candidates import Candidate, Options
from .geometry import Matrix
from .images import Pair, Side, as_pair
from .record import Registration
from .warp import on_grid

RADIUS = 15
"""Pixels, by default."""

FEWEST_CHANGED = 100
"""Pixels that a shift must change, or there is too little to choose it by; as for the score."""

CLEAR_SHARE = 0.62
"""Of the changed pixels, those that must speak for the best shift; .72 and more do on photographs that a shift and half
a degree of rotation part, under changing light, and .59 at most on photographs of different things."""

RIVAL = 0.9
"""How high, over the middle of all shifts, a second peak may be against the best one."""

_CHANCE = 3.0  # over the square root of the changed pixels: what the best of a thousand shifts has by chance
_PEAK = 5  # pixels: side of the square that a peak is the highest of
_SMALLEST_RADIUS = 1


@checked
def search_translation(
    moving: Any,
    fixed: Any,
    *,
    radius: int = RADIUS,
    objective: Literal["gain", "soft", "ratio"] = "soft",
    tol: float | Literal["auto"] = "auto",
    illumination: Literal["before", "none", "frame", "local"] = "before",
    min_overlap: float = 0.5,
    compat: Literal["notebook-scatter", "notebook-search"] | None = None,
    data_range: DataRange = None,
    channel_axis: int | None = None,
    progress: Progress | None = None,
) -> Registration:
    """Find the shift by whole pixels under which most got better, by trying every one.

    Parameters
    ----------
    moving, fixed : array_like
        One plane each, at least 16 pixels to a side; where sizes differ, a shift of 0 puts the top left corners on one
        another.
    radius : int
        Largest shift along each axis, pixels, 0 or more; ``(2 radius + 1) ** 2`` shifts are tried.
    objective : {"soft", "gain", "ratio"}
        What shall be highest: the mean of ``clip(dd / (2 tol), -1, 1)``, the share of pixels better less the share
        worse, or, for comparison only, better / (better + worse), which one changed pixel can win.
    tol : float or "auto"
        Tolerance, grey levels on the 0..255 scale; "auto" is what suits the two images. A tolerance of 0
        needs another objective than "soft".
    illumination : {"before", "none", "frame", "local"}
        How a difference of lighting is taken out first. "before": each of 5 x 5 blocks of the fixed image is moved to
        the mean of the moving one. "frame": the same of the whole frame. "local": each image loses its local mean and
        is divided by its local contrast. "none": nothing.
    min_overlap : float
        The smallest share of the fixed image that the shifted one must cover, 0..1; other shifts are not chosen.
    compat : {"notebook-scatter", "notebook-search"}, optional
        The original notebook's two loops, number by number: `info` then holds ``dx``, ``dy``, ``scores`` and
        ``counts`` in its order. Needs uint8 images of one size; the tolerance is 50 unless given, and no other option
        applies.
    data_range : float, (float, float), "data" or "percentiles", optional
        The values of black and white of both images, as in `register`.
    channel_axis : int, optional
        The axis of the colours in those images that have three axes.
    progress : callable, optional
        Called as ``progress(done, total)`` several times a second; may raise `Cancelled`.

    Returns
    -------
    Registration
        Method "translation"; ``info["surface"]`` holds better, worse, gain and soft by ``[dy + radius, dx + radius]``,
        ``info["at_edge"]`` whether the best shift lies at the edge of the search. Refused if too few pixels change
        (100), if under 62 % of those that change speak for the best shift, or if another one is almost as good.

    Raises
    ------
    InputError
        If an image or an option is unusable, or the radius leaves less than 8 x 8 pixels.

    Notes
    -----
    The notebook tried shifts right and down only, never 0, chose by the ratio, and judged by a window whose rows were
    counted in columns. Here all shifts are judged by the same pixels, those at least `radius` from every side; of
    equally good shifts the smaller wins. A search that ends with no shift at all is accepted: the images are best as
    they are.
    """
    if compat is not None:
        return search_as_notebook(moving, fixed, compat, tol=tol)
    check_objective(objective)
    _check_share(min_overlap)
    steps = Steps(progress)
    pair = steps.wait(lambda: as_pair(moving, fixed, data_range=data_range, channel_axis=channel_axis))
    surface = surface_of(
        pair, radius=radius, tol=tol, illumination=illumination, soft=objective == "soft", steps=steps.part(0.0, 0.95)
    )
    shift, reason = choose(surface, pair, objective, min_overlap)
    info = {
        **pair.standard.range_record(),
        "objective": objective,
        "radius": radius,
        "tol": surface.tol,
        "illumination": illumination,
        "min_overlap": min_overlap,
        "best": shift,
        "at_edge": radius > 0 and max(map(abs, shift)) == radius,
        "surface": as_arrays(surface),
        "moving_shape": pair.moving.shape,
        "fixed_shape": pair.fixed.shape,
        "version": __version__,
    }
    reason = range_first(info, reason, is_cause=False)
    found = steps.wait(lambda: shifted(moving, pair.moving.shape, pair.fixed.shape, shift, reason, info, channel_axis))
    steps.reach(1.0)
    return found


def propose_translation(pair: Pair, options: Options) -> list[Candidate]:
    """Propose the best shift by whole pixels; without a matrix if no shift can be told from another.

    The radius is `max_shift` where it is given: at most a quarter of the shorter side, and 64 pixels.
    """
    shortest = min(*pair.moving.shape, *pair.fixed.shape)
    largest = max(_SMALLEST_RADIUS, min(64, shortest // 4, (shortest - SMALLEST_WINDOW) // 2))
    wanted = RADIUS if options.max_shift is None else max(_SMALLEST_RADIUS, int(options.max_shift))
    surface = surface_of(
        pair, radius=min(wanted, largest), tol="auto", illumination="before", soft=True, steps=options.steps
    )
    shift, reason = choose(surface, pair, "soft", options.min_overlap)
    info = {"tol": surface.tol, "radius": surface.radius, **surface.at(*shift)}
    if reason:
        return [Candidate("translation", None, reason=reason, info=info)]
    return [Candidate("translation", translation_matrix(shift), info=info)]


def surface_of(
    pair: Pair, *, radius: int, tol: float | str, illumination: str, soft: bool, steps: Steps
) -> ShiftSurface:
    """Judge every shift of a checked pair, after a difference of lighting was taken out."""
    moving, fixed = (_with_holes(side) for side in (pair.moving, pair.fixed))
    first, second, used_tol = steps.wait(lambda: comparable(moving, fixed, illumination, tol))
    if soft and used_tol == 0:
        raise InputError("A tolerance of 0 has no soft score. Choose objective='gain', or a tolerance above 0.")
    return shift_scores(first, second, radius=radius, tol=used_tol, soft=soft, steps=steps.part(0.05, 1.0))


def choose(surface: ShiftSurface, pair: Pair, objective: str, min_overlap: float) -> tuple[tuple[int, int], str]:
    """Choose the best shift ``(dy, dx)`` that covers enough of the fixed image; say why not to trust it, or ``""``."""
    _check_share(min_overlap)
    steps = np.arange(-surface.radius, surface.radius + 1)
    covered = [
        np.clip(np.minimum(length, steps + own) - np.maximum(0, steps), 0, None) / length
        for length, own in zip(pair.fixed.shape, pair.moving.shape, strict=True)
    ]
    overlap = covered[0][:, np.newaxis] * covered[1]
    shift = surface.best_by(objective, among=overlap >= min_overlap)
    return shift, _doubt(surface, shift, objective)


def translation_matrix(shift: tuple[int, int]) -> Matrix:
    """Give the matrix of a shift ``(dy, dx)``."""
    matrix = np.eye(3)
    matrix[:2, 2] = shift[1], shift[0]
    return matrix


def shifted(
    moving: Any,
    moving_shape: tuple[int, int],
    fixed_shape: tuple[int, int],
    shift: tuple[int, int],
    reason: str,
    info: dict[str, Any],
    channel_axis: int | None,
) -> Registration:
    """Make the record of a shift, or of a refusal where there is a reason."""
    matrix = np.eye(3) if reason else translation_matrix(shift)
    registered, valid = on_grid(moving, matrix, fixed_shape, channel_axis)
    return Registration(
        matrix=matrix,
        registered=registered,
        valid=valid,
        method="translation",
        inliers=None,
        accepted=not reason,
        reason=reason,
        info=info,
        moving_shape=moving_shape,
    )


def as_arrays(surface: ShiftSurface) -> dict[str, npt.NDArray[Any]]:
    """Give a surface as a plain dictionary of its arrays, as an info holds it."""
    return {name: getattr(surface, name) for name in ("better", "worse", "gain", "soft")}


def _check_share(min_overlap: Any) -> None:
    number = isinstance(min_overlap, int | float | np.integer | np.floating) and not isinstance(min_overlap, bool)
    if not (number and 0 <= min_overlap <= 1):
        raise InputError(f"min_overlap is {min_overlap!r}; give a share, 0 .. 1.")


def _doubt(surface: ShiftSurface, shift: tuple[int, int], objective: str) -> str:
    """Say why the best shift cannot be trusted, or ``""``."""
    if surface.radius == 0:
        return ""
    most, changed = int(surface.count.max()), surface.at(*shift)["count"]
    if most < FEWEST_CHANGED or (shift != (0, 0) and changed < FEWEST_CHANGED):
        return (
            f"the best shift changes {changed:.0f} pixels by more than the tolerance ({surface.tol:.3g} grey levels), "
            f"none more than {most}, and {FEWEST_CHANGED} are needed: the images show too little, or it is too high"
        )
    # No shift at all changes nothing: then it is all others that must be worse.
    share = 1 - float(np.nanmedian(surface.ratio)) if shift == (0, 0) else surface.at(*shift)["ratio"]
    needed = max(CLEAR_SHARE, 0.5 + _CHANCE / max(changed or most, 1.0) ** 0.5)
    if share < needed:
        return (
            f"only {share:.0%} of the changed pixels speak for the best shift ({shift[1]}, {shift[0]}), and "
            f"{needed:.0%} are needed: the images may not show the same"
        )
    rival = _rival(surface, shift, objective)
    if rival is not None:
        return (
            f"the shifts ({shift[1]}, {shift[0]}) and ({rival[1]}, {rival[0]}) are almost equally good: the images "
            "repeat themselves. Give a smaller radius, if the motion is known to be small"
        )
    return ""


def _rival(surface: ShiftSurface, shift: tuple[int, int], objective: str) -> tuple[int, int] | None:
    """Find another peak nearly as high as the best one."""
    from scipy import ndimage  # takes a third of a second to import

    values = np.nan_to_num(getattr(surface, "gain" if objective == "gain" else "soft"), nan=-1.0)
    if objective == "ratio" and not values.any():
        values = surface.gain
    floor = float(np.median(values))
    best = values[shift[0] + surface.radius, shift[1] + surface.radius]
    peaks = values == ndimage.maximum_filter(values, _PEAK, mode="constant", cval=-2.0)
    peaks &= values - floor > RIVAL * (best - floor)
    for row, column in np.argwhere(peaks) - surface.radius:
        if max(abs(row - shift[0]), abs(column - shift[1])) > _PEAK // 2:
            return int(row), int(column)
    return None


def _with_holes(side: Side) -> npt.NDArray[np.float32]:
    if side.known.all():
        return side.plane
    return np.where(side.known, side.plane, np.float32(np.nan))


TOLERANCE = 50.0
"""Grey levels; the notebook's default."""

_CROP = 15
_MODES = {"notebook-scatter": (10, 10), "notebook-search": (15, 15)}
"""By name, the ends of the two loops: dx from 0, dy from 1."""


def search_as_notebook(moving: Any, fixed: Any, compat: str, *, tol: float | str) -> Registration:
    """Search a translation as one of the notebook's loops does; `info` holds its lists in their order.

    "notebook-scatter" is the loop behind its scatter plot (90 shifts, a frame of 15 pixels left out), "notebook-search"
    its ``brute_force_tf`` (210 shifts, a window whose rows are counted in columns). The second one takes the highest
    number among scores **and** counts, as the notebook does; where that lies beyond its list, the notebook stops with
    an IndexError, and the registration is refused.
    """
    if compat not in _MODES:
        raise InputError(f"compat is {compat!r}; choose one of {', '.join(_MODES)}, or None.")
    moving, fixed = (
        np.asarray(computed(as_array(image, name), name))
        for image, name in ((moving, "moving image"), (fixed, "fixed image"))
    )
    if moving.dtype != np.uint8 or fixed.dtype != np.uint8 or moving.ndim != 2 or moving.shape != fixed.shape:
        raise InputError(
            f"compat={compat!r} needs two grey uint8 images of one size, as the notebook reads them; these are "
            f"{moving.dtype} {moving.shape} and {fixed.dtype} {fixed.shape}."
        )
    used_tol = TOLERANCE if tol == "auto" else checked_tol(tol)
    ends = _MODES[compat]
    shifts = [(dy, dx) for dx in range(ends[0]) for dy in range(1, ends[1])]
    is_scatter = compat == "notebook-scatter"
    window = _scatter_window(moving.shape) if is_scatter else _search_window(moving.shape)
    scores, counts = _judged(moving, fixed, shifts, window, used_tol)
    best = int(np.argmax(scores) if is_scatter else np.argmax(np.stack([scores, counts], axis=1)))
    reason = ""
    if best >= len(shifts):
        reason = (
            f"the highest of all scores and counts is number {best} of them, and there are {len(shifts)} shifts only; "
            "the notebook stops here with an IndexError"
        )
    info = {
        "compat": compat,
        "tol": used_tol,
        "dx": np.array([dx for _, dx in shifts]),
        "dy": np.array([dy for dy, _ in shifts]),
        "scores": scores,
        "counts": counts,
        "moving_shape": moving.shape,
        "fixed_shape": fixed.shape,
        "version": __version__,
    }
    shape = (fixed.shape[0], fixed.shape[1])
    return shifted(moving, shape, shape, (0, 0) if reason else shifts[best], reason, info, None)


def _judged(
    moving: npt.NDArray[np.uint8],
    fixed: npt.NDArray[np.uint8],
    shifts: list[tuple[int, int]],
    window: tuple[slice, slice],
    tol: float,
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.int64]]:
    """Give ratio and count of every shift over a window; pixels from outside are 0, as the notebook's warp has them."""
    scores, counts = np.full(len(shifts), 0.5), np.zeros(len(shifts), np.int64)
    target = fixed[window]
    if not target.size:
        return scores, counts
    reach = max(max(shift) for shift in shifts)
    padded = np.pad(moving, [(reach, 0), (reach, 0)])
    origin = window[0].start + reach, window[1].start + reach
    sums = judge_shifts(padded, target, origin, shifts, tol=tol, soft=False)
    counts[:] = sums[:, 0] + sums[:, 1]
    np.divide(sums[:, 0], counts, out=scores, where=counts > 0)
    return scores, counts


def _scatter_window(shape: tuple[int, ...]) -> tuple[slice, slice]:
    rows, columns = (slice(_CROP, max(_CROP, length - _CROP)) for length in shape)
    return rows, columns


def _search_window(shape: tuple[int, ...]) -> tuple[slice, slice]:
    # Rows counted in columns and columns in rows: the same in a square image only.
    rows, columns = (slice(int(0.05 * length), int(0.95 * length)) for length in reversed(shape))
    return rows, columns
