"""What one pass over an image without a reference gives: its maps in a fixed order, and its score."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import numpy as np

from .evidence import Verdict, judge, uniformity
from .maps import QualityMap
from .quality_score import QualityScore, summed_up

if TYPE_CHECKING:
    from .blind_pass import Sums
    from .models import WeightsRecord


@dataclass(frozen=True, eq=False)
class Assessment:
    """The maps and the score of one pass of a blind network.

    Attributes
    ----------
    maps : mapping
        Kind to `QualityMap`, in the order objective_error, error, reliability, sensitivity, perceptual_error; those
        that were asked for.
    sums : numpy.ndarray or dask.array.Array
        What the pass added up for the score, ``(..., numbers)``; lazy if the maps are.
    judge : Judge
        Makes the score of them.
    """

    maps: Mapping[str, QualityMap]
    sums: Any
    judge: Judge

    def __post_init__(self) -> None:
        object.__setattr__(self, "maps", MappingProxyType(dict(self.maps)))

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickle the maps as a plain dict: a read-only view cannot travel between processes."""
        return type(self), (dict(self.maps), self.sums, self.judge)

    @cached_property
    def quality(self) -> QualityScore:
        """The score; of lazy maps it is computed when it is first asked for, in a pass of its own."""
        return self.judge.score(np.asarray(self.sums))

    @property
    def is_lazy(self) -> bool:
        """Whether the maps are dask arrays that have not been computed."""
        return not isinstance(self.sums, np.ndarray)

    def compute(self) -> Assessment:
        """Compute lazy maps and the score in one pass.

        Returns
        -------
        Assessment
            The same with everything in memory; this one itself when nothing is lazy.
        """
        if not self.is_lazy:
            return self
        from dask.base import compute

        values, sums = compute({kind: result.values for kind, result in self.maps.items()}, self.sums)
        maps = {kind: QualityMap.of(values[kind], kind, result.info) for kind, result in self.maps.items()}
        return replace(self, maps=maps, sums=sums).with_reservations()

    def with_reservations(self) -> Assessment:
        """Write into the provenance of each map why its evidence is not enough, where it is not.

        Returns
        -------
        Assessment
            The same with other provenance; nothing may be lazy.
        """
        maps = {
            kind: replace(result, info={**result.info, **self.judge.reservations(self.sums, kind)})
            for kind, result in self.maps.items()
        }
        return replace(self, maps=maps)


@dataclass(frozen=True)
class Judge:
    """Makes scores and reservations of what a pass added up.

    Attributes
    ----------
    record : WeightsRecord or None
        Of the network; None for a closed form, which has reservations but no score.
    shape : tuple of int
        Of the image, ``(..., height, width)``.
    runs_trunk : bool
        Whether the pass has seen the features, which tell how far the image is from the training.
    """

    record: WeightsRecord | None
    device: str
    shape: tuple[int, ...]
    runs_trunk: bool
    info: Mapping[str, Any]

    def score(self, sums: np.ndarray) -> QualityScore:
        """Give the score of every plane.

        Returns
        -------
        QualityScore
            0 (best) to 100 (worst); NaN with a reason where there is no answer.
        """
        import torch

        from .networks.blind import DeepBQA

        network, seen = self._network(), self._seen(sums)
        given = seen.perceptual_error if isinstance(network, DeepBQA) else seen.pooled
        flat = torch.from_numpy(np.reshape(given, (-1, *given.shape[sums.ndim - 1 :])).astype(np.float32))
        with torch.inference_mode():
            points = network.score(flat.to(self.device)).double().cpu().numpy().reshape(sums.shape[:-1])
        verdicts = self._verdicts(sums)
        answered = np.array([verdict.has_answer for verdict in verdicts]).reshape(points.shape)
        planes = np.where(answered, points, np.nan)
        knots, deviations = (part.double().cpu().numpy() for part in network.uncertainty.buffers())
        return QualityScore.of(
            planes,
            uncertainty=np.interp(planes, knots, deviations),
            reasons=[verdict.reason for verdict in verdicts],
            info={**self.info, "method": "quality"},
        )

    def reservations(self, sums: np.ndarray, kind: str) -> dict[str, str]:
        """Say what the provenance of a map has to say about its evidence.

        Parameters
        ----------
        kind : str
            Of the map. A prediction has the reservations of the score, the reliability only that an image is uniform,
            and a measured error none.
        """
        if kind == "objective_error":
            return {}
        if kind == "reliability":
            reasons = [uniformity(mean) for mean in self._seen(sums).reliability.ravel().tolist()]
        else:
            reasons = [verdict.reason for verdict in self._verdicts(sums)]
        reason = summed_up(reasons, self.shape[:-2])
        return {"not_enough_evidence": reason} if reason else {}

    def _verdicts(self, sums: np.ndarray) -> list[Verdict]:
        seen, evidence = self._seen(sums), self._network().evidence
        homogeneous, limit = float(evidence.homogeneous), float(evidence.limit)
        distances = np.zeros(sums.shape[:-1])
        if self.runs_trunk and np.isfinite(limit):
            mean, whitening = (part.double().cpu().numpy() for part in (evidence.mean, evidence.whitening))
            distances = np.linalg.norm((seen.pooled - mean) @ whitening.T, axis=-1)
        height, width = self.shape[-2:]
        return [
            judge(shape=(height, width), cells=float(cells), reliability=float(reliability), homogeneous=homogeneous,
                  distance=float(distance), limit=limit)
            for cells, reliability, distance in zip(np.ravel(seen.cells), np.ravel(seen.reliability),
                                                    np.ravel(distances), strict=True)
        ]  # fmt: skip

    def _seen(self, sums: np.ndarray) -> Sums:
        from .blind_pass import Sums

        return Sums(sums)

    def _network(self) -> Any:
        import torch

        from .blind_pass import load_network

        assert self.record is not None
        return load_network(self.record, torch.device(self.device))
