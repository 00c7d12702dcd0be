"""What the diff-diff says of a registration: the numbers that stand in its record."""

from __future__ import annotations

import math
from functools import partial
from typing import Any

import numpy as np

from ... import __version__
from ..diffdiff import diff_diff_score
from ..errors import InputError
from ..images import DataRange, as_planes
from ..progress import Progress, Steps
from .candidates import Options
from .geometry import TRANSFORMS, Matrix, identity
from .images import Pair, as_pair, plane_channel_axis
from .record import Registration
from .search import Trial, agreeing, search
from .warp import find_holes, valid_pixels, warp_image


def judgement(pair: Pair, matrix: Matrix) -> dict[str, Any]:
    """Compare the images before and after a motion.

    Returns
    -------
    dict
        ``local_ncc_before`` and ``local_ncc_after``, the local correlations as `napari_iqmaps.diff_diff_score` has
        them (None where no pixel that all images have has any detail), and its ``verdict``.
    """
    shape = pair.fixed.shape
    holes = ~pair.moving.known
    moved = [valid_pixels(motion, pair.moving.shape, shape, holes=holes) for motion in (identity(), matrix)]
    moving, registered = (
        warp_image(pair.moving.plane, motion, shape, valid=valid)
        for motion, valid in zip((identity(), matrix), moved, strict=True)
    )
    valid = pair.fixed.known & moved[0] & moved[1]
    judged = diff_diff_score(moving, registered, pair.fixed.plane, valid=valid, data_range=255)
    return {
        "local_ncc_before": _known(judged.local_ncc_before),
        "local_ncc_after": _known(judged.local_ncc_after),
        "verdict": judged.verdict,
    }


def _known(number: float) -> float | None:
    return None if math.isnan(number) else number


METHODS = (
    "auto",
    "fast",
    "features",
    "flow",
    "ecc",
    "phase",
    "dd",
    "translation",
    "matches",
    "stackreg",
    "elastix",
)
"""Names for ``method``."""

_LARGEST_SEED = 2**31 - 2  # libraries take it, and one more, as a C int


def register(
    moving: Any,
    fixed: Any,
    *,
    method: str = "auto",
    transform: str = "homography",
    max_shift: float | None = None,
    min_overlap: float = 0.5,
    min_inliers: int = 8,
    matches: Any = None,
    seed: int = 0,
    data_range: DataRange = None,
    channel_axis: int | None = None,
    progress: Progress | None = None,
) -> Registration:
    """Find the motion from a moving image to a fixed one, or refuse to name one.

    Parameters
    ----------
    moving, fixed : array_like
        One plane each, ``(height, width)``, or with channels along `channel_axis`; at least 16 pixels on each side.
        They may differ in size, and either may be grey while the other has colours. NaN and masked pixels are holes.
    method : str
        "auto" tries several, quick ones first, until one candidate is beyond doubt: SIFT on images with equalised
        contrast, SIFT on the plain ones, dense flow, enhanced correlation from the identity, phase correlation, SIFT
        on simulated views. "fast" is dense flow, refined; "flow" the same, not refined; "features" both kinds of SIFT;
        "ecc" enhanced correlation from the identity, coarse to fine; "phase" phase correlation, refined; "dd" a search
        for the matrix with the best diff-diff; "translation" a full search over whole pixels; "matches" the points
        given in `matches`; "stackreg" and "elastix" those packages, if installed.
    transform : str
        The motion: "homography" (8 parameters), "affine" (6), "euclidean" (a turn and a shift) or "translation".
    max_shift : float, optional
        Refuse what moves a corner by more than this many pixels. None allows any motion.
    min_overlap : float
        Refuse what leaves less than this share (0..1) of the smaller image in common.
    min_inliers : int
        Refuse what fewer matched points than this agree on; only for methods that match points.
    matches : MatchTable, optional
        Matched points, for "matches", and for "auto" as one candidate more.
    seed : int
        Of everything random; equal seeds give equal results.
    data_range : float or (float, float), optional
        The values of black and white of both images; see `napari_iqmaps.threshold_map`.
    channel_axis : int, optional
        The axis of the colours in those images that have three axes. None means grey.
    progress : callable, optional
        Called as ``progress(done, total)``, several times a second; what it raises, as `Cancelled`, stops the work.

    Returns
    -------
    Registration
        The matrix, the registered image and where it is valid; or ``accepted=False`` with the reason, the identity,
        and the moving image as it is on the fixed image's grid.

    Raises
    ------
    InputError
        If an image is none, a stack, too small or without values, if an option is out of its range, or if the method
        needs a package that is not installed.
    Cancelled
        If `progress` raised it.

    Notes
    -----
    Every candidate is refined by enhanced correlation (Evangelidis and Psarakis 2008) of locally normalised images,
    and kept only if that raises its local correlation. One judge decides for all methods, by the images alone; see
    `napari_iqmaps.core.registration.evidence`. It refuses what matches at few places, what matches as well elsewhere,
    and what leaves the corners uncertain by more than 3 pixels. A stiff transform of a motion that it cannot follow is
    refused too. Nothing that is accepted was chosen for being better than the identity: images that are aligned
    already are accepted as such.

    Examples
    --------
    >>> import numpy as np
    >>> from skimage import data
    >>> import napari_iqmaps as iq
    >>> image = data.camera()
    >>> result = iq.register(image[8:, 5:], image[:-8, :-5], transform="translation")
    >>> result.accepted, np.rint(result.matrix[:2, 2]).tolist()
    (True, [5.0, 8.0])
    """
    _check_options(method, transform, matches)
    options = Options(
        transform=transform,
        max_shift=None if max_shift is None else _number("max_shift", max_shift, 0, math.inf),
        min_overlap=_number("min_overlap", min_overlap, 0, 1),
        min_inliers=_whole("min_inliers", min_inliers, 1),
        matches=matches,
        seed=_whole("seed", seed, 0, _LARGEST_SEED),
        steps=Steps(progress),
    )
    options.steps.tick()
    colours: dict[str, Any] = {"data_range": data_range, "channel_axis": channel_axis}
    pair = options.steps.wait(partial(as_pair, moving, fixed, **colours))
    trials = search(pair, method, options)
    options.steps.reach(0.95)
    result = options.steps.wait(partial(conclude, moving, pair, trials, options, method=method, **colours))
    options.steps.reach(1.0)
    return result


def conclude(
    moving: Any,
    pair: Pair,
    trials: list[Trial],
    options: Options,
    *,
    method: str,
    data_range: DataRange = None,
    channel_axis: int | None = None,
) -> Registration:
    """Make the record of a registration from its trials.

    Returns
    -------
    Registration
        Accepted if the first trial is.
    """
    best = trials[0]
    matrix = identity()
    if best.accepted and best.candidate.matrix is not None:
        matrix = best.candidate.matrix
    planes = as_planes(moving, data_range=data_range, channel_axis=plane_channel_axis(moving, channel_axis))
    array = planes.window((), slice(None), slice(None))
    holes = find_holes(array, has_channels=planes.has_channels)
    valid = valid_pixels(matrix, pair.moving.shape, pair.fixed.shape, holes=holes)
    registered = warp_image(array, matrix, pair.fixed.shape, valid=valid, has_channels=planes.has_channels)
    if planes.has_channels and channel_axis is not None:
        registered = np.moveaxis(registered, -1, channel_axis)
    return Registration(
        matrix=matrix,
        registered=registered,
        valid=valid,
        method=best.candidate.method,
        inliers=best.candidate.inliers,
        accepted=best.accepted,
        reason=best.objection,
        info=_info(pair, trials, options, method, planes.data_range, matrix),
        moving_shape=pair.moving.shape,
    )


def _info(
    pair: Pair, trials: list[Trial], options: Options, method: str, data_range: tuple[float, float], matrix: Any
) -> dict[str, Any]:
    best = trials[0]
    return {
        "requested_method": method,
        "method": best.candidate.method,
        "transform": options.transform,
        "moving_shape": pair.moving.shape,
        "fixed_shape": pair.fixed.shape,
        "max_shift": options.max_shift,
        "min_overlap": options.min_overlap,
        "min_inliers": options.min_inliers,
        "seed": options.seed,
        "data_range": data_range,
        "matches": best.candidate.n_matches,
        **judgement(pair, matrix),
        "agreeing_candidates": agreeing(trials, pair) if best.accepted else 0,
        "candidates": tuple(trial.row() for trial in trials),
        "version": __version__,
    }


def _check_options(method: str, transform: str, matches: Any) -> None:
    if method not in METHODS:
        raise InputError(f"method is {method!r}; choose one of {', '.join(METHODS)}.")
    if transform not in TRANSFORMS:
        raise InputError(f"transform is {transform!r}; choose one of {', '.join(TRANSFORMS)}.")
    if method == "matches" and matches is None:
        raise InputError("method='matches' needs matched points; give matches=, a MatchTable.")
    if matches is not None and method not in ("matches", "auto"):
        raise InputError(
            f"matches were given, but method={method!r} does not use them; say method='matches' or 'auto'."
        )


def _number(name: str, value: Any, lowest: float, highest: float) -> float:
    try:
        number = float(value)
    except (TypeError, ValueError):
        raise InputError(f"{name} is {value!r}; give a number.") from None
    if not lowest <= number <= highest:
        limits = f"of at least {lowest:g}" if math.isinf(highest) else f"from {lowest:g} to {highest:g}"
        raise InputError(f"{name} is {number:g}; give a number {limits}.")
    return number


def _whole(name: str, value: Any, lowest: int, highest: float = math.inf) -> int:
    if isinstance(value, bool) or not isinstance(value, int | np.integer) or not lowest <= value <= highest:
        limits = f"of at least {lowest}" if math.isinf(highest) else f"from {lowest} to {highest}"
        raise InputError(f"{name} is {value!r}; give a whole number {limits}.")
    return int(value)
