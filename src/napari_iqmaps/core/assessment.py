"""What one pass of a network over an image gives: its maps, and its score with what the evidence is not enough for."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, ClassVar, Self

import numpy as np
import numpy.typing as npt

from .arguments import check_fields, checked, shown
from .arrays import computed_together, computing, is_dask
from .errors import InputError
from .evidence import Verdict, blind_verdict, machine_verdict, reservations, uniformity
from .maps import QualityMap
from .models import load_network
from .quality_score import QualityScore, summed_up
from .span import pending, settled

if TYPE_CHECKING:
    from .models import WeightsRecord

Numbers = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Judge(ABC):
    """Makes scores and reservations of what a pass added up.

    `record` is that of the network's weights; None for a closed form, which has reservations but no score. `shape` is
    the image's, ``(..., height, width)``.
    """

    record: WeightsRecord | None
    device: str
    shape: tuple[int, ...]
    info: Mapping[str, Any]

    method: ClassVar[str]
    lower_is_better: ClassVar[bool]
    scale: ClassVar[tuple[float, float]]

    def score(self, sums: Numbers) -> QualityScore:
        """Give the score of every plane; NaN with a reason where there is no answer."""
        verdicts = self._verdicts(sums)
        answered = np.array([verdict.has_answer for verdict in verdicts]).reshape(sums.shape[:-1])
        planes = np.where(answered, self._points(sums), np.nan)
        uncertainty = self._network().uncertainty
        # The deviations were measured at six scores; between them they are interpolated.
        knots, deviations = (part.double().cpu().numpy() for part in (uncertainty.knots, uncertainty.deviations))
        return QualityScore.of(
            planes,
            uncertainty=np.interp(planes, knots, deviations),
            reasons=[verdict.reason for verdict in verdicts],
            lower_is_better=self.lower_is_better,
            range=self.scale,
            info={**self.info, "method": self.method},
        )

    @abstractmethod
    def reserved(self, quality_map: QualityMap, sums: Numbers) -> QualityMap:
        """Write into a map's provenance why its evidence is not enough, where it is not."""

    @abstractmethod
    def _verdicts(self, sums: Numbers) -> list[Verdict]:
        """Apply the rules of evidence to every plane."""

    @abstractmethod
    def _points(self, sums: Numbers) -> Numbers:
        """Give the score of every plane, whatever its evidence."""

    def _network(self) -> Any:
        import torch

        assert self.record is not None
        return load_network(self.record, torch.device(self.device))  # ready since the pass

    def _with_reasons(self, quality_map: QualityMap, reasons: list[str]) -> QualityMap:
        lead = self.shape[:-2]
        told = reservations(summed_up(reasons, lead), [not reason for reason in reasons], lead)
        return replace(quality_map, info={**quality_map.info, **told}) if told else quality_map


@dataclass(frozen=True)
class BlindJudge(Judge):
    """Makes the score of a blind network, 0 (best) to 100 (worst).

    `runs_trunk` says whether the pass has seen the features, which tell how far the image is from the training.
    """

    runs_trunk: bool = True

    method: ClassVar[str] = "quality"
    lower_is_better: ClassVar[bool] = True
    scale: ClassVar[tuple[float, float]] = (0.0, 100.0)

    def reserved(self, quality_map: QualityMap, sums: Numbers) -> QualityMap:
        """Give a prediction the reservations of the score, the reliability only its uniformity, a measure none."""
        from ._network_pass import BlindSums

        if quality_map.kind == "objective_error":
            return quality_map
        if quality_map.kind == "reliability":
            means = np.ravel(BlindSums(sums).reliability).tolist()
            return self._with_reasons(quality_map, [uniformity(mean, info=self.info) for mean in means])
        return self._with_reasons(quality_map, [verdict.reason for verdict in self._verdicts(sums)])

    def _points(self, sums: Numbers) -> Numbers:
        import torch

        from ._network_pass import BlindSums
        from .networks.blind import DeepBQA

        network, seen = self._network(), BlindSums(sums)
        # DeepBQA regresses the mean perceptual error alone, DIQA the mean features and two numbers made by hand.
        given = seen.perceptual_error if isinstance(network, DeepBQA) else seen.pooled
        flat = torch.from_numpy(np.reshape(given, (-1, *given.shape[sums.ndim - 1 :])).astype(np.float32))
        with torch.inference_mode():
            points: Numbers = network.score(flat.to(self.device)).double().cpu().numpy()
        return points.reshape(sums.shape[:-1])

    def _verdicts(self, sums: Numbers) -> list[Verdict]:
        from ._network_pass import BlindSums

        seen, evidence = BlindSums(sums), self._network().evidence
        limit = float(evidence.limit)
        distances = np.zeros(sums.shape[:-1])
        if self.runs_trunk and np.isfinite(limit):
            mean, whitening = (part.double().cpu().numpy() for part in (evidence.mean, evidence.whitening))
            # Mahalanobis: |W (x - m)| with W' W the inverse of the training's covariance.
            distances = np.linalg.norm((seen.pooled - mean) @ whitening.T, axis=-1)
        numbers = (np.ravel(part).tolist() for part in (seen.cells, seen.reliability, distances))
        return [
            blind_verdict(
                shape=self.shape[-2:],
                cells=cells,
                reliability=reliability,
                homogeneous=float(evidence.homogeneous),
                distance=distance,
                limit=limit,
                info=self.info,
            )
            for cells, reliability, distance in zip(*numbers, strict=True)
        ]


@dataclass(frozen=True)
class MachineJudge(Judge):
    """Makes the score of the metrifier, 0 (worst) to 1 (best)."""

    method: ClassVar[str] = "machine_quality"
    lower_is_better: ClassVar[bool] = False
    scale: ClassVar[tuple[float, float]] = (0.0, 1.0)

    def reserved(self, quality_map: QualityMap, sums: Numbers) -> QualityMap:
        """Give the map the score and the reservations of the pass; its values stay where there is no answer."""
        score = self.score(sums)
        own = score.planes if score.planes.ndim else float(score.planes)
        return self._with_reasons(replace(quality_map, score=own), list(score.reasons))

    def _points(self, sums: Numbers) -> Numbers:
        from ._network_pass import MachineSums

        points: Numbers = MachineSums(sums).probability
        return points

    def _verdicts(self, sums: Numbers) -> list[Verdict]:
        from ._network_pass import MachineSums

        seen, trained_side = MachineSums(sums), float(self._network().trained_side)
        numbers = (np.ravel(part).tolist() for part in (seen.pixels, seen.cells, seen.spread))
        return [
            machine_verdict(
                shape=self.shape[-2:],
                pixels=pixels,
                cells=cells,
                spread=spread,
                trained_side=trained_side,
                info=self.info,
            )
            for pixels, cells, spread in zip(*numbers, strict=True)
        ]


@dataclass(frozen=True, eq=False)
class _Assessed:
    """What the assessments of all networks have in common."""

    maps: Mapping[str, QualityMap]
    sums: Any
    judge: Judge

    @classmethod
    @checked
    def of(cls, values: Mapping[str, Any], sums: Any, judge: Any) -> Self:
        """Make an assessment of what a pass gave.

        `values`: kind to the values of its map, of numpy or dask. `sums`: as the attribute. `judge`: as the attribute.
        Returns whose maps say in their provenance why their evidence is not enough; nothing lazy is computed.
        """
        if not isinstance(judge, Judge):
            raise InputError(f"judge is {shown(judge)}; give what makes the score of a pass.")
        made = cls({kind: QualityMap.of(plane, kind, judge.info) for kind, plane in values.items()}, sums, judge)
        return made if made.is_lazy else made.with_reservations()

    def __post_init__(self) -> None:
        check_fields(self)
        if not (type(self.sums) is np.ndarray or is_dask(self.sums)) or self.sums.ndim < 1 or self.sums.dtype != float:
            raise InputError(f"sums is {shown(self.sums)}; give what a pass added up, float64 (..., numbers).")
        object.__setattr__(self, "maps", MappingProxyType(dict(self.maps)))

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickle the maps as a plain dict: a read-only view cannot travel between processes."""
        return type(self), (dict(self.maps), self.sums, self.judge)

    @cached_property
    def score(self) -> QualityScore:
        """The score; of lazy maps it is computed when it is first asked for, in a pass of its own."""
        if not self.is_lazy:
            return self.judge.score(self.sums)
        sums, seen = computed_together(self.sums, pending(self.judge.info), "image")
        return self._judge_of(seen).score(sums)

    def _judge_of(self, seen: Any) -> Judge:
        """Tell the judge what was seen of the values, when that was computed."""
        return replace(self.judge, info=settled(self.judge.info, seen))

    @property
    def is_lazy(self) -> bool:
        """Whether the maps are dask arrays that have not been computed."""
        return not isinstance(self.sums, np.ndarray)

    def sentence(self) -> str:
        """Say the score in words, with its uncertainty and its reservations.

        Returns str: as `QualityScore.sentence` says it; that it is not computed yet, while the maps are lazy.
        """
        return "Quality: not computed yet." if self.is_lazy else self.score.sentence()

    def compute(self) -> Self:
        """Compute lazy maps and the score in one pass.

        Returns the same with everything in memory; this one itself when nothing is lazy.
        """
        if not self.is_lazy:
            return self
        from dask.base import compute

        with computing("image"):
            lazy = {kind: result.values for kind, result in self.maps.items()}
            values, sums, seen = compute(lazy, self.sums, pending(self.judge.info))
        maps = {kind: QualityMap.of(values[kind], kind, settled(one.info, seen)) for kind, one in self.maps.items()}
        return replace(self, maps=maps, sums=sums, judge=self._judge_of(seen)).with_reservations()

    def with_reservations(self) -> Self:
        """Write into the provenance of each map why its evidence is not enough, where it is not.

        Returns the same with other provenance; nothing may be lazy.
        """
        return replace(self, maps={kind: self.judge.reserved(one, self.sums) for kind, one in self.maps.items()})


@dataclass(frozen=True, eq=False)
class Assessment(_Assessed):
    """The maps and the score of one pass of a blind network.

    Attributes
    ----------
    maps : mapping
        Kind to `QualityMap`, in the order objective_error, error, reliability, sensitivity, perceptual_error; those
        that were asked for.
    sums : numpy.ndarray or dask.array.Array
        What the pass added up for the score, ``(..., numbers)``; lazy if the maps are.
    judge : BlindJudge
        Makes the score of them.
    """

    judge: BlindJudge


@dataclass(frozen=True, eq=False)
class MachineAssessment(_Assessed):
    """The map and the score of one pass of the metrifier.

    Attributes
    ----------
    maps : mapping
        ``"machine_quality"`` to its `QualityMap`, if it was asked for.
    sums : numpy.ndarray or dask.array.Array
        What the pass added up for the score, ``(..., 5)``; lazy if the map is.
    judge : MachineJudge
        Makes the score of them.
    """

    judge: MachineJudge
