"""What travels with a blind network's weights besides them: how far it may be trusted, and how far it is off."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd
import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file
from torch import Tensor

from ...core.errors import InputError, WeightsError
from ...core.networks.evidence import Evidence, Uncertainty
from ..weights_file import write_tensors

_SHRINKAGE = 0.1
_LEAST_SHARE = 1e-2
_QUANTILE = 0.99

_REACH = 10.0
_PRIOR_IMAGES = 5.0
_FEWEST = 20


def describe_training(evidence: Evidence, vectors: Tensor) -> None:
    """Tell a network which images it was trained on.

    Parameters
    ----------
    vectors : torch.Tensor
        float64, pooled vectors of all training images, ``(images, 130)``.

    Notes
    -----
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
    """Write into weights how far their scores are off.

    Parameters
    ----------
    residuals : str or pathlib.Path
        A CSV file of images that were not trained on, with the columns score and target, both from 0 (best) to 100
        (worst), and perhaps database and enough_evidence, as ``iqmaps evaluate quality`` writes it.
    database : str
        Whose rows count. By default that whose scale the weights have, if the file tells databases apart: the
        scores of others are on scales of their own.

    Notes
    -----
    Images without a score, or without enough evidence for it, do not count. See `deviations_at` for the numbers.
    """
    weights = Path(weights)
    try:
        tensors = load_file(weights)
        with safe_open(weights, framework="pt") as file:
            header: dict[str, str] = file.metadata() or {}
    except (OSError, SafetensorError) as error:
        raise WeightsError(f"{weights} cannot be read ({error}). Give weights of diqa or deepbqa.") from None
    if "uncertainty.deviations" not in tensors:
        raise WeightsError(f"{weights} are no weights of a blind network. Give those of diqa or deepbqa.")
    scores, targets = _read_residuals(Path(residuals), database or header.get("scale", ""))
    uncertainty = Uncertainty()
    tensors["uncertainty.knots"] = uncertainty.knots
    deviations = deviations_at(uncertainty.knots.double().numpy(), scores, targets)
    tensors["uncertainty.deviations"] = torch.from_numpy(deviations).float()
    write_tensors(weights, tensors, header | {"uncertainty_from": f"{len(scores)} images that were not trained on"})


def deviations_at(
    knots: npt.NDArray[np.float64], scores: npt.NDArray[np.float64], targets: npt.NDArray[np.float64]
) -> npt.NDArray[np.float64]:
    """Estimate the standard deviation of scores' errors, by the score.

    Parameters
    ----------
    scores, targets : numpy.ndarray
        What was said and what people said, in points, ``(images,)``.

    Returns
    -------
    numpy.ndarray
        In points, of the shape of `knots`: the root mean square of the deviations, weighed by a Gaussian of 10 points
        around each knot. The mean over all images counts as five more images at each, which decides where there are
        none.
    """
    squares = (scores - targets) ** 2
    weight = np.exp(-(((scores - knots[:, None]) / _REACH) ** 2) / 2)
    mean = (weight @ squares + _PRIOR_IMAGES * squares.mean()) / (weight.sum(1) + _PRIOR_IMAGES)
    found: npt.NDArray[np.float64] = np.sqrt(mean)
    return found


def _read_residuals(path: Path, database: str) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    try:
        table = pd.read_csv(path)
    except (OSError, ValueError) as error:
        raise InputError(
            f"{path} cannot be read ({error}). Give a CSV file with the columns score and target."
        ) from None
    missing = [name for name in ("score", "target") if name not in table]
    if missing:
        raise InputError(f"{path} has no column {' and no '.join(missing)}. It needs score and target.")
    if database and "database" in table:
        table = table[table["database"] == database]
    if "enough_evidence" in table:
        table = table[table["enough_evidence"].astype(bool)]
    table = table.dropna(subset=["score", "target"])
    if len(table) < _FEWEST:
        of = f" of {database}" if database else ""
        raise InputError(f"{path} has {len(table)} images{of} that count; at least {_FEWEST} are needed.")
    return table["score"].to_numpy(dtype=float), table["target"].to_numpy(dtype=float)
