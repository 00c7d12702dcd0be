"""What travels with a network's weights besides them: how far it may be trusted, and how far its scores are off."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from ..core.errors import InputError, WeightsError
from ..core.io.records import Row, TextTable, read_table
from ..core.models import read_state
from ..core.networks.blind import Evidence
from .weights import write_tensors

Floats = npt.NDArray[np.float64]

# Of the distance to the training images; see `describe_training`.
_SHRINKAGE = 0.1
_LEAST_SHARE = 1e-2
_QUANTILE = 0.99

# Of the deviations of scores; see `deviations_at`.
_REACH = 10.0
_PRIOR_IMAGES = 5.0
_FEWEST = 20

_POINTS = 100.0
"""The scale on which deviations are smoothed, whatever that of the scores."""

_TRUTHS = {"true": True, "1": True, "1.0": True, "false": False, "0": False, "0.0": False}

_AIMS = {"diqa": "target", "deepbqa": "target", "metrifier": "label"}
"""Network to the column of what its scores should have been, in the files that ``iqmaps evaluate`` writes."""


def describe_training(evidence: Evidence, vectors: Tensor) -> None:
    """Tell a network which images it was trained on.

    `vectors`: float64, pooled vectors of all training images, ``(images, 130)``.

    The whitening belongs to the covariance with its correlations shrunk by a tenth: features that hardly ever differ
    from one another would else make any small difference a large distance. No feature's standard deviation counts as
    less than a hundredth of the features' largest: most of a trunk's features hardly ever answer. The limit is the
    distance that one training image in a hundred exceeds. White noise and pages of text lie within it, since the
    training has noise as strong and edges as sharp; patterns of stripes and checkers do not.
    """
    mean = vectors.mean(0)
    spread = vectors.std(0, correction=0)
    spread = spread.clamp_min(_LEAST_SHARE * spread.max().item() + torch.finfo(torch.float32).tiny)
    standard = (vectors - mean) / spread
    correlation = (standard.T @ standard / len(vectors)).fill_diagonal_(1)
    shrunk = (1 - _SHRINKAGE) * correlation + _SHRINKAGE * torch.eye(len(mean), dtype=vectors.dtype)
    # With the lower triangular L of shrunk = L L', the distance is the length of L^-1 times the standardised vector.
    lower = torch.linalg.cholesky(shrunk)
    whitening = torch.linalg.solve_triangular(lower, torch.diag(1 / spread), upper=False)
    evidence.mean.copy_(mean)
    evidence.whitening.copy_(whitening)
    distances = evidence.distance(vectors.float()).double()
    evidence.limit.fill_(torch.quantile(distances, _QUANTILE).item())


def set_uncertainty(weights: str | Path, residuals: str | Path, *, database: str = "") -> None:
    """Write into weights of a blind network or of a metrifier how far their scores are off.

    `residuals`: a CSV file of images that were not trained on, as ``iqmaps evaluate`` writes it: for a blind network
    with the columns score and target, both from 0 (best) to 100 (worst), and perhaps database and enough_evidence; for
    a metrifier with the columns score and label, both from 0 to 1, of pictures that its workers do not know either.
    `database`: whose rows count. By default that whose scale the weights have, if the file tells databases apart: the
    scores of others are on scales of their own.

    Images without a score, or without enough evidence for it, do not count. See `deviations_at` for the numbers.
    """
    weights = Path(weights)
    tensors, header = read_state(weights)
    aim = _AIMS.get(header.get("network", ""), "")
    if not aim or "uncertainty.knots" not in tensors:
        raise WeightsError(f"{weights} are weights of a network that gives no scores. Give those of {_listed()}.")
    scores, targets = _read_residuals(Path(residuals), aim, database or header.get("scale", ""))
    knots = tensors["uncertainty.knots"].double().numpy()
    unit = _POINTS / knots[-1]
    deviations = deviations_at(unit * knots, unit * scores, unit * targets) / unit
    tensors["uncertainty.deviations"] = torch.from_numpy(deviations).float()
    write_tensors(weights, tensors, header | {"uncertainty_from": f"{len(scores)} images that were not trained on"})


def deviations_at(knots: Floats, scores: Floats, targets: Floats) -> Floats:
    """Estimate the standard deviation of scores' errors around each knot, in points.

    `scores`, `targets`: what was said and what was true, in points of a scale of 100, ``(images,)``.

    It is the root mean square of the deviations, weighed by a Gaussian of 10 points around the knot. The mean over all
    images counts as five more images at each, which decides where there are none.
    """
    squares = (scores - targets) ** 2
    weight = np.exp(-(((scores - knots[:, None]) / _REACH) ** 2) / 2)
    mean = (weight @ squares + _PRIOR_IMAGES * squares.mean()) / (weight.sum(1) + _PRIOR_IMAGES)
    found: Floats = np.sqrt(mean)
    return found


def _read_residuals(path: Path, aim: str, database: str) -> tuple[Floats, Floats]:
    table = read_table(path, ("score", aim))
    pairs = [
        (table.number(row, "score"), table.number(row, aim))
        for row in table.rows
        if _counts(table, row, database) and row.cells["score"] and row.cells[aim]
    ]
    if len(pairs) < _FEWEST:
        of = f" of {database}" if database else ""
        raise InputError(f"{path} has {len(pairs)} images{of} that count; at least {_FEWEST} are needed.")
    scores, aims = np.array(pairs, dtype=np.float64).T
    both = np.concatenate([scores, aims])
    if aim == "label" and not ((both >= 0) & (both <= 1)).all():
        raise InputError(f"{path} has scores or labels outside 0 to 1. Give both on that scale.")
    return scores, aims


def _counts(table: TextTable, row: Row, database: str) -> bool:
    """Tell whether a row is of the database that counts, with enough evidence, where the table says so."""
    if database and row.cells.get("database", database) != database:
        return False
    said = row.cells.get("enough_evidence", "true").lower()
    if said not in _TRUTHS:
        table.refuse(row, "enough_evidence", "True or False")
    return _TRUTHS[said]


def _listed() -> str:
    *first, last = _AIMS
    return f"{', '.join(first)} or {last}"
