"""Try candidates: refine each on the images, mend what is nearly right, and let one judge decide.

In "auto", methods take turns from the quick to the thorough, until one candidate is beyond doubt.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from importlib import import_module
from typing import Any

from . import dense, features
from .candidates import Candidate, Options
from .evidence import Judgement, judge
from .fitting import fit_matrix
from .geometry import Matrix, corner_error, identity
from .images import Pair

Proposer = Callable[[Pair, Options], list[Candidate]]

_PROPOSERS = {
    "features": ("features", "propose_features"),
    "flow": ("dense", "propose_flow"),
    "fast": ("dense", "propose_flow"),
    "ecc": ("dense", "propose_ecc"),
    "phase": ("dense", "propose_phase"),
    "dd": ("direct", "propose_dd"),
    "translation": ("translation", "propose_translation"),
    "matches": ("matches", "propose_matches"),
    "stackreg": ("external", "propose_stackreg"),
    "elastix": ("external", "propose_elastix"),
}
"""The module and the function of each method; imported when asked for, since some need optional packages."""

_SURE = 1.5  # pixels: an accepted matrix whose corners are surely this near needs no second opinion
_APART = 10.0  # pixels: two accepted matrices this far apart contradict each other
_SAME = 5.0  # pixels: two candidates this near agree
_WORTH_MENDING = 0.15  # share of the blocks that agree, above which the others may be brought to agree too
_BLOCKS_CLOSE = 2.0
_FROM_FAR = 3  # halvings at which a candidate without matched points is refined from
_FROM_NEAR = 1
_ALONE = 0.004  # what a refinement may lose of the correlation by rounding


@dataclass(frozen=True, eq=False)
class Trial:
    """A candidate after it was tried.

    Attributes
    ----------
    candidate : Candidate
        As it is after refinement.
    judgement : Judgement or None
        The evidence; None without a matrix.
    start : numpy.ndarray or None
        The matrix as it was before refinement.
    """

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
    """Try the candidates of a method, or of one after the other.

    Returns
    -------
    list of Trial
        The best first; never empty.
    """
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

    Parameters
    ----------
    refused : sequence of numpy.ndarray
        Matrices that were refined and refused already: what comes near one of them is judged, but not refined again.
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
    """Count the other candidates that came within 5 pixels of the first, found in ways of their own.

    Returns
    -------
    int
        How many; 0 if the first has no matrix.
    """
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
    yield lambda pair, opts: [features.propose_equalised(pair, opts)]
    yield lambda pair, opts: [features.propose_plain(pair, opts)]
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
