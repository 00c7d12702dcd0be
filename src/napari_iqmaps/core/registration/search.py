"""Register two images: try candidates, refine each on the images, mend what is nearly right, and let one judge decide.

In "auto", methods take turns from the quick to the thorough, until one candidate is beyond doubt.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from importlib import import_module
from typing import Any

import numpy as np

from ... import __version__
from ..arguments import checked
from ..diffdiff import diff_diff_score
from ..errors import InputError
from ..images import as_planes
from ..progress import Progress, Steps
from ..span import range_first
from ..value_range import DataRange
from . import dense, features
from .candidates import Candidate, Options
from .evidence import Judgement, judge
from .geometry import TRANSFORMS, Matrix, corner_error, fit_matrix, identity
from .images import Pair, as_pair, plane_channel_axis
from .record import Registration
from .warp import on_grid, valid_pixels, warp_image

Proposer = Callable[[Pair, Options], list[Candidate]]

_PROPOSERS = {
    "fast": ("dense", "propose_flow"),
    "features": ("features", "propose_features"),
    "flow": ("dense", "propose_flow"),
    "ecc": ("dense", "propose_ecc"),
    "phase": ("dense", "propose_phase"),
    "dd": ("direct", "propose_dd"),
    "translation": ("translation", "propose_translation"),
    "matches": ("matches", "propose_matches"),
    "stackreg": ("external", "propose_stackreg"),
    "elastix": ("external", "propose_elastix"),
}
"""The module and the function of each method; imported when asked for, since some need optional packages."""

METHODS = ("auto", *_PROPOSERS)
"""Names for ``method``."""

_LARGEST_SEED = 2**31 - 2  # libraries take it, and one more, as a C int
_SURE = 1.5  # pixels: an accepted matrix whose corners are surely this near needs no second opinion
_APART = 10.0  # pixels: two accepted matrices this far apart contradict each other
_SAME = 5.0  # pixels: two candidates this near agree
_WORTH_MENDING = 0.15  # share of the blocks that agree, above which the others may be brought to agree too
_BLOCKS_CLOSE = 2.0
_FROM_FAR = 3  # halvings at which a candidate without matched points is refined from
_FROM_NEAR = 1
_SEARCHED = 0.9  # share of the work that finds the matrix
_ALONE = 0.004  # what a refinement may lose of the correlation by rounding


@dataclass(frozen=True, eq=False)
class Trial:
    """A candidate, refined, with the evidence, what speaks against it, and the matrix as it was before refinement."""

    candidate: Candidate
    judgement: Judgement | None
    objection: str
    start: Matrix | None = None

    @property
    def accepted(self) -> bool:
        """Whether there is nothing against it."""
        return not self.objection

    @property
    def sure(self) -> bool:
        """Whether no second opinion is needed."""
        return self.accepted and self.judgement is not None and self.judgement.evidence.corners_off <= _SURE

    @property
    def rank(self) -> tuple[Any, ...]:
        """What to compare trials by: accepted, then what the blocks say."""
        if self.judgement is None:
            return (False, -1.0, -1)
        blocks, correlation = self.judgement.rank
        # Accepted candidates agree to a few pixels; the finer measure decides between them. Of refusals, the one that
        # was made by looking at the images says most.
        return (True, correlation, blocks) if self.accepted else (False, blocks, self.judgement.evidence.blocks)

    def row(self) -> dict[str, Any]:
        """Give the trial as a dict for ``Registration.info``."""
        candidate = self.candidate
        matrix = None if candidate.matrix is None else candidate.matrix.tolist()
        evidence = {} if self.judgement is None else self.judgement.evidence.row()
        return {
            "method": candidate.method,
            "accepted": self.accepted,
            "reason": self.objection,
            "inliers": candidate.inliers,
            "matches": candidate.n_matches,
            "matrix": matrix,
            **evidence,
            **candidate.info,
        }


def search(pair: Pair, method: str, options: Options) -> list[Trial]:
    """Try the candidates of a method, or of one method after the other; the best trial comes first."""
    proposers = list(_automatic(options)) if method == "auto" else [_named(method)]
    trials: list[Trial] = []
    for number, propose in enumerate(proposers):
        part = replace(options, steps=options.steps.part(number / len(proposers), (number + 1) / len(proposers)))
        quiet = replace(options, steps=options.steps.part(0, 0))
        for candidate in propose(pair, part):
            trials.append(attempt(pair, candidate, quiet, refused=_refused(trials)))
        if any(trial.sure for trial in trials):
            break
    return _without_contradiction(sorted(trials, key=lambda trial: trial.rank, reverse=True), pair)


def attempt(pair: Pair, candidate: Candidate, options: Options, *, refused: Sequence[Matrix] = ()) -> Trial:
    """Refine one candidate, judge it, and mend it if it is nearly right.

    What comes near one of the `refused` matrices, which were refined already, is judged, but not refined again.
    """
    if candidate.matrix is None:
        return Trial(candidate, None, candidate.reason or "no motion was found.")
    best = _judged(pair, candidate, options)
    is_known = any(corner_error(candidate.matrix, matrix, pair.moving.shape) <= _SAME for matrix in refused)
    if not candidate.refine or (is_known and not best.accepted):
        return best
    best = _refined(pair, best, options)
    if not best.accepted and candidate.moving_points is not None:
        again = features.match_again(pair, best.candidate, options)
        if again.matrix is not None:
            best = max(best, _refined(pair, _judged(pair, again, options), options), key=lambda trial: trial.rank)
    best = best if best.accepted else _mended(pair, best, options)
    return replace(best, start=candidate.matrix)


def agreeing(trials: list[Trial], pair: Pair) -> int:
    """Count the other candidates that came within 5 pixels of the first, found in ways of their own."""
    first = trials[0].candidate.matrix
    others = [trial.candidate.matrix for trial in trials[1:]]
    if first is None:
        return 0
    shape = pair.moving.shape
    return sum(matrix is not None and corner_error(first, matrix, shape) <= _SAME for matrix in others)


def _refused(trials: list[Trial]) -> list[Matrix]:
    refused = [trial for trial in trials if not trial.accepted and trial.candidate.refine]
    return [matrix for trial in refused for matrix in (trial.candidate.matrix, trial.start) if matrix is not None]


def _automatic(options: Options) -> Iterator[Proposer]:
    if options.matches is not None:
        yield _named("matches")
    yield features.propose_equalised
    yield features.propose_plain
    yield dense.propose_flow
    yield lambda pair, opts: [Candidate("identity", identity(), refine=False), *dense.propose_ecc(pair, opts)]
    yield _named("phase")
    yield features.propose_views


def _named(method: str) -> Proposer:
    module, function = _PROPOSERS[method]
    propose: Proposer = getattr(import_module(f".{module}", __package__), function)
    if method != "flow":
        return propose
    # "flow" gives the flow's own matrix; "fast" refines it.
    return lambda pair, options: [replace(candidate, refine=False) for candidate in propose(pair, options)]


def _judged(pair: Pair, candidate: Candidate, options: Options) -> Trial:
    if candidate.matrix is None:
        return Trial(candidate, None, candidate.reason)
    judgement = judge(pair, candidate.matrix, options)
    objection = judgement.evidence.objection(options)
    if not objection and candidate.inliers is not None and candidate.inliers < options.min_inliers:
        objection = f"only {candidate.inliers} matched points agree, fewer than min_inliers={options.min_inliers}."
    return Trial(candidate, judgement, objection)


def _refined(pair: Pair, trial: Trial, options: Options) -> Trial:
    """Refine on the images, and keep what is better."""
    if trial.candidate.matrix is None or trial.judgement is None or not trial.judgement.evidence.upright:
        return trial
    far = trial.candidate.moving_points is None
    start = _FROM_FAR if far else 0 if trial.accepted else _FROM_NEAR
    matrix = dense.refine(pair, trial.candidate.matrix, options, start=start)
    if matrix is None:
        return trial
    finer = _judged(pair, _with(trial.candidate, matrix), options)
    return finer if _is_better(finer, trial) else trial


def _mended(pair: Pair, trial: Trial, options: Options) -> Trial:
    """Fit the matrix to where the blocks found themselves, while more and more of them agree."""
    for _ in range(3):
        judgement = trial.judgement
        if judgement is None or judgement.evidence.share < _WORTH_MENDING:
            return trial
        fit = fit_matrix(
            judgement.starts, judgement.ends, options.transform, threshold=_BLOCKS_CLOSE, seed=options.seed
        )
        if fit.matrix is None:
            return trial
        candidate = replace(
            _with(trial.candidate, fit.matrix),
            method=trial.candidate.method.removesuffix("+blocks") + "+blocks",
            inliers=int(fit.inliers.sum()),
            n_matches=len(fit.inliers),
            moving_points=judgement.starts[fit.inliers],
            fixed_points=judgement.ends[fit.inliers],
        )
        mended = _refined(pair, _judged(pair, candidate, options), options)
        if not _is_better(mended, trial):
            return trial
        trial = mended
        if trial.accepted:
            return trial
    return trial


def _is_better(finer: Trial, trial: Trial) -> bool:
    if finer.accepted != trial.accepted or finer.judgement is None or trial.judgement is None:
        return finer.accepted and not trial.accepted
    if finer.accepted:
        return finer.judgement.evidence.correlation >= trial.judgement.evidence.correlation - _ALONE
    return finer.judgement.rank > trial.judgement.rank


def _with(candidate: Candidate, matrix: Matrix) -> Candidate:
    return replace(candidate, matrix=matrix)


def _without_contradiction(trials: list[Trial], pair: Pair) -> list[Trial]:
    """Refuse all if two accepted candidates are far apart."""
    accepted = [trial for trial in trials if trial.accepted]
    matrices = [trial.candidate.matrix for trial in accepted if trial.candidate.matrix is not None]
    if not matrices:
        return trials
    apart = max(corner_error(matrices[0], matrix, pair.moving.shape) for matrix in matrices)
    if apart <= _APART:
        return trials
    reason = f"two motions {apart:.0f} pixels apart fit both; which is the true one cannot be known."
    return [replace(trial, objection=trial.objection or reason) for trial in trials]


def judgement(pair: Pair, matrix: Matrix, steps: Steps | None = None) -> dict[str, Any]:
    """Compare the images before and after a motion: local correlations and verdict of `diff_diff_score`.

    None is the correlation where no pixel that all images have has any detail.
    """
    steps = steps or Steps()

    def moved(motion: Matrix) -> tuple[Any, Any]:
        valid = valid_pixels(motion, pair.moving.shape, pair.fixed.shape, holes=~pair.moving.known)
        return warp_image(pair.moving.plane, motion, pair.fixed.shape, valid=valid), valid

    (moving, before), (registered, after) = (steps.wait(partial(moved, motion)) for motion in (identity(), matrix))
    valid = pair.fixed.known & before & after
    judged = diff_diff_score(
        moving, registered, pair.fixed.plane, valid=valid, data_range=255, progress=steps.part(0, 1).progress
    )
    return {
        "local_ncc_before": _known(judged.local_ncc_before),
        "local_ncc_after": _known(judged.local_ncc_after),
        "verdict": judged.verdict,
    }


def _known(number: float) -> float | None:
    return None if math.isnan(number) else number


@checked
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
    data_range : float, (float, float), "data" or "percentiles", optional
        The values of black and white of both images. Known for bool, uint8 and uint16, required for every other dtype.
        ``"data"`` takes the lowest and the highest value of the fixed image, ``"percentiles"`` its 0.1th and 99.9th
        percentile; the numbers stand in ``info["data_range"]``.
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
    Every candidate is refined by enhanced correlation (Evangelidis and Psarakis 2008) of locally normalised images, and
    kept only if that raises its local correlation. One judge decides for all methods, by the images alone: blocks of
    the registered image look for themselves in the fixed one. It refuses what matches at few places, what matches as
    well elsewhere, and what leaves the corners uncertain by more than 3 pixels. A stiff transform of a motion that it
    cannot follow is refused too. Nothing that is accepted was chosen for being better than the identity: images that
    are aligned already are accepted as such.

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
    trials = search(pair, method, replace(options, steps=options.steps.part(0.0, _SEARCHED)))
    options.steps.reach(_SEARCHED)
    last = replace(options, steps=options.steps.part(_SEARCHED, 1.0))
    result = conclude(moving, pair, trials, last, method=method, **colours)
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
    """Make the record of a registration from its trials; it is accepted if the first trial is."""
    best = trials[0]
    matrix = identity()
    if best.accepted and best.candidate.matrix is not None:
        matrix = best.candidate.matrix
    if isinstance(data_range, str):  # which the pair has found in the fixed image
        data_range = pair.standard.data_range
    planes = as_planes(moving, data_range=data_range, channel_axis=plane_channel_axis(moving, channel_axis))

    def placed() -> tuple[Any, Any]:
        array = planes.window((), slice(None), slice(None))
        return on_grid(array, matrix, pair.fixed.shape, -1 if planes.has_channels else None)

    registered, valid = options.steps.wait(placed)
    if planes.has_channels and channel_axis is not None:
        registered = np.moveaxis(registered, -1, channel_axis)
    info = _info(pair, trials, options, method, matrix)
    return Registration(
        matrix=matrix,
        registered=registered,
        valid=valid,
        method=best.candidate.method,
        inliers=best.candidate.inliers,
        accepted=best.accepted,
        reason=range_first(info, best.objection, is_cause=False),  # methods stretch the contrast
        info=info,
        moving_shape=pair.moving.shape,
    )


def _info(pair: Pair, trials: list[Trial], options: Options, method: str, matrix: Any) -> dict[str, Any]:
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
        **pair.standard.range_record(),
        "matches": best.candidate.n_matches,
        **judgement(pair, matrix, options.steps),
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
